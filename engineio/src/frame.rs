//! What it is: one packet encoded once, ready for every carrier and every recipient.
//! What it is not: a WebSocket frame reader (`reader`), nor compression (`deflate`).
//! Who calls it: whoever sends. A broadcast makes one frame and clones it, which counts a reference.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::BufMut;

use crate::{
    packet::{MESSAGE_BYTE, Message},
    protocol::{Encoding, Revision},
};

/// Opcodes of RFC 6455, section 5.2, with the FIN bit set.
const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
const FIN_CLOSE: u8 = 0x88;
const FIN_PONG: u8 = 0x8a;

/// The bits of the opcode.
const OPCODE: u8 = 0x0f;

/// Marks a compressed message (RFC 7692, section 6).
const RSV1: u8 = 0x40;

/// The longest header of an unmasked frame, in bytes.
const MAX_HEADER: usize = 10;

/// One encoded packet: a WebSocket frame whose tail also serves polling. It never changes after it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Behind one pointer, as frames wait by the thousand: a queue of them is read and written through the caches.
    encoded: Arc<Encoded>,
    /// Whether it may be compressed, and was not yet.
    compress: bool,
    loss: Loss,
}

#[derive(Debug, PartialEq, Eq)]
struct Encoded {
    /// The whole WebSocket frame: header, then the packet.
    bytes: Vec<u8>,
    /// Where the packet starts in `bytes`.
    body: u8,
    binary: bool,
}

/// What becomes of a packet where too much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// It stays.
    Never,
    /// It may be dropped.
    Droppable,
    /// It shares the lot of the one before.
    Attached,
}

impl Frame {
    /// A text message made of several parts, written one behind the other.
    pub fn text(parts: &[&str]) -> Self {
        Self::packet('4', parts)
    }

    /// A binary message.
    pub fn binary(data: &[u8]) -> Self {
        let mut encoded = Encoded::start(FIN_BINARY, data.len());
        encoded.bytes.put_slice(data);
        encoded.into()
    }

    /// The same message, not to be compressed on its way (`compress: false`): for what is compressed already, or secret
    /// beside what others can choose. A polling answer is compressed if one of its packets may be.
    #[must_use]
    pub fn uncompressed(self) -> Self {
        Self { compress: false, ..self }
    }

    /// The same message, which may be dropped with what is sent with it when too much waits, see
    /// [`SlowConsumer::DropOldest`](crate::SlowConsumer::DropOldest).
    #[must_use]
    pub fn droppable(self) -> Self {
        Self { loss: Loss::Droppable, ..self }
    }

    /// The same message, which stays and goes with the one before.
    pub(crate) fn attached(self) -> Self {
        Self { loss: Loss::Attached, ..self }
    }

    /// `0`: the open packet with its JSON.
    pub(crate) fn open(json: &str) -> Self {
        Self::packet('0', &[json])
    }

    /// `1`: the session ends.
    pub(crate) fn close() -> Self {
        Self::packet('1', &[]).uncompressed()
    }

    /// `2`: a ping.
    pub(crate) fn ping() -> Self {
        Self::packet('2', &[])
    }

    /// `3`: the answer to a ping with this data.
    pub(crate) fn pong(data: &str) -> Self {
        Self::packet('3', &[data])
    }

    /// `6`: nothing, so that a waiting GET is answered.
    pub(crate) fn noop() -> Self {
        Self::packet('6', &[]).uncompressed()
    }

    fn packet(kind: char, parts: &[&str]) -> Self {
        let length = kind.len_utf8() + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut encoded = Encoded::start(FIN_TEXT, length);
        encoded.bytes.put_slice(kind.encode_utf8(&mut [0; 4]).as_bytes());
        for part in parts {
            encoded.bytes.put_slice(part.as_bytes());
        }
        encoded.into()
    }

    /// A message as it is, which is no packet.
    pub(crate) fn websocket_message(message: &Message) -> Self {
        match message {
            Message::Text(text) => {
                let mut encoded = Encoded::start(FIN_TEXT, text.len());
                encoded.bytes.put_slice(text.as_bytes());
                encoded.into()
            }
            Message::Binary(data) => Self::binary(data),
        }
    }

    /// The close of a WebSocket, which is no packet.
    pub(crate) fn websocket_close(payload: &[u8]) -> Self {
        Self::control(FIN_CLOSE, payload)
    }

    /// The answer to a ping of the WebSocket, which is no packet.
    pub(crate) fn websocket_pong(payload: &[u8]) -> Self {
        Self::control(FIN_PONG, payload)
    }

    fn control(first: u8, payload: &[u8]) -> Self {
        let mut encoded = Encoded::start(first, payload.len());
        encoded.bytes.put_slice(payload);
        Self::from(encoded).uncompressed()
    }

