//! What it is: one Socket.IO packet: its header read from text, and its text written, as the default parser has it.
//! What it is not: the waiting for attachments (`decoder`), nor their place in the arguments (`args`).
//! Who calls it: `decoder` reads; `parser` writes. socket.io-protocol v5, and v4 above revision 3.

use bytes::Bytes;
use engineio::Revision;

use crate::{error::DecodeError, limits::Limits};

/// Names of events that clients keep for themselves, so that neither side may emit them.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The largest whole number that every client can hold.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

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
pub(crate) struct Header<'a> {
    /// The type.
    pub(crate) kind: Kind,
    /// Number of binary messages that follow.
    pub(crate) attachments: usize,
    /// Name of the namespace, with its leading slash.
    pub(crate) namespace: &'a str,
    /// What followed the name behind a question mark; `None` in revision 4, where this is part of the name.
    pub(crate) query: Option<&'a str>,
    /// The ack id.
    pub(crate) ack: Option<u64>,
    /// The JSON; empty when there is none.
    pub(crate) payload: &'a str,
}

impl<'a> Header<'a> {
    /// Reads `<type>[<attachments>-][<namespace>[?<query>],][<ack id>][<payload>]`, the query in revision 3 only.
    ///
    /// # Errors
    /// [`DecodeError`], when the text is no packet that a client may send.
    pub(crate) fn decode(text: &'a str, revision: Revision, limits: &Limits) -> Result<Self, DecodeError> {
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
        let (namespace, query) = split_query(namespace, revision);
        if namespace.len() > limits.max_namespace_name {
            return Err(DecodeError::Namespace);
        }
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (id, payload) = rest.split_at(digits);
        let ack = if id.is_empty() { None } else { Some(ack_id(id)?) };
        Ok(Self { kind, attachments, namespace, query, ack, payload })
    }
}

/// A namespace and the query behind it, which only revision 3 has.
pub(crate) fn split_query(namespace: &str, revision: Revision) -> (&str, Option<&str>) {
    match revision {
        Revision::V3 => namespace.split_once('?').map_or((namespace, Some("")), |(name, query)| (name, Some(query))),
        Revision::V4 => (namespace, None),
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

/// The type of a packet that the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// `0`: the client has joined a namespace.
    Connect = 0,
    /// `1`: the server made it leave.
    Disconnect = 1,
    /// `2`: an event. The default parser writes `5` when it has attachments.
    Event = 2,
    /// `3`: the answer to an event. The default parser writes `6` when it has attachments.
    Ack = 3,
    /// `4`: the client may not join.
    ConnectError = 4,
}

/// A packet that is about to be sent, for a parser to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingPacket<'a> {
    /// What it is.
    pub kind: PacketType,
    /// Name of the namespace, with its leading slash.
    pub namespace: &'a str,
    /// The ack id: of an event, under which an answer is wanted; of an ack, which event it answers.
    pub ack: Option<u64>,
    /// The payload as JSON, empty when there is none. Of an event a list of its name and its arguments, of an ack a
    /// list of arguments. In these two `{"_placeholder":true,"num":0}`, without blanks, stands for an attachment;
    /// if there are none, it is data.
    pub payload: &'a str,
    /// The binary values, in the order of their placeholders.
    pub attachments: &'a [Bytes],
}

/// Hands `write` the parts of the text of a packet: the type, the number of attachments if there are some, the
/// namespace unless it is `/`, the ack id, and the payload.
pub(crate) fn with_parts<R>(
    (kind, attachments): (PacketType, usize),
    namespace: &str,
    ack: Option<u64>,
    payload: &str,
    write: impl FnOnce(&[&str]) -> R,
) -> R {
    let count = if attachments > 0 { format!("{attachments}-") } else { String::new() };
    let kind = match (kind, attachments > 0) {
        (PacketType::Connect, _) => "0",
        (PacketType::Disconnect, _) => "1",
        (PacketType::Event, false) => "2",
        (PacketType::Ack, false) => "3",
        (PacketType::ConnectError, _) => "4",
        (PacketType::Event, true) => "5",
        (PacketType::Ack, true) => "6",
    };
    let (namespace, comma) = if namespace == "/" { ("", "") } else { (namespace, ",") };
    let mut digits = itoa::Buffer::new();
    let id = ack.map(|id| digits.format(id)).unwrap_or_default();
    write(&[kind, &count, namespace, comma, id, payload])
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let header = Header { kind, attachments, namespace, query, ack, payload };
            assert_eq!(Header::decode(text, Revision::V4, &Limits::default()), Ok(header), "{text}");
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
            let header = Header::decode(text, Revision::V3, &Limits::default()).expect(text);
            assert_eq!((header.namespace, header.payload), (namespace, payload), "{text}");
            assert_eq!(header.query, Some(query), "{text}");
        }
        let long = format!("0/{}?a=1,", "x".repeat(255));
        assert_eq!(Header::decode(&long, Revision::V3, &Limits::default()), Err(DecodeError::Namespace));
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
            assert_eq!(Header::decode(text, Revision::V4, &Limits::default()), Err(error), "{text}");
        }
    }
}
