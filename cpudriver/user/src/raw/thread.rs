//! Threads in memory: what each has of its own, how it begins, and how it gives way.
//!
//! A thread that runs is its [vcore](super::vcore)'s. One that does not is a [`Parked`], and there is one of these for
//! each: whoever has it puts it into a queue, hands it on, or lets it run. A thread that waits for something which more
//! than one may end, as a lock with a timeout, lies with none of them: the first to claim it has it.

use super::call::Block;
use super::here::Here;
use super::keyed::Values;
use super::page::Page;
use super::switch::{Area, Local};
use super::vcore::{Vcore, count};
use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use proto::program::context::WORDS;
use proto::program::{data, number};

/// A thread. It is never freed; a scheduler uses it again.
#[repr(C)]
pub struct Thread {
    pub(super) local: Local,
    /// Where its extended state is kept when it is interrupted.
    pub(super) area: AtomicPtr<Area>,
    /// It was interrupted rather than having given way.
    pub(super) is_interrupted: AtomicBool,
    /// See [`Claim`].
    claim: AtomicU8,
    /// The next one in the list that it lies in.
    pub(super) next: Link,
    /// The next one that waits for the same.
    pub(super) next_waiter: Link,
    /// Where it stands among those that wait for a moment.
    pub(crate) timer: AtomicUsize,
    /// The call that it waits for.
    awaited: AtomicPtr<Block>,
    /// The end of its stack; 0 for the thread that the program began with.
    pub(super) stack: AtomicUsize,
    /// How it ends; see [`super::packet`].
    pub(super) end: AtomicPtr<super::packet::Ending>,
    values: Values,
    /// Where it goes on if it was interrupted.
    pub(super) registers: [AtomicU64; WORDS],
    /// What it was about that it faulted.
    pub(super) fault_address: AtomicU64,
    pub(super) resume: UnsafeCell<Block>,
}

// SAFETY: `resume` is written while nobody else knows of the thread, `values` touched by the thread alone.
unsafe impl Sync for Thread {}

impl core::fmt::Debug for Thread {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Thread").finish_non_exhaustive()
    }
}

/// One thread, or none: a link of a list.
#[derive(Debug)]
pub(crate) struct Link(AtomicPtr<Thread>);

impl Link {
    /// None.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    /// The thread.
    #[inline]
    pub(crate) fn get(&self) -> Option<&'static Thread> {
        // SAFETY: threads are never freed, and nothing else is stored here.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Leads to another one from now on.
    #[inline]
    pub(crate) fn set(&self, thread: Option<&'static Thread>) {
        self.0.store(pointer(thread), Ordering::Release);
    }

    /// The thread, which is taken away.
    #[inline]
    pub(crate) fn take(&self) -> Option<&'static Thread> {
        // SAFETY: as above.
        unsafe { self.0.swap(core::ptr::null_mut(), Ordering::AcqRel).as_ref() }
    }
}

#[inline]
fn pointer(thread: Option<&'static Thread>) -> *mut Thread {
    thread.map_or(core::ptr::null_mut(), |it| core::ptr::from_ref(it).cast_mut())
}

/// How it stands with a thread that waits for what more than one may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Claim {
    /// Nobody may have it.
    Closed = 0,
    /// The first who claims it has it.
    Open = 1,
    /// What it waited for has come.
    Woken = 2,
    /// The moment has come until which it wanted to wait.
    TimedOut = 3,
}

/// A thread that does not run: whoever has this may let it run, once.
///
/// If it is dropped the thread never runs again.
#[derive(Debug)]
#[must_use = "a thread that nobody lets run has been forgotten"]
pub struct Parked(pub(super) &'static Thread);

impl Parked {
    /// A new thread, with a stack of its own, that has nothing to do yet.
    pub fn new() -> Self {
        let thread = Thread::new();
        thread.stack.store(super::stacks::take(), Ordering::Relaxed);
        Self(thread)
    }

    /// The same thread again, for whoever has let go of a `Parked` for a while.
    ///
    /// # Safety
    ///
    /// There is no other `Parked` of this thread, and it does not run.
    #[inline]
    pub(super) const unsafe fn again(thread: &'static Thread) -> Self {
        Self(thread)
    }

    /// Lets the thread do `work` when it is next run. It must not end: it leaves for good.
    ///
    /// # Panics
    ///
    /// When it is the thread that the program began with, or `work` ends.
    pub fn begin<F: FnOnce() + Send + 'static>(&mut self, work: F) {
        extern "C" fn first<F: FnOnce()>(work: usize) -> ! {
            let work: *const F = core::ptr::with_exposed_provenance(work);
            // SAFETY: it was put there for this, and is read once.
            let work = unsafe { work.read() };
            work();
            unreachable!("a thread leaves for good when it has nothing more to do")
        }
        let place: *mut F = super::packet::below::<F>(self.stack_end());
        // SAFETY: the stack is the thread's, which does not run; there is room, see `below`.
        unsafe { place.write(work) };
        // SAFETY: as above.
        unsafe { self.start_at(place.expose_provenance(), first::<F>) };
    }

    pub(super) fn stack_end(&self) -> usize {
        let end = self.0.stack.load(Ordering::Relaxed);
        assert!(end != 0, "the first thread has no stack to begin on");
        end
    }

    /// Lets the thread begin with `begin(argument)`, with its stack from `argument` down.
    ///
    /// # Safety
    ///
    /// `argument` is a multiple of 16 in the thread's stack, with room below, and `begin` may be called with it.
    pub(super) unsafe fn start_at(&self, argument: usize, begin: extern "C" fn(usize) -> !) {
        self.0.is_interrupted.store(false, Ordering::Relaxed);
        let end: *mut u64 = core::ptr::with_exposed_provenance_mut(argument);
        // SAFETY: the caller vouches.
        let rsp = unsafe { super::switch::first_frame(end, begin, argument) };
        self.0.local.rsp.store(rsp, Ordering::Relaxed);
    }

    /// Says which call it waits for: the structure lies on its stack, or is there for ever.
    pub(crate) fn awaits(&self, call: &Block) {
        self.0.awaited.store(core::ptr::from_ref(call).cast_mut(), Ordering::Relaxed);
    }

    /// The call that it said it waits for.
    pub(crate) fn awaited(&self) -> Option<&Block> {
        // SAFETY: it lies on the thread's stack, and the thread stays where it is while this is borrowed.
        unsafe { self.0.awaited.load(Ordering::Relaxed).as_ref() }
    }

    /// Lets go of the thread until somebody [claims](Thread::claim) it.
    #[inline]
    pub(crate) fn open(self) -> &'static Thread {
        self.0.claim.store(Claim::Open as u8, Ordering::Release);
        self.0
    }

    /// The thread.
    #[inline]
    pub(crate) const fn thread(&self) -> &'static Thread {
        self.0
    }
}

