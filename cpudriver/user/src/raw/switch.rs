//! Between threads and vcore context: the entry of a vcore, and the two switches.
//!
//! The base of FS leads to a [`Local`]: that of the thread that runs, or of the vcore while it is in vcore context.
//! A thread that gives way saves on its own stack what functions must keep, and all else is dead. A thread
//! that was interrupted has all of its registers: the kernel has saved them in the vcore's page, and the
//! entry below saves its extended state before any other instruction can use it.
//!
//! Whoever leaves vcore context does so on the thread's own stack with its registers in place, so that it can be
//! interrupted at any instruction from then on.

use super::call::Block;
use super::vcore::Vcore;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use proto::program::data::{EXTENDED_BYTES, IN_VCORE_CONTEXT, PENDING};
use proto::program::number;

/// Room for the state of x87, SSE and AVX, as XSAVE lays it out.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Area(pub(crate) [AtomicU64; EXTENDED_BYTES / 8]);

impl Area {
    /// The state after a reset: all exceptions masked.
    #[must_use]
    pub(crate) const fn new() -> Self {
        let mut words = [const { AtomicU64::new(0) }; EXTENDED_BYTES / 8];
        words[0] = AtomicU64::new(0x037f);
        words[3] = AtomicU64::new(0x1f80);
        Self(words)
    }

    /// One that is never freed.
    pub(crate) fn leak() -> *mut Self {
        alloc::boxed::Box::leak(alloc::boxed::Box::new(Self::new()))
    }
}

/// What the base of FS leads to, for a thread and for a vcore. Atomic, because another vcore may look.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Local {
    /// Its own address.
    me: AtomicU64,
    /// The vcore that it is or belongs to: the address of that one's `Local`.
    pub(crate) vcore: AtomicU64,
    /// Of a vcore: its page.
    pub(crate) page: AtomicU64,
    /// Of a vcore: the end of its stack.
    pub(crate) stack: AtomicU64,
    /// Of a vcore: where its entry saves the extended state.
    pub(crate) area: AtomicU64,
    /// Of a vcore: its entry has done so.
    pub(crate) saved: AtomicU64,
    /// Of a thread that gave way: its stack pointer.
    pub(crate) rsp: AtomicU64,
    /// Of a thread: it must go on where it was interrupted, on the same vcore.
    pub(crate) stays: AtomicU64,
    /// Of a vcore: its entry saves by XSAVE.
    pub(crate) has_xsave: AtomicU8,
}

impl Local {
    /// One that leads nowhere yet.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            me: AtomicU64::new(0),
            vcore: AtomicU64::new(0),
            page: AtomicU64::new(0),
            stack: AtomicU64::new(0),
            area: AtomicU64::new(0),
            saved: AtomicU64::new(0),
            rsp: AtomicU64::new(0),
            stays: AtomicU64::new(0),
            has_xsave: AtomicU8::new(0),
        }
    }

    /// Its address, which it learns here.
    pub(crate) fn settle(&'static self) -> u64 {
        let address = self.address();
        self.me.store(address, Ordering::Relaxed);
        address
    }

    /// Its address.
    #[inline]
    pub(crate) fn address(&'static self) -> u64 {
        core::ptr::from_ref(self).expose_provenance() as u64
    }
}

/// The call that enters vcore context, for whoever leaves it and finds something pending.
static ENTER: Block = Block::new(number::ENTER, [0; 5]);

/// Address of what FS leads to.
#[must_use]
#[inline]
pub(super) fn here() -> u64 {
    let here;
    // SAFETY: in a process with threads FS leads to a `Local`, whose first word is its address.
    unsafe {
        core::arch::asm!("mov {}, fs:[0]", out(reg) here, options(nostack, readonly, preserves_flags));
    };
    here
}

/// Address of the `Local` of the vcore that what FS leads to is, or belongs to.
#[must_use]
#[inline]
pub(super) fn vcore_address() -> u64 {
    let vcore;
    // SAFETY: in a process with threads FS leads to a `Local`.
    unsafe {
        core::arch::asm!("mov {}, fs:[{at}]", out(reg) vcore, at = const offset_of!(Local, vcore),
            options(nostack, readonly, preserves_flags));
    };
    vcore
}

/// Says whether this thread must go on here if it is interrupted.
#[inline]
pub(super) fn set_stays(stays: i32) {
    // SAFETY: as above; nobody else writes the word.
    unsafe {
        core::arch::asm!("mov qword ptr fs:[{at}], {stays:r}", at = const offset_of!(Local, stays),
            stays = in(reg) i64::from(stays), options(nostack, preserves_flags));
    };
}

/// Makes FS lead to this.
///
/// # Safety
///
/// It must stay where it is while FS leads to it.
pub(super) unsafe fn set_here(local: u64) {
    // SAFETY: the caller vouches; the CPU has the instruction (`threads::start` looks).
    unsafe { core::arch::asm!("wrfsbase {}", in(reg) local, options(nostack, preserves_flags)) };
}

/// Where the kernel enters a vcore: its number is in RDI.
#[unsafe(naked)]
pub(super) extern "C" fn vcore_entry() -> ! {
    core::arch::naked_asm!(
        "mov rcx, fs:[{area}]",
        "cmp byte ptr fs:[{has_xsave}], 0",
        "je 2f",
        "mov eax, -1",
        "mov edx, -1",
        "xsave64 [rcx]",
        "jmp 3f",
        "2: fxsave64 [rcx]",
        "3: mov qword ptr fs:[{saved}], 1",
        "xor ebp, ebp",
        "call {main}",
        "ud2",
        area = const offset_of!(Local, area),
        has_xsave = const offset_of!(Local, has_xsave),
        saved = const offset_of!(Local, saved),
        main = sym super::vcore::vcore_main,
    )
}

