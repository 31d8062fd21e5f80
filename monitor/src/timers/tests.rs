use super::{NEVER, TimerId, Timers};
use alloc::vec::Vec;
use proptest::prelude::*;

/// All timers that have come by `now`, however many calls that takes.
fn all_expired(timers: &mut Timers, now: u64) -> Vec<u16> {
    let mut found = Vec::new();
    while timers.soonest() <= now && timers.soonest() != NEVER {
        found.extend(timers.expired(now, &mut 3).map(|timer| timer.0));
    }
    found
}

#[test]
fn a_timer_that_is_set_again_moves() {
    let mut timers = Timers::new(2);
    timers.set(TimerId(0), 10);
    timers.set(TimerId(1), 20);
    timers.set(TimerId(0), 30);
    assert_eq!(timers.soonest(), 20);
    assert_eq!(timers.expired(25, &mut 9), Some(TimerId(1)));
    assert_eq!(timers.expired(25, &mut 9), None);
    assert_eq!([timers.cancel(TimerId(0)), timers.cancel(TimerId(0))], [30, NEVER]);
    assert_eq!(timers.soonest(), NEVER);
}

#[test]
fn many_timers_of_one_bucket_are_spread_a_few_at_a_time() {
    let mut timers = Timers::new(100);
    for timer in 0..100 {
        timers.set(TimerId(timer), 0x1000 + u64::from(timer));
    }
    assert_eq!(timers.soonest(), 0x1000);
    let mut budget = 30;
    assert_eq!(timers.expired(0x1000, &mut budget), None);
    assert_eq!((budget, timers.soonest()), (0, 0x1000));
    assert_eq!(all_expired(&mut timers, 0x1000), [0]);
    assert_eq!(all_expired(&mut timers, 0x1062), (1..99).collect::<Vec<_>>());
    assert_eq!(timers.soonest(), 0x1063);
}

#[derive(Clone, Debug)]
enum Deed {
    Set(u16, u64),
    Cancel(u16),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let moment = prop_oneof![0u64..100, 0u64..100_000, any::<u64>(), Just(NEVER)];
    prop_oneof![
        4 => (0u16..40, moment).prop_map(|(timer, moment)| Deed::Set(timer, moment)),
        1 => (0u16..40).prop_map(Deed::Cancel),
        1 => prop_oneof![0u64..50, 0u64..100_000].prop_map(Deed::Pass),
    ]
}

proptest! {
    #[test]
    fn timers_expire_in_order_and_in_time_whatever_was_set_and_cancelled(
        deeds in prop::collection::vec(deed(), 0..120),
    ) {
        let mut timers = Timers::new(40);
        let mut model = [None; 40];
        let mut now = 0u64;
        for deed in deeds {
            match deed {
                Deed::Set(timer, deadline) => {
                    let was = model[usize::from(timer)].replace(deadline);
                    prop_assert_eq!(timers.set(TimerId(timer), deadline), was.unwrap_or(NEVER));
                }
                Deed::Cancel(timer) => {
                    let was = model[usize::from(timer)].take();
                    prop_assert_eq!(timers.cancel(TimerId(timer)), was.unwrap_or(NEVER));
                }
                Deed::Pass(ticks) => {
                    now += ticks;
                    let expired = all_expired(&mut timers, now);
                    let deadlines: Vec<u64> =
                        expired.iter().filter_map(|&timer| model[usize::from(timer)]).collect();
                    prop_assert_eq!(deadlines.len(), expired.len());
                    // What was late when it was set comes in any order.
                    let mut due: Vec<u16> =
                        (0..40).filter(|&it| model[usize::from(it)] <= Some(now)).collect();
                    due.retain(|&it| model[usize::from(it)].is_some());
                    expired.iter().for_each(|&timer| model[usize::from(timer)] = None);
                    let mut sorted = expired.clone();
                    sorted.sort_unstable();
                    prop_assert_eq!(sorted, due);
                }
            }
            let soonest = model.iter().flatten().min().copied().unwrap_or(NEVER);
            prop_assert!(timers.soonest() <= soonest);
            for (timer, deadline) in (0..).map(TimerId).zip(model) {
                prop_assert_eq!(timers.deadline(timer), deadline);
            }
        }
    }

    #[test]
    fn few_timers_are_known_to_the_tick(
        deadlines in prop::collection::vec(any::<u64>(), 1..8),
    ) {
        let mut timers = Timers::new(8);
        for (timer, &deadline) in (0..).zip(&deadlines) {
            timers.set(TimerId(timer), deadline);
        }
        let mut expected: Vec<(u64, u16)> = deadlines.into_iter().zip(0..).collect();
        expected.sort_unstable();
        for (deadline, timer) in expected {
            prop_assert_eq!(timers.soonest(), deadline);
            prop_assert_eq!(timers.expired(deadline, &mut 0), Some(TimerId(timer)));
        }
    }
}
