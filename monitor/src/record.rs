//! What a coordinator was told, as bytes, so that another one can be told the same.
//!
//! A [`Recorder`] writes how the coordinator was made, then of each step its moment, its input and a digest of
//! its outputs. It holds nothing back: an input is written before its step, so even one that the step
//! does not survive is there. A [`Player`] reads it, and tells a coordinator of its own the same; whatever
//! the inputs determine is the same then, and so are the digests.
//!
//! Entries are postcard-encoded one behind the other. A recording may go on with another coordinator, as when the
//! machine was started again.

use crate::config::Config;
use crate::coordinator::Coordinator;
use crate::input::Input;
use crate::output::{Outbox, Output};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Stands at the beginning; its lowest byte is the version of what follows.
const MAGIC: u32 = 0x4154_4c01;

/// One piece of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Entry<'a> {
    /// A coordinator was made.
    Made {
        #[serde(with = "proto::fixed")]
        magic: u32,
        config: Config,
        now: u64,
        /// A byte per core that the firmware lists: 1 for one that can be used.
        usable: &'a [u8],
    },
    /// A step begins, so many ticks after the one before it.
    Step {
        after: u64,
        #[serde(borrow)]
        input: Input<'a>,
    },
    /// The step is over.
    Over {
        #[serde(with = "proto::fixed")]
        digest: u64,
    },
}

/// Takes the bytes of a recording.
pub trait Sink {
    /// Takes some more. It cannot fail: whoever records goes on without if it does.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Passes what is encoded to a sink.
struct Through<'a, S>(&'a mut S);

impl<S: Sink> postcard::ser_flavors::Flavor for Through<'_, S> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.put(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.put(&[data]);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn encode(value: &impl Serialize, sink: &mut impl Sink) {
    // Lengths are known and the sink takes all, so there is nothing that could fail.
    let _ = postcard::serialize_with_flavor(value, Through(sink));
}

/// FNV-1a, 64 bits wide.
struct Digest(u64);

impl Sink for Digest {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Of all that a step wants done, and of the bytes that it wants copied.
fn digest(coordinator: &Coordinator, outputs: &[Output]) -> u64 {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    for output in outputs {
        encode(output, &mut digest);
        if let Output::CopyOut { bytes, .. } = output {
            digest.put(coordinator.bytes(*bytes));
        }
    }
    digest.0
}

/// Records what one coordinator is told.
#[derive(Debug)]
pub struct Recorder<S> {
    sink: S,
    last: u64,
}

impl<S: Sink> Recorder<S> {
    /// Begins with what the coordinator was made of: the arguments of [`Coordinator::new`].
    #[must_use]
    pub fn new(mut sink: S, config: Config, now: u64, usable: &[bool]) -> Self {
        let usable: Vec<u8> = usable.iter().map(|&it| it.into()).collect();
        encode(&Entry::Made { magic: MAGIC, config, now, usable: &usable }, &mut sink);
        Self { sink, last: now }
    }

    /// To be called before a step, with its moment and input.
    #[cold] // Hardly any run is recorded.
    pub fn before(&mut self, now: u64, input: &Input) {
        let after = now.wrapping_sub(self.last);
        self.last = now;
        encode(&Entry::Step { after, input: *input }, &mut self.sink);
    }

    /// To be called after the step, with what came of it.
    #[cold]
    pub fn after(&mut self, coordinator: &Coordinator, outputs: &[Output]) {
        let digest = digest(coordinator, outputs);
        encode(&Entry::Over { digest }, &mut self.sink);
    }

    /// The sink, with all that was recorded.
    pub fn into_sink(self) -> S {
        self.sink
    }
}

/// Why a recording cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRecording {
    /// It does not begin as one does, or was made by another version.
    Foreign,
    /// What stands at this place, in bytes from the beginning, is no entry, or does not belong there.
    Malformed {
        /// Where.
        at: usize,
    },
}

impl core::error::Error for BadRecording {}

impl fmt::Display for BadRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("not a recording, or one of another version"),
            Self::Malformed { at } => write!(f, "byte {at} begins nothing that a recording holds"),
        }
    }
}

/// A step of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Its moment.
    pub now: u64,
    /// Its input.
    pub input: Input<'a>,
    /// The digest of its outputs; `None` if the recording ends before the step is over.
    pub digest: Option<u64>,
}

/// Tells a coordinator what a recording holds.
#[derive(Debug)]
pub struct Player<'a> {
    all: &'a [u8],
    rest: &'a [u8],
    last: u64,
    coordinator: Option<Coordinator>,
    outputs: Outbox,
}

impl<'a> Player<'a> {
    /// Begins at the beginning of a recording.
    #[must_use]
    pub fn new(recording: &'a [u8]) -> Self {
        let outputs = Outbox::new();
        Self { all: recording, rest: recording, last: 0, coordinator: None, outputs }
    }

    /// The next step, which is then to be told; `None` at the end, also where the recording is cut off in the
    /// middle of an entry.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the recording. It cannot be read on then.
    pub fn read(&mut self) -> Result<Option<Step<'a>>, BadRecording> {
        loop {
            let at = self.all.len() - self.rest.len();
            match self.entry()? {
                None => return Ok(None),
                Some(Entry::Made { magic, .. }) if magic != MAGIC => {
                    return Err(BadRecording::Foreign);
                }
                Some(Entry::Made { config, now, usable, .. }) => {
                    let usable: Vec<bool> = usable.iter().map(|&it| it != 0).collect();
                    self.coordinator = Some(Coordinator::new(config, now, &usable));
                    self.last = now;
                }
                Some(Entry::Step { after, input }) if self.coordinator.is_some() => {
                    self.last = self.last.wrapping_add(after);
                    return self.step(input).map(Some);
                }
                Some(_) => return Err(BadRecording::Malformed { at }),
            }
        }
    }

    fn step(&mut self, input: Input<'a>) -> Result<Step<'a>, BadRecording> {
        let before = self.rest;
        let digest = match self.entry()? {
            Some(Entry::Over { digest }) => Some(digest),
            // The step was not survived, and what follows is another start of the machine.
            _ => {
                self.rest = before;
                None
            }
        };
        Ok(Step { now: self.last, input, digest })
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, BadRecording> {
        let at = self.all.len() - self.rest.len();
        match postcard::take_from_bytes(self.rest) {
            Ok((entry, rest)) => {
                self.rest = rest;
                Ok(Some(entry))
            }
            Err(postcard::Error::DeserializeUnexpectedEnd) => Ok(None),
            Err(_) if at == 0 => Err(BadRecording::Foreign),
            Err(_) => Err(BadRecording::Malformed { at }),
        }
    }

    /// Tells the coordinator a step that [`Player::read`] gave; the digest of its outputs.
    pub fn tell(&mut self, step: &Step<'_>) -> u64 {
        let Some(coordinator) = &mut self.coordinator else { return 0 };
        drop(self.outputs.drain());
        coordinator.step(step.now, &step.input, &mut self.outputs);
        digest(coordinator, self.outputs.outputs())
    }

    /// What the last step wanted done.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        self.outputs.outputs()
    }

    /// The coordinator as the last step left it.
    #[must_use]
    pub const fn coordinator(&self) -> Option<&Coordinator> {
        self.coordinator.as_ref()
    }

    /// How many bytes of the recording were not read. At the end those are a piece of an entry that was
    /// cut off.
    #[must_use]
    pub const fn rest(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests;
