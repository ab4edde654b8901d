//! What it is: what `@socket.io/redis-emitter` and servers with `@socket.io/redis-adapter` publish, as ops and
//! questions.
//! What it is not: the doing (`perform`), nor the answers (`reply`).
//! Who calls it: `inbox`, with what comes on the channels of a namespace.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use socketio::{Args, Glob, Limits, msgpack_to_json};

use super::is_own;
use crate::{
    op::{Action, Emit, Op},
    room_name::{RoomName, RoomNames},
    sockets::{Audience, Manner},
};

/// The packet types of an event; with binary in it, other buses have another one.
const EVENT: [u64; 2] = [2, 5];

/// A request, and by what its answers are known.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) asked: Asked,
}

/// What is asked.
#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    /// No answer is wanted.
    Do(Op),
    /// What servers before version 6 of the adapter ask: whoever has the socket of this id answers.
    DoFor(String, Op),
    /// The ids of the members of these rooms, or of all sockets.
    Ids(Audience),
    AllRooms,
    /// All that is known of sockets: of those that are meant, less those excepted.
    Sockets(Audience, Audience),
    /// An event whose recipients are asked for answers, within a time if one is said.
    Emit(Op, Option<Duration>),
    /// A message to servers, of which this one knows nothing.
    ServerSideEmit,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeError {
    /// It is neither MessagePack nor JSON of the right shape.
    Malformed,
    /// Its number means nothing.
    UnknownRequest,
    /// Its namespace is another one than that of its channel.
    OtherNamespace,
}

#[derive(Deserialize)]
struct Packet {
    r#type: u64,
    nsp: Option<String>,
    data: Vec<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Opts {
    rooms: Vec<RoomName>,
    except: Vec<RoomName>,
    flags: Option<Flags>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flags {
    volatile: Option<bool>,
    compress: Option<bool>,
    /// In milliseconds.
    timeout: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    r#type: i64,
    #[serde(default)]
    request_id: Value,
    opts: Option<Opts>,
    rooms: Option<RoomNames>,
    sid: Option<String>,
    room: Option<RoomName>,
    packet: Option<Packet>,
}

/// Reads what is emitted in a namespace: `[uid, packet, opts]`; `None` of what a server of this kind has published. The
/// namespace is said again in the packet; where `is_in` says that it is another one than that of the channel, the
/// message is not for it.
pub(crate) fn emitted(message: &Bytes, is_in: impl Fn(&str) -> bool) -> Result<Option<Op>, NodeError> {
    // Looked at first, as most that comes may be our own: a list of three, and a text of less than 256 bytes.
    if let [0x93, 0xd9, length, rest @ ..] = &message[..]
        && rest.get(..usize::from(*length)).is_some_and(|uid| str::from_utf8(uid).is_ok_and(is_own))
    {
        return Ok(None);
    }
    let (json, attachments) = text(message)?;
    let (_uid, packet, opts): (Value, Packet, Opts) = read(&json)?;
    let namespace = packet.nsp.clone().unwrap_or_else(|| "/".into());
    if !is_in(&namespace) {
        return Err(NodeError::OtherNamespace);
    }
    emit(namespace, packet, opts, attachments).map(Some)
}

/// Reads a request in a namespace.
pub(crate) fn request(message: &Bytes, namespace: &str) -> Result<Request, NodeError> {
    let (json, attachments) = text(message)?;
    let mut fields: Fields = read(&json)?;
    let asked = match fields.r#type {
        0 => {
            let rooms = fields.rooms.map(RoomNames::into_vec).unwrap_or_default();
            Asked::Ids(Audience { rooms, ..Audience::default() })
        }
        1 => Asked::AllRooms,
        2..=4 => fields.change(namespace)?,
        5 => {
            let opts = fields.opts.ok_or(NodeError::Malformed)?;
            Asked::Sockets(audience(opts.rooms), audience(opts.except))
        }
        6 => Asked::ServerSideEmit,
        7 => {
            let (packet, opts) = fields.packet.zip(fields.opts).ok_or(NodeError::Malformed)?;
            let timeout = opts.flags.as_ref().and_then(|flags| flags.timeout);
            let timeout = timeout.and_then(|millis| Duration::try_from_secs_f64(millis / 1000.0).ok());
            Asked::Emit(emit(namespace.to_owned(), packet, opts, attachments)?, timeout)
        }
        _ => return Err(NodeError::UnknownRequest),
    };
    Ok(Request { id: fields.request_id, asked })
}

impl Fields {
    /// Sockets join, leave, or are disconnected.
    fn change(&mut self, namespace: &str) -> Result<Asked, NodeError> {
        let (sid, target, except) = match (self.opts.take(), self.sid.take()) {
            (Some(opts), _) => (None, audience(opts.rooms), audience(opts.except)),
            (None, Some(sid)) => (Some(sid.clone()), Audience::sid(sid), Audience::default()),
            (None, None) => return Err(NodeError::Malformed),
        };
        let rooms = match (self.rooms.take(), self.room.take()) {
            (Some(rooms), _) => rooms.into_vec(),
            (None, room) => room.map(|room| room.0).into_iter().collect(),
        };
        let action = match self.r#type {
            2 => Action::Join { target, except, rooms, leave: None },
            3 => Action::Leave { target, except, rooms: rooms.iter().map(|room| Glob::exact(room)).collect() },
            // With `close` or without: a client that has left its last namespace closes its connection by itself.
            _ => Action::Disconnect { target, except, transport: false },
        };
        let op = Op { namespace: namespace.to_owned(), action };
        Ok(match sid {
            Some(sid) => Asked::DoFor(sid, op),
            None => Asked::Do(op),
        })
    }
}

