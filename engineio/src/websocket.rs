//! What it is: WebSocket as a carrier: the handshake, and an open WebSocket that reads, answers and writes.
//! What it is not: a task. It reads from and writes to its stream when the driver polls it.
//! Who calls it: `service` answers the upgrade; `driver` owns the `Io`.

use std::{
    cell::Cell,
    collections::VecDeque,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{HeaderMap, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{
    config::Config,
    deflate::{Deflate, Kind},
    extension::Agreed,
    frame::Frame,
    packet::Message,
    reader::{Compressed, Reader, Unit},
    reason::TransportFault,
    socket::{Compression, Stream, Upgraded},
};

/// Bytes read at a time. One buffer per thread serves all its sessions, so an idle one owns none.
const SCRATCH_BYTES: usize = 64 * 1024;

/// Slices given to one `writev`: below the system's limit, and past it nothing is gained.
const MAX_SLICES: usize = 64;

/// How long a peer may take to answer our close frame before its connection is dropped.
const LINGER: Duration = Duration::from_secs(5);

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    /// The memory of a queue, for whoever writes next: one that is empty owns none.
    static QUEUE: Cell<VecDeque<Frame>> = const { Cell::new(VecDeque::new()) };
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

/// What compression is agreed on in answer to this handshake: none, unless the option is set and the client offers it.
/// Of `contexts` one is taken if any is left, and if the client lets us keep one at all.
pub(crate) fn agree(headers: &HeaderMap, config: &Config, contexts: &Arc<Semaphore>) -> Option<Compression> {
    config.per_message_deflate.as_ref()?;
    let offers = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|value| value.to_str().ok());
    let permit = contexts.clone().try_acquire_owned().ok();
    let agreed = Agreed::accept(offers, permit.is_some())?;
    Some(Compression { permit: permit.filter(|_| agreed.keeps_context()), agreed })
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
    /// The stream below has ended, or failed: there is nobody to say goodbye to.
    Gone(Option<TransportFault>),
}

/// One open WebSocket.
pub(crate) struct Io {
    stream: Stream,
    reader: Reader,
    /// Frames to write, oldest first.
    pub(crate) queue: VecDeque<Frame>,
    /// Bytes of the first one that were written already.
    written: usize,
    /// What was written may still be in the stream's own buffers, as with TLS.
    unflushed: bool,
    /// The answer to the newest ping that came while the client did not read.
    pong: Option<Frame>,
    /// In a box, as most have none.
    compressor: Option<Box<Compressor>>,
    pings: Pings,
    /// When a message that has begun has to be whole.
    deadline: Option<Instant>,
    message_timeout: Duration,
    /// The client's close was answered: nothing may follow.
    closed: bool,
}

/// Compression of what is sent.
struct Compressor {
    deflate: Deflate,
    /// Bytes of a message from which on it is compressed.
    threshold: usize,
    /// For as long as it keeps compression contexts.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The client's pings, counted second by second.
struct Pings {
    allowed: u32,
    left: u32,
    since: Instant,
}

impl Pings {
    fn new(allowed: u32, now: Instant) -> Self {
        Self { allowed, left: allowed, since: now }
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
    pub(crate) fn new(upgraded: Upgraded, config: &Config, now: Instant) -> Self {
        let agreed = upgraded.compression.as_ref().map(|compression| compression.agreed);
        let compressor = upgraded.compression.zip(config.per_message_deflate.as_ref());
        let compressor = compressor.map(|(Compression { agreed, permit }, options)| {
            let kind = Kind { bits: agreed.server_bits, level: options.level.min(9) };
            let deflate = Deflate::new(kind, agreed.server_takeover);
            Box::new(Compressor { deflate, threshold: options.threshold, _permit: permit })
        });
        Self {
            stream: upgraded.stream,
            reader: Reader::new(config, agreed.as_ref().map_or(Compressed::Never, Compressed::by)),
            compressor,
            queue: VecDeque::new(),
            written: 0,
            unflushed: false,
            pong: None,
            pings: Pings::new(config.max_pings_per_second, now),
            deadline: None,
            message_timeout: config.message_timeout,
            closed: false,
        }
    }

    /// When a message that has begun has to be whole. There is no such time while the client is held back, and all of
    /// it again behind that.
    pub(crate) fn deadline(&mut self, held: bool) -> Option<Instant> {
        if held {
            self.deadline = None;
        } else if self.deadline.is_none() && self.reader.is_unfinished() {
            self.deadline = Instant::now().checked_add(self.message_timeout);
        }
        self.deadline
    }

    /// Reads what is there, up to one scratch full, and hands over each message until `wants_more` says no.
    ///
    /// With what was read comes when it was: most polls read nothing, and ask no clock.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        wants_more: impl FnMut(Instant, Message) -> bool,
    ) -> Poll<(Instant, Received)> {
        let mut scratch = SCRATCH.take().unwrap_or_else(|| vec![0; SCRATCH_BYTES].into());
        let mut filled = ReadBuf::new(&mut scratch);
        let received = self.stream.as_mut().poll_read(cx, &mut filled).map(|read| {
            let now = Instant::now();
            let received = match read {
                Err(error) => Received::Gone(Some(TransportFault::Io(error.kind()))),
                Ok(()) if filled.filled().is_empty() => Received::Gone(None),
                Ok(()) => self.take(filled.filled_mut(), now, wants_more),
            };
            (now, received)
        });
        SCRATCH.set(Some(scratch));
        received
    }

    fn take(
        &mut self,
        mut input: &mut [u8],
        now: Instant,
        mut wants_more: impl FnMut(Instant, Message) -> bool,
    ) -> Received {
        let blocked = !self.queue.is_empty();
        loop {
            let message = match self.reader.read(&mut input) {
                Ok(Some(Unit::Message(message))) => message,
                Ok(Some(Unit::Ping(payload))) => {
                    if !self.pings.count(now) {
                        return Received::Lost(Some(TransportFault::PingFlood));
                    }
                    let pong = Frame::websocket_pong(&payload);
                    // RFC 6455, section 5.5.3: of pings that wait for their pong, the newest may do.
                    if blocked {
                        self.pong = Some(pong)
                    } else {
                        self.queue.push_back(pong)
                    }
                    continue;
                }
                Ok(Some(Unit::Pong)) => continue,
                Ok(Some(Unit::Close(payload))) => {
                    // Section 5.5.1: a close is answered by one with the same code.
                    self.queue.push_back(Frame::websocket_close(&payload));
                    self.closed = true;
                    return Received::Lost(None);
                }
                Ok(None) => {
                    self.deadline = self.deadline.filter(|_| self.reader.is_unfinished());
                    return Received::Messages;
                }
                Err(fault) => return Received::Lost(Some(fault)),
            };
            self.deadline = None;
            if !wants_more(now, message) {
                return Received::Messages;
            }
        }
    }

    /// Gives an empty queue the memory that the last one left, before something is put into it.
    pub(crate) fn make_room(&mut self) {
        if self.queue.capacity() == 0 {
            self.queue = QUEUE.take();
        }
    }

    /// Whether something is queued, or has not left the stream.
    pub(crate) fn is_writing(&self) -> bool {
        !self.queue.is_empty() || self.unflushed
    }

    /// Writes all that is queued. Pending when the peer does not take it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.compress();
        loop {
            if self.queue.is_empty() {
                self.queue.extend(self.pong.take());
            }
            let Some(first) = self.queue.front() else { break };
            let first = &first.websocket()[self.written..];
            let written = if self.queue.len() == 1 {
                ready!(self.stream.as_mut().poll_write(cx, first))?
            } else {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                slices[0] = IoSlice::new(first);
                let mut count = 1;
                for (slice, frame) in slices[1..].iter_mut().zip(self.queue.iter().skip(1)) {
                    *slice = IoSlice::new(frame.websocket());
                    count += 1;
                }
                ready!(self.stream.as_mut().poll_write_vectored(cx, &slices[..count]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
        }
        QUEUE.set(std::mem::take(&mut self.queue));
        ready!(self.stream.as_mut().poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Compresses what is queued, if that was agreed on; what is compressed already stays.
    fn compress(&mut self) {
        let Some(Compressor { deflate, threshold, .. }) = self.compressor.as_deref_mut() else { return };
        for frame in self.queue.iter_mut().filter(|frame| frame.may_shrink(*threshold)) {
            *frame = match deflate.run(frame.data()) {
                Some(payload) => frame.compressed(&payload),
                None => frame.clone().uncompressed(),
            };
        }
    }

    /// Drops from the queue what was written.
    fn advance(&mut self, written: usize) {
        self.written += written;
        while let Some(first) = self.queue.front()
            && self.written >= first.websocket().len()
        {
            self.written -= first.websocket().len();
            self.queue.pop_front();
        }
    }

    /// Queues a close frame, unless that of the client was answered with one.
    pub(crate) fn close(&mut self, code: Option<u16>) {
        if !self.closed {
            self.pong = None;
            self.queue.push_back(match code {
                Some(code) => Frame::websocket_close(&code.to_be_bytes()),
                None => Frame::websocket_close(&[]),
            });
        }
    }

    /// Whether everything is said: the client closed first, and has its answer. It sends nothing more.
    pub(crate) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.closed && self.poll_write(cx).is_ready()
    }

    /// Says goodbye behind [`close`](Self::close): writes what is queued, then waits a little for the peer to do the
    /// same, so that the system does not reset the connection before the peer has read everything. `unwritten` is
    /// dropped as soon as the close frame is written.
    pub(crate) async fn finish<G>(mut self, unwritten: G) {
        let farewell = async {
            std::future::poll_fn(|cx| self.poll_write(cx)).await?;
            self.stream.shutdown().await?;
            drop(unwritten);
            let mut rest = [0; 128];
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        // A peer that is gone, or does not answer in time, needs no goodbye.
        let _gone = tokio::time::timeout(LINGER, farewell).await;
    }
}
