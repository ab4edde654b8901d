//! What it is: the messages of one connection put together to packets: a text, and the binaries it announces.
//! What it is not: a judge of namespaces; it knows only what is a packet.
//! Who calls it: a connection's `client`, which owns it. The fuzzer.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use engineio::{ByteString, Message, Revision};

use crate::{
    args::Args,
    error::DecodeError,
    limits::Limits,
    packet::{Header, Kind, check_event_name},
};

/// A whole packet from a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Name of the namespace, with its leading slash.
    pub namespace: ByteString,
    /// What is in it.
    pub body: Body,
}

impl Packet {
    /// The same, copied if it keeps a much longer message: what is kept has to count as long as it is, and blanks and
    /// leading zeros do not count.
    fn kept_of(self, message: usize) -> Self {
        let size = match &self.body {
            Body::Connect(auth) => auth.len(),
            Body::Disconnect => 0,
            Body::Event(event) => event.size(),
            Body::Ack(_, args) => args.size(),
        };
        if !is_wasteful(message, size) {
            return self;
        }
        let body = match self.body {
            Body::Connect(auth) => Body::Connect((&*auth).into()),
            Body::Disconnect => Body::Disconnect,
            Body::Event(event) => {
                Body::Event(Incoming { name: (&*event.name).into(), args: event.args.copied(), ..event })
            }
            Body::Ack(id, args) => Body::Ack(id, args.copied()),
        };
        Self { namespace: (&*self.namespace).into(), body }
    }
}

/// Whether so much of a message is kept for so little of it that a copy of that is better.
pub(crate) fn is_wasteful(message: usize, size: usize) -> bool {
    const MAX_WASTE: usize = 1024;
    message > size.saturating_mul(2).saturating_add(MAX_WASTE)
}

/// What a packet says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// The client asks to join, with this JSON object as `auth`; empty when it sent none. In revision 3 it is made of
    /// the query behind the namespace's name.
    Connect(ByteString),
    /// The client leaves.
    Disconnect,
    /// The client emits.
    Event(Incoming),
    /// The client answers the event with this id; `None` when it did not say which.
    Ack(Option<u64>, Args),
}

/// An event from a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Its name; of a number its text.
    pub name: ByteString,
    /// Its arguments.
    pub args: Args,
    /// The id under which an answer is wanted.
    pub ack: Option<u64>,
}

impl Incoming {
    /// Bytes of its name and its arguments, attachments included.
    pub(crate) fn size(&self) -> usize {
        self.name.len() + self.args.size()
    }
}

/// Puts the messages of one connection together to packets, in the order in which they come.
pub trait Decode: fmt::Debug + Send {
    /// Takes the next message. `None` while more of its packet is due.
    ///
    /// # Errors
    /// [`DecodeError`]; the connection is closed then.
    fn push(&mut self, message: Message) -> Result<Option<Packet>, DecodeError>;

    /// The namespace of the packet of which more is due. The client must have joined it, so a CONNECT is one message;
    /// and it has [`attachment_timeout`](crate::Limits::attachment_timeout) from the first message to the last one.
    /// Default: none, for parsers with one message per packet.
    fn awaits(&self) -> Option<&str> {
        None
    }
}

/// The decoder of the default parser.
#[derive(Debug)]
pub struct Decoder {
    revision: Revision,
    limits: Arc<Limits>,
    /// In a box, as most connections never have one.
    partial: Option<Box<Partial>>,
}

/// A packet whose attachments are still due.
#[derive(Debug)]
struct Partial {
    packet: Packet,
    due: usize,
    attachments: Vec<Bytes>,
}

impl Decoder {
    /// For a connection of this revision.
    pub fn new(revision: Revision, limits: Arc<Limits>) -> Self {
        Self { revision, limits, partial: None }
    }
}

impl Decode for Decoder {
    fn awaits(&self) -> Option<&str> {
        self.partial.as_ref().map(|partial| &*partial.packet.namespace)
    }

