//! Two threads, each on a CPU of its own, that never sleep.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;

use super::layout::Between;

type Job = Box<dyn FnOnce() + Send>;

/// This thread and its partner.
#[derive(Debug)]
pub struct Pair {
    jobs: Option<Sender<Job>>,
    partner: Option<JoinHandle<()>>,
}

impl Pair {
    /// Pins this thread to the first CPU that the process may use, and starts a partner on the last.
    ///
    /// # Errors
    /// When there is only one, or the system refuses.
    pub fn start() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).context("no affinity of this thread")?;
        let (first, last) = two(&allowed)?;
        pin(first)?;
        let (jobs, inbox) = channel();
        let (ready, is_ready) = channel();
        let partner = std::thread::spawn(move || {
            let pinned = pin(last);
            let fine = pinned.is_ok();
            if ready.send(pinned).is_ok() && fine {
                serve(&inbox);
            }
        });
        is_ready.recv().context("the partner ended")??;
        Ok(Self { jobs: Some(jobs), partner: Some(partner) })
    }

    /// Runs both at once, `mine` here; what they return, unless the system took the CPU away from one
    /// of them, so that what they measured means nothing.
    ///
    /// # Panics
    /// When the partner does.
    pub fn run<A, B: Send + 'static>(
        &self,
        mine: impl FnOnce() -> A,
        theirs: impl FnOnce() -> B + Send + 'static,
    ) -> Option<(A, B)> {
        let (done, is_done) = channel();
        // An asker that panicked takes no answer.
        let job = Box::new(move || drop(done.send(undisturbed(theirs))));
        let jobs = self.jobs.as_ref().expect("there until the end");
        jobs.send(job).expect("the partner lives as long as it is given jobs");
        let mine = undisturbed(mine);
        let theirs = Between::Pause.poll(|| match is_done.try_recv() {
            Ok(theirs) => Some(theirs),
            Err(std::sync::mpsc::TryRecvError::Empty) => None,
            Err(gone) => panic!("the partner panicked: {gone}"),
        });
        Some((mine?, theirs?))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.jobs = None;
        // After a panic here the partner may wait for a message that never comes. One that panicked
        // itself has said so.
        if !std::thread::panicking() {
            let _ = self.partner.take().map(JoinHandle::join);
        }
    }
}

/// Awake between two jobs, so that none begins on a CPU that must wake up first.
fn serve(inbox: &Receiver<Job>) {
    loop {
        match inbox.try_recv() {
            Ok(job) => job(),
            Err(std::sync::mpsc::TryRecvError::Empty) => std::hint::spin_loop(),
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
        }
    }
}

/// What `job` returns if this thread kept its CPU meanwhile.
fn undisturbed<T>(job: impl FnOnce() -> T) -> Option<T> {
    let before = preemptions();
    let result = job();
    (preemptions() == before).then_some(result)
}

/// How often the system took the CPU away from this thread; 0 where it does not say.
fn preemptions() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.involuntary_context_switches())
}

fn two(allowed: &CpuSet) -> Result<(usize, usize)> {
    let cpus: Vec<usize> =
        (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false)).collect();
    match cpus[..] {
        [first, .., last] => Ok((first, last)),
        _ => bail!("two threads on different CPUs are measured, and this process may use only one"),
    }
}

fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
        .with_context(|| format!("cannot run on CPU {cpu} only"))
}
