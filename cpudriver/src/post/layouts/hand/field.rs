//! The fields of messages, in bytes and in words.

use core::sync::atomic::{AtomicU64, Ordering};
use proto::call::{Call, HandlePair, Outcome};
use proto::core_set::CoreSet;
use proto::id::{ApicId, CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use proto::memory::Rights;
use proto::message::PageRange;
use proto::slot::Slot;

/// The bytes of a slot.
type Bytes = [u8; Slot::LEN];

/// Words for the fields of a message.
const WORDS: usize = 7;

/// The words of a line that hold a message's fields.
pub(crate) type Words = [AtomicU64; WORDS];

/// A field of fixed length. All places are known when compiling.
pub(super) trait Field: Copy {
    /// Writes it at a place where it fits, and returns the place behind it.
    fn put(self, bytes: &mut Bytes, at: usize) -> usize;

    /// Reads it from a place where it fits; also returns the place behind it.
    fn get(bytes: &Bytes, at: usize) -> (Self, usize);

    /// Adds it to words.
    fn pack(self, packer: Packer<'_>) -> Packer<'_>;

    /// Takes it from words.
    fn unpack(unpacker: Unpacker<'_>) -> (Self, Unpacker<'_>);
}

/// Lays integers out in words, each at the next multiple of its size, and stores each word once.
pub(crate) struct Packer<'a> {
    words: &'a Words,
    /// What is to be stored in the word that holds bit `at`, if that isn't its first.
    word: u64,
    /// Bits so far.
    at: usize,
}

impl<'a> Packer<'a> {
    #[inline(always)]
    pub(super) const fn new(words: &'a Words) -> Self {
        Self { words, word: 0, at: 0 }
    }

    #[inline(always)]
    fn add(mut self, value: u64, bits: usize) -> Self {
        let place = self.at.next_multiple_of(bits);
        if place.is_multiple_of(64) {
            self.finish();
            self.word = 0;
        }
        let word = self.word | value << (place % 64);
        let packer = Self { words: self.words, word, at: place + bits };
        if packer.at.is_multiple_of(64) {
            self.words[place / 64].store(word, Ordering::Relaxed);
        }
        packer
    }

    /// Stores the last word, if it is not full and so not stored yet.
    #[inline(always)]
    pub(super) fn finish(&self) {
        if !self.at.is_multiple_of(64) {
            self.words[self.at / 64].store(self.word, Ordering::Relaxed);
        }
    }
}

/// Reads what a [`Packer`] has laid out.
pub(crate) struct Unpacker<'a> {
    words: &'a Words,
    /// Bits so far.
    at: usize,
}

impl<'a> Unpacker<'a> {
    #[inline(always)]
    pub(super) const fn new(words: &'a Words) -> Self {
        Self { words, at: 0 }
    }

    #[inline(always)]
    fn next(self, bits: usize) -> (u64, Self) {
        let place = self.at.next_multiple_of(bits);
        let value = self.words[place / 64].load(Ordering::Relaxed) >> (place % 64);
        (value, Self { words: self.words, at: place + bits })
    }

    #[inline(always)]
    pub(super) fn finish(self) {
        debug_assert!(self.at <= WORDS * 64);
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Field for $integer {
            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) -> usize {
                let end = at + size_of::<Self>();
                bytes[at..end].copy_from_slice(&self.to_le_bytes());
                end
            }

            #[inline(always)]
            fn get(bytes: &Bytes, at: usize) -> (Self, usize) {
                let end = at + size_of::<Self>();
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(&bytes[at..end]);
                (Self::from_le_bytes(own), end)
            }

            #[inline(always)]
            fn pack(self, packer: Packer<'_>) -> Packer<'_> {
                packer.add(u64::from(self), size_of::<Self>() * 8)
            }

            #[inline(always)]
            fn unpack(unpacker: Unpacker<'_>) -> (Self, Unpacker<'_>) {
                let (value, unpacker) = unpacker.next(size_of::<Self>() * 8);
                (value as Self, unpacker)
            }
        })*
    };
}

integers!(u8 u16 u32 u64);

/// Fields that are one other field in a coat: how it is taken off and put on.
macro_rules! coats {
    ($($coat:ty: $off:expr, $on:expr;)*) => {
        $(impl Field for $coat {
            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) -> usize {
                $off(self).put(bytes, at)
            }

            #[inline(always)]
            fn get(bytes: &Bytes, at: usize) -> (Self, usize) {
                let (inner, at) = Field::get(bytes, at);
                ($on(inner), at)
            }

            #[inline(always)]
            fn pack(self, packer: Packer<'_>) -> Packer<'_> {
                $off(self).pack(packer)
            }

            #[inline(always)]
            fn unpack(unpacker: Unpacker<'_>) -> (Self, Unpacker<'_>) {
                let (inner, unpacker) = Field::unpack(unpacker);
                ($on(inner), unpacker)
            }
        })*
    };
}

coats! {
    i32: i32::cast_unsigned, u32::cast_signed;
    ApicId: |it: Self| it.0, Self;
    CoreId: |it: Self| it.0, Self;
    Epoch: |it: Self| it.0, Self;
    Generation: |it: Self| it.0, Self;
    Outcome: |it: Self| it.0, Self;
    Pid: |it: Self| it.0, Self;
    VcoreId: |it: Self| it.0, Self;
    CoreSet: CoreSet::words, CoreSet::from_words;
    Rights: |it: Self| it.0, Self;
    [HandlePair; HandlePair::MOST]: HandlePair::to_words, HandlePair::from_words;
}

/// Fields that are others in a row.
macro_rules! rows {
    ($($row:ident { $($field:ident),* })*) => {
        $(impl Field for $row {
            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) -> usize {
                $(let at = self.$field.put(bytes, at);)*
                at
            }

            #[inline(always)]
            fn get(bytes: &Bytes, end: usize) -> (Self, usize) {
                $(let ($field, end) = Field::get(bytes, end);)*
                (Self { $($field),* }, end)
            }

            #[inline(always)]
            fn pack(self, packer: Packer<'_>) -> Packer<'_> {
                $(let packer = self.$field.pack(packer);)*
                packer
            }

            #[inline(always)]
            fn unpack(unpacker: Unpacker<'_>) -> (Self, Unpacker<'_>) {
                $(let ($field, unpacker) = Field::unpack(unpacker);)*
                (Self { $($field),* }, unpacker)
            }
        })*
    };
}

rows! {
    Call { lease, at }
    Lease { generation, epoch, pid, vcore }
    PageRange { first, pages }
}

/// Fields that are several of one kind. (Loops over them would not always be unrolled.)
macro_rules! arrays {
    ($([$($element:ident)*; $kind:ty; $count:literal])*) => {
        $(impl Field for [$kind; $count] {
            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) -> usize {
                let [$($element),*] = self;
                $(let at = $element.put(bytes, at);)*
                at
            }

            #[inline(always)]
            fn get(bytes: &Bytes, at: usize) -> (Self, usize) {
                $(let ($element, at) = Field::get(bytes, at);)*
                ([$($element),*], at)
            }

            #[inline(always)]
            fn pack(self, packer: Packer<'_>) -> Packer<'_> {
                let [$($element),*] = self;
                $(let packer = $element.pack(packer);)*
                packer
            }

            #[inline(always)]
            fn unpack(unpacker: Unpacker<'_>) -> (Self, Unpacker<'_>) {
                $(let ($element, unpacker) = Field::unpack(unpacker);)*
                ([$($element),*], unpacker)
            }
        })*
    };
}

arrays! {
    [a b; u64; 2]
    [a b c d; u64; 4]
}
