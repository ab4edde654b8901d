//! Requests whose head says more than one thing: about their host, their body, or where they end.

use std::time::Duration;

use engineio::{CloseReason, Config, TransportFault};
use tests::{
    Row,
    frames::{Frame, HANDSHAKE, WebSocket, handshake},
    http::Connection,
    polling::Polling,
    server::{self, Endpoint},
};

use crate::{REFUSED, broken, told};

/// A handshake that nobody may read: whoever is answered has smuggled a request.
fn smuggled(endpoint: Endpoint) -> String {
    format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", endpoint.target("polling"))
}

#[tokio::test]
async fn a21_a_target_with_a_host_is_for_that_host() {
    let (server, sessions) = server::engine(Config::default()).await;
    let rows = [
        ("another host", "GET http://evil/engine.io/", "HTTP/1.1\r\nhost: localhost\r\n", 404),
        ("another port", "GET http://localhost:81/engine.io/", "HTTP/1.1\r\nhost: localhost\r\n", 404),
        ("no host to be the same", "GET http://localhost/engine.io/", "HTTP/1.0\r\n", 404),
        ("a proxy's way to say the same", "GET http://LOCALHOST/engine.io/", "HTTP/1.1\r\nhost: localhost\r\n", 200),
    ];
    for (label, target, end, status) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.send(format!("{target}?EIO=4&transport=polling {end}\r\n")).await;
        assert_eq!(connection.answer().await.status, status);
    }
    assert_eq!(sessions.engine.clients_count(), 1);
}

/// The reference answers with an empty body; here all refusals look alike.
#[tokio::test]
async fn a24_a25_http_1_1_names_its_host_once() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let rows = [
        ("A25: none", "HTTP/1.1\r\n", 400),
        ("A25: two", "HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400),
        ("one", "HTTP/1.1\r\nhost: a\r\n", 200),
        ("A24: none in HTTP/1.0", "HTTP/1.0\r\n", 200),
        ("A24: one in HTTP/1.0", "HTTP/1.0\r\nhost: a\r\n", 200),
    ];
    for (label, end, status) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.send(format!("GET {} {end}\r\n", server.endpoint.target("polling"))).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, status);
        assert!(status == 200 || answer.body == REFUSED[3], "{answer:?}");
    }
}

/// The reference does not read the body of a GET, and takes that of a WebSocket for frames.
#[tokio::test]
async fn b10_e11_a_get_has_no_body() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let (polling, websocket) = (server.endpoint.target("polling"), server.endpoint.target("websocket"));
    let upgrade = client.target().replace("polling", "websocket");
    let rows = [
        ("B10: a handshake", &polling, "content-length: 5\r\n", "hello"),
        ("B10: in chunks", &polling, "transfer-encoding: chunked\r\n", "0\r\n\r\n"),
        ("B10: of a session", &client.target(), "content-length: 5\r\n", "hello"),
        ("E11: a WebSocket", &websocket, &format!("{HANDSHAKE}content-length: 5\r\n"), "hello"),
        ("E11: in chunks", &websocket, &format!("{HANDSHAKE}transfer-encoding: chunked\r\n"), "0\r\n\r\n"),
        ("E11: an upgrade", &upgrade, &format!("{HANDSHAKE}content-length: 5\r\n"), "hello"),
    ];
    for (label, target, headers, body) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&format!("GET {target}"), headers).await;
        connection.send(format!("{body}{}", smuggled(server.endpoint))).await;
        let answer = connection.answer().await;
        assert_eq!((told(&answer), answer.header("connection")), ((400, REFUSED[3]), "close"));
        assert_eq!(connection.rest().await, b"");
    }
    assert_eq!(sessions.engine.clients_count(), 1);

    let empty = "content-length: 0\r\n";
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {polling}"), empty).await;
    assert_eq!(connection.answer().await.status, 200);
    connection.request(&format!("GET {websocket}"), &format!("{HANDSHAKE}{empty}")).await;
    assert_eq!(connection.head().await.status, 101);
}

