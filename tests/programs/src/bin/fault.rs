//! Does something that no program may do, and is ended for it; `fault` alone says what there is, `fault all` lets a
//! child do each and prints what became of it.
//!
//!     run fault divide
//!     run fault all
//!     run fault divide many     (on one of many vcores, all of which run)
#![no_std]
#![no_main]

use core::arch::asm;
use core::hint::{black_box, spin_loop};
use programs::Words;
use user::process::{self, Command};
use user::proto::program::layout;
use user::{Error, info, print, println, threads};

user::main!(main);

/// Executes instructions that no program may execute.
macro_rules! trap {
    ($($instructions:tt)*) => {
        // SAFETY: none, on purpose: the kernel ends this process.
        unsafe { asm!($($instructions)*) }
    };
}

/// A fault and its name.
type Kind = (&'static str, fn());

/// All faults. None of them returns.
const KINDS: &[Kind] = &[
    ("read-null", || read(0)),
    ("write-null", || write(0)),
    ("jump-null", || jump(0)),
    ("read-unmapped", || read(layout::PROGRAM_START)),
    ("write-code", || write(main as *const () as u64)),
    ("write-constant", || write("text".as_ptr() as u64)),
    ("execute-data", || jump(&raw const RETURN as u64)),
    ("execute-stack", || jump(black_box(&mut [0xc3_u8; 16]).as_ptr() as u64)),
    ("stack-overflow", || endless(1)),
    ("divide", divide),
    ("divide-overflow", divide_overflow),
    ("invalid", || trap!("ud2")),
    ("breakpoint", || trap!("int3")),
    ("single-step", || trap!("pushfq", "or qword ptr [rsp], 0x100", "popfq", "nop")),
    ("interrupt", || trap!("int 0x80")),
    ("double-fault", || trap!("int 8")),
    ("kernel-interrupt", || trap!("int 0x20")),
    ("halt", || trap!("hlt")),
    ("interrupts-off", || trap!("cli")),
    ("port", || trap!("mov al, 0", "out 0x80, al", out("al") _)),
    ("control-register", || trap!("mov {0}, cr3", out(reg) _)),
    ("model-register", || trap!("rdmsr", in("ecx") 0xc000_0080_u32, out("eax") _, out("edx") _)),
    ("descriptor-table", || trap!("lgdt [{0}]", in(reg) &[0_u64; 2])),
    ("segment", || trap!("mov ds, {0:x}", in(reg) 0x8_u32)),
    ("swap-gs", || trap!("swapgs")),
    ("system-return", || trap!("sysretq")),
    ("read-kernel", || read(0xffff_ffff_8010_0000)),
    ("write-kernel", || write(0xffff_8000_0000_0000)),
    ("jump-kernel", || jump(0xffff_ffff_8010_0000)),
    ("read-non-canonical", || read(1 << 62)),
    ("write-info", || write(layout::INFO)),
    ("write-global", || write(layout::GLOBAL)),
    ("call-nowhere", || call(layout::PROGRAM_START)),
];

/// An instruction that returns, where none may be executed.
static mut RETURN: u8 = 0xc3;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("KIND [many] | all");
    let Some(kind) = words.next() else { return Ok(list()) };
    match words.next() {
        None => {}
        Some("many") => run_all_vcores()?,
        Some(_) => words.refuse(),
    }
    words.end();
    if kind == "all" {
        return try_all();
    }
    let Some((name, fault)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Ok(list());
    };
    fault();
    println!("fault {name}: survived");
    Ok(1)
}

/// Gets all cores that there are, and keeps them busy.
fn run_all_vcores() -> Result<(), Error> {
    let vcores = threads::start(info::max_vcores())?;
    for _ in 1..vcores {
        let _ = threads::spawn(|| {
            loop {
                spin_loop();
            }
        });
    }
    while info::vcores() < vcores {
        threads::yield_now();
    }
    Ok(())
}

fn list() -> i32 {
    print!("kinds of faults:");
    KINDS.iter().for_each(|(name, _)| print!(" {name}"));
    println!();
    programs::WRONG_USE
}

/// The exit code of a process that a fault ended.
const FAULTED: i32 = 1337;

fn try_all() -> Result<i32, Error> {
    let mut survived = 0;
    for (name, _) in KINDS {
        let child = Command::new("fault").arg(name).spawn()?;
        let code = process::wait(child)?;
        println!("fault {name}: exit code {code}");
        survived += i32::from(code != FAULTED);
    }
    println!("fault: {} kinds, {survived} not ended for it", KINDS.len());
    Ok(survived)
}

fn read(address: u64) {
    // SAFETY: none, on purpose: the kernel ends this process.
    black_box(unsafe { (black_box(address) as *const u8).read_volatile() });
}

fn write(address: u64) {
    // SAFETY: none, on purpose: the kernel ends this process.
    unsafe { (black_box(address) as *mut u8).write_volatile(1) }
}

fn jump(address: u64) {
    // SAFETY: none, on purpose: the kernel ends this process.
    unsafe { asm!("call {0}", in(reg) black_box(address), clobber_abi("C")) }
}

#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn endless(depth: u64) {
    let frame = black_box([depth; 32]);
    endless(frame[7] + 1);
    black_box(frame);
}

fn divide() {
    trap!("div {0:e}", in(reg) 0_u32, inout("eax") 1_u32 => _, inout("edx") 0_u32 => _);
}

/// The quotient does not fit.
fn divide_overflow() {
    trap!("idiv {0:e}", in(reg) -1_i32, inout("eax") i32::MIN => _, inout("edx") -1_i32 => _);
}

/// A call whose structure lies where nothing is.
fn call(at: u64) {
    trap!("syscall", in("rdi") at, out("rax") _, out("rcx") _, out("r11") _);
}
