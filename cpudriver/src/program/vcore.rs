//! What the CPU driver does to the page of a vcore: which registers go where when it is stopped, started, told of
//! something, or faults.
//!
//! A [`Page`] is memory that a program writes as well, at any moment: each value is read once, and registers
//! that come from it are made safe. The extended state goes beside this, see
//! [`extended_is_saved`](Vcore::extended_is_saved). Answers Akaros' `__preempt`, `__set_curctx_to_vcoreid`, `__notify` and `reflect_unhandled_trap`.

use super::context::{Context, Registers, user_address};
use crate::driver::Fate;
use proto::call::Outcome;
use proto::program::context::WORDS;
use proto::program::data;

/// A page that is shared with a program. Offsets are those of [`data`].
pub trait Page {
    /// Reads a byte.
    fn byte(&self, at: usize) -> u8;
    /// Writes a byte, after all that was written before.
    fn set_byte(&mut self, at: usize, value: u8);
    /// Reads a word.
    fn word(&self, at: usize) -> u64;
    /// Writes a word.
    fn set_word(&mut self, at: usize, value: u64);

    /// Reads a context.
    fn context(&self, at: usize) -> Context {
        let words: [u64; WORDS] = core::array::from_fn(|n| self.word(at + 8 * n));
        Context::from_words(&words)
    }

    /// Writes a context.
    fn set_context(&mut self, at: usize, context: &Context) {
        for (n, word) in context.to_words().into_iter().enumerate() {
            self.set_word(at + 8 * n, word);
        }
    }
}

/// Where a vcore is entered anew, as its process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The first instruction.
    pub entry: u64,
    /// The end of the stack.
    pub stack: u64,
    /// The base of FS.
    pub tls: u64,
    /// The number of the vcore, which it finds in RDI.
    pub vcore: u16,
}

impl Entry {
    /// The registers there; all others are 0.
    #[must_use]
    pub fn context(self) -> Context {
        let registers =
            Registers { rdi: self.vcore.into(), ..Registers::starting(self.entry, self.stack) };
        Context { registers, fs_base: user_address(self.tls), gs_base: 0 }
    }
}

/// How a vcore starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Where it was stopped, in vcore context.
    GoesOn(Context),
    /// At its entry.
    Anew(Entry),
}

/// A vcore by its page.
#[derive(Debug)]
pub struct Vcore<P> {
    page: P,
    number: u16,
}

impl<P: Page> Vcore<P> {
    /// The vcore of that number, by its page.
    pub const fn new(page: P, number: u16) -> Self {
        Self { page, number }
    }

    /// Its page.
    pub const fn page(&mut self) -> &mut P {
        &mut self.page
    }

    /// Is there something to look for?
    pub fn is_pending(&self) -> bool {
        self.page.byte(data::PENDING) != 0
    }

    /// Keeps the registers of the vcore, which is stopped: those of vcore context apart from those of a thread.
    pub fn save(&mut self, mut context: Context, fate: Fate) {
        resolve(&mut context.registers, fate);
        if fate == Fate::FirstThread {
            self.page.set_byte(data::IN_VCORE_CONTEXT, 0);
        }
        let in_vcore_context = self.page.byte(data::IN_VCORE_CONTEXT) != 0;
        let at = if in_vcore_context { data::VCORE } else { data::THREAD };
        self.page.set_context(at, &context);
    }

    /// Says that all is saved, the extended state too, and the vcore does not run.
    pub fn is_stopped(&mut self) {
        self.page.set_byte(data::EXTENDED_SAVED, 1);
        self.page.set_byte(data::PREEMPTED, 1);
    }

    /// The vcore runs again, and EXTENDED is in the registers if it held anything: whether it did.
    pub fn extended_is_saved(&mut self) -> bool {
        let saved = self.page.byte(data::EXTENDED_SAVED) != 0;
        self.page.set_byte(data::EXTENDED_SAVED, 0);
        saved
    }

    /// How the vcore starts: where it was saved in vcore context, else anew at its entry. One that was lost in vcore
    /// context was not saved.
    #[inline(always)]
    pub fn start(&mut self) -> Start {
        let was_saved = self.page.byte(data::PREEMPTED) != 0;
        let start = if was_saved && self.page.byte(data::IN_VCORE_CONTEXT) != 0 {
            Start::GoesOn(self.page.context(data::VCORE))
        } else {
            Start::Anew(self.enter())
        };
        self.page.set_byte(data::PREEMPTED, 0);
        start
    }

