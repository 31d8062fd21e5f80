extern crate std;

use super::inbox::BURST;
use super::{
    Activity, Full, Handler, Hardware, Inbox, Knocks, Outbox, Receiver, Sender, Taken, link,
};
use crate::post::bounds::{ANSWERS, Post};
use crate::post::lanes::SLOTS;
use core::cell::RefCell;
use proto::id::CoreId;
use proto::message::{Lane, Peer, ToCore, ToMonitor};
use proto::sample::{Sample, TO_CORE, TO_MONITOR};
use proto::slot::NoMessage;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

/// Hardware that keeps a diary; every core is in the same state.
struct Diary {
    raised: RefCell<Vec<bool>>,
    activity: Activity,
    lines: RefCell<Vec<String>>,
}

impl Diary {
    fn new(activity: Activity) -> Self {
        Self { raised: RefCell::new(vec![false; 8]), activity, lines: RefCell::default() }
    }

    fn note(&self, line: String) {
        self.lines.borrow_mut().push(line);
    }

    fn read(&self) -> String {
        self.lines.take().join(", ")
    }
}

impl Hardware for Diary {
    fn fence(&self) {
        self.note("fence".into());
    }
    fn raise(&self, receiver: CoreId) {
        self.note(format!("raise {receiver}"));
    }
    fn activity_of(&self, _: CoreId) -> Activity {
        self.activity
    }
    fn ring(&self, receiver: CoreId) {
        self.note(format!("ring {receiver}"));
    }
    fn next_raised(&self, from: usize) -> Option<CoreId> {
        let raised = self.raised.borrow();
        let at = raised.iter().skip(from).position(|raised| *raised)?;
        u16::try_from(from + at).ok().map(CoreId)
    }
    fn lower(&self, sender: CoreId) {
        self.raised.borrow_mut()[sender.index()] = false;
        self.note(format!("lower {sender}"));
    }
    fn publish(&self, activity: Activity) {
        self.note(format!("{activity:?}"));
    }
    fn halt(&self) {
        self.note("halt".into());
    }
}

/// Takes messages from one link per sender and writes down what came.
struct Reader {
    links: Vec<Receiver<ToCore>>,
    lines: Vec<String>,
    /// Sends one immediate message while the first routine one is handled.
    surprise: Option<Sender<ToCore>>,
}

impl Reader {
    fn take(&mut self, sender: CoreId, lane: Lane) -> bool {
        let Ok(message) = self.links[sender.index()].take(lane) else { return false };
        self.lines.push(format!("{sender}:{message:?}"));
        true
    }
}

impl Handler for Reader {
    fn immediate(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Immediate)
    }
    fn routine(&mut self, sender: CoreId) -> bool {
        let some = self.take(sender, Lane::Routine);
        if let (true, Some(mut sender)) = (some, self.surprise.take()) {
            sender.send(&ToCore::Dump).expect("the lane is empty");
        }
        some
    }
    fn next(&mut self, sender: CoreId) -> Option<Taken> {
        if self.immediate(sender) {
            return Some(Taken::Immediate);
        }
        let link = &self.links[sender.index()];
        let is_last = !link.is_lane_empty(Lane::Routine) && link.is_last(Lane::Routine);
        self.routine(sender).then_some(if is_last { Taken::Last } else { Taken::Routine })
    }
    fn awaited(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Routine);
        !self.links[sender.index()].is_empty()
    }
}

fn reader(senders: usize) -> (Vec<Sender<ToCore>>, Reader) {
    let (tx, rx): (Vec<_>, Vec<_>) = (0..senders).map(|_| link(SLOTS)).unzip();
    (tx, Reader { links: rx, lines: vec![], surprise: None })
}

fn come_back<M: Post + PartialEq + core::fmt::Debug>(samples: &[Sample<M>]) {
    let (mut tx, mut rx) = link(SLOTS);
    for Sample { message, .. } in samples {
        tx.send(message).expect("there is room");
        assert_eq!(rx.take(message.lane()), Ok(*message));
    }
    assert!(rx.is_empty());
    assert_eq!(rx.traffic(), tx.traffic());
    assert_eq!(tx.traffic().messages, samples.len() as u64);
}

#[test]
fn messages_of_every_kind_come_out_of_their_lane_and_both_ends_count_alike() {
    come_back(TO_CORE);
    come_back(TO_MONITOR);
}

#[test]
fn a_full_lane_gives_the_message_back_and_loses_none() {
    let (mut tx, mut rx) = link::<Peer>(SLOTS);
    for value in 0..SLOTS as u64 {
        tx.send(&Peer::Data { value }).expect("there is room");
    }
    assert_eq!(tx.send(&Peer::End), Err(Full(Peer::End)));
    for value in 0..SLOTS as u64 {
        assert_eq!(rx.take(Lane::Routine), Ok(Peer::Data { value }));
    }
    assert_eq!(rx.take(Lane::Routine), Err(NoMessage::Empty));
    tx.send(&Peer::End).expect("there is room again");
}

