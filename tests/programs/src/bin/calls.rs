//! All vcores make system calls at the same time, each time each another kind of call, and each result must be exact.
//!
//!     run calls 3 10            (on 3 vcores, 10 rounds)
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Seen, Words, in_threads};
use user::handle::{Handle, pipe};
use user::memory::{Mapping, POPULATE, Rights};
use user::{Error, calls, info, println, process, threads};

user::main!(main);

const PAGE: usize = 4096;
/// What is done, a kind of call each.
const KINDS: [fn(Turn) -> Result<bool, Error>; 5] = [ask, pass_on, use_memory, tell, want];
/// The kind of our own events.
const OURS: u16 = 100;
/// So often a thread that waits for the others looks before it lets others run, if no vcore is missing.
const LOOKS: u32 = 256;

/// How many threads have come to their rounds, all rounds together.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// The vcores that have made calls.
static SEEN: Seen = Seen::new();
/// Sums of what was written to the pipe and read from it, and of what vcores were told and heard.
static WRITTEN: AtomicU64 = AtomicU64::new(0);
static READ: AtomicU64 = AtomicU64::new(0);
static TOLD: AtomicU64 = AtomicU64::new(0);
static HEARD: AtomicU64 = AtomicU64::new(0);

/// What a thread is to do now.
#[derive(Clone, Copy)]
struct Turn {
    number: u64,
    round: u64,
    cores: u16,
    /// What is written to the second is read from the first, by all threads.
    pipe: (Handle, Handle),
}

impl Turn {
    /// Another one each time, and never 0.
    fn tag(self) -> u64 {
        self.round * u64::from(self.cores) + self.number + 1
    }
}

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[VCORES [ROUNDS]]");
    let (cores, rounds) = (words.number(info::max_vcores()), words.number(10_u64));
    words.end();
    let cores = threads::start(cores)?;
    threads::on_event(|event| {
        if event.kind == OURS {
            HEARD.fetch_add(event.value, Ordering::Relaxed);
        }
    });
    let pipe = pipe()?;
    let outcomes = in_threads(cores.into(), move |number| {
        (0..rounds)
            .map(|round| take_turn(Turn { number, round, cores, pipe }))
            .sum::<Result<u64, Error>>()
    });
    let wrong: u64 = outcomes.into_iter().sum::<Result<u64, Error>>()?;
    // Whoever was told hears of it when it next looks.
    while HEARD.load(Ordering::Relaxed) < TOLD.load(Ordering::Relaxed) {
        core::hint::spin_loop();
        threads::yield_now();
    }
    let sum = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let (written, read, told, heard) = (sum(&WRITTEN), sum(&READ), sum(&TOLD), sum(&HEARD));
    println!(
        "calls: {rounds} rounds by {} of {cores} vcores, {wrong} wrong, written {written}, read {read}, \
         told {told}, heard {heard}",
        SEEN.vcores()
    );
    Ok(i32::from(wrong != 0 || written != read || told != heard))
}

/// Makes calls when all are about to; gives 1 if something was wrong.
fn take_turn(turn: Turn) -> Result<u64, Error> {
    meet(turn);
    SEEN.here();
    let kind = (turn.round + turn.number) % KINDS.len() as u64;
    Ok(u64::from(!KINDS[kind as usize](turn)?))
}

/// Waits until all threads have come to this round. Nobody gives way before, so that each has a vcore of its own, unless cores
/// are missing.
fn meet(Turn { round, cores, .. }: Turn) {
    let all = (round + 1) * u64::from(cores);
    ARRIVED.fetch_add(1, Ordering::Relaxed);
    let mut looks = 0;
    while ARRIVED.load(Ordering::Relaxed) < all {
        core::hint::spin_loop();
        looks += 1;
        if info::vcores() < cores || looks % LOOKS == 0 {
            threads::yield_now();
        }
    }
}

/// Calls that say who and where this is.
fn ask(Turn { cores, .. }: Turn) -> Result<bool, Error> {
    calls::null().call()?;
    let (pid, vcore, core) =
        (calls::own_pid().call()?, calls::vcore().call()?, calls::core().call()?);
    let is_core = (1..info::cores()).contains(&core);
    Ok(pid == process::id() && vcore < u32::from(cores) && is_core)
}

/// Writes a word, and reads one that any of the threads has written; no word is torn, as each call is done at once.
fn pass_on(turn: Turn) -> Result<bool, Error> {
    let (from, to) = turn.pipe;
    to.write_all(&turn.tag().to_le_bytes())?;
    WRITTEN.fetch_add(turn.tag(), Ordering::Relaxed);
    core::hint::spin_loop();
    let mut word = [0; 8];
    let is_whole = from.read(&mut word)? == word.len();
    let word = u64::from_le_bytes(word);
    READ.fetch_add(word, Ordering::Relaxed);
    Ok(is_whole && (1..=turn.tag() + u64::from(turn.cores)).contains(&word))
}

/// Maps memory, which is zero and nobody else's, takes the right to write from it, and unmaps it.
fn use_memory(turn: Turn) -> Result<bool, Error> {
    let mut memory = Mapping::new(2 * PAGE, Rights::READ_WRITE, POPULATE)?;
    let was_zero = memory.bytes().iter().all(|byte| *byte == 0);
    let tag = turn.tag() as u8;
    memory.bytes_mut().fill(tag);
    core::hint::spin_loop();
    memory.set_rights(Rights::READ)?;
    Ok(was_zero && memory.bytes().iter().all(|byte| *byte == tag))
}

/// Tells the next vcore.
fn tell(turn: Turn) -> Result<bool, Error> {
    let next = (threads::vcore() + 1) % turn.cores;
    TOLD.fetch_add(turn.tag(), Ordering::Relaxed);
    while let Err(error) = calls::notify_self(next, OURS, turn.tag()).call() {
        if error != Error::Again {
            return Err(error);
        }
        // There is no room until the vcore has looked.
        core::hint::spin_loop();
        threads::yield_now();
    }
    let nobody = calls::notify_self(info::max_vcores(), OURS, 1).call();
    Ok(nobody == Err(Error::Invalid))
}

/// Wants as many cores as before, and cores that nobody can have.
fn want(Turn { cores, .. }: Turn) -> Result<bool, Error> {
    let accepted = calls::poke().call()?;
    let own = Some(process::id());
    let management = calls::provision(own, 0).call();
    let missing = calls::provision(own, info::cores()).call();
    let is_refused = management == Err(Error::Busy) && missing == Err(Error::NoCore);
    Ok(accepted == u32::from(cores) && is_refused)
}
