//! Facts about what a core keeps of spaces that are not loaded.

use super::{Driver, Effect, Identifier, tell};
use crate::driver::MOST_KEPT;
use alloc::vec::Vec;
use proto::call::Outcome;
use proto::core_set::CoreSet;
use proto::id::{CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use proto::message::{PageRange, Peer, ToCore, ToMonitor};

const RANGE: PageRange = PageRange { first: 3, pages: 2 };

/// A core that tells spaces apart, with the leases that it is given.
struct Core {
    driver: Driver,
    epoch: u32,
}

impl Core {
    fn new(count: u8) -> Self {
        Self { driver: Driver::with_identifiers(count), epoch: 0 }
    }

    fn lease(&mut self, pid: u16) -> Lease {
        self.epoch += 1;
        let (pid, epoch) = (Pid(pid), Epoch(self.epoch));
        Lease { pid, generation: Generation(u32::from(pid.0)), vcore: VcoreId(0), epoch }
    }

    /// Starts a process, from which something was taken so many times, and gives what it is loaded under.
    fn starts(&mut self, pid: u16, removals: u64) -> (u16, bool) {
        let lease = self.lease(pid);
        self.starts_as(lease, removals)
    }

    fn starts_as(&mut self, lease: Lease, removals: u64) -> (u16, bool) {
        let root = u64::from(lease.pid.0) << 12;
        let start = ToCore::StartCore { lease, root, notified: 0, removals };
        match tell(&mut self.driver, start)[..] {
            [Effect::Load { root: loaded, identifier }, Effect::Start { .. }, Effect::Send(_)] => {
                assert_eq!(loaded, root);
                (identifier.number, identifier.holds)
            }
            ref effects => panic!("{effects:?}"),
        }
    }

    fn leaves(&mut self) {
        let lease = self.driver.lease().expect("it has one");
        tell(&mut self.driver, ToCore::Death { lease });
    }

    /// Starts it, and leaves it again.
    fn runs(&mut self, pid: u16, removals: u64) -> (u16, bool) {
        let loaded = self.starts(pid, removals);
        self.leaves();
        loaded
    }

    /// Is told that something is taken from the memory of a process; what it does before it answers.
    fn is_told(&mut self, pid: u16) -> Vec<Effect> {
        let (pid, generation) = (Pid(pid), Generation(pid.into()));
        let order = ToCore::TlbShootdown { pid, generation, range: RANGE, ticket: 4 };
        let mut effects = tell(&mut self.driver, order);
        assert_eq!(effects.pop(), Some(Effect::Send(ToMonitor::ShootdownDone { ticket: 4 })));
        effects
    }
}

#[test]
fn what_is_kept_of_a_space_holds_until_something_is_taken_from_it() {
    let mut core = Core::new(2);
    assert_eq!(core.runs(7, 5), (1, false), "of a space that is new nothing holds");
    assert_eq!(core.runs(7, 5), (1, true));
    assert_eq!(core.runs(8, 5), (2, false));
    assert_eq!(core.runs(7, 5), (1, true), "while the other was loaded it was kept");
    assert_eq!(core.runs(7, 6), (1, false));
    assert_eq!(core.runs(7, 6), (1, true));
    assert_eq!(core.runs(8, 5), (2, true));
}

#[test]
fn a_core_that_tells_no_spaces_apart_keeps_nothing() {
    let mut core = Core::new(0);
    for _ in 0..2 {
        assert_eq!(core.runs(7, 5), (0, false));
        assert_eq!(core.is_told(7), []);
    }
}

#[test]
fn another_process_of_the_same_pid_is_another_space() {
    let mut core = Core::new(2);
    let lease = core.lease(7);
    core.starts_as(lease, 0);
    core.leaves();
    let next = Lease { generation: Generation(8), ..core.lease(7) };
    assert_eq!(core.starts_as(next, 0), (2, false));
}

#[test]
fn an_identifier_changes_hands_in_turn_and_then_nothing_of_before_holds() {
    let mut core = Core::new(MOST_KEPT + 1);
    let most = u16::from(MOST_KEPT);
    for pid in 1..=most {
        assert_eq!(core.runs(pid, 0), (pid, false));
    }
    assert_eq!(core.runs(most + 1, 0), (1, false), "there are no more of them");
    assert_eq!(core.runs(1, 0), (2, false));
    assert_eq!(core.runs(most + 1, 0), (1, true));
    assert_eq!(core.runs(3, 0), (3, true));
}

#[test]
fn a_core_that_is_told_before_it_starts_forgets_what_it_has_kept() {
    let mut core = Core::new(2);
    core.runs(7, 5);
    assert_eq!(core.is_told(7), [], "there is nothing to flush");
    // This was sent before something was taken, and is overtaken by the order to flush.
    assert_eq!(core.starts(7, 5), (2, false));
    assert_eq!(core.is_told(7), [Effect::Flush { range: RANGE }]);
    core.leaves();
    assert_eq!(core.runs(7, 5), (2, true), "what it has flushed itself it keeps");
}

#[test]
fn a_core_that_is_told_down_a_tree_forgets_it_as_well() {
    let mut core = Core::new(2);
    for below in [CoreSet::EMPTY, [CoreId(3)].into_iter().collect()] {
        core.runs(7, 5);
        let (pid, generation) = (Pid(7), Generation(7));
        let message =
            Peer::TlbShootdown { pid, generation, range: RANGE, ticket: 4, fan_out: 2, below };
        let effects: Vec<_> = core.driver.peer(CoreId(1), message).into_iter().collect();
        assert!(matches!(effects[..], [Effect::Answer { .. } | Effect::HandOn(_)]), "{effects:?}");
        assert!(!core.runs(7, 5).1);
        assert!(core.runs(7, 5).1, "until it has loaded it again");
    }
}

#[test]
fn who_is_regranted_or_switched_finds_what_was_kept() {
    let mut core = Core::new(2);
    core.runs(8, 1);
    core.starts(7, 0);
    let from = core.driver.lease().expect("it runs");
    let to = core.lease(8);
    let regrant = ToCore::Regrant { from, to, root: 0x8000, notified: 0, removals: 1 };
    let identifier = Identifier { number: 1, holds: true };
    assert_eq!(tell(&mut core.driver, regrant)[1], Effect::Load { root: 0x8000, identifier });
    core.driver.trap(super::YIELD).into_iter().for_each(drop);
    let (from, to, outcome) = (to, core.lease(7), Outcome::OK);
    let switch = ToCore::Switch { from, outcome, to, root: 0x7000, notified: 0, removals: 1 };
    let identifier = Identifier { number: 2, holds: false };
    assert_eq!(tell(&mut core.driver, switch)[1], Effect::Load { root: 0x7000, identifier });
}

#[test]
fn a_start_that_is_stale_changes_nothing_of_what_is_kept() {
    let mut core = Core::new(2);
    core.runs(7, 5);
    core.starts(8, 0);
    let lease = core.lease(7);
    let start = ToCore::StartCore { lease, root: 0x7000, notified: 0, removals: 6 };
    assert!(matches!(tell(&mut core.driver, start)[..], [Effect::Send(ToMonitor::Stale { .. })]));
    core.leaves();
    assert_eq!(core.runs(7, 5), (1, true));
}
