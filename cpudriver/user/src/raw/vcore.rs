//! Vcores in memory: how they are made and entered, and what they run.
//!
//! A thread that runs is its vcore's `current`; see `steal` for who takes it from there. What a vcore does next
//! the program's scheduler says, in two places: its [`Entry`], for a vcore that was entered, and the `next` of
//! [`leave`](super::thread::leave), for a thread that gives way.

use super::call::Block;
use super::here::Here;
use super::page::Page;
use super::ring::Ring;
use super::switch::{Area, Local};
use super::thread::{Link, Parked, Thread};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use proto::call::Outcome;
use proto::program::{context, data, layout, number};

/// What a vcore does when it is entered, with the thread that was interrupted there if there is one: chooses who goes on.
pub type Entry = fn(&Here, Option<Parked>) -> Parked;

/// The kind of the event that only makes a vcore look.
pub const LOOK: u16 = 5;

/// Threads that the ring of a vcore has room for.
pub const RING: usize = super::ring::LENGTH;

/// The word of a context that is the instruction pointer.
pub(super) const RIP: usize = 17;

const _: () = assert!(matches!(context::NAMES[RIP].as_bytes(), b"rip"));

/// A vcore of this process.
#[repr(C)]
#[derive(Debug)]
pub struct Vcore {
    pub(super) local: Local,
    pub(super) current: Link,
    /// Who takes the current thread away, plus 1.
    pub(super) stealing: AtomicU32,
    number: u16,
    /// There is something to look for that the kernel does not tell of.
    pub(super) owes_look: AtomicBool,
    /// Where it keeps an extended state that nobody needs. Changes hands with that of a thread that is taken away:
    /// this vcore may be about to write to the thread's old one.
    pub(super) scratch: AtomicPtr<Area>,
    /// Counts what its scheduler has chosen.
    pub(super) turns: AtomicU32,
    /// Threads that it has to run.
    pub(super) ready: Ring,
    /// The first of the threads that it keeps to use them again, and how many they are.
    pub(super) kept: Link,
    pub(super) keeps: AtomicU32,
    /// The call that makes it look for messages.
    bell: Block,
}

/// All vcores, and how many.
static VCORES: AtomicPtr<Vcore> = AtomicPtr::new(core::ptr::null_mut());
static COUNT: AtomicU32 = AtomicU32::new(0);
/// The highest number of a vcore that ever had a core, as far as it or the kernel has told, plus 1.
static USED: AtomicU32 = AtomicU32::new(1);
/// The [`Entry`].
static ENTRY: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// The vcore of that number.
///
/// # Panics
///
/// When there is none.
#[must_use]
pub fn vcore(number: u16) -> &'static Vcore {
    assert!(number < count(), "there is no such vcore");
    // SAFETY: there are so many.
    let vcore = unsafe { VCORES.load(Ordering::Relaxed).add(number.into()) };
    // SAFETY: they are never freed.
    unsafe { &*vcore }
}

/// All vcores that ever ran; none in a process without threads.
pub fn all() -> impl Iterator<Item = &'static Vcore> {
    (0..used().min(count())).map(vcore)
}

/// How many vcores there can be; 0 in a process without threads.
#[must_use]
#[inline]
pub fn count() -> u16 {
    COUNT.load(Ordering::Relaxed) as u16
}

/// How many vcores there are up to the highest that ever ran.
#[must_use]
#[inline]
pub fn used() -> u16 {
    USED.load(Ordering::Acquire) as u16
}

/// The vcore of that number has had a core. One that loses it before its first instruction cannot tell so itself, and would
/// be in no list of those that were stopped.
pub fn has_had_core(number: u16) {
    if number >= used() && number < count() {
        USED.fetch_max(u32::from(number) + 1, Ordering::AcqRel);
    }
}

/// The vcores of a process that is to become a many-core one.
#[derive(Debug)]
pub struct Made {
    all: alloc::vec::Vec<Vcore>,
    /// The thread that runs now.
    first: &'static Thread,
}

/// Asks for the stacks of all vcores that there may be, unless they are there.
pub(crate) fn reserve() {
    super::stacks::prepare(crate::info::max_vcores().into());
}

/// Makes them, which takes memory; so the process waits for it as a single-core one.
///
/// # Panics
///
/// When the process has vcores already, or could not have any.
#[must_use]
pub fn make() -> Made {
    let vcores = crate::info::max_vcores();
    assert!(count() == 0 && vcores > 0, "a process starts once, on a machine with cores to lease");
    reserve();
    Made { all: (0..vcores).map(Vcore::new).collect(), first: Thread::new() }
}

