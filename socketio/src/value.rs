//! What it is: any JSON value, with binary as one more kind of it.
//! What it is not: the way typed arguments take; those without binary are read straight from their JSON.
//! Who calls it: `args`, for arguments with attachments; applications, for arguments of any kind.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        DeserializeSeed, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    ser::SerializeMap,
};
use serde_json::Number;

/// The keys of what stands in the JSON for an attachment (socket.io-protocol v5, "Binary").
pub(crate) const PLACEHOLDER: &str = "_placeholder";
const PLACEHOLDER_NUMBER: &str = "num";

/// An argument of any kind. It keeps the order of keys, and binary is binary at any depth.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Value>),
    /// Keys and values in the order in which they came.
    Object(Vec<(String, Value)>),
    /// A `Buffer` or `ArrayBuffer` at the client.
    Binary(Bytes),
}

impl Value {
    /// How many binaries there are in it.
    pub(crate) fn binaries(&self) -> usize {
        match self {
            Self::Binary(_) => 1,
            Self::Array(items) => items.iter().map(Self::binaries).sum(),
            Self::Object(entries) => entries.iter().map(|(_key, value)| value.binaries()).sum(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => 0,
        }
    }
}

/// Reads a value in which placeholders stand for these attachments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WithAttachments<'a>(pub(crate) &'a [Bytes]);

impl<'de> DeserializeSeed<'de> for WithAttachments<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Builder { attachments: Some(self) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Builder { attachments: None })
    }
}

/// Builds a value from whatever it is shown. Without attachments a placeholder is data like any other.
#[derive(Clone, Copy)]
struct Builder<'a> {
    attachments: Option<WithAttachments<'a>>,
}

impl<'de> DeserializeSeed<'de> for Builder<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Builder<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Binary(Bytes::copy_from_slice(value)))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Binary(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, map.next_value_seed(self)?));
        }
        match self.attachments {
            Some(WithAttachments(attachments)) if is_placeholder(&entries) => number(&entries)
                .and_then(|number| attachments.get(number))
                .map(|attachment| Value::Binary(attachment.clone()))
                .ok_or_else(|| A::Error::custom("a placeholder names no attachment")),
            _ => Ok(Value::Object(entries)),
        }
    }
}

/// The value of a key; of one that is given twice the last, as in JavaScript.
fn last<'a>(entries: &'a [(String, Value)], key: &str) -> Option<&'a Value> {
    entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn is_placeholder(entries: &[(String, Value)]) -> bool {
    last(entries, PLACEHOLDER) == Some(&Value::Bool(true))
}

fn number(entries: &[(String, Value)]) -> Option<usize> {
    match last(entries, PLACEHOLDER_NUMBER)? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        _ => None,
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::String(value) => serializer.serialize_str(value),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Binary(data) => serializer.serialize_bytes(data),
        }
    }
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Any type can be read from a value, as it could be from JSON, and byte types from binary.
impl<'de> Deserializer<'de> for Value {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(value) => value.deserialize_any(visitor),
            Self::String(value) => visitor.visit_string(value),
            Self::Array(items) => SeqDeserializer::new(items.into_iter()).deserialize_any(visitor),
            Self::Object(entries) => MapDeserializer::new(entries.into_iter()).deserialize_any(visitor),
            Self::Binary(data) => visitor.visit_byte_buf(data.into()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self {
            Self::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            Self::Object(entries) => visitor
                .visit_enum(serde::de::value::MapAccessDeserializer::new(MapDeserializer::new(entries.into_iter()))),
            other => other.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, attachments: &[Bytes]) -> Result<Value, serde_json::Error> {
        WithAttachments(attachments).deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Unit,
        New(u8),
        Struct { data: Bytes },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct File {
        name: Option<String>,
        data: Bytes,
        kinds: Vec<Kind>,
        size: f64,
    }

    #[test]
    fn typed_values_hold_binary_at_any_depth() {
        let json = r#"{"size":2,"name":"a","data":{"_placeholder":true,"num":1},
            "kinds":["Unit",{"New":7},{"Struct":{"data":{"num":0,"_placeholder":true}}}]}"#;
        let value = read(json, &[Bytes::from_static(b"zero"), Bytes::from_static(b"one")]).expect("valid");
        let file = File::deserialize(value).expect("a file");
        assert_eq!(
            file,
            File {
                name: Some("a".into()),
                data: Bytes::from_static(b"one"),
                kinds: vec![Kind::Unit, Kind::New(7), Kind::Struct { data: Bytes::from_static(b"zero") }],
                size: 2.0,
            }
        );
    }

    #[test]
    fn placeholders_must_name_an_attachment() {
        for number in ["1", "-1", "0.5", "1e400", "\"0\"", "null", "\"splice\""] {
            let json = format!(r#"[{{"_placeholder":true,"num":{number}}}]"#);
            assert!(read(&json, &[Bytes::new()]).is_err(), "{number}");
        }
        assert!(read(r#"{"_placeholder":true}"#, &[Bytes::new()]).is_err());
        assert!(read(r#"{"_placeholder":1,"num":9}"#, &[]).is_ok());
    }

    #[test]
    fn of_a_key_given_twice_the_last_one_counts() {
        let binary = [Bytes::from_static(b"zero"), Bytes::from_static(b"one")];
        let one = read(r#"{"_placeholder":false,"num":7,"_placeholder":true,"num":1}"#, &binary);
        assert_eq!(one.expect("valid"), Value::Binary(binary[1].clone()));
        let data = read(r#"{"_placeholder":true,"num":7,"_placeholder":false}"#, &binary);
        assert_eq!(data.expect("valid").binaries(), 0);
    }

    #[test]
    fn without_attachments_everything_is_data() {
        let json = r#"{"b":1,"a":[null,true,-1,1.5,"é",{"_placeholder":true,"num":0}]}"#;
        let value: Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(serde_json::to_string(&value).expect("JSON"), json);
    }
}
