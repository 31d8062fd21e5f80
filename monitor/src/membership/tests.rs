//! Facts about membership.

use crate::{
    Command, Config, Coordinator, CoreState, Event, Input, LossCause, Outbox, Output, Refusal,
};
use alloc::vec::Vec;
use proto::id::{ApicId, CoreId};
use proto::message::{ToCore, ToMonitor};

const CONFIG: Config = Config {
    start_timeout: 100,
    answer_timeout: 50,
    heartbeat_interval: 1_000,
    ..Config::with_ticks_per_second(1_000)
};
const ONE: CoreId = CoreId(1);
const TWO: CoreId = CoreId(2);

struct Machine {
    coordinator: Coordinator,
    out: Outbox,
}

impl Machine {
    /// Three usable cores and an absent one, nobody but core 0 online.
    fn new() -> Self {
        let coordinator = Coordinator::new(CONFIG, 0, &[true, true, true, false]);
        Self { coordinator, out: Outbox::new() }
    }

    fn online() -> Self {
        let mut machine = Self::new();
        machine.says(1, ONE, ToMonitor::Join { apic: ApicId(1) });
        machine.says(1, TWO, ToMonitor::Join { apic: ApicId(2) });
        machine
    }

    fn step(&mut self, now: u64, input: Input) -> Vec<Output> {
        self.coordinator.step(now, &input, &mut self.out);
        self.out.drain().filter(|it| !matches!(it, Output::Arm { .. })).collect()
    }

    fn says(&mut self, now: u64, core: CoreId, message: ToMonitor) -> Vec<Output> {
        self.step(now, Input::Message { core, message })
    }

    fn asks(&mut self, now: u64, command: Command) -> Vec<Output> {
        self.step(now, Input::Console(command))
    }

    fn tick(&mut self, now: u64) -> Vec<Output> {
        self.step(now, Input::Tick)
    }

    fn state(&self, core: CoreId) -> CoreState {
        self.coordinator.core(core).unwrap().state
    }
}

fn send(core: CoreId, message: ToCore) -> Output {
    Output::Send { core, message }
}

fn refused(command: Command, why: Refusal) -> [Output; 1] {
    [Output::Tell(Event::Refused { command, why })]
}

#[test]
fn a_core_that_joins_in_time_is_online() {
    let mut machine = Machine::new();
    assert_eq!(machine.state(ONE), CoreState::Starting);
    let said = machine.says(99, ONE, ToMonitor::Join { apic: ApicId(8) });
    assert_eq!(said, [Output::Tell(Event::Joined { core: ONE, apic: ApicId(8) })]);
    assert_eq!(machine.state(ONE), CoreState::Online);
    assert!(machine.coordinator.online().contains(ONE));
}

#[test]
fn a_core_that_does_not_join_is_reported_once_and_may_come_late() {
    let mut machine = Machine::new();
    let lost = |core| Output::Tell(Event::CoreLost { core, why: LossCause::NeverJoined });
    assert_eq!(machine.tick(99), []);
    assert_eq!(machine.tick(100), [lost(ONE), lost(TWO)]);
    assert_eq!(machine.tick(200), []);
    assert_eq!(machine.state(ONE), CoreState::Silent);
    machine.says(300, ONE, ToMonitor::Join { apic: ApicId(1) });
    assert_eq!(machine.state(ONE), CoreState::Online);
}

#[test]
fn the_first_step_arms_the_soonest_deadline_and_later_ones_only_changes() {
    let mut coordinator = Coordinator::new(CONFIG, 0, &[true, true]);
    let mut out = Outbox::new();
    coordinator.step(0, &Input::Tick, &mut out);
    assert_eq!(out.outputs(), [Output::Arm { deadline: Some(100) }]);
    out.drain().for_each(drop);
    coordinator.step(1, &Input::Tick, &mut out);
    assert_eq!(out.outputs(), []);
}

#[test]
fn one_core_alone_arms_nothing() {
    let mut coordinator = Coordinator::new(CONFIG, 0, &[true]);
    let mut out = Outbox::new();
    coordinator.step(0, &Input::Tick, &mut out);
    assert_eq!(out.outputs(), []);
}

#[test]
fn the_heartbeat_goes_to_each_core_in_turn() {
    let mut machine = Machine::online();
    for (at, core, nonce) in [(1_000, ONE, 1), (2_000, TWO, 1), (3_000, ONE, 2)] {
        assert_eq!(machine.tick(at), [send(core, ToCore::Ping { nonce })]);
        assert_eq!(machine.says(at + 10, core, ToMonitor::Pong { nonce }), []);
    }
}

