//! Makes random calls with random arguments, and never expects to survive it; the kernel and all others must. A parent
//! starts one attacker after the other, each with a seed of its own, and ends those that hang.
//!
//!     run hostile 100000 7           (100,000 calls, seed 7)
//!     run hostile 100000 7 many      (by many-core processes, from all their vcores)
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use programs::{Random, Words};
use user::event::{self, kind};
use user::memory::{self, Rights, SHARED};
use user::process::{self, Command, Pid};
use user::proto::memory::MAP_AREA;
use user::proto::program::{layout, number};
use user::raw::call::Block;
use user::raw::page;
use user::time::{self, Moment};
use user::{Error, info, println, threads};

user::main!(main);

/// Calls that an attacker makes, if it lives so long.
const EACH: u64 = 2000;
/// How long an attacker may take.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Exit code of an attacker that hung.
const HUNG: i32 = 77;
/// Exit code of one that a fault ended.
const FAULTED: i32 = 1337;
/// So many numbers of calls are tried, some of which are none.
const NUMBERS: u64 = number::SET_QUEUE as u64 + 4;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[CALLS [SEED [many]]]");
    let first = words.next().unwrap_or("10000");
    let seed = words.number(1);
    match (first, first.parse()) {
        ("child", _) => {
            let counter = words.number(0);
            let many = is_many(words);
            let counter = counter_at(counter);
            if many { attack_from_all_vcores(seed, counter) } else { attack(seed, counter, many) }
        }
        (_, Ok(calls)) => {
            let many = is_many(words);
            attackers(calls, seed, many)
        }
        _ => words.refuse(),
    }
}

/// The last word: are the attackers many-core processes?
fn is_many(mut words: Words) -> bool {
    let many = match words.next() {
        None => false,
        Some("many") => true,
        Some(_) => words.refuse(),
    };
    words.end();
    many
}

/// Where an attacker counts its calls: memory that it shares with its parent.
fn counter_at(address: usize) -> &'static AtomicU64 {
    // SAFETY: the parent has mapped it, and shares it with the attacker before that runs. If that unmaps it, the
    // kernel ends the attacker.
    unsafe { AtomicU64::from_ptr(core::ptr::with_exposed_provenance_mut(address)) }
}

/// How attackers ended.
#[derive(Default)]
struct Ends {
    lived: u64,
    faulted: u64,
    hung: u64,
    otherwise: u64,
}

fn attackers(calls: u64, seed: u64, many: bool) -> Result<i32, Error> {
    let memory = memory::map(4096, Rights::READ_WRITE, SHARED)?;
    let address = memory.cast::<u8>().as_ptr().expose_provenance();
    let (counter, mut ends) = (counter_at(address), Ends::default());
    let (mut count, mut made) = (0, 0);
    while made < calls {
        counter.store(0, Ordering::Relaxed);
        let command =
            Command::new("hostile").arg("child").arg(seed.wrapping_add(count)).arg(address);
        let command = if many { command.arg("many") } else { command };
        count += 1;
        // Without handles, lest it fills the console.
        let child = command.without_handles().create()?;
        memory::share(child, memory)?;
        process::run(child)?;
        match end_of(child)? {
            0 => ends.lived += 1,
            FAULTED => ends.faulted += 1,
            HUNG => ends.hung += 1,
            _ => ends.otherwise += 1,
        }
        reap_all();
        // What it counts can also be what it had the kernel write there.
        made += counter.load(Ordering::Relaxed).min(EACH);
    }
    let Ends { lived, faulted, hung, otherwise } = ends;
    println!(
        "hostile: seed {seed}, {made} calls by {count} attackers: {lived} lived, {faulted} faulted, {hung} hung, \
         {otherwise} ended otherwise"
    );
    Ok(0)
}

/// Waits for the attacker's end, or brings it about.
fn end_of(child: Pid) -> Result<i32, Error> {
    const ALARM: u64 = 1;
    time::set_alarm(ALARM, Moment::now() + PATIENCE)?;
    let tells = |event: event::Event| match event.kind {
        kind::ALARM => true,
        kind::CHILD_ENDED => event.value == child.0.into(),
        _ => false,
    };
    if event::wait_for(tells).kind == kind::ALARM {
        // It may have ended just now.
        let _ = process::destroy(child, HUNG);
    } else {
        time::cancel_alarm(ALARM)?;
    }
    process::wait(child)
}

/// Events that an attacker caused must not be taken for those of the next.
fn reap_all() {
    while let Ok(Some(_)) = process::ended() {}
    while event::take().is_some() {}
}

/// Structures of calls, also at places where none belongs.
struct Attack {
    random: Random,
    /// From a many-core process.
    many: bool,
    blocks: [Block; 16],
    room: [u8; 8192],
}

