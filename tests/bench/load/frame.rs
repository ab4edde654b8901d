//! What it is: WebSocket frames as a client writes and reads them, and the bodies of HTTP answers.
//! What it is not: a reader for every server: a frame in fragments, or a body in chunks, fails the run.
//! Who calls it: `connection`, and the scenarios for what they send.

use std::str;

use crate::Failure;

/// The opcode of a text frame.
pub(crate) const TEXT: u8 = 1;
/// The opcode of a binary frame.
pub(crate) const BINARY: u8 = 2;
/// The opcode of a close frame.
pub(crate) const CLOSE: u8 = 8;
/// The opcode of a ping, which some servers send beside Engine.IO's.
pub(crate) const PING: u8 = 9;
/// The opcode of the answer to a ping.
pub(crate) const PONG: u8 = 10;

/// Any key will do: servers unmask whatever it is.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x3c, 0xa5];

/// One thing a server sent: what it is (an opcode; `TEXT` for the body of an HTTP answer), and its bytes.
pub(crate) type Unit<'a> = (u8, &'a [u8]);

/// The unit at the start of what was received, and how many bytes it took; `None` if it is not whole yet.
pub(crate) type Split = fn(&[u8]) -> Result<Option<(Unit<'_>, usize)>, Failure>;

/// A masked frame with this payload, of less than 64 KiB.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(length @ ..=125) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).expect("less than 64 KiB").to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A text as a masked frame.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    masked(TEXT, payload.as_bytes())
}

/// A frame of a server.
pub(crate) fn websocket(bytes: &[u8]) -> Result<Option<(Unit<'_>, usize)>, Failure> {
    let (start, length) = match *bytes {
        [_, length @ ..=125, ..] => (2, usize::from(length)),
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        [_, 126, ..] | [_] | [] => return Ok(None),
        _ => return Err("a frame that is masked, or 64 KiB or longer".into()),
    };
    match bytes.get(start..start + length) {
        Some(_) if bytes[0] & 0xf0 != 0x80 => Err(format!("a frame that begins with {:#x}", bytes[0]).into()),
        Some(payload) => Ok(Some(((bytes[0] & 0x0f, payload), start + length))),
        None => Ok(None),
    }
}

/// A frame of a server, or before it the head that made the connection a WebSocket, as a text.
pub(crate) fn switching(bytes: &[u8]) -> Result<Option<(Unit<'_>, usize)>, Failure> {
    if !bytes.starts_with(b"H") {
        return websocket(bytes);
    }
    let Some((head, taken)) = head(bytes)? else {
        return Ok(None);
    };
    let is_switched = head.starts_with("HTTP/1.1 101 ");
    if is_switched { Ok(Some(((TEXT, head.as_bytes()), taken))) } else { Err(format!("answered {head}").into()) }
}

/// The head of an HTTP answer, and how long it is with its empty line; `None` if it is not whole yet.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<(&str, usize)>, Failure> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    end.map(|end| Ok((str::from_utf8(&bytes[..end])?, end + 4))).transpose()
}

/// An HTTP answer of status 200, as its body.
pub(crate) fn http(bytes: &[u8]) -> Result<Option<(Unit<'_>, usize)>, Failure> {
    let Some((head, start)) = head(bytes)? else {
        return Ok(None);
    };
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("answered {head}").into());
    }
    let header = |wanted: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers.find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then(|| value.trim()))
    };
    let rest = &bytes[start..];
    match (header("content-length"), header("transfer-encoding")) {
        (Some(length), None) => {
            let length: usize = length.parse()?;
            Ok(rest.get(..length).map(|body| ((TEXT, body), start + length)))
        }
        (None, Some("chunked")) => Ok(chunk(rest)?.map(|(body, length)| ((TEXT, body), start + length))),
        _ => Err(format!("an answer without a length: {head}").into()),
    }
}

/// A body of one chunk, as a server sends one that is short, and how many bytes it took.
fn chunk(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Failure> {
    const END: &[u8] = b"\r\n0\r\n\r\n";
    let Some(line) = bytes.windows(2).position(|window| window == b"\r\n") else {
        return Ok(None);
    };
    let length = usize::from_str_radix(str::from_utf8(&bytes[..line])?, 16)?;
    let (start, end) = (line + 2, line + 2 + length);
    match bytes.get(end..end + END.len()) {
        Some(END) => Ok(Some((&bytes[start..end], end + END.len()))),
        Some(_) => Err("a body of more than one chunk".into()),
        None => Ok(None),
    }
}