#[test]
fn a_core_that_misses_its_heartbeat_is_lost_and_its_late_answer_brings_it_back() {
    let mut machine = Machine::online();
    machine.tick(1_000);
    let lost = Event::CoreLost { core: ONE, why: LossCause::NoAnswer };
    assert_eq!(machine.tick(1_050), [Output::Tell(lost)]);
    assert_eq!(machine.state(ONE), CoreState::Silent);
    let back = Event::CoreBack { core: ONE };
    assert_eq!(machine.says(9_000, ONE, ToMonitor::Pong { nonce: 1 }), [Output::Tell(back)]);
    assert_eq!(machine.state(ONE), CoreState::Online);
    assert_eq!(machine.says(9_001, ONE, ToMonitor::Pong { nonce: 1 }), []);
    assert_eq!(machine.coordinator.core(ONE).unwrap().unexpected, 1);
}

#[test]
fn nobody_is_lost_while_the_heartbeat_is_paused() {
    let mut machine = Machine::online();
    machine.tick(1_000);
    machine.step(1_001, Input::PauseHeartbeat);
    assert_eq!(machine.tick(5_000), []);
    machine.step(5_001, Input::ResumeHeartbeat);
    assert_eq!(machine.tick(5_049), []);
    let lost = Event::CoreLost { core: ONE, why: LossCause::NoAnswer };
    assert_eq!(machine.tick(5_050), [Output::Tell(lost)]);
}

#[test]
fn the_console_learns_the_round_trip() {
    let mut machine = Machine::online();
    let command = Command::Ping { core: TWO };
    assert_eq!(machine.asks(5, command), [send(TWO, ToCore::Ping { nonce: 1 })]);
    assert_eq!(machine.asks(6, command), refused(command, Refusal::Busy));
    let pong = Event::Pong { core: TWO, round_trip: 7 };
    assert_eq!(machine.says(12, TWO, ToMonitor::Pong { nonce: 1 }), [Output::Tell(pong)]);
}

#[test]
fn the_console_can_ping_the_management_core() {
    let mut machine = Machine::online();
    let sent = machine.asks(5, Command::Ping { core: CoreId(0) });
    assert_eq!(sent, [send(CoreId(0), ToCore::Ping { nonce: 1 })]);
}

#[test]
fn a_console_ping_waits_for_an_outstanding_heartbeat() {
    let mut machine = Machine::online();
    machine.tick(1_000);
    assert_eq!(machine.asks(1_001, Command::Ping { core: ONE }), []);
    let sent = machine.says(1_002, ONE, ToMonitor::Pong { nonce: 1 });
    assert_eq!(sent, [send(ONE, ToCore::Ping { nonce: 2 })]);
    let pong = Event::Pong { core: ONE, round_trip: 3 };
    assert_eq!(machine.says(1_005, ONE, ToMonitor::Pong { nonce: 2 }), [Output::Tell(pong)]);
}

#[test]
fn a_ping_to_a_core_that_is_lost_meanwhile_is_answered() {
    let mut machine = Machine::online();
    machine.asks(5, Command::Ping { core: ONE });
    let told = machine.says(6, ONE, ToMonitor::CoreFailed { report: 40 });
    let why = LossCause::Panicked { report: 40 };
    assert_eq!(
        told,
        [
            Output::Tell(Event::PingUnanswered { core: ONE }),
            Output::Tell(Event::CoreLost { core: ONE, why }),
        ]
    );
    assert_eq!(machine.state(ONE), CoreState::Failed);
}

#[test]
fn a_dump_is_asked_by_message_then_by_nmi_then_given_up() {
    let mut machine = Machine::online();
    assert_eq!(machine.asks(0, Command::Dump { core: ONE }), [send(ONE, ToCore::Dump)]);
    assert_eq!(machine.tick(51), [Output::Nmi { core: ONE }]);
    assert_eq!(machine.tick(101), [Output::Tell(Event::DumpUnanswered { core: ONE })]);

    // The message still lies in the ring.
    let ask = Command::Dump { core: ONE };
    let nmi = Input::NmiAnswered { core: ONE, report: 9 };
    for now in [200, 300] {
        assert_eq!(machine.asks(now, ask), [Output::Nmi { core: ONE }]);
        assert_eq!(machine.asks(now, ask), refused(ask, Refusal::Busy));
        let told = machine.step(now + 1, nmi);
        assert_eq!(told, [Output::Tell(Event::Dumped { core: ONE, report: 9, by_nmi: true })]);
    }
    machine.asks(400, ask);
    let told = machine.says(401, ONE, ToMonitor::Dumped { report: 8 });
    assert_eq!(told, [Output::Tell(Event::Dumped { core: ONE, report: 8, by_nmi: false })]);
    assert_eq!(machine.step(402, nmi), []);
    assert_eq!(machine.says(403, ONE, ToMonitor::Dumped { report: 8 }), []);
    assert_eq!(machine.coordinator.counters().unexpected, 2);
    assert_eq!(machine.asks(500, ask), [send(ONE, ToCore::Dump)]);
}

