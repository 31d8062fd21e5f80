//! Threads and vcores in memory, and what moves a thread from one to the other.
//!
//! A thread that runs is its vcore's `current`. Whoever takes it from there, by an atomic exchange, has it: the vcore
//! itself when it is entered, or another vcore that takes it from one that was preempted ([`Vcore::steal_from`]). While
//! somebody does that he holds the vcore's `stealing`, and the vcore, should it be started meanwhile, waits in vcore
//! context, so that the kernel does not overwrite what is being copied.

use super::call::Block;
use super::keyed::Values;
use super::page::{self, Page};
use super::switch::{Area, Local, local};
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use proto::program::context::WORDS;
use proto::program::{data, info, layout, number};

/// What a thread does when it begins.
pub(crate) type Work = alloc::boxed::Box<dyn FnOnce() + Send>;

/// A thread. It is never freed; the scheduler uses it again.
#[repr(C)]
pub(crate) struct Thread {
    local: Local,
    /// Where it goes on if it was interrupted.
    registers: [AtomicU64; WORDS],
    /// Where its extended state is kept when it is interrupted.
    area: AtomicPtr<Area>,
    /// It was interrupted rather than having given way.
    is_interrupted: AtomicBool,
    resume: UnsafeCell<Block>,
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
    fn stays(&self) -> bool {
        self.local.stays.load(Ordering::Relaxed) != 0
    }

    /// Keeps the registers that the kernel has saved in the page of a vcore.
    fn keep_registers(&self, page: Page) {
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

/// A vcore of this process.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Vcore {
    local: Local,
    number: u16,
    current: AtomicPtr<Thread>,
    /// Who takes the current thread away, plus 1.
    stealing: AtomicU32,
    /// Other vcores were preempted, and this one has not seen to them.
    pub(crate) owes_recovery: AtomicBool,
    /// Where it keeps an extended state that nobody needs. Changes hands with that of a thread that is taken away:
    /// this vcore may be about to write to the thread's old one.
    scratch: AtomicPtr<Area>,
    /// The call that makes it look for messages.
    bell: Block,
}

/// All vcores, and how many.
static VCORES: AtomicPtr<Vcore> = AtomicPtr::new(core::ptr::null_mut());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Bytes of a vcore's stack.
const STACK_BYTES: usize = 16 << 10;

/// The vcore of that number.
///
/// # Panics
///
/// When there is none.
pub(crate) fn vcore(number: u16) -> &'static Vcore {
    assert!(u32::from(number) < COUNT.load(Ordering::Relaxed), "there is no such vcore");
    // SAFETY: there are so many.
    let vcore = unsafe { VCORES.load(Ordering::Relaxed).add(number.into()) };
    // SAFETY: they are never freed.
    unsafe { &*vcore }
}

/// How many vcores there can be; 0 in a process without threads.
pub(crate) fn count() -> u16 {
    COUNT.load(Ordering::Relaxed) as u16
}

/// Makes the vcores, and what runs now the first thread, of vcore 0. The process is single-core still.
pub(crate) fn set_up(first: &'static Thread, vcores: u16) {
    let all: alloc::vec::Vec<Vcore> = (0..vcores).map(Vcore::new).collect();
    let all = all.leak();
    VCORES.store(all.as_mut_ptr(), Ordering::Relaxed);
    // From here until FS leads to the thread nothing may use the heap, whose lock would look there.
    COUNT.store(vcores.into(), Ordering::Relaxed);
    for number in 0..vcores {
        vcore(number).settle();
    }
    vcore(0).fill_page();
    first.local.join(&vcore(0).local);
    vcore(0).take(first);
    // SAFETY: threads are never freed.
    unsafe { super::switch::set_here(core::ptr::from_ref(&first.local).addr() as u64) };
}

/// Takes back what [`set_up`] has done: the process stays single-core.
pub(crate) fn take_down() {
    COUNT.store(0, Ordering::Relaxed);
    page::vcore(0).u8(data::READY).store(0, Ordering::Relaxed);
}

/// The number of the vcore that this runs on.
pub(crate) fn current_vcore() -> u16 {
    if count() == 0 { 0 } else { local().number.load(Ordering::Relaxed) as u16 }
}

/// Fills the pages of all vcores but 0, which the process has now.
pub(crate) fn fill_pages() {
    (1..count()).for_each(|number| vcore(number).fill_page());
}

