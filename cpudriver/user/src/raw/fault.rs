//! Faults of threads that the kernel hands to the program's scheduler.

use super::here::Here;
use super::lost;
use super::page;
use super::thread::Parked;
use super::vcore::{self, Vcore};
use core::sync::atomic::Ordering;
use proto::program::{context, data};

/// What a thread faulted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The exception's vector (Intel SDM vol. 3, 6.3.1).
    pub vector: u8,
    /// Its error code.
    pub code: u32,
    /// The address that a page fault was about.
    pub address: u64,
    /// The address of the instruction.
    pub at: u64,
}

impl Fault {
    /// Was it a page fault?
    #[must_use]
    pub const fn is_page_fault(&self) -> bool {
        self.vector == 14
    }
}

/// Has the kernel hand faults of threads to the scheduler, or end the process for them as at first.
pub fn reflect(are_wanted: bool) {
    for number in 0..vcore::count() {
        page::vcore(number.into()).u8(data::REFLECT).store(are_wanted.into(), Ordering::Relaxed);
    }
}

/// The place of the word of that name in a context.
const fn word(name: &str) -> usize {
    let (mut at, name) = (0, name.as_bytes());
    while at < context::WORDS {
        let it = context::NAMES[at].as_bytes();
        if it.len() == name.len() && it[0] == name[0] && it[1] == name[1] && it[2] == name[2] {
            return at;
        }
        at += 1;
    }
    panic!("there is no such word")
}

impl Vcore {
    fn take_faulted(&self) -> bool {
        let faulted = self.page().u8(data::FAULTED);
        let has = faulted.load(Ordering::Relaxed) != 0;
        if has {
            faulted.store(0, Ordering::Relaxed);
        }
        has
    }
}

impl Here {
    /// Was the vcore entered because this thread, with which it was, has faulted? Says so once.
    #[must_use]
    pub fn has_faulted(&self, thread: &Parked) -> bool {
        let has = self.vcore().take_faulted();
        if has {
            let address = self.vcore().page().u64(data::FAULT_ADDRESS).load(Ordering::Relaxed);
            thread.0.fault_address.store(address, Ordering::Relaxed);
        }
        has
    }
}

impl Parked {
    /// What the thread has [faulted](Here::has_faulted) with; means nothing of any other.
    #[must_use]
    pub fn fault(&self) -> Fault {
        let read = |at: usize| self.0.registers[at].load(Ordering::Relaxed);
        Fault {
            vector: read(const { word("vector") }) as u8,
            code: read(const { word("error") }) as u32,
            address: self.0.fault_address.load(Ordering::Relaxed),
            at: read(const { word("rip") }),
        }
    }

    /// Has it [faulted](Here::has_faulted) because its stack is full: in the guard below it?
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        let (fault, end) = (self.fault(), self.0.stack.load(Ordering::Relaxed));
        end != 0 && fault.is_page_fault() && super::stacks::around(end).1.contains(&fault.address)
    }
}

/// A thread that must go on at once, in a critical section, cannot have faulted: if it has, the process ends.
pub(super) fn refuse(vcore: &Vcore) {
    if vcore.take_faulted() {
        crate::eprintln!(
            "a fault in a critical section of the scheduler: this process cannot go on"
        );
        crate::exit(lost::EXIT_CODE)
    }
}

impl Here {
    /// Ends a thread that cannot go on, with whatever it held; gives the one that joins it, which is told so.
    #[must_use]
    pub fn end(&self, thread: Parked) -> Option<Parked> {
        lost::thread(thread.0)
    }
}