/// Makes this process a many-core one whose vcores are entered at `entry`. What runs now is its first thread, of
/// vcore 0. Gives the outcome of the call; a negative one says that the process is single-core still.
pub fn start(made: Made, entry: Entry) -> i64 {
    let Made { all, first } = made;
    let vcores = all.len() as u16;
    ENTRY.store(entry as *mut (), Ordering::Relaxed);
    VCORES.store(all.leak().as_mut_ptr(), Ordering::Relaxed);
    // From here until FS leads to the thread nothing may use the heap, whose lock would look there.
    COUNT.store(vcores.into(), Ordering::Relaxed);
    (0..vcores).map(vcore).for_each(Vcore::settle);
    vcore(0).set_entry();
    vcore(0).take(first);
    vcore(0).page().u8(data::OCCUPIED).store(1, Ordering::Relaxed);
    // SAFETY: threads are never freed.
    unsafe { super::switch::set_here(first.local.address()) };
    let outcome = loop {
        // Refused for now when this process's time on core 0 is over meanwhile.
        let outcome = at_once(number::CHANGE_TO_MANY, [0, 0]);
        if outcome != i64::from(Outcome::AGAIN.0) {
            break outcome;
        }
    };
    if outcome < 0 {
        COUNT.store(0, Ordering::Relaxed);
    }
    outcome
}

/// The vcore that this runs on; unless it [stays](Here), it may run on another one at once.
pub(super) fn current() -> &'static Vcore {
    let vcore: *const Vcore =
        core::ptr::with_exposed_provenance(super::switch::vcore_address() as usize);
    // SAFETY: what FS leads to leads to a vcore, which are never freed.
    unsafe { &*vcore }
}

/// The number of the vcore that this runs on.
#[must_use]
pub fn current_vcore() -> u16 {
    if count() == 0 { 0 } else { current().number }
}

impl Vcore {
    fn new(number: u16) -> Self {
        let local = Local::new();
        local.stack.store(super::stacks::take() as u64, Ordering::Relaxed);
        Self {
            local,
            current: Link::new(),
            stealing: AtomicU32::new(0),
            number,
            owes_look: AtomicBool::new(false),
            scratch: AtomicPtr::new(Area::leak()),
            turns: AtomicU32::new(0),
            ready: Ring::new(),
            kept: Link::new(),
            keeps: AtomicU32::new(0),
            bell: Block::quiet(number::NOTIFY_SELF, [number.into(), LOOK.into(), 0, 0, 0]),
        }
    }

    /// Lets its own address be known.
    fn settle(&'static self) {
        let me = self.local.settle();
        let page = layout::DATA + u64::from(self.number) * 4096;
        self.local.page.store(page, Ordering::Relaxed);
        self.local.vcore.store(me, Ordering::Relaxed);
        self.local.has_xsave.store(u8::from(crate::info::xcr0() != 0), Ordering::Relaxed);
        self.use_scratch();
    }

    /// Tells the kernel how the vcore is entered.
    fn set_entry(&'static self) {
        let page = self.page();
        let entry = (super::switch::vcore_entry as *const ()).addr() as u64;
        page.u64(data::ENTRY).store(entry, Ordering::Relaxed);
        page.u64(data::STACK).store(self.local.stack.load(Ordering::Relaxed), Ordering::Relaxed);
        page.u64(data::TLS).store(self.local.address(), Ordering::Relaxed);
    }

    /// Its number.
    #[must_use]
    #[inline]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Its page.
    #[inline]
    pub(crate) fn page(&self) -> Page {
        Page::of_vcore(self.local.page.load(Ordering::Relaxed))
    }

    /// Takes the first of the threads that it has to run.
    #[inline]
    pub fn take_ready(&self) -> Option<Parked> {
        self.ready.pop()
    }

    /// Has it no thread to run but the one that runs? It may change at once.
    #[inline]
    #[must_use]
    pub fn is_without_ready(&self) -> bool {
        self.ready.is_empty()
    }

    /// Is there something to look for that has not been looked for?
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.owes_look() || self.page().u8(data::PENDING).load(Ordering::Relaxed) != 0
    }

    #[inline]
    pub(crate) fn owes_look(&self) -> bool {
        self.owes_look.load(Ordering::Relaxed)
    }

    /// Has the vcore look at its messages, and at the other vcores, when it next chooses.
    pub(crate) fn owe_look(&self) {
        self.owes_look.store(true, Ordering::Relaxed);
    }

    /// Posts an event to the vcore, so that it looks; nobody waits for the outcome.
    pub fn ring(&'static self) {
        // SAFETY: it names no memory, and the structure is never freed. That it may be under way already does no harm:
        // it says the same each time.
        unsafe { self.bell.enter() };
    }

    #[inline]
    fn use_scratch(&self) {
        self.use_area(&self.scratch);
    }

    /// Lets the entry save the extended state there.
    #[inline]
    fn use_area(&self, area: &AtomicPtr<Area>) {
        let area = area.load(Ordering::Relaxed).expose_provenance();
        self.local.area.store(area as u64, Ordering::Relaxed);
    }

    /// Makes a thread the one that runs here: what the entry saves is its state from now on.
    #[inline]
    fn take(&'static self, thread: &'static Thread) {
        let page = self.page();
        thread.local.vcore.store(self.local.address(), Ordering::Relaxed);
        self.use_area(&thread.area);
        self.local.saved.store(0, Ordering::Relaxed);
        // Whatever is found here later the kernel has saved.
        page.u64(data::THREAD + RIP * 8).store(0, Ordering::Relaxed);
        self.current.set(Some(thread));
    }

    /// The thread that has just given way here.
    #[inline]
    pub(super) fn retake_after_leave(&'static self) -> Parked {
        let thread = self.current.take().unwrap_or_else(|| self.retake_when_given_back());
        self.use_scratch();
        // SAFETY: it has given way, and was its vcore's.
        unsafe { Parked::again(thread) }
    }

    #[cold]
    #[inline(never)]
    fn retake_when_given_back(&'static self) -> &'static Thread {
        self.retake_current().expect("who gives way is taken by nobody else")
    }

    /// Makes a thread the one that runs here, in vcore context: gives the address of its `Local`, by which it is resumed if
    /// it gave way; if it was interrupted, resumes it.
    #[inline]
    pub(super) fn switch_to(&'static self, thread: Parked) -> u64 {
        let Parked(thread) = thread;
        self.take(thread);
        if thread.is_interrupted.load(Ordering::Relaxed) {
            resume_interrupted(thread);
        }
        thread.local.address()
    }
}

