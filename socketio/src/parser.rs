//! What it is: what lies between packets and Engine.IO messages: the parsers there are, and packets written by them.
//! What it is not: any one format; those are `packet` and `decoder`, and `msgpack`.
//! Who calls it: `client` for its decoder; everything that sends, for a packet encoded once.

use std::sync::Arc;

use bytes::Bytes;
use engineio::{ByteString, Frame, Message, Revision};
use serde::Serialize;
use serde_json::Value;

#[cfg(feature = "msgpack")]
use crate::msgpack;
use crate::{
    args::{self, Args},
    custom_parser::{Checked, CustomParser, Messages},
    decoder::{Decode, Decoder},
    error::{ConnectError, EmitError},
    id::SocketId,
    limits::Limits,
    list,
    packet::{self, OutgoingPacket, PacketType, RESERVED_EVENTS},
    pid::Pid,
};

/// How packets become messages, and messages packets: the same for all clients of a server, which have to know it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Parser {
    /// That of `socket.io-parser`, which clients have unless they are told otherwise: JSON, and binary beside it.
    #[default]
    Default,
    /// That of `socket.io-msgpack-parser`: each packet is one binary message, a MessagePack map.
    ///
    /// Handlers notice no difference: a `Date` comes as its ISO text, what is `undefined` as `null`, or not at all in
    /// an object; NaN and the infinities as `null`. So it is with the default parser.
    #[cfg(feature = "msgpack")]
    Msgpack,
    /// One of the application's.
    Custom(Arc<dyn CustomParser>),
}

impl Parser {
    /// Writes a packet.
    pub fn encode(&self, packet: &OutgoingPacket<'_>) -> Messages {
        match self {
            Self::Default => {
                let OutgoingPacket { kind, namespace, ack, payload, attachments } = *packet;
                let text = packet::with_parts((kind, attachments.len()), namespace, ack, payload, |parts| {
                    ByteString::from(parts.concat())
                });
                let rest = attachments.iter().cloned().map(Message::Binary).collect();
                Messages { first: Message::Text(text), rest }
            }
            #[cfg(feature = "msgpack")]
            Self::Msgpack => Message::Binary(msgpack::encode(packet).into()).into(),
            Self::Custom(parser) => parser.encode(packet),
        }
    }

    /// The decoder of a new connection of this revision.
    pub fn decoder(&self, revision: Revision, limits: &Arc<Limits>) -> Box<dyn Decode> {
        match self {
            Self::Default => Box::new(Decoder::new(revision, limits.clone())),
            #[cfg(feature = "msgpack")]
            Self::Msgpack => Box::new(msgpack::Decoder::new(revision, limits.clone())),
            Self::Custom(parser) => Box::new(Checked::new(parser.decoder(revision, limits), limits)),
        }
    }

