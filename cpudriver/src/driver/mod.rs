//! What one core does about leases: a state machine from messages and traps to effects.
//!
//! The core is free, or it has one lease and runs that vcore, which may stand still because it has asked
//! for something. [`Driver::message`] takes what the coordinator says, [`Driver::trap`] what the running
//! vcore asks for; both answer with [`Effect`]s, which the image carries out in order. Nothing here
//! touches a register, a page table or a process's memory, and nothing panics: a message about a lease
//! that the core does not have is answered as stale.

mod effect;
mod gather;
mod kept;
#[cfg(test)]
mod tests;

pub use effect::{Effect, Effects, Fate, Sink};
pub use gather::Shootdown;
pub use kept::{Identifier, MOST_KEPT};

use gather::Gather;
use kept::{Identifiers, Start};

use proto::call::{Call, KEEP, Outcome};
use proto::id::{Epoch, Lease, VcoreId};
use proto::message::{PageRange, ToCore, ToMonitor, tag};

/// A request for which the vcore stands still until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Nothing to do, or give way.
    Yield,
    /// Continue as another vcore.
    ChangeVcore {
        /// As which.
        to: VcoreId,
        /// The context is kept as if it had been preempted.
        keep: bool,
    },
    /// Become a many-core process.
    ChangeToM,
    /// The instruction cannot go on; it is executed again.
    Fault,
    /// The process ends itself.
    Exit,
    /// Change its memory. It need not wait for that: when it has to leave, it goes on elsewhere as if it had not.
    Change,
}

/// What a running vcore asks for that it stands still for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trap {
    /// It yields.
    Yield {
        /// Its flag says that there is something to look for (read just now from its memory).
        pending: bool,
        /// How many cores the process wants, read once from its memory.
        wanted: u16,
        /// See [`ToMonitor::Yield`].
        flags: u8,
    },
    /// It goes on as another vcore.
    ChangeVcore {
        /// As which, an allegation.
        to: VcoreId,
        /// See [`ToMonitor::ChangeVcore`].
        flags: u8,
    },
    /// Its process becomes a many-core one.
    ChangeToM,
    /// It raised an exception.
    Fault {
        /// See [`ToMonitor::Fault`].
        address: u64,
        /// See [`ToMonitor::Fault`].
        vector: u8,
        /// See [`ToMonitor::Fault`].
        code: u32,
        /// See [`ToMonitor::Fault`].
        at: u64,
        /// Its program wants to hear of it: see [`ToMonitor::Reflect`].
        reflect: bool,
    },
    /// It ends its process.
    Exit {
        /// The exit code.
        code: i32,
    },
}

/// The lease that the core has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Held {
    lease: Lease,
    request: Option<Request>,
    /// The last count of notifies that this core has seen for the vcore.
    seen: u32,
    /// A notify came while the vcore stood still.
    notified: bool,
}

impl Held {
    /// How the vcore goes on that is preempted: what it asked for comes to `outcome`.
    fn fate(&self, outcome: Outcome) -> Fate {
        match self.request {
            // What a change to memory returns then stands in the registers: that the call goes on.
            None | Some(Request::Change) => Fate::Goes,
            Some(Request::Fault) => Fate::Repeats,
            Some(Request::ChangeToM) if outcome == Outcome::OK => Fate::FirstThread,
            Some(_) => Fate::Returns(outcome),
        }
    }
}

/// One core's view of its lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Driver {
    held: Option<Held>,
    /// The epoch of the last lease.
    epoch: Epoch,
    /// The answers to a shootdown that it has handed on.
    gather: Option<Gather>,
    identifiers: Identifiers,
    stale: u32,
}

