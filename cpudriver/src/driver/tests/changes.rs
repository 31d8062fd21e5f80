//! Facts about a vcore that stands still while its memory changes.

use super::{
    Driver, Effect, FIRST, Fate, Lease, Outcome, PageRange, SECOND, ToCore, ToMonitor, YIELD, ask,
    stale, started, tag, tell,
};
use crate::driver::Request;

const RANGE: PageRange = PageRange { first: 0x40, pages: 3 };
const CHANGED: ToCore = ToCore::Changed { lease: FIRST, range: RANGE };

fn standing() -> Driver {
    let mut driver = started();
    driver.stand();
    assert_eq!(driver.request(), Some(Request::Change));
    driver
}

fn done(outcome: Outcome) -> ToCore {
    ToCore::Done { lease: FIRST, outcome }
}

#[test]
fn a_vcore_that_stands_still_for_a_change_goes_on_when_its_core_has_flushed() {
    let mut driver = standing();
    let goes_on = [Effect::Flush { range: RANGE }, Effect::Resume { outcome: Outcome::OK }];
    assert_eq!(tell(&mut driver, CHANGED), goes_on);
    assert_eq!((driver.lease(), driver.request()), (Some(FIRST), None));
    assert_eq!(tell(&mut driver, CHANGED), stale(tag::CHANGED, FIRST), "it stands no more");
}

#[test]
fn a_change_that_is_refused_returns_that_and_one_that_goes_on_returns_what_it_stood_for() {
    for (outcome, effect) in [
        (Outcome::INVALID, Effect::Resume { outcome: Outcome::INVALID }),
        (Outcome::OK, Effect::Resume { outcome: Outcome::OK }),
        (Outcome::STARTED, Effect::Repeat),
    ] {
        let mut driver = standing();
        assert_eq!(tell(&mut driver, done(outcome)), [effect]);
        assert_eq!(driver.request(), None);
    }
}

#[test]
fn only_a_vcore_that_stands_still_for_a_change_is_told_that_it_is_made() {
    let mut driver = started();
    assert_eq!(tell(&mut driver, CHANGED), stale(tag::CHANGED, FIRST), "it runs");
    let _ = ask(&mut driver, YIELD);
    assert_eq!(tell(&mut driver, CHANGED), stale(tag::CHANGED, FIRST), "it yields");
    driver.stand();
    assert_eq!(driver.request(), Some(Request::Yield), "it stands still already");
    let mut driver = standing();
    let other = ToCore::Changed { lease: SECOND, range: RANGE };
    assert_eq!(tell(&mut driver, other), stale(tag::CHANGED, SECOND));
    assert_eq!(driver.request(), Some(Request::Change));
    let mut free = Driver::new();
    free.stand();
    assert_eq!((free.lease(), free.request()), (None, None));
}

#[test]
fn a_vcore_that_has_to_leave_while_it_stands_still_goes_on_elsewhere_as_if_it_had_not() {
    let taken = [
        ToCore::Preempt { lease: FIRST, outcome: Outcome::AGAIN },
        ToCore::Regrant { from: FIRST, to: next(), root: 0x6000, notified: 0, removals: 0 },
    ];
    for taken in taken {
        let mut driver = standing();
        let saves = Effect::Save { vcore: FIRST.vcore, fate: Fate::Goes };
        assert_eq!(tell(&mut driver, taken)[0], saves);
        assert_eq!(driver.request(), None);
        assert_eq!(tell(&mut driver, CHANGED), stale(tag::CHANGED, FIRST));
    }
    let mut driver = standing();
    let dies = tell(&mut driver, ToCore::Death { lease: FIRST });
    assert_eq!(dies.last(), Some(&Effect::Send(ToMonitor::Released { lease: FIRST })));
    assert_eq!(driver.lease(), None);
}

fn next() -> Lease {
    Lease { epoch: SECOND.epoch, ..FIRST }
}

#[test]
fn a_vcore_that_stands_still_is_notified_when_it_goes_on_and_its_core_flushes_for_others() {
    let mut driver = standing();
    let notified = Effect::Send(ToMonitor::Notified { lease: FIRST, count: 10 });
    assert_eq!(tell(&mut driver, ToCore::Notify { lease: FIRST, count: 10 }), [notified]);
    let Lease { pid, generation, .. } = FIRST;
    let flushed = [
        Effect::Flush { range: PageRange::ALL },
        Effect::Send(ToMonitor::ShootdownDone { ticket: 5 }),
    ];
    let shootdown = ToCore::TlbShootdown { pid, generation, range: PageRange::ALL, ticket: 5 };
    assert_eq!(tell(&mut driver, shootdown), flushed);
    let goes_on = tell(&mut driver, CHANGED);
    assert_eq!(goes_on.last(), Some(&Effect::EnterVcoreContext { vcore: FIRST.vcore }));
}
