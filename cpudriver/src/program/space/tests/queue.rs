//! Event queues in memory that a program fills in as it likes.

use super::super::memory::PAGE;
use super::ram::Ram;
use super::{elf, loaded, only, pages, spaces};
use crate::program::space::Spaces;
use alloc::vec::Vec;
use monitor::{Enqueued, Found, Put, Sending};
use proptest::prelude::*;
use proto::call::{Call, Outcome};
use proto::event::{Event, flag, kind};
use proto::id::{Lease, VcoreId};
use proto::memory::{MAP_AREA, Rights};
use proto::program::layout::{DATA, GLOBAL, INFO, SAVED, USER_END, WISHES};
use proto::program::{data, mailbox, queue};

/// Three pages for queues and mailboxes, the last of which can only be read.
const FIRST: u64 = MAP_AREA.first + 8;
const QUEUE: u64 = FIRST * 4096;
const MAILBOX: u64 = QUEUE + 64;
const READ_ONLY: u64 = QUEUE + 2 * 4096;

struct Stage {
    spaces: Spaces<Ram>,
    root: u64,
}

impl Stage {
    /// A process with two vcores.
    fn new() -> Self {
        let mut spaces = spaces(80, 0);
        let root = loaded(&mut spaces);
        spaces.add_vcores(root, 2).unwrap();
        spaces.populate(root, only(pages(FIRST, 3)), Rights::READ_WRITE).unwrap();
        spaces.protect(root, only(pages(FIRST + 2, 1)), Rights::READ).unwrap();
        Self { spaces, root }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        self.spaces.write(self.root, at, bytes).unwrap();
    }

    fn queue(&mut self, flags: u16, mailbox: u64) {
        self.write(QUEUE + queue::FLAGS as u64, &flags.to_le_bytes());
        self.write(QUEUE + queue::MAILBOX as u64, &mailbox.to_le_bytes());
    }

    fn mailbox(&mut self, kind: u32, length: u32) {
        self.write(MAILBOX + mailbox::KIND as u64, &kind.to_le_bytes());
        self.write(MAILBOX + mailbox::LENGTH as u64, &length.to_le_bytes());
    }

    fn send_to(&mut self, queue: u64, kind: u16, call: Option<Call>) -> Enqueued {
        let event = Event { kind, value: 7 };
        let sending = Sending { queue, event, vcore: VcoreId(1), call };
        self.spaces.enqueue(self.root, &sending)
    }

    fn send(&mut self, kind: u16) -> Enqueued {
        self.send_to(QUEUE, kind, Some(Call { lease: Lease::default(), at: 64 }))
    }

    fn byte(&self, at: u64) -> u8 {
        let mut byte = [0];
        assert_eq!(self.spaces.read(self.root, at, &mut byte), 1);
        byte[0]
    }

    fn word(&self, at: u64) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|byte| self.byte(at + byte as u64)))
    }
}

fn done(what: Enqueued) -> Found {
    match what {
        Enqueued::Done(found) => found,
        Enqueued::Refused(why) => panic!("refused: {why:?}"),
    }
}

#[test]
fn a_ring_takes_what_it_has_room_for_and_only_the_kernels_events_leave_a_mark() {
    let mut it = Stage::new();
    it.queue(0, MAILBOX);
    it.mailbox(mailbox::RING, 2);
    for kind in [5, 6] {
        assert_eq!(done(it.send(kind)).put, Put::InQueue);
    }
    assert_eq!(it.send(9), Enqueued::Refused(Outcome::AGAIN));
    assert_eq!(it.byte(MAILBOX + mailbox::OVERFLOW as u64 + 9), 0);
    assert_eq!(done(it.send_to(QUEUE, 9, None)).put, Put::InQueue);
    assert_eq!(it.byte(MAILBOX + mailbox::OVERFLOW as u64 + 9), 1);
    let slots = MAILBOX + mailbox::SLOTS as u64;
    assert_eq!([it.byte(slots), it.byte(slots + 16)], [5, 6]);
    it.write(MAILBOX + mailbox::TAKEN as u64, &1_u32.to_le_bytes());
    assert_eq!(done(it.send(8)).put, Put::InQueue);
    assert_eq!([it.byte(slots), it.byte(slots + 16)], [8, 6]);
}

