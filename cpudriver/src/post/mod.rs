//! The message path between two cores: pure, without unsafe code, generic over ring and hardware.
//!
//! The very same code runs in the kernel (rings of `rtrb`, the hardware of `arch`), between threads of
//! the host (benchmark) and in the explorer of the lost wake-up race (a model of memory with store
//! buffers). The parts:
//!
//! - [`ring`]: what a ring of slots must offer, and `rtrb`'s answer.
//! - [`lanes`]: typed ends of a link: [`Sender`] and [`Receiver`], two lanes each, counted.
//! - [`bounds`]: how many messages of a kind may be outstanding, and that they fit.
//! - [`hardware`]: flag bytes, state byte, fence, doorbell, halt.
//! - [`flags`]: the search for a flag byte that is set.
//! - [`outbox`]: the end of a sender's step: flags, one fence, doorbells.
//! - [`layouts`]: other ways to lay a message out, to compare with.
//! - [`inbox`]: the receiver: which senders to look at, immediate before routine, and how to halt without
//!   losing a wake-up.
//!
//! # How a sender uses it
//!
//! ```text
//! step:  outbox.send(&mut link_to_7, &message)?   any number of links and messages
//!        outbox.flush(&hardware)                  flag bytes, ONE fence, doorbells where needed
//! ```
//!
//! # How a receiver uses it
//!
//! ```text
//! loop { while inbox.serve(&hardware, &mut core) {}   handles all there is; what it sent:
//!        outbox.flush(&hardware);
//!        inbox.sleep(&hardware); }                    returns at once when something came
//! ```
//!
//! # Order, and why no wake-up is lost
//!
//! Each of the three fences stands between a store and a load that must not overtake it (x86 keeps all
//! other orders by itself):
//!
//! | who | stores | fence | then loads |
//! |---|---|---|---|
//! | sender, [`Outbox::flush`], [`Outbox::tell_at_once`] | ring tails, flag bytes | 1 | the receivers' states |
//! | receiver, [`Inbox::serve`], [`Inbox::serve_urgent`] | flag byte = 0 | 2 | the rings |
//! | receiver, [`Inbox::sleep`] | state = ASLEEP | 3 | the flag bytes once more |
//!
//! Fences 1 and 3: of a sender that sets its flag and then reads the state, and a receiver that sets its
//! state and then reads the flags, at least one sees the other, so either the receiver stays or the
//! sender rings. Fence 2: without it the clearing of the flag can reach memory after the sender has set it
//! again although the ring was read before: the flag is gone, the message is not. `tests/sim` explores
//! every interleaving, and finds the lost wake-up when any one of them is taken out.

pub mod bounds;
pub mod flags;
pub mod hardware;
pub mod inbox;
pub mod lanes;
pub mod layouts;
pub mod outbox;
pub mod ring;
#[cfg(test)]
mod tests;

pub use hardware::{Activity, Hardware, MAX_CORES};
pub use inbox::{Handler, Inbox, Taken, Urgent, each_immediate};
pub use lanes::{Full, Receiver, Sender, Traffic, link};
pub use outbox::{Knocks, Outbox};
pub use ring::{SlotConsumer, SlotProducer};
