//! The examples of engineio and socketio: each is built, started, and spoken to.

use std::{
    collections::HashMap,
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::LazyLock,
};

use tests::{
    frames::{Frame, HANDSHAKE, WebSocket, closed, text},
    http::Connection,
    polling::Polling,
    server::Endpoint,
    socket, within,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::UnixStream,
    process::{Child, ChildStdout, Command},
};

/// The programs of engineio by their names.
static ENGINEIO: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(|| build("engineio"));

/// Those of socketio.
static SOCKETIO: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(|| build("socketio"));

/// Cargo builds them without a deadline, and says where they are.
fn build(package: &str) -> HashMap<String, PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = std::process::Command::new(cargo)
        .args(["build", "-p", package, "--examples", "--features", "tower", "--message-format=json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "the examples build");
    let messages = String::from_utf8(built.stdout).expect("UTF-8");
    let programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let is_example = message["target"]["kind"][0] == "example";
        let program = message["executable"].as_str().filter(|_| is_example)?;
        Some((message["target"]["name"].as_str()?.to_owned(), program.into()))
    });
    programs.collect()
}

/// A running example; killed when its test is over.
struct Example {
    child: Child,
    /// Where it says it listens.
    place: String,
    /// What it says after that.
    output: Lines<BufReader<ChildStdout>>,
}

impl Example {
    async fn start(program: &Path, argument: &str) -> Self {
        let mut command = Command::new(program);
        command.arg(argument).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = within(output.next_line()).await.expect("UTF-8").expect("a line");
        let place = first.strip_prefix("listening on ").expect("where it listens").to_owned();
        Self { child, place, output }
    }

    async fn tcp(program: &Path, path: &'static str) -> (Self, Endpoint) {
        let example = Self::start(program, "127.0.0.1:0").await;
        let (_, authority) = example.place.split_once("://").expect("a URL");
        let address: SocketAddr = authority.split('/').next().expect("a host").parse().expect("an address");
        (example, Endpoint { address, path, query: "EIO=4" })
    }

    /// Asks it to end, as Ctrl-C does.
    fn interrupt(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    }

    async fn line(&mut self) -> String {
        within(self.output.next_line()).await.expect("UTF-8").expect("a line")
    }
}

#[tokio::test]
async fn echo() {
    let (mut example, endpoint) = Example::tcp(&ENGINEIO["echo"], "/engine.io/").await;
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
    let (_example, endpoint) = Example::tcp(&ENGINEIO["axum"], "/engine.io/").await;
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
    let example = Example::start(&ENGINEIO["unix"], name).await;
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
    let (mut example, endpoint) = Example::tcp(&ENGINEIO["custom_auth"], "/engine.io/").await;
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

#[tokio::test]
async fn at_01_socketio_beside_axum() {
    let (mut example, endpoint) = Example::tcp(&SOCKETIO["axum"], "/socket.io/").await;
    let (mut client, _id) = socket::connect(endpoint, "/").await;
    let (mut other, _id) = socket::connect(endpoint, "/").await;
    let mut page = Connection::open(endpoint.address).await;
    page.request("POST /click", "content-length: 0\r\n").await;
    assert_eq!(page.answer().await.body, "1\n");
    assert_eq!(client.text().await, r#"42["clicks",1]"#);
    assert_eq!(other.text().await, r#"42["clicks",1]"#);
    client.send(r#"420["click"]"#).await;
    assert_eq!(client.text().await, "430[2]");
    assert_eq!(other.text().await, r#"42["clicks",2]"#);
    page.request("GET /", "").await;
    assert_eq!(page.answer().await.body, "2\n");
    page.request("GET /socket.io/other", "").await;
    assert_eq!(page.answer().await.status, 404);
    let mut polling = Polling::open(endpoint).await;
    assert_eq!(polling.post("40").await.body, "ok");
    assert!(polling.get().await.body.starts_with("40{\"sid\":\""));

    polling.send_get().await;
    // The GET waits by the time that requests behind it were answered one by one.
    for _ in 0..10 {
        assert_eq!(polling.post(r#"42["none"]"#).await.body, "ok");
    }
    example.interrupt();
    assert_eq!(client.frame().await, closed(1001));
    assert_eq!(polling.gets.answer().await.body, "1");
    assert!(within(example.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn at_01_socketio_with_hyper() {
    let (_example, endpoint) = Example::tcp(&SOCKETIO["hyper"], "/socket.io/").await;
    let (mut alice, _id) = socket::connect(endpoint, "/").await;
    let (mut bob, _id) = socket::connect(endpoint, "/").await;
    alice.send(r#"420["say","hello"]"#).await;
    assert_eq!(alice.text().await, "430[1]");
    assert_eq!(bob.text().await, r#"42["said","hello"]"#);
    let mut page = Connection::open(endpoint.address).await;
    page.request("GET /", "").await;
    assert_eq!(page.answer().await.body, "2 clients are connected\n");
}
