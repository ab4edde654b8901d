//! What it is: one Socket.IO packet: its header and payload read from text, and its encoding into frames.
//! What it is not: the waiting for attachments (`decoder`), nor their place in the arguments (`args`).
//! Who calls it: `decoder` reads; everything that sends writes. socket.io-protocol v5, and v4 above revision 3.

use engineio::{ByteString, Frame, Revision};
use serde::Serialize;
use serde_json::Value;

use crate::{
    args::{self, Written},
    error::{ConnectError, DecodeError, EmitError},
    id::SocketId,
    limits::Limits,
    pid::Pid,
};

/// Event names that clients keep for themselves, so neither side may emit them.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The largest whole number that every client can hold.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The types that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `0`: joins a namespace.
    Connect,
    /// `1`: leaves it.
    Disconnect,
    /// `2`, or `5` with attachments.
    Event,
    /// `3`, or `6` with attachments.
    Ack,
}

/// The text of a packet, taken apart. The payload is only sliced, not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The type.
    pub(crate) kind: Kind,
    /// Number of binary messages that follow.
    pub(crate) attachments: usize,
    /// Name of the namespace, with its leading slash.
    pub(crate) namespace: ByteString,
    /// What followed the name behind a question mark; `None` in revision 4, where this is part of the name.
    pub(crate) query: Option<ByteString>,
    /// The ack id.
    pub(crate) ack: Option<u64>,
    /// The JSON; empty when there is none.
    pub(crate) payload: ByteString,
}

impl Header {
    /// Reads `<type>[<attachments>-][<namespace>[?<query>],][<ack id>][<payload>]`, the query in revision 3 only.
    ///
    /// # Errors
    /// [`DecodeError`], when the text is no packet that a client may send.
    pub(crate) fn decode(text: &ByteString, revision: Revision, limits: &Limits) -> Result<Self, DecodeError> {
        let (kind, binary) = match text.as_bytes().first() {
            Some(b'0') => (Kind::Connect, false),
            Some(b'1') => (Kind::Disconnect, false),
            Some(b'2') => (Kind::Event, false),
            Some(b'3') => (Kind::Ack, false),
            Some(b'5') => (Kind::Event, true),
            Some(b'6') => (Kind::Ack, true),
            _ => return Err(DecodeError::UnknownType),
        };
        let mut rest = &text[1..];
        let mut attachments = 0;
        if binary {
            let (count, tail) = rest.split_once('-').ok_or(DecodeError::Attachments)?;
            attachments = attachment_count(count, limits.max_attachments).ok_or(DecodeError::Attachments)?;
            rest = tail;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let mut query = None;
        if revision == Revision::V3 {
            let (name, tail) = namespace.split_once('?').unwrap_or((namespace, ""));
            (namespace, query) = (name, Some(tail));
        }
        if namespace.len() > limits.max_namespace_name {
            return Err(DecodeError::Namespace);
        }
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (id, payload) = rest.split_at(digits);
        let ack = if id.is_empty() { None } else { Some(ack_id(id)?) };
        Ok(Self {
            kind,
            attachments,
            namespace: if namespace == "/" { ByteString::from_static("/") } else { text.slice_ref(namespace) },
            query: query.map(|query| text.slice_ref(query)),
            ack,
            payload: text.slice_ref(payload),
        })
    }
}

/// Digits only and no leading zero, so that a count has one spelling.
fn attachment_count(text: &str, max: usize) -> Option<usize> {
    let well_formed = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let count = text.parse().ok().filter(|_| well_formed)?;
    (1..=max).contains(&count).then_some(count)
}

fn ack_id(digits: &str) -> Result<u64, DecodeError> {
    digits.parse().ok().filter(|id| *id <= MAX_SAFE_INTEGER).ok_or(DecodeError::AckId)
}

/// Whether an event may have this name.
pub(crate) fn check_event_name(name: &str, limits: &Limits) -> Result<(), DecodeError> {
    if name.len() > limits.max_event_name || RESERVED_EVENTS.contains(&name) {
        return Err(DecodeError::EventName);
    }
    Ok(())
}

/// A packet encoded once, for any number of recipients.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) text: Frame,
    pub(crate) attachments: Vec<Frame>,
    /// Whether it is an event that asks for no answer: one that a client which comes back is sent again.
    pub(crate) is_recoverable: bool,
}

impl Encoded {
    /// The same event with an offset as one more argument at its end, of which clients take notice.
    pub(crate) fn with_offset(&self, offset: &str) -> Self {
        let frame = self.text.websocket();
        // The header (RFC 6455, section 5.2), and the `4` of a message.
        let start = 1 + match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let event = str::from_utf8(&frame[start..]).expect("a text frame is UTF-8");
        let event = event.strip_suffix(']').expect("an event is an array");
        let text = Frame::text(&[event, ",\"", offset, "\"]"]);
        let text = if self.text.compress() { text } else { text.uncompressed() };
        Self { text, ..self.clone() }
    }

