//! Requests that cannot be seen to in the step that brings them, because the list of regions must be searched, or changed in more
//! than one place: they become jobs as they are. One step looks for what a request is about, the next checks it and
//! changes the list or refuses it. What is asked for later waits until then.

use super::regions::Room;
use super::work::{Job, Stage, Work};
use super::{MAX_PAGES, Space};
use crate::coordinator::Coordinator;
use crate::output::Outbox;
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::memory::{BLOCK, FIXED, POPULATE, Rights, SHARED};
use proto::message::PageRange;

/// What is asked for, of the pages of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    /// To map them; where there is room if the flags do not say that it must be there. Should they begin where a huge page may?
    Map { rights: Rights, flags: u8, in_blocks: bool },
    /// To give them these rights.
    Protect(Rights),
    /// To take them out.
    Unmap,
    /// To give the region that begins with the first of them to another process too.
    Share(Pid),
}

impl Ask {
    /// Is it to map pages wherever there is room?
    const fn is_anywhere(&self) -> bool {
        matches!(self, Self::Map { flags, .. } if *flags & FIXED == 0)
    }
}

impl Space {
    /// Is there nothing to be done before the first of the requests that wait to be seen to?
    #[inline(always)]
    pub(crate) fn begins_with_ask(&self) -> bool {
        self.jobs.first().is_some_and(|job| job.stage < Stage::Changing) && !self.is_flushing()
    }

    /// Does a request wait to be seen to, so that others have to wait behind it?
    #[inline(always)]
    pub(super) fn is_asked(&self) -> bool {
        !self.jobs.is_empty() && self.jobs.iter().any(|job| job.stage < Stage::Changing)
    }
}

impl Coordinator {
    /// Leaves a request to later steps. The vcore that stands still for it does so until it is done if that is soon.
    #[inline(never)]
    pub(super) fn ask_later(
        &mut self,
        pid: Pid,
        (core, call): (Option<CoreId>, &Call),
        (ask, range): (Ask, PageRange),
        out: &mut Outbox,
    ) {
        let space = &self.table.at(pid).space;
        let (is_soon, has_room) =
            (space.jobs.is_empty() && range.pages <= MAX_PAGES, space.has_room_for_job());
        let mut job = Job::new(*call, Work::Ask(ask), range);
        if let Some(core) = core.filter(|&core| self.stands(core, call)) {
            if is_soon && has_room {
                job.core = Some(core);
            } else {
                self.let_go_on(core, call, out);
            }
        }
        if has_room {
            self.put_off(pid, job);
        } else {
            self.complete(pid, *call, Outcome::AGAIN, 0, out);
        }
    }

    /// Goes on with the only request of a process about its memory that is under way, or the first of those that wait.
    #[inline(never)]
    pub(crate) fn see_to_first(&mut self, pid: Pid, out: &mut Outbox) {
        self.see_to(pid, 0, out);
        // If that was all, the next step goes on with the process.
        self.queue_work(pid);
    }

    /// Goes on with a request that waits to be seen to. The step ends with that.
    #[inline(always)]
    pub(super) fn see_to(&mut self, pid: Pid, at: usize, out: &mut Outbox) {
        let job = self.table.at(pid).space.jobs[at];
        let Work::Ask(ask) = job.work else { return };
        if job.stage == Stage::Asked {
            return self.look_for(pid, at, ask, out);
        }
        let begun = self.begin_work(pid, &job, ask);
        let job = &mut self.table.at_mut(pid).space.jobs[at];
        match begun {
            Ok(Some((work, range))) => {
                (job.work, job.range, job.next) = (work, range, range.first);
                job.stage = Stage::Changing;
            }
            // Another process has given memory there since the place was found.
            Err(Outcome::BUSY) if ask.is_anywhere() => job.stage = Stage::Asked,
            Ok(None) => self.end_ask(pid, at, Outcome::OK, out),
            Err(why) => self.end_ask(pid, at, why, out),
        }
    }

    /// Looks for the regions that a request is about, so that the next step finds them at once.
    #[inline(never)]
    fn look_for(&mut self, pid: Pid, at: usize, ask: Ask, out: &mut Outbox) {
        let Space { regions, jobs, .. } = &mut self.table.at_mut(pid).space;
        let job = &mut jobs[at];
        regions.list_gone();
        match ask {
            Ask::Map { in_blocks, .. } if ask.is_anywhere() => {
                let PageRange { first, pages } = job.range;
                let room = if in_blocks {
                    regions.look_for_block(pages, BLOCK.into(), first)
                } else {
                    regions.look_for_room(pages)
                };
                match room {
                    Room::At(first, _) => job.range.first = first,
                    Room::Behind(first) => {
                        job.range.first = first;
                        return;
                    }
                    Room::Nowhere => {
                        if let Work::Ask(Ask::Map { in_blocks: again @ true, .. }) = &mut job.work {
                            *again = false;
                            return;
                        }
                        return self.end_ask(pid, at, Outcome::NO_MEMORY, out);
                    }
                }
            }
            Ask::Share(to) => {
                let first = job.range.first;
                regions.look_at(first);
                if let Some(target) = self.table.by_pid_mut(to) {
                    target.space.regions.list_gone();
                    target.space.regions.look_at(first);
                }
            }
            _ => regions.look_at(job.range.first),
        }
        self.table.at_mut(pid).space.jobs[at].stage = Stage::Found;
    }

    /// Does what is asked for with the list of regions: what remains to be done, if anything does.
    #[inline(never)]
    fn begin_work(
        &mut self,
        pid: Pid,
        job: &Job,
        ask: Ask,
    ) -> Result<Option<(Work, PageRange)>, Outcome> {
        let range = job.range;
        let work = match ask {
            Ask::Map { rights, flags, .. } => {
                self.map_there(pid, range, rights, flags)?;
                (flags & (POPULATE | SHARED) != 0).then_some(Work::Populate)
            }
            Ask::Protect(rights) => {
                let flush = self.protect(pid, range, rights)?;
                Some(Work::Protect { flush })
            }
            Ask::Unmap => {
                let ticket = self.unmap(pid, range)?;
                ticket.map(|ticket| Work::Unmap { ticket, frames: 0 })
            }
            Ask::Share(to) => return self.begin_share(pid, to, range.first).map(Some),
        };
        Ok(work.map(|work| (work, range)))
    }

    /// Answers a request that is over, with the first of its pages if it was done.
    #[inline(never)]
    fn end_ask(&mut self, pid: Pid, at: usize, outcome: Outcome, out: &mut Outbox) {
        let job = self.table.at_mut(pid).space.jobs.remove(at);
        if job.answer_stander((&self.cores, &self.config), outcome, out) {
            return;
        }
        let is_mapped = outcome == Outcome::OK && matches!(job.work, Work::Ask(Ask::Map { .. }));
        let value = if is_mapped { job.range.first << 12 } else { 0 };
        self.complete(pid, job.call, outcome, value, out);
    }
}
