//! The test build: holds cores up, counts what crosses, and looks before each halt whether the core may.
//!
//! Core 0 asks a core to stand still at a point by writing its `asked` last; the core writes down that it `stands`,
//! and goes on when core 0 has written as much into `freed`. Every byte has one writer, as everywhere.

use super::clock;
use super::cpu::Cpu;
use super::platform::Kernel;
use crate::arch::{cpu, percpu, user};
use crate::driver::Driver;
use crate::post::Hardware;
use crate::probe::{Crossing, Orders, Point, heard as crossings_of};
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use monitor::{Coordinator, Input, MAX_CORES};
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor};

/// Seconds that a core stands still at most, and that a sender may take to raise its flag.
const PATIENCE: u64 = 60;

/// What one core and core 0 let each other know.
struct Gate {
    /// How often core 0 has asked the core to stand still, and where. Written by core 0.
    asked: AtomicU32,
    point: AtomicU8,
    /// Up to which time core 0 has let it go. Written by core 0.
    freed: AtomicU32,
    /// The last time that it stood still, or stands. Written by the core.
    stands: AtomicU32,
    /// What it was ordered since it was in user mode. Written by the core.
    orders: AtomicU8,
    /// How often each crossing was met here. Written by the core.
    counts: [AtomicU32; Crossing::ALL.len()],
}

static GATES: [Gate; MAX_CORES] = [const {
    Gate {
        asked: AtomicU32::new(0),
        point: AtomicU8::new(0),
        freed: AtomicU32::new(0),
        stands: AtomicU32::new(0),
        orders: AtomicU8::new(0),
        counts: [const { AtomicU32::new(0) }; Crossing::ALL.len()],
    }
}; MAX_CORES];

fn gate(core: CoreId) -> &'static Gate {
    &GATES[core.index()]
}

fn here() -> &'static Gate {
    gate(percpu::id())
}

/// Asks a core to stand still when it next comes to a point.
pub(super) fn ask(core: CoreId, point: Point) {
    let gate = gate(core);
    gate.point.store(point as u8, Ordering::Relaxed);
    gate.asked.store(gate.asked.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

/// Lets a core go on, if it stands still; one that was asked and has not come to its point is still to stand there.
pub(super) fn free(core: CoreId) {
    let gate = gate(core);
    gate.freed.store(gate.stands.load(Ordering::Acquire), Ordering::Release);
}

/// Has a core come to the point at which it was last asked to stand still?
pub(super) fn has_come(core: CoreId) -> bool {
    let gate = gate(core);
    gate.stands.load(Ordering::Acquire) == gate.asked.load(Ordering::Relaxed)
}

/// How often each crossing had been met when they were last forgotten. Written by core 0.
static FORGOTTEN: [AtomicU32; Crossing::ALL.len()] =
    [const { AtomicU32::new(0) }; Crossing::ALL.len()];

/// How often a crossing was met on all cores since it was forgotten.
pub(super) fn count_of(crossing: Crossing) -> u32 {
    let counts = GATES.iter().map(|gate| &gate.counts[crossing as usize]);
    let all = counts.fold(0_u32, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)));
    all.wrapping_sub(FORGOTTEN[crossing as usize].load(Ordering::Relaxed))
}

/// Forgets how often a crossing was met.
pub(super) fn forget(crossing: Crossing) {
    let forgotten = &FORGOTTEN[crossing as usize];
    let known = forgotten.load(Ordering::Relaxed).wrapping_add(count_of(crossing));
    forgotten.store(known, Ordering::Relaxed);
}

fn count(crossing: Crossing) {
    let counted = &here().counts[crossing as usize];
    counted.store(counted.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Whether this core is to stand still at a point; it is known then that it does.
fn is_asked(point: Point) -> bool {
    let gate = here();
    let asked = gate.asked.load(Ordering::Acquire);
    let is_new = asked != gate.stands.load(Ordering::Relaxed);
    if !is_new || gate.point.load(Ordering::Relaxed) != point as u8 {
        return false;
    }
    gate.stands.store(asked, Ordering::Release);
    true
}

fn is_freed() -> bool {
    let gate = here();
    gate.freed.load(Ordering::Acquire) == gate.stands.load(Ordering::Relaxed)
}

fn stand_still_at(point: Point) {
    if !is_asked(point) {
        return;
    }
    let until = clock::in_seconds(PATIENCE);
    while !is_freed() {
        assert!(cpu::now() < until, "held up at `{}` and forgotten", point.name());
        cpu::pause();
    }
}

/// A vcore has asked for this.
pub(super) fn before_request(request: &ToMonitor) {
    if let Some(point) = Point::before(request) {
        stand_still_at(point);
    }
}

/// This core is about to look whether there are orders.
pub(super) fn before_orders(hardware: &Kernel) {
    if hardware.next_raised(0).is_some() {
        stand_still_at(Point::Orders);
    }
}

/// Orders were obeyed, and what there is to say lies in the ring.
pub(super) fn before_answers() {
    stand_still_at(Point::Answers);
}

/// This core is about to leave for user mode, unless something has come for it.
pub(super) fn before_user() {
    stand_still_at(Point::User);
}

/// Nothing has: the vcore of this core runs.
pub(super) fn in_user_mode() {
    here().orders.store(Orders::Ran as u8, Ordering::Relaxed);
}

/// This core is about to halt: is it free to?
///
/// # Panics
/// When it has memory of a process loaded without a lease, or a lease without memory (I8), or a message lies in a
/// ring and its sender does not raise the flag (I13).
pub(super) fn before_halt(it: &mut Cpu) {
    stand_still_at(Point::Halt);
    let has_lease = it.node.driver().lease().is_some();
    assert!(
        has_lease == user::loaded().is_some(),
        "a core has memory loaded just as long as it has a lease"
    );
    // A sender that is in the middle of its step has put messages into the ring and not raised its flag.
    let until = clock::in_seconds(PATIENCE);
    while !it.node.has_read_all() {
        if it.node.platform().next_raised(0).is_some() || !it.inbox.is_calm() {
            return;
        }
        assert!(cpu::now() < until, "no core halts while a message for it waits");
        cpu::pause();
    }
}

/// Whether the coordinator's orders to core 0 itself have to wait; the rest goes on.
pub(super) fn own_orders_wait() -> bool {
    is_asked(Point::Own) || here().point.load(Ordering::Relaxed) == Point::Own as u8 && !is_freed()
}

/// The coordinator is about to be told this.
pub(super) fn heard(coordinator: &Coordinator, input: &Input<'_>) {
    crossings_of(coordinator, input, &mut count);
}

/// This core takes an order, which its driver has not seen.
pub(super) fn takes(order: &ToCore, driver: &Driver) {
    let gate = here();
    let mut orders = Orders::of(gate.orders.load(Ordering::Relaxed));
    let crossing = orders.take(order, driver);
    gate.orders.store(orders as u8, Ordering::Relaxed);
    crossing.into_iter().for_each(count);
}
