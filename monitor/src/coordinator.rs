//! The step: takes an input apart and hands it to the part of the coordinator that it concerns.

use crate::chores::Chore;
use crate::config::Config;
use crate::core_set::{CoreSet, MAX_CORES};
use crate::cores::{Core, CoreState, CoreView, Timer};
use crate::deadlines::Deadlines;
use crate::fifo::Fifo;
use crate::input::{Command, Input};
use crate::output::{Outbox, Output};
use crate::pipes::Pipes;
use crate::table::Table;
use crate::timers::NEVER;
use crate::vcores::Rooms;
use alloc::vec::Vec;
use proto::id::CoreId;
use proto::message::ToMonitor;

/// The greatest pid.
const MAX_PID: u16 = 32_767;

/// So many pipes beside the keyboard at most: pids, cores and pipes are numbered together where work is queued.
const MAX_PIPES: u16 = 32_000;

/// Timers handled in one step, and what is done for them; more waits for the next step, which the armed deadline
/// brings at once.
const ENTRIES_PER_TICK: u32 = 32;

/// The coordinator counts as late when it is told of a moment so long after it: this part of the time that a
/// core has to answer.
const LATE: u64 = 4;

/// List entries that one step touches where there may be many; the rest waits for another step.
const ENTRIES_PER_STEP: u32 = 64;

/// The owner of the machine's cores and of all processes.
///
/// Allocates when it is made and when a process or a pipe is made; no other [`Coordinator::step`] does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    pub(crate) config: Config,
    pub(crate) now: u64,
    pub(crate) cores: Vec<Core>,
    pub(crate) online: CoreSet,
    pub(crate) deadlines: Deadlines,
    pub(crate) armed: u64,
    /// Until then no core is judged by not having answered.
    pub(crate) lenient_until: u64,
    pub(crate) heartbeat_paused: bool,
    /// The core after the one that was pinged last.
    pub(crate) heartbeat_next: CoreId,
    pub(crate) counters: Counters,
    /// Goes before the table, which then leaves no holes in the heap where processes were made by turns with these.
    pub(crate) vcores: Rooms,
    pub(crate) table: Table,
    /// Single-core processes that are runnable, in turn.
    pub(crate) run: Fifo,
    /// When the running single-core process's slice is over.
    pub(crate) slice_end: u64,
    /// Many-core processes that want a core, in turn.
    pub(crate) wanting: Fifo,
    /// The timer that shares cores is set.
    pub(crate) sharing: bool,
    /// What is to be gone on with, by [`Coordinator::number_of`].
    pub(crate) work: Fifo,
    /// Entries that this step may still touch.
    pub(crate) budget: u32,
    /// Cores that can be leased, those of them that are not, and those told to let go.
    pub(crate) leasable: CoreSet,
    pub(crate) idle: CoreSet,
    pub(crate) leaving: CoreSet,
    /// Cores that somebody has a right to.
    pub(crate) provisioned: CoreSet,
    /// Cores whose holders have no right to them, longest held first.
    pub(crate) rotation: Fifo,
    pub(crate) pipes: Pipes,
    /// Names the bytes that were asked for last.
    pub(crate) last_ticket: u32,
    /// The last number that was given to a batch of frames, to a shootdown or to shared memory.
    pub(crate) next_ticket: u32,
    /// Frames that are not reserved.
    pub(crate) frames: u32,
}

/// What the coordinator has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Steps.
    pub steps: u64,
    /// Messages sent to cores.
    pub sent: u64,
    /// Messages that nothing had asked for, or that came too late.
    pub unexpected: u64,
    /// Cores lost.
    pub lost: u64,
    /// Messages that named a lease or a process that had ended.
    pub stale: u64,
    /// Transitions refused because they are not in the table: mistakes of the coordinator.
    pub illegal: u64,
    /// Keys that there was no room for.
    pub keys_refused: u64,
}

impl Coordinator {
    /// Makes the coordinator of a machine whose cores' start-up begins `now`.
    ///
    /// `usable` has an entry per core in the firmware's list: false for one that must be left alone.
    /// Core 0, on which this runs, is online from the start. Cores above [`MAX_CORES`] are ignored.
    #[must_use]
    pub fn new(config: Config, now: u64, usable: &[bool]) -> Self {
        let count = usable.len().clamp(1, MAX_CORES);
        let max_processes = config.max_processes.min(MAX_PID);
        let max_pipes = config.max_pipes.min(MAX_PIPES);
        let last_chore = max_processes + 1 + count as u16 + max_pipes;
        let mut new = Self {
            config: config.within_limits(),
            now,
            cores: Vec::with_capacity(count),
            online: CoreSet::EMPTY,
            deadlines: Deadlines::new(max_processes + 1, count),
            armed: NEVER,
            lenient_until: 0,
            heartbeat_paused: false,
            heartbeat_next: CoreId(1),
            counters: Counters::default(),
            table: Table::new(max_processes),
            vcores: Rooms::new((count - 1) as u16, config.frames),
            run: Fifo::new(max_processes),
            slice_end: 0,
            wanting: Fifo::new(max_processes),
            sharing: false,
            work: Fifo::new(last_chore),
            budget: 0,
            leasable: CoreSet::EMPTY,
            idle: CoreSet::EMPTY,
            leaving: CoreSet::EMPTY,
            provisioned: CoreSet::EMPTY,
            rotation: Fifo::new((count - 1) as u16),
            pipes: Pipes::new(max_pipes, config.pipe_bytes),
            last_ticket: 0,
            next_ticket: 0,
            frames: config.frames,
        };
        new.cores.push(Core::new(CoreState::Online, now));
        new.online.insert(CoreId::MANAGEMENT);
        for (core, &usable) in (1..).map(CoreId).zip(usable.iter().take(count).skip(1)) {
            let state = if usable { CoreState::Starting } else { CoreState::Absent };
            new.cores.push(Core::new(state, now));
            if usable {
                new.set_timer(Timer::Change(core), now.saturating_add(config.start_timeout));
            }
        }
        if count > 1 {
            new.set_timer(Timer::Heartbeat, now.saturating_add(config.heartbeat_interval));
        }
        new
    }

