//! What it is: the state machine of one Engine.IO session, all of its difficulty in one place.
//! What it is not: I/O. It owns no socket, reads no clock, wakes nobody; `now` is an argument.
//! Who calls it: HTTP requests (`polling`) and the session's one task (`driver`), each under the lock in `socket`.
//!
//! ```text
//!        GET polling: open                     GET websocket: open
//!               v                                      v
//!         +-----------+  ws opens on our sid  +-----------+  "5"   +-----------+
//!         |  Polling  | --------------------> |  Probing  | -----> | WebSocket |
//!         +-----------+ <-------------------- +-----------+        +-----------+
//!               |      ws lost, upgradeTimeout      |                    |
//!               +--- close() --------------- Closing (flush, <= 30 s) ---+
//!               +--- ping timeout | lost | parse error | slow | "1" -----+--> Closed(reason), for good
//! ```
//!
//! | input | Polling | Probing | WebSocket |
//! |---|---|---|---|
//! | GET, frames waiting / none | answer them / park | answer them / once probed, answer noop | refused |
//! | second GET while one is parked; second POST | Closed(TransportError) | same | refused |
//! | the connection of a parked GET or of a POST ends | Closed(TransportError) | same | - |
//! | POST body | each message to the inbox | same | refused |
//! | a websocket opens on our sid | Probing, deadline set | newcomer closed | newcomer closed |
//! | "2probe" by ws | - | answer "3probe", free a parked GET with noop | wrong direction: Closed |
//! | "5" by ws | - | once probed: WebSocket; waiting frames leave by it | ignored |
//! | anything else by ws | - | newcomer closed, Polling | message to the caller |
//! | pong (v4) / ping (v3) | heartbeat moves / and answer pong | same | same |
//! | a pong that nobody asked for, once too often | Closed(TransportError) | same | same |
//! | heartbeat due, first / awaited | queue ping, await / Closed(PingTimeout) | same | same |
//! | ws lost; probe deadline | - | Polling | Closed(TransportClose or TransportError) |
//! | `send` | push | push | push |
//! | `close` | answer or await one GET, then "1" | same, newcomer closed | flush, ws close |
//!
//! In Closing, what the client sends is ignored, but for "1" and the loss of the carrier, which end it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    allowance::Allowance,
    backlog::Backlog,
    config::{Config, deadline},
    event::Event,
    frame::Frame,
    heartbeat::{Beat, Heard, Heartbeat},
    outbox::{Full, Limit, Outbox, Progress},
    packet::{DecodeError, Packet},
    protocol::{Encoding, Revision, Transport},
    reason::{CloseReason, HandshakeError, SendError, TransportFault},
    requests::{Poll, Probe},
};

/// How long a session that is closing may take to flush, as in the reference's polling transport.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Probes that one WebSocket may send before it is closed; official clients send one.
const MAX_PROBES: u8 = 3;

/// Messages in the inbox past which the next POST waits for the driver before it is read.
const MAX_INBOX: usize = 64;

/// What a newcomer must say first, and what it is answered.
const PROBE: &str = "probe";

/// One session. Methods named `handle_*` tell it what happened, `poll_*` ask what to do, the others are commands.
///
/// What sending touches comes first, side by side, see `socket`.
#[derive(Debug)]
#[repr(C)]
pub struct Session {
    pub(crate) config: Arc<Config>,
    state: State,
    pub(crate) outbox: Outbox,
    /// What its application lets it do so far.
    pub(crate) allowance: Allowance,
    /// What came by polling and waits for the driver.
    inbox: Backlog<Event>,
    pub(crate) heartbeat: Heartbeat,
    /// Messages and heartbeats that came so far, and the bytes of these messages.
    pub(crate) received: (u64, u64),
    encoding: Encoding,
}

/// What only few sessions are, and not for long, is in boxes.
#[derive(Debug)]
enum State {
    Polling(Poll),
    Probing { poll: Poll, probe: Box<Probe> },
    WebSocket,
    Closing { carrier: Transport, reason: CloseReason, until: Box<Instant> },
    Closed { carrier: Transport, reason: CloseReason },
}

/// What a WebSocket has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transmit {
    /// Nothing: wait.
    Idle,
    /// Write what was queued.
    Frames,
    /// The session does not want this WebSocket (any more): close it with this code, or with none.
    Close(Option<u16>),
}

