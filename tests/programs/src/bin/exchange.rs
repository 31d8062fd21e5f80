//! Two processes that talk through rings in shared memory: the parent sends, the child sends back what it makes of it. The
//! child may be hostile: it writes anything into the rings while the parent uses them.
//!
//!     run exchange 1000               (messages)
//!     run exchange 1000 many          (each process with threads, on a core of its own)
//!     run exchange 1000 hostile
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU8, Ordering};
use programs::{Random, Words, need_cores};
use user::process::{self, Command, Pid};
use user::ring::{Bell, Peer, Receiver, SendError, Sender, Shape, SharedMemory};
use user::{Error, info, println, threads};

user::main!(main);

const CHILD: &str = "child";
/// The kind of event that wakes either side.
const KIND: u16 = 90;
const BYTES: usize = 64;
const SHAPE: Shape = Shape::new(16, BYTES).expect("a shape");
/// Two rings, one behind the other.
const SIZE: usize = 2 * SHAPE.size();

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[MESSAGES [many | hostile]]");
    let first = words.next().unwrap_or("1000");
    let how = words.next().unwrap_or("");
    if first == CHILD {
        return child(how, words.number(0), words.number(0)).map(|()| 0);
    }
    words.end();
    match (first.parse(), how) {
        (Ok(messages), "" | "many" | "hostile") => parent(messages, how),
        _ => Words::new("[MESSAGES [many | hostile]]").refuse(),
    }
}

/// Both ends of one side: what it sends and what it receives.
fn ends(memory: &SharedMemory, first: usize, peer: u16) -> Result<(Sender, Receiver), Error> {
    let peer = Peer { process: Pid(peer), kind: KIND };
    let sender = Sender::new(memory, first, SHAPE, peer);
    let receiver = Receiver::new(memory, SHAPE.size() - first, SHAPE, peer);
    sender.zip(receiver).ok_or(Error::Invalid)
}

/// What a message says: its number in each word.
fn message(number: u64) -> [u8; BYTES] {
    core::array::from_fn(|at| number.to_le_bytes()[at % 8])
}

fn parent(messages: u64, how: &str) -> Result<i32, Error> {
    if !how.is_empty() {
        // This process has one and the child another.
        need_cores(2);
        threads::start(1)?;
    }
    let memory = SharedMemory::new(SIZE)?;
    let bell = Bell::new(KIND)?;
    let command = Command::new("exchange").arg(CHILD).arg(if how.is_empty() { "-" } else { how });
    let child = command.arg(process::id().0).arg(memory.address()).create()?;
    memory.give(child)?;
    let (sender, receiver) = ends(&memory, 0, child.0)?;
    process::run(child)?;
    if how == "hostile" {
        return among_hostile(messages, child, (sender, receiver));
    }
    let wrong = talk(messages, &bell, (sender, receiver))?;
    let code = process::wait(child)?;
    println!(
        "exchange: {messages} messages there and back, {wrong} wrong, child ended with {code}"
    );
    Ok(i32::from(wrong > 0 || code != 0))
}

/// Keeps as much under way as there is room for; gives how many answers were wrong.
fn talk(
    messages: u64,
    bell: &Bell,
    (mut sender, mut receiver): (Sender, Receiver),
) -> Result<u64, Error> {
    let (mut sent, mut wrong) = (0, 0);
    for number in 0..messages {
        while sent < messages && sent < number + 24 {
            sender.send(&message(sent), bell)?;
            sent += 1;
        }
        let mut answer = [0; BYTES];
        receiver.receive(&mut answer, bell)?;
        wrong += u64::from(answer != message(!number));
    }
    // The last word.
    sender.send(&message(u64::MAX), bell)?;
    Ok(wrong)
}

fn child(how: &str, parent: u16, address: u64) -> Result<(), Error> {
    if how != "-" {
        threads::start(1)?;
    }
    // SAFETY: the parent has given this memory, and told where it is; nothing of this program was there before.
    let memory = unsafe { SharedMemory::given(address, SIZE) };
    if how == "hostile" {
        scribble(&memory);
    }
    let bell = Bell::new(KIND)?;
    let (mut sender, mut receiver) = ends(&memory, SHAPE.size(), parent)?;
    loop {
        let mut said = [0; BYTES];
        receiver.receive(&mut said, &bell)?;
        if said == message(u64::MAX) {
            return Ok(());
        }
        sender.send(&said.map(|byte| !byte), &bell)?;
    }
}

/// Writes anything anywhere into the shared memory, for ever; and rings.
fn scribble(memory: &SharedMemory) -> ! {
    let mut random = Random(7);
    let page = memory.page();
    let word = |at: usize| page.u32(at);
    loop {
        match random.below(8) {
            // Anything anywhere, and where indices and flags are; it is put back, or all that follows would be broken.
            0 => garble(page.u8(random.below(SIZE as u64) as usize), random.number() as u8),
            1 => {
                let at = SHAPE.size() * random.below(2) as usize + 0x40 * random.below(4) as usize;
                garble(page.u8(at), random.number() as u8);
            }
            // An index that may be one: of the receiver of the first ring, and of the sender of the second.
            2..5 => {
                let sent = word(0).load(Ordering::Relaxed);
                word(0x40).store(sent.wrapping_sub(random.below(18) as u32), Ordering::Relaxed);
            }
            _ => {
                let received = word(SHAPE.size() + 0x40).load(Ordering::Relaxed);
                let sent = received.wrapping_add(random.below(18) as u32);
                word(SHAPE.size()).store(sent, Ordering::Relaxed);
            }
        }
        if random.below(1000) == 0
            && let Some(parent) = info::parent()
        {
            let _ = process::notify(parent, KIND, random.number());
        }
    }
}

fn garble(byte: &AtomicU8, with: u8) {
    let before = byte.swap(with, Ordering::Relaxed);
    (0..100).for_each(|_| spin_loop());
    byte.store(before, Ordering::Relaxed);
}

/// Uses both rings while the child writes into them. What comes means nothing, but this process must survive it.
fn among_hostile(
    messages: u64,
    child: Pid,
    (mut sender, mut receiver): (Sender, Receiver),
) -> Result<i32, Error> {
    let (mut sent, mut full, mut received, mut broken) = (0_u64, 0_u64, 0_u64, 0_u64);
    for number in 0..messages {
        match sender.put(&message(number)) {
            Ok(()) => sent += 1,
            Err(SendError::Full) => full += 1,
            Err(SendError::Broken) => broken += 1,
            Err(SendError::Length) => return Err(Error::Invalid),
        }
        let _ = sender.publish();
        match receiver.take(&mut [0; BYTES]) {
            Ok(true) => received += 1,
            Ok(false) => {}
            Err(_) => broken += 1,
        }
    }
    process::destroy(child, 0)?;
    let code = process::wait(child)?;
    println!(
        "exchange: {messages} messages among a hostile peer: {sent} sent, {full} times full, {received} received, \
         {broken} broken, child ended with {code}"
    );
    Ok(i32::from(broken == 0 || sent == 0 || received == 0))
}
