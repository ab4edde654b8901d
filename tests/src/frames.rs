//! What it is: the client's side of a WebSocket, frame by frame, in literal bytes.
//! What it is not: a WebSocket library: it answers nothing by itself, and sends whatever it is told.
//! Who calls it: the tests.

use crate::{
    http::{Answer, Connection},
    polling::sid,
    server::Endpoint,
    within,
};

/// The headers of a handshake, with the key of RFC 6455, section 1.3.
pub const HANDSHAKE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What a server has to make of that key.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// First bytes of frames (RFC 6455, section 5.2), of which the highest bit is FIN: a text message.
pub const TEXT: u8 = 0x81;
/// A binary message.
pub const BINARY: u8 = 0x82;
/// A close.
pub const CLOSE: u8 = 0x88;
/// A ping.
pub const PING: u8 = 0x89;
/// A pong.
pub const PONG: u8 = 0x8a;
/// The bit that compressed messages have (RFC 7692, section 6).
pub const RSV1: u8 = 0x40;
/// The bit that a fragment has not when others follow.
pub const FIN: u8 = 0x80;

/// The masking key of all our frames.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What a server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The payload of a compressed message, text or binary.
    Compressed(Vec<u8>),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A pong with its payload.
    Pong(Vec<u8>),
    /// A close with its code, if it has one, and its reason.
    Close(Option<u16>, String),
    /// The end of the connection.
    End,
}

/// A close without a code.
pub const CLOSED: Frame = Frame::Close(None, String::new());

/// A close with this code and no reason.
pub fn closed(code: u16) -> Frame {
    Frame::Close(Some(code), String::new())
}

/// A text message.
pub fn text(text: impl Into<String>) -> Frame {
    Frame::Text(text.into())
}

/// The bytes of a masked frame.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = announced(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The header of a masked frame with a payload of this length.
pub fn announced(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    /// The connection below, for bytes that are no frames.
    pub connection: Connection,
}

impl WebSocket {
    /// Opens a session that starts as a WebSocket; returns it behind its open packet, with its sid.
    pub async fn open(endpoint: Endpoint) -> (Self, String) {
        Self::open_on(Connection::open(endpoint.address).await, endpoint).await
    }

    /// The same, on a connection that is there already.
    pub async fn open_on(mut connection: Connection, endpoint: Endpoint) -> (Self, String) {
        let answer = handshake(&mut connection, &endpoint.target("websocket")).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        let mut websocket = Self { connection };
        match websocket.frame().await {
            Frame::Text(open) => (websocket, sid(&open)),
            other => panic!("not an open packet: {other:?}"),
        }
    }

    /// Opens a WebSocket on a session that polls.
    pub async fn upgrade(endpoint: Endpoint, sid: &str) -> Self {
        let mut connection = Connection::open(endpoint.address).await;
        let answer = handshake(&mut connection, &format!("{}&sid={sid}", endpoint.target("websocket"))).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        Self { connection }
    }

    /// Sends a text message.
    pub async fn send(&mut self, text: &str) {
        self.connection.send(masked(TEXT, text.as_bytes())).await;
    }

    /// Sends a binary message.
    pub async fn send_binary(&mut self, data: &[u8]) {
        self.connection.send(masked(BINARY, data)).await;
    }

    /// The next frame.
    #[track_caller]
    pub fn frame(&mut self) -> impl Future<Output = Frame> {
        within(async {
            loop {
                if let Some((frame, length)) = parse(self.connection.unread()) {
                    self.connection.skip(length);
                    return frame;
                }
                if !self.connection.fill().await {
                    assert_eq!(self.connection.unread(), b"", "no part of a frame is left");
                    return Frame::End;
                }
            }
        })
    }

    /// The next frame, which is a text message.
    #[track_caller]
    pub fn text(&mut self) -> impl Future<Output = String> {
        let frame = self.frame();
        async move {
            match frame.await {
                Frame::Text(text) => text,
                other => panic!("not a text message: {other:?}"),
            }
        }
    }
}

/// The first frame in these bytes, once it is whole, and its length.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second, rest) = (*bytes.first()?, *bytes.get(1)?, &bytes[2..]);
    let (length, rest) = match second {
        // A server does not mask (RFC 6455, section 5.1), and writes a length in its shortest form.
        short @ 0..=125 => (usize::from(short), rest),
        126 => number(rest.split_at_checked(2)?, 126),
        127 => number(rest.split_at_checked(8)?, 0x1_0000),
        masked => panic!("a masked frame: {masked:#x}"),
    };
    let payload = rest.get(..length)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.into()).expect("UTF-8");
    let frame = match first {
        TEXT => Frame::Text(text(payload)),
        BINARY => Frame::Binary(payload.into()),
        first if first == TEXT | RSV1 || first == BINARY | RSV1 => Frame::Compressed(payload.into()),
        PING => Frame::Ping(payload.into()),
        PONG => Frame::Pong(payload.into()),
        CLOSE => {
            let (code, reason) = payload.split_at(length.min(2));
            Frame::Close(code.try_into().ok().map(u16::from_be_bytes), text(reason))
        }
        other => panic!("no frame of a server that does not fragment: {other:#x}"),
    };
    Some((frame, bytes.len() - rest.len() + length))
}

fn number<'a>((digits, rest): (&[u8], &'a [u8]), least: usize) -> (usize, &'a [u8]) {
    let number = digits.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    assert!(number >= least, "{number} in {} bytes", digits.len());
    (number, rest)
}

/// Asks for a WebSocket.
pub async fn handshake(connection: &mut Connection, target: &str) -> Answer {
    connection.request(&format!("GET {target}"), HANDSHAKE).await;
    connection.head().await
}