impl Session {
    /// A new session whose open packet, with `open` as its JSON, waits to be sent.
    pub fn new(config: Arc<Config>, encoding: Encoding, transport: Transport, open: &str, now: Instant) -> Self {
        let state = match transport {
            Transport::Polling => State::Polling(Poll::default()),
            Transport::WebSocket => State::WebSocket,
        };
        let heartbeat = Heartbeat::start(now, encoding.revision, &config);
        let mut outbox = Outbox::default();
        outbox.push_control(Frame::open(open));
        if let Some(message) = &config.initial_packet {
            outbox.push_control(Frame::from(message));
        }
        let (inbox, allowance, received) = (Backlog::default(), Allowance::default(), (0, 0));
        Self { config, encoding, state, heartbeat, outbox, inbox, allowance, received }
    }

    /// A GET arrived. It is parked until [`poll_get`](Self::poll_get) has an answer.
    ///
    /// # Errors
    /// The answer to this GET when it may not wait; a second one ends the session.
    pub fn handle_get(&mut self) -> Result<(), HandshakeError> {
        self.begin(|poll| &mut poll.parked, TransportFault::PollOverlap).map(|()| self.outbox.confirm_given())
    }

    /// A POST arrived; its body is read next.
    ///
    /// # Errors
    /// The answer to this POST when it may not go on; a second one ends the session.
    pub fn handle_post(&mut self) -> Result<(), HandshakeError> {
        self.begin(|poll| &mut poll.posting, TransportFault::PostOverlap)
    }

    /// A request of this kind is under way from now on, unless one is already.
    fn begin(&mut self, under_way: fn(&mut Poll) -> &mut bool, overlap: TransportFault) -> Result<(), HandshakeError> {
        match &mut self.state {
            State::Polling(poll) | State::Probing { poll, .. } => {
                if std::mem::replace(under_way(poll), true) {
                    self.end(CloseReason::TransportError(overlap));
                    return Err(HandshakeError::BadRequest);
                }
                Ok(())
            }
            State::Closing { carrier: Transport::Polling, .. } => Ok(()),
            State::WebSocket | State::Closing { .. } => Err(HandshakeError::BadRequest),
            State::Closed { .. } => Err(HandshakeError::UnknownSid),
        }
    }

    /// The body of the POST has been read, and its packets were handed over.
    pub fn handle_posted(&mut self) {
        if let State::Polling(poll) | State::Probing { poll, .. } = &mut self.state {
            poll.posting = false;
        }
    }

    /// A WebSocket opens on this session. Says whether it may try the upgrade; else it is to be closed.
    pub fn handle_probe(&mut self, now: Instant) -> bool {
        match self.state {
            State::Polling(poll) if self.config.upgrades_from(Transport::Polling) => {
                let probe = Probe { until: deadline(now, self.config.upgrade_timeout), received: 0, answered: 0 };
                self.state = State::Probing { poll, probe: Box::new(probe) };
                true
            }
            _ => false,
        }
    }

    /// A packet arrived. Returns what the application is to hear of it, if anything.
    pub fn handle_packet(&mut self, now: Instant, via: Transport, packet: Packet) -> Option<Event> {
        match &mut self.state {
            State::Probing { poll, probe } if via == Transport::WebSocket => {
                let poll = *poll;
                match packet {
                    // engine.io-protocol v4, "Upgrade": the server answers the probe, then awaits the upgrade packet.
                    Packet::Ping(data) if data == PROBE && probe.received < MAX_PROBES => {
                        probe.received += 1;
                        return (probe.received == 1).then_some(Event::Upgrading(via));
                    }
                    Packet::Upgrade if probe.received > 0 => {
                        // A client that did not await the answers still gets them, and first.
                        for _ in probe.answered..probe.received {
                            self.outbox.push_first(Frame::pong(PROBE));
                        }
                        self.state = State::WebSocket;
                        return Some(Event::Upgrade(via));
                    }
                    _ => self.state = State::Polling(poll),
                }
                return None;
            }
            // What a refused newcomer still sends.
            State::Polling(_) if via == Transport::WebSocket => return None,
            State::Closing { reason, carrier, .. } => {
                if packet == Packet::Close && *carrier == via {
                    let reason = *reason;
                    self.end(reason);
                }
                return None;
            }
            State::Closed { .. } => return None,
            State::Polling(_) | State::Probing { .. } | State::WebSocket => {}
        }
        if matches!(packet, Packet::Message(_) | Packet::Ping(_) | Packet::Pong) {
            self.allowance.mark_used();
            self.received.0 += 1;
        }
        match self.heartbeat.handle_packet(now, &packet, self.outbox.gave_ping(), &self.config) {
            Heard::Beat if self.encoding.revision == Revision::V3 => {
                // Bounded as messages are: the client says how many pongs there are. One that reads none is cut off.
                let _cut_off = self.send([Frame::pong("")]);
                return Some(Event::Heartbeat);
            }
            Heard::Beat => {
                self.outbox.confirm_ping();
                return Some(Event::Heartbeat);
            }
            Heard::Fault(fault) => {
                self.end(CloseReason::TransportError(fault));
                return None;
            }
            Heard::Other => {}
        }
        match packet {
            Packet::Message(message) => {
                self.received.1 += message.len() as u64;
                if self.allowance.spend(message.len()) {
                    return Some(Event::Message(message));
                }
                self.end(CloseReason::TransportError(TransportFault::TooLarge));
            }
            Packet::Close => self.end(CloseReason::TransportClose),
            Packet::Ping(_) | Packet::Pong | Packet::Open | Packet::Upgrade | Packet::Noop => {}
        }
        None
    }

