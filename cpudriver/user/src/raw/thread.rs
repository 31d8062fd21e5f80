//! Threads in memory: what each has of its own, how it begins, and how it gives way.
//!
//! A thread that does not run lies in a queue, or waits for something; where it goes on is then on its own stack, or in
//! its registers here if it was interrupted. One that runs is its [vcore](super::vcore)'s.

use super::call::Block;
use super::keyed::Values;
use super::page::Page;
use super::switch::{Area, Local, local};
use super::vcore::count;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use proto::program::context::WORDS;
use proto::program::{data, number};

/// What a thread does when it begins.
pub(crate) type Work = alloc::boxed::Box<dyn FnOnce() + Send>;

/// A thread. It is never freed; the scheduler uses it again.
#[repr(C)]
pub(crate) struct Thread {
    pub(super) local: Local,
    /// Where it goes on if it was interrupted.
    registers: [AtomicU64; WORDS],
    /// Where its extended state is kept when it is interrupted.
    pub(super) area: AtomicPtr<Area>,
    /// It was interrupted rather than having given way.
    pub(super) is_interrupted: AtomicBool,
    pub(super) resume: UnsafeCell<Block>,
    work: UnsafeCell<Option<Work>>,
    values: Values,
    /// The end of its stack; 0 for the thread that the program began with.
    stack: AtomicU64,
}

// SAFETY: `resume`, `work` and `values` are touched only by whoever has the thread, of whom there is one.
unsafe impl Sync for Thread {}

impl core::fmt::Debug for Thread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

impl Thread {
    /// A thread without a stack of its own: the one that the program began with.
    #[must_use]
    pub(crate) fn new() -> &'static Self {
        let new: &'static Self = alloc::boxed::Box::leak(alloc::boxed::Box::new(Self {
            local: Local::new(),
            registers: [const { AtomicU64::new(0) }; WORDS],
            area: AtomicPtr::new(Area::leak()),
            is_interrupted: AtomicBool::new(false),
            resume: UnsafeCell::new(Block::new(number::RESUME, [0; 5])),
            work: UnsafeCell::new(None),
            values: Values::new(),
            stack: AtomicU64::new(0),
        }));
        new.local.settle();
        let registers = new.registers.as_ptr().addr() as u64;
        // SAFETY: nobody else knows of it yet.
        unsafe { *new.resume.get() = Block::new(number::RESUME, [registers, 0, 0, 0, 0]) };
        new
    }

    /// What it has of its own.
    pub(super) const fn values(&self) -> &Values {
        &self.values
    }

    /// Gives it a stack.
    pub(crate) fn give_stack(&self, stack: &'static mut [u128]) {
        let end = stack.as_mut_ptr_range().end.expose_provenance();
        self.stack.store(end as u64, Ordering::Relaxed);
    }

    /// Lets the thread begin with `work` when it is next resumed. It has a stack, and does not run.
    pub(crate) fn prepare(&'static self, work: Work) {
        // SAFETY: the thread does not run; the caller is the only one to have it.
        unsafe { *self.work.get() = Some(work) };
        self.is_interrupted.store(false, Ordering::Relaxed);
        let end = self.stack.load(Ordering::Relaxed) as usize;
        assert!(end != 0, "a thread needs a stack");
        let end: *mut u64 = core::ptr::with_exposed_provenance_mut(end);
        let argument = core::ptr::from_ref(self).expose_provenance();
        // SAFETY: the stack is the thread's alone, and aligned to 16.
        let rsp = unsafe { super::switch::first_frame(end, begin, argument) };
        self.local.rsp.store(rsp, Ordering::Relaxed);
    }

    /// Must it go on where it was interrupted, on the same vcore?
    pub(super) fn stays(&self) -> bool {
        self.local.stays.load(Ordering::Relaxed) != 0
    }

    /// Keeps the registers that the kernel has saved in the page of a vcore.
    pub(super) fn keep_registers(&self, page: Page) {
        for (at, word) in self.registers.iter().enumerate() {
            word.store(page.u64(data::THREAD + at * 8).load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.is_interrupted.store(true, Ordering::Relaxed);
    }
}

extern "C" fn begin(thread: usize) -> ! {
    let thread: *const Thread = core::ptr::with_exposed_provenance(thread);
    // SAFETY: `prepare` has made it of a reference, and threads are never freed.
    let thread = unsafe { &*thread };
    // SAFETY: this is the thread; nobody else touches it while it runs.
    if let Some(work) = unsafe { (*thread.work.get()).take() } {
        work();
    }
    // SAFETY: as above, and nothing of the thread is left that could have borrowed one.
    unsafe { thread.values.clear() };
    crate::threads::end()
}

/// The thread that runs; `None` in a process without threads, and in vcore context.
#[must_use]
pub(crate) fn current() -> Option<&'static Thread> {
    if count() == 0 {
        return None;
    }
    let here = super::switch::here();
    let is_vcore = local().vcore.load(Ordering::Relaxed) == here;
    let thread: *const Thread = core::ptr::with_exposed_provenance(here as usize);
    // SAFETY: FS leads to the `Local` of a thread, which is its first field; threads are never freed.
    (!is_vcore).then(|| unsafe { &*thread })
}

/// A call that a thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited(*const Block);

// SAFETY: it is only looked at, by `is_done`.
unsafe impl Send for Awaited {}

impl Awaited {
    pub(crate) fn new(block: &Block) -> Self {
        Self(block)
    }

    /// What its event carries.
    pub(crate) fn address(self) -> u64 {
        self.0.addr() as u64
    }

    /// Is it over? Only while the thread that waits for it has not been resumed.
    pub(crate) fn is_done(self) -> bool {
        // SAFETY: the structure lies on the stack of the thread, which waits.
        unsafe { (*self.0).is_done() }
    }
}

/// Saves this thread, and does `then` in vcore context; returns when somebody has resumed it.
pub(crate) fn leave<F: FnOnce(&'static Thread)>(then: F) {
    struct Leaving<F>(Option<F>, &'static Thread);
    extern "C" fn call<F: FnOnce(&'static Thread)>(leaving: usize) {
        let leaving: *mut Leaving<F> = core::ptr::with_exposed_provenance_mut(leaving);
        // SAFETY: it lies on the stack of the thread that has given way, which goes on only after this.
        let leaving = unsafe { &mut *leaving };
        if let Some(then) = leaving.0.take() {
            let thread = leaving.1;
            then(thread);
        }
    }
    let Some(thread) = current() else { return };
    let mut leaving = Leaving(Some(then), thread);
    let argument = (&raw mut leaving).expose_provenance();
    // SAFETY: this is a thread, and the caller's `then` sees to it that it goes on.
    unsafe { super::switch::leave(call::<F>, argument) };
}
