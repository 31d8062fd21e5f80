//! Vcores in memory: how they are made and entered, and what they run.
//!
//! A thread that runs is its vcore's `current`; see [`super::steal`] for who takes it from there.

use super::call::Block;
use super::page::{self, Page};
use super::switch::{Area, Local, local};
use super::thread::Thread;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use proto::program::{data, layout, number};

/// A vcore of this process.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Vcore {
    pub(super) local: Local,
    number: u16,
    pub(super) current: AtomicPtr<Thread>,
    /// Who takes the current thread away, plus 1.
    pub(super) stealing: AtomicU32,
    /// Other vcores were preempted, and this one has not seen to them.
    pub(crate) owes_recovery: AtomicBool,
    /// Where it keeps an extended state that nobody needs. Changes hands with that of a thread that is taken away:
    /// this vcore may be about to write to the thread's old one.
    pub(super) scratch: AtomicPtr<Area>,
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

    pub(super) fn use_scratch(&'static self) {
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
