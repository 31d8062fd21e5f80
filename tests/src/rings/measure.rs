//! One measurement: many operations between two threads, timed together.
//!
//! Each makes new channels, so that no layout owes its numbers to where its memory happens to lie, and
//! begins with operations that are not timed. All that arrives is checked.

use std::time::{Duration, Instant};

use super::layout::{Between, Layout, Queue, Rx, Tx};
use super::pair::Pair;

/// How much one measurement does.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Operations before the clock starts.
    pub warmup: u64,
    /// Operations that are timed, at least 1.
    pub timed: u64,
}

/// Nanoseconds of a round trip: a number there, its successor back, one at a time. `None` if the
/// system disturbed it.
///
/// # Panics
/// When a message is lost or not the one that was sent.
#[must_use]
pub fn round_trip<L: Layout>(
    pair: &Pair,
    slots: usize,
    between: Between,
    amount: Amount,
) -> Option<f64> {
    let [mut asker, mut answerer] = L::duplex(slots);
    let total = amount.warmup + amount.timed;
    let answer = move || (0..total).for_each(|_| answer::<L>(&mut answerer, between));
    let ask = || {
        (0..amount.warmup).for_each(|at| ask::<L>(&mut asker, at, between));
        let start = Instant::now();
        (amount.warmup..total).for_each(|at| ask::<L>(&mut asker, at, between));
        start.elapsed()
    };
    let (elapsed, ()) = pair.run(ask, answer)?;
    Some(each(elapsed, amount))
}

#[inline(always)]
fn ask<L: Layout>((tx, rx): &mut (L::Tx, L::Rx), at: u64, between: Between) {
    let number = 2 * at + 1;
    assert!(tx.send(number), "one message has room");
    assert_eq!(between.poll(|| rx.take()), number + 1, "the answer to another question");
}

#[inline(always)]
fn answer<L: Layout>((tx, rx): &mut (L::Tx, L::Rx), between: Between) {
    let number = between.poll(|| rx.take());
    assert!(tx.send(number + 1), "one message has room");
}

/// Nanoseconds of a message in a stream that is published and taken `batch` at a time, as the receiver
/// sees it; both ends PAUSE. `None` if the system disturbed it.
///
/// # Panics
/// When messages are lost or come out of order.
#[must_use]
pub fn stream<Q: Queue>(pair: &Pair, slots: usize, batch: u64, amount: Amount) -> Option<f64> {
    let (mut tx, mut rx) = Q::channel(slots);
    let total = amount.warmup + amount.timed;
    let source = move || send_all(&mut tx, total, batch);
    let sink = || {
        take_all(&mut rx, 0..amount.warmup, batch);
        let start = Instant::now();
        take_all(&mut rx, amount.warmup..total, batch);
        start.elapsed()
    };
    let (elapsed, ()) = pair.run(sink, source)?;
    Some(each(elapsed, amount))
}

fn send_all(tx: &mut impl Tx, total: u64, batch: u64) {
    let mut next = 0;
    while next < total {
        let end = total.min(next + batch);
        next += Between::Pause.poll(|| match batch {
            1 => tx.send(next).then_some(1),
            _ => Some(tx.send_batch(next..end)).filter(|&sent| sent > 0),
        });
    }
}

fn take_all(rx: &mut impl Rx, numbers: std::ops::Range<u64>, batch: u64) {
    let (mut next, mut in_order) = (numbers.start, true);
    while next < numbers.end {
        let most = batch.min(numbers.end - next);
        let mut check = |number| {
            in_order &= number == next;
            next += 1;
        };
        Between::Pause.poll(|| match batch {
            1 => rx.take().map(&mut check),
            _ => (rx.take_batch(most, &mut check) > 0).then_some(()),
        });
    }
    assert!(in_order, "messages were lost or came out of order");
}

fn each(elapsed: Duration, amount: Amount) -> f64 {
    elapsed.as_nanos() as f64 / amount.timed as f64
}

#[cfg(test)]
mod tests;
