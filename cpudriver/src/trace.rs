//! What a core did last: a ring of events that each core keeps for itself.
//!
//! Recording is a store of 32 bytes and two counters, cheap enough to be left on. The newest events
//! overwrite the oldest, and how many were lost that way is known. Messages are recorded by their tag
//! and named when they are shown.

use core::fmt;
use proto::id::CoreId;
use proto::message::{Lane, Peer, ToCore, ToMonitor};
use proto::sample;

/// Which message it was, by channel and tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A [`ToCore`] with that tag.
    ToCore(u8),
    /// A [`ToMonitor`] with that tag.
    ToMonitor(u8),
    /// A [`Peer`] with that tag.
    Peer(u8),
}

impl From<&ToCore> for Kind {
    fn from(message: &ToCore) -> Self {
        Self::ToCore(message.tag())
    }
}

impl From<&ToMonitor> for Kind {
    fn from(message: &ToMonitor) -> Self {
        Self::ToMonitor(message.tag())
    }
}

impl From<&Peer> for Kind {
    fn from(message: &Peer) -> Self {
        Self::Peer(message.tag())
    }
}

/// The name of the message, such as `ToCore::Ping`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::ToCore(tag) => sample::TO_CORE.get(usize::from(tag)).map(|sample| sample.name),
            Self::ToMonitor(tag) => {
                sample::TO_MONITOR.get(usize::from(tag)).map(|sample| sample.name)
            }
            Self::Peer(tag) => sample::PEER.get(usize::from(tag)).map(|sample| sample.name),
        };
        match name {
            Some(name) => f.pad(name),
            None => write!(f, "{self:?}"),
        }
    }
}

/// Something that happened on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It sent a message.
    Sent {
        /// Which kind of message.
        kind: Kind,
        /// In which lane.
        lane: Lane,
        /// To whom.
        to: CoreId,
    },
    /// It took a message out of a ring.
    Received {
        /// Which kind of message.
        kind: Kind,
        /// From which lane.
        lane: Lane,
        /// From whom.
        from: CoreId,
        /// What it was answered at once, if it was.
        answer: Option<Kind>,
    },
    /// It took a shootdown out of a ring, flushed, and answered.
    Flushed {
        /// Who has told it.
        told_by: CoreId,
    },
    /// It rang a doorbell.
    Rang {
        /// Whose.
        core: CoreId,
    },
    /// It heard its own doorbell.
    Heard,
    /// It went to sleep.
    Halt,
    /// It was woken.
    Wake,
    /// Its timer fired.
    Timer,
    /// A core, be it itself or one that it watches, changed its state.
    State {
        /// Which core.
        core: CoreId,
        /// Its state from now on.
        state: &'static str,
    },
    /// A phase of its own life began.
    Phase(&'static str),
    /// Anything else worth a note.
    Mark {
        /// What it is.
        label: &'static str,
        /// A number that goes with it.
        value: u32,
    },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urgent = |lane| if lane == Lane::Immediate { " (immediate)" } else { "" };
        match *self {
            Self::Sent { kind, lane, to } => write!(f, "sent {kind} to core {to}{}", urgent(lane)),
            Self::Received { kind, lane, from, answer } => {
                write!(f, "received {kind} from core {from}{}", urgent(lane))?;
                answer.map_or(Ok(()), |answer| write!(f, ", answered {answer}"))
            }
            Self::Flushed { told_by } => {
                write!(f, "flushed translations, told by core {told_by}, and answered")
            }
            Self::Rang { core } => write!(f, "rang the doorbell of core {core}"),
            Self::Heard => f.write_str("heard the doorbell"),
            Self::Halt => f.write_str("halted"),
            Self::Wake => f.write_str("woke"),
            Self::Timer => f.write_str("timer fired"),
            Self::State { core, state } => write!(f, "core {core} is {state}"),
            Self::Phase(name) => write!(f, "phase: {name}"),
            Self::Mark { label, value } => write!(f, "{label}: {value}"),
        }
    }
}

/// What happened, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The clock of the core, in ticks.
    pub stamp: u64,
    /// What happened.
    pub what: What,
}

/// Half a cache line, so that an event never lies in two.
const _: () = assert!(size_of::<Event>() == 32);

impl Event {
    /// Fills a buffer that nothing was recorded in yet.
    pub const EMPTY: Self = Self { stamp: 0, what: What::Phase("") };
}

/// The events of one core; see the [module](self).
#[derive(Debug)]
pub struct Trace<'a> {
    events: &'a mut [Event],
    /// What of the number of an event tells its place.
    mask: usize,
    recorded: u64,
}

impl<'a> Trace<'a> {
    /// A trace that keeps as many events as the buffer has places; what they hold doesn't matter. Without
    /// places, events are counted and forgotten.
    ///
    /// # Panics
    /// When the number of places is neither 0 nor a power of two.
    #[must_use]
    pub const fn new(events: &'a mut [Event]) -> Self {
        let places = events.len();
        assert!(places == 0 || places.is_power_of_two(), "a place is found by a mask");
        Self { events, mask: places.wrapping_sub(1), recorded: 0 }
    }

    /// The place of the event with this number.
    #[inline(always)]
    const fn place(&self, number: u64) -> usize {
        number as usize & self.mask
    }

