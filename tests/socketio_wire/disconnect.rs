//! How sockets leave, and what their disconnect handlers are told.

use std::time::Duration;

use socketio::{Config, Namespace, Socket};
use tests::{
    Row,
    frames::{CLOSE, CLOSED, Frame, TEXT, WebSocket, closed, masked, text},
    polling::Polling,
    server, socket, within,
};
use tokio::net::TcpListener;

use crate::{Told, heard, namespace, serve, telling};

/// A namespace that its clients can have themselves put out of.
fn kicking(name: &str) -> Namespace {
    namespace(name)
        .on_connect(async |socket: Socket| socket.join("room"))
        .on("kick", async |socket: Socket| socket.disconnect())
        .on("close", async |socket: Socket| {
            socket.emit("last", &()).expect("connected");
            socket.close();
        })
}

#[tokio::test]
async fn cv_17_reasons_of_leaving_by_websocket() {
    let (root, mut told) = telling(kicking("/"));
    let (server, io) = serve([root]).await;
    let rows = [
        ("the client leaves", masked(TEXT, b"41"), "client namespace disconnect"),
        ("the server disconnects it", masked(TEXT, br#"42["kick"]"#), "server namespace disconnect"),
        ("the server closes its connection", masked(TEXT, br#"42["close"]"#), "forced close"),
        ("the client closes the session", masked(TEXT, b"1"), "transport close"),
        ("the client closes the WebSocket", masked(CLOSE, b""), "transport close"),
        ("the client breaks the protocol", masked(TEXT, b"4abc"), "forced close"),
        ("the client breaks the one below", masked(TEXT, b"x"), "parse error"),
        ("the client pings", masked(TEXT, b"2"), "transport error"),
        ("the client breaks WebSocket", vec![TEXT, 0], "transport error"),
    ];
    for (label, bytes, reason) in rows {
        let _row = Row(label);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.connection.send(bytes).await;
        assert_eq!(told.next().await, (reason.into(), vec!["room".into()]));
        assert_eq!(io.of("/").expect("served").to("room").sockets(), []);
    }
    let (client, _id) = socket::connect(server.endpoint, "/").await;
    drop(client);
    assert_eq!(told.next().await, ("transport close".into(), vec!["room".into()]));
    server.stop().await;
    told.none();
}

#[tokio::test]
async fn cv_17_reasons_of_leaving_by_polling() {
    let (root, mut told) = telling(kicking("/"));
    let (server, _io) = serve([root]).await;
    let rows = [
        ("the client leaves", "41", "client namespace disconnect"),
        ("the server disconnects it", r#"42["kick"]"#, "server namespace disconnect"),
        ("the client closes the session", "1", "transport close"),
        ("the client breaks the one below", "x", "parse error"),
        ("the client pings", "2", "transport error"),
    ];
    for (label, packet, reason) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint).await;
        client.post("40").await;
        client.get().await;
        client.post(packet).await;
        assert_eq!(told.next().await.0, reason);
    }
    let mut client = Polling::open(server.endpoint).await;
    client.post("40").await;
    client.get().await;
    client.send_get().await;
    server.waiting(1).await;
    drop(client);
    assert_eq!(told.next().await.0, "transport error", "CL-08: the waiting GET breaks off");
}

#[tokio::test]
async fn cv_17_hb_03_a_client_that_does_not_answer_pings() {
    let mut config = Config::default();
    config.engine.ping_interval = Duration::from_secs(1);
    config.engine.ping_timeout = Duration::from_millis(50);
    let (root, mut told) = telling(namespace("/"));
    let (server, _io) = server::socketio(config, [root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    assert_eq!(client.frame().await, text("2"));
    assert_eq!(client.frame().await, CLOSED);
    assert_eq!(told.next().await.0, "ping timeout");
}

#[tokio::test]
async fn ns_11_a_disconnect_by_the_server_leaves_the_connection_alone() {
    let (server, io) = serve([namespace("/"), kicking("/other")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/other").await;
    client.send(r#"42/other,["kick"]"#).await;
    assert_eq!(heard(&mut client).await, [text("41/other,")]);
    socket::join(&mut client, "/other").await;
    let sockets = io.of("/other").expect("served").sockets();
    sockets.iter().for_each(Socket::disconnect);
    sockets.iter().for_each(Socket::disconnect);
    assert_eq!(heard(&mut client).await, [text("41/other,")], "once only");
    assert!(!sockets[0].is_connected());
}

#[tokio::test]
async fn ns_10_11_a_close_by_the_server_ends_the_connection_without_a_word() {
    let ((root, mut from_root), (other, mut from_other)) = (telling(kicking("/")), telling(namespace("/other")));
    let (server, _io) = serve([root, other]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/other").await;
    client.send(r#"42["close"]"#).await;
    assert_eq!(client.frame().await, text(r#"42["last"]"#));
    assert_eq!(client.frame().await, CLOSED);
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!((from_root.next().await.0, from_other.next().await.0), ("forced close".into(), "forced close".into()));
}

#[tokio::test]
async fn cv_01_02_closing_the_server_sends_no_disconnect_packet() {
    let ((root, mut from_root), (other, mut from_other)) = (telling(namespace("/")), telling(namespace("/other")));
    let (server, io) = serve([root, other]).await;
    let endpoint = server.endpoint;
    let (mut client, _id) = socket::connect(endpoint, "/").await;
    socket::join(&mut client, "/other").await;
    let mut polling = Polling::open(endpoint).await;
    polling.post("40").await;
    polling.get().await;
    polling.send_get().await;
    server.waiting(1).await;

    within(io.close()).await;
    assert_eq!(io.clients_count(), 0);
    assert_eq!(client.frame().await, closed(1001));
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!(polling.gets.answer().await.body, "1");
    for _ in 0..2 {
        assert_eq!(from_root.next().await.0, "server shutting down");
    }
    assert_eq!(from_other.next().await.0, "server shutting down");

    server.stop().await;
    from_root.none();
    from_other.none();
    TcpListener::bind(endpoint.address).await.expect("the port is free");
}

#[tokio::test]
async fn i5_a_disconnect_handler_is_called_once_however_many_reasons_there_are() {
    let (root, mut told) = telling(kicking("/"));
    let (server, io) = serve([root]).await;
    for packets in
        [&["41", "1"][..], &[r#"42["kick"]"#, "41", "1"], &[r#"42["kick"]"#, "4abc"], &[r#"42["close"]"#, "41"]]
    {
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        let bytes: Vec<_> = packets.iter().flat_map(|packet| masked(TEXT, packet.as_bytes())).collect();
        client.connection.send(bytes).await;
        while client.frame().await != Frame::End {}
        told.next().await;
        told.none();
    }
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn a_client_that_never_joined_is_not_told_of() {
    let (root, mut told) = telling(namespace("/"));
    let (server, _io) = serve([root]).await;
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send("40/unknown,").await;
    client.frame().await;
    client.send("1").await;
    assert_eq!(client.frame().await, CLOSED);
    server.stop().await;
    told.none();
}

#[tokio::test]
async fn a_disconnect_handler_may_still_emit_to_the_rooms() {
    let (sender, mut told) = Told::new();
    let root =
        namespace("/").on_connect(async |socket: Socket| socket.join("room")).on_disconnect(move |socket: Socket| {
            let reached =
                socket.rooms().into_iter().map(|room| socket.to(room).emit("left", &socket.id()).expect("emitted"));
            let _over = sender.send((socket.is_connected(), reached.sum::<usize>()));
            async {}
        });
    let (server, _io) = serve([root]).await;
    let (mut stays, _id) = socket::connect(server.endpoint, "/").await;
    let (mut leaves, id) = socket::connect(server.endpoint, "/").await;
    leaves.send("41").await;
    assert_eq!(told.next().await, (false, 1));
    assert_eq!(stays.frame().await, text(format!(r#"42["left","{id}"]"#)));
}
