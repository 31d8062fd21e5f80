//! What a vcore asks for: system calls, and exceptions.

use super::cpu::Cpu;
use super::probes;
use super::user_mode::Next;
use super::vcore::{enter, is_single_core, page_of};
use crate::arch::user::{self, CallFault};
use crate::arch::{cpu, percpu, time};
use crate::driver::Trap;
use crate::program::call::{Block, Hurried, Local, Request};
use crate::program::context::Context;
use crate::program::seen::Seen;
use crate::program::vcore::{Page, Vcore};
use proto::call::{Call, Outcome};
use proto::id::{Lease, VcoreId};
use proto::message::ToMonitor;
use proto::program::{STARTED, block, data, number, wishes};

/// The vector of a page fault, and the error code of one at a write in user mode (Intel SDM vol. 3, 4.7).
const PAGE_FAULT: u8 = 14;
const USER_WRITE: u32 = 0b110;

/// What a first look at a call says.
#[derive(Clone, Copy)]
pub(super) enum AtOnce {
    /// It is answered.
    Answered,
    /// A single-core process yields, with these flags.
    Yields { flags: u8 },
    /// The vcore of this lease has asked for more, in the structure at this address.
    More { at: u64, lease: Lease },
    /// There is no such structure, or no vcore.
    Amiss,
}

/// Names the code that asks for pages to be unmapped.
struct Unmaps;

/// Names the code that asks for pages to get other rights.
struct Protects;

/// Names the code that sends an event to a vcore.
struct Notifies;

/// Names the code that asks for cores.
struct Pokes;

/// Names the code that tells of a page fault.
struct Faults;

/// Names the code that sends any other request.
struct Asks;

impl Cpu {
    /// Answers a system call that needs nothing but its number.
    #[inline(always)]
    pub(super) fn at_once(&self) -> AtOnce {
        let at = user::call_address();
        let lease = self.node.driver().lease().filter(|_| at.is_multiple_of(block::ALIGN));
        let Some(lease) = lease else { return AtOnce::Amiss };
        let more = AtOnce::More { at, lease };
        let Ok(word) = user::word(at) else { return more };
        let Some(local) = Local::of(word as u32) else {
            return if word as u32 == number::YIELD && is_single_core() {
                // The structure is aligned, so all of it is there.
                let flags = user::word(at + block::ARGUMENTS as u64).map(u8::try_from);
                flags.map_or(more, |it| it.map_or(more, |flags| AtOnce::Yields { flags }))
            } else {
                more
            };
        };
        user::answer(match local {
            Local::Null => 0,
            Local::Core => percpu::id().0.into(),
            Local::Vcore => lease.vcore.0.into(),
            Local::Pid => lease.pid.0.into(),
        });
        AtOnce::Answered
    }

    /// A single-core process yields.
    pub(super) fn yield_single(&mut self, flags: u8) -> Next {
        let pending = user::own_pages().is_some_and(|own| Vcore::new(own.vcore, 0).is_pending());
        match self.node.trap(Trap::Yield { pending, wanted: 0, flags }) {
            None if self.has_vcore() => Next::GoOn,
            told => Next::Leave(told),
        }
    }

    /// There is no structure of a call at an address that has its alignment, or no vcore.
    #[cold]
    pub(super) fn amiss(&mut self) -> Next {
        if self.node.driver().lease().is_none() {
            return Next::Leave(None);
        }
        user::answer_outcome(Outcome::INVALID);
        Next::GoOn
    }

