//! Any requests in any order.

use crate::machine::{CONFIG, HERE, Machine, read, write};
use monitor::{Config, Input, Name};
use proptest::prelude::*;
use proto::call::ALL_HANDLES;
use proto::id::CoreId;
use proto::message::ToMonitor;
use proto::sample::TO_MONITOR;
use proto::slot::Slot;

/// The tag of the first message that is a request of a vcore or of a process.
const FIRST_REQUEST: u8 = 16;

/// A byte that is rather a small number than another.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0), 6 => 0u8..5, 1 => any::<u8>(), 1 => Just(255)]
}

/// The bytes of a request: its tag, and what follows.
fn request() -> impl Strategy<Value = [u8; Slot::LEN]> {
    let tag = FIRST_REQUEST..u8::try_from(TO_MONITOR.len()).expect("a tag is a byte");
    (tag, prop::collection::vec(byte(), Slot::LEN - 1)).prop_map(|(tag, rest)| {
        let mut bytes = [tag; Slot::LEN];
        bytes[1..].copy_from_slice(&rest);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The audit runs after each step.
    #[test]
    fn no_request_breaks_a_rule_or_panics(
        requests in prop::collection::vec((request(), 0usize..5, any::<bool>()), 1..150),
    ) {
        let mut machine = Machine::with(Config { max_pipes: 3, ..CONFIG });
        let parent = machine.program();
        machine.child(parent, ALL_HANDLES);
        for (mut bytes, whose, in_time) in requests {
            if let Some(process) = machine.coordinator.nth_process(whose) {
                bytes[1..3].copy_from_slice(&process.id.pid.0.to_le_bytes());
                bytes[3..7].copy_from_slice(&process.id.generation.0.to_le_bytes());
            }
            // Calls that have the same address are answered twice, as their process asked for.
            machine.forget_answers();
            if let Ok(message) = Slot::from_bytes(bytes).decode::<ToMonitor>() {
                machine.step(Input::Message { core: CoreId(0), message });
            }
            for (caller, _) in core::mem::take(&mut machine.loads) {
                machine.step(Input::Spawn { caller: Some(caller), name: Name::new("it"), root: 1, frames: 9 });
            }
            machine.pass(u64::from(in_time) * 7);
        }
        machine.replay();
    }

    /// Writers write one after the other what nobody else writes, readers read, some are aborted: what was
    /// read is what was written, in one piece each.
    #[test]
    fn no_byte_is_lost_or_comes_twice(
        deeds in prop::collection::vec((0u8..5, 1u32..30), 1..80),
    ) {
        let mut machine = Machine::new();
        let process = machine.program();
        let (reader, writer) = machine.pipe(process);
        let other = machine.child(process, ALL_HANDLES);
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        for (at, (deed, count)) in (0u64..).zip(deeds) {
            let here = HERE + at * 64;
            let calls = if deed % 2 == 0 { &mut writes } else { &mut reads };
            match deed {
                0 | 2 => {
                    let bytes: Vec<u8> = (0..count).map(|i| (at as u8) << 3 ^ i as u8).collect();
                    machine.write(process, here, &bytes);
                    calls.push((here, machine.call(process, write(writer, here, count))));
                }
                1 | 3 => calls.push((here, machine.call(other, read(reader, here, count)))),
                _ => {
                    let Some(&(_, target)) = calls.get(count as usize) else { continue };
                    for who in [process, other] {
                        machine.call(who, |call| ToMonitor::AbortCall { call, target });
                    }
                }
            }
        }
        // What has been written and not been read is read now.
        while machine.coordinator.pipes().any(|pipe| pipe.bytes > 0) {
            let here = HERE + 0x10_0000 + reads.len() as u64 * 64;
            reads.push((here, machine.call(other, read(reader, here, 5))));
        }
        let written = machine.moved(process, &writes);
        prop_assert_eq!(machine.moved(other, &reads), written);
        machine.replay();
    }
}
