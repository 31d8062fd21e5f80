//! The receiver: whom to look at, in which order, and how to stop looking.

use super::hardware::{Activity, Hardware};
use alloc::boxed::Box;
use alloc::vec::Vec;
use proto::id::CoreId;

/// Routine messages of one sender that are handled before the next sender's turn.
pub const BURST: usize = 8;

/// What was handled of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A message of its immediate lane.
    Immediate,
    /// A message of its routine lane.
    Routine,
    /// The last message of its routine lane; just before, the immediate lane was found empty.
    ///
    /// Both looks were made in this turn, and so after the sender's flag was lowered. Whatever is put later raises it anew, and
    /// neither lane need be looked at again.
    Last,
}

/// What comes of something urgent on a core that was interrupted in user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgent {
    /// It was all that there was of the sender.
    All,
    /// The sender has more.
    More,
    /// It was all, and the core does not go back to user mode.
    Leaves,
}

/// What a core does about messages. Implemented by the one who owns the receiving ends.
pub trait Handler {
    /// Handles one message from the immediate lane of `sender`; false if there was none.
    fn immediate(&mut self, sender: CoreId) -> bool;

    /// Handles all messages from the immediate lane of `sender`; whether it has anything else.
    #[inline(always)]
    fn all_immediate(&mut self, sender: CoreId) -> bool {
        each_immediate(self, sender)
    }

    /// Handles one message from the routine lane of `sender`; false if there was none.
    fn routine(&mut self, sender: CoreId) -> bool;

    /// Handles one message of `sender`, from the immediate lane if there is one, else from the routine lane: what it was.
    ///
    /// Whoever can look at both lanes at once does so here: it costs less.
    #[inline(always)]
    fn next(&mut self, sender: CoreId) -> Option<Taken> {
        if self.immediate(sender) {
            Some(Taken::Immediate)
        } else {
            self.routine(sender).then_some(Taken::Routine)
        }
    }

    /// Whether `sender` has something that the receiver handles in [`Handler::urgent`].
    #[inline]
    fn is_urgent(&self, _sender: CoreId) -> bool {
        false
    }

    /// Handles what is urgent of `sender`.
    #[inline]
    fn urgent(&mut self, _sender: CoreId) -> Urgent {
        Urgent::More
    }

    /// Handles the answer of `sender` that the receiver waits for and does nothing else beside; whether it has more, or
    /// something else.
    #[inline]
    fn awaited(&mut self, _sender: CoreId) -> bool {
        true
    }

    /// Whether `sender` has anything, in either lane. Who cannot tell says yes: it costs a pass.
    fn has_more(&self, _sender: CoreId) -> bool {
        true
    }
}

/// What [`Handler::all_immediate`] does, unless there is a shorter way: one message after the other, with a look behind each.
#[inline(always)]
pub fn each_immediate(handler: &mut (impl Handler + ?Sized), sender: CoreId) -> bool {
    let mut more = true;
    while more && handler.immediate(sender) {
        more = handler.has_more(sender);
    }
    more
}

/// Knows which senders have something, and takes them in turn.
#[derive(Debug)]
pub struct Inbox {
    /// Senders whose flag was seen and whose rings have not been found empty since, each once; its
    /// capacity is the number of cores.
    waiting: Vec<CoreId>,
    /// Whether a sender is among those waiting, by number.
    listed: Box<[bool]>,
}

