//! What it is: the polling body, which joins packets: by a separator in revision 4, by their lengths in revision 3.
//! What it is not: a reader of HTTP bodies; `polling` collects those within `max_payload`.
//! Who calls it: `polling`, both ways. The fuzzer.

use bytes::{Buf, BufMut, Bytes};
use bytestring::ByteString;

use crate::{
    frame::Frame,
    packet::{DecodeError, Message, Packet},
    protocol::{Encoding, Revision},
};

/// engine.io-protocol v4, "HTTP long-polling": packets of a payload are joined by this character.
const SEPARATOR: char = '\x1e';

/// engine.io-protocol v3, "Payload": what a packet of a binary payload starts with, and what ends its length.
const TEXT_PACKET: u8 = 0;
const BINARY_PACKET: u8 = 1;
const END_OF_LENGTH: u8 = 0xff;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Revision 4: text, joined by the separator.
    Separated,
    /// Revision 3: text, each packet behind its length in UTF-16 code units and a colon.
    Counted,
    /// Revision 3: bytes, each packet behind a mark, its length in digits, and `0xff`.
    Binary,
}

/// Decodes a body packet by packet, without a list in between; ends after the first error.
///
/// # Errors
/// [`DecodeError::Utf8`] at once, when a body that should be text is not.
pub fn decode(body: Bytes, form: Form) -> Result<impl Iterator<Item = Result<Packet, DecodeError>>, DecodeError> {
    let mut rest = Some(match form {
        Form::Binary => Message::Binary(body),
        Form::Separated | Form::Counted => Message::Text(body.try_into().map_err(|_| DecodeError::Utf8)?),
    });
    let revision = if form == Form::Separated { Revision::V4 } else { Revision::V3 };
    let mut is_shared = false;
    Ok(std::iter::from_fn(move || {
        let parts = match (rest.take()?, form) {
            (Message::Text(text), Form::Separated) => Ok(separated(&text)),
            (Message::Text(text), _) => counted(&text),
            (Message::Binary(bytes), _) => marked(bytes),
        };
        let packet = parts.and_then(|(part, tail)| {
            is_shared |= tail.is_some();
            rest = tail;
            // A packet that is kept for long should not keep all the others with it.
            Packet::decode(if is_shared { copied(&part) } else { part }, revision)
        });
        if packet.is_err() {
            rest = None;
        }
        Some(packet)
    }))
}

fn copied(part: &Message) -> Message {
    match part {
        Message::Text(text) => Message::Text((&**text).into()),
        Message::Binary(bytes) => Message::Binary(Bytes::copy_from_slice(bytes)),
    }
}

/// A packet, and what follows it, if anything does.
type Parts = (Message, Option<Message>);

fn separated(text: &ByteString) -> Parts {
    match text.split_once(SEPARATOR) {
        Some((part, tail)) => (Message::Text(text.slice_ref(part)), Some(Message::Text(text.slice_ref(tail)))),
        None => (Message::Text(text.clone()), None),
    }
}

/// `<length>:<packet>`, the length in UTF-16 code units, as JavaScript counts.
fn counted(text: &ByteString) -> Result<Parts, DecodeError> {
    let (length, rest) = text.split_once(':').ok_or(DecodeError::Length)?;
    let mut units = digits(length.bytes().map(|byte| byte.wrapping_sub(b'0')))?;
    let mut end = 0;
    for character in rest.chars() {
        if units == 0 {
            break;
        }
        units = units.checked_sub(character.len_utf16()).ok_or(DecodeError::Length)?;
        end += character.len_utf8();
    }
    if units > 0 {
        return Err(DecodeError::Length);
    }
    let (part, tail) = rest.split_at(end);
    let tail = Some(tail).filter(|tail| !tail.is_empty());
    Ok((Message::Text(text.slice_ref(part)), tail.map(|tail| Message::Text(text.slice_ref(tail)))))
}

