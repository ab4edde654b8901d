//! What requests that are refused are answered, byte for byte, and that they end nothing else.

use engineio::{Config, Transport};
use tests::{Row, frames::HANDSHAKE, http::Connection, polling::Polling, server, within};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{REFUSED, told};

#[tokio::test]
async fn requests_without_a_session() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let long = format!("GET /engine.io/?EIO=4&transport=polling&sid={}", "x".repeat(8000));
    let rows = [
        ("HS-36: no query", "GET /engine.io/", 0),
        ("HS-04, A1: no transport", "GET /engine.io/?EIO=4", 0),
        ("HS-05, A2: an unknown transport", "GET /engine.io/?EIO=4&transport=tobi", 0),
        ("A2: in capitals", "GET /engine.io/?EIO=4&transport=Polling", 0),
        ("A2: not served", "GET /engine.io/?EIO=4&transport=webtransport", 0),
        ("HS-06, A3: constructor", "GET /engine.io/?EIO=4&transport=constructor", 0),
        ("HS-06, A3: __proto__", "GET /engine.io/?EIO=4&transport=__proto__", 0),
        ("A4: the last transport counts", "GET /engine.io/?EIO=4&transport=polling&transport=foo", 0),
        ("HS-08, A10: an unknown sid", "GET /engine.io/?EIO=4&transport=polling&sid=abc", 1),
        ("A10: one of the right length", "GET /engine.io/?EIO=4&transport=polling&sid=abcdefghijklmnopqrst", 1),
        ("HS-37, A10: __proto__", "GET /engine.io/?EIO=4&transport=polling&sid=__proto__", 1),
        ("HS-37, A10: hasOwnProperty", "GET /engine.io/?EIO=4&transport=polling&sid=hasOwnProperty", 1),
        ("A10: a zero byte", "GET /engine.io/?EIO=4&transport=polling&sid=%00", 1),
        ("A10: a bad escape", "GET /engine.io/?EIO=4&transport=polling&sid=%zz%", 1),
        ("A10: 8 KB", &long, 1),
        ("B7: POST to an unknown sid", "POST /engine.io/?EIO=4&transport=polling&sid=abc", 1),
        ("HS-09, A8: POST", "POST /engine.io/?EIO=4&transport=polling", 2),
        ("HS-09, A8: PUT", "PUT /engine.io/?EIO=4&transport=polling", 2),
        ("HS-09, A8: DELETE", "DELETE /engine.io/?EIO=4&transport=polling", 2),
        ("HS-09, A8, CO-01: OPTIONS", "OPTIONS /engine.io/?EIO=4&transport=polling", 2),
        ("HS-10, A5: websocket without an upgrade", "GET /engine.io/?EIO=4&transport=websocket", 3),
        ("HS-14, A6: no EIO", "GET /engine.io/?transport=polling", 5),
        ("HS-13, A6, V2-01: revision 3", "GET /engine.io/?EIO=3&transport=polling", 5),
        ("HS-13, A6: revision 5", "GET /engine.io/?EIO=5&transport=polling", 5),
        ("HS-14, A6: 04", "GET /engine.io/?EIO=04&transport=polling", 5),
        ("HS-14, A6: no number", "GET /engine.io/?EIO=abc&transport=polling", 5),
        ("A6: the last EIO counts", "GET /engine.io/?EIO=4&EIO=3&transport=polling", 5),
    ];
    for (label, line, code) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        // Twice: a refusal leaves the connection open for the next request.
        for _ in 0..2 {
            connection.request(line, "").await;
            let answer = connection.answer().await;
            assert_eq!(told(&answer), (400, REFUSED[code]));
            assert_eq!(answer.header("content-type"), "application/json");
            assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "CO-01");
        }
    }
}

#[tokio::test]
async fn hs_09_a8_a_head_request_has_no_body() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request("HEAD /engine.io/?EIO=4&transport=polling", "connection: close\r\n").await;
    assert_eq!(connection.head().await.status, 400);
    assert_eq!(connection.rest().await, b"");
}

#[tokio::test]
async fn hs_07_a_transport_that_is_switched_off_is_unknown() {
    for (transport, other) in [(Transport::Polling, "websocket"), (Transport::WebSocket, "polling")] {
        let (server, _sessions) = server::engine(Config { transports: vec![transport], ..Config::default() }).await;
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&format!("GET {}", server.endpoint.target(other)), "").await;
        assert_eq!(told(&connection.answer().await), (400, REFUSED[0]), "{other}");
    }
}

