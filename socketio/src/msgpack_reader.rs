//! What it is: MessagePack read token by token, and values of it written as JSON with binary beside it.
//! What it is not: packets (`msgpack`), nor a tree of values: what is made is text of six times the length at most.
//! Who calls it: `msgpack`, `msgpack_json`.

use std::io::Write;

use bytes::Bytes;
use rmp::Marker;

use crate::{decoder::is_wasteful, error::DecodeError, limits::Limits, value::PLACEHOLDER};

/// The type of the extensions by which `notepack.io` writes what MessagePack has no type for.
const NOTEPACK: i8 = 0;

/// The type of the extension that MessagePack has for times.
const TIMESTAMP: i8 = -1;

/// The next value, or how the next list or map begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    /// `undefined` of JavaScript: `d4 00` and one more byte.
    Undefined,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
    /// Also an `ArrayBuffer`: an extension of type 0.
    Binary(&'a [u8]),
    /// A `Date` of JavaScript, in milliseconds since 1970: `d7 00` and eight bytes.
    Date(i64),
    /// Any other extension, with its type.
    Extension(i8, &'a [u8]),
    /// So many values follow.
    Array(usize),
    /// So many keys, each with its value, follow.
    Map(usize),
}

/// Reads tokens, and has what is left of the bytes. Lengths are compared with that before they are believed.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// # Errors
    /// [`DecodeError::Payload`], when there is no whole token, or a text is no UTF-8.
    pub(crate) fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let [marker] = self.take()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(number) => Token::Unsigned(number.into()),
            Marker::FixNeg(number) => Token::Signed(number.into()),
            Marker::U8 => Token::Unsigned(u8::from_be_bytes(self.take()?).into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.take()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.take()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.take()?)),
            Marker::I8 => Token::Signed(i8::from_be_bytes(self.take()?).into()),
            Marker::I16 => Token::Signed(i16::from_be_bytes(self.take()?).into()),
            Marker::I32 => Token::Signed(i32::from_be_bytes(self.take()?).into()),
            Marker::I64 => Token::Signed(i64::from_be_bytes(self.take()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.take()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.take()?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => self.length8().and_then(|length| self.text(length))?,
            Marker::Str16 => self.length16().and_then(|length| self.text(length))?,
            Marker::Str32 => self.length32().and_then(|length| self.text(length))?,
            Marker::Bin8 => Token::Binary(self.length8().and_then(|length| self.bytes(length))?),
            Marker::Bin16 => Token::Binary(self.length16().and_then(|length| self.bytes(length))?),
            Marker::Bin32 => Token::Binary(self.length32().and_then(|length| self.bytes(length))?),
            Marker::FixArray(count) => self.array(count.into())?,
            Marker::Array16 => self.length16().and_then(|count| self.array(count))?,
            Marker::Array32 => self.length32().and_then(|count| self.array(count))?,
            Marker::FixMap(count) => self.map(count.into())?,
            Marker::Map16 => self.length16().and_then(|count| self.map(count))?,
            Marker::Map32 => self.length32().and_then(|count| self.map(count))?,
            Marker::FixExt1 => match self.extension(1)? {
                (NOTEPACK, _) => Token::Undefined,
                (kind, data) => Token::Extension(kind, data),
            },
            Marker::FixExt8 => match self.extension(8)? {
                (NOTEPACK, data) => Token::Date(i64::from_be_bytes(data.try_into().expect("8 bytes were taken"))),
                (kind, data) => Token::Extension(kind, data),
            },
            Marker::FixExt2 => self.extension(2).map(|(kind, data)| Token::Extension(kind, data))?,
            Marker::FixExt4 => self.extension(4).map(|(kind, data)| Token::Extension(kind, data))?,
            Marker::FixExt16 => self.extension(16).map(|(kind, data)| Token::Extension(kind, data))?,
            Marker::Ext8 => self.length8().and_then(|length| self.array_buffer(length))?,
            Marker::Ext16 => self.length16().and_then(|length| self.array_buffer(length))?,
            Marker::Ext32 => self.length32().and_then(|length| self.array_buffer(length))?,
            Marker::Reserved => return Err(DecodeError::Payload),
        })
    }

    /// Passes over one value with all that is in it, however deep, and returns its bytes.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.rest;
        // Never more than there are bytes, as each list and map was found to have room for what it announces.
        let mut due = 1_usize;
        while due > 0 {
            due -= 1;
            due += match self.token()? {
                Token::Array(count) => count,
                Token::Map(count) => 2 * count,
                _ => 0,
            };
            self.has_room(due)?;
        }
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Passes over the next value if it is `undefined`.
    fn skip_undefined(&mut self) -> bool {
        let mut ahead = self.clone();
        let is_undefined = ahead.token() == Ok(Token::Undefined);
        if is_undefined {
            *self = ahead;
        }
        is_undefined
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Payload)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Payload)?;
        self.rest = rest;
        Ok(taken)
    }

    fn length8(&mut self) -> Result<usize, DecodeError> {
        Ok(u8::from_be_bytes(self.take()?).into())
    }

    fn length16(&mut self) -> Result<usize, DecodeError> {
        Ok(u16::from_be_bytes(self.take()?).into())
    }

    fn length32(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(u32::from_be_bytes(self.take()?)).map_err(|_| DecodeError::Payload)
    }

    fn text(&mut self, length: usize) -> Result<Token<'a>, DecodeError> {
        str::from_utf8(self.bytes(length)?).map(Token::Text).map_err(|_| DecodeError::Payload)
    }

    fn extension(&mut self, length: usize) -> Result<(i8, &'a [u8]), DecodeError> {
        Ok((i8::from_be_bytes(self.take()?), self.bytes(length)?))
    }

    fn array_buffer(&mut self, length: usize) -> Result<Token<'a>, DecodeError> {
        Ok(match self.extension(length)? {
            (NOTEPACK, data) => Token::Binary(data),
            (kind, data) => Token::Extension(kind, data),
        })
    }

    fn array(&self, count: usize) -> Result<Token<'a>, DecodeError> {
        self.has_room(count).map(|()| Token::Array(count))
    }

    fn map(&self, count: usize) -> Result<Token<'a>, DecodeError> {
        self.has_room(count.saturating_mul(2)).map(|()| Token::Map(count))
    }

    /// Each value takes a byte at least.
    fn has_room(&self, values: usize) -> Result<(), DecodeError> {
        if values > self.rest.len() { Err(DecodeError::Payload) } else { Ok(()) }
    }
}