#[test]
fn batches_take_what_fits_and_keep_the_order_around_the_end_of_the_ring() {
    let (mut tx, mut rx) = link::<Peer>(SLOTS);
    let batch: Vec<_> = (0..48).map(|value| Peer::Data { value }).collect();
    for _ in 0..5 {
        assert_eq!(tx.send_batch(&batch), 48);
        assert_eq!(tx.send_batch(&batch), SLOTS - 48);
        let mut values = vec![];
        let mut visit = |message: &Result<Peer, NoMessage>| values.push(*message);
        assert_eq!(rx.take_batch(Lane::Routine, 10, &mut visit), 10);
        assert_eq!(rx.take_batch(Lane::Routine, SLOTS, &mut visit), SLOTS - 10);
        let sent = batch.iter().chain(&batch[..SLOTS - 48]);
        assert_eq!(values, sent.map(|message| Ok(*message)).collect::<Vec<_>>());
    }
    assert_eq!(rx.take_batch(Lane::Routine, 1, |_| panic!("nothing is there")), 0);
    assert_eq!((tx.traffic(), tx.traffic().messages), (rx.traffic(), 5 * SLOTS as u64));
}

#[test]
fn a_slot_that_holds_another_type_is_an_error_and_does_not_block_the_lane() {
    let (producer, consumer) = rtrb::RingBuffer::new(SLOTS);
    let (other, none) = rtrb::RingBuffer::new(SLOTS);
    let mut tx = Sender::<ToMonitor>::new(other, producer);
    let mut rx = Receiver::<Peer>::new(none, consumer);
    let far_tag = ToMonitor::Unlinked { peer: CoreId(1) };
    tx.send(&far_tag).expect("there is room");
    tx.send(&ToMonitor::Join { apic: proto::id::ApicId(0) }).expect("there is room");
    assert!(matches!(rx.take(Lane::Routine), Err(NoMessage::Malformed)));
    assert!(matches!(rx.take(Lane::Routine), Ok(Peer::Ping { .. })));
}

#[test]
fn answers_have_slots_of_their_own() {
    let (mut tx, _rx) = link::<ToMonitor>(SLOTS);
    assert!(tx.has_more_than(ANSWERS, Lane::Routine));
    for Sample { message, .. } in TO_MONITOR.iter().filter(|s| !s.message.is_request()) {
        tx.send(message).expect("an answer always fits");
    }
}

#[test]
fn a_step_fences_once_for_all_that_it_sent() {
    let (mut tx, _reader) = reader(3);
    let (diary, mut outbox) = (Diary::new(Activity::Kernel), Outbox::new(8));
    outbox.flush(&diary);
    assert_eq!(diary.read(), "", "nothing sent, nothing done");
    for nonce in 0..3 {
        for (core, tx) in (1..).zip(&mut tx) {
            outbox.send(CoreId(core), tx, &ToCore::Ping { nonce }).expect("there is room");
        }
    }
    outbox.flush(&diary);
    assert_eq!(diary.read(), "raise 1, raise 2, raise 3, fence");
    assert_eq!(outbox.knocks(CoreId(2)), Knocks { rung: 0, suppressed: 1 });
    outbox.flush(&diary);
    assert_eq!(diary.read(), "", "a step ends once");
}

#[test]
fn doorbells_ring_for_sleepers_and_user_mode_and_always_for_the_immediate_lane() {
    let rings = |activity, messages: &[ToCore]| {
        let (mut tx, _reader) = reader(1);
        let (diary, mut outbox) = (Diary::new(activity), Outbox::new(8));
        for message in messages {
            outbox.send(CoreId(5), &mut tx[0], message).expect("there is room");
        }
        outbox.flush(&diary);
        assert_eq!(outbox.knocks(CoreId(5)).rung + outbox.knocks(CoreId(5)).suppressed, 1);
        diary.read()
    };
    let ping = ToCore::Ping { nonce: 1 };
    assert_eq!(rings(Activity::Kernel, &[ping]), "raise 5, fence");
    assert_eq!(rings(Activity::User, &[ping]), "raise 5, fence, ring 5");
    assert_eq!(rings(Activity::Asleep, &[ping, ping]), "raise 5, fence, ring 5");
    assert_eq!(rings(Activity::Kernel, &[ToCore::Dump]), "raise 5, fence, ring 5");
    assert_eq!(rings(Activity::Kernel, &[ping, ToCore::Dump, ping]), "raise 5, fence, ring 5");
}

#[test]
fn flags_are_cleared_before_rings_are_read_and_immediate_messages_come_first() {
    let (mut tx, mut reader) = reader(3);
    let (diary, mut inbox) = (Diary::new(Activity::Kernel), Inbox::new(8));
    assert!(!inbox.serve(&diary, &mut reader));
    assert_eq!(diary.read(), "", "an empty inbox costs a look");
    for at in [0, 2] {
        tx[at].send(&ToCore::Stop).expect("there is room");
        tx[at].send(&ToCore::Dump).expect("there is room");
        diary.raised.borrow_mut()[at] = true;
    }
    assert!(inbox.serve(&diary, &mut reader));
    assert_eq!(diary.read(), "lower 0, lower 2, fence");
    assert_eq!(reader.lines, ["0:Dump", "2:Dump", "0:Stop", "2:Stop"]);
    assert!(!inbox.serve(&diary, &mut reader));
}

