//! What it is: whether a Rust type stands for several arguments, for one, or for none.
//! What it is not: encoding or decoding; it asks serde for the first step and stops there.
//! Who calls it: `args`, when events and acks are read and written.
//!
//! Tuples and arrays of fixed length are several arguments, `()` is none, everything else is one.

use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{self, Deserializer, Visitor},
    ser::{self, Impossible, Serializer},
};

/// How many arguments a type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    None,
    One,
    Several(usize),
}

/// The shape of a value that is to be sent.
pub(crate) fn of_value<T: Serialize + ?Sized>(value: &T) -> Shape {
    match value.serialize(Probe) {
        Ok(never) => match never {},
        // A dynamic null is written as a unit, too, but only `()` has no size.
        Err(Found(Shape::None)) if size_of_val(value) > 0 => Shape::One,
        Err(Found(shape)) => shape,
    }
}

/// The shape of a type that is to be received.
pub(crate) fn of_type<'de, T: Deserialize<'de>>() -> Shape {
    match T::deserialize(Probe) {
        // A type that asks for nothing, such as PhantomData, is no argument.
        Ok(_) => Shape::None,
        Err(Found(shape)) => shape,
    }
}

/// Answers the first question of a type with the shape that this question shows.
struct Probe;

/// The shape, as the error that ends serde's walk.
#[derive(Debug)]
struct Found(Shape);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    /// A type that fails by itself is one argument, and fails again when it is encoded.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Shape::One)
    }
}

impl de::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Shape::One)
    }
}

/// There is no value of this type: serializing into a probe never succeeds.
enum Never {}

macro_rules! one_argument {
    ($($method:ident($($kind:ty),*))*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<Never, Found> {
            Err(Found(Shape::One))
        })*
    };
}

impl Serializer for Probe {
    type Ok = Never;
    type Error = Found;
    type SerializeSeq = Impossible<Never, Found>;
    type SerializeTuple = Impossible<Never, Found>;
    type SerializeTupleStruct = Impossible<Never, Found>;
    type SerializeTupleVariant = Impossible<Never, Found>;
    type SerializeMap = Impossible<Never, Found>;
    type SerializeStruct = Impossible<Never, Found>;
    type SerializeStructVariant = Impossible<Never, Found>;

    one_argument! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_none() serialize_unit_struct(&'static str)
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Never, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_unit(self) -> Result<Never, Found> {
        Err(Found(Shape::None))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<Never, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Never, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, Found> {
        Err(Found(Shape::Several(length)))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Found> {
        Err(Found(Shape::One))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Found> {
        Err(Found(Shape::One))
    }
}

impl<'de> Deserializer<'de> for Probe {
    type Error = Found;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(Shape::One))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Found> {
        Err(Found(Shape::None))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, _: V) -> Result<V::Value, Found> {
        Err(Found(Shape::Several(length)))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit_struct
        newtype_struct seq tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Record {
        name: String,
    }

    #[derive(Serialize, Deserialize)]
    struct Point(i32, i32);

    fn both<T: Serialize + for<'de> Deserialize<'de>>(value: T) -> (Shape, Shape) {
        (of_value(&value), of_type::<T>())
    }

    #[test]
    fn tuples_and_arrays_are_several_arguments() {
        assert_eq!(both(()), (Shape::None, Shape::None));
        assert_eq!(both(("a".to_owned(), 1)), (Shape::Several(2), Shape::Several(2)));
        assert_eq!(both([1, 2, 3]), (Shape::Several(3), Shape::Several(3)));
        assert_eq!(both::<[u8; 0]>([]), (Shape::Several(0), Shape::Several(0)));
    }

    #[test]
    fn everything_else_is_one_argument() {
        let one = (Shape::One, Shape::One);
        assert_eq!(both("a".to_owned()), one);
        assert_eq!(both(1.5), one);
        assert_eq!(both(vec![1, 2]), one);
        assert_eq!(both(Some((1, 2))), one);
        assert_eq!(both(Record { name: "a".into() }), one);
        assert_eq!(both(Point(1, 2)), one);
        assert_eq!(both(HashMap::from([("a".to_owned(), 1)])), one);
        assert_eq!(both(serde_json::json!([1, 2])), one);
        assert_eq!(both(serde_json::Value::Null), one);
        assert_eq!(both(None::<i32>), one);
    }
}
