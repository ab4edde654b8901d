//! What it is: what this server emits, in the words of the reference's adapter and of python-socketio, for servers of
//! these kinds and their clients.
//! What it is not: for other servers of this kind, which are a cluster; nor the publishing (`publisher`).
//! Who calls it: `cluster` and `rules`, beside what is done for clients of this kind of server.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use socketio::{
    Args, ServerId,
    Value::{self, Array, Bool, Number, Object, String as Text},
};

use super::{complaints::Complaints, publisher::Publisher};
use crate::{
    config,
    op::Emit,
    sockets::{Audience, Manner},
};

/// The packet type of an event.
const EVENT: u64 = 2;

/// Publishes for servers of other kinds.
pub(crate) struct Emitter {
    publisher: Publisher,
    complaints: Complaints,
    name: Name,
    node_key: Option<String>,
    python_channels: Vec<String>,
}

/// What this server calls itself towards others of other kinds, by which it knows its own messages when they come back.
/// Servers of a cluster, which tell each other by themselves, know those of all.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    name: String,
    /// What the names of all of them begin with.
    own: String,
}

impl Name {
    /// That of a server with this id, and of a cluster with this channel.
    pub(crate) fn new(id: &ServerId, cluster: Option<&str>) -> Self {
        let own =
            cluster.map_or_else(|| format!("socketio-server:{id}"), |channel| format!("socketio-server:{channel}:"));
        let name = if cluster.is_some() { format!("{own}{id}") } else { own.clone() };
        Self { name, own }
    }

    /// Whether a message that has this name in it is one of ours.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        name.starts_with(&self.own)
    }
}

impl Emitter {
    /// One that publishes as it is configured to; `None` if that is not at all.
    pub(crate) fn new(
        config: &config::Redis,
        publisher: Publisher,
        complaints: Complaints,
        name: Name,
    ) -> Option<Self> {
        let node_key = config.node_publish.then(|| config.node_key.clone());
        let python_channels = if config.python_publish { config.python_channels.clone() } else { Vec::new() };
        let is_wanted = node_key.is_some() || !python_channels.is_empty();
        is_wanted.then_some(Self { publisher, complaints, name, node_key, python_channels })
    }

    /// Publishes an event, unless it is for users alone: these are known here only.
    pub(crate) fn publish(&self, namespace: &str, emit: &Emit) {
        let Emit { event, args, to, except, manner, .. } = emit;
        if !to.users.is_empty() && to.rooms.is_empty() && to.sids.is_empty() {
            return;
        }
        if let Some(key) = &self.node_key {
            let names = (&**key, &*self.name.name);
            let (channel, body) = node_event(names, namespace, (to, except), (event, args), *manner);
            self.publisher.publish(&channel, body);
        }
        if self.python_channels.is_empty() {
            return;
        }
        match python_event(&self.name.name, namespace, (to, except), (event, args)) {
            Some(body) => self.python_channels.iter().for_each(|channel| self.publisher.publish(channel, body.clone())),
            None => {
                self.complaints.note("unpublished", &self.python_channels[0], "python-socketio leaves no rooms out")
            }
        }
    }
}

/// An event as servers with `@socket.io/redis-adapter` publish it: `[uid, packet, opts]`.
fn node_event(
    (key, uid): (&str, &str),
    namespace: &str,
    (to, except): (&Audience, &Audience),
    (event, args): (&str, &Args),
    manner: Manner,
) -> (String, Vec<u8>) {
    let rooms = node_rooms(to);
    let mut data = vec![Text(event.to_owned())];
    data.extend((0..args.len()).map(|at| args.get(at).unwrap_or(Value::Null)));
    let packet = object([("type", Number(EVENT.into())), ("data", Array(data)), ("nsp", Text(namespace.to_owned()))]);
    let flags = [("volatile", manner.volatile, true), ("compress", manner.uncompressed, false)];
    let flags = flags.into_iter().filter(|(_, is_set, _)| *is_set).map(|(name, _, value)| (name, Bool(value)));
    let opts = object([("rooms", texts(&rooms)), ("except", texts(&node_rooms(except))), ("flags", object(flags))]);
    // Where there is one room, servers look for it in the name of the channel.
    let channel = match &rooms[..] {
        [room] => format!("{key}#{namespace}#{room}#"),
        _ => format!("{key}#{namespace}#"),
    };
    (channel, Array(vec![Text(uid.to_owned()), packet, opts]).to_msgpack())
}

/// An event as servers with python-socketio publish it; `None` where they have no words for it: they cannot leave rooms
/// out.
fn python_event(
    host_id: &str,
    namespace: &str,
    (to, except): (&Audience, &Audience),
    (event, args): (&str, &Args),
) -> Option<Bytes> {
    if !except.rooms.is_empty() {
        return None;
    }
    // They have `None` for no argument.
    let list = if args.is_empty() { "[null]".to_owned() } else { args.to_json() };
    let list: Json = serde_json::from_str(&list).expect("arguments are a JSON array");
    let attachments = args.attachments();
    let data = match attachments {
        [] => list,
        _ => std::iter::once(list).chain(attachments.iter().map(|data| STANDARD.encode(data).into())).collect(),
    };
    let message = json!({
        "method": "emit",
        "event": event,
        "data": data,
        "binary": !attachments.is_empty(),
        "namespace": namespace,
        "room": one_or_many(node_rooms(to)),
        "skip_sid": one_or_many(node_rooms(except)),
        "callback": null,
        "host_id": host_id,
    });
    Some(message.to_string().into())
}

