//! `storm`: runs a many-core program while cores are taken from it at random moments.

use super::{Failed, Outcome, Shell, say};
use crate::arch::cpu;
use crate::console::command::Storm;
use alloc::vec::Vec;
use monitor::{Control, Input, ProcessId};
use proto::boot::Clock;
use proto::call;
use proto::id::CoreId;

/// Of so many preemptions one takes all cores at once.
const GANG: u64 = 16;

/// Numbers that look random and repeat with the seed (Steele, Lea, Flood: SplitMix).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end.max(1)
    }
}

impl Shell<'_> {
    pub(super) fn storm(&mut self, storm: &Storm<'_>) -> Outcome {
        let process = self.spawn(storm.name, storm.arguments)?;
        self.hub.watch(process);
        self.control(Control::Run { pid: process.pid })?;
        self.hub.set_foreground(true);
        self.hub.set_beat((self.options.clock == Clock::Count).then_some(storm.every));
        let ended = self.blow(process, storm);
        self.hub.set_beat(None);
        self.hub.set_foreground(false);
        let seen = self.hub.seen();
        let Some(code) = ended else {
            self.end_by_console(process, storm.name)?;
            return Err(Failed);
        };
        self.settle();
        self.show_notices();
        let is_exact = code == call::Outcome::OK;
        if let Some(seen) = seen {
            say!(
                "STORM preempts={} vcctx={} locked={} nested={} result={}",
                seen.preempts,
                seen.in_context,
                seen.critical,
                seen.nested,
                if is_exact { "exact" } else { "wrong" }
            );
        }
        if is_exact { Ok(()) } else { Err(Failed) }
    }

    /// Takes cores until the process has ended; gives its exit code, or nothing after Ctrl-C.
    fn blow(&mut self, process: ProcessId, storm: &Storm<'_>) -> Option<call::Outcome> {
        let mut random = Random(storm.seed);
        let mut cores = Vec::with_capacity(crate::arch::smp::count());
        loop {
            let until = cpu::now() + 1 + random.below(2 * storm.every);
            let ended = self.hub.wait(self.cpu, Some(until), |hub| {
                let code = hub.take_ended(process).map(Some);
                code.or_else(|| hub.interrupted().then_some(None))
            });
            if let Some(ended) = ended {
                return ended;
            }
            cores.clear();
            cores.extend(self.all_cores().filter(|core| self.can_be_taken(*core, process)));
            if cores.is_empty() {
                continue;
            }
            let all = random.below(GANG) == 0;
            let chosen = cores[random.below(cores.len() as u64) as usize];
            for &core in cores.iter().filter(|core| all || **core == chosen) {
                let control = Control::Preempt { core, warning: 0 };
                self.hub.tell(Input::Control(control), &mut self.cpu.node);
            }
            while self.hub.next_event().is_some() {}
        }
    }

    fn can_be_taken(&self, core: CoreId, process: ProcessId) -> bool {
        let held = self.hub.coordinator().core(core).and_then(|it| it.held);
        let is_theirs = |held: &monitor::Held| {
            held.lease.pid == process.pid && held.started && held.leaving.is_none()
        };
        core != CoreId::MANAGEMENT && held.as_ref().is_some_and(is_theirs)
    }
}
