//! The tag of a message without encoding it, for traces and counts by kind.
//!
//! The matches are exhaustive on purpose: a new variant does not compile until it has its tag here.
//! They cost a load, since the variants are in the order of their tags.

use crate::message::{Peer, ToCore, ToMonitor};

impl ToCore {
    /// The position of this variant: the first byte of its encoding.
    #[must_use]
    pub const fn tag(&self) -> u8 {
        match self {
            Self::Ping { .. } => 0,
            Self::Dump => 1,
            Self::Stop => 2,
            Self::TlbShootdown { .. } => 3,
            Self::Link { .. } => 4,
            Self::Unlink { .. } => 5,
            Self::Experiment { .. } => 6,
            Self::Count => 7,
            Self::StartCore { .. } => 8,
            Self::Preempt { .. } => 9,
            Self::Death { .. } => 10,
            Self::Notify { .. } => 11,
            Self::SetContext { .. } => 12,
            Self::Done { .. } => 13,
            Self::Panic => 14,
            Self::Hang => 15,
            Self::TlbMulticast { .. } => 16,
            Self::Switch { .. } => 17,
            Self::Regrant { .. } => 18,
            Self::Changed { .. } => 19,
        }
    }
}

impl ToMonitor {
    /// The position of this variant: the first byte of its encoding.
    #[must_use]
    pub const fn tag(&self) -> u8 {
        match self {
            Self::Join { .. } => 0,
            Self::Pong { .. } => 1,
            Self::CoreFailed { .. } => 2,
            Self::Dumped { .. } => 3,
            Self::Stopped => 4,
            Self::Stale { .. } => 5,
            Self::ShootdownDone { .. } => 6,
            Self::Linked { .. } => 7,
            Self::Unlinked { .. } => 8,
            Self::ExperimentDone { .. } => 9,
            Self::Samples { .. } => 10,
            Self::Counters { .. } => 11,
            Self::Started { .. } => 12,
            Self::Preempted { .. } => 13,
            Self::Released { .. } => 14,
            Self::Notified { .. } => 15,
            Self::Yield { .. } => 16,
            Self::ChangeVcore { .. } => 17,
            Self::ChangeToM { .. } => 18,
            Self::Fault { .. } => 19,
            Self::Exit { .. } => 20,
            Self::Poke { .. } => 21,
            Self::Run { .. } => 22,
            Self::Destroy { .. } => 23,
            Self::Wait { .. } => 24,
            Self::NotifyProcess { .. } => 25,
            Self::NotifyVcore { .. } => 26,
            Self::Provision { .. } => 27,
            Self::Unmap { .. } => 28,
            Self::SetAlarm { .. } => 29,
            Self::Create { .. } => 30,
            Self::OpenPipe { .. } => 31,
            Self::Read { .. } => 32,
            Self::Write { .. } => 33,
            Self::Close { .. } => 34,
            Self::SetHandle { .. } => 35,
            Self::DupHandles { .. } => 36,
            Self::SetUser { .. } => 37,
            Self::Sleep { .. } => 38,
            Self::AwaitEvent { .. } => 39,
            Self::AbortCall { .. } => 40,
            Self::AbortHandle { .. } => 41,
            Self::Map { .. } => 42,
            Self::Protect { .. } => 43,
            Self::Share { .. } => 44,
            Self::Unreached { .. } => 45,
            Self::List { .. } => 46,
            Self::Traced { .. } => 47,
            Self::SendEvent { .. } => 48,
            Self::SetQueue { .. } => 49,
            Self::Reflect { .. } => 50,
        }
    }
}

impl Peer {
    /// The position of this variant: the first byte of its encoding.
    #[must_use]
    pub const fn tag(&self) -> u8 {
        match self {
            Self::Ping { .. } => 0,
            Self::Pong { .. } => 1,
            Self::Data { .. } => 2,
            Self::End => 3,
            Self::Sum { .. } => 4,
            Self::TlbShootdown { .. } => 5,
            Self::ShootdownDone { .. } => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::message::tag;
    use crate::sample::{PEER, TO_CORE, TO_MONITOR};
    use crate::slot::{Message, Slot};

    fn first_byte(message: &impl Message) -> u8 {
        let mut slot = Slot::default();
        slot.encode(message);
        slot.bytes()[0]
    }

    #[test]
    fn a_message_of_a_known_kind_is_decoded_as_any_is() {
        fn decoded<const TAG: u8>() {
            for sample in TO_CORE.iter().filter(|sample| sample.message.tag() == TAG) {
                let mut slot = Slot::default();
                let length = slot.encode(&sample.message);
                let known = slot.decode_known::<Slot, TAG, _>();
                assert_eq!(known, (Ok(sample.message), length as u64), "{}", sample.name);
                assert_eq!(slot.tag(), TAG);
            }
        }
        decoded::<0>();
        decoded::<1>();
        decoded::<{ tag::DEATH }>();
        decoded::<{ tag::NOTIFY }>();
        decoded::<{ tag::REGRANT }>();
    }

    #[test]
    fn the_tag_is_the_first_byte_of_the_encoding() {
        for sample in TO_CORE {
            assert_eq!(sample.message.tag(), first_byte(&sample.message), "{}", sample.name);
        }
        for sample in TO_MONITOR {
            assert_eq!(sample.message.tag(), first_byte(&sample.message), "{}", sample.name);
        }
        for sample in PEER {
            assert_eq!(sample.message.tag(), first_byte(&sample.message), "{}", sample.name);
        }
    }
}
