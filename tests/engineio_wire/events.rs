//! What an application hears of a session besides its messages, and when it knows that something has left.

use std::time::Duration;

use engineio::{CloseReason, Config, Event, Frame as Encoded, Message, SendError, Transport};
use futures_util::FutureExt;
use tests::{
    Row,
    frames::{CLOSED, Frame, TEXT, WebSocket, masked, text},
    polling::Polling,
    server::{self, Session},
    within,
};

use crate::told;

fn config() -> Config {
    Config { ping_interval: Duration::from_millis(50), allow_eio3: true, ..Config::default() }
}

/// Packets that have left, and their bytes.
async fn flush(session: &mut Session) -> (u64, u64) {
    match session.event().await {
        Event::Flush { packets, bytes } => (packets, bytes),
        other => panic!("no flush: {other:?}"),
    }
}

/// The open packet has left.
async fn opened(session: &mut Session) {
    assert_eq!(flush(session).await.0, 1);
    assert_eq!(session.event().await, Event::Drain);
}

#[tokio::test]
async fn hb_12_cb_06_heartbeats_are_told_over_both_transports() {
    let (server, sessions) = server::engine(config()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    opened(&mut session).await;
    // Not asked for, so it is none.
    client.send("3").await;
    for _ in 0..2 {
        assert_eq!(client.frame().await, text("2"));
        assert_eq!(flush(&mut session).await.0, 1);
        assert_eq!(session.event().await, Event::Drain);
        client.connection.send([masked(TEXT, b"3"), masked(TEXT, b"4a")].concat()).await;
        assert_eq!(session.event().await, Event::Heartbeat);
        assert_eq!(session.text().await, "a");
    }

    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    opened(&mut session).await;
    assert_eq!(told(&client.get().await), (200, "2"));
    assert_eq!(flush(&mut session).await.0, 1);
    assert_eq!(session.event().await, Event::Drain);
    assert_eq!(told(&client.post("3\x1e3\x1e6").await), (200, "ok"));
    assert_eq!(session.event().await, Event::Heartbeat);
    assert_eq!(told(&client.get().await), (200, "2"));
    assert_eq!(flush(&mut session).await.0, 1, "one heartbeat, although there were two pongs");
}

#[tokio::test]
async fn hb_12_pings_of_revision_3_are_told() {
    let (server, sessions) = server::engine(config()).await;
    let endpoint = server.endpoint.asked("EIO=3");
    let (mut client, sid) = WebSocket::open(endpoint).await;
    let mut session = sessions.take(&sid);
    opened(&mut session).await;
    client.send("2").await;
    assert_eq!(client.frame().await, text("3"));
    assert_eq!(session.event().await, Event::Heartbeat);

    let mut client = Polling::open(endpoint).await;
    let mut session = sessions.take(&client.sid);
    opened(&mut session).await;
    assert_eq!(told(&client.post("1:2").await), (200, "ok"));
    assert_eq!(session.event().await, Event::Heartbeat);
    assert_eq!(told(&client.get().await), (200, "1:3"));
}

#[tokio::test]
async fn up_12_an_upgrade_is_told_and_the_first_request_stays_the_one_that_is_seen() {
    let (server, sessions) = server::engine(Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    opened(&mut session).await;
    let handshake = session.socket.handshake().clone();

    // One that does not make it.
    let mut failing = client.probing().await;
    assert_eq!(session.event().await, Event::Upgrading(Transport::WebSocket));
    assert_eq!(session.socket.transport(), Transport::Polling);
    failing.send("x").await;
    assert_eq!(failing.frame().await, CLOSED);

    let mut websocket = client.upgraded().await;
    assert_eq!(session.event().await, Event::Upgrading(Transport::WebSocket));
    assert_eq!(session.event().await, Event::Upgrade(Transport::WebSocket));
    assert_eq!(session.socket.transport(), Transport::WebSocket);
    session.send("a");
    assert_eq!(websocket.frame().await, text("4a"));
    assert_eq!(flush(&mut session).await.0, 1);
    assert_eq!(session.socket.handshake(), &handshake);
    assert!(handshake.query.contains("transport=polling"), "{handshake:?}");
}

#[tokio::test]
async fn up_13_cb_03_a_message_of_the_upgrade_window_is_known_to_have_left() {
    let (server, sessions) = server::engine(Config::default()).await;

    // By the GET that comes while the WebSocket probes ..
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let mut websocket = client.probing().await;
    session.send("a");
    let flushed = session.socket.flushed();
    let (left, answer) = within(async { tokio::join!(biased; flushed, client.get()) }).await;
    assert_eq!((left, told(&answer)), (Ok(()), (200, "4a")));

    // .. and by the WebSocket once it took over.
    session.send("b");
    let flushed = session.socket.flushed();
    websocket.send("5").await;
    assert_eq!(websocket.frame().await, text("4b"));
    assert_eq!(within(flushed).await, Ok(()));
}

#[tokio::test]
async fn cb_01_02_03_each_sender_knows_when_its_own_message_has_left() {
    let (server, sessions) = server::engine(Config::default()).await;
    for transport in [Transport::Polling, Transport::WebSocket] {
        let _row = Row(transport.name());
        let mut polling = Polling::open(server.endpoint).await;
        let (mut websocket, sid) = WebSocket::open(server.endpoint).await;
        let session = sessions.take(if transport == Transport::Polling { &polling.sid } else { &sid });
        let mut waits = Vec::new();
        for message in ["a", "b", "c"] {
            session.send(message);
            let socket = session.socket.clone();
            waits.push(async move { socket.flushed().await });
        }
        let mut first = Box::pin(session.socket.flushed());
        assert_eq!(first.as_mut().now_or_never(), None, "nothing has left");
        if transport == Transport::Polling {
            assert_eq!(told(&polling.get().await), (200, "4a\x1e4b\x1e4c"));
        } else {
            for message in ["4a", "4b", "4c"] {
                assert_eq!(websocket.frame().await, text(message));
            }
        }
        assert_eq!(within(first).await, Ok(()));
        for wait in waits {
            assert_eq!(wait.now_or_never(), Some(Ok(())), "those that shared the batch");
        }
        // What is sent later is another's business.
        let before = session.socket.flushed();
        session.send("d");
        assert_eq!(before.now_or_never(), Some(Ok(())));
    }
}

#[tokio::test]
async fn cb_04_05_flush_then_drain_for_each_answer_to_a_get() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    opened(&mut session).await;
    for batch in [&["a", "b", "c"][..], &["d"]] {
        batch.iter().for_each(|message| session.send(message));
        assert!(session.socket.outbox_bytes() > 0, "CB-04: kept until it has left");
        client.get().await;
        assert_eq!(
            flush(&mut session).await,
            (batch.len() as u64, 4 * batch.len() as u64),
            "two of each are its header"
        );
        assert_eq!(session.event().await, Event::Drain);
        assert_eq!(session.socket.outbox_bytes(), 0);
    }
}

#[tokio::test]
async fn cb_04_05_flush_then_drain_over_a_websocket() {
    let config = Config { max_outbox_bytes: 64_000_000, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    opened(&mut session).await;
    ["a", "b", "c"].iter().for_each(|message| session.send(message));
    assert_eq!(flush(&mut session).await, (3, 12));
    assert_eq!(session.event().await, Event::Drain);
    for message in ["4a", "4b", "4c"] {
        assert_eq!(client.frame().await, text(message));
    }

    // More than one batch, and more than the system buffers: packets leave one by one, and only the last one drains.
    const MANY: u64 = 40;
    let frame = Encoded::binary(&vec![7; 500_000]);
    (0..MANY).for_each(|_| session.socket.send_frames(&frame, &[]).expect("there is room"));
    let read = async {
        for _ in 0..MANY {
            assert!(matches!(client.frame().await, Frame::Binary(_)));
        }
    };
    let hear = async {
        let mut left = (0, 0);
        while left.0 < MANY {
            let (packets, bytes) = flush(&mut session).await;
            left = (left.0 + packets, left.1 + bytes);
        }
        assert_eq!((left, session.event().await), ((MANY, MANY * 500_010), Event::Drain));
    };
    tokio::join!(read, hear);
}

#[tokio::test]
async fn cb_01_cl_15_what_never_left_is_lost_and_not_flushed() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    opened(&mut session).await;
    session.send("left");
    assert_eq!(told(&client.get().await), (200, "4left"));
    let first = session.socket.flushed();
    session.send("lost");
    let second = session.socket.flushed();
    assert_eq!(told(&client.post("1").await), (200, "ok"));
    let lost = SendError::Closed(CloseReason::TransportClose);
    assert_eq!((within(first).await, within(second).await), (Ok(()), Err(lost)));
    assert_eq!(flush(&mut session).await.0, 1);
    assert_eq!(session.event().await, Event::Drain);
    let socket = session.socket.clone();
    assert_eq!(session.reason().await, CloseReason::TransportClose);
    assert_eq!(socket.flushed().now_or_never(), Some(Err(lost)), "asked for when it is over, too");
}

/// Encoded once, it is the same for everybody.
#[tokio::test]
async fn cb_08_a_frame_made_before_is_written_as_it_is() {
    let (server, sessions) = server::engine(Config { allow_eio3: true, ..Config::default() }).await;
    let (first, second) = (Encoded::from(&Message::Text("é".into())), Encoded::binary(&[1, 2]));
    let send = |sid: &str| sessions.take(sid).socket.send_frames(&first, std::slice::from_ref(&second));
    for _ in 0..2 {
        let (mut client, sid) = WebSocket::open(server.endpoint).await;
        send(&sid).expect("the session lives");
        assert_eq!((client.frame().await, client.frame().await), (text("4é"), Frame::Binary(vec![1, 2])));
        let mut client = Polling::open(server.endpoint).await;
        send(&client.sid).expect("the session lives");
        assert_eq!(told(&client.get().await), (200, "4é\x1ebAQI="));
        let mut client = Polling::open(server.endpoint.asked("EIO=3&b64=1")).await;
        send(&client.sid).expect("the session lives");
        assert_eq!(told(&client.get().await), (200, "2:4é6:b4AQI="));
    }
}