/// Values as JSON, one behind the other, with placeholders for what is binary in them.
#[derive(Debug)]
pub(crate) struct Json<'a> {
    source: &'a Bytes,
    limits: &'a Limits,
    text: Vec<u8>,
    attachments: Vec<Bytes>,
    attachment_bytes: usize,
    /// Whether there are data that look like a placeholder.
    has_lookalike: bool,
    /// Whether timestamps are dates; the official clients' parser takes them for extensions that it does not know.
    has_timestamps: bool,
}

/// A list or a map whose items are being written: how many are to come.
struct Open {
    left: usize,
    is_map: bool,
}

impl<'a> Json<'a> {
    /// Nothing yet; what is binary will be slices of `source`.
    pub(crate) fn new(source: &'a Bytes, limits: &'a Limits) -> Self {
        Self {
            source,
            limits,
            text: Vec::new(),
            attachments: Vec::new(),
            attachment_bytes: 0,
            has_lookalike: false,
            has_timestamps: false,
        }
    }

    /// Reads timestamps as dates.
    pub(crate) fn with_timestamps(self) -> Self {
        Self { has_timestamps: true, ..self }
    }

    /// Bytes of text so far.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text, and the attachments in the order of their placeholders.
    pub(crate) fn finish(self) -> Result<(String, Vec<Bytes>), DecodeError> {
        if self.has_lookalike && !self.attachments.is_empty() {
            return Err(DecodeError::Placeholder);
        }
        let mut attachments = self.attachments;
        if is_wasteful(self.source.len(), self.attachment_bytes) {
            attachments.iter_mut().for_each(|data| *data = Bytes::copy_from_slice(data));
        }
        Ok((String::from_utf8(self.text).expect("made of texts"), attachments))
    }

