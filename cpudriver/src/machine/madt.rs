//! ACPI's table of interrupt controllers (MADT): which cores there are.
//!
//! The `acpi` crate finds, maps and checks the table and knows its entries; but its iterator believes
//! every entry's length, so [`well_formed_entries`] says first how many of them can be believed.

use super::MAX_CORES;
use proto::id::ApicId;

/// Bytes before the first entry: the header common to all tables, an address and flags.
pub const HEADER_BYTES: usize = 44;

const ENABLED: u32 = 1;

/// Counts the entries at the start of `table` (the whole table, header included) that the `acpi` crate
/// can visit safely: those before the first one that is shorter than its kind requires or reaches
/// beyond the table's end. Entries of reserved kinds, which its iterator passes over, don't count.
#[must_use]
pub fn well_formed_entries(table: &[u8]) -> usize {
    let mut rest = table.get(HEADER_BYTES..).unwrap_or(&[]);
    let mut count = 0;
    while let &[kind, length, ..] = rest {
        let length = usize::from(length);
        if length < least_bytes(kind) || length > rest.len() {
            break;
        }
        count += usize::from(is_known(kind));
        rest = &rest[length..];
    }
    count
}

/// Whether the `acpi` crate gives entries of this kind out.
fn is_known(kind: u8) -> bool {
    kind <= 0x10
}

/// The fewest bytes of an entry of this kind (ACPI 6.5, 5.2.12); for the kinds of other architectures
/// the most that any has, for reserved ones just their header.
fn least_bytes(kind: u8) -> usize {
    match kind {
        0 | 3 => 8,
        1 | 5 | 10 => 12,
        2 => 10,
        4 => 6,
        6 | 8 | 9 | 16 => 16,
        7 | 11..=15 => 80,
        _ => 2,
    }
}

/// The cores of the machine, the boot core first, the others in the table's order until they are [sorted](CoreList::sort).
#[derive(Clone, Debug)]
pub struct CoreList {
    ids: [ApicId; MAX_CORES],
    count: usize,
    left_out: usize,
}

impl CoreList {
    /// A list of the boot core alone.
    #[must_use]
    pub fn new(boot: ApicId) -> Self {
        let mut ids = [ApicId::default(); MAX_CORES];
        ids[0] = boot;
        Self { ids, count: 1, left_out: 0 }
    }

    /// Adds the core of an entry (local APIC or local x2APIC) with its flags. A core that is listed
    /// twice, as firmware may do with both kinds of entry, counts once; one that isn't enabled does not
    /// count; one whose id is above `greatest_id`, the greatest that interrupts can be sent to, or for
    /// which there is no room is [left out](Self::left_out).
    pub fn add(&mut self, id: ApicId, flags: u32, greatest_id: ApicId) {
        if flags & ENABLED == 0 || self.as_slice().contains(&id) {
            return;
        }
        if id > greatest_id || self.count == MAX_CORES {
            self.left_out += 1;
            return;
        }
        self.ids[self.count] = id;
        self.count += 1;
    }

    /// Puts all but the boot core into the order of their ids. These are made of the numbers of package, core and thread (Intel
    /// SDM vol. 3, 9.9), so that cores with near numbers are near each other; tables may list the second threads of all
    /// cores behind the first ones.
    pub fn sort(&mut self) {
        self.ids[1..self.count].sort_unstable();
    }

    /// The APIC ids; the position is the core's number.
    #[must_use]
    pub fn as_slice(&self) -> &[ApicId] {
        &self.ids[..self.count]
    }

    /// How many enabled cores are not in the list.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Keeps the first `count` cores (at least the boot core); the others are left out.
    pub fn truncate(&mut self, count: usize) {
        let kept = self.count.min(count.max(1));
        self.left_out += self.count - kept;
        self.count = kept;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{CoreList, HEADER_BYTES, well_formed_entries};
    use crate::machine::MAX_CORES;
    use proptest::prelude::*;
    use proto::id::ApicId;
    use std::{vec, vec::Vec};

    const GREATEST: ApicId = ApicId(254);

    fn table(entries: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.extend(entries.concat());
        bytes
    }

    #[test]
    fn entries_count_up_to_the_first_broken_one() {
        let lapic = [0, 8, 0, 0, 1, 0, 0, 0];
        let reserved = [0x20, 3, 0];
        assert_eq!(well_formed_entries(&table(&[&lapic, &reserved, &lapic])), 2);
        assert_eq!(well_formed_entries(&table(&[&lapic, &[0, 0], &lapic])), 1, "zero length");
        assert_eq!(well_formed_entries(&table(&[&lapic, &lapic[..7]])), 1, "cut off");
        assert_eq!(
            well_formed_entries(&table(&[&[9, 8, 0, 0, 0, 0, 0, 0], &lapic])),
            0,
            "too short"
        );
        assert_eq!(well_formed_entries(&table(&[&lapic, &[0]])), 1, "a byte too many");
        assert_eq!(well_formed_entries(&[0; 10]), 0, "not even a header");
    }

    proptest! {
        #[test]
        fn any_table_is_counted_within_its_bounds(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(well_formed_entries(&bytes) <= bytes.len() / 2);
        }
    }

    #[test]
    fn the_boot_core_is_first_and_the_others_come_in_the_order_of_their_ids() {
        let mut cores = CoreList::new(ApicId(4));
        for (id, flags) in [(6, 1), (4, 1), (0, 1), (9, 0), (8, 2), (6, 1), (0x1_0000, 1)] {
            cores.add(ApicId(id), flags, GREATEST);
        }
        assert_eq!(cores.as_slice(), [4, 6, 0].map(ApicId));
        cores.sort();
        assert_eq!(cores.as_slice(), [4, 0, 6].map(ApicId));
        assert_eq!(cores.left_out(), 1, "an id that no interrupt reaches");
    }

    #[test]
    fn cores_beyond_the_room_are_left_out_and_counted() {
        let mut cores = CoreList::new(ApicId(0));
        for id in 1..=MAX_CORES as u32 + 1 {
            cores.add(ApicId(id), 1, ApicId(u32::MAX));
        }
        assert_eq!((cores.as_slice().len(), cores.left_out()), (MAX_CORES, 2));
        cores.truncate(0);
        assert_eq!((cores.as_slice().len(), cores.left_out()), (1, MAX_CORES + 1));
    }
}
