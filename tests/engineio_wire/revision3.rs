//! Clients of revision 3, which ping themselves, count their packets, and take binary behind a type byte.

use std::time::Duration;

use engineio::{CloseReason, Config, DecodeError, Message, Transport, TransportFault};
use tests::{
    Row,
    frames::{BINARY, CLOSED, Frame, HANDSHAKE, TEXT, WebSocket, handshake, masked, text},
    http::Connection,
    polling::{Polling, sid},
    server::{self, Endpoint, Server, Sessions},
};
use tokio::time::Instant;

use crate::{REFUSED, broken, told};

const OCTETS: &str = "content-type: application/octet-stream\r\n";

async fn engine() -> (Server, Sessions) {
    server::engine(Config { allow_eio3: true, ..Config::default() }).await
}

fn binary(data: &[u8]) -> Message {
    Message::Binary(data.to_vec().into())
}

/// POSTs a binary payload.
async fn post_octets(client: &mut Polling, body: &[u8]) -> tests::http::Answer {
    client.begin_post(&format!("{OCTETS}content-length: {}\r\n", body.len())).await;
    client.posts.send(body).await;
    client.posts.answer().await
}

/// The reference takes all but `EIO=4` for revision 3.
#[tokio::test]
async fn hs_13_14_a6_it_is_served_when_it_is_on_and_asked_for() {
    let rows = [
        ("off", false, "EIO=3", None),
        ("on", true, "EIO=3", Some("")),
        ("A6: the last EIO counts", true, "EIO=4&EIO=3", Some("")),
        ("A6: the last EIO counts", true, "EIO=3&EIO=4", Some("0")),
        ("HS-14: no EIO", true, "", None),
        ("A6: 03", true, "EIO=03", None),
        ("A6: revision 2", true, "EIO=2", None),
        ("A6: revision 5", true, "EIO=5", None),
        ("A6: no number", true, "EIO=abc", None),
    ];
    for (label, allow_eio3, query, expected) in rows {
        let _row = Row(label);
        let (server, _sessions) = server::engine(Config { allow_eio3, ..Config::default() }).await;
        let endpoint = server.endpoint.asked(query);
        let mut connection = Connection::open(endpoint.address).await;
        connection.request(&format!("GET {}", endpoint.target("polling")), "").await;
        let answer = connection.answer().await;
        let mut websocket = Connection::open(endpoint.address).await;
        websocket.request(&format!("GET {}", endpoint.target("websocket")), HANDSHAKE).await;
        match expected {
            // A body of revision 3 starts with a length, which is 9 or more here.
            Some(start) => {
                let revision4 = answer.body.starts_with("0{");
                assert_eq!((answer.status, revision4), (200, start == "0"), "{answer:?}");
                assert_eq!(websocket.head().await.status, 101);
            }
            None => {
                assert_eq!(told(&answer), (400, REFUSED[5]));
                assert_eq!(told(&websocket.answer().await), (400, REFUSED[5]));
            }
        }
    }
}

#[tokio::test]
async fn hs_01_28_the_open_packet() {
    let (server, sessions) = engine().await;
    let endpoint = server.endpoint.asked("EIO=3");
    let mut connection = Connection::open(endpoint.address).await;
    connection.request("GET /engine.io/?EIO=3&transport=polling", "").await;
    let answer = connection.answer().await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=UTF-8");
    let id = sid(&answer.body);
    let rest = r#"","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(told(&answer), (200, format!(r#"118:0{{"sid":"{id}{rest}"#).as_str()));
    assert_eq!(sessions.take(&id).socket.encoding().revision, engineio::Revision::V3);

    let mut connection = Connection::open(endpoint.address).await;
    assert_eq!(handshake(&mut connection, "/engine.io/?EIO=3&transport=websocket").await.status, 101);
    let open = WebSocket { connection }.text().await;
    let rest = r#"","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(open, format!(r#"0{{"sid":"{}{rest}"#, sid(&open)));
}

