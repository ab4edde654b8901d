//! How sessions are closed by either side, one by one and all together.

use std::time::Duration;

use engineio::{CloseReason, Config, Transport};
use tests::{
    frames::{CLOSE, CLOSED, Frame, WebSocket, closed, masked, text},
    http::Connection,
    polling::Polling,
    server, within,
};
use tokio::net::TcpListener;

use crate::{REFUSED, told};

#[tokio::test]
async fn cl_05_b6_b7_c5_a_polling_client_closes() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.send_get().await;
    server.waiting(1).await;
    assert_eq!(told(&client.post("1").await), (200, "ok"));
    assert_eq!(told(&client.gets.answer().await), (200, "6"));
    assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::TransportClose);
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
    assert_eq!(told(&client.post("4a").await), (400, REFUSED[1]));
}

/// The reference does not heed a close packet over WebSocket (CL-06).
#[tokio::test]
async fn cl_03_06_f9_a_websocket_client_closes() {
    let (server, sessions) = server::engine(Config::default()).await;
    let going = Frame::Close(Some(1000), "bye".into());
    let rows = [(masked(0x81, b"1"), CLOSED), (masked(CLOSE, b""), CLOSED), (masked(CLOSE, b"\x03\xe8bye"), going)];
    for (bytes, answer) in rows {
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        client.connection.send(bytes).await;
        assert_eq!(client.frame().await, answer);
        assert_eq!(client.frame().await, Frame::End);
        assert_eq!(sessions.take(&sid).reason().await, CloseReason::TransportClose);
    }
    let (client, sid) = WebSocket::open(server.endpoint).await;
    drop(client);
    assert_eq!(sessions.take(&sid).reason().await, CloseReason::TransportClose);
}

/// The reference sends the close in an answer of its own, behind that with the last messages.
#[tokio::test]
async fn cl_02_04_11_16_tr_24_the_server_closes_a_polling_session() {
    let (server, sessions) = server::engine(Config::default()).await;

    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    client.send_get().await;
    server.waiting(1).await;
    session.socket.close();
    assert_eq!(told(&client.gets.answer().await), (200, "1"));
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));

    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    ["a", "b", "c"].iter().for_each(|message| session.send(message));
    session.socket.close();
    assert_eq!(told(&client.post("4too late").await), (200, "ok"));
    assert_eq!(told(&client.get().await), (200, "4a\x1e4b\x1e4c\x1e1"));
    assert_eq!(session.reason().await, CloseReason::ForcedClose);

    let mut client = Polling::open(server.endpoint).await;
    sessions.take(&client.sid).socket.close();
    assert_eq!(told(&client.get().await), (200, "6\x1e1"));
}

#[tokio::test]
async fn cl_02_07_11_tr_24_the_server_closes_a_websocket_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    ["a", "b", "c"].iter().for_each(|message| session.send(message));
    session.socket.close();
    for message in ["4a", "4b", "4c"] {
        assert_eq!(client.frame().await, text(message));
    }
    assert_eq!(client.frame().await, CLOSED);
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
}

/// The words of the reference, for each of the ways in which its clients end.
#[tokio::test]
async fn cl_01_reasons_have_the_official_words() {
    let config =
        Config { ping_interval: Duration::from_millis(500), ping_timeout: Duration::ZERO, ..Config::default() };
    let (impatient, timed) = server::engine(config).await;
    let (server, sessions) = server::engine(Config::default()).await;
    let mut words = Vec::new();
    for end in ["1", "2", "x"] {
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        client.send(end).await;
        words.push(sessions.take(&sid).reason().await.to_string());
        let mut client = Polling::open(server.endpoint).await;
        client.post(end).await;
        words.push(sessions.take(&client.sid).reason().await.to_string());
    }
    let (client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    session.socket.close();
    words.push(session.reason().await.to_string());
    drop(client);
    let (_client, sid) = WebSocket::open(impatient.endpoint).await;
    words.push(timed.take(&sid).reason().await.to_string());
    let (close, error, parse) = ("transport close", "transport error", "parse error");
    assert_eq!(words, [close, close, error, error, parse, parse, "forced close", "ping timeout"]);
}

/// Handlers see what was lost by `flushed`; the frames themselves are gone with the session.
#[tokio::test]
async fn cl_12_14_20_what_was_not_sent_is_dropped_and_reaches_no_later_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    session.send("lost");
    assert!(session.socket.outbox_bytes() > 0);
    let socket = session.socket.clone();
    within(sessions.engine.close()).await;
    let shutdown = CloseReason::Shutdown;
    assert_eq!((session.reason().await, socket.outbox_bytes()), (shutdown, 0));
    assert_eq!(socket.flushed().await, Err(engineio::SendError::Closed(shutdown)));
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));

    let mut client = Polling::open(server.endpoint).await;
    sessions.take(&client.sid).send("new");
    assert_eq!(told(&client.get().await), (200, "4new"));
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    sessions.take(&sid).send("new");
    assert_eq!(client.frame().await, text("4new"));
}