    /// Its size in bytes, frame headers included.
    pub(crate) fn size(&self) -> usize {
        let frames = std::iter::once(&self.text).chain(&self.attachments);
        frames.map(|frame| size_of::<Frame>() + frame.websocket().len()).sum()
    }
}

impl Encoded {
    /// The same, never compressed on its way.
    pub(crate) fn uncompressed(self) -> Self {
        let attachments = self.attachments.into_iter().map(Frame::uncompressed).collect();
        Self { text: self.text.uncompressed(), attachments, ..self }
    }
}

/// `2`: an event, with an ack id when an answer is wanted.
pub(crate) fn event<T: Serialize + ?Sized>(
    namespace: &str,
    name: &str,
    args: &T,
    ack: Option<u64>,
) -> Result<Encoded, EmitError> {
    if RESERVED_EVENTS.contains(&name) {
        return Err(EmitError::ReservedEvent);
    }
    let written = args::write(args)?;
    let name = serde_json::to_string(name)?;
    let encoded = encode(["2", "5"], namespace, ack, &["[", &name, &written.json, "]"], &written);
    Ok(Encoded { is_recoverable: ack.is_none(), ..encoded })
}

/// `3`: the answer to an event.
pub(crate) fn ack<T: Serialize + ?Sized>(namespace: &str, id: u64, args: &T) -> Result<Encoded, EmitError> {
    let written = args::write(args)?;
    let items = written.json.strip_prefix(',').unwrap_or_default();
    Ok(encode(["3", "6"], namespace, Some(id), &["[", items, "]"], &written))
}

/// `0`: the socket has joined, and with the pid may come back. A client of revision 3 knows its id already.
pub(crate) fn connect(namespace: &str, id: &SocketId, pid: Option<&Pid>, revision: Revision) -> Encoded {
    let pid = pid.map(|pid| format!(",\"pid\":\"{pid}\"")).unwrap_or_default();
    match revision {
        Revision::V3 => plain("0", namespace, &[]),
        Revision::V4 => plain("0", namespace, &["{\"sid\":\"", id.as_str(), "\"", &pid, "}"]),
    }
}

/// `1`: the server made the socket leave.
pub(crate) fn disconnect(namespace: &str) -> Encoded {
    plain("1", namespace, &[])
}

/// `4`: the socket may not join. A client of revision 3 is told the data alone, or the message if there are none.
pub(crate) fn connect_error(namespace: &str, error: &ConnectError, revision: Revision) -> Encoded {
    let json = match (revision, &error.data) {
        (Revision::V4, _) => serde_json::to_string(error),
        // Any other kind of value would be no packet to it.
        (Revision::V3, Some(data @ (Value::Object(_) | Value::Array(_) | Value::String(_)))) => {
            serde_json::to_string(data)
        }
        (Revision::V3, _) => serde_json::to_string(&error.message),
    };
    plain("4", namespace, &[&json.expect("strings and JSON values can be written as JSON")])
}

