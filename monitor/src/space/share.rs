//! Memory that several processes have: one gives it to another, at the same place.

use super::regions::{Kind, Region};
use super::work::{Job, Work};
use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use crate::process::ProcessId;
use proto::call::{Call, Outcome};
use proto::id::Pid;
use proto::message::PageRange;

impl Coordinator {
    pub(super) fn on_share_call(&mut self, call: Call, to: Pid, first: u64, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        match self.begin_share(pid, to, first) {
            Err(why) => self.complete(pid, call, why, 0, out),
            // To check it and to give the pages would be too much for one step.
            Ok((work, range)) => self.put_off(pid, Job::new(call, work, range)),
        }
    }

    /// Have two processes some memory in common?
    pub(crate) fn share_memory(&self, one: Pid, other: Pid) -> bool {
        let (one, other) = (&self.table.at(one).space.regions, &self.table.at(other).space.regions);
        let is_shared = |it: &&Region| it.kind == Kind::Memory && it.name != 0;
        let is_in_both = |mine: &Region| {
            other.find(mine.first).filter(is_shared).is_some_and(|theirs| theirs.name == mine.name)
        };
        one.all().iter().filter(is_shared).any(is_in_both)
    }

    /// Makes the region of the one that gets it, where its frames will come in by and by.
    fn begin_share(&mut self, pid: Pid, to: Pid, first: u64) -> Result<(Work, PageRange), Outcome> {
        if self.target(Some(pid), to)?.is_dying() {
            return Err(Outcome::NO_PROCESS);
        }
        let space = &self.table.at(pid).space;
        let shared = |it: &&Region| it.first == first && it.kind == Kind::Memory && it.name != 0;
        let source = *space.regions.find(first).filter(shared).ok_or(Outcome::INVALID)?;
        if to == pid {
            return Err(Outcome::INVALID);
        }
        if !space.has_room_for_job() {
            return Err(Outcome::AGAIN);
        }
        let target = self.table.at_mut(to);
        target.space.regions.list_gone();
        let at = target.space.regions.place_if_free(source.range()).ok_or(Outcome::BUSY)?;
        let (id, most) = (target.id, source.rights);
        self.add_region(to, at, Region { kind: Kind::Incoming, most, ..source })?;
        Ok((Work::Share { to: id, name: source.name }, source.range()))
    }

    /// Gives the next pages, those of them that the other process still waits for.
    pub(super) fn share_slice(
        &mut self,
        pid: Pid,
        range: PageRange,
        (to, name): (ProcessId, u32),
        out: &mut Outbox,
    ) {
        let from = self.table.at(pid).id;
        let Some(target) = self.table.get(to).filter(|it| !it.is_dying()) else { return };
        for region in target.space.regions.each_in(range).filter(|it| it.takes(name)) {
            let range = region.range_in(range);
            out.push(Output::Share { from, to, range, rights: region.rights });
        }
    }

    /// All is there that the other process still waits for.
    pub(super) fn share_done(&mut self, to: ProcessId, range: PageRange, name: u32) -> Outcome {
        if self.table.get(to).is_none_or(|it| it.is_dying()) {
            return Outcome::NO_PROCESS;
        }
        let space = &mut self.table.at_mut(to.pid).space;
        space.regions.change(range, |region| {
            let kind = if region.takes(name) { Kind::Memory } else { region.kind };
            Some(Region { kind, ..region })
        });
        Outcome::OK
    }
}

impl Region {
    /// Does it wait for memory of that name?
    fn takes(&self, name: u32) -> bool {
        self.kind == Kind::Incoming && self.name == name
    }
}
