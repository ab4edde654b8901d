//! What it is: any bytes as a polling body of either revision, checked against naive readings of it.
//! What it is not: a check of each packet (`packet`).
//! Who calls it: libFuzzer and the replay test.

use bytes::Bytes;
use engineio::{
    DecodeError, Message, Packet, Revision,
    payload::{Form, decode},
};

type Packets = Vec<Result<Packet, DecodeError>>;

/// Decodes the input, packet by packet, in each form.
pub fn payload(data: &[u8]) {
    let decoded = |form| decode(Bytes::copy_from_slice(data), form).map(Iterator::collect::<Packets>);
    check_ends(&decoded(Form::Binary));
    let Ok(text) = str::from_utf8(data) else {
        assert_eq!(decoded(Form::Separated), Err(DecodeError::Utf8));
        assert_eq!(decoded(Form::Counted), Err(DecodeError::Utf8));
        return;
    };
    let parts = text.split('\x1e').map(|part| Packet::decode(Message::Text(part.into()), Revision::V4));
    assert_eq!(decoded(Form::Separated), Ok(until_error(parts)));
    let counted = decoded(Form::Counted);
    check_ends(&counted);
    assert_eq!(counted, Ok(until_error(counts(text))));
}

/// The packets up to the first error, that one included.
fn until_error(packets: impl Iterator<Item = Result<Packet, DecodeError>>) -> Packets {
    let mut failed = false;
    packets.take_while(|packet| !std::mem::replace(&mut failed, packet.is_err())).collect()
}

/// Nothing comes after an error, and something comes always.
fn check_ends(decoded: &Result<Packets, DecodeError>) {
    if let Ok(packets) = decoded {
        let errors = packets.iter().take(packets.len().saturating_sub(1)).filter(|packet| packet.is_err());
        assert_eq!((packets.is_empty(), errors.count()), (false, 0));
    }
}

/// Counted packets, by way of UTF-16 as JavaScript has it.
fn counts(text: &str) -> impl Iterator<Item = Result<Packet, DecodeError>> {
    let mut rest: Option<Vec<u16>> = Some(text.encode_utf16().collect());
    std::iter::from_fn(move || {
        let units = rest.take()?;
        Some(first(&units).and_then(|(packet, tail)| {
            rest = Some(tail.to_vec()).filter(|tail| !tail.is_empty());
            Packet::decode(Message::Text(packet.into()), Revision::V3)
        }))
    })
}

fn first(units: &[u16]) -> Result<(String, &[u16]), DecodeError> {
    let colon = units.iter().position(|unit| *unit == u16::from(b':')).ok_or(DecodeError::Length)?;
    let digits = String::from_utf16(&units[..colon]).map_err(|_| DecodeError::Length)?;
    let well_formed = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let length = digits.parse::<usize>().ok().filter(|_| well_formed).ok_or(DecodeError::Length)?;
    let (packet, tail) = units[colon + 1..].split_at_checked(length).ok_or(DecodeError::Length)?;
    Ok((String::from_utf16(packet).map_err(|_| DecodeError::Length)?, tail))
}
