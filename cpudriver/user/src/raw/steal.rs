//! Who takes the thread of a vcore.
//!
//! Whoever takes it from the vcore's `current`, by an atomic exchange, has it: the vcore itself when it is entered, or
//! another one that takes it from one that was preempted ([`Vcore::steal_from`]). While somebody does that he holds the
//! vcore's `stealing`, and the vcore, should it be started meanwhile, waits in vcore context, so that the kernel does not
//! overwrite what is being copied.

use super::page;
use super::thread::Thread;
use super::vcore::Vcore;
use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use proto::program::{data, info};

impl Vcore {
    /// Takes the thread that ran here, if there was one and nobody else has it.
    fn take_current(&self) -> Option<&'static Thread> {
        // SAFETY: threads are never freed.
        unsafe { self.current.swap(core::ptr::null_mut(), Ordering::AcqRel).as_ref() }
    }

    /// Takes the thread that ran here; waits for whoever is trying to take it away, and may give it back.
    pub(super) fn retake_current(&'static self) -> Option<&'static Thread> {
        loop {
            let current = self.take_current();
            if current.is_some() {
                return current;
            }
            // Only while nobody else can take it does an empty place mean that there is none.
            let me = u32::from(self.number()) + 1;
            let free = self.stealing.compare_exchange(0, me, Ordering::AcqRel, Ordering::Relaxed);
            if free.is_ok() {
                let current = self.take_current();
                self.stealing.store(0, Ordering::Release);
                return current;
            }
            crate::threads::relax(self);
        }
    }

    /// It was stopped, and does not run.
    pub(crate) fn is_preempted(&self) -> bool {
        self.page().u8(data::PREEMPTED).load(Ordering::Acquire) != 0
    }

    /// It was stopped in vcore context, or has a thread that must go on there: it has to be run.
    pub(crate) fn must_run(&self) -> bool {
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: threads are never freed.
        let stays = unsafe { current.as_ref() }.is_some_and(Thread::stays);
        stays || self.page().u8(data::IN_VCORE_CONTEXT).load(Ordering::Acquire) != 0
    }

    fn since(&self) -> u64 {
        let at = info::VCORES_MAP + usize::from(self.number()) * info::VCORE_BYTES;
        page::INFO.u64(at + info::vcore::SINCE).load(Ordering::Acquire)
    }

    /// Takes the thread of another vcore that was preempted with it. `None` when there is nothing to take: it runs
    /// again, somebody else takes it, or it must be run.
    pub(crate) fn steal_from(&self, other: &Self) -> Option<&'static Thread> {
        let me = u32::from(self.number()) + 1;
        other.stealing.compare_exchange(0, me, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        other.page().u8(data::STEALING).store(1, Ordering::Relaxed);
        page::fence();
        let stolen = other.take_current().and_then(|thread| {
            if !other.is_preempted() || other.in_context() || thread.stays() {
                // It may be running on: it is given back.
                other.current.store(core::ptr::from_ref(thread).cast_mut(), Ordering::Release);
                return None;
            }
            thread.keep_registers(other.page());
            other.hand_over_extended(thread);
            other.page().u8(data::OCCUPIED).store(0, Ordering::Relaxed);
            Some(thread)
        });
        other.page().u8(data::STEALING).store(0, Ordering::Relaxed);
        other.stealing.store(0, Ordering::Release);
        stolen
    }

    fn in_context(&self) -> bool {
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
