//! WebSocket messages that are compressed (RFC 7692), and clients that misuse it.

use std::io::{Read, Write};

use engineio::{CloseReason, Config, Frame as Encoded, Message, PerMessageDeflate, TransportFault};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use tests::{
    Row,
    frames::{BINARY, CLOSE, FIN, Frame, HANDSHAKE, PING, RSV1, TEXT, WebSocket, closed, masked, text},
    http::Connection,
    polling::{Polling, sid},
    server::{self, Endpoint, Session, Sessions},
};

use crate::broken;

/// What clients offer that have no wishes, as those of Node and of browsers.
const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// What is agreed on with them.
const ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn compressing(options: PerMessageDeflate) -> Config {
    Config { per_message_deflate: Some(options), ..Config::default() }
}

/// Asks for a WebSocket with this offer; returns the answer's agreement.
async fn handshake(endpoint: Endpoint, target: &str, offer: &str) -> (WebSocket, String) {
    let mut connection = Connection::open(endpoint.address).await;
    let headers = format!("{HANDSHAKE}sec-websocket-extensions: {offer}\r\n");
    connection.request(&format!("GET {target}"), &headers).await;
    let answer = connection.head().await;
    assert_eq!(answer.status, 101, "{answer:?}");
    (WebSocket { connection }, answer.header("sec-websocket-extensions").to_owned())
}

/// A session that starts as a WebSocket with this agreement.
async fn open(endpoint: Endpoint, sessions: &Sessions, offer: &str, agreed: &str) -> (WebSocket, Session) {
    let (mut client, found) = handshake(endpoint, &endpoint.target("websocket"), offer).await;
    assert_eq!(found, agreed);
    let session = sessions.take(&sid(&client.text().await));
    (client, session)
}

/// Bytes that nothing makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

/// The payload of a compressed message: without the tail that is not sent.
fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).and_then(|()| encoder.flush()).expect("memory");
    let mut payload = encoder.get_ref().clone();
    assert!(payload.ends_with(&[0, 0, 0xff, 0xff]));
    payload.truncate(payload.len() - 4);
    payload
}

