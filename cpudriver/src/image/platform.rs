//! The machine as a node sees it: `arch`, behind the traits of the pure code.

use super::clock::Span;
use super::{probes, vcore};
use crate::arch::shared::{self, ThisCore};
use crate::arch::{cpu, handoff, line, marker, percpu, report, user};
use crate::driver::{Driver, Effect};
use crate::node::{Parcel, Platform};
use crate::post::{Activity, Hardware};
use crate::trace::Trace;
use proto::id::CoreId;
use proto::message::ToCore;

/// Events of a core's trace that its report shows.
const SHOWN_EVENTS: usize = 8;

/// The core that this runs on, and must stay on.
#[derive(Clone, Copy, Debug)]
pub struct Kernel(ThisCore);

impl Kernel {
    /// The core that this runs on.
    pub fn here() -> Self {
        Self(shared::this_core())
    }
}

impl Hardware for Kernel {
    #[inline(always)]
    fn fence(&self) {
        self.0.fence();
    }

    #[inline(always)]
    fn raise(&self, receiver: CoreId) {
        self.0.raise(receiver);
    }

    #[inline(always)]
    fn activity_of(&self, receiver: CoreId) -> Activity {
        self.0.activity_of(receiver)
    }

    #[inline(always)]
    fn ring(&self, receiver: CoreId) {
        self.0.ring(receiver);
    }

    #[inline(always)]
    fn next_raised(&self, from: usize) -> Option<CoreId> {
        self.0.next_raised(from)
    }

    #[inline(always)]
    fn first_raised(&self) -> Option<(CoreId, bool)> {
        self.0.first_raised()
    }

    #[inline(always)]
    fn each_raised(&self, first: CoreId, visit: impl FnMut(CoreId)) {
        self.0.each_raised(first, visit);
    }

    fn hear_up_to(&mut self, last: CoreId) {
        self.0.hear_up_to(last);
    }

    #[inline(always)]
    fn lower(&self, sender: CoreId) {
        self.0.lower(sender);
    }

    #[inline(always)]
    fn publish(&self, activity: Activity) {
        self.0.publish(activity);
    }

    #[inline(always)]
    fn halt(&self) {
        self.0.halt();
    }
}

impl Platform for Kernel {
    #[inline(always)]
    fn now(&self) -> u64 {
        cpu::now()
    }

    #[inline(always)]
    fn pause(&self) {
        cpu::pause();
    }

    #[inline(always)]
    fn mark_begin(&self) {
        marker::begin();
    }

    #[inline(always)]
    fn mark_end(&self) {
        marker::end();
    }

    fn identifiers(&self) -> u8 {
        user::identifiers().count()
    }

    fn report(&self, trace: &Trace<'_>) -> u32 {
        report::write(|out| {
            writeln!(out, "core {} between two messages; the last events:", percpu::id())?;
            let now = cpu::now();
            for event in trace.last(SHOWN_EVENTS) {
                writeln!(out, "  {} ago: {}", Span(now.saturating_sub(event.stamp)), event.what)?;
            }
            report::backtrace(out)
        })
    }

    fn take_ends(&self) -> Option<Parcel> {
        handoff::take()
    }

    fn give_ends(&self, ends: Parcel) -> Result<(), Parcel> {
        handoff::put(ends)
    }

    #[inline(always)]
    fn line(&self) -> u64 {
        line::told()
    }

    #[inline(always)]
    fn answered(&self) -> u64 {
        line::answered(percpu::id())
    }

    #[inline(always)]
    fn answer(&self, number: u64) {
        line::answer(number);
    }

    #[inline(always)]
    fn takes(&self, order: &ToCore, driver: &Driver) {
        probes::takes(order, driver);
    }

    fn look_at_trace(&self) {
        vcore::look_at_trace();
    }

    #[inline(always)]
    fn perform(&self, effect: Effect) {
        vcore::perform(effect);
    }
}
