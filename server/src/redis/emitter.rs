//! What it is: what this server emits, in the words of the reference's adapter and of python-socketio, for servers of
//! these kinds and their clients.
//! What it is not: for other servers of this kind, which are a cluster; nor the publishing (`publisher`).
//! Who calls it: `cluster` and `rules`, beside what is done for clients of this kind of server.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value as Json, value::RawValue};
use socketio::{Args, EmitError, ServerId, Value, event_to_msgpack};

use super::{complaints::Complaints, publisher::Publisher};
use crate::{
    config,
    op::Emit,
    sockets::{Audience, Manner},
};

/// What servers of this kind call themselves towards those of others, before their ids. They hear each other by their
/// cluster, and leave what has such a name in it.
const OWN: &str = "socketio-server:";

/// The packet type of an event, in MessagePack.
const EVENT: u8 = 2;

/// Publishes for servers of other kinds.
pub(crate) struct Emitter {
    publisher: Publisher,
    complaints: Complaints,
    name: String,
    node_key: Option<String>,
    python_channels: Vec<String>,
}

/// Whether a message that has this name in it is of a server of this kind.
pub(crate) fn is_own(name: &str) -> bool {
    name.starts_with(OWN)
}

impl Emitter {
    /// One that publishes as it is configured to; `None` if that is not at all.
    pub(crate) fn new(
        config: &config::Redis,
        publisher: Publisher,
        complaints: Complaints,
        id: &ServerId,
    ) -> Option<Self> {
        let node_key = config.node_publish.then(|| config.node_key.clone());
        let python_channels = if config.python_publish { config.python_channels.clone() } else { Vec::new() };
        let is_wanted = node_key.is_some() || !python_channels.is_empty();
        is_wanted.then_some(Self { publisher, complaints, name: format!("{OWN}{id}"), node_key, python_channels })
    }

    /// Publishes an event, unless it is for users or sockets of this kind of server alone; `is_socket` says which names
    /// are those of such sockets.
    pub(crate) fn publish(&self, namespace: &str, emit: &Emit, is_socket: impl Fn(&str) -> bool) {
        let names = |audience: &Audience| -> Vec<String> {
            // Rooms and ids of sockets are in one space of names there. Users are known here only.
            audience.rooms.iter().chain(&audience.sids).cloned().collect()
        };
        let (mut to, except) = (names(&emit.to), names(&emit.except));
        to.retain(|name| !is_socket(name));
        if to.is_empty() && !emit.to.is_everybody() {
            return;
        }
        let told = Told { namespace, event: &emit.event, args: &emit.args, to: &to, except: &except };
        if let Some(key) = &self.node_key {
            match told.to_node(&self.name, emit.manner) {
                Ok(body) => self.publisher.publish(&told.node_channel(key), body),
                Err(why) => self.complaints.note("unpublished", key, why),
            }
        }
        if let Some(first) = self.python_channels.first() {
            let is_sid = |name: &String| is_socket(name) || emit.except.sids.contains(name);
            match except.iter().all(is_sid) {
                true => {
                    let body = told.to_python(&self.name);
                    self.python_channels.iter().for_each(|channel| self.publisher.publish(channel, body.clone()));
                }
                false => self.complaints.note("unpublished", first, "python-socketio leaves no rooms out"),
            }
        }
    }
}

/// What others are told: an event, and by rooms to whom, or to everybody.
struct Told<'a> {
    namespace: &'a str,
    event: &'a str,
    args: &'a Args,
    to: &'a [String],
    except: &'a [String],
}

impl Told<'_> {
    /// Where there is one room, servers look for it in the name of the channel.
    fn node_channel(&self, key: &str) -> String {
        let namespace = self.namespace;
        match self.to {
            [room] => format!("{key}#{namespace}#{room}#"),
            _ => format!("{key}#{namespace}#"),
        }
    }

    /// As servers with `@socket.io/redis-adapter` publish it: `[uid, {type, data, nsp}, {rooms, except, flags}]`.
    fn to_node(&self, uid: &str, manner: Manner) -> Result<Vec<u8>, EmitError> {
        let text = |text: &str| Value::String(text.to_owned()).to_msgpack();
        let texts = |all: &[String]| Value::Array(all.iter().cloned().map(Value::String).collect()).to_msgpack();
        let flags = [("volatile", manner.volatile, true), ("compress", manner.uncompressed, false)];
        let flags = flags.into_iter().filter(|(_, is_set, _)| *is_set);
        let flags = Value::Object(flags.map(|(name, _, value)| (name.to_owned(), Value::Bool(value))).collect());
        let data = event_to_msgpack(self.event, self.args)?;
        let (list_of_3, map_of_3) = (vec![0x93], vec![0x83]);
        Ok([
            list_of_3,
            text(uid),
            map_of_3.clone(),
            text("type"),
            vec![EVENT],
            text("data"),
            data,
            text("nsp"),
            text(self.namespace),
            map_of_3,
            text("rooms"),
            texts(self.to),
            text("except"),
            texts(self.except),
            text("flags"),
            flags.to_msgpack(),
        ]
        .concat())
    }

    /// As servers with python-socketio publish it.
    fn to_python(&self, host_id: &str) -> Bytes {
        // They have `None` for no argument.
        let list = if self.args.is_empty() { "[null]".to_owned() } else { self.args.to_json() };
        let attachments = self.args.attachments();
        let data = match attachments {
            [] => list,
            _ => {
                let texts = attachments.iter().map(|data| format!(",\"{}\"", STANDARD.encode(data)));
                format!("[{list}{}]", texts.collect::<String>())
            }
        };
        let message = PythonEmit {
            method: "emit",
            event: self.event,
            data: RawValue::from_string(data).expect("arguments are JSON"),
            binary: !attachments.is_empty(),
            namespace: self.namespace,
            room: one_or_many(self.to),
            skip_sid: one_or_many(self.except),
            callback: (),
            host_id,
        };
        serde_json::to_vec(&message).expect("texts and JSON").into()
    }
}

