//! Requests to the kernel, and calls that go on while the program does.

use super::call::Block;
use crate::{Error, calls, event, wait};
use core::fmt;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use proto::call::Outcome;
use proto::program::{STARTED, block};

/// A request that has not been made, and comes to a `T`. It may name memory that is borrowed for `'a`.
#[must_use = "a request does nothing until it is made"]
pub struct Request<'a, T> {
    number: u32,
    arguments: [u64; block::ARGUMENT_COUNT],
    used: usize,
    finish: fn(u32, u64) -> T,
    memory: PhantomData<&'a mut [u8]>,
}

/// What a call came to, `finish` applied.
type Finish<T> = fn(u32, u64) -> T;

impl<'a, T> Request<'a, T> {
    /// A request without arguments; `finish` turns outcome and value into what it comes to.
    ///
    /// Of this crate only, and never for a call that takes memory away: those are unsafe to make.
    #[inline]
    pub(crate) const fn new(number: u32, finish: Finish<T>) -> Self {
        let arguments = [0; block::ARGUMENT_COUNT];
        Self { number, arguments, used: 0, finish, memory: PhantomData }
    }

    /// With one more argument.
    #[inline]
    pub(crate) const fn with(mut self, argument: u64) -> Self {
        self.arguments[self.used] = argument;
        self.used += 1;
        self
    }

    /// With two more: address and length of memory that is read.
    #[inline]
    pub(crate) fn with_bytes(self, bytes: &'a [u8]) -> Self {
        self.with(bytes.as_ptr().expose_provenance() as u64).with(bytes.len() as u64)
    }

    /// With two more: address and length of memory that is written.
    #[inline]
    pub(crate) fn with_room(self, room: &'a mut [u8]) -> Self {
        self.with(room.as_mut_ptr().expose_provenance() as u64).with(room.len() as u64)
    }

    #[inline]
    fn result(finish: Finish<T>, outcome: i64, value: u64) -> Result<T, Error> {
        // Outcomes have 32 bits; a kernel that breaks this is not to be believed anything.
        let outcome = i32::try_from(outcome).unwrap_or(Outcome::INVALID.0);
        match u32::try_from(outcome) {
            Ok(outcome) => Ok(finish(outcome, value)),
            Err(_) => Err(Error::of(Outcome(outcome)).unwrap_or(Error::Invalid)),
        }
    }

    /// Makes the request and waits until it is done.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    #[inline]
    pub fn call(self) -> Result<T, Error> {
        let block = Block::new(self.number, self.arguments);
        // SAFETY:
        // 1. The memory named is borrowed for longer than this call, see `with_bytes` and `with_room`.
        // 2. The structure stays until this function returns, which it does when the call is over.
        let outcome = unsafe { block.enter() };
        if outcome != STARTED {
            return Self::result(self.finish, outcome, block.value());
        }
        wait::for_call(&block);
        Self::result(self.finish, block.outcome(), block.value())
    }
}

impl<T> Request<'_, T> {
    /// Makes the request and looks until it is done, while nothing else runs on this core: for what is over sooner than
    /// a thread is put aside and told of the end. No event is posted.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn spin(self) -> Result<T, Error> {
        let block = Block::quiet(self.number, self.arguments);
        // SAFETY: as in `call`.
        let outcome = unsafe { block.enter() };
        if outcome != STARTED {
            return Self::result(self.finish, outcome, block.value());
        }
        while !block.is_done() {
            core::hint::spin_loop();
        }
        Self::result(self.finish, block.outcome(), block.value())
    }
}

impl<T> fmt::Debug for Request<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, arguments, .. } = self;
        f.debug_struct("Request").field("number", number).field("arguments", arguments).finish()
    }
}

/// A call that goes on while the program does something else.
///
/// Its structure must not move while the kernel may write to it, so it is pinned:
///
/// ```no_run
/// # fn example(ticks: u64) -> Result<(), user::Error> {
/// use core::pin::pin;
/// use user::{Call, calls};
///
/// let mut sleep = pin!(Call::new(calls::sleep(ticks)));
/// sleep.as_mut().start();
/// // … something else …
/// sleep.as_mut().wait()?;
/// # Ok(()) }
/// ```
///
/// It can name only memory that is there for ever, since nothing keeps a program from forgetting a call. One that is
/// dropped while it goes on is cut short, and waited for.
#[derive(Debug)]
pub struct Call<T> {
    block: Block,
    finish: Finish<T>,
    state: State,
    is_polled: bool,
    _pinned: PhantomPinned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Started,
    /// It is over, with this outcome; the value is in the structure.
    Over(i64),
}

impl<T> Call<T> {
    /// A call that has not been started.
    #[must_use]
    pub fn new(request: Request<'static, T>) -> Self {
        Self::of(Block::new(request.number, request.arguments), request.finish, false)
    }

    /// One whose end posts no event, so that no vcore is interrupted for it: for who looks at [`Self::is_done`]. To
    /// wait for it is to look again and again.
    #[must_use]
    pub fn polled(request: Request<'static, T>) -> Self {
        Self::of(Block::quiet(request.number, request.arguments), request.finish, true)
    }

    const fn of(block: Block, finish: Finish<T>, is_polled: bool) -> Self {
        Self { block, finish, state: State::New, is_polled, _pinned: PhantomPinned }
    }

    /// Makes the call, if it has not been made.
    pub fn start(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved out of it below.
        let this = unsafe { self.get_unchecked_mut() };
        if this.state != State::New {
            return;
        }
        // SAFETY:
        // 1. The memory named is there for ever.
        // 2. The structure is pinned, and dropping it waits for the end of the call.
        let outcome = unsafe { this.block.enter() };
        this.state = if outcome == STARTED { State::Started } else { State::Over(outcome) };
    }

    /// Is it over?
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self.state {
            State::New => false,
            State::Started => self.block.is_done(),
            State::Over(_) => true,
        }
    }

    /// What it came to, if it is over.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn result(&self) -> Option<Result<T, Error>> {
        let outcome = match self.state {
            State::Over(outcome) => outcome,
            _ if self.is_done() => self.block.outcome(),
            _ => return None,
        };
        Some(Request::result(self.finish, outcome, self.block.value()))
    }

    /// Starts it if that has not been done, and waits until it is over.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn wait(mut self: Pin<&mut Self>) -> Result<T, Error> {
        self.as_mut().start();
        self.until_done();
        self.result().unwrap_or(Err(Error::Invalid))
    }

    fn until_done(&self) {
        if self.is_polled {
            while !self.is_done() {
                core::hint::spin_loop();
            }
            return;
        }
        wait::until(|| {
            event::collect(|_| false);
            self.is_done()
        });
    }

    /// Cuts it short: it is over soon, with [`Error::Interrupted`] unless it was over before.
    pub fn abort(&self) {
        if self.state == State::Started {
            // An error says that it is over already.
            let _ = calls::abort(&self.block).call();
        }
    }

    /// What the event [`CALL_DONE`](proto::event::kind::CALL_DONE) of this call carries.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.block.address()
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        if !self.is_done() && self.state == State::Started {
            self.abort();
            self.until_done();
        }
    }
}
