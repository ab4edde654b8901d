//! What it is: one session, and beside it the little that must be true of it in any order of events.
//! What it is not: a second implementation: it knows what may leave and when, not what is answered.
//! Who calls it: the `session` target, once for each event and once after it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use engineio::{
    CloseReason, Config, DecodeError, Encoding, Event, HandshakeError, Packet, Revision, SendError, Session, Transmit,
    Transport, TransportFault,
};

use crate::{
    ending::Ending,
    ledger::Ledger,
    pings::{self, Pings, Pong},
};

/// Bytes after which the outbox takes no more.
pub(crate) const LIMIT: usize = 200;

/// Length of the messages that a client sends.
const MESSAGE_BYTES: usize = 4;

/// Wire bytes of frames of the protocol's own: `0{}`; `2`, `3` and `6`; `3probe`.
const OPEN_BYTES: usize = 5;
const SHORT_BYTES: usize = 3;
const PROBE_ANSWER_BYTES: usize = 8;

/// Answers to probes that can wait at once.
const MOST_PROBES: usize = 3;

/// Bytes of the protocol's own that can wait at once, whatever the client does: the open packet, one ping, one noop,
/// three answers to probes; and one pong of revision 3 that still found room.
const MOST_CONTROL_BYTES: usize = OPEN_BYTES + 3 * SHORT_BYTES + MOST_PROBES * PROBE_ANSWER_BYTES;

/// A session, and what is known of it.
pub(crate) struct Model {
    session: Session,
    now: Instant,
    /// GETs that wait, POSTs that are read, and whether there is a WebSocket.
    gets: usize,
    posts: usize,
    websocket: bool,
    ledger: Ledger,
    /// What came by POST and was not read from the inbox.
    inbox: VecDeque<Event>,
    received: usize,
    expires: Option<Instant>,
    /// Bytes of messages that the client may still send.
    budget: Option<usize>,
    /// Whether and why the session closes or has closed.
    ending: Ending,
    /// Bytes of the protocol's own that may wait in the outbox at most.
    control_bytes: usize,
    pings: Pings,
    /// Frames that the WebSocket took and has not said were written.
    writing: u64,
    /// It was to write them, and could not.
    stuck: bool,
    /// Frames that have left and were not told.
    left: u64,
    /// The newcomer has sent its probe.
    probed: bool,
    /// Messages move to the WebSocket once and for good.
    upgraded: bool,
    /// The WebSocket has carried something other than answers to probes.
    used: bool,
}

impl Model {
    pub(crate) fn open(encoding: Encoding, transport: Transport) -> Self {
        let now = Instant::now();
        let config = Config {
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            upgrade_timeout: Duration::from_millis(100),
            max_outbox_bytes: LIMIT,
            max_unsolicited_pongs: pings::MAX_UNSOLICITED,
            ..Config::default()
        };
        let session = Session::new(Arc::new(config), encoding, transport, "{}", now);
        let websocket = transport == Transport::WebSocket;
        Self {
            session,
            now,
            gets: 0,
            posts: 0,
            websocket,
            ledger: Ledger::new(encoding.revision),
            inbox: VecDeque::new(),
            received: 0,
            expires: None,
            budget: None,
            ending: Ending::Open,
            control_bytes: OPEN_BYTES,
            pings: Pings::new(),
            writing: 0,
            stuck: false,
            left: 0,
            probed: false,
            upgraded: websocket,
            used: websocket,
        }
    }

    pub(crate) fn get(&mut self) {
        let usable = self.is_open() && !self.upgraded;
        match self.session.handle_get() {
            Ok(()) => {
                assert!(usable, "a GET is for an open polling session");
                self.gets += 1;
                self.answer_get();
            }
            Err(error) => self.check_refusal(error, !usable || self.gets > 0),
        }
    }

    /// A GET that waits, if there is one, is looked at again.
    pub(crate) fn poll_get(&mut self) {
        if self.gets > 0 {
            self.answer_get();
        }
    }

    pub(crate) fn abort_get(&mut self) {
        if self.gets > 0 {
            self.gets -= 1;
            self.session.handle_lost(Transport::Polling, Some(TransportFault::PollAborted));
        }
    }

    fn answer_get(&mut self) {
        let usable = self.is_open() && !self.upgraded;
        let waiting = self.session.outbox_bytes();
        let Some(frames) = self.session.poll_get() else {
            assert!(usable && waiting == 0, "a GET waits only while there is nothing to say");
            return;
        };
        self.gets -= 1;
        assert!(!frames.is_empty(), "an answer says something");
        if !usable {
            let is_farewell = frames.len() == 1 && !self.ledger.has(&frames[0]);
            assert!(is_farewell, "no message leaves by a carrier that is none (any more)");
            return;
        }
        assert_eq!(self.session.outbox_bytes(), 0, "an answer takes everything");
        self.control_bytes = 0;
        self.pings.leave();
        frames.iter().for_each(|frame| self.ledger.polled(frame));
        // What frees a GET, or ends the session, was never queued.
        let queued = if self.ending.is_begun() { frames.len() - 1 } else { frames.len() };
        self.left += if waiting > 0 { queued as u64 } else { 0 };
        if self.ending.is_begun() {
            self.check_flushed();
        }
    }

