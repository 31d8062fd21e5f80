//! Jobs: what remains to be done for requests about memory, in slices.

use super::regions::{Kind, end};
use super::{MAX_JOBS, MAX_PAGES, Space};
use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use crate::process::ProcessId;
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::memory::Rights;
use proto::message::PageRange;

/// What a job does with its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// Gives them frames.
    Populate,
    /// Gives them the rights that their regions have; have some lost any?
    Protect { flush: bool },
    /// Takes them out; so many frames, reckoned with those that were never used, wait for their release.
    Unmap { ticket: u32, frames: u32 },
    /// Gives memory of that name to another process too.
    Share { to: ProcessId, name: u32 },
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Its pages are being changed, or will be.
    Changing,
    /// They are changed; the next round of shootdowns will be for it too.
    Changed,
    /// A round is under way.
    Flushing,
    /// No core has a translation; its frames come back.
    Releasing,
}

/// A request that has been granted and is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(super) call: Call,
    pub(super) work: Work,
    pub(super) range: PageRange,
    /// The first page that is not changed.
    next: u64,
    pub(super) stage: Stage,
    /// The core whose vcore stands still for it, unless it was told to let go since.
    pub(super) core: Option<CoreId>,
    /// That core is not told in the round: it flushes when its vcore is answered.
    pub(super) flushes_own: bool,
}

impl Job {
    pub(super) const fn new(call: Call, work: Work, range: PageRange) -> Self {
        let (next, stage) = (range.first, Stage::Changing);
        Self { call, work, range, next, stage, core: None, flushes_own: false }
    }

    /// One whose pages have been changed and that waits for the round that begins now.
    pub(super) const fn flushing(
        call: Call,
        work: Work,
        range: PageRange,
        (core, flushes_own): (Option<CoreId>, bool),
    ) -> Self {
        let (next, stage) = (end(range), Stage::Flushing);
        Self { call, work, range, next, stage, core, flushes_own }
    }

    const fn needs_flush(&self) -> bool {
        matches!(self.work, Work::Protect { flush: true } | Work::Unmap { .. })
    }

    /// What the caller gets beside the outcome: the address of what was mapped.
    const fn value(&self) -> u64 {
        if matches!(self.work, Work::Populate) { self.range.first << 12 } else { 0 }
    }
}

/// Pages that a job changes at a time, side by side in one region.
struct Slice {
    range: PageRange,
    /// From the first of them on, so many pages of the region will be changed by the job.
    all: u32,
    /// Other processes may be given them as soon as the job is done, so they must be there then, each of them.
    is_shared: bool,
    /// The region's.
    rights: Rights,
}

impl Space {
    pub(super) fn has_room_for_job(&self) -> bool {
        self.jobs.len() < MAX_JOBS
    }

    /// The first job at that stage.
    pub(super) fn job_at(&self, stage: Stage) -> Option<usize> {
        self.jobs.iter().position(|job| job.stage == stage)
    }

    /// The next pages, at most so many, that a job has to change.
    fn next_slice(&self, job: &Job, most: u32) -> Option<Slice> {
        let pages = u32::try_from(end(job.range).saturating_sub(job.next)).unwrap_or(0);
        let rest = PageRange { first: job.next, pages };
        if pages == 0 {
            return None;
        }
        for region in self.regions.each_in(rest) {
            let (first, last) = match (job.work, region.kind) {
                (Work::Populate | Work::Protect { .. }, Kind::Memory) | (Work::Share { .. }, _) => {
                    (region.first, region.end())
                }
                (Work::Unmap { ticket, .. }, Kind::Leaving) if region.name == ticket => {
                    match region.occupied() {
                        Some(occupied) => occupied,
                        None => continue,
                    }
                }
                _ => continue,
            };
            let first = first.max(rest.first);
            let all = u32::try_from(last.min(end(rest)).saturating_sub(first)).unwrap_or(0);
            let range = PageRange { first, pages: all.min(most) };
            let is_shared = matches!(job.work, Work::Populate) && region.name != 0;
            return Some(Slice { range, all, is_shared, rights: region.rights });
        }
        None
    }

    /// Takes pages that are leaving out, and says what of that whoever applies it must know: around which
    /// pages nothing is left, and how many frames wait for their release now.
    pub(super) fn clear(&mut self, range: PageRange) -> (PageRange, u32) {
        let (unused, tables) = self.regions.clear(range);
        (unused, range.pages + tables)
    }
}

impl Coordinator {
    /// Adds a job and begins with it. Mostly there is no other and its pages are few: they are changed before it is
    /// in the list, and it waits there for nothing but its round, if it needs one.
    pub(super) fn add_job(&mut self, pid: Pid, mut job: Job, out: &mut Outbox) {
        if !self.table.at(pid).space.jobs.is_empty() {
            self.table.at_mut(pid).space.jobs.push(job);
            return self.continue_space(pid, out);
        }
        if !self.change_pages(pid, &mut job, out) {
            return self.put_off(pid, job);
        }
        if !job.needs_flush() {
            return self.answer_job(pid, &job, out);
        }
        job.stage = Stage::Flushing;
        let range = job.range;
        self.table.at_mut(pid).space.jobs.push(job);
        self.begin_round(pid, range, None, out);
    }

    /// Adds a job with which a step of its own goes on.
    #[inline(always)]
    pub(super) fn put_off(&mut self, pid: Pid, job: Job) {
        self.table.at_mut(pid).space.jobs.push(job);
        self.queue_work(pid);
    }

