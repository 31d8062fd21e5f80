//! Rings of `rtrb`: the kernel's message path, and what it is compared with.

use cpudriver::post::{Receiver, Sender, link};
use proto::message::{Lane, Peer};
use proto::slot::{NoMessage, Slot};
use rtrb::chunks::ChunkError;
use rtrb::{Consumer, Producer, RingBuffer};
use std::ops::Range;

use super::layout::{Queue, Rx, Tx};

/// The greatest batch.
pub(super) const MOST: usize = 32;

/// The message that carries a number, wherever messages are typed.
#[inline(always)]
pub(super) const fn message(number: u64) -> Peer {
    Peer::Data { value: number }
}

/// The number that a message carries.
///
/// # Panics
/// When it is none of those that [`message`] makes.
#[inline(always)]
pub(super) fn number(message: Peer) -> u64 {
    let Peer::Data { value } = message else { panic!("{message:?} was never sent") };
    value
}

#[inline(always)]
fn whole(message: Result<Peer, NoMessage>) -> Peer {
    message.expect("the ring holds what was sent")
}

/// The kernel's own message path: typed ends of a link, postcard in 64-byte slots.
#[derive(Debug)]
pub struct Postcard;

impl Queue for Postcard {
    const NAME: &'static str = "postcard";
    type Tx = PostcardTx;
    type Rx = Receiver<Peer>;

    fn channel(slots: usize) -> (PostcardTx, Receiver<Peer>) {
        let (link, receiver) = link(slots);
        (PostcardTx { link, batch: [message(0); MOST] }, receiver)
    }
}

/// The sender's end of a link, and the batch that it is about to send.
#[derive(Debug)]
pub struct PostcardTx {
    link: Sender<Peer>,
    batch: [Peer; MOST],
}

impl Tx for PostcardTx {
    #[inline]
    fn send(&mut self, number: u64) -> bool {
        self.link.send(&message(number)).is_ok()
    }

    #[inline]
    fn send_batch(&mut self, numbers: Range<u64>) -> u64 {
        let count = MOST.min((numbers.end - numbers.start) as usize);
        let batch = &mut self.batch[..count];
        batch.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = message(number));
        self.link.send_batch(batch) as u64
    }
}

impl Rx for Receiver<Peer> {
    #[inline]
    fn take(&mut self) -> Option<u64> {
        match Self::take(self, Lane::Routine) {
            Err(NoMessage::Empty) => None,
            message => Some(number(whole(message))),
        }
    }

    #[inline]
    fn take_batch(&mut self, most: u64, mut each: impl FnMut(u64)) -> u64 {
        Self::take_batch(self, Lane::Routine, most as usize, |message| {
            each(number(whole(*message)));
        }) as u64
    }
}

/// The same message as a plain value in a ring.
#[derive(Debug)]
pub struct RtrbTyped;

impl Queue for RtrbTyped {
    const NAME: &'static str = "rtrb-typed";
    type Tx = Producer<Peer>;
    type Rx = Consumer<Peer>;

    fn channel(slots: usize) -> (Producer<Peer>, Consumer<Peer>) {
        RingBuffer::new(slots)
    }
}

impl Tx for Producer<Peer> {
    #[inline]
    fn send(&mut self, number: u64) -> bool {
        self.push(message(number)).is_ok()
    }

    #[inline]
    fn send_batch(&mut self, numbers: Range<u64>) -> u64 {
        push(self, numbers, message)
    }
}

impl Rx for Consumer<Peer> {
    #[inline]
    fn take(&mut self) -> Option<u64> {
        self.pop().ok().map(number)
    }

    #[inline]
    fn take_batch(&mut self, most: u64, mut each: impl FnMut(u64)) -> u64 {
        pop(self, most, |message| each(number(message)))
    }
}

/// Whole lines of bytes, the number first: the fastest that a ring of slots can be.
#[derive(Debug)]
pub struct RtrbLine;

impl Queue for RtrbLine {
    const NAME: &'static str = "rtrb-line";
    type Tx = Producer<Slot>;
    type Rx = Consumer<Slot>;

    fn channel(slots: usize) -> (Producer<Slot>, Consumer<Slot>) {
        RingBuffer::new(slots)
    }
}

#[inline(always)]
fn line(number: u64) -> Slot {
    let mut bytes = [0; Slot::LEN];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Slot::from_bytes(bytes)
}

#[inline(always)]
fn first_word(line: &Slot) -> u64 {
    line.bytes().first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

impl Tx for Producer<Slot> {
    #[inline]
    fn send(&mut self, number: u64) -> bool {
        self.push(line(number)).is_ok()
    }

    #[inline]
    fn send_batch(&mut self, numbers: Range<u64>) -> u64 {
        push(self, numbers, line)
    }
}

impl Rx for Consumer<Slot> {
    #[inline]
    fn take(&mut self) -> Option<u64> {
        self.pop().ok().map(|line| first_word(&line))
    }

    #[inline]
    fn take_batch(&mut self, most: u64, mut each: impl FnMut(u64)) -> u64 {
        pop(self, most, |line| each(first_word(&line)))
    }
}

/// Pushes as many as fit with one store of the tail.
#[inline(always)]
fn push<T>(ring: &mut Producer<T>, numbers: Range<u64>, item: impl FnMut(u64) -> T) -> u64 {
    let chunk = match ring.write_chunk_uninit((numbers.end - numbers.start) as usize) {
        Ok(chunk) => chunk,
        Err(ChunkError::TooFewSlots(room)) => {
            ring.write_chunk_uninit(room).expect("room never shrinks for its producer")
        }
    };
    chunk.fill_from_iter(numbers.map(item)) as u64
}

/// Pops what there is, up to `most`, with one store of the head.
#[inline(always)]
fn pop<T>(ring: &mut Consumer<T>, most: u64, each: impl FnMut(T)) -> u64 {
    let chunk = match ring.read_chunk(most as usize) {
        Ok(chunk) => chunk,
        Err(ChunkError::TooFewSlots(there)) => {
            ring.read_chunk(there).expect("what is there stays for its consumer")
        }
    };
    let count = chunk.len() as u64;
    chunk.into_iter().for_each(each);
    count
}
