//! The client for tests of applications, against servers as applications write them.

use std::time::Duration;

use bytes::Bytes;
use engineio::{Denied, Http};
use serde_json::json;
use socketio::{
    Auth, Config, ConnectError, Data, Namespace, Query, Reply, Socket, SocketIo, Value,
    testing::{Client, Ended, Error},
};
use tokio::time::Instant;

use crate::{namespace, telling};

fn io(namespaces: impl IntoIterator<Item = Namespace>) -> SocketIo {
    SocketIo::new(Config::default(), namespaces)
}

#[tokio::test]
async fn events_and_answers_go_both_ways() {
    let root = namespace("/").on("ask", async |socket: Socket, Data(question): Data<String>| {
        let answer: (u8, String) = socket.emit_with_ack("question", &question)?.await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Reply(answer))
    });
    let io = io([root]);
    let mut client = Client::connect(&io).await.expect("let in");
    assert_eq!(io.sockets()[0].id().as_str(), client.id());

    client.emit("echo", &("text", 7, [true])).expect("sent");
    let echoed: (String, u8, Vec<bool>) = client.expect_event("echo").await.expect("an echo");
    assert_eq!(echoed, ("text".into(), 7, vec![true]));
    assert_eq!(client.emit_with_ack::<(u8, u8)>("ack", &(1, 2)).await.expect("an answer"), (1, 2));

    let answer = client.emit_with_ack::<(u8, String)>("ask", "why?");
    let event = client.next_event().await.expect("an event");
    assert_eq!((event.name(), event.args().read().ok()), ("question", Some("why?".to_owned())));
    assert!(event.wants_answer());
    event.answer(&(42, "because")).expect("sent");
    assert_eq!(answer.await.expect("an answer"), (42, "because".into()));
}

#[tokio::test]
async fn binary_is_binary_both_ways() {
    let io = io([namespace("/")]);
    let mut client = Client::connect(&io).await.expect("let in");
    let [one, two] = [&b"\x00\x01"[..], b""].map(|data| Value::Binary(Bytes::from_static(data)));
    let echoed: (Value, String, Value) = client.emit_with_ack("ack", &(&one, "x", &two)).await.expect("an answer");
    assert_eq!(echoed, (one.clone(), "x".into(), two));
    io.emit("file", &one).expect("sent");
    assert_eq!(client.expect_event::<Value>("file").await.expect("a file"), one);
}

#[tokio::test]
async fn one_connection_has_many_namespaces() {
    let admin = namespace("/admin").on_connect(async |Auth(auth): Auth<serde_json::Value>| {
        if auth["token"] == "right" {
            Ok(())
        } else {
            Err(ConnectError::new("not you").with_data(json!({ "code": 7 })))
        }
    });
    let (admin, mut left) = telling(admin);
    let io = io([namespace("/"), admin]);
    let mut client = Client::connect(&io).await.expect("let in");
    match client.connect_to("/admin", ()).await {
        Err(Error::Connect(error)) => {
            assert_eq!((error.message.as_str(), error.data), ("not you", Some(json!({ "code": 7 }))));
        }
        other => panic!("{other:?}"),
    }
    let refused = client.connect_to("/nowhere", ()).await;
    assert!(matches!(refused, Err(Error::Connect(error)) if error.message == "Invalid namespace"));
    let mut admin = client.connect_to("/admin", json!({ "token": "right" })).await.expect("let in");
    assert_eq!(io.clients_count(), 1);
    assert_eq!(admin.emit_with_ack::<u8>("ack", &1).await.expect("an answer"), 1);

    admin.disconnect();
    assert_eq!(left.next().await.0, "client namespace disconnect");
    assert_eq!(admin.ended().await.expect("in time"), Ended::ClientDisconnect);
    let late = admin.emit_with_ack::<u8>("ack", &1).await;
    assert!(matches!(late, Err(Error::Ended(Ended::ClientDisconnect))), "{late:?}");

    io.emit("last", &()).expect("sent");
    io.disconnect_sockets(false);
    assert_eq!(client.next_event().await.expect("an event").name(), "last");
    let event = client.next_event().await;
    assert!(matches!(event, Err(Error::Ended(Ended::ServerDisconnect))), "{event:?}");
}