impl Default for Parked {
    fn default() -> Self {
        Self::new()
    }
}

impl Thread {
    /// A thread without a stack of its own: the one that the program began with.
    #[must_use]
    pub(super) fn new() -> &'static Self {
        let new: &'static Self = Box::leak(Box::new(Self {
            local: Local::new(),
            area: AtomicPtr::new(Area::leak()),
            is_interrupted: AtomicBool::new(false),
            claim: AtomicU8::new(0),
            next: Link::new(),
            next_waiter: Link::new(),
            timer: AtomicUsize::new(usize::MAX),
            awaited: AtomicPtr::new(core::ptr::null_mut()),
            stack: AtomicUsize::new(0),
            end: AtomicPtr::new(core::ptr::null_mut()),
            values: Values::new(),
            registers: [const { AtomicU64::new(0) }; WORDS],
            fault_address: AtomicU64::new(0),
            resume: UnsafeCell::new(Block::new(number::RESUME, [0; 5])),
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

    /// Takes a thread that waits, for this reason, if nobody else has been faster.
    #[inline]
    pub(crate) fn claim(&'static self, why: Claim) -> Option<Parked> {
        let (open, why) = (Claim::Open as u8, why as u8);
        self.claim.compare_exchange(open, why, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        // SAFETY: a `Parked` was given for its being open, and there is one way from there.
        Some(unsafe { Parked::again(self) })
    }

    /// Why it was claimed, for the thread itself, which then is closed.
    pub(crate) fn was_timed_out(&self) -> bool {
        self.claim.swap(Claim::Closed as u8, Ordering::Relaxed) == Claim::TimedOut as u8
    }

    /// Where its stack lies; `None` for the thread that the program began with.
    pub(crate) fn stack(&self) -> Option<Range<u64>> {
        let end = self.stack.load(Ordering::Relaxed);
        (end != 0).then(|| super::stacks::around(end).0)
    }

    /// Must it go on where it was interrupted, on the same vcore?
    pub(super) fn stays(&self) -> bool {
        self.local.stays.load(Ordering::Relaxed) != 0
    }

    /// Keeps the registers that the kernel has saved in the page of a vcore. False if it has saved none since the thread
    /// was put there: they are lost.
    pub(super) fn keep_registers(&self, page: Page) -> bool {
        for (at, word) in self.registers.iter().enumerate() {
            word.store(page.u64(data::THREAD + at * 8).load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.is_interrupted.store(true, Ordering::Relaxed);
        self.registers[super::vcore::RIP].load(Ordering::Relaxed) != 0
    }
}

/// The thread that runs; `None` in a process without threads, and in vcore context.
#[must_use]
#[inline]
pub(crate) fn current() -> Option<&'static Thread> {
    if count() == 0 {
        return None;
    }
    let here = super::switch::here();
    let thread: *const Thread = core::ptr::with_exposed_provenance(here as usize);
    // SAFETY: FS leads to the `Local` of a thread, which is its first field; threads are never freed.
    (super::switch::vcore_address() != here).then(|| unsafe { &*thread })
}

/// Saves the thread that runs, and has `next` choose in vcore context who goes on; returns when somebody has let this one run
/// again. Does nothing in a process without threads, and in vcore context.
///
/// What `next` borrows of the thread's stack is there only until it has given the thread away.
#[inline]
pub fn leave<F: FnOnce(&Here, Parked) -> Parked>(next: F) {
    extern "C" fn choose<F: FnOnce(&Here, Parked) -> Parked>(
        next: usize,
        _: usize,
        vcore: &'static Vcore,
    ) -> u64 {
        let next: *const F = core::ptr::with_exposed_provenance(next);
        // SAFETY: it lies on the stack of the thread that has given way, and is read once, before the thread can go on.
        let next = unsafe { next.read() };
        // SAFETY: this is vcore context, on the stack of that vcore.
        let here = unsafe { Here::of(vcore) };
        let thread = vcore.retake_after_leave();
        let thread = next(here, thread);
        vcore.switch_to(thread)
    }
    if count() == 0 || super::switch::vcore_address() == super::switch::here() {
        return;
    }
    let next = ManuallyDrop::new(next);
    let argument = (&raw const next).expose_provenance();
    // SAFETY: this is a thread; `choose` gives one that does not run, and this one to whoever has `next` given it to.
    unsafe { super::switch::leave(argument, choose::<F>) };
}
