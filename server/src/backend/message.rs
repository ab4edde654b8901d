//! What it is: the body of a hook: what a backend is told of a socket and what it did.
//! What it is not: the answer (`answer`).
//! Who calls it: `backend`, when a hook goes for the first time.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use socketio::{Args, CloseReason, DisconnectReason, Socket};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::member::{self, Member};

/// Headers that come along beside those that are configured.
pub(crate) const ALWAYS: [&str; 2] = ["host", "x-forwarded-proto"];

/// What has happened.
#[derive(Debug)]
pub(crate) enum Happening {
    Connect {
        /// What the client sent along.
        auth: Box<RawValue>,
    },
    Event {
        event: Box<str>,
        args: Box<RawValue>,
        /// In base64.
        attachments: Vec<String>,
        wants_ack: bool,
    },
    Disconnect {
        reason: &'static str,
        connected: Duration,
    },
    /// A user has sockets in a namespace, or has none any more.
    User {
        is_online: bool,
    },
}

/// Which parts the body has beside those that it always has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) request: bool,
    pub(crate) rooms: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'a str,
    id: &'a str,
    time: String,
    node: &'a str,
    namespace: &'a str,
    sid: &'a str,
    seq: u64,
    user: Option<&'a str>,
    session: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request<'a>>,
    #[serde(flatten)]
    happening: Fields<'a>,
}

/// What is told of a user.
#[derive(Serialize)]
struct UserMessage<'a> {
    r#type: &'a str,
    id: &'a str,
    time: String,
    node: &'a str,
    namespace: &'a str,
    user: &'a str,
}

/// The request of the socket's connection.
#[derive(Serialize)]
struct Request<'a> {
    remote_addr: Option<String>,
    query: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    headers: BTreeMap<Cow<'a, str>, String>,
}

/// What only some types have.
#[derive(Default, Serialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    attachments: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    wants_ack: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_seconds: Option<f64>,
}

impl Happening {
    /// A client emitted an event.
    pub(crate) fn event(event: &str, args: &Args, wants_ack: bool) -> Self {
        // Copies: what came is a part of a larger buffer, and may wait for long.
        let args_json = RawValue::from_string(args.to_json()).expect("arguments are JSON");
        let attachments = args.attachments().iter().map(|bytes| STANDARD.encode(bytes)).collect();
        Self::Event { event: event.into(), args: args_json, attachments, wants_ack }
    }

    /// A socket has left.
    pub(crate) fn disconnect(reason: DisconnectReason, connected: Duration) -> Self {
        Self::Disconnect { reason: word(reason), connected }
    }

    /// As backends, metrics and log have it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Event { .. } => "event",
            Self::Disconnect { .. } => "disconnect",
            Self::User { is_online: true } => "user_online",
            Self::User { is_online: false } => "user_offline",
        }
    }

    /// Bytes of it while it waits.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Event { event, args, attachments, .. } => {
                event.len() + args.get().len() + attachments.iter().map(String::len).sum::<usize>()
            }
            // Of these there are no more than connections, and others bound what they have.
            Self::Connect { .. } | Self::Disconnect { .. } | Self::User { .. } => 0,
        }
    }

    /// The body of the hook of a user.
    pub(crate) fn body_of_user(&self, namespace: &str, user: &str, (id, node): (&str, &str)) -> Bytes {
        let message = UserMessage { r#type: self.name(), id, time: now(), node, namespace, user };
        serde_json::to_vec(&message).expect("texts can be written").into()
    }

    /// The body of the hook of a socket, as things are now.
    pub(crate) fn body(&self, socket: &Socket, (id, node, seq): (&str, &str, u64), parts: Parts) -> Bytes {
        let (member, sid) = (Member::of(socket), socket.id());
        let (user, session, rooms) = (member.user(), member.session(), socket.rooms());
        let is_connect = matches!(self, Self::Connect { .. });
        let rooms = rooms.iter().map(|room| room.as_str()).filter(|room| !member::is_of_user(room));
        let message = Message {
            r#type: self.name(),
            id,
            time: now(),
            node,
            namespace: socket.namespace_name(),
            sid: sid.as_str(),
            seq,
            user: user.as_deref(),
            session: session.as_deref(),
            rooms: (parts.rooms || is_connect).then(|| rooms.collect()),
            request: (parts.request || is_connect).then(|| Request::of(socket)),
            happening: self.fields(socket),
        };
        serde_json::to_vec(&message).expect("texts and JSON can be written").into()
    }

    fn fields(&self, socket: &Socket) -> Fields<'_> {
        match self {
            Self::Connect { auth } => {
                let recovered = Some(socket.recovered());
                Fields { auth: Some(auth), recovered, ..Fields::default() }
            }
            Self::Event { event, args, attachments, wants_ack } => {
                let (event, args, wants_ack) = (Some(&**event), Some(&**args), Some(*wants_ack));
                Fields { event, args, attachments, wants_ack, ..Fields::default() }
            }
            Self::Disconnect { reason, connected } => {
                let connected_seconds = Some((connected.as_secs_f64() * 1000.0).round() / 1000.0);
                Fields { reason: Some(reason), connected_seconds, ..Fields::default() }
            }
            Self::User { .. } => Fields::default(),
        }
    }
}

impl<'a> Request<'a> {
    fn of(socket: &'a Socket) -> Self {
        let handshake = socket.handshake();
        let remote_addr = handshake.remote.map(|remote| remote.ip().to_canonical().to_string());
        let mut headers = BTreeMap::<Cow<'_, str>, String>::new();
        for (name, value) in handshake.headers() {
            let value = String::from_utf8_lossy(value);
            let between = if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
            let name = Cow::from(name.to_ascii_lowercase());
            headers.entry(name).and_modify(|values| *values += &format!("{between}{value}")).or_insert(value.into());
        }
        headers.extend(remote_addr.clone().map(|address| ("x-forwarded-for".into(), address)));
        headers.extend(headers.get("host").cloned().map(|host| ("x-forwarded-host".into(), host)));
        Self { remote_addr, query: handshake.params().collect(), headers }
    }
}

/// What a client has sent along, without what it adds to come back as who it was, which is a secret of its own.
pub(crate) fn without_claim(auth: Box<RawValue>) -> Box<RawValue> {
    let Ok(mut fields) = serde_json::from_str::<serde_json::Map<_, _>>(auth.get()) else { return auth };
    match fields.remove("pid") {
        Some(_) => {
            fields.remove("offset");
            to_raw_value(&fields).expect("it was JSON before")
        }
        None => auth,
    }
}

/// The time of the hook, to the millisecond.
fn now() -> String {
    let now = OffsetDateTime::from(SystemTime::now());
    let now = now.replace_nanosecond(u32::from(now.millisecond()) * 1_000_000).unwrap_or(now);
    now.format(&Rfc3339).expect("the year has four digits")
}

/// Why a socket has left, in the reference's words, which know no reasons of ours.
fn word(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ClientNamespaceDisconnect => "client namespace disconnect",
        DisconnectReason::ServerNamespaceDisconnect => "server namespace disconnect",
        DisconnectReason::Closed(reason) => match reason {
            CloseReason::TransportError(_) => "transport error",
            CloseReason::PingTimeout => "ping timeout",
            CloseReason::ParseError(_) => "parse error",
            CloseReason::ForcedClose | CloseReason::SlowConsumer => "forced close",
            CloseReason::Shutdown => "server shutting down",
            _ => "transport close",
        },
        _ => "transport close",
    }
}
