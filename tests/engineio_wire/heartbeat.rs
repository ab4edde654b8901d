//! Pings, pongs, and what comes of those that are missing.
//!
//! Times are lower bounds: upper ones are for the tests of the session itself, over virtual time.

use std::time::Duration;

use engineio::{CloseReason, Config, Event, Message, TransportFault};
use tests::{
    frames::{CLOSED, Frame, TEXT, WebSocket, closed, masked, text},
    http::Connection,
    in_time,
    polling::Polling,
    server, within,
};
use tokio::time::Instant;

use crate::{REFUSED, broken, told};

const INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_millis(300);

fn config() -> Config {
    Config { ping_interval: INTERVAL, ping_timeout: TIMEOUT, ..Config::default() }
}

#[tokio::test]
async fn hb_01_02_03_05_10_pings_come_after_the_interval_and_pongs_re_arm_it() {
    let (server, sessions) = server::engine(config()).await;
    let mut since = Instant::now();
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    for _ in 0..3 {
        assert_eq!(in_time(client.frame()).await, text("2"));
        assert!(since.elapsed() >= INTERVAL);
        since = Instant::now();
        client.send("3").await;
    }
    assert_eq!(in_time(client.frame()).await, text("2"));
    assert_eq!(in_time(client.frame()).await, CLOSED);
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!(sessions.take(&sid).reason().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn hb_01_02_03_05_10_b9_pings_over_polling() {
    let (server, sessions) = server::engine(config()).await;
    let mut since = Instant::now();
    let mut client = Polling::open(server.endpoint).await;
    for _ in 0..2 {
        assert_eq!(told(&client.get().await), (200, "2"));
        assert!(since.elapsed() >= INTERVAL);
        since = Instant::now();
        assert_eq!(told(&client.post("3").await), (200, "ok"));
    }
    assert_eq!(told(&client.get().await), (200, "2"));
    assert_eq!(told(&client.get().await), (200, "1"));
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::PingTimeout);
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

#[tokio::test]
async fn hb_04_09_b8_a_client_that_never_comes_back_times_out() {
    let (server, sessions) = server::engine(config()).await;
    let since = Instant::now();
    let client = Polling::open(server.endpoint).await;
    assert_eq!(sessions.take(&client.sid).reason().await, CloseReason::PingTimeout);
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!(sessions.engine.clients_count(), 0);
}

#[tokio::test]
async fn hb_11_an_upgraded_session_keeps_its_heartbeat() {
    let (server, sessions) = server::engine(config()).await;
    let client = Polling::open(server.endpoint).await;
    let mut websocket = client.upgraded().await;
    for _ in 0..3 {
        assert_eq!(websocket.frame().await, text("2"));
        websocket.send("3").await;
    }
    websocket.send("4alive").await;
    assert_eq!(sessions.take(&client.sid).text().await, "alive");
}

/// In the reference each of them starts the interval anew, so that a client can switch the heartbeat off.
#[tokio::test]
async fn g3_t33_pongs_that_nobody_asked_for_change_nothing() {
    // All of a burst is read in it.
    const INTERVAL: Duration = Duration::from_millis(500);
    let (server, _sessions) = server::engine(Config { ping_interval: INTERVAL, ..config() }).await;
    let since = Instant::now();
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    // As many before the ping, and as many with its own pong, as may be.
    client.connection.send(masked(TEXT, b"3").repeat(100)).await;
    assert_eq!(client.frame().await, text("2"));
    assert!(since.elapsed() >= INTERVAL);
    client.connection.send(masked(TEXT, b"3").repeat(101)).await;
    assert_eq!(client.frame().await, text("2"));
    assert!(since.elapsed() >= 2 * INTERVAL);
    assert_eq!(client.frame().await, CLOSED);
    assert!(since.elapsed() >= 2 * INTERVAL + TIMEOUT);
}

#[tokio::test]
async fn g3_t33_a_flood_of_pongs_ends_the_session() {
    let (server, sessions) = server::engine(Config { max_unsolicited_pongs: 3, ..Config::default() }).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let pongs = masked(TEXT, b"3");
    client.connection.send([pongs.repeat(3), masked(TEXT, b"4a"), pongs.repeat(2), masked(TEXT, b"4b")].concat()).await;
    assert_eq!(client.frame().await, closed(1008));
    assert_eq!(client.frame().await, Frame::End);
    let (reason, messages) = sessions.take(&sid).ended().await;
    assert_eq!((reason, messages), (broken(TransportFault::PongFlood), vec![Message::Text("a".into())]));

    let mut client = Polling::open(server.endpoint).await;
    assert_eq!(told(&client.post("3\x1e3").await), (200, "ok"));
    assert_eq!(told(&client.post("3\x1e4a\x1e3\x1e4b").await), (400, REFUSED[3]));
    let (reason, messages) = sessions.take(&client.sid).ended().await;
    assert_eq!((reason, messages), (broken(TransportFault::PongFlood), vec![Message::Text("a".into())]));
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

/// Otherwise each of its pongs would bring the next ping, and all of them would wait.
#[tokio::test]
async fn g3_hb_03_pongs_to_pings_that_were_not_fetched_do_not_keep_a_session() {
    let (server, sessions) = server::engine(config()).await;
    let since = Instant::now();
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    while session.socket.outbox_bytes() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(told(&client.post("3").await), (200, "ok"));
    assert_eq!(session.reason().await, CloseReason::PingTimeout);
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
}

#[tokio::test]
async fn times_that_never_end_are_no_times() {
    let never = Duration::MAX;
    let config = Config {
        ping_interval: never,
        ping_timeout: never,
        upgrade_timeout: never,
        body_timeout: never,
        allow_eio3: true,
        ..Config::default()
    };
    let (server, sessions) = server::engine(config).await;
    for query in ["EIO=3", "EIO=4"] {
        let mut client = Polling::open(server.endpoint.asked(query)).await;
        let mut session = sessions.take(&client.sid);
        session.socket.expire(Some(never));
        let message = if query == "EIO=3" { "2:4a" } else { "4a" };
        assert_eq!(told(&client.post(message).await), (200, "ok"));
        assert_eq!(session.text().await, "a");
        let mut websocket = client.upgraded().await;
        websocket.send("4b").await;
        assert_eq!(session.text().await, "b");
    }
}

#[tokio::test]
async fn hb_16_g5_messages_without_a_pong_do_not_keep_a_session() {
    let (server, sessions) = server::engine(config()).await;
    let since = Instant::now();
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    assert_eq!(client.frame().await, text("2"));
    let mut ticks = tokio::time::interval(TIMEOUT / 8);
    let end = within(async {
        loop {
            tokio::select! {
                frame = client.frame() => return frame,
                _ = ticks.tick() => {}
            }
            client.send("4still here").await;
        }
    });
    assert_eq!(end.await, CLOSED);
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!(sessions.take(&sid).ended().await.0, CloseReason::PingTimeout);
}

#[tokio::test]
async fn hb_16_posts_without_a_pong_do_not_keep_a_session() {
    let (server, sessions) = server::engine(config()).await;
    let mut client = Polling::open(server.endpoint).await;
    assert_eq!(told(&client.get().await), (200, "2"));
    let mut ticks = tokio::time::interval(TIMEOUT / 8);
    let end = within(async {
        loop {
            ticks.tick().await;
            let answer = client.post("4still here").await;
            if answer.status != 200 {
                return answer;
            }
        }
    });
    assert_eq!(told(&end.await), (400, REFUSED[1]));
    assert_eq!(sessions.take(&client.sid).ended().await.0, CloseReason::PingTimeout);
}

/// A first timeout is a ping's, and not that of the handshake.
#[tokio::test]
async fn hb_04_09_10_g4_a_websocket_that_never_answers_times_out() {
    let (server, sessions) = server::engine(config()).await;
    let since = Instant::now();
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    assert_eq!(sessions.take(&sid).reason().await, CloseReason::PingTimeout);
    assert!(since.elapsed() >= INTERVAL + TIMEOUT);
    assert_eq!((client.frame().await, client.frame().await), (text("2"), CLOSED));
}

/// Nothing is heard of a peer that vanished, and nothing can be sent to it: what waits does not keep the session.
#[tokio::test]
async fn g8_m3_a_websocket_that_takes_nothing_any_more_times_out() {
    let config = Config { max_outbox_bytes: 100_000_000, ..config() };
    let (server, sessions) = server::engine(config).await;
    let connection = Connection::open_narrow(server.endpoint.address).await;
    let (client, sid) = WebSocket::open_on(connection, server.endpoint).await;
    let session = sessions.take(&sid);
    let message = "x".repeat(1_000_000);
    (0..50).for_each(|_| session.send(&message));
    assert_eq!(session.reason().await, CloseReason::PingTimeout);
    assert_eq!(sessions.engine.clients_count(), 0);
    drop(client);
}

#[tokio::test]
async fn hb_13_a_close_at_a_heartbeat_is_no_timeout() {
    let (server, sessions) = server::engine(config()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    assert_eq!(client.frame().await, text("2"));
    client.send("3").await;
    while session.event().await != Event::Heartbeat {}
    session.socket.close();
    assert_eq!(client.frame().await, CLOSED);
    assert_eq!(session.reason().await, CloseReason::ForcedClose);

    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    assert_eq!(told(&client.get().await), (200, "2"));
    client.send_get().await;
    assert_eq!(told(&client.post("3").await), (200, "ok"));
    while session.event().await != Event::Heartbeat {}
    session.socket.close();
    let farewell = client.gets.answer().await;
    // Whether the GET was parked by then or came after the close.
    assert!(["1", "6\x1e1"].contains(&&*farewell.body), "{farewell:?}");
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
}

#[tokio::test]
async fn hb_15_an_interval_of_milliseconds() {
    let interval = Duration::from_millis(4);
    let (server, sessions) = server::engine(Config { ping_interval: interval, ..Config::default() }).await;
    let (mut websocket, sid) = WebSocket::open(server.endpoint).await;
    let mut polling = Polling::open(server.endpoint).await;
    for _ in 0..10 {
        assert_eq!(websocket.frame().await, text("2"));
        websocket.send("3").await;
        assert_eq!(told(&polling.get().await), (200, "2"));
        assert_eq!(told(&polling.post("3").await), (200, "ok"));
    }
    websocket.send("4alive").await;
    assert_eq!(sessions.take(&sid).text().await, "alive");
}

#[tokio::test]
async fn hb_14_pongs_get_through_while_much_is_queued() {
    let config = Config { max_outbox_bytes: 10_000_000, ..config() };
    let (server, sessions) = server::engine(config).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let message = "x".repeat(65_536);
    let mut received = 0;
    for _ in 0..2 {
        (0..100).for_each(|_| session.send(&message));
        loop {
            match client.text().await.as_str() {
                "2" => break client.send("3").await,
                long => received += usize::from(long.len() == 65_537),
            }
        }
    }
    while received < 200 {
        received += usize::from(client.text().await.len() == 65_537);
    }
    client.send("4alive").await;
    assert_eq!(session.text().await, "alive");
}
