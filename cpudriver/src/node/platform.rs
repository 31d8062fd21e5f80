//! What a node needs of the machine.

use super::{PeerEnds, TreeEnd};
use crate::driver::{Driver, Effect};
use crate::post::Hardware;
use crate::trace::Trace;
use alloc::boxed::Box;
use proto::message::ToCore;

/// What a node needs of the machine beside the message path.
pub trait Platform: Hardware + Copy {
    /// The clock: cycles, or instructions of all cores under `-icount`.
    fn now(&self) -> u64;

    /// Waits a moment, to be called in every loop that polls.
    fn pause(&self);

    /// Marks the beginning of a measured region, for whoever counts instructions from outside.
    fn mark_begin(&self);

    /// Marks its end.
    fn mark_end(&self);

    /// Address spaces that this core tells apart, beside the kernel's own tables: 0 if it can tell none apart.
    fn identifiers(&self) -> u8;

    /// Writes what this core is doing, and what it did last, into its report buffer; gives the length
    /// in bytes.
    fn report(&self, trace: &Trace<'_>) -> u32;

    /// Takes the ends of rings that the coordinator has put into this core's handoff cell.
    fn take_ends(&self) -> Option<Parcel>;

    /// Puts ends of rings into this core's handoff cell, for the coordinator to take.
    ///
    /// # Errors
    /// The ends, when the coordinator has not taken the last ones.
    fn give_ends(&self, ends: Parcel) -> Result<(), Parcel>;

    /// The number that core 0 has written last to the line that all cores share, for an experiment.
    fn line(&self) -> u64;

    /// The one that this core has answered last.
    fn answered(&self) -> u64;

    /// Answers one.
    fn answer(&self, number: u64);

    /// An order about the core's lease is taken, which the driver has not seen: for test builds.
    #[inline(always)]
    fn takes(&self, _: &ToCore, _: &Driver) {}

    /// Learns anew whether the calls of what runs on this core are traced.
    fn look_at_trace(&self);

    /// Does what the driver wants done to the vcore of this core, or to its translations. Messages
    /// ([`Effect::HandOn`], [`Effect::Answer`], [`Effect::Send`]) are not for this.
    fn perform(&self, effect: Effect);
}

/// What core 0 and another core hand to each other.
#[derive(Debug)]
pub enum Parcel {
    /// The ends of a link between two cores.
    Link(Box<PeerEnds>),
    /// The end of a ring through which shootdowns are handed on.
    Tree(&'static mut TreeEnd),
}