    /// Adds an event, in place of the oldest if there is no room.
    #[inline]
    pub fn record(&mut self, stamp: u64, what: What) {
        let at = self.place(self.recorded);
        if let Some(place) = self.events.get_mut(at) {
            *place = Event { stamp, what };
        }
        self.recorded += 1;
    }

    /// The message of which the last event tells was answered at once: that is no event of its own.
    #[inline]
    pub fn answered(&mut self, with: Kind) {
        let last = self.place(self.recorded.wrapping_sub(1));
        if let Some(What::Received { answer, .. }) =
            self.events.get_mut(last).map(|it| &mut it.what)
        {
            *answer = Some(with);
        }
    }

    /// How many events were ever recorded.
    #[must_use]
    pub const fn recorded(&self) -> u64 {
        self.recorded
    }

    /// How many of them are gone.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.recorded.saturating_sub(self.events.len() as u64)
    }

    /// The events that are kept, the oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> + Clone {
        let next = self.place(self.recorded).min(self.events.len());
        let (newer, older) = self.events.split_at(next);
        let older = if self.recorded < self.events.len() as u64 { &[] } else { older };
        older.iter().chain(newer)
    }

    /// The last `count` events, or as many as are kept, the oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &Event> + Clone {
        let kept = self.events().count();
        self.events().skip(kept.saturating_sub(count))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Event, Kind, Trace, What};
    use proptest::prelude::*;
    use proto::id::CoreId;
    use proto::message::{Lane, Peer, ToCore, ToMonitor};
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    fn stamps<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<u64> {
        events.map(|event| event.stamp).collect()
    }

    #[test]
    fn the_newest_events_are_kept_in_order() {
        let mut buffer = [Event::EMPTY; 4];
        let mut trace = Trace::new(&mut buffer);
        assert_eq!(stamps(trace.events()), [0; 0]);
        for stamp in 1..=6 {
            trace.record(stamp, What::Timer);
        }
        assert_eq!(stamps(trace.events()), [3, 4, 5, 6]);
        assert_eq!(stamps(trace.events().rev()), [6, 5, 4, 3]);
        assert_eq!(stamps(trace.last(2)), [5, 6]);
        assert_eq!((trace.recorded(), trace.overwritten()), (6, 2));
    }

    #[test]
    fn without_a_buffer_events_are_only_counted() {
        let mut trace = Trace::new(&mut []);
        trace.record(1, What::Halt);
        trace.record(2, What::Wake);
        assert_eq!((trace.overwritten(), trace.events().count()), (2, 0));
    }

    #[test]
    fn events_are_told_in_words() {
        let dump = ToCore::Dump;
        let sent = What::Sent { kind: Kind::from(&dump), lane: dump.lane(), to: CoreId(3) };
        assert_eq!(sent.to_string(), "sent ToCore::Dump to core 3 (immediate)");
        let kind = Kind::from(&ToMonitor::Pong { nonce: 1 });
        let (lane, from) = (Lane::Routine, CoreId(2));
        let received = What::Received { kind, lane, from, answer: None };
        assert_eq!(received.to_string(), "received ToMonitor::Pong from core 2");
        let flushed = What::Flushed { told_by: CoreId(0) };
        assert_eq!(flushed.to_string(), "flushed translations, told by core 0, and answered");
        assert_eq!(Kind::from(&Peer::End).to_string(), "Peer::End");
        assert_eq!(Kind::ToCore(200).to_string(), "ToCore(200)");
        let state = What::State { core: CoreId(1), state: "stopped" };
        assert_eq!(state.to_string(), "core 1 is stopped");
        assert_eq!(What::Phase("long mode").to_string(), "phase: long mode");
        assert_eq!(What::Mark { label: "page faults", value: 7 }.to_string(), "page faults: 7");
    }

    #[test]
    fn an_answer_at_once_is_told_with_what_it_answers() {
        let (lane, from) = (Lane::Routine, CoreId(0));
        let received = |tag| What::Received { kind: Kind::ToCore(tag), lane, from, answer: None };
        let mut buffer = [Event::EMPTY; 2];
        let mut trace = Trace::new(&mut buffer);
        trace.answered(Kind::ToMonitor(14));
        // The second time the last event is the last of the buffer.
        for tag in [7, 10] {
            trace.record(1, received(tag));
            trace.answered(Kind::ToMonitor(14));
        }
        trace.record(2, What::Halt);
        trace.answered(Kind::ToMonitor(14));
        let told: Vec<_> = trace.events().map(|event| event.what.to_string()).collect();
        assert_eq!(
            told,
            ["received ToCore::Death from core 0, answered ToMonitor::Released", "halted"]
        );
    }

    proptest! {
        #[test]
        fn it_is_the_end_of_all_that_was_recorded(bits in 0_u32..5, count in 0_u64..40) {
            let size = (1_usize << bits) >> 1;
            let mut buffer = vec![Event::EMPTY; size];
            let mut trace = Trace::new(&mut buffer);
            for stamp in 0..count {
                trace.record(stamp, What::Heard);
            }
            let first = count.saturating_sub(size as u64);
            prop_assert_eq!(stamps(trace.events()), (first..count).collect::<Vec<_>>());
            prop_assert_eq!(trace.overwritten(), first);
        }
    }
}
