//! Bodies of POSTs: what is in them, how they arrive, and how long they may be.

use engineio::{CloseReason, Config, DecodeError, Message, TransportFault};
use tests::{Row, http::Connection, polling::Polling, server};

use crate::{REFUSED, broken, told};

/// Messages as text, binary ones in the notation of Rust.
fn words(messages: Vec<Message>) -> Vec<String> {
    let word = |message| match message {
        Message::Text(text) => text.to_string(),
        Message::Binary(data) => format!("{data:?}"),
    };
    messages.into_iter().map(word).collect()
}

#[tokio::test]
async fn payloads_that_are_accepted() {
    let (server, sessions) = server::engine(Config::default()).await;
    let noops = vec!["6"; 100_000].join("\x1e");
    let rows: [(&str, &str, &[&str]); 6] = [
        ("C3: open, pong, upgrade and noop say nothing", "0\x1e3\x1e5\x1e6\x1e4a", &["a"]),
        ("C6: an empty message", "4", &[""]),
        ("C13: 100,000 packets", &noops, &[]),
        (
            "C15: base64 without padding, in both alphabets",
            "b+/8\x1eb-_8=\x1ebAQ",
            &[r#"b"\xfb\xff""#, r#"b"\xfb\xff""#, r#"b"\x01""#],
        ),
        ("C16: empty binary", "b", &[r#"b"""#]),
        ("multibyte text", "4日本\x1e4🦀", &["日本", "🦀"]),
    ];
    for (label, body, messages) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint).await;
        assert_eq!(told(&client.post(body).await), (200, "ok"));
        assert_eq!(told(&client.post("4last\x1e1").await), (200, "ok"));
        let (reason, received) = sessions.take(&client.sid).ended().await;
        assert_eq!(reason, CloseReason::TransportClose);
        assert_eq!(words(received), [messages, &["last"]].concat());
    }
}

/// The reference answers `ok` before it closes, so its client does not learn why, and repairs what is no UTF-8 (C14) or
/// base64 (C15).
#[tokio::test]
async fn tr_14_15_hb_07_payloads_that_end_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let separators = "\x1e".repeat(1_000_000);
    let parse = CloseReason::ParseError;
    let ping = broken(TransportFault::HeartbeatDirection);
    let rows: [(&str, &[u8], &[&str], CloseReason); 15] = [
        ("TR-15, C1: nothing", b"", &[], parse(DecodeError::Empty)),
        ("TR-14, C2: 7", b"7", &[], parse(DecodeError::UnknownType('7'))),
        ("C2: x", b"x", &[], parse(DecodeError::UnknownType('x'))),
        ("C2: a byte order mark", b"\xef\xbb\xbf4a", &[], parse(DecodeError::UnknownType('\u{feff}'))),
        ("HB-07, C4: a ping", b"2", &[], ping),
        ("C4: a probe", b"2probe", &[], ping),
        ("C4: messages around a ping", b"4a\x1e2\x1e4b", &["a"], ping),
        ("C7: messages around what is no packet", b"4a\x1e9\x1e4b", &["a"], parse(DecodeError::UnknownType('9'))),
        ("C8: a separator behind", b"4a\x1e", &["a"], parse(DecodeError::Empty)),
        ("C8: a separator before", b"\x1e4a", &[], parse(DecodeError::Empty)),
        ("C12: separators", separators.as_bytes(), &[], parse(DecodeError::Empty)),
        ("C14: no UTF-8", b"4a\x1e4\xff\xfe", &[], parse(DecodeError::Utf8)),
        ("C14: a lone surrogate", b"4\xed\xa0\x80", &[], parse(DecodeError::Utf8)),
        ("C15: no base64", b"b!!!notbase64!!!", &[], parse(DecodeError::Base64)),
        ("C18: a form", b"d=4a", &[], parse(DecodeError::UnknownType('d'))),
    ];
    for (label, body, messages, expected) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint).await;
        assert_eq!(told(&client.post(body).await), (400, REFUSED[3]));
        let (reason, received) = sessions.take(&client.sid).ended().await;
        assert_eq!((reason, words(received)), (expected, messages.iter().map(ToString::to_string).collect()));
        assert_eq!(told(&client.get().await), (400, REFUSED[1]));
    }
}