    /// Takes one input at the moment `now` (never before that of an earlier step) and puts what is to
    /// be done into `out`.
    ///
    /// Whoever drives it starts with an [`Input::Tick`], which arms the first deadline.
    pub fn step(&mut self, now: u64, input: &Input<'_>, out: &mut Outbox) {
        match *input {
            Input::Message { core, ref message } => self.hear(now, core, message, out),
            Input::Continue => self.continue_work(now, out),
            Input::Tick => self.tick(now, out),
            _ => self.take(now, input, out),
        }
    }

    /// As [`Coordinator::step`] with an [`Input::Continue`].
    #[inline(never)]
    pub fn continue_work(&mut self, now: u64, out: &mut Outbox) {
        self.begin_step(now);
        self.on_continue(out);
        self.end_step(out);
    }

    /// As [`Coordinator::step`] with an [`Input::Flushed`], in code of the caller's own.
    #[inline(always)]
    pub fn hear_flushed(&mut self, now: u64, cores: &CoreSet, ticket: u32, out: &mut Outbox) {
        self.begin_step(now);
        self.on_flushed(cores, ticket, out);
        self.end_step(out);
    }

    /// As [`Coordinator::step`] with an [`Input::Released`], in code of the caller's own.
    #[inline(always)]
    pub fn hear_released(&mut self, now: u64, cores: &CoreSet, out: &mut Outbox) {
        self.begin_step(now);
        self.on_all_released(cores, out);
        self.end_step(out);
    }

    #[inline(never)]
    fn tick(&mut self, now: u64, out: &mut Outbox) {
        self.begin_step(now);
        if self.armed <= self.now {
            self.look_whether_late();
            // Where more is due than one step does, the same moment is armed once more.
            self.armed = NEVER;
        }
        self.on_tick(out);
        self.end_step(out);
    }

    /// A step with another input.
    #[inline(never)]
    fn take(&mut self, now: u64, input: &Input<'_>, out: &mut Outbox) {
        self.begin_step(now);
        match *input {
            // They are heard elsewhere.
            Input::Message { .. } | Input::Continue | Input::Tick => {}
            Input::Flushed { ref cores, ticket } => self.on_flushed(cores, ticket, out),
            Input::Released { ref cores } => self.on_all_released(cores, out),
            Input::Console(command) => self.on_command(command, out),
            Input::StartFailed { core } => self.on_start_failed(core, out),
            Input::NmiAnswered { core, report } => self.on_nmi_answered(core, report, out),
            Input::PauseHeartbeat => self.heartbeat_paused = true,
            Input::ResumeHeartbeat => self.heartbeat_paused = false,
            Input::SetStrategy(strategy) => self.set_strategy(strategy),
            Input::SetFlushPages(pages) => self.set_flush_pages(pages),
            Input::Spawn { caller, name, root, frames } => {
                self.on_spawn(caller, name, (root, frames), out);
            }
            Input::Control(control) => self.on_control(control, out),
            Input::LoadFailed { caller, why } => self.on_load_failed(caller, why, out),
            Input::Copied { process, ticket, bytes } => {
                self.on_copied(process, ticket, bytes, out);
            }
            Input::Keys { bytes } => self.on_keys(bytes),
            Input::Enqueued { process, ref sending, what } => {
                self.on_enqueued(process, sending, what, out);
            }
        }
        self.end_step(out);
    }

    /// As [`Coordinator::step`] with an [`Input::Message`], by far the most frequent input.
    #[inline(never)]
    pub fn hear(&mut self, now: u64, core: CoreId, message: &ToMonitor, out: &mut Outbox) {
        self.hear_known(now, core, message, out);
    }

    /// As [`Coordinator::hear`], in code of the caller's own: for who knows the message's kind.
    #[inline(always)]
    pub fn hear_known(&mut self, now: u64, core: CoreId, message: &ToMonitor, out: &mut Outbox) {
        self.begin_step(now);
        self.on_message(core, message, out);
        self.end_step(out);
    }

