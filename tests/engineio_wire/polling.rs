//! The two kinds of requests of a session that polls, and what happens when they overlap or break off.

use engineio::{Config, Message, TransportFault};
use tests::{http::Connection, polling::Polling, server};

use crate::{REFUSED, broken, told};

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

fn binary(data: &[u8]) -> Message {
    Message::Binary(data.to_vec().into())
}

#[tokio::test]
async fn tr_01_27_a_post_is_answered_ok() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let answer = client.post("4hello").await;
    assert_eq!(told(&answer), (200, "ok"));
    assert_eq!(answer.header("content-type"), "text/html");
    assert_eq!(answer.header("content-length"), "2");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(sessions.take(&client.sid).text().await, "hello");
}

#[tokio::test]
async fn tr_02_03_21_packets_of_a_payload_keep_their_order_both_ways() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let payload = "4a\x1e4€ 日本 🦀 \u{e000}\x1ebAQIDBA==\x1e4\x1eb+/8=\x1e4c";
    let messages =
        [text("a"), text("€ 日本 🦀 \u{e000}"), binary(&[1, 2, 3, 4]), text(""), binary(&[0xfb, 0xff]), text("c")];

    assert_eq!(told(&client.post(payload).await), (200, "ok"));
    for message in &messages {
        assert_eq!(session.message().await, *message);
    }

    for message in &messages {
        session.socket.send(message).expect("the session lives");
    }
    let answer = client.get().await;
    assert_eq!(told(&answer), (200, payload));
    assert_eq!(answer.header("content-type"), "text/plain; charset=UTF-8");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn tr_10_a_waiting_get_is_answered_with_the_next_message() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    for message in ["a", "b"] {
        client.send_get().await;
        server.waiting(1).await;
        session.send(message);
        assert_eq!(told(&client.gets.answer().await), (200, format!("4{message}").as_str()));
    }
}

#[tokio::test]
async fn tr_20_a_connection_per_request_does_no_harm() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    for message in ["a", "b"] {
        client.begin_post("connection: close\r\ncontent-length: 2\r\n").await;
        client.posts.send(format!("4{message}")).await;
        assert_eq!(told(&client.posts.answer().await), (200, "ok"));
        assert_eq!(client.posts.rest().await, b"");
        client.posts = Connection::open(server.endpoint.address).await;
        assert_eq!(session.text().await, message);
    }
}

/// The reference answers the second with an empty body; here all refusals look alike.
#[tokio::test]
async fn tr_11_b1_a_second_get_ends_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.send_get().await;
    server.waiting(1).await;
    let mut second = Connection::open(server.endpoint.address).await;
    second.request(&format!("GET {}", client.target()), "").await;
    assert_eq!(told(&second.answer().await), (400, REFUSED[3]));
    assert_eq!(told(&client.gets.answer().await), (200, "1"));
    assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PollOverlap));
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

/// The reference cuts the first one off; here every request is answered.
#[tokio::test]
async fn tr_12_b3_a_second_post_ends_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.begin_post("content-length: 10\r\n").await;
    client.posts.send("4abc").await;
    server.waiting(1).await;
    let mut second = Connection::open(server.endpoint.address).await;
    second.request(&format!("POST {}", client.target()), "content-length: 2\r\n").await;
    second.send("4x").await;
    assert_eq!(told(&second.answer().await), (400, REFUSED[3]));
    assert_eq!(told(&client.posts.answer().await), (400, REFUSED[3]));
    assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PostOverlap));
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

#[tokio::test]
async fn cl_08_b4_a_get_that_breaks_off_ends_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.send_get().await;
    server.waiting(1).await;
    client.gets = Connection::open(server.endpoint.address).await;
    assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PollAborted));
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}

#[tokio::test]
async fn cl_09_b5_a_post_that_breaks_off_ends_the_session() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    client.send_get().await;
    client.begin_post("content-length: 10\r\n").await;
    client.posts.send("4abc").await;
    server.waiting(2).await;
    client.posts = Connection::open(server.endpoint.address).await;
    assert_eq!(sessions.take(&client.sid).reason().await, broken(TransportFault::PostAborted));
    assert_eq!(told(&client.gets.answer().await), (200, "1"));
    assert_eq!(told(&client.post("4x").await), (400, REFUSED[1]));
}

#[tokio::test]
async fn cl_10_a_post_is_cut_off_when_its_session_ends() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    client.begin_post("content-length: 10\r\n").await;
    server.waiting(1).await;
    session.socket.close();
    assert_eq!(told(&client.get().await), (200, "6\x1e1"));
    assert_eq!(told(&client.posts.answer().await), (400, REFUSED[3]));
}
