//! The vcore of this core: what the driver wants done to it, what it asks for, and its life in user mode.
//!
//! On the management core a single-core process runs: when it is stopped its registers go to a page that only
//! the kernel can reach. On every other core a vcore of a many-core process runs, whose registers go to the
//! page that it shares with its process.

use super::cpu::Cpu;
use super::probes;
use crate::arch::space::{VcorePage, saved_page, vcore_page};
use crate::arch::user::{self, CallFault, Exit, Own};
use crate::arch::{cpu, percpu, time};
use crate::driver::{Effect, Fate, Trap};
use crate::node::Station;
use crate::post::Activity;
use crate::program::call::{Local, Request};
use crate::program::context::Context;
use crate::program::seen::Seen;
use crate::program::space::TRACED;
use crate::program::vcore::{Page, Start, Vcore};
use core::ops::ControlFlow;
use proto::call::Outcome;
use proto::id::{CoreId, VcoreId};
use proto::message::ToMonitor;
use proto::program::{STARTED, block, data, number, wishes};

/// The vector of a page fault, and the error code of one at a write in user mode (Intel SDM vol. 3, 4.7).
const PAGE_FAULT: u8 = 14;
const USER_WRITE: u32 = 0b110;

/// Does what the driver wants done to the vcore of this core.
#[inline(always)]
pub(super) fn perform(effect: Effect) {
    match effect {
        Effect::Load { root } => {
            user::load(root);
            if is_single_core()
                && let Some(saved) = saved_page(root)
                && let Some(vcore) = vcore_page(root, VcoreId(0))
            {
                user::keep_own_pages(Own { saved, vcore });
                user::set_traced(saved.byte(TRACED) != 0);
            } else {
                look_at_trace();
            }
        }
        Effect::Start { .. } if is_single_core() => start_single(),
        Effect::Start { lease } => start(lease.vcore),
        Effect::Save { fate, .. } if is_single_core() && fate != Fate::FirstThread => {
            save_single(fate);
        }
        Effect::Save { vcore, fate } => save(vcore, fate),
        Effect::Drop { vcore } => {
            if let (Some(mut page), false) = (page_of(vcore), is_single_core()) {
                page.drop_context();
            }
        }
        Effect::Unload => user::unload(),
        Effect::EnterVcoreContext { vcore } => enter(vcore),
        Effect::Flush { range } => user::flush(range),
        Effect::Resume { outcome } => user::answer_outcome(outcome),
        Effect::Reflect { vcore } => {
            let keep = |page: &mut VcorePage, at| user::save_own(*page, at);
            let entry = page_of(vcore).and_then(|mut page| page.reflect_kept(keep));
            if let Some(entry) = entry {
                user::set_entry(entry);
            }
        }
        // The registers still stand on the instruction that faulted; messages are the node's.
        Effect::Repeat | Effect::HandOn(_) | Effect::Answer { .. } | Effect::Send(_) => {}
    }
}

/// Learns whether the calls of the process that is loaded are traced.
pub(super) fn look_at_trace() {
    user::set_traced(saved().is_some_and(|mut saved| saved.page().byte(TRACED) != 0));
}

fn is_single_core() -> bool {
    percpu::id() == CoreId::MANAGEMENT
}

/// The page of a vcore of the space that is loaded.
#[inline]
fn page_of(vcore: VcoreId) -> Option<Vcore<VcorePage>> {
    Some(Vcore::new(vcore_page(user::loaded()?, vcore)?, vcore.0))
}

fn saved() -> Option<Vcore<VcorePage>> {
    Some(Vcore::new(saved_page(user::loaded()?)?, 0))
}

fn start(vcore: VcoreId) {
    let Some(mut page) = page_of(vcore) else { return };
    let start = page.start();
    load_extended(&mut page, user::load_extended);
    match start {
        Start::GoesOn(context) => user::set_context(&context),
        Start::Anew(entry) => user::set_entry(entry),
    }
}

/// Lets the single-core process that is loaded go on.
#[inline(never)]
fn start_single() {
    let Some(own) = user::own_pages() else { return };
    load_extended(&mut Vcore::new(own.saved, 0), user::load_own_extended);
    user::load_own(own.saved, data::VCORE);
    if Vcore::new(own.vcore, 0).is_pending() {
        enter(VcoreId(0));
    }
}

