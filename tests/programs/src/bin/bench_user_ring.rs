//! What the experiment `user-ring` runs: messages through a ring in shared memory, to a process that has the other end, or
//! both ends in one process. Prints a line with the clock's ticks for each round. The second process is this program as well.
//!
//!     run bench_user_ring round-trip 8 1
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use programs::{MOST_ROUNDS, Words, measured};
use user::measure::{self, begin};
use user::process::{self, Command, Pid};
use user::ring::{Bell, Peer, Receiver, SendError, Sender, Shape, SharedMemory};
use user::{Error, info, threads};

user::main!(main);

const USAGE: &str = "OPERATION ROUNDS BATCH";

/// This program's name, and the word by which it is the other side.
const SELF: &str = "bench_user_ring";
const OTHER: &str = "other-side";
/// The kind of event that wakes either side.
const KIND: u16 = 90;

/// Messages that a ring has room for, and bytes of each: a line of memory.
const SLOTS: u32 = 64;
const BYTES: usize = 64;
const SHAPE: Shape = Shape::new(SLOTS, BYTES).expect("a shape");
/// Where the clock is told that a region has ended: behind two rings.
const ENDED: usize = 2 * SHAPE.size();
const SIZE: usize = ENDED + 64;

const MESSAGE: [u8; BYTES] = [7; BYTES];

fn main() -> Result<(), Error> {
    let mut words = Words::new(USAGE);
    let operation = words.word();
    if operation == OTHER {
        return other_side(words.word(), words.number(1), words.number(0), words.number(0));
    }
    let rounds = words.number(8_usize).clamp(1, MOST_ROUNDS);
    let batch = words.number(1_u32).clamp(1, SLOTS / 2);
    words.end();
    threads::start(1)?;
    let memory = SharedMemory::new(SIZE)?;
    match operation {
        "put" | "take" => alone(rounds, batch, &memory, operation == "put"),
        "put-trusting" | "take-trusting" => {
            trusting(rounds, batch, &memory, operation == "put-trusting")
        }
        "pass" | "round-trip" | "round-trip-asleep" => {
            let child = Command::new(SELF).arg(OTHER).arg(operation).arg(batch);
            let child = child.arg(process::id().0).arg(memory.address()).create()?;
            memory.give(child)?;
            process::run(child)?;
            let outcome = with_another(operation, rounds, batch, &memory, child);
            process::destroy(child, 0)?;
            process::wait(child)?;
            outcome
        }
        _ => Words::new(USAGE).refuse(),
    }
}

/// Spins until something is so. In count mode all cores take turns, and one that pauses gives its turn away.
fn spin_until(mut is_so: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    while !is_so()? {
        spin_loop();
    }
    Ok(())
}

/// The ends of both rings that one side has: what it sends, whose place is `first`, and what it receives.
fn ends(memory: &SharedMemory, first: usize, second: usize, peer: Pid) -> (Sender, Receiver) {
    let peer = Peer { process: peer, kind: KIND };
    let sender = Sender::new(memory, first, SHAPE, peer);
    let receiver = Receiver::new(memory, second, SHAPE, peer);
    sender.zip(receiver).expect("both lie in the memory")
}

/// Puts so many messages into the ring, in which there is room, and lets the other side see them.
#[inline(always)]
fn put_all(sender: &mut Sender, batch: u32) -> Result<(), Error> {
    for _ in 0..batch {
        match sender.put(&MESSAGE) {
            Ok(()) => {}
            Err(SendError::Full | SendError::Length | SendError::Broken) => {
                return Err(Error::Invalid);
            }
        }
    }
    sender.publish()
}

/// Takes so many out, which lie there, and gives their places back.
#[inline(always)]
fn take_all(receiver: &mut Receiver, batch: u32) -> Result<(), Error> {
    let mut room = [0; BYTES];
    for _ in 0..batch {
        if !receiver.take(&mut room)? {
            return Err(Error::Invalid);
        }
    }
    receiver.publish()
}

/// Does one after the other; what the clock says of the one that is measured.
#[inline(always)]
fn timed(
    is_first: bool,
    first: impl FnOnce() -> Result<(), Error>,
    second: impl FnOnce() -> Result<(), Error>,
) -> Result<u64, Error> {
    if is_first {
        let open = begin();
        first()?;
        let ticks = open.end();
        return second().map(|()| ticks);
    }
    first()?;
    let open = begin();
    second()?;
    Ok(open.end())
}

/// One side's part of a batch, when it need not wait for the other: both ends are here.
fn alone(rounds: usize, batch: u32, memory: &SharedMemory, puts: bool) -> Result<(), Error> {
    let (mut sender, mut receiver) = ends(memory, 0, 0, process::id());
    measured(rounds, &mut || {
        timed(puts, || put_all(&mut sender, batch), || take_all(&mut receiver, batch))
    })
}

/// An end of a ring that believes whatever the other side says, to compare with: it has no need to look whether an
/// index is one that can be.
struct Trusting<'a> {
    memory: &'a SharedMemory,
    next: u32,
    peers: u32,
}