#[derive(Serialize)]
struct PythonEmit<'a> {
    method: &'static str,
    event: &'a str,
    data: Box<RawValue>,
    binary: bool,
    namespace: &'a str,
    room: Json,
    skip_sid: Json,
    callback: (),
    host_id: &'a str,
}

fn one_or_many(names: &[String]) -> Json {
    match names {
        [] => Json::Null,
        [name] => name.as_str().into(),
        _ => names.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(json: &str, attachments: &[&'static [u8]]) -> Args {
        let attachments = attachments.iter().map(|data| Bytes::from_static(data)).collect();
        Args::from_parts(json, attachments, &socketio::Limits::default()).expect("a list")
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn told<'a>(event: &'a str, args: &'a Args, to: &'a [String], except: &'a [String]) -> Told<'a> {
        Told { namespace: "/", event, args, to, except }
    }

    /// The bytes that `@socket.io/redis-adapter` 8.3 publishes for `io.to("room1").emit("hello", "world", 1)`.
    #[test]
    fn an_event_is_as_a_server_in_node_publishes_it() {
        let (args, to) = (args(r#"["world",1]"#, &[]), names(&["room1"]));
        let hello = told("hello", &args, &to, &[]);
        assert_eq!(hello.node_channel("socket.io"), "socket.io#/#room1#");
        let expected = b"\x93\xa6haDLO7\x83\xa4type\x02\xa4data\x93\xa5hello\xa5world\x01\xa3nsp\xa1/\
            \x83\xa5rooms\x91\xa5room1\xa6except\x90\xa5flags\x80";
        assert_eq!(hello.to_node("haDLO7", Manner::default()).expect("written"), expected);
        let manner = Manner { volatile: true, uncompressed: true, ..Manner::default() };
        let (none, to, except) = (Args::default(), names(&["a", "b"]), names(&["c"]));
        let several = told("e", &none, &to, &except);
        assert_eq!(several.node_channel("k"), "k#/#");
        assert!(
            several.to_node("u", manner).expect("written").ends_with(
                b"\x83\xa5rooms\x92\xa1a\xa1b\xa6except\x91\xa1c\xa5flags\x82\xa8volatile\xc3\xa8compress\xc2"
            )
        );
    }

    #[test]
    fn an_event_is_as_a_server_in_python_publishes_it() {
        let read = |to: &[&str], except: &[&str], args: &Args| -> Json {
            let (to, except) = (names(to), names(except));
            serde_json::from_slice(&told("e", args, &to, &except).to_python("h0st")).expect("JSON")
        };
        let message = |room: Json, skip_sid: Json, data: Json, binary: bool| {
            json!({ "method": "emit", "event": "e", "data": data, "binary": binary, "namespace": "/", "room": room,
                "skip_sid": skip_sid, "callback": null, "host_id": "h0st" })
        };
        let plain = args(r#"["a",2]"#, &[]);
        assert_eq!(read(&[], &[], &plain), message(json!(null), json!(null), json!(["a", 2]), false));
        assert_eq!(read(&["r1"], &["SID1"], &plain), message(json!("r1"), json!("SID1"), json!(["a", 2]), false));
        let none = Args::default();
        assert_eq!(read(&["r1", "r2"], &[], &none), message(json!(["r1", "r2"]), json!(null), json!([null]), false));
        let placeholder = json!({ "_placeholder": true, "num": 0 });
        let binary = args(r#"[{"img":{ "_placeholder": true, "num": 0 }}]"#, &[b"\x01\x02"]);
        let data = json!([[{ "img": placeholder }], "AQI="]);
        assert_eq!(read(&["r1"], &[], &binary), message(json!("r1"), json!(null), data, true));
        let node = told("e", &binary, &[], &[]).to_node("u", Manner::default()).expect("written");
        let written = b"\xa4data\x92\xa1e\x81\xa3img\xc4\x02\x01\x02\xa3nsp";
        assert!(node.windows(written.len()).any(|found| found == written));
    }

    /// What can be handed on need not be what can be read.
    #[test]
    fn arguments_of_all_kinds_are_told() {
        let deep = format!("[{}{}]", "[".repeat(127), "]".repeat(127));
        for list in ["[1e999]", r#"["\ud800"]"#, "[12345678901234567890123]", &deep] {
            let (args, to) = (args(list, &[]), []);
            let told = told("e", &args, &to, &to);
            told.to_node("u", Manner::default()).expect(list);
            let python = String::from_utf8(told.to_python("h").to_vec()).expect("UTF-8");
            assert!(python.contains(&format!("\"data\":{list},")), "{python}");
        }
    }
}
