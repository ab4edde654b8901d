//! Frames that break the WebSocket protocol (RFC 6455), and the codes with which their connection is closed.

use std::time::Duration;

use engineio::{CloseReason, Config, TransportFault};
use tests::{
    Row,
    frames::{BINARY, CLOSE, CLOSED, FIN, Frame, PING, PONG, TEXT, WebSocket, announced, closed, masked},
    server,
};

use tokio::time::Instant;

use crate::broken;

/// Bits of the first byte that only extensions may set.
const RSV: [u8; 3] = [0x40, 0x20, 0x10];

const LIMIT: usize = 1_000_000;

/// Sends each row's bytes on a session of its own: it is closed with this frame, and ends for the reason.
async fn check(close: Frame, reason: CloseReason, rows: Vec<(String, Vec<u8>)>) {
    let (server, sessions) = server::engine(Config::default()).await;
    for (label, bytes) in rows {
        let _row = Row(&label);
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        client.connection.send(bytes).await;
        assert_eq!(client.frame().await, close);
        assert_eq!(client.frame().await, Frame::End);
        assert_eq!(sessions.take(&sid).reason().await, reason);
    }
}

fn row(label: impl Into<String>, frames: impl IntoIterator<Item = Vec<u8>>) -> (String, Vec<u8>) {
    (label.into(), frames.into_iter().flatten().collect())
}

#[tokio::test]
async fn f1_to_f5_what_is_no_frame_is_closed_with_1002() {
    let mut rows = vec![
        row("F1: not masked", [vec![TEXT, 2, b'4', b'a']]),
        row("F4: a fragment of a ping", [masked(PING ^ FIN, b"")]),
        row("F4: a fragment of a close", [masked(CLOSE ^ FIN, b"")]),
        row("F4: a ping of 126 bytes", [masked(PING, &[0; 126])]),
        row("F4: a pong of 126 bytes", [masked(PONG, &[0; 126])]),
        row("F4: a close of 126 bytes", [masked(CLOSE, &[0; 126])]),
        row("F5: a continuation of nothing", [masked(FIN, b"4a")]),
        row("F5: an unfinished continuation of nothing", [masked(0, b"4a")]),
        row("F5: a message within a message", [masked(TEXT ^ FIN, b"4a"), masked(TEXT, b"4b")]),
        row("F5: binary within text", [masked(TEXT ^ FIN, b"4a"), masked(BINARY ^ FIN, b"b")]),
    ];
    rows.extend(RSV.map(|bit| row(format!("F2: reserved bit {bit:#x}"), [masked(TEXT | bit, b"4a")])));
    let reserved = (3..8).chain(11..16).map(|opcode| FIN | opcode);
    rows.extend(reserved.map(|first| row(format!("F3: {first:#x}"), [masked(first, b"")])));
    check(closed(1002), broken(TransportFault::Frame), rows).await;
}

#[tokio::test]
async fn f8_a_close_that_may_not_be_sent_is_closed_with_1002() {
    let codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535_u16];
    let mut rows = codes.map(|code| row(format!("F8: {code}"), [masked(CLOSE, &code.to_be_bytes())])).to_vec();
    rows.push(row("F8: one byte", [masked(CLOSE, b"\x03")]));
    check(closed(1002), broken(TransportFault::Frame), rows).await;
}

#[tokio::test]
async fn f9_a_close_is_answered_by_the_same() {
    for code in [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999_u16] {
        let rows = vec![row(format!("F9: {code}"), [masked(CLOSE, &code.to_be_bytes())])];
        check(closed(code), CloseReason::TransportClose, rows).await;
    }
    let said = [b"\x03\xe8".as_slice(), "bye, 🦀".as_bytes()].concat();
    let rows = vec![row("F9: with a reason", [masked(CLOSE, &said)])];
    check(Frame::Close(Some(1000), "bye, 🦀".into()), CloseReason::TransportClose, rows).await;
    check(CLOSED, CloseReason::TransportClose, vec![row("F9: empty", [masked(CLOSE, b"")])]).await;
}

/// The only reasons that the server sends are those it was sent: at most 123 bytes of UTF-8 (RFC 6455, section 5.5).
#[tokio::test]
async fn t25_f9_the_longest_reason_is_repeated_whole() {
    let reason = "é".repeat(60) + "123";
    assert_eq!(reason.len(), 123);
    let rows = vec![row("123 bytes", [masked(CLOSE, &[b"\x0f\xa0", reason.as_bytes()].concat())])];
    check(Frame::Close(Some(4000), reason), CloseReason::TransportClose, rows).await;
}

/// Unlike the reference, which reads them. RFC 6455, section 5.2: the shortest form MUST be used.
#[tokio::test]
async fn f12_a_length_not_in_its_shortest_form_is_closed_with_1002() {
    let rows = vec![
        row("F12: 2 in 16 bits", [vec![TEXT, 0xfe, 0, 2, 0, 0, 0, 0, b'4', b'a']]),
        row("F12: 125 in 16 bits", [vec![TEXT, 0xfe, 0, 125, 0, 0, 0, 0, b'4']]),
        row("F12: 2 in 64 bits", [vec![TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, b'4', b'a']]),
        row("F12: 65,535 in 64 bits", [vec![TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, b'4']]),
    ];
    check(closed(1002), broken(TransportFault::Frame), rows).await;
}

