//! postcard's encoder on a slot.
//!
//! [`Writer`] is the flavour that writes the bytes. [`Tagged`] is the outermost layer, which knows that a
//! message is an enum; postcard's own would do the same. It exists because its methods are always
//! inlined: postcard's are only where the compiler finds it worth while, which it doesn't when many
//! variants have a field of the same type, and then the places of all fields behind it are unknown.

use super::{Slot, inside};
use core::marker::PhantomData;
use postcard::{Error, Result, Serializer as Postcard, ser_flavors::Flavor};
use serde::ser::{
    Impossible, Serialize, SerializeStructVariant, SerializeTupleVariant, Serializer,
};

/// A message in a slot: a tag of one byte, and then the fields of that variant, which are postcard's
/// business.
pub(super) struct Tagged<'a, Caller> {
    fields: Postcard<Writer<'a>>,
    caller: PhantomData<Caller>,
}

impl<'a, Caller> Tagged<'a, Caller> {
    #[inline(always)]
    pub(super) const fn new(slot: &'a mut [u8; Slot::LEN]) -> Self {
        Self { fields: Postcard { output: Writer { slot, at: 0 } }, caller: PhantomData }
    }

    #[inline(always)]
    fn tag(mut self, tag: u32) -> Result<Self> {
        // A message has at most 128 variants, so this is the whole varint.
        self.fields.output.try_push(u8::try_from(tag).map_err(|_| Error::WontImplement)?)?;
        Ok(self)
    }

    #[inline(always)]
    fn field<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<()> {
        value.serialize(&mut self.fields)
    }

    #[inline(always)]
    fn length(self) -> Result<usize> {
        self.fields.output.finalize()
    }
}

impl<Caller> SerializeStructVariant for Tagged<'_, Caller> {
    type Ok = usize;
    type Error = Error;

    #[inline(always)]
    fn serialize_field<V: Serialize + ?Sized>(&mut self, _: &'static str, value: &V) -> Result<()> {
        self.field(value)
    }

    #[inline(always)]
    fn end(self) -> Result<usize> {
        self.length()
    }
}

impl<Caller> SerializeTupleVariant for Tagged<'_, Caller> {
    type Ok = usize;
    type Error = Error;

    #[inline(always)]
    fn serialize_field<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<()> {
        self.field(value)
    }

    #[inline(always)]
    fn end(self) -> Result<usize> {
        self.length()
    }
}

/// Methods that are never called, as a message is an enum.
macro_rules! never {
    ($($name:ident($($arg:ty),*) -> $ok:ty;)*) => {
        $(fn $name(self, $(_: $arg),*) -> Result<$ok> {
            Err(Error::WontImplement)
        })*
    };
}

/// What a composite would be built with that never is.
type Never = Impossible<usize, Error>;

impl<Caller> Serializer for Tagged<'_, Caller> {
    type Ok = usize;
    type Error = Error;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Self;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Self;

    #[inline(always)]
    fn serialize_unit_variant(self, _: &'static str, tag: u32, _: &'static str) -> Result<usize> {
        self.tag(tag)?.length()
    }

    #[inline(always)]
    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        tag: u32,
        _: &'static str,
        value: &V,
    ) -> Result<usize> {
        let mut tagged = self.tag(tag)?;
        tagged.field(value)?;
        tagged.length()
    }

    #[inline(always)]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        tag: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self> {
        self.tag(tag)
    }

    #[inline(always)]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        tag: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self> {
        self.tag(tag)
    }

    never! {
        serialize_bool(bool) -> usize;
        serialize_i8(i8) -> usize;
        serialize_i16(i16) -> usize;
        serialize_i32(i32) -> usize;
        serialize_i64(i64) -> usize;
        serialize_u8(u8) -> usize;
        serialize_u16(u16) -> usize;
        serialize_u32(u32) -> usize;
        serialize_u64(u64) -> usize;
        serialize_f32(f32) -> usize;
        serialize_f64(f64) -> usize;
        serialize_char(char) -> usize;
        serialize_str(&str) -> usize;
        serialize_bytes(&[u8]) -> usize;
        serialize_none() -> usize;
        serialize_unit() -> usize;
        serialize_unit_struct(&'static str) -> usize;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
    }

    fn serialize_some<V: Serialize + ?Sized>(self, _: &V) -> Result<usize> {
        Err(Error::WontImplement)
    }

    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &V,
    ) -> Result<usize> {
        Err(Error::WontImplement)
    }

    fn collect_str<V: core::fmt::Display + ?Sized>(self, _: &V) -> Result<usize> {
        Err(Error::WontImplement)
    }
}

/// Writes into a slot from its beginning. It never comes to the end: see [`super`].
struct Writer<'a> {
    slot: &'a mut [u8; Slot::LEN],
    at: usize,
}

impl Flavor for Writer<'_> {
    type Output = usize;

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> Result<()> {
        self.slot[inside(self.at)] = byte;
        self.at += 1;
        Ok(())
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> Result<()> {
        let place = self.slot.get_mut(self.at..self.at + bytes.len());
        place.ok_or(Error::SerializeBufferFull)?.copy_from_slice(bytes);
        self.at += bytes.len();
        Ok(())
    }

    #[inline(always)]
    fn finalize(self) -> Result<usize> {
        Ok(self.at)
    }
}