#[test]
fn the_management_core_gets_no_nmi_and_no_second_message() {
    let mut machine = Machine::online();
    let ask = Command::Dump { core: CoreId(0) };
    assert_eq!(machine.asks(0, ask), [send(CoreId(0), ToCore::Dump)]);
    assert_eq!(machine.tick(51), [Output::Tell(Event::DumpUnanswered { core: CoreId(0) })]);
    assert_eq!(machine.asks(60, ask), []);
    let told = machine.says(61, CoreId(0), ToMonitor::Dumped { report: 8 });
    let dumped = Event::Dumped { core: CoreId(0), report: 8, by_nmi: false };
    assert_eq!(told, [Output::Tell(dumped)]);
}

#[test]
fn a_silent_core_can_still_be_asked_for_a_report() {
    let mut machine = Machine::online();
    machine.tick(1_000);
    machine.tick(1_050);
    assert_eq!(machine.asks(1_060, Command::Dump { core: ONE }), [send(ONE, ToCore::Dump)]);
    assert_eq!(machine.tick(1_110), [Output::Nmi { core: ONE }]);
}

#[test]
fn a_core_is_parked_and_brought_back() {
    let mut machine = Machine::online();
    let stop = Command::Stop { core: ONE };
    assert_eq!(machine.asks(10, stop), [send(ONE, ToCore::Stop)]);
    assert_eq!(machine.asks(11, stop), refused(stop, Refusal::Busy));
    let told = machine.says(12, ONE, ToMonitor::Stopped);
    assert_eq!(told, [Output::Tell(Event::Stopped { core: ONE })]);
    assert_eq!(machine.state(ONE), CoreState::Stopped);
    assert_eq!(machine.asks(13, stop), refused(stop, Refusal::NotOnline));

    let start = Command::Start { core: ONE };
    assert_eq!(machine.asks(20, start), [Output::Restart { core: ONE }]);
    assert_eq!(machine.asks(21, start), refused(start, Refusal::AlreadyOnline));
    let told = machine.says(25, ONE, ToMonitor::Join { apic: ApicId(1) });
    assert_eq!(told, [Output::Tell(Event::Started { core: ONE, took: 5 })]);
    assert_eq!(machine.state(ONE), CoreState::Online);
}

#[test]
fn a_stop_that_goes_unanswered_loses_the_core() {
    let mut machine = Machine::online();
    machine.asks(10, Command::Stop { core: ONE });
    assert_eq!(
        machine.tick(60),
        [
            Output::Tell(Event::StopUnanswered { core: ONE }),
            Output::Tell(Event::CoreLost { core: ONE, why: LossCause::NoAnswer }),
        ]
    );
    assert_eq!(machine.says(70, ONE, ToMonitor::Stopped), []);
    assert_eq!(machine.state(ONE), CoreState::Stopped);
}

#[test]
fn a_failed_core_is_restarted_and_a_start_that_fails_is_answered() {
    let mut machine = Machine::online();
    machine.says(5, ONE, ToMonitor::CoreFailed { report: 0 });
    machine.asks(10, Command::Start { core: ONE });
    assert_eq!(
        machine.tick(110),
        [
            Output::Tell(Event::StartUnanswered { core: ONE }),
            Output::Tell(Event::CoreLost { core: ONE, why: LossCause::NeverJoined }),
        ]
    );
    machine.asks(120, Command::Start { core: ONE });
    assert_eq!(
        machine.step(121, Input::StartFailed { core: ONE }),
        [
            Output::Tell(Event::StartUnanswered { core: ONE }),
            Output::Tell(Event::CoreLost { core: ONE, why: LossCause::StartFailed }),
        ]
    );
}

#[test]
fn commands_that_cannot_be_done_are_refused_with_a_reason() {
    let mut machine = Machine::online();
    for (command, why) in [
        (Command::Stop { core: CoreId(0) }, Refusal::ManagementCore),
        (Command::Ping { core: CoreId(3) }, Refusal::Absent),
        (Command::Start { core: CoreId(3) }, Refusal::Absent),
        (Command::Dump { core: CoreId(4) }, Refusal::NoSuchCore),
        (Command::Start { core: CoreId(0) }, Refusal::AlreadyOnline),
    ] {
        assert_eq!(machine.asks(5, command), refused(command, why));
    }
}

