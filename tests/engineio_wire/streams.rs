//! Servers put together in other ways: two engines behind one port, and connections that are no sockets.

use std::future::pending;

use engineio::{Config, Engine, Listener, Serve, Service};
use tests::{
    frames::{HANDSHAKE, TEXT, masked, text},
    polling::{Polling, sid},
    server::Endpoint,
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpListener,
    sync::{Mutex, mpsc},
};

use crate::{REFUSED, told};

/// Answers each message with the same.
fn echo(path: &str) -> Service {
    let config = Config { path: path.into(), ..Config::default() };
    Service::new(Engine::new(config, |socket, driver| {
        tokio::spawn(driver.run(move |message| socket.send(&message).expect("the session lives")));
    }))
}

#[tokio::test]
async fn up_15_two_engines_behind_one_port_do_not_disturb_each_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (one, other) = (echo("/one/"), echo("/other/"));
    tokio::spawn(async move {
        let serve = Serve::default();
        let serving = serve.run(
            listener,
            move |request| {
                let service = if one.matches(request.uri().path()) { one.clone() } else { other.clone() };
                async move { service.answer(request).await }
            },
            pending(),
            async {},
        );
        serving.await;
    });
    let at = |path| Endpoint { address, path, query: "EIO=4" };
    let mut first = Polling::open(at("/one/")).await;
    let second = Polling::open(at("/other/")).await;

    // Both probe at once, and neither sid is known to the other engine.
    let (mut first_websocket, mut second_websocket) = (first.probing().await, second.probing().await);
    let stranger = Polling::open(at("/one/")).await;
    first.send_get().await;
    assert_eq!(told(&first.gets.answer().await), (200, "6"));
    let mut lost = Polling { sid: second.sid.clone(), ..stranger };
    assert_eq!(told(&lost.get().await), (400, REFUSED[1]));
    for websocket in [&mut first_websocket, &mut second_websocket] {
        websocket.connection.send([masked(TEXT, b"5"), masked(TEXT, b"4a")].concat()).await;
        assert_eq!(websocket.frame().await, text("4a"));
    }
    assert_eq!(told(&first.get().await), (400, REFUSED[3]));
}

/// Connections made in memory.
struct Streams(Mutex<mpsc::Receiver<DuplexStream>>);

impl Listener for Streams {
    type Stream = DuplexStream;

    async fn accept(&self) -> std::io::Result<(DuplexStream, Option<std::net::SocketAddr>)> {
        match self.0.lock().await.recv().await {
            Some(stream) => Ok((stream, None)),
            None => pending().await,
        }
    }
}

/// Writes a request and reads until `last` has come.
async fn ask(client: &mut DuplexStream, request: impl AsRef<[u8]>, last: &[u8]) -> String {
    client.write_all(request.as_ref()).await.expect("the server reads");
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(last) {
            client.read_buf(&mut answer).await.expect("the server answers");
        }
    };
    within(read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The server encrypts nothing itself: whoever owns the listener does, by streams like these, which know of no socket.
#[tokio::test]
async fn tr_25_tls_is_a_stream_like_any_other() {
    let (connect, streams) = mpsc::channel(1);
    let service = echo("/engine.io/");
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };
    let listener = Streams(Mutex::new(streams));
    tokio::spawn(async move { Serve::default().run(listener, answer, pending(), async {}).await });
    let open = async || {
        let (client, server) = tokio::io::duplex(4096);
        connect.send(server).await.expect("the server accepts");
        client
    };

    let target = "/engine.io/?EIO=4&transport=polling";
    let mut polling = open().await;
    let head = "HTTP/1.1\r\nhost: x\r\n";
    let opened = ask(&mut polling, format!("GET {target} {head}\r\n"), b"}").await;
    let sid = sid(opened.rsplit("\r\n").next().expect("a body"));
    ask(&mut polling, format!("POST {target}&sid={sid} {head}content-length: 2\r\n\r\n4a"), b"ok").await;
    ask(&mut polling, format!("GET {target}&sid={sid} {head}\r\n"), b"\r\n\r\n4a").await;

    let mut websocket = open().await;
    let target = "/engine.io/?EIO=4&transport=websocket";
    let opened = ask(&mut websocket, format!("GET {target} {head}{HANDSHAKE}\r\n"), b"}").await;
    assert!(opened.starts_with("HTTP/1.1 101 "), "{opened}");
    ask(&mut websocket, masked(TEXT, b"4a"), b"\x81\x024a").await;
}
