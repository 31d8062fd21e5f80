//! `probe`, of the test build: holds cores up, and shows what crossed.

use super::{Failed, Outcome, Shell, say};
use crate::console::command::Probe;
use crate::image::{clock, probes};
use crate::probe::{Crossing, Point};
use monitor::Input;
use proto::id::CoreId;

/// Seconds that a core may take to its point.
const PATIENCE: u64 = 30;

impl Shell<'_> {
    pub(super) fn probe(&mut self, probe: Probe) -> Outcome {
        match probe {
            Probe::Delay { point, core } => self.delay(point, core),
            Probe::Await => self.await_cores(),
            Probe::Go => {
                self.all_cores().for_each(probes::free);
                self.hub.tell(Input::ResumeHeartbeat, &mut self.cpu.node);
                Ok(())
            }
            Probe::Clear => {
                Crossing::ALL.iter().copied().for_each(probes::forget);
                Ok(())
            }
            Probe::Show => {
                let met = Crossing::ALL.iter().map(|it| (it.name(), probes::count_of(*it)));
                met.filter(|(_, count)| *count > 0)
                    .for_each(|(name, count)| say!("crossing {name}: {count}"));
                Ok(())
            }
        }
    }

    /// Has a core stand still at a point. A core that does answers no pings, so none are sent.
    fn delay(&mut self, point: Point, core: CoreId) -> Outcome {
        let is_own = core == CoreId::MANAGEMENT;
        if core.index() >= crate::arch::smp::count() || is_own != (point == Point::Own) {
            say!("core {core} cannot be held up there");
            return Err(Failed);
        }
        self.hub.tell(Input::PauseHeartbeat, &mut self.cpu.node);
        probes::ask(core, point);
        Ok(())
    }

    fn await_cores(&mut self) -> Outcome {
        let cores: alloc::vec::Vec<_> = self.all_cores().collect();
        let until = clock::in_seconds(PATIENCE);
        let all = self.hub.wait(self.cpu, Some(until), |hub| {
            let stand = cores.iter().all(|&core| probes::has_come(core));
            (stand || hub.interrupted()).then_some(stand)
        });
        if all == Some(true) {
            return Ok(());
        }
        let missing = cores.into_iter().filter(|&core| !probes::has_come(core));
        missing.for_each(|core| say!("core {core} has not come to its point"));
        Err(Failed)
    }
}
