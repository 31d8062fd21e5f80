//! Integers of fixed width: `#[serde(with = "crate::fixed")]`.
//!
//! The bytes are those of `postcard::fixint::le`: little-endian, as many as the type has. That module
//! passes them one by one, and it takes the compiler's good will to join them again, which it loses
//! when a message type has many variants. But a float postcard passes in one piece, as its bits,
//! little-endian; so here an integer is passed as the float with the same bits. Nothing is ever computed
//! with it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer that passes in one piece.
pub trait Fixed: Copy {
    /// Writes the integer's bytes, little-endian.
    ///
    /// # Errors
    /// Those of the serializer.
    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads an integer from its bytes, little-endian.
    ///
    /// # Errors
    /// Those of the deserializer.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// There is no float of two bytes.
impl Fixed for u16 {
    #[inline(always)]
    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_le_bytes().serialize(serializer)
    }

    #[inline(always)]
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 2]>::deserialize(deserializer).map(Self::from_le_bytes)
    }
}

impl Fixed for u32 {
    #[inline(always)]
    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f32(f32::from_bits(self))
    }

    #[inline(always)]
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f32::deserialize(deserializer).map(f32::to_bits)
    }
}

impl Fixed for i32 {
    #[inline(always)]
    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        self.cast_unsigned().write(serializer)
    }

    #[inline(always)]
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::read(deserializer).map(u32::cast_signed)
    }
}

impl Fixed for u64 {
    #[inline(always)]
    fn write<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from_bits(self))
    }

    #[inline(always)]
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(f64::to_bits)
    }
}

/// Writes an integer's bytes, little-endian.
///
/// # Errors
/// Those of the serializer.
#[inline(always)]
pub fn serialize<T: Fixed, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.write(serializer)
}

/// Reads an integer from its bytes, little-endian.
///
/// # Errors
/// Those of the deserializer.
#[inline(always)]
pub fn deserialize<'de, T: Fixed, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// An integer that passes in one piece, as a part of something else.
#[derive(Clone, Copy)]
pub(crate) struct Whole<T>(pub(crate) T);

impl<T: Fixed> Serialize for Whole<T> {
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<'de, T: Fixed> Deserialize<'de> for Whole<T> {
    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Self)
    }
}
