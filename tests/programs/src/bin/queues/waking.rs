//! A process that waits, and another one that sends it events: one that does not wake it, and one that does.

use super::stage::Stage;
use core::time::Duration;
use user::memory::{self, Rights, SHARED};
use user::process::{self, Command, Pid};
use user::queue::{EventQueue, Ring, flag};
use user::time::sleep;
use user::{Error, calls, threads};

/// The word that makes this program the one that sends.
pub(crate) const TELLER: &str = "teller";
/// The kind of the event that does not wake, and of the one that does.
const KINDS: [u16; 2] = [100, 101];
/// What a process is that waits.
const WAITING: &str = "WAITING";
/// How long the process must have waited on.
const A_WHILE: Duration = Duration::from_millis(2);

/// Sends both events to the parent, in between looking whether it waits; what it sees goes with the second one.
pub(crate) fn tell(parent: u16, _memory: usize) -> Result<(), Error> {
    let parent = Pid(parent);
    let waits = || process::list().any(|it| it.pid() == parent && it.state() == WAITING);
    while !waits() {
        sleep(A_WHILE)?;
    }
    process::notify(parent, KINDS[0], 0)?;
    sleep(A_WHILE)?;
    process::notify(parent, KINDS[1], waits().into())
}

/// Waits for both; whether the first has not woken this process.
fn wait_for_both() -> Result<bool, Error> {
    let first = EventQueue::new(flag::IPI, Ring::new(4));
    let second = EventQueue::new(flag::INDIR | flag::IPI | flag::WAKEUP, Ring::new(4));
    for (kind, queue) in KINDS.into_iter().zip([&first, &second]) {
        calls::set_queue(kind, Some(queue.address())).call()?;
    }
    // What gives the child the right to send to its parent.
    let shared = memory::map(4096, Rights::READ_WRITE, SHARED)?;
    let at = shared.cast::<u8>().as_ptr().addr();
    let me = process::id().0;
    let child = Command::new("queues").arg(TELLER).arg(me).arg(at).create()?;
    memory::share(child, shared)?;
    process::run(child)?;
    let waited = second.wait().value == 1;
    let has_both = first.take().is_some_and(|event| event.kind == KINDS[0]);
    Ok(process::wait(child)? == 0 && waited && has_both)
}

/// Waits as a process without threads.
pub(crate) fn single_core() -> Result<bool, Error> {
    wait_for_both()
}

/// Waits without cores.
pub(crate) fn many_core(stage: &mut Stage) -> Result<(), Error> {
    stage.let_go();
    threads::wish(0);
    let waited = wait_for_both()?;
    stage.check("WAKEUP: a process that waits without cores is woken by this alone", waited);
    threads::want(stage.vcores()).map(|_| ())
}