/// `4`: there is no such namespace, in the words that clients in the field compare, and the same in both revisions.
pub(crate) fn invalid_namespace(namespace: &str) -> Encoded {
    plain("4", namespace, &[r#"{"message":"Invalid namespace"}"#])
}

fn plain(kind: &'static str, namespace: &str, payload: &[&str]) -> Encoded {
    encode([kind, kind], namespace, None, payload, &Written::default())
}

/// `kinds` are the type without and with attachments.
fn encode(kinds: [&str; 2], namespace: &str, ack: Option<u64>, payload: &[&str], written: &Written) -> Encoded {
    let attachments = written.attachments.len();
    let count = if attachments > 0 { format!("{attachments}-") } else { String::new() };
    let kind = kinds[usize::from(attachments > 0)];
    let (namespace, comma) = if namespace == "/" { ("", "") } else { (namespace, ",") };
    let id = ack.map(|id| id.to_string()).unwrap_or_default();
    let mut parts = vec![kind, &count, namespace, comma, &id];
    parts.extend(payload);
    Encoded { text: Frame::text(&parts), attachments: written.attachments.clone(), is_recoverable: false }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use engineio::Message;
    use serde_json::json;

    use super::*;

    fn frame(text: &str) -> Frame {
        Frame::from(&Message::Text(text.into()))
    }

    #[test]
    fn headers_are_read() {
        use Kind::{Ack, Connect, Disconnect, Event};
        let rows = [
            ("0", Connect, 0, "/", None, ""),
            ("0{\"token\":1}", Connect, 0, "/", None, "{\"token\":1}"),
            ("0/admin,", Connect, 0, "/admin", None, ""),
            ("0/admin", Connect, 0, "/admin", None, ""),
            ("0/,", Connect, 0, "/", None, ""),
            ("0/admin?a=1,{}", Connect, 0, "/admin?a=1", None, "{}"),
            ("1/admin,", Disconnect, 0, "/admin", None, ""),
            ("2[\"a\"]", Event, 0, "/", None, "[\"a\"]"),
            ("2/é,12[\"a,b\"]", Event, 0, "/é", Some(12), "[\"a,b\"]"),
            ("20007[]", Event, 0, "/", Some(7), "[]"),
            ("29007199254740991[]", Event, 0, "/", Some(9_007_199_254_740_991), "[]"),
            ("3/admin,0[]", Ack, 0, "/admin", Some(0), "[]"),
            ("51-[\"a\"]", Event, 1, "/", None, "[\"a\"]"),
            ("510-/admin,1[]", Event, 10, "/admin", Some(1), "[]"),
            ("61-1[]", Ack, 1, "/", Some(1), "[]"),
            ("2-1[]", Event, 0, "/", None, "-1[]"),
        ];
        for (text, kind, attachments, namespace, ack, payload) in rows {
            let query = None;
            let header = Header { kind, attachments, namespace: namespace.into(), query, ack, payload: payload.into() };
            assert_eq!(Header::decode(&text.into(), Revision::V4, &Limits::default()), Ok(header), "{text}");
        }
    }

    #[test]
    fn in_revision_3_a_query_follows_the_name() {
        let long = format!("?{}", "x".repeat(10_000));
        let rows = [
            ("0/admin?a=1&b=/?,", "/admin", "a=1&b=/?", ""),
            ("0/admin?a=1", "/admin", "a=1", ""),
            ("0/admin,", "/admin", "", ""),
            ("0/admin?,{}", "/admin", "", "{}"),
            ("0/?a=1,", "/", "a=1", ""),
            ("2[\"/a?b\"]", "/", "", "[\"/a?b\"]"),
            ("2/admin?a=1,[]", "/admin", "a=1", "[]"),
            (&format!("0/admin{long},"), "/admin", &long[1..], ""),
        ];
        for (text, namespace, query, payload) in rows {
            let header = Header::decode(&text.into(), Revision::V3, &Limits::default()).expect(text);
            assert_eq!((&*header.namespace, &*header.payload), (namespace, payload), "{text}");
            assert_eq!(header.query, Some(query.into()), "{text}");
        }
        let long = format!("0/{}?a=1,", "x".repeat(255));
        assert_eq!(Header::decode(&long.into(), Revision::V3, &Limits::default()), Err(DecodeError::Namespace));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = format!("0/{}", "x".repeat(255));
        let rows = [
            ("", DecodeError::UnknownType),
            ("4{}", DecodeError::UnknownType),
            ("7", DecodeError::UnknownType),
            ("é", DecodeError::UnknownType),
            ("5", DecodeError::Attachments),
            ("51", DecodeError::Attachments),
            ("5-[]", DecodeError::Attachments),
            ("5a-[]", DecodeError::Attachments),
            ("51.5-[]", DecodeError::Attachments),
            ("51e1-[]", DecodeError::Attachments),
            ("5+1-[]", DecodeError::Attachments),
            ("50-[]", DecodeError::Attachments),
            ("501-[]", DecodeError::Attachments),
            ("511-[]", DecodeError::Attachments),
            ("5999999999999999999999-[]", DecodeError::Attachments),
            ("29007199254740992[]", DecodeError::AckId),
            ("2100000000000000000000[]", DecodeError::AckId),
            (&long, DecodeError::Namespace),
        ];
        for (text, error) in rows {
            assert_eq!(Header::decode(&text.into(), Revision::V4, &Limits::default()), Err(error), "{text}");
        }
    }

    #[test]
    fn packets_are_encoded() {
        let text = |encoded: Encoded| (encoded.text, encoded.attachments.len());
        assert_eq!(text(event("/", "a", &(), None).expect("event")), (frame("2[\"a\"]"), 0));
        assert_eq!(
            text(event("/n", "é\"", &(1, "x"), Some(3)).expect("event")),
            (frame("2/n,3[\"é\\\"\",1,\"x\"]"), 0)
        );
        assert_eq!(text(ack("/", 7, &()).expect("ack")), (frame("37[]"), 0));
        assert_eq!(text(ack("/n", 7, &("a", 1)).expect("ack")), (frame("3/n,7[\"a\",1]"), 0));
        assert_eq!(text(disconnect("/n")), (frame("1/n,"), 0));
        let error = ConnectError::new("no").with_data(json!({"code": 403}));
        let refused = |error: &ConnectError, revision| text(connect_error("/n", error, revision));
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
            text(event("/n", "a", &binary, Some(1)).expect("event")),
            (frame(&format!("51-/n,1[\"a\",{placeholder}]")), 1)
        );
        assert_eq!(text(ack("/", 1, &binary).expect("ack")), (frame(&format!("61-1[{placeholder}]")), 1));
        assert!(matches!(event("/", "disconnect", &(), None), Err(EmitError::ReservedEvent)));
    }
}
