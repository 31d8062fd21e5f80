//! Rules about address spaces, for simulations and tests.

use super::regions::{MAX_LEAVING, Region, end, is_mappable, tables};
use super::work::{Stage, Work};
use super::{MAX_JOBS, MAX_REGIONS};
use crate::audit::{Audit, process_rule};
use crate::coordinator::Coordinator;
use crate::process::Process;
use proto::message::PageRange;

impl Coordinator {
    pub(crate) fn audit_spaces(&self) -> Audit {
        let reserved: u32 = self.table.iter().map(|it| it.space.frames()).sum();
        let exact = reserved.checked_add(self.frames) == Some(self.config.frames);
        crate::audit::core_rule(
            proto::id::CoreId::MANAGEMENT,
            exact,
            "every frame is reserved by one process or by none",
        )
    }

    pub(crate) fn audit_space(&self, process: &Process) -> Audit {
        let rule = |holds, rule| process_rule(process, holds, rule);
        let space = &process.space;
        let regions = space.regions.all();
        let staying = regions.iter().filter(|it| !it.is_leaving()).count();
        let few = staying <= MAX_REGIONS && regions.len() <= MAX_REGIONS + MAX_LEAVING;
        rule(few, "there are no more regions than there may be")?;
        let mut pairs = space.regions.each().zip(space.regions.each().skip(1));
        rule(pairs.all(|(one, next)| one.end() <= next.first), "regions are sorted and disjoint")?;
        let mappable = space.regions.each().all(|it| is_mappable(it.range()));
        rule(mappable, "regions lie where programs may map")?;
        let waiting = |job: &super::Job| match job.work {
            Work::Unmap { frames, .. } => frames,
            _ => 0,
        };
        let batches: u32 = space.jobs.iter().map(waiting).sum();
        let mapped = mapped_frames(regions) + batches;
        rule(space.mapped == mapped, "what is mapped is reserved, and no more")?;
        rule(space.jobs.len() <= MAX_JOBS, "there are no more jobs than there may be")?;
        let flushing = space.jobs.iter().any(|job| job.stage == Stage::Flushing);
        rule(flushing == space.is_flushing() || process.is_dying(), "a round is for something")?;
        let Some(round) = space.round() else { return Ok(()) };
        let told = round.waiting.without(&round.untold);
        let known = |core| self.shootdown_on(core).is_some_and(|it| it.process == process.id);
        let leaves = |core| process.lost.contains(core) || process.parting.contains(core);
        rule(told.iter().all(|it| known(it) || leaves(it)), "a round waits for whom it was sent to")
    }
}

/// Frames that regions may take, pages and page tables, counted from scratch.
fn mapped_frames(regions: &[Region]) -> u32 {
    let mut sum = 0;
    let mut before = proto::memory::MAP_AREA.first;
    for (first, last) in regions.iter().filter_map(Region::occupied) {
        let range = PageRange { first, pages: (last - first) as u32 };
        let all = end(proto::memory::MAP_AREA);
        sum +=
            range.pages + tables(range, PageRange { first: before, pages: (all - before) as u32 });
        before = last;
    }
    sum
}