    /// Any other system call of the vcore of this lease. What others wait for has code of its own, in which the kind of the
    /// message is a constant.
    #[inline(always)]
    pub(super) fn call(&mut self, at: u64, lease: Lease) -> Next {
        let mut words = [0; 8];
        if user::copy_block(at, &mut words).is_err() {
            user::repeat_call();
            return self.fault(PAGE_FAULT, USER_WRITE, at);
        }
        let block = Block::new(&words, at, lease);
        let call = block.call;
        match block.hurried() {
            Some(Hurried::Unmap { range }) => {
                self.ask::<Unmaps>(ToMonitor::Unmap { call: standing(call), range })
            }
            Some(Hurried::Protect { range, rights }) => {
                self.ask::<Protects>(ToMonitor::Protect { call: standing(call), range, rights })
            }
            Some(Hurried::NotifySelf { vcore, event, value }) => {
                self.ask::<Notifies>(ToMonitor::NotifyVcore { call, vcore, event, value })
            }
            Some(Hurried::Poke) => self.ask::<Pokes>(ToMonitor::Poke { call, wanted: wanted() }),
            None => self.do_any(Request::of(&block), at, lease),
        }
    }

    /// Does what a call asks for, as far as it is not in a hurry.
    #[inline(never)]
    fn do_any(&mut self, request: Request, at: u64, lease: Lease) -> Next {
        match request {
            Request::Time => tell_time(at),
            Request::Refuse(outcome) => user::answer_outcome(outcome),
            Request::Enter => {
                user::answer(0);
                enter(lease.vcore);
            }
            Request::Resume { at } => return self.resume(at, lease.vcore),
            Request::Halt => return self.halt(lease.vcore),
            Request::Ask(message) => return self.ask::<Asks>(message),
            Request::Yield { flags } if is_single_core() => return self.yield_single(flags),
            Request::Yield { flags } => {
                let pending = page_of(lease.vcore).is_some_and(|page| page.is_pending());
                return self.trap::<Asks>(Trap::Yield { pending, wanted: wanted(), flags });
            }
            Request::Exit { code } => return self.trap::<Asks>(Trap::Exit { code }),
            Request::ChangeToMany => return self.trap::<Asks>(Trap::ChangeToM),
            Request::ChangeVcore { to, flags } => {
                return self.trap::<Asks>(Trap::ChangeVcore { to, flags });
            }
        }
        Next::GoOn
    }

    /// A system call that is seen when it is made, and when it is over if that is at once.
    #[inline(never)]
    pub(super) fn traced_call(&mut self) -> Next {
        let at = user::call_address();
        let mut words = [0; 8];
        let is_read = at.is_multiple_of(block::ALIGN) && user::copy_block(at, &mut words).is_ok();
        let Some(lease) = self.node.driver().lease().filter(|_| is_read) else {
            return self.any_call();
        };
        let entry = Seen::entry(&words, at, lease, cpu::now());
        self.node.saw(entry);
        let before = user::context().registers.rip;
        let next = self.any_call();
        let after = user::context().registers;
        // Registers that were replaced are not those that the call returns to.
        if matches!(next, Next::GoOn) && after.rip == before {
            self.node.saw(entry.returned(cpu::now(), after.rax.cast_signed()));
        }
        self.halted = self.is_halted.then_some(entry);
        self.node.flush();
        next
    }

    /// A system call, whatever is seen of it.
    fn any_call(&mut self) -> Next {
        match self.at_once() {
            AtOnce::Answered => Next::GoOn,
            AtOnce::Yields { flags } => self.yield_single(flags),
            AtOnce::More { at, lease } => self.call(at, lease),
            AtOnce::Amiss => self.amiss(),
        }
    }

    /// Lets the driver know of a request for which the vcore stands still until it is answered; one that is
    /// refused on the spot goes on at once. `Caller` names the place.
    #[inline(always)]
    fn trap<Caller>(&mut self, trap: Trap) -> Next {
        match self.node.trap(trap) {
            None if self.has_vcore() => Next::GoOn,
            None => Next::Leave(None),
            Some(request) => self.request::<Caller>(request),
        }
    }