/// As many packets as there can be in a body: the reference once took a long time for less.
#[tokio::test]
async fn t3_c13_a_body_of_the_smallest_packets_is_read_to_its_end() {
    let (server, sessions) = server::engine(Config { allow_eio3: true, ..Config::default() }).await;
    let rows = [("EIO=4", vec!["6"; 499_998].join("\x1e") + "\x1e4a"), ("EIO=3", "1:6".repeat(333_331) + "2:4a")];
    for (query, body) in rows {
        let _row = Row(&body[..9]);
        assert!((999_990..=1_000_000).contains(&body.len()), "{}", body.len());
        let mut client = Polling::open(server.endpoint.asked(query)).await;
        assert_eq!(told(&client.post(&body).await), (200, "ok"));
        assert_eq!(sessions.take(&client.sid).text().await, "a");
    }
}

#[tokio::test]
async fn tr_22_packets_after_a_close_are_dropped() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    assert_eq!(told(&client.post("4a\x1e1\x1e4b").await), (200, "ok"));
    let (reason, received) = sessions.take(&client.sid).ended().await;
    assert_eq!((reason, words(received)), (CloseReason::TransportClose, vec!["a".into()]));
}

/// The reference answers with an empty body; here all refusals look alike.
#[tokio::test]
async fn tr_13_c17_t13_an_octet_stream_ends_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("content-type: application/octet-stream\r\ncontent-length: 2\r\n").await;
    client.posts.send("4a").await;
    assert_eq!(told(&client.posts.answer().await), (400, REFUSED[3]));
    assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::ContentType));
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

#[tokio::test]
async fn c18_other_content_types_are_text() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    for content_type in ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "odd"] {
        client.begin_post(&format!("content-type: {content_type}\r\ncontent-length: 2\r\n")).await;
        client.posts.send("4a").await;
        assert_eq!(told(&client.posts.answer().await), (200, "ok"), "{content_type}");
        assert_eq!(session.text().await, "a");
    }
}

#[tokio::test]
async fn tr_18_19_c21_bodies_may_come_in_pieces() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let message = "é".repeat(250);

    client.begin_post("transfer-encoding: chunked\r\n").await;
    for byte in format!("4{message}").bytes() {
        client.posts.send([b"1\r\n".as_slice(), &[byte], b"\r\n"].concat()).await;
        tokio::task::yield_now().await;
    }
    client.posts.send("0\r\n\r\n").await;
    assert_eq!(told(&client.posts.answer().await), (200, "ok"));
    assert_eq!(session.text().await, message);

    let message = "é".repeat(400_000);
    client.begin_post(&format!("content-length: {}\r\n", 1 + message.len())).await;
    for piece in format!("4{message}").as_bytes().chunks(33_333) {
        client.posts.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(told(&client.posts.answer().await), (200, "ok"));
    assert_eq!(session.text().await, message);
}

#[tokio::test]
async fn b13_a_client_may_ask_before_it_sends_the_body() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("expect: 100-continue\r\ncontent-length: 2\r\n").await;
    assert_eq!(client.posts.head().await.status, 100);
    client.posts.send("4a").await;
    assert_eq!(told(&client.posts.answer().await), (200, "ok"));
    assert_eq!(sessions.take(&client.sid).text().await, "a");
}

#[tokio::test]
async fn pl_02_c10_c11_a_body_of_exactly_the_limit_is_fine() {
    let (server, sessions) = server::engine(Config { max_payload: 11, ..Config::default() }).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    for body in ["41234567890", "4ééééé"] {
        assert_eq!(body.len(), 11);
        assert_eq!(told(&client.post(body).await), (200, "ok"));
        assert_eq!(session.text().await, body[1..]);
    }
}