impl Vcore {
    fn new(number: u16) -> Self {
        let stack = alloc::vec![0_u128; STACK_BYTES / 16].leak();
        let local = Local::new();
        local.stack.store(stack.as_ptr_range().end.addr() as u64, Ordering::Relaxed);
        Self {
            local,
            number,
            current: AtomicPtr::new(core::ptr::null_mut()),
            stealing: AtomicU32::new(0),
            owes_recovery: AtomicBool::new(false),
            scratch: AtomicPtr::new(Area::leak()),
            bell: Block::quiet(
                number::NOTIFY_SELF,
                [number.into(), crate::threads::LOOK.into(), 0, 0, 0],
            ),
        }
    }

    /// Lets its own address be known.
    fn settle(&'static self) {
        let me = self.local.settle();
        let page = layout::DATA + u64::from(self.number) * 4096;
        for (field, value) in [
            (&self.local.page, page),
            (&self.local.vcore, me),
            (&self.local.number, self.number.into()),
        ] {
            field.store(value, Ordering::Relaxed);
        }
        self.use_scratch();
    }

    /// Tells the kernel how the vcore is entered.
    fn fill_page(&'static self) {
        let page = self.page();
        let entry = (super::switch::vcore_entry as *const ()).addr() as u64;
        page.u64(data::ENTRY).store(entry, Ordering::Relaxed);
        page.u64(data::STACK).store(self.local.stack.load(Ordering::Relaxed), Ordering::Relaxed);
        page.u64(data::TLS).store(self.local.vcore.load(Ordering::Relaxed), Ordering::Relaxed);
        page.u8(data::READY).store(1, Ordering::Release);
    }

    fn use_scratch(&'static self) {
        self.use_area(&self.scratch);
    }

    /// Lets the entry save the extended state there.
    fn use_area(&self, area: &AtomicPtr<Area>) {
        let area = area.load(Ordering::Relaxed).expose_provenance();
        self.local.area.store(area as u64, Ordering::Relaxed);
    }

    /// Makes a thread the one that runs here: what the entry saves is its state from now on.
    fn take(&'static self, thread: &'static Thread) {
        thread.local.join(&self.local);
        self.use_area(&thread.area);
        self.local.saved.store(0, Ordering::Relaxed);
        self.current.store(core::ptr::from_ref(thread).cast_mut(), Ordering::Release);
        self.page().u8(data::OCCUPIED).store(1, Ordering::Relaxed);
    }

    /// Takes the thread that ran here, if there was one and nobody else has it.
    fn take_current(&self) -> Option<&'static Thread> {
        // SAFETY: threads are never freed.
        unsafe { self.current.swap(core::ptr::null_mut(), Ordering::AcqRel).as_ref() }
    }

    /// Runs a thread, which leaves vcore context.
    pub(crate) fn run(&'static self, thread: &'static Thread) -> ! {
        self.take(thread);
        if thread.is_interrupted.swap(false, Ordering::Relaxed) {
            // SAFETY: the thread is this vcore's alone, and so is the structure.
            let block = unsafe { &*thread.resume.get() };
            // SAFETY: areas are never freed.
            let area = unsafe { &*thread.area.load(Ordering::Relaxed) };
            loop {
                // SAFETY: its state and registers were saved when it was interrupted.
                unsafe { super::switch::resume_all(area, block) };
            }
        }
        // SAFETY: the thread gave way, or has never run, and is this vcore's alone.
        unsafe { super::switch::resume(core::ptr::from_ref(&thread.local).addr() as u64) }
    }
}

impl Vcore {
    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Its page.
    pub(crate) fn page(&self) -> Page {
        page::vcore(self.number.into())
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
        let at = info::VCORES_MAP + usize::from(self.number) * info::VCORE_BYTES;
        page::INFO.u64(at + info::vcore::SINCE).load(Ordering::Acquire)
    }

