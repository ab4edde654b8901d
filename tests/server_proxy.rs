//! The binary as the front of an application: what is passed on, how, and what is not.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tests::{
    Row,
    application::{Application, Full, Head},
    frames::{HANDSHAKE, TEXT, WebSocket, masked},
    http::Connection,
    polling::Polling,
    port::Refusing,
    process::{Process, command},
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixListener},
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// More than all buffers on the way hold, and what a server that collects bodies would have in memory.
const LARGE: usize = 128 << 20;

/// A server in front of this URL, with these options.
async fn front(upstream: &str, options: &[&str]) -> Process {
    let set = options.iter().flat_map(|option| ["--set", option]);
    let flags = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--upstream", upstream];
    Process::start(command(BINARY, &flags.into_iter().chain(set).collect::<Vec<_>>())).await
}

/// An application and a server in front of it.
async fn both(options: &[&str]) -> (Application, Process) {
    let application = Application::listen().await;
    let server = front(&format!("http://{}", application.address), options).await;
    (application, server)
}

/// What the application sees of a GET with these headers, which it answers.
async fn seen(application: &Application, server: &Process, headers: &str) -> Head {
    let mut client = Connection::open(server.address).await;
    client.request("GET /", headers).await;
    let (mut asked, head) = application.asked().await;
    asked.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    head
}