    /// Goes on with all that remains to be done in an address space, as far as this step's budget goes.
    pub(crate) fn continue_space(&mut self, pid: Pid, out: &mut Outbox) {
        if !self.tell_again(pid, out) || !self.free_answered(pid, out) {
            return self.queue_work(pid);
        }
        if self.table.at(pid).is_dying() {
            return;
        }
        let mut done = self.continue_round(pid, out) && self.release_all(pid, out);
        if done && self.table.at(pid).space.job_at(Stage::Changing).is_some() {
            done = self.do_jobs(pid, out);
        }
        if !done {
            self.queue_work(pid);
        }
    }

    /// Changes pages, and does what that makes possible. False when this step may do no more.
    fn do_jobs(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        if !self.change_all(pid, out) {
            return false;
        }
        // What a call that needs no round was for is done.
        self.table.at(pid).space.jobs.is_empty()
            || self.continue_round(pid, out) && self.release_all(pid, out)
    }

    /// Changes pages, one job after the other. False when this step may do no more.
    fn change_all(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        while let Some(at) = self.table.at(pid).space.job_at(Stage::Changing) {
            let mut job = self.table.at(pid).space.jobs[at];
            let done = self.change_pages(pid, &mut job, out);
            if done && job.needs_flush() {
                job.stage = Stage::Changed;
            }
            self.table.at_mut(pid).space.jobs[at] = job;
            if !done {
                return false;
            }
            if !job.needs_flush() {
                self.finish_job(pid, at, out);
            }
        }
        true
    }

    /// Changes the pages of a job. False when this step may do no more.
    fn change_pages(&mut self, pid: Pid, job: &mut Job, out: &mut Outbox) -> bool {
        while job.next < end(job.range) {
            let space = &self.table.at(pid).space;
            let Some(mut slice) = space.next_slice(job, MAX_PAGES) else { return true };
            slice.range.pages = self.spend_some(slice.range.pages);
            if slice.range.pages == 0 {
                return false;
            }
            self.change(pid, job, slice, out);
        }
        true
    }

    /// Changes the next pages of a job.
    #[inline(always)]
    fn change(&mut self, pid: Pid, job: &mut Job, slice: Slice, out: &mut Outbox) {
        let Slice { range, all, is_shared, rights } = slice;
        let alike = if is_shared { range.pages } else { all };
        let it = self.table.at_mut(pid);
        let process = it.id;
        job.next = end(range);
        match &mut job.work {
            Work::Populate => out.push(Output::Populate { process, range, alike, rights }),
            Work::Protect { .. } => out.push(Output::Protect { process, range, alike, rights }),
            Work::Unmap { ticket, frames } => {
                let (unused, more) = it.space.clear(range);
                *frames += more;
                out.push(Output::Unmap { process, range, alike, unused, ticket: *ticket });
            }
            &mut Work::Share { to, name } => self.share_slice(pid, range, (to, name), out),
        }
    }

    /// Gives back what jobs have unmapped that no core can use any more, and answers their callers. False
    /// when this step may do no more.
    fn release_all(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        while let Some(at) = self.table.at(pid).space.job_at(Stage::Releasing) {
            if !self.release(pid, at, out) {
                return false;
            }
            self.finish_job(pid, at, out);
        }
        true
    }

    /// Gives back all that a job has unmapped; false when this step may do no more.
    #[inline(always)]
    pub(super) fn release(&mut self, pid: Pid, at: usize, out: &mut Outbox) -> bool {
        let it = self.table.at_mut(pid);
        let (process, space) = (it.id, &mut it.space);
        let Work::Unmap { ticket, frames } = &mut space.jobs[at].work else { return true };
        while *frames > 0 {
            let some = (*frames).min(MAX_PAGES).min(self.budget);
            if some == 0 {
                return false;
            }
            self.budget -= some;
            *frames -= some;
            space.mapped -= some;
            self.frames += some;
            out.push(Output::Release { process, ticket: *ticket, frames: some });
        }
        true
    }

    /// Gives back at most [`MAX_PAGES`] frames of a batch.
    pub(super) fn release_some(&mut self, pid: Pid, ticket: u32, frames: u32, out: &mut Outbox) {
        let it = self.table.at_mut(pid);
        it.space.mapped -= frames;
        self.frames += frames;
        out.push(Output::Release { process: it.id, ticket, frames });
    }

    /// A job is done: its caller is answered.
    fn finish_job(&mut self, pid: Pid, at: usize, out: &mut Outbox) {
        let job = self.table.at_mut(pid).space.jobs.remove(at);
        self.answer_job(pid, &job, out);
    }

    /// Answers the caller of a job that is done and no longer in the list.
    #[inline(always)]
    pub(super) fn answer_job(&mut self, pid: Pid, job: &Job, out: &mut Outbox) {
        let outcome = self.end_job(pid, job);
        if job.answer_stander((&self.cores, &self.config), outcome, out) {
            return;
        }
        self.complete(pid, job.call, outcome, job.value(), out);
    }

    /// What a job that is done comes to.
    #[inline(always)]
    fn end_job(&mut self, pid: Pid, job: &Job) -> Outcome {
        match job.work {
            Work::Unmap { ticket, .. } => {
                self.table.at_mut(pid).space.regions.remove_left(job.range, ticket);
            }
            Work::Share { to, name } => return self.share_done(to, job.range, name),
            Work::Populate | Work::Protect { .. } => {}
        }
        Outcome::OK
    }

    /// Takes up to so many entries from what this step may still touch.
    pub(super) fn spend_some(&mut self, most: u32) -> u32 {
        let some = most.min(self.budget);
        self.budget -= some;
        some
    }
}
