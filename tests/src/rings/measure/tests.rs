use super::{Amount, round_trip, stream};
use crate::rings::layout::{Between, Layout, Queue, Rx, Tx};
use crate::rings::pair::Pair;
use crate::rings::queues::{Crossbeam, Locked, Mpsc};
use crate::rings::raw::{Raw1, Raw2};
use crate::rings::slots::{Postcard, RtrbLine, RtrbTyped};

const AMOUNT: Amount = Amount { warmup: 10, timed: 300 };

fn keeps_order_and_bounds<Q: Queue>() {
    let (mut tx, mut rx) = Q::channel(16);
    assert_eq!(rx.take(), None, "{}", Q::NAME);
    assert_eq!(tx.send_batch(0..20), 16, "{}: what fits", Q::NAME);
    assert!(!tx.send(20), "{}: full", Q::NAME);
    let mut taken = Vec::new();
    assert_eq!(rx.take_batch(10, |number| taken.push(number)), 10, "{}", Q::NAME);
    assert!(tx.send(16), "{}: room again", Q::NAME);
    assert_eq!(rx.take_batch(10, |number| taken.push(number)), 7, "{}", Q::NAME);
    assert_eq!(taken, (0..17).collect::<Vec<_>>(), "{}", Q::NAME);
}

#[test]
fn every_queue_keeps_order_and_bounds() {
    keeps_order_and_bounds::<Postcard>();
    keeps_order_and_bounds::<RtrbLine>();
    keeps_order_and_bounds::<RtrbTyped>();
    keeps_order_and_bounds::<Crossbeam>();
    keeps_order_and_bounds::<Mpsc>();
    keeps_order_and_bounds::<Locked>();
}

fn each_gets_the_other_s_number<L: Layout>() {
    let [(mut tx, mut rx), (mut their_tx, mut their_rx)] = L::duplex(4);
    for number in [1, 3, 5] {
        assert!(tx.send(number));
        assert_eq!(rx.take(), None, "{}: no answer yet", L::NAME);
        assert_eq!(their_rx.take(), Some(number), "{}", L::NAME);
        assert_eq!(their_rx.take(), None, "{}: once", L::NAME);
        assert!(their_tx.send(number + 1));
        assert_eq!(rx.take(), Some(number + 1), "{}", L::NAME);
    }
}

#[test]
fn a_duplex_goes_both_ways() {
    each_gets_the_other_s_number::<Raw1>();
    each_gets_the_other_s_number::<Raw2>();
    each_gets_the_other_s_number::<Postcard>();
}

/// A queue that confuses neighbours from the hundredth message on.
struct Confused;
struct ConfusedTx(<RtrbTyped as Queue>::Tx);

impl Tx for ConfusedTx {
    fn send(&mut self, number: u64) -> bool {
        self.0.send(if number < 100 { number } else { number ^ 1 })
    }
}

impl Queue for Confused {
    const NAME: &'static str = "confused";
    type Tx = ConfusedTx;
    type Rx = <RtrbTyped as Queue>::Rx;

    fn channel(slots: usize) -> (Self::Tx, Self::Rx) {
        let (tx, rx) = RtrbTyped::channel(slots);
        (ConfusedTx(tx), rx)
    }
}

/// What a measurement comes to on a thread of its own, as it is pinned; `None` where there is one CPU.
fn on_a_pair<T: Send>(measure: impl FnOnce(&Pair) -> T + Send) -> Option<std::thread::Result<T>> {
    let job = || Pair::start().map(|pair| measure(&pair));
    match std::thread::scope(|scope| scope.spawn(job).join()) {
        Ok(Ok(result)) => Some(Ok(result)),
        Ok(Err(why)) => {
            eprintln!("skipped: {why}");
            None
        }
        Err(panic) => Some(Err(panic)),
    }
}

fn is_noticed(measure: impl FnOnce(&Pair) -> Option<f64> + Send) -> bool {
    on_a_pair(measure).is_none_or(|outcome| outcome.is_err())
}

#[test]
fn messages_out_of_order_are_noticed_however_they_are_taken() {
    assert!(is_noticed(|pair| stream::<Confused>(pair, 16, 1, AMOUNT)));
    assert!(is_noticed(|pair| stream::<Confused>(pair, 16, 8, AMOUNT)));
    assert!(is_noticed(|pair| round_trip::<Confused>(pair, 16, Between::Pause, AMOUNT)));
}

/// The first measurement that the system does not disturb.
fn calm(pair: &Pair, measure: impl Fn(&Pair) -> Option<f64>) -> f64 {
    (0..1000).find_map(|_| measure(pair)).expect("undisturbed once")
}

#[test]
fn measurements_take_time() {
    let trips = |pair: &Pair| round_trip::<Postcard>(pair, 64, Between::Nothing, AMOUNT);
    let stream = |pair: &Pair| stream::<Postcard>(pair, 64, 32, AMOUNT);
    let times = on_a_pair(|pair| (calm(pair, trips), calm(pair, stream)));
    let Some(outcome) = times else { return };
    let (trip, message) = outcome.expect("nothing is lost");
    assert!(trip > 1.0 && message > 0.1, "{trip} ns, {message} ns");
}
