//! The mailbox of an event queue, in one of three kinds. A vcore's mailboxes are rings of fixed lengths in
//! its page; see [`data`](super::data).
//!
//! It lies at a multiple of [`ALIGN`]. When there is no room for an event, whoever sent it is told (EAGAIN); if the kernel
//! did, it sets the byte of the event's kind in [`OVERFLOW`]. The kernel writes no byte of a mailbox that the
//! program could not have written itself.

/// It lies at a multiple of this.
pub const ALIGN: u64 = 64;
/// u32, program: its kind.
pub const KIND: usize = 0;
/// u32, program: how many events ([`RING`]) or kinds of events it has room for.
pub const LENGTH: usize = 4;
/// u8: some byte has been set in [`SLOTS`], of a [`BITMAP`] or of [`COUNTERS`]: the kernel stores 1, the program 0.
pub const CHECK: usize = 8;
/// u32, kernel: events posted to the ring so far, wrapping.
pub const POSTED: usize = 0x40;
/// u32, program: events read from it so far, wrapping.
pub const TAKEN: usize = 0x80;
/// A u8 for each kind of event, the last for all kinds from there on: an event of that kind found no
/// room. The kernel stores 1, the program 0.
pub const OVERFLOW: usize = 0xc0;
/// Where what has come lies.
pub const SLOTS: usize = 0x100;

/// Events in their order: number `n` is at position `n` modulo [`LENGTH`], which is a power of two up to
/// [`MOST_EVENTS`]. Each has [`EVENT_BYTES`]: the kind as u16, and at 8 what goes with it as u64.
pub const RING: u32 = 1;
/// A u8 for each kind of event, up to [`MOST_KINDS`]: one has come. The kernel stores 1, the program 0; there is no bit
/// for each, because both would have to change the same byte. What goes with events is lost, and there is always room
/// but for kinds from [`LENGTH`] on.
pub const BITMAP: u32 = 2;
/// The same, and behind the bytes, at the next multiple of 64, two u64 for each kind that only the kernel writes: how
/// many have come ([`COUNT`]), and the sum of what went with them ([`SUM`]), both wrapping. The program keeps what
/// it has seen, and takes the difference. To look for what is new: store 0 to [`CHECK`], `mfence`; for each byte that
/// is set store 0, `mfence`, then read the two.
pub const COUNTERS: u32 = 3;

/// Bytes of an event in a ring.
pub const EVENT_BYTES: usize = 16;
/// The longest ring.
pub const MOST_EVENTS: u32 = 1 << 16;
/// Kinds of the longest bitmap and of the most counters.
pub const MOST_KINDS: u32 = 1 << 12;
/// Bytes of the counters of a kind.
pub const COUNTER_BYTES: usize = 16;
/// u64 of the counters of a kind.
pub const COUNT: usize = 0;
/// u64 of the counters of a kind.
pub const SUM: usize = 8;

/// Where the counters begin.
#[must_use]
pub const fn counters(length: u32) -> usize {
    SLOTS + (length as usize).next_multiple_of(64)
}

/// Bytes of a mailbox; `None` if there is none of that kind and length.
#[must_use]
pub const fn bytes(kind: u32, length: u32) -> Option<usize> {
    let many = length as usize;
    match kind {
        RING if length.is_power_of_two() && length <= MOST_EVENTS => {
            Some(SLOTS + many * EVENT_BYTES)
        }
        BITMAP if length > 0 && length <= MOST_KINDS => Some(SLOTS + many),
        COUNTERS if length > 0 && length <= MOST_KINDS => {
            Some(counters(length) + many * COUNTER_BYTES)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{BITMAP, COUNTERS, MOST_EVENTS, MOST_KINDS, RING, SLOTS, bytes};

    #[test]
    fn a_mailbox_has_the_size_of_its_kind_or_there_is_none() {
        assert_eq!(bytes(RING, 4), Some(SLOTS + 64));
        assert_eq!(bytes(BITMAP, 100), Some(SLOTS + 100));
        assert_eq!(bytes(COUNTERS, 100), Some(SLOTS + 128 + 1600));
        let none = [(RING, 0), (RING, 3), (RING, 2 * MOST_EVENTS), (BITMAP, 0), (COUNTERS, 0)];
        for (kind, length) in none {
            assert_eq!(bytes(kind, length), None, "{kind} {length}");
        }
        for kind in [BITMAP, COUNTERS] {
            assert_eq!(bytes(kind, MOST_KINDS + 1), None);
        }
        for kind in [0, 4, u32::MAX] {
            assert_eq!(bytes(kind, 1), None);
        }
    }
}