    /// `2`: an event, with an ack id when an answer is wanted.
    pub(crate) fn event<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        name: &str,
        args: &T,
        ack: Option<u64>,
    ) -> Result<Encoded, EmitError> {
        if RESERVED_EVENTS.contains(&name) {
            return Err(EmitError::ReservedEvent);
        }
        self.list(namespace, Some(name), args, ack)
    }

    /// `3`: the answer to an event.
    pub(crate) fn ack<T: Serialize + ?Sized>(&self, namespace: &str, id: u64, args: &T) -> Result<Encoded, EmitError> {
        self.list(namespace, None, args, Some(id))
    }

    /// An event with its name, or an ack without.
    fn list<T: Serialize + ?Sized>(
        &self,
        namespace: &str,
        name: Option<&str>,
        args: &T,
        ack: Option<u64>,
    ) -> Result<Encoded, EmitError> {
        let kind = if name.is_some() { PacketType::Event } else { PacketType::Ack };
        if let Self::Default = self {
            let (list, rest) = list::write(name, args, Frame::binary)?;
            return Ok(Encoded::default((kind, namespace, ack), &list, rest));
        }
        let (payload, attachments) = list::write(name, args, Bytes::copy_from_slice)?;
        self.write((kind, namespace, ack), &payload, attachments)
    }

    /// An event with this list, its name first, which another server has written.
    pub(crate) fn relayed(
        &self,
        namespace: &str,
        list: &str,
        attachments: &[Bytes],
        ack: Option<u64>,
    ) -> Result<Encoded, EmitError> {
        let header = (PacketType::Event, namespace, ack);
        match self {
            Self::Default => {
                let rest = attachments.iter().map(|data| Frame::binary(data)).collect();
                Ok(Encoded::default(header, list, rest))
            }
            _ => self.write(header, list, attachments.to_vec()),
        }
    }

    /// By another parser than the default one.
    fn write(
        &self,
        (kind, namespace, ack): (PacketType, &str, Option<u64>),
        payload: &str,
        attachments: Vec<Bytes>,
    ) -> Result<Encoded, EmitError> {
        let packet = OutgoingPacket { kind, namespace, ack, payload, attachments: &attachments };
        if let Self::Custom(parser) = self
            && !parser.supports(&packet)
        {
            return Err(EmitError::Unsupported);
        }
        let (first, rest) = self.frames(&packet);
        if !is_recoverable(kind, ack) {
            return Ok(Encoded { first, rest, offset: Offset::None });
        }
        let event = Event { parser: self.clone(), namespace: namespace.into(), payload: payload.into(), attachments };
        Ok(Encoded { first: first.droppable(), rest, offset: Offset::Rewritten(Arc::new(event)) })
    }

    /// `0`: the socket has joined, and with the pid may come back. A client of revision 3 knows its id already.
    pub(crate) fn connect(&self, namespace: &str, id: &SocketId, pid: Option<&Pid>, revision: Revision) -> Encoded {
        let pid = pid.map(|pid| format!(",\"pid\":\"{pid}\"")).unwrap_or_default();
        match revision {
            Revision::V3 => self.plain(PacketType::Connect, namespace, ""),
            Revision::V4 => self.plain(PacketType::Connect, namespace, &format!("{{\"sid\":\"{id}\"{pid}}}")),
        }
    }

    /// `1`: the server made the socket leave.
    pub(crate) fn disconnect(&self, namespace: &str) -> Encoded {
        self.plain(PacketType::Disconnect, namespace, "")
    }

    /// `4`: the socket may not join. A client of revision 3 is told the data alone, or the message if there are none.
    pub(crate) fn connect_error(&self, namespace: &str, error: &ConnectError, revision: Revision) -> Encoded {
        let json = match (revision, &error.data) {
            (Revision::V4, _) => serde_json::to_string(error),
            // Any other kind of value would be no packet to it.
            (Revision::V3, Some(data @ (Value::Object(_) | Value::Array(_) | Value::String(_)))) => {
                serde_json::to_string(data)
            }
            (Revision::V3, _) => serde_json::to_string(&error.message),
        };
        let json = json.expect("strings and JSON values can be written as JSON");
        self.plain(PacketType::ConnectError, namespace, &json)
    }

    /// `4`: there is no such namespace, in the words that clients in the field compare, and the same in both revisions.
    pub(crate) fn invalid_namespace(&self, namespace: &str) -> Encoded {
        self.plain(PacketType::ConnectError, namespace, r#"{"message":"Invalid namespace"}"#)
    }

    fn plain(&self, kind: PacketType, namespace: &str, payload: &str) -> Encoded {
        let (first, rest) = self.frames(&OutgoingPacket { kind, namespace, ack: None, payload, attachments: &[] });
        Encoded { first, rest, offset: Offset::None }
    }

    fn frames(&self, packet: &OutgoingPacket<'_>) -> (Frame, Vec<Frame>) {
        let Messages { first, rest } = self.encode(packet);
        (Frame::from(&first), rest.iter().map(Frame::from).collect())
    }
}

/// Whether a client that comes back is sent it again.
fn is_recoverable(kind: PacketType, ack: Option<u64>) -> bool {
    kind == PacketType::Event && ack.is_none()
}

/// An event without a name, as JSON.
const NAMELESS: &str = "[\"\"]";

/// Whether the last item of this list is a text of more than `max` bytes in quotes.
fn ends_long(list: &str, max: usize) -> bool {
    let list = list.as_bytes();
    let is_escaped = |at: usize| list[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let last = list.len() - 2;
    list[last] == b'"' && !(last.saturating_sub(max - 1)..last).any(|at| list[at] == b'"' && !is_escaped(at))
}

/// A packet encoded once, for any number of recipients.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) first: Frame,
    pub(crate) rest: Vec<Frame>,
    offset: Offset,
}

