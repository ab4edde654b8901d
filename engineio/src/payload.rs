//! What it is: the polling body, in which packets are joined by the record separator `0x1e`.
//! What it is not: a reader of HTTP bodies; `polling` collects those within `max_payload`.
//! Who calls it: `polling`, both ways. The fuzzer.

use bytes::Bytes;
use bytestring::ByteString;

use crate::{
    frame::Frame,
    packet::{DecodeError, Message, Packet},
};

/// engine.io-protocol v4, "HTTP long-polling": packets of a payload are joined by this character.
const SEPARATOR: char = '\x1e';

/// Decodes a body packet by packet, without a list in between; ends after the first error.
///
/// # Errors
/// [`DecodeError::Utf8`] at once, when the body is no text.
pub fn decode(body: Bytes) -> Result<impl Iterator<Item = Result<Packet, DecodeError>>, DecodeError> {
    let text = ByteString::try_from(body).map_err(|_| DecodeError::Utf8)?;
    let mut rest = Some(text);
    Ok(std::iter::from_fn(move || {
        let text = rest.take()?;
        let part = match text.split_once(SEPARATOR) {
            Some((part, tail)) => {
                rest = Some(text.slice_ref(tail));
                text.slice_ref(part)
            }
            None => text,
        };
        let packet = Packet::decode(Message::Text(part));
        if packet.is_err() {
            rest = None;
        }
        Some(packet)
    }))
}

/// Encodes frames, oldest first, into one body.
pub(crate) fn encode(frames: &[Frame]) -> String {
    let mut body = String::with_capacity(frames.iter().map(Frame::size).sum());
    for (at, frame) in frames.iter().enumerate() {
        if at > 0 {
            body.push(SEPARATOR);
        }
        frame.write_polling(&mut body);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Packet, DecodeError> {
        Ok(Packet::Message(Message::Text(text.into())))
    }

    fn decoded(body: &'static [u8]) -> Result<Vec<Result<Packet, DecodeError>>, DecodeError> {
        decode(Bytes::from_static(body)).map(Iterator::collect)
    }

    #[test]
    fn packets_keep_their_order_and_stop_at_the_first_error() {
        assert_eq!(decoded(b"4a"), Ok(vec![text("a")]));
        assert_eq!(decoded(b"4a\x1e1\x1e4b"), Ok(vec![text("a"), Ok(Packet::Close), text("b")]));
        assert_eq!(decoded(b""), Ok(vec![Err(DecodeError::Empty)]));
        assert_eq!(decoded(b"4a\x1e9\x1e4b"), Ok(vec![text("a"), Err(DecodeError::UnknownType('9'))]));
        assert_eq!(decoded(b"4a\x1e"), Ok(vec![text("a"), Err(DecodeError::Empty)]));
        assert_eq!(decoded(b"\x1e\x1e\x1e"), Ok(vec![Err(DecodeError::Empty)]));
        assert_eq!(decoded(b"4\xff\xfe"), Err(DecodeError::Utf8));
    }

    #[test]
    fn a_body_is_encoded_as_it_is_decoded() {
        let frames = [Frame::text(&["€"]), Frame::binary(&[0, 255]), Frame::packet('2', &[])];
        let body = encode(&frames);
        assert_eq!(body, "4€\x1ebAP8=\x1e2");
        let packets: Vec<_> = decode(Bytes::from(body)).expect("UTF-8").collect();
        assert_eq!(
            packets,
            [
                text("€"),
                Ok(Packet::Message(Message::Binary(Bytes::from_static(&[0, 255])))),
                Ok(Packet::Ping("".into())),
            ]
        );
    }
}
