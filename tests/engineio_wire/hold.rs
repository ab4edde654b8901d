//! Applications that have enough to do, and hold back what clients send.

use std::time::Duration;

use engineio::{CloseReason, Config, Message};
use tests::{
    frames::{Frame, PING, TEXT, WebSocket, masked, text},
    polling::Polling,
    server::{self, Session},
};

use crate::told;

fn texts(messages: &[&str]) -> Vec<Message> {
    messages.iter().map(|message| Message::Text((*message).into())).collect()
}

async fn next(session: &mut Session, count: usize) -> Vec<String> {
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(session.text().await);
    }
    messages
}

#[tokio::test]
async fn a_websocket_that_is_held_is_not_read_but_written() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let (hold, another) = (session.socket.hold(), session.socket.hold());
    for message in ["4a", "4b"] {
        client.send(message).await;
    }
    client.connection.send(masked(PING, b"is it read?")).await;
    drop(hold);
    session.send("written");
    assert_eq!(client.frame().await, text("4written"), "and no pong before it");
    drop(another);
    assert_eq!(client.frame().await, Frame::Pong(b"is it read?".to_vec()));
    assert_eq!(next(&mut session, 2).await, ["a", "b"]);
}

#[tokio::test]
async fn posts_wait_while_a_session_is_held() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let hold = session.socket.hold();
    let many = |first: usize| (first..first + 100).map(|n| format!("4{n}")).collect::<Vec<_>>().join("\x1e");
    assert_eq!(told(&client.post(many(0)).await), (200, "ok"));
    assert_eq!(told(&client.post(many(100)).await), (200, "ok"));
    client.send_post(many(200)).await;
    session.send("written");
    assert_eq!(client.get().await.body, "4written");
    assert!(session.is_silent());
    drop(hold);
    let messages = next(&mut session, 300).await;
    assert!(messages.iter().enumerate().all(|(n, message)| *message == n.to_string()), "{messages:?}");
}

#[tokio::test]
async fn a_session_that_ends_hands_over_what_was_held() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let _hold = session.socket.hold();
    assert_eq!(told(&client.post("4a\x1e4b").await), (200, "ok"));
    assert_eq!(told(&client.post("4c\x1e1").await), (200, "ok"));
    assert_eq!(session.ended().await, (CloseReason::TransportClose, texts(&["a", "b", "c"])));
}

/// Its pongs are among what is not read.
#[tokio::test]
async fn a_client_that_is_held_is_not_taken_for_dead() {
    let time = Duration::from_millis(200);
    let config = Config { ping_interval: time, ping_timeout: time, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let hold = session.socket.hold();
    assert_eq!(client.frame().await, text("2"));
    client.send("4late").await;
    client.send("3").await;
    tokio::time::sleep(time * 4).await;
    assert_eq!(session.socket.closed(), None);
    drop(hold);
    assert_eq!(session.text().await, "late");
    assert_eq!(client.frame().await, text("2"), "the pong was heard");
}

/// A client takes a server that does not ping for dead; its answers are all there when it is heard again.
#[tokio::test]
async fn a_client_that_is_held_is_pinged_all_the_same() {
    let time = Duration::from_millis(150);
    let config = Config { ping_interval: time, ping_timeout: time, max_unsolicited_pongs: 0, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let hold = session.socket.hold();
    for _ in 0..5 {
        assert_eq!(client.frame().await, text("2"));
        client.send("3").await;
    }
    client.send("4late").await;
    drop(hold);
    assert_eq!(session.text().await, "late");
    assert_eq!(client.frame().await, text("2"), "the pongs were heard");
}

/// What it does not take has nothing to do with what is not read.
#[tokio::test]
async fn a_client_that_does_not_poll_is_dead_though_it_is_held() {
    let time = Duration::from_millis(20);
    let config = Config { ping_interval: time, ping_timeout: time, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let _hold = session.socket.hold();
    assert_eq!(session.reason().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn a_message_that_is_held_in_its_middle_has_all_its_time_again() {
    let message_timeout = Duration::from_secs(2);
    let (server, sessions) = server::engine(Config { message_timeout, ..Config::default() }).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let message = masked(TEXT, b"4second");
    client.connection.send([&masked(TEXT, b"4first")[..], &message[..9]].concat()).await;
    assert_eq!(session.text().await, "first");
    let hold = session.socket.hold();
    tokio::time::sleep(message_timeout * 3 / 2).await;
    drop(hold);
    // Longer than the driver takes to look at its clock.
    tokio::time::sleep(message_timeout / 10).await;
    client.connection.send(&message[9..]).await;
    assert_eq!(session.text().await, "second");
}

/// However a hold ends while the driver looks at its session, what comes next is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_that_comes_and_goes_leaves_nothing_unread() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    let (holds, held) = std::sync::mpsc::channel();
    let ending = std::thread::spawn(move || {
        for (number, hold) in held.into_iter().enumerate() {
            for _ in 0..number % 500 {
                std::hint::spin_loop();
            }
            drop(hold);
        }
    });
    for number in 0..20_000 {
        let hold = session.socket.hold();
        client.send(&format!("4{number}")).await;
        holds.send(hold).expect("the thread runs");
        assert_eq!(session.text().await, number.to_string());
    }
    drop(holds);
    ending.join().expect("no panic");
}
