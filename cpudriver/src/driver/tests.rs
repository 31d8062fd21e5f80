//! Facts about one core and its lease.

use super::{Driver, Effect, Fate, Trap};
use alloc::vec::Vec;
use proto::call::{KEEP, Outcome};
use proto::core_set::CoreSet;
use proto::id::{CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use proto::message::{PageRange, Peer, ToCore, ToMonitor, tag};

const FIRST: Lease =
    Lease { pid: Pid(7), generation: Generation(3), vcore: VcoreId(1), epoch: Epoch(4) };
const SECOND: Lease = Lease { vcore: VcoreId(2), epoch: Epoch(5), ..FIRST };
const START: ToCore = ToCore::StartCore { lease: FIRST, root: 0x5000, notified: 9 };
const YIELD: Trap = Trap::Yield { pending: false, wanted: 0, flags: 0 };

fn tell(driver: &mut Driver, message: ToCore) -> Vec<Effect> {
    driver.message(message).into_iter().collect()
}

fn ask(driver: &mut Driver, trap: Trap) -> Vec<Effect> {
    driver.trap(trap).into_iter().collect()
}

fn started() -> Driver {
    let mut driver = Driver::new();
    tell(&mut driver, START);
    driver
}

fn set(cores: &[u16]) -> CoreSet {
    let mut set = CoreSet::EMPTY;
    for &core in cores {
        set.insert(CoreId(core));
    }
    set
}

fn stale(kind: u8, lease: Lease) -> [Effect; 1] {
    [Effect::Send(ToMonitor::Stale { kind, lease })]
}

#[test]
fn a_free_core_takes_a_lease_and_says_so() {
    let mut driver = Driver::new();
    let effects = [
        Effect::Load { root: 0x5000 },
        Effect::Start { lease: FIRST },
        Effect::Send(ToMonitor::Started { lease: FIRST }),
    ];
    assert_eq!(tell(&mut driver, START), effects);
    assert_eq!(driver.lease(), Some(FIRST));
}

#[test]
fn a_core_with_a_lease_takes_no_other_and_an_old_epoch_is_stale() {
    let mut driver = started();
    let other = ToCore::StartCore { lease: SECOND, root: 0, notified: 0 };
    assert_eq!(tell(&mut driver, other), stale(tag::START_CORE, SECOND));
    tell(&mut driver, ToCore::Death { lease: FIRST });
    assert_eq!(tell(&mut driver, START), stale(tag::START_CORE, FIRST));
    assert_eq!(driver.stale(), 2);
}

#[test]
fn messages_about_another_lease_are_stale_and_change_nothing() {
    let mut driver = started();
    let before = driver.lease();
    let lease = SECOND;
    for (message, kind) in [
        (ToCore::Preempt { lease, outcome: Outcome::OK }, tag::PREEMPT),
        (ToCore::Death { lease }, tag::DEATH),
        (ToCore::Notify { lease, count: 1 }, tag::NOTIFY),
        (ToCore::SetContext { lease, notified: 0 }, tag::SET_CONTEXT),
        (ToCore::Done { lease, outcome: Outcome::OK }, tag::DONE),
    ] {
        assert_eq!(tell(&mut driver, message), stale(kind, SECOND));
    }
    assert_eq!(driver.lease(), before);
}

#[test]
fn preempt_saves_before_it_says_so() {
    let mut driver = started();
    let effects = tell(&mut driver, ToCore::Preempt { lease: FIRST, outcome: Outcome::AGAIN });
    assert_eq!(
        effects,
        [
            Effect::Save { vcore: VcoreId(1), fate: Fate::Goes },
            Effect::Unload,
            Effect::Send(ToMonitor::Preempted { lease: FIRST }),
        ]
    );
    assert_eq!(driver.lease(), None);
}

#[test]
fn preempt_answers_the_request_that_it_finds() {
    for (trap, outcome, fate) in [
        (YIELD, Outcome::AGAIN, Fate::Returns(Outcome::AGAIN)),
        (
            Trap::Fault { address: 8, vector: 14, code: 4, at: 9, reflect: false },
            Outcome::AGAIN,
            Fate::Repeats,
        ),
        (Trap::ChangeToM, Outcome::OK, Fate::FirstThread),
        (Trap::ChangeToM, Outcome::AGAIN, Fate::Returns(Outcome::AGAIN)),
    ] {
        let mut driver = started();
        assert_eq!(ask(&mut driver, trap).len(), 1);
        let effects = tell(&mut driver, ToCore::Preempt { lease: FIRST, outcome });
        assert_eq!(effects[0], Effect::Save { vcore: VcoreId(1), fate });
    }
}

#[test]
fn a_vcore_that_stands_still_asks_for_nothing_else() {
    let mut driver = started();
    let sent = ToMonitor::Yield { lease: FIRST, seen: 9, wanted: 0, flags: 0 };
    assert_eq!(ask(&mut driver, YIELD), [Effect::Send(sent)]);
    assert_eq!(ask(&mut driver, YIELD), []);
    assert_eq!(driver.call(16), None);
    let done = ToCore::Done { lease: FIRST, outcome: Outcome::BUSY };
    assert_eq!(tell(&mut driver, done), [Effect::Resume { outcome: Outcome::BUSY }]);
    assert_eq!(tell(&mut driver, done), stale(tag::DONE, FIRST));
}

#[test]
fn a_yield_with_something_to_look_for_is_refused_on_the_spot() {
    let mut driver = started();
    let trap = Trap::Yield { pending: true, wanted: 0, flags: 0 };
    assert_eq!(ask(&mut driver, trap), [Effect::Resume { outcome: Outcome::AGAIN }]);
    assert_eq!(driver.request(), None);
}

#[test]
fn a_yield_tells_the_last_notify_that_the_core_has_seen() {
    let mut driver = started();
    let effects = tell(&mut driver, ToCore::Notify { lease: FIRST, count: 12 });
    assert_eq!(
        effects,
        [
            Effect::EnterVcoreContext { vcore: VcoreId(1) },
            Effect::Send(ToMonitor::Notified { lease: FIRST, count: 12 }),
        ]
    );
    let sent = ToMonitor::Yield { lease: FIRST, seen: 12, wanted: 0, flags: 0 };
    assert_eq!(ask(&mut driver, YIELD), [Effect::Send(sent)]);
}

#[test]
fn a_notify_while_the_vcore_stands_still_takes_effect_when_it_goes_on() {
    let mut driver = started();
    ask(&mut driver, YIELD);
    let effects = tell(&mut driver, ToCore::Notify { lease: FIRST, count: 10 });
    assert_eq!(effects, [Effect::Send(ToMonitor::Notified { lease: FIRST, count: 10 })]);
    let effects = tell(&mut driver, ToCore::Done { lease: FIRST, outcome: Outcome::AGAIN });
    assert_eq!(
        effects,
        [
            Effect::Resume { outcome: Outcome::AGAIN },
            Effect::EnterVcoreContext { vcore: VcoreId(1) },
        ]
    );
}

#[test]
fn a_core_goes_on_as_the_vcore_that_was_asked_for_and_no_other() {
    for (flags, leave) in [
        (KEEP, Effect::Save { vcore: VcoreId(1), fate: Fate::Returns(Outcome::OK) }),
        (0, Effect::Drop { vcore: VcoreId(1) }),
    ] {
        let mut driver = started();
        ask(&mut driver, Trap::ChangeVcore { to: VcoreId(2), flags });
        let wrong = Lease { vcore: VcoreId(3), ..SECOND };
        let message = ToCore::SetContext { lease: wrong, notified: 0 };
        assert_eq!(tell(&mut driver, message), stale(tag::SET_CONTEXT, wrong));
        let effects = tell(&mut driver, ToCore::SetContext { lease: SECOND, notified: 0 });
        let started = Effect::Send(ToMonitor::Started { lease: SECOND });
        assert_eq!(effects, [leave, Effect::Start { lease: SECOND }, started]);
        assert_eq!(driver.lease(), Some(SECOND));
    }
}

#[test]
fn a_shootdown_is_flushed_before_it_is_acknowledged_and_never_stale() {
    let range = PageRange { first: 16, pages: 2 };
    let shootdown = |pid| ToCore::TlbShootdown {
        pid: Pid(pid),
        generation: FIRST.generation,
        range,
        ticket: 6,
    };
    let done = Effect::Send(ToMonitor::ShootdownDone { ticket: 6 });
    let mut driver = started();
    assert_eq!(tell(&mut driver, shootdown(7)), [Effect::Flush { range }, done]);
    assert_eq!(tell(&mut driver, shootdown(8)), [done]);
    tell(&mut driver, ToCore::Death { lease: FIRST });
    assert_eq!(tell(&mut driver, shootdown(7)), [done]);
}

#[test]
fn a_shootdown_in_a_tree_is_flushed_then_handed_on_then_acknowledged() {
    let range = PageRange { first: 16, pages: 2 };
    let (pid, generation, ticket) = (FIRST.pid, FIRST.generation, 6);
    let below = set(&[3, 4, 5, 70, 71]);
    let forward = |to, below| Effect::Forward {
        to: CoreId(to),
        message: Peer::TlbShootdown { pid, generation, range, ticket, below },
    };
    let forwards = [forward(3, set(&[4, 5])), forward(70, set(&[71]))];
    let done = Effect::Send(ToMonitor::ShootdownDone { ticket });
    let multicast = ToCore::TlbMulticast { pid, generation, range, ticket, below };
    let mut driver = started();
    let flushed = [Effect::Flush { range }, forwards[0], forwards[1], done];
    assert_eq!(tell(&mut driver, multicast), flushed);
    tell(&mut driver, ToCore::Death { lease: FIRST });
    assert_eq!(tell(&mut driver, multicast), [forwards[0], forwards[1], done]);
}

#[test]
fn a_shootdown_from_a_peer_is_acknowledged_to_the_coordinator() {
    let range = PageRange { first: 16, pages: 0 };
    let (pid, generation, ticket) = (FIRST.pid, FIRST.generation, 6);
    let message = Peer::TlbShootdown { pid, generation, range, ticket, below: set(&[]) };
    let done = Effect::Send(ToMonitor::ShootdownDone { ticket });
    let mut driver = started();
    let effects: Vec<_> = driver.peer(message).into_iter().collect();
    assert_eq!(effects, [Effect::Flush { range }, done]);
    assert_eq!(driver.peer(Peer::End).into_iter().count(), 0);
}

#[test]
fn a_free_core_has_no_vcore_to_ask_for_anything() {
    let mut driver = Driver::new();
    assert_eq!(ask(&mut driver, YIELD), []);
    assert_eq!(driver.call(0), None);
}

#[test]
fn a_fault_that_cannot_be_mended_is_given_to_a_program_that_asked() {
    for (reflect, outcome, effect) in [
        (true, Outcome::FAULT, Effect::Reflect { vcore: FIRST.vcore }),
        (true, Outcome::OK, Effect::Repeat),
        (false, Outcome::OK, Effect::Repeat),
    ] {
        let mut driver = Driver::new();
        let _ = driver.message(START);
        let trap = Trap::Fault { address: 8, vector: 14, code: 4, at: 9, reflect };
        let asked = driver.trap(trap).into_iter().next();
        let is_reflect = matches!(asked, Some(Effect::Send(ToMonitor::Reflect { .. })));
        assert_eq!(is_reflect, reflect);
        let done = driver.message(ToCore::Done { lease: FIRST, outcome });
        assert_eq!(done.into_iter().collect::<Vec<_>>(), [effect]);
    }
}
