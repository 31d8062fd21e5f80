//! Facts about one core and its lease.

mod changes;
mod kept;

use super::{Driver, Effect, Fate, Identifier, Shootdown, Trap};
use alloc::vec::Vec;
use proto::call::{KEEP, Outcome};
use proto::core_set::CoreSet;
use proto::id::{CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use proto::message::{PageRange, Peer, ToCore, ToMonitor, tag};

const FIRST: Lease =
    Lease { pid: Pid(7), generation: Generation(3), vcore: VcoreId(1), epoch: Epoch(4) };
const SECOND: Lease = Lease { vcore: VcoreId(2), epoch: Epoch(5), ..FIRST };
const START: ToCore = ToCore::StartCore { lease: FIRST, root: 0x5000, notified: 9, removals: 0 };
/// Of a core that keeps nothing.
const NONE: Identifier = Identifier { number: 0, holds: false };
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
        Effect::Load { root: 0x5000, identifier: NONE },
        Effect::Start { lease: FIRST },
        Effect::Send(ToMonitor::Started { lease: FIRST }),
    ];
    assert_eq!(tell(&mut driver, START), effects);
    assert_eq!(driver.lease(), Some(FIRST));
}

#[test]
fn a_core_with_a_lease_takes_no_other_and_an_old_epoch_is_stale() {
    let mut driver = started();
    let other = ToCore::StartCore { lease: SECOND, root: 0, notified: 0, removals: 0 };
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

const SPAN: PageRange = PageRange { first: 16, pages: 2 };

fn in_tree(ticket: u32, below: &[u16]) -> Shootdown {
    let (pid, generation, below) = (FIRST.pid, FIRST.generation, set(below));
    Shootdown { pid, generation, range: SPAN, ticket, fan_out: 2, below }
}

/// The order that makes a core the first of a tree.
fn multicast(ticket: u32, below: &[u16]) -> ToCore {
    let Shootdown { pid, generation, range, ticket, fan_out, below } = in_tree(ticket, below);
    ToCore::TlbMulticast { pid, generation, range, ticket, fan_out, below }
}

/// What the core above says.
fn handed(ticket: u32, below: &[u16]) -> Peer {
    let Shootdown { pid, generation, range, ticket, fan_out, below } = in_tree(ticket, below);
    Peer::TlbShootdown { pid, generation, range, ticket, fan_out, below }
}

fn hears(driver: &mut Driver, from: u16, message: Peer) -> Vec<Effect> {
    driver.peer(CoreId(from), message).into_iter().collect()
}

fn answered(driver: &mut Driver, from: u16, ticket: u32) -> Vec<Effect> {
    hears(driver, from, Peer::ShootdownDone { ticket })
}

fn handed_on(driver: &mut Driver, told: &[u16], unreached: &[u16]) -> Vec<Effect> {
    let mut effects = super::Effects::none();
    driver.handed_on(set(told), set(unreached), &mut effects);
    effects.into_iter().collect()
}

const fn done(ticket: u32) -> Effect {
    Effect::Send(ToMonitor::ShootdownDone { ticket })
}

#[test]
fn a_shootdown_is_handed_on_to_the_first_of_each_part_of_the_tree() {
    let parts: Vec<_> = in_tree(6, &[3, 4, 5, 70, 71]).parts().collect();
    assert_eq!(parts, [(CoreId(3), handed(6, &[4, 5])), (CoreId(70), handed(6, &[71]))]);
}

#[test]
fn the_first_of_a_tree_flushes_and_answers_when_all_next_below_have() {
    let mut driver = started();
    let below = [3, 4, 5, 70, 71];
    let effects = [Effect::Flush { range: SPAN }, Effect::HandOn(in_tree(6, &below))];
    assert_eq!(tell(&mut driver, multicast(6, &below)), effects);
    assert_eq!(handed_on(&mut driver, &[3, 70], &[]), []);
    assert_eq!(answered(&mut driver, 70, 6), []);
    assert_eq!(answered(&mut driver, 70, 6), [], "it comes twice");
    assert_eq!(answered(&mut driver, 3, 5), [], "it is about another shootdown");
    assert_eq!(answered(&mut driver, 4, 6), [], "it was not asked by this core");
    // That it has let go of the space meanwhile makes no difference.
    tell(&mut driver, ToCore::Death { lease: FIRST });
    assert_eq!(answered(&mut driver, 3, 6), [done(6)]);
    assert_eq!(answered(&mut driver, 3, 6), [], "it has answered");
    assert_eq!(tell(&mut driver, multicast(7, &[3])), [Effect::HandOn(in_tree(7, &[3]))]);
}

#[test]
fn a_core_in_a_tree_answers_the_one_above_it() {
    let mut driver = started();
    let above = |ticket| Effect::Answer { to: CoreId(2), ticket };
    let flush = Effect::Flush { range: SPAN };
    assert_eq!(hears(&mut driver, 2, handed(6, &[])), [flush, above(6)]);
    assert_eq!(hears(&mut driver, 2, handed(7, &[9])), [flush, Effect::HandOn(in_tree(7, &[9]))]);
    assert_eq!(handed_on(&mut driver, &[9], &[]), []);
    assert_eq!(answered(&mut driver, 9, 7), [above(7)]);
    assert_eq!(hears(&mut driver, 2, Peer::End), []);
}

#[test]
fn whom_a_core_cannot_reach_it_names_and_only_the_first_of_a_tree_answers_then() {
    let mut driver = started();
    let unreached =
        |ticket, cores: &[u16]| Effect::Send(ToMonitor::Unreached { ticket, cores: set(cores) });
    tell(&mut driver, multicast(6, &[3, 4, 5]));
    assert_eq!(handed_on(&mut driver, &[3], &[5]), [unreached(6, &[5])]);
    assert_eq!(answered(&mut driver, 3, 6), [done(6)]);
    tell(&mut driver, multicast(7, &[3]));
    assert_eq!(handed_on(&mut driver, &[], &[3]), [unreached(7, &[3]), done(7)]);
    hears(&mut driver, 2, handed(8, &[3, 4, 5]));
    assert_eq!(handed_on(&mut driver, &[3], &[5]), [unreached(8, &[5])]);
    assert_eq!(answered(&mut driver, 3, 8), [], "the coordinator tells all of the tree");
}

#[test]
fn a_shootdown_that_was_given_up_does_not_take_the_place_of_a_later_one() {
    let mut driver = started();
    tell(&mut driver, multicast(6, &[3]));
    handed_on(&mut driver, &[3], &[]);
    // It comes late, from a core that was held up.
    assert_eq!(hears(&mut driver, 2, handed(5, &[3])), [Effect::Flush { range: SPAN }]);
    assert_eq!(answered(&mut driver, 3, 6), [done(6)]);
    // But one that will not be answered any more gives way.
    tell(&mut driver, multicast(u32::MAX, &[3]));
    handed_on(&mut driver, &[3], &[]);
    tell(&mut driver, multicast(1, &[3]));
    handed_on(&mut driver, &[3], &[]);
    assert_eq!(answered(&mut driver, 3, u32::MAX), []);
    assert_eq!(answered(&mut driver, 3, 1), [done(1)]);
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

/// Another process's.
const NEXT: Lease = Lease { pid: Pid(8), epoch: Epoch(5), ..FIRST };
const REGRANT: ToCore =
    ToCore::Regrant { from: FIRST, to: NEXT, root: 0x6000, notified: 2, removals: 0 };

#[test]
fn a_core_that_is_regranted_saves_loads_starts_and_answers_once() {
    let mut driver = started();
    let effects = [
        Effect::Save { vcore: FIRST.vcore, fate: Fate::Goes },
        Effect::Load { root: 0x6000, identifier: NONE },
        Effect::Start { lease: NEXT },
        Effect::Send(ToMonitor::Started { lease: NEXT }),
    ];
    assert_eq!(tell(&mut driver, REGRANT), effects);
    assert_eq!((driver.lease(), driver.request()), (Some(NEXT), None));
}

#[test]
fn a_regrant_refuses_what_the_vcore_asked_for_and_lets_it_fault_again() {
    let fault = Trap::Fault { address: 0, vector: 14, code: 0, at: 0, reflect: false };
    for (trap, fate) in [(YIELD, Fate::Returns(Outcome::AGAIN)), (fault, Fate::Repeats)] {
        let mut driver = started();
        ask(&mut driver, trap);
        let saves = Effect::Save { vcore: FIRST.vcore, fate };
        assert_eq!(tell(&mut driver, REGRANT)[0], saves);
        assert_eq!(driver.request(), None, "the next one has asked for nothing");
    }
}

#[test]
fn a_regrant_of_another_lease_or_to_an_old_one_is_stale() {
    let mut driver = Driver::new();
    assert_eq!(tell(&mut driver, REGRANT), stale(tag::REGRANT, NEXT), "the core is free");
    tell(&mut driver, START);
    let old = ToCore::Regrant { from: FIRST, to: FIRST, root: 0, notified: 0, removals: 0 };
    assert_eq!(tell(&mut driver, old), stale(tag::REGRANT, FIRST));
    tell(&mut driver, REGRANT);
    assert_eq!(tell(&mut driver, REGRANT), stale(tag::REGRANT, NEXT));
    assert_eq!(driver.lease(), Some(NEXT));
}
