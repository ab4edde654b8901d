//! How an event is sent: volatile, uncompressed, encoded before; and who emits it.

use engineio::PerMessageDeflate;
use socketio::{Config, EmitError, Namespace, Sent, Socket, Value};
use tests::{
    Row,
    frames::{Frame, HANDSHAKE, WebSocket, text},
    http::Connection,
    polling::Polling,
    server, socket,
};

use crate::{Told, heard, namespace, serve};

/// What became of one emit.
type Outcome = Result<Sent, EmitError>;

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(Sent::Queued) => "queued",
        Ok(Sent::Dropped) => "dropped",
        Err(EmitError::Disconnected) => "disconnected",
        Err(_) => "another error",
    }
}

fn binary(data: &[u8]) -> Value {
    Value::Binary(data.to_vec().into())
}

const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

/// A namespace that does this for the event `go`, and tells what became of each emit.
fn emitting(emits: fn(&Socket) -> Vec<Outcome>) -> (Namespace, Told<Vec<&'static str>>) {
    let (sender, told) = Told::new();
    let root = namespace("/").on("go", move |socket: Socket| {
        let _over = sender.send(emits(&socket).iter().map(word).collect());
        async {}
    });
    (root, told)
}

#[tokio::test]
async fn ev_10_ev_11_what_is_volatile_is_never_kept() {
    type Emits = fn(&Socket) -> Vec<Outcome>;
    let rows: [(&str, Emits, &[&str], &[&str]); 6] = [
        ("EV-10: alone", |socket| vec![socket.volatile().emit("a", &1)], &["queued"], &[r#"42["a",1]"#]),
        (
            "EV-10: behind a regular emit",
            |socket| vec![socket.compress(true).emit("a", &()), socket.volatile().emit("b", &())],
            &["queued", "dropped"],
            &[r#"42["a"]"#],
        ),
        (
            "EV-10: the second of two in a row",
            |socket| vec![socket.volatile().emit("a", &()), socket.volatile().emit("b", &())],
            &["queued", "dropped"],
            &[r#"42["a"]"#],
        ),
        (
            "EV-11: a regular emit behind one that was dropped",
            |socket| {
                let volatile = socket.volatile();
                vec![
                    volatile.emit("a", &()),
                    volatile.emit("b", &()),
                    socket.compress(true).emit("c", &()),
                    volatile.send("d"),
                ]
            },
            &["queued", "dropped", "queued", "dropped"],
            &[r#"42["a"]"#, r#"42["c"]"#],
        ),
        (
            "EV-10: all of a binary event, or nothing",
            |socket| {
                let volatile = socket.volatile();
                vec![volatile.emit("a", &binary(b"x")), volatile.emit("b", &binary(b"y"))]
            },
            &["queued", "dropped"],
            &[r#"451-["a",{"_placeholder":true,"num":0}]"#, "x"],
        ),
        (
            "to a socket that left",
            |socket| {
                socket.disconnect();
                vec![socket.volatile().emit("a", &()), socket.compress(true).emit("b", &())]
            },
            &["disconnected", "disconnected"],
            &["41"],
        ),
    ];
    for (label, emits, outcomes, frames) in rows {
        let _row = Row(label);
        let (root, mut told) = emitting(emits);
        let (server, _io) = serve([root, namespace("/other")]).await;
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.send(r#"42["go"]"#).await;
        assert_eq!(told.next().await, outcomes);
        for frame in frames {
            match client.frame().await {
                Frame::Text(text) => assert_eq!(text, *frame),
                Frame::Binary(data) => assert_eq!(data, frame.as_bytes()),
                other => panic!("{other:?}"),
            }
        }
        socket::join(&mut client, "/other").await;
    }
}

#[tokio::test]
async fn ev_10_over_polling_a_get_has_to_wait() {
    let (root, mut told) = emitting(|socket| vec![socket.volatile().emit("a", &binary(b"x"))]);
    let (server, _io) = serve([root]).await;
    let mut client = Polling::open(server.endpoint).await;
    client.post("40").await;
    client.get().await;
    client.post(r#"42["go"]"#).await;
    assert_eq!(told.next().await, ["dropped"], "no GET waits");

    client.send_get().await;
    server.waiting(1).await;
    client.post(r#"42["go"]"#).await;
    assert_eq!(told.next().await, ["queued"]);
    assert_eq!(client.gets.answer().await.body, format!("451-[\"a\",{PLACEHOLDER}]\x1ebeA=="));
}

/// A client may be ready while others are not.
#[tokio::test]
async fn ev_10_a_volatile_broadcast_reaches_those_who_are_ready() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut websocket, _id) = socket::connect(server.endpoint, "/").await;
    let mut polling = Polling::open(server.endpoint).await;
    polling.post("40").await;
    polling.get().await;
    let volatile = io.volatile();
    assert_eq!(volatile.emit("a", &(1, binary(b"x"))).expect("emitted"), 1);
    assert_eq!(websocket.frame().await, text(format!(r#"451-["a",1,{PLACEHOLDER}]"#)));
    assert_eq!(websocket.frame().await, Frame::Binary(b"x".into()));

    polling.send_get().await;
    server.waiting(1).await;
    assert_eq!(volatile.emit("b", &()).expect("emitted"), 2);
    assert_eq!(volatile.emit("c", &()).expect("emitted"), 0);
    assert_eq!(websocket.frame().await, text(r#"42["b"]"#));
    assert_eq!(polling.gets.answer().await.body, r#"42["b"]"#);
    assert_eq!(heard(&mut websocket).await, []);
}

/// There is no moment later at which it would still be fresh.
#[tokio::test]
async fn ev_10_in_a_connect_handler_volatile_events_are_dropped() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on_connect(move |socket: Socket| {
        let outcomes = [socket.volatile().emit("a", &()), socket.compress(true).emit("b", &())];
        let _over = sender.send(outcomes.each_ref().map(word));
        async {}
    });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(told.next().await, ["dropped", "queued"]);
    assert_eq!(client.frame().await, text(r#"42["b"]"#));
    assert_eq!(heard(&mut client).await, []);
}

/// The payload of a message that may be compressed, and was, says that it is.
fn is_compressed(frame: &Frame) -> bool {
    matches!(frame, Frame::Compressed(_))
}

#[tokio::test]
async fn cp_06_events_may_go_uncompressed() {
    let mut config = Config::default();
    config.engine.per_message_deflate = Some(PerMessageDeflate { threshold: 0, ..PerMessageDeflate::default() });
    let (server, io) = server::socketio(config, [namespace("/")]).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    let headers = format!("{HANDSHAKE}sec-websocket-extensions: permessage-deflate\r\n");
    connection.request(&format!("GET {}", server.endpoint.target("websocket")), &headers).await;
    assert_eq!(connection.head().await.status, 101);
    let mut client = WebSocket { connection };
    client.send("40").await;
    client.frame().await;
    client.frame().await;

    let root = io.of("/").expect("served");
    let socket = root.sockets().remove(0);
    let (data, long) = (vec![7; 100], "x".repeat(100));
    root.emit("a", &(&long, binary(&data))).expect("emitted");
    assert!(is_compressed(&client.frame().await) && is_compressed(&client.frame().await));
    socket.emit("a", &long).expect("emitted");
    assert!(is_compressed(&client.frame().await));

    root.clone().compress(false).emit("a", &binary(&data)).expect("emitted");
    assert_eq!(client.frame().await, text(format!(r#"451-["a",{PLACEHOLDER}]"#)));
    assert_eq!(client.frame().await, Frame::Binary(data));
    socket.compress(false).emit("b", &long).expect("emitted");
    assert_eq!(client.frame().await, text(format!(r#"42["b","{long}"]"#)));
    let encoded = root.encode("c", &long).expect("JSON");
    root.compress(false).emit_encoded(&encoded).expect("emitted");
    assert_eq!(client.frame().await, text(format!(r#"42["c","{long}"]"#)));
    socket.emit_encoded(&encoded).expect("emitted");
    assert!(is_compressed(&client.frame().await), "the encoded event itself did not change");
}

#[tokio::test]
async fn an_event_is_encoded_once_for_many_emits() {
    let (server, io) = serve([namespace("/"), namespace("/other")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let (root, other) = (io.of("/").expect("served"), io.of("/other").expect("served"));
    let news = root.encode("news", &("é", binary(b"x"))).expect("JSON");
    assert_eq!(news.namespace_name(), "/");
    assert_eq!(root.emit_encoded(&news).expect("emitted"), 1);
    assert_eq!(root.clone().to("nobody").emit_encoded(&news).expect("emitted"), 0);
    let socket = root.sockets().remove(0);
    socket.emit_encoded(&news).expect("emitted");
    let event = [text(format!(r#"451-["news","é",{PLACEHOLDER}]"#)), Frame::Binary(b"x".into())];
    assert_eq!(heard(&mut client).await, [event.clone(), event].concat());

    assert!(matches!(other.emit_encoded(&news), Err(EmitError::OtherNamespace)));
    assert!(matches!(root.encode("connect", &()), Err(EmitError::ReservedEvent)), "NS-14");
}

#[tokio::test]
async fn ns_13_ev_02_the_server_emits_in_its_main_namespace() {
    let root = namespace("/").on("send", async |socket: Socket| socket.send(&("to", "you")));
    let (server, io) = serve([root, namespace("/other")]).await;
    let (mut client, id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/other").await;
    client.send(r#"421["join","a"]"#).await;
    client.frame().await;
    let emitted = [
        io.emit("news", &1),
        io.send("hello"),
        io.send(&None::<u8>),
        io.to("a").emit("news", &2),
        io.to(&id).to("nobody").send(&()),
        io.except("a").emit("news", &3),
        io.compress(false).emit("news", &4),
        io.emit("disconnect", &()),
    ];
    let reached: Vec<_> = emitted.into_iter().map(|emitted| emitted.ok()).collect();
    assert_eq!(reached, [Some(1), Some(1), Some(1), Some(1), Some(1), Some(0), Some(1), None]);
    client.send(r#"42["send"]"#).await;
    let events = [
        r#"42["news",1]"#,
        r#"42["message","hello"]"#,
        r#"42["message",null]"#,
        r#"42["news",2]"#,
        r#"42["message"]"#,
        r#"42["news",4]"#,
        r#"42["message","to","you"]"#,
    ];
    assert_eq!(heard(&mut client).await, events.map(text));

    let (_server, io) = serve([namespace("/other")]).await;
    assert_eq!(io.emit("news", &()).expect("emitted"), 0, "there is nobody where `/` is not served");
}

/// Flags are of what they were asked for, and of nothing else.
#[tokio::test]
async fn rm_10_flags_do_not_stick() {
    let (root, mut told) = emitting(|socket| {
        let volatile = socket.volatile();
        let others = volatile.to("a");
        assert_eq!(others.emit("x", &()).expect("emitted"), 1);
        assert_eq!(others.emit("y", &()).expect("emitted"), 0, "the flag was taken along");
        assert_eq!(socket.to("a").emit("z", &()).expect("emitted"), 1);
        vec![volatile.emit("b", &()), socket.compress(true).emit("c", &()), volatile.emit("d", &())]
    });
    let (server, _io) = serve([root]).await;
    let (mut member, _id) = socket::connect(server.endpoint, "/").await;
    member.send(r#"421["join","a"]"#).await;
    member.frame().await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["go"]"#).await;
    assert_eq!(told.next().await, ["queued", "queued", "dropped"]);
    assert_eq!(heard(&mut client).await, [r#"42["b"]"#, r#"42["c"]"#].map(text));
    assert_eq!(heard(&mut member).await, [r#"42["x"]"#, r#"42["z"]"#].map(text));
}
