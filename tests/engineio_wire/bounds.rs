//! What one client may cost, and what a sender gets to know of a client that is slow.

use std::time::Duration;

use engineio::{CloseReason, Config, Frame as Encoded, Message, SendError, Sent, TransportFault};
use futures_util::FutureExt;
use tests::{
    Row,
    frames::{BINARY, CLOSED, Frame, TEXT, WebSocket, closed, masked, text},
    http::Connection,
    polling::Polling,
    server::{self, Session},
    within,
};
use tokio::time::Instant;

use crate::{REFUSED, broken, told};

/// More than the system's socket buffers hold, in messages of [`LARGE`] bytes.
const MANY: usize = 64;
const LARGE: usize = 500_000;

/// Room for all of them.
fn roomy() -> Config {
    Config { max_outbox_bytes: 2 * MANY * LARGE, ..Config::default() }
}

/// Sends more than a client takes that does not read.
fn block(session: &Session) {
    let frame = Encoded::binary(&vec![7; LARGE]);
    (0..MANY).for_each(|_| session.socket.send_frames(&frame, &[]).expect("there is room"));
}

fn volatile(session: &Session, message: &str) -> Result<Sent, SendError> {
    session.socket.send_volatile(&Encoded::text(&[message]), &[])
}

#[tokio::test]
async fn c21_a_body_that_is_late_ends_the_session() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    let config = Config { body_timeout: TIMEOUT, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let rows = [
        ("nothing of it", "content-length: 2\r\n", ""),
        ("a part of it", "content-length: 10\r\n", "4a"),
        ("no end of it", "transfer-encoding: chunked\r\n", "2\r\n4a\r\n"),
    ];
    for (label, headers, part) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint).await;
        client.send_get().await;
        server.waiting(1).await;
        let since = Instant::now();
        client.begin_post(headers).await;
        client.posts.send(part).await;
        let answer = client.posts.answer().await;
        assert_eq!((told(&answer), answer.header("connection")), ((408, ""), "close"));
        assert!(since.elapsed() >= TIMEOUT);
        assert_eq!(told(&client.gets.answer().await), (200, "1"));
        assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PostTimeout));
        assert_eq!(told(&client.get().await), (400, REFUSED[1]));
    }
}

#[tokio::test]
async fn a_budget_over_a_websocket() {
    let (server, sessions) = server::engine(Config::default()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    session.socket.limit(Some(10));
    // Packets without a message cost nothing, and each message what it has behind its type.
    let within_it = [masked(TEXT, b"3"), masked(TEXT, b"4"), masked(TEXT, "4éé".as_bytes()), masked(BINARY, b"123456")];
    client.connection.send(within_it.concat()).await;
    assert_eq!(session.text().await, "");
    assert_eq!(session.text().await, "éé");
    assert_eq!(session.message().await, Message::Binary(b"123456".to_vec().into()));
    client.connection.send([masked(TEXT, b"4a"), masked(TEXT, b"4")].concat()).await;
    assert_eq!(client.frame().await, closed(1009));
    assert_eq!(client.frame().await, Frame::End);
    assert_eq!(session.reason().await, broken(TransportFault::TooLarge));

    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let mut session = sessions.take(&sid);
    session.socket.limit(Some(1));
    client.send("4a").await;
    assert_eq!(session.text().await, "a");
    session.socket.limit(None);
    client.send("4more than that").await;
    assert_eq!(session.text().await, "more than that");
}

#[tokio::test]
async fn a_budget_over_polling() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    session.socket.limit(Some(3));
    client.send_get().await;
    server.waiting(1).await;
    assert_eq!(told(&client.post("4a\x1e4bc").await), (200, "ok"));
    assert_eq!(told(&client.post("4\x1e4d\x1e4e").await), (400, REFUSED[3]));
    assert_eq!(told(&client.gets.answer().await), (200, "1"));
    let (reason, messages) = session.ended().await;
    assert_eq!(reason, broken(TransportFault::TooLarge));
    assert_eq!(messages, ["a", "bc", ""].map(|message| Message::Text(message.into())));
}

