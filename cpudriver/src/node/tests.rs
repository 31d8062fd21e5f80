extern crate std;

mod hears;
mod net;

use super::jobs::{MAX_SAMPLES, report};
use super::{Counts, Job, Next, Parcel, Part, Star, connect};
use crate::driver::{Effect, Fate, Identifier, Trap};
use crate::post::lanes::SLOTS;
use crate::post::{Receiver, Sender, link};
use crate::program::seen::{Assembler, Caller, Seen};
use alloc::boxed::Box;
use alloc::vec::Vec;
use net::{CORES, Net};
use proto::call::{Call, Outcome};
use proto::core_set::CoreSet;
use proto::id::{ApicId, CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use proto::message::{Lane, PageRange, Peer, ToCore, ToMonitor};
use proto::sample::TO_MONITOR;
use rtrb::RingBuffer;

const LEASE: Lease =
    Lease { generation: Generation(3), epoch: Epoch(4), pid: Pid(1), vcore: VcoreId(2) };

fn job(part: Part, peer: u16, rounds: u32, batch: u16) -> Job {
    Job { part, peer: CoreId(peer), rounds, warmup: 2, batch }
}

fn operations(done: ToMonitor) -> u32 {
    let ToMonitor::ExperimentDone { begin, end, operations } = done else { panic!("{done:?}") };
    assert!(begin <= end);
    operations
}

fn room_for_samples() -> Vec<u32> {
    Vec::with_capacity(MAX_SAMPLES)
}

#[test]
fn a_core_that_joins_throws_away_what_its_earlier_life_left_unread() {
    let mut net = Net::new();
    net.order(1, ToCore::Stop);
    net.order(1, ToCore::Dump);
    net.node(1).join(ApicId(7));
    net.node(1).flush();
    while net.seat(1).pass() {}
    assert_eq!(net.answers(1), [ToMonitor::Join { apic: ApicId(7) }]);
    assert_eq!(net.node(1).take_next(), Next::Serve);
}

#[test]
fn every_order_that_can_be_done_at_once_is_answered_at_once() {
    let mut net = Net::new();
    assert_eq!(net.ask(1, ToCore::Ping { nonce: 5 }), [ToMonitor::Pong { nonce: 5 }]);
    let range = PageRange { first: 1, pages: 2 };
    let (pid, generation) = (Pid(1), Generation(1));
    let shootdown = ToCore::TlbShootdown { pid, generation, range, ticket: 9 };
    assert_eq!(net.ask(1, shootdown), [ToMonitor::ShootdownDone { ticket: 9 }]);
    assert!(matches!(net.ask(1, ToCore::Dump)[..], [ToMonitor::Dumped { report: 1.. }]));
    assert_eq!(net.ask(1, ToCore::Stop), [ToMonitor::Stopped]);
    assert_eq!(net.node(1).take_next(), Next::Park);
    assert_eq!(net.node(1).take_next(), Next::Serve, "asking forgets it");
}

fn multicast(ticket: u32, fan_out: u8, below: impl IntoIterator<Item = u16>) -> ToCore {
    let (pid, generation, range) = (Pid(1), Generation(1), PageRange::default());
    let below = below.into_iter().map(CoreId).collect();
    ToCore::TlbMulticast { pid, generation, range, ticket, fan_out, below }
}

#[test]
fn a_shootdown_is_handed_down_and_answered_once_for_all() {
    let mut net = Net::new();
    net.link_down(1, 2);
    net.link_down(2, 3);
    // Core 1 has two below; that it has no way to the second the coordinator must learn before the answer.
    let unreached: CoreSet = [CoreId(3)].into_iter().collect();
    let (told, done) = (multicast(9, 2, [2, 3]), ToMonitor::ShootdownDone { ticket: 9 });
    let unreached = ToMonitor::Unreached { ticket: 9, cores: unreached };
    assert_eq!(net.ask(1, told), [unreached], "core 2 has not answered");
    net.passes(2);
    assert_eq!(net.answers(1), [done]);
    assert_eq!((net.answers(2), net.answers(3)), (alloc::vec![], alloc::vec![]));
    net.link_down(1, 3);
    for fan_out in [1, 2] {
        let ticket = 10 + u32::from(fan_out);
        assert_eq!(net.ask(1, multicast(ticket, fan_out, [2, 3])), []);
        net.passes(3);
        assert_eq!(net.answers(1), [ToMonitor::ShootdownDone { ticket }]);
        assert_eq!((net.answers(2), net.answers(3)), (alloc::vec![], alloc::vec![]));
    }
    let counters = net.ask(1, ToCore::Count);
    assert!(matches!(counters[..], [ToMonitor::Counters { peer_sent: 4, peer_received: 4, .. }]));
}

#[test]
fn a_core_that_joins_anew_hands_down_still_and_forgets_what_it_was_handed() {
    let mut net = Net::new();
    net.link_down(1, 2);
    net.link_down(2, 3);
    net.asleep.push(CoreId(2));
    assert_eq!(net.ask(1, multicast(9, 2, [2])), []);
    net.node(2).join(ApicId(2));
    net.node(2).flush();
    net.asleep.clear();
    let join = ToMonitor::Join { apic: ApicId(2) };
    net.pass();
    assert_eq!(net.answers(2), [join], "the shootdown was for its last life");
    assert_eq!(net.answers(1), []);
    assert_eq!(net.ask(2, multicast(10, 2, [3])), []);
    net.passes(2);
    assert_eq!(net.answers(2), [ToMonitor::ShootdownDone { ticket: 10 }]);
}

#[test]
fn a_ring_that_is_full_hands_nothing_down() {
    let mut net = Net::new();
    net.link_down(1, 2);
    net.asleep.push(CoreId(2));
    let cores: CoreSet = [CoreId(2)].into_iter().collect();
    let full = (0..20).find_map(|ticket| {
        let answers = net.ask(1, multicast(ticket, 2, [2]));
        (!answers.is_empty()).then(|| (ticket, answers[0]))
    });
    assert!(matches!(full, Some((1.., ToMonitor::Unreached { cores: it, .. })) if it == cores));
}

#[test]
fn orders_about_a_lease_that_the_core_does_not_hold_are_stale() {
    let outcome = Outcome::default();
    let orders = [
        ToCore::Preempt { lease: LEASE, outcome },
        ToCore::Death { lease: LEASE },
        ToCore::Notify { lease: LEASE, count: 1 },
        ToCore::SetContext { lease: LEASE, notified: 0 },
        ToCore::Done { lease: LEASE, outcome },
    ];
    let mut net = Net::new();
    for order in orders {
        let stale = ToMonitor::Stale { kind: order.tag(), lease: LEASE };
        assert_eq!(net.ask(2, order), [stale]);
    }
    assert_eq!(net.node(2).take_next(), Next::Serve);
}

#[test]
fn a_lease_is_taken_and_given_back_by_what_the_machine_does() {
    let mut net = Net::new();
    let lease = Lease { epoch: Epoch(1), ..LEASE };
    let start = ToCore::StartCore { lease, root: 0x7000, notified: 0, removals: 0 };
    assert_eq!(net.ask(1, start), [ToMonitor::Started { lease }]);
    assert_eq!(net.node(1).driver().lease(), Some(lease));
    let outcome = Outcome::default();
    assert_eq!(net.ask(1, ToCore::Preempt { lease, outcome }), [ToMonitor::Preempted { lease }]);
    let done = [
        Effect::Load { root: 0x7000, identifier: Identifier { number: 1, holds: false } },
        Effect::Start { lease },
        Effect::Save { vcore: lease.vcore, fate: Fate::Goes },
        Effect::Unload,
    ];
    assert_eq!(*net.machine.effects.borrow(), done.map(|effect| (CoreId(1), effect)));
}

#[test]
fn a_request_of_the_vcore_is_sent_and_answered() {
    let mut net = Net::new();
    let lease = Lease { epoch: Epoch(1), ..LEASE };
    net.ask(1, ToCore::StartCore { lease, root: 0x7000, notified: 0, removals: 0 });
    let told = net.node(1).trap(Trap::Exit { code: 3 });
    assert_eq!(told, Some(ToMonitor::Exit { lease, code: 3 }));
    assert!(net.node(1).request_for::<()>(&ToMonitor::Exit { lease, code: 3 }));
    net.node(1).flush();
    assert_eq!(net.answers(1), [ToMonitor::Exit { lease, code: 3 }]);
    assert_eq!(net.node(1).trap(Trap::Exit { code: 3 }), None, "it stands still");
}

#[test]
fn a_vcore_that_stands_still_goes_on_when_its_core_is_told_that_its_memory_is_changed() {
    let mut net = Net::new();
    let lease = Lease { epoch: Epoch(1), ..LEASE };
    net.ask(1, ToCore::StartCore { lease, root: 0x7000, notified: 0, removals: 0 });
    net.node(1).stand();
    assert!(net.node(1).driver().request().is_some());
    let range = PageRange { first: 3, pages: 2 };
    assert_eq!(net.ask(1, ToCore::Changed { lease, range }), []);
    assert_eq!(net.node(1).driver().request(), None);
    let done = [Effect::Flush { range }, Effect::Resume { outcome: Outcome::OK }];
    assert_eq!(net.machine.effects.borrow()[2..], done.map(|effect| (CoreId(1), effect)));
}

#[test]
fn what_is_seen_of_calls_leaves_room_for_answers_and_is_counted_when_there_is_none() {
    let mut net = Net::new();
    let caller = Caller { pid: Pid(1), vcore: VcoreId(0), number: 3, at: 0x40 };
    let seen = Seen::Returned { when: 1, caller, result: 0 };
    for _ in 0..SLOTS {
        net.node(1).saw(seen);
    }
    // The answer fits all the same, and what was left out is told when there is room again.
    let first = net.ask(1, ToCore::Count);
    let (answer, parts) = first.split_last().unwrap();
    assert!(matches!(answer, ToMonitor::Counters { .. }));
    let mut assembler = Assembler::default();
    let whole: Vec<_> = parts.iter().filter_map(|part| assembler.take(part)).collect();
    assert!(!whole.is_empty() && whole.iter().all(|it| *it == seen));
    let second = net.ask(1, ToCore::Count);
    let left_out = (SLOTS - whole.len()) as u64;
    assert_eq!(assembler.take(&second[0]), Some(Seen::Dropped(left_out)));
    assert_eq!(net.ask(1, ToCore::Count).len(), 1, "it is told once");
}

#[test]
fn the_management_core_keeps_what_it_sees_and_counts_what_does_not_fit() {
    let mut net = Net::new();
    let caller = Caller { pid: Pid(1), vcore: VcoreId(0), number: 3, at: 0x40 };
    let seen = Seen::Entered { when: 1, caller, arguments: [7; 5] };
    for _ in 0..1000 {
        net.node(0).saw(seen);
    }
    let mut assembler = Assembler::default();
    let mut kept = 0;
    while let Some(part) = net.node(0).take_seen() {
        kept += u64::from(assembler.take(&part) == Some(seen));
    }
    assert!(kept > 0);
    assert_eq!(net.node(0).take_dropped(), 1000 - kept);
    assert_eq!(net.node(0).take_dropped(), 0, "asking forgets it");
}

#[test]
#[should_panic(expected = "asked to by the console")]
fn a_core_panics_when_it_is_asked_to() {
    Net::new().ask(1, ToCore::Panic);
}

#[test]
fn last_words_are_heard_after_all_that_was_said_before() {
    let mut net = Net::new();
    net.node(3).fail(80);
    net.node(3).flush();
    let words = ToMonitor::CoreFailed { report: 80 };
    assert_eq!(net.answers(3), [words]);
    // A request that was made before is in the same ring, which keeps order.
    assert_eq!(words.lane(), ToMonitor::Run { call: Call::default(), pid: Pid(1) }.lane());
}

#[test]
fn counters_tell_halts_and_what_ended_them() {
    let mut net = Net::new();
    net.node(1).slept((50, 150), true, false);
    net.node(1).slept((200, 220), false, true);
    net.node(1).slept((300, 303), false, false);
    let counts = Counts { halts: 3, heard: 1, timers: 1, asleep: 123, stray: 0 };
    assert_eq!(net.node(1).counts(), counts);
    let answer = net.ask(1, ToCore::Count);
    assert!(matches!(
        answer[..],
        [ToMonitor::Counters { halts: 3, heard: 1, timers: 1, asleep: 123, peer_sent: 0, .. }]
    ));
}

#[test]
fn an_order_that_does_not_decode_is_counted_and_blocks_nothing() {
    let (producer, consumer) = RingBuffer::new(SLOTS);
    let (other, none) = RingBuffer::new(SLOTS);
    let mut wrong = Sender::<ToMonitor>::new(other, producer);
    let (sender, _answers) = link(SLOTS);
    let tree = super::Tree::new(CORES);
    let star = Star { sender, receiver: Receiver::new(none, consumer), tree };
    let mut net = Net::new();
    let platform = *net.node(1).platform();
    let mut node = super::Node::new(CoreId(1), CORES, platform, Some(Box::leak(Box::new(star))));
    let routine = TO_MONITOR.iter().rfind(|sample| sample.message.lane() == Lane::Routine);
    let far_tag = routine.expect("there are some").message;
    wrong.send(&far_tag).expect("there is room");
    assert!(node.take(CoreId(0), Lane::Routine));
    assert!(!node.take(CoreId(0), Lane::Routine));
    assert_eq!(node.counts().stray, 1);
}

#[test]
fn links_are_made_and_given_back_through_the_handoff_cell() {
    let mut net = Net::new();
    net.link(1, 2, 4);
    net.link(1, 3, 4);
    assert_eq!(net.node(1).peers().linked(), [CoreId(2), CoreId(3)]);
    let peer = CoreId(2);
    assert_eq!(net.ask(1, ToCore::Unlink { peer }), [ToMonitor::Unlinked { peer }]);
    assert!(net.machine.cells[1].take().is_some());
    assert_eq!(net.node(1).peers().linked(), [CoreId(3)]);
    assert_eq!(net.node(1).counts().stray, 0);
}

#[test]
fn a_link_that_is_not_there_or_there_already_is_counted_and_not_answered() {
    let mut net = Net::new();
    let peer = CoreId(2);
    assert_eq!(net.ask(1, ToCore::Link { peer }), [], "nothing is in the cell");
    assert_eq!(net.ask(1, ToCore::Unlink { peer }), []);
    net.link(1, 2, 4);
    net.machine.cells[1].replace(Some(Parcel::Link(connect(4).0)));
    assert_eq!(net.ask(1, ToCore::Link { peer }), [], "there is one already");
    net.machine.cells[1].replace(Some(Parcel::Link(connect(4).0)));
    assert_eq!(net.ask(1, ToCore::Unlink { peer }), [], "the cell is full");
    assert_eq!(net.node(1).peers().linked(), [peer], "so the link stays");
    assert_eq!(net.node(1).counts().stray, 4);
}

#[test]
fn a_core_stays_awake_or_sleeps_as_it_is_told() {
    let mut net = Net::new();
    for (part, awake) in [(Part::Awake, true), (Part::Asleep, false)] {
        let answers = net.ask(1, job(part, 0, 0, 1).order());
        assert!(matches!(answers[..], [ToMonitor::ExperimentDone { operations: 0, .. }]));
        assert_eq!(net.node(1).stays_awake(), awake);
    }
}

#[test]
fn a_part_that_nobody_knows_is_answered_and_counted() {
    let mut net = Net::new();
    let order = ToCore::Experiment { role: 77, peer: CoreId(0), rounds: 1, warmup: 0, batch: 1 };
    assert!(matches!(net.ask(1, order)[..], [ToMonitor::ExperimentDone { operations: 0, .. }]));
    assert_eq!(net.node(1).counts().stray, 1);
}

#[test]
fn a_part_is_left_to_the_core_s_loop() {
    let mut net = Net::new();
    let job = job(Part::Ask, 2, 5, 1);
    assert_eq!(net.ask(1, job.order()), []);
    assert_eq!(net.node(1).take_next(), Next::Do(job));
}

#[test]
fn round_trips_are_sampled_and_reported_before_the_part_is_done() {
    let mut net = Net::new();
    net.link(1, 2, 4);
    let mut samples = room_for_samples();
    let outcome = net.play(1, &job(Part::Ask, 2, 10, 1), &mut samples, |_, _| {});
    assert_eq!(samples.len(), 10);
    assert_eq!(operations(outcome.done), 10);
    assert_eq!(net.machine.open.get(), 0, "every region that was begun was ended");
    report(net.node(1), &outcome);
    let answers = net.answers(1);
    assert!(
        matches!(answers[..], [ToMonitor::Samples { n: 10, .. }, done] if done == outcome.done)
    );
    let sent = net.ask(1, ToCore::Count);
    let all = 12;
    assert!(matches!(
        sent[..],
        [ToMonitor::Counters { peer_sent, peer_received, .. }]
            if (peer_sent, peer_received) == (all, all)
    ));
}

#[test]
fn a_core_that_plays_a_part_still_answers_the_coordinator() {
    let mut net = Net::new();
    net.link(1, 2, 4);
    let mut answers = Vec::new();
    net.play(1, &job(Part::Ask, 2, 5, 1), &mut room_for_samples(), |net, pass| {
        if pass == 3 {
            net.order(1, ToCore::Ping { nonce: 8 });
        }
        answers.append(&mut net.answers(1));
    });
    assert_eq!(answers, [ToMonitor::Pong { nonce: 8 }]);
}

#[test]
fn streams_to_several_peers_arrive_whole_through_rings_that_fill_up() {
    for (slots, batch) in [(2, 1), (4, 3), (4, 32), (64, 8)] {
        let mut net = Net::new();
        net.link(1, 2, slots);
        net.link(1, 3, slots);
        let stream = job(Part::Stream, 0, 100, batch);
        let outcome = net.play(1, &stream, &mut room_for_samples(), |_, _| {});
        assert_eq!(operations(outcome.done), 200, "{slots} slots, batches of {batch}");
        assert_eq!(outcome.samples, None);
    }
}

#[test]
fn a_stream_of_which_anything_is_lost_or_added_counts_as_nothing() {
    for messages in [1, 2, 50] {
        let mut net = Net::new();
        net.link(1, 2, 4);
        let stream = Job { warmup: 0, ..job(Part::Stream, 0, messages, 1) };
        let outcome = net.play(1, &stream, &mut room_for_samples(), |net, pass| {
            // The first pass brings the warm-up's sum, in the second the first value is there.
            if pass == 2 {
                let mut ends = net.node(2).peers().remove(CoreId(1)).expect("it is linked");
                let first = ends.receiver.take(Lane::Routine);
                assert!(matches!(first, Ok(Peer::Data { .. })));
                assert!(net.node(2).peers().insert(CoreId(1), ends));
            }
        });
        assert_eq!(operations(outcome.done), 0, "of {messages} messages the first was stolen");
    }
}

#[test]
fn a_part_ends_when_another_one_is_ordered() {
    for part in [Part::Ask, Part::Stream] {
        let mut net = Net::new();
        net.link(1, 2, 4);
        net.asleep.push(CoreId(2));
        let outcome = net.play(1, &job(part, 2, 30, 1), &mut room_for_samples(), |net, pass| {
            if pass == 40 {
                net.order(1, job(Part::Asleep, 0, 0, 1).order());
            }
        });
        assert_eq!(outcome.samples, None);
        assert_eq!(operations(outcome.done), 0, "{part:?} came to nothing");
    }
}

#[test]
fn a_part_ends_when_the_core_is_told_to_stop() {
    let mut net = Net::new();
    net.link(1, 2, 4);
    net.asleep.push(CoreId(2));
    net.play(1, &job(Part::Ask, 2, 30, 1), &mut room_for_samples(), |net, pass| {
        if pass == 10 {
            net.order(1, ToCore::Stop);
        }
    });
    assert_eq!(net.node(1).take_next(), Next::Park);
}

/// Both ends of a link stream at once: the answer to the peer's stream is due while the ring to it is full.
#[test]
fn a_sum_that_finds_its_ring_full_is_sent_when_there_is_room() {
    let mut net = Net::new();
    net.link(1, 2, 4);
    let stream = Job { warmup: 0, ..job(Part::Stream, 0, 20, 1) };
    let outcome = net.play(1, &stream, &mut room_for_samples(), |net, pass| match pass {
        // The first pass brings the warm-up's sum; then the ring of four slots fills up.
        2 => net.asleep.push(CoreId(2)),
        8 => {
            assert!(net.node(2).tell(CoreId(1), &Peer::Data { value: 11 }));
            assert!(net.node(2).tell(CoreId(1), &Peer::End));
            net.node(2).flush();
        }
        11 => net.asleep.clear(),
        _ => {}
    });
    assert_eq!(operations(outcome.done), 20);
    while net.seat(2).pass() {}
    let peers = net.node(2).peers();
    assert_eq!((peers.sums, peers.total), (1, 11));
    assert_eq!(net.node(1).counts().stray, 0);
    assert!(!net.node(1).stays_awake());
}
