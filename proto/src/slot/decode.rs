//! postcard's decoder on a slot.
//!
//! [`Reader`] is the flavour that reads the bytes. [`Tagged`] is the outermost layer, which knows that a
//! message is an enum; postcard's own would do the same. It exists for two reasons. It reads the tag as
//! the one byte that it is, so that the fields lie at constant places. And its error is that of the whole
//! path up to the receiver, so that each variant is decoded straight into the place where the receiver
//! wants the message; to repack the result on the way costs twice the decoding.

use super::{NoMessage, Slot, inside};
use core::marker::PhantomData;
use postcard::de_flavors;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor,
};

/// Set in each byte of a varint but the last.
const VARINT_GOES_ON: u8 = 0x80;

/// Which kinds of messages a decoder has code for.
pub(super) trait Kinds {
    /// The tag of the message in a slot.
    fn tag(slot: &[u8; Slot::LEN]) -> u8;
}

/// All kinds.
pub(super) struct All;

impl Kinds for All {
    #[inline(always)]
    fn tag(slot: &[u8; Slot::LEN]) -> u8 {
        slot[0]
    }
}

/// The one with this tag, which the caller has seen.
pub(super) struct Only<const TAG: u8>;

impl<const TAG: u8> Kinds for Only<TAG> {
    #[inline(always)]
    fn tag(_: &[u8; Slot::LEN]) -> u8 {
        TAG
    }
}

/// A message in a slot: a tag of one byte, and then the fields of that variant.
pub(super) struct Tagged<'de, 'a, Caller, K> {
    slot: &'de [u8; Slot::LEN],
    /// Grows by the message's length.
    length: &'a mut u64,
    kinds: PhantomData<(Caller, K)>,
}

impl<'de, 'a, Caller, K> Tagged<'de, 'a, Caller, K> {
    #[inline(always)]
    pub(super) const fn new(slot: &'de [u8; Slot::LEN], length: &'a mut u64) -> Self {
        Self { slot, length, kinds: PhantomData }
    }
}

impl<'de, Caller, K> Tagged<'de, '_, Caller, K> {
    /// Decodes what lies behind the tag.
    #[inline(always)]
    fn fields<T>(
        self,
        decode: impl FnOnce(&mut Fields<'de>) -> postcard::Result<T>,
    ) -> Result<T, NoMessage> {
        let mut fields = Fields::from_flavor(Reader { slot: self.slot, at: 1 });
        let value = decode(&mut fields).map_err(|_| NoMessage::Malformed)?;
        *self.length += fields.finalize().map_err(|_| NoMessage::Malformed)?;
        Ok(value)
    }
}

impl<'de, Caller, K: Kinds> Deserializer<'de> for Tagged<'de, '_, Caller, K> {
    type Error = NoMessage;

    #[inline(always)]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoMessage> {
        visitor.visit_enum(self)
    }

    /// A message is an enum: nothing else is ever asked for.
    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoMessage> {
        Err(NoMessage::Malformed)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, Caller, K: Kinds> EnumAccess<'de> for Tagged<'de, '_, Caller, K> {
    type Error = NoMessage;
    type Variant = Self;

    #[inline(always)]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), NoMessage> {
        let tag = K::tag(self.slot);
        if tag >= VARINT_GOES_ON {
            return Err(NoMessage::Malformed);
        }
        let variant = seed.deserialize(u32::from(tag).into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de, Caller, K> VariantAccess<'de> for Tagged<'de, '_, Caller, K> {
    type Error = NoMessage;

    #[inline(always)]
    fn unit_variant(self) -> Result<(), NoMessage> {
        *self.length += 1;
        Ok(())
    }

    #[inline(always)]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, NoMessage> {
        self.fields(|fields| seed.deserialize(fields))
    }

    #[inline(always)]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, NoMessage> {
        self.fields(|fields| fields.deserialize_tuple(len, visitor))
    }

    #[inline(always)]
    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoMessage> {
        self.fields(|fields| fields.deserialize_tuple(names.len(), visitor))
    }
}
/// postcard's own decoder, for all that lies behind the tag.
type Fields<'de> = postcard::Deserializer<'de, Reader<'de>>;

/// Reads a slot byte by byte. It cannot read past the end: see [`super`].
struct Reader<'de> {
    slot: &'de [u8; Slot::LEN],
    at: usize,
}

impl<'de> de_flavors::Flavor<'de> for Reader<'de> {
    type Remainder = u64;
    type Source = &'de [u8; Slot::LEN];

    #[inline(always)]
    fn pop(&mut self) -> postcard::Result<u8> {
        let byte = self.slot[inside(self.at)];
        self.at += 1;
        Ok(byte)
    }

    /// Only borrowed data and strings take this way, and no message of known size has any.
    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let end = self.at.checked_add(count).ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        let taken = self.slot.get(self.at..end);
        self.at = end;
        taken.ok_or(postcard::Error::DeserializeUnexpectedEnd)
    }

    #[inline(always)]
    fn finalize(self) -> postcard::Result<u64> {
        Ok(self.at as u64)
    }
}
