//! Middlewares: those that a client passes before it joins, and those that its events pass.

use serde_json::{Value, json};
use socketio::{Args, Auth, Config, ConnectError, Data, EventError, EventName, Namespace, Next, Reply, Socket};
use tests::{
    Row,
    frames::{WebSocket, text},
    server::{self, Server},
    socket,
};
use tokio::sync::{mpsc::UnboundedSender, watch};

use crate::{Told, heard, namespace, serve};

/// A middleware that tells its name, and waits a moment before it goes on.
fn passing(
    name: &'static str,
    told: &UnboundedSender<&'static str>,
) -> impl Fn(Socket) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static {
    let told = told.clone();
    move |socket: Socket| {
        let told = told.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            socket.set((name, socket.is_connected()));
            let _over = told.send(name);
        })
    }
}

#[tokio::test]
async fn mw_01_05_07_10_in_order_before_the_connect_handler() {
    let (sender, mut told) = Told::new();
    let by_handler = sender.clone();
    let chat = namespace("/chat")
        .middleware(passing("first", &sender))
        .middleware(async |socket: Socket| socket.join("early"))
        .middleware(passing("third", &sender))
        .on_connect(move |socket: Socket| {
            let by_middleware = socket.get::<(&str, bool)>().expect("set by a middleware");
            assert_eq!(*by_middleware, ("third", false));
            assert_eq!(socket.rooms().len(), 1);
            let _over = by_handler.send("handler");
            async {}
        });
    let (server, io) = serve([namespace("/").middleware(passing("other", &sender)), chat]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(told.next().await, "other");
    told.none();
    socket::join(&mut client, "/chat").await;
    for name in ["first", "third", "handler"] {
        assert_eq!(told.next().await, name);
    }
    told.none();
    assert_eq!(io.of("/chat").expect("served").to("early").sockets().len(), 1, "MW-08");
}

#[tokio::test]
async fn mw_03_04_08_an_error_refuses_and_the_rest_is_not_called() {
    let (sender, mut told) = Told::new();
    let kept = sender.clone();
    let chat = namespace("/chat")
        .middleware(move |socket: Socket, Auth(auth): Auth<Value>| {
            socket.join("early").expect("rooms are left");
            let _over = kept.send(socket.clone());
            async move {
                match auth["why"].as_str() {
                    Some("bare") => Err(ConnectError::new("no")),
                    Some("late") => {
                        tokio::task::yield_now().await;
                        Err(ConnectError::new("no").with_data(json!({"code": 403})))
                    }
                    Some("panic") => panic!("secret"),
                    _ => Ok(()),
                }
            }
        })
        .middleware(async |_: Auth<std::collections::HashMap<String, u8>>| {})
        .on_connect(async |socket: Socket| socket.emit("welcome", &()).expect("connecting"));
    let (server, io) = serve([namespace("/"), chat]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for (auth, refusal) in [
        (r#"{"why":"bare"}"#, r#"44/chat,{"message":"no"}"#),
        (r#"{"why":"late"}"#, r#"44/chat,{"message":"no","data":{"code":403}}"#),
        (r#"{"why":"panic"}"#, r#"44/chat,{"message":"Connection refused"}"#),
        (r#"{"why":"the next one wants numbers"}"#, r#"44/chat,{"message":"Connection refused"}"#),
    ] {
        let _row = Row(auth);
        client.send(&format!("40/chat,{auth}")).await;
        assert_eq!(client.frame().await, text(refusal));
        let refused = told.next().await;
        assert_eq!((refused.is_connected(), refused.rooms()), (false, vec![]));
        assert_eq!(io.of("/chat").expect("served").to("early").sockets(), []);
    }
    client.send("40/chat,{}").await;
    assert!(client.text().await.starts_with("40/chat,"));
    assert_eq!(client.frame().await, text(r#"42/chat,["welcome"]"#));
    assert_eq!(heard(&mut client).await, []);
}

#[tokio::test]
async fn mw_06_i20_for_one_that_has_gone_nothing_more_is_called() {
    let (sender, mut told) = Told::new();
    let open = watch::Sender::new(false);
    let (opened, passed) = (open.clone(), sender.clone());
    let slow = namespace("/slow")
        .middleware(move || {
            let (mut open, passed) = (opened.subscribe(), passed.clone());
            async move {
                open.wait_for(|open| *open).await.expect("the test runs");
                let _over = passed.send("first");
            }
        })
        .middleware(move || {
            let _over = sender.send("second");
            async {}
        });
    let (server, _io) = serve([namespace("/"), slow]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/slow,").await;
    client.send("41/slow,").await;
    assert_eq!(heard(&mut client).await, []);
    open.send_replace(true);
    assert_eq!(told.next().await, "first");
    assert_eq!(heard(&mut client).await, []);
    told.none();
    socket::join(&mut client, "/slow").await;
    assert_eq!((told.next().await, told.next().await), ("first", "second"));
}

#[tokio::test]
async fn ns_22_those_of_a_family_are_called_for_each_of_its_namespaces() {
    let family = Namespace::pattern("/game-{id}")
        .middleware(async |socket: Socket| socket.set(socket.namespace_name().to_owned()))
        .on("who", async |socket: Socket| Reply(socket.get::<String>().map(|name| (*name).clone())));
    let (server, _io) = serve([namespace("/"), family]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for name in ["/game-1", "/game-2"] {
        socket::join(&mut client, name).await;
        client.send(&format!(r#"42{name},1["who"]"#)).await;
        assert_eq!(client.frame().await, text(format!(r#"43{name},1["{name}"]"#)));
    }
}

/// Events pass three middlewares: one that changes, one that decides, one that tells what is left.
async fn filtering(error_acks: bool) -> (Server, WebSocket, Told<(String, usize)>) {
    let (sender, told) = Told::new();
    let root = namespace("/")
        .event_middleware(async |event: EventName, args: Args| match &*event {
            "alias" => Next::Change { event: "ack".into(), args: args.skip(1) },
            "new" => Next::Change { event: "ack".into(), args: Args::from_json(r#"["new",1]"#).expect("JSON") },
            "later" => {
                tokio::task::yield_now().await;
                Next::Change { event: "ack".into(), args }
            }
            _ => Next::Pass,
        })
        .event_middleware(async |event: EventName| match &*event {
            "drop" => Ok(Next::Drop),
            "refuse" => Err(EventError::new("you may not").with_data(json!([1]))),
            "panic" => panic!("secret"),
            _ => Ok(Next::Pass),
        })
        .event_middleware(
            async |event: EventName, Data(data): Data<Value>| {
                if &*event == "typed" && !data.is_u64() { Err("secret") } else { Ok(()) }
            },
        )
        .event_middleware(move |event: EventName, args: Args| {
            let _over = sender.send((event.to_string(), args.len()));
            async {}
        });
    let config = Config { error_acks, ..Config::default() };
    let (server, _io) = server::socketio(config, [root]).await;
    let (client, _id) = socket::connect(server.endpoint, "/").await;
    (server, client, told)
}

#[tokio::test]
async fn sm_01_an_event_is_changed_on_its_way() {
    let (_server, mut client, mut told) = filtering(false).await;
    for (event, answer, passed) in [
        (r#"421["ack",1,2]"#, "431[1,2]", ("ack", 2)),
        (r#"421["alias",1,2]"#, "431[2]", ("ack", 1)),
        (r#"421["new"]"#, r#"431["new",1]"#, ("ack", 2)),
        (r#"421["later",1]"#, "431[1]", ("ack", 1)),
    ] {
        let _row = Row(event);
        client.send(event).await;
        assert_eq!(client.frame().await, text(answer));
        assert_eq!(told.next().await, (passed.0.into(), passed.1));
    }
    client.send(r#"421["nobody handles it",1]"#).await;
    assert_eq!(told.next().await, ("nobody handles it".into(), 1));
    assert_eq!(heard(&mut client).await, []);
}

#[tokio::test]
async fn sm_02_what_is_dropped_or_refused_is_not_handled() {
    for (error_acks, refused) in
        [(false, vec![]), (true, vec![r#"431[{"error":{"message":"you may not","data":[1]}}]"#])]
    {
        let (_server, mut client, mut told) = filtering(error_acks).await;
        client.send(r#"421["drop"]"#).await;
        assert_eq!(heard(&mut client).await, []);
        client.send(r#"421["refuse"]"#).await;
        assert_eq!(heard(&mut client).await, refused.into_iter().map(text).collect::<Vec<_>>());
        client.send(r#"42["refuse"]"#).await;
        assert_eq!(heard(&mut client).await, [], "no answer is wanted");
        client.send(r#"421["typed","x"]"#).await;
        let internal = error_acks.then(|| text(r#"431[{"error":{"message":"Internal error"}}]"#));
        assert_eq!(heard(&mut client).await, internal.into_iter().collect::<Vec<_>>());
        while let Ok((name, _)) = told.0.try_recv() {
            assert_eq!(name, "ack", "what `heard` sends");
        }
        client.send(r#"42["panic"]"#).await;
        assert_eq!(client.frame().await, text("41"));
    }
}
