//! What it is: one session, and beside it the little that must be true of it in any order of events.
//! What it is not: a second implementation: it knows what may leave and when, not what is answered.
//! Who calls it: the `session` target, once for each event and once after it.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engineio::{
    ByteString, CloseReason, Config, DecodeError, Encoding, Frame, Message, Packet, SendError, Session, Transmit,
    Transport, TransportFault,
};

/// Bytes after which the outbox takes no more.
pub(crate) const LIMIT: usize = 200;

/// Most messages of one send.
const MAX_SENT_AT_ONCE: usize = 2;

/// Wire bytes of frames of the protocol's own: `0{}`; `2` and `6`; `3probe`.
const OPEN_BYTES: usize = 5;
const SHORT_BYTES: usize = 3;
const PROBE_ANSWER_BYTES: usize = 8;

/// A message that was accepted by `send`.
struct Sent {
    frame: Frame,
    message: Message,
    /// It was sent at once with the one before it: nothing may come between.
    follows: bool,
}

/// A session, and what is known of it.
pub(crate) struct Model {
    session: Session,
    now: Instant,
    /// GETs that wait, POSTs that are read, and whether there is a WebSocket.
    gets: usize,
    posts: usize,
    websocket: bool,
    /// Everything accepted, and how many of that have left.
    sent: Vec<Sent>,
    delivered: usize,
    /// What came by POST and was not read from the inbox.
    inbox: VecDeque<Message>,
    received: usize,
    expires: Option<Instant>,
    /// Why the session closes or has closed.
    ending: Option<CloseReason>,
    /// Bytes of the protocol's own that may wait in the outbox at most.
    control_bytes: usize,
    /// The newcomer has sent its probe.
    probed: bool,
    /// Messages move to the WebSocket once and for good.
    upgraded: bool,
    /// The WebSocket has carried something other than answers to probes.
    used: bool,
}

