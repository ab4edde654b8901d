//! What it is: the bytes of a WebSocket put together to messages (RFC 6455, section 5; RFC 7692).
//! What it is not: I/O or time, nor the answers to what it finds (`websocket`). Frame headers are tungstenite's.
//! Who calls it: `websocket`, with what one read brought. The fuzzer.
//!
//! ```text
//!            header whole, payload to come
//!   Header ------------------------------> Payload
//!      ^                                      |  last byte of a fragment that is not the last one: kept
//!      +--------------------------------------+  last byte of a ping, pong, close, or message: a unit
//! ```

use std::{io::Cursor, mem};

use bytes::Bytes;
use bytestring::ByteString;
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use crate::{
    config::Config,
    deflate::Inflate,
    extension::Agreed,
    packet::Message,
    reason::TransportFault::{self, Fragments, Frame, TooLarge, Utf8},
};

/// The longest header: two bytes, a length of eight, and a mask of four.
const MAX_HEADER: usize = 14;

/// The longest payload of a ping, pong or close (RFC 6455, section 5.5).
const MAX_CONTROL: usize = 125;

/// What a client sent, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// A message, put together and decompressed.
    Message(Message),
    /// A ping with its payload.
    Ping(Bytes),
    /// A pong, whatever its payload.
    Pong,
    /// A close with its payload: nothing, or a code and a reason.
    Close(Bytes),
}

/// Puts messages together. Between two messages it owns no heap, unless the client keeps its compression context.
///
/// ```
/// use engineio::{
///     Config, Message,
///     reader::{Compressed, Reader, Unit},
/// };
///
/// let mut reader = Reader::new(&Config::default(), Compressed::Never);
/// let (mut first, mut second) = (*b"\x81\x85\0\0\0\0he", *b"llo");
/// assert_eq!(reader.read(&mut first.as_mut_slice()), Ok(None));
/// assert_eq!(reader.read(&mut second.as_mut_slice()), Ok(Some(Unit::Message(Message::Text("hello".into())))));
/// ```
#[derive(Debug)]
pub struct Reader {
    max_payload: usize,
    max_fragments: u32,
    compressed: Compressed,
    /// What the client's messages so far left for the next one, if they are continued.
    context: Option<Inflate>,
    state: State,
    /// What came of a ping, pong or close.
    control: Vec<u8>,
    /// What came of a message.
    message: Option<Partial>,
}

/// Whether the client's messages may be compressed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressed {
    /// They may not: compression was not agreed on.
    Never,
    /// Each on its own.
    Alone,
    /// Each with those before it in mind.
    Continued,
}

#[derive(Debug)]
enum State {
    /// The bytes of the next header that came so far, and their number.
    Header([u8; MAX_HEADER], usize),
    Payload(Payload),
}

/// A frame whose payload is being read.
#[derive(Debug)]
struct Payload {
    opcode: OpCode,
    /// Whether the message ends with it.
    last: bool,
    /// Turned so that its first byte is for the next byte to come.
    mask: [u8; 4],
    /// Bytes to come.
    left: usize,
}

/// A message of which something came.
#[derive(Debug)]
struct Partial {
    text: bool,
    /// For a compressed message.
    inflate: Option<Inflate>,
    data: Vec<u8>,
    /// Bytes of a text that are known to be UTF-8.
    checked: usize,
    fragments: u32,
}

impl Reader {
    /// A reader of what comes behind the handshake. Of the options, `max_payload` and `max_fragments` count.
    pub fn new(config: &Config, compressed: Compressed) -> Self {
        Self {
            max_payload: config.max_payload,
            max_fragments: config.max_fragments,
            compressed,
            context: None,
            state: State::Header([0; MAX_HEADER], 0),
            control: Vec::new(),
            message: None,
        }
    }

    /// Whether something came that is not whole yet.
    pub fn is_unfinished(&self) -> bool {
        self.message.is_some() || !matches!(self.state, State::Header(_, 0))
    }

    /// Bytes of memory kept for what is not whole yet, compression contexts left out: at most twice what came of it,
    /// decompressed, and some hundreds.
    pub fn capacity(&self) -> usize {
        self.control.capacity() + self.message.as_ref().map_or(0, |message| message.data.capacity())
    }