/// How an event gets its offset: one more argument at its end, of which clients that may come back take notice.
#[derive(Debug, Clone)]
enum Offset {
    /// Not at all: it is none, it asks for an answer, or it has one.
    None,
    /// Behind the text of the default parser, with one copy.
    Spliced,
    /// By its parser, which writes it again.
    Rewritten(Arc<Event>),
}

/// What it takes to write an event again.
#[derive(Debug)]
struct Event {
    parser: Parser,
    namespace: Box<str>,
    payload: Box<str>,
    attachments: Vec<Bytes>,
}

impl Event {
    /// Bytes that it takes to keep it.
    fn size(&self) -> usize {
        let attachments = self.attachments.iter().map(|attachment| size_of::<Bytes>() + attachment.len());
        size_of::<Self>() + self.namespace.len() + self.payload.len() + attachments.sum::<usize>()
    }
}

impl Encoded {
    /// A list by the default parser.
    fn default((kind, namespace, ack): (PacketType, &str, Option<u64>), list: &str, rest: Vec<Frame>) -> Self {
        let first = packet::with_parts((kind, rest.len()), namespace, ack, list, Frame::text);
        match is_recoverable(kind, ack) {
            true => Self { first: first.droppable(), rest, offset: Offset::Spliced },
            false => Self { first, rest, offset: Offset::None },
        }
    }

    /// Whether it is an event that asks for no answer: one that a client which comes back is sent again.
    pub(crate) fn is_recoverable(&self) -> bool {
        !matches!(self.offset, Offset::None)
    }

    /// The same event with an offset as one more argument at its end.
    pub(crate) fn with_offset(&self, offset: &str) -> Self {
        let (first, rest) = match &self.offset {
            Offset::None => return self.clone(),
            Offset::Spliced => {
                let event = self.text().strip_suffix(']').expect("an event is an array");
                (Frame::text(&[event, ",\"", offset, "\"]"]), self.rest.clone())
            }
            Offset::Rewritten(event) => {
                let Event { parser, namespace, payload, attachments } = &**event;
                let payload = payload.strip_suffix(']').expect("an event is an array");
                let payload = [payload, ",\"", offset, "\"]"].concat();
                let (kind, ack) = (PacketType::Event, None);
                parser.frames(&OutgoingPacket { kind, namespace, ack, payload: &payload, attachments })
            }
        };
        let encoded = Self { first, rest, offset: Offset::None };
        if self.first.compress() { encoded } else { encoded.uncompressed() }
    }

    /// The same event, behind it one without a name if its last item is a text of more than `max` bytes in quotes:
    /// then what clients keep of it for their next CONNECT is short.
    pub(crate) fn with_short_end(&self, max: usize) -> Self {
        let follower = match &self.offset {
            Offset::Spliced if ends_long(self.text(), max) => {
                let header = header(self.text());
                let namespace = header.find('/').map(|at| &header[at..]);
                Some((Frame::text(&["2", namespace.unwrap_or_default(), NAMELESS]), Vec::new()))
            }
            Offset::Rewritten(event) if ends_long(&event.payload, max) => {
                let (kind, namespace, ack) = (PacketType::Event, &*event.namespace, None);
                let packet = OutgoingPacket { kind, namespace, ack, payload: NAMELESS, attachments: &[] };
                Some(event.parser.frames(&packet))
            }
            _ => None,
        };
        let mut rest = self.rest.clone();
        if let Some((first, more)) = follower {
            rest.push(first);
            rest.extend(more);
        }
        Self { first: self.first.clone(), rest, offset: Offset::None }
    }

    /// The arguments of an event that asks for no answer and has no offset yet; of others none.
    pub(crate) fn args(&self) -> Args {
        let Some((list, attachments)) = self.list() else { return Args::default() };
        args::of_event(list, attachments.into_iter().map(Bytes::copy_from_slice).collect())
    }

    /// The list of such an event, its name first, and what placeholders in it stand for.
    pub(crate) fn list(&self) -> Option<(&str, Vec<&[u8]>)> {
        match &self.offset {
            Offset::None => None,
            Offset::Spliced => {
                let text = self.text();
                Some((&text[header(text).len()..], self.rest.iter().map(message).collect()))
            }
            Offset::Rewritten(event) => Some((&event.payload, event.attachments.iter().map(|data| &**data).collect())),
        }
    }

    /// The packet of the default parser.
    fn text(&self) -> &str {
        // Behind the `4` of a message.
        str::from_utf8(&message(&self.first)[1..]).expect("a text frame is UTF-8")
    }