/// `<mark><length><0xff><packet>`, the length in bytes.
fn marked(mut bytes: Bytes) -> Result<Parts, DecodeError> {
    let mark = bytes.try_get_u8().map_err(|_| DecodeError::Empty)?;
    let end = bytes.iter().position(|byte| *byte == END_OF_LENGTH).ok_or(DecodeError::Length)?;
    let length = digits(bytes[..end].iter().copied())?;
    bytes.advance(end + 1);
    if length > bytes.len() {
        return Err(DecodeError::Length);
    }
    let part = bytes.split_to(length);
    let part = match mark {
        TEXT_PACKET => Message::Text(part.try_into().map_err(|_| DecodeError::Utf8)?),
        BINARY_PACKET => Message::Binary(part),
        other => return Err(DecodeError::UnknownType(char::from(other))),
    };
    Ok((part, Some(bytes).filter(|tail| !tail.is_empty()).map(Message::Binary)))
}

/// A number from its decimal digits, of which there must be one at least.
fn digits(mut digits: impl ExactSizeIterator<Item = u8>) -> Result<usize, DecodeError> {
    if digits.len() == 0 {
        return Err(DecodeError::Length);
    }
    digits
        .try_fold(0_usize, |number, digit| {
            if digit > 9 {
                return None;
            }
            number.checked_mul(10)?.checked_add(usize::from(digit))
        })
        .ok_or(DecodeError::Length)
}

/// Encodes frames, oldest first, into one body: text, or bytes.
pub(crate) fn encode(frames: &[Frame], encoding: Encoding) -> Message {
    match encoding.revision {
        Revision::V4 => Message::Text(encode_separated(frames).into()),
        Revision::V3 if !encoding.base64 && frames.iter().any(Frame::is_binary) => {
            Message::Binary(encode_marked(frames).into())
        }
        Revision::V3 => Message::Text(encode_counted(frames).into()),
    }
}

fn encode_separated(frames: &[Frame]) -> String {
    let mut body = String::with_capacity(frames.iter().map(Frame::size).sum());
    for (at, frame) in frames.iter().enumerate() {
        if at > 0 {
            body.push(SEPARATOR);
        }
        frame.write_polling(Revision::V4, &mut body);
    }
    body
}

fn encode_counted(frames: &[Frame]) -> String {
    let mut body = String::new();
    for frame in frames {
        let mut packet = String::new();
        frame.write_polling(Revision::V3, &mut packet);
        body.push_str(&packet.encode_utf16().count().to_string());
        body.push(':');
        body.push_str(&packet);
    }
    body
}