/// The second waits behind the first, where the reference takes it up at once and ends the session.
#[tokio::test]
async fn b2_of_two_pipelined_gets_the_second_waits() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    client.send_get().await;
    client.send_get().await;
    server.waiting(1).await;
    session.send("a");
    assert_eq!(told(&client.gets.answer().await), (200, "4a"));
    server.waiting(1).await;
    session.send("b");
    assert_eq!(told(&client.gets.answer().await), (200, "4b"));
}

/// The reference leaves the connection open, though the body may follow.
#[tokio::test]
async fn b13_an_unknown_expectation_fails() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    for headers in
        ["expect: foo\r\ncontent-length: 2\r\n", "expect: 100-continue\r\nexpect: foo\r\ncontent-length: 2\r\n"]
    {
        client.begin_post(headers).await;
        client.posts.send("4a").await;
        let answer = client.posts.answer().await;
        assert_eq!((told(&answer), answer.header("connection")), ((417, ""), "close"));
        assert_eq!(client.posts.rest().await, b"");
        client.posts = Connection::open(server.endpoint.address).await;
    }
    assert_eq!(told(&client.post("4b").await), (200, "ok"));
    assert_eq!(sessions.take(&client.sid).text().await, "b");
}

/// The reference takes the compressed bytes for packets; here the client learns why.
#[tokio::test]
async fn c19_a_compressed_body_ends_the_session_unread() {
    let (server, sessions) = server::engine(Config::default()).await;
    for coding in ["gzip", "deflate", "br", "identity"] {
        let _row = Row(coding);
        let mut client = Polling::open(server.endpoint).await;
        client.send_get().await;
        server.waiting(1).await;
        client.begin_post(&format!("content-encoding: {coding}\r\ncontent-length: 2\r\n")).await;
        client.posts.send("4a").await;
        let answer = client.posts.answer().await;
        assert_eq!((told(&answer), answer.header("connection")), ((415, ""), "close"));
        assert_eq!(told(&client.gets.answer().await), (200, "1"));
        assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::ContentEncoding));
    }
}

#[tokio::test]
async fn e9_of_subprotocols_which_are_a_list_of_tokens_the_first_is_selected() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let target = server.endpoint.target("websocket");
    let rows = [
        ("an empty one", "sec-websocket-protocol: a,,b\r\n", 400, ""),
        ("nothing", "sec-websocket-protocol: \r\n", 400, ""),
        ("a comma at the end", "sec-websocket-protocol: a,\r\n", 400, ""),
        ("no token", "sec-websocket-protocol: a b\r\n", 400, ""),
        ("one in a second header", "sec-websocket-protocol: a\r\nsec-websocket-protocol: b@c\r\n", 400, ""),
        ("one", "sec-websocket-protocol: foo\r\n", 101, "foo"),
        ("two", "sec-websocket-protocol: Foo ,\tbar\r\n", 101, "Foo"),
        ("none", "", 101, ""),
    ];
    for (label, headers, status, selected) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&format!("GET {target}"), &format!("{HANDSHAKE}{headers}")).await;
        let answer = connection.head().await;
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (status, selected));
    }
}

/// hyper reads the chunks, as RFC 9112, section 6.3 has it, keeps the length from everybody else, and then ends the
/// connection. Neither reading leaves a request behind it. The reference answers 400; to do so would take a second
/// parser in front of hyper's.
#[tokio::test]
async fn h1_of_two_framings_chunks_count_and_the_connection_ends() {
    let (server, sessions) = server::engine(Config::default()).await;
    for headers in
        ["content-length: 6\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 6\r\n"]
    {
        let _row = Row(headers);
        let mut client = Polling::open(server.endpoint).await;
        client.begin_post(headers).await;
        client.posts.send(format!("2\r\n4a\r\n0\r\n\r\n{}", smuggled(server.endpoint))).await;
        assert_eq!(told(&client.posts.answer().await), (200, "ok"));
        assert_eq!(client.posts.rest().await, b"");
        assert_eq!(sessions.take(&client.sid).text().await, "a");
    }
}