    /// Bytes that it takes to keep it.
    pub(crate) fn size(&self) -> usize {
        let event = if let Offset::Rewritten(event) = &self.offset { event.size() } else { 0 };
        event + std::iter::once(&self.first).chain(&self.rest).map(Frame::footprint).sum::<usize>()
    }

    /// The same, never compressed on its way.
    pub(crate) fn uncompressed(self) -> Self {
        let rest = self.rest.into_iter().map(Frame::uncompressed).collect();
        Self { first: self.first.uncompressed(), rest, ..self }
    }
}

/// What comes before the list in an event of the default parser that asks for no answer.
fn header(text: &str) -> &str {
    let number = |character: char| character.is_ascii_digit() || character == '-';
    let namespace = text.trim_start_matches(number);
    let length = if namespace.starts_with('/') { namespace.find(',').map_or(0, |comma| comma + 1) } else { 0 };
    &text[..text.len() - namespace.len() + length]
}

/// What a frame holds behind its header (RFC 6455, section 5.2).
fn message(frame: &Frame) -> &[u8] {
    let frame = frame.websocket();
    let start = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &frame[start..]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEFAULT: Parser = Parser::Default;

    fn frame(text: &str) -> Frame {
        Frame::from(&Message::Text(text.into()))
    }

    #[test]
    fn packets_are_encoded() {
        let text = |encoded: Encoded| (encoded.first, encoded.rest.len());
        let may_be_dropped = frame("2[\"a\"]").droppable();
        assert_eq!(text(DEFAULT.event("/", "a", &(), None).expect("event")), (may_be_dropped, 0));
        assert_eq!(
            text(DEFAULT.event("/n", "é\"", &(1, "x"), Some(3)).expect("event")),
            (frame("2/n,3[\"é\\\"\",1,\"x\"]"), 0)
        );
        assert_eq!(text(DEFAULT.ack("/", 7, &()).expect("ack")), (frame("37[]"), 0));
        assert_eq!(text(DEFAULT.ack("/n", 7, &("a", 1)).expect("ack")), (frame("3/n,7[\"a\",1]"), 0));
        assert_eq!(text(DEFAULT.disconnect("/n")), (frame("1/n,"), 0));
        let error = ConnectError::new("no").with_data(json!({"code": 403}));
        let refused = |error: &ConnectError, revision| text(DEFAULT.connect_error("/n", error, revision));
        assert_eq!(refused(&error, Revision::V4), (frame("4/n,{\"message\":\"no\",\"data\":{\"code\":403}}"), 0));
        assert_eq!(refused(&error, Revision::V3), (frame("4/n,{\"code\":403}"), 0));
        for (data, told) in
            [(json!("why"), "\"why\""), (json!([1]), "[1]"), (json!(403), "\"no\""), (json!(null), "\"no\"")]
        {
            let error = ConnectError::new("no").with_data(data);
            assert_eq!(refused(&error, Revision::V3), (frame(&format!("4/n,{told}")), 0));
        }
        assert_eq!(refused(&ConnectError::new("\"no\""), Revision::V3), (frame(r#"4/n,"\"no\"""#), 0));
        let binary = Bytes::from_static(&[1]);
        let placeholder = "{\"_placeholder\":true,\"num\":0}";
        assert_eq!(
            text(DEFAULT.event("/n", "a", &binary, Some(1)).expect("event")),
            (frame(&format!("51-/n,1[\"a\",{placeholder}]")), 1)
        );
        assert_eq!(text(DEFAULT.ack("/", 1, &binary).expect("ack")), (frame(&format!("61-1[{placeholder}]")), 1));
        assert!(matches!(DEFAULT.event("/", "disconnect", &(), None), Err(EmitError::ReservedEvent)));
    }

    /// What rooms keep is bounded by what it takes: of an event that may be written again twice its length.
    #[cfg(feature = "msgpack")]
    #[test]
    fn what_it_takes_to_write_an_event_again_counts() {
        let (text, binary) = ("x".repeat(10_000), Bytes::from(vec![0; 10_000]));
        let size = |parser: Parser| parser.event("/", "a", &(&text, &binary), None).expect("event").size();
        assert!((20_000..21_000).contains(&size(DEFAULT)));
        assert!((40_000..42_000).contains(&size(Parser::Msgpack)));
    }
}
