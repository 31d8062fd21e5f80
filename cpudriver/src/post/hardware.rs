//! What the message path needs of the machine.

use proto::id::CoreId;

/// The most cores of a machine: flag bytes per doorstep.
pub const MAX_CORES: usize = 256;

/// What a core publishes about itself in its state byte, of which it is the only writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Activity {
    /// In the kernel: looks at its flag bytes before it leaves, so nobody need ring.
    #[default]
    Kernel = 0,
    /// In user mode: looks at its flag bytes only when it is interrupted.
    User = 1,
    /// Halted, or about to: only an interrupt wakes it.
    Asleep = 2,
}

impl Activity {
    /// Reads a state byte; a byte that nobody writes counts as asleep, which costs a doorbell at most.
    #[inline]
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Kernel,
            1 => Self::User,
            _ => Self::Asleep,
        }
    }
}

/// The machine as one core's message path sees it.
///
/// A doorstep is what a core shows to those who send to it: the state byte and one flag byte per
/// sender. Loads and stores of it are atomic bytes; stores become visible to others in program order
/// (release), loads are not reordered with later accesses (acquire), and a store may be delayed past
/// later loads unless [`Hardware::fence`] stands between: x86's own order.
pub trait Hardware {
    /// Makes every earlier store visible to all cores before any later load (`mfence`).
    fn fence(&self);

    /// Sets this core's flag byte at the doorstep of `receiver`.
    fn raise(&self, receiver: CoreId);

    /// What `receiver` last published.
    fn activity_of(&self, receiver: CoreId) -> Activity;

    /// Interrupts `receiver`, which ends its halt or its stay in user mode.
    fn ring(&self, receiver: CoreId);

    /// The first sender, from number `from` on, whose flag byte at this core's doorstep is set.
    fn next_raised(&self, from: usize) -> Option<CoreId>;

    /// The first sender whose flag byte at this core's doorstep is set, and whether it is the only one.
    #[inline(always)]
    fn first_raised(&self) -> Option<(CoreId, bool)> {
        let first = self.next_raised(0)?;
        Some((first, self.next_raised(first.index() + 1).is_none()))
    }

    /// Visits the senders, from `first` on, whose flag bytes at this core's doorstep are set. Those before it may be visited
    /// too, if theirs are.
    #[inline(always)]
    fn each_raised(&self, first: CoreId, mut visit: impl FnMut(CoreId)) {
        let mut next = self.next_raised(first.index());
        while let Some(sender) = next {
            visit(sender);
            next = self.next_raised(sender.index() + 1);
        }
    }

    /// No core after `last` sends to this one: looks by way of this value need not go further. A flag that is set behind it
    /// stays set, and is found by the first look that goes so far.
    fn hear_up_to(&mut self, _last: CoreId) {}

    /// Clears the flag byte of `sender` at this core's doorstep.
    fn lower(&self, sender: CoreId);

    /// Publishes what this core does.
    fn publish(&self, activity: Activity);

    /// Halts until an interrupt comes; one that is already pending ends it at once. Enabling
    /// interrupts and halting are one act (`sti; hlt`).
    fn halt(&self);
}
