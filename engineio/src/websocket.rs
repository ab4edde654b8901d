//! What it is: WebSocket as a carrier: the 101 answer, reading with tungstenite, writing by ourselves.
//! What it is not: a task. It reads from and writes to its stream when the driver polls it.
//! Who calls it: `service` answers the upgrade; `driver` owns the `Io`.

use std::{
    cell::Cell,
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use bytestring::ByteString;
use hyper::{HeaderMap, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::Instant,
};
use tokio_tungstenite::tungstenite::{
    self,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext},
};

use crate::{config::Config, packet::Message, reason::TransportFault, socket::Stream};

/// Bytes read at a time. One buffer per thread serves all its sessions, so an idle one owns none.
const SCRATCH_BYTES: usize = 64 * 1024;

/// Bytes tungstenite allots per session up front; it grows with the message that needs more.
const READ_BUFFER_BYTES: usize = 256;

/// Slices given to one `writev`: below the system's limit, and past it nothing is gained.
const MAX_SLICES: usize = 64;

/// Above this many slots a drained queue gives its memory back.
const KEPT_SLOTS: usize = 8;

/// How long a peer may take to answer our close frame before its connection is dropped.
const LINGER: Duration = Duration::from_secs(5);

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Why an upgrade request was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The headers are no WebSocket handshake.
    Malformed,
    /// The version is not 13.
    Version,
}

/// Whether a request asks to become a WebSocket. Header values are compared without case.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket")
}

/// Checks a handshake and computes the value of `Sec-WebSocket-Accept` (RFC 6455, section 4.2).
pub(crate) fn accept_key(headers: &HeaderMap) -> Result<String, Refusal> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(Refusal::Malformed)?.as_bytes();
    // Section 4.1: 16 random bytes in base64.
    let well_formed = key.len() == 24
        && key.ends_with(b"==")
        && key[..22].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    if !well_formed {
        return Err(Refusal::Malformed);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::Version);
    }
    Ok(derive_accept_key(key))
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// What reading once brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The bytes read were handed over, message by message.
    Messages,
    /// The WebSocket has ended: closed by the client, or by a fault.
    Lost(Option<TransportFault>),
}

/// One open WebSocket.
pub(crate) struct Io {
    stream: Stream,
    context: WebSocketContext,
    /// Encoded frames to write, oldest first.
    pub(crate) queue: VecDeque<Bytes>,
    /// Bytes of the first one that were written already.
    written: usize,
    pings: Pings,
}

/// The client's pings, counted second by second.
struct Pings {
    allowed: u32,
    left: u32,
    since: Instant,
}

impl Pings {
    fn new(allowed: u32) -> Self {
        Self { allowed, left: allowed, since: Instant::now() }
    }

    /// Counts one. Says whether it is still within what is allowed.
    fn count(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self { left: self.allowed, since: now, ..*self };
        }
        let within = self.left > 0;
        self.left = self.left.saturating_sub(1);
        within
    }
}

impl Io {
    /// Takes over a stream on which the handshake is done.
    pub(crate) fn new(stream: Stream, options: &Config) -> Self {
        let max_payload = options.max_payload;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(max_payload))
            .max_frame_size(Some(max_payload));
        let context = WebSocketContext::new(Role::Server, Some(config));
        Self { stream, context, queue: VecDeque::new(), written: 0, pings: Pings::new(options.max_pings_per_second) }
    }

    /// Reads what is there, up to one scratch full, and hands over each message until `wants_more` says no.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut wants_more: impl FnMut(Message) -> bool,
    ) -> Poll<Received> {
        let mut scratch = SCRATCH.take().unwrap_or_else(|| vec![0; SCRATCH_BYTES].into());
        let mut filled = ReadBuf::new(&mut scratch);
        let received = match self.stream.as_mut().poll_read(cx, &mut filled) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Received::Lost(Some(TransportFault::Io(error.kind())))),
            Poll::Ready(Ok(())) if filled.filled().is_empty() => Poll::Ready(Received::Lost(None)),
            Poll::Ready(Ok(())) => Poll::Ready(self.decode(filled.filled(), &mut wants_more)),
        };
        SCRATCH.set(Some(scratch));
        received
    }

    fn decode(&mut self, input: &[u8], wants_more: &mut impl FnMut(Message) -> bool) -> Received {
        let mut memory = Memory { input, output: Vec::new() };
        let received = loop {
            let message = match self.context.read(&mut memory) {
                Ok(tungstenite::Message::Text(text)) => {
                    Message::Text(ByteString::try_from(Bytes::from(text)).expect("tungstenite checked the text"))
                }
                Ok(tungstenite::Message::Binary(data)) => Message::Binary(data),
                Ok(tungstenite::Message::Close(_)) => {
                    // Writes the answer that tungstenite prepared; its error only says that this was the end.
                    let _closed = self.context.flush(&mut memory);
                    break Received::Lost(None);
                }
                Ok(tungstenite::Message::Ping(_)) if !self.pings.count(Instant::now()) => {
                    break Received::Lost(Some(TransportFault::PingFlood));
                }
                Ok(_) => continue,
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    break Received::Messages;
                }
                Err(error) => break Received::Lost(Some(fault(&error))),
            };
            if !wants_more(message) {
                break Received::Messages;
            }
        };
        if !memory.output.is_empty() {
            self.queue.push_back(memory.output.into());
        }
        received
    }

    /// Writes all that is queued. Pending when the peer does not take it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.queue.front() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            slices[0] = IoSlice::new(&first[self.written..]);
            let mut count = 1;
            for (slice, bytes) in slices[1..].iter_mut().zip(self.queue.iter().skip(1)) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            let written = ready!(self.stream.as_mut().poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        if self.queue.capacity() > KEPT_SLOTS {
            self.queue = VecDeque::new();
        }
        self.stream.as_mut().poll_flush(cx)
    }

    /// Drops from the queue what was written.
    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(first) = self.queue.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.queue.pop_front();
        }
    }

    /// Says goodbye: writes what is queued and a close frame, then waits a little for the peer to do the same,
    /// so that the system does not reset the connection before the peer has read everything.
    pub(crate) async fn finish(mut self, code: Option<u16>) {
        let mut memory = Memory { input: &[], output: Vec::new() };
        let frame = code.map(|code| CloseFrame { code: code.into(), reason: Default::default() });
        // Fails only when the closing handshake is over already, and nothing is written then.
        let _closed = self.context.close(&mut memory, frame);
        self.queue.push_back(memory.output.into());
        let farewell = async {
            std::future::poll_fn(|cx| self.poll_write(cx)).await?;
            self.stream.shutdown().await?;
            let mut rest = [0; 1024];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        // A peer that is gone, or does not answer in time, needs no goodbye.
        let _gone = tokio::time::timeout(LINGER, farewell).await;
    }
}

fn fault(error: &tungstenite::Error) -> TransportFault {
    match error {
        tungstenite::Error::Capacity(_) => TransportFault::TooLarge,
        tungstenite::Error::Utf8(_) => TransportFault::Utf8,
        _ => TransportFault::Frame,
    }
}

/// Stands between tungstenite and the stream: reads what was read before, collects what is to be written.
struct Memory<'a> {
    input: &'a [u8],
    output: Vec<u8>,
}

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Read::read(&mut self.input, buffer)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut self.output, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
