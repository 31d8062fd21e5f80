//! Rewrites event queues and mailboxes, unmaps them and takes the rights to them, while the kernel posts there from several
//! sources: sends, alarms, and events of another process. Whatever comes of it is the attacker's own loss. The parent starts one attacker
//! after the other, each with a seed of its own, and ends those that hang.
//!
//!     run trample 100000 7 3      (100,000 posts, seed 7, on up to 3 vcores)
#![no_std]
#![no_main]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use programs::{Random, Words};
use user::event::{Event, kind};
use user::memory::{self, Rights};
use user::process::{self, Command};
use user::proto::memory::FIXED;
use user::proto::program::{mailbox, queue};
use user::queue::Address;
use user::ring::SharedMemory;
use user::time::{self, Moment};
use user::{Error, calls, println, threads};

user::main!(main);

const USAGE: &str = "[POSTS [SEED [VCORES]]]";
/// The word by which this program is an attacker.
const ATTACKER: &str = "attacker";
/// Pages of queues and mailboxes, of each of the attackers' threads, and bytes of all.
const PAGES: u64 = 4;
const BYTES: u64 = PAGES * 4096;
/// Where a page has a mailbox, behind its queues.
const MAILBOX: u64 = 1024;
/// Threads of an attacker: two vcores can do without one.
const THREADS: u64 = 4;
/// What each thread does before it has done enough.
const EACH: u64 = 5000;
/// Kinds of events of programs, some of which have queues.
const KINDS: u64 = 8;
const FIRST_KIND: u16 = kind::OF_PROGRAMS;
/// Counters in the memory that parent and attacker share: posts that were taken, and that found no room or no mailbox.
const TAKEN: usize = 0;
const REFUSED: usize = 8;
/// How long an attacker may take, and what it ends with then.
const PATIENCE: Duration = Duration::from_secs(10);
const HUNG: i32 = 77;

fn main() -> Result<i32, Error> {
    let mut words = Words::new(USAGE);
    let first = words.next().unwrap_or("100000");
    let (seed, vcores) = (words.number(1), words.number(2));
    let address = words.number(0);
    words.end();
    if first == ATTACKER {
        return attacker(seed, vcores, address).map(|()| 0);
    }
    let Ok(posts) = first.parse() else { Words::new(USAGE).refuse() };
    parent(posts, seed, vcores)
}

fn parent(posts: u64, seed: u64, vcores: u16) -> Result<i32, Error> {
    let memory = SharedMemory::new(4096)?;
    let count = |at| memory.page().u64(at).load(Ordering::Relaxed);
    let (mut attackers, mut lived, mut told) = (0, 0, 0_u64);
    let is_enough = |told: u64| {
        let [taken, refused] = [TAKEN, REFUSED].map(count);
        // Whichever of them has the processor, a fair part is of each kind.
        taken + refused + told >= posts && taken.min(refused).min(told) >= posts / 16
    };
    while !is_enough(told) {
        let seed = seed.wrapping_add(attackers);
        let child = Command::new("trample").arg(ATTACKER).arg(seed).arg(vcores);
        let child = child.arg(memory.address()).without_handles().create()?;
        memory.give(child)?;
        process::run(child)?;
        attackers += 1;
        let mut random = Random(!seed);
        let began = Moment::now();
        let code = loop {
            let value = random.number();
            let sent = process::notify(child, any_kind(&mut random), value);
            told += u64::from(matches!(sent, Ok(()) | Err(Error::Again)));
            match process::ended()? {
                Some(ended) if ended.pid == child => break ended.code,
                _ if began.elapsed() > PATIENCE => {
                    let _ = process::destroy(child, HUNG);
                    break process::wait(child)?;
                }
                _ => {}
            }
        };
        lived += u64::from(code == 0);
    }
    let (taken, refused) = (count(TAKEN), count(REFUSED));
    let all = taken + refused + told;
    println!(
        "trample: seed {seed}, {all} posts ({taken} taken, {refused} refused, {told} from outside) by {attackers} \
         attackers, {lived} lived"
    );
    Ok(i32::from(taken == 0 || refused == 0 || told == 0))
}

fn any_kind(random: &mut Random) -> u16 {
    FIRST_KIND + random.below(KINDS) as u16
}

fn attacker(seed: u64, vcores: u16, address: u64) -> Result<(), Error> {
    threads::start(vcores)?;
    // SAFETY: the parent has given this memory, and told where it is; nothing of this program was there before.
    let counters = unsafe { SharedMemory::given(address, 4096) };
    let area = memory::map((THREADS * BYTES) as usize, Rights::READ_WRITE, 0)?;
    let area = area.cast::<u8>().as_ptr().expose_provenance() as u64;
    let begin = |number| {
        let random = Random(seed ^ number << 32);
        threads::spawn(move || Trample { random, area, own: area + number * BYTES, counters }.run())
    };
    let all: [_; THREADS as usize] = core::array::from_fn(|number| begin(number as u64));
    all.into_iter().try_for_each(|thread| thread.join())
}

