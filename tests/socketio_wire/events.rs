//! Events in both directions: their bytes, their order, and handlers that fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use socketio::{Args, Data, EmitError, Reply, Socket};
use tests::{
    Row,
    frames::{TEXT, masked, text},
    polling::Polling,
    socket,
};

use crate::{Told, heard, namespace, serve, telling};

#[tokio::test]
async fn ev_01_02_04_arguments_both_ways() {
    let (server, io) = serve([namespace("/"), namespace("/chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;
    let rows = [
        ("none", r#"42["echo"]"#),
        ("one", r#"42["echo",1]"#),
        ("null", r#"42["echo",null]"#),
        ("several", r#"42["echo",1,"2",[3],{"four":[null,true]}]"#),
        ("multibyte text", r#"42["echo","日本 € 🦀"]"#),
        ("escapes", r#"42["echo","\"\\\n\u0007"]"#),
        ("in a namespace", r#"42/chat,["echo",1,{}]"#),
    ];
    for (label, event) in rows {
        let _row = Row(label);
        client.send(event).await;
        assert_eq!(client.frame().await, text(event));
    }

    let root = io.of("/").expect("served");
    root.emit("message", &()).expect("emitted");
    root.emit("message", "hello").expect("emitted");
    root.emit("message", &("a", 1, [2.5], None::<u8>)).expect("emitted");
    root.emit("quo\"te", &serde_json::json!({"a": {}})).expect("emitted");
    let events = [
        r#"42["message"]"#,
        r#"42["message","hello"]"#,
        r#"42["message","a",1,[2.5],null]"#,
        r#"42["quo\"te",{"a":{}}]"#,
    ];
    assert_eq!(heard(&mut client).await, events.map(text));
}

#[tokio::test]
async fn ns_14_reserved_names_are_not_emitted() {
    let (server, io) = serve([namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let emitted = io.of("/").expect("served").emit(name, &());
        assert!(matches!(emitted, Err(EmitError::ReservedEvent)), "{name}");
    }
    assert_eq!(heard(&mut client).await, []);
}

#[tokio::test]
async fn ak_01_acks_of_the_server() {
    let root = namespace("/")
        .on("none", async || {})
        .on("unit", async || Reply(()))
        .on("one", async |Data(data): Data<Vec<u8>>| Reply(data))
        .on("several", async || Reply(("a", 1)))
        .on("ok", async || Ok::<_, EmitError>(Reply(true)))
        .on("error", async || Err::<Reply<()>, _>("why"))
        .on("late", async || {
            tokio::task::yield_now().await;
            Reply("late")
        })
        .on("by hand", async |ack: socketio::Ack| {
            assert!(ack.is_wanted());
            tokio::spawn(async move { ack.send(&("by", "hand")) });
        });
    let (server, _io) = serve([root, namespace("/chat")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/chat").await;
    let rows = [
        (r#"421["unit"]"#, "431[]"),
        (r#"420["one",[1,2]]"#, "430[[1,2]]"),
        (r#"4212["several"]"#, r#"4312["a",1]"#),
        (r#"421["ok"]"#, "431[true]"),
        (r#"421["late"]"#, r#"431["late"]"#),
        (r#"421["by hand"]"#, r#"431["by","hand"]"#),
        (r#"42/chat,7["ack",1,"a"]"#, r#"43/chat,7[1,"a"]"#),
    ];
    for (event, ack) in rows {
        let _row = Row(event);
        client.send(event).await;
        assert_eq!(client.frame().await, text(ack));
    }
    let unanswered =
        [r#"421["none"]"#, r#"421["error"]"#, r#"421["one","not a list"]"#, r#"42["unit"]"#, r#"421["nobody"]"#];
    for event in unanswered {
        let _row = Row(event);
        client.send(event).await;
        assert_eq!(heard(&mut client).await, []);
    }
}

#[tokio::test]
async fn events_over_polling() {
    let (server, _io) = serve([namespace("/"), namespace("/chat")]).await;
    let mut client = Polling::open(server.endpoint).await;
    client.post("40\x1e40/chat,").await;
    client.get().await;
    client.post("42[\"echo\",\"é\"]\x1e421[\"ack\"]\x1e42/chat,[\"echo\",1]").await;
    assert_eq!(client.get().await.body, "42[\"echo\",\"é\"]\x1e431[]\x1e42/chat,[\"echo\",1]");
}

/// Every third handler waits for others, so that a server which did not mind the order would soon mix it up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ev_05_handlers_of_one_socket_begin_in_the_order_of_arrival() {
    const EVENTS: usize = 2000;
    let (sender, mut told) = Told::new();
    let root = namespace("/").on("event", move |Data(at): Data<usize>| {
        let sender = sender.clone();
        async move {
            sender.send(at).expect("the test waits");
            if at % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let events = (0..EVENTS).flat_map(|at| masked(TEXT, format!(r#"42["event",{at}]"#).as_bytes()));
    client.connection.send(events.collect::<Vec<_>>()).await;
    for at in 0..EVENTS {
        assert_eq!(told.next().await, at);
    }
}

#[tokio::test]
async fn ev_09_events_that_arrive_after_the_socket_left_are_ignored() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let other = namespace("/other").on("kick", async |socket: Socket| socket.disconnect()).on("count", async || {
        CALLS.fetch_add(1, Ordering::Relaxed);
        Reply(())
    });
    let (server, _io) = serve([namespace("/"), other]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/other").await;
    let late =
        [r#"42/other,1["count"]"#, r#"42/other,["kick"]"#, r#"42/other,2["count"]"#, "43/other,0[]", "41/other,"];
    client.connection.send(late.map(|packet| masked(TEXT, packet.as_bytes())).concat()).await;
    assert_eq!(heard(&mut client).await, [text("43/other,1[]"), text("41/other,")]);
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    socket::join(&mut client, "/other").await;
}

#[tokio::test]
async fn m8_a_handler_that_panics_disconnects_its_socket_only() {
    let (other, mut told) =
        telling(namespace("/other").on("at once", async || -> () { panic!("expected by the test") }).on(
            "later",
            async || -> () {
                tokio::task::yield_now().await;
                panic!("expected by the test")
            },
        ));
    let (server, _io) = serve([namespace("/"), other]).await;
    let (mut bystander, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut bystander, "/other").await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for event in ["at once", "later"] {
        let _row = Row(event);
        socket::join(&mut client, "/other").await;
        client.send(&format!(r#"42/other,1["{event}"]"#)).await;
        assert_eq!(client.frame().await, text("41/other,"));
        assert_eq!(told.next().await.0, "server namespace disconnect");
        assert_eq!(heard(&mut client).await, []);
        bystander.send(r#"42/other,1["ack"]"#).await;
        assert_eq!(bystander.frame().await, text("43/other,1[]"));
    }
}

#[tokio::test]
async fn what_came_can_be_handed_on_as_it_is() {
    let root = namespace("/").on("forward", async |socket: Socket, Data(name): Data<String>, args: Args| {
        socket.broadcast().emit(&name, &args.skip(1)).map(drop)
    });
    let (server, _io) = serve([root]).await;
    let (mut sender, _id) = socket::connect(server.endpoint, "/").await;
    let (mut receiver, _id) = socket::connect(server.endpoint, "/").await;
    sender.send(r#"42["forward","x",1e999,{"b":1,"a":1.0}]"#).await;
    assert_eq!(receiver.frame().await, text(r#"42["x",1e999,{"b":1,"a":1.0}]"#));
    assert_eq!(heard(&mut sender).await, []);
}