#[tokio::test]
async fn hs_38_a12_a_session_keeps_its_revision() {
    let (server, sessions) = engine().await;
    for (own, post, others) in [("EIO=3", "2:4a", ["EIO=4", "", "EIO=5"]), ("EIO=4", "4a", ["EIO=3", "", "EIO=5"])] {
        let mut client = Polling::open(server.endpoint.asked(own)).await;
        let mut session = sessions.take(&client.sid);
        for other in others {
            let label = format!("a session of {own}, a request with {other}");
            let _row = Row(&label);
            client.endpoint = server.endpoint.asked(other);
            assert_eq!(told(&client.get().await), (400, REFUSED[3]));
            assert_eq!(told(&client.post(post).await), (400, REFUSED[3]));
            client.posts = Connection::open(client.endpoint.address).await;
            let mut websocket = Connection::open(client.endpoint.address).await;
            let target = format!("GET {}&sid={}", client.endpoint.target("websocket"), client.sid);
            websocket.request(&target, HANDSHAKE).await;
            assert_eq!(told(&websocket.answer().await), (400, REFUSED[3]));
        }
        client.endpoint = server.endpoint.asked(own);
        assert_eq!(told(&client.post(post).await), (200, "ok"));
        assert_eq!(session.text().await, "a");
    }
}

#[tokio::test]
async fn tr_06_07_09_21_counted_payloads_from_the_client() {
    let (server, sessions) = engine().await;
    let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
    let mut session = sessions.take(&client.sid);
    let text = |text: &str| Message::Text(text.into());
    let rows = [
        ("one", "2:4a", vec![text("a")]),
        ("TR-21: code units, not bytes or characters", "2:4€3:4🦀3:4日本", vec![text("€"), text("🦀"), text("日本")]),
        ("an empty message", "1:42:4b", vec![text(""), text("b")]),
        ("separators of this and the other revision", "7:4a:b\x1e4c", vec![text("a:b\x1e4c")]),
        ("a length of two digits", "11:40123456789", vec![text("0123456789")]),
        ("zeros before a length", "002:4a", vec![text("a")]),
        ("packets that say nothing", "1:01:51:62:4a", vec![text("a")]),
        ("TR-07: base64", "10:b4AQIDBA==", vec![binary(&[1, 2, 3, 4])]),
        ("TR-09: text and binary", "4:4€🦀6:b4AP8=2:4a", vec![text("€🦀"), binary(&[0, 255]), text("a")]),
        ("empty binary", "2:b42:4a", vec![binary(&[]), text("a")]),
    ];
    for (label, body, messages) in rows {
        let _row = Row(label);
        assert_eq!(told(&client.post(body).await), (200, "ok"));
        for message in messages {
            assert_eq!(session.message().await, message);
        }
    }
}

#[tokio::test]
async fn tr_06_07_08_09_payloads_from_the_server() {
    let (server, sessions) = engine().await;
    let (text, octets) = ("text/plain; charset=UTF-8", "application/octet-stream");
    let few = [binary(&[1, 2, 3, 4])];
    let long = [binary(b"123456789")];
    let mixed = [Message::Text("€🦀".into()), binary(&[0, 255]), Message::Text("".into())];
    let texts = ["a", "€", "🦀", "日本", ""].map(|text| Message::Text(text.into()));
    let rows: [(_, _, &[Message], _, &[u8]); 7] = [
        ("TR-06: text is counted in code units", "EIO=3", &texts, text, "2:4a2:4€3:4🦀3:4日本1:4".as_bytes()),
        ("TR-08: binary", "EIO=3", &few, octets, b"\x01\x05\xff\x04\x01\x02\x03\x04"),
        ("TR-08: a length of two digits", "EIO=3", &long, octets, b"\x01\x01\x00\xff\x04123456789"),
        (
            "TR-08, TR-09: text amid binary is counted in bytes",
            "EIO=3",
            &mixed,
            octets,
            b"\x00\x08\xff4\xe2\x82\xac\xf0\x9f\xa6\x80\x01\x03\xff\x04\x00\xff\x00\x01\xff4",
        ),
        ("TR-07: base64", "EIO=3&b64=1", &few, text, b"10:b4AQIDBA=="),
        ("TR-07, TR-09: text amid base64", "EIO=3&b64=1", &mixed, text, "4:4€🦀6:b4AP8=1:4".as_bytes()),
        ("TR-07: b64 without a value is none", "EIO=3&b64=", &few, octets, b"\x01\x05\xff\x04\x01\x02\x03\x04"),
    ];
    for (label, query, messages, content_type, body) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint.asked(query)).await;
        let session = sessions.take(&client.sid);
        // The handshake decides: later requests need not repeat it, nor can they change it.
        for later in ["EIO=3", "EIO=3&b64=1"] {
            client.endpoint = server.endpoint.asked(later);
            messages.iter().for_each(|message| session.socket.send(message).expect("the session lives"));
            client.send_get().await;
            let (answer, received) = client.gets.binary_answer().await;
            assert_eq!((answer.header("content-type"), received.as_slice()), (content_type, body));
        }
    }
}

