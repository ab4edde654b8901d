//! Clients that do not read what they are sent.

use engineio::{CloseReason, Config, Message, SendError};
use tests::{
    frames::{Frame, WebSocket, closed, text},
    http::Connection,
    polling::Polling,
    server,
};

use crate::{REFUSED, told};

/// What the system's socket buffers hold at most, and a batch on its way into them.
const BUFFERED_BY_THE_SYSTEM: usize = 16 << 20;

#[tokio::test]
async fn m1_t39_one_that_does_not_read_is_cut_off_while_others_are_served() {
    let config = Config::default();
    let limit = config.max_outbox_bytes;
    let (server, sessions) = server::engine(config).await;
    let (mut other, other_sid) = WebSocket::open(server.endpoint).await;
    let other_session = sessions.take(&other_sid);
    let connection = Connection::open_narrow(server.endpoint.address).await;
    let (mut slow, slow_sid) = WebSocket::open_on(connection, server.endpoint).await;
    let session = sessions.take(&slow_sid);

    let message = Message::Text("x".repeat(65_536).into());
    let mut sent = 0;
    let error = loop {
        if let Err(error) = session.socket.send(&message) {
            break error;
        }
        sent += 1;
        other_session.send("served");
        assert_eq!(other.frame().await, text("4served"));
    };
    assert_eq!(error, SendError::Closed(CloseReason::SlowConsumer));
    assert_eq!(session.reason().await, CloseReason::SlowConsumer);
    assert!((limit..limit + BUFFERED_BY_THE_SYSTEM).contains(&(sent * 65_536)), "{sent} messages");

    let mut received = 0;
    let end = loop {
        match slow.frame().await {
            Frame::Text(_) => received += 1,
            end => break end,
        }
    };
    assert_eq!(end, closed(1008));
    assert!(received < sent, "what waited is dropped");
}

#[tokio::test]
async fn m2_one_that_never_polls_is_cut_off() {
    let config = Config { max_outbox_bytes: 1000, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let message = Message::Text("x".repeat(100).into());
    let sent = (0..).take_while(|_| session.socket.send(&message).is_ok()).count();
    assert_eq!(sent, 10);
    assert_eq!(session.reason().await, CloseReason::SlowConsumer);
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}