    /// Size as a WebSocket frame, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.encoded.bytes.len()
    }

    /// Bytes of memory that it takes, however often it is cloned: for those who bound what they keep.
    pub fn footprint(&self) -> usize {
        // Two counts before it.
        size_of::<Self>() + 2 * size_of::<usize>() + size_of::<Encoded>() + self.encoded.bytes.capacity()
    }

    /// The frame for a WebSocket. Only binary for revision 3 is written anew.
    pub(crate) fn for_websocket(self, encoding: Encoding) -> Self {
        let compress = self.compress;
        match encoding.revision {
            Revision::V3 if self.is_binary() && encoding.base64 => {
                Self { compress, ..Self::packet('b', &["4", &self.base64()]) }
            }
            Revision::V3 if self.is_binary() => {
                let data = self.data();
                let mut encoded = Encoded::start(FIN_BINARY, 1 + data.len());
                encoded.bytes.put_u8(MESSAGE_BYTE);
                encoded.bytes.put_slice(data);
                Self { compress, ..encoded.into() }
            }
            Revision::V3 | Revision::V4 => self,
        }
    }

    /// The bytes of the WebSocket frame, header and packet.
    pub fn websocket(&self) -> &[u8] {
        &self.encoded.bytes
    }

    /// Whether it is of this size at least, and may be compressed.
    pub(crate) fn may_shrink(&self, threshold: usize) -> bool {
        self.compress && self.data().len() >= threshold
    }

    /// The same with this payload, which is its own, compressed.
    pub(crate) fn compressed(&self, payload: &[u8]) -> Self {
        let first = if self.is_binary() { FIN_BINARY } else { FIN_TEXT };
        let mut encoded = Encoded::start(first | RSV1, payload.len());
        encoded.bytes.put_slice(payload);
        Self::from(encoded).uncompressed()
    }

    /// Whether it is a binary message.
    pub(crate) fn is_binary(&self) -> bool {
        self.encoded.binary
    }

    /// Whether it may be dropped.
    pub(crate) fn is_droppable(&self) -> bool {
        self.loss == Loss::Droppable
    }

    /// Whether it belongs to the one before.
    pub(crate) fn is_attached(&self) -> bool {
        self.loss == Loss::Attached
    }

    /// Whether it may be compressed on its way.
    pub fn compress(&self) -> bool {
        self.compress
    }

    /// The packet without the header: the bytes of a message, or text with its type.
    pub fn data(&self) -> &[u8] {
        &self.encoded.bytes[usize::from(self.encoded.body)..]
    }

    fn base64(&self) -> String {
        STANDARD.encode(self.data())
    }

    /// Writes the packet as text into a polling body.
    ///
    /// engine.io-protocol v4, "Packet encoding": binary in a payload is `b` and base64; in v3 `b`, type and base64.
    pub(crate) fn write_polling(&self, revision: Revision, body: &mut String) {
        if self.is_binary() {
            body.push_str(if revision == Revision::V3 { "b4" } else { "b" });
            STANDARD.encode_string(self.data(), body);
        } else {
            body.push_str(std::str::from_utf8(self.data()).expect("a text frame was made of strings"));
        }
    }
}

impl From<&Message> for Frame {
    fn from(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::text(&[text]),
            Message::Binary(data) => Self::binary(data),
        }
    }
}

impl From<Encoded> for Frame {
    /// A frame that may be compressed, and stays where too much waits.
    fn from(encoded: Encoded) -> Self {
        Self { encoded: Arc::new(encoded), compress: true, loss: Loss::Never }
    }
}

impl Encoded {
    /// The header of an unmasked frame, with room for a packet of so many bytes.
    ///
    /// RFC 6455, section 5.2: up to 125 in 7 bits, up to 65,535 in 16 bits, else in 64 bits.
    fn start(first: u8, length: usize) -> Self {
        let mut bytes = Vec::with_capacity(MAX_HEADER + length);
        bytes.put_u8(first);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..=125), _) => bytes.put_u8(short),
            (_, Ok(medium)) => {
                bytes.put_u8(126);
                bytes.put_u16(medium);
            }
            _ => {
                bytes.put_u8(127);
                bytes.put_u64(length as u64);
            }
        }
        let body = bytes.len() as u8;
        Self { bytes, body, binary: first & OPCODE != FIN_TEXT & OPCODE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polling(frame: &Frame) -> String {
        let mut body = String::new();
        frame.write_polling(Revision::V4, &mut body);
        body
    }

    #[test]
    fn one_frame_serves_both_carriers() {
        let text = Frame::text(&["2", "[\"é\"]"]);
        assert_eq!(polling(&text), "42[\"é\"]");
        assert_eq!(
            text.for_websocket(Encoding::V4).websocket(),
            "\u{81}\u{8}42[\"é\"]".chars().flat_map(wire).collect::<Vec<u8>>()
        );

        let binary = Frame::binary(&[1, 2, 3, 4]);
        assert_eq!(polling(&binary), "bAQIDBA==");
        assert_eq!(binary.for_websocket(Encoding::V4).websocket(), [0x82, 4, 1, 2, 3, 4].as_slice());
    }

    /// The two header bytes are written as characters above; all else is UTF-8.
    fn wire(character: char) -> Vec<u8> {
        match character {
            '\u{81}' => vec![0x81],
            other => other.to_string().into_bytes(),
        }
    }

    #[test]
    fn binary_for_revision_3_has_a_type() {
        let binary = Frame::binary(&[1, 2]);
        assert_eq!(binary.clone().for_websocket(Encoding::V3).websocket(), [0x82, 3, 4, 1, 2].as_slice());
        let text_only = Encoding { base64: true, ..Encoding::V3 };
        assert_eq!(binary.for_websocket(text_only).websocket(), b"\x81\x06b4AQI=".as_slice());
        assert_eq!(Frame::text(&["a"]).for_websocket(text_only).websocket(), b"\x81\x024a".as_slice());
    }

    #[test]
    fn header_grows_with_the_length() {
        let rows = [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xff, 0xff]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (length, header) in rows {
            let frame = Frame::binary(&vec![0; length]);
            assert_eq!(frame.size(), header.len() + length);
            assert_eq!(frame.for_websocket(Encoding::V4).websocket()[..header.len()], header);
        }
    }
}
