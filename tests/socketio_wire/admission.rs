//! The time between CONNECT and its answer, while a connect handler decides.

use std::sync::{Mutex, mpsc};

use socketio::{Config, ConnectError, Limits, Namespace, RoomChange, Socket};
use tests::{
    frames::{CLOSED, Frame, PING, WebSocket, masked, text},
    server::{self, Server},
    socket,
};
use tokio::sync::watch;

use crate::{Told, heard, namespace, serve, telling};

/// What the connect handlers that wait are to answer; `None` while they wait.
type Decision = watch::Sender<Option<bool>>;

/// A namespace `/slow` whose connect handler joins a room, emits, and then waits for the decision.
fn slow(decision: &Decision) -> Namespace {
    let decision = decision.clone();
    namespace("/slow").on_connect(move |socket: Socket| {
        let mut decision = decision.subscribe();
        async move {
            socket.join("early").expect("connecting");
            socket.emit("first", &1).expect("kept");
            let admitted = decision.wait_for(Option::is_some).await.is_ok_and(|admitted| *admitted == Some(true));
            // A client that has left meanwhile is sent nothing.
            let _gone = socket.emit("second", &2);
            if admitted { Ok(()) } else { Err(ConnectError::new("no")) }
        }
    })
}

/// A client that has joined `/`, and whose CONNECT to `/slow` waits at the gate.
async fn waiting(server: &Server) -> WebSocket {
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/slow,").await;
    assert_eq!(heard(&mut client).await, []);
    client
}

