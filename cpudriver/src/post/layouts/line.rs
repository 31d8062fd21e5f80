//! Messages in cache lines that say themselves whether they are new, without `rtrb`.
//!
//! A line is seven words for the message's fields and one for its sequence number and tag, which is
//! written last (release) and read first (acquire); so one line moves between two caches per message, and no index does. The receiver
//! tells its position only now and then, in a line of its own, and the sender looks at it only when it
//! would overtake what it knows. Each word has one writer. This is how messages are passed in
//! Barrelfish, and the least that one costs.

use super::Path;
use super::hand::{InWords, Words};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};
use proto::slot::NoMessage;

/// Bits of a line's head that hold the tag.
const TAG_BITS: u32 = 8;

/// One cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line {
    words: Words,
    /// Above [`TAG_BITS`] the number of messages sent up to this one, 0 before the first; below, its tag.
    head: AtomicU64,
}

/// What two cores share.
#[derive(Debug)]
pub struct Lines {
    /// A power of two of them.
    lines: Box<[Line]>,
    /// How many messages the receiver has taken, as of when it last said so.
    taken: Box<Line>,
}

/// A sender's own state.
#[derive(Debug, Default)]
pub struct Sending {
    sent: u64,
    /// What the sender knows of `taken`.
    known: u64,
}

/// A receiver's own state.
#[derive(Debug, Default)]
pub struct Receiving {
    taken: u64,
}

impl Lines {
    /// Makes lines for this many messages, a power of two.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        let lines = core::iter::repeat_with(Line::default).take(slots.next_power_of_two());
        Self { lines: lines.collect(), taken: Box::default() }
    }

    #[inline(always)]
    fn line(&self, number: u64) -> &Line {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits count")]
        let at = number as usize & (self.lines.len() - 1);
        &self.lines[at]
    }

    /// Sends a message; false when all lines hold messages of which the receiver hasn't said yet that it
    /// took them. Only one core sends, always with the same state.
    #[inline(never)]
    pub fn put<M: InWords>(&self, sending: &mut Sending, message: &M) -> bool {
        if sending.sent - sending.known == self.lines.len() as u64 {
            sending.known = self.taken.head.load(Ordering::Acquire);
            if sending.sent - sending.known == self.lines.len() as u64 {
                return false;
            }
        }
        let line = self.line(sending.sent);
        let tag = message.store(&line.words);
        sending.sent += 1;
        line.head.store(sending.sent << TAG_BITS | u64::from(tag), Ordering::Release);
        true
    }

    /// Takes the oldest message. Only one core receives, always with the same state.
    ///
    /// # Errors
    /// [`NoMessage::Empty`] when there is none.
    #[inline(never)]
    pub fn take<M: InWords>(&self, receiving: &mut Receiving) -> Result<M, NoMessage> {
        let line = self.line(receiving.taken);
        let head = line.head.load(Ordering::Acquire);
        if head >> TAG_BITS != receiving.taken + 1 {
            return Err(NoMessage::Empty);
        }
        let [tag, ..] = head.to_le_bytes();
        let message = M::load(tag, &line.words);
        receiving.taken += 1;
        if receiving.taken.is_multiple_of(self.lines.len() as u64 / 2) {
            self.taken.head.store(receiving.taken, Ordering::Release);
        }
        message
    }
}

/// Lines with both of their ends on one core.
#[derive(Debug)]
pub struct Pair {
    lines: Lines,
    sending: Sending,
    receiving: Receiving,
}

impl<M: InWords> Path<M> for Pair {
    fn new(slots: usize) -> Self {
        let lines = Lines::new(slots);
        Self { lines, sending: Sending::default(), receiving: Receiving::default() }
    }

    #[inline(always)]
    fn put(&mut self, message: &M) -> bool {
        self.lines.put(&mut self.sending, message)
    }

    #[inline(always)]
    fn take(&mut self) -> Result<M, NoMessage> {
        self.lines.take(&mut self.receiving)
    }

    #[inline(always)]
    fn put_all(&mut self, messages: &[M]) -> usize {
        messages.iter().take_while(|message| self.put(*message)).count()
    }

    #[inline(always)]
    fn take_all(&mut self, most: usize, mut visit: impl FnMut(&Result<M, NoMessage>)) -> usize {
        for taken in 0..most {
            match self.take() {
                Err(NoMessage::Empty) => return taken,
                message => visit(&message),
            }
        }
        most
    }
}
