//! What it is: any text and any binary unit as one Engine.IO packet, checked against the table of types.
//! What it is not: a polling body (`payload`).
//! Who calls it: libFuzzer and the replay test.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use engineio::{ByteString, DecodeError, Message, Packet, Revision};

/// Decodes the input as a binary unit and, when it is UTF-8, as a text.
pub fn packet(data: &[u8]) {
    let binary = Message::Binary(Bytes::copy_from_slice(data));
    assert_eq!(Packet::decode(binary.clone(), Revision::V4), Ok(Packet::Message(binary.clone())));
    let expected = match data {
        [] => Err(DecodeError::Empty),
        [4, message @ ..] => Ok(Packet::Message(Message::Binary(Bytes::copy_from_slice(message)))),
        [other, ..] => Err(DecodeError::UnknownType(char::from(*other))),
    };
    assert_eq!(Packet::decode(binary, Revision::V3), expected);

    let Ok(text) = str::from_utf8(data) else { return };
    let unit = Message::Text(ByteString::from(text));
    let decoded = Packet::decode(unit.clone(), Revision::V4);
    match text.strip_prefix("b4") {
        // Of revision 3 it is the same without the type.
        Some(data) => {
            let data = Message::Text(format!("b{data}").into());
            assert_eq!(Packet::decode(unit, Revision::V3), Packet::decode(data, Revision::V4));
        }
        None if text.starts_with('b') => assert!(Packet::decode(unit, Revision::V3).is_err()),
        None => assert_eq!(Packet::decode(unit, Revision::V3), decoded),
    }
    match decoded {
        Ok(packet) => assert_eq!(encode(&packet, text), text),
        Err(DecodeError::Empty) => assert_eq!(text, ""),
        Err(DecodeError::UnknownType(kind)) => {
            assert!(text.starts_with(kind) && !"0123456b".contains(kind));
        }
        Err(DecodeError::Base64) => assert!(text.starts_with('b')),
        Err(other) => panic!("a text cannot be wrong in this way: {other:?}"),
    }
}

/// The text that the packet was read from. What the packet does not keep is taken over from `text`.
fn encode(packet: &Packet, text: &str) -> String {
    match packet {
        Packet::Open => format!("0{}", &text[1..]),
        Packet::Close => format!("1{}", &text[1..]),
        Packet::Ping(data) => format!("2{data}"),
        Packet::Pong => format!("3{}", &text[1..]),
        Packet::Message(Message::Text(message)) => format!("4{message}"),
        Packet::Upgrade => format!("5{}", &text[1..]),
        Packet::Noop => format!("6{}", &text[1..]),
        Packet::Message(Message::Binary(data)) => {
            let padding = text.trim_end_matches('=').len();
            let mut encoded = format!("b{}", STANDARD_NO_PAD.encode(data));
            if text.contains(['-', '_']) {
                encoded = encoded.replace('+', "-").replace('/', "_");
            }
            encoded + &text[padding..]
        }
    }
}