#[test]
fn an_immediate_message_overtakes_between_two_routine_ones() {
    let (mut tx, mut reader) = reader(1);
    let (diary, mut inbox) = (Diary::new(Activity::Kernel), Inbox::new(8));
    tx[0].send(&ToCore::Ping { nonce: 1 }).expect("there is room");
    tx[0].send(&ToCore::Ping { nonce: 2 }).expect("there is room");
    reader.surprise = tx.pop();
    diary.raised.borrow_mut()[0] = true;
    while inbox.serve(&diary, &mut reader) {}
    assert_eq!(reader.lines, ["0:Ping { nonce: 1 }", "0:Dump", "0:Ping { nonce: 2 }"]);
}

#[test]
fn whoever_waits_for_one_sender_does_not_halt_while_another_has_something() {
    let (mut tx, mut reader) = reader(2);
    let (diary, mut inbox) = (Diary::new(Activity::User), Inbox::new(8));
    // One interrupt may be that of both.
    for (at, tx) in tx.iter_mut().enumerate() {
        tx.send(&ToCore::Ping { nonce: 1 }).expect("there is room");
        diary.raised.borrow_mut()[at] = true;
    }
    assert!(!inbox.serve_awaited(&diary, &mut reader), "the other waits for a pass");
    assert_eq!(reader.lines.len(), 1);
    assert!(inbox.serve(&diary, &mut reader));
    assert_eq!(reader.lines.len(), 2);
    assert!(inbox.serve_awaited(&diary, &mut reader), "there is nothing");
    tx[1].send(&ToCore::Ping { nonce: 2 }).expect("there is room");
    diary.raised.borrow_mut()[1] = true;
    assert!(inbox.serve_awaited(&diary, &mut reader), "and that was all");
    assert_eq!(reader.lines.len(), 3);
}

#[test]
fn senders_take_turns_and_none_is_forgotten() {
    let (mut tx, mut reader) = reader(2);
    let (diary, mut inbox) = (Diary::new(Activity::Kernel), Inbox::new(8));
    for tx in &mut tx {
        for nonce in 0..20 {
            tx.send(&ToCore::Ping { nonce }).expect("there is room");
        }
    }
    diary.raised.borrow_mut()[..2].fill(true);
    assert!(inbox.serve(&diary, &mut reader));
    assert_eq!(reader.lines.len(), 16);
    assert!(!inbox.sleep(&diary), "no halt while a ring isn't drained");
    while inbox.serve(&diary, &mut reader) {}
    assert_eq!(reader.lines.len(), 40);
}

#[test]
fn what_came_while_a_sender_waited_for_its_next_turn_is_taken_in_that_turn() {
    let (mut tx, mut reader) = reader(1);
    let (diary, mut inbox) = (Diary::new(Activity::Kernel), Inbox::new(8));
    let mut send = |nonce| {
        tx[0].send(&ToCore::Ping { nonce }).expect("there is room");
        diary.raised.borrow_mut()[0] = true;
    };
    (0..=BURST as u32).for_each(&mut send);
    assert!(inbox.serve(&diary, &mut reader));
    assert_eq!(reader.lines.len(), BURST);
    // The last look has shown one message more. This one's flag is lowered before that look's messages are all taken.
    send(BURST as u32 + 1);
    assert!(inbox.serve(&diary, &mut reader));
    assert_eq!(reader.lines.len(), BURST + 2);
    assert!(inbox.is_calm() && !inbox.serve(&diary, &mut reader));
}

#[test]
fn a_look_from_before_a_flag_was_lowered_hides_nothing() {
    let (mut tx, mut reader) = reader(1);
    let (diary, mut inbox) = (Diary::new(Activity::User), Inbox::new(8));
    let mut send = |nonce| {
        tx[0].send(&ToCore::Ping { nonce }).expect("there is room");
        diary.raised.borrow_mut()[0] = true;
    };
    send(0);
    assert!(!reader.links[0].is_empty(), "as a core does that looks for what is urgent");
    send(1);
    assert!(inbox.serve(&diary, &mut reader));
    assert_eq!(reader.lines.len(), 2);
    assert!(inbox.is_calm() && !inbox.serve(&diary, &mut reader));
}

#[test]
fn a_core_looks_once_more_before_it_halts() {
    let (diary, mut inbox) = (Diary::new(Activity::Kernel), Inbox::new(8));
    assert!(inbox.sleep(&diary));
    assert_eq!(diary.read(), "Asleep, fence, halt, Kernel");
    diary.raised.borrow_mut()[3] = true;
    assert!(!inbox.sleep(&diary));
    assert_eq!(diary.read(), "Asleep, fence, Kernel");
    assert!(!inbox.leave(&diary, Activity::User));
    inbox.enter(&diary);
    assert_eq!(diary.read(), "User, fence, Kernel");
}
