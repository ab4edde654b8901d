//! Handlers of whatever comes and goes, of sockets that are about to leave, and of failures.

use bytes::Bytes;
use socketio::{
    Ack, Args, Cause, Config, Data, DisconnectReason, EventError, EventName, Failure, Hooks, Namespace, Next,
    Rejection, Reply, Sequential, Socket, SocketIo, Value,
};
use tests::{
    Row,
    frames::{Frame, TEXT, masked, text},
    server, socket,
};

use crate::{Told, heard, namespace, serve};

#[tokio::test]
async fn sm_03_any_event_is_heard_before_it_is_handled() {
    let (sender, mut told) = Told::new();
    let by_handler = sender.clone();
    let root = namespace("/")
        .on_any(move |event: EventName, args: Args| {
            let _over = sender.send((event.to_string(), args.len()));
            async {}
        })
        .event_middleware(async |event: EventName| match &*event {
            "alias" => Err(EventError::new("no")),
            _ => Ok(()),
        })
        .on("told", move || {
            let _over = by_handler.send(("handler".into(), 0));
            async {}
        });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["told",1,2]"#).await;
    client.send(r#"42["alias"]"#).await;
    client.send(r#"42["nobody handles it",{}]"#).await;
    client.send(r#"451-["up",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"x").await;
    for expected in [("told", 2), ("handler", 0), ("alias", 0), ("nobody handles it", 1), ("up", 1)] {
        assert_eq!(told.next().await, (expected.0.into(), expected.1));
    }
}

#[tokio::test]
async fn ak_03_of_several_that_answer_the_first_counts() {
    let root = namespace("/").on_any(async |event: EventName| match &*event {
        "ack" => Ok(Reply("any")),
        _ => Err("not mine"),
    });
    let (server, _io) = serve([root.on("other", async || Reply("handler"))]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["ack","handler"]"#).await;
    assert_eq!(client.frame().await, text(r#"431["any"]"#));
    client.send(r#"422["other"]"#).await;
    assert_eq!(client.frame().await, text(r#"432["handler"]"#));
}

#[tokio::test]
async fn ak_03_an_ack_and_what_is_returned_are_one_answer() {
    let root = namespace("/")
        .event_middleware(async |event: EventName, ack: Ack| match &*event {
            "early" => ack.send("middleware").map(|()| Next::Pass),
            _ => Ok(Next::Pass),
        })
        .on("early", async || Reply("handler"))
        .on("both", async |ack: Ack| ack.send("first").map(|()| Reply("second")))
        .on("dropped", async |_: Ack| Reply("returned"));
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for (number, (event, answer)) in
        [("early", "middleware"), ("both", "first"), ("dropped", "returned")].iter().enumerate()
    {
        client.send(&format!(r#"42{number}["{event}"]"#)).await;
        assert_eq!(heard(&mut client).await, [text(format!(r#"43{number}["{answer}"]"#))]);
    }
}

#[tokio::test]
async fn an_event_is_not_handled_once_its_socket_has_left() {
    let (sender, mut told) = Told::new();
    let by_fallback = sender.clone();
    let root = namespace("/")
        .on_any(async |socket: Socket, event: EventName| match &*event {
            "go away" => socket.disconnect(),
            "fail" => panic!("on purpose"),
            _ => {}
        })
        .on_fallback(move |event: EventName| {
            let _over = by_fallback.send(event.to_string());
            async {}
        })
        .on_disconnect(move || {
            let _over = sender.send("left".to_owned());
            async {}
        });
    let (server, _io) = serve([root]).await;
    for event in ["go away", "fail"] {
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.send(r#"42["before"]"#).await;
        client.send(&format!(r#"42["{event}"]"#)).await;
        assert_eq!(client.frame().await, text("41"));
        assert_eq!(told.next().await, "before");
        assert_eq!(told.next().await, "left");
        client.send("40").await;
        assert!(client.text().await.starts_with("40{"));
        client.send(r#"42["after"]"#).await;
        assert_eq!(told.next().await, "after");
        client.send("41").await;
        assert_eq!(told.next().await, "left");
    }
}

#[tokio::test]
async fn events_that_nobody_handles_come_to_the_fallback() {
    let root = namespace("/").on_fallback(async |event: EventName, args: Args| Reply((event.to_string(), args.len())));
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["what",1]"#).await;
    assert_eq!(client.frame().await, text(r#"431["what",1]"#));
    client.send(r#"421["ack",1]"#).await;
    assert_eq!(client.frame().await, text("431[1]"));
}

fn one() -> Value {
    serde_json::from_str("1").expect("JSON")
}

#[tokio::test]
async fn sm_04_whatever_is_emitted_to_a_socket_is_heard() {
    let (sender, mut told) = Told::new();
    let root = namespace("/")
        .on_connect(async |socket: Socket| socket.emit("welcome", &1).expect("connecting"))
        .on("ask", async |socket: Socket| drop(socket.emit_with_ack::<Args>("question", &("a", "b")).expect("there")))
        .on_any_outgoing(move |socket: Socket, event: EventName, Data(data): Data<Value>| {
            let _over = sender.send((socket.id().to_string(), event.to_string(), data));
            async {}
        });
    let (server, io) = serve([root, namespace("/other")]).await;
    let (mut first, first_id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(first.frame().await, text(r#"42["welcome",1]"#));
    assert_eq!(told.next().await, (first_id.clone(), "welcome".into(), one()));
    let (mut second, second_id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(second.frame().await, text(r#"42["welcome",1]"#));
    assert_eq!(told.next().await.0, second_id);

    first.send(r#"42["ask"]"#).await;
    assert_eq!(told.next().await, (first_id.clone(), "question".into(), Value::String("a".into())));
    assert!(first.text().await.ends_with(r#"["question","a","b"]"#));
    let root = io.of("/").expect("served");
    assert_eq!(root.emit("all", &Value::Binary(Bytes::from_static(b"x"))).expect("emitted"), 2);
    let mut recipients = [told.next().await, told.next().await];
    recipients.sort_by_key(|(id, ..)| *id != first_id);
    for ((id, event, data), expected) in recipients.into_iter().zip([&first_id, &second_id]) {
        assert_eq!((&id, &*event, data), (expected, "all", Value::Binary(Bytes::from_static(b"x"))));
    }
    for client in [&mut first, &mut second] {
        assert_eq!(client.frame().await, text(r#"451-["all",{"_placeholder":true,"num":0}]"#));
        assert_eq!(client.frame().await, Frame::Binary(b"x".to_vec()));
    }
    assert_eq!(root.to(&second_id).emit("one", &()).expect("emitted"), 1);
    assert_eq!(told.next().await.0, second_id);
    io.of("/other").expect("served").emit("elsewhere", &()).expect("emitted");
    assert_eq!(heard(&mut first).await, []);
    told.none();
}

#[tokio::test]
async fn sm_05_a_socket_that_is_about_to_leave_is_still_in_its_rooms() {
    let (sender, mut told) = Told::new();
    let after = sender.clone();
    let there = |io: &SocketIo| io.of("/").expect("served").to("room").sockets().len();
    let root = namespace("/")
        .on_connect(async |socket: Socket| socket.join("room"))
        .on("kick", async |socket: Socket| socket.disconnect())
        .on_disconnecting(move |io: SocketIo, socket: Socket, reason: DisconnectReason| {
            let _gone = socket.emit("bye", &());
            socket.disconnect();
            let _over = sender.send(("disconnecting", reason.to_string(), there(&io), socket.is_connected()));
            async {}
        })
        .on_disconnect(move |io: SocketIo, socket: Socket, reason: DisconnectReason| {
            let _over = after.send(("disconnect", reason.to_string(), there(&io), socket.is_connected()));
            async {}
        });
    let (server, _io) = serve([root]).await;
    for (packet, reason) in [
        ("41", "client namespace disconnect"),
        (r#"42["kick"]"#, "server namespace disconnect"),
        ("1", "transport close"),
    ] {
        let _row = Row(reason);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        if packet == "1" {
            client.connection.send(masked(TEXT, b"1")).await;
        } else {
            client.send(packet).await;
            assert_eq!(client.frame().await, text(r#"42["bye"]"#));
        }
        assert_eq!(told.next().await, ("disconnecting", reason.into(), 1, true));
        assert_eq!(told.next().await, ("disconnect", reason.into(), 0, false));
    }
    server.stop().await;
    told.none();
}

/// Handlers that fail in each way, and what is told of it.
fn failing() -> Namespace {
    namespace("/")
        .on("typed", async |_: Data<u8>| Reply(()))
        .on("error", async || Err::<(), _>("secret"))
        .on("late", async || {
            tokio::task::yield_now().await;
            Err::<Reply<()>, _>(EventError::new("too late"))
        })
        .on("answered", async |ack: Ack| {
            ack.send("answer").expect("there");
            Err::<(), _>("secret")
        })
        .on(
            "answered in turn",
            Sequential::new(async |ack: Ack| {
                ack.send("answer").expect("there");
                Err::<(), _>("secret")
            }),
        )
        .on("passed on", async |number: Result<Data<u8>, Rejection>| number.map(|_| ()))
        .on("panic", async || -> () { panic!("secret") })
}

#[tokio::test]
async fn m8_failures_are_told_and_answered_if_wanted() {
    for error_acks in [false, true] {
        let (sender, mut told) = Told::new();
        let hooks = Hooks::default().on_failure(move |failure: &Failure<'_>| {
            let cause = match &failure.cause {
                Cause::Rejected(_) => "rejected".to_owned(),
                Cause::Returned(error) if error.is::<Rejection>() => "passed on".to_owned(),
                Cause::Returned(error) => error.to_string(),
                Cause::Panicked(panic) => format!("panicked: {:?}", panic.downcast_ref::<&str>()),
                _ => "unknown".to_owned(),
            };
            let (id, namespace) = (failure.socket.id().to_string(), failure.socket.namespace_name().to_owned());
            let _over = sender.send((id, namespace, failure.event.map(str::to_owned), cause));
            panic!("a hook that panics has no consequence");
        });
        let config = Config { error_acks, hooks, ..Config::default() };
        let joins = Namespace::new("/join").on_connect(async || -> () { panic!("secret") });
        let (server, _io) = server::socketio(config, [failing(), joins]).await;
        let (mut client, id) = socket::connect(server.endpoint, "/").await;
        let (mut other, _id) = socket::connect(server.endpoint, "/").await;
        let rows = [
            ("typed", "rejected", r#"{"error":{"message":"Invalid arguments"}}"#),
            ("error", "secret", r#"{"error":{"message":"Internal error"}}"#),
            ("late", "too late", r#"{"error":{"message":"too late"}}"#),
            ("answered", "secret", r#""answer""#),
            ("answered in turn", "secret", r#""answer""#),
            ("passed on", "passed on", r#"{"error":{"message":"Invalid arguments"}}"#),
            ("panic", r#"panicked: Some("secret")"#, r#"{"error":{"message":"Internal error"}}"#),
        ];
        for (event, cause, answer) in rows {
            let _row = Row(event);
            client.send(&format!(r#"421["{event}","x"]"#)).await;
            let failure = (id.clone(), "/".to_owned(), Some(event.to_owned()), cause.to_owned());
            assert_eq!(told.next().await, failure);
            if error_acks || event.starts_with("answered") {
                assert_eq!(client.frame().await, text(format!("431[{answer}]")));
            }
        }
        assert_eq!(client.frame().await, text("41"), "the socket whose handler panicked, and not its connection");
        client.send("40/join,").await;
        assert_eq!(client.frame().await, text(r#"44/join,{"message":"Connection refused"}"#));
        let (_, namespace, event, cause) = told.next().await;
        assert_eq!((&*namespace, event, &*cause), ("/join", None, r#"panicked: Some("secret")"#));
        assert_eq!(heard(&mut other).await, []);
        told.none();
    }
}
