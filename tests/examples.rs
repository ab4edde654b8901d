//! The examples of engineio: each is built, started, and spoken to.

use std::{env, fs};

use tests::{
    example::Example,
    frames::{Frame, HANDSHAKE, WebSocket, text},
    http::Connection,
    polling::Polling,
    server::Endpoint,
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

async fn tcp(name: &str) -> (Example, Endpoint) {
    let (example, address) = Example::tcp("engineio", name, &[]).await;
    (example, Endpoint { address, path: "/engine.io/", query: "EIO=4" })
}

#[tokio::test]
async fn echo() {
    let (mut example, endpoint) = tcp("echo").await;
    let (mut client, _sid) = WebSocket::open(endpoint).await;
    client.send("4hello").await;
    assert_eq!(client.text().await, "4hello");
    client.send_binary(&[1, 2, 3]).await;
    assert_eq!(client.frame().await, Frame::Binary(vec![1, 2, 3]));
    client.send("1").await;
    assert_eq!(example.line().await, "a client left: transport close");
}

#[tokio::test]
async fn at_01_axum() {
    let (_example, endpoint) = tcp("axum").await;
    let mut connection = Connection::open(endpoint.address).await;
    connection.request("GET /", "").await;
    assert_eq!(connection.answer().await.body, "Engine.IO is at /engine.io/\n");
    let mut polling = Polling::open(endpoint).await;
    assert_eq!(polling.post("4by polling").await.body, "ok");
    assert_eq!(polling.get().await.body, "4BY POLLING");
    let (mut websocket, _sid) = WebSocket::open(endpoint).await;
    websocket.send("4by websocket").await;
    assert_eq!(websocket.text().await, "4BY WEBSOCKET");
    connection.request("GET /sessions", "").await;
    assert_eq!(connection.answer().await.body, "2\n");
    connection.request("GET /engine.io/other", "").await;
    assert_eq!(connection.answer().await.status, 404);
}

#[tokio::test]
async fn at_01_unix() {
    let socket = env::temp_dir().join(format!("engineio-{}.sock", std::process::id()));
    let name = socket.to_str().expect("UTF-8");
    let example = Example::start("engineio", "unix", name, &[]).await;
    assert_eq!(example.place, name);
    let mut stream = within(UnixStream::connect(&socket)).await.expect("it listens");
    let line = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: localhost\r\n";
    let request = format!("{line}x-real-ip: 192.0.2.1\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\"maxPayload\":1000000}\x1e4hello, 192.0.2.1"), "{answer}");
    drop(example);
    fs::remove_file(socket).expect("it was there");
}

#[tokio::test]
async fn hs_15_22_24_31_custom_auth() {
    let (mut example, endpoint) = tcp("custom_auth").await;
    let mut connection = Connection::open(endpoint.address).await;
    connection.request(&format!("GET {}", endpoint.target("polling")), "").await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, &*answer.body), (403, r#"{"code":4,"message":"neither token nor cookie"}"#));
    assert_eq!(example.line().await, "refused: MIDDLEWARE_FAILURE (neither token nor cookie)");
    connection.request("GET /engine.io/?EIO=3&transport=polling", "").await;
    assert_eq!(connection.answer().await.status, 400);
    assert_eq!(example.line().await, "refused: UNSUPPORTED_PROTOCOL_VERSION (Unsupported protocol version)");

    let (mut by_token, sid) = WebSocket::open(endpoint.asked("EIO=4&token=open-sesame")).await;
    assert!(sid.starts_with("m1-"), "{sid}");
    assert_eq!(by_token.frame().await, text("4let in by token"));
    let cookie = format!("cookie: theme=dark; user=alice\r\n{HANDSHAKE}");
    connection.request(&format!("GET {}", endpoint.target("websocket")), &cookie).await;
    assert_eq!(connection.head().await.status, 101);
    let mut by_cookie = WebSocket { connection };
    assert!(by_cookie.text().await.starts_with("0{\"sid\":\"m1-"));
    assert_eq!(by_cookie.text().await, "4let in by cookie");
}
