//! Who takes the thread of a vcore.
//!
//! Whoever takes it from the vcore's `current`, by an atomic exchange, has it: the vcore itself when it is entered, or
//! another one that takes it from one that was preempted ([`Vcore::steal_from`]). While somebody does that he holds the
//! vcore's `stealing`, and the vcore, should it be started meanwhile, waits in vcore context, so that the kernel does not
//! overwrite what is being copied.

use super::here::Here;
use super::page;
use super::thread::{Parked, Thread};
use super::vcore::Vcore;
use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use proto::program::{data, info};

impl Vcore {
    /// Takes the thread that ran here; waits for whoever is trying to take it away, and may give it back.
    pub(super) fn retake_current(&'static self) -> Option<&'static Thread> {
        loop {
            let current = self.current.take();
            if current.is_some() {
                return current;
            }
            // Only while nobody else can take it does an empty place mean that there is none.
            if self.begin_stealing(self) {
                let current = self.current.take();
                self.end_stealing();
                return current;
            }
            super::vcore::relax();
        }
    }

    /// Lets only this vcore take the thread of another one; false if somebody else does.
    pub(super) fn begin_stealing(&self, from: &Self) -> bool {
        let me = u32::from(self.number()) + 1;
        from.stealing.compare_exchange(0, me, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Others may take it again.
    pub(super) fn end_stealing(&self) {
        self.stealing.store(0, Ordering::Release);
    }

    /// It was stopped, and does not run.
    #[must_use]
    pub fn is_preempted(&self) -> bool {
        self.page().u8(data::PREEMPTED).load(Ordering::Acquire) != 0
    }

    /// It was stopped in vcore context, or has a thread that must go on there: it has to be run.
    #[must_use]
    pub fn must_run(&self) -> bool {
        self.current.get().is_some_and(Thread::stays) || self.is_in_context()
    }

    fn since(&self) -> u64 {
        let at = info::VCORES_MAP + usize::from(self.number()) * info::VCORE_BYTES;
        page::INFO.u64(at + info::vcore::SINCE).load(Ordering::Acquire)
    }

    pub(super) fn is_in_context(&self) -> bool {
        self.page().u8(data::IN_VCORE_CONTEXT).load(Ordering::Acquire) != 0
    }

    /// Gives a thread the extended state of this vcore, which was preempted with it, unless the vcore has been started
    /// again and has saved it in the thread's area itself.
    ///
    /// The vcore saves there also if it is started after this, at any time. So the thread takes the vcore's own
    /// area with it, and leaves it the other.
    fn hand_over_extended(&self, thread: &Thread) {
        loop {
            if self.local.saved.load(Ordering::Acquire) != 0 {
                return;
            }
            let since = self.since();
            if !self.is_preempted() {
                // It runs and is about to save it.
                spin_loop();
                continue;
            }
            let spare = self.scratch.load(Ordering::Relaxed);
            // SAFETY: areas are never freed.
            let area = unsafe { &*spare };
            for (at, word) in area.0.iter().enumerate() {
                let saved = self.page().u64(data::EXTENDED + at * 8).load(Ordering::Relaxed);
                word.store(saved, Ordering::Relaxed);
            }
            page::fence();
            let same_stay = self.is_preempted() && self.since() == since;
            if same_stay && self.local.saved.load(Ordering::Acquire) == 0 {
                let old = thread.area.swap(spare, Ordering::Relaxed);
                return self.scratch.store(old, Ordering::Relaxed);
            }
        }
    }
}

impl Here {
    /// Takes the thread of another vcore that was preempted with it. `None` when there is nothing to take: it runs
    /// again, somebody else takes it, or it must be run.
    #[must_use]
    pub fn steal_from(&self, other: &Vcore) -> Option<Parked> {
        if !self.vcore().begin_stealing(other) {
            return None;
        }
        other.page().u8(data::STEALING).store(1, Ordering::Relaxed);
        page::fence();
        let stolen = other.current.take().and_then(|thread| {
            if !other.is_preempted() || other.is_in_context() || thread.stays() {
                // It may be running on: it is given back.
                other.current.set(Some(thread));
                return None;
            }
            thread.keep_registers(other.page());
            other.hand_over_extended(thread);
            other.page().u8(data::OCCUPIED).store(0, Ordering::Relaxed);
            // SAFETY: it was interrupted, and was that vcore's until it was taken there.
            Some(unsafe { Parked::again(thread) })
        });
        other.page().u8(data::STEALING).store(0, Ordering::Relaxed);
        other.end_stealing();
        stolen
    }
}
