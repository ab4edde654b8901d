//! What it is: one Engine.IO packet, and its decoding from one text or binary unit.
//! What it is not: the polling body that joins several packets (`payload`), nor their encoding (`frame`).
//! Who calls it: `payload` and the websocket driver decode; `session` acts on what comes out.

use std::{error, fmt};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Buf, Bytes};
use bytestring::ByteString;

use crate::protocol::Revision;

/// What an application sends and receives: text or binary, as one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, sent as a text frame or as it is in a polling body.
    Text(ByteString),
    /// Bytes, sent as a binary frame, or as base64 in a polling body.
    Binary(Bytes),
}

impl Message {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) => data.len(),
        }
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One packet from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// `0`: only servers send it; from a client it is ignored.
    Open,
    /// `1`: the client closes the session.
    Close,
    /// `2`: a ping with its data; from a client only the probe of an upgrade, `2probe`.
    Ping(ByteString),
    /// `3`: the answer to our ping.
    Pong,
    /// `4`, or binary: a message to the application.
    Message(Message),
    /// `5`: the client completes the upgrade.
    Upgrade,
    /// `6`: nothing.
    Noop,
}

impl Packet {
    /// Decodes one unit: a WebSocket message, or one part of a polling body.
    ///
    /// # Errors
    /// [`DecodeError`], when the unit is no packet.
    pub fn decode(unit: Message, revision: Revision) -> Result<Self, DecodeError> {
        let text = match unit {
            Message::Text(text) => text,
            Message::Binary(bytes) => return decode_binary(bytes, revision),
        };
        let Some(kind) = text.chars().next() else {
            return Err(DecodeError::Empty);
        };
        match kind {
            '0' => Ok(Self::Open),
            '1' => Ok(Self::Close),
            '2' => Ok(Self::Ping(text.slice_ref(&text[1..]))),
            '3' => Ok(Self::Pong),
            '4' => Ok(Self::Message(Message::Text(text.slice_ref(&text[1..])))),
            '5' => Ok(Self::Upgrade),
            '6' => Ok(Self::Noop),
            'b' => match revision {
                Revision::V4 => decode_base64(&text[1..]),
                // engine.io-protocol v3, "Packet": the type stands between the `b` and the base64.
                Revision::V3 => match text[1..].strip_prefix('4') {
                    Some(data) => decode_base64(data),
                    None => Err(text[1..].chars().next().map_or(DecodeError::Empty, DecodeError::UnknownType)),
                },
            },
            other => Err(DecodeError::UnknownType(other)),
        }
    }
}

/// The type byte of a binary message in revision 3.
pub(crate) const MESSAGE_BYTE: u8 = 4;

/// Both alphabets are read, with or without padding: clients in the field differ.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn decode_binary(mut bytes: Bytes, revision: Revision) -> Result<Packet, DecodeError> {
    // engine.io-protocol v4, "Packet encoding": binary is a message and has no type byte; in v3 it has one.
    if revision == Revision::V3 {
        match bytes.first() {
            Some(&MESSAGE_BYTE) => bytes.advance(1),
            Some(other) => return Err(DecodeError::UnknownType(char::from(*other))),
            None => return Err(DecodeError::Empty),
        }
    }
    Ok(Packet::Message(Message::Binary(bytes)))
}

fn decode_base64(text: &str) -> Result<Packet, DecodeError> {
    let url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet = if url_safe { URL_SAFE } else { STANDARD };
    let bytes = alphabet.decode(text).map_err(|_| DecodeError::Base64)?;
    Ok(Packet::Message(Message::Binary(bytes.into())))
}

/// What was wrong with bytes from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A packet without a single byte.
    Empty,
    /// The first character names no packet type.
    UnknownType(char),
    /// A polling body is not UTF-8.
    Utf8,
    /// What follows `b` is not base64.
    Base64,
    /// The length before a packet of revision 3 is no number, or more than there is.
    Length,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a packet is empty"),
            Self::UnknownType(kind) => write!(f, "{kind:?} is no packet type"),
            Self::Utf8 => f.write_str("the text is not UTF-8"),
            Self::Base64 => f.write_str("the binary data is not base64"),
            Self::Length => f.write_str("a packet has not the length it says"),
        }
    }
}

impl error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Packet, DecodeError> {
        Packet::decode(Message::Text(text.into()), Revision::V4)
    }

    fn binary(bytes: &'static [u8]) -> Packet {
        Packet::Message(Message::Binary(Bytes::from_static(bytes)))
    }

    #[test]
    fn every_type_is_decoded() {
        let rows = [
            ("0{}", Packet::Open),
            ("1", Packet::Close),
            ("2", Packet::Ping("".into())),
            ("2probe", Packet::Ping("probe".into())),
            ("3", Packet::Pong),
            ("4", Packet::Message(Message::Text("".into()))),
            ("4€ 🦀", Packet::Message(Message::Text("€ 🦀".into()))),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
            ("b", binary(b"")),
            ("bAQIDBA==", binary(&[1, 2, 3, 4])),
            ("bAQIDBA", binary(&[1, 2, 3, 4])),
            ("b+/8=", binary(&[0xfb, 0xff])),
            ("b-_8", binary(&[0xfb, 0xff])),
        ];
        for (input, packet) in rows {
            assert_eq!(text(input), Ok(packet), "{input:?}");
        }
        assert_eq!(Packet::decode(Message::Binary(Bytes::from_static(b"4")), Revision::V4), Ok(binary(b"4")));
    }

    #[test]
    fn binary_of_revision_3_has_a_type() {
        let decode = |unit| Packet::decode(unit, Revision::V3);
        assert_eq!(decode(Message::Binary(Bytes::from_static(b"\x04\x01"))), Ok(binary(b"\x01")));
        assert_eq!(decode(Message::Binary(Bytes::from_static(b"\x01"))), Err(DecodeError::UnknownType('\u{1}')));
        assert_eq!(decode(Message::Binary(Bytes::new())), Err(DecodeError::Empty));
        assert_eq!(decode(Message::Text("b4AQ==".into())), Ok(binary(b"\x01")));
        assert_eq!(decode(Message::Text("bAQ==".into())), Err(DecodeError::UnknownType('A')));
        assert_eq!(decode(Message::Text("b".into())), Err(DecodeError::Empty));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let rows = [
            ("", DecodeError::Empty),
            ("7", DecodeError::UnknownType('7')),
            ("x", DecodeError::UnknownType('x')),
            ("\u{feff}4", DecodeError::UnknownType('\u{feff}')),
            ("é", DecodeError::UnknownType('é')),
            ("b!!!notbase64!!!", DecodeError::Base64),
            ("bA", DecodeError::Base64),
            ("b-+8=", DecodeError::Base64),
        ];
        for (input, error) in rows {
            assert_eq!(text(input), Err(error), "{input:?}");
        }
    }
}