impl Driver {
    /// A core that is free and has never had a lease. It keeps no translations of spaces that are not loaded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The lease that the core has.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.held.map(|held| held.lease)
    }

    /// What the vcore stands still for.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        self.held.and_then(|held| held.request)
    }

    /// How many messages were stale.
    #[must_use]
    pub fn stale(&self) -> u32 {
        self.stale
    }

    /// Forgets what was only counted, so that an explorer takes states that differ in nothing else for
    /// the same.
    pub fn forget_counters(&mut self) {
        self.stale = 0;
    }

    /// Stamps a call of the running vcore that it doesn't stand still for; `None` when nothing runs.
    #[must_use]
    pub fn call(&self, at: u64) -> Option<Call> {
        let held = self.held.filter(|held| held.request.is_none())?;
        Some(Call { lease: held.lease, at })
    }

    /// The running vcore stands still from now on, for a call to change its memory that has been sent.
    pub fn stand(&mut self) {
        if let Some(held) = &mut self.held {
            held.request = held.request.or(Some(Request::Change));
        }
    }

    /// Takes a message about leases or translations; others are not for this part and have no effect.
    pub fn message(&mut self, message: ToCore) -> Effects {
        let mut effects = Effects::none();
        self.on_message(&message, &mut effects);
        effects
    }

    /// As [`Driver::message`], with the effects put into `out`.
    #[inline(always)]
    pub fn on_message(&mut self, message: &ToCore, out: &mut impl Sink) {
        match *message {
            ToCore::StartCore { lease, root, notified, removals } => {
                self.start(&Start { lease, root, notified, removals }, out);
            }
            ToCore::Preempt { lease, outcome } => self.preempt(lease, outcome, out),
            ToCore::Death { lease } => self.die(lease, out),
            ToCore::Notify { lease, count } => self.notify(lease, count, out),
            ToCore::SetContext { lease, notified } => self.set_context(lease, notified, out),
            ToCore::Done { lease, outcome } => self.done(lease, outcome, out),
            ToCore::Changed { lease, range } => self.changed(lease, range, out),
            ToCore::Switch { from, outcome, to: lease, root, notified, removals } => {
                self.switch((from, outcome), &Start { lease, root, notified, removals }, out);
            }
            ToCore::Regrant { from, to: lease, root, notified, removals } => {
                self.regrant(from, &Start { lease, root, notified, removals }, out);
            }
            ToCore::TlbShootdown { pid, generation, range, ticket } => {
                self.flush_own((pid, generation), range, out);
                out.send(ToMonitor::ShootdownDone { ticket });
            }
            ToCore::TlbMulticast { pid, generation, range, ticket, fan_out, below } => {
                let it = Shootdown { pid, generation, range, ticket, fan_out, below };
                self.come_down(None, it, out);
            }
            _ => {}
        }
    }

    /// Takes a request of the running vcore, which stands still until it is answered. A core that runs
    /// nothing, or whose vcore stands still already, has no vcore to ask, and nothing happens.
    pub fn trap(&mut self, trap: Trap) -> Effects {
        let mut effects = Effects::none();
        self.on_trap(trap, &mut effects);
        effects
    }

    /// As [`Driver::trap`], with the effects put into `out`.
    #[inline]
    pub fn on_trap(&mut self, trap: Trap, out: &mut impl Sink) {
        let Some(held) = self.held.as_mut().filter(|held| held.request.is_none()) else {
            return;
        };
        let lease = held.lease;
        let (request, message) = match trap {
            // It need not go to the coordinator to be refused.
            Trap::Yield { pending: true, .. } => {
                return out.add(Effect::Resume { outcome: Outcome::AGAIN });
            }
            Trap::Yield { wanted, flags, .. } => {
                (Request::Yield, ToMonitor::Yield { lease, seen: held.seen, wanted, flags })
            }
            Trap::ChangeVcore { to, flags } => {
                let keep = flags & KEEP != 0;
                (Request::ChangeVcore { to, keep }, ToMonitor::ChangeVcore { lease, to, flags })
            }
            Trap::ChangeToM => (Request::ChangeToM, ToMonitor::ChangeToM { lease }),
            Trap::Fault { address, vector, code, at, reflect: false } => {
                (Request::Fault, ToMonitor::Fault { lease, address, vector, code, at })
            }
            Trap::Fault { address, vector, code, at, reflect: true } => {
                (Request::Fault, ToMonitor::Reflect { lease, address, vector, code, at })
            }
            Trap::Exit { code } => (Request::Exit, ToMonitor::Exit { lease, code }),
        };
        held.request = Some(request);
        out.send(message);
    }

    #[inline(always)]
    fn start(&mut self, start: &Start, out: &mut impl Sink) {
        let lease = start.lease;
        if self.held.is_some() || lease.epoch <= self.epoch {
            return self.stale_message(tag::START_CORE, lease, out);
        }
        self.take(lease, start.notified);
        self.load(start, out);
        out.add(Effect::Start { lease });
        out.send(ToMonitor::Started { lease });
    }

    #[inline(always)]
    fn take(&mut self, lease: Lease, seen: u32) {
        self.epoch = lease.epoch;
        self.held = Some(Held { lease, request: None, seen, notified: false });
    }

    fn preempt(&mut self, lease: Lease, outcome: Outcome, out: &mut impl Sink) {
        let Some(held) = self.held.take_if(|held| held.lease == lease) else {
            return self.stale_message(tag::PREEMPT, lease, out);
        };
        out.add(Effect::Save { vcore: lease.vcore, fate: held.fate(outcome) });
        out.add(Effect::Unload);
        out.send(ToMonitor::Preempted { lease });
    }

    /// Leaves one vcore, which is preempted, and goes on with another one. The answer tells of both.
    fn regrant(&mut self, from: Lease, start: &Start, out: &mut impl Sink) {
        let to = start.lease;
        let left = self.held.filter(|held| held.lease == from && to.epoch > from.epoch);
        let Some(left) = left else {
            return self.stale_message(tag::REGRANT, to, out);
        };
        self.take(to, start.notified);
        out.add(Effect::Save { vcore: from.vcore, fate: left.fate(Outcome::AGAIN) });
        self.load(start, out);
        out.add(Effect::Start { lease: to });
        out.send(ToMonitor::Started { lease: to });
    }

    /// Leaves one single-core process and goes on with another one. Nothing is sent: what the core says next under
    /// the new lease tells that it has done so.
    #[inline(always)]
    fn switch(&mut self, (from, outcome): (Lease, Outcome), start: &Start, out: &mut impl Sink) {
        let to = start.lease;
        let held = self.held.filter(|held| held.lease == from && to.epoch > from.epoch);
        if held.and_then(|held| held.request) != Some(Request::Yield) {
            return self.stale_message(tag::SWITCH, to, out);
        }
        self.take(to, start.notified);
        out.add(Effect::Save { vcore: from.vcore, fate: Fate::Returns(outcome) });
        self.load(start, out);
        out.add(Effect::Start { lease: to });
    }

    #[inline(always)]
    fn die(&mut self, lease: Lease, out: &mut impl Sink) {
        if self.held.take_if(|held| held.lease == lease).is_none() {
            return self.stale_message(tag::DEATH, lease, out);
        }
        out.add(Effect::Drop { vcore: lease.vcore });
        out.add(Effect::Unload);
        out.send(ToMonitor::Released { lease });
    }

    #[inline(always)]
    fn notify(&mut self, lease: Lease, count: u32, out: &mut impl Sink) {
        let Some(held) = self.held.as_mut().filter(|held| held.lease == lease) else {
            return self.stale_message(tag::NOTIFY, lease, out);
        };
        held.seen = count;
        if held.request.is_none() {
            out.add(Effect::EnterVcoreContext { vcore: lease.vcore });
        } else {
            held.notified = true;
        }
        out.send(ToMonitor::Notified { lease, count });
    }

    fn set_context(&mut self, lease: Lease, notified: u32, out: &mut impl Sink) {
        let asked = self.held.and_then(|held| match held.request {
            Some(Request::ChangeVcore { to, keep }) => {
                let epoch = Epoch(held.lease.epoch.0.wrapping_add(1));
                (lease == Lease { vcore: to, epoch, ..held.lease }).then_some((held.lease, keep))
            }
            _ => None,
        });
        let Some((from, keep)) = asked else {
            return self.stale_message(tag::SET_CONTEXT, lease, out);
        };
        self.take(lease, notified);
        out.add(if keep {
            Effect::Save { vcore: from.vcore, fate: Fate::Returns(Outcome::OK) }
        } else {
            Effect::Drop { vcore: from.vcore }
        });
        out.add(Effect::Start { lease });
        out.send(ToMonitor::Started { lease });
    }

    fn done(&mut self, lease: Lease, outcome: Outcome, out: &mut impl Sink) {
        let held = self.held.as_mut().filter(|held| held.lease == lease);
        let Some((held, request)) = held.and_then(|held| {
            let request = held.request.take()?;
            Some((held, request))
        }) else {
            return self.stale_message(tag::DONE, lease, out);
        };
        out.add(match request {
            Request::Fault if outcome == Outcome::FAULT => Effect::Reflect { vcore: lease.vcore },
            Request::Fault => Effect::Repeat,
            // It goes on with what stands in its registers, which says that the call does too.
            Request::Change if outcome == Outcome::STARTED => Effect::Repeat,
            _ => Effect::Resume { outcome },
        });
        if core::mem::take(&mut held.notified) {
            out.add(Effect::EnterVcoreContext { vcore: lease.vcore });
        }
    }

    /// The vcore's memory is as it wanted, and other cores have flushed; what it stands still for is over.
    #[inline(always)]
    fn changed(&mut self, lease: Lease, range: PageRange, out: &mut impl Sink) {
        let stands =
            |held: &&mut Held| held.lease == lease && held.request == Some(Request::Change);
        let Some(held) = self.held.as_mut().filter(stands) else {
            return self.stale_message(tag::CHANGED, lease, out);
        };
        held.request = None;
        out.add(Effect::Flush { range });
        out.add(Effect::Resume { outcome: Outcome::OK });
        if core::mem::take(&mut held.notified) {
            out.add(Effect::EnterVcoreContext { vcore: lease.vcore });
        }
    }

    #[cold]
    #[inline(never)]
    fn stale_message(&mut self, kind: u8, lease: Lease, out: &mut impl Sink) {
        self.stale = self.stale.wrapping_add(1);
        out.send(ToMonitor::Stale { kind, lease });
    }
}
