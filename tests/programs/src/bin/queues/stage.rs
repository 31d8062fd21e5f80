//! Vcores that are held by threads which give way only when told to, and what each of them hears of.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use programs::{spin_until, start_on};
use user::event::{Event, kind};
use user::queue::{EventQueue, Mailbox};
use user::threads::{self, JoinHandle};
use user::{Error, calls, println};

/// Vcores that are held at most, the one of the main thread included.
const MOST: usize = 4;
/// The kind of the events that are sent.
pub(crate) const OURS: u16 = 70;
/// System calls after which an event that was to come would have.
const A_WHILE: u32 = 40;

/// Looks for what should come before it is missed.
const PATIENCE: u32 = 20_000_000;

/// What a vcore has heard: of events themselves, and of queues.
static EVENTS: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
static QUEUES: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
/// The thread on this vcore shall give way once.
static GIVE_WAY: [AtomicBool; MOST] = [const { AtomicBool::new(false) }; MOST];
static IS_HELD: [AtomicBool; MOST] = [const { AtomicBool::new(false) }; MOST];
static IS_OVER: AtomicBool = AtomicBool::new(false);

fn heard(event: Event) {
    let vcore = usize::from(threads::vcore());
    let all = if event.kind == kind::QUEUE { &QUEUES } else { &EVENTS };
    if let Some(count) = all.get(vcore)
        && matches!(event.kind, kind::QUEUE | OURS)
    {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// What somebody hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The event.
    Event,
    /// The queue that it went to.
    Queue,
}

impl Word {
    /// How often a vcore has.
    pub(crate) fn heard_by(self, vcore: u16) -> u64 {
        let all = match self {
            Self::Event => &EVENTS,
            Self::Queue => &QUEUES,
        };
        all[usize::from(vcore)].load(Ordering::Relaxed)
    }

    /// How often all have.
    pub(crate) fn heard(self) -> u64 {
        (0..MOST as u16).map(|vcore| self.heard_by(vcore)).sum()
    }
}

/// All vcores, each held.
pub(crate) struct Stage {
    vcores: u16,
    holders: [Option<JoinHandle<()>>; MOST],
    checks: u32,
    wrong: u32,
}

impl Stage {
    /// Begins threads on so many vcores.
    pub(crate) fn start(vcores: u16) -> Result<Self, Error> {
        if !(2..=MOST as u16).contains(&vcores) {
            return Err(Error::Invalid);
        }
        start_on(vcores)?;
        threads::on_event(heard);
        let mut stage = Self { vcores, holders: [const { None }; MOST], checks: 0, wrong: 0 };
        stage.hold_all();
        Ok(stage)
    }

    /// Holds all vcores but the main thread's.
    pub(crate) fn hold_all(&mut self) {
        self.hold(self.vcores);
    }

    /// Holds so many vcores, the main thread's among them.
    pub(crate) fn hold(&mut self, vcores: u16) {
        IS_OVER.store(false, Ordering::Relaxed);
        for held in &IS_HELD {
            held.store(false, Ordering::Relaxed);
        }
        for holder in &mut self.holders[1..usize::from(vcores)] {
            *holder = Some(threads::spawn(hold));
        }
        let is_held = |vcore: u16| IS_HELD[usize::from(vcore)].load(Ordering::Relaxed);
        spin_until(|| (0..self.vcores).filter(|it| is_held(*it)).count() + 1 == vcores.into());
    }

    /// Lets all go.
    pub(crate) fn let_go(&mut self) {
        IS_OVER.store(true, Ordering::Relaxed);
        self.holders.iter_mut().filter_map(Option::take).for_each(JoinHandle::join);
    }

    /// All vcores.
    pub(crate) fn vcores(&self) -> u16 {
        self.vcores
    }

    /// The vcores that are held.
    pub(crate) fn held(&self) -> impl Iterator<Item = u16> + use<> {
        let mine = threads::vcore();
        (0..self.vcores).filter(move |vcore| *vcore != mine)
    }

    /// One of them.
    pub(crate) fn other(&self) -> u16 {
        self.held().next().unwrap_or(0)
    }

    /// One thing that should be so.
    pub(crate) fn check(&mut self, what: &str, is_so: bool) {
        self.checks += 1;
        if !is_so {
            self.wrong += 1;
            println!("queues: wrong: {what}");
        }
    }

    /// Does something, after which a vcore shall hear so often of it before long; and no other vcore shall.
    pub(crate) fn hears(
        &mut self,
        what: &str,
        (vcore, word, times): (u16, Word, u64),
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut expected = counts();
        work()?;
        expected[usize::from(vcore)][word as usize] += times;
        comes_true(|| word.heard_by(vcore) >= expected[usize::from(vcore)][word as usize]);
        pass_time()?;
        self.check(what, counts() == expected);
        Ok(())
    }

    /// Does something of which nobody shall hear.
    pub(crate) fn hears_nothing(
        &mut self,
        what: &str,
        work: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.hears(what, (0, Word::Event, 0), work)
    }

    /// How many checks there were, and how many of them failed.
    pub(crate) fn result(mut self) -> (u32, u32) {
        self.let_go();
        (self.checks, self.wrong)
    }
}

/// Has the thread on a vcore give way once.
pub(crate) fn give_way(vcore: u16) {
    let flag = &GIVE_WAY[usize::from(vcore)];
    flag.store(true, Ordering::Relaxed);
    spin_until(|| !flag.load(Ordering::Relaxed));
}

fn counts() -> [[u64; 2]; MOST] {
    core::array::from_fn(|vcore| [Word::Event, Word::Queue].map(|word| word.heard_by(vcore as u16)))
}

/// Spins until something is so, but not for ever; whether it came true.
pub(crate) fn comes_true(is_so: impl Fn() -> bool) -> bool {
    (0..PATIENCE).any(|_| {
        spin_loop();
        is_so()
    })
}

/// Keeps a vcore.
fn hold() {
    let vcore = usize::from(threads::vcore());
    IS_HELD[vcore].store(true, Ordering::Relaxed);
    while !IS_OVER.load(Ordering::Relaxed) {
        if GIVE_WAY[vcore].load(Ordering::Relaxed) {
            threads::yield_now();
            GIVE_WAY[vcore].store(false, Ordering::Relaxed);
        }
        spin_loop();
    }
}

/// Lets the kernel do what it was asked for.
pub(crate) fn pass_time() -> Result<(), Error> {
    for _ in 0..A_WHILE {
        calls::poke().call()?;
    }
    Ok(())
}

/// Sends an event.
pub(crate) fn send<M: Mailbox>(queue: &EventQueue<M>, value: u64) -> Result<(), Error> {
    send_about(queue, value, 0)
}

/// Sends an event about a vcore.
pub(crate) fn send_about<M: Mailbox>(
    queue: &EventQueue<M>,
    value: u64,
    vcore: u16,
) -> Result<(), Error> {
    calls::send(queue.address(), Event { kind: OURS, value }, vcore).call()
}
