//! What it is: the arguments of an event or an ack, as they came: JSON with binary beside it.
//! What it is not: packets; those have a header (`packet`). It writes nothing; that is `list`.
//! Who calls it: `decoder` and `msgpack` split lists, extractors and `emit_with_ack` take typed values out.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use engineio::ByteString;
use serde::{
    Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, SeqAccess, Visitor, value::SeqDeserializer},
    ser::{Error, SerializeTuple},
};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::{
    error::{DecodeError, EmitError},
    limits::Limits,
    list,
    shape::{self, Shape},
    value::{Value, WithAttachments},
};

/// The arguments of an event or an ack, as they came. They can be read as types, or sent on as they are.
/// Clones share them.
#[derive(Clone, Default)]
pub struct Args {
    shared: Arc<Shared>,
    /// How many items at its beginning are none of them, as the name of an event is.
    skipped: usize,
}

/// The items of a list, as they came.
#[derive(Clone, Default)]
struct Shared {
    /// Has the JSON of each item somewhere in it: it is the packet, or was made for them.
    text: ByteString,
    items: Items,
    /// What placeholders in the items stand for.
    attachments: Vec<Bytes>,
}

/// Where in a text the items of a list are, in their order.
type Items = SmallVec<[Range<usize>; 4]>;

impl Args {
    fn of(text: ByteString, items: Items, attachments: Vec<Bytes>) -> Self {
        Self { shared: Arc::new(Shared { text, items, attachments }), skipped: 0 }
    }

    /// Splits a JSON array, which is somewhere in this text, into its items.
    pub(crate) fn parse(text: &ByteString, list: &str, limits: &Limits) -> Result<Self, DecodeError> {
        // A blank before it would be valid JSON, but is no packet.
        if !list.starts_with('[') || !is_within(list, limits) {
            return Err(DecodeError::Payload);
        }
        let mut reader = serde_json::Deserializer::from_str(list);
        let items = Splitter { text, max: limits.max_args }.deserialize(&mut reader);
        let items = items.and_then(|items| reader.end().map(|()| items)).map_err(|_| DecodeError::Payload)?;
        Ok(Self::of(text.clone(), items, Vec::new()))
    }

    /// The same with attachments, which placeholders stand for.
    pub(crate) fn attach(self, attachments: Vec<Bytes>) -> Result<Self, DecodeError> {
        if attachments.is_empty() {
            return Ok(self);
        }
        let shared = Arc::new(Shared { attachments, ..Arc::unwrap_or_clone(self.shared) });
        let args = Self { shared, ..self };
        (0..args.len()).try_for_each(|at| args.value(at).map(drop)).map_err(|_| DecodeError::Placeholder)?;
        Ok(args)
    }

    /// Arguments from the text of a JSON array, one from each item; none of them binary.
    ///
    /// # Errors
    /// [`DecodeError::Payload`], when the text is no JSON array, or one that by [`Limits::default`] no packet may hold.
    pub fn from_json(json: &str) -> Result<Self, DecodeError> {
        Self::from_parts(json, Vec::new(), &Limits::default())
    }

    /// Arguments from the text of a JSON array, in which placeholders, `{"_placeholder":true,"num":0}`, stand for the
    /// attachments of that position; without attachments these are data like any other. For a
    /// [`CustomParser`](crate::CustomParser).
    ///
    /// # Errors
    /// [`DecodeError`], when the text is no JSON array within these bounds, or a placeholder names no attachment.
    pub fn from_parts(json: &str, attachments: Vec<Bytes>, limits: &Limits) -> Result<Self, DecodeError> {
        let text = ByteString::from(json);
        Self::parse(&text, &text, limits)?.attach(attachments)
    }

    /// Arguments that are in these places of a text, JSON within the bounds, and whose placeholders name these
    /// attachments.
    #[cfg(feature = "msgpack")]
    pub(crate) fn new(text: ByteString, items: impl Iterator<Item = Range<usize>>, attachments: Vec<Bytes>) -> Self {
        Self::of(text, items.collect(), attachments)
    }

    /// The same in memory of its own, but for attachments.
    pub(crate) fn copied(self) -> Self {
        let (mut text, mut items) = (String::new(), Items::new());
        for item in self.iter() {
            items.push(text.len()..text.len() + item.len());
            text.push_str(item);
        }
        Self::of(text.into(), items, self.shared.attachments.clone())
    }

    /// Bytes of all arguments, attachments included.
    pub(crate) fn size(&self) -> usize {
        self.iter().map(str::len).chain(self.attachments().iter().map(Bytes::len)).sum()
    }

    /// Takes the first item away: the name of an event, which is read from the text and its place in it.
    pub(crate) fn take_first<R>(&mut self, read: impl FnOnce(&ByteString, &str) -> R) -> Option<R> {
        let first = read(&self.shared.text, self.iter().next()?);
        self.skipped += 1;
        Some(first)
    }

