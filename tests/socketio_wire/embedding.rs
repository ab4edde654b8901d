//! Socket.IO inside servers of other people: behind other routes, and on streams that hyper did not read.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use engineio::Serve;
use hyper::{Request, Response, body::Incoming};
use socketio::{Config, SocketIo};
use tests::{
    frames::{ACCEPT, Frame, WebSocket, masked, text},
    http::Connection,
    polling::Polling,
    server::Endpoint,
    socket, within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpListener,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{heard, namespace};

/// An application's own service, whose bodies are of a type of their own.
#[derive(Clone)]
struct Pages;

impl Service<Request<Incoming>> for Pages {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(Response::new(format!("the page {}", request.uri().path()))))
    }
}

#[tokio::test]
async fn at_01_02_a_layer_in_front_of_another_service() {
    let io = SocketIo::new(Config::default(), [namespace("/")]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let layered = io.layer(Pages);
    let answer = move |request| {
        let mut layered = layered.clone();
        async move { layered.call(request).await.expect("never fails") }
    };
    tokio::spawn(async move { Serve::default().run(listener, answer, std::future::pending(), ready(())).await });

    let endpoint = Endpoint { address, path: "/socket.io/", query: "EIO=4" };
    let mut connection = Connection::open(address).await;
    for path in ["/", "/socket.io", "/socket.io/other", "/other/socket.io/"] {
        connection.request(&format!("GET {path}"), "").await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.body), (200, format!("the page {path}")));
    }
    connection.request("GET /socket.io/?EIO=4&transport=none", "").await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, &*answer.body), (400, r#"{"code":0,"message":"Transport unknown"}"#));

    let (mut client, _id) = socket::connect(endpoint, "/").await;
    client.send(r#"42["echo","by websocket"]"#).await;
    assert_eq!(heard(&mut client).await, [text(r#"42["echo","by websocket"]"#)]);
    let mut polling = Polling::open(endpoint).await;
    polling.post("40").await;
    assert!(polling.get().await.body.starts_with("40{\"sid\":\""));
    polling.post(r#"42["echo","by polling"]"#).await;
    assert_eq!(polling.get().await.body, r#"42["echo","by polling"]"#);
    let (mut upgraded, _sid) = WebSocket::open(endpoint).await;
    upgraded.send("2").await;
    while upgraded.frame().await != Frame::End {}
}

/// As a service of its own it has nobody to hand other requests on to.
#[tokio::test]
async fn at_01_a_service_of_its_own() {
    let mut io = SocketIo::new(Config::default(), [namespace("/")]);
    let request =
        |target: &str| Request::get(target).header("host", "localhost").body(String::new()).expect("a request");
    let answer = Service::call(&mut io, request("/other")).await.expect("never fails");
    assert_eq!(answer.status(), 404);
    let answer = Service::call(&mut io, request("/socket.io/?EIO=4&transport=polling")).await.expect("never fails");
    assert_eq!(answer.status(), 200);
    let answer = hyper::service::Service::call(&io, request("/other")).await.expect("never fails");
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn at_01_a_stream_that_another_server_read() {
    let io = SocketIo::new(Config::default(), [namespace("/")]);
    let request = Request::get("/socket.io/?EIO=4&transport=websocket")
        .header("host", "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let (request, ()) = request.body(()).expect("a request").into_parts();
    let (mut ours, theirs) = duplex(64 * 1024);
    within(io.accept(request, theirs)).await.expect("the stream takes the answer");
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {ACCEPT}\r\n\r\n"
    );
    let mut read = vec![0; head.len()];
    within(ours.read_exact(&mut read)).await.expect("an answer");
    assert_eq!(String::from_utf8(read).expect("ASCII"), head);
    let mut open = [0; 2];
    within(ours.read_exact(&mut open)).await.expect("the head of a frame");
    let mut open = vec![0; usize::from(open[1])];
    within(ours.read_exact(&mut open)).await.expect("the open packet");
    ours.write_all(&masked(0x81, b"40")).await.expect("open");
    ours.write_all(&masked(0x81, b"421[\"ack\",7]")).await.expect("open");
    let mut connected = [0; 2 + 32];
    within(ours.read_exact(&mut connected)).await.expect("the CONNECT answer");
    assert!(connected.starts_with(b"\x81\x2040{\"sid\":\""), "{:?}", String::from_utf8_lossy(&connected));
    let mut answer = [0; 2 + 6];
    within(ours.read_exact(&mut answer)).await.expect("an ack");
    assert_eq!(&answer, b"\x81\x06431[7]");
}
