//! The life of this core's vcore in user mode.
//!
//! A core that serves it in passing is seen in user mode all the time: whoever has something for the core rings, and the
//! interrupt comes as soon as the vcore goes on.

use super::calls::AtOnce;
use super::cpu::Cpu;
use super::probes;
use super::vcore::is_single_core;
use crate::arch::user::{self, Exit};
use crate::node::Station;
use crate::post::Activity;
use proto::message::ToMonitor;

/// What the loop in user mode does about a trap.
pub(super) enum Next {
    /// The vcore goes on.
    GoOn,
    /// A request was sent: the vcore goes on, unless it stands still for the answer.
    Sent,
    /// The loop is left. On the management core the coordinator must be told this.
    Leave(Option<ToMonitor>),
}

impl Cpu {
    /// Has this core a vcore that can run now?
    #[inline(always)]
    pub(super) fn has_vcore(&self) -> bool {
        let driver = self.node.driver();
        driver.lease().is_some() && driver.request().is_none()
    }

    /// Runs the vcore of a core but core 0 in user mode until something comes for the core, or the vcore can't go on.
    pub(super) fn run_vcore(&mut self) {
        if self.leaves_for_user_mode() {
            self.run_in_user_mode();
        }
        self.comes_back();
    }

    /// Lets the others see this core in user mode; false if it must not go there, because there is something for it.
    /// In either case it has to [come back](Self::comes_back).
    pub(super) fn leaves_for_user_mode(&mut self) -> bool {
        let platform = *self.node.platform();
        probes::before_user();
        let leaves = self.inbox.leave(&platform, Activity::User);
        if leaves {
            probes::in_user_mode();
        }
        leaves
    }

    /// Lets the others see this core in the kernel.
    pub(super) fn comes_back(&mut self) {
        let platform = *self.node.platform();
        self.inbox.enter(&platform);
    }

    /// See [`Cpu::run_vcore`]; the core is seen in user mode, before and after. On core 0 also until the vcore asks for
    /// something that is the coordinator's: that is returned.
    pub(super) fn run_in_user_mode(&mut self) -> Option<ToMonitor> {
        loop {
            let next = match user::run(self) {
                Exit::Call if user::is_traced() => self.traced_call(),
                Exit::Call => match self.at_once() {
                    AtOnce::Answered => continue,
                    AtOnce::Yields { flags } => self.yield_single(flags),
                    AtOnce::More { at, lease } => self.call(at, lease),
                    AtOnce::Amiss => self.amiss(),
                },
                Exit::Fault { vector, code, address } => self.fault(vector, code, address),
                Exit::Interrupt if self.serves_at_once() => continue,
                Exit::Interrupt => return None,
            };
            match next {
                Next::GoOn => {}
                Next::Sent if self.has_vcore() || self.stands_still() => {}
                Next::Sent => return None,
                Next::Leave(told) => return told,
            }
        }
    }

    /// Handles shootdowns for which this core was interrupted, while the program is still on its way: its registers are not
    /// all saved. They are lost if it was told to let go of the vcore. Whether there was nothing else, and the program goes on.
    #[inline(always)]
    pub(crate) fn serves_in_passing(&mut self) -> bool {
        if is_single_core() {
            return false;
        }
        let platform = *self.node.platform();
        probes::before_orders(&platform);
        let is_all = self.inbox.serve_urgent(&platform, &mut self.node);
        probes::before_answers();
        self.node.flush();
        is_all
    }

    /// Handles what this core has waited for; whether that was all.
    #[inline(always)]
    fn serves_awaited(&mut self) -> bool {
        let platform = *self.node.platform();
        probes::before_orders(&platform);
        let is_all = self.inbox.serve_awaited(&platform, &mut self.node);
        probes::before_answers();
        self.node.flush();
        is_all
    }

    /// Handles what this core was interrupted for; whether that was all and the vcore is to go on, or the one that it was
    /// told to go on as. On the management core messages are the coordinator's.
    fn serves_at_once(&mut self) -> bool {
        if is_single_core() {
            return false;
        }
        if self.node.driver().lease().is_none() {
            // It has let go in passing.
            self.has_passed = true;
            return false;
        }
        self.pass();
        let goes_on = self.inbox.is_calm() && self.has_vcore() && self.node.has_nothing_next();
        self.has_passed = !goes_on;
        goes_on
    }

    /// Halts until what the vcore stands still for is answered, and serves what comes meanwhile; whether that was all and the
    /// vcore is to go on.
    ///
    /// The core is seen in user mode, so there is nothing to look for before it halts: whoever has sent something rings, and
    /// that interrupt ends the halt.
    fn stands_still(&mut self) -> bool {
        loop {
            self.halt_once();
            if !self.serves_awaited() {
                self.pass();
            }
            if !self.inbox.is_calm() || !self.node.has_nothing_next() {
                return false;
            }
            if self.node.driver().request().is_none() {
                return self.has_vcore();
            }
        }
    }
}