    pub(crate) fn post(&mut self) {
        let usable = self.is_open() && !self.upgraded;
        match self.session.handle_post() {
            Ok(()) => {
                assert!(usable, "a POST is for an open polling session");
                self.posts += 1;
            }
            Err(error) => self.check_refusal(error, !usable || self.posts > 0),
        }
    }

    /// A request was refused. Of a session that had ended before, nobody knows any more.
    fn check_refusal(&self, error: HandshakeError, has_reason: bool) {
        assert!(has_reason, "refused without reason");
        let known = if self.ending.is_over() { HandshakeError::UnknownSid } else { HandshakeError::BadRequest };
        assert_eq!(error, known);
    }

    pub(crate) fn posted(&mut self) {
        if self.posts > 0 {
            self.posts -= 1;
            self.session.handle_posted();
        }
    }

    pub(crate) fn abort_post(&mut self) {
        if self.posts > 0 {
            self.posts -= 1;
            self.session.handle_lost(Transport::Polling, Some(TransportFault::PostAborted));
        }
    }

    /// A WebSocket opens on the session.
    pub(crate) fn probe(&mut self) {
        let wanted = self.session.handle_probe(self.now);
        assert!(!wanted || self.is_open() && !self.ending.is_begun() && !self.upgraded);
        self.websocket |= wanted;
        self.probed &= !wanted;
    }

    /// What the next message of the client says; each is different.
    pub(crate) fn next_message(&mut self) -> String {
        self.received += 1;
        format!("{:0MESSAGE_BYTES$}", self.received % 10_000)
    }

