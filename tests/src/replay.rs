//! Tells a coordinator what a recording holds, and compares what that comes to.

use monitor::record::{BadRecording, Player, Step};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Steps between two audits of the coordinator's whole state.
const AUDIT: u64 = 1024;

/// What a replay has come to.
#[derive(Debug, Default)]
pub struct Replay {
    /// Inputs told.
    pub inputs: u64,
    /// Steps whose outputs were others.
    pub mismatches: u64,
    /// The first of them, in words.
    pub first: Option<String>,
    /// The recording ends within a step: the machine was ended there, or the step did not come to its end.
    pub unfinished: bool,
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = &self.first {
            writeln!(f, "{first}")?;
        }
        if self.unfinished {
            writeln!(f, "the recording ends within its last step")?;
        }
        write!(f, "REPLAY inputs={} mismatches={}", self.inputs, self.mismatches)
    }
}

impl Replay {
    fn note(&mut self, what: impl FnOnce() -> String) {
        self.mismatches += 1;
        self.first.get_or_insert_with(what);
    }
}

/// Replays a recording to its end. A panic of the coordinator, or a rule that its state breaks, is a mismatch
/// too; a panic ends the replay.
///
/// # Errors
///
/// When it is no recording.
pub fn replay(recording: &[u8]) -> Result<Replay, BadRecording> {
    let (mut player, mut replay) = (Player::new(recording), Replay::default());
    while let Some(step) = player.read()? {
        let number = replay.inputs;
        replay.inputs += 1;
        let told = catch_unwind(AssertUnwindSafe(|| player.tell(&step)));
        let Ok(digest) = told else {
            replay.note(|| format!("input {number} makes the coordinator panic: {step:?}"));
            break;
        };
        match step.digest {
            Some(recorded) if recorded != digest => {
                replay.note(|| differs(number, &step, digest, &player));
            }
            Some(_) => {}
            None => replay.unfinished = true,
        }
        if number.is_multiple_of(AUDIT) {
            audit(number, &player, &mut replay);
        }
    }
    audit(replay.inputs, &player, &mut replay);
    Ok(replay)
}

fn audit(number: u64, player: &Player<'_>, replay: &mut Replay) {
    if let Some(Err(broken)) = player.coordinator().map(|it| it.audit()) {
        replay.note(|| format!("a rule is broken at input {number}: {broken:?}"));
    }
}

fn differs(number: u64, step: &Step<'_>, digest: u64, player: &Player<'_>) -> String {
    let Step { now, input, digest: recorded } = step;
    let recorded = recorded.unwrap_or_default();
    let mut text = format!(
        "input {number} comes to something else here than it did (digest {digest:#x}, not {recorded:#x}); \
         the recording must be of the same sources\n  at {now}: {input:?}\n  here it comes to"
    );
    for output in player.outputs() {
        text.push_str(&format!("\n    {output:?}"));
    }
    if player.outputs().is_empty() {
        text.push_str(" nothing");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::replay;
    use monitor::record::Recorder;
    use monitor::{Command, Config, Coordinator, Input, Outbox};
    use proto::id::CoreId;

    /// A recording of two steps: the second refuses a command.
    fn recording() -> Vec<u8> {
        let (config, usable) = (Config::with_ticks_per_second(1_000), [true, true]);
        let mut recorder = Recorder::new(Vec::new(), config, 0, &usable);
        let (mut coordinator, mut out) = (Coordinator::new(config, 0, &usable), Outbox::new());
        for input in [Input::Tick, Input::Console(Command::Ping { core: CoreId(9) })] {
            recorder.before(7, &input);
            coordinator.step(7, &input, &mut out);
            recorder.after(&coordinator, out.outputs());
            drop(out.drain());
        }
        recorder.into_sink()
    }

    #[test]
    fn what_comes_to_the_same_is_counted() {
        let replay = replay(&recording()).expect("it is a recording");
        assert_eq!(replay.to_string(), "REPLAY inputs=2 mismatches=0");
    }

    #[test]
    fn the_first_step_that_differs_is_shown_with_what_it_comes_to_here() {
        let mut recording = recording();
        *recording.last_mut().expect("it is not empty") ^= 1;
        let text = replay(&recording).expect("it is a recording").to_string();
        assert!(text.starts_with("input 1 comes to something else"), "{text}");
        assert!(text.contains("Ping { core: CoreId(9) }") && text.contains("NoSuchCore"), "{text}");
        assert!(text.ends_with("REPLAY inputs=2 mismatches=1"), "{text}");
    }

    #[test]
    fn a_recording_that_ends_within_a_step_says_so() {
        let recording = recording();
        let replay = replay(&recording[..recording.len() - 8]).expect("it is a recording");
        assert!(replay.unfinished && replay.inputs == 2 && replay.mismatches == 0, "{replay}");
    }
}