    /// What the vcore ran is dropped: it starts anew.
    pub fn drop_context(&mut self) {
        self.page.set_byte(data::IN_VCORE_CONTEXT, 0);
        self.page.set_byte(data::EXTENDED_SAVED, 0);
        self.page.set_byte(data::PREEMPTED, 0);
    }

    /// Something has happened while a thread ran: where to go on, if the vcore may be entered. The thread's registers
    /// are kept by `keep`, which is told where in the page.
    #[inline(always)]
    pub fn interrupt(&mut self, keep: impl FnOnce(&mut P, usize)) -> Option<Entry> {
        let may = self.page.byte(data::READY) != 0 && self.page.byte(data::IN_VCORE_CONTEXT) == 0;
        may.then(|| {
            keep(&mut self.page, data::THREAD);
            self.enter()
        })
    }

    /// A thread faulted at that address: as [`Vcore::interrupt`], if the program wants to know of its faults.
    pub fn reflect(&mut self, address: u64, keep: impl FnOnce(&mut P, usize)) -> Option<Entry> {
        if self.page.byte(data::REFLECT) == 0 {
            return None;
        }
        let entered = self.interrupt(keep)?;
        self.page.set_word(data::FAULT_ADDRESS, address);
        self.page.set_byte(data::FAULTED, 1);
        Some(entered)
    }

    /// Would the program be told of a fault?
    pub fn wants_faults(&self) -> bool {
        let is_set = |at| self.page.byte(at) != 0;
        is_set(data::REFLECT) && is_set(data::READY) && !is_set(data::IN_VCORE_CONTEXT)
    }

    /// Keeps the address of a fault until it is known whether it can be mended: see [`Vcore::reflect_kept`].
    pub fn keep_fault(&mut self, address: u64) {
        self.page.set_word(data::FAULT_ADDRESS, address);
    }

    /// As [`Vcore::reflect`], at the address that was kept. The page is the program's too, so it may be any.
    pub fn reflect_kept(&mut self, keep: impl FnOnce(&mut P, usize)) -> Option<Entry> {
        let address = self.page.word(data::FAULT_ADDRESS);
        self.reflect(address, keep)
    }

    /// Vcore context from its top.
    #[inline(always)]
    fn enter(&mut self) -> Entry {
        self.page.set_byte(data::IN_VCORE_CONTEXT, 1);
        let [entry, stack, tls] =
            [data::ENTRY, data::STACK, data::TLS].map(|at| self.page.word(at));
        Entry { entry, stack, tls, vcore: self.number }
    }
}