/// Keeps all of the single-core process that is loaded.
#[inline(never)]
fn save_single(fate: Fate) {
    let Some(own) = user::own_pages() else { return };
    if let Fate::Returns(outcome) = fate {
        user::answer_outcome(outcome);
    }
    user::save_own(own.saved, data::VCORE);
    user::save_own_extended(own.saved);
    own.saved.store_u8(data::EXTENDED_SAVED, 1);
}

fn save(vcore: VcoreId, fate: Fate) {
    let Some(mut page) = page_of(vcore) else { return };
    page.save(user::context(), fate);
    user::save_extended(*page.page());
    page.is_stopped();
}

fn load_extended(page: &mut Vcore<VcorePage>, load: impl FnOnce(VcorePage)) {
    if page.extended_is_saved() {
        load(*page.page());
    } else {
        user::reset_extended();
    }
}

/// Enters vcore context, if the vcore may be entered.
fn enter(vcore: VcoreId) {
    let Some(mut page) = page_of(vcore) else { return };
    if let Some(entry) = page.interrupt(|page, at| user::save_own(*page, at)) {
        user::set_entry(entry);
    }
}

/// Prepares the registers of a single-core process that has never run, in the space at `root`.
pub(super) fn prepare(root: u64, entry: u64, stack: u64) {
    if let Some(mut page) = saved_page(root) {
        let registers = crate::program::context::Registers::starting(entry, stack);
        page.set_context(data::VCORE, &Context { registers, ..Context::default() });
    }
}

/// What the loop in user mode does about a trap: go on, or leave with what the coordinator must be told.
type Next = ControlFlow<Option<ToMonitor>>;

const GO_ON: Next = ControlFlow::Continue(());

/// What a first look at a call says.
enum AtOnce {
    /// It is answered.
    Answered,
    /// A single-core process yields, with these flags.
    Yields { flags: u8 },
    /// There is more to look at.
    More,
}

impl Cpu {
    /// Has this core a vcore that can run now?
    #[inline(always)]
    pub(super) fn has_vcore(&self) -> bool {
        let driver = self.node.driver();
        driver.lease().is_some() && driver.request().is_none()
    }

    /// Runs the vcore in user mode until something comes for the core, or the vcore asks for something that is the
    /// coordinator's: that is returned.
    pub(super) fn run_vcore(&mut self) -> Option<ToMonitor> {
        let told = if self.leaves_for_user_mode() { self.run_in_user_mode() } else { None };
        self.comes_back();
        told
    }

    /// Lets the others see this core in user mode; false if it must not go there, because there is something for it.
    /// In either case it has to [come back](Self::comes_back).
    pub(super) fn leaves_for_user_mode(&mut self) -> bool {
        let platform = *self.node.platform();
        probes::before_user();
        let leaves = self.inbox.leave(&platform, Activity::User);
        if leaves {
            probes::in_user_mode();
        }
        leaves
    }

    /// Lets the others see this core in the kernel.
    pub(super) fn comes_back(&mut self) {
        let platform = *self.node.platform();
        self.inbox.enter(&platform);
    }

    /// See [`Cpu::run_vcore`]; the core is seen in user mode, before and after.
    pub(super) fn run_in_user_mode(&mut self) -> Option<ToMonitor> {
        loop {
            let next = match user::run(self) {
                Exit::Call if user::is_traced() => self.traced_call(),
                Exit::Call => match self.at_once() {
                    AtOnce::Answered => continue,
                    AtOnce::Yields { flags } => self.yield_single(flags),
                    AtOnce::More => self.call(),
                },
                Exit::Fault { vector, code, address } => self.fault(vector, code, address),
                Exit::Interrupt if self.serves_at_once() => continue,
                Exit::Interrupt => return None,
            };
            match next {
                ControlFlow::Continue(()) => {}
                // A core that does this in passing is seen in user mode all the time: whoever has something for
                // it rings, and the interrupt comes as soon as the vcore goes on.
                ControlFlow::Break(Some(request)) if !is_single_core() => {
                    probes::before_request(&request);
                    self.send_request(&request);
                    if !self.has_vcore() && !self.stands_still() {
                        return None;
                    }
                }
                ControlFlow::Break(told) => return told,
            }
        }
    }

