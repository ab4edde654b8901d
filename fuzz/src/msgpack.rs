//! What it is: any message given to the MessagePack decoder; what comes out is written, and read again as the same.
//! What it is not: a check of MessagePack, of which there is a naive measure only.
//! Who calls it: libFuzzer and the replay test.

use std::sync::Arc;

use bytes::Bytes;
use engineio::{Message, Revision};
use socketio::{Args, Body, Limits, OutgoingPacket, Packet, PacketType, Parser, Value};

/// The largest ack id that JavaScript can hold.
const MAX_ACK_ID: u64 = (1 << 53) - 1;

/// Most bytes of JSON that one byte of MessagePack can become: `\u0000`.
const GROWTH: usize = 6;

/// Gives the message to a decoder of each revision; a text is never a packet.
pub fn msgpack(data: &[u8]) {
    for revision in [Revision::V3, Revision::V4] {
        if let Some(packet) = decode(data, revision) {
            check(packet, data.len());
        }
    }
    if let Ok(text) = str::from_utf8(data) {
        let mut decoder = Parser::Msgpack.decoder(Revision::V4, &Arc::default());
        assert!(decoder.push(Message::Text(text.into())).is_err(), "a text is no packet");
    }
}

fn decode(data: &[u8], revision: Revision) -> Option<Packet> {
    let mut decoder = Parser::Msgpack.decoder(revision, &Arc::default());
    let decoded = decoder.push(Message::Binary(Bytes::copy_from_slice(data))).ok()?;
    assert_eq!(decoder.awaits(), None, "each message is whole");
    Some(decoded.expect("each message is a packet"))
}

fn check(packet: Packet, length: usize) {
    let Packet { namespace, body } = packet;
    assert!(namespace.starts_with('/') && namespace.len() <= 255);
    match body {
        Body::Connect(auth) => {
            assert!(auth.len() <= GROWTH * length);
            assert!(
                auth.is_empty() || serde_json::from_str::<serde_json::Value>(&auth).is_ok_and(|auth| auth.is_object())
            );
        }
        Body::Disconnect => {}
        Body::Event(event) => {
            assert!(event.name.len() <= 1024 && event.ack.is_none_or(|id| id <= MAX_ACK_ID));
            check_args(&event.args, length);
            let name = serde_json::to_string(&*event.name).expect("a string is JSON");
            check_again(PacketType::Event, Some(&name), &event.args, event.ack);
        }
        Body::Ack(id, args) => {
            assert!(id.is_none_or(|id| id <= MAX_ACK_ID));
            check_args(&args, length);
            check_again(PacketType::Ack, None, &args, id);
        }
    }
}

/// They are JSON, no longer than the message allows, and can be read as all sorts of types.
fn check_args(args: &Args, length: usize) {
    assert!(args.len() <= 1024);
    for at in 0..=args.len() {
        args.get::<Value>(at).expect("anything is a value");
        let (_, _, _) = (args.get::<String>(at), args.get::<Option<f64>>(at), args.get::<Bytes>(at));
    }
    let json = serde_json::to_string(args).expect("arguments that were read can be written");
    // Without binary, which is a list of numbers here, and placeholders of 30 bytes and 5 around them, of 10 at most.
    assert!(json.len() <= GROWTH * length + 2, "{length} bytes became {json}");
}

/// What was read and is sent on is read as the same again.
fn check_again(kind: PacketType, name: Option<&str>, args: &Args, ack: Option<u64>) {
    let (json, attachments) = parts(args);
    let payload = match (name, json.as_str()) {
        (Some(name), "[]") => format!("[{name}]"),
        (Some(name), items) => format!("[{name},{}", &items[1..]),
        (None, items) => items.to_owned(),
    };
    let packet = OutgoingPacket { kind, namespace: "/again", ack, payload: &payload, attachments: &attachments };
    let messages = Parser::Msgpack.encode(&packet);
    let Message::Binary(message) = &messages.first else { panic!("a text: {messages:?}") };
    assert!(messages.rest.is_empty());
    let again = match decode(message, Revision::V4).expect("a packet of ours").body {
        Body::Event(event) => {
            let name = name.expect("an event has a name");
            assert_eq!((serde_json::to_string(&*event.name).expect("JSON").as_str(), event.ack), (name, ack));
            event.args
        }
        Body::Ack(id, args) => {
            assert_eq!(id, ack);
            args
        }
        other => panic!("it became {other:?}"),
    };
    let values = |args: &Args| (0..args.len()).map(|at| args.get(at).expect("anything is a value")).collect();
    let (before, after): (Vec<Value>, Vec<Value>) = (values(args), values(&again));
    assert!(before.len() == after.len() && before.iter().zip(&after).all(|(before, after)| is_same(before, after)));
}

/// The same but for what serde_json is off by in the last digit of a fraction.
fn is_same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| is_same(before, after))
        }
        (Value::Object(before), Value::Object(after)) => {
            before.len() == after.len()
                && before.iter().zip(after).all(|(before, after)| before.0 == after.0 && is_same(&before.1, &after.1))
        }
        (Value::Number(before), Value::Number(after)) if before.is_f64() && after.is_f64() => {
            let (before, after) = (before.as_f64().expect("a float"), after.as_f64().expect("a float"));
            before == after || (before / after - 1.0).abs() < 1e-12 || before.abs().max(after.abs()) < 1e-300
        }
        (before, after) => before == after,
    }
}

/// Arguments as JSON with placeholders, and what these stand for.
fn parts(args: &Args) -> (String, Vec<Bytes>) {
    let mut attachments = Vec::new();
    let items: Vec<String> =
        (0..args.len()).map(|at| text(&args.get(at).expect("anything is a value"), &mut attachments)).collect();
    let json = format!("[{}]", items.join(","));
    Args::from_parts(&json, attachments.clone(), &Limits::default()).expect("what was read is within the limits");
    (json, attachments)
}

fn text(value: &Value, attachments: &mut Vec<Bytes>) -> String {
    match value {
        Value::Binary(data) => {
            attachments.push(data.clone());
            format!(r#"{{"_placeholder":true,"num":{}}}"#, attachments.len() - 1)
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| text(item, attachments)).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| {
                format!("{}:{}", serde_json::to_string(key).expect("a string is JSON"), text(value, attachments))
            });
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        other => serde_json::to_string(other).expect("a value is JSON"),
    }
}
