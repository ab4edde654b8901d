//! What it is: MessagePack of any shape as JSON with binary beside it, and values as MessagePack.
//! What it is not: packets of clients (`msgpack`).
//! Who calls it: applications that talk MessagePack to others than clients, such as the reference's Redis adapter.

use bytes::Bytes;
use rmp::{
    Marker,
    encode::{self, ValueWriteError},
};
use serde::Serialize;
use serde_json::Number;

use crate::{
    error::{DecodeError, EmitError},
    limits::Limits,
    list,
    msgpack_reader::{Json, Reader},
    msgpack_writer::write_json,
    value::Value,
};

type Written = Result<(), ValueWriteError<std::io::Error>>;

/// Reads one MessagePack value as the text of JSON, in which placeholders, `{"_placeholder":true,"num":0}`, stand for
/// what is binary: the list beside it, whose items are slices of the message. What has no type in MessagePack is read
/// as `notepack.io` writes it: dates become texts as `toISOString` makes them, whether as timestamps or in the older
/// form.
///
/// ```
/// use socketio::{Limits, msgpack_to_json};
///
/// let message = b"\x92\xa4save\xc4\x02ab".as_slice().into();
/// let (json, attachments) = msgpack_to_json(&message, &Limits::default()).unwrap();
/// assert_eq!(json, r#"["save",{"_placeholder":true,"num":0}]"#);
/// assert_eq!(attachments, ["ab"]);
/// ```
///
/// # Errors
/// [`DecodeError`], when it is no such value, something follows it, or it passes a limit on depth or attachments.
pub fn msgpack_to_json(message: &Bytes, limits: &Limits) -> Result<(String, Vec<Bytes>), DecodeError> {
    let mut reader = Reader::new(message);
    let mut json = Json::new(message, limits).with_timestamps();
    json.value(&mut reader)?;
    if !reader.is_empty() {
        return Err(DecodeError::Payload);
    }
    json.finish()
}

/// Writes the list of an event, its name and then its arguments, as MessagePack: for others than clients, who get
/// packets. Arguments are those of [`Socket::emit`](crate::Socket::emit).
///
/// ```
/// assert_eq!(socketio::event_to_msgpack("save", &(1, "x")).unwrap(), b"\x93\xa4save\x01\xa1x");
/// ```
///
/// # Errors
/// [`EmitError`], of the arguments.
pub fn event_to_msgpack<T: Serialize + ?Sized>(event: &str, args: &T) -> Result<Vec<u8>, EmitError> {
    let (list, attachments) = list::write(Some(event), args, Bytes::copy_from_slice)?;
    let mut out = Vec::new();
    write_json(&mut out, &list, &attachments).expect("memory takes all");
    Ok(out)
}

impl Value {
    /// As MessagePack. Whole numbers are integers of the least width, all others floats.
    pub fn to_msgpack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out).expect("memory takes all");
        out
    }

    fn write(&self, out: &mut Vec<u8>) -> Written {
        match self {
            Self::Null => out.push(Marker::Null.to_u8()),
            Self::Bool(true) => out.push(Marker::True.to_u8()),
            Self::Bool(false) => out.push(Marker::False.to_u8()),
            Self::Number(number) => write_number(out, number)?,
            Self::String(text) => encode::write_str(out, text)?,
            Self::Array(items) => {
                encode::write_array_len(out, length(items.len()))?;
                items.iter().try_for_each(|item| item.write(out))?;
            }
            Self::Object(entries) => {
                encode::write_map_len(out, length(entries.len()))?;
                for (key, value) in entries {
                    encode::write_str(out, key)?;
                    value.write(out)?;
                }
            }
            Self::Binary(data) => encode::write_bin(out, data)?,
        }
        Ok(())
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) -> Written {
    if let Some(number) = number.as_u64() {
        encode::write_uint(out, number)?;
    } else if let Some(number) = number.as_i64() {
        encode::write_sint(out, number)?;
    } else {
        encode::write_f64(out, number.as_f64().unwrap_or(f64::NAN))?;
    }
    Ok(())
}

/// That many items do not fit into memory.
fn length(items: usize) -> u32 {
    u32::try_from(items).expect("less than 2^32 items")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        digits.chunks(2).map(byte).collect()
    }

    fn read(hex: &str) -> Result<String, DecodeError> {
        msgpack_to_json(&bytes(hex), &Limits::default()).map(|(json, _)| json)
    }

    #[test]
    fn what_the_official_emitter_publishes_is_read() {
        let message = "93 a7656d6974746572 83 a474797065 02 a464617461 93 a568656c6c6f c40101 d7ff 00000000 00000000 \
                       a36e7370 a12f 83 a5726f6f6d73 91a5726f6f6d31 a5666c616773 80 a6657863657074 90";
        let json = r#"["emitter",{"type":2,"data":["hello",{"_placeholder":true,"num":0},"1970-01-01T00:00:00.000Z"],"nsp":"/"},{"rooms":["room1"],"flags":{},"except":[]}]"#;
        let (text, attachments) = msgpack_to_json(&bytes(message), &Limits::default()).expect("a value");
        assert_eq!((&*text, attachments), (json, vec![Bytes::from_static(b"\x01")]));
    }

    #[test]
    fn dates_of_all_forms_are_texts() {
        for (hex, json) in [
            ("d6ff 00000001", "\"1970-01-01T00:00:01.000Z\""),
            ("d6ff ffffffff", "\"2106-02-07T06:28:15.000Z\""),
            // 30 bits of nanoseconds, 34 of seconds.
            ("d7ff ee2e1f00 00000001", "\"1970-01-01T00:00:01.999Z\""),
            ("d7ff 00000003 00000000", "\"2378-04-22T19:24:48.000Z\""),
            ("c70cff 00000000 ffffffffffffffff", "\"1969-12-31T23:59:59.000Z\""),
            ("c70cff 1dcd6500 0000000000000000", "\"1970-01-01T00:00:00.500Z\""),
            ("c70cff 00000000 7fffffffffffffff", "null"),
            ("d700 00000000000003e8", "\"1970-01-01T00:00:01.000Z\""),
            ("d6fe 00000001", r#"[-2,{"_placeholder":true,"num":0}]"#),
        ] {
            assert_eq!(read(hex).as_deref(), Ok(json), "{hex}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for hex in ["", "c1", "92 01", "01 01", "dd ffffffff", "c6 ffffffff 00", "d9 05 61", "81 c0 01"] {
            assert_eq!(read(hex), Err(DecodeError::Payload), "{hex}");
        }
        assert_eq!(read(&format!("{}01", "91".repeat(128))), Err(DecodeError::Payload));
        assert_eq!(read(&format!("9b {}", "c400".repeat(11))), Err(DecodeError::Attachments));
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        let json = r#"{"a":[null,true,false,1,-1,128,-129,70000,1.5,"é"],"b":{},"c":{"_placeholder":true,"num":0}}"#;
        let mut value: Value = serde_json::from_str(json).expect("JSON");
        let Value::Object(entries) = &mut value else { panic!("an object") };
        entries[2].1 = Value::Binary(Bytes::from_static(b"\x00\x01"));
        let written = Bytes::from(value.to_msgpack());
        let (text, attachments) = msgpack_to_json(&written, &Limits::default()).expect("a value");
        assert_eq!((&*text, attachments), (json, vec![Bytes::from_static(b"\x00\x01")]));
    }
}