    /// Handles shootdowns for which this core was interrupted, while the program is still on its way: its registers are not
    /// all saved. Whether there was nothing else.
    #[inline(always)]
    pub(crate) fn serves_in_passing(&mut self) -> bool {
        if is_single_core() {
            return false;
        }
        let platform = *self.node.platform();
        probes::before_orders(&platform);
        let is_all = self.inbox.serve_urgent(&platform, &mut self.node);
        probes::before_answers();
        self.node.flush();
        is_all
    }

    /// Handles what this core has waited for; whether that was all.
    #[inline(always)]
    fn serves_awaited(&mut self) -> bool {
        let platform = *self.node.platform();
        probes::before_orders(&platform);
        let is_all = self.inbox.serve_awaited(&platform, &mut self.node);
        probes::before_answers();
        self.node.flush();
        is_all
    }

    /// Handles what this core was interrupted for; whether that was all and the vcore is to go on, or the one that it was
    /// told to go on as. On the management core messages are the coordinator's.
    fn serves_at_once(&mut self) -> bool {
        if is_single_core() {
            return false;
        }
        self.pass();
        self.inbox.is_calm() && self.has_vcore() && self.node.has_nothing_next()
    }

    /// Halts until what the vcore stands still for is answered, and serves what comes meanwhile; whether that was all and the
    /// vcore is to go on.
    ///
    /// The core is seen in user mode, so there is nothing to look for before it halts: whoever has sent something rings, and
    /// that interrupt ends the halt.
    fn stands_still(&mut self) -> bool {
        loop {
            self.halt_once();
            if !self.serves_awaited() {
                self.pass();
            }
            if !self.inbox.is_calm() || !self.node.has_nothing_next() {
                return false;
            }
            if self.node.driver().request().is_none() {
                return self.has_vcore();
            }
        }
    }

