use super::{Block, Hurried, Request};
use proptest::prelude::*;
use proto::call::{Call, Outcome};
use proto::id::{Lease, Pid, VcoreId};
use proto::memory::{FEW, Rights};
use proto::message::{PageRange, ToMonitor};
use proto::program::number;

const AT: u64 = 0x7fc0;

fn words(number: u32, options: u8, arguments: [u64; 5]) -> [u64; 8] {
    let mut words = [0; 8];
    words[0] = u64::from(number) | u64::from(options) << 32;
    words[3..].copy_from_slice(&arguments);
    words
}

fn decode(number: u32, options: u8, arguments: [u64; 5]) -> Request {
    Request::of(&Block::new(&words(number, options, arguments), AT, Lease::default()))
}

fn hurried(number: u32, arguments: [u64; 5]) -> Option<Hurried> {
    Block::new(&words(number, 0, arguments), AT, Lease::default()).hurried()
}

fn call() -> Call {
    Call { lease: Lease::default(), at: AT }
}

#[test]
fn arguments_are_where_the_documents_say() {
    assert_eq!(
        decode(number::CREATE, 1, [0x1000, 5, 0x2000, 9, 1]),
        Request::Ask(ToMonitor::Create {
            call: Call { at: AT | 1, ..call() },
            path: 0x1000,
            path_length: 5,
            arguments: 0x2000,
            arguments_length: 9,
            flags: 1,
        })
    );
    assert_eq!(
        decode(number::WAIT, 0, [7, 1, 0, 0, 0]),
        Request::Ask(ToMonitor::Wait { call: call(), pid: Pid(7), flags: 1 })
    );
    assert_eq!(
        decode(number::PROCESSES, 0, [0x1000, 64, 9, 0, 0]),
        Request::Ask(ToMonitor::List { call: call(), at: 0x1000, length: 64, first: Pid(9) })
    );
    assert_eq!(
        decode(number::CHANGE_VCORE, 0, [3, 1, 0, 0, 0]),
        Request::ChangeVcore { to: VcoreId(3), flags: 1 }
    );
}

#[test]
fn memory_is_whole_pages() {
    let unmap = |address, bytes| decode(number::UNMAP, 0, [address, bytes, 0, 0, 0]);
    let range = PageRange { first: 16, pages: 2 };
    let (address, bytes) = (0x1_0000, 0x1001);
    let of_two = [address, bytes, 1, 0, 0];
    assert_eq!(hurried(number::UNMAP, of_two), Some(Hurried::Unmap { range }));
    let protect = Hurried::Protect { range, rights: Rights::READ };
    assert_eq!(hurried(number::PROTECT, of_two), Some(protect));
    let range = PageRange { first: 16, pages: 65 };
    let many = Request::Ask(ToMonitor::Unmap { call: call(), range });
    assert_eq!(unmap(0x1_0000, 65 << 12), many);
    let invalid = Request::Refuse(Outcome::INVALID);
    assert_eq!(unmap(0x1_0001, 0x1000), invalid);
    assert_eq!(unmap(0x1_0000, 0), invalid);
    assert_eq!(unmap(u64::MAX - 0xfff, 0x2000), invalid);
    assert_eq!(unmap(0, u64::MAX), Request::Refuse(Outcome::NO_MEMORY));
}

#[test]
fn what_others_wait_for_is_in_a_hurry_where_it_means_something() {
    let notify = Hurried::NotifySelf { vcore: VcoreId(3), event: 100, value: 7 };
    assert_eq!(hurried(number::NOTIFY_SELF, [3, 100, 7, 0, 0]), Some(notify));
    assert_eq!(hurried(number::NOTIFY_SELF, [1 << 16, 100, 7, 0, 0]), None);
    assert_eq!(hurried(number::POKE, [u64::MAX; 5]), Some(Hurried::Poke));
    assert_eq!(hurried(number::PROTECT, [0x1_0000, 0x1000, 1 << 8, 0, 0]), None);
    assert_eq!(hurried(number::RUN, [7, 0, 0, 0, 0]), None);
}

#[test]
fn numbers_that_do_not_fit_are_refused_and_not_cut_off() {
    let wide = 1 << 32;
    for (number, outcome) in [
        (number::RUN, Outcome::NO_PROCESS),
        (number::DESTROY, Outcome::NO_PROCESS),
        (number::WAIT, Outcome::NO_CHILD),
        (number::CLOSE, Outcome::BAD_HANDLE),
        (number::READ, Outcome::BAD_HANDLE),
        (number::YIELD, Outcome::INVALID),
        (number::CHANGE_VCORE, Outcome::INVALID),
        (number::NOTIFY_SELF, Outcome::INVALID),
        (number::SEND, Outcome::INVALID),
        (number::SET_QUEUE, Outcome::INVALID),
    ] {
        assert_eq!(decode(number, 0, [wide; 5]), Request::Refuse(outcome), "{number}");
    }
}

#[test]
fn what_there_is_not_is_enosys() {
    for number in [number::FORK, number::EXEC, 1_000, u32::MAX] {
        assert_eq!(decode(number, 0, [0; 5]), Request::Refuse(Outcome::NO_CALL));
    }
}

proptest! {
    #[test]
    fn any_structure_is_decoded_or_refused(words in prop::array::uniform8(any::<u64>()), small in 0..40_u64) {
        for first in [words[0], small] {
            let mut words = words;
            words[0] = first;
            let block = Block::new(&words, AT, Lease::default());
            match block.hurried() {
                Some(Hurried::Unmap { range } | Hurried::Protect { range, .. }) => {
                    prop_assert!((1..=FEW).contains(&range.pages));
                }
                Some(_) => {}
                None => {
                    let request = Request::of(&block);
                    if let Request::Ask(ToMonitor::Unmap { range, .. } | ToMonitor::Protect { range, .. }) = request {
                        prop_assert!(range.pages > FEW);
                    }
                }
            }
        }
    }
}