#[test]
fn unexpected_messages_are_counted_and_change_nothing_else() {
    let mut machine = Machine::online();
    let mut before = machine.coordinator.clone();
    for message in [
        ToMonitor::Pong { nonce: 7 },
        ToMonitor::Dumped { report: 1 },
        ToMonitor::Join { apic: ApicId(9) },
        ToMonitor::ShootdownDone { ticket: 3 },
    ] {
        assert_eq!(machine.says(1, TWO, message), []);
    }
    assert_eq!(machine.says(1, CoreId(999), ToMonitor::Stopped), []);
    assert_eq!(machine.coordinator.counters().unexpected, 5);
    before.counters = machine.coordinator.counters;
    before.cores[2].unexpected = 4;
    assert_eq!(before, machine.coordinator);
}

/// As when the host runs other things than this machine for a while.
#[test]
fn when_the_whole_machine_stood_still_no_core_is_lost_for_it() {
    let mut machine = Machine::online();
    machine.tick(1_000);
    assert!(machine.coordinator.core(ONE).is_some_and(|it| it.ping_outstanding));
    machine.asks(1_001, Command::Stop { core: TWO });
    // This moment was to be told of at 1,050.
    assert_eq!(machine.tick(1_300), []);
    assert_eq!((machine.state(ONE), machine.state(TWO)), (CoreState::Online, CoreState::Online));
    machine.says(1_310, ONE, ToMonitor::Pong { nonce: 1 });
    machine.says(1_310, TWO, ToMonitor::Stopped);
    assert_eq!((machine.state(ONE), machine.state(TWO)), (CoreState::Online, CoreState::Stopped));
}

#[test]
fn a_core_that_does_not_answer_after_the_machine_stood_still_either_is_lost() {
    let mut machine = Machine::online();
    machine.tick(1_000);
    machine.tick(1_300);
    machine.tick(1_349);
    assert_eq!(machine.state(ONE), CoreState::Online);
    machine.tick(1_350);
    assert_eq!(machine.state(ONE), CoreState::Silent);
}

#[test]
fn a_core_that_was_given_up_and_is_to_park_is_not_taken_back_before() {
    let mut machine = Machine::online();
    machine.asks(1, Command::Ping { core: ONE });
    machine.asks(2, Command::Stop { core: ONE });
    let overdue = machine.coordinator.config.answer_timeout + 3;
    machine.step(overdue, Input::Tick);
    assert_eq!(machine.coordinator.core(ONE).map(|it| it.state), Some(CoreState::Silent));
    machine.says(overdue, ONE, ToMonitor::Pong { nonce: 1 });
    // Another `Stop` would come beside the one that it has not taken.
    assert_eq!(machine.state(ONE), CoreState::Silent);
    machine.says(overdue, ONE, ToMonitor::Stopped);
    assert_eq!(machine.coordinator.core(ONE).map(|it| it.state), Some(CoreState::Stopped));
    assert!(!machine.coordinator.idle_cores().contains(ONE));
}

#[test]
fn a_core_that_two_pings_waited_for_is_taken_back_when_it_answers_late() {
    let mut machine = Machine::online();
    let beat = machine.coordinator.config.heartbeat_interval + 10;
    machine.step(beat, Input::Tick);
    let asked = machine.asks(beat, Command::Ping { core: ONE });
    assert_eq!(asked, [], "it waits for the heartbeat's");
    machine.step(beat + machine.coordinator.config.answer_timeout + 1, Input::Tick);
    assert_eq!(machine.coordinator.core(ONE).map(|it| it.state), Some(CoreState::Silent));
    let now = machine.coordinator.now;
    machine.says(now, ONE, ToMonitor::Pong { nonce: 1 });
    assert_eq!(machine.coordinator.core(ONE).map(|it| it.state), Some(CoreState::Online));
}

#[test]
fn a_thousand_rounds_of_stop_and_start_leave_no_trace() {
    let mut machine = Machine::online();
    let mut at = 10;
    let mut round = |machine: &mut Machine| {
        machine.asks(at, Command::Stop { core: ONE });
        machine.says(at, ONE, ToMonitor::Stopped);
        machine.asks(at, Command::Start { core: ONE });
        machine.says(at, ONE, ToMonitor::Join { apic: ApicId(1) });
        at += 1;
    };
    round(&mut machine);
    let mut first = machine.coordinator.clone();
    (0..999).for_each(|_| round(&mut machine));
    first.now = machine.coordinator.now;
    first.counters = machine.coordinator.counters;
    first.cores[1].started = machine.coordinator.cores[1].started;
    first.deadlines = machine.coordinator.deadlines.clone();
    assert_eq!(first, machine.coordinator);
}
