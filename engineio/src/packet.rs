//! What it is: one Engine.IO packet, and its decoding from one text or binary unit.
//! What it is not: the polling body that joins several packets (`payload`), nor their encoding (`frame`).
//! Who calls it: `payload` and the websocket driver decode; `session` acts on what comes out.

use std::{error, fmt};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use bytestring::ByteString;

/// What an application sends and receives: text or binary, as one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, sent as a text frame or as it is in a polling body.
    Text(ByteString),
    /// Bytes, sent as a binary frame, or as base64 in a polling body.
    Binary(Bytes),
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
    pub fn decode(unit: Message) -> Result<Self, DecodeError> {
        let text = match unit {
            Message::Text(text) => text,
            // engine.io-protocol v4, "Packet encoding": binary is a message and has no type byte.
            Message::Binary(bytes) => return Ok(Self::Message(Message::Binary(bytes))),
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
            'b' => decode_base64(&text[1..]).map(|bytes| Self::Message(Message::Binary(bytes))),
            other => Err(DecodeError::UnknownType(other)),
        }
    }
}

/// Both alphabets are read, with or without padding: clients in the field differ.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

fn decode_base64(text: &str) -> Result<Bytes, DecodeError> {
    let url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet = if url_safe { URL_SAFE } else { STANDARD };
    alphabet.decode(text).map(Bytes::from).map_err(|_| DecodeError::Base64)
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
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a packet is empty"),
            Self::UnknownType(kind) => write!(f, "{kind:?} is no packet type"),
            Self::Utf8 => f.write_str("the text is not UTF-8"),
            Self::Base64 => f.write_str("the binary data is not base64"),
        }
    }
}

impl error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Packet, DecodeError> {
        Packet::decode(Message::Text(text.into()))
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
        assert_eq!(Packet::decode(Message::Binary(Bytes::from_static(b"4"))), Ok(binary(b"4")));
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
