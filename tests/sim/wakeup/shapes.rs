//! The scenarios themselves.

use super::replay::Program;
use super::scenarios::{Answers, Builder, Rests, Rests::Asleep, Scenario, Wire, Word};
use super::scenarios::{rings, sends, serves};
use proto::id::{Generation, Pid};
use proto::message::{PageRange, Peer, ToCore, ToMonitor};

/// Slots of each ring where a scenario doesn't want it full. Indices wrap in most of them.
const SLOTS: usize = 3;

const NONE: Option<Answers<Peer>> = None;

/// Makes a scenario on a machine.
pub(crate) type Shape = fn(Builder) -> Scenario;

/// All scenarios.
pub(crate) const ALL: &[Shape] = &[
    one_message,
    two_messages,
    coordinator_to_core,
    core_to_coordinator,
    batches,
    published_together,
    both_lanes,
    lanes_in_one_step,
    two_senders,
    fan_out,
    ping_pong,
    circle,
    both_at_once,
    full_ring,
    user_mode,
    standing,
    standing_between_two,
    told_in_user_mode,
    told_by_two_in_user_mode,
    longer_than_a_burst,
    stray_doorbell,
];

const fn ping(nonce: u32) -> ToCore {
    ToCore::Ping { nonce }
}

const fn pong(nonce: u32) -> ToMonitor {
    ToMonitor::Pong { nonce }
}

const fn data(value: u64) -> Peer {
    Peer::Data { value }
}

/// A message of the immediate lane.
const fn shootdown(ticket: u32) -> ToCore {
    let range = PageRange { first: 0, pages: 1 };
    ToCore::TlbShootdown { pid: Pid(1), generation: Generation(1), range, ticket }
}

/// Core 0 sends, core 1 serves.
fn one_way<M: Word>(
    mut builder: Builder,
    name: &'static str,
    slots: usize,
    steps: &[&[M]],
    rests: Rests,
) -> Scenario {
    let wire = builder.wire((0, 1), slots, &[], steps);
    builder.run(name, vec![sends(vec![wire.clone()]), serves(vec![wire], NONE, rests)])
}

/// One message while the receiver goes to sleep.
pub(crate) fn one_message(builder: Builder) -> Scenario {
    one_way(builder, "one message", SLOTS, &[&[ping(1)]], Asleep)
}

/// Two of them, a step each.
pub(crate) fn two_messages(builder: Builder) -> Scenario {
    one_way(builder, "two messages", SLOTS, &[&[ping(1)], &[ping(2)]], Asleep)
}

/// Three steps of the coordinator.
pub(crate) fn coordinator_to_core(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 3] = [&[ping(1)], &[ping(2)], &[ping(3)]];
    one_way(builder, "coordinator to core", SLOTS, &steps, Asleep)
}

/// Three answers of a core.
pub(crate) fn core_to_coordinator(mut builder: Builder) -> Scenario {
    let steps: [&[ToMonitor]; 3] = [&[pong(1)], &[pong(2)], &[pong(3)]];
    let wire = builder.wire((1, 0), SLOTS, &[], &steps);
    let programs = vec![serves(vec![wire.clone()], NONE, Asleep), sends(vec![wire])];
    builder.run("core to coordinator", programs)
}

/// Several messages to a step, with one fence.
pub(crate) fn batches(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 2] = [&[ping(1), ping(2)], &[ping(3), ping(4)]];
    one_way(builder, "batches", 4, &steps, Asleep)
}

/// Several messages to a step, which are published together.
pub(crate) fn published_together(mut builder: Builder) -> Scenario {
    let steps: [&[Peer]; 3] = [&[data(1), data(2)], &[data(3), data(4)], &[data(5)]];
    let wire = builder.wire((0, 1), 5, &[], &steps).in_batches();
    let programs = vec![sends(vec![wire.clone()]), serves(vec![wire], NONE, Asleep)];
    builder.run("published together", programs)
}

/// An immediate message between two routine ones.
pub(crate) fn both_lanes(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 3] = [&[ping(1)], &[shootdown(2)], &[ping(3)]];
    one_way(builder, "both lanes", SLOTS, &steps, Asleep)
}

/// Messages of both lanes in one step, then one of each.
pub(crate) fn lanes_in_one_step(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 3] = [&[ping(1), shootdown(2)], &[shootdown(3)], &[ping(4)]];
    one_way(builder, "both lanes in one step", SLOTS, &steps, Asleep)
}

/// Two cores send to a third.
pub(crate) fn two_senders(mut builder: Builder) -> Scenario {
    let first = builder.wire((0, 2), SLOTS, &[], &[&[data(1)], &[data(2)]]);
    let second = builder.wire((1, 2), SLOTS, &[], &[&[data(3)], &[data(4)]]);
    let programs = vec![
        sends(vec![first.clone()]),
        sends(vec![second.clone()]),
        serves(vec![first, second], NONE, Asleep),
    ];
    builder.run("two senders", programs)
}

/// One core sends to two others, with one fence for both, then to the first again.
pub(crate) fn fan_out(mut builder: Builder) -> Scenario {
    let first = builder.wire((0, 1), SLOTS, &[], &[&[ping(1)], &[ping(2)]]);
    let second = builder.wire((0, 2), SLOTS, &[], &[&[ping(3)]]);
    let programs = vec![
        sends(vec![first.clone(), second.clone()]),
        serves(vec![first], NONE, Asleep),
        serves(vec![second], NONE, Asleep),
    ];
    builder.run("fan-out", programs)
}