#[tokio::test]
async fn tr_08_binary_payloads_from_the_client() {
    let (server, sessions) = engine().await;
    let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
    let mut session = sessions.take(&client.sid);
    let text = |text: &str| Message::Text(text.into());
    let rows: [(&str, &[u8], Vec<Message>); 5] = [
        ("text", b"\x00\x02\xff4a", vec![text("a")]),
        ("binary", b"\x01\x03\xff\x04\x00\xff", vec![binary(&[0, 255])]),
        ("empty binary", b"\x01\x01\xff\x04", vec![binary(&[])]),
        ("a length of two digits", b"\x01\x01\x00\xff\x04123456789", vec![binary(b"123456789")]),
        (
            "TR-09: both, the text counted in bytes",
            b"\x00\x08\xff4\xe2\x82\xac\xf0\x9f\xa6\x80\x01\x02\xff\x04\x07\x00\x01\xff4",
            vec![text("€🦀"), binary(&[7]), text("")],
        ),
    ];
    for (label, body, messages) in rows {
        let _row = Row(label);
        assert_eq!(told(&post_octets(&mut client, body).await), (200, "ok"));
        for message in messages {
            assert_eq!(session.message().await, message);
        }
    }
}

#[tokio::test]
async fn tr_05_07_21_messages_over_a_websocket() {
    let (server, sessions) = engine().await;
    for (query, sent) in [("EIO=3", Frame::Binary(vec![4, 0, 255])), ("EIO=3&b64=1", text("b4AP8="))] {
        let (mut client, sid) = WebSocket::open(server.endpoint.asked(query)).await;
        let mut session = sessions.take(&sid);
        for (frame, message) in [
            (masked(TEXT, "4€🦀".as_bytes()), Message::Text("€🦀".into())),
            (masked(TEXT, b"4"), Message::Text("".into())),
            (masked(BINARY, &[4, 0, 255]), binary(&[0, 255])),
            (masked(BINARY, &[4]), binary(&[])),
            (masked(TEXT, b"b4AP8="), binary(&[0, 255])),
        ] {
            client.connection.send(frame).await;
            assert_eq!(session.message().await, message);
        }
        session.send("€🦀");
        assert_eq!(client.frame().await, text("4€🦀"));
        session.socket.send(&binary(&[0, 255])).expect("the session lives");
        assert_eq!(client.frame().await, sent);
    }
}

#[tokio::test]
async fn hb_06_the_client_pings() {
    let (server, _sessions) = engine().await;
    let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
    assert_eq!(told(&client.post("1:2").await), (200, "ok"));
    assert_eq!(told(&client.get().await), (200, "1:3"));
    client.send_get().await;
    server.waiting(1).await;
    assert_eq!(told(&client.post("1:22:4a1:2").await), (200, "ok"));
    assert_eq!(told(&client.gets.answer().await), (200, "1:31:3"));

    let (mut client, _sid) = WebSocket::open(server.endpoint.asked("EIO=3")).await;
    for ping in ["2", "2", "2hello"] {
        client.send(ping).await;
        assert_eq!(client.frame().await, text("3"));
    }
}