/// Rooms and ids of sockets, which are in one space of names there. Users are known here alone.
fn node_rooms(audience: &Audience) -> Vec<&str> {
    audience.rooms.iter().chain(&audience.sids).map(String::as_str).collect()
}

fn one_or_many(names: Vec<&str>) -> Json {
    match &names[..] {
        [] => Json::Null,
        [name] => (*name).into(),
        _ => names.into(),
    }
}

fn texts(texts: &[&str]) -> Value {
    Array(texts.iter().map(|text| Text((*text).to_owned())).collect())
}

fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(json: &str, attachments: &[&'static [u8]]) -> Args {
        let attachments = attachments.iter().map(|data| Bytes::from_static(data)).collect();
        Args::from_parts(json, attachments, &socketio::Limits::default()).expect("a list")
    }

    fn rooms(names: &[&str]) -> Audience {
        Audience { rooms: names.iter().map(|name| (*name).to_owned()).collect(), ..Audience::default() }
    }

    /// The bytes that `@socket.io/redis-adapter` 8.3 publishes for `io.to("room1").emit("hello", "world", 1)`.
    #[test]
    fn an_event_is_as_a_server_in_node_publishes_it() {
        let args = args(r#"["world",1]"#, &[]);
        let (to, nobody) = (rooms(&["room1"]), Audience::default());
        let (channel, body) =
            node_event(("socket.io", "haDLO7"), "/", (&to, &nobody), ("hello", &args), Manner::default());
        assert_eq!(channel, "socket.io#/#room1#");
        let expected = b"\x93\xa6haDLO7\x83\xa4type\x02\xa4data\x93\xa5hello\xa5world\x01\xa3nsp\xa1/\
            \x83\xa5rooms\x91\xa5room1\xa6except\x90\xa5flags\x80";
        assert_eq!(body, expected);
        let manner = Manner { volatile: true, uncompressed: true, ..Manner::default() };
        let (channel, body) =
            node_event(("k", "u"), "/n", (&rooms(&["a", "b"]), &rooms(&["c"])), ("e", &Args::default()), manner);
        assert_eq!(channel, "k#/n#");
        assert!(
            body.ends_with(
                b"\x83\xa5rooms\x92\xa1a\xa1b\xa6except\x91\xa1c\xa5flags\x82\xa8volatile\xc3\xa8compress\xc2"
            )
        );
    }

    #[test]
    fn an_event_is_as_a_server_in_python_publishes_it() {
        let read = |to: &Audience, except: &Audience, args: &Args| -> Option<Json> {
            let body = python_event("h0st", "/", (to, except), ("e", args))?;
            Some(serde_json::from_slice(&body).expect("JSON"))
        };
        let message = |room: Json, skip_sid: Json, data: Json, binary: bool| {
            json!({ "method": "emit", "event": "e", "data": data, "binary": binary, "namespace": "/", "room": room,
                "skip_sid": skip_sid, "callback": null, "host_id": "h0st" })
        };
        let (nobody, one) = (Audience::default(), rooms(&["r1"]));
        let plain = args(r#"["a",2]"#, &[]);
        assert_eq!(read(&nobody, &nobody, &plain), Some(message(json!(null), json!(null), json!(["a", 2]), false)));
        let but_one = Audience::sid("SID1");
        assert_eq!(read(&one, &but_one, &plain), Some(message(json!("r1"), json!("SID1"), json!(["a", 2]), false)));
        let two = rooms(&["r1", "r2"]);
        let none = Args::default();
        assert_eq!(read(&two, &nobody, &none), Some(message(json!(["r1", "r2"]), json!(null), json!([null]), false)));
        let placeholder = json!({ "_placeholder": true, "num": 0 });
        let binary = args(r#"[{"img":{"_placeholder":true,"num":0}}]"#, &[b"\x01\x02"]);
        let data = json!([[{ "img": placeholder }], "AQI="]);
        assert_eq!(read(&one, &nobody, &binary), Some(message(json!("r1"), json!(null), data, true)));
        assert_eq!(read(&nobody, &one, &plain), None);
    }

    #[test]
    fn servers_know_their_own_messages() {
        let [here, there] = [(); 2].map(|()| socketio::SocketIo::new(socketio::Config::default(), []));
        let name = |io: &socketio::SocketIo, cluster| Name::new(io.server_id(), cluster);
        let (alone, other) = (name(&here, None), name(&there, None));
        assert!(alone.is_own(&alone.name) && !alone.is_own(&other.name) && !alone.is_own("emitter"));
        let (one, two, three) = (name(&here, Some("c")), name(&there, Some("c")), name(&there, Some("cc")));
        assert!(one.is_own(&one.name) && one.is_own(&two.name) && !one.is_own(&three.name) && !one.is_own(&other.name));
    }
}