    /// The JSON of each argument.
    fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.shared.items[self.skipped..].iter().map(|item| &self.shared.text[item.clone()])
    }

    /// Number of arguments.
    pub fn len(&self) -> usize {
        self.shared.items.len() - self.skipped
    }

    /// Whether there is no argument.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the arguments as one type: a tuple or an array takes as many arguments as it has fields, any other
    /// type takes the first. Missing arguments are `null`, further ones are left out.
    ///
    /// # Errors
    /// When they are not of that type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match shape::of_type::<T>() {
            Shape::None => T::deserialize(().into_deserializer()),
            Shape::One => self.get(0),
            Shape::Several(count) if self.attachments().is_empty() => {
                let raw: Vec<&RawValue> =
                    (0..count).map(|at| serde_json::from_str(self.json(at))).collect::<Result<_, _>>()?;
                T::deserialize(SeqDeserializer::new(raw.into_iter()))
            }
            Shape::Several(count) => {
                let values: Vec<Value> = (0..count).map(|at| self.value(at)).collect::<Result<_, _>>()?;
                T::deserialize(SeqDeserializer::new(values.into_iter()))
            }
        }
    }

    /// Reads one argument; a missing one is `null`.
    ///
    /// # Errors
    /// When it is not of that type.
    pub fn get<T: DeserializeOwned>(&self, at: usize) -> Result<T, serde_json::Error> {
        if self.attachments().is_empty() {
            serde_json::from_str(self.json(at))
        } else {
            T::deserialize(self.value(at)?)
        }
    }

    /// The text of all arguments as one JSON array, in which placeholders, `{"_placeholder":true,"num":0}`, stand for
    /// the [attachments](Self::attachments) of that position.
    pub fn to_json(&self) -> String {
        let items: Vec<&str> = self.iter().collect();
        format!("[{}]", items.join(","))
    }

    /// What the placeholders stand for.
    pub fn attachments(&self) -> &[Bytes] {
        &self.shared.attachments
    }

    /// All but the first `count` arguments.
    pub fn skip(self, count: usize) -> Self {
        Self { skipped: self.skipped + count.min(self.len()), ..self }
    }

    fn json(&self, at: usize) -> &str {
        self.iter().nth(at).unwrap_or("null")
    }

    fn value(&self, at: usize) -> Result<Value, serde_json::Error> {
        WithAttachments(self.attachments()).deserialize(&mut serde_json::Deserializer::from_str(self.json(at)))
    }
}

impl PartialEq for Args {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter()) && self.attachments() == other.attachments()
    }
}

impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<&str> = self.iter().collect();
        f.debug_struct("Args").field("items", &items).field("attachments", &self.attachments()).finish()
    }
}

/// Finds the items of an array in this text, so many at most: one more is an error, so that no list of all is made.
struct Splitter<'a> {
    text: &'a str,
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Splitter<'_> {
    type Value = Items;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Items, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Splitter<'_> {
    type Value = Items;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of {} items at most", self.max)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
        let mut items = Items::new();
        while let Some(item) = seq.next_element::<&RawValue>()? {
            if items.len() == self.max {
                return Err(de::Error::invalid_length(self.max + 1, &self));
            }
            // Borrowed, it is a part of the text.
            let start = item.get().as_ptr().addr() - self.text.as_ptr().addr();
            items.push(start..start + item.get().len());
        }
        Ok(items)
    }
}

/// What an answer can be read as: any type by the rules of [`Args::read`], or [`Args`] as they came.
pub trait FromArgs: Sized {
    /// Reads the arguments.
    ///
    /// # Errors
    /// When they are not of that type.
    fn from_args(args: Args) -> Result<Self, serde_json::Error>;
}

impl<T: DeserializeOwned> FromArgs for T {
    fn from_args(args: Args) -> Result<Self, serde_json::Error> {
        args.read()
    }
}

impl FromArgs for Args {
    fn from_args(args: Args) -> Result<Self, serde_json::Error> {
        Ok(args)
    }
}

/// As arguments, one by one: what came can be emitted as it is.
impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.len())?;
        for (at, json) in self.iter().enumerate() {
            if self.attachments().is_empty() {
                let raw: &RawValue = serde_json::from_str(json).map_err(S::Error::custom)?;
                tuple.serialize_element(raw)?;
            } else {
                tuple.serialize_element(&self.value(at).map_err(S::Error::custom)?)?;
            }
        }
        tuple.end()
    }
}

/// Whether a JSON text is nested no deeper, and its numbers are no longer, than they may; in one pass and without
/// recursion.
fn is_within(json: &str, limits: &Limits) -> bool {
    // Too short for either: that is nearly every event.
    if json.len() <= limits.max_number.min(limits.max_depth.saturating_mul(2)) {
        return true;
    }
    let (mut depth, mut number) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        let is_number = !in_string && matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        number = if is_number { number + 1 } else { 0 };
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits.max_depth || number > limits.max_number {
            return false;
        }
    }
    true
}

/// Arguments as whoever receives them gets them.
pub(crate) fn received<T: Serialize + ?Sized>(args: &T) -> Result<Args, EmitError> {
    let (list, attachments) = list::write(None, args, Bytes::copy_from_slice)?;
    Ok(of_list(list, attachments)?)
}