    /// Answers a system call that needs nothing but its number.
    #[inline(always)]
    fn at_once(&self) -> AtOnce {
        let at = user::call_address();
        let lease = self.node.driver().lease().filter(|_| at.is_multiple_of(block::ALIGN));
        let Some(lease) = lease else { return AtOnce::More };
        let Ok(word) = user::word(at) else { return AtOnce::More };
        let Some(local) = Local::of(word as u32) else {
            return if word as u32 == number::YIELD && is_single_core() {
                // The structure is aligned, so all of it is there.
                let flags = user::word(at + block::ARGUMENTS as u64).map(u8::try_from);
                flags.map_or(AtOnce::More, |it| {
                    it.map_or(AtOnce::More, |flags| AtOnce::Yields { flags })
                })
            } else {
                AtOnce::More
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
    fn yield_single(&mut self, flags: u8) -> Next {
        let pending = user::own_pages().is_some_and(|own| Vcore::new(own.vcore, 0).is_pending());
        self.trap(Trap::Yield { pending, wanted: 0, flags })
    }

    /// Any other system call.
    fn call(&mut self) -> Next {
        let at = user::call_address();
        if !at.is_multiple_of(block::ALIGN) {
            user::answer_outcome(Outcome::INVALID);
            return GO_ON;
        }
        let Some(lease) = self.node.driver().lease() else { return ControlFlow::Break(None) };
        let words = match user::copy_block(at) {
            Ok(words) => words,
            Err(CallFault) => {
                user::repeat_call();
                return self.fault(PAGE_FAULT, USER_WRITE, at);
            }
        };
        match Request::of(&words, at, lease) {
            Request::Time => tell_time(at),
            Request::Refuse(outcome) => user::answer_outcome(outcome),
            Request::Enter => {
                user::answer(0);
                enter(lease.vcore);
            }
            Request::Resume { at } => return self.resume(at, lease.vcore),
            Request::Halt => return self.halt(lease.vcore),
            Request::Ask(message) => return ask(message),
            // The management core has others to run meanwhile.
            Request::Change(message) if is_single_core() => return ask(message),
            Request::Change(message) => return ask(standing(message)),
            Request::Poke(call) => return ask(ToMonitor::Poke { call, wanted: wanted() }),
            Request::Yield { flags } if is_single_core() => return self.yield_single(flags),
            Request::Yield { flags } => {
                let pending = page_of(lease.vcore).is_some_and(|page| page.is_pending());
                return self.trap(Trap::Yield { pending, wanted: wanted(), flags });
            }
            Request::Exit { code } => return self.trap(Trap::Exit { code }),
            Request::ChangeToMany => return self.trap(Trap::ChangeToM),
            Request::ChangeVcore { to, flags } => {
                return self.trap(Trap::ChangeVcore { to, flags });
            }
        }
        GO_ON
    }

    /// A system call that is seen when it is made, and when it is over if that is at once.
    #[inline(never)]
    fn traced_call(&mut self) -> Next {
        let at = user::call_address();
        let words = at.is_multiple_of(block::ALIGN).then(|| user::copy_block(at).ok());
        let (Some(words), Some(lease)) = (words.flatten(), self.node.driver().lease()) else {
            return self.any_call();
        };
        let entry = Seen::entry(&words, at, lease, cpu::now());
        self.node.saw(entry);
        let before = user::context().registers.rip;
        let next = self.any_call();
        let after = user::context().registers;
        // Registers that were replaced are not those that the call returns to.
        if next.is_continue() && after.rip == before {
            self.node.saw(entry.returned(cpu::now(), after.rax.cast_signed()));
        }
        self.halted = self.is_halted.then_some(entry);
        self.node.flush();
        next
    }

    fn any_call(&mut self) -> Next {
        match self.at_once() {
            AtOnce::Answered => GO_ON,
            _ => self.call(),
        }
    }

    /// Lets the driver know of a request for which the vcore stands still until it is answered; one that is
    /// refused on the spot goes on at once.
    fn trap(&mut self, trap: Trap) -> Next {
        match self.node.trap(trap) {
            None if self.has_vcore() => GO_ON,
            told => ControlFlow::Break(told),
        }
    }

    /// An exception: for the program's scheduler if it asked for that, else for the coordinator.
    #[inline(never)]
    fn fault(&mut self, vector: u8, code: u32, address: u64) -> Next {
        let Some(lease) = self.node.driver().lease() else { return ControlFlow::Break(None) };
        let is_page_fault = vector == PAGE_FAULT;
        // Memory that comes when it is first used is the coordinator's, which reflects what it can't mend.
        if !is_page_fault
            && let Some(mut page) = page_of(lease.vcore)
            && let Some(entry) = page.reflect(address, |page, at| user::save_own(*page, at))
        {
            user::set_entry(entry);
            return GO_ON;
        }
        let mut page = page_of(lease.vcore).filter(|page| !is_single_core() && page.wants_faults());
        if let Some(page) = &mut page {
            page.keep_fault(address);
        }
        let (at, reflect) = (user::instruction(), page.is_some());
        self.trap(Trap::Fault { address, vector, code, at, reflect })
    }

    /// The registers at `at` go on, outside vcore context, unless there is something to look for.
    fn resume(&mut self, at: u64, vcore: VcoreId) -> Next {
        let Some(mut page) = page_of(vcore) else { return ControlFlow::Break(None) };
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
        GO_ON
    }

    /// Halts until something comes for this core. The management core has others to run.
    fn halt(&mut self, vcore: VcoreId) -> Next {
        if is_single_core() {
            user::answer_outcome(Outcome::INVALID);
            return GO_ON;
        }
        if page_of(vcore).is_some_and(|page| page.is_pending()) {
            user::answer_outcome(Outcome::AGAIN);
            return GO_ON;
        }
        user::answer(0);
        self.is_halted = true;
        ControlFlow::Break(None)
    }

    /// Sends what a vcore of a core but core 0 asks for; a request for which there is no room is refused.
    pub(super) fn send_request(&mut self, message: &ToMonitor) {
        if !self.node.request(message) {
            user::answer_outcome(Outcome::AGAIN);
        } else if stands(message) {
            self.node.stand();
        }
        self.node.flush();
    }
}

fn tell_time(at: u64) {
    let now = time::wall_ns().unwrap_or(0);
    user::answer_outcome(match user::write_word(at + block::VALUE as u64, now) {
        Ok(()) => Outcome::OK,
        Err(CallFault) => Outcome::FAULT,
    });
}

/// A request that goes on while the program does.
fn ask(message: ToMonitor) -> Next {
    user::answer(STARTED);
    ControlFlow::Break(Some(message))
}

/// A request to change memory, of a vcore that stands still until it is answered.
fn standing(message: ToMonitor) -> ToMonitor {
    match message {
        ToMonitor::Unmap { call, range } => ToMonitor::Unmap { call: call.standing(), range },
        ToMonitor::Protect { call, range, rights } => {
            ToMonitor::Protect { call: call.standing(), range, rights }
        }
        other => other,
    }
}

/// Does a vcore stand still from the moment on that this was sent, until it is answered?
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