/// The reference ends the session of such a POST, and reads chunks of HTTP/1.0 (H13).
#[tokio::test]
async fn h2_h13_no_coding_but_chunked_and_that_once() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let rows = [
        ("H2: two headers", "1.1", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", REFUSED[3]),
        ("H2: another coding before", "1.1", "transfer-encoding: gzip, chunked\r\n", REFUSED[3]),
        ("H2: in two headers", "1.1", "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n", REFUSED[3]),
        ("H2: none", "1.1", "transfer-encoding: \r\n", ""),
        ("H13: HTTP/1.0 has none", "1.0", "transfer-encoding: chunked\r\n", ""),
    ];
    for (label, version, headers, body) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        let head = format!("POST {} HTTP/{version}\r\nhost: localhost\r\n{headers}\r\n", client.target());
        connection.send(format!("{head}2\r\n4x\r\n0\r\n\r\n{}", smuggled(server.endpoint))).await;
        assert_eq!(told(&connection.answer().await), (400, body));
        assert_eq!(connection.rest().await, b"");
    }
    assert_eq!(told(&client.post("4alive").await), (200, "ok"));
    assert_eq!(sessions.take(&client.sid).text().await, "alive");
}

#[tokio::test]
async fn h3_a_length_said_twice_is_one_length() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("content-length: 2\r\ncontent-length: 2\r\n").await;
    client.posts.send("4a").await;
    assert_eq!(told(&client.posts.answer().await), (200, "ok"));
    assert_eq!(sessions.take(&client.sid).text().await, "a");
    client.begin_post("content-length: 2, 2\r\n").await;
    assert_eq!(told(&client.posts.answer().await), (400, ""));
}

#[tokio::test]
async fn h5_lines_that_are_none() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let line = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n", server.endpoint.target("polling"));
    for (label, header) in [
        ("folded", "x-a: b\r\n c\r\n"),
        ("a zero byte", "x-a: b\0c\r\n"),
        ("a carriage return", "x-a: b\rc\r\n"),
        ("a blank before the colon", "x-a : b\r\n"),
        ("no name", ": b\r\n"),
        ("no colon", "x-a\r\n"),
    ] {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.send(format!("{line}{header}\r\n{}", smuggled(server.endpoint))).await;
        assert_eq!(told(&connection.answer().await), (400, ""));
        assert_eq!(connection.rest().await, b"");
    }
}

/// RFC 9112, section 2.2 lets a server take a lone LF for the end of a line; hyper does, and has no option for it.
/// The reference answers 400.
#[tokio::test]
async fn h5_a_lone_line_feed_ends_a_line() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    let request = smuggled(server.endpoint).replace("\r\n", "\n");
    connection.send(format!("{request}{request}")).await;
    assert_eq!(connection.answer().await.status, 200);
    assert_eq!(connection.answer().await.status, 200);
}

#[tokio::test]
async fn h6_tls_is_not_spoken() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.send([b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03".as_slice(), &[7; 190]].concat()).await;
    assert_eq!(told(&connection.answer().await), (400, ""));
    assert_eq!(connection.rest().await, b"");
}

#[tokio::test]
async fn h8_h10_c22_what_stands_beside_the_chunks() {
    let (server, sessions) = server::engine(Config::default()).await;
    let extension = format!("2;{}\r\n4a\r\n0\r\n\r\n", "x".repeat(20_000));
    let rows = [
        ("H8: an extension", "2;x=y\r\n4a\r\n0\r\n\r\n", 200),
        ("H8, C22: a long one", &extension, 400),
        ("H10: trailers", "2\r\n4a\r\n0\r\ncontent-length: 9\r\nhost: evil\r\n\r\n", 200),
    ];
    for (label, body, status) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint).await;
        client.begin_post("transfer-encoding: chunked\r\n").await;
        client.posts.send(body).await;
        assert_eq!(client.posts.answer().await.status, status);
        let session = sessions.take(&client.sid);
        if status == 200 {
            // The next request begins behind the trailers.
            assert_eq!(told(&client.post("4b").await), (200, "ok"));
            assert_eq!(told(&client.post("1").await), (200, "ok"));
            let (reason, messages) = session.ended().await;
            assert_eq!((reason, messages.len()), (CloseReason::TransportClose, 2));
        } else {
            assert_eq!(session.ended().await.0, broken(TransportFault::PostAborted));
            assert_eq!(client.posts.rest().await, b"");
        }
    }
}