fn inflated(payload: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    // The end of the message is the end of a block, not that of the stream.
    let whole = [payload, &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    DeflateDecoder::new(whole.as_slice()).read_to_end(&mut data).expect("compressed");
    data
}

/// The next frame, a compressed message, as it was before.
async fn compressed(client: &mut WebSocket) -> Vec<u8> {
    match client.frame().await {
        Frame::Compressed(payload) => inflated(&payload),
        other => panic!("not compressed: {other:?}"),
    }
}

#[tokio::test]
async fn cp_05_compression_is_off_by_default_and_negotiated_when_it_is_on() {
    let (off, _sessions) = server::engine(Config::default()).await;
    let (on, _others) = server::engine(compressing(PerMessageDeflate::default())).await;
    let rows = [
        ("CP-05: no wishes", OFFER, ALONE),
        ("E10: a window there cannot be", "permessage-deflate; server_max_window_bits=99", ""),
        (
            "a smaller window",
            "permessage-deflate; server_max_window_bits=10",
            &format!("{ALONE}; server_max_window_bits=10"),
        ),
        ("two offers", "permessage-deflate; x=1, permessage-deflate", ALONE),
        ("T22: another extension", "constructor", ""),
        ("T22: quotes without an end", "permessage-deflate; client_max_window_bits=\"10", ""),
        ("T23: 8 KB of blanks", &format!("permessage-deflate;{}x", " ".repeat(8000)), ""),
    ];
    for (label, offer, agreed) in rows {
        let _row = Row(label);
        assert_eq!(handshake(off.endpoint, &off.endpoint.target("websocket"), offer).await.1, "");
        assert_eq!(handshake(on.endpoint, &on.endpoint.target("websocket"), offer).await.1, agreed);
        // An upgrade negotiates like a handshake.
        let polling = Polling::open(on.endpoint).await;
        let target = format!("{}&sid={}", on.endpoint.target("websocket"), polling.sid);
        assert_eq!(handshake(on.endpoint, &target, offer).await.1, agreed);
    }
}

#[tokio::test]
async fn cp_05_messages_from_the_threshold_on_are_compressed_both_ways() {
    let (server, sessions) = server::engine(compressing(PerMessageDeflate::default())).await;
    let (mut client, mut session) = open(server.endpoint, &sessions, OFFER, ALONE).await;
    for _ in 0..3 {
        let (short, long) = ("x".repeat(1022), "é日🦀".repeat(50_000));
        session.send(&short);
        assert!(client.frame().await == text(format!("4{short}")));
        session.send(&long);
        assert!(compressed(&mut client).await == format!("4{long}").into_bytes());
        session.socket.send(&Message::Binary(vec![7; 1024].into())).expect("the session lives");
        assert_eq!(compressed(&mut client).await, [7; 1024]);
        // Of what cannot be made smaller, nothing is.
        let noise = noise(2000);
        session.socket.send(&Message::Binary(noise.clone().into())).expect("the session lives");
        assert_eq!(client.frame().await, Frame::Binary(noise));

        client.connection.send(masked(TEXT | RSV1, &deflated(format!("4{long}").as_bytes()))).await;
        assert!(session.text().await == long);
        let payload = deflated(&[7; 5000]);
        let (first, second) = payload.split_at(5);
        let fragments = [masked(BINARY ^ FIN | RSV1, first), masked(PING, b""), masked(FIN, second)];
        client.connection.send(fragments.concat()).await;
        assert_eq!(session.message().await, Message::Binary(vec![7; 5000].into()));
        assert_eq!(client.frame().await, Frame::Pong(vec![]));
        client.send("4as it is").await;
        assert_eq!(session.text().await, "as it is");
    }
}

#[tokio::test]
async fn cp_04_05_a_message_may_be_kept_as_it_is() {
    let options = PerMessageDeflate { threshold: 0, ..PerMessageDeflate::default() };
    let (server, sessions) = server::engine(compressing(options)).await;
    let (mut client, found) = handshake(server.endpoint, &server.endpoint.target("websocket"), OFFER).await;
    assert_eq!(found, ALONE);
    let open = compressed(&mut client).await;
    let session = sessions.take(&sid(str::from_utf8(&open).expect("UTF-8")));
    let frame = Encoded::text(&[&"x".repeat(5000)]);
    session.socket.send_frames(&frame, &[frame.clone().uncompressed()]).expect("the session lives");
    assert_eq!(compressed(&mut client).await.len(), 5001);
    assert_eq!(client.frame().await, text(format!("4{}", "x".repeat(5000))));
    client.connection.send(masked(CLOSE, b"")).await;
    assert_eq!(client.frame().await, Frame::Close(None, String::new()), "control frames are not compressed");
}

/// F25: contexts cost memory, so there are as many as the option says.
/// The reference keeps a context for every client, unless it is told not to.
#[tokio::test]
async fn f25_contexts_are_kept_for_as_many_sessions_as_may() {
    let options = PerMessageDeflate { threshold: 0, max_contexts: 2, ..PerMessageDeflate::default() };
    let (server, sessions) = server::engine(compressing(options)).await;
    let endpoint = server.endpoint;
    let target = endpoint.target("websocket");
    let (kept, _) = handshake(endpoint, &target, "permessage-deflate").await;
    let (mut client, found) = handshake(endpoint, &target, OFFER).await;
    assert_eq!(found, "permessage-deflate");
    assert_eq!(handshake(endpoint, &target, OFFER).await.1, ALONE, "a third one");
    let declined = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    drop(kept);

    // Of a message that was sent before, little is sent again.
    let open = match client.frame().await {
        Frame::Compressed(payload) => inflated(&payload),
        other => panic!("{other:?}"),
    };
    let mut session = sessions.take(&sid(str::from_utf8(&open).expect("UTF-8")));
    let message: String = noise(500).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let mut lengths = Vec::new();
    for _ in 0..2 {
        session.send(&message);
        match client.frame().await {
            Frame::Compressed(payload) => lengths.push(payload.len()),
            other => panic!("{other:?}"),
        }
    }
    assert!(lengths[1] * 5 < lengths[0], "{lengths:?}");

    // RFC 7692, section 7.2.3.2: the second message refers to the first.
    for payload in [[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00].as_slice(), &[0xf2, 0x00, 0x11, 0x00, 0x00]] {
        client.connection.send(masked(BINARY | RSV1, payload)).await;
        assert_eq!(session.message().await, Message::Binary(b"Hello".to_vec().into()));
    }

    // Those who keep none leave the right to others; the one that left gave it back.
    while sessions.engine.clients_count() > 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(handshake(endpoint, &target, declined).await.1, ALONE);
    assert_eq!(handshake(endpoint, &target, OFFER).await.1, "permessage-deflate");
}

#[tokio::test]
async fn f2_f6_f24_t30_compressed_messages_that_are_wrong_end_their_session() {
    let (server, sessions) = server::engine(compressing(PerMessageDeflate::default())).await;
    let bomb = deflated(&vec![0; 100_000_000]);
    assert!(bomb.len() < 100_000);
    let frame = broken(TransportFault::Frame);
    let corrupt = broken(TransportFault::Compression);
    let rows: [(&str, Vec<u8>, u16, CloseReason); 8] = [
        ("T30, F24: a bomb", masked(BINARY | RSV1, &bomb), 1009, broken(TransportFault::TooLarge)),
        (
            "F24: a bomb in fragments",
            [masked(BINARY ^ FIN | RSV1, &bomb[..5000]), masked(FIN, &bomb[5000..])].concat(),
            1009,
            broken(TransportFault::TooLarge),
        ),
        ("no compressed data", masked(BINARY | RSV1, &[0xff; 10]), 1007, corrupt),
        ("F6: text that is not UTF-8", masked(TEXT | RSV1, &deflated(b"4\xff")), 1007, broken(TransportFault::Utf8)),
        ("F2: a compressed ping", masked(PING | RSV1, b""), 1002, frame),
        ("F2: marked in a later fragment", [masked(TEXT ^ FIN, b"4"), masked(FIN | RSV1, b"a")].concat(), 1002, frame),
        ("F2: another reserved bit", masked(TEXT | RSV1 | 0x20, &deflated(b"4a")), 1002, frame),
        ("F2: and another", masked(TEXT | RSV1 | 0x10, &deflated(b"4a")), 1002, frame),
    ];
    for (label, bytes, code, reason) in rows {
        let _row = Row(label);
        let (mut client, session) = open(server.endpoint, &sessions, OFFER, ALONE).await;
        client.connection.send(bytes).await;
        assert_eq!(client.frame().await, closed(code));
        assert_eq!(client.frame().await, Frame::End);
        assert_eq!(session.reason().await, reason);
    }
}
