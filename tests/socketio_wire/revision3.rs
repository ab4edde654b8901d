//! Clients of Engine.IO's revision 3, which speak protocol 4 of Socket.IO: those of Socket.IO 1.x and 2.x.

use std::time::Duration;

use serde_json::{Value as Json, json};
use socketio::{Auth, Config, ConnectError, Hooks, Namespace, Query, Revision, Socket, SocketIo, Value};
use tests::{
    Row,
    frames::{CLOSED, Frame, HANDSHAKE, WebSocket, text},
    http::Connection,
    polling::Polling,
    server::{self, Endpoint, Server},
    socket,
};
use tokio::time::Instant;

use crate::{Told, heard, namespace, serve, telling};

fn config() -> Config {
    let mut config = Config::default();
    config.engine.allow_eio3 = true;
    config
}

async fn serve_both(namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    server::socketio(config(), namespaces).await
}

fn revision3(endpoint: Endpoint) -> Endpoint {
    endpoint.asked("EIO=3")
}

/// A client of revision 3 that has joined `/`; with its sid.
async fn connect(endpoint: Endpoint) -> (WebSocket, String) {
    let (mut client, sid) = WebSocket::open(revision3(endpoint)).await;
    assert_eq!(client.frame().await, text("40"));
    (client, sid)
}

/// A namespace that emits to each client what it sent as `auth`.
fn showing(name: &str) -> Namespace {
    namespace(name).on_connect(async |socket: Socket, Auth(auth): Auth<Json>| {
        socket.emit("auth", &auth).expect("the client is there");
    })
}

fn refusing(name: &str, error: ConnectError) -> Namespace {
    namespace(name).on_connect(move || {
        let error = error.clone();
        async { Err(error) }
    })
}

#[tokio::test]
async fn v2_01_they_are_refused_by_default() {
    let (server, _io) = serve([namespace("/")]).await;
    for (transport, headers) in [("polling", ""), ("websocket", HANDSHAKE)] {
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&format!("GET {}", revision3(server.endpoint).target(transport)), headers).await;
        let answer = connection.answer().await;
        let refusal = r#"{"code":5,"message":"Unsupported protocol version"}"#;
        assert_eq!((answer.status, &*answer.body), (400, refusal), "{transport}");
    }
}

