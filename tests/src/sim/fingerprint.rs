//! Fingerprints of states: 128 bits, quick to make. Not against an adversary, only against chance.

use std::hash::{Hash, Hasher};

const LOW: u64 = 0x9e37_79b9_7f4a_7c15;
const HIGH: u64 = 0xd6e8_feb8_6659_fd93;

/// The fingerprint of a value.
pub(crate) fn fingerprint(value: &impl Hash) -> u128 {
    let mut mixer = Mixer { low: LOW, high: HIGH };
    value.hash(&mut mixer);
    u128::from(fold(mixer.low, HIGH)) << 64 | u128::from(fold(mixer.high, LOW))
}

/// Two independent sums, each spread by a multiplication at every word.
struct Mixer {
    low: u64,
    high: u64,
}

/// Both halves of a product, one on the other.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product >> 64) as u64 ^ product as u64
}

impl Mixer {
    fn add(&mut self, word: u64) {
        self.low = fold(self.low ^ word, LOW);
        self.high = fold(self.high.rotate_left(29).wrapping_add(word), HIGH);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.add(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn finish(&self) -> u64 {
        self.low ^ self.high
    }
}

/// For keys that are fingerprints already: half of them is hash enough.
#[derive(Default)]
pub(crate) struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::fingerprint;
    use std::collections::HashSet;

    #[test]
    fn values_that_differ_in_a_bit_have_fingerprints_that_differ_in_both_halves() {
        let mut seen = HashSet::new();
        let lists = (0..200).flat_map(|length| (0..64).map(move |bit| (length, 1u64 << bit)));
        for (length, word) in lists {
            let mut list = vec![0u64; length + 1];
            list[length / 2] = word;
            let print = fingerprint(&list);
            assert!(seen.insert(print as u64) && seen.insert((print >> 64) as u64));
        }
    }
}
