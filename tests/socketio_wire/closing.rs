//! The end of a server: what its clients see of it, and what it waits for.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use engineio::Http;
use socketio::{AckError, Config, DisconnectReason, Namespace, Reply, Socket, SocketIo};
use tests::{
    frames::{CLOSED, Frame, HANDSHAKE, PING, WebSocket, closed, handshake, masked},
    http::Connection,
    polling::Polling,
    server, socket, within,
};
use tokio::sync::Notify;

use crate::{Told, heard, namespace, serve, telling};

/// Waits in a task of its own until it is over.
fn closing(io: &SocketIo) -> tokio::task::JoinHandle<()> {
    let io = io.clone();
    tokio::spawn(async move { io.close().await })
}

/// What was emitted and what is answered arrives; what comes too late is not handled; then the connection ends.
#[tokio::test]
async fn cv_01_m6_handlers_run_to_their_end_and_what_they_send_arrives() {
    let (go, ended) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let (begun, mut told) = Told::new();
    let (goes, counts) = (go.clone(), ended.clone());
    let root = namespace("/").on("slow", move || {
        let (go, ended) = (goes.clone(), counts.clone());
        begun.send(()).expect("the test waits");
        async move {
            go.notified().await;
            ended.fetch_add(1, Ordering::SeqCst);
            Reply("done")
        }
    });
    let (goes, counts) = (go.clone(), ended.clone());
    let root = root.on_disconnect(move || {
        let (go, ended) = (goes.clone(), counts.clone());
        async move {
            go.notified().await;
            ended.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (server, io) = serve([root, namespace("/other")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["slow"]"#).await;
    told.next().await;

    io.emit("bye", &()).expect("encoded");
    let closing = closing(&io);
    assert_eq!(client.text().await, r#"42["bye"]"#);
    client.send(r#"422["slow"]"#).await;
    client.send("40/other,").await;
    client.connection.send(masked(PING, b"")).await;
    assert_eq!(client.frame().await, Frame::Pong(Vec::new()), "still there, and neither was answered");
    go.notify_one();
    assert_eq!(client.text().await, r#"431["done"]"#);
    assert_eq!(client.frame().await, closed(1001));
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!((io.clients_count(), ended.load(Ordering::SeqCst)), (0, 1));
    assert!(!closing.is_finished(), "the disconnect handler still runs");
    go.notify_one();
    within(closing).await.expect("no panic");
    assert_eq!(ended.load(Ordering::SeqCst), 2);
    told.none();
}

/// It polls as before until everything has come; nobody else is let in.
#[tokio::test]
async fn cv_01_m6_what_clients_are_sent_arrives_over_polling() {
    let (begun, mut told) = Told::new();
    let root = namespace("/").on("ask", move |socket: Socket| {
        begun.send(()).expect("the test waits");
        async move {
            let answer = socket.emit_with_ack::<u8>("question", &()).expect("connected").await;
            Reply(answer.expect("answered"))
        }
    });
    let (server, io) = serve([root]).await;
    let mut client = Polling::open(server.endpoint).await;
    client.post("40\x1e421[\"ask\"]").await;
    told.next().await;
    let closing = closing(&io);
    tokio::task::yield_now().await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {}", server.endpoint.target("polling")), "").await;
    assert_eq!(connection.answer().await.status, 503);
    let answer = client.get().await;
    assert!(answer.body.ends_with(r#"420["question"]"#), "{} {}", answer.status, answer.body);
    assert_eq!(client.post("430[7]").await.body, "ok");
    assert_eq!(client.get().await.body, "431[7]");
    within(closing).await.expect("no panic");
    assert_eq!(client.get().await.status, 503);
}

/// A handler that waits for its client while the server closes can still be answered.
#[tokio::test]
async fn m6_answers_of_clients_come_through() {
    let root = namespace("/").on("ask", async |socket: Socket| -> Result<Reply<u8>, Box<dyn Error + Send + Sync>> {
        Ok(Reply(socket.emit_with_ack::<u8>("question", &())?.await?))
    });
    let (server, io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"421["ask"]"#).await;
    assert_eq!(client.text().await, r#"420["question"]"#);
    let closing = closing(&io);
    tokio::task::yield_now().await;
    client.send("430[7]").await;
    assert_eq!(client.text().await, "431[7]");
    assert_eq!(client.frame().await, closed(1001));
    within(closing).await.expect("no panic");
}

#[tokio::test]
async fn m6_a_handler_that_does_not_end_is_not_waited_for_longer_than_that() {
    let dropped = Arc::new(());
    let held = dropped.clone();
    let (begun, mut told) = Told::new();
    let root = Namespace::new("/").on("endless", move || {
        begun.send(()).expect("the test waits");
        let held = held.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    });
    let config = Config { close_timeout: Duration::from_millis(50), ..Config::default() };
    let (server, io) = server::socketio(config, [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["endless"]"#).await;
    told.next().await;
    within(io.close()).await;
    assert_eq!(client.frame().await, closed(1001));
    // The test's, the namespace's, and that of the handler, which was not ended.
    assert_eq!(Arc::strong_count(&dropped), 3);
}

#[tokio::test]
async fn cv_02_whoever_awaits_an_answer_is_told_that_there_will_be_none() {
    let (tell, mut told) = Told::new();
    let root = namespace("/").on("ask", move |socket: Socket| {
        let tell = tell.clone();
        async move {
            let answer = socket.emit_with_ack::<()>("question", &()).expect("connected").await;
            tell.send(matches!(answer, Err(AckError::Disconnected))).expect("the test waits");
        }
    });
    let config = Config { close_timeout: Duration::from_millis(200), ..Config::default() };
    let (server, io) = server::socketio(config, [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["ask"]"#).await;
    assert_eq!(client.text().await, r#"420["question"]"#);
    within(io.close()).await;
    // The handler had ended when the server was closed.
    assert_eq!(told.0.try_recv(), Ok(true));
    assert_eq!(client.frame().await, closed(1001));
    assert_eq!(client.frame().await, Frame::End);
}

/// Sockets that the application disconnected itself have disconnect handlers, too.
#[tokio::test]
async fn ut_04_handlers_of_sockets_that_left_just_before_are_waited_for() {
    let go = Arc::new(Notify::new());
    let (tell, mut told) = Told::new();
    let goes = go.clone();
    let root = namespace("/").on_disconnect(move |reason: DisconnectReason| {
        let (go, tell) = (goes.clone(), tell.clone());
        async move {
            go.notified().await;
            tell.send(reason.to_string()).expect("the test waits");
        }
    });
    let (server, io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    io.disconnect_sockets(false);
    assert_eq!(client.text().await, "41");
    let closing = closing(&io);
    client.connection.send(masked(PING, b"")).await;
    assert_eq!(client.frame().await, Frame::Pong(Vec::new()), "still there");
    go.notify_one();
    assert_eq!(told.next().await, "server namespace disconnect");
    assert_eq!(client.frame().await, closed(1001));
    assert_eq!(client.frame().await, Frame::End);
    within(closing).await.expect("no panic");
}

#[tokio::test]
async fn cv_01_a_closed_server_lets_nobody_in() {
    let (server, io) = serve([namespace("/")]).await;
    let endpoint = server.endpoint;
    let (mut client, _id) = socket::connect(endpoint, "/").await;
    assert_eq!(heard(&mut client).await, []);
    within(io.close()).await;
    // The port is open: other things may be served on it.
    for transport in ["polling", "websocket"] {
        let mut connection = Connection::open(endpoint.address).await;
        let answer = if transport == "polling" {
            connection.request(&format!("GET {}", endpoint.target(transport)), "").await;
            connection.answer().await
        } else {
            handshake(&mut connection, &endpoint.target(transport)).await
        };
        assert_eq!((answer.status, &*answer.body), (503, ""), "{transport}");
    }
    within(io.close()).await;
    assert_eq!(io.clients_count(), 0);
}

/// A handshake that was begun before, and is let in behind the end of all others.
#[tokio::test]
async fn cv_01_a_connection_that_comes_with_the_end_is_closed() {
    let go = Arc::new(Notify::new());
    let (asked, mut told) = Told::new();
    let goes = go.clone();
    let http = Http::default().allow_request(move |_| {
        let go = goes.clone();
        asked.send(()).expect("the test waits");
        async move {
            go.notified().await;
            Ok(())
        }
    });
    let (root, mut left) = telling(namespace("/"));
    let (server, io) = server::socketio(Config { http, ..Config::default() }, [root]).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(&format!("GET {}", server.endpoint.target("websocket")), HANDSHAKE).await;
    told.next().await;
    within(io.close()).await;
    go.notify_one();
    assert_eq!(connection.head().await.status, 101);
    let mut late = WebSocket { connection };
    assert!(late.text().await.starts_with('0'));
    assert_eq!(late.frame().await, CLOSED);
    assert_eq!(late.frame().await, Frame::End);
    left.none();
}

/// Clients that would all come back at once are sent away one after the other.
#[tokio::test]
async fn connections_may_be_closed_one_after_the_other() {
    const LONG: Duration = Duration::from_secs(3600);

    let (server, io) = serve([namespace("/")]).await;
    let mut clients = [socket::connect(server.endpoint, "/").await.0, socket::connect(server.endpoint, "/").await.0];
    let closing = tokio::spawn(async move { io.close_over(LONG).await });
    let [first, second] = &mut clients;
    let (is_first, frame) = within(async {
        tokio::select! {
            frame = first.frame() => (true, frame),
            frame = second.frame() => (false, frame),
        }
    })
    .await;
    assert_eq!(frame, closed(1001));
    let other = if is_first { second } else { first };
    other.connection.send(masked(PING, b"")).await;
    assert_eq!(other.frame().await, Frame::Pong(Vec::new()), "its turn comes in half an hour");
    closing.abort();
}