/// The text of a message, which is JSON or MessagePack, and what is binary in it.
fn text(message: &Bytes) -> Result<(String, Vec<Bytes>), NodeError> {
    if message.starts_with(b"{") {
        let text = str::from_utf8(message).map_err(|_| NodeError::Malformed)?;
        return Ok((text.to_owned(), Vec::new()));
    }
    // An event is in a list, in a packet, in a message.
    let max_depth = Limits::default().max_depth + 3;
    let limits = Limits { max_attachment_bytes: usize::MAX, max_depth, ..Limits::default() };
    msgpack_to_json(message, &limits).map_err(|_| NodeError::Malformed)
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, NodeError> {
    serde_json::from_str(json).map_err(|_| NodeError::Malformed)
}

fn emit(namespace: String, packet: Packet, opts: Opts, attachments: Vec<Bytes>) -> Result<Op, NodeError> {
    let (name, args) = packet.data.split_first().ok_or(NodeError::Malformed)?;
    if !EVENT.contains(&packet.r#type) {
        return Err(NodeError::Malformed);
    }
    // The name of an event may be a number.
    let event = match read(name.get())? {
        Value::String(event) => event,
        Value::Number(number) => number.to_string(),
        _ => return Err(NodeError::Malformed),
    };
    let args: Vec<&str> = args.iter().map(|arg| arg.get()).collect();
    let args = Args::from_parts(&format!("[{}]", args.join(",")), attachments, &Limits::default());
    let flags = opts.flags.unwrap_or_default();
    let manner = Manner {
        volatile: flags.volatile.unwrap_or_default(),
        uncompressed: flags.compress == Some(false),
        unkept: false,
    };
    let emit = Emit {
        event,
        args: args.map_err(|_| NodeError::Malformed)?,
        to: audience(opts.rooms),
        except: audience(opts.except),
        manner,
        id: None,
    };
    Ok(Op { namespace, action: Action::Emit(emit) })
}

/// Rooms and ids of sockets, which are in one space of names.
fn audience(names: Vec<RoomName>) -> Audience {
    Audience { rooms: names.into_iter().map(|name| name.0).collect(), ..Audience::default() }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