#[test]
fn a_bitmap_and_counters_keep_what_has_come_by_kind() {
    let mut it = Stage::new();
    it.queue(0, MAILBOX);
    it.mailbox(mailbox::COUNTERS, 70);
    for kind in [69, 69, 3] {
        assert_eq!(done(it.send(kind)).put, Put::InQueue);
    }
    assert_eq!(it.send(70), Enqueued::Refused(Outcome::AGAIN));
    let counter = |kind: u64| MAILBOX + mailbox::counters(70) as u64 + kind * 16;
    assert_eq!([it.word(counter(69)), it.word(counter(69) + 8)], [2, 14]);
    assert_eq!([it.word(counter(3)), it.word(counter(4))], [1, 0]);
    let slots = MAILBOX + mailbox::SLOTS as u64;
    assert_eq!([3, 4, 69].map(|kind| it.byte(slots + kind)), [1, 0, 1]);
    assert_eq!(it.byte(MAILBOX + mailbox::CHECK as u64), 1);
    it.mailbox(mailbox::BITMAP, 70);
    it.write(counter(3), &[0; 8]);
    assert_eq!(done(it.send(3)).put, Put::InQueue);
    assert_eq!(it.word(counter(3)), 0, "a bitmap counts nothing");
}

#[test]
fn a_vcore_is_told_once_until_somebody_has_looked() {
    let mut it = Stage::new();
    it.mailbox(mailbox::RING, 16);
    it.queue(flag::INDIR, MAILBOX);
    let puts = |it: &mut Stage| [done(it.send(1)).put, done(it.send(1)).put];
    assert_eq!(puts(&mut it), [Put::InQueue, Put::Throttled]);
    it.write(QUEUE + queue::ALERTED as u64, &[0]);
    assert_eq!(puts(&mut it), [Put::InQueue, Put::Throttled]);
    it.queue(flag::INDIR | flag::NOTHROTTLE, MAILBOX);
    assert_eq!(puts(&mut it), [Put::InQueue; 2]);
    it.queue(0, MAILBOX);
    assert_eq!(puts(&mut it), [Put::InQueue; 2]);
    it.queue(flag::SPAM_PUBLIC | flag::INDIR, MAILBOX);
    assert_eq!(puts(&mut it), [Put::Nowhere; 2], "it is for a vcore's own mailbox");
}

#[test]
fn a_mailbox_that_is_looked_at_is_as_good_as_a_vcore_that_runs() {
    let mut it = Stage::new();
    let (page, posted) = (DATA + 4096, DATA + 4096 + data::POSTED as u64);
    it.write(QUEUE + queue::VCORE as u64, &1_u16.to_le_bytes());
    it.mailbox(mailbox::RING, 16);
    let spam =
        [(flag::SPAM_PUBLIC, 0), (flag::INDIR | flag::NOTHROTTLE | flag::SPAM_INDIR, MAILBOX)];
    for (flags, mailbox) in spam {
        it.queue(flags, mailbox);
        assert_ne!(done(it.send(40)).put, Put::AtVcore, "nobody looks");
    }
    it.write(page + data::LOOKED_AT as u64, &[1]);
    for (at, (flags, mailbox)) in spam.into_iter().enumerate() {
        it.queue(flags, mailbox);
        assert_eq!(done(it.send(40)).put, Put::AtVcore);
        assert_eq!(it.byte(posted), at as u8 + 1);
        it.queue(flags | flag::VCORE_MUST_RUN, mailbox);
        assert_ne!(done(it.send(40)).put, Put::AtVcore);
    }
    let event = page + data::MAILBOX as u64;
    assert_eq!([it.word(event), it.word(event + 8)], [40, 7]);
    assert_eq!([it.word(event + 16), it.word(event + 24)], [kind::QUEUE.into(), QUEUE]);
    it.queue(flag::VCORE_PRIVATE, 0);
    assert_eq!(done(it.send(40)).put, Put::Nowhere, "it is for this vcore alone");
}

#[test]
fn the_vcore_is_the_queues_or_the_one_that_the_event_is_about_and_the_process_has_it() {
    let mut it = Stage::new();
    it.queue(0, 0);
    assert_eq!(done(it.send(1)).vcore, VcoreId(0));
    it.queue(flag::VCORE_APPRO, 0);
    assert_eq!(done(it.send(1)).vcore, VcoreId(1));
    it.spaces.set_last(it.root, QUEUE, VcoreId(1));
    assert_eq!(done(it.send(1)).last, VcoreId(1));
    it.queue(0, 0);
    for vcore in [2_u16, 255, u16::MAX] {
        it.write(QUEUE + queue::VCORE as u64, &vcore.to_le_bytes());
        assert_eq!(it.send(1), Enqueued::Refused(Outcome::INVALID));
    }
}

/// Addresses of which none is a place for a queue or a mailbox, and what is wrong with them.
const BAD: [(u64, Outcome); 18] = [
    (READ_ONLY, Outcome::FAULT),
    (QUEUE + 3 * 4096, Outcome::FAULT),
    (elf::CODE & !63, Outcome::FAULT),
    (GLOBAL, Outcome::FAULT),
    (INFO, Outcome::FAULT),
    (SAVED, Outcome::FAULT),
    (USER_END, Outcome::FAULT),
    (1 << 47, Outcome::FAULT),
    (0xffff_8000_0000_0000, Outcome::FAULT),
    (0xffff_8000_0020_0000, Outcome::FAULT),
    (0xffff_ffff_8010_0000, Outcome::FAULT),
    (0u64.wrapping_sub(64), Outcome::FAULT),
    (64, Outcome::FAULT),
    (QUEUE + 1, Outcome::INVALID),
    (QUEUE + 8, Outcome::INVALID),
    (QUEUE + 63, Outcome::INVALID),
    (u64::MAX, Outcome::INVALID),
    (0, Outcome::INVALID),
];

