//! What it is: the list of an event or an ack of ours, written as JSON with binary beside it.
//! What it is not: the rest of its packet (`packet`), nor a reader (`args`).
//! Who calls it: `parser`, and `args` for what an application hears of its own events.

use std::io;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeSeed};
use serde_json::ser::Formatter;

use crate::{
    error::EmitError,
    shape::{self, Shape},
    value::{PLACEHOLDER, WithAttachments},
};

/// Most binary values in an event of ours: clients since 4.2.6 of their parser drop the connection above it.
const MAX_ATTACHMENTS: usize = 10;

/// As much as most lists are long, so that memory for one is asked for once.
const USUAL_LIST: usize = 128;

/// Writes the list of an event with a name, or of an ack without: `["name",1,{"a":2}]`, `[1,{"a":2}]`. Binary (what
/// serde calls bytes) is kept beside it, and placeholders stand for it.
pub(crate) fn write<T: Serialize + ?Sized, A>(
    name: Option<&str>,
    args: &T,
    keep: fn(&[u8]) -> A,
) -> Result<(String, Vec<A>), EmitError> {
    let (mut json, mut attachments) = (Vec::with_capacity(USUAL_LIST), Vec::new());
    if let Some(name) = name {
        json.push(b'[');
        serde_json::to_writer(&mut json, name)?;
    }
    let start = json.len();
    let opening = if start > 0 { b',' } else { b'[' };
    let mut write = |json: &mut Vec<u8>| {
        args.serialize(&mut serde_json::Serializer::with_formatter(json, Placeholders(&mut attachments, keep)))
    };
    match shape::of_value(args) {
        Shape::None | Shape::Several(0) => {
            json.extend(name.is_none().then_some(opening));
            json.push(b']');
        }
        Shape::One => {
            json.push(opening);
            write(&mut json)?;
            json.push(b']');
        }
        Shape::Several(_) => {
            write(&mut json)?;
            // `[1,2]` is the list, or the end of it.
            json[start] = opening;
        }
    }
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(EmitError::TooManyAttachments);
    }
    let json = String::from_utf8(json).expect("serde_json writes UTF-8");
    if !attachments.is_empty() && !are_all_ours(&json, start, attachments.len()) {
        return Err(EmitError::Placeholder);
    }
    Ok((json, attachments))
}

/// Whether no data look like a placeholder: beside binary, clients would take them for one. The arguments begin at
/// `start` of their list.
pub(crate) fn are_all_ours(list: &str, start: usize, attachments: usize) -> bool {
    // As it is written, unless JSON that came with an escape in the key is handed on.
    let args = &list[start..];
    if args.matches(PLACEHOLDER).count() == attachments && !args.contains("\\u") {
        return true;
    }
    let binary = vec![Bytes::new(); attachments];
    let value = WithAttachments(&binary).deserialize(&mut serde_json::Deserializer::from_str(list));
    value.is_ok_and(|value| value.binaries() == attachments)
}

/// Writes compact JSON with a placeholder for each binary value (socket.io-protocol v5, "Binary").
struct Placeholders<'a, A>(&'a mut Vec<A>, fn(&[u8]) -> A);

impl<A> Formatter for Placeholders<'_, A> {
    fn write_byte_array<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        write!(writer, r#"{{"_placeholder":true,"num":{}}}"#, self.0.len())?;
        self.0.push((self.1)(value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::args::Args;

    fn written<T: Serialize + ?Sized>(args: &T) -> Result<(String, Vec<Bytes>), EmitError> {
        write(None, args, Bytes::copy_from_slice)
    }

    #[test]
    fn arguments_are_written_by_shape() {
        fn both<T: Serialize + ?Sized>(args: &T) -> [String; 2] {
            [None, Some("\"")].map(|name| write(name, args, Bytes::copy_from_slice).expect("written").0)
        }
        assert_eq!(both(&()), ["[]", r#"["\""]"#]);
        assert_eq!(both(&Args::default()), ["[]", r#"["\""]"#]);
        assert_eq!(both("a"), [r#"["a"]"#, r#"["\"","a"]"#]);
        assert_eq!(both(&("a", 1, [2])), [r#"["a",1,[2]]"#, r#"["\"","a",1,[2]]"#]);
        assert_eq!(both(&vec![1, 2]), ["[[1,2]]", r#"["\"",[1,2]]"#]);
        assert_eq!(both(&(vec![1],)), ["[[1]]", r#"["\"",[1]]"#]);
        assert_eq!(both(&serde_json::Value::Null), ["[null]", r#"["\"",null]"#]);
        let binary = vec![Bytes::new(); MAX_ATTACHMENTS + 1];
        assert!(matches!(written(&binary), Err(EmitError::TooManyAttachments)));
        assert_eq!(written(&binary[1..]).expect("written").1.len(), 10);
    }

    #[test]
    fn data_beside_binary_must_not_look_like_it() {
        let binary = Bytes::from_static(b"x");
        let data = |json| serde_json::from_str::<Box<RawValue>>(json).expect("JSON");
        for json in [
            r#"{"_placeholder":true,"num":0}"#,
            r#"[{"num":0, "_placeholder" : true}]"#,
            r#"{"\u005fplaceholder":true,"num":0}"#,
            r#"{"_placeholder":true}"#,
        ] {
            assert!(matches!(written(&(data(json), &binary)), Err(EmitError::Placeholder)), "{json}");
            assert!(written(&data(json)).is_ok(), "without binary it is data");
        }
        for json in [r#""what is a \"_placeholder\"?""#, r#"{"_placeholder":false,"num":0}"#, r#""\u00e9""#] {
            assert_eq!(written(&(data(json), &binary)).expect("written").1.len(), 1, "{json}");
        }
        // The name says nothing of the arguments, of which these are too deep to be looked into.
        let deep = data(&format!("{}{}", "[".repeat(127), "]".repeat(127)));
        for name in ["a", "my_placeholder", "\u{1}", r"\u0041"] {
            assert_eq!(
                write(Some(name), &(&deep, &binary), Bytes::copy_from_slice).expect("written").1.len(),
                1,
                "{name}"
            );
        }
    }
}