    fn push(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        match (message, self.partial.take()) {
            (Message::Text(text), None) => {
                let header = Header::decode(&text, self.revision, &self.limits)?;
                let due = header.attachments;
                let packet = packet(&text, header, &self.limits)?.kept_of(text.len());
                if due == 0 {
                    return Ok(Some(packet));
                }
                self.partial = Some(Box::new(Partial { packet, due, attachments: Vec::new() }));
                Ok(None)
            }
            (Message::Binary(data), Some(mut partial)) => {
                let bytes = data.len() + partial.attachments.iter().map(Bytes::len).sum::<usize>();
                if bytes > self.limits.max_attachment_bytes {
                    return Err(DecodeError::AttachmentBytes);
                }
                // A copy frees the read buffer, which the attachment would keep for as long as the others are due.
                partial.attachments.push(Bytes::copy_from_slice(&data));
                if partial.attachments.len() < partial.due {
                    self.partial = Some(partial);
                    return Ok(None);
                }
                attach(partial.packet, partial.attachments).map(Some)
            }
            (Message::Text(_), Some(_)) => Err(DecodeError::MissingAttachments),
            (Message::Binary(_), None) => Err(DecodeError::UnexpectedAttachment),
        }
    }
}

/// The packet of a text with this header, as yet without its attachments.
fn packet(text: &ByteString, header: Header<'_>, limits: &Limits) -> Result<Packet, DecodeError> {
    let Header { kind, namespace, query, ack, payload, .. } = header;
    let body = match kind {
        Kind::Connect => {
            let auth = if payload.is_empty() { ByteString::new() } else { object(text, payload, limits)? };
            Body::Connect(query.map_or(auth, parameters))
        }
        Kind::Disconnect if payload.is_empty() && ack.is_none() => Body::Disconnect,
        Kind::Disconnect => return Err(DecodeError::Payload),
        Kind::Event => Body::Event(event(Args::parse(text, payload, limits)?, ack, limits)?),
        Kind::Ack => Body::Ack(ack, Args::parse(text, payload, limits)?),
    };
    let namespace = if namespace == "/" { ByteString::from_static("/") } else { text.slice_ref(namespace) };
    Ok(Packet { namespace, body })
}

/// An event of which the first item is the name: a string, or a number, whose text is the name then.
pub(crate) fn event(mut args: Args, ack: Option<u64>, limits: &Limits) -> Result<Incoming, DecodeError> {
    let name = args.take_first(|text, item| match item.as_bytes() {
        // With an escape in it, it cannot be borrowed.
        [b'"', ..] if item.contains('\\') => {
            serde_json::from_str::<String>(item).map(ByteString::from).map_err(|_| DecodeError::Payload)
        }
        [b'"', .., b'"'] => Ok(text.slice_ref(&item[1..item.len() - 1])),
        [b'-' | b'0'..=b'9', ..] => Ok(text.slice_ref(item)),
        _ => Err(DecodeError::Payload),
    });
    let name = name.ok_or(DecodeError::Payload)??;
    check_event_name(&name, limits)?;
    Ok(Incoming { name, args, ack })
}

/// Puts the attachments where placeholders stand for them.
fn attach(Packet { namespace, body }: Packet, attachments: Vec<Bytes>) -> Result<Packet, DecodeError> {
    let body = match body {
        Body::Event(event) => Body::Event(Incoming { args: event.args.attach(attachments)?, ..event }),
        Body::Ack(ack, args) => Body::Ack(ack, args.attach(attachments)?),
        without @ (Body::Connect(_) | Body::Disconnect) => without,
    };
    Ok(Packet { namespace, body })
}

/// The payload of a CONNECT is an object or nothing.
fn object(text: &ByteString, payload: &str, limits: &Limits) -> Result<ByteString, DecodeError> {
    // Depth and syntax are those of any arguments.
    let array = ByteString::from(format!("[{payload}]"));
    let args = Args::parse(&array, &array, limits)?;
    if args.len() == 1 && payload.starts_with('{') { Ok(text.slice_ref(payload)) } else { Err(DecodeError::Payload) }
}

