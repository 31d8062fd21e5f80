//! What lies in a slot: the bytes of every kind of message, and what decoders make of any bytes.

mod variants;

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use proto::message::{Peer, ToCore, ToMonitor};
use proto::sample::{PEER, Sample, TO_CORE, TO_MONITOR};
use proto::slot::{Message, NoMessage, Slot};
use std::fmt::Debug;

/// The encoding of each sample, in hexadecimal. A line changes only together with a new version of
/// the protocol; a new variant adds one.
const GOLDEN: &[(&str, &str)] = &[
    ("ToCore::Ping", "0001020304"),
    ("ToCore::Dump", "01"),
    ("ToCore::Stop", "02"),
    ("ToCore::TlbShootdown", "030102030405060708090a0b0c0d0e0f10111213141516"),
    ("ToCore::Link", "040102"),
    ("ToCore::Unlink", "050102"),
    ("ToCore::Experiment", "060102030405060708090a0b0c0d"),
    ("ToCore::Count", "07"),
    ("ToCore::StartCore", "080102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"),
    ("ToCore::Preempt", "090102030405060708090a0b0c0d0e0f10"),
    ("ToCore::Death", "0a0102030405060708090a0b0c"),
    ("ToCore::Notify", "0b0102030405060708090a0b0c0d0e0f10"),
    ("ToCore::SetContext", "0c0102030405060708090a0b0c0d0e0f10"),
    ("ToCore::Done", "0d0102030405060708090a0b0c0d0e0f10"),
    ("ToCore::Panic", "0e"),
    ("ToCore::Hang", "0f"),
    (
        "ToCore::TlbMulticast",
        "1003040506131415160708090a0b0c0d0e0f101112010217\
         1718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536",
    ),
    (
        "ToCore::Switch",
        "110102030405060708090a0b0c0d0e0f100102030405060708090a0b0c\
         0d0e0f101112131415161718191a1b1c1d1e1f20",
    ),
    (
        "ToCore::Regrant",
        "120102030405060708090a0b0c0102030405060708090a0b0c\
         0d0e0f101112131415161718191a1b1c1d1e1f20",
    ),
    ("ToCore::Changed", "130102030405060708090a0b0c0d0e0f101112131415161718"),
    ("ToMonitor::Join", "0001020304"),
    ("ToMonitor::Pong", "0101020304"),
    ("ToMonitor::CoreFailed", "0201020304"),
    ("ToMonitor::Dumped", "0301020304"),
    ("ToMonitor::Stopped", "04"),
    ("ToMonitor::Stale", "057f0102030405060708090a0b0c"),
    ("ToMonitor::ShootdownDone", "0601020304"),
    ("ToMonitor::Linked", "070102"),
    ("ToMonitor::Unlinked", "080102"),
    ("ToMonitor::ExperimentDone", "090102030405060708090a0b0c0d0e0f1011121314"),
    ("ToMonitor::Samples", "0a0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"),
    (
        "ToMonitor::Counters",
        "0b0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728",
    ),
    ("ToMonitor::Started", "0c0102030405060708090a0b0c"),
    ("ToMonitor::Preempted", "0d0102030405060708090a0b0c"),
    ("ToMonitor::Released", "0e0102030405060708090a0b0c"),
    ("ToMonitor::Notified", "0f0102030405060708090a0b0c0d0e0f10"),
    ("ToMonitor::Yield", "100102030405060708090a0b0c0d0e0f10111213"),
    ("ToMonitor::ChangeVcore", "110102030405060708090a0b0c0d0e0f"),
    ("ToMonitor::ChangeToM", "120102030405060708090a0b0c"),
    ("ToMonitor::Fault", "130102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"),
    ("ToMonitor::Exit", "140102030405060708090a0b0c0d0e0f10"),
    ("ToMonitor::Poke", "150102030405060708090a0b0c0d0e0f10111213141516"),
    ("ToMonitor::Run", "160102030405060708090a0b0c0d0e0f10111213141516"),
    ("ToMonitor::Destroy", "170102030405060708090a0b0c0d0e0f101112131415161718191a"),
    ("ToMonitor::Wait", "180102030405060708090a0b0c0d0e0f1011121314151617"),
    (
        "ToMonitor::NotifyProcess",
        "190102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    ),
    (
        "ToMonitor::NotifyVcore",
        "1a0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    ),
    ("ToMonitor::Provision", "1b0102030405060708090a0b0c0d0e0f101112131415161718"),
    ("ToMonitor::Unmap", "1c0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"),
    (
        "ToMonitor::SetAlarm",
        "1d0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526",
    ),
    (
        "ToMonitor::Create",
        "1e0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b",
    ),
    ("ToMonitor::OpenPipe", "1f0102030405060708090a0b0c0d0e0f101112131415"),
    ("ToMonitor::Read", "200102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122"),
    ("ToMonitor::Write", "210102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122"),
    ("ToMonitor::Close", "220102030405060708090a0b0c0d0e0f101112131415"),
    ("ToMonitor::SetHandle", "230102030405060708090a0b0c0d0e0f10111213141516"),
    (
        "ToMonitor::DupHandles",
        "240102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526",
    ),
    ("ToMonitor::SetUser", "250102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"),
    ("ToMonitor::Sleep", "260102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"),
    ("ToMonitor::AwaitEvent", "270102030405060708090a0b0c0d0e0f101112131415161718"),
    ("ToMonitor::AbortCall", "280102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"),
    ("ToMonitor::AbortHandle", "290102030405060708090a0b0c0d0e0f101112131415"),
    ("ToMonitor::Map", "2a0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122"),
    ("ToMonitor::Protect", "2b0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"),
    ("ToMonitor::Share", "2c0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"),
    (
        "ToMonitor::Unreached",
        "2d131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536",
    ),
    ("ToMonitor::List", "2e0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122"),
    (
        "ToMonitor::Traced",
        "2f0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728",
    ),
    (
        "ToMonitor::SendEvent",
        "300102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728",
    ),
    ("ToMonitor::SetQueue", "310102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"),
    ("ToMonitor::Reflect", "320102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"),
    ("Peer::Ping", "000102030405060708090a0b0c"),
    ("Peer::Pong", "010102030405060708090a0b0c"),
    ("Peer::Data", "020102030405060708"),
    ("Peer::End", "03"),
    ("Peer::Sum", "040102030405060708"),
    (
        "Peer::TlbShootdown",
        "0503040506131415160708090a0b0c0d0e0f101112010217\
         1718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536",
    ),
    ("Peer::ShootdownDone", "0601020304"),
];

fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut slot = Slot::EMPTY;
    let length = slot.encode(message);
    slot.bytes()[..length].to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn golden_of(name: &str) -> &'static str {
    let line = GOLDEN.iter().find(|(golden, _)| *golden == name);
    line.unwrap_or_else(|| panic!("{name} has no golden bytes")).1
}

fn check_samples<M: Message + Debug + PartialEq>(owner: &str, samples: &[Sample<M>]) {
    let names: Vec<_> = samples.iter().map(|sample| sample.name.to_owned()).collect();
    let variants = variants::of::<M>();
    assert!(variants.len() <= 128, "a tag is one byte");
    assert_eq!(names, variants.iter().map(|v| format!("{owner}::{v}")).collect::<Vec<_>>());
    for (tag, Sample { name, message }) in samples.iter().enumerate() {
        let bytes = encoded(message);
        assert_eq!(usize::from(bytes[0]), tag, "{name} is not where its tag says");
        assert_eq!(hexadecimal(&bytes), golden_of(name), "the encoding of {name} changed");
        check_foreign_codecs(message, &bytes);
    }
}

/// An ordinary postcard decoder reads our bytes, and ours reads what postcard wrote.
fn check_foreign_codecs<M: Message + Debug + PartialEq>(message: &M, ours: &[u8]) {
    let (theirs, rest): (M, _) = postcard::take_from_bytes(ours).expect("postcard reads our slots");
    assert_eq!((&theirs, rest), (message, &[][..]));
    let written = postcard::to_allocvec(message).expect("postcard encodes every message");
    assert_eq!(written, ours);
    let mut bytes = [0xa5; Slot::LEN];
    bytes[..written.len()].copy_from_slice(&written);
    let mut length = 0;
    assert_eq!(Slot::from_bytes(bytes).decode_for::<(), M>(&mut length), Ok(*message));
    assert_eq!(length, ours.len() as u64);
}

#[test]
fn every_variant_has_a_sample_with_golden_bytes_that_any_postcard_codec_agrees_on() {
    check_samples("ToCore", TO_CORE);
    check_samples("ToMonitor", TO_MONITOR);
    check_samples("Peer", PEER);
    assert_eq!(GOLDEN.len(), TO_CORE.len() + TO_MONITOR.len() + PEER.len());
}

#[test]
fn the_tags_by_name_are_those_in_the_slot() {
    use proto::message::{said, tag};
    let tags = [
        (tag::TLB_SHOOTDOWN, "ToCore::TlbShootdown"),
        (tag::START_CORE, "ToCore::StartCore"),
        (tag::PREEMPT, "ToCore::Preempt"),
        (tag::DEATH, "ToCore::Death"),
        (tag::NOTIFY, "ToCore::Notify"),
        (tag::SET_CONTEXT, "ToCore::SetContext"),
        (tag::DONE, "ToCore::Done"),
        (tag::TLB_MULTICAST, "ToCore::TlbMulticast"),
        (tag::SWITCH, "ToCore::Switch"),
        (tag::REGRANT, "ToCore::Regrant"),
        (tag::CHANGED, "ToCore::Changed"),
    ];
    for (tag, name) in tags {
        assert_eq!(TO_CORE[usize::from(tag)].name, name);
    }
    let said = [
        (said::SHOOTDOWN_DONE, "ToMonitor::ShootdownDone"),
        (said::RELEASED, "ToMonitor::Released"),
        (said::FAULT, "ToMonitor::Fault"),
        (said::NOTIFY_VCORE, "ToMonitor::NotifyVcore"),
        (said::UNMAP, "ToMonitor::Unmap"),
        (said::PROTECT, "ToMonitor::Protect"),
    ];
    for (tag, name) in said {
        assert_eq!(TO_MONITOR[usize::from(tag)].name, name);
    }
}

#[test]
fn unknown_variants_are_errors() {
    for tag in [TO_CORE.len() as u8, 0x7f, 0xff] {
        assert_eq!(
            Slot::from_bytes([tag; Slot::LEN]).decode::<ToCore>(),
            Err(NoMessage::Malformed)
        );
    }
}

#[test]
fn a_tag_longer_than_it_need_be_is_an_error() {
    let mut bytes = [0; Slot::LEN];
    bytes[..2].copy_from_slice(&[0x81, 0x00]);
    assert_eq!(postcard::take_from_bytes::<ToCore>(&bytes).map(|it| it.0), Ok(ToCore::Dump));
    assert_eq!(Slot::from_bytes(bytes).decode::<ToCore>(), Err(NoMessage::Malformed));
}

/// Decodes bytes as `M`: the same outcome as postcard's own decoder (overlong tags aside), and what
/// decodes, encodes again.
fn check_any_bytes<M: Message + Debug + PartialEq>(bytes: [u8; Slot::LEN]) {
    let ours = Slot::from_bytes(bytes).decode::<M>();
    let theirs = postcard::take_from_bytes::<M>(&bytes).map(|(message, _)| message);
    assert_eq!(ours.ok(), theirs.ok().filter(|_| bytes[0] < 0x80));
    if let Ok(message) = ours {
        let again = encoded(&message);
        assert!(again.len() <= M::POSTCARD_MAX_SIZE);
        assert_eq!(postcard::from_bytes::<M>(&again), Ok(message));
    }
}

/// Bytes that begin with a variant's tag are a random value of it, since fields are fixed-width.
fn check_random_value<M: Message + Debug + PartialEq>(
    mut bytes: [u8; Slot::LEN],
    samples: &[Sample<M>],
) -> bool {
    bytes[0] %= samples.len() as u8;
    let Ok(message) = Slot::from_bytes(bytes).decode::<M>() else { return false };
    encoded(&message) == bytes[..encoded(&message).len()]
}

const CASES: u32 = if cfg!(miri) { 8 } else { 4096 };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn any_bytes_decode_to_a_value_or_an_error(bytes in any::<[[u8; 32]; 2]>()) {
        let bytes: [u8; Slot::LEN] = bytes.concat().try_into().expect("64 bytes");
        check_any_bytes::<ToCore>(bytes);
        check_any_bytes::<ToMonitor>(bytes);
        check_any_bytes::<Peer>(bytes);
    }

    #[test]
    fn random_values_come_back(bytes in any::<[[u8; 32]; 2]>()) {
        let bytes: [u8; Slot::LEN] = bytes.concat().try_into().expect("64 bytes");
        prop_assert!(check_random_value(bytes, TO_CORE));
        prop_assert!(check_random_value(bytes, TO_MONITOR));
        prop_assert!(check_random_value(bytes, PEER));
    }
}