/// The answer to CONNECT: of its id only the length is known.
fn is_connect(frame: &Frame) -> bool {
    matches!(frame, Frame::Text(text) if text.starts_with(r#"40/slow,{"sid":""#) && text.len() == 38)
}

#[tokio::test]
async fn ns_08_mw_02_what_the_handler_emits_comes_right_behind_the_answer() {
    let decision = Decision::default();
    let (server, _io) = serve([namespace("/"), slow(&decision)]).await;
    let mut client = waiting(&server).await;
    decision.send_replace(Some(true));
    assert!(is_connect(&client.frame().await));
    assert_eq!(client.frame().await, text(r#"42/slow,["first",1]"#));
    assert_eq!(client.frame().await, text(r#"42/slow,["second",2]"#));
}

#[tokio::test]
async fn mw_03_what_the_handler_emits_is_dropped_when_it_refuses() {
    let decision = Decision::default();
    let (server, _io) = serve([namespace("/"), slow(&decision)]).await;
    let mut client = waiting(&server).await;
    decision.send_replace(Some(false));
    assert_eq!(client.frame().await, text(r#"44/slow,{"message":"no"}"#));
    assert_eq!(heard(&mut client).await, []);
}

#[tokio::test]
async fn mw_07_t36_broadcasts_do_not_reach_a_socket_before_it_is_admitted() {
    let decision = Decision::default();
    let (server, io) = serve([namespace("/"), slow(&decision)]).await;
    let all = io.of("/slow").expect("served");
    let mut client = waiting(&server).await;
    assert_eq!(all.sockets(), []);
    assert_eq!(all.emit("early", &()).expect("emitted"), 0);
    assert_eq!(all.clone().to("early").emit("early", &()).expect("emitted"), 0);
    assert_eq!(heard(&mut client).await, []);

    decision.send_replace(Some(true));
    for _ in 0..3 {
        client.frame().await;
    }
    assert_eq!(all.clone().to("early").emit("late", &()).expect("emitted"), 1);
    assert_eq!(heard(&mut client).await, [text(r#"42/slow,["late"]"#)]);
}

#[tokio::test]
async fn mw_08_a_room_joined_before_a_refusal_has_no_member() {
    let decision = Decision::default();
    let (slow, mut told) = telling(slow(&decision));
    let (server, io) = serve([namespace("/"), slow]).await;
    let mut client = waiting(&server).await;
    decision.send_replace(Some(false));
    client.frame().await;
    let all = io.of("/slow").expect("served");
    assert_eq!((all.sockets(), all.clone().to("early").sockets()), (vec![], vec![]));
    drop(client);
    server.stop().await;
    told.none();
}

#[tokio::test]
async fn ns_18_i11_events_wait_for_the_handler_and_keep_their_order() {
    let decision = Decision::default();
    let (server, _io) = serve([namespace("/"), slow(&decision)]).await;
    let mut client = waiting(&server).await;
    for at in 0..16 {
        client.send(&format!(r#"42/slow,{at}["ack","x"]"#)).await;
    }
    assert_eq!(heard(&mut client).await, []);
    decision.send_replace(Some(true));
    assert!(is_connect(&client.frame().await));
    assert_eq!(client.frame().await, text(r#"42/slow,["first",1]"#));
    assert_eq!(client.frame().await, text(r#"42/slow,["second",2]"#));
    for at in 0..16 {
        assert_eq!(client.frame().await, text(format!(r#"43/slow,{at}["x"]"#)));
    }
}

#[tokio::test]
async fn i11_the_seventeenth_event_that_waits_closes() {
    let decision = Decision::default();
    let (slow, mut told) = telling(slow(&decision));
    let (server, _io) = serve([namespace("/"), slow]).await;
    let mut client = waiting(&server).await;
    for _ in 0..17 {
        client.send(r#"42/slow,["ack"]"#).await;
    }
    assert_eq!(client.frame().await, CLOSED);
    // The server waits for its handlers.
    decision.send_replace(Some(true));
    server.stop().await;
    told.none();
}

#[tokio::test]
async fn i1_a_second_connect_closes_while_the_first_waits() {
    let decision = Decision::default();
    let (server, _io) = serve([namespace("/"), slow(&decision)]).await;
    let mut client = waiting(&server).await;
    client.send("40/slow,").await;
    assert_eq!(client.frame().await, CLOSED);
}

#[tokio::test]
async fn mw_06_i20_a_client_that_leaves_meanwhile_never_joined() {
    let decision = Decision::default();
    let (slow, mut told) = telling(slow(&decision));
    let (server, io) = serve([namespace("/"), slow]).await;
    let mut client = waiting(&server).await;
    client.send(r#"42/slow,["ack"]"#).await;
    client.send("41/slow,").await;
    assert_eq!(heard(&mut client).await, []);
    let mut gone = waiting(&server).await;
    gone.send("1").await;
    assert_eq!(gone.frame().await, CLOSED);

    decision.send_replace(Some(true));
    client.send("40/slow,").await;
    assert!(is_connect(&client.frame().await), "it may come back");
    assert_eq!(client.frame().await, text(r#"42/slow,["first",1]"#));
    assert_eq!(client.frame().await, text(r#"42/slow,["second",2]"#));
    assert_eq!(heard(&mut client).await, []);
    assert_eq!(io.of("/slow").expect("served").sockets().len(), 1);
    told.none();
    server.stop().await;
    assert_eq!(told.next().await.0, "server shutting down");
    told.none();
}

#[tokio::test]
async fn who_goes_while_it_is_let_in_is_told_of_once_and_who_is_refused_is_not() {
    for (admitted, is_told) in [(true, true), (false, false)] {
        let decision = Decision::default();
        let (sender, mut told) = Told::new();
        let (slow, mut left) = telling(slow(&decision));
        let slow = slow.on_abandoned(move |socket, reason| {
            let _over = sender.send((socket.id(), socket.has_left(), socket.is_connected(), reason.to_string()));
        });
        let (server, _io) = serve([namespace("/"), slow]).await;
        let mut client = waiting(&server).await;
        client.send("41/slow,").await;
        assert_eq!(heard(&mut client).await, []);
        // Of one that stays it is not told.
        let mut other = waiting(&server).await;
        decision.send_replace(Some(admitted));
        other.frame().await;
        if is_told {
            let (id, has_left, is_connected, reason) = told.next().await;
            assert_eq!((id.as_str().len(), has_left, is_connected), (20, true, false));
            assert_eq!(reason, "client namespace disconnect");
        }
        drop((client, other));
        server.stop().await;
        told.none();
        if admitted {
            left.next().await;
        }
        left.none();
    }
}

#[tokio::test]
async fn mw_07_a_socket_is_connected_once_it_is_admitted() {
    let (sender, mut told) = Told::new();
    let during = sender.clone();
    let root = namespace("/")
        .on_connect(move |socket: Socket| {
            let _over = during.send(socket.is_connected());
            async {}
        })
        .on("event", move |socket: Socket| {
            let _over = sender.send(socket.is_connected());
            async {}
        });
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(r#"42["event"]"#).await;
    assert_eq!((told.next().await, told.next().await), (false, true));
}

#[tokio::test]
async fn a_handler_that_disconnects_its_socket_refuses_it() {
    let (sender, mut told) = Told::new();
    let away = Namespace::new("/away").on_connect(async |socket: Socket| socket.disconnect());
    let away = away.on_abandoned(move |_, reason| _ = sender.send(reason.to_string()));
    let limits = Limits { max_refusals: 3, ..Limits::default() };
    let (server, _io) = server::socketio(Config { limits, ..Config::default() }, [namespace("/"), away]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for _ in 0..2 {
        client.send("40/away,").await;
        assert_eq!(client.frame().await, text(r#"44/away,{"message":"Connection refused"}"#));
        assert_eq!(told.next().await, "server namespace disconnect");
        assert_eq!(heard(&mut client).await, []);
    }
    client.send("40/away,").await;
    assert_eq!(client.frame().await, text(r#"44/away,{"message":"Connection refused"}"#));
    assert_eq!(client.frame().await, CLOSED, "it was refused too often");
}

#[tokio::test]
async fn a_client_that_is_sent_away_meanwhile_was_refused() {
    let decision = Decision::default();
    let (sender, mut told) = Told::new();
    let (reaching, mut reached) = Told::new();
    let slow = slow(&decision).middleware(move |socket: Socket| {
        let _over = reaching.send(socket);
        async {}
    });
    let slow = slow.on_abandoned(move |_, reason| _ = sender.send(reason.to_string()));
    let limits = Limits { max_refusals: 2, ..Limits::default() };
    let (server, _io) = server::socketio(Config { limits, ..Config::default() }, [namespace("/"), slow]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for admitted in [true, false] {
        client.send("40/slow,").await;
        reached.next().await.disconnect();
        assert_eq!(client.frame().await, text(r#"44/slow,{"message":"Connection refused"}"#));
        assert_eq!(heard(&mut client).await, [], "whatever its handler says");
        decision.send_replace(Some(admitted));
        if admitted {
            assert_eq!(told.next().await, "server namespace disconnect");
            decision.send_replace(None);
        }
    }
    assert_eq!(client.frame().await, CLOSED, "it was refused too often");
    told.none();
}

/// Its CONNECT is answered, but its rooms are still being told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ns_04_who_knows_that_it_is_let_in_may_send_more() {
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let root = namespace("/")
        .on_connect(async |socket: Socket| {
            tokio::task::yield_now().await;
            socket.join("a")
        })
        .on_room(move |_: &str, _: &RoomChange| {
            // Ends with the test.
            let _over = tokio::task::block_in_place(|| gate.lock().expect("not poisoned").recv());
        });
    let config = Config { max_bytes_before_connect: 100, ..Config::default() };
    let (server, _io) = server::socketio(config, [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send(&format!(r#"421["ack","{}"]"#, "x".repeat(200))).await;
    // Behind it, so that it was read.
    client.connection.send(masked(PING, b"")).await;
    assert_eq!(client.frame().await, Frame::Pong(Vec::new()));
    drop(open);
    assert!(client.text().await.starts_with("431["));
}
