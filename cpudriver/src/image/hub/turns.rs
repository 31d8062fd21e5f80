//! Core 0 while a command waits: passes, the single-core process whose turn it is, and sleep.

use super::passes::Desk;
use super::{Hub, Programs};
use crate::arch::interrupts::{self, Source};
use crate::arch::{cpu, time};
use crate::image::cpu::Cpu;
use proto::id::CoreId;

/// How often core 0 looks whether an NMI has brought a report.
const LOOKS_PER_SECOND: u64 = 1000;
/// Requests of programs that are answered between two passes at most.
const TURNS: u32 = 64;

impl Hub {
    /// Makes passes until `ready` gives something, or `until` has come. Halts while there is nothing to do.
    pub(crate) fn wait<T>(
        &mut self,
        cpu: &mut Cpu,
        until: Option<u64>,
        ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.wait_by(cpu, until, Self::sleep, ready)
    }

    /// As [`Hub::wait`], where nothing makes `ready` give something but events, keys and what programs print: nobody looks
    /// after messages that bring none of them.
    pub(crate) fn wait_for_news<T>(
        &mut self,
        cpu: &mut Cpu,
        ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.wait_by(cpu, None, Self::doze, ready)
    }

    #[inline(always)]
    fn wait_by<T>(
        &mut self,
        cpu: &mut Cpu,
        until: Option<u64>,
        rest: impl Fn(&mut Self, &mut Cpu, Option<u64>) -> bool,
        mut ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let mut has_passed = false;
        loop {
            let busy = core::mem::take(&mut has_passed) || self.pass(cpu);
            if let Some(value) = ready(self) {
                return Some(value);
            }
            if until.is_some_and(|until| until <= cpu::now()) {
                return None;
            }
            match (busy, self.awake) {
                _ if cpu.has_vcore() => self.run_programs(cpu, until),
                (_, false) if self.is_calm(cpu) => has_passed = rest(self, cpu, until),
                (true, _) => {}
                (false, true) => cpu::pause(),
                (false, false) => has_passed = self.sleep(cpu, until),
            }
        }
    }

    /// Runs single-core processes, in turn, as long as they only ask the coordinator for something: what else there
    /// is to look for comes with an interrupt or a raised flag, which end a stay in user mode.
    ///
    /// Core 0 is seen in user mode until it comes back from here, as another core is that only sends a request: whoever has
    /// something for it rings, and the interrupt comes as soon as a process goes on.
    fn run_programs(&mut self, cpu: &mut Cpu, until: Option<u64>) {
        self.has_noted = false;
        // What this core has answered it has said before anything that its vcore will ask for.
        if self.hear_own(&mut cpu.node) {
            cpu.node.flush();
        }
        if cpu.has_vcore() {
            if cpu.leaves_for_user_mode() {
                self.take_turns(cpu, until);
            }
            cpu.comes_back();
        }
    }

    fn take_turns(&mut self, cpu: &mut Cpu, until: Option<u64>) {
        self.arm(until);
        let mut deadline = self.deadline;
        for _ in 0..TURNS {
            let told = cpu.run_in_user_mode();
            while let Some(seen) = cpu.node.take_seen() {
                self.saw(CoreId::MANAGEMENT, &seen);
            }
            let Some(message) = told else {
                if interrupts::take(Source::Timer) {
                    self.armed = None;
                }
                return;
            };
            // A vcore asks the coordinator and nobody else.
            self.tell_message(CoreId::MANAGEMENT, &message, &mut cpu.node);
            if !self.local.is_empty() {
                self.hear_own(&mut cpu.node);
            }
            cpu.node.flush();
            if self.has_noted || self.has_chores() || !cpu.has_vcore() {
                return;
            }
            if self.deadline != deadline || self.interrupted_core.is_some() {
                deadline = self.deadline;
                self.arm(until);
            }
        }
    }

    /// Sets the timer of this core, unless it comes early enough: too early costs less than to set it each time.
    fn arm(&mut self, until: Option<u64>) {
        let Some(wake) = self.next_wake(until) else { return };
        if self.armed.is_none_or(|armed| wake < armed) {
            self.armed = Some(wake);
            time::arm(wake);
        }
    }

