//! What a handshake is answered, byte for byte.

use std::time::Duration;

use engineio::{Config, Http, Transport};
use tests::{
    Row,
    frames::{ACCEPT, HANDSHAKE, WebSocket, handshake},
    http::Connection,
    polling::{Polling, sid},
    server,
};

#[tokio::test]
async fn hs_01_03_a_polling_handshake() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.send("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let answer = connection.answer().await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; charset=UTF-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "content-length", "content-type", "date"]);

    let sid = sid(&answer.body);
    let open = r#"","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(answer.body, format!(r#"0{{"sid":"{sid}{open}"#));
    assert!(sid.len() == 20 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{sid}");
    assert_eq!(sessions.take(&sid).socket.transport(), Transport::Polling);
}

#[tokio::test]
async fn hs_28_29_a_websocket_handshake() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    let answer = handshake(&mut connection, "/engine.io/?EIO=4&transport=websocket").await;

    assert_eq!(answer.status, 101);
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date");
    headers.sort_unstable();
    let expected = [("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT), ("upgrade", "websocket")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let mut websocket = WebSocket { connection };
    let open = websocket.text().await;
    let sid = sid(&open);
    let rest = r#"","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(open, format!(r#"0{{"sid":"{sid}{rest}"#));
    assert_eq!(sessions.take(&sid).socket.transport(), Transport::WebSocket);
}

#[tokio::test]
async fn hs_02_07_29_pl_05_options_show_in_the_handshake() {
    use Transport::{Polling, WebSocket};
    let times = Config {
        ping_interval: Duration::from_millis(1500),
        ping_timeout: Duration::from_millis(700),
        max_payload: 42,
        ..Config::default()
    };
    let rows = [
        (
            "options of ours",
            times,
            r#""upgrades":["websocket"],"pingInterval":1500,"pingTimeout":700,"maxPayload":42}"#,
        ),
        ("upgrades off", Config { allow_upgrades: false, ..Config::default() }, r#""upgrades":[],"#),
        ("polling only", Config { transports: vec![Polling], ..Config::default() }, r#""upgrades":[],"#),
        ("websocket only", Config { transports: vec![WebSocket], ..Config::default() }, "Transport unknown"),
    ];
    for (label, config, expected) in rows {
        let _row = Row(label);
        let (server, _sessions) = server::engine(config).await;
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request("GET /engine.io/?EIO=4&transport=polling", "").await;
        let body = connection.answer().await.body;
        assert!(body.contains(expected), "{body}");
    }
}

#[tokio::test]
async fn hs_26_27_sessions_are_counted_from_handshake_to_close() {
    let (server, sessions) = server::engine(Config::default()).await;
    assert_eq!(sessions.engine.clients_count(), 0);
    let mut polling = Polling::open(server.endpoint).await;
    let (mut websocket, sid) = WebSocket::open(server.endpoint).await;
    assert_eq!(sessions.engine.clients_count(), 2);
    polling.post("1").await;
    sessions.take(&polling.sid).reason().await;
    assert_eq!(sessions.engine.clients_count(), 1);
    websocket.send("1").await;
    sessions.take(&sid).reason().await;
    assert_eq!(sessions.engine.clients_count(), 0);
}

#[tokio::test]
async fn hs_30_31_32_the_application_sees_query_headers_and_address() {
    let http = Http::default().kept_headers(["Cookie", "x-token", "x-twice", "x-missing", "no name"]);
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let sent = "cookie: a=b; c=d\r\nX-Token: t:1 \r\nx-twice: 1\r\nx-twice: 2\r\nx-other: not kept\r\n";
    for transport in ["polling", "websocket"] {
        let _row = Row(transport);
        let mut connection = Connection::open(server.endpoint.address).await;
        let line = format!("GET {}&token=a%20b+c&token=%C3%A9&__proto__=1", server.endpoint.target(transport));
        let sid = if transport == "polling" {
            connection.request(&line, sent).await;
            sid(&connection.answer().await.body)
        } else {
            connection.request(&line, &format!("{sent}{HANDSHAKE}")).await;
            assert_eq!(connection.head().await.status, 101);
            sid(&WebSocket { connection }.text().await)
        };
        let session = sessions.take(&sid);
        let handshake = session.socket.handshake();
        assert_eq!(&*handshake.query, format!("EIO=4&transport={transport}&token=a%20b+c&token=%C3%A9&__proto__=1"));
        let params: Vec<_> = handshake.params().map(|(name, value)| format!("{name} {value}")).collect();
        let transport = format!("transport {transport}");
        assert_eq!(params, ["EIO 4", &transport, "token a b c", "token é", "__proto__ 1"]);

        let headers: Vec<_> = handshake.headers().map(|(name, value)| (name, value.to_vec())).collect();
        let kept = [("Cookie", "a=b; c=d"), ("x-token", "t:1"), ("x-twice", "1"), ("x-twice", "2")];
        assert_eq!(headers, kept.map(|(name, value)| (name, value.as_bytes().to_vec())));
        assert_eq!(handshake.header("cookie"), Some(&b"a=b; c=d"[..]));
        assert_eq!(handshake.header("X-TWICE"), Some(&b"1"[..]));
        assert_eq!((handshake.header("x-missing"), handshake.header("x-other")), (None, None));
        assert!(!format!("{handshake:?}").contains("a=b"), "{handshake:?}");

        assert_eq!(handshake.remote.map(|remote| remote.ip()), Some(server.endpoint.address.ip()));
    }
}

#[tokio::test]
async fn hs_31_no_header_is_kept_that_was_not_asked_for() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {}", server.endpoint.target("polling")), "cookie: a=b\r\n").await;
    let session = sessions.take(&sid(&connection.answer().await.body));
    assert_eq!(session.socket.handshake().headers().count(), 0);
}

#[tokio::test]
async fn requests_that_are_accepted() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let many: String = (0..90).map(|at| format!("x-{at}: y\r\n")).collect();
    let rows = [
        ("A4: the last transport counts", "transport=foo&transport=polling&EIO=4", ""),
        ("A9: an empty sid is none", "EIO=4&transport=polling&sid=", ""),
        ("A14: further keys are ignored", "EIO=4&transport=polling&__proto__=1&constructor=2&toString", ""),
        ("A18: an origin that is no text", "EIO=4&transport=polling", "origin: http://\u{e9}\r\n"),
        ("a cache buster", "EIO=4&transport=polling&t=abc.0", ""),
        ("many headers", "EIO=4&transport=polling", &many),
    ];
    for (label, query, headers) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&format!("GET /engine.io/?{query}"), headers).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.starts_with("0{\"sid\":\""), "{answer:?}");
    }
}