/// Lets registers that are saved go on as the fate says.
fn resolve(registers: &mut Registers, fate: Fate) {
    match fate {
        Fate::Goes | Fate::Repeats => {}
        Fate::Returns(outcome) => registers.answer(outcome),
        Fate::FirstThread => registers.answer(Outcome::OK),
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Page, Start, Vcore};
    use crate::driver::Fate;
    use crate::program::context::{Context, Registers};
    use proto::call::Outcome;
    use proto::program::data;

    #[derive(Clone)]
    struct Memory([u64; 512]);

    impl Page for Memory {
        fn byte(&self, at: usize) -> u8 {
            self.0[at / 8].to_le_bytes()[at % 8]
        }
        fn set_byte(&mut self, at: usize, value: u8) {
            let mut bytes = self.0[at / 8].to_le_bytes();
            bytes[at % 8] = value;
            self.0[at / 8] = u64::from_le_bytes(bytes);
        }
        fn word(&self, at: usize) -> u64 {
            self.0[at / 8]
        }
        fn set_word(&mut self, at: usize, value: u64) {
            self.0[at / 8] = value;
        }
    }

    fn vcore() -> Vcore<Memory> {
        let mut page = Memory([0; 512]);
        page.set_word(data::ENTRY, 0x40_0000);
        page.set_word(data::STACK, 0x7000);
        page.set_word(data::TLS, 0x9000);
        Vcore::new(page, 3)
    }

    /// Keeps a thread that runs at that address.
    fn running_at(rip: u64) -> impl FnOnce(&mut Memory, usize) {
        move |page, at| page.set_context(at, &running(rip))
    }

    impl Start {
        fn context(self) -> Context {
            match self {
                Self::GoesOn(context) => context,
                Self::Anew(entry) => entry.context(),
            }
        }
    }

    fn running(rip: u64) -> Context {
        Context {
            registers: Registers { rip, ..Registers::default() }.sanitised(),
            ..Context::default()
        }
    }

    #[test]
    fn a_vcore_starts_at_its_entry_with_its_stack_tls_and_number() {
        let mut it = vcore();
        let context = it.start().context();
        let r = context.registers;
        assert_eq!((r.rip, r.rsp, r.rdi, context.fs_base), (0x40_0000, 0x7000, 3, 0x9000));
        assert_eq!(it.page().byte(data::IN_VCORE_CONTEXT), 1);
    }

    #[test]
    fn what_is_stopped_in_vcore_context_goes_on_where_it_was() {
        let mut it = vcore();
        it.page().set_byte(data::IN_VCORE_CONTEXT, 1);
        it.save(running(0x1234), Fate::Goes);
        it.is_stopped();
        assert_eq!(it.page().byte(data::PREEMPTED), 1);
        assert_eq!(it.start().context().registers.rip, 0x1234);
        assert_eq!(it.page().byte(data::PREEMPTED), 0);
    }

    #[test]
    fn what_was_lost_in_vcore_context_starts_anew() {
        let mut it = vcore();
        it.page().set_byte(data::IN_VCORE_CONTEXT, 1);
        it.save(running(0x1234), Fate::Goes);
        it.is_stopped();
        it.start();
        // Nothing is saved this time.
        assert_eq!(it.start().context().registers.rip, 0x40_0000);
    }

    #[test]
    fn a_thread_that_is_stopped_is_kept_apart_and_the_vcore_starts_anew() {
        let mut it = vcore();
        it.save(running(0x1234), Fate::Returns(Outcome::AGAIN));
        it.is_stopped();
        assert_eq!(it.start().context().registers.rip, 0x40_0000);
        let thread = it.page().context(data::THREAD).registers;
        assert_eq!((thread.rip, thread.rax.cast_signed()), (0x1234, -11));
    }

    #[test]
    fn the_first_thread_is_kept_as_a_thread_whatever_the_program_says() {
        let mut it = vcore();
        it.page().set_byte(data::IN_VCORE_CONTEXT, 1);
        it.save(running(0x1234), Fate::FirstThread);
        let thread = it.page().context(data::THREAD).registers;
        assert_eq!((thread.rip, thread.rax), (0x1234, 0));
        assert_eq!(it.start().context().registers.rip, 0x40_0000);
    }

    #[test]
    fn a_vcore_is_interrupted_only_when_it_is_ready_and_not_in_vcore_context() {
        let mut it = vcore();
        assert_eq!(it.interrupt(running_at(0x1234)), None, "not ready");
        it.page().set_byte(data::READY, 1);
        let entered = it.interrupt(running_at(0x1234));
        let entry = Entry { entry: 0x40_0000, stack: 0x7000, tls: 0x9000, vcore: 3 };
        assert_eq!(entered, Some(entry));
        assert_eq!(it.page().context(data::THREAD).registers.rip, 0x1234);
        assert_eq!(it.interrupt(running_at(0x5678)), None, "in vcore context");
        assert_eq!(it.page().context(data::THREAD).registers.rip, 0x1234, "and is left alone");
    }

    #[test]
    fn a_fault_is_reflected_only_to_a_program_that_asked() {
        let mut it = vcore();
        it.page().set_byte(data::READY, 1);
        assert_eq!(it.reflect(0xbad, running_at(0x1234)), None);
        it.page().set_byte(data::REFLECT, 1);
        assert!(it.reflect(0xbad, running_at(0x1234)).is_some());
        assert_eq!(it.page().word(data::FAULT_ADDRESS), 0xbad);
        assert_eq!(it.page().byte(data::FAULTED), 1);
        assert_eq!(
            it.reflect(0xbad, running_at(0x5678)),
            None,
            "a fault in vcore context is the end"
        );
    }

    #[test]
    fn a_fault_that_is_not_wanted_any_more_leaves_no_trace() {
        let mut it = vcore();
        it.page().set_byte(data::READY, 1);
        it.page().set_byte(data::REFLECT, 1);
        assert!(it.wants_faults());
        it.keep_fault(0xbad);
        it.page().set_byte(data::IN_VCORE_CONTEXT, 1);
        assert_eq!(it.reflect_kept(running_at(0x1234)), None);
        assert!(!it.wants_faults() && it.page().byte(data::FAULTED) == 0);
        it.page().set_byte(data::IN_VCORE_CONTEXT, 0);
        assert!(it.reflect_kept(running_at(0x1234)).is_some());
        assert_eq!(it.page().word(data::FAULT_ADDRESS), 0xbad);
    }

    #[test]
    fn what_was_dropped_starts_anew() {
        let mut it = vcore();
        it.start();
        it.drop_context();
        assert_eq!(it.start().context().registers.rip, 0x40_0000);
        assert!(!it.extended_is_saved());
    }
}