    /// After a pass: whether all that there is to look for will be seen by who goes to sleep, or end the sleep.
    fn is_calm(&self, cpu: &Cpu) -> bool {
        cpu.inbox.is_calm() && self.local.is_empty() && !self.keys_wait && !self.has_chores()
    }

    /// Whether a pass has to do what nobody raises a flag for.
    fn has_chores(&self) -> bool {
        self.has_work() || self.foreground && !self.typed.is_empty()
    }

    /// Whether something waits for a step to be over.
    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.outputs.is_to_continue() || self.programs.as_ref().is_some_and(Programs::has_chores)
    }

    /// When this core must look at the time again.
    fn next_wake(&self, until: Option<u64>) -> Option<u64> {
        // Nobody rings when the answer to an NMI is there.
        let look = self.interrupted_core.map(|_| cpu::now() + time::tsc_hz() / LOOKS_PER_SECOND);
        sooner(self.deadline, sooner(until, look))
    }

    /// Halts, unless something has come; whether a pass was made after that.
    fn sleep(&mut self, cpu: &mut Cpu, until: Option<u64>) -> bool {
        self.set_timer(until);
        if cpu.sleep().is_some_and(|woken| woken.timer) {
            self.armed = None;
        }
        false
    }

    /// Sleeps, and does what little there is to do when another core has rung, until a pass has more to look at: whether that
    /// has been made. The pass before it has left nothing to be done.
    ///
    /// Whatever a message brings about but messages and changes to the memory of processes sets `is_stirred`; time and keys
    /// end a sleep in their own way, and a core that finds something before it sleeps leaves all to the next pass.
    #[inline(never)]
    fn doze(&mut self, cpu: &mut Cpu, until: Option<u64>) -> bool {
        self.set_timer(until);
        self.is_stirred = false;
        while let Some(woken) = cpu.sleep() {
            if woken.timer {
                self.armed = None;
                return false;
            }
            if !woken.heard || interrupts::has_come(Source::Serial) {
                return false;
            }
            let Cpu { node, inbox, .. } = cpu;
            let platform = *node.platform();
            inbox.serve(&platform, &mut Desk { hub: self, cpu_node: node });
            self.tell_gathered(node);
            if self.is_stirred || !inbox.is_calm() {
                self.end_pass(cpu);
                return true;
            }
            node.flush_here();
            if self.outputs.is_to_continue() && !self.has_gone_on(cpu) {
                self.end_pass(cpu);
                return true;
            }
        }
        false
    }

    /// Goes on with the work that the coordinator has left; whether that was all, and nothing has come of it that a pass or a
    /// command looks at.
    #[inline(always)]
    fn has_gone_on(&mut self, cpu: &mut Cpu) -> bool {
        if self.may_go_on(cpu) {
            self.go_on(cpu);
        }
        !self.is_stirred && !self.outputs.is_to_continue()
    }

    /// Has the timer of this core wake it when it must look at the time again, or now and then. One that comes earlier is left:
    /// to wake once for nothing costs less than to set it each time.
    #[inline(always)]
    fn set_timer(&mut self, until: Option<u64>) {
        if let Some(ticks) = self.beat {
            if self.armed.take().is_some() || !self.beats {
                time::beat(ticks);
                self.beats = true;
            }
            return;
        }
        let wake = self.next_wake(until);
        // One whose time has come may have fired without being heard of here.
        let is_soon = |armed: u64| wake.is_none_or(|wake| armed <= wake) && armed > cpu::now();
        let comes = self.armed.is_some_and(is_soon);
        if self.beats || !comes && wake.is_some() {
            self.beats = false;
            self.armed = wake;
            match wake {
                Some(deadline) => time::arm(deadline),
                None => time::disarm(),
            }
        }
    }

    /// Has core 0 wake every so many ticks while it sleeps, or only when it must. Where one host thread runs all
    /// cores in turn (`-icount`) no core runs longer than that before another one's turn comes.
    pub(crate) const fn set_beat(&mut self, beat: Option<u64>) {
        self.beat = beat;
    }
}

/// The sooner of two times, as far as there are any.
fn sooner(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