#[tokio::test]
async fn a24_http_1_0_is_served_once_per_connection() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.send("GET /engine.io/?EIO=4&transport=polling HTTP/1.0\r\n\r\n").await;
    assert_eq!(connection.answer().await.status, 200);
    assert_eq!(connection.rest().await, b"");
}

/// `Upgrade` comes last: a server that counted headers and dropped the rest would miss it.
#[tokio::test]
async fn t24_a16_an_upgrade_behind_many_headers() {
    let (server, _sessions) = server::engine(Config::default()).await;
    // Beside the four of the handshake there is the host.
    for (others, status) in [(94, 101), (95, 101), (96, 431), (1900, 431)] {
        let mut connection = Connection::open(server.endpoint.address).await;
        let line = format!("GET {}", server.endpoint.target("websocket"));
        connection.request(&line, &format!("{}{HANDSHAKE}", "a:b\r\n".repeat(others))).await;
        assert_eq!(connection.head().await.status, status, "{others}");
        if status == 431 {
            assert_eq!(connection.rest().await, b"");
        } else {
            assert!(WebSocket { connection }.text().await.starts_with("0{"));
        }
    }
    Polling::open(server.endpoint).await;
}

#[tokio::test]
async fn upgrades_that_are_accepted() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let key = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rows = [
        ("E5: in capitals", "connection: UPGRADE\r\nupgrade: WEBSOCKET\r\n"),
        ("E5: among other options", "connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"),
        (
            "E10: an extension is not selected",
            "connection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-extensions: permessage-deflate; server_max_window_bits=99\r\n",
        ),
        (
            "T22: a hostile extension",
            "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-extensions: constructor\r\n",
        ),
    ];
    for (label, headers) in rows {
        let _row = Row(label);
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request("GET /engine.io/?EIO=4&transport=websocket", &format!("{headers}{key}")).await;
        let answer = connection.head().await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), ACCEPT);
        assert_eq!(answer.header("sec-websocket-extensions"), "");
        assert!(WebSocket { connection }.text().await.starts_with("0{"));
    }
}