impl Inbox {
    /// Makes an inbox for senders 0..`cores`. It allocates nothing later.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let listed = alloc::vec![false; cores].into_boxed_slice();
        Self { waiting: Vec::with_capacity(cores), listed }
    }

    /// Makes one pass: looks at the flag bytes, handles the immediate messages of all senders that have
    /// something, then at most [`BURST`] routine ones of each, with a look at the sender's immediate lane
    /// before each. Returns whether any sender had something, so that there may be more.
    ///
    /// An empty inbox costs the scan of the flag bytes and nothing else.
    #[inline(always)]
    pub fn serve(&mut self, hardware: &impl Hardware, handler: &mut impl Handler) -> bool {
        // The look is all that an idle core does, so it is inlined without the rest.
        let first = hardware.first_raised();
        if first.is_none() && self.waiting.is_empty() {
            return false;
        }
        self.serve_some(first, hardware, handler);
        true
    }

    /// Gives their turns to those that have something. There is one place where a sender has its turn, so that all that is done
    /// about a message can be part of this function: there are few calls on the way of each.
    #[inline(never)]
    fn serve_some(
        &mut self,
        first: Option<(CoreId, bool)>,
        hardware: &impl Hardware,
        handler: &mut impl Handler,
    ) {
        let alone = self.alone(first, hardware);
        if alone.is_none() {
            self.serve_immediate(handler);
        }
        // Those that have more wait on, in their order.
        let (mut at, mut kept) = (0, 0);
        while let Some(sender) = alone.or_else(|| self.waiting.get(at).copied()) {
            let more = has_more_after_burst(sender, handler);
            if alone.is_some() {
                if more {
                    self.list(sender);
                }
                return;
            }
            if more {
                self.waiting[kept] = sender;
                kept += 1;
            } else {
                self.listed[sender.index()] = false;
            }
            at += 1;
        }
        self.waiting.truncate(kept);
    }

    /// Handles the immediate messages of all that wait. Who has sent nothing else is done with.
    #[inline(always)]
    fn serve_immediate(&mut self, handler: &mut impl Handler) {
        let (mut at, mut kept) = (0, 0);
        while let Some(&sender) = self.waiting.get(at) {
            let more = handler.all_immediate(sender);
            if !more {
                self.listed[sender.index()] = false;
            } else if kept < at {
                self.waiting[kept] = sender;
            }
            kept += usize::from(more);
            at += 1;
        }
        self.waiting.truncate(kept);
    }

    /// The sender that has something, if it is the only one: it has its turn at once, which begins with a look for what
    /// is immediate. Its flag is lowered, and it does not wait any more. Otherwise all that have something wait, each with
    /// its flag lowered.
    #[inline(always)]
    fn alone(&mut self, first: Option<(CoreId, bool)>, hardware: &impl Hardware) -> Option<CoreId> {
        match (first, self.waiting.as_slice()) {
            (Some((sender, true)), []) => {
                hardware.lower(sender);
                hardware.fence();
                Some(sender)
            }
            // Its flag was lowered before, with a fence.
            (None, &[sender]) => {
                self.waiting.clear();
                self.listed[sender.index()] = false;
                Some(sender)
            }
            (Some((sender, _)), _) => {
                self.collect(sender, hardware);
                None
            }
            (None, _) => None,
        }
    }

    /// Moves all senders whose flag is set to those waiting. The flags are cleared before the rings are
    /// read, with one fence for all: a message put after its sender's ring was read sets the flag anew.
    #[inline(never)]
    fn collect(&mut self, first: CoreId, hardware: &impl Hardware) {
        hardware.each_raised(first, |sender| {
            hardware.lower(sender);
            if !self.listed[sender.index()] {
                self.list(sender);
            }
        });
        hardware.fence();
    }

    /// Adds a sender to those waiting, among which it is not.
    fn list(&mut self, sender: CoreId) {
        self.listed[sender.index()] = true;
        self.waiting.push(sender);
    }

    /// Whether no sender waits for another turn: all that there may be is told by flag bytes, which
    /// [`Inbox::leave`] looks at again.
    #[inline]
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Handles what is urgent, and no more, on a core that was interrupted in user mode and is shown to be there still. True
    /// if that was all: then the core may go back, without [`Inbox::leave`], because whoever sends meanwhile sees it in user
    /// mode and rings, and that interrupt waits until the core is there. So it may after a pass that leaves it
    /// [calm](Inbox::is_calm), for which the rest waits.
    ///
    /// The caller flushes its outbox before it goes back.
    #[inline(always)]
    #[must_use]
    pub fn serve_urgent(&mut self, hardware: &impl Hardware, handler: &mut impl Handler) -> bool {
        let mut next = hardware.next_raised(0);
        while let Some(sender) = next {
            // Only a guess, which the flag does not protect: what is there is seen when the flag is down.
            if !handler.is_urgent(sender) {
                return false;
            }
            hardware.lower(sender);
            hardware.fence();
            match handler.urgent(sender) {
                Urgent::All => {}
                Urgent::More => {
                    if !self.listed[sender.index()] {
                        self.list(sender);
                    }
                    return false;
                }
                // Whoever else has sent something has its flag up still.
                Urgent::Leaves => return false,
            }
            next = hardware.next_raised(sender.index() + 1);
        }
        self.is_calm()
    }

    /// Handles an answer that a core waits for which is shown to be in user mode, and no more. True if that was all, or there
    /// was nothing: as after [`Inbox::serve_urgent`]. Else the rest waits for a pass: also that of another sender, whose
    /// interrupt may have been this one.
    #[inline(always)]
    #[must_use]
    pub fn serve_awaited(&mut self, hardware: &impl Hardware, handler: &mut impl Handler) -> bool {
        if let Some(sender) = hardware.next_raised(0) {
            hardware.lower(sender);
            hardware.fence();
            if handler.awaited(sender) && !self.listed[sender.index()] {
                self.list(sender);
            }
            if hardware.next_raised(0).is_some() {
                return false;
            }
        }
        self.is_calm()
    }

    /// Halts until a doorbell rings, unless something is there already. Returns whether it halted.
    ///
    /// The caller has flushed its outbox. After the return the core is in the kernel, and looks again.
    pub fn sleep(&mut self, hardware: &impl Hardware) -> bool {
        let alone = self.leave(hardware, Activity::Asleep);
        if alone {
            hardware.halt();
        }
        hardware.publish(Activity::Kernel);
        alone
    }

    /// Publishes that the core leaves the kernel, and looks once more: false means that there is something
    /// to serve and the core must not leave. Whoever comes back from user mode, or stays after all,
    /// calls [`Inbox::enter`].
    #[must_use]
    pub fn leave(&mut self, hardware: &impl Hardware, activity: Activity) -> bool {
        if !self.waiting.is_empty() {
            return false;
        }
        hardware.publish(activity);
        hardware.fence();
        hardware.next_raised(0).is_none()
    }

    /// Publishes that the core is in the kernel again. No fence: a sender that still sees the old state
    /// rings a doorbell too many, no more.
    pub fn enter(&self, hardware: &impl Hardware) {
        hardware.publish(Activity::Kernel);
    }
}

/// One sender's turn, when its flag has been lowered; true if it was ended by the count and not by the ring.
#[inline(always)]
fn has_more_after_burst(sender: CoreId, handler: &mut impl Handler) -> bool {
    for _ in 0..BURST {
        loop {
            match handler.next(sender) {
                Some(Taken::Immediate) => {}
                Some(Taken::Routine) => break,
                Some(Taken::Last) | None => return false,
            }
        }
    }
    handler.has_more(sender)
}
