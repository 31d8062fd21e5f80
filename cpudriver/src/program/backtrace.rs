//! The calls that a stopped program is in, from its frame pointers.
//!
//! All of it is read from memory that the program writes, so nothing is believed: each frame must lie above
//! the one before it, and the number of frames is bounded.

use proto::program::layout::USER_END;

/// Frames that are looked at, at most.
pub const MAX_FRAMES: usize = 32;

/// Where the program is and where its calls return to, innermost first. `frame` is the frame pointer; `read` gives two
/// words at an address: the caller's frame pointer and the return address.
pub fn backtrace(
    at: u64,
    mut frame: u64,
    mut read: impl FnMut(u64) -> Option<[u64; 2]>,
) -> impl Iterator<Item = u64> {
    let is_code = |address: &u64| *address != 0 && *address < USER_END;
    let callers = core::iter::from_fn(move || {
        if !frame.is_multiple_of(8) || frame == 0 {
            return None;
        }
        let [above, back] = read(frame)?;
        // Anything but upwards might never end.
        frame = if above > frame { above } else { 0 };
        Some(back)
    });
    core::iter::once(at).chain(callers).take_while(is_code).take(MAX_FRAMES)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{MAX_FRAMES, backtrace};
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec::Vec;

    fn walk(at: u64, frame: u64, memory: &[(u64, [u64; 2])]) -> Vec<u64> {
        let memory: BTreeMap<_, _> = memory.iter().copied().collect();
        backtrace(at, frame, |at| memory.get(&at).copied()).collect()
    }

    #[test]
    fn calls_are_followed_to_the_first() {
        let memory = [(0x7000, [0x7100, 0x40_1000]), (0x7100, [0, 0x40_2000])];
        assert_eq!(walk(0x40_0000, 0x7000, &memory), [0x40_0000, 0x40_1000, 0x40_2000]);
        assert_eq!(walk(0x40_0000, 0, &memory), [0x40_0000]);
    }

    #[test]
    fn it_ends_where_frames_make_no_sense() {
        for (frame, memory) in [
            (0x7001, (0x7001, [0, 0x40_1000])),
            (0x7000, (0x7100, [0, 0x40_1000])),
            (0x7000, (0x7000, [0x7100, 0])),
            (0x7000, (0x7000, [0x7100, u64::MAX])),
        ] {
            assert_eq!(walk(0x40_0000, frame, &[memory]), [0x40_0000], "{frame:#x} {memory:?}");
        }
        let loops = [(0x7000, [0x6ff8, 0x40_1000]), (0x6ff8, [0x7000, 0x40_2000])];
        assert_eq!(walk(0x40_0000, 0x7000, &loops), [0x40_0000, 0x40_1000]);
        assert_eq!(walk(0, 0x7000, &loops), [0_u64; 0], "it has never run");
    }

    proptest! {
        #[test]
        fn any_memory_gives_few_frames(at: u64, frame: u64, seed: u64) {
            let mut state = seed;
            let endless = |_| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                Some([state & !7, state >> 20])
            };
            prop_assert!(backtrace(at, frame, endless).count() <= MAX_FRAMES);
        }
    }
}