    /// Reads the next unit, and takes what it read from `input`, whose bytes are unmasked in place.
    /// `None` when the input ends before a unit does; the next one goes on from there.
    ///
    /// # Errors
    /// What the client did wrong. Nothing can be read after that.
    pub fn read(&mut self, input: &mut &mut [u8]) -> Result<Option<Unit>, TransportFault> {
        loop {
            let payload = match &mut self.state {
                State::Header(bytes, length) => match read_header(bytes, length, input)? {
                    None => return Ok(None),
                    Some((header, size, length)) => {
                        let payload = self.begin(&header, size, length)?;
                        self.state = State::Payload(payload);
                        continue;
                    }
                },
                State::Payload(payload) => payload,
            };
            if input.is_empty() && payload.left > 0 {
                return Ok(None);
            }
            let length = payload.left.min(input.len());
            let (chunk, rest) = mem::take(input).split_at_mut(length);
            *input = rest;
            payload.unmask(chunk);
            if let Some(unit) = self.take(chunk)? {
                return Ok(Some(unit));
            }
        }
    }

    /// Checks a header against the rules, and against what may be sent here, before any of its payload is read.
    fn begin(&mut self, header: &FrameHeader, size: usize, length: u64) -> Result<Payload, TransportFault> {
        // Section 5.1: a client masks. Section 5.2: reserved bits stay zero, and lengths are as short as can be.
        let mask = header.mask.ok_or(Frame)?;
        let shortest = match length {
            0..=125 => 6,
            126..=0xffff => 8,
            _ => MAX_HEADER,
        };
        if header.rsv2 || header.rsv3 || size != shortest {
            return Err(Frame);
        }
        let compressed = header.rsv1;
        let room = match header.opcode {
            // Section 5.5: control frames are short and not fragmented.
            OpCode::Control(_) if compressed || !header.is_final || length > MAX_CONTROL as u64 => return Err(Frame),
            OpCode::Control(_) => MAX_CONTROL,
            // Section 5.4: a continuation follows a fragment, and only a continuation does.
            OpCode::Data(Data::Continue) => {
                let message = self.message.as_mut().filter(|_| !compressed).ok_or(Frame)?;
                message.fragments += 1;
                if message.fragments > self.max_fragments {
                    return Err(Fragments);
                }
                if message.inflate.is_some() { self.max_payload } else { self.max_payload - message.data.len() }
            }
            OpCode::Data(kind) => {
                if self.message.is_some() {
                    return Err(Frame);
                }
                let inflate = if compressed { Some(self.inflate()?) } else { None };
                let text = kind == Data::Text;
                self.message = Some(Partial { text, inflate, data: Vec::new(), checked: 0, fragments: 1 });
                self.max_payload
            }
        };
        let left = usize::try_from(length).ok().filter(|length| *length <= room).ok_or(TooLarge)?;
        Ok(Payload { opcode: header.opcode, last: header.is_final, mask, left })
    }

    /// Takes the next bytes of a payload. Returns the unit that they complete.
    fn take(&mut self, chunk: &[u8]) -> Result<Option<Unit>, TransportFault> {
        let State::Payload(payload) = &self.state else { return Ok(None) };
        let (opcode, left) = (payload.opcode, payload.left);
        let complete = left == 0 && payload.last;
        if left == 0 {
            self.state = State::Header([0; MAX_HEADER], 0);
        }
        let message = match (opcode, &mut self.message) {
            (OpCode::Data(_), Some(message)) => message,
            (opcode, _) => {
                self.control.extend_from_slice(chunk);
                return if complete { control(opcode, mem::take(&mut self.control)).map(Some) } else { Ok(None) };
            }
        };
        // The usual message, whole in one frame and one read, is copied once.
        if complete && message.data.is_empty() && message.inflate.is_none() {
            let text = message.text;
            self.message = None;
            return if text {
                let text = str::from_utf8(chunk).map_err(|_| Utf8)?;
                Ok(Some(Unit::Message(Message::Text(text.into()))))
            } else {
                Ok(Some(Unit::Message(Message::Binary(Bytes::copy_from_slice(chunk)))))
            };
        }
        message.push(chunk, left, self.max_payload)?;
        if !complete {
            return Ok(None);
        }
        let Some(mut message) = self.message.take() else { return Ok(None) };
        if let Some(mut inflate) = message.inflate.take() {
            inflate.finish(&mut message.data, self.max_payload)?;
            self.keep(inflate);
        }
        message.finish().map(|message| Some(Unit::Message(message)))
    }