    /// A packet arrives, by a POST or a WebSocket that there is; or something that is none.
    pub(crate) fn packet(&mut self, via: Transport, packet: Result<Packet, DecodeError>) {
        if via == Transport::Polling && self.posts == 0 || via == Transport::WebSocket && !self.websocket {
            return;
        }
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => return self.session.handle_error(via, error),
        };
        let usable = self.is_open() && !self.ending.is_begun() && (via == Transport::Polling || self.upgraded);
        let probing = self.is_open() && !self.upgraded && via == Transport::WebSocket;
        let is_v3 = self.is_v3();
        let too_much = match &packet {
            Packet::Message(_) if usable => self.spend(MESSAGE_BYTES),
            _ => false,
        };
        let pong = (packet == Packet::Pong && usable && !is_v3).then(|| self.pings.pong());
        let expected = match &packet {
            Packet::Message(message) if usable && !too_much => Some(Event::Message(message.clone())),
            Packet::Ping(_) if usable && is_v3 => {
                self.control_bytes += SHORT_BYTES;
                Some(Event::Heartbeat)
            }
            Packet::Pong if pong == Some(Pong::Due) => Some(Event::Heartbeat),
            _ => None,
        };
        let ends = too_much
            || match &packet {
                Packet::Close => usable,
                Packet::Ping(_) => usable && !is_v3,
                Packet::Pong => usable && (is_v3 || pong == Some(Pong::TooMany)),
                _ => false,
            };
        let harmless = packet == Packet::Pong && self.is_open() && !ends;
        let upgrade = packet == Packet::Upgrade && self.probed;
        let probe = probing && packet == Packet::Ping("probe".into());
        self.probed |= probe;
        match self.session.handle_packet(self.now, via, packet) {
            Some(Event::Upgrading(_)) => assert!(probe, "only a probe begins an upgrade"),
            Some(Event::Upgrade(_)) => assert!(upgrade && probing && !self.ending.is_begun(), "only `5` upgrades"),
            event => {
                assert_eq!(event, expected, "a message comes out once, and only of an open session");
                if let Some(event) = event.filter(|_| via == Transport::Polling) {
                    self.session.handle_polled(event.clone());
                    self.inbox.push_back(event);
                }
            }
        }
        assert!(!ends || !self.is_open(), "a client that closes, breaks the rules or sends too much is heard no more");
        assert!(!harmless || self.is_open(), "one pong too many is more than {}", pings::MAX_UNSOLICITED);
        if self.is_open() && self.session.transport() == Transport::WebSocket && !self.upgraded {
            assert!(upgrade && probing && !self.ending.is_begun(), "only `5` of a newcomer that probed upgrades");
            self.upgraded = true;
            self.control_bytes += MOST_PROBES * PROBE_ANSWER_BYTES;
        }
    }

    /// Takes bytes from the budget, if there is one. Says whether there were too few.
    fn spend(&mut self, bytes: usize) -> bool {
        let Some(budget) = &mut self.budget else { return false };
        let left = budget.checked_sub(bytes);
        *budget = left.unwrap_or(*budget);
        left.is_none()
    }

    /// The WebSocket ends.
    pub(crate) fn lose(&mut self, fault: Option<TransportFault>) {
        if !std::mem::take(&mut self.websocket) {
            return;
        }
        let open = self.is_open();
        self.session.handle_lost(Transport::WebSocket, fault);
        assert!(!open || self.is_open() != self.upgraded, "only a newcomer can be lost without harm");
    }

    /// The WebSocket asks what to write.
    pub(crate) fn poll_websocket(&mut self) {
        if !self.websocket {
            return;
        }
        let usable = self.is_open() && self.upgraded;
        let mut queue = VecDeque::new();
        match self.session.poll_websocket(&mut queue) {
            Transmit::Idle => assert!(self.is_open() && queue.is_empty()),
            Transmit::Frames => {
                assert!(self.is_open() && !queue.is_empty());
                queue.into_iter().for_each(|frame| self.written(frame.websocket()));
            }
            Transmit::Close(_) => {
                assert!(queue.is_empty(), "nothing is written to a WebSocket that is to be closed");
                self.websocket = false;
                if usable {
                    self.check_flushed();
                    assert!(self.session.closed().is_some());
                }
            }
        }
    }

    /// A frame left by the WebSocket.
    fn written(&mut self, frame: &[u8]) {
        let is_v3 = self.is_v3();
        let packet = self.ledger.written(frame);
        match packet.as_deref() {
            Some("3probe") => assert!(!self.used, "answers to probes come first"),
            Some("2") => {
                assert!(!is_v3, "of revision 3 the client pings");
                self.pings.leave();
            }
            Some("3") => assert!(is_v3, "of revision 4 the server pings"),
            None | Some("0{}") => {}
            Some(other) => panic!("twice, out of order, or not for a WebSocket: {other}"),
        }
        if packet.is_none_or(|packet| packet != "3probe") {
            assert!(self.upgraded, "a newcomer gets only answers to its probes");
            self.writing += 1;
            self.used = true;
        }
    }

    /// Sends messages of these sizes at once.
    pub(crate) fn send(&mut self, sizes: &[usize]) {
        let before = self.session.outbox_bytes();
        match self.session.send(self.ledger.enter(sizes)) {
            Ok(()) => assert!(!self.ending.is_begun() && before < LIMIT, "nothing is taken by a session that closes"),
            Err(error) => {
                self.ledger.strike(sizes.len());
                let slow = (before >= LIMIT).then_some(CloseReason::SlowConsumer);
                assert_eq!(Some(error), self.ending.reason().or(slow).map(SendError::Closed), "refused without reason");
            }
        }
    }

    /// Sends a message that may be dropped.
    pub(crate) fn send_volatile(&mut self, size: usize) {
        let before = self.session.outbox_bytes();
        match self.session.send_volatile(self.ledger.enter(&[size])) {
            Ok(true) => {
                assert!(!self.ending.is_begun() && before == 0, "a volatile message waits behind nothing");
                assert!(self.upgraded || self.gets > 0, "a volatile message waits for no GET");
                assert!(!self.upgraded || !self.stuck, "a volatile message waits for no client that does not read");
                return;
            }
            Ok(false) => assert!(!self.ending.is_begun()),
            Err(error) => assert_eq!(Some(error), self.ending.reason().map(SendError::Closed)),
        }
        self.ledger.strike(1);
        assert_eq!(self.session.outbox_bytes(), before, "what is dropped takes no room");
    }

    /// The WebSocket has written `all` that it took; or it was to, and could not.
    pub(crate) fn written_out(&mut self, all: bool) {
        self.session.handle_written(all);
        self.stuck = !all;
        self.left += if all { std::mem::take(&mut self.writing) } else { 0 };
    }

    /// Only so many bytes of messages may come; `None` takes that back.
    pub(crate) fn limit(&mut self, budget: Option<usize>) {
        self.budget = budget;
        self.session.limit(budget);
    }

    pub(crate) fn expire(&mut self, after: Option<Duration>) {
        self.expires = after.map(|after| self.now + after);
        self.session.expire(self.expires);
    }

    pub(crate) fn close(&mut self) {
        let (ending, deadline) = (self.ending, self.session.poll_timeout());
        self.session.close(self.now, CloseReason::ForcedClose);
        self.closing();
        assert!(!ending.is_begun() || self.session.poll_timeout() == deadline, "a second close gives no more time");
    }

    pub(crate) fn shut_down(&mut self) {
        self.session.close(self.now, CloseReason::Shutdown);
        assert!(self.session.closed().is_some(), "a shutdown waits for nobody");
    }

    /// An orderly close has begun, if nothing ended the session before.
    fn closing(&mut self) {
        if self.ending.begin() {
            self.control_bytes += SHORT_BYTES;
        }
    }

    /// The driver reads the inbox.
    pub(crate) fn poll_inbox(&mut self) {
        assert_eq!(self.session.poll_inbox(), std::mem::take(&mut self.inbox), "each once, in order");
        let (left, [dropped, flush, drain]) = (std::mem::take(&mut self.left), self.session.poll_flush());
        let drains = left > 0 && self.session.is_flushed(self.session.progress().queued);
        let told = if let Some(Event::Flush { packets, .. }) = flush { packets } else { 0 };
        assert_eq!((told, drain), (left, drains.then_some(Event::Drain)), "each that has left is told once");
        assert_eq!(dropped, None);
    }

    /// Time passes, and the driver meets every deadline.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.session.poll_timeout().is_some_and(|at| at <= until) {
            self.timeout_when_due();
        }
        self.now = until;
    }

    /// Time passes, and nobody meets a deadline.
    pub(crate) fn sleep(&mut self, time: Duration) {
        self.now += time;
    }

    /// The driver wakes at the next deadline, or now when that has passed.
    pub(crate) fn timeout_when_due(&mut self) {
        self.now = self.session.poll_timeout().map_or(self.now, |at| at.max(self.now));
        self.timeout();
    }

    /// The driver wakes, perhaps too early.
    pub(crate) fn timeout(&mut self) {
        let (due, before) = (self.session.poll_timeout(), self.session.outbox_bytes());
        self.session.handle_timeout(self.now);
        match (due, self.session.poll_timeout()) {
            (None, next) => assert_eq!(next, None, "a closed session needs no time"),
            (Some(due), next) if due > self.now => {
                assert_eq!((next, self.session.outbox_bytes()), (Some(due), before), "it was not time yet");
            }
            (Some(_), next) => assert!(next.is_none_or(|next| next > self.now), "a deadline that was met moves on"),
        }
        if self.is_open() && self.expires.is_some_and(|at| at <= self.now) {
            self.closing();
        }
        let queued = self.session.outbox_bytes().saturating_sub(before);
        self.control_bytes += queued.min(SHORT_BYTES);
        if queued > 0 && !self.ending.is_begun() {
            self.pings.queued();
        }
    }

    /// What holds after every event.
    pub(crate) fn check(&mut self) {
        self.ending.observe(self.session.closed());
        assert_eq!(self.session.poll_timeout().is_some(), self.is_open());
        let bytes = self.session.outbox_bytes();
        let flushed = self.session.is_flushed(self.session.progress().queued);
        if !self.is_open() {
            assert_eq!(bytes, 0, "a closed session keeps nothing");
            self.writing = 0;
            assert!(!flushed || self.ledger.is_flushed(), "what is lost was not flushed");
            return;
        }
        assert_eq!(self.session.transport() == Transport::WebSocket, self.upgraded, "an upgrade is for good");
        let waiting = self.ledger.waiting_bytes();
        assert!(waiting < LIMIT + self.ledger.last_bytes(), "the outbox is bounded, but for the last send");
        assert!((waiting..=waiting + self.control_bytes).contains(&bytes), "{bytes} bytes for {waiting} that wait");
        let most = LIMIT + self.ledger.last_bytes() + MOST_CONTROL_BYTES;
        assert!(bytes < most, "{bytes} bytes: a client cannot make the session queue more and more");
        assert!(!flushed || self.writing == 0 && waiting == 0, "what has not left was not flushed");
        assert!(flushed || self.writing > 0 || bytes > 0, "what has left was flushed");
    }

    /// What holds when the client has been silent for some timeouts: the session has ended, and all who wait learn it.
    pub(crate) fn check_end(&mut self) {
        assert!(!self.is_open(), "a session that hears nothing ends");
        while self.gets > 0 {
            self.answer_get();
        }
        self.poll_websocket();
        assert!(!self.websocket, "a closed session closes its WebSocket");
        self.poll_inbox();
        self.poll_inbox();
        self.check();
    }

    fn is_v3(&self) -> bool {
        self.session.encoding().revision == Revision::V3
    }

    fn is_open(&self) -> bool {
        self.session.closed().is_none()
    }

    fn check_flushed(&self) {
        assert!(self.ledger.is_flushed(), "a close waits for what was sent");
    }
}