/// hyper takes the largest number for a size; what comes of it counts against `max_payload` and `body_timeout`.
#[tokio::test]
async fn h9_c22_a_chunk_of_the_largest_size_is_late() {
    let config = Config { body_timeout: Duration::from_millis(100), ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("transfer-encoding: chunked\r\n").await;
    client.posts.send("FFFFFFFFFFFFFFFF\r\n4a").await;
    assert_eq!(told(&client.posts.answer().await), (408, ""));
    assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PostTimeout));
}

#[tokio::test]
async fn h11_no_request_is_read_behind_a_body_that_was_not() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let rows = [
        ("an unknown session", format!("POST {}&sid=abc", server.endpoint.target("polling")), 400),
        ("a handshake", format!("POST {}", server.endpoint.target("polling")), 400),
        ("another method", format!("PUT {}", client.target()), 405),
    ];
    for (label, line, status) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&line, "content-length: 5\r\n").await;
        connection.send(format!("hello{}", smuggled(server.endpoint))).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, "close"));
        assert_eq!(connection.rest().await, b"");
    }
    assert_eq!(sessions.engine.clients_count(), 1);
}

#[tokio::test]
async fn h12_what_follows_an_upgrade_is_frames_and_never_a_request() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    let line = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n", server.endpoint.target("websocket"));
    connection.send(format!("{line}{HANDSHAKE}\r\n{}", smuggled(server.endpoint))).await;
    assert_eq!(connection.head().await.status, 101);
    let mut websocket = WebSocket { connection };
    // `G` has a bit set that no frame has.
    assert_eq!(websocket.frame().await, tests::frames::closed(1002));
    assert_eq!(websocket.frame().await, Frame::End);
    assert_eq!(sessions.engine.clients_count(), 0);
}

/// There is no cap, and need be none: one request of a connection is answered at a time, and what is behind it stays
/// in the system's buffers.
#[tokio::test]
async fn h14_pipelined_requests_are_answered_in_order_while_others_are_served() {
    const MANY: usize = 20_000;
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut flood = Connection::open(server.endpoint.address).await;
    let mut other = Polling::open(server.endpoint).await;
    let rows = ["GET /engine.io/", "POST /engine.io/?EIO=4&transport=polling"];
    let pair = rows.map(|line| format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n")).concat();
    for _ in 0..MANY / 200 {
        flood.send(pair.repeat(100)).await;
        assert_eq!(told(&other.post("6").await), (200, "ok"));
        for _ in 0..100 {
            assert_eq!(told(&flood.answer().await), (400, REFUSED[0]));
            assert_eq!(told(&flood.answer().await), (400, REFUSED[2]));
        }
    }
}

#[tokio::test]
async fn tr_28_old_browsers_are_told_not_to_filter() {
    let (server, sessions) = server::engine(Config::default()).await;
    let rows = [
        ("Mozilla/5.0 (compatible;MSIE 9.0; Windows NT 6.1)", "0"),
        ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "0"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ""),
        ("MSIE trident/", ""),
    ];
    for (agent, expected) in rows {
        let _row = Row(agent);
        let agent = format!("user-agent: {agent}\r\n");
        let mut client = Polling::open(server.endpoint).await;
        sessions.take(&client.sid).send("a");
        client.gets.request(&format!("GET {}", client.target()), &agent).await;
        let polled = client.gets.answer().await;
        client.begin_post(&format!("{agent}content-length: 1\r\n")).await;
        client.posts.send("6").await;
        let posted = client.posts.answer().await;
        client.gets.request(&format!("GET {}", server.endpoint.target("polling")), &agent).await;
        for answer in [polled, posted, client.gets.answer().await] {
            assert_eq!((answer.status, answer.header("x-xss-protection")), (200, expected));
        }
    }
    let mut connection = Connection::open(server.endpoint.address).await;
    assert_eq!(handshake(&mut connection, &server.endpoint.target("websocket")).await.header("x-xss-protection"), "");
}
