//! What it is: all that one session was given to send, and how much of it has left, in order.
//! What it is not: aware of requests, carriers or time.
//! Who calls it: `model`, for each send and for each frame that leaves.

use bytes::Bytes;
use engineio::{ByteString, Frame, Message, Revision};

/// Most messages of one send.
const MAX_SENT_AT_ONCE: usize = 2;

/// A message that the session accepted.
struct Sent {
    frame: Frame,
    message: Message,
    /// It was sent at once with the one before it: nothing may come between.
    follows: bool,
}

/// What was sent. Each message is different, so that one which leaves twice or too early is known.
pub(crate) struct Ledger {
    revision: Revision,
    sent: Vec<Sent>,
    delivered: usize,
}

impl Ledger {
    pub(crate) fn new(revision: Revision) -> Self {
        Self { revision, sent: Vec::new(), delivered: 0 }
    }

    /// Enters messages of these sizes, every other one binary, and gives their frames.
    pub(crate) fn enter(&mut self, sizes: &[usize]) -> Vec<Frame> {
        let first = self.sent.len();
        for (at, size) in sizes.iter().enumerate() {
            let number = self.sent.len();
            let message = if number.is_multiple_of(2) {
                Message::Text(format!("{number:0size$}").into())
            } else {
                Message::Binary(format!("{number:0size$}").into())
            };
            self.sent.push(Sent { frame: Frame::from(&message), message, follows: at > 0 });
        }
        self.sent[first..].iter().map(|sent| sent.frame.clone()).collect()
    }

    /// The last so many messages were not accepted.
    pub(crate) fn strike(&mut self, count: usize) {
        self.sent.truncate(self.sent.len() - count);
    }

    /// Bytes that have not left, as WebSocket frames.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.sent[self.delivered..].iter().map(|sent| frame_size(&sent.message)).sum()
    }

    /// Bytes of the last send, or a little more.
    pub(crate) fn last_bytes(&self) -> usize {
        self.sent.iter().rev().take(MAX_SENT_AT_ONCE).map(|sent| frame_size(&sent.message)).sum()
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.delivered == self.sent.len()
    }

    /// Whether the frame is a message that was sent.
    pub(crate) fn has(&self, frame: &Frame) -> bool {
        self.sent.iter().any(|sent| sent.frame.websocket() == frame.websocket())
    }

    /// A frame left by polling: the next message, or one of the protocol's own.
    pub(crate) fn polled(&mut self, frame: &Frame) {
        if self.sent.get(self.delivered).is_some_and(|next| next.frame.websocket() == frame.websocket()) {
            self.delivered += 1;
        } else {
            assert!(!self.has(frame), "twice, or out of order: {frame:?}");
            self.check_nothing_between();
        }
    }

    /// A frame left by WebSocket. `None` when it is the next message, else the packet of the protocol's own.
    pub(crate) fn written(&mut self, frame: &[u8]) -> Option<ByteString> {
        let message = self.read(frame);
        if self.sent.get(self.delivered).is_some_and(|next| next.message == message) {
            self.delivered += 1;
            return None;
        }
        self.check_nothing_between();
        match message {
            Message::Text(text) => Some(text),
            Message::Binary(data) => panic!("twice, or out of order: {data:?}"),
        }
    }

    fn check_nothing_between(&self) {
        let next = self.sent.get(self.delivered);
        assert!(next.is_none_or(|next| !next.follows), "something came between two messages of one send");
    }

    /// Takes a WebSocket frame apart. Of a text message the packet type is left out, other packets keep it.
    fn read(&self, frame: &[u8]) -> Message {
        let header = if frame[1] == 126 { 4 } else { 2 };
        let length =
            if header == 2 { usize::from(frame[1]) } else { usize::from(u16::from_be_bytes([frame[2], frame[3]])) };
        assert_eq!(frame.len(), header + length, "one whole frame");
        let body = Bytes::copy_from_slice(&frame[header..]);
        let text = |body| Message::Text(ByteString::try_from(body).expect("UTF-8"));
        match (frame[0], self.revision, body.first()) {
            (0x82, Revision::V4, _) => Message::Binary(body),
            (0x82, Revision::V3, Some(4)) => Message::Binary(body.slice(1..)),
            (0x81, _, Some(b'4')) => text(body.slice(1..)),
            (0x81, ..) => text(body),
            other => panic!("no frame of ours begins with {other:?}"),
        }
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
