//! Computes with floating point in every kind of register, and checks that nobody disturbs it: run two of them.
//!
//! Each round fills the registers of x87 and SSE, and of AVX where the kernel keeps them, and the control words of both
//! units with a pattern of its own, lets time pass in which the core may go to others, and looks at what is there
//! then. In between, a sum is computed whose bits the compiler has computed too.
//!
//!     run float 1000 1 &
//!     run float 1000 2
#![no_std]
#![no_main]

use core::arch::asm;
use core::hint::black_box;
use core::time::Duration;
use programs::{Random, Words};
use user::time::Moment;
use user::{info, println, process};

user::main!(main);

/// Turns of an empty loop while the registers are full.
const TURNS: u64 = 20_000;
/// The bit of AVX in the kernel's word of what it keeps.
const AVX: u64 = 1 << 2;

fn main() -> i32 {
    let mut words = Words::new("[MILLISECONDS [SEED]]");
    let (span, seed) = (Duration::from_millis(words.number(100)), words.number(1));
    words.end();
    let has_avx = info::xcr0() & AVX != 0;
    let (start, mut random) = (Moment::now(), Random(seed));
    let (mut rounds, mut wrong) = (0_u64, 0_u64);
    while start.elapsed() < span {
        rounds += 1;
        wrong += u64::from(!sse(&mut random)) + u64::from(!x87(&mut random));
        wrong += u64::from(has_avx && !avx(&mut random));
        wrong += u64::from(sum(black_box(TERMS)).to_bits() != SUM.to_bits());
        process::yield_now();
    }
    println!("float {seed}: {rounds} rounds, {wrong} wrong, AVX: {has_avx}");
    i32::from(wrong != 0)
}

const TERMS: u32 = 500;
/// What the compiler makes of it.
const SUM: f64 = sum(TERMS);

/// The beginning of a series for a quarter of pi.
const fn sum(terms: u32) -> f64 {
    let (mut sum, mut term) = (0.0, 0);
    while term < terms {
        let sign = if term.is_multiple_of(2) { 1.0 } else { -1.0 };
        sum += sign / (2 * term + 1) as f64;
        term += 1;
    }
    sum
}

fn pattern<const WORDS: usize>(random: &mut Random) -> [u64; WORDS] {
    core::array::from_fn(|_| random.number())
}

/// The 16 registers of SSE, and how it rounds.
fn sse(random: &mut Random) -> bool {
    let (before, mut after) = (pattern::<32>(random), [0; 32]);
    // Masked exceptions, and one of the four ways to round.
    let (control, mut control_after) = (0x1f80 | (random.below(4) as u32) << 13, 0_u32);
    // SAFETY: it reads and writes these arrays of 512 bytes and words, and leaves the control word as it was.
    unsafe {
        asm!(
            "sub rsp, 16",
            "stmxcsr [rsp]",
            "ldmxcsr [{control}]",
            "movups xmm0, [{before}]", "movups xmm1, [{before} + 16]",
            "movups xmm2, [{before} + 32]", "movups xmm3, [{before} + 48]",
            "movups xmm4, [{before} + 64]", "movups xmm5, [{before} + 80]",
            "movups xmm6, [{before} + 96]", "movups xmm7, [{before} + 112]",
            "movups xmm8, [{before} + 128]", "movups xmm9, [{before} + 144]",
            "movups xmm10, [{before} + 160]", "movups xmm11, [{before} + 176]",
            "movups xmm12, [{before} + 192]", "movups xmm13, [{before} + 208]",
            "movups xmm14, [{before} + 224]", "movups xmm15, [{before} + 240]",
            "2:", "dec {turns}", "jnz 2b",
            "movups [{after}], xmm0", "movups [{after} + 16], xmm1",
            "movups [{after} + 32], xmm2", "movups [{after} + 48], xmm3",
            "movups [{after} + 64], xmm4", "movups [{after} + 80], xmm5",
            "movups [{after} + 96], xmm6", "movups [{after} + 112], xmm7",
            "movups [{after} + 128], xmm8", "movups [{after} + 144], xmm9",
            "movups [{after} + 160], xmm10", "movups [{after} + 176], xmm11",
            "movups [{after} + 192], xmm12", "movups [{after} + 208], xmm13",
            "movups [{after} + 224], xmm14", "movups [{after} + 240], xmm15",
            "stmxcsr [{control_after}]",
            "ldmxcsr [rsp]",
            "add rsp, 16",
            before = in(reg) &before, after = in(reg) &mut after,
            control = in(reg) &control, control_after = in(reg) &mut control_after,
            turns = inout(reg) TURNS => _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
        );
    }
    before == after && control == control_after
}

