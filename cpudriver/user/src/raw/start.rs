//! The entry of a program.

use super::call::Block;
use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use proto::program::number;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static POINTERS: AtomicPtr<*const c_char> = AtomicPtr::new(core::ptr::null_mut());

/// Where the kernel starts the program: the stack pointer is at the number of arguments, behind which are
/// the pointers to them.
#[cfg(atoll)]
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    // The frame pointer of 0 ends a backtrace; the call leaves the stack as functions expect it.
    core::arch::naked_asm!("xor ebp, ebp", "mov rdi, rsp", "call {begin}", "ud2", begin = sym begin)
}

#[cfg(atoll)]
unsafe extern "C" {
    /// What the macro [`main!`](crate::main) makes.
    safe fn main() -> i32;
}

/// # Safety
///
/// `stack` is what the kernel started the program with.
#[cfg(atoll)]
unsafe extern "C" fn begin(stack: *mut usize) -> ! {
    // SAFETY: the number of arguments is there.
    COUNT.store(unsafe { stack.read() }, Ordering::Relaxed);
    // SAFETY: the pointers, and a 0 behind them, are the next words of the stack.
    POINTERS.store(unsafe { stack.add(1) }.cast(), Ordering::Relaxed);
    exit(main())
}

/// Ends this process.
pub fn exit(code: i32) -> ! {
    let block = Block::new(number::EXIT, [i64::from(code).cast_unsigned(), 0, 0, 0, 0]);
    loop {
        // SAFETY: it names no memory, and what this takes away is not needed any more. It is not waited for as other
        // calls are, so that a program which waits for nothing contains nothing of that.
        unsafe { block.enter() };
    }
}

/// The program's arguments: the first is its name.
///
/// # Panics
///
/// When one is not UTF-8.
pub fn args() -> impl ExactSizeIterator<Item = &'static str> + DoubleEndedIterator {
    let (count, pointers) = (COUNT.load(Ordering::Relaxed), POINTERS.load(Ordering::Relaxed));
    (0..count).map(move |at| {
        // SAFETY: there are so many pointers.
        let pointer = unsafe { pointers.add(at) };
        // SAFETY: nobody changes them.
        let start = unsafe { pointer.read() };
        // SAFETY: each is the start of a text that ends with a zero byte and stays as it is: it belongs to the
        // stack above the first frame.
        let text = unsafe { CStr::from_ptr(start) };
        text.to_str().expect("arguments are UTF-8")
    })
}

/// A `main` for the linker. Programs call it by this name through [`start`](crate::start).
#[macro_export]
macro_rules! main {
    ($function:path) => {
        const _: () = {
            #[unsafe(export_name = "main")]
            extern "C" fn begin() -> i32 {
                $crate::start($function)
            }
        };
    };
}