/// The parameters of a query as a JSON object of strings; empty when there are none. Of a parameter given
/// twice the last one counts, as in the reference.
pub(crate) fn parameters(query: &str) -> ByteString {
    let parameters: BTreeMap<Cow<'_, str>, Cow<'_, str>> = form_urlencoded::parse(query.as_bytes()).collect();
    if parameters.is_empty() {
        return ByteString::new();
    }
    serde_json::to_string(&parameters).expect("strings can be written as JSON").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(messages: &[Message]) -> Result<Option<Packet>, DecodeError> {
        let mut decoder = Decoder::new(Revision::V4, Arc::default());
        let mut last = Ok(None);
        for message in messages {
            assert_eq!(last, Ok(None), "only the last message completes a packet");
            last = decoder.push(message.clone());
        }
        last
    }

    fn text(text: &str) -> Message {
        Message::Text(text.into())
    }

    fn binary(data: &'static [u8]) -> Message {
        Message::Binary(Bytes::from_static(data))
    }

    fn event(packet: Result<Option<Packet>, DecodeError>) -> Incoming {
        match packet {
            Ok(Some(Packet { body: Body::Event(event), .. })) => event,
            other => panic!("no event: {other:?}"),
        }
    }

    #[test]
    fn packets_are_put_together() {
        assert_eq!(decode(&[text("0")]).map(|packet| packet.expect("whole").body), Ok(Body::Connect("".into())));
        assert_eq!(
            decode(&[text("0/a,{\"b\":1}")]),
            Ok(Some(Packet { namespace: "/a".into(), body: Body::Connect("{\"b\":1}".into()) }))
        );
        assert_eq!(decode(&[text("1")]).map(|packet| packet.expect("whole").body), Ok(Body::Disconnect));
        let hello = event(decode(&[text("21[\"hello\",{\"a\":1}]")]));
        assert_eq!((&*hello.name, hello.args.len(), hello.ack), ("hello", 1, Some(1)));
        for (json, name) in
            [("\"\"", ""), ("1", "1"), ("-1.5", "-1.5"), ("\"a\\u00e9\"", "aé"), ("\"__proto__\"", "__proto__")]
        {
            assert_eq!(&*event(decode(&[text(&format!("2[{json}]"))])).name, name);
        }
        let placeholder = "{\"_placeholder\":true,\"num\":1}";
        let upload = event(decode(&[text(&format!("52-[\"up\",{placeholder}]")), binary(b"0"), binary(b"1")]));
        assert_eq!(upload.args.read::<serde_json::Value>().ok(), None, "a JSON value holds no binary");
        assert_eq!(upload.args.read::<Bytes>().expect("bytes"), "1");
        assert!(matches!(decode(&[text("3[]")]), Ok(Some(Packet { body: Body::Ack(None, _), .. }))));
    }

    #[test]
    fn what_is_kept_of_a_packet_is_not_its_whole_message() {
        let blanks = " ".repeat(100_000);
        let zeros = "0".repeat(100_000);
        let (header, placeholder) = (format!("51-{zeros}[\"up\","), "{\"_placeholder\":true,\"num\":0}");
        for text in [
            format!("2[{blanks}\"a\",1]"),
            format!("2{zeros}7[\"a\",1]"),
            format!("3{zeros}7[1]"),
            format!("{header}{placeholder}]"),
        ] {
            let message = ByteString::from(text);
            let mut decoder = Decoder::new(Revision::V4, Arc::default());
            let _kept = decoder.push(Message::Text(message.clone())).expect("a packet");
            assert!(message.into_bytes().is_unique(), "nothing of the message is kept");
        }
    }

    #[test]
    fn in_revision_3_auth_is_the_query_of_the_namespace() {
        let rows = [
            ("0/a,", "/a", ""),
            ("0/a?,", "/a", ""),
            ("0/a,{\"b\":1}", "/a", ""),
            ("0/a?b=c,{\"d\":1}", "/a", r#"{"b":"c"}"#),
            ("0/?token=x", "/", r#"{"token":"x"}"#),
            ("0/a?b=%20y+z&c=1&c=2&d&=e&__proto__=%22", "/a", r#"{"":"e","__proto__":"\"","b":" y z","c":"2","d":""}"#),
            ("0/a?b=%ff%zz,", "/a", "{\"b\":\"\u{fffd}%zz\"}"),
        ];
        for (text, namespace, auth) in rows {
            let packet = Packet { namespace: namespace.into(), body: Body::Connect(auth.into()) };
            assert_eq!(
                Decoder::new(Revision::V3, Arc::default()).push(Message::Text(text.into())),
                Ok(Some(packet)),
                "{text}"
            );
        }
        for text in ["0/a?b=c,[]", "0/a?b=c,d"] {
            assert_eq!(
                Decoder::new(Revision::V3, Arc::default()).push(Message::Text(text.into())),
                Err(DecodeError::Payload),
                "{text}"
            );
        }
        let leave = Packet { namespace: "/a".into(), body: Body::Disconnect };
        assert_eq!(Decoder::new(Revision::V3, Arc::default()).push(text("1/a?b=c,")), Ok(Some(leave)));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let rows: &[(&[Message], DecodeError)] = &[
            (&[text("0[]")], DecodeError::Payload),
            (&[text("0null")], DecodeError::Payload),
            (&[text("0\"x\"")], DecodeError::Payload),
            (&[text("0{}{}")], DecodeError::Payload),
            (&[text("0{},{}")], DecodeError::Payload),
            (&[text("0abc")], DecodeError::Payload),
            (&[text("1{}")], DecodeError::Payload),
            (&[text("15")], DecodeError::Payload),
            (&[text("2")], DecodeError::Payload),
            (&[text("21")], DecodeError::Payload),
            (&[text("2[]")], DecodeError::Payload),
            (&[text("2{}")], DecodeError::Payload),
            (&[text("2 [\"a\"]")], DecodeError::Payload),
            (&[text("2[\"a\"]x")], DecodeError::Payload),
            (&[text("2[\"\\ud800\"]")], DecodeError::Payload),
            (&[text("2[null]")], DecodeError::Payload),
            (&[text("2[true]")], DecodeError::Payload),
            (&[text("2[[\"a\"]]")], DecodeError::Payload),
            (&[text("2[{\"toString\":\"foo\"}]")], DecodeError::Payload),
            (&[text("2[\"connect\"]")], DecodeError::EventName),
            (&[text("2[\"dis\\u0063onnect\",\"x\"]")], DecodeError::EventName),
            (&[text("2-1[\"a\"]")], DecodeError::Payload),
            (&[text("3{}")], DecodeError::Payload),
            (&[text("51-[\"a\"]"), text("2[\"b\"]")], DecodeError::MissingAttachments),
            (&[binary(b"")], DecodeError::UnexpectedAttachment),
            (&[text("51-[\"a\"")], DecodeError::Payload),
            (&[text("61-1{}")], DecodeError::Payload),
            (&[text("51-[\"connect\"]")], DecodeError::EventName),
            (&[text("51-[\"a\",{\"_placeholder\":true,\"num\":1}]"), binary(b"")], DecodeError::Placeholder),
            (&[text("51-[\"a\",{\"_placeholder\":true,\"num\":\"splice\"}]"), binary(b"")], DecodeError::Placeholder),
        ];
        for (messages, error) in rows {
            assert_eq!(decode(messages), Err(*error), "{messages:?}");
        }
        let long = format!("2[\"{}\"]", "x".repeat(1025));
        assert_eq!(decode(&[text(&long)]), Err(DecodeError::EventName));
    }
}
