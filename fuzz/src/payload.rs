//! What it is: any bytes as a polling body, checked against a naive reading of it.
//! What it is not: a check of each packet (`packet`).
//! Who calls it: libFuzzer and the replay test.

use bytes::Bytes;
use engineio::{DecodeError, Message, Packet, payload::decode};

/// Decodes the input, packet by packet.
pub fn payload(data: &[u8]) {
    let decoded = decode(Bytes::copy_from_slice(data)).map(Iterator::collect::<Vec<_>>);
    let Ok(text) = str::from_utf8(data) else {
        assert_eq!(decoded, Err(DecodeError::Utf8));
        return;
    };
    let mut expected = Vec::new();
    for part in text.split('\x1e') {
        expected.push(Packet::decode(Message::Text(part.into())));
        if expected.last().is_some_and(Result::is_err) {
            break;
        }
    }
    assert_eq!(decoded, Ok(expected));
}
