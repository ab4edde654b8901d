//! What it is: any sequence of messages given to the Socket.IO decoder, and what comes out read in every way.
//! What it is not: a check of JSON, which serde_json reads.
//! Who calls it: libFuzzer and the replay test.
//!
//! The input is messages joined by `0x1e`, as in a polling body: one that begins with `b` is the binary message that
//! follows this letter, any other a text.

use std::sync::Arc;

use bytes::Bytes;
use engineio::{ByteString, Message, Revision};
use socketio::{Args, Body, Decode, DecodeError, Decoder, Incoming, Packet, Value};

/// The largest ack id that JavaScript can hold.
const MAX_ACK_ID: u64 = (1 << 53) - 1;

/// Gives the messages to a decoder of each revision.
pub fn decoder(data: &[u8]) {
    for revision in [Revision::V3, Revision::V4] {
        decode(data, revision);
    }
}

/// Gives the messages to one decoder, also those after an error: it must not mind.
fn decode(data: &[u8], revision: Revision) {
    let mut decoder = Decoder::new(revision, Arc::default());
    // Attachments that are due, as an independent reading of the last text has it.
    let mut due = 0;
    for unit in data.split(|byte| *byte == 0x1e) {
        let Some(message) = message(unit) else { continue };
        let before = due;
        due = match &message {
            Message::Text(text) if due == 0 => announced(text),
            Message::Text(_) => 0,
            Message::Binary(_) => before.saturating_sub(1),
        };
        match (decoder.push(message.clone()), message) {
            (Ok(None), _) => assert!(due > 0, "attachments are due"),
            (Ok(Some(packet)), message) => {
                assert_eq!(due, 0, "no attachment is due");
                let binary = matches!(&message, Message::Text(text) if text.starts_with(['5', '6']));
                assert!(!binary, "a packet with attachments has one at least");
                check(packet, revision);
            }
            (Err(DecodeError::MissingAttachments), Message::Text(_)) => assert!(before > 0),
            (Err(DecodeError::UnexpectedAttachment), Message::Binary(_)) => assert_eq!(before, 0),
            (Err(_), Message::Text(_)) => {
                assert_eq!(before, 0, "a text while attachments are due is wrong by itself");
                due = 0;
            }
            (Err(_), Message::Binary(_)) => assert_eq!((before, due), (1, 0), "read when the last one is there"),
        }
    }
}

fn message(unit: &[u8]) -> Option<Message> {
    match unit.strip_prefix(b"b") {
        Some(data) => Some(Message::Binary(Bytes::copy_from_slice(data))),
        None => Some(Message::Text(ByteString::from(str::from_utf8(unit).ok()?))),
    }
}

/// Number of attachments that a text announces; none when it is no packet with attachments.
fn announced(text: &str) -> usize {
    let Some((count, _)) = text.strip_prefix(['5', '6']).and_then(|rest| rest.split_once('-')) else { return 0 };
    (1..=10).find(|number: &usize| number.to_string() == count).unwrap_or(0)
}

fn check(packet: Packet, revision: Revision) {
    let Packet { namespace, body } = packet;
    assert!(namespace.starts_with('/') && namespace.len() <= 255);
    match body {
        Body::Connect(auth) => {
            assert!(auth.is_empty() || (auth.starts_with('{') && auth.trim_ascii_end().ends_with('}')))
        }
        Body::Disconnect => {}
        Body::Event(event) => {
            assert!(event.name.len() <= 1024 && event.ack.is_none_or(|id| id <= MAX_ACK_ID));
            check_args(&event.args);
            check_sent_back(&namespace, event, revision);
        }
        Body::Ack(id, args) => {
            assert!(id.is_none_or(|id| id <= MAX_ACK_ID));
            check_args(&args);
        }
    }
}

/// Reads the arguments as all sorts of types. They may be of none of these; they must not panic.
fn check_args(args: &Args) {
    assert!(args.len() <= 1024);
    for at in 0..=args.len() {
        let (_, _) = (args.get::<Value>(at), args.get::<serde_json::Value>(at));
        let (_, _, _) = (args.get::<String>(at), args.get::<Option<f64>>(at), args.get::<Bytes>(at));
    }
    args.read::<()>().expect("nothing can be read from anything");
    let (_, _, _) = (args.read::<Value>(), args.read::<(Value, u64)>(), args.read::<[Value; 3]>());
    assert_eq!(args.clone().skip(1).len(), args.len().saturating_sub(1));
}

/// An event that is sent on as it came, without an ack, decodes to itself.
fn check_sent_back(namespace: &ByteString, event: Incoming, revision: Revision) {
    let name = serde_json::to_string(&*event.name).expect("a string is JSON");
    let args = serde_json::to_string(&event.args).expect("arguments that were read can be written");
    let items = args.strip_prefix('[').expect("a list");
    let comma = if event.args.is_empty() { "" } else { "," };
    let text = format!("2{namespace},[{name}{comma}{items}");
    let again = Decoder::new(revision, Arc::default()).push(Message::Text(text.into()));
    // Without the attachments, binary is a list of numbers now.
    match again {
        Ok(Some(Packet { body: Body::Event(again), .. })) => {
            assert_eq!((&again.name, again.args.len()), (&event.name, event.args.len()));
            assert_eq!(serde_json::to_string(&again.args).expect("JSON"), args);
        }
        other => panic!("an event became {other:?}"),
    }
}