/// A thread for each vcore and one more attacks.
fn attack_from_all_vcores(seed: u64, counter: &'static AtomicU64) -> Result<i32, Error> {
    let cores = threads::start(info::max_vcores())?;
    let thread = |number: u16| {
        let seed = seed ^ u64::from(number) << 32;
        threads::spawn(move || attack(seed, counter, true))
    };
    let all: [_; 4] = core::array::from_fn(|number| thread(number as u16 % (cores + 1)));
    for thread in all {
        thread.join()?;
    }
    Ok(0)
}

fn attack(seed: u64, counter: &AtomicU64, many: bool) -> Result<i32, Error> {
    let blocks = [const { Block::new(0, [0; 5]) }; 16];
    let mut attack = Attack { random: Random(seed), many, blocks, room: [0; 8192] };
    for _ in 0..EACH {
        attack.one();
        counter.fetch_add(1, Ordering::Relaxed);
    }
    Ok(0)
}

impl Attack {
    fn one(&mut self) {
        if self.many && self.random.below(100) == 0 {
            return self.scribble();
        }
        let number = self.number();
        let mut arguments = match number {
            number::CREATE if self.random.below(2) == 0 => self.program(),
            _ => core::array::from_fn(|_| self.argument()),
        };
        if number == number::DESTROY && arguments[0] == process::id().0.into() {
            arguments[0] += self.random.below(20).min(1);
        }
        if self.random.below(2000) == 0 {
            return self.strange_structure();
        }
        let slot = self.random.below(16) as usize;
        // One that goes on is left alone, or written over while it does: both must be harmless to others.
        self.blocks[slot] = Block::new(number, arguments);
        // SAFETY: none, on purpose: whatever this does to this process is its own fault.
        unsafe { self.blocks[slot].enter() };
    }

    /// Mostly something that is a call, and seldom one that would end it all or stop until an event comes.
    fn number(&mut self) -> u32 {
        let number = match self.random.below(100) {
            0 => self.random.number() as u32,
            _ => self.random.below(NUMBERS) as u32,
        };
        let ends = [
            number::EXIT,
            number::YIELD,
            number::CHANGE_TO_MANY,
            number::HALT,
            number::ENTER,
            number::RESUME,
        ];
        let seldom = if self.many { 10 } else { 200 };
        if ends.contains(&number) && self.random.below(seldom) != 0 { number::NULL } else { number }
    }

    /// Writes anything into the pages that are shared with the kernel.
    fn scribble(&mut self) {
        let number = self.random.below(u64::from(info::max_vcores()));
        let at = match self.random.below(3) {
            0 => self.random.below(10) as usize,
            1 => self.random.below(0x100) as usize,
            _ => self.random.below(4096) as usize,
        };
        let value = self.random.number() as u8;
        page::vcore(number).u8(at).store(value, Ordering::Relaxed);
    }

    /// A program that there is, so that there are children to do something to.
    fn program(&mut self) -> [u64; 5] {
        let name = ["true", "hello", "args"][self.random.below(3) as usize];
        [name.as_ptr() as u64, name.len() as u64, 0, 0, self.random.below(2)]
    }

    fn argument(&mut self) -> u64 {
        match self.random.below(12) {
            0 => self.random.number(),
            1 => 1 << self.random.below(64),
            2 => (1_u64 << self.random.below(64)).wrapping_neg(),
            3 => self.address(),
            4 => self.room.as_ptr() as u64 + self.random.below(8192),
            5 => self.blocks.as_ptr() as u64 + 64 * self.random.below(16),
            6 => self.random.below(4097),
            7 => u64::from(process::id().0) + self.random.below(3),
            8 => Moment::now().0 + self.random.below(1_000_000),
            _ => self.random.below(40),
        }
    }

    /// An address where something may be.
    fn address(&mut self) -> u64 {
        let near = [
            0,
            layout::PROGRAM_START,
            layout::PROGRAM_END,
            0x40_0000,
            layout::GLOBAL,
            layout::INFO,
            layout::WISHES,
            layout::DATA,
            layout::STACK_END,
            layout::STACK_END - layout::STACK_BYTES,
            MAP_AREA.first * 4096,
            layout::USER_END,
            1 << 47,
            0xffff_8000_0000_0000,
            0xffff_ffff_8010_0000,
            u64::MAX,
        ];
        let base = near[self.random.below(near.len() as u64) as usize];
        let offset = self.random.below(8192);
        if self.random.below(2) == 0 {
            base.wrapping_add(offset)
        } else {
            base.wrapping_sub(offset)
        }
    }

    /// A call whose structure is anywhere.
    fn strange_structure(&mut self) {
        let at = if self.random.below(2) == 0 { self.address() & !63 } else { self.argument() };
        // SAFETY: none, on purpose: whatever this does to this process is its own fault.
        unsafe {
            core::arch::asm!("syscall", in("rdi") at, out("rax") _, out("rcx") _, out("r11") _);
        }
    }
}