    /// What a compressed message is read with; an error where there may be none.
    fn inflate(&mut self) -> Result<Inflate, TransportFault> {
        match self.compressed {
            Compressed::Never => Err(Frame),
            Compressed::Alone | Compressed::Continued => Ok(self.context.take().unwrap_or_default()),
        }
    }

    /// What a compressed message was read with is for the next one, of this client or of another.
    fn keep(&mut self, inflate: Inflate) {
        if self.compressed == Compressed::Continued {
            self.context = Some(inflate);
        } else {
            inflate.give_back();
        }
    }
}

impl Payload {
    fn unmask(&mut self, chunk: &mut [u8]) {
        self.left -= chunk.len();
        let (words, rest) = chunk.as_chunks_mut::<4>();
        let mask = u32::from_ne_bytes(self.mask);
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ mask).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        let turned = rest.len();
        self.mask.rotate_left(turned);
    }
}

impl Compressed {
    pub(crate) fn by(agreed: &Agreed) -> Self {
        if agreed.client_takeover { Self::Continued } else { Self::Alone }
    }
}

impl Partial {
    fn push(&mut self, chunk: &[u8], left: usize, limit: usize) -> Result<(), TransportFault> {
        match &mut self.inflate {
            Some(inflate) => inflate.run(chunk, &mut self.data, limit)?,
            None => {
                // Doubled at most, and not past the frame's end: what is announced is not what came.
                if self.data.capacity() - self.data.len() < chunk.len() {
                    let more = self.data.len().max(chunk.len()).min(chunk.len() + left);
                    self.data.reserve_exact(more);
                }
                self.data.extend_from_slice(chunk);
            }
        }
        self.check()
    }

    /// Fails at the first byte of a text that cannot be UTF-8, whatever follows.
    fn check(&mut self) -> Result<(), TransportFault> {
        if !self.text {
            return Ok(());
        }
        match str::from_utf8(&self.data[self.checked..]) {
            Ok(_) => self.checked = self.data.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Utf8),
        }
        Ok(())
    }

    /// The message, all of whose bytes came.
    fn finish(self) -> Result<Message, TransportFault> {
        if self.text {
            return ByteString::try_from(Bytes::from(self.data)).map(Message::Text).map_err(|_| Utf8);
        }
        Ok(Message::Binary(self.data.into()))
    }
}

/// Reads on in a header; returns it with its own size and that of its payload, once it is whole.
fn read_header(
    bytes: &mut [u8; MAX_HEADER],
    length: &mut usize,
    input: &mut &mut [u8],
) -> Result<Option<(FrameHeader, usize, u64)>, TransportFault> {
    let copied = input.len().min(MAX_HEADER - *length);
    bytes[*length..*length + copied].copy_from_slice(&input[..copied]);
    let mut cursor = Cursor::new(&bytes[..*length + copied]);
    let header = FrameHeader::parse(&mut cursor).map_err(|_| Frame)?;
    let size = cursor.position() as usize;
    let consumed = if header.is_some() { size - *length } else { copied };
    *length += consumed;
    *input = &mut mem::take(input)[consumed..];
    Ok(header.map(|(header, length)| (header, size, length)))
}

/// A ping, pong or close whose payload is whole.
fn control(opcode: OpCode, payload: Vec<u8>) -> Result<Unit, TransportFault> {
    match opcode {
        OpCode::Control(Control::Ping) => Ok(Unit::Ping(payload.into())),
        OpCode::Control(Control::Close) => {
            match payload.split_at_checked(2) {
                None if payload.is_empty() => {}
                Some((code, reason)) if may_be_sent(u16::from_be_bytes([code[0], code[1]])) => {
                    str::from_utf8(reason).map_err(|_| Utf8)?;
                }
                _ => return Err(Frame),
            }
            Ok(Unit::Close(payload.into()))
        }
        _ => Ok(Unit::Pong),
    }
}

