use super::{Crossing, Orders, Point};
use crate::driver::{Driver, Trap};
use proto::call::Outcome;
use proto::id::{Epoch, Generation, Lease, Pid, VcoreId};
use proto::message::ToCore;

fn lease(epoch: u32) -> Lease {
    Lease { pid: Pid(1), generation: Generation(1), vcore: VcoreId(0), epoch: Epoch(epoch) }
}

fn start(epoch: u32) -> ToCore {
    ToCore::StartCore { lease: lease(epoch), root: 0x1000, notified: 0, removals: 0 }
}

/// A core that takes orders one behind the other, and what they cross.
#[derive(Default)]
struct Core {
    orders: Orders,
    driver: Driver,
}

impl Core {
    fn take(&mut self, order: ToCore) -> Option<Crossing> {
        let crossing = self.orders.take(&order, &self.driver);
        let _ = self.driver.message(order);
        crossing
    }

    fn is_in_user_mode(&mut self) {
        self.orders = Orders::Ran;
    }
}

#[test]
fn an_order_crosses_a_start_until_the_vcore_has_run() {
    let preempt = |epoch| ToCore::Preempt { lease: lease(epoch), outcome: Outcome::AGAIN };
    let mut core = Core::default();
    assert_eq!(core.take(start(1)), None);
    assert_eq!(core.take(preempt(1)), Some(Crossing::StartPreempt));
    core.take(start(2));
    core.is_in_user_mode();
    assert_eq!(core.take(preempt(2)), Some(Crossing::UserPreempt));
    core.take(start(3));
    assert_eq!(core.take(ToCore::Death { lease: lease(3) }), Some(Crossing::StartDeath));
}

#[test]
fn a_start_crosses_a_yield_that_was_granted_and_no_other_end() {
    let mut core = Core::default();
    core.take(start(1));
    core.is_in_user_mode();
    let _ = core.driver.trap(Trap::Yield { pending: false, wanted: 0, flags: 0 });
    assert_eq!(core.take(ToCore::Death { lease: lease(1) }), None, "what yielded does not run");
    assert_eq!(core.take(start(2)), Some(Crossing::YieldedStart));
    core.is_in_user_mode();
    assert_eq!(core.take(ToCore::Death { lease: lease(2) }), Some(Crossing::UserDeath));
    assert_eq!(core.take(start(3)), None);
}

#[test]
fn orders_and_points_are_kept_as_numbers() {
    for orders in [Orders::None, Orders::Ran, Orders::Started, Orders::Changed, Orders::Yielded] {
        assert_eq!(Orders::of(orders as u8), orders);
    }
    assert!(Point::ALL.iter().enumerate().all(|(number, point)| *point as usize == number));
    let all = Crossing::ALL.iter().enumerate();
    assert!(all.clone().all(|(number, crossing)| *crossing as usize == number));
}
