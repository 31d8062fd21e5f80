//! Each kind of mailbox: what is kept, and what happens where there is no room.

use super::stage::{OURS, Stage, comes_true, give_way, pass_time, send};
use core::hint::spin_loop;
use core::time::Duration;
use programs::in_threads;
use user::event::{Event, kind};
use user::proto::program::data;
use user::queue::{Address, Bitmap, Counted, Counters, EventQueue, OfVcore, Ring, flag};
use user::time::{self, Moment};
use user::{Error, calls, threads};

/// All of them.
pub(crate) fn all(stage: &mut Stage) -> Result<(), Error> {
    ring(stage)?;
    bitmap(stage)?;
    of_vcore(stage)?;
    of_kernel(stage)?;
    counters(stage)
}

fn refused(outcome: Result<(), Error>) -> bool {
    outcome == Err(Error::Again)
}

fn ring(stage: &mut Stage) -> Result<(), Error> {
    let queue = EventQueue::new(0, Ring::new(4));
    for round in 0..3 {
        for value in 0..4 {
            send(&queue, 10 * round + value)?;
        }
        stage.check("a full ring refuses", refused(send(&queue, 99)));
        let taken: [_; 5] = core::array::from_fn(|_| queue.take().map(|event| event.value));
        let expected: [_; 5] =
            core::array::from_fn(|at| (at < 4).then_some(10 * round + at as u64));
        stage.check("and keeps all else in order", taken == expected);
    }
    stage.check("what was refused leaves no mark", !queue.take_overflow(OURS));
    Ok(())
}

fn send_kind(queue: Address, kind: u16, value: u64) -> Result<(), Error> {
    calls::send(queue, Event { kind, value }, 0).call()
}

fn bitmap(stage: &mut Stage) -> Result<(), Error> {
    let queue = EventQueue::new(0, Bitmap::new(100));
    for kind in [99, 3, 70, 3, 3] {
        send_kind(queue.address(), kind, 1)?;
    }
    let taken: [_; 4] = core::array::from_fn(|_| queue.take());
    stage.check("a bitmap has each kind once", taken == [Some(3), Some(70), Some(99), None]);
    stage.check("and no more than it has", refused(send_kind(queue.address(), 100, 1)));
    send_kind(queue.address(), 3, 1)?;
    stage.check("and takes it again", queue.take() == Some(3) && queue.take().is_none());
    Ok(())
}

/// Many vcores send, and one takes meanwhile: nothing is lost or counted twice.
fn counters(stage: &mut Stage) -> Result<(), Error> {
    const EACH: u64 = 100;
    let queue = EventQueue::new(0, Counters::new(130));
    send_kind(queue.address(), 129, u64::MAX)?;
    send_kind(queue.address(), 129, 2)?;
    let both = Counted { kind: 129, count: 2, sum: 1 };
    stage.check("counters count, and add with wrap", queue.take() == Some(both));
    stage.let_go();
    let address = queue.address();
    let senders = threads::spawn(move || {
        let sent = in_threads(4, move |_| (1..=EACH).try_for_each(|it| send_kind(address, 64, it)));
        sent.into_iter().all(|it| it.is_ok())
    });
    let (mut count, mut sum) = (0, 0);
    while count < 4 * EACH {
        match queue.take() {
            Some(it) => (count, sum) = (count + it.count, sum + it.sum),
            None => {
                threads::yield_now();
                spin_loop();
            }
        }
    }
    let sent = senders.join();
    let exact = (count, sum) == (4 * EACH, 4 * EACH * (EACH + 1) / 2);
    stage.check("and are exact while they are read", sent && exact && queue.take().is_none());
    stage.hold_all();
    Ok(())
}

fn of_vcore(stage: &mut Stage) -> Result<(), Error> {
    let queue = EventQueue::new(0, OfVcore);
    queue.set_vcore(stage.other());
    let fits = (0..data::EVENTS.into()).take_while(|value| send(&queue, *value).is_ok()).count();
    let full = fits == data::EVENTS as usize && refused(send(&queue, 99));
    stage.check("the mailbox of a vcore refuses when it is full", full);
    let notify = calls::notify_self(stage.other(), OURS, 1).call();
    stage.check("a notify too, which makes the vcore look", refused(notify));
    stage.check("so there is room again", comes_true(|| send(&queue, 1).is_ok()));
    give_way(stage.other());
    Ok(())
}

/// The kernel's events are never refused: those that find no room leave a mark, and those that cannot go to their queue go
/// to a vcore.
fn of_kernel(stage: &mut Stage) -> Result<(), Error> {
    let queue = EventQueue::new(flag::INDIR | flag::SPAM_INDIR | flag::IPI, Ring::new(2));
    calls::set_queue(kind::ALARM, Some(queue.address())).call()?;
    let at = Moment::now() + Duration::from_millis(2);
    for alarm in 0..4 {
        time::set_alarm(alarm, at)?;
    }
    comes_true(|| queue.is_alerted());
    pass_time()?;
    let kinds: [_; 3] = core::array::from_fn(|_| queue.take().map(|event| event.kind));
    let two = [Some(kind::ALARM), Some(kind::ALARM), None];
    stage.check("alarms come to their queue", kinds == two);
    let lost = queue.take_overflow(kind::ALARM);
    stage.check("and those that find no room leave a mark", lost);
    stage.check("once", !queue.take_overflow(kind::ALARM));
    calls::set_queue(kind::ALARM, None).call()
}