/// Section 7.4, and the codes registered since.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mask of all frames here.
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            medium @ 126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend((medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(0xff);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn units(bytes: &[u8], pieces: usize, compression: Compressed) -> Result<Vec<Unit>, TransportFault> {
        let mut reader = Reader::new(&Config::default(), compression);
        let mut units = Vec::new();
        for piece in bytes.chunks(pieces) {
            let mut piece = piece.to_vec();
            let mut input = piece.as_mut_slice();
            while let Some(unit) = reader.read(&mut input)? {
                units.push(unit);
            }
        }
        assert!(!reader.is_unfinished());
        Ok(units)
    }

    fn text(text: &str) -> Unit {
        Unit::Message(Message::Text(text.into()))
    }

    #[test]
    fn units_are_the_same_in_pieces_of_any_size() {
        let long = "é🦀x".repeat(20_000);
        let bytes = [
            frame(0x81, "4é🦀".as_bytes()),
            frame(0x82, &[0, 1, 2]),
            frame(0x01, "🦀".as_bytes().split_at(2).0),
            frame(0x89, b"hello"),
            frame(0x00, "🦀".as_bytes().split_at(2).1),
            frame(0x8a, &[0; 125]),
            frame(0x80, b""),
            frame(0x81, long.as_bytes()),
            frame(0x82, &[7; 300]),
            frame(0x81, b""),
            frame(0x88, b"\x03\xe8bye"),
        ]
        .concat();
        let expected = [
            text("4é🦀"),
            Unit::Message(Message::Binary(Bytes::from_static(&[0, 1, 2]))),
            Unit::Ping(Bytes::from_static(b"hello")),
            Unit::Pong,
            text("🦀"),
            text(&long),
            Unit::Message(Message::Binary(Bytes::from_static(&[7; 300]))),
            text(""),
            Unit::Close(Bytes::from_static(b"\x03\xe8bye")),
        ];
        for pieces in [1, 2, 3, 5, 7, 100, 4096, bytes.len()] {
            assert!(units(&bytes, pieces, Compressed::Never).as_deref() == Ok(&expected), "{pieces}");
        }
    }

    /// RFC 7692, section 7.2.3: the examples, with a context that is kept and without.
    #[test]
    fn compressed_messages_are_read() {
        let whole = frame(0xc1, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        let parts = [frame(0x41, &[0xf2, 0x48, 0xcd]), frame(0x80, &[0xc9, 0xc9, 0x07, 0x00])].concat();
        let again = frame(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
        for pieces in [1, 3, 100] {
            let alone = units(&[whole.clone(), parts.clone()].concat(), pieces, Compressed::Alone);
            assert_eq!(alone.as_deref(), Ok([text("Hello"), text("Hello")].as_slice()));
            let bytes = [parts.clone(), again.clone(), frame(0x81, b"plain"), again.clone()].concat();
            let continued = units(&bytes, pieces, Compressed::Continued);
            assert_eq!(continued.as_deref(), Ok(["Hello", "Hello", "plain", "Hello"].map(text).as_slice()));
        }
        assert_eq!(units(&whole, 100, Compressed::Never), Err(Frame));
        assert_eq!(units(&frame(0xc9, b""), 100, Compressed::Alone), Err(Frame), "a compressed ping");
        let later = [frame(0x01, b"a"), frame(0xc0, b"b")].concat();
        assert_eq!(units(&later, 100, Compressed::Alone), Err(Frame), "the bit is for the first fragment");
        let no_text = frame(0xc1, &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00]);
        assert_eq!(units(&no_text, 100, Compressed::Alone), Err(Utf8));
    }

    /// What is announced is not what came: memory follows what came.
    #[test]
    fn memory_follows_what_came() {
        let mut reader = Reader::new(&Config::default(), Compressed::Never);
        let mut bytes = frame(0x82, &vec![7; 1_000_000]);
        let (mut first, mut rest) = bytes.split_at_mut(1000);
        assert_eq!(reader.read(&mut first), Ok(None));
        assert!((1000 - MAX_HEADER..=2000).contains(&reader.capacity()), "{}", reader.capacity());
        while !rest.is_empty() {
            let (mut piece, others) = rest.split_at_mut(rest.len().min(10_000));
            if let Some(unit) = reader.read(&mut piece).expect("a message") {
                assert_eq!(unit, Unit::Message(Message::Binary(vec![7; 1_000_000].into())));
            }
            rest = others;
            assert!(reader.capacity() <= 1_000_000, "{}", reader.capacity());
        }
        assert!(!reader.is_unfinished());
        assert_eq!(reader.capacity(), 0);
    }
}