#[test]
fn a_queue_or_a_mailbox_where_the_program_could_not_write_is_refused() {
    let mut it = Stage::new();
    it.mailbox(mailbox::RING, 16);
    for (at, why) in BAD {
        let call = Some(Call { lease: Lease::default(), at: 64 });
        assert_eq!(it.send_to(at, 1, call), Enqueued::Refused(why), "queue at {at:#x}");
        it.queue(0, at);
        if at != 0 {
            assert_eq!(it.send(1), Enqueued::Refused(why), "mailbox at {at:#x}");
        }
        it.spaces.set_last(it.root, at, VcoreId(1));
    }
    for (kind, length) in [(0, 1), (4, 1), (mailbox::RING, 3), (mailbox::RING, 0), (2, 0), (3, 0)] {
        it.queue(0, MAILBOX);
        it.mailbox(kind, length);
        assert_eq!(it.send(1), Enqueued::Refused(Outcome::INVALID));
    }
}

#[test]
fn a_mailbox_that_reaches_where_the_program_could_not_write_is_used_up_to_there() {
    let mut it = Stage::new();
    it.queue(0, MAILBOX);
    it.mailbox(mailbox::RING, 1 << 16);
    let fits = (READ_ONLY - MAILBOX) as u32 / 16 - mailbox::SLOTS as u32 / 16;
    let put = |it: &mut Stage, number: u32| {
        it.write(MAILBOX + mailbox::POSTED as u64, &number.to_le_bytes());
        it.write(MAILBOX + mailbox::TAKEN as u64, &number.to_le_bytes());
        it.send(1)
    };
    assert_eq!(done(put(&mut it, fits - 1)).put, Put::InQueue);
    for number in [fits, (1 << 16) - 1, u32::MAX] {
        assert_eq!(put(&mut it, number), Enqueued::Refused(Outcome::FAULT));
    }
    it.write(MAILBOX + mailbox::TAKEN as u64, &0_u32.to_le_bytes());
    assert_eq!(it.send(1), Enqueued::Refused(Outcome::AGAIN), "more taken than posted is full");
    it.mailbox(mailbox::COUNTERS, mailbox::MOST_KINDS);
    assert_eq!(it.send(4095), Enqueued::Refused(Outcome::FAULT));
}

proptest! {
    /// Whatever lies there: the kernel writes to nothing but the queue's process, and what it tells is within bounds.
    #[test]
    fn any_bytes_are_a_queue_or_refused(
        bytes in prop::collection::vec(any::<u64>(), 16),
        flags in any::<u16>(),
        (near, far) in (0..3_u64, 0..PAGE as u64),
        (kind, length) in (0..5_u32, any::<u32>()),
        event in any::<u16>(),
        from_kernel in any::<bool>(),
    ) {
        let mut it = Stage::new();
        for (at, word) in (QUEUE..).step_by(8).zip(&bytes) {
            it.write(at, &word.to_le_bytes());
        }
        it.queue(flags, (QUEUE + near * 4096 + far) & !63);
        if near < 2 {
            let mailbox = (QUEUE + near * 4096 + far) & !63;
            it.write(mailbox, &kind.to_le_bytes());
            it.write(mailbox + 4, &(length % 5000).to_le_bytes());
        }
        let code: Vec<u8> = (0..64).map(|at| it.byte(elf::CODE + at)).collect();
        let read_only: Vec<u8> = (0..4096).map(|at| it.byte(READ_ONLY + at)).collect();
        let call = (!from_kernel).then_some(Call { lease: Lease::default(), at: 64 });
        if let Enqueued::Done(found) = it.send_to(QUEUE, event, call) {
            prop_assert!(found.vcore.0 < 2);
        }
        prop_assert_eq!(code, (0..64).map(|at| it.byte(elf::CODE + at)).collect::<Vec<u8>>());
        prop_assert_eq!(read_only, (0..4096).map(|at| it.byte(READ_ONLY + at)).collect::<Vec<u8>>());
        super::ram::audit(&it.spaces, &[it.root]);
    }
}

#[test]
fn the_page_of_wishes_can_be_a_mailbox_if_the_program_likes() {
    let mut it = Stage::new();
    it.queue(0, WISHES);
    assert_eq!(it.send(1), Enqueued::Refused(Outcome::INVALID), "it holds none");
}