impl Trusting<'_> {
    /// Where the sender's and the receiver's index are, where both say that they sleep, and where messages begin: as
    /// `user::ring` has it.
    const SENT: usize = 0;
    const RECEIVED: usize = 0x40;
    const SENDER_SLEEPS: usize = 0x80;
    const RECEIVER_SLEEPS: usize = 0xc0;
    const MESSAGES: usize = 0x100;

    fn word(&self, nth: usize) -> usize {
        Self::MESSAGES + (self.next % SLOTS) as usize * BYTES + nth * 8
    }

    #[inline(always)]
    fn put(&mut self, message: &[u8; BYTES]) -> bool {
        let page = self.memory.page();
        if self.next.wrapping_sub(self.peers) == SLOTS {
            self.peers = page.u32(Self::RECEIVED).load(Ordering::Acquire);
            if self.next.wrapping_sub(self.peers) == SLOTS {
                return false;
            }
        }
        for (nth, word) in message.as_chunks().0.iter().enumerate() {
            page.u64(self.word(nth)).store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        self.next = self.next.wrapping_add(1);
        true
    }

    #[inline(always)]
    fn take(&mut self, room: &mut [u8; BYTES]) -> bool {
        let page = self.memory.page();
        if self.next == self.peers {
            self.peers = page.u32(Self::SENT).load(Ordering::Acquire);
            if self.next == self.peers {
                return false;
            }
        }
        for (nth, to) in room.as_chunks_mut().0.iter_mut().enumerate() {
            *to = page.u64(self.word(nth)).load(Ordering::Relaxed).to_le_bytes();
        }
        self.next = self.next.wrapping_add(1);
        true
    }

    /// Says how far it is; true if the other side sleeps.
    #[inline(always)]
    fn publish(&self, index: usize, sleeps: usize) -> bool {
        let page = self.memory.page();
        page.u32(index).store(self.next, Ordering::Release);
        user::raw::page::fence();
        page.u8(sleeps).load(Ordering::Relaxed) != 0
    }
}

/// As [`alone`], with ends that trust each other.
fn trusting(rounds: usize, batch: u32, memory: &SharedMemory, puts: bool) -> Result<(), Error> {
    let new = || Trusting { memory, next: 0, peers: 0 };
    let (mut sender, mut receiver) = (new(), new());
    let mut room = [0; BYTES];
    let right = |is_right| if is_right { Ok(()) } else { Err(Error::Invalid) };
    measured(rounds, &mut || {
        let put = || {
            let all = (0..batch).all(|_| sender.put(&MESSAGE));
            right(all && !sender.publish(Trusting::SENT, Trusting::RECEIVER_SLEEPS))
        };
        let take = || {
            let all = (0..batch).all(|_| receiver.take(&mut room));
            right(all && !receiver.publish(Trusting::RECEIVED, Trusting::SENDER_SLEEPS))
        };
        timed(puts, put, take)
    })?;
    right(room == MESSAGE)
}

/// This side of what two processes do together.
fn with_another(
    operation: &str,
    rounds: usize,
    batch: u32,
    memory: &SharedMemory,
    peer: Pid,
) -> Result<(), Error> {
    let (mut sender, mut receiver) = ends(memory, 0, SHAPE.size(), peer);
    let bell = Bell::new(KIND)?;
    let mut room = [0; BYTES];
    measured(rounds, &mut || match operation {
        "pass" => {
            let ended = memory.page().u64(ENDED);
            let open = begin();
            put_all(&mut sender, batch)?;
            spin_until(|| Ok(ended.load(Ordering::Acquire) != 0))?;
            Ok(measure::since(open.low(), ended.swap(0, Ordering::Relaxed)))
        }
        "round-trip" => {
            let open = begin();
            put_all(&mut sender, 1)?;
            spin_until(|| receiver.take(&mut room))?;
            Ok(open.end())
        }
        _ => {
            let open = begin();
            sender.send(&MESSAGE, &bell)?;
            receiver.receive(&mut room, &bell)?;
            Ok(open.end())
        }
    })
}

/// The other side, until it is ended.
fn other_side(operation: &str, batch: u32, parent: u16, address: u64) -> Result<(), Error> {
    threads::start(1)?;
    spin_until(|| Ok(info::vcores() == 1))?;
    // SAFETY: the parent has given this memory, and told where it is; nothing of this program was there before.
    let memory = unsafe { SharedMemory::given(address, SIZE) };
    let (mut sender, mut receiver) = ends(&memory, SHAPE.size(), 0, Pid(parent));
    let bell = Bell::new(KIND)?;
    let mut room = [0; BYTES];
    loop {
        match operation {
            "pass" => {
                for _ in 0..batch {
                    spin_until(|| receiver.take(&mut room))?;
                }
                receiver.publish()?;
                memory.page().u64(ENDED).store(measure::end(), Ordering::Release);
            }
            "round-trip" => {
                spin_until(|| receiver.take(&mut room))?;
                put_all(&mut sender, 1)?;
            }
            _ => {
                receiver.receive(&mut room, &bell)?;
                sender.send(&room, &bell)?;
            }
        }
    }
}