    /// An exception: for the program's scheduler if it asked for that, else for the coordinator.
    #[inline(never)]
    pub(super) fn fault(&mut self, vector: u8, code: u32, address: u64) -> Next {
        let Some(lease) = self.node.driver().lease() else { return Next::Leave(None) };
        let is_page_fault = vector == PAGE_FAULT;
        // Memory that comes when it is first used is the coordinator's, which reflects what it can't mend.
        if !is_page_fault
            && let Some(mut page) = page_of(lease.vcore)
            && let Some(entry) = page.reflect(address, |page, at| user::save_own(*page, at))
        {
            user::set_entry(entry);
            return Next::GoOn;
        }
        let at = user::instruction();
        let mut page = page_of(lease.vcore).filter(|page| !is_single_core() && page.wants_faults());
        if let Some(page) = &mut page {
            page.keep_fault(address);
            return self.trap::<Asks>(Trap::Fault { address, vector, code, at, reflect: true });
        }
        self.trap::<Faults>(Trap::Fault { address, vector, code, at, reflect: false })
    }

    /// The registers at `at` go on, outside vcore context, unless there is something to look for.
    fn resume(&mut self, at: u64, vcore: VcoreId) -> Next {
        let Some(mut page) = page_of(vcore) else { return Next::Leave(None) };
        match user::copy_context(at) {
            Err(CallFault) => user::answer_outcome(Outcome::FAULT),
            Ok(words) => {
                let context = Context::from_words(&words);
                page.page().set_byte(data::IN_VCORE_CONTEXT, 0);
                cpu::fence();
                user::set_context(&context);
                if page.is_pending() {
                    enter(vcore);
                }
            }
        }
        Next::GoOn
    }

    /// Halts until something comes for this core. The management core has others to run.
    fn halt(&mut self, vcore: VcoreId) -> Next {
        if is_single_core() {
            user::answer_outcome(Outcome::INVALID);
            return Next::GoOn;
        }
        if page_of(vcore).is_some_and(|page| page.is_pending()) {
            user::answer_outcome(Outcome::AGAIN);
            return Next::GoOn;
        }
        user::answer(0);
        self.is_halted = true;
        Next::Leave(None)
    }

    /// A request that goes on while the program does, unless the vcore stands still for it.
    #[inline(always)]
    fn ask<Caller>(&mut self, message: ToMonitor) -> Next {
        user::answer(STARTED);
        self.request::<Caller>(message)
    }

    /// Sends what a vcore of a core but core 0 asks for; a request for which there is no room is refused. `Caller` names
    /// the place, see [`Node::request_for`](crate::node::Node::request_for).
    #[inline(always)]
    fn request<Caller>(&mut self, message: ToMonitor) -> Next {
        if is_single_core() {
            return Next::Leave(Some(message));
        }
        probes::before_request(&message);
        if !self.node.request_for::<Caller>(&message) {
            user::answer_outcome(Outcome::AGAIN);
        } else if stands(&message) {
            self.node.stand();
        }
        self.node.flush();
        Next::Sent
    }
}

fn tell_time(at: u64) {
    let now = time::wall_ns().unwrap_or(0);
    user::answer_outcome(match user::write_word(at + block::VALUE as u64, now) {
        Ok(()) => Outcome::OK,
        Err(CallFault) => Outcome::FAULT,
    });
}

/// A call to change memory, for which the vcore stands still until it is answered; but the management core has others to
/// run meanwhile.
#[inline(always)]
fn standing(call: Call) -> Call {
    if is_single_core() { call } else { call.standing() }
}

/// Does a vcore stand still from the moment on that this was sent, until it is answered?
#[inline(always)]
const fn stands(message: &ToMonitor) -> bool {
    match message {
        ToMonitor::Unmap { call, .. } | ToMonitor::Protect { call, .. } => call.stands(),
        _ => false,
    }
}

/// How many cores the process wants, read once.
fn wanted() -> u16 {
    let page = user::loaded().and_then(crate::arch::space::wishes_page);
    page.map_or(0, |page| page.load_u16(wishes::CORES))
}