#[tokio::test]
async fn hb_06_without_pings_the_session_times_out() {
    const INTERVAL: Duration = Duration::from_millis(100);
    const TIMEOUT: Duration = Duration::from_millis(300);
    let config = Config { allow_eio3: true, ping_interval: INTERVAL, ping_timeout: TIMEOUT, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let endpoint = server.endpoint.asked("EIO=3");

    let opened = Instant::now();
    let mut silent = Polling::open(endpoint).await;
    let (mut client, sid) = WebSocket::open(endpoint).await;
    silent.send_get().await;
    let mut since = opened;
    for _ in 0..3 {
        // Other packets are no sign of life here.
        client.send("4a").await;
        client.send("2").await;
        since = Instant::now();
        assert_eq!(client.frame().await, text("3"));
    }
    // The server itself never pings.
    assert_eq!(client.frame().await, CLOSED);
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!(sessions.take(&sid).ended().await.0, CloseReason::PingTimeout);
    assert_eq!(told(&silent.gets.answer().await), (200, "1:1"));
    assert!(opened.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!(sessions.take(&silent.sid).reason().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn tr_14_15_hb_08_payloads_that_end_the_session() {
    let (server, sessions) = engine().await;
    let (parse, length) = (CloseReason::ParseError, CloseReason::ParseError(DecodeError::Length));
    let pong = broken(TransportFault::HeartbeatDirection);
    let empty = parse(DecodeError::Empty);
    let rows: [(&str, &str, &[u8], CloseReason); 22] = [
        ("HB-08: a pong", "", b"1:3", pong),
        ("TR-15: nothing", "", b"", length),
        ("no length", "", b"4a", length),
        ("an empty length", "", b":4a", length),
        ("a length that is none", "", b"x:4a", length),
        ("a negative length", "", b"-1:4a", length),
        ("digits that are not ASCII", "", "²:4a".as_bytes(), length),
        ("more than 64 bits", "", b"18446744073709551618:4a", length),
        ("longer than the body", "", b"3:4a", length),
        ("rubbish behind a packet", "", b"1:6x", length),
        ("half of a surrogate pair", "", "2:4🦀".as_bytes(), length),
        ("no packet", "", b"0:", empty),
        ("TR-14: an unknown type", "", b"1:9", parse(DecodeError::UnknownType('9'))),
        ("binary that is no message", "", b"6:b2AQI=", parse(DecodeError::UnknownType('2'))),
        ("no base64", "", b"3:b4!", parse(DecodeError::Base64)),
        ("no UTF-8", "", b"2:4\xff", parse(DecodeError::Utf8)),
        ("octets: nothing", OCTETS, b"", empty),
        ("octets: a mark only", OCTETS, b"\x01", length),
        ("octets: a digit above 9", OCTETS, b"\x00\x0a\xff4", length),
        ("octets: longer than the body", OCTETS, b"\x01\x09\xff\x04", length),
        ("octets: an unknown mark", OCTETS, b"\x02\x01\xff4", parse(DecodeError::UnknownType('\u{2}'))),
        ("octets: text that is no UTF-8", OCTETS, b"\x00\x02\xff4\xff", parse(DecodeError::Utf8)),
    ];
    for (label, headers, body, reason) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
        client.begin_post(&format!("{headers}content-length: {}\r\n", body.len())).await;
        client.posts.send(body).await;
        assert_eq!(told(&client.posts.answer().await), (400, REFUSED[3]));
        assert_eq!(sessions.take(&client.sid).reason().await, reason);
        assert_eq!(told(&client.get().await), (400, REFUSED[1]));
    }
}

#[tokio::test]
async fn tr_05_16_hb_08_packets_that_end_the_session_over_a_websocket() {
    let (server, sessions) = engine().await;
    let parse = CloseReason::ParseError;
    let rows: [(&str, u8, &[u8], CloseReason); 6] = [
        ("HB-08: a pong", TEXT, b"3", broken(TransportFault::HeartbeatDirection)),
        ("nothing", TEXT, b"", parse(DecodeError::Empty)),
        ("an unknown type", TEXT, b"9", parse(DecodeError::UnknownType('9'))),
        ("base64 without a type", TEXT, b"bAQI=", parse(DecodeError::UnknownType('A'))),
        ("TR-05: no type byte", BINARY, b"", parse(DecodeError::Empty)),
        ("TR-05: binary that is no message", BINARY, b"\x02", parse(DecodeError::UnknownType('\u{2}'))),
    ];
    for (label, opcode, packet, reason) in rows {
        let _row = Row(label);
        let (mut client, sid) = WebSocket::open(server.endpoint.asked("EIO=3")).await;
        client.connection.send(masked(opcode, packet)).await;
        assert_eq!(client.frame().await, CLOSED);
        assert_eq!(sessions.take(&sid).reason().await, reason);
    }
}

#[tokio::test]
async fn up_01_16_a_session_moves_to_a_websocket_and_keeps_its_encoding() {
    let (server, sessions) = engine().await;
    for (query, sent) in [("EIO=3", Frame::Binary(vec![4, 1, 2])), ("EIO=3&b64=1", text("b4AQI="))] {
        let mut client = Polling::open(server.endpoint.asked(query)).await;
        client.endpoint = server.endpoint.asked("EIO=3");
        let mut session = sessions.take(&client.sid);
        client.send_get().await;
        server.waiting(1).await;
        let mut websocket = client.probing().await;
        assert_eq!(told(&client.gets.answer().await), (200, "1:6"));
        websocket.connection.send([masked(TEXT, b"5"), masked(BINARY, &[4, 7])].concat()).await;
        assert_eq!(session.message().await, binary(&[7]));
        assert_eq!(session.socket.transport(), Transport::WebSocket);
        session.socket.send(&binary(&[1, 2])).expect("the session lives");
        assert_eq!(websocket.frame().await, sent);
        websocket.send("2").await;
        assert_eq!(websocket.frame().await, text("3"));
        assert_eq!(told(&client.post("2:4a").await), (400, REFUSED[3]));
    }
}

#[tokio::test]
async fn cl_02_04_05_both_sides_close_by_polling() {
    let (server, sessions) = engine().await;
    let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
    let session = sessions.take(&client.sid);
    session.send("a");
    session.socket.close();
    assert_eq!(told(&client.get().await), (200, "2:4a1:1"));
    assert_eq!(session.reason().await, CloseReason::ForcedClose);

    let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
    client.send_get().await;
    server.waiting(1).await;
    assert_eq!(told(&client.post("1:12:4a").await), (200, "ok"));
    assert_eq!(told(&client.gets.answer().await), (200, "1:6"));
    assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::TransportClose);
}

/// Of one frame, encoded once, each client gets its own form.
#[tokio::test]
async fn rm_11_clients_of_both_revisions_on_one_engine() {
    let (server, sessions) = engine().await;
    let endpoints = ["EIO=4", "EIO=3", "EIO=3&b64=1"].map(|query| server.endpoint.asked(query));
    let frames = [engineio::Frame::text(&["€"]), engineio::Frame::binary(&[1, 2])];
    let bodies: [&[u8]; 3] =
        ["4€\x1ebAQI=".as_bytes(), b"\x00\x04\xff4\xe2\x82\xac\x01\x03\xff\x04\x01\x02", "2:4€6:b4AQI=".as_bytes()];
    let binary = [Frame::Binary(vec![1, 2]), Frame::Binary(vec![4, 1, 2]), text("b4AQI=")];
    for ((endpoint, body), binary) in endpoints.into_iter().zip(bodies).zip(binary) {
        let _row = Row(endpoint.query);
        let mut client = Polling::open(endpoint).await;
        sessions.take(&client.sid).socket.send_frames(&frames[0], &frames[1..]).expect("the session lives");
        client.send_get().await;
        assert_eq!(client.gets.binary_answer().await.1, body);
        by_websocket(endpoint, &sessions, &frames, binary).await;
    }
}

async fn by_websocket(endpoint: Endpoint, sessions: &Sessions, frames: &[engineio::Frame; 2], binary: Frame) {
    let (mut client, sid) = WebSocket::open(endpoint).await;
    sessions.take(&sid).socket.send_frames(&frames[0], &frames[1..]).expect("the session lives");
    assert_eq!(client.frame().await, text("4€"));
    assert_eq!(client.frame().await, binary);
}
