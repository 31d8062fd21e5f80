//! What a thread and whoever joins it share: how it ends, and what it comes to.
//!
//! It lies at the end of the thread's own stack, and what the thread begins with below it, so that to make a thread that
//! was used before allocates nothing. A thread that has ended stays until it is joined, or nobody can join it any more.

use super::list::Waiters;
use super::lock::Lock;
use super::thread::{Parked, current};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering;

/// How it stands with a thread, and who waits for its end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) state: State,
    pub(crate) waiters: Waiters,
}

/// How it stands with a thread.
#[derive(Debug)]
pub(crate) enum State {
    /// It has not ended.
    Runs,
    /// It has ended, and its value is there.
    Over(Parked),
    /// Nobody will join it.
    Detached,
    /// It was lost with the core that it ran on.
    Lost,
}

/// An [`End`] that two look at.
pub(crate) type Ending = Lock<End>;

#[repr(C)]
#[derive(Debug)]
struct Packet<T> {
    /// The thread's `end` leads here.
    ending: Ending,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Packet<T> {
    const fn value(&self) -> *mut T {
        self.value.get().cast()
    }
}

/// What is asked of a thread's end: [`crate::threads`] has it.
pub(crate) struct Ways {
    /// Says that the thread has ended; returns if it is detached.
    pub(crate) say: fn(&'static Ending),
    /// Ends a detached thread for good.
    pub(crate) retire: fn() -> !,
}

/// The place of a value that lies below `end` in a stack: a multiple of 16 at least.
pub(super) fn below<V>(end: usize) -> *mut V {
    const {
        assert!(size_of::<V>() <= super::stacks::BYTES / 8, "too big for a stack: box it");
        assert!(align_of::<V>() <= 64, "too aligned for a stack: box it");
    }
    let align = if align_of::<V>() < 16 { 16 } else { align_of::<V>() };
    core::ptr::with_exposed_provenance_mut((end - size_of::<V>()) & !(align - 1))
}

/// The way to the end of a thread, for whoever joins it.
#[derive(Debug)]
pub(crate) struct Joint<T: 'static>(&'static Packet<T>);

// SAFETY: the value, which is `Send`, is taken once, and all else is behind a lock.
unsafe impl<T: Send> Send for Joint<T> {}
// SAFETY: as above; nothing is taken by a reference.
unsafe impl<T: Send> Sync for Joint<T> {}

impl<T: Send + 'static> Joint<T> {
    /// Lets a thread do `work` when it is next run, and end in these ways.
    pub(crate) fn begin<F: FnOnce() -> T + Send + 'static>(
        thread: &Parked,
        work: F,
        ways: &'static Ways,
    ) -> Self {
        let place: *mut Packet<T> = below(thread.stack_end());
        let ending = Lock::new(End { state: State::Runs, waiters: Waiters::new() });
        let new = Packet { ending, value: UnsafeCell::new(MaybeUninit::uninit()) };
        // SAFETY: the stack is the thread's, which does not run, and nobody joins it: there is room, see `below`.
        unsafe { place.write(new) };
        // SAFETY: stacks are never freed, and this packet stays until it is joined or detached.
        let packet = unsafe { &*place };
        let begins = Begins { work, packet, ways };
        let place: *mut Begins<F, T> = below(place.expose_provenance());
        // SAFETY: as above.
        unsafe { place.write(begins) };
        let ending = core::ptr::from_ref(&packet.ending).cast_mut();
        thread.0.end.store(ending, Ordering::Relaxed);
        // SAFETY: the place lies in the thread's stack, most of which is below it.
        unsafe { thread.start_at(place.expose_provenance(), run::<F, T>) };
        Self(packet)
    }

    /// How it ends.
    pub(crate) fn ending(&self) -> &Ending {
        &self.0.ending
    }

    /// Takes what it came to, and the thread, if that has ended.
    pub(crate) fn take(self) -> Taken<T> {
        let ended =
            self.0.ending.with(|end| match core::mem::replace(&mut end.state, State::Detached) {
                State::Over(thread) => Ok(thread),
                other => {
                    let is_lost = matches!(other, State::Lost);
                    end.state = other;
                    Err(is_lost)
                }
            });
        match ended {
            // SAFETY: the thread says that it is over once its value is there, and it is taken once.
            Ok(thread) => Taken::Over(unsafe { self.0.value().read() }, thread),
            Err(true) => Taken::Lost,
            Err(false) => Taken::Runs(self),
        }
    }

    /// Nobody joins the thread, which has not ended; false if it just has.
    pub(crate) fn detach(&self) -> bool {
        self.0.ending.with(|end| {
            let runs = matches!(end.state, State::Runs);
            if runs {
                end.state = State::Detached;
            }
            runs
        })
    }
}

/// What has become of a thread.
pub(crate) enum Taken<T: 'static> {
    Runs(Joint<T>),
    Over(T, Parked),
    Lost,
}

struct Begins<F, T: 'static> {
    work: F,
    packet: &'static Packet<T>,
    ways: &'static Ways,
}

extern "C" fn run<F: FnOnce() -> T, T: 'static>(begins: usize) -> ! {
    let begins: *const Begins<F, T> = core::ptr::with_exposed_provenance(begins);
    // SAFETY: it was put there for this, and is read once.
    let Begins { work, packet, ways } = unsafe { begins.read() };
    let value = work();
    if let Some(thread) = current() {
        // SAFETY: this is the thread, and nothing of it is left that could have borrowed one.
        unsafe { thread.values().clear() };
    }
    // SAFETY: nobody looks before the thread says that it has ended.
    unsafe { packet.value().write(value) };
    (ways.say)(&packet.ending);
    // SAFETY: it is there, and nobody joins a detached thread.
    unsafe { packet.value().drop_in_place() };
    (ways.retire)()
}
