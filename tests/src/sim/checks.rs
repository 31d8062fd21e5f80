//! Rules about the world as a whole, checked after every action.

use super::memory::Context;
use super::world::{Happened, World, process_of, violation};
use proto::id::CoreId;

impl World {
    /// Checks all rules that hold at any moment.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&mut self) -> Happened {
        if let Err(broken) = self.coordinator.audit() {
            return violation(broken.to_string());
        }
        for (core, it) in (0..).map(CoreId).zip(&self.cores) {
            if it.health != super::Health::Stopped && !it.keeps_bounds() {
                return violation(format!("bounds: too much is under way to or from core {core}"));
            }
            self.check_translations(core)?;
            self.check_leaving(core, it)?;
            let Some(lease) = it.driver.lease() else { continue };
            if it.health == super::Health::Stopped {
                continue;
            }
            let process = process_of(lease);
            if it.loaded != Some(process) {
                return violation(format!("core {core} runs {lease:?} in another address space"));
            }
            let Some(memory) = self.memory.get(&process) else {
                return violation(format!("I8: core {core} runs in the freed memory of {lease:?}"));
            };
            if memory.vcores[usize::from(lease.vcore.0)].context != Context::On(core) {
                return violation(format!("I1: {lease:?} runs on two cores, one of them {core}"));
            }
        }
        self.check_warnings()?;
        self.check_frames()?;
        self.note_the_doomed();
        self.stays.check(&self.coordinator, self.now)
    }

    /// Whose core will be taken finds in the map when, and nobody else finds anything.
    fn check_warnings(&self) -> Happened {
        for core in (0..self.cores.len()).map(|core| CoreId(core as u16)) {
            let held = self.coordinator.core(core).and_then(|it| it.held);
            let Some(held) = held.filter(|held| held.leaving.is_none()) else { continue };
            let Some(memory) = self.memory.get(&process_of(held.lease)) else { continue };
            let deadline = memory.vcores[usize::from(held.lease.vcore.0)].deadline;
            if deadline.is_some() != held.warned {
                return violation(format!("{:?} finds {deadline:?} in the map", held.lease));
            }
        }
        Ok(())
    }

    /// Remembers processes that are being destroyed: none of them may be started again.
    fn note_the_doomed(&mut self) {
        let dying = self.coordinator.processes().filter(|it| it.state.is_dying());
        let new: Vec<_> = dying.map(|it| it.id).filter(|it| !self.doomed.contains(it)).collect();
        self.doomed.extend(new);
        let memory = &self.memory;
        self.doomed.retain(|it| memory.contains_key(it));
    }
}