#[tokio::test]
async fn what_is_sent_after_the_end_is_an_error() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    client.send("1").await;
    assert_eq!(client.frame().await, CLOSED);
    let message = engineio::Message::Text("a".into());
    assert_eq!(session.socket.send(&message), Err(engineio::SendError::Closed(CloseReason::TransportClose)));
    assert_eq!(session.socket.closed(), Some(CloseReason::TransportClose));
    assert_eq!(session.socket.transport(), Transport::WebSocket, "it is what it was");
}

/// Clients of the reference see a transport error; 1001 says what happens.
#[tokio::test]
async fn cl_12_13_17_closing_the_engine_ends_sessions_in_all_states() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut parked = Polling::open(server.endpoint).await;
    parked.send_get().await;
    let mut posting = Polling::open(server.endpoint).await;
    posting.begin_post("content-length: 10\r\n").await;
    server.waiting(2).await;
    let mut idle = Polling::open(server.endpoint).await;
    let closing = Polling::open(server.endpoint).await;
    let (mut websocket, websocket_sid) = WebSocket::open(server.endpoint).await;
    let upgrading = Polling::open(server.endpoint).await;
    let newcomer = upgrading.probing().await;
    let upgraded = Polling::open(server.endpoint).await;
    let mut upgraded_websocket = upgraded.upgraded().await;

    let sids = [&parked, &posting, &idle, &closing, &upgrading, &upgraded].map(|client| &client.sid);
    let all: Vec<_> = sids.into_iter().chain([&websocket_sid]).map(|sid| sessions.take(sid)).collect();
    all.iter().for_each(|session| session.send("dropped"));
    assert_eq!(told(&parked.gets.answer().await), (200, "4dropped"));
    assert_eq!(websocket.frame().await, text("4dropped"));
    assert_eq!(upgraded_websocket.frame().await, text("4dropped"));
    parked.send_get().await;
    server.waiting(2).await;
    all[3].socket.close();

    within(sessions.engine.close()).await;
    assert_eq!(sessions.engine.clients_count(), 0);
    for session in all {
        assert_eq!(session.reason().await, CloseReason::Shutdown);
    }
    assert_eq!(told(&parked.gets.answer().await), (200, "1"));
    assert_eq!(told(&posting.posts.answer().await), (400, REFUSED[3]));
    assert_eq!(told(&idle.get().await), (400, REFUSED[1]));
    for mut websocket in [websocket, newcomer, upgraded_websocket] {
        assert_eq!(websocket.frame().await, closed(1001));
        assert_eq!(websocket.frame().await, Frame::End);
    }
}

/// A process that ends when its engine is closed would otherwise end before it has said so.
#[tokio::test]
async fn cl_17_the_engine_is_closed_when_its_websockets_were_told() {
    let config = Config { max_outbox_bytes: 16_000_000, max_payload: 16_000_000, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let connection = Connection::open_narrow(server.endpoint.address).await;
    let (mut client, sid) = WebSocket::open_on(connection, server.endpoint).await;
    let session = sessions.take(&sid);
    // More than the system buffers, and read well before a farewell is given up.
    let large = engineio::Message::Binary(vec![7; 12_000_000].into());
    session.socket.send(&large).expect("there is room");
    // What the carrier has begun to write is written to its end.
    while session.socket.outbox_bytes() > 0 {
        tokio::task::yield_now().await;
    }
    let engine = sessions.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    assert_eq!(session.reason().await, CloseReason::Shutdown);
    while sessions.engine.clients_count() > 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    assert!(!closing.is_finished(), "the client has not read that it is over");
    assert!(matches!(client.frame().await, Frame::Binary(data) if data.len() == 12_000_000));
    assert_eq!(client.frame().await, closed(1001));
    within(closing).await.expect("no panic");
}

#[tokio::test]
async fn cv_01_cl_18_a_stopped_server_gives_its_port_back() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let endpoint = server.endpoint;
    let mut client = Polling::open(endpoint).await;
    client.send_get().await;
    server.waiting(1).await;
    server.stop().await;
    assert_eq!(told(&client.gets.answer().await), (200, "1"));
    assert_eq!(client.gets.rest().await, b"");
    TcpListener::bind(endpoint.address).await.expect("the port is free");
}