#[tokio::test]
async fn v2_02_05_they_are_in_the_main_namespace_without_asking() {
    let (server, io) = serve_both([showing("/")]).await;
    let (mut client, _sid) = connect(server.endpoint).await;
    assert_eq!(client.frame().await, text(r#"42["auth",{}]"#));
    assert_eq!(io.of("/").expect("served").sockets()[0].revision(), Revision::V3);

    // Over polling all of that is in the answer to the handshake.
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request("GET /socket.io/?EIO=3&transport=polling&token=x", "").await;
    let body = connection.answer().await.body;
    assert!(body.starts_with("118:0{\"sid\":\"") && body.ends_with(r#"}2:4013:42["auth",{}]"#), "{body}");

    let (_other, _id) = socket::connect(server.endpoint, "/").await;
    let revisions: Vec<_> = io.of("/").expect("served").sockets().iter().map(Socket::revision).collect();
    assert_eq!(revisions.iter().filter(|revision| **revision == Revision::V4).count(), 1);
    assert_eq!(revisions.len(), 3);
}

#[tokio::test]
async fn v2_02_a_slow_connect_handler_holds_its_answer_back() {
    let (sender, mut told) = Told::new();
    let (open, opened) = tokio::sync::watch::channel(false);
    let root = namespace("/").on_connect(move |_: Socket| {
        let mut opened = opened.clone();
        let _over = sender.send(());
        async move {
            opened.wait_for(|opened| *opened).await.expect("the test goes on");
        }
    });
    let (server, io) = serve_both([root, namespace("/other")]).await;
    let (mut client, _sid) = WebSocket::open(revision3(server.endpoint)).await;
    told.next().await;
    client.send("40/other,").await;
    assert_eq!(client.frame().await, text("40/other,"));
    client.send(r#"421["ack","early"]"#).await;
    assert_eq!(io.of("/").expect("served").sockets(), []);
    open.send(true).expect("the handler waits");
    assert_eq!(client.frame().await, text("40"));
    assert_eq!(client.frame().await, text(r#"431["early"]"#));
}

#[tokio::test]
async fn v2_03_their_ids_come_from_their_sid() {
    let id = async |socket: Socket| socket.emit("id", &socket.id());
    let (server, io) = serve_both([namespace("/").on("id", id), namespace("/custom").on("id", id)]).await;
    let (mut client, sid) = connect(server.endpoint).await;
    client.send(r#"42["id"]"#).await;
    assert_eq!(client.frame().await, text(format!(r#"42["id","{sid}"]"#)));
    for _ in 0..2 {
        client.send("40/custom?a=1,").await;
        assert_eq!(client.frame().await, text("40/custom,"));
        client.send(r#"42/custom,["id"]"#).await;
        assert_eq!(client.frame().await, text(format!(r#"42/custom,["id","/custom#{sid}"]"#)));
        // Others find it by that id, as long as it is there.
        let one = io.of("/custom").expect("served").to(format!("/custom#{sid}"));
        assert_eq!(one.emit("to", &()).expect("emitted"), 1);
        assert_eq!(client.frame().await, text(r#"42/custom,["to"]"#));
        assert_eq!(io.of("/").expect("served").to(format!("/custom#{sid}")).sockets(), []);
        client.send("41/custom,").await;
        assert_eq!(heard(&mut client).await, []);
        assert_eq!(one.emit("to", &()).expect("emitted"), 0);
    }
    assert_eq!(io.of("/").expect("served").to(&sid).emit("to", &()).expect("emitted"), 1);
    assert_eq!(client.frame().await, text(r#"42["to"]"#));

    let (mut other, other_sid) = WebSocket::open(server.endpoint).await;
    assert_ne!(socket::join(&mut other, "/").await, other_sid, "that of other clients says nothing of it");
}

#[tokio::test]
async fn ns_17_v2_04_05_a_namespace_is_joined_with_a_query() {
    let (server, _io) = serve_both([namespace("/"), showing("/custom")]).await;
    let rows = [
        ("no query", "40/custom,", "{}"),
        ("without the comma, as 1.x sends it", "40/custom", "{}"),
        ("V2-05: a query", "40/custom?token=abc,", r#"{"token":"abc"}"#),
        ("V2-05: the same without the comma", "40/custom?token=abc", r#"{"token":"abc"}"#),
        ("escapes, and twice the same", "40/custom?x=%20y+z&t=1&t=2&e&=n,", r#"{"":"n","e":"","t":"2","x":" y z"}"#),
        ("names of JavaScript", "40/custom?__proto__=1,", r#"{"__proto__":"1"}"#),
        ("what is no UTF-8", "40/custom?x=%ff%zz,", "{\"x\":\"\u{fffd}%zz\"}"),
        ("a payload, which newer clients send", r#"40/custom,{"a":1}"#, "{}"),
        ("both", r#"40/custom?x=1,{"a":1}"#, r#"{"x":"1"}"#),
    ];
    for (label, packet, auth) in rows {
        let _row = Row(label);
        let (mut client, _sid) = connect(server.endpoint).await;
        client.send(packet).await;
        assert_eq!(client.frame().await, text("40/custom,"));
        assert_eq!(client.frame().await, text(format!(r#"42/custom,["auth",{auth}]"#)));
        client.send(r#"42/custom?x=2,1["ack"]"#).await;
        assert_eq!(
            client.frame().await,
            text("43/custom,1[]"),
            "a query behind another packet's namespace is left out"
        );
    }
    // A question mark is a character like any other for newer clients.
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/custom?token=abc,").await;
    assert_eq!(client.frame().await, text(r#"44/custom?token=abc,{"message":"Invalid namespace"}"#));
}

#[tokio::test]
async fn v2_05_a_query_may_be_as_long_as_a_token() {
    let (server, _io) = serve_both([namespace("/"), showing("/custom")]).await;
    let (mut client, _sid) = connect(server.endpoint).await;
    let token = "x".repeat(10_000);
    client.send(&format!("40/custom?token={token},")).await;
    assert_eq!(client.frame().await, text("40/custom,"));
    assert_eq!(client.frame().await, text(format!(r#"42/custom,["auth",{{"token":"{token}"}}]"#)));
}

#[tokio::test]
async fn ev_14_the_query_of_the_connection_is_none_of_a_namespace() {
    let custom =
        namespace("/custom").on_connect(async |socket: Socket, Query(query): Query<Json>, Auth(auth): Auth<Json>| {
            socket.emit("both", &(query, auth)).expect("the client is there");
        });
    let (server, _io) = serve_both([namespace("/"), custom]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint.asked("EIO=3&token=x")).await;
    assert_eq!(client.frame().await, text("40"));
    client.send("40/custom?token=y,").await;
    assert_eq!(client.frame().await, text("40/custom,"));
    let both = r#"{"EIO":"3","token":"x","transport":"websocket"},{"token":"y"}"#;
    assert_eq!(client.frame().await, text(format!(r#"42/custom,["both",{both}]"#)));
}

#[tokio::test]
async fn v2_06_07_refusals() {
    let namespaces = [
        namespace("/"),
        refusing("/message", ConnectError::new("not \"you\"")),
        refusing("/object", ConnectError::new("no").with_data(json!({"code": 403}))),
        refusing("/text", ConnectError::new("no").with_data("why")),
        // Of such data its parser would make an ack id, or nothing.
        refusing("/number", ConnectError::new("no").with_data(403)),
        refusing("/null", ConnectError::new("no").with_data(())),
        namespace("/kicked").on_connect(async |socket: Socket| socket.disconnect()),
        namespace("/typed").on_connect(async |_: Auth<u8>| {}),
    ];
    let (server, _io) = serve_both(namespaces).await;
    let rows = [
        ("V2-06: no data", "40/message,", r#"44/message,"not \"you\"""#),
        ("V2-06: data", "40/object,", r#"44/object,{"code":403}"#),
        ("V2-06: a text", "40/text?a=1,", r#"44/text,"why""#),
        ("V2-06: a number", "40/number,", r#"44/number,"no""#),
        ("V2-06: null", "40/null,", r#"44/null,"no""#),
        ("V2-06: another type", "40/typed,", r#"44/typed,"Connection refused""#),
        ("V2-07", "40/unknown,", r#"44/unknown,{"message":"Invalid namespace"}"#),
        ("V2-07: with a query", "40/unknown?x=1,", r#"44/unknown,{"message":"Invalid namespace"}"#),
        ("V2-07: a question mark alone", "40/unknown?", r#"44/unknown,{"message":"Invalid namespace"}"#),
    ];
    let (mut client, _sid) = connect(server.endpoint).await;
    for (label, packet, refusal) in rows {
        let _row = Row(label);
        client.send(packet).await;
        assert_eq!(heard(&mut client).await, [text(refusal)]);
    }
    client.send("40/unknown,").await;
    assert!(client.text().await.starts_with("44/unknown,"));
    assert_eq!(client.frame().await, CLOSED, "I4: the tenth");

    let (mut client, _sid) = connect(server.endpoint).await;
    client.send("40/kicked,").await;
    assert_eq!(heard(&mut client).await, [text(r#"44/kicked,"Connection refused""#)]);
}

#[tokio::test]
async fn v2_08_ns_04_the_main_namespace_may_refuse_them() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let rows = [
        ("no data", Some(ConnectError::new("no")), r#"44"no""#),
        ("data", Some(ConnectError::new("no").with_data(json!({"code": 403}))), r#"44{"code":403}"#),
        ("there is none", None, r#"44{"message":"Invalid namespace"}"#),
    ];
    for (label, error, refusal) in rows {
        let _row = Row(label);
        let namespaces = error.map(|error| refusing("/", error)).into_iter().chain([namespace("/other")]);
        let (server, _io) = server::socketio(Config { connect_timeout: TIMEOUT, ..config() }, namespaces).await;
        let since = Instant::now();
        let (mut refused, _sid) = WebSocket::open(revision3(server.endpoint)).await;
        let (mut elsewhere, _sid) = WebSocket::open(revision3(server.endpoint)).await;
        for client in [&mut refused, &mut elsewhere] {
            assert_eq!(client.frame().await, text(refusal));
        }
        elsewhere.send("40/other,").await;
        assert_eq!(elsewhere.frame().await, text("40/other,"));
        assert_eq!(refused.frame().await, CLOSED, "NS-04: it joined nothing");
        assert_eq!(refused.frame().await, Frame::End);
        assert!(since.elapsed() >= TIMEOUT);
        elsewhere.send(r#"42/other,1["ack"]"#).await;
        assert_eq!(elsewhere.frame().await, text("43/other,1[]"));
    }
}

#[tokio::test]
async fn v2_08_ns_04_who_was_let_in_stays() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let mut config = Config { connect_timeout: TIMEOUT, max_bytes_before_connect: 10, ..config() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (4 * TIMEOUT, 100 * TIMEOUT);
    let (server, _io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, _sid) = connect(server.endpoint).await;
    // A newer client is pinged when the time is up four times; the older one never is.
    let (mut other, _id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(other.frame().await, text("2"));
    client.send(r#"421["ack","more than ten bytes"]"#).await;
    assert_eq!(client.frame().await, text(r#"431["more than ten bytes"]"#));
}

#[tokio::test]
async fn v2_09_pings_and_binary_over_both_transports() {
    let (server, _io) = serve_both([namespace("/"), namespace("/custom")]).await;
    let header = r#"51-/custom,["echo",{"_placeholder":true,"num":0}]"#;

    let (mut client, _sid) = connect(server.endpoint).await;
    client.send("2").await;
    assert_eq!(client.frame().await, text("3"));
    client.send("40/custom,").await;
    assert_eq!(client.frame().await, text("40/custom,"));
    client.send(&format!("4{header}")).await;
    client.send_binary(b"\x04\x00\xff").await;
    assert_eq!(client.frame().await, text(format!("4{header}")));
    assert_eq!(client.frame().await, Frame::Binary(b"\x04\x00\xff".to_vec()), "behind the type byte");

    let mut client = Polling::open(server.endpoint.asked("EIO=3&b64=1")).await;
    client.post("1:2").await;
    assert_eq!(client.get().await.body, "1:3");
    let length = header.len() + 1;
    client.post(format!("10:40/custom,{length}:4{header}6:b4AP8=")).await;
    assert_eq!(client.get().await.body, format!("10:40/custom,{length}:4{header}6:b4AP8="));
    let mut client = client.upgraded().await;
    client.send(r#"421["ack","after the upgrade"]"#).await;
    assert_eq!(client.frame().await, text(r#"431["after the upgrade"]"#));
}

#[tokio::test]
async fn v2_10_rm_11_one_broadcast_reaches_clients_of_both_revisions() {
    let (server, io) = serve_both([namespace("/"), namespace("/custom")]).await;
    for (name, prefix) in [("/", ""), ("/custom", "/custom,")] {
        let _row = Row(name);
        let (mut old, _sid) = connect(server.endpoint).await;
        let (mut new, _sid) = WebSocket::open(server.endpoint).await;
        let mut polling = Polling::open(revision3(server.endpoint)).await;
        if name != "/" {
            old.send("40/custom?a=1,").await;
            assert_eq!(old.frame().await, text("40/custom,"));
            polling.post("10:40/custom,").await;
            assert_eq!(polling.get().await.body, "10:40/custom,");
        }
        socket::join(&mut new, name).await;
        let join = format!(r#"42{prefix}1["join","a"]"#);
        for client in [&mut old, &mut new] {
            client.send(&join).await;
            assert_eq!(client.frame().await, text(format!("43{prefix}1[]")));
        }
        polling.post(format!("{}:{join}", join.len())).await;
        let acked = format!("43{prefix}1[]");
        assert_eq!(polling.get().await.body, format!("{}:{acked}", acked.len()));

        let room = io.of(name).expect("served").to("a");
        assert_eq!(room.emit("news", &("é🎉", 1)).expect("emitted"), 3);
        let news = format!(r#"42{prefix}["news","é🎉",1]"#);
        assert_eq!(old.frame().await, text(&news));
        assert_eq!(new.frame().await, text(&news));
        // Counted in UTF-16 code units.
        assert_eq!(polling.get().await.body, format!("{}:{news}", news.encode_utf16().count()));

        assert_eq!(room.emit("news", &Value::Binary(vec![1, 2].into())).expect("emitted"), 3);
        let header = format!(r#"451-{prefix}["news",{{"_placeholder":true,"num":0}}]"#);
        assert_eq!((old.frame().await, new.frame().await), (text(&header), text(&header)));
        assert_eq!(old.frame().await, Frame::Binary(vec![4, 1, 2]));
        assert_eq!(new.frame().await, Frame::Binary(vec![1, 2]));
        polling.send_get().await;
        let (_, body) = polling.gets.binary_answer().await;
        let mut expected = vec![0];
        expected.extend(header.len().to_string().bytes().map(|digit| digit - b'0'));
        expected.push(0xff);
        expected.extend(header.as_bytes());
        expected.extend([1, 3, 0xff, 4, 1, 2]);
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn acks_both_ways() {
    let root = namespace("/").on("ask", async |socket: Socket| {
        let answer: (String, u8) = socket.emit_with_ack("question", &1).expect("connected").await.expect("answered");
        socket.emit("answer", &answer).expect("connected");
    });
    let (server, _io) = serve_both([root]).await;
    let (mut client, _sid) = connect(server.endpoint).await;
    client.send(r#"427["ack","a",1]"#).await;
    assert_eq!(client.frame().await, text(r#"437["a",1]"#));
    client.send(r#"42["ask"]"#).await;
    assert_eq!(client.frame().await, text(r#"420["question",1]"#));
    client.send(r#"430["yes",5]"#).await;
    assert_eq!(client.frame().await, text(r#"42["answer","yes",5]"#));
}

#[tokio::test]
async fn ns_09_cv_17_they_leave_and_come_back() {
    let kicking = namespace("/").on("kick", async |socket: Socket| socket.disconnect());
    let ((root, mut told), custom) = (telling(kicking), namespace("/custom"));
    let (server, _io) = serve_both([root, custom]).await;
    let (mut client, _sid) = connect(server.endpoint).await;
    client.send("40/custom,").await;
    assert_eq!(client.frame().await, text("40/custom,"));
    client.send("41").await;
    assert_eq!(told.next().await.0, "client namespace disconnect");
    client.send("40").await;
    assert_eq!(client.frame().await, text("40"));
    client.send(r#"42["kick"]"#).await;
    assert_eq!(client.frame().await, text("41"));
    assert_eq!(told.next().await.0, "server namespace disconnect");
    client.send(r#"42/custom,1["ack"]"#).await;
    assert_eq!(client.frame().await, text("43/custom,1[]"), "the other namespace stays");
}

#[tokio::test]
async fn what_breaks_the_protocol_closes() {
    let (server, _io) = serve_both([namespace("/"), namespace("/custom")]).await;
    let rows = [
        ("an event before CONNECT", r#"42/custom,["echo"]"#),
        ("a DISCONNECT before CONNECT", "41/custom,"),
        ("a second CONNECT", "40"),
        ("a second CONNECT with a query", "40/?a=1,"),
        ("an error, which only servers send", r#"44"no""#),
        ("a payload that is no object", "40/custom?a=1,[]"),
        ("a name that is too long", &format!("40/{}?a=1,", "x".repeat(255))),
    ];
    for (label, packet) in rows {
        let _row = Row(label);
        let (mut client, _sid) = connect(server.endpoint).await;
        client.send(packet).await;
        assert_eq!(client.frame().await, CLOSED);
        assert_eq!(client.frame().await, Frame::End);
    }
}

#[tokio::test]
async fn ns_10_a_connect_handler_may_close_the_connection() {
    let (root, mut told) = telling(namespace("/").on_connect(async |socket: Socket| socket.close()));
    let (server, io) = serve_both([root]).await;
    let (mut client, _sid) = WebSocket::open(revision3(server.endpoint)).await;
    assert_eq!(client.frame().await, CLOSED);
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request("GET /socket.io/?EIO=3&transport=polling", "").await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, &answer.body[answer.body.len() - 4..]), (200, "}1:1"));
    for _ in 0..2 {
        assert_eq!(told.next().await.0, "forced close");
    }
    assert_eq!(io.of("/").expect("served").sockets(), []);
}

/// Their ids are made of what opens their session, and failures go to logs.
#[tokio::test]
async fn failures_do_not_tell_their_ids() {
    let (sender, mut told) = Told::new();
    let hooks = Hooks::default().on_failure(move |failure| {
        let _over = sender.send((failure.to_string(), format!("{failure:?}")));
    });
    let root = namespace("/").on("fail", async || Err::<(), _>("on purpose"));
    let (server, _io) = server::socketio(Config { hooks, ..config() }, [root]).await;
    let (mut old, sid) = connect(server.endpoint).await;
    old.send(r#"42["fail"]"#).await;
    let (text, debug) = told.next().await;
    assert!(text.contains("on purpose") && !text.contains(&sid), "{text}");
    assert!(debug.contains("on purpose") && !debug.contains(&sid), "{debug}");
    let (mut new, id) = socket::connect(server.endpoint, "/").await;
    new.send(r#"42["fail"]"#).await;
    let (text, debug) = told.next().await;
    assert!(text.contains(&id) && debug.contains(&id), "{text} {debug}");
}