impl Model {
    pub(crate) fn open(transport: Transport) -> Self {
        let now = Instant::now();
        let config = Config {
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            upgrade_timeout: Duration::from_millis(100),
            max_outbox_bytes: LIMIT,
            ..Config::default()
        };
        let session = Session::new(Arc::new(config), Encoding::V4, transport, "{}", now);
        let websocket = transport == Transport::WebSocket;
        Self {
            session,
            now,
            gets: 0,
            posts: 0,
            websocket,
            sent: Vec::new(),
            delivered: 0,
            inbox: VecDeque::new(),
            received: 0,
            expires: None,
            ending: None,
            control_bytes: OPEN_BYTES,
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
            Err(_) => assert!(!usable || self.gets > 0, "refused without reason"),
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
        let Some(frames) = self.session.poll_get() else {
            assert!(usable && self.session.outbox_bytes() == 0, "a GET waits only while there is nothing to say");
            return;
        };
        self.gets -= 1;
        assert!(!frames.is_empty(), "an answer says something");
        if usable {
            assert_eq!(self.session.outbox_bytes(), 0, "an answer takes everything");
            self.control_bytes = 0;
        } else {
            assert_eq!(frames.len(), 1, "no message leaves by a carrier that is none (any more)");
        }
        for frame in frames {
            match self.sent.get(self.delivered).filter(|sent| usable && sent.frame == frame) {
                Some(_) => self.delivered += 1,
                None => {
                    assert!(self.sent.iter().all(|sent| sent.frame != frame), "twice, or out of order: {frame:?}");
                    self.check_nothing_between();
                }
            }
        }
        if usable && self.ending.is_some() {
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
            Err(_) => assert!(!usable || self.posts > 0, "refused without reason"),
        }
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
        assert!(!wanted || self.is_open() && self.ending.is_none() && !self.upgraded);
        self.websocket |= wanted;
        self.probed &= !wanted;
    }

    /// A packet arrives, by a POST or a WebSocket that there is.
    pub(crate) fn packet(&mut self, via: Transport, letter: u8) {
        if via == Transport::Polling && self.posts == 0 || via == Transport::WebSocket && !self.websocket {
            return;
        }
        self.received += 1;
        let number = format!("{:04}", self.received);
        let packet = match letter {
            b'o' => Packet::Open,
            b'c' => Packet::Close,
            b'i' => Packet::Ping("".into()),
            b'b' => Packet::Ping("probe".into()),
            b'n' => Packet::Pong,
            b'm' => Packet::Message(Message::Text(number.into())),
            b'y' => Packet::Message(Message::Binary(number.into())),
            b'u' => Packet::Upgrade,
            b'z' => Packet::Noop,
            b'x' => return self.session.handle_error(via, DecodeError::Empty),
            _ => return,
        };
        let usable = self.is_open() && self.ending.is_none() && (via == Transport::Polling || self.upgraded);
        let probing = self.is_open() && !self.upgraded && via == Transport::WebSocket;
        let expected = match &packet {
            Packet::Message(message) if usable => Some(message.clone()),
            _ => None,
        };
        let upgrade = packet == Packet::Upgrade && self.probed;
        self.probed |= probing && letter == b'b';
        let message = self.session.handle_packet(self.now, via, packet);
        assert_eq!(message, expected, "a message comes out once, and only of an open session");
        if let Some(message) = message.filter(|_| via == Transport::Polling) {
            self.session.handle_polled(message.clone());
            self.inbox.push_back(message);
        }
        if self.is_open() && self.session.transport() == Transport::WebSocket && !self.upgraded {
            assert!(upgrade && probing && self.ending.is_none(), "only `5` of a newcomer that probed upgrades");
            self.upgraded = true;
            self.control_bytes += 3 * PROBE_ANSWER_BYTES;
        }
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
                queue.into_iter().for_each(|frame| self.written(&frame));
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
    fn written(&mut self, frame: &Bytes) {
        let message = read_frame(frame);
        let next = self.sent.get(self.delivered).filter(|_| self.upgraded);
        if next.is_some_and(|sent| sent.message == message) {
            self.delivered += 1;
            self.used = true;
            return;
        }
        let Message::Text(text) = &message else { panic!("twice, or out of order: {message:?}") };
        match &**text {
            "3probe" => assert!(!self.used, "an answer comes first"),
            "0{}" | "2" => {
                assert!(self.upgraded, "a newcomer gets only answers");
                self.used = true;
            }
            _ => panic!("twice, out of order, or not for a WebSocket: {text}"),
        }
        self.check_nothing_between();
    }

    /// Sends messages of these sizes at once.
    pub(crate) fn send(&mut self, sizes: &[usize]) {
        let first = self.sent.len();
        for (at, size) in sizes.iter().enumerate() {
            let number = self.sent.len();
            // Every other one is binary; each is different.
            let message = if number.is_multiple_of(2) {
                Message::Text(format!("{number:0size$}").into())
            } else {
                Message::Binary(format!("{number:0size$}").into())
            };
            self.sent.push(Sent { frame: Frame::from(&message), message, follows: at > 0 });
        }
        let before = self.session.outbox_bytes();
        let frames: Vec<_> = self.sent[first..].iter().map(|sent| sent.frame.clone()).collect();
        let Err(SendError::Closed(reason)) = self.session.send(frames) else {
            assert!(self.ending.is_none() && before < LIMIT, "nothing is taken by a session that closes");
            return;
        };
        self.sent.truncate(first);
        if self.ending.is_none() {
            assert_eq!(reason, CloseReason::SlowConsumer);
            assert!(before >= LIMIT, "there was room");
        } else {
            assert_eq!(Some(reason), self.ending);
        }
    }

    pub(crate) fn expire(&mut self, after: Option<Duration>) {
        self.expires = after.map(|after| self.now + after);
        self.session.expire(self.expires);
    }

    pub(crate) fn close(&mut self) {
        let (ending, deadline) = (self.ending, self.session.poll_timeout());
        self.session.close(self.now, CloseReason::ForcedClose);
        self.closing();
        assert!(ending.is_none() || self.session.poll_timeout() == deadline, "a second close gives no more time");
    }

    pub(crate) fn shut_down(&mut self) {
        self.session.close(self.now, CloseReason::Shutdown);
        assert!(self.session.closed().is_some(), "a shutdown waits for nobody");
    }

    /// An orderly close has begun, if nothing ended the session before.
    fn closing(&mut self) {
        if self.ending.is_none() {
            self.ending = Some(CloseReason::ForcedClose);
            self.control_bytes += SHORT_BYTES;
        }
    }

    /// The driver reads the inbox.
    pub(crate) fn poll_inbox(&mut self) {
        assert_eq!(self.session.poll_inbox(), std::mem::take(&mut self.inbox), "each once, in order");
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
        self.control_bytes += self.session.outbox_bytes().saturating_sub(before).min(SHORT_BYTES);
    }

    /// What holds after every event.
    pub(crate) fn check(&mut self) {
        match (self.ending, self.session.closed()) {
            (Some(ending), Some(closed)) => {
                let overtaken = closed == CloseReason::Shutdown && ending == CloseReason::ForcedClose;
                assert!(ending == closed || overtaken, "{ending} became {closed}");
                self.ending = Some(closed);
            }
            (None, closed) => self.ending = closed,
            (Some(ending), None) => assert_eq!(ending, CloseReason::ForcedClose, "only a close takes its time"),
        }
        assert_eq!(self.session.poll_timeout().is_some(), self.is_open());
        let bytes = self.session.outbox_bytes();
        if !self.is_open() {
            assert_eq!(bytes, 0, "a closed session keeps nothing");
            return;
        }
        assert_eq!(self.session.transport() == Transport::WebSocket, self.upgraded, "an upgrade is for good");
        let waiting: usize = self.sent[self.delivered..].iter().map(|sent| frame_size(&sent.message)).sum();
        let last: usize = self.sent.iter().rev().take(MAX_SENT_AT_ONCE).map(|sent| frame_size(&sent.message)).sum();
        assert!(waiting < LIMIT + last, "the outbox is bounded, but for the last send");
        assert!((waiting..=waiting + self.control_bytes).contains(&bytes), "{bytes} bytes for {waiting} that wait");
    }

    /// What holds when the client has been silent for some timeouts: the session has ended, and all who wait learn it.
    pub(crate) fn check_end(&mut self) {
        assert!(!self.is_open(), "a session that hears nothing ends");
        while self.gets > 0 {
            self.answer_get();
        }
        self.poll_websocket();
        assert!(!self.websocket, "a closed session closes its WebSocket");
    }

    fn is_open(&self) -> bool {
        self.session.closed().is_none()
    }

    fn check_flushed(&self) {
        assert_eq!(self.delivered, self.sent.len(), "a close waits for what was sent");
    }

    /// A frame of the protocol's own has left.
    fn check_nothing_between(&self) {
        let next = self.sent.get(self.delivered);
        assert!(
            next.is_none_or(|next| !next.follows || !self.is_open()),
            "something came between two frames of one send"
        );
    }
}

/// Size of a message as a WebSocket frame, by RFC 6455, section 5.2.
fn frame_size(message: &Message) -> usize {
    let length = match message {
        Message::Text(text) => 1 + text.len(),
        Message::Binary(data) => data.len(),
    };
    length + if length > 125 { 4 } else { 2 }
}

/// Takes a frame apart. Of a text message the packet type is left out, other packets keep it.
fn read_frame(frame: &Bytes) -> Message {
    let header = if frame[1] == 126 { 4 } else { 2 };
    let length =
        if header == 2 { usize::from(frame[1]) } else { usize::from(u16::from_be_bytes([frame[2], frame[3]])) };
    assert_eq!(frame.len(), header + length, "one whole frame");
    let body = frame.slice(header..);
    match frame[0] {
        0x82 => Message::Binary(body),
        0x81 if body.starts_with(b"4") => Message::Text(ByteString::try_from(body.slice(1..)).expect("UTF-8")),
        0x81 => Message::Text(ByteString::try_from(body).expect("UTF-8")),
        other => panic!("no frame of ours begins with {other:#x}"),
    }
}