#[tokio::test]
async fn what_is_not_the_servers_own_goes_to_the_application_as_it_was_asked() {
    let (application, server) = both(&[]).await;
    assert!(server.announced.contains(&format!("all else from http://{}", application.address)));
    let mut client = Connection::open(server.address).await;
    client.send("DELETE /a%20b//c?d=%2F&e HTTP/1.1\r\nHost: shop.example:8080\r\nCookie: a=b\r\nCookie: c=d\r\n").await;
    client.send("Content-Length: 5\r\nX-Odd: \u{e9}\r\n\r\nhello").await;
    let (mut asked, head) = application.asked().await;
    assert_eq!(head.line, "DELETE /a%20b//c?d=%2F&e HTTP/1.1");
    assert_eq!(head.header("host"), "shop.example:8080");
    assert_eq!(head.count("cookie"), 2);
    assert_eq!((head.header("content-length"), head.header("x-odd")), ("5", "\u{e9}"));
    assert_eq!(asked.bytes(5).await, b"hello");
    asked
        .send("HTTP/1.1 418 Short and Stout\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 3\r\n\r\ntea")
        .await;
    assert_eq!(client.until("\r\n").await, "HTTP/1.1 418 Short and Stout\r\n");
    let rest = client.until("\r\n\r\ntea").await;
    assert!(rest.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"), "{rest}");
    // Both connections are good for another request.
    client.request("GET /again", "").await;
    assert_eq!(asked.asked().await.line, "GET /again HTTP/1.1");
    asked.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(client.answer().await.body, "ok");
    let metrics = server.ask("/metrics").await.body;
    for code in ["200", "418"] {
        let line = format!("socketio_proxy_requests_total{{code=\"{code}\"}} 1");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn socket_io_and_the_application_share_a_port() {
    let (application, server) = both(&[]).await;
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("40").await.body, "ok");
    assert!(polling.get().await.body.starts_with("40{\"sid\":"));
    let mut upgraded = polling.upgraded().await;
    let (mut websocket, _) = WebSocket::open(server.endpoint()).await;
    websocket.send("40").await;
    assert!(websocket.text().await.starts_with("40{\"sid\":"));
    server.emit("", "{\"event\":\"news\"}").await;
    assert_eq!(upgraded.text().await, "42[\"news\"]");
    assert_eq!(websocket.text().await, "42[\"news\"]");
    // An application may have a Socket.IO server, too, which nobody is to reach.
    for path in ["//socket.io/", "/%73ocket.io/", "/socket.io/x", "/Socket.IO/", "/x/../socket.io/", "/socket.io/x.js"]
    {
        let path = format!("{path}?EIO=4&transport=polling");
        assert_eq!(server.get(&path, "").await.status, 404, "{path}");
    }
    // Where the server has no scripts of the client, the application may.
    let mut client = Connection::open(server.address).await;
    client.request("GET /socket.io/socket.io.js", "").await;
    let (mut asked, head) = application.asked().await;
    assert_eq!(head.line, "GET /socket.io/socket.io.js HTTP/1.1", "and nothing before");
    asked.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nio").await;
    assert_eq!(client.answer().await.body, "io");
}

#[tokio::test]
async fn what_concerns_one_connection_is_not_passed_on() {
    let (application, server) = both(&[]).await;
    let mut client = Connection::open(server.address).await;
    let headers = "connection: keep-alive, X-Private, host\r\nconnection: x-other\r\nx-private: 1\r\nx-other: 2\r\n\
        keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic eA==\r\nte: trailers\r\n\
        upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\nx-public: 3\r\n";
    client.request("GET /", headers).await;
    let (mut asked, head) = application.asked().await;
    for name in ["x-private", "x-other", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade"] {
        assert_eq!(head.header(name), "", "{name}");
    }
    assert_eq!((head.header("x-public"), head.header("host"), head.header("te")), ("3", "localhost", "trailers"));
    let headers = "connection: close, x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\n\
        upgrade: h2c\r\nx-public: 3\r\n";
    asked.send(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n")).await;
    let answer = client.answer().await;
    for name in ["connection", "x-private", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    assert_eq!(answer.header("x-public"), "3");
}

#[tokio::test]
async fn the_application_is_told_who_asks() {
    let claims = "x-forwarded-for: 192.0.2.7, 10.0.0.1\r\nx-forwarded-proto: https\r\nx-forwarded-host: a.example\r\n\
        x-forwarded-user: root\r\nx_forwarded_for: 192.0.2.8\r\nforwarded: for=192.0.2.9\r\nx-real-ip: 192.0.2.9\r\n\
        socketio-event: connect\r\nSocketIO_Event: connect\r\nwebhook-signature: v1,x\r\nproxy: evil.example\r\n";
    let never = ["x_forwarded_for", "socketio-event", "socketio_event", "webhook-signature", "proxy"];
    let told =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-user", "forwarded", "x-real-ip"];
    for (trusted, claims, expected) in [
        ("[]", claims, ["127.0.0.1", "http", "localhost", "", "", ""]),
        (
            "127.0.0.1",
            claims,
            ["192.0.2.7, 10.0.0.1, 127.0.0.1", "https", "a.example", "root", "for=192.0.2.9", "192.0.2.9"],
        ),
        ("127.0.0.1", "", ["127.0.0.1", "http", "localhost", "", "", ""]),
    ] {
        let _row = Row(trusted);
        let (application, server) = both(&[&format!("server.trusted_proxies={trusted}")]).await;
        let head = seen(&application, &server, claims).await;
        assert_eq!(told.map(|name| head.header(name)), expected);
        assert_eq!(never.map(|name| head.header(name)), [""; 5]);
        assert_eq!(head.header("host"), "localhost", "as the client, or the proxy, has asked");
    }
}

#[tokio::test]
async fn denied_paths_are_not_passed_on() {
    let (application, server) = both(&["proxy.deny=[\"/_socketio\",\"/hooks/secret\"]"]).await;
    for path in
        ["/_socketio", "/_socketio/x?y", "//_SocketIO", "/%5fsocketio", "/x/%2e%2e/_socketio", "/hooks/secret/", "/.."]
    {
        let answer = server.post(path, "{}").await;
        assert_eq!((answer.status, answer.body.as_str()), (404, "There is nothing here.\n"), "{path}");
    }
    let mut client = Connection::open(server.address).await;
    client.request("GET /hooks/secrets", "").await;
    assert_eq!(application.asked().await.1.line, "GET /hooks/secrets HTTP/1.1", "and nothing before");
    // What the application sees counts, too.
    let server = front(&format!("http://{}/app/", application.address), &["proxy.deny=/app/_socketio"]).await;
    assert_eq!(server.get("/_socketio", "").await.status, 404);
    assert_eq!(server.get("/../_socketio", "").await.status, 404);
    client = Connection::open(server.address).await;
    client.request("GET /x?y", "").await;
    assert_eq!(application.asked().await.1.line, "GET /app/x?y HTTP/1.1");
}

#[tokio::test]
async fn requests_that_can_be_read_in_several_ways_are_not_passed_on_as_they_are() {
    let (application, server) = both(&[]).await;
    for (row, request) in [
        ("two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("another host in the target", "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("no path", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        ("no length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc"),
        ("another coding", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (
            "chunks twice",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("unknown coding", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    ] {
        let _row = Row(row);
        let mut client = Connection::open(server.address).await;
        client.send(request).await;
        assert_eq!(client.answer().await.status, 400);
        client.rest().await;
    }
    for (method, status) in [("CONNECT a:80", 405), ("TRACE /", 405)] {
        let mut client = Connection::open(server.address).await;
        client.request(method, "").await;
        assert_eq!(client.head().await.status, status, "{method}");
    }
    // Of two framings chunks count; the length goes, and the connection with the answer.
    for headers in
        ["content-length: 6\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 6\r\n"]
    {
        let mut client = Connection::open(server.address).await;
        client.request("POST /first", headers).await;
        client.send("0\r\n\r\nGET /second HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let (mut asked, head) = application.asked().await;
        assert_eq!(head.line, "POST /first HTTP/1.1", "and nothing before");
        assert_eq!((head.count("content-length"), head.header("transfer-encoding")), (0, "chunked"));
        assert_eq!(asked.bytes(5).await, b"0\r\n\r\n");
        asked.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(client.rest().await, b"");
    }
}

#[tokio::test]
async fn answers_that_are_framed_twice_are_read_by_their_chunks() {
    let (application, server) = both(&[]).await;
    let mut client = Connection::open(server.address).await;
    client.request("GET /", "").await;
    let (mut asked, _) = application.asked().await;
    asked
        .send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        .await;
    let head = client.head().await;
    assert_eq!((head.header("content-length"), head.header("transfer-encoding")), ("", "chunked"));
    assert_eq!(client.until("0\r\n\r\n").await, "5\r\nhello\r\n0\r\n\r\n");
}

#[tokio::test]
async fn bodies_pass_bit_by_bit_both_ways() {
    let (application, server) = both(&[]).await;
    let mut client = Connection::open(server.address).await;
    client
        .request("POST /", "transfer-encoding: chunked\r\nexpect: 100-continue\r\ntrailer: x-sum\r\nte: trailers\r\n")
        .await;
    let (mut asked, head) = application.asked().await;
    assert_eq!((head.header("expect"), head.header("trailer")), ("", "x-sum"));
    assert_eq!(client.head().await.status, 100);
    for part in ["one", "two"] {
        client.send(format!("3\r\n{part}\r\n")).await;
        assert_eq!(asked.until("\r\n").await, "3\r\n");
        assert_eq!(asked.until("\r\n").await, format!("{part}\r\n"));
    }
    client.send("0\r\nx-sum: 7\r\n\r\n").await;
    assert_eq!(asked.until("\r\n\r\n").await, "0\r\nx-sum: 7\r\n\r\n");
    // Before the answer there may be others that are not for the client.
    asked
        .send(
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n",
        )
        .await;
    asked.send("trailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, "text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        asked.send(format!("9\r\n{event}\r\n")).await;
        assert_eq!(client.until("\n\n\r\n").await, format!("9\r\n{event}\r\n"));
    }
    asked.send("0\r\nx-end: 8\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "0\r\nx-end: 8\r\n\r\n");
}

#[tokio::test]
async fn trailers_bring_no_headers_that_clients_must_not_send() {
    let (application, server) = both(&[]).await;
    let mut client = Connection::open(server.address).await;
    client.request("POST /", "transfer-encoding: chunked\r\ntrailer: x-real-ip, webhook-id, x-sum\r\n").await;
    client.send("0\r\nx-real-ip: 192.0.2.1\r\nwebhook-id: 1\r\nx-sum: 7\r\n\r\n").await;
    let (mut asked, _) = application.asked().await;
    assert_eq!(asked.until("\r\n\r\n").await, "0\r\nx-sum: 7\r\n\r\n");
}

/// Writes until the other end takes no more for a while, or all is written; gives how much was written.
async fn fill(stream: &mut TcpStream, most: usize) -> usize {
    let (part, mut written) = (vec![b'x'; 64 << 10], 0);
    while written < most {
        match tokio::time::timeout(Duration::from_secs(1), stream.write(&part)).await {
            Ok(count) => written += count.expect("the connection is open"),
            Err(_) => return written,
        }
    }
    written
}

/// The most memory that the process has had, in bytes.
fn peak(server: &Process) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id().expect("it runs"))).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

#[tokio::test]
async fn a_slow_reader_slows_the_writer_and_takes_no_memory() {
    let (application, server) = both(&[]).await;
    let before = peak(&server);
    let mut client = Connection::open_narrow(server.address).await;
    client.request("GET /large", "").await;
    let (mut asked, _) = application.asked().await;
    asked.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n")).await;
    let mut stream = asked.into_stream();
    let written = fill(&mut stream, LARGE).await;
    assert!(written < LARGE / 2, "{written} bytes went nowhere");
    assert_eq!(client.head().await.header("content-length"), LARGE.to_string());
    let rest = tokio::spawn(async move {
        let part = vec![b'x'; 64 << 10];
        let mut left = LARGE - written;
        while left > 0 {
            left -= stream.write(&part[..left.min(part.len())]).await.expect("the server reads");
        }
    });
    for _ in 0..LARGE / (1 << 20) {
        assert!(client.bytes(1 << 20).await.iter().all(|byte| *byte == b'x'));
    }
    within(rest).await.expect("all is written");

    let stream = TcpStream::connect(server.address).await.expect("it listens");
    let mut client = Connection::over(stream);
    client.request("POST /large", &format!("content-length: {LARGE}\r\n")).await;
    let (mut asked, _) = application.asked().await;
    let mut stream = client.into_stream();
    let written = fill(&mut stream, LARGE).await;
    assert!(written < LARGE / 2, "{written} bytes went nowhere");
    let rest = tokio::spawn(async move {
        let part = vec![b'x'; 64 << 10];
        let mut left = LARGE - written;
        while left > 0 {
            left -= stream.write(&part[..left.min(part.len())]).await.expect("the server reads");
        }
        stream
    });
    for _ in 0..LARGE / (1 << 20) {
        asked.bytes(1 << 20).await;
    }
    asked.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(Connection::over(within(rest).await.expect("all is written")).answer().await.status, 200);
    let grown = peak(&server) - before;
    assert!(grown < LARGE / 4, "the server grew by {grown} bytes");
}

#[tokio::test]
async fn websockets_of_other_paths_pass_through() {
    let (application, server) = both(&[]).await;
    let mut client = Connection::open(server.address).await;
    client.request("GET /live", HANDSHAKE).await;
    let (mut asked, head) = application.asked().await;
    assert_eq!((head.header("connection"), head.header("upgrade")), ("upgrade", "websocket"));
    assert_eq!(head.header("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
    asked.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n").await;
    asked.send("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\u{1}early").await;
    let head = client.head().await;
    assert_eq!((head.status, head.header("upgrade")), (101, "websocket"));
    assert_eq!(head.header("sec-websocket-accept"), tests::frames::ACCEPT);
    assert_eq!(client.bytes(6).await, b"\x01early");
    for text in ["hello", "again"] {
        let frame = masked(TEXT, text.as_bytes());
        client.send(&frame).await;
        assert_eq!(asked.bytes(frame.len()).await, frame);
        asked.send(format!("\u{5}{text}")).await;
        assert_eq!(client.bytes(6).await, format!("\u{5}{text}").into_bytes());
    }
    drop(client);
    assert_eq!(asked.rest().await, b"");
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_proxy_requests_total{code=\"101\"} 1"), "{metrics}");
}

#[tokio::test]
async fn upgrades_that_are_refused_or_not_asked_for_are_none() {
    let (application, server) = both(&[]).await;
    // What follows is not read as a request.
    let mut client = Connection::open(server.address).await;
    client.request("GET /live", HANDSHAKE).await;
    client.request("GET /hidden", "").await;
    let (mut asked, _) = application.asked().await;
    asked.send("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection"), answer.body.as_str()), (403, "close", "no"));
    assert_eq!(client.rest().await, b"");
    for (row, headers) in [
        (
            "HTTP/2, whose requests nobody sees",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAA\r\n",
        ),
        ("the same in a list", "connection: upgrade\r\nupgrade: websocket, H2C\r\n"),
        ("no word of it in `Connection`", "upgrade: websocket\r\n"),
        ("with a body", "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n"),
    ] {
        let _row = Row(row);
        let mut client = Connection::open(server.address).await;
        client.request("GET /live", headers).await;
        let (mut asked, head) = application.asked().await;
        assert_eq!((head.header("upgrade"), head.header("http2-settings")), ("", ""));
        // An application that goes on all the same is not followed.
        asked.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 502);
    }
    let mut client = Connection::open(server.address).await;
    client.request("GET /live", "connection: upgrade\r\nupgrade: one, two\r\n").await;
    let (mut asked, _) = application.asked().await;
    asked.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: three\r\nconnection: upgrade\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 502);
}

#[tokio::test]
async fn answers_without_a_body_and_answers_of_old_are_passed_on() {
    let (application, server) = both(&[]).await;
    for (row, request, answer, length) in [
        ("HEAD", "HEAD /", "200 OK\r\ncontent-length: 7", "7"),
        ("204", "GET /", "204 No Content", ""),
        ("304", "GET /", "304 Not Modified\r\netag: \"x\"", ""),
    ] {
        let _row = Row(row);
        let mut client = Connection::open(server.address).await;
        client.request(request, "").await;
        let (mut asked, _) = application.asked().await;
        asked.send(format!("HTTP/1.1 {answer}\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(client.head().await.header("content-length"), length);
        // No byte of a body was sent.
        client.request(request, "").await;
        let (mut asked, _) = application.asked().await;
        asked.send("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        assert_eq!(client.head().await.status, 204);
    }
    let mut client = Connection::open(server.address).await;
    client.request("GET /", "").await;
    let (mut asked, _) = application.asked().await;
    asked.send("HTTP/1.0 200 OK\r\n\r\nup to the end").await;
    drop(asked);
    assert_eq!(client.head().await.header("transfer-encoding"), "chunked");
    assert_eq!(client.until("0\r\n\r\n").await, "D\r\nup to the end\r\n0\r\n\r\n");
    let mut client = Connection::open(server.address).await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    let (mut asked, head) = application.asked().await;
    assert_eq!(head.line, "GET / HTTP/1.1");
    asked.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let answer = String::from_utf8(client.rest().await).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_made_to_look_whole() {
    let (application, server) = both(&[]).await;
    for framing in ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut client = Connection::open(server.address).await;
        client.request("GET /", "").await;
        let (mut asked, _) = application.asked().await;
        asked.send(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
        client.until("half").await;
        drop(asked);
        let rest = client.rest().await;
        assert!(matches!(&rest[..], b"" | b"\r\n"), "{rest:?}");
    }
}

#[tokio::test]
async fn an_application_that_does_not_answer_is_told_of() {
    let (application, mut server) = both(&["proxy.timeout=1500ms"]).await;
    let mut client = Connection::open(server.address).await;
    client.request("GET /slow?secret=1", "cookie: secret\r\n").await;
    let (mut asked, _) = application.asked().await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (504, "The application did not answer in time.\n"));
    assert_eq!(asked.rest().await, b"", "it need not go on");
    let line = server.logged("did not answer in time").await;
    assert!(!line.contains("secret"), "{line}");
    // Once the head is there, a body has as long as it takes.
    client.request("GET /stream", "").await;
    let (mut asked, _) = application.asked().await;
    // The next request has a connection of its own.
    asked.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    tokio::time::sleep(Duration::from_millis(2000)).await;
    asked.send("ok").await;
    assert_eq!(client.bytes(2).await, b"ok");
    client.request("POST /broken", "content-length: 0\r\n").await;
    drop(application.asked().await);
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.as_str()), (502, "The application gave no answer.\n"));
    let nobody = Refusing::bind();
    let server = front(&format!("http://{}", nobody.address), &[]).await;
    // Who still sends gets the answer all the same.
    let body = "x".repeat(500_000);
    let answer = server.post("/", &body).await;
    assert_eq!((answer.status, answer.body.as_str()), (502, "The application cannot be reached.\n"));
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_proxy_requests_total{code=\"502\"} 1"), "{metrics}");
}

#[tokio::test]
async fn connecting_has_its_time() {
    let full = Full::listen().await;
    let server = front(&format!("http://{}", full.address), &["proxy.connect_timeout=200ms"]).await;
    let start = Instant::now();
    let answer = server.get("/", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (502, "The application cannot be reached.\n"));
    assert!(start.elapsed() < Duration::from_secs(5), "and not when the default is over");
}

#[tokio::test]
async fn clients_that_go_away_end_their_requests() {
    let (application, server) = both(&[]).await;
    let mut client = Connection::open(server.address).await;
    client.request("GET /", "").await;
    let (mut asked, _) = application.asked().await;
    drop(client);
    assert_eq!(asked.rest().await, b"", "before the head");
    let mut client = Connection::open(server.address).await;
    client.request("GET /", "").await;
    let (mut asked, _) = application.asked().await;
    asked.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n").await;
    client.until("data: 1\n\n").await;
    drop(client);
    assert_eq!(asked.rest().await, b"", "within the body");
    let mut client = Connection::open(server.address).await;
    client.request("POST /", "content-length: 10\r\n").await;
    client.send("half").await;
    let (mut asked, _) = application.asked().await;
    drop(client);
    assert_eq!(asked.rest().await, b"half", "within their own body");
}

#[tokio::test]
async fn a_connection_that_the_application_closes_meanwhile_costs_no_request() {
    let (application, server) = both(&[]).await;
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let mut client = Connection::open(server.address).await;
    client.request("GET /1", "").await;
    let (mut first, _) = application.asked().await;
    first.send(ok).await;
    assert_eq!(client.answer().await.body, "ok");
    // It is closed just when the next request has arrived, which may be asked again on another one.
    client.request("GET /2", "").await;
    assert_eq!(first.asked().await.line, "GET /2 HTTP/1.1");
    drop(first);
    let (mut second, head) = application.asked().await;
    assert_eq!(head.line, "GET /2 HTTP/1.1");
    second.send(ok).await;
    assert_eq!(client.answer().await.body, "ok");
    // One that may have changed something is not asked again.
    client.request("POST /3", "content-length: 0\r\n").await;
    assert_eq!(second.asked().await.line, "POST /3 HTTP/1.1");
    drop(second);
    assert_eq!(client.answer().await.status, 502);
}

#[tokio::test]
async fn an_application_may_listen_on_a_unix_socket() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proxy");
    fs::create_dir_all(&folder).expect("writable");
    let path = folder.join("app.sock");
    let _gone = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a new file");
    let server = front(&format!("unix:{}", path.display()), &[]).await;
    let mut client = Connection::open(server.address).await;
    client.request("GET /", "").await;
    let (mut stream, _) = within(listener.accept()).await.expect("it listens");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(within(stream.read_buf(&mut head)).await.expect("the server writes") > 0);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nunix").await.expect("the server reads");
    assert_eq!(client.answer().await.body, "unix");
}
