//! The registers of a program.
//!
//! [`Registers`] lie in memory as the CPU and the kernel's entry code push them. Whatever they hold,
//! [`Registers::sanitise`] makes them safe to return to user mode with: the selectors are the program's,
//! the addresses are user addresses (one that isn't becomes 0, so that the program faults and not the
//! kernel), and of the flags a program has only those that are its own.

use proto::call::Outcome;
use proto::program::context::WORDS;
use proto::program::layout;

/// The selector of the stack segment of programs.
pub const USER_DATA: u16 = 0x18 | 3;
/// The selector of the code segment of programs.
pub const USER_CODE: u16 = 0x20 | 3;

/// Carry, parity, adjust, zero, sign, trap, direction, overflow, alignment check, ID: what a program may
/// set in its flags (Intel SDM vol. 1, 3.4.3).
const OWN_FLAGS: u64 = 0x24_0dd5;
/// Interrupts on, and the bit that is always set.
const FORCED_FLAGS: u64 = 0x202;

/// The registers, lowest address first.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the registers")]
pub struct Registers {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Why the program entered the kernel last.
    pub vector: u64,
    /// The error code of the exception.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

const _: () = assert!(size_of::<Registers>() == 22 * 8);
const _: () = assert!(size_of::<Registers>() + 2 * 8 == proto::program::context::BYTES);

/// All registers of a program but its extended state, as they are saved
/// ([`proto::program::context`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Those that the entry code saves.
    pub registers: Registers,
    /// The base of FS.
    pub fs_base: u64,
    /// The base of GS.
    pub gs_base: u64,
}

impl Context {
    /// As words, in the order of [`proto::program::context::NAMES`].
    #[must_use]
    pub fn to_words(&self) -> [u64; WORDS] {
        let r = &self.registers;
        [
            r.r15,
            r.r14,
            r.r13,
            r.r12,
            r.r11,
            r.r10,
            r.r9,
            r.r8,
            r.rbp,
            r.rdi,
            r.rsi,
            r.rdx,
            r.rcx,
            r.rbx,
            r.rax,
            r.vector,
            r.error,
            r.rip,
            r.cs,
            r.rflags,
            r.rsp,
            r.ss,
            self.fs_base,
            self.gs_base,
        ]
    }

    /// From such words, whoever has written them, and safe to go to user mode with.
    #[must_use]
    pub fn from_words(words: &[u64; WORDS]) -> Self {
        let [
            r15,
            r14,
            r13,
            r12,
            r11,
            r10,
            r9,
            r8,
            rbp,
            rdi,
            rsi,
            rdx,
            rcx,
            rbx,
            rax,
            vector,
            error,
            rip,
            cs,
            rflags,
            rsp,
            ss,
            fs_base,
            gs_base,
        ] = *words;
        let registers = Registers {
            r15,
            r14,
            r13,
            r12,
            r11,
            r10,
            r9,
            r8,
            rbp,
            rdi,
            rsi,
            rdx,
            rcx,
            rbx,
            rax,
            vector,
            error,
            rip,
            cs,
            rflags,
            rsp,
            ss,
        };
        Self {
            registers: registers.sanitised(),
            fs_base: user_address(fs_base),
            gs_base: user_address(gs_base),
        }
    }
}

impl Registers {
    /// None that could be run.
    pub const ZERO: Self = Self {
        r15: 0,
        r14: 0,
        r13: 0,
        r12: 0,
        r11: 0,
        r10: 0,
        r9: 0,
        r8: 0,
        rbp: 0,
        rdi: 0,
        rsi: 0,
        rdx: 0,
        rcx: 0,
        rbx: 0,
        rax: 0,
        vector: 0,
        error: 0,
        rip: 0,
        cs: 0,
        rflags: 0,
        rsp: 0,
        ss: 0,
    };

    /// Those of a program that starts at `entry` with its stack at `stack`.
    #[must_use]
    pub fn starting(entry: u64, stack: u64) -> Self {
        Self { rip: entry, rsp: stack, ..Self::default() }.sanitised()
    }

    /// The same, safe to go to user mode with.
    #[must_use]
    pub fn sanitised(mut self) -> Self {
        self.sanitise();
        self
    }