#[tokio::test]
async fn f15_t26_a_message_in_too_many_fragments_is_closed_with_1008() {
    let rows = vec![
        row("F15: of a byte", [masked(TEXT ^ FIN, b"4"), masked(0, b"a").repeat(16_384)]),
        row("F15: of nothing", [masked(TEXT ^ FIN, b""), masked(0, b"").repeat(16_384)]),
    ];
    check(closed(1008), broken(TransportFault::Fragments), rows).await;
}

#[tokio::test]
async fn f15_as_many_fragments_as_may_be_are_a_message() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let fragments = [masked(TEXT ^ FIN, b"4"), masked(0, b"a").repeat(16_382), masked(FIN, b"b")];
    client.connection.send(fragments.concat()).await;
    assert_eq!(sessions.take(&sid).text().await, "a".repeat(16_382) + "b");
}

/// Put together anew at each fragment, these would be 8 GB to copy.
#[tokio::test]
async fn t29_a_long_message_in_as_many_fragments_as_may_be() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    for _ in 0..3 {
        let fragments = [masked(TEXT ^ FIN, b"4"), masked(0, &[b'a'; 60]).repeat(16_382), masked(FIN, b"b")];
        client.connection.send(fragments.concat()).await;
        assert!(session.text().await == "a".repeat(60 * 16_382) + "b");
    }
}

/// The reference waits for ever, and holds the memory.
#[tokio::test]
async fn f16_t27_a_message_that_is_not_finished_in_time_is_closed_with_1008() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    let config = Config { message_timeout: TIMEOUT, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let rows = [
        ("F16: a part of a header", vec![TEXT]),
        ("F16: a part of a payload", masked(TEXT, b"4abc")[..8].to_vec()),
        ("F16: a part of a message", masked(TEXT ^ FIN, b"4a")),
        ("F16: nothing of it yet", masked(TEXT ^ FIN, b"")),
        ("F16: a ping in between", [masked(TEXT ^ FIN, b"4a"), masked(PING, b"")].concat()),
        ("F16: a message before it", [masked(TEXT, b"4a"), masked(TEXT ^ FIN, b"4a")].concat()),
    ];
    for (label, bytes) in rows {
        let _row = Row(label);
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        let since = Instant::now();
        client.connection.send(bytes).await;
        let mut frame = client.frame().await;
        if frame == Frame::Pong(vec![]) {
            frame = client.frame().await;
        }
        assert_eq!(frame, closed(1008));
        assert_eq!(client.frame().await, Frame::End);
        assert!(since.elapsed() >= TIMEOUT);
        assert_eq!(sessions.take(&sid).ended().await.0, broken(TransportFault::MessageTimeout));
    }
}

/// The deadline is that of one message, however many follow each other without a pause.
#[tokio::test]
async fn f16_whoever_finishes_its_messages_may_go_on() {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let config = Config { message_timeout: TIMEOUT, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let since = Instant::now();
    client.connection.send(masked(TEXT ^ FIN, b"4")).await;
    while since.elapsed() < TIMEOUT + TIMEOUT / 2 {
        client.connection.send([masked(FIN, b"a"), masked(TEXT ^ FIN, b"4")].concat()).await;
        assert_eq!(session.text().await, "a");
        // Not for long: what is slow is to be seen as slow.
        tokio::time::sleep(TIMEOUT / 100).await;
    }
}

#[tokio::test]
async fn f6_f8_text_that_is_not_utf_8_is_closed_with_1007() {
    let rows = vec![
        row("F6: no UTF-8", [masked(TEXT, b"4\xff")]),
        row("F6: an overlong form", [masked(TEXT, b"4\xc0\xaf")]),
        row("F6: a surrogate", [masked(TEXT, b"4\xed\xa0\x80")]),
        row("F6: half a character at the end", [masked(TEXT, b"4\xf0\x9f")]),
        row("F6: in a later fragment", [masked(TEXT ^ FIN, b"4a"), masked(FIN, b"\xff")]),
        row("F6: before the last fragment", [masked(TEXT ^ FIN, b"4\xff")]),
        row("F8: in the reason of a close", [masked(CLOSE, b"\x03\xe8\xff")]),
    ];
    check(closed(1007), broken(TransportFault::Utf8), rows).await;
}

/// Those that are only announced are closed at their header, before anything is set aside for them.
#[tokio::test]
async fn cl_19_f10_f11_f13_f14_messages_over_the_limit_are_closed_with_1009() {
    let half = vec![b'4'; LIMIT / 2];
    let mut rows = vec![
        row("F13: one byte over", [masked(TEXT, &vec![b'4'; LIMIT + 1])]),
        row("F14: in fragments", [masked(TEXT ^ FIN, &half), masked(0, &half), masked(FIN, b"4")]),
    ];
    let announced_only = [LIMIT as u64 + 1, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, u64::MAX];
    for (name, first) in [("text", TEXT), ("binary", BINARY)] {
        rows.extend(
            announced_only
                .map(|length| row(format!("T21, F10, F11: {name} of {length} bytes"), [announced(first, length)])),
        );
    }
    check(closed(1009), broken(TransportFault::TooLarge), rows).await;
}

#[tokio::test]
async fn pl_04_f13_a_message_of_exactly_the_limit_is_fine() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let long = "x".repeat(LIMIT - 1);
    client.send(&format!("4{long}")).await;
    assert!(session.text().await == long);
    let half = "4".repeat(LIMIT / 2);
    client.connection.send([masked(TEXT ^ FIN, half.as_bytes()), masked(FIN, half.as_bytes())].concat()).await;
    assert_eq!(session.text().await.len(), LIMIT - 1);
}
