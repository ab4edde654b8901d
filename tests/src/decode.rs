//! What it is: our decoder of Socket.IO packets as a program, to be compared with the official one.
//! What it is not: a server; no connection, no namespace is known.
//! Who calls it: `tests/js/parser.test.mjs`.
//!
//! Each line of its input is a list: the protocol, 4 or 5, and the messages of one client, a text as a string and
//! binary as a list of bytes. It is answered by a list: for each message `null` while attachments are due, the packet
//! that it completes, or the name of the error, which is the last item.

use std::{
    io::{self, BufWriter, Write, stdin, stdout},
    sync::Arc,
};

use engineio::{Message, Revision};
use serde_json::{Value as Json, json};
use socketio::{Args, Body, Decode, Decoder, Packet, Value};

fn main() -> io::Result<()> {
    let mut output = BufWriter::new(stdout().lock());
    for line in stdin().lines() {
        let line: Vec<Json> = serde_json::from_str(&line?)?;
        let (protocol, messages) = line.split_first().expect("a line names the protocol");
        let revision = if *protocol == 4 { Revision::V3 } else { Revision::V4 };
        // The end of a line in JSON that came so is a blank like any other.
        writeln!(output, "[{}]", decode(revision, messages).join(",").replace('\n', " "))?;
    }
    output.flush()
}

fn decode(revision: Revision, messages: &[Json]) -> Vec<String> {
    let mut decoder = Decoder::new(revision, Arc::default());
    let mut results = Vec::new();
    for message in messages {
        match decoder.push(read(message)) {
            Ok(None) => results.push("null".to_owned()),
            Ok(Some(packet)) => results.push(show(&packet)),
            Err(error) => {
                results.push(format!("\"{error:?}\""));
                break;
            }
        }
    }
    results
}

fn read(message: &Json) -> Message {
    match message {
        Json::String(text) => Message::Text(text.as_str().into()),
        bytes => Message::Binary(serde_json::from_value::<Vec<u8>>(bytes.clone()).expect("a list of bytes").into()),
    }
}

/// The packet in the words of the official parser, but that the name of an event is beside its arguments.
fn show(Packet { namespace, body }: &Packet) -> String {
    let nsp = json!(&**namespace);
    let id = |id: &Option<u64>| id.map_or("null".to_owned(), |id| id.to_string());
    match body {
        Body::Connect(auth) if auth.is_empty() => format!("{{\"type\":0,\"nsp\":{nsp}}}"),
        Body::Connect(auth) => format!("{{\"type\":0,\"nsp\":{nsp},\"data\":{auth}}}"),
        Body::Disconnect => format!("{{\"type\":1,\"nsp\":{nsp}}}"),
        Body::Event(event) => format!(
            "{{\"type\":2,\"nsp\":{nsp},\"id\":{},\"name\":{},\"data\":{}}}",
            id(&event.ack),
            json!(&*event.name),
            arguments(&event.args),
        ),
        Body::Ack(ack, args) => {
            format!("{{\"type\":3,\"nsp\":{nsp},\"id\":{},\"data\":{}}}", id(ack), arguments(args))
        }
    }
}

/// The arguments as they came; with attachments, as values.
fn arguments(args: &Args) -> String {
    let values = (0..args.len()).map(|at| args.get::<Value>(at)).collect::<Result<Vec<_>, _>>();
    match values {
        Ok(values) if values.iter().any(has_binary) => {
            format!("[{}]", values.iter().map(value).collect::<Vec<_>>().join(","))
        }
        // Not every JSON text that can be handed on can be read as a value.
        _ => serde_json::to_string(args).expect("what came can be handed on"),
    }
}

fn has_binary(value: &Value) -> bool {
    match value {
        Value::Binary(_) => true,
        Value::Array(items) => items.iter().any(has_binary),
        Value::Object(entries) => entries.iter().any(|(_, value)| has_binary(value)),
        _ => false,
    }
}

/// A value as JSON, binary as `{"$binary":[1,2]}`.
fn value(of: &Value) -> String {
    let list = |items: Vec<String>| items.join(",");
    match of {
        Value::Binary(data) => format!("{{\"$binary\":{}}}", json!(&**data)),
        Value::Array(items) => format!("[{}]", list(items.iter().map(value).collect())),
        Value::Object(entries) => {
            let entry = |(key, item): &(String, Value)| format!("{}:{}", json!(key), value(item));
            format!("{{{}}}", list(entries.iter().map(entry).collect()))
        }
        other => serde_json::to_string(other).expect("a value can be written"),
    }
}