/// Loads what [`leave`] has saved of the thread whose `Local` RAX leads to, and leaves vcore context, of the vcore whose
/// page R12 leads to. It can be interrupted as soon as it has: it is on the thread's stack.
macro_rules! resume {
    () => {
        "wrfsbase rax
        mov rsp, [rax + {rsp}]
        mov byte ptr [r12 + {in_vcore_context}], 0
        mfence
        cmp byte ptr [r12 + {pending}], 0
        jne 3f
        2: ldmxcsr [rsp]
        fldcw [rsp + 4]
        add rsp, 8
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbx
        pop rbp
        ret
        3: lea rdi, [rip + {enter}]
        syscall
        jmp 2b"
    };
}

/// Chooses who goes on: is given the argument of [`leave`] and, third, the vcore; gives the address of the `Local` of a
/// thread that gave way, or has never run.
pub(super) type Choose = extern "C" fn(usize, usize, &'static Vcore) -> u64;

/// Saves the thread that runs, goes to vcore context and has `choose` say who goes on. Returns when the thread is resumed.
///
/// # Safety
///
/// 1. FS leads to the thread's `Local`, and the thread is not in vcore context.
/// 2. `choose` must see to it that the thread is resumed or never needed again, and not unwind.
/// 3. Whom it chooses belongs to this vcore now, and nobody else resumes it.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn leave(argument: usize, choose: Choose) {
    core::arch::naked_asm!(
        // From reading which vcore this is to telling it so the thread must not be moved.
        "mov qword ptr fs:[{stays}], 1",
        "mov rdx, fs:[{vcore}]",
        "mov rax, [rdx + {page}]",
        "mov byte ptr [rax + {in_vcore_context}], 1",
        "mov qword ptr fs:[{stays}], 0",
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov r12, rax",
        "sub rsp, 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        "mov fs:[{rsp}], rsp",
        "wrfsbase rdx",
        "mov rsp, [rdx + {stack}]",
        "xor ebp, ebp",
        "call rsi",
        resume!(),
        stays = const offset_of!(Local, stays),
        vcore = const offset_of!(Local, vcore),
        page = const offset_of!(Local, page),
        in_vcore_context = const IN_VCORE_CONTEXT,
        rsp = const offset_of!(Local, rsp),
        stack = const offset_of!(Local, stack),
        pending = const PENDING,
        enter = sym ENTER,
    )
}

/// Resumes a thread that gave way, by the address of its `Local`: leaves vcore context.
///
/// # Safety
///
/// As number 3 of [`leave`].
#[unsafe(naked)]
pub(super) unsafe extern "C" fn resume(local: u64) -> ! {
    core::arch::naked_asm!(
        "mov rax, rdi",
        "mov rdx, [rdi + {vcore}]",
        "mov r12, [rdx + {page}]",
        resume!(),
        rsp = const offset_of!(Local, rsp),
        vcore = const offset_of!(Local, vcore),
        page = const offset_of!(Local, page),
        in_vcore_context = const IN_VCORE_CONTEXT,
        pending = const PENDING,
        enter = sym ENTER,
    )
}

/// Resumes a thread that was interrupted: loads its extended state and has the kernel load the rest. Returns only
/// when the kernel refuses.
///
/// # Safety
///
/// `area` holds a state that was saved, and `block` asks to resume registers of a thread that nobody else resumes.
pub(super) unsafe fn resume_all(area: &Area, block: &Block) {
    let place = core::ptr::from_ref(area);
    if crate::info::xcr0() != 0 {
        // SAFETY: the caller vouches for what it holds; nothing of vcore context is kept in these registers.
        unsafe {
            core::arch::asm!("xrstor64 [{}]", in(reg) place, in("eax") -1, in("edx") -1, options(nostack, readonly));
        }
    } else {
        // SAFETY: as above.
        unsafe { core::arch::asm!("fxrstor64 [{}]", in(reg) place, options(nostack, readonly)) };
    }
    // SAFETY: the caller vouches.
    unsafe { block.enter() };
}

/// Lays the frame out that [`resume`] takes for a thread that has never run, at the end of its stack: it begins with
/// `begin(argument)`. Gives the stack pointer.
///
/// # Safety
///
/// `end` is the end of at least 256 bytes that nobody else uses, at a multiple of 16.
pub(super) unsafe fn first_frame(
    end: *mut u64,
    begin: extern "C" fn(usize) -> !,
    argument: usize,
) -> u64 {
    // From the stack pointer up: the control words, R15 to R12, RBX, RBP, the address to return to.
    let start = (trampoline as *const ()).addr() as u64;
    let words: [u64; 8] =
        [0x037f_0000_1f80, 0, 0, 0, argument as u64, (begin as *const ()).addr() as u64, 0, start];
    let [control, r15, r14, r13, r12, rbx, rbp, start] = words;
    // The function that RET leads to finds the stack as after a call.
    // SAFETY: the caller vouches for the memory.
    let bottom = unsafe { end.sub(10) };
    for (at, word) in [control, r15, r14, r13, r12, rbx, rbp, start].into_iter().enumerate() {
        // SAFETY: as above.
        let place = unsafe { bottom.add(at) };
        // SAFETY: as above.
        unsafe { place.write(word) };
    }
    bottom.addr() as u64
}

/// The first instructions of a thread: R12 is its argument, RBX the function.
#[unsafe(naked)]
extern "C" fn trampoline() -> ! {
    core::arch::naked_asm!("mov rdi, r12", "xor ebp, ebp", "call rbx", "ud2")
}