#[cold]
#[inline(never)]
fn resume_interrupted(thread: &'static Thread) -> ! {
    thread.is_interrupted.store(false, Ordering::Relaxed);
    // SAFETY: the thread is this vcore's alone, and so is the structure.
    let block = unsafe { &*thread.resume.get() };
    // SAFETY: areas are never freed.
    let area = unsafe { &*thread.area.load(Ordering::Relaxed) };
    loop {
        // SAFETY: its state and registers were saved when it was interrupted.
        unsafe { super::switch::resume_all(area, block) };
    }
}

/// The vcore has been entered, on its own stack: with the thread that was interrupted, if there is one.
pub(super) extern "C" fn vcore_main(number: u64) -> ! {
    let me = vcore(number as u16);
    if number == 0 && vcore(count() - 1).page().u8(data::READY).load(Ordering::Relaxed) == 0 {
        // The pages of the others are there only since the process is a many-core one. Before that no event may
        // interrupt this one either, which would be entered with a single-core process.
        for vcore in (0..count()).map(vcore) {
            vcore.set_entry();
            vcore.page().u8(data::READY).store(1, Ordering::Release);
        }
    }
    has_had_core(me.number);
    super::lost::check(me);
    let interrupted = me.retake_current();
    me.use_scratch();
    me.page().u8(data::OCCUPIED).store(0, Ordering::Relaxed);
    let interrupted = interrupted.and_then(|thread| {
        if thread.keep_registers(me.page()) {
            // SAFETY: it was interrupted, and was its vcore's.
            Some(unsafe { Parked::again(thread) })
        } else {
            super::lost::thread(thread)
        }
    });
    let thread = match interrupted {
        Some(thread) if thread.0.stays() => {
            super::fault::refuse(me);
            // It goes on at once, and looks when it lets itself be interrupted again.
            me.owe_look();
            me.page().u8(data::PENDING).store(0, Ordering::Relaxed);
            thread
        }
        interrupted => {
            let entry = ENTRY.load(Ordering::Relaxed);
            // SAFETY: it was stored before there were vcores, as this type.
            let entry = unsafe { core::mem::transmute::<*mut (), Entry>(entry) };
            // SAFETY: this is vcore context.
            entry(unsafe { Here::of(me) }, interrupted)
        }
    };
    me.page().u8(data::OCCUPIED).store(1, Ordering::Relaxed);
    let local = me.switch_to(thread);
    // SAFETY: the thread gave way, or has never run, and is this vcore's alone.
    unsafe { super::switch::resume(local) }
}

/// Has this vcore entered at once, from outside vcore context; returns when the thread is resumed.
#[cold]
#[inline(never)]
pub(super) fn enter() {
    at_once(number::ENTER, [0, 0]);
}

/// In vcore context or with notifications off, while it waits for another vcore: sees to it that those run which were
/// stopped so, by giving them this core. This vcore goes on here when somebody has made it run.
#[cold]
#[inline(never)]
pub fn relax() {
    if count() == 0 {
        return;
    }
    let me = current().number;
    for other in all().filter(|it| it.number != me) {
        if other.is_preempted() && other.must_run() {
            change_vcore(other, true);
        }
    }
    core::hint::spin_loop();
}

pub(super) fn change_vcore(to: &Vcore, keep: bool) {
    let flags = if keep { proto::call::KEEP } else { 0 };
    at_once(number::CHANGE_VCORE, [to.number.into(), flags.into()]);
}

/// Makes a call that the kernel answers at once and that names no memory; gives its outcome.
pub(super) fn at_once(number: u32, arguments: [u64; 2]) -> i64 {
    let [first, second] = arguments;
    let block = Block::new(number, [first, second, 0, 0, 0]);
    // SAFETY: it names no memory, and what this vcore keeps on its stack is left alone or not needed.
    unsafe { block.enter() }
}