#[tokio::test]
async fn what_is_not_expected_is_an_error() {
    let http = Http::default().allow_request(|request| {
        let is_let_in = request.headers.get("x-token").is_some_and(|token| token == "right");
        std::future::ready(if is_let_in { Ok(()) } else { Err(Denied::new(401, "no token")) })
    });
    let root = namespace("/").on("query", async |Query(query): Query<serde_json::Value>| Reply(query["theme"].clone()));
    let io = SocketIo::new(Config { http, ..Config::default() }, [root]);
    assert!(matches!(Client::connect(&io).await, Err(Error::Refused(401))));
    let odd = Client::options().header("no header", "").connect(&io).await;
    assert!(matches!(odd, Err(Error::Request(_))), "{odd:?}");
    let options = Client::options().header("x-token", "right").query("theme=dark");
    let mut client = options.connect(&io).await.expect("let in");
    assert_eq!(client.emit_with_ack::<String>("query", &()).await.expect("an answer"), "dark");

    client.emit("echo", &1).expect("sent");
    match client.expect_event::<u8>("other").await {
        Err(Error::OtherEvent(event)) => assert_eq!(event.name(), "echo"),
        other => panic!("{other:?}"),
    }
    let answer = client.emit_with_ack::<String>("ack", &1).await;
    assert!(matches!(answer, Err(Error::Decode(_))), "{answer:?}");
    assert!(matches!(client.emit("connect", &()), Err(Error::Emit(_))));
    assert!(matches!(client.emit_with_ack::<()>("disconnect", &()).await, Err(Error::Emit(_))));
}

#[tokio::test]
async fn a_connection_that_is_cut_ends_all_its_sockets() {
    let ((root, mut from_root), (other, mut from_other)) = (telling(namespace("/")), telling(namespace("/other")));
    let io = io([root, other]);
    let mut client = Client::connect(&io).await.expect("let in");
    let mut other = client.connect_to("/other", ()).await.expect("let in");
    client.cut();
    assert_eq!(
        (from_root.next().await.0, from_other.next().await.0),
        ("transport close".into(), "transport close".into())
    );
    assert_eq!(client.ended().await.expect("in time"), Ended::Cut);
    assert_eq!(other.ended().await.expect("in time"), Ended::Cut);

    let mut dropped = Client::connect(&io).await.expect("let in");
    drop(dropped.connect_to("/other", ()).await.expect("let in"));
    io.emit("still here", &()).expect("sent");
    dropped.expect_event::<()>("still here").await.expect("it is the last one");
    drop(dropped);
    assert_eq!(
        (from_root.next().await.0, from_other.next().await.0),
        ("transport close".into(), "transport close".into())
    );

    let mut closed = Client::connect(&io).await.expect("let in");
    io.close().await;
    assert_eq!(closed.ended().await.expect("in time"), Ended::TransportClose);
    assert!(matches!(Client::connect(&io).await, Err(Error::Refused(503))));
}

/// The server finds out by itself, and in no time: the clock is tokio's.
#[tokio::test(start_paused = true)]
async fn hb_02_a_client_that_falls_silent_times_out() {
    let (root, mut left) = telling(namespace("/"));
    let io = io([root]);
    let (mut client, start) = (Client::connect(&io).await.expect("let in"), Instant::now());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(client.emit_with_ack::<u8>("ack", &1).await.expect("it has answered all pings"), 1);
    assert!(matches!(client.next_event().await, Err(Error::Timeout)));
    assert_eq!(start.elapsed(), Duration::from_secs(3610));

    let start = Instant::now();
    client.fall_silent();
    client.emit("echo", &"not sent").expect("is not told");
    let reason = left.0.recv().await.expect("the server runs").0;
    assert_eq!(reason, "ping timeout");
    assert!(start.elapsed() <= Duration::from_secs(45), "{:?}", start.elapsed());
    assert_eq!(client.ended().await.expect("in time"), Ended::TransportClose);
}
