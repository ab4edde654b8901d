//! CONNECT and DISCONNECT packets, and how both are answered.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use engineio::Http;
use serde_json::{Value, json};
use socketio::{Auth, Config, ConnectError, Namespace, Query, Socket};
use tests::{
    Row,
    frames::{CLOSED, Frame, WebSocket, closed, text},
    http::Connection,
    polling::{Polling, sid},
    server, socket,
};
use tokio::time::Instant;

use crate::{heard, namespace, serve};

/// A namespace that emits to each client what it sent as `auth`.
fn showing(name: &str) -> Namespace {
    namespace(name).on_connect(async |socket: Socket, Auth(auth): Auth<Value>| {
        socket.emit("auth", &auth).expect("the client is there");
    })
}

#[tokio::test]
async fn ns_01_02_auth_and_the_answer_to_connect() {
    let (server, _io) = serve([showing("/"), showing("/chat")]).await;
    let rows = [
        ("NS-01: no auth", "40", "40", r#"42["auth",{}]"#),
        ("NS-02: auth", r#"40{"token":"x"}"#, "40", r#"42["auth",{"token":"x"}]"#),
        ("I6: the name is spelled", "40/,", "40", r#"42["auth",{}]"#),
        ("NS-02: another namespace", "40/chat,", "40/chat,", r#"42/chat,["auth",{}]"#),
        ("without the comma", "40/chat", "40/chat,", r#"42/chat,["auth",{}]"#),
        ("with auth", r#"40/chat,{"a":[1,null]}"#, "40/chat,", r#"42/chat,["auth",{"a":[1,null]}]"#),
        (
            "RC-01: pid and offset mean nothing",
            r#"40{"pid":"x","offset":"y"}"#,
            "40",
            r#"42["auth",{"offset":"y","pid":"x"}]"#,
        ),
    ];
    for (label, connect, prefix, auth) in rows {
        let _row = Row(label);
        let (mut client, _sid) = WebSocket::open(server.endpoint).await;
        client.send(connect).await;
        let answer = client.text().await;
        let open: Value = serde_json::from_str(answer.strip_prefix(prefix).expect("a CONNECT")).expect("JSON");
        let id = open["sid"].as_str().expect("an id");
        assert_eq!(answer, format!(r#"{prefix}{{"sid":"{id}"}}"#));
        assert!(id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
        assert_eq!(client.frame().await, text(auth));
    }
}

#[tokio::test]
async fn ns_01_nothing_is_joined_before_the_client_asks() {
    let (server, io) = serve([showing("/")]).await;
    let mut client = Polling::open(server.endpoint).await;
    assert_eq!(io.of("/").expect("served").sockets(), []);
    client.post("40").await;
    let (connect, auth) = (client.get().await.body, r#"42["auth",{}]"#);
    assert!(connect.starts_with("40{\"sid\":\"") && connect.ends_with(&format!("\"}}\x1e{auth}")), "{connect}");
    assert_eq!(io.of("/").expect("served").sockets().len(), 1);
}

/// The sid of a session lets whoever knows it poll; the id of a socket is for everybody to know.
#[tokio::test]
async fn ns_06_t1_every_socket_has_an_id_of_its_own() {
    let (server, _io) = serve([namespace("/"), namespace("/chat")]).await;
    let mut ids = HashSet::new();
    for _ in 0..2 {
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        let root = socket::join(&mut client, "/").await;
        let chat = socket::join(&mut client, "/chat").await;
        client.send("41").await;
        let again = socket::join(&mut client, "/").await;
        ids.extend([sid, root, chat, again]);
    }
    assert_eq!(ids.len(), 8);
    let mut connection = Connection::open(server.endpoint.address).await;
    let id = ids.iter().next().expect("eight");
    connection.request(&format!("GET {}&sid={id}", server.endpoint.target("polling")), "").await;
    assert_eq!(connection.answer().await.status, 400, "none of them is the sid of a session that polls");
}

#[tokio::test]
async fn ns_03_i4_namespaces_that_are_not_there() {
    let (server, io) = serve([namespace("/"), namespace("/admin")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let longest = format!("/{}", "x".repeat(254));
    for name in ["/unknown", "/__proto__", "//", "/admin?token=1", "/Admin", "/admin/", &longest] {
        let _row = Row(name);
        client.send(&format!("40{name},")).await;
        assert_eq!(heard(&mut client).await, [text(format!(r#"44{name},{{"message":"Invalid namespace"}}"#))]);
    }
    client.send("40/unknown").await;
    assert_eq!(heard(&mut client).await, [text(r#"44/unknown,{"message":"Invalid namespace"}"#)]);
    assert!(io.of("/unknown").is_none());
}

#[tokio::test]
async fn i4_the_tenth_refusal_closes() {
    let (server, _io) = serve([namespace("/").on_connect(async || Err(ConnectError::new("no")))]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    for connect in ["40", "40/unknown,"].repeat(5) {
        client.send(connect).await;
        assert!(client.text().await.starts_with("44"));
    }
    assert_eq!(client.frame().await, CLOSED);
}

#[tokio::test]
async fn mw_03_04_09_i9_refusals_say_why_and_end_nothing_else() {
    let refusing = |name: &str, error: ConnectError| {
        namespace(name).on_connect(move || {
            let error = error.clone();
            async { Err(error) }
        })
    };
    let namespaces = [
        namespace("/"),
        refusing("/message", ConnectError::new("not \"you\"")),
        refusing("/data", ConnectError::new("no").with_data(json!({"code": 403}))),
        namespace("/late").on_connect(async || {
            tokio::task::yield_now().await;
            Err(ConnectError::new("no"))
        }),
        namespace("/typed").on_connect(async |_: Auth<u8>| {}),
        namespace("/panic").on_connect(async || -> () { panic!("secret") }),
    ];
    let (server, _io) = serve(namespaces).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let rows = [
        (r#"40/message,"#, r#"44/message,{"message":"not \"you\""}"#),
        (r#"40/data,{"a":1}"#, r#"44/data,{"message":"no","data":{"code":403}}"#),
        (r#"40/late,"#, r#"44/late,{"message":"no"}"#),
        (r#"40/typed,{}"#, r#"44/typed,{"message":"Connection refused"}"#),
        (r#"40/panic,"#, r#"44/panic,{"message":"Connection refused"}"#),
        (r#"40/message,"#, r#"44/message,{"message":"not \"you\""}"#),
    ];
    for (connect, refusal) in rows {
        let _row = Row(connect);
        client.send(connect).await;
        assert_eq!(client.frame().await, text(refusal));
        assert_eq!(heard(&mut client).await, []);
    }
}

#[tokio::test]
async fn ns_04_g7_a_connection_that_joins_nothing_is_closed() {
    const TIMEOUT: Duration = Duration::from_millis(600);
    let mut config = Config { connect_timeout: TIMEOUT, ..Config::default() };
    config.engine.ping_interval = 2 * TIMEOUT;
    let (server, _io) = server::socketio(config, [namespace("/")]).await;
    let since = Instant::now();
    let (mut stranger, _sid) = WebSocket::open(server.endpoint).await;
    let (mut refused, _sid) = WebSocket::open(server.endpoint).await;
    let (mut member, _id) = socket::connect(server.endpoint, "/").await;
    let (mut former, _id) = socket::connect(server.endpoint, "/").await;
    let mut polling = Polling::open(server.endpoint).await;
    refused.send("40/unknown,").await;
    refused.text().await;
    former.send("41").await;
    for client in [&mut stranger, &mut refused] {
        assert_eq!(client.frame().await, CLOSED);
        assert_eq!(client.frame().await, Frame::End);
        assert!(since.elapsed() >= TIMEOUT);
    }
    let told = polling.get().await.body;
    assert!(["1", "6\x1e1"].contains(&told.as_str()), "{told}");
    for client in [&mut member, &mut former] {
        assert_eq!(client.frame().await, text("2"), "still there for the first ping");
    }
}

/// What strangers send counts in all, over both transports; who has joined may go on.
#[tokio::test]
async fn t31_a_stranger_may_send_so_much_and_no_more() {
    let (server, _io) = serve([namespace("/")]).await;
    let connect = |bytes: usize| {
        let auth = "x".repeat(bytes - r#"0/nowhere,{"a":""}"#.len());
        format!(r#"40/nowhere,{{"a":"{auth}"}}"#)
    };
    let refused = r#"44/nowhere,{"message":"auth payload too large"}"#;
    let (mut stranger, _sid) = WebSocket::open(server.endpoint).await;
    for _ in 0..2 {
        stranger.send(&connect(32 * 1024)).await;
        assert_eq!(stranger.frame().await, text(refused));
    }
    stranger.send("40").await;
    assert_eq!(stranger.frame().await, closed(1009));
    assert_eq!(stranger.frame().await, Frame::End);

    let mut stranger = Polling::open(server.endpoint).await;
    assert_eq!(stranger.post(connect(64 * 1024)).await.body, "ok");
    assert_eq!(stranger.get().await.body, refused);
    assert_eq!(stranger.post("40").await.status, 400);

    let (mut member, _id) = socket::connect(server.endpoint, "/").await;
    let long = "x".repeat(100_000);
    member.send(&format!(r#"421["ack","{long}"]"#)).await;
    assert_eq!(member.frame().await, text(format!(r#"431["{long}"]"#)));
}

#[tokio::test]
async fn i14_i16_ns_09_a_client_leaves_a_namespace_and_comes_back() {
    let (server, io) = serve([namespace("/"), namespace("/chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let first = socket::join(&mut client, "/chat").await;
    client.send("41/chat,").await;
    assert_eq!(heard(&mut client).await, []);
    assert_eq!(io.of("/chat").expect("served").sockets(), []);
    assert_ne!(socket::join(&mut client, "/chat").await, first);
    client.send(r#"42/chat,1["ack"]"#).await;
    assert_eq!(client.frame().await, text("43/chat,1[]"));
}

#[tokio::test]
async fn ns_05_12_sockets_of_one_client_do_not_mix() {
    let (server, io) = serve([namespace("/"), namespace("/a"), namespace("/b")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/a").await;
    socket::join(&mut client, "/b").await;
    for name in ["/a", "/b"] {
        assert_eq!(io.of(name).expect("served").emit("to", name).expect("emitted"), 1);
        assert_eq!(heard(&mut client).await, [text(format!(r#"42{name},["to","{name}"]"#))]);
    }
    let (mut second, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut second, "/a").await;
    assert_eq!(io.of("/a").expect("served").emit("to", "both").expect("emitted"), 2);
    for client in [&mut client, &mut second] {
        assert_eq!(heard(client).await, [text(r#"42/a,["to","both"]"#)]);
    }
}

#[tokio::test]
async fn ns_07_names_may_lack_the_slash() {
    let (server, io) = serve([namespace(""), namespace("chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;
    for name in ["", "/", "chat", "/chat"] {
        assert_eq!(io.of(name).expect(name).sockets().len(), 1);
    }
    assert!(io.of("other").is_none());
}

#[tokio::test]
async fn ev_12_14_the_query_of_the_connection_is_that_of_all_namespaces() {
    let showing = |name: &str| {
        namespace(name).on_connect(async |socket: Socket, Query(query): Query<Value>| {
            socket.emit("query", &query).expect("the client is there");
        })
    };
    let typed = namespace("/typed").on_connect(async |_: Query<HashMap<String, u8>>| {});
    let (server, _io) = serve([showing("/"), showing("/chat"), typed]).await;
    let rows = [
        ("EIO=4", "{}"),
        ("EIO=4&token=a%20b+c", r#"{"token":"a b c"}"#),
        ("token=1&token=2&EIO=4&e&=n&%E2%82%AC=%ff", "{\"\":\"n\",\"e\":\"\",\"token\":\"2\",\"€\":\"\u{fffd}\"}"),
    ];
    for (query, expected) in rows {
        let _row = Row(query);
        let (mut client, _sid) = WebSocket::open(server.endpoint.asked(query)).await;
        let mut expected: Value = serde_json::from_str(expected).expect("JSON");
        (expected["EIO"], expected["transport"]) = (json!("4"), json!("websocket"));
        for (name, prefix) in [("/", ""), ("/chat", "/chat,")] {
            socket::join(&mut client, name).await;
            assert_eq!(client.frame().await, text(format!(r#"42{prefix}["query",{expected}]"#)));
        }
        client.send("40/typed,").await;
        assert_eq!(client.frame().await, text(r#"44/typed,{"message":"Connection refused"}"#));
    }
}

#[tokio::test]
async fn ev_13_what_is_known_of_the_handshake() {
    let root = namespace("/").on("handshake", async |socket: Socket, Auth(auth): Auth<Value>| {
        let handshake = socket.handshake();
        let params: Vec<_> = handshake.params().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = handshake.header("cookie").map(String::from_utf8_lossy);
        let address = handshake.remote.map(|remote| remote.ip().to_string());
        socket.emit("handshake", &(params, cookie, handshake.header("x-other").is_some(), address, auth))
    });
    let config = Config { http: Http::default().kept_headers(["Cookie"]), ..Config::default() };
    let (server, _io) = server::socketio(config, [root]).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request("GET /socket.io/?EIO=4&transport=polling&token=a%20b", "cookie: c=d\r\nx-other: 1\r\n").await;
    let sid = sid(&connection.answer().await.body);
    let posts = Connection::open(server.endpoint.address).await;
    let mut client = Polling { endpoint: server.endpoint, sid, posts, gets: connection };
    client.post("40{\"user\":1}\x1e42[\"handshake\"]").await;
    let body = client.get().await.body;
    let shown = r#"["EIO=4","transport=polling","token=a b"],"c=d",false,"127.0.0.1",{"user":1}"#;
    assert!(body.ends_with(&format!("\x1e42[\"handshake\",{shown}]")), "{body}");
}

#[tokio::test]
async fn ev_12_the_request_behind_a_socket() {
    let root = namespace("/").on("query", async |socket: Socket| socket.emit("query", &*socket.handshake().query));
    let (server, _io) = serve([root]).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request("GET /socket.io/?EIO=4&transport=polling&token=a%20b", "").await;
    let sid = sid(&connection.answer().await.body);
    let mut client = Polling {
        endpoint: server.endpoint,
        sid,
        posts: Connection::open(server.endpoint.address).await,
        gets: connection,
    };
    client.post("40\x1e42[\"query\"]").await;
    let body = client.get().await.body;
    assert!(body.ends_with("\x1e42[\"query\",\"EIO=4&transport=polling&token=a%20b\"]"), "{body}");
}