    /// Makes them safe to go to user mode with.
    pub fn sanitise(&mut self) {
        self.cs = u64::from(USER_CODE);
        self.ss = u64::from(USER_DATA);
        self.rflags = self.rflags & OWN_FLAGS | FORCED_FLAGS;
        self.rip = user_address(self.rip);
        self.rsp = user_address(self.rsp);
    }

    /// Lets the call that the program has made return this.
    pub fn answer(&mut self, outcome: Outcome) {
        self.rax = i64::from(outcome.0).cast_unsigned();
    }
}

/// The address, or 0 if it is not in the half of programs. Above that half it may not be canonical, and
/// the CPU would fault in the kernel, not in the program.
#[must_use]
pub const fn user_address(address: u64) -> u64 {
    if address < layout::USER_END { address } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{Registers, USER_CODE, USER_DATA};
    use proptest::prelude::*;
    use proto::call::Outcome;
    use proto::program::context::NAMES;
    use proto::program::layout::USER_END;

    const INTERRUPTS: u64 = 1 << 9;
    /// I/O privilege, nested task, resume, virtual 8086, virtual interrupts, and what is reserved.
    const FORBIDDEN: u64 = !(0x24_0dd5 | 0x202);

    #[test]
    fn a_program_starts_with_nothing_but_entry_and_stack() {
        let start = Registers::starting(0x40_0000, 0x7000);
        let (code, data) = (USER_CODE.into(), USER_DATA.into());
        let expected = Registers {
            rip: 0x40_0000,
            rsp: 0x7000,
            cs: code,
            ss: data,
            rflags: 0x202,
            ..Registers::default()
        };
        assert_eq!(start, expected);
    }

    #[test]
    fn addresses_beyond_user_memory_become_zero() {
        for bad in [USER_END, 1 << 47, (1 << 47) - 1, 0xffff_8000_0000_0000, u64::MAX] {
            let it = Registers { rip: bad, rsp: bad, ..Registers::default() }.sanitised();
            assert_eq!((it.rip, it.rsp), (0, 0), "{bad:#x}");
        }
        let last = USER_END - 1;
        let it = Registers { rip: last, rsp: last, ..Registers::default() }.sanitised();
        assert_eq!((it.rip, it.rsp), (last, last));
    }

    #[test]
    fn each_flag_that_is_not_a_programs_is_taken_out() {
        for bit in 0..64 {
            let flags = Registers { rflags: 1 << bit, ..Registers::default() }.sanitised().rflags;
            assert_eq!(flags & FORBIDDEN, 0, "bit {bit}");
            assert_ne!(flags & INTERRUPTS, 0, "bit {bit}");
        }
    }

    #[test]
    fn words_are_in_the_documented_order() {
        let words = core::array::from_fn(|n| n as u64 + 0x1000);
        let it = super::Context::from_words(&words);
        let at = |name| 0x1000 + NAMES.iter().position(|it| *it == name).unwrap() as u64;
        let r = it.registers;
        let some = [r.r15, r.rdi, r.rax, r.error, r.rip, r.rsp, it.fs_base, it.gs_base];
        let names = ["r15", "rdi", "rax", "error", "rip", "rsp", "fs_base", "gs_base"];
        assert_eq!(some, names.map(at));
        let again = it.to_words();
        for (n, name) in NAMES.iter().enumerate() {
            if !["cs", "ss", "rflags"].contains(name) {
                assert_eq!(again[n], words[n], "{name}");
            }
        }
    }

    #[test]
    fn an_error_is_negative_in_rax() {
        let mut it = Registers::default();
        it.answer(Outcome::AGAIN);
        assert_eq!(it.rax.cast_signed(), -11);
    }

    proptest! {
        #[test]
        fn any_registers_become_safe_and_stay_what_they_are(
            words in prop::array::uniform5(any::<u64>()),
        ) {
            let [rip, rsp, rflags, cs, ss] = words;
            let it = Registers { rip, rsp, rflags, cs, ss, rbx: 7, ..Registers::default() };
            let safe = it.sanitised();
            prop_assert!(safe.rip < USER_END && safe.rsp < USER_END);
            prop_assert_eq!((safe.cs & 3, safe.ss & 3, safe.rbx), (3, 3, 7));
            prop_assert_eq!(safe.rflags & FORBIDDEN, 0);
            prop_assert_eq!(safe.sanitised(), safe);
        }
    }
}