fn encode_marked(frames: &[Frame]) -> Vec<u8> {
    let mut body = Vec::new();
    for frame in frames {
        let (mark, kind): (_, &[u8]) = if frame.is_binary() { (BINARY_PACKET, &[4]) } else { (TEXT_PACKET, &[]) };
        let length = kind.len() + frame.data().len();
        body.put_u8(mark);
        body.extend(length.to_string().bytes().map(|digit| digit - b'0'));
        body.put_u8(END_OF_LENGTH);
        body.put_slice(kind);
        body.put_slice(frame.data());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(Message::Text(text.into())))
    }

    fn binary(bytes: &'static [u8]) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(Message::Binary(Bytes::from_static(bytes))))
    }

    type Decoded = Result<Vec<Result<Packet, DecodeError>>, DecodeError>;

    fn decoded(body: &[u8], form: Form) -> Decoded {
        decode(Bytes::copy_from_slice(body), form).map(Iterator::collect)
    }

    #[test]
    fn separated_packets_keep_their_order_and_stop_at_the_first_error() {
        let decoded = |body: &'static [u8]| decoded(body, Form::Separated);
        assert_eq!(decoded(b"4a"), Ok(vec![text("a")]));
        assert_eq!(decoded(b"4a\x1e1\x1e4b"), Ok(vec![text("a"), Ok(Packet::Close), text("b")]));
        assert_eq!(decoded(b""), Ok(vec![Err(DecodeError::Empty)]));
        assert_eq!(decoded(b"4a\x1e9\x1e4b"), Ok(vec![text("a"), Err(DecodeError::UnknownType('9'))]));
        assert_eq!(decoded(b"4a\x1e"), Ok(vec![text("a"), Err(DecodeError::Empty)]));
        assert_eq!(decoded(b"\x1e\x1e\x1e"), Ok(vec![Err(DecodeError::Empty)]));
        assert_eq!(decoded(b"4\xff\xfe"), Err(DecodeError::Utf8));
    }

    #[test]
    fn counted_packets_are_as_long_as_javascript_says() {
        let decoded = |body: &str| decoded(body.as_bytes(), Form::Counted);
        assert_eq!(decoded("2:4a1:22:4b"), Ok(vec![text("a"), Ok(Packet::Ping("".into())), text("b")]));
        assert_eq!(decoded("2:4€3:4🦀6:b4AQI="), Ok(vec![text("€"), text("🦀"), binary(&[1, 2])]));
        assert_eq!(decoded("6:b4AQI=1:"), Ok(vec![binary(&[1, 2]), Err(DecodeError::Length)]));
        assert_eq!(decoded("7:4a:b4c:"), Ok(vec![text("a:b4c:")]));
        for wrong in ["", ":", "4a", "2:4", "x:4a", "-1:4a", "2x:4a", "3:4🦀€:", "99999999999999999999:4a", "²:4a"]
        {
            let expected = if wrong.starts_with("3:") {
                vec![text("🦀"), Err(DecodeError::Length)]
            } else {
                vec![Err(DecodeError::Length)]
            };
            assert_eq!(decoded(wrong), Ok(expected), "{wrong}");
        }
        // A length that ends within a surrogate pair.
        assert_eq!(decoded("2:4🦀"), Ok(vec![Err(DecodeError::Length)]));
        assert_eq!(decoded("0:"), Ok(vec![Err(DecodeError::Empty)]));
    }

    #[test]
    fn marked_packets_are_text_or_bytes() {
        let decoded = |body: &[u8]| decoded(body, Form::Binary);
        assert_eq!(
            decoded(b"\x00\x04\xff4\xe2\x82\xac\x01\x01\x00\xff\x04123456789"),
            Ok(vec![text("€"), binary(b"123456789")])
        );
        assert_eq!(decoded(b""), Ok(vec![Err(DecodeError::Empty)]));
        for wrong in [b"\x01".as_slice(), b"\x01\x02", b"\x01\xff\x04", b"\x01\x02\xff\x04", b"\x00\x0a\xff4"] {
            assert_eq!(decoded(wrong), Ok(vec![Err(DecodeError::Length)]), "{wrong:?}");
        }
        assert_eq!(decoded(b"\x02\x01\xff4"), Ok(vec![Err(DecodeError::UnknownType('\u{2}'))]));
        assert_eq!(decoded(b"\x00\x02\xff4\xff"), Ok(vec![Err(DecodeError::Utf8)]));
    }

    #[test]
    fn a_packet_among_others_does_not_keep_their_body() {
        let bodies: [(&[u8], Form); 3] = [
            (b"4a\x1e4b", Form::Separated),
            (b"2:4a2:4b", Form::Counted),
            (b"\x00\x02\xff4a\x01\x02\xff\x04b", Form::Binary),
        ];
        for (body, form) in bodies {
            let body = Bytes::copy_from_slice(body);
            for at in 0..2 {
                let packet = decode(body.clone(), form).expect("text").nth(at).expect("two").expect("a packet");
                assert!(body.is_unique(), "{packet:?}");
            }
        }
    }

    #[test]
    fn bodies_are_decoded_as_they_were_encoded() {
        let frames = [Frame::text(&["€🦀"]), Frame::binary(&[0, 255]), Frame::ping()];
        let packets = vec![text("€🦀"), binary(&[0, 255]), Ok(Packet::Ping("".into()))];
        let text_only = Encoding { base64: true, ..Encoding::V3 };
        for (encoding, form, body) in [
            (Encoding::V4, Form::Separated, "4€🦀\x1ebAP8=\x1e2".as_bytes()),
            (text_only, Form::Counted, "4:4€🦀6:b4AP8=1:2".as_bytes()),
            (
                Encoding::V3,
                Form::Binary,
                b"\x00\x08\xff4\xe2\x82\xac\xf0\x9f\xa6\x80\x01\x03\xff\x04\x00\xff\x00\x01\xff2",
            ),
        ] {
            let encoded = match encode(&frames, encoding) {
                Message::Text(text) => text.into_bytes(),
                Message::Binary(bytes) => bytes,
            };
            assert_eq!(encoded, body);
            assert_eq!(decoded(body, form), Ok(packets.clone()));
        }
        assert_eq!(encode(&frames[..1], Encoding::V3), Message::Text("4:4€🦀".into()));
    }
}