    /// Takes the thread of another vcore that was preempted with it. `None` when there is nothing to take: it runs
    /// again, somebody else takes it, or it must be run.
    pub(crate) fn steal_from(&self, other: &Self) -> Option<&'static Thread> {
        let me = u32::from(self.number) + 1;
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

impl Vcore {
    /// Takes the thread that ran here; waits for whoever is trying to take it away, and may give it back.
    fn retake_current(&'static self) -> Option<&'static Thread> {
        loop {
            let current = self.take_current();
            if current.is_some() {
                return current;
            }
            // Only while nobody else can take it does an empty place mean that there is none.
            let me = u32::from(self.number) + 1;
            let free = self.stealing.compare_exchange(0, me, Ordering::AcqRel, Ordering::Relaxed);
            if free.is_ok() {
                let current = self.take_current();
                self.stealing.store(0, Ordering::Release);
                return current;
            }
            crate::threads::relax(self);
        }
    }
}

/// The vcore has been entered, on its own stack: with the thread that was interrupted, if there is one.
pub(super) extern "C" fn vcore_main(number: u64) -> ! {
    let me = vcore(number as u16);
    let thread = me.retake_current();
    me.use_scratch();
    me.page().u8(data::OCCUPIED).store(0, Ordering::Relaxed);
    if let Some(thread) = thread {
        thread.keep_registers(me.page());
        if thread.stays() {
            crate::threads::look(me);
            me.run(thread);
        }
    }
    crate::threads::entered(me, thread)
}

/// A thread has given way, and is saved: does what it wanted done then, and looks for another one.
pub(super) extern "C" fn after_leave(then: extern "C" fn(usize), argument: usize) -> ! {
    let me = vcore(local().number.load(Ordering::Relaxed) as u16);
    let _gave_way = me.retake_current();
    me.use_scratch();
    then(argument);
    crate::threads::schedule(me)
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

/// Goes on as another vcore, which was stopped in vcore context. If `keep`, this one goes on here when somebody has made it
/// run; else it begins anew when it is started, and this returns only if the kernel refuses.
pub(crate) fn change_vcore(to: &Vcore, keep: bool) {
    let flags = if keep { u64::from(proto::call::KEEP) } else { 0 };
    let block = Block::new(number::CHANGE_VCORE, [to.number.into(), flags, 0, 0, 0]);
    // SAFETY: it names no memory, and what this vcore keeps on its stack is left alone or not needed.
    unsafe { block.enter() };
}

/// Makes a call that the kernel answers at once and that names no memory; gives its outcome.
pub(crate) fn at_once(number: u32, arguments: [u64; 2]) -> i64 {
    let [first, second] = arguments;
    let block = Block::new(number, [first, second, 0, 0, 0]);
    // SAFETY: it names no memory.
    unsafe { block.enter() }
}

/// Posts an event to a vcore, so that it looks; nobody waits for the outcome.
pub(crate) fn ring(vcore: &'static Vcore) {
    // SAFETY: it names no memory, and the structure is never freed. That it may be under way already does no harm:
    // it says the same each time.
    unsafe { vcore.bell.enter() };
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

/// Turns notifications off on this vcore, so that it is not entered: the thread stays here. True if they were on.
pub(crate) fn disable_notifications() -> bool {
    if count() == 0 {
        return false;
    }
    let local = local();
    if local.is_vcore() {
        return false;
    }
    local.stays.store(1, Ordering::Relaxed);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    let page = page::vcore(local.number.load(Ordering::Relaxed));
    let was_on = page.u8(data::IN_VCORE_CONTEXT).swap(1, Ordering::Relaxed) == 0;
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    local.stays.store(0, Ordering::Relaxed);
    was_on
}

/// The byte that tells tools of a critical section on this vcore.
pub(crate) fn critical() -> Option<&'static AtomicU8> {
    if count() == 0 {
        return None;
    }
    Some(page::vcore(local().number.load(Ordering::Relaxed)).u8(data::CRITICAL))
}

/// Are notifications off, as in vcore context and in critical sections? Of a thread that could be moved the answer
/// may be wrong, towards yes.
pub(crate) fn is_critical() -> bool {
    let page = page::vcore(local().number.load(Ordering::Relaxed));
    page.u8(data::IN_VCORE_CONTEXT).load(Ordering::Relaxed) != 0
}

/// Turns them on again, and looks for what has come meanwhile.
pub(crate) fn enable_notifications() {
    let number = local().number.load(Ordering::Relaxed);
    let page = page::vcore(number);
    page.u8(data::IN_VCORE_CONTEXT).store(0, Ordering::Relaxed);
    page::fence();
    let owes = || vcore(number as u16).owes_recovery.load(Ordering::Relaxed);
    if page.u8(data::PENDING).load(Ordering::Relaxed) != 0 || owes() {
        let enter = Block::new(number::ENTER, [0; 5]);
        // SAFETY: the vcore is entered and resumes this thread.
        unsafe { enter.enter() };
    }
}
