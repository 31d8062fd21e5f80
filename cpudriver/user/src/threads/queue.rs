//! Which threads can run, which wait for the kernel, which vcores rest.

use crate::event::Event;
use crate::raw::lock::Lock;
use crate::raw::thread::{Awaited, Thread};
use crate::raw::vcore;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// What the scheduler knows.
pub(super) static STATE: Lock<State> = Lock::new(State::new());

/// See [`STATE`].
#[derive(Debug)]
pub(super) struct State {
    ready: VecDeque<&'static Thread>,
    /// Threads that wait for calls.
    waiting: Vec<(Awaited, &'static Thread)>,
    /// Events that threads may wait for, ever.
    pub(super) events: u64,
    /// Threads that wait for one more.
    listening: Vec<&'static Thread>,
    /// Threads that have ended, to be used again, with their stacks.
    pub(super) spare: Vec<&'static Thread>,
    /// Vcores that halt, a bit each.
    resting: [u64; 4],
    /// Who is told of events that the scheduler does not know.
    pub(super) handler: Option<fn(Event)>,
    /// Threads that there are, so that no queue ever grows in a critical section.
    threads: usize,
}

impl State {
    const fn new() -> Self {
        Self {
            ready: VecDeque::new(),
            waiting: Vec::new(),
            events: 0,
            listening: Vec::new(),
            spare: Vec::new(),
            resting: [0; 4],
            handler: None,
            threads: 0,
        }
    }

    /// Makes room for so many threads more.
    pub(super) fn reserve(&mut self, threads: usize) {
        self.threads += threads;
        self.ready.reserve(self.threads - self.ready.len());
        self.waiting.reserve(self.threads - self.waiting.len());
        self.listening.reserve(self.threads - self.listening.len());
        self.spare.reserve(self.threads - self.spare.len());
    }

    pub(super) fn push(&mut self, thread: &'static Thread) {
        self.ready.push_back(thread);
    }

    pub(super) fn pop(&mut self) -> Option<&'static Thread> {
        self.ready.pop_front()
    }

    /// Puts a thread behind all others, and takes the first.
    pub(super) fn exchange(&mut self, thread: &'static Thread) -> &'static Thread {
        let Some(first) = self.ready.pop_front() else { return thread };
        self.ready.push_back(thread);
        first
    }

    /// Lets a thread wait for a call; if it is over, the thread can run.
    pub(super) fn wait_for_call(&mut self, awaited: Awaited, thread: &'static Thread) {
        if awaited.is_done() {
            self.push(thread);
        } else {
            self.waiting.push((awaited, thread));
        }
    }

    /// The call whose structure lies at `address` is over.
    pub(super) fn call_done(&mut self, address: u64) {
        let found = self.waiting.iter().position(|(awaited, _)| awaited.address() == address);
        if let Some(at) = found.filter(|at| self.waiting[*at].0.is_done()) {
            let (_, thread) = self.waiting.swap_remove(at);
            self.push(thread);
        } else {
            // Somebody may have started it and gone on.
            self.happened();
        }
    }

    /// Something has come that threads may wait for.
    pub(super) fn happened(&mut self) {
        self.events += 1;
        while let Some(thread) = self.listening.pop() {
            self.push(thread);
        }
    }

    /// Lets a thread wait until more has come than `known`.
    pub(super) fn listen(&mut self, known: u64, thread: &'static Thread) {
        if self.events == known { self.listening.push(thread) } else { self.push(thread) }
    }

    /// Some calls are over, and it is not known which.
    pub(super) fn some_calls_done(&mut self) {
        while let Some(at) = self.waiting.iter().position(|(awaited, _)| awaited.is_done()) {
            let (_, thread) = self.waiting.swap_remove(at);
            self.push(thread);
        }
    }

    /// A vcore wants to halt; not if there is something to run.
    pub(super) fn rest(&mut self, vcore: u16) -> bool {
        if !self.ready.is_empty() {
            return false;
        }
        self.resting[usize::from(vcore / 64)] |= 1 << (vcore % 64);
        true
    }

    /// It does not halt any more.
    pub(super) fn wake(&mut self, vcore: u16) {
        self.resting[usize::from(vcore / 64)] &= !(1 << (vcore % 64));
    }

    /// A vcore that halts although there is something to run, which the caller wakes.
    pub(super) fn sleeper_if_ready(&mut self) -> Option<u16> {
        if self.ready.is_empty() { None } else { self.sleeper() }
    }

    /// A vcore that halts, which the caller wakes.
    pub(super) fn sleeper(&mut self) -> Option<u16> {
        let word = self.resting.iter().position(|word| *word != 0)?;
        let bit = self.resting[word].trailing_zeros();
        self.resting[word] &= !(1 << bit);
        u16::try_from(word * 64 + bit as usize).ok()
    }
}

/// A thread can run.
pub(crate) fn ready(thread: &'static Thread) {
    let sleeper = STATE.with(|state| {
        state.push(thread);
        state.sleeper()
    });
    if let Some(sleeper) = sleeper {
        vcore::ring(vcore::vcore(sleeper));
    }
}