/// The arguments in the list of an event of ours, behind its name.
pub(crate) fn of_event(list: &str, attachments: Vec<Bytes>) -> Args {
    of_list(list.into(), attachments).expect("an event of ours is a JSON array").skip(1)
}

/// What is in a list of ours, which may be as long as it wants. An error is the application's: what it has written
/// says by itself how, and that may be no JSON.
fn of_list(list: String, attachments: Vec<Bytes>) -> Result<Args, serde_json::Error> {
    let text = ByteString::from(list);
    let splitter = Splitter { text: &text, max: usize::MAX };
    let items = splitter.deserialize(&mut serde_json::Deserializer::from_str(&text))?;
    Ok(Args::of(text, items, attachments))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn written<T: Serialize + ?Sized>(args: &T) -> Result<(String, Vec<Bytes>), EmitError> {
        list::write(None, args, Bytes::copy_from_slice)
    }

    fn parse(json: &str) -> Result<Args, DecodeError> {
        Args::from_json(json)
    }

    #[test]
    fn arguments_are_read_as_types() {
        let args = parse(r#"["a", 1 ,[2,3],null]"#).expect("arguments");
        assert_eq!(args.len(), 4);
        assert_eq!(args.read::<String>().expect("one"), "a");
        assert_eq!(args.read::<(String, u8)>().expect("two"), ("a".into(), 1));
        assert_eq!(args.get::<Vec<u8>>(2).expect("a list"), [2, 3]);
        assert_eq!(args.get::<Option<u8>>(7).expect("missing"), None);
        args.read::<()>().expect("none");
        let (_, _, _, _, more): (String, u8, Vec<u8>, (), Option<u8>) = args.read().expect("five");
        assert_eq!(more, None);
        assert!(args.read::<u8>().is_err());
        assert!(args.read::<(String, String)>().is_err());
    }

    #[test]
    fn numbers_are_read_to_the_last_bit() {
        let json = "[900719007199254740993,0.6900000000000001,1.7976931348623157e308]";
        let numbers = [900_719_007_199_254_740_993.0, 0.690_000_000_000_000_1, f64::MAX];
        assert_eq!(parse(json).expect("arguments").read::<[f64; 3]>().expect("numbers"), numbers);
        let beside_binary = Args::from_parts(json, vec![Bytes::new()], &Limits::default()).expect("arguments");
        assert_eq!(beside_binary.read::<[f64; 3]>().expect("numbers"), numbers);
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for json in ["", "{}", "null", "\"x\"", "[", "[1,]", "[1]x", "[NaN]", "[\"\u{1}\"]"] {
            assert_eq!(parse(json), Err(DecodeError::Payload), "{json}");
        }
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(128)).is_ok());
        assert_eq!(parse(&nested(129)), Err(DecodeError::Payload));
        assert_eq!(parse(&"[".repeat(900_000)), Err(DecodeError::Payload));
        let quoted = format!(r#"["{}\"{}"]"#, "[".repeat(200), "{".repeat(200));
        assert!(parse(&quoted).is_ok());
        let many = |count| format!("[{}]", vec!["1"; count].join(","));
        assert!(parse(&many(1024)).is_ok());
        assert_eq!(parse(&many(1025)), Err(DecodeError::Payload));
    }

    #[test]
    fn what_came_is_sent_on_as_it_is() {
        let args = parse(r#"[12345678901234567890123,"\ud800",{"b":1,"a":1.0}]"#).expect("arguments");
        assert_eq!(written(&args).expect("written").0, r#"[12345678901234567890123,"\ud800",{"b":1,"a":1.0}]"#);
        let json = r#"[{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]"#;
        let args = Args::from_parts(json, vec![Bytes::from_static(b"0"), Bytes::from_static(b"1")], &Limits::default());
        let args = args.expect("args");
        let (json, attachments) = written(&args).expect("written");
        assert_eq!(json, r#"[{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#);
        assert_eq!(attachments, ["1", "0"]);
    }

    #[test]
    fn what_an_application_writes_that_is_no_json_is_an_error() {
        let raw = [("$serde_json::private::RawValue", "no JSON")].into_iter();
        let raw = Box::<RawValue>::deserialize(de::value::MapDeserializer::<_, serde_json::Error>::new(raw));
        assert!(matches!(received(&raw.expect("not looked at")), Err(EmitError::Encode(_))));
    }

    #[test]
    fn numbers_are_bounded_and_text_is_not() {
        let (longest, longer) = ("1".repeat(512), format!("-{}.5e7", "1".repeat(508)));
        assert!(parse(&format!("[{longest},{longest}]")).is_ok());
        assert_eq!(parse(&format!("[{longer}]")), Err(DecodeError::Payload));
        assert_eq!(parse(&format!("[{{\"a\":{longest}0}}]")), Err(DecodeError::Payload));
        assert!(parse(&format!("[\"\\\"{longest}{longest}\"]")).is_ok());
    }
}
