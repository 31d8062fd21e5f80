extern crate std;

use super::hand::{Hand, InWords};
use super::line::{Lines, Pair, Receiving, Sending};
use super::{Path, Plain, Postcard, Slots};
use crate::post::ring::Codec;
use core::fmt::Debug;
use proto::message::Peer;
use proto::sample::{PEER, Sample, TO_CORE, TO_MONITOR};
use proto::slot::{Message, NoMessage, Slot};
use std::vec;
use std::vec::Vec;

const SLOTS: usize = 8;

/// All samples come back, one by one and in batches that wrap around the end, and a full ring says so.
fn check_path<M: Message + Debug + PartialEq>(mut path: impl Path<M>, samples: &[Sample<M>]) {
    let messages: Vec<M> = samples.iter().map(|sample| sample.message).collect();
    for message in &messages {
        assert!(path.put(message));
        assert_eq!(path.take(), Ok(*message));
    }
    for batch in messages.chunks(SLOTS - 3) {
        assert_eq!(path.put_all(batch), batch.len());
        let mut taken = vec![];
        path.take_all(SLOTS, |message| taken.push(message.expect("a sample")));
        assert_eq!(taken, batch);
    }
    assert_eq!(path.take(), Err(NoMessage::Empty));
    let many = vec![messages[0]; SLOTS + 1];
    let fitting = path.put_all(&many);
    // Lines learn late what was taken.
    assert!((SLOTS / 2 + 1..=SLOTS).contains(&fitting));
    assert!(!path.put(&messages[0]));
    assert_eq!(path.take_all(SLOTS + 1, |_| ()), fitting);
}

fn check_all<M: Message + InWords + Debug + PartialEq>(samples: &[Sample<M>])
where
    Hand: Codec<M>,
{
    check_path(<Plain<M> as Path<M>>::new(SLOTS), samples);
    check_path(<Slots<Postcard> as Path<M>>::new(SLOTS), samples);
    check_path(<Slots<Hand> as Path<M>>::new(SLOTS), samples);
    check_path(<Pair as Path<M>>::new(SLOTS), samples);
}

#[test]
fn every_layout_carries_every_kind_of_message() {
    check_all(TO_CORE);
    check_all(TO_MONITOR);
    check_all(PEER);
}

fn check_bytes<M: Message + Debug + PartialEq>(samples: &[Sample<M>])
where
    Hand: Codec<M>,
{
    for Sample { name, message } in samples {
        let (mut by_hand, mut by_postcard, mut length) = (Slot::EMPTY, Slot::EMPTY, 0);
        assert_eq!(
            Hand::encode::<()>(message, &mut by_hand),
            by_postcard.encode(message),
            "{name}"
        );
        assert_eq!(by_hand, by_postcard, "{name}");
        assert_eq!(Hand::decode::<()>(&by_postcard, &mut length), Ok(*message));
        assert_eq!(length, by_postcard.encode(message) as u64);
    }
    let bad = Slot::from_bytes([0xff; Slot::LEN]);
    assert_eq!(<Hand as Codec<M>>::decode::<()>(&bad, &mut 0), Err(NoMessage::Malformed));
}

#[test]
fn the_codec_by_hand_agrees_with_postcard_on_every_byte() {
    check_bytes(TO_CORE);
    check_bytes(TO_MONITOR);
    check_bytes(PEER);
}

#[test]
fn lines_carry_a_stream_between_two_threads() {
    let lines = Lines::new(SLOTS);
    let count = if cfg!(miri) { 50 } else { 20_000 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sending = Sending::default();
            for value in 0..count {
                while !lines.put(&mut sending, &Peer::Data { value }) {
                    std::thread::yield_now();
                }
            }
        });
        let mut receiving = Receiving::default();
        for value in 0..count {
            let message = loop {
                match lines.take(&mut receiving) {
                    Err(NoMessage::Empty) => std::thread::yield_now(),
                    message => break message,
                }
            };
            assert_eq!(message, Ok(Peer::Data { value }));
        }
    });
}
