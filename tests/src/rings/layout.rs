//! What a way of moving messages between two threads must offer to be measured.

use std::hint::spin_loop;
use std::ops::Range;

/// Looks in vain, which take many seconds, after which a message counts as lost.
const PATIENCE: u64 = 1 << 32;

/// The end that messages go into. A message carries a number.
pub trait Tx: Send + 'static {
    /// Sends one message; false, and nothing happened, when there is no room.
    fn send(&mut self, number: u64) -> bool;

    /// Sends messages with these numbers, from the first on, as many as fit, and returns how many. A
    /// layout that can publishes them together.
    fn send_batch(&mut self, numbers: Range<u64>) -> u64 {
        numbers.take_while(|&number| self.send(number)).count() as u64
    }
}

/// The end that messages come out of.
pub trait Rx: Send + 'static {
    /// Takes the oldest message, if there is one, and returns its number.
    fn take(&mut self) -> Option<u64>;

    /// Takes at most so many messages, hands their numbers on in order, and returns how many there were.
    /// A layout that can frees their room together.
    fn take_batch(&mut self, most: u64, each: impl FnMut(u64)) -> u64 {
        (0..most).map_while(|_| self.take()).map(each).count() as u64
    }
}

/// Both ends that one thread holds of a layout.
pub type Ends<L> = (<L as Layout>::Tx, <L as Layout>::Rx);

/// A way of exchanging messages between two threads.
pub trait Layout {
    /// The name in results.
    const NAME: &'static str;
    /// A sender's end.
    type Tx: Tx;
    /// A receiver's end.
    type Rx: Rx;

    /// Makes room for `slots` messages in each direction, and gives each thread its ends: first the one
    /// who asks, with odd numbers from 1 on, then the one who answers each with the number above it.
    fn duplex(slots: usize) -> [Ends<Self>; 2];
}

/// A way of moving messages that keeps those that are not taken yet.
pub trait Queue {
    /// The name in results.
    const NAME: &'static str;
    /// The sender's end.
    type Tx: Tx;
    /// The receiver's end.
    type Rx: Rx;

    /// Makes room for `slots` messages in one direction.
    fn channel(slots: usize) -> (Self::Tx, Self::Rx);
}

impl<Q: Queue> Layout for Q {
    const NAME: &'static str = Q::NAME;
    type Tx = Q::Tx;
    type Rx = Q::Rx;

    fn duplex(slots: usize) -> [Ends<Self>; 2] {
        let (there, back) = (Q::channel(slots), Q::channel(slots));
        [(there.0, back.1), (back.0, there.1)]
    }
}

/// What a thread does between two looks in vain. The same for all layouts, as which is better depends on
/// the processor: PAUSE leaves the line to its writer, and on some lasts as long as fetching a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Executes PAUSE, as the kernel does.
    Pause,
    /// Looks again at once.
    Nothing,
}

impl Between {
    /// The name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Nothing => "spin",
        }
    }

    /// Polls until there is something.
    ///
    /// # Panics
    /// When nothing comes for so long that it must be lost.
    #[inline(always)]
    pub fn poll<T>(self, mut look: impl FnMut() -> Option<T>) -> T {
        for _ in 0..PATIENCE {
            if let Some(found) = look() {
                return found;
            }
            if self == Self::Pause {
                spin_loop();
            }
        }
        panic!("a message was lost, or the other thread does not run")
    }
}