/// The 16 registers of AVX, the upper halves of which are kept apart from those of SSE.
fn avx(random: &mut Random) -> bool {
    let (before, mut after) = (pattern::<64>(random), [0; 64]);
    // SAFETY: it reads and writes these arrays of 512 bytes; the kernel keeps AVX, see the caller.
    unsafe {
        asm!(
            "vmovups ymm0, [{before}]", "vmovups ymm1, [{before} + 32]",
            "vmovups ymm2, [{before} + 64]", "vmovups ymm3, [{before} + 96]",
            "vmovups ymm4, [{before} + 128]", "vmovups ymm5, [{before} + 160]",
            "vmovups ymm6, [{before} + 192]", "vmovups ymm7, [{before} + 224]",
            "vmovups ymm8, [{before} + 256]", "vmovups ymm9, [{before} + 288]",
            "vmovups ymm10, [{before} + 320]", "vmovups ymm11, [{before} + 352]",
            "vmovups ymm12, [{before} + 384]", "vmovups ymm13, [{before} + 416]",
            "vmovups ymm14, [{before} + 448]", "vmovups ymm15, [{before} + 480]",
            "2:", "dec {turns}", "jnz 2b",
            "vmovups [{after}], ymm0", "vmovups [{after} + 32], ymm1",
            "vmovups [{after} + 64], ymm2", "vmovups [{after} + 96], ymm3",
            "vmovups [{after} + 128], ymm4", "vmovups [{after} + 160], ymm5",
            "vmovups [{after} + 192], ymm6", "vmovups [{after} + 224], ymm7",
            "vmovups [{after} + 256], ymm8", "vmovups [{after} + 288], ymm9",
            "vmovups [{after} + 320], ymm10", "vmovups [{after} + 352], ymm11",
            "vmovups [{after} + 384], ymm12", "vmovups [{after} + 416], ymm13",
            "vmovups [{after} + 448], ymm14", "vmovups [{after} + 480], ymm15",
            "vzeroupper",
            before = in(reg) &before, after = in(reg) &mut after,
            turns = inout(reg) TURNS => _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack),
        );
    }
    before == after
}

/// The stack of x87, full, and how it rounds.
fn x87(random: &mut Random) -> bool {
    // Whole numbers of 63 bits: x87 keeps them exactly, and `fistp` gives them back.
    let (before, mut after) = (pattern::<8>(random).map(|word| word >> 1), [0_u64; 8]);
    // Masked exceptions, all digits, and one of the four ways to round.
    let (control, mut control_after) = (0x37f | (random.below(4) as u16) << 10, 0_u16);
    // SAFETY: it reads and writes these arrays of 64 bytes and words; `fninit` leaves the unit as it was.
    unsafe {
        asm!(
            "fninit",
            "fldcw [{control}]",
            "fild qword ptr [{before}]", "fild qword ptr [{before} + 8]",
            "fild qword ptr [{before} + 16]", "fild qword ptr [{before} + 24]",
            "fild qword ptr [{before} + 32]", "fild qword ptr [{before} + 40]",
            "fild qword ptr [{before} + 48]", "fild qword ptr [{before} + 56]",
            "2:", "dec {turns}", "jnz 2b",
            "fistp qword ptr [{after} + 56]", "fistp qword ptr [{after} + 48]",
            "fistp qword ptr [{after} + 40]", "fistp qword ptr [{after} + 32]",
            "fistp qword ptr [{after} + 24]", "fistp qword ptr [{after} + 16]",
            "fistp qword ptr [{after} + 8]", "fistp qword ptr [{after}]",
            "fnstcw [{control_after}]",
            "fninit",
            before = in(reg) &before, after = in(reg) &mut after,
            control = in(reg) &control, control_after = in(reg) &mut control_after,
            turns = inout(reg) TURNS => _,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack),
        );
    }
    before == after && control == control_after
}
