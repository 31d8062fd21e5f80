//! What the compiler expects to be there: copying, filling and comparing memory, and the length of a text.
//!
//! Bulk goes by `rep movsq` and `rep stosq`: one instruction for each 8 bytes. `rep movsb` would be shorter and, on
//! current processors, as fast, but QEMU's TCG does it byte by byte. The tails are copied bytewise.

use core::arch::naked_asm;

/// Copies `rdx` bytes from `rsi` to `rdi`, upwards.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcpy(_to: *mut u8, _from: *const u8, _bytes: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "mov rcx, rdx",
        "shr rcx, 3",
        "rep movsq",
        "mov ecx, edx",
        "and ecx, 7",
        "rep movsb",
        "ret",
    )
}

/// The same where both may overlap: downwards if the target lies behind the source and within it.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memmove(_to: *mut u8, _from: *const u8, _bytes: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "sub rax, rsi",
        "cmp rax, rdx",
        "jae {upwards}",
        "mov rax, rdi",
        "lea rdi, [rdi + rdx - 1]",
        "lea rsi, [rsi + rdx - 1]",
        "mov ecx, edx",
        "and ecx, 7",
        "std",
        "rep movsb",
        "mov rcx, rdx",
        "shr rcx, 3",
        "sub rdi, 7",
        "sub rsi, 7",
        "rep movsq",
        "cld",
        "ret",
        upwards = sym memcpy,
    )
}

/// Fills `rdx` bytes at `rdi` with the byte `sil`.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memset(_to: *mut u8, _byte: i32, _bytes: usize) -> *mut u8 {
    naked_asm!(
        "mov r8, rdi",
        "movzx eax, sil",
        "mov rcx, 0x0101010101010101",
        "imul rax, rcx",
        "mov rcx, rdx",
        "shr rcx, 3",
        "rep stosq",
        "mov ecx, edx",
        "and ecx, 7",
        "rep stosb",
        "mov rax, r8",
        "ret",
    )
}

/// Compares `rdx` bytes: the difference of the first two that differ, or 0.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn memcmp(_a: *const u8, _b: *const u8, _bytes: usize) -> i32 {
    naked_asm!(
        "lea rcx, [rdi + rdx]",
        // Words, as long as there are whole ones and they are equal.
        "2:",
        "lea r8, [rdi + 8]",
        "cmp r8, rcx",
        "ja 3f",
        "mov rax, [rdi]",
        "cmp rax, [rsi]",
        "jne 3f",
        "mov rdi, r8",
        "add rsi, 8",
        "jmp 2b",
        // Bytes: the rest, or the word that differs.
        "3:",
        "xor eax, eax",
        "4:",
        "cmp rdi, rcx",
        "jae 5f",
        "movzx eax, byte ptr [rdi]",
        "movzx edx, byte ptr [rsi]",
        "inc rdi",
        "inc rsi",
        "sub eax, edx",
        "je 4b",
        "5:",
        "ret",
    )
}

/// Like `memcmp`, of which only 0 or not counts.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn bcmp(_a: *const u8, _b: *const u8, _bytes: usize) -> i32 {
    naked_asm!("jmp {compare}", compare = sym memcmp)
}

/// Bytes before the first that is 0.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn strlen(_text: *const u8) -> usize {
    naked_asm!("mov rax, -1", "2:", "inc rax", "cmp byte ptr [rdi + rax], 0", "jne 2b", "ret",)
}

/// Named by the precompiled libraries, which could unwind; a panic ends the process here, so nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// See `rust_eh_personality`.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    crate::exit(proto::exit::PANIC.into())
}