/// A thread of an attacker. What it rewrites and unmaps is its own; it sends to all.
struct Trample {
    random: Random,
    area: u64,
    own: u64,
    counters: SharedMemory,
}

impl Trample {
    fn run(&mut self) -> Result<(), Error> {
        for _ in 0..EACH {
            match self.random.below(64) {
                0 => self.remap()?,
                1 => self.change_rights()?,
                2..=4 => {
                    let queue = Some(self.somewhere()).filter(|_| self.random.below(4) > 0);
                    let kind = any_kind(&mut self.random);
                    let _ = calls::set_queue(kind, queue).call();
                }
                5 => {
                    // The scheduler has an alarm of its own, whose event must reach it: these go nowhere else.
                    let _ = time::set_alarm(20, Moment::now());
                }
                6..=31 => self.rewrite(),
                _ => self.send(),
            }
        }
        Ok(())
    }

    /// An address in the memory of any thread: mostly where its pages have queues.
    fn somewhere(&mut self) -> Address {
        let anywhere = self.area + self.random.below(THREADS * BYTES);
        Address(match self.random.below(16) {
            0 => anywhere,
            1 => anywhere & !(queue::ALIGN - 1),
            _ => (anywhere & !4095) + self.random.below(MAILBOX / queue::ALIGN) * queue::ALIGN,
        })
    }

    /// The same of mailboxes, of which each page has one behind its queues.
    fn some_mailbox(&mut self) -> u64 {
        match self.random.below(16) {
            0 => self.random.number(),
            1 => 0,
            2 => u64::MAX - self.random.below(8192),
            3 => self.somewhere().0,
            _ => self.area + self.random.below(THREADS * PAGES) * 4096 + MAILBOX,
        }
    }

    fn send(&mut self) {
        let queue = self.somewhere();
        let event = Event { kind: any_kind(&mut self.random), value: self.random.number() };
        let about = self.random.below(5) as u16;
        let at = match calls::send(queue, event, about).call() {
            Ok(()) => TAKEN,
            Err(_) => REFUSED,
        };
        self.counters.page().u64(at).fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the fields of a queue, those of a mailbox, its indices, or anything anywhere.
    fn rewrite(&mut self) {
        let page = self.own + 4096 * self.random.below(PAGES);
        match self.random.below(16) {
            0..6 => {
                let at = page + self.random.below(MAILBOX / queue::ALIGN) * queue::ALIGN;
                let (flags, vcore) = (self.random.below(1 << 10), self.random.below(5));
                store(at + queue::FLAGS as u64, flags | vcore << (8 * queue::VCORE));
                store(at + queue::MAILBOX as u64, self.some_mailbox());
            }
            6..11 => {
                let kind = [0, 1, 1, 1, 2, 3, 4][self.random.below(7) as usize];
                let length = match self.random.below(8) {
                    0 => self.random.number() & 0xffff_ffff,
                    1 => 1 << 16,
                    _ => 1 << self.random.below(10),
                };
                let word = kind | length << (8 * mailbox::LENGTH);
                store(page + MAILBOX + mailbox::KIND as u64, word);
            }
            11..14 => {
                let index = [mailbox::POSTED, mailbox::TAKEN][self.random.below(2) as usize];
                // Mostly such that there is room in a ring.
                let count = if self.random.below(4) > 0 { 0 } else { self.random.below(1 << 33) };
                store(page + MAILBOX + index as u64, count);
            }
            _ => store(page + 8 * self.random.below(512), self.random.number()),
        }
    }

    /// Takes a page of its own away, and puts a new one there.
    fn remap(&mut self) -> Result<(), Error> {
        let page = self.page();
        // SAFETY: it is this thread's alone, and only words are stored there.
        unsafe { memory::unmap(page) }?;
        self.send();
        let start = page.cast::<u8>().as_ptr().expose_provenance() as u64;
        // SAFETY: as above.
        unsafe { memory::map_at(start, 4096, Rights::READ_WRITE, FIXED) }.map(|_| ())
    }

    /// Takes the rights to a page of its own away for a while.
    fn change_rights(&mut self) -> Result<(), Error> {
        let page = self.page();
        let less = [Rights::NONE, Rights::READ][self.random.below(2) as usize];
        // SAFETY: as above.
        unsafe { memory::protect(page, less) }?;
        (0..4).for_each(|_| self.send());
        // SAFETY: as above.
        unsafe { memory::protect(page, Rights::READ_WRITE) }
    }

    fn page(&mut self) -> NonNull<[u8]> {
        let start = self.own + 4096 * self.random.below(PAGES);
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(start as usize));
        NonNull::slice_from_raw_parts(start.unwrap_or(NonNull::dangling()), 4096)
    }
}

/// Stores a word into memory of this thread, to which the kernel writes as well.
fn store(at: u64, word: u64) {
    // SAFETY: it lies in this thread's pages, which it gives rights to again before it goes on, and is aligned.
    unsafe { AtomicU64::from_ptr(core::ptr::with_exposed_provenance_mut(at as usize)) }
        .store(word, Ordering::Relaxed);
}
