//! The registers of a program as they are saved: [`WORDS`] words of 64 bits in this order.

/// Words of a context.
pub const WORDS: usize = 24;
/// Bytes of a context.
pub const BYTES: usize = WORDS * 8;

/// The names of the words, in their order. `vector` and `error` tell of the last fault (Intel SDM vol. 3, 6.15); of
/// `cs`, `ss` and `rflags` a program has only what is its own.
pub const NAMES: [&str; WORDS] = [
    "r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "rbp", "rdi", "rsi", "rdx", "rcx", "rbx",
    "rax", "vector", "error", "rip", "cs", "rflags", "rsp", "ss", "fs_base", "gs_base",
];
