//! What it is: answers to the requests of servers with `@socket.io/redis-adapter`, as bytes.
//! What it is not: the requests (`node`), nor the channel of the answers (`inbox`).
//! Who calls it: `inbox`.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use socketio::{Args, Socket};

use crate::member::{self, Member};

/// Headers that are credentials stay here.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// After so many sockets others have a turn.
const TURN: usize = 128;

/// A socket, as the reference tells others of it.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    handshake: Handshake,
    rooms: Vec<&'a str>,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Handshake {
    headers: BTreeMap<String, String>,
    time: String,
    address: String,
    xdomain: bool,
    secure: bool,
    /// Milliseconds since 1970.
    issued: u64,
    url: String,
    query: BTreeMap<String, String>,
    auth: Value,
}

/// That it was done.
pub(super) fn done(id: &Value) -> Vec<u8> {
    json!({ "requestId": id }).to_string().into_bytes()
}

/// Ids of sockets.
pub(super) fn ids<'a>(id: &Value, ids: impl Iterator<Item = &'a str>) -> Vec<u8> {
    json!({ "requestId": id, "sockets": ids.collect::<Vec<_>>() }).to_string().into_bytes()
}

/// Names of rooms, those of single sockets among them.
pub(super) fn rooms<'a>(id: &Value, rooms: impl Iterator<Item = &'a str>) -> Vec<u8> {
    json!({ "requestId": id, "rooms": rooms.collect::<Vec<_>>() }).to_string().into_bytes()
}

/// How many clients were asked.
pub(super) fn client_count(id: &Value, count: usize) -> Vec<u8> {
    json!({ "type": 8, "requestId": id, "clientCount": count }).to_string().into_bytes()
}

/// A client's answer: its first argument. The others have no place in it.
pub(super) fn ack(id: &Value, answer: &Args) -> Vec<u8> {
    use socketio::Value::{Null, Number, Object};

    let id = serde_json::from_value(id.clone()).unwrap_or(Null);
    // It was read when it came.
    let packet = answer.get(0).unwrap_or(Null);
    let entries = [("type", Number(9.into())), ("requestId", id), ("packet", packet)];
    Object(entries.map(|(key, value)| (key.to_owned(), value)).into()).to_msgpack()
}

/// All that is known of sockets, but for what is their clients' secret.
pub(super) async fn sockets(id: &Value, sockets: &[Socket], path: &str) -> Vec<u8> {
    let mut text = format!("{{\"requestId\":{id},\"sockets\":[").into_bytes();
    for (at, socket) in sockets.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        if at % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        write(&mut text, socket, path);
    }
    text.extend_from_slice(b"]}");
    text
}

fn write(text: &mut Vec<u8>, socket: &Socket, path: &str) {
    let (id, rooms, member) = (socket.id(), member::rooms(socket), Member::of(socket));
    let session = member.session();
    let shown = Shown {
        id: id.as_str(),
        handshake: handshake(socket, member.since, path),
        rooms: std::iter::once(id.as_str()).chain(rooms.iter().map(socketio::Room::as_str)).collect(),
        data: session.as_deref().unwrap_or(serde_json::from_str("{}").expect("JSON")),
    };
    serde_json::to_writer(text, &shown).expect("texts and numbers");
}

fn handshake(socket: &Socket, since: SystemTime, path: &str) -> Handshake {
    let handshake = socket.handshake();
    let headers = handshake.headers().filter(|(name, _)| !SECRET.contains(name));
    Handshake {
        headers: headers.map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned())).collect(),
        time: time(since),
        address: handshake.remote.map(|remote| remote.ip().to_string()).unwrap_or_default(),
        xdomain: handshake.header("origin").is_some(),
        secure: false,
        issued: since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
        url: format!("{path}?{}", handshake.query),
        query: handshake.params().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        auth: json!({}),
    }
}

/// As JavaScript writes a date in UTC.
fn time(at: SystemTime) -> String {
    let at = httpdate::fmt_http_date(at.max(UNIX_EPOCH));
    match at.split([' ', ',']).filter(|part| !part.is_empty()).collect::<Vec<_>>()[..] {
        [weekday, day, month, year, time, _gmt] => {
            format!("{weekday} {month} {day} {year} {time} GMT+0000 (Coordinated Universal Time)")
        }
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_as_in_javascript() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_228_540);
        assert_eq!(time(at), "Sat Nov 21 2026 02:35:40 GMT+0000 (Coordinated Universal Time)");
    }

    #[test]
    fn answers_are_as_the_adapter_reads_them() {
        let id = json!("RQ5");
        assert_eq!(done(&id), br#"{"requestId":"RQ5"}"#);
        assert_eq!(ids(&id, ["a", "b"].into_iter()), br#"{"requestId":"RQ5","sockets":["a","b"]}"#);
        assert_eq!(rooms(&id, [].into_iter()), br#"{"requestId":"RQ5","rooms":[]}"#);
        assert_eq!(client_count(&id, 1), br#"{"clientCount":1,"requestId":"RQ5","type":8}"#);
        let answer = ack(&id, &Args::from_json(r#"["yes",2]"#).expect("JSON"));
        assert_eq!(answer, b"\x83\xa4type\x09\xa9requestId\xa3RQ5\xa6packet\xa3yes");
        assert!(ack(&id, &Args::default()).ends_with(b"\xa6packet\xc0"));
    }
}
