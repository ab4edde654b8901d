//! Messages over a WebSocket, and what the session makes of its frames.

use engineio::{CloseReason, Config, DecodeError, Message, TransportFault};
use tests::{
    Row,
    frames::{BINARY, CLOSE, CLOSED, FIN, Frame, HANDSHAKE, PING, PONG, TEXT, WebSocket, closed, masked, text},
    http::Connection,
    polling::{Polling, sid},
    server,
};

use crate::{broken, told};

#[tokio::test]
async fn tr_04_21_23_messages_of_any_kind_and_length_both_ways() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    for length in [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 70_000, 999_999] {
        let long = "é".repeat(length / 2) + &"x".repeat(length % 2);
        client.send(&format!("4{long}")).await;
        let message = session.message().await;
        assert!(message == Message::Text(long.as_str().into()), "{length}");
        session.socket.send(&message).expect("the session lives");
        assert!(client.frame().await == text(format!("4{long}")), "{length}");

        let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
        client.send_binary(&data).await;
        let message = session.message().await;
        assert!(message == Message::Binary(data.clone().into()), "{length}");
        session.socket.send(&message).expect("the session lives");
        assert!(client.frame().await == Frame::Binary(data), "{length}");
    }
}

#[tokio::test]
async fn f7_f18_messages_in_odd_frames() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let rows = [
        ("F7: split inside a character", [masked(TEXT ^ FIN, b"4\xf0\x9f"), masked(FIN, b"\xa6\x80")].concat(), "🦀"),
        (
            "a ping between fragments",
            [masked(TEXT ^ FIN, b"4"), masked(PING, b""), masked(0, b"a"), masked(FIN, b"b")].concat(),
            "ab",
        ),
        (
            "empty fragments",
            [masked(TEXT ^ FIN, b""), masked(0, b""), masked(0, b"4a"), masked(FIN, b"")].concat(),
            "a",
        ),
        ("F18: a pong that nobody asked for", [masked(PONG, b"x"), masked(TEXT, b"4a")].concat(), "a"),
    ];
    for (label, bytes, message) in rows {
        let _row = Row(label);
        client.connection.send(bytes).await;
        assert_eq!(session.text().await, message);
    }
}

#[tokio::test]
async fn f_frames_in_one_byte_segments() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    for byte in masked(TEXT, "4é".repeat(100).as_bytes()) {
        client.connection.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(sessions.take(&sid).text().await, "é4".repeat(99) + "é");
}

#[tokio::test]
async fn t20_f17_a_pong_repeats_its_ping() {
    let (server, _sessions) = server::engine(Config { max_pings_per_second: 126, ..Config::default() }).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    for length in 0..=125 {
        let payload: Vec<u8> = (0..length).collect();
        client.connection.send(masked(PING, &payload)).await;
        assert_eq!(client.frame().await, Frame::Pong(payload));
    }
}

/// The reference answers every ping, however many.
#[tokio::test]
async fn f17_t28_a_flood_of_pings_ends_the_session() {
    let (server, sessions) = server::engine(Config { max_pings_per_second: 3, ..Config::default() }).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    client.connection.send(masked(PING, b"").repeat(100)).await;
    let mut answers = vec![client.frame().await];
    while answers.last() == Some(&Frame::Pong(vec![])) {
        answers.push(client.frame().await);
    }
    // A second may pass between two of them, so that more are answered than in one.
    assert!(answers.len() >= 4 && answers.last() == Some(&closed(1008)), "{answers:?}");
    assert_eq!(sessions.take(&sid).reason().await, broken(TransportFault::PingFlood));
}

#[tokio::test]
async fn packets_that_say_nothing_over_a_websocket() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    for packet in ["0", "3", "3probe", "5", "6"] {
        client.send(packet).await;
        client.send("4alive").await;
        assert_eq!(session.text().await, "alive", "{packet}");
    }
    client.send("bAQID").await;
    assert_eq!(session.message().await, Message::Binary(vec![1, 2, 3].into()), "G6");
    client.send_binary(b"").await;
    assert_eq!(session.message().await, Message::Binary(Default::default()), "F20");
}

#[tokio::test]
async fn tr_16_hb_07_g1_g2_f19_packets_that_end_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let parse = CloseReason::ParseError;
    let ping = broken(TransportFault::HeartbeatDirection);
    let rows = [
        ("TR-16, G1: x", "x", parse(DecodeError::UnknownType('x'))),
        ("G1: 9", "9", parse(DecodeError::UnknownType('9'))),
        ("F19, F21, G1: nothing", "", parse(DecodeError::Empty)),
        ("no base64", "b!", parse(DecodeError::Base64)),
        ("HB-07, G2: a ping", "2", ping),
        ("G2: a probe", "2probe", ping),
    ];
    for (label, packet, reason) in rows {
        let _row = Row(label);
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        client.connection.send([masked(TEXT, packet.as_bytes()), masked(TEXT, b"4too late")].concat()).await;
        assert_eq!(client.frame().await, CLOSED);
        assert_eq!(client.frame().await, Frame::End);
        assert_eq!(sessions.take(&sid).reason().await, reason);
    }
}

#[tokio::test]
async fn f22_frames_after_a_close_are_dropped() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    client.connection.send([masked(CLOSE, b"\x03\xe8"), masked(TEXT, b"4a"), masked(BINARY, b"b")].concat()).await;
    assert_eq!(client.frame().await, closed(1000));
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!(sessions.take(&sid).reason().await, CloseReason::TransportClose);
}

#[tokio::test]
async fn frames_may_come_in_the_segment_of_the_handshake() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    let head = format!("GET {} HTTP/1.1\r\nhost: x\r\n{HANDSHAKE}\r\n", server.endpoint.target("websocket"));
    connection.send([head.into_bytes(), masked(TEXT, b"4a"), masked(BINARY, b"b")].concat()).await;
    assert_eq!(connection.head().await.status, 101);
    let open = WebSocket { connection }.text().await;
    let mut session = sessions.take(&sid(&open));
    assert_eq!(session.text().await, "a");
    assert_eq!(session.message().await, Message::Binary(b"b".to_vec().into()));
}

/// CVE-2022-21676 ended the reference server this way.
#[tokio::test]
async fn hs_20_21_t5_e12_garbage_behind_the_handshake_ends_only_its_websocket() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut polling = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&polling.sid);
    let target = server.endpoint.target("websocket");
    let of_session = format!("{target}&sid={}", polling.sid);
    let smuggled = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", server.endpoint.target("polling"));
    let rows = [
        ("T5: garbage", &target, "test", 1002),
        ("E12: a request", &target, &smuggled, 1002),
        ("HS-21: garbage, on a session that polls", &of_session, "test", 1002),
        ("E12: a request, on a session that polls", &of_session, &smuggled, 1002),
    ];
    for (label, target, garbage, code) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.send(format!("GET {target} HTTP/1.1\r\nhost: x\r\n{HANDSHAKE}\r\n{garbage}")).await;
        assert_eq!(connection.head().await.status, 101);
        let mut websocket = WebSocket { connection };
        let mut end = websocket.frame().await;
        if let Frame::Text(open) = &end {
            assert!(open.starts_with("0{"), "{open}");
            end = websocket.frame().await;
        }
        assert_eq!(end, closed(code));
        assert_eq!(websocket.frame().await, Frame::End);
        assert_eq!(told(&polling.post("4alive").await), (200, "ok"));
        assert_eq!(session.text().await, "alive");
    }
}
