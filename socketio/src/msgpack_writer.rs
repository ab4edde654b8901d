//! What it is: JSON of ours, with binary beside it, written as MessagePack.
//! What it is not: a check of that JSON, which serde_json wrote; of any other text it makes something, and ends.
//! Who calls it: `msgpack`.

use std::{borrow::Cow, fmt, io};

use bytes::Bytes;
use rmp::{
    Marker,
    encode::{self, ValueWriteError},
};
use serde::{Deserializer, de};

type Written = Result<(), ValueWriteError<io::Error>>;

/// What our placeholders look like before the number; behind it there is a brace.
const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":"#;

/// Writes a JSON value; placeholders in it stand for the attachments.
pub(crate) fn write_json(out: &mut Vec<u8>, json: &str, attachments: &[Bytes]) -> Written {
    let mut counts = counts(json).into_iter();
    let mut at = 0;
    // Marks are ASCII, so every step ends between two characters.
    while let Some(&byte) = json.as_bytes().get(at) {
        at = match byte {
            b'"' => {
                let end = end_of_string(json, at);
                encode::write_str(out, &text(&json[at..end]))?;
                end
            }
            b'[' => {
                encode::write_array_len(out, counts.next().unwrap_or_default())?;
                at + 1
            }
            b'{' => {
                let count = counts.next().unwrap_or_default();
                match placeholder(&json[at..], attachments) {
                    Some((data, length)) => {
                        encode::write_bin(out, data)?;
                        at + length
                    }
                    None => {
                        encode::write_map_len(out, count)?;
                        at + 1
                    }
                }
            }
            b'0'..=b'9' | b'-' => {
                let end = end_of_word(json, at);
                write_number(out, &json[at..end])?;
                end
            }
            b'n' | b't' | b'f' => {
                out.push(match byte {
                    b'n' => Marker::Null.to_u8(),
                    b't' => Marker::True.to_u8(),
                    _ => Marker::False.to_u8(),
                });
                end_of_word(json, at)
            }
            _ => at + 1,
        };
    }
    Ok(())
}

/// How many items each list and each object has, in the order in which they begin: MessagePack says so ahead of them.
fn counts(json: &str) -> Vec<u32> {
    let (mut counts, mut open): (Vec<u32>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(&byte) = json.as_bytes().get(at) {
        match byte {
            b']' | b'}' => drop(open.pop()),
            b' ' | b'\n' | b'\r' | b'\t' => {}
            // A comma is before one more item, anything else may be the first one.
            _ => {
                if let Some(&inner) = open.last() {
                    counts[inner] = if byte == b',' { counts[inner] + 1 } else { counts[inner].max(1) };
                }
            }
        }
        if matches!(byte, b'[' | b'{') {
            open.push(counts.len());
            counts.push(0);
        }
        at = if byte == b'"' { end_of_string(json, at) } else { at + 1 };
    }
    counts
}

/// Where the string that begins here ends, its quotes included.
fn end_of_string(json: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

/// Where the number or the name that begins here ends.
fn end_of_word(json: &str, start: usize) -> usize {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    json.bytes().enumerate().skip(start).find(|(_, byte)| !is_of_word(*byte)).map_or(json.len(), |(at, _)| at)
}

/// The attachment for which a placeholder stands here, and the length of that.
fn placeholder<'a>(json: &str, attachments: &'a [Bytes]) -> Option<(&'a [u8], usize)> {
    let number = json.strip_prefix(PLACEHOLDER)?;
    let (number, _) = number.split_once('}')?;
    let data = attachments.get(number.parse::<usize>().ok()?)?;
    Some((data, PLACEHOLDER.len() + number.len() + 1))
}

/// Whole numbers of up to 64 bits exactly, others as JavaScript has them.
fn write_number(out: &mut Vec<u8>, number: &str) -> Written {
    if let Ok(number) = number.parse::<u64>() {
        encode::write_uint(out, number)?;
    } else if let Some(number) = number.parse::<i64>().ok().filter(|number| *number < 0) {
        encode::write_sint(out, number)?;
    } else {
        // Too large for a float is infinite.
        encode::write_f64(out, number.parse().unwrap_or(f64::NAN))?;
    }
    Ok(())
}

/// The text of a string in quotes. Half of a pair of surrogates, which JSON may hold, becomes U+FFFD.
fn text(quoted: &str) -> Cow<'_, str> {
    let mut reader = serde_json::Deserializer::from_str(quoted);
    reader.deserialize_bytes(Lossy).unwrap_or_default()
}

struct Lossy;

impl<'de> de::Visitor<'de> for Lossy {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, value: &'de [u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(value).into_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What JSON is written as, in hex.
    fn written(json: &str) -> String {
        let mut out = Vec::new();
        write_json(&mut out, json, &[]).expect("memory takes all");
        out.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn json_is_written() {
        let rows = [
            ("null", "c0"),
            (" [ true ,false, null ] ", "93c3c2c0"),
            ("[]", "90"),
            ("[[],{},[[]]]", "93908 09190"),
            ("{\"a\":[1,2],\"b\":{\"c\":\"d,]\"}}", "82a161920102a16281a163a3642c5d"),
            ("127", "7f"),
            ("128", "cc80"),
            ("-32", "e0"),
            ("-33", "d0df"),
            ("65536", "ce00010000"),
            ("18446744073709551615", "cfffffffffffffffff"),
            ("18446744073709551616", "cb43f0000000000000"),
            ("-9223372036854775808", "d38000000000000000"),
            ("-0", "cb8000000000000000"),
            ("1.5", "cb3ff8000000000000"),
            ("1E2", "cb4059000000000000"),
            ("1e999", "cb7ff0000000000000"),
            ("\"é\\n\\u00e9\\\"\"", "a6c3a90ac3a922"),
            ("\"\\ud83c\\udf89\"", "a4f09f8e89"),
            ("\"\\ud800x\"", "aaefbfbdefbfbdefbfbd78"),
            ("\"\\\\\"", "a15c"),
            ("{\"_placeholder\":true,\"num\":0}", "82ac5f706c616365686f6c646572c3a36e756d00"),
            // No JSON at all.
            ("]", ""),
            ("\"", "a0"),
            ("[", "90"),
            ("tru", "c3"),
            ("é", ""),
        ];
        for (json, hex) in rows {
            assert_eq!(written(json), hex.replace(' ', ""), "{json}");
        }
        let many = format!("[{}]", vec!["1"; 70_000].join(","));
        assert!(written(&many).starts_with("dd00011170"));
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(written(&deep), "91".repeat(99_999) + "90");
    }
}