    #[inline(always)]
    fn begin_step(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.counters.steps += 1;
        self.budget = ENTRIES_PER_STEP;
    }

    #[inline(always)]
    fn end_step(&mut self, out: &mut Outbox) {
        self.counters.sent += out.take_sends();
        out.set_again(self.has_work());
        self.arm(out);
    }

    /// How many cores the firmware lists.
    #[must_use]
    pub fn core_count(&self) -> usize {
        self.cores.len()
    }

    /// What is known about a core.
    #[must_use]
    pub fn core(&self, core: CoreId) -> Option<CoreView> {
        self.cores.get(core.index()).map(Core::view)
    }

    /// The cores that serve.
    #[must_use]
    pub fn online(&self) -> CoreSet {
        self.online
    }

    /// Frames of processes that are not reserved.
    #[must_use]
    pub fn frames_left(&self) -> u32 {
        self.frames
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Forgets what was only counted, so that an explorer takes states that differ in nothing else for
    /// the same.
    pub fn forget_counters(&mut self) {
        self.counters = Counters { illegal: self.counters.illegal, ..Counters::default() };
        self.cores.iter_mut().for_each(|core| core.unexpected = 0);
    }

    #[inline(always)]
    fn on_message(&mut self, core: CoreId, message: &ToMonitor, out: &mut Outbox) {
        if core.index() >= self.cores.len() {
            self.counters.unexpected += 1;
            return;
        }
        match *message {
            ToMonitor::Join { apic } => self.on_join(core, apic, out),
            ToMonitor::Pong { nonce } => self.on_pong(core, nonce, out),
            ToMonitor::Dumped { report } => self.on_dumped(core, report, out),
            ToMonitor::Stopped => self.on_stopped(core, out),
            ToMonitor::CoreFailed { report } => self.on_core_failed(core, report, out),
            _ => self.on_process_message(core, message, out),
        }
    }

    fn on_command(&mut self, command: Command, out: &mut Outbox) {
        let done = match command {
            Command::Ping { core } => self.ask_ping(core, out),
            Command::Dump { core } => self.ask_dump(core, out),
            Command::Stop { core } => self.ask_stop(core, out),
            Command::Start { core } => self.ask_start(core, out),
        };
        if let Err(why) = done {
            out.tell(crate::Event::Refused { command, why });
        }
    }

    fn on_tick(&mut self, out: &mut Outbox) {
        self.budget = ENTRIES_PER_TICK;
        while self.budget > 0 {
            let expired = self.deadlines.expired(self.now, &mut self.budget);
            let Some(timer) = expired else { return };
            self.budget = self.budget.saturating_sub(1);
            if timer.judges() && self.now < self.lenient_until {
                self.set_timer(timer, self.now.saturating_add(self.config.answer_timeout));
                continue;
            }
            match timer {
                Timer::Heartbeat => self.on_heartbeat(out),
                Timer::Ping(core) => self.on_ping_overdue(core, out),
                Timer::Dump(core) => self.on_dump_overdue(core, out),
                Timer::Change(core) => self.on_change_overdue(core, out),
                Timer::LetGo(core) => self.on_let_go_overdue(core, out),
                Timer::Warning(core) => self.queue_chore(Chore::Core(core)),
                Timer::Slice => self.on_slice_over(out),
                Timer::Share => self.on_share(),
                Timer::Clock(pid) => self.on_clock(pid, out),
            }
        }
    }

    /// When the coordinator itself is told of a moment long after it, the machine stood still, and the cores with
    /// it: for as long as they may take to answer, nobody is judged by not having answered.
    fn look_whether_late(&mut self) {
        if self.now - self.armed > self.config.answer_timeout / LATE {
            self.lenient_until = self.now.saturating_add(self.config.answer_timeout);
        }
    }

    /// May this step touch one more entry of a list?
    pub(crate) fn spend(&mut self) -> bool {
        let may = self.budget > 0;
        self.budget = self.budget.saturating_sub(1);
        may
    }

    /// Makes a step of one message sent and nothing else, if there is nothing else to be said: no work that waits, and no
    /// other deadline. Says whether.
    #[inline(always)]
    pub(crate) fn make_short_step(&mut self, now: u64) -> bool {
        let is_quiet = !self.has_work() && self.deadlines.known_soonest() == Some(self.armed);
        if is_quiet {
            self.begin_step(now);
            self.counters.sent += 1;
        }
        is_quiet
    }

    fn arm(&mut self, out: &mut Outbox) {
        let deadline = self.deadlines.soonest();
        if deadline != self.armed {
            self.armed = deadline;
            out.push(Output::Arm { deadline: (deadline != NEVER).then_some(deadline) });
        }
    }

    #[inline(always)]
    pub(crate) fn set_timer(&mut self, timer: Timer, deadline: u64) {
        self.deadlines.set(timer, deadline);
    }

    #[inline(always)]
    pub(crate) fn cancel_timer(&mut self, timer: Timer) {
        self.deadlines.cancel(timer);
    }

    pub(crate) fn count_unexpected(&mut self, core: CoreId) {
        self.counters.unexpected += 1;
        self.cores[core.index()].unexpected += 1;
    }
}