    /// This came of a packet in a polling body: it waits in the inbox for the driver.
    pub fn handle_polled(&mut self, event: Event) {
        self.inbox.push(event);
    }

    /// Bytes arrived that are no packet.
    pub fn handle_error(&mut self, via: Transport, error: DecodeError) {
        self.lose(via, CloseReason::ParseError(error));
    }

    /// The carrier is gone: a WebSocket ended, or the connection of a GET or POST did.
    pub fn handle_lost(&mut self, via: Transport, fault: Option<TransportFault>) {
        self.lose(via, fault.map_or(CloseReason::TransportClose, CloseReason::TransportError));
    }

    /// Time has passed; to be called when [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &self.state {
            State::Closed { .. } => return,
            State::Closing { until, reason, .. } => {
                if **until <= now {
                    self.end(*reason);
                }
                return;
            }
            State::Probing { poll, probe } if probe.until <= now => self.state = State::Polling(*poll),
            _ => {}
        }
        if self.allowance.expires().is_some_and(|at| at <= now) {
            self.close(now, CloseReason::ForcedClose);
        } else {
            match self.heartbeat.poll(now, &self.config) {
                Beat::Idle => {}
                Beat::Ping => self.outbox.push_ping(),
                Beat::TimedOut => self.end(CloseReason::PingTimeout),
            }
        }
    }

    /// The application holds back what comes, or did until now: what the client answered may be what is not read. One
    /// that does not take its pings is as dead as any.
    pub fn excuse(&mut self, now: Instant) {
        self.heartbeat.excuse(now, self.outbox.gave_ping(), &self.config);
        self.allowance.excuse(now);
    }

    /// Queues frames, all or none and with nothing in between.
    ///
    /// # Errors
    /// [`SendError::Closed`]; with [`CloseReason::SlowConsumer`] when this very call ended the session.
    pub fn send(&mut self, frames: impl IntoIterator<Item = Frame>) -> Result<(), SendError> {
        self.check_open()?;
        self.outbox.push(frames, Limit::of(&self.config)).map_err(|full| self.end_slow(full))
    }

    /// Queues frames that may wait for more, until a batch has come, something else is to leave, or
    /// `uncork` of the outbox. Says whether that has to be called for them.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_corked(&mut self, frames: impl IntoIterator<Item = Frame>) -> Result<bool, SendError> {
        self.check_open()?;
        self.outbox.push_corked(frames, Limit::of(&self.config)).map_err(|full| self.end_slow(full))
    }

    fn end_slow(&mut self, _: Full) -> SendError {
        self.end(CloseReason::SlowConsumer);
        SendError::Closed(CloseReason::SlowConsumer)
    }

    /// Queues frames if they can leave at once, and otherwise drops them. Says whether they were queued.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn send_volatile(&mut self, frames: impl IntoIterator<Item = Frame>) -> Result<bool, SendError> {
        self.check_open()?;
        let ready = match &self.state {
            State::Polling(poll) | State::Probing { poll, .. } => poll.parked,
            _ => !self.outbox.is_stuck(),
        };
        if !ready || self.outbox.is_waiting() {
            return Ok(false);
        }
        self.send(frames).map(|()| true)
    }

    fn check_open(&self) -> Result<(), SendError> {
        match self.state {
            State::Closing { reason, .. } | State::Closed { reason, .. } => Err(SendError::Closed(reason)),
            State::Polling(_) | State::Probing { .. } | State::WebSocket => Ok(()),
        }
    }

    /// The WebSocket has written `all` that it took; or it was to, and could not, as its client does not read.
    pub fn handle_written(&mut self, all: bool) {
        self.outbox.handle_written(all);
    }

    /// Whether everything up to this position has left: was given to a GET, or written to the WebSocket.
    pub fn is_flushed(&self, position: u64) -> bool {
        self.outbox.is_flushed(position)
    }

    /// How far the client has come in what was sent; `queued` is a position for [`is_flushed`](Self::is_flushed).
    pub fn progress(&self) -> Progress {
        self.outbox.progress()
    }

    /// Whether less than half of what may wait does.
    pub fn has_room(&self) -> bool {
        self.outbox.bytes() < self.config.max_outbox_bytes / 2
            && self.outbox.len() < self.config.max_outbox_messages / 2
    }

    /// Lets messages of this many bytes come before the session is ended as one that sends too much; `None` lifts that.
    pub fn limit(&mut self, budget: Option<usize>) {
        self.allowance.limit(budget);
    }

    /// Closes the session once all that waits has left, but for a shutdown, which drops it.
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        let carrier = self.transport();
        match self.state {
            State::Closed { .. } => {}
            _ if reason == CloseReason::Shutdown => self.end(reason),
            State::Closing { .. } => {}
            State::Polling(_) | State::Probing { .. } | State::WebSocket => {
                if let State::Polling(poll) | State::Probing { poll, .. } = self.state
                    && !poll.parked
                    && self.outbox.is_empty()
                {
                    // As in the reference, a close held back for the next GET follows a noop.
                    self.outbox.push_control(Frame::noop());
                }
                self.outbox.break_seals();
                self.state = State::Closing { carrier, reason, until: Box::new(now + CLOSE_TIMEOUT) };
            }
        }
    }

    /// Nothing leaves until the outbox is unsealed as often. One that closes is not sealed.
    pub(crate) fn seal(&mut self) {
        let _ended = self.check_open().map(|()| self.outbox.seal());
    }

    /// Sets when the session ends by itself, as [`CloseReason::ForcedClose`]; `None` takes that back.
    pub fn expire(&mut self, at: Option<Instant>) {
        self.allowance.expire(at);
    }

    /// Everything for the answer of a parked GET, oldest first; `None` while it has to wait.
    pub fn poll_get(&mut self) -> Option<Vec<Frame>> {
        match &mut self.state {
            State::Polling(poll) if !self.outbox.is_empty() => {
                poll.parked = false;
                Some(self.outbox.take_all())
            }
            State::Probing { poll, probe } if !self.outbox.is_empty() || probe.received > 0 => {
                poll.parked = false;
                let frames = self.outbox.take_all();
                Some(if frames.is_empty() { vec![Frame::noop()] } else { frames })
            }
            State::Polling(_) | State::Probing { .. } => None,
            State::Closing { carrier: Transport::Polling, reason, .. } => {
                let reason = *reason;
                let mut frames = self.outbox.take_all();
                frames.push(Frame::close());
                self.end(reason);
                Some(frames)
            }
            State::WebSocket | State::Closing { .. } | State::Closed { reason: CloseReason::TransportClose, .. } => {
                Some(vec![Frame::noop()])
            }
            State::Closed { .. } => Some(vec![Frame::close()]),
        }
    }

    /// Moves what a WebSocket has to write into its queue, which should be empty.
    pub fn poll_websocket(&mut self, queue: &mut VecDeque<Frame>) -> Transmit {
        match &mut self.state {
            State::WebSocket if self.outbox.take_batch(self.encoding, queue) => Transmit::Frames,
            State::Probing { probe, .. } if probe.answered < probe.received => {
                probe.answered += 1;
                queue.push_back(Frame::pong(PROBE));
                Transmit::Frames
            }
            State::WebSocket | State::Probing { .. } => Transmit::Idle,
            State::Closing { carrier: Transport::WebSocket, reason, .. } => {
                if self.outbox.take_batch(self.encoding, queue) {
                    return Transmit::Frames;
                }
                let reason = *reason;
                self.end(reason);
                Transmit::Close(reason.close_code())
            }
            State::Closed { reason, .. } => Transmit::Close(reason.close_code()),
            State::Polling(_) | State::Closing { .. } => Transmit::Close(None),
        }
    }

    /// Takes what came by polling and waits for the application, oldest first.
    pub fn poll_inbox(&mut self) -> VecDeque<Event> {
        self.inbox.take()
    }

    /// What was dropped since the last call, what has left, and whether nothing waits any more.
    pub fn poll_flush(&mut self) -> [Option<Event>; 3] {
        let flush = self.outbox.take_left().map(|(packets, bytes)| Event::Flush { packets, bytes });
        let drain = flush.is_some() && self.outbox.is_flushed(self.outbox.last());
        [self.outbox.take_dropped().map(Event::Dropped), flush, drain.then_some(Event::Drain)]
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` once the session is closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let at = match &self.state {
            State::Closed { .. } => return None,
            State::Closing { until, .. } => return Some(**until),
            State::Probing { probe, .. } => self.heartbeat.at().min(probe.until),
            State::Polling(_) | State::WebSocket => self.heartbeat.at(),
        };
        Some(self.allowance.expires().map_or(at, |expires| at.min(expires)))
    }

    /// Why the session ended, once it has.
    pub fn closed(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The transport that carries messages now, or did when the session ended.
    pub fn transport(&self) -> Transport {
        match self.state {
            State::WebSocket => Transport::WebSocket,
            State::Closing { carrier, .. } | State::Closed { carrier, .. } => carrier,
            State::Polling(_) | State::Probing { .. } => Transport::Polling,
        }
    }

    /// How what is sent to the client is written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes that wait for the client.
    pub fn outbox_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Whether a parked GET would be answered now.
    pub(crate) fn get_is_ready(&self) -> bool {
        match &self.state {
            State::Polling(_) => self.outbox.is_waiting(),
            State::Probing { probe, .. } => self.outbox.is_waiting() || probe.received > 0,
            State::WebSocket | State::Closing { .. } | State::Closed { .. } => true,
        }
    }

    /// Whether a POST that waits for its body, or for room in the inbox, can go on or has to give up.
    pub(crate) fn post_is_ready(&self) -> bool {
        self.closed().is_some() || self.inbox_has_room()
    }

    /// Whether nothing that came by polling waits for the driver.
    pub(crate) fn inbox_is_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Whether the driver keeps up with what comes by polling.
    pub(crate) fn inbox_has_room(&self) -> bool {
        self.inbox.len() < MAX_INBOX
    }

    /// Whether a WebSocket that wants to take over is read although nothing is handed over: once it was answered its
    /// client polls no more. What it says first waits for room, as a POST does.
    pub(crate) fn reads_probe(&self) -> bool {
        matches!(&self.state, State::Probing { probe, .. } if probe.received > 0 || self.inbox_has_room())
    }

    /// Whether the driver has something to do now, other than waiting for time or bytes.
    pub(crate) fn driver_is_ready(&self) -> bool {
        let is_wanted = match &self.state {
            State::Polling(_) => false,
            State::Probing { probe, .. } => probe.answered < probe.received,
            State::WebSocket => self.outbox.is_waiting(),
            State::Closing { .. } | State::Closed { .. } => true,
        };
        is_wanted || self.outbox.has_left() || !self.inbox.is_empty()
    }

    /// Ends the session, or only the newcomer when it was the newcomer that failed.
    fn lose(&mut self, via: Transport, reason: CloseReason) {
        match (&self.state, via) {
            (State::Probing { poll, .. }, Transport::WebSocket) => self.state = State::Polling(*poll),
            (State::Polling(_), Transport::WebSocket) | (State::WebSocket, Transport::Polling) => {}
            (State::Closing { carrier, reason, .. }, via) => {
                if *carrier == via {
                    self.end(*reason);
                }
            }
            (State::Polling(_) | State::Probing { .. } | State::WebSocket, _) => self.end(reason),
            (State::Closed { .. }, _) => {}
        }
    }

    fn end(&mut self, reason: CloseReason) {
        self.state = State::Closed { carrier: self.transport(), reason };
        self.outbox.discard();
        self.allowance.mark_used();
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
