//! Rings of messages in memory that two processes share: one sends, the other receives, and no call is made while both
//! have something to do.
//!
//! A peer may be hostile: it can write anything into the shared memory, at any moment. So nothing that decides where this side reads
//! or writes comes from there: the [`Shape`] and the own index are kept here, the peer's index is read once for each use, and
//! one that cannot be is [`Broken`]. Messages are copied in and out word by word. What a peer can do is to garble messages,
//! to hold them back, and to ring.
//!
//! Who finds the ring full or empty polls, or waits at his [`Bell`]: he says in the ring that he sleeps, looks once more, and the
//! peer, which looks there behind a fence after it has changed its index, sends him an event. So there is a call only
//! when somebody sleeps.

use crate::event::{self, kind::OF_PROGRAMS};
use crate::process::Pid;
use crate::queue::{Bitmap, EventQueue, flag};
use crate::raw::page::{self, Page};
pub use crate::raw::shared::SharedMemory;
use crate::{Error, calls, wait};
use core::sync::atomic::Ordering;

/// u32 of a ring, its sender's: messages sent so far, wrapping.
const SENT: usize = 0;
/// u32, its receiver's: messages received so far, wrapping.
const RECEIVED: usize = 0x40;
/// u8, its sender's: it sleeps.
const SENDER_SLEEPS: usize = 0x80;
/// u8, its receiver's: it sleeps.
const RECEIVER_SLEEPS: usize = 0xc0;
/// The messages.
const SLOTS: usize = 0x100;

/// How many messages a ring has room for, and how long each is. Both sides must be of one mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    slots: u32,
    bytes: usize,
}

impl Shape {
    /// A ring of so many messages of so many bytes. `None` unless the first is a power of two and the second a multiple of 8, and
    /// both are at most 65,536.
    #[must_use]
    pub const fn new(slots: u32, bytes: usize) -> Option<Self> {
        let fits = slots.is_power_of_two() && slots <= 1 << 16 && bytes > 0 && bytes <= 1 << 16;
        if fits && bytes.is_multiple_of(8) { Some(Self { slots, bytes }) } else { None }
    }

    /// Bytes of memory that the ring takes.
    #[must_use]
    pub const fn size(self) -> usize {
        SLOTS + (self.slots as usize * self.bytes).next_multiple_of(64)
    }
}

/// The peer's index is one that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Why a message could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no room.
    Full,
    /// It does not have the ring's length.
    Length,
    /// See [`Broken`].
    Broken,
}

/// Where a side waits for its peers.
#[derive(Debug)]
pub struct Bell {
    queue: EventQueue<Bitmap>,
}

impl Bell {
    /// One that rings when a peer sends events of this kind, from [`OF_PROGRAMS`] on.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for other kinds; what [`calls::set_queue`] says.
    pub fn new(kind: u16) -> Result<Self, Error> {
        if !(OF_PROGRAMS..1024).contains(&kind) {
            return Err(Error::Invalid);
        }
        let flags = flag::INDIR | flag::SPAM_INDIR | flag::IPI | flag::WAKEUP;
        let queue = EventQueue::new(flags, Bitmap::new(u32::from(kind) + 1));
        calls::set_queue(kind, Some(queue.address())).call()?;
        Ok(Self { queue })
    }

    /// Waits until something is so that a peer rings for.
    fn until(&self, mut is_so: impl FnMut() -> bool) {
        wait::until(|| {
            event::collect(|_| false);
            while self.queue.take().is_some() {}
            is_so()
        });
    }
}

/// Who is rung for, and by which kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process.
    pub process: Pid,
    /// The kind that its [`Bell`] is for.
    pub kind: u16,
}

impl Peer {
    fn ring(self) -> Result<(), Error> {
        match calls::notify(self.process, self.kind, 0).call() {
            // It has been rung already.
            Err(Error::Again) => Ok(()),
            outcome => outcome,
        }
    }
}

/// One side of a ring.
#[derive(Debug)]
struct Side {
    page: Page,
    at: usize,
    shape: Shape,
    peer: Peer,
    /// The own index, and what of it the peer has been told.
    next: u32,
    told: u32,
    /// The peer's index when it was looked at last.
    peers: u32,
    /// Where both are, and where both say that they sleep: mine first.
    index: [usize; 2],
    sleeps: [usize; 2],
}

impl Side {
    fn new(
        memory: &SharedMemory,
        at: usize,
        shape: Shape,
        peer: Peer,
        sends: bool,
    ) -> Option<Self> {
        let end = at.checked_add(shape.size())?;
        if !at.is_multiple_of(64) || end > memory.bytes() {
            return None;
        }
        let mut index = [SENT, RECEIVED];
        let mut sleeps = [SENDER_SLEEPS, RECEIVER_SLEEPS];
        if !sends {
            index.swap(0, 1);
            sleeps.swap(0, 1);
        }
        let page = memory.page();
        Some(Self { page, at, shape, peer, next: 0, told: 0, peers: 0, index, sleeps })
    }

    /// The peer's index, if it is one that can be: `distance` says how many messages lie in the ring then.
    fn look(&mut self, distance: impl Fn(u32, u32) -> u32) -> Result<u32, Broken> {
        let peers = self.page.u32(self.at + self.index[1]).load(Ordering::Acquire);
        let used = distance(self.next, peers);
        if used > self.shape.slots {
            return Err(Broken);
        }
        self.peers = peers;
        Ok(used)
    }