/// None of the bodies is sent whole: the server is to say so as soon as it knows.
/// The reference leaves the connection open (C9), and waits for what was only announced (C20).
#[tokio::test]
async fn pl_01_03_c9_c20_t35_a_body_over_the_limit_is_refused_and_the_session_lives() {
    let (server, sessions) = server::engine(Config { max_payload: 10, ..Config::default() }).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let rows = [
        ("one byte over", "content-length: 11\r\n", ""),
        ("announced only", "content-length: 99999999999\r\n", ""),
        ("in one chunk", "transfer-encoding: chunked\r\n", "b\r\n41234567890"),
        ("in two chunks", "transfer-encoding: chunked\r\n", "a\r\n4123456789\r\n1\r\n0"),
        ("in characters it is not", "content-length: 12\r\n", ""),
    ];
    for (label, headers, body) in rows {
        let _row = Row(label);
        client.begin_post(headers).await;
        client.posts.send(body).await;
        let answer = client.posts.answer().await;
        assert_eq!(told(&answer), (413, ""));
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(client.posts.rest().await, b"");

        client.posts = Connection::open(server.endpoint.address).await;
        assert_eq!(told(&client.post("4a").await), (200, "ok"));
        assert_eq!(session.text().await, "a");
    }
}

/// How long a body is must not be open to interpretation.
#[tokio::test]
async fn h2_h3_h4_h5_bodies_of_doubtful_length_are_refused() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let rows = [
        ("H2: an unknown encoding", "transfer-encoding: xchunked\r\n"),
        ("H2: chunked is not the last encoding", "transfer-encoding: chunked, identity\r\n"),
        ("H3: two lengths", "content-length: 2\r\ncontent-length: 3\r\n"),
        ("H4: a negative length", "content-length: -1\r\n"),
        ("H4: a signed length", "content-length: +2\r\n"),
        ("H4: two numbers", "content-length: 2 2\r\n"),
        ("H4: more than 64 bits", "content-length: 18446744073709551616\r\n"),
        ("H5: a blank before the colon", "content-length : 2\r\n"),
    ];
    for (label, headers) in rows {
        let _row = Row(label);
        client.begin_post(headers).await;
        assert_eq!(told(&client.posts.answer().await), (400, ""));
        assert_eq!(client.posts.rest().await, b"");
        client.posts = Connection::open(server.endpoint.address).await;
        assert_eq!(told(&client.post("4a").await), (200, "ok"));
        assert_eq!(session.text().await, "a");
    }
}

#[tokio::test]
async fn c22_h9_chunks_that_are_none_end_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let rows = [
        ("C22, H9: a size beyond 64 bits", "1FFFFFFFFFFFFFFFF\r\n4a"),
        ("H9: no size", "x\r\n4a"),
        ("no end of the chunk", "2\r\n4abc\r\n"),
    ];
    for (label, body) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint).await;
        client.begin_post("transfer-encoding: chunked\r\n").await;
        client.posts.send(body).await;
        assert_eq!(told(&client.posts.answer().await), (400, REFUSED[3]));
        assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PostAborted));
    }
}

#[tokio::test]
async fn c9_a_client_that_sends_too_much_to_the_end_still_reads_why() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let large = "x".repeat(5_000_000);
    let mut session = Polling::open(server.endpoint).await;
    assert_eq!(session.post(&large).await.status, 413);

    let mut stranger = Connection::open(server.endpoint.address).await;
    let target = format!("POST {}&sid=01234567890123456789", server.endpoint.target("polling"));
    stranger.request(&target, &format!("content-length: {}\r\n", large.len())).await;
    stranger.send(&large).await;
    assert_eq!(stranger.answer().await.body, r#"{"code":1,"message":"Session ID unknown"}"#);
}
