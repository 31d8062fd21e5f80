//! Facts about recordings.

use super::{BadRecording, Player, Recorder};
use crate::{Command, Config, Control, Coordinator, Input, Name, Outbox, ProcessId};
use alloc::vec::Vec;
use proptest::prelude::*;
use proto::call::{Call, Outcome};
use proto::event::Event;
use proto::id::{ApicId, CoreId, Generation, Pid};
use proto::message::ToMonitor;

const CONFIG: Config = Config::with_ticks_per_second(1_000);
const PID: Pid = Pid(1);

/// One of each kind of input.
fn inputs() -> Vec<Input<'static>> {
    let (core, process) = (CoreId(1), ProcessId { pid: PID, generation: Generation(1) });
    let (caller, name) = (Call::default(), Name::new("name"));
    let event = Event { kind: 7, value: u64::MAX };
    [
        Input::Tick,
        Input::Message { core, message: ToMonitor::Join { apic: ApicId(1) } },
        Input::Console(Command::Ping { core }),
        Input::StartFailed { core },
        Input::NmiAnswered { core, report: 7 },
        Input::PauseHeartbeat,
        Input::ResumeHeartbeat,
        Input::Continue,
        Input::Spawn { caller: None, name, root: 1 << 40, frames: 9 },
        Input::Spawn { caller: Some(caller), name, root: 1, frames: 9 },
        Input::Control(Control::Run { pid: PID }),
        Input::Control(Control::Notify { pid: PID, event }),
        Input::Control(Control::Preempt { core, warning: 3 }),
        Input::Control(Control::Provision { core, to: None }),
        Input::Keys { bytes: b"keys" },
        Input::Copied { process, ticket: 1, bytes: &[0xff; 300] },
        Input::LoadFailed { caller, why: Outcome::NOT_FOUND },
        Input::Control(Control::Kill { pid: PID, code: Outcome(9) }),
        Input::Keys { bytes: b"" },
    ]
    .into()
}

/// A recording of a machine with two cores that is told these, a tick apart.
fn record(inputs: &[Input<'_>]) -> Vec<u8> {
    let usable = [true, true];
    let mut recorder = Recorder::new(Vec::new(), CONFIG, 5, &usable);
    let (mut coordinator, mut out) = (Coordinator::new(CONFIG, 5, &usable), Outbox::new());
    for (now, input) in (6..).zip(inputs) {
        recorder.before(now, input);
        coordinator.step(now, input, &mut out);
        recorder.after(&coordinator, out.outputs());
        drop(out.drain());
    }
    recorder.into_sink()
}

/// Inputs of a recording, and how many of its steps come out differently.
fn play(recording: &[u8]) -> Result<(Vec<Input<'_>>, usize), BadRecording> {
    let (mut player, mut inputs, mut mismatches) = (Player::new(recording), Vec::new(), 0);
    while let Some(step) = player.read()? {
        mismatches += usize::from(Some(player.tell(&step)) != step.digest);
        inputs.push(step.input);
    }
    Ok((inputs, mismatches))
}

#[test]
fn what_was_recorded_is_told_again_and_comes_to_the_same() {
    let recording = record(&inputs());
    assert_eq!(play(&recording), Ok((inputs(), 0)));
}

#[test]
fn recordings_can_follow_each_other() {
    let twice = [record(&inputs()), record(&inputs())].concat();
    assert_eq!(play(&twice), Ok(([inputs(), inputs()].concat(), 0)));
}

#[test]
fn a_step_that_comes_to_something_else_shows() {
    let ask = |core| record(&[Input::Tick, Input::Console(Command::Ping { core: CoreId(core) })]);
    let (mut recording, other) = (ask(0), ask(9));
    let digest = recording.len() - 8;
    assert_ne!(recording[digest..], other[digest..], "they are refused for different reasons");
    recording[digest..].copy_from_slice(&other[digest..]);
    assert_eq!(play(&recording).unwrap().1, 1);
}

#[test]
fn a_recording_may_end_anywhere() {
    let recording = record(&inputs());
    let (mut counts, mut unfinished) = (Vec::new(), 0);
    for end in 0..recording.len() {
        let mut player = Player::new(&recording[..end]);
        let mut steps = 0;
        while let Some(step) = player.read().unwrap() {
            unfinished += usize::from(step.digest.is_none());
            assert!(step.digest.is_none_or(|digest| digest == player.tell(&step)));
            steps += 1;
        }
        counts.push(steps);
    }
    assert!(counts.is_sorted() && counts.last() == Some(&inputs().len()), "{counts:?}");
    assert!(unfinished >= inputs().len(), "a step is cut off behind its input");
}

#[test]
fn what_is_no_recording_is_refused() {
    assert_eq!(play(b"\x00not a recording at all, but long enough"), Err(BadRecording::Foreign));
    assert_eq!(play(b"\x7f"), Err(BadRecording::Foreign));
    let mut foreign = record(&inputs());
    foreign[1] += 1;
    assert_eq!(play(&foreign), Err(BadRecording::Foreign));
    let without_beginning = &record(&[Input::Tick])[record(&[]).len()..];
    assert_eq!(play(without_beginning), Err(BadRecording::Malformed { at: 0 }));
}

proptest! {
    #[test]
    fn no_bytes_make_a_player_panic_while_it_reads(bytes: Vec<u8>) {
        let recording = [record(&[]), bytes].concat();
        let mut player = Player::new(&recording);
        while let Ok(Some(_)) = player.read() {}
    }
}