    /// The place of the next message.
    #[inline]
    fn slot(&self) -> usize {
        // There is a power of two of them.
        let slot = (self.next & (self.shape.slots - 1)) as usize;
        self.at + SLOTS + slot * self.shape.bytes
    }

    /// Tells the peer of the own index, and rings if it sleeps.
    fn publish(&mut self) -> Result<(), Error> {
        if self.told == self.next {
            return Ok(());
        }
        self.page.u32(self.at + self.index[0]).store(self.next, Ordering::Release);
        self.told = self.next;
        // Either the peer sees the index before it sleeps, or it is seen here that it does.
        page::fence();
        let sleeps = self.page.u8(self.at + self.sleeps[1]);
        if sleeps.load(Ordering::Relaxed) == 0 { Ok(()) } else { self.peer.ring() }
    }

    /// Sleeps until the peer's index is another than `known`, which has been looked at.
    fn sleep(&self, bell: &Bell, known: u32) {
        let sleeps = self.page.u8(self.at + self.sleeps[0]);
        sleeps.store(1, Ordering::Relaxed);
        page::fence();
        let index = self.page.u32(self.at + self.index[1]);
        bell.until(|| index.load(Ordering::Acquire) != known);
        sleeps.store(0, Ordering::Relaxed);
    }
}

/// The end of a ring that sends.
#[derive(Debug)]
pub struct Sender(Side);

impl Sender {
    /// The sending end of the ring at an offset of shared memory. `None` if it does not fit, or the offset is no multiple of 64.
    #[must_use]
    pub fn new(memory: &SharedMemory, at: usize, shape: Shape, peer: Peer) -> Option<Self> {
        Side::new(memory, at, shape, peer, true).map(Self)
    }

    /// Puts a message into the ring, of which the peer hears with the next [`Sender::publish`].
    ///
    /// # Errors
    ///
    /// [`SendError`] says which.
    pub fn put(&mut self, message: &[u8]) -> Result<(), SendError> {
        let Side { page, shape, next, peers, .. } = self.0;
        if message.len() != shape.bytes {
            return Err(SendError::Length);
        }
        if next.wrapping_sub(peers) >= shape.slots {
            let used = self.0.look(u32::wrapping_sub).map_err(|Broken| SendError::Broken)?;
            if used == shape.slots {
                return Err(SendError::Full);
            }
        }
        page.store_words(self.0.slot(), message.as_chunks().0);
        self.0.next = next.wrapping_add(1);
        Ok(())
    }

    /// Lets the peer see what has been put, and rings if it sleeps.
    ///
    /// # Errors
    ///
    /// What the kernel says when the peer is to be rung: [`Error::NoProcess`] if there is none.
    pub fn publish(&mut self) -> Result<(), Error> {
        self.0.publish()
    }

    /// Sends a message; waits for room.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a message that is not of the ring's length, and when the ring is broken; as
    /// [`Sender::publish`].
    pub fn send(&mut self, message: &[u8], bell: &Bell) -> Result<(), Error> {
        loop {
            match self.put(message) {
                Ok(()) => return self.publish(),
                Err(SendError::Full) => {
                    self.publish()?;
                    self.0.sleep(bell, self.0.peers);
                }
                Err(SendError::Length | SendError::Broken) => return Err(Error::Invalid),
            }
        }
    }
}

/// The end of a ring that receives.
#[derive(Debug)]
pub struct Receiver(Side);

impl Receiver {
    /// The receiving end of the ring at an offset of shared memory. `None` if it does not fit, or the offset is no multiple of 64.
    #[must_use]
    pub fn new(memory: &SharedMemory, at: usize, shape: Shape, peer: Peer) -> Option<Self> {
        Side::new(memory, at, shape, peer, false).map(Self)
    }

    /// Takes the next message out, if there is one; what is longer or shorter than `room` is cut. The sender gets the place back
    /// with the next [`Receiver::publish`], which is made here when there is no message.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the ring is broken; as [`Receiver::publish`].
    pub fn take(&mut self, room: &mut [u8]) -> Result<bool, Error> {
        if self.0.peers == self.0.next {
            let behind = |next: u32, peers: u32| peers.wrapping_sub(next);
            if self.0.look(behind).map_err(|Broken| Error::Invalid)? == 0 {
                self.publish()?;
                return Ok(false);
            }
        }
        let length = room.len().min(self.0.shape.bytes);
        self.0.page.load_words(self.0.slot(), &mut room[..length]);
        self.0.next = self.0.next.wrapping_add(1);
        if self.0.next.wrapping_sub(self.0.told) >= self.0.shape.slots.div_ceil(2) {
            self.publish()?;
        }
        Ok(true)
    }

    /// Gives the places of what has been taken back, and rings if the sender sleeps.
    ///
    /// # Errors
    ///
    /// As [`Sender::publish`].
    pub fn publish(&mut self) -> Result<(), Error> {
        self.0.publish()
    }

    /// Takes the next message out; waits for it.
    ///
    /// # Errors
    ///
    /// As [`Receiver::take`].
    pub fn receive(&mut self, room: &mut [u8], bell: &Bell) -> Result<(), Error> {
        while !self.take(room)? {
            self.0.sleep(bell, self.0.peers);
        }
        Ok(())
    }
}