/// The reference takes any path that begins with its own, answers others 501, and cuts upgrades off after a second.
/// Here paths match whole, and what is not there is not found.
#[tokio::test]
async fn at_02_hs_34_a19_to_a22_paths_that_do_not_belong_here() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let rows = [
        ("another", "GET /other?EIO=4&transport=polling", ""),
        ("A19, HS-35: without the slash", "GET /engine.io?EIO=4&transport=polling", ""),
        ("A20: below", "GET /engine.io/a/b?EIO=4&transport=polling", ""),
        ("A20: beside", "GET /engine.io/../x?EIO=4&transport=polling", ""),
        ("A21: a second slash", "GET //engine.io/?EIO=4&transport=polling", ""),
        ("A21: with an escape", "GET /%65ngine.io/?EIO=4&transport=polling", ""),
        ("A22: an upgrade", "GET /other?EIO=4&transport=websocket", HANDSHAKE),
    ];
    for (label, line, headers) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(line, headers).await;
        assert_eq!(told(&connection.answer().await), (404, ""));
    }
}

/// The reference answers other methods 500, though the mistake is the client's.
#[tokio::test]
async fn tr_17_hs_11_38_a11_a12_a13_requests_that_do_not_fit_their_session_leave_it_alive() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let rows = [
        ("HS-11, A11: websocket without an upgrade", "GET", "EIO=4&transport=websocket", (400, REFUSED[3])),
        ("HS-38, A12, T16: revision 3", "GET", "EIO=3&transport=polling", (400, REFUSED[3])),
        ("HS-38, A12: no revision", "GET", "transport=polling", (400, REFUSED[3])),
        ("A12: a POST of revision 3", "POST", "EIO=3&transport=polling", (400, REFUSED[3])),
        ("A1: no transport", "GET", "EIO=4", (400, REFUSED[0])),
        ("TR-17, A13: PUT", "PUT", "EIO=4&transport=polling", (405, "")),
        ("TR-17, A13: DELETE", "DELETE", "EIO=4&transport=polling", (405, "")),
        ("TR-17, A13: OPTIONS", "OPTIONS", "EIO=4&transport=polling", (405, "")),
        ("TR-17, A13: HEAD", "HEAD", "EIO=4&transport=polling", (405, "")),
    ];
    for (label, method, query, expected) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&format!("{method} /engine.io/?{query}&sid={}", client.sid), "").await;
        let answer = connection.answer().await;
        assert_eq!(told(&answer), expected);
        assert_eq!(answer.header("allow"), if answer.status == 405 { "GET, POST" } else { "" });
        assert_eq!(told(&client.post("4alive").await), (200, "ok"));
        assert_eq!(session.text().await, "alive");
    }
}

/// The reference takes as many headers as fit; each costs memory.
#[tokio::test]
async fn what_is_no_http_ends_its_connection() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let line = "GET /engine.io/?EIO=4&transport=polling";
    let long_header = format!("{line} HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(17_000));
    let many_headers = format!("{line} HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(101));
    let long_url = format!("{line}&x={} HTTP/1.1\r\nhost: localhost\r\n\r\n", "y".repeat(100_000));
    let rows = [
        ("A15: headers of 17 KB", long_header.as_str(), 431),
        ("A15: a URL of 100 KB", &long_url, 431),
        ("A16: more than 100 headers", &many_headers, 431),
        ("HS-12, A17: a control character in a header", "GET / HTTP/1.1\r\norigin: \x01\r\n\r\n", 400),
        ("H6: a TLS greeting", "\x16\x03\x01\x02\x00\x01\x00\x01", 400),
    ];
    for (label, bytes, status) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.send(bytes).await;
        assert_eq!(told(&connection.answer().await), (status, ""));
        assert_eq!(connection.rest().await, b"");
    }
}

#[tokio::test]
async fn h6_http_2_is_not_spoken() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(connection.rest().await, b"");
}