#[tokio::test]
async fn m2_no_more_messages_wait_than_may() {
    let config = Config { max_outbox_messages: 3, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    // What left does not count any more.
    for _ in 0..2 {
        ["a", "b", "c"].iter().for_each(|message| session.send(message));
        assert_eq!(told(&client.get().await), (200, "4a\x1e4b\x1e4c"));
    }
    ["a", "b", "c"].iter().for_each(|message| session.send(message));
    let message = Message::Text("d".into());
    assert_eq!(session.socket.send(&message), Err(SendError::Closed(CloseReason::SlowConsumer)));
    assert_eq!(session.reason().await, CloseReason::SlowConsumer);
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

#[tokio::test]
async fn ev_10_11_volatile_messages_over_polling() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    assert_eq!(volatile(&session, "nobody asks"), Ok(Sent::Dropped));
    session.send("regular");
    assert_eq!(volatile(&session, "behind another"), Ok(Sent::Dropped));
    assert_eq!(told(&client.get().await), (200, "4regular"));
    client.send_get().await;
    server.waiting(1).await;
    assert_eq!(volatile(&session, "asked for"), Ok(Sent::Queued));
    assert_eq!(volatile(&session, "second in a row"), Ok(Sent::Dropped));
    session.send("EV-11: regular");
    assert_eq!(told(&client.gets.answer().await), (200, "4asked for\x1e4EV-11: regular"));
    assert_eq!(told(&client.post("1").await), (200, "ok"));
    assert_eq!(volatile(&session, "gone"), Err(SendError::Closed(CloseReason::TransportClose)));
}

#[tokio::test]
async fn ev_10_11_volatile_messages_over_a_websocket() {
    let (server, sessions) = server::engine(roomy()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    let with_binary = [Encoded::text(&["with"]), Encoded::binary(b"bytes")];
    assert_eq!(session.socket.send_volatile(&with_binary[0], &with_binary[1..]), Ok(Sent::Queued));
    assert_eq!(session.socket.send_volatile(&with_binary[0], &with_binary[1..]), Ok(Sent::Dropped), "all or nothing");
    assert_eq!(volatile(&session, "second in a row"), Ok(Sent::Dropped));
    session.send("EV-11: regular");
    assert_eq!(client.frame().await, text("4with"));
    assert_eq!(client.frame().await, Frame::Binary(b"bytes".to_vec()));
    assert_eq!(client.frame().await, text("4EV-11: regular"));

    block(&session);
    tokio::task::yield_now().await;
    assert_eq!(volatile(&session, "too slow"), Ok(Sent::Dropped));
    for _ in 0..MANY {
        assert!(matches!(client.frame().await, Frame::Binary(_)));
    }
    within(session.socket.flushed()).await.expect("all was read");
    assert_eq!(volatile(&session, "ready again"), Ok(Sent::Queued));
    assert_eq!(client.frame().await, text("4ready again"));
}

/// The last batch is not in the outbox any more, nor with the client.
#[tokio::test]
async fn ev_10_a_client_that_holds_up_a_single_message_is_not_ready() {
    let config = Config { max_payload: 16_000_000, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let connection = Connection::open_narrow(server.endpoint.address).await;
    let (mut client, sid) = WebSocket::open_on(connection, server.endpoint).await;
    let session = sessions.take(&sid);
    within(session.socket.flushed()).await.expect("the open packet was read");
    session.socket.send_frames(&Encoded::binary(&vec![7; 12_000_000]), &[]).expect("there is room");
    while session.socket.outbox_bytes() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(volatile(&session, "too slow"), Ok(Sent::Dropped));
    assert_eq!(session.socket.flushed().now_or_never(), None);
    assert!(matches!(client.frame().await, Frame::Binary(data) if data.len() == 12_000_000));
    within(session.socket.flushed()).await.expect("all was read");
    assert_eq!(volatile(&session, "ready again"), Ok(Sent::Queued));
    assert_eq!(client.frame().await, text("4ready again"));
}

#[tokio::test]
async fn m4_writers_wait_for_a_client_that_polls() {
    let config = Config { max_outbox_bytes: 1000, max_outbox_messages: 8, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    within(session.socket.flushed()).await.expect("nothing was sent");
    within(session.socket.room()).await.expect("nothing was sent");
    let rows = [
        ("half of the bytes", vec!["x".repeat(500)]),
        ("half of the messages", ["a", "b", "c", "d"].map(str::to_owned).to_vec()),
    ];
    for (label, messages) in rows {
        let _row = Row(label);
        session.send("little");
        assert_eq!(session.socket.room().now_or_never(), Some(Ok(())));
        assert_eq!(session.socket.flushed().now_or_never(), None);
        messages.iter().for_each(|message| session.send(message));
        assert!(session.socket.outbox_bytes() > messages.iter().map(String::len).sum());
        let (flushed, room) = (session.socket.flushed(), session.socket.room());
        let waits = async { tokio::join!(flushed, room) };
        let (woken, answer) = within(async { tokio::join!(biased; waits, client.get()) }).await;
        assert_eq!(woken, (Ok(()), Ok(())));
        assert_eq!(answer.body, format!("4little\x1e4{}", messages.join("\x1e4")));
        assert_eq!(session.socket.outbox_bytes(), 0);
    }
}

#[tokio::test]
async fn m4_writers_wait_for_a_websocket() {
    let (server, sessions) = server::engine(roomy()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    block(&session);
    session.send("last");
    assert_eq!(session.socket.flushed().now_or_never(), None);
    block(&session);
    assert_eq!(session.socket.room().now_or_never(), None);
    let waits = tokio::spawn({
        let socket = session.socket.clone();
        async move { (socket.room().await, socket.flushed().await) }
    });
    for _ in 0..2 * MANY {
        let frame = client.frame().await;
        assert!(matches!(frame, Frame::Binary(_)) || frame == text("4last"));
    }
    client.frame().await;
    assert_eq!(within(waits).await.expect("no panic"), (Ok(()), Ok(())));
    assert_eq!(session.socket.outbox_bytes(), 0);
}

/// The driver writes on one thread while a writer waits on another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn m4_no_wake_up_is_lost_between_threads() {
    const ROUNDS: usize = 200;
    let (server, sessions) = server::engine(Config::default()).await;
    let clients = (0..4).map(|_| {
        let connection = Connection::open_narrow(server.endpoint.address);
        let sessions = &sessions;
        async move {
            let (mut client, sid) = WebSocket::open_on(connection.await, server.endpoint).await;
            let socket = sessions.take(&sid).socket;
            let reading = tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    client.frame().await;
                }
                client
            });
            let frame = Encoded::binary(&vec![7; 100_000]);
            for _ in 0..ROUNDS {
                socket.send_frames(&frame, &[]).expect("the session lives");
                within(socket.flushed()).await.expect("the session lives");
            }
            reading.await.expect("no panic")
        }
    });
    futures_util::future::join_all(clients).await;
}

#[tokio::test]
async fn m4_writers_hear_when_the_client_leaves() {
    let (server, sessions) = server::engine(roomy()).await;
    let left = SendError::Closed(CloseReason::TransportClose);

    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    block(&session);
    let waits = async { tokio::join!(session.socket.flushed(), session.socket.room()) };
    let (woken, answer) = within(async { tokio::join!(biased; waits, client.post("1")) }).await;
    assert_eq!((woken, told(&answer)), ((Err(left), Err(left)), (200, "ok")));

    let (client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    block(&session);
    block(&session);
    let socket = session.socket.clone();
    let waits = tokio::spawn(async move { tokio::join!(socket.flushed(), socket.room()) });
    tokio::task::yield_now().await;
    drop(client);
    let woken = within(waits).await.expect("no panic");
    let reason = session.reason().await;
    assert_eq!(woken, (Err(SendError::Closed(reason)), Err(SendError::Closed(reason))));
    assert!(matches!(reason, CloseReason::TransportClose | CloseReason::TransportError(TransportFault::Io(_))));
}

#[tokio::test]
async fn cl_11_what_left_before_an_orderly_close_was_flushed() {
    let (server, sessions) = server::engine(roomy()).await;
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let session = sessions.take(&sid);
    block(&session);
    let flushed = session.socket.flushed();
    session.socket.close();
    let read = async { while client.frame().await != CLOSED {} };
    assert_eq!(within(async { tokio::join!(flushed, read) }).await.0, Ok(()));
    // Asked for when it is long over, too.
    let socket = session.socket.clone();
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
    assert_eq!(socket.flushed().now_or_never(), Some(Ok(())));
}

#[tokio::test]
async fn m4_writers_hear_when_the_client_is_too_slow() {
    let (server, sessions) = server::engine(Config { max_outbox_messages: 3, ..Config::default() }).await;
    let client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let socket = session.socket.clone();
    ["a", "b", "c"].iter().for_each(|message| session.send(message));
    let slow = SendError::Closed(CloseReason::SlowConsumer);
    let waits = tokio::spawn(async move { tokio::join!(socket.flushed(), socket.room()) });
    tokio::task::yield_now().await;
    assert_eq!(session.socket.send(&Message::Text("d".into())), Err(slow));
    assert_eq!(within(waits).await.expect("no panic"), (Err(slow), Err(slow)));
}

#[tokio::test]
async fn sessions_expire_unless_that_is_taken_back() {
    const TIME: Duration = Duration::from_millis(50);
    let config = Config { ping_interval: 20 * TIME, ..Config::default() };
    let (server, sessions) = server::engine(config).await;
    let since = Instant::now();
    let (mut client, sid) = WebSocket::open(server.endpoint).await;
    let (mut kept, kept_sid) = WebSocket::open(server.endpoint).await;
    let mut polling = Polling::open(server.endpoint).await;
    polling.send_get().await;
    server.waiting(1).await;
    let [session, kept_session, polling_session] = [&sid, &kept_sid, &polling.sid].map(|sid| sessions.take(sid));
    kept_session.socket.expire(Some(TIME));
    session.socket.expire(Some(TIME));
    polling_session.socket.expire(Some(TIME));
    kept_session.socket.expire(None);
    assert_eq!(told(&polling.gets.answer().await), (200, "1"));
    assert_eq!(client.frame().await, CLOSED);
    assert!(since.elapsed() >= TIME);
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
    assert_eq!(polling_session.reason().await, CloseReason::ForcedClose);
    assert_eq!(kept.frame().await, text("2"));
    assert_eq!(kept_session.socket.closed(), None);
}
