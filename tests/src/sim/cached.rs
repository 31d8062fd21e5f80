//! What a processor caches of page tables, and under which identifier: a core that tells address spaces apart keeps it when
//! it loads another one, and uses it again when it is told that it holds still.

use super::core::{Health, SimCore};
use super::memory::{Frame, Page};
use super::world::{Happened, World, process_of, violation};
use cpudriver::driver::{Driver, Identifier};
use monitor::ProcessId;
use proto::id::CoreId;
use std::collections::{BTreeMap, BTreeSet};

/// What a processor has found in page tables under one identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cached {
    /// Translations, by page.
    pub translations: BTreeMap<u64, Page>,
    /// Frames of page tables that it has found them through.
    pub walked: BTreeSet<Frame>,
}

impl SimCore {
    /// The core is back after INIT, with new rings and no memory of before. What its processor has cached is still there
    /// (Intel SDM vol. 3, table 10-1).
    pub(crate) fn restart(&mut self) {
        self.unload();
        let kept = std::mem::take(&mut self.kept);
        *self = Self { kept, ..Self::new(Health::Starting, self.identifiers) };
    }

    /// An address space is loaded. What was cached under its identifier is forgotten unless it holds.
    pub(crate) fn load(&mut self, process: ProcessId, identifier: Identifier) {
        self.unload();
        let cached = self.kept.remove(&identifier.number);
        self.cached = cached.filter(|_| identifier.holds).unwrap_or_default();
        (self.loaded, self.number) = (Some(process), identifier.number);
    }

    /// None is loaded any more. A processor that tells none apart forgets what it has cached; one that does keeps it.
    pub(crate) fn unload(&mut self) {
        let cached = std::mem::take(&mut self.cached);
        if self.number > 0 && cached != Cached::default() {
            self.kept.insert(self.number, cached);
        }
        (self.loaded, self.number, self.retry) = (None, 0, None);
    }

    /// Translations of the loaded address space are forgotten, and all of its page tables.
    pub(crate) fn forget_translations(&mut self, which: impl Fn(u64) -> bool) {
        self.cached.translations.retain(|&page, _| !which(page));
        self.cached.walked.clear();
    }
}

impl World {
    /// Has cores tell so many address spaces apart from now on, none of which has ever had a lease.
    pub fn tell_apart(&mut self, spaces: u8) {
        for core in &mut self.cores {
            core.identifiers = spaces;
            core.driver = Driver::with_identifiers(spaces);
        }
    }

    /// A core loads the address space of the lease that it has taken.
    pub(crate) fn load(&mut self, core: CoreId, identifier: Identifier) -> Happened {
        let it = &mut self.cores[core.index()];
        let lease = it.driver.lease();
        let process = lease.map(process_of);
        let Some((process, memory)) =
            process.and_then(|process| Some((process, self.memory.get(&process)?)))
        else {
            return violation(format!("I8: core {core} loads freed memory for {lease:?}"));
        };
        let numbers = if it.identifiers == 0 { 0..=0 } else { 1..=u16::from(it.identifiers) };
        if !numbers.contains(&identifier.number) || it.identifiers == 0 && identifier.holds {
            return violation(format!("core {core} has no {identifier:?}"));
        }
        it.load(process, identifier);
        let quarantine = memory.quarantine.values().flatten().flatten();
        let own: BTreeSet<Frame> = memory.tables.values().chain(quarantine).copied().collect();
        if !it.cached.walked.is_subset(&own) {
            return violation(format!("core {core} can still use what {process:?} gave back"));
        }
        Ok(())
    }
}