/// A request that follows a refused upgrade on its connection may be frames, or smuggled: nobody reads it.
/// The reference answers in text, lets version 8 and polling (E7) in before it closes, and shows A7 on the WebSocket.
#[tokio::test]
async fn e1_e2_e3_e7_e8_e13_e14_refused_upgrades_end_their_connection() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\n";
    let no_key = format!("{upgrade}sec-websocket-version: 13\r\n");
    let short_key = format!("{no_key}sec-websocket-key: c2hvcnQ=\r\n");
    let version = |version: &str| format!("{upgrade}{key}{version}");
    let target = "GET /engine.io/?EIO=4&transport=websocket";
    let of_session = format!("{target}&sid={}", client.sid);
    let polling = target.replace("websocket", "polling");
    let rows = [
        ("E1, HS-19: no key", target, no_key.as_str(), 400, REFUSED[3]),
        ("E1: a short key", target, &short_key, 400, REFUSED[3]),
        ("E1, HS-19: no key, of a session", &of_session, &no_key, 400, REFUSED[3]),
        ("E2: version 8", target, &version("sec-websocket-version: 8\r\n"), 426, ""),
        ("E3: version 99", target, &version("sec-websocket-version: 99\r\n"), 426, ""),
        ("E3: no version", target, &version(""), 426, ""),
        ("E3: no version, of a session", &of_session, &version(""), 426, ""),
        ("E7: on polling", &polling, HANDSHAKE, 400, REFUSED[3]),
        ("E8: POST", "POST /engine.io/?EIO=4&transport=websocket", HANDSHAKE, 400, REFUSED[2]),
        ("E14: an unknown sid", "GET /engine.io/?EIO=4&transport=websocket&sid=abc", HANDSHAKE, 400, REFUSED[1]),
        ("A7: revision 3", "GET /engine.io/?EIO=3&transport=websocket", HANDSHAKE, 400, REFUSED[5]),
        ("A12: revision 3, of a session", &of_session.replace("EIO=4", "EIO=3"), HANDSHAKE, 400, REFUSED[3]),
        ("HS-06, T7: __proto__", "GET /engine.io/?EIO=4&transport=__proto__", HANDSHAKE, 400, REFUSED[0]),
        ("HS-06, T7: constructor", "GET /engine.io/?EIO=4&transport=constructor", HANDSHAKE, 400, REFUSED[0]),
    ];
    for (label, line, headers, status, body) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        let smuggled = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", server.endpoint.target("polling"));
        connection.send(format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n{smuggled}")).await;
        let answer = connection.answer().await;
        assert_eq!(told(&answer), (status, body));
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(answer.header("sec-websocket-version"), if status == 426 { "13" } else { "" });
        assert_eq!(connection.rest().await, b"", "E13");
    }
    assert_eq!(sessions.engine.clients_count(), 1);
    let mut websocket = client.upgraded().await;
    websocket.send("4alive").await;
    assert_eq!(session.text().await, "alive");
}

/// CVE-2022-41940 ended the reference server this way.
#[tokio::test]
async fn t6_refused_upgrades_that_are_reset_end_nothing_else() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let h2c = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n";
    let rows = [
        ("to another protocol", server.endpoint.target("websocket"), h2c),
        ("of an unknown session", format!("{}&sid=abc", server.endpoint.target("websocket")), HANDSHAKE),
        ("of another transport", server.endpoint.target("foo"), HANDSHAKE),
        ("elsewhere", "/other".to_owned(), HANDSHAKE),
    ];
    for (label, target, headers) in rows {
        let _row = Row(label);
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        for (length, answered) in
            [(0, false), (9, false), (request.len() - 2, false), (request.len(), false), (request.len(), true)]
        {
            let mut stream = TcpStream::connect(server.endpoint.address).await.expect("it listens");
            stream.write_all(&request.as_bytes()[..length]).await.expect("it reads");
            if answered {
                within(stream.readable()).await.expect("an answer");
            }
            // Closed like this, it is reset.
            stream.set_zero_linger().expect("connected");
            drop(stream);
            assert_eq!(told(&client.post("4alive").await), (200, "ok"));
            assert_eq!(session.text().await, "alive");
        }
    }
    assert_eq!(sessions.engine.clients_count(), 1);
}

#[tokio::test]
async fn upgrades_that_are_not_asked_for_in_full() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let rows = [
        ("E4: to another protocol", HANDSHAKE.replace("upgrade: websocket", "upgrade: h2c")),
        ("E6: connection: close", HANDSHAKE.replace("connection: Upgrade", "connection: close")),
        ("no upgrade header", HANDSHAKE.replace("upgrade: websocket\r\n", "")),
    ];
    for (label, headers) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request("GET /engine.io/?EIO=4&transport=websocket", &headers).await;
        assert_eq!(told(&connection.answer().await), (400, REFUSED[3]));
    }
}