fn answering<M: Word, A: Word>(incoming: Wire<M>, wire: Wire<A>, at_once: usize) -> Program {
    serves(vec![incoming], Some(Answers { wire, at_once }), Asleep)
}

/// The coordinator and a core answer each other, and both sleep in between.
pub(crate) fn ping_pong(mut builder: Builder) -> Scenario {
    let there = builder.wire((0, 1), SLOTS, &[], &[&[ping(1)], &[ping(2)], &[ping(3)]]);
    let back = builder.wire((1, 0), SLOTS, &[], &[&[pong(1)], &[pong(2)], &[pong(3)]]);
    let programs = vec![answering(back.clone(), there.clone(), 1), answering(there, back, 0)];
    builder.run("ping-pong", programs)
}

/// A message goes round three cores that all sleep, twice.
pub(crate) fn circle(mut builder: Builder) -> Scenario {
    let first = builder.wire((0, 1), SLOTS, &[], &[&[data(1)], &[data(2)]]);
    let second = builder.wire((1, 2), SLOTS, &[], &[&[data(1)], &[data(2)]]);
    let third = builder.wire((2, 0), SLOTS, &[], &[&[data(1)], &[data(2)]]);
    let programs = vec![
        answering(third.clone(), first.clone(), 1),
        answering(first, second.clone(), 0),
        answering(second, third, 0),
    ];
    builder.run("circle", programs)
}

/// Two cores send to each other, then sleep.
pub(crate) fn both_at_once(mut builder: Builder) -> Scenario {
    let there = builder.wire((0, 1), SLOTS, &[], &[&[data(1)], &[data(2)]]);
    let back = builder.wire((1, 0), SLOTS, &[], &[&[data(3)], &[data(4)]]);
    let programs = vec![answering(back.clone(), there.clone(), 2), answering(there, back, 2)];
    builder.run("both at once", programs)
}

/// A ring of two slots, which the sender finds full.
pub(crate) fn full_ring(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 2] = [&[ping(1), ping(2), ping(3)], &[ping(4), ping(5)]];
    one_way(builder, "full ring", 2, &steps, Asleep)
}

/// The receiver goes to user mode instead of halting.
pub(crate) fn user_mode(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 3] = [&[ping(1)], &[shootdown(2)], &[ping(3)]];
    one_way(builder, "user mode", SLOTS, &steps, Rests::InUserMode)
}

/// The receiver's vcore stands still for an answer, and other things come as well.
pub(crate) fn standing(builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 3] = [&[ping(1)], &[shootdown(2)], &[ping(3)]];
    one_way(builder, "standing", SLOTS, &steps, Rests::Standing)
}

/// So it does while two send to it.
pub(crate) fn standing_between_two(mut builder: Builder) -> Scenario {
    let first = builder.wire((0, 2), SLOTS, &[], &[&[ping(1)], &[ping(2)]]);
    let second = builder.wire((1, 2), SLOTS, &[], &[&[shootdown(3)]]);
    let programs = vec![
        sends(vec![first.clone()]),
        sends(vec![second.clone()]),
        serves(vec![first, second], NONE, Rests::Standing),
    ];
    builder.run("standing between two", programs)
}

/// The receiver stays in user mode while nothing but shootdowns comes, and answers them.
pub(crate) fn told_in_user_mode(mut builder: Builder) -> Scenario {
    let steps: [&[ToCore]; 2] = [&[shootdown(1)], &[ping(2), shootdown(3)]];
    let there = builder.wire((0, 1), SLOTS, &[], &steps);
    let back = builder.wire((1, 0), SLOTS, &[], &[&[pong(1)], &[pong(2)], &[pong(3)]]);
    let sent = Answers { wire: there.clone(), at_once: 2 };
    let answers = Answers { wire: back.clone(), at_once: 0 };
    let programs = vec![
        serves(vec![back], Some(sent), Asleep),
        serves(vec![there], Some(answers), Rests::InUserMode),
    ];
    builder.run("told in user mode", programs)
}

/// Two cores tell one that is in user mode.
pub(crate) fn told_by_two_in_user_mode(mut builder: Builder) -> Scenario {
    let first = builder.wire((0, 2), SLOTS, &[], &[&[shootdown(1)], &[ping(2)]]);
    let second = builder.wire((1, 2), SLOTS, &[], &[&[shootdown(3)]]);
    let programs = vec![
        sends(vec![first.clone()]),
        sends(vec![second.clone()]),
        serves(vec![first, second], NONE, Rests::InUserMode),
    ];
    builder.run("told by two in user mode", programs)
}

/// More messages lie there than a sender's turn takes, and two more come.
pub(crate) fn longer_than_a_burst(mut builder: Builder) -> Scenario {
    let laid: Vec<Peer> = (1..=9).map(data).collect();
    let wire = builder.wire((0, 1), 10, &laid, &[&[data(10)], &[data(11)]]);
    let programs = vec![sends(vec![wire.clone()]), serves(vec![wire], NONE, Asleep)];
    builder.run("longer than a burst", programs)
}

/// Doorbells that nobody sent a message with.
pub(crate) fn stray_doorbell(mut builder: Builder) -> Scenario {
    let wire = builder.wire((0, 1), SLOTS, &[], &[&[ping(1)], &[ping(2)]]);
    let programs = vec![sends(vec![wire.clone()]), serves(vec![wire], NONE, Asleep), rings(1)];
    builder.run("stray doorbell", programs)
}
