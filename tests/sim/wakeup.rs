//! The lost wake-up race, explored: the message path of `cpudriver::post`, unchanged, on a model of x86's
//! memory with store buffers, in every order that its accesses can take.
//!
//! Each access to what cores share (an index of a ring, a slot, a flag byte, a state byte), each arrival of
//! a store in memory and each doorbell's departure and arrival is a step of its own. A run ends when nothing can
//! happen any more. Then every core that serves halts, and every message must have been taken, in
//! order and once: a core that halts while a message for it lies in a ring has lost its wake-up.
//!
//! - `machine`: memory, store buffers, interrupts: a state.
//! - `replay`: how ordinary code becomes a thread that can be stopped at any access and branched.
//! - `hardware`, `ring`: a core, and a ring that does what `rtrb` does.
//! - `explore`: the search, and what it may leave out.
//! - `scenarios`, `shapes`: who sends what to whom.
//!
//! # What came out
//!
//! With the protocol as it is no run of any scenario loses, repeats or reorders a message. Each of the
//! three fences is needed:
//!
//! - without the sender's (after raising flags) and without the receiver's before it leaves (after
//!   publishing its state) one message is enough to be lost;
//! - without the receiver's after lowering flags a second message is lost, if a sender can have two
//!   steps under way: the clearing of the flag stays in the store buffer until the sender has set it again
//!   for a message that the receiver has just not seen. Where an answer is awaited before the next message
//!   (ping-pong, circle) this fence alone could go: no run loses anything there without it.
//!
//! All of this is due to store buffers: where stores reach memory at once, all three fences can go.
//! The faults that have nothing to do with fences (no last look, interrupts let in before the halt, an old look taken for what is
//! there now) are found there just as well.

#[path = "wakeup/explore.rs"]
mod explore;
#[path = "wakeup/hardware.rs"]
mod hardware;
#[path = "wakeup/machine.rs"]
mod machine;
#[path = "wakeup/replay.rs"]
mod replay;
#[path = "wakeup/ring.rs"]
mod ring;
#[path = "wakeup/scenarios.rs"]
mod scenarios;
#[path = "wakeup/shapes.rs"]
mod shapes;

use explore::{Outcome, explore};
use hardware::Fault;
use machine::Order;
use scenarios::Builder;
use shapes::Shape;

const FENCES: [Fault; 3] =
    [Fault::NoFenceAfterRaise, Fault::NoFenceAfterLower, Fault::NoFenceAfterPublish];

const OTHER_FAULTS: [Fault; 6] = [
    Fault::OldState,
    Fault::RingsOnce,
    Fault::SleepersNotRung,
    Fault::NoLastLook,
    Fault::PublishesLate,
    Fault::HaltsOpen,
];

/// Explores a scenario on x86.
fn on_x86(shape: Shape, fault: Fault) -> Outcome {
    explore(shape(Builder::new(fault, Order::Buffered)))
}

/// Explores a scenario where stores reach memory at once.
fn in_sequence(shape: Shape, fault: Fault) -> Outcome {
    explore(shape(Builder::new(fault, Order::Sequential)))
}

#[track_caller]
fn must_lose(outcome: &Outcome, because: &str) {
    println!("{because}: {outcome}");
    assert!(outcome.loss.is_some(), "the loss was not found: {because}, {}", outcome.scenario);
}

#[track_caller]
fn must_hold(outcome: &Outcome) {
    println!("{outcome}");
    assert!(outcome.loss.is_none(), "{outcome}");
}

#[test]
fn nothing_is_lost_repeated_or_reordered_in_any_run() {
    shapes::ALL.iter().for_each(|&shape| must_hold(&on_x86(shape, Fault::None)));
}

#[test]
fn without_the_senders_fence_a_wake_up_is_lost() {
    let outcome = on_x86(shapes::one_message, Fault::NoFenceAfterRaise);
    must_lose(&outcome, "the sender reads the state before its flag is seen");
}

#[test]
fn without_the_fence_after_lowering_a_flag_a_wake_up_is_lost() {
    let outcome = on_x86(shapes::two_messages, Fault::NoFenceAfterLower);
    must_lose(&outcome, "the flag that was set again is cleared after the ring was read");
}

#[test]
fn without_the_fence_before_the_last_look_a_wake_up_is_lost() {
    let outcome = on_x86(shapes::one_message, Fault::NoFenceAfterPublish);
    must_lose(&outcome, "the receiver looks before it is seen to sleep");
}

#[test]
fn each_fence_is_needed_unless_every_message_is_answered_before_the_next() {
    for (fault, shape) in all_pairs(&FENCES) {
        let outcome = on_x86(shape, fault);
        let one_at_a_time = ["one message", "ping-pong", "circle"].contains(&outcome.scenario);
        let needed = !(fault == Fault::NoFenceAfterLower && one_at_a_time);
        assert_eq!(outcome.loss.is_some(), needed, "{fault:?}: {outcome}");
    }
}

#[test]
fn without_store_buffers_no_fence_is_needed() {
    shapes::ALL.iter().for_each(|&shape| must_hold(&in_sequence(shape, Fault::NoFence)));
}

#[test]
fn every_other_fault_loses_a_wake_up_with_and_without_store_buffers() {
    for fault in OTHER_FAULTS {
        must_lose(&on_x86(shapes::two_messages, fault), &format!("{fault:?}"));
        must_lose(&in_sequence(shapes::two_messages, fault), &format!("{fault:?}, in sequence"));
    }
}

#[test]
fn a_ring_that_publishes_too_early_or_frees_too_early_is_found() {
    must_lose(&on_x86(shapes::two_messages, Fault::TailFirst), "published before it is written");
    must_lose(&on_x86(shapes::full_ring, Fault::HeadFirst), "freed before it is read");
}

#[test]
fn a_look_from_before_the_flag_was_lowered_does_not_show_which_message_is_the_last() {
    must_lose(&on_x86(shapes::user_mode, Fault::OldLook), "an old look, in passing");
    must_lose(&in_sequence(shapes::user_mode, Fault::OldLook), "an old look, in sequence");
}

#[test]
fn what_the_search_leaves_out_changes_no_verdict() {
    let small: [Shape; 2] = [shapes::one_message, shapes::two_messages];
    for (shape, fault) in small.iter().flat_map(|&shape| every_fault().map(move |f| (shape, f))) {
        let reduced = on_x86(shape, fault);
        let full = explore(shape(Builder::new(fault, Order::Buffered).in_full()));
        assert_eq!(reduced.loss.is_some(), full.loss.is_some(), "{fault:?}: {full}");
        assert!(reduced.states < full.states);
    }
}

fn every_fault() -> impl Iterator<Item = Fault> {
    [Fault::None, Fault::NoFence].into_iter().chain(FENCES).chain(OTHER_FAULTS)
}

fn all_pairs(faults: &[Fault]) -> impl Iterator<Item = (Fault, Shape)> {
    faults.iter().flat_map(|&fault| shapes::ALL.iter().map(move |&shape| (fault, shape)))
}
