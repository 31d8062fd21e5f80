//! `storm`: runs a many-core program while cores are taken from it, and from what it runs, at random moments.

use super::random::Random;
use super::{Failed, Outcome, Shell, say};
use crate::arch::cpu;
use crate::console::command::Storm;
use crate::image::hub::Seen;
use alloc::vec::Vec;
use monitor::{Control, Input, ProcessId};
use proto::boot::Clock;
use proto::call;
use proto::id::CoreId;

/// Of so many preemptions one takes all cores at once.
const GANG: u64 = 16;
/// Ticks that pass at least where there is no core to take, and between two times that this core wakes for others: until the
/// program has cores it runs here, and that not at all if each look comes too late already.
const LULL: u64 = 2_000;

impl Shell<'_> {
    pub(super) fn storm(&mut self, storm: &Storm<'_>) -> Outcome {
        let mut sum = Seen::default();
        let mut is_exact = true;
        for run in 0..storm.runs {
            let (seen, code) = self.storm_once(storm, storm.seed.wrapping_add(run.into()))?;
            sum = sum + seen;
            is_exact &= code == call::Outcome::OK;
        }
        say!(
            "STORM preempts={} vcctx={} locked={} nested={} result={}",
            sum.preempts,
            sum.in_context,
            sum.critical,
            sum.nested,
            if is_exact { "exact" } else { "wrong" }
        );
        if is_exact { Ok(()) } else { Err(Failed) }
    }

    /// Runs the program once; gives where its vcores were stopped, and its exit code.
    fn storm_once(
        &mut self,
        storm: &Storm<'_>,
        seed: u64,
    ) -> Result<(Seen, call::Outcome), Failed> {
        let process = self.spawn(storm.name, storm.arguments)?;
        self.hub.watch(process);
        self.control(Control::Run { pid: process.pid })?;
        self.hub.set_foreground(true);
        self.hub.set_beat((self.options.clock == Clock::Count).then_some(storm.every.max(LULL)));
        let ended = self.blow(process, storm.every, seed);
        self.hub.set_beat(None);
        self.hub.set_foreground(false);
        let seen = self.hub.seen();
        let Some(code) = ended else {
            self.end_by_console(process, storm.name)?;
            return Err(Failed);
        };
        self.settle();
        self.show_notices();
        Ok((seen, code))
    }

    /// Takes cores until the process has ended; gives its exit code, or nothing after Ctrl-C.
    fn blow(&mut self, process: ProcessId, every: u64, seed: u64) -> Option<call::Outcome> {
        let mut random = Random::new(seed);
        let mut cores = Vec::with_capacity(crate::arch::smp::count());
        let mut least = LULL;
        loop {
            let until = cpu::now() + 1 + random.below(2 * every).max(least);
            let ended = self.hub.wait(self.cpu, Some(until), |hub| {
                let code = hub.take_ended(process).map(Some);
                code.or_else(|| hub.interrupted().then_some(None))
            });
            if let Some(ended) = ended {
                return ended;
            }
            cores.clear();
            cores.extend(self.all_cores().filter(|core| self.can_be_taken(*core, process)));
            least = if cores.is_empty() { LULL } else { 0 };
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
            let is_of_it = self.hub.coordinator().comes_from(held.lease.pid, process);
            is_of_it && held.started && held.leaving.is_none()
        };
        core != CoreId::MANAGEMENT && held.as_ref().is_some_and(is_theirs)
    }
}