    /// Writes the next value, without recursion.
    ///
    /// # Errors
    /// [`DecodeError::Payload`], when it is none, or nested too deeply; or what passes a limit on attachments.
    pub(crate) fn value(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            match reader.token()? {
                Token::Array(left) => {
                    self.text.push(b'[');
                    open.push(Open { left, is_map: false });
                }
                Token::Map(left) => {
                    self.text.push(b'{');
                    open.push(Open { left, is_map: true });
                }
                leaf => self.leaf(leaf)?,
            }
            // The list of arguments around it counts.
            if open.len() >= self.limits.max_depth {
                return Err(DecodeError::Payload);
            }
            if !self.advance(&mut open, reader)? {
                return Ok(());
            }
        }
    }

    /// Goes to where the next value is due, past the ends of lists and maps. Says whether there is one.
    fn advance(&mut self, open: &mut Vec<Open>, reader: &mut Reader<'a>) -> Result<bool, DecodeError> {
        while let Some(inner) = open.last_mut() {
            if inner.left == 0 {
                self.text.push(if inner.is_map { b'}' } else { b']' });
                open.pop();
                continue;
            }
            inner.left -= 1;
            let end = self.text.len();
            // No value ends like this.
            if !self.text.ends_with(b"[") && !self.text.ends_with(b"{") {
                self.text.push(b',');
            }
            if inner.is_map {
                self.key(reader)?;
                if reader.skip_undefined() {
                    self.text.truncate(end);
                    continue;
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// A text, or a whole number as text, as JavaScript has it.
    fn key(&mut self, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match reader.token()? {
            Token::Text(key) => {
                let is_true = reader.rest.first() == Some(&Marker::True.to_u8());
                self.has_lookalike |= key == PLACEHOLDER && is_true;
                self.write(key);
            }
            Token::Unsigned(key) => self.write(&key.to_string()),
            Token::Signed(key) => self.write(&key.to_string()),
            _ => return Err(DecodeError::Payload),
        }
        self.text.push(b':');
        Ok(())
    }

    fn leaf(&mut self, leaf: Token<'a>) -> Result<(), DecodeError> {
        match leaf {
            Token::Bool(value) => self.write(&value),
            Token::Unsigned(value) => self.write(&value),
            Token::Signed(value) => self.write(&value),
            // NaN and the infinities are `null`, as in `JSON.stringify`.
            Token::Float(value) => self.write(&value),
            Token::Text(value) => self.write(value),
            Token::Date(milliseconds) => self.write(&iso_date(milliseconds)),
            Token::Binary(data) => self.binary(data)?,
            Token::Extension(TIMESTAMP, data) if self.has_timestamps => {
                let date = timestamp(data).ok_or(DecodeError::Payload)?;
                self.write(&iso_date(date));
            }
            // What `notepack.io` makes of it: a list of both.
            Token::Extension(kind, data) => {
                self.text.push(b'[');
                self.write(&kind);
                self.text.push(b',');
                self.binary(data)?;
                self.text.push(b']');
            }
            Token::Nil | Token::Undefined | Token::Array(_) | Token::Map(_) => self.write(&()),
        }
        Ok(())
    }

    fn binary(&mut self, data: &[u8]) -> Result<(), DecodeError> {
        if self.attachments.len() >= self.limits.max_attachments {
            return Err(DecodeError::Attachments);
        }
        // All of them are in one message.
        self.attachment_bytes += data.len();
        if self.attachment_bytes > self.limits.max_attachment_bytes {
            return Err(DecodeError::AttachmentBytes);
        }
        write!(self.text, r#"{{"{PLACEHOLDER}":true,"num":{}}}"#, self.attachments.len()).expect("memory takes all");
        self.attachments.push(self.source.slice_ref(data));
        Ok(())
    }

    fn write<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        serde_json::to_writer(&mut self.text, value).expect("texts, numbers and nothing are JSON");
    }
}

/// The milliseconds of a timestamp in any of its three forms (MessagePack, "Timestamp extension type").
fn timestamp(data: &[u8]) -> Option<i64> {
    let (seconds, nanoseconds) = match *data {
        [a, b, c, d] => (u32::from_be_bytes([a, b, c, d]).into(), 0),
        [a, b, c, d, e, f, g, h] => {
            let both = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            ((both & 0x3_ffff_ffff) as i64, both >> 34)
        }
        [a, b, c, d, ref seconds @ ..] => {
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes([a, b, c, d]).into())
        }
        _ => return None,
    };
    Some(seconds.saturating_mul(1000).saturating_add_unsigned(nanoseconds / 1_000_000))
}

/// What `Date.prototype.toISOString` gives; `None` for what is no date there.
fn iso_date(milliseconds: i64) -> Option<String> {
    const DAY: i64 = 86_400_000;
    /// ECMA-262, "Time Values and Time Range".
    const MAX: u64 = 8_640_000_000_000_000;
    if milliseconds.unsigned_abs() > MAX {
        return None;
    }
    let (days, time) = (milliseconds.div_euclid(DAY), milliseconds.rem_euclid(DAY));
    // Days since the first of March of the year 0; 400 years have 146,097 of them.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let (hours, minutes) = (time / 3_600_000, time / 60_000 % 60);
    let (seconds, milliseconds) = (time / 1000 % 60, time % 1000);
    Some(format!("{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z"))
}
