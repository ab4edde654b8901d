//! Clients that do not read what they are sent, or take their time to say what they want.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use engineio::{CloseReason, Config, Event, Frame as Packet, Http, Message, SendError, Serve, SlowConsumer};
use tests::{
    Row,
    frames::{Frame, WebSocket, closed, text},
    http::Connection,
    in_time,
    polling::Polling,
    server, within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{REFUSED, told};

/// What the system's socket buffers hold at most, and a batch on its way into them.
const BUFFERED_BY_THE_SYSTEM: usize = 16 << 20;

/// The reference keeps all that waits until the ping timeout.
#[tokio::test]
async fn m1_t38_t39_one_that_does_not_read_is_cut_off_while_others_are_served() {
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

#[tokio::test]
async fn one_that_never_polls_may_lose_the_oldest_messages_instead() {
    let config = Config { max_outbox_messages: 3, slow_consumer: SlowConsumer::DropOldest, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    session.send("kept");
    for number in 0..5 {
        let message = Packet::text(&[&number.to_string()]).droppable();
        session.socket.send_frames(&message, &[]).expect("the session lives");
    }
    let attached = [Packet::binary(b"a"), Packet::binary(b"b")];
    session.socket.send_frames(&Packet::text(&["with"]).droppable(), &attached).expect("the session lives");
    assert_eq!(client.get().await.body, "4kept\x1e44\x1e4with\x1ebYQ==\x1ebYg==");
    // What its driver tells comes with its next turn.
    let mut dropped = 0;
    while dropped < 4 {
        if let Event::Dropped(messages) = session.event().await {
            dropped += messages;
        }
    }
    assert_eq!(dropped, 4);
    // All of one message, and nothing but what may go.
    for text in ["last", "not", "these"] {
        session.socket.send_frames(&Packet::text(&[text]).droppable(), &attached[..1]).expect("the session lives");
    }
    assert_eq!(client.get().await.body, "4not\x1ebYQ==\x1e4these\x1ebYQ==");
    (0..3).for_each(|_| session.send("kept"));
    let error = session.socket.send_frames(&Packet::text(&["more"]).droppable(), &[]);
    assert_eq!(error, Err(SendError::Closed(CloseReason::SlowConsumer)));
}

#[tokio::test]
async fn who_waits_for_a_message_to_leave_hears_that_it_was_dropped() {
    let config = Config {
        max_outbox_messages: 100,
        max_outbox_bytes: 1000,
        slow_consumer: SlowConsumer::DropOldest,
        ..Config::default()
    };
    let (server, sessions) = server::engine(config).await;
    let client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let send = |size: usize| {
        let message = Packet::text(&[&"x".repeat(size)]).droppable();
        session.socket.send_frames(&message, &[]).expect("the session lives");
    };
    send(2000);
    let (flushed, room) = (session.socket.flushed(), session.socket.room());
    tokio::pin!(flushed, room);
    assert!(poll(flushed.as_mut()).await.is_pending() && poll(room.as_mut()).await.is_pending());
    send(1);
    assert_eq!(within(flushed).await, Ok(()), "what is dropped counts as left");
    assert_eq!(within(room).await, Ok(()), "and leaves room");
}

/// What it comes to when it is polled once.
async fn poll<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// The time is for the whole head: bytes that come do not buy more of it.
#[tokio::test]
async fn e25_heads_that_do_not_end_in_time_end_their_connection() {
    let serve = Serve { header_timeout: Duration::from_millis(200), ..Serve::default() };
    let (server, _sessions) = server::engine_served(serve, Http::default(), Config::default()).await;
    for (label, begun, dripping) in [
        ("no byte", "", false),
        ("half a line", "GET /engine.io/?EIO", false),
        ("a byte at a time", "GET /engine.io/ HTTP/1.1\r\nhost: ", true),
    ] {
        let _row = Row(label);
        let stream = TcpStream::connect(server.endpoint.address).await.expect("it listens");
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(begun.as_bytes()).await.expect("it reads");
        let drip = async {
            while dripping && writing.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        let ended = async {
            tokio::select! {
                _closed_or_reset = reading.read_to_end(&mut answer) => {}
                () = drip => unreachable!("it never ends"),
            }
        };
        in_time(ended).await;
        assert_eq!(answer, b"");
    }
    // Connections that say something are served meanwhile, and after.
    assert_eq!(told(&Polling::open(server.endpoint).await.post("6").await), (200, "ok"));
}

/// A parser that began anew at each segment would read more than 100 MB.
#[tokio::test]
async fn t37_a_large_head_may_come_byte_by_byte() {
    let (server, _sessions) = server::engine(Config::default()).await;
    let mut connection = Connection::open(server.endpoint.address).await;
    let line = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n", server.endpoint.target("polling"));
    for byte in format!("{line}x: {}\r\n\r\n", "y".repeat(15_000)).bytes() {
        connection.send([byte]).await;
    }
    assert_eq!(connection.answer().await.status, 200);
}
