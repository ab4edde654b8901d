//! The subcommand `doctor`: what it says of a server that is reached as it should be, and through proxies that are
//! wrong in one thing each.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tests::{
    Row,
    port::Refusing,
    process::{Process, command},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
    time::timeout,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// More than the doctor looks at one server with these options, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server with these options, on any free ports.
async fn start(options: &[&str]) -> Process {
    Process::with_options(BINARY, options).await
}

fn url_of(server: &Process) -> String {
    format!("http://{}", server.address)
}

/// The status of the doctor, and what it says. It is patient, as the machine may be busy, unless the flags say another
/// time.
async fn doctor(url: &str, flags: &[&str]) -> (Option<i32>, String) {
    let patience = if flags.contains(&"--timeout") { &[][..] } else { &["--timeout", "60s"] };
    let mut command = command(BINARY, &[&["doctor", url], flags, patience].concat());
    outcome(&mut command).await
}

async fn outcome(command: &mut tokio::process::Command) -> (Option<i32>, String) {
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").expect("the binary runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

/// The line that begins like this; there is only one.
#[track_caller]
fn line<'a>(said: &'a str, start: &str) -> &'a str {
    let mut lines = said.lines().filter(|line| line.starts_with(start));
    let (Some(only), None) = (lines.next(), lines.next()) else { panic!("not one line with {start:?} in\n{said}") };
    only
}

/// Whether the only failures begin like these.
#[track_caller]
fn fails(said: &str, failures: &[&str]) {
    let found: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("FAIL  ")).collect();
    assert_eq!(found.len(), failures.len(), "{said}");
    for (found, failure) in found.iter().zip(failures) {
        assert!(found.starts_with(failure), "{failure:?} in\n{said}");
        assert!(found.contains("; change: "), "{found}");
    }
}

/// What is wrong with a proxy.
#[derive(Clone, Copy)]
enum Fault {
    /// An upgrade is answered like this.
    Answers(&'static str),
    /// An upgrade is answered by nobody.
    Hangs,
    /// What asks for an upgrade is taken out.
    Strips,
    /// Each connection goes to the next server.
    Alternates,
    /// Requests of a session go to the server of their cookie; so here nothing is wrong.
    KeepsByCookie,
    /// Answers to sessions, and messages, are held back for so long.
    Holds(Duration),
    /// Connections that are quiet for so long are ended.
    Cuts(Duration),
    /// The server is told of another host.
    Renames,
    /// One request is passed on at a time.
    Queues,
    /// The headers of the answer have this, too.
    Adds(&'static str),
}

/// A proxy in front of these servers.
async fn proxy(servers: &[&Process], fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let servers: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let (turn, queue) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(())));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (servers, turn, queue) = (servers.clone(), turn.clone(), queue.clone());
            tokio::spawn(async move {
                let _turn = match fault {
                    Fault::Queues => Some(queue.lock().await),
                    _ => None,
                };
                pass(stream, &servers, &turn, fault).await;
            });
        }
    });
    url
}

/// Passes on one request, and what follows.
async fn pass(mut client: TcpStream, servers: &[SocketAddr], turn: &AtomicUsize, fault: Fault) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if client.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let mut head = String::from_utf8(head).expect("UTF-8");
    let is_upgrade = head.to_lowercase().contains("upgrade: websocket");
    let mut server = turn.fetch_add(1, Ordering::Relaxed) % servers.len();
    let mut added = String::new();
    match fault {
        Fault::Answers(answer) if is_upgrade => {
            let _gone = client.write_all(answer.as_bytes()).await;
            return;
        }
        Fault::Hangs if is_upgrade => return std::future::pending().await,
        Fault::Strips => head = without(&head, &["upgrade:", "connection:"]),
        Fault::Renames => head = without(&head, &["host:"]).replacen("\r\n", "\r\nhost: inner:8000\r\n", 1),
        Fault::KeepsByCookie => {
            let cookie = head.to_lowercase().split_once("cookie: server=").and_then(|(_, rest)| rest[..1].parse().ok());
            server = cookie.unwrap_or(server);
            added = format!("set-cookie: server={server}; path=/; httponly\r\n");
        }
        Fault::Adds(header) => added = format!("{header}\r\n"),
        _ => {}
    }
    let mut stream = TcpStream::connect(servers[server]).await.expect("the server listens");
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    let hold = match fault {
        Fault::Holds(time) if is_upgrade || head.starts_with("GET") && head.contains("&sid=") => time,
        _ => Duration::ZERO,
    };
    let quiet = if let Fault::Cuts(time) = fault { time } else { PATIENCE };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), stream.into_split());
    tokio::select! {
        () = copy(from_client, to_server, Duration::ZERO, PATIENCE) => {}
        () = async {
            let (mut from_server, mut to_client) = (from_server, to_client);
            if !added.is_empty() {
                let mut answer = Vec::new();
                while !answer.windows(2).any(|end| end == b"\r\n") {
                    assert!(from_server.read_buf(&mut answer).await.expect("the server writes") > 0);
                }
                let answer = String::from_utf8(answer).expect("UTF-8").replacen("\r\n", &format!("\r\n{added}"), 1);
                let _gone = to_client.write_all(answer.as_bytes()).await;
            }
            copy(from_server, to_client, hold, quiet).await;
        } => {}
    }
}

/// The same without those lines.
fn without(head: &str, starts: &[&str]) -> String {
    let is_kept = |line: &&str| !starts.iter().any(|start| line.to_lowercase().starts_with(start));
    head.split_inclusive("\r\n").filter(is_kept).collect()
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, hold: Duration, quiet: Duration) {
    let mut buffer = vec![0; 64 << 10];
    let mut is_first = true;
    while let Ok(Ok(count @ 1..)) = timeout(quiet, from.read(&mut buffer)).await {
        // Not that a WebSocket is there, but what comes by it.
        if !(is_first && buffer.starts_with(b"HTTP/1.1 101 ")) {
            tokio::time::sleep(hold).await;
        }
        is_first = false;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_that_is_reached_as_it_should_be_is_fine() {
    let server = start(&["engine.ping_interval=1s"]).await;
    let (status, said) = doctor(&url_of(&server), &[]).await;
    assert_eq!(status, Some(0), "{said}");
    assert!(said.lines().all(|line| line.starts_with("ok    ") || !line.starts_with(['w', 'F'])), "{said}");
    for start in [
        "ok    connection to 127.0.0.1:",
        "ok    polling handshake in ",
        "ok    clock: as this one",
        "ok    polling: 8 requests found their session, ",
        "ok    namespace / lets clients in",
        "ok    polling: what the server sends comes ",
        "ok    upgrade from polling to WebSocket",
        "ok    WebSocket: open in ",
        "ok    pages of http://127.0.0.1:",
        "      waiting for a ping, up to 21s",
        "ok    polling: a GET that waits had its ping after ",
        "ok    WebSocket: a quiet one had its ping after ",
        "11 ok, 0 warn, 0 FAIL",
    ] {
        line(&said, start);
    }
    assert!(
        line(&said, "ok    polling handshake")
            .ends_with("ping_interval 1000 ms, ping_timeout 20000 ms, max_payload 1000000 bytes")
    );
    let (_, said) = doctor(&url_of(&server), &["--quick"]).await;
    assert!(!said.contains("waiting"), "{said}");
}

#[tokio::test]
async fn what_is_asked_for_is_looked_at() {
    let namespaces = "namespace=[{\"name\":\"/chat\",\"max_connections\":1}]";
    let server = start(&["server.path=/app/socket.io/", namespaces]).await;
    let url = url_of(&server);
    for (row, flags, start) in [
        ("another path", &["--path", "/app/socket.io", "--namespace", "/chat"][..], "ok    namespace /chat lets"),
        (
            "an unknown namespace",
            &["--path", "/app/socket.io/", "--namespace", "/x"],
            "warn  namespace /x does not let",
        ),
        ("the wrong path", &[], "FAIL  /socket.io/ answers 404 Not Found"),
    ] {
        let _row = Row(row);
        let (status, said) = doctor(&url, &[flags, &["--quick"]].concat()).await;
        line(&said, start);
        assert_eq!(status, Some(i32::from(start.starts_with("FAIL"))), "{said}");
    }
    // As clients have it, what follows the host is a namespace, or the path that everybody knows.
    let (_, said) = doctor(&format!("{url}/chat"), &["--path", "/app/socket.io/", "--quick"]).await;
    line(&said, "ok    namespace /chat lets clients in");
    let (_, said) = doctor(&format!("{url}/app/socket.io/"), &["--quick"]).await;
    let nowhere = "warn  namespace / does not let this client in: {\"message\":\"Invalid namespace\"}; change: the server has \
                   no such namespace, or its application does not know it: name another one by --namespace, or have \
                   this one there ([[namespace]])";
    line(&said, nowhere);
    let (status, said) = doctor(&server.admin.expect("an admin listener").to_string(), &[]).await;
    line(&said, "FAIL  /socket.io/ answers 404 Not Found: \"There is nothing here. This is the admin listener");
    assert!(said.contains("; change: this is the admin listener, for operators and applications: ask where"), "{said}");
    assert_eq!(status, Some(1));
    let (_, said) = doctor(&format!("{}/chat", server.address), &["--path", "/app/socket.io/", "--quick"]).await;
    line(&said, "ok    namespace /chat lets clients in");
    for wrong in ["a server", "ftp://127.0.0.1/", "http:///x"] {
        assert_eq!(doctor(wrong, &[]).await, (Some(1), String::new()), "{wrong}");
    }
    for flags in [["--origin", "a.example"], ["--namespace", "chat"]] {
        assert_eq!(doctor(&url, &flags).await, (Some(1), String::new()), "{flags:?}");
    }
}

#[tokio::test]
async fn what_does_not_answer_or_is_something_else_is_told() {
    let nobody = Refusing::bind();
    let (status, said) = doctor(&format!("http://{}", nobody.address), &[]).await;
    assert_eq!(status, Some(1));
    fails(&said, &[&format!("{}: cannot be reached: Connection refused", nobody.address)]);
    let (_, said) = doctor("http://nowhere.invalid", &[]).await;
    fails(&said, &["nowhere.invalid: no address for this name"]);
    for (answer, failure, change) in [
        (
            "200 OK\r\n\r\n<html>hello</html>",
            "/socket.io/ answers 200 OK, which is no Engine.IO: \"<html>",
            "nginx `location",
        ),
        (
            "301 Moved\r\nlocation: https://b.example/\r\n\r\n",
            "/socket.io/ answers 301 Moved Permanently to https://b",
            "that URL",
        ),
        ("401 Unauthorized\r\n\r\n", "/socket.io/ answers 401", "`auth_basic off;`"),
        ("502 Bad Gateway\r\n\r\n", "/socket.io/ answers 502", "`proxy_pass`"),
        (
            "400 Bad Request\r\n\r\n{\"code\":5,\"message\":\"Unsupported protocol version\"}",
            "/socket.io/ answers 400",
            "older protocol",
        ),
        (
            "200 OK\r\n\r\n0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":1,\"pingTimeout\":1}",
            "two handshakes",
            "`proxy_cache off;`",
        ),
        ("nonsense", "handshake: no answer", "https://"),
    ] {
        let _row = Row(answer);
        let url = static_server(answer).await;
        let (status, said) = doctor(&url, &["--quick"]).await;
        assert_eq!(status, Some(1), "{said}");
        let found = line(&said, &format!("FAIL  {failure}"));
        assert!(found.split_once("; change: ").is_some_and(|(_, advice)| advice.contains(change)), "{found}");
    }
}

/// A server that gives everybody the same answer.
async fn static_server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") && stream.read_buf(&mut head).await.unwrap_or(0) > 0 {}
            let _gone = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn blocked_upgrades_are_told_with_how() {
    let server = start(&[]).await;
    for (fault, how) in [
        (Fault::Answers("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"), "403 Forbidden instead of 101"),
        (
            Fault::Answers("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n"),
            "426 Upgrade Required instead of",
        ),
        (Fault::Answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"), "200 OK instead of 101"),
        (Fault::Strips, "400 Bad Request instead of 101"),
        (Fault::Hangs, "it hangs, no answer within 3s"),
    ] {
        let _row = Row(how);
        let url = proxy(&[&server], fault).await;
        let flags = if how.starts_with("it hangs") { &["--quick", "--timeout", "3s"][..] } else { &["--quick"] };
        let (status, said) = doctor(&url, flags).await;
        assert_eq!(status, Some(1), "{said}");
        fails(&said, &[&format!("upgrade to WebSocket is blocked: {how}"), &format!("WebSocket is blocked: {how}")]);
        line(&said, "ok    polling: 8 requests found their session");
        for name in ["nginx `proxy_http_version 1.1;", "Caddy", "ALB"] {
            assert!(line(&said, "FAIL  WebSocket").contains(name), "{name} in\n{said}");
        }
    }
}

#[tokio::test]
async fn missing_stickiness_is_told_and_a_cookie_is_enough() {
    let (first, second) = (start(&[]).await, start(&[]).await);
    let url = proxy(&[&first, &second], Fault::Alternates).await;
    let (status, said) = doctor(&url, &["--quick"]).await;
    assert_eq!(status, Some(1), "{said}");
    fails(&said, &["stickiness: 4 of 8 requests came to a server without their session"]);
    for name in
        ["nginx `hash $remote_addr consistent;`", "Caddy `lb_policy cookie`", "ALB the target group's stickiness"]
    {
        assert!(line(&said, "FAIL").contains(name), "{name} in\n{said}");
    }
    line(&said, "ok    WebSocket: open in ");
    let url = proxy(&[&first, &second], Fault::KeepsByCookie).await;
    let (status, said) = doctor(&url, &["--quick"]).await;
    assert_eq!(status, Some(0), "{said}");
    line(&said, "ok    polling: 8 requests found their session by a cookie, ");
    line(&said, "ok    upgrade from polling to WebSocket");
}

#[tokio::test]
async fn what_is_held_back_is_told() {
    let server = start(&[]).await;
    let url = proxy(&[&server], Fault::Holds(Duration::from_millis(1500))).await;
    let (status, said) = doctor(&url, &["--quick", "--timeout", "10s"]).await;
    assert_eq!(status, Some(1), "{said}");
    fails(&said, &["polling: what the server sends comes ", "WebSocket: answers are "]);
    assert!(line(&said, "FAIL  polling").contains("nginx `proxy_buffering off;`, Caddy `flush_interval -1`"), "{said}");
}

#[tokio::test]
async fn one_request_at_a_time_is_told() {
    let server = start(&[]).await;
    let url = proxy(&[&server], Fault::Queues).await;
    let (status, said) = doctor(&url, &["--quick", "--timeout", "5"]).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(line(&said, "FAIL  polling: while a GET waits, a POST is not answered").contains("gunicorn"), "{said}");
}

#[tokio::test]
async fn time_outs_that_are_shorter_than_a_ping_takes_are_told() {
    let server = start(&["engine.ping_interval=8s"]).await;
    let url = proxy(&[&server], Fault::Cuts(Duration::from_secs(2))).await;
    let (status, said) = doctor(&url, &[]).await;
    assert_eq!(status, Some(1), "{said}");
    fails(&said, &["polling: a GET that waits was cut off after ", "WebSocket: a quiet one was cut off after "]);
    for name in ["nginx `proxy_read_timeout 90s;", "Caddy `transport http", "idle_timeout.timeout_seconds = 90"] {
        assert!(line(&said, "FAIL  polling").contains(name), "{name} in\n{said}");
    }
}

#[tokio::test]
async fn origins_are_looked_at_as_browsers_do() {
    let server = start(&["cors.origins=https://a.example"]).await;
    let url = url_of(&server);
    let flags = ["--quick", "--origin", "https://a.example"];
    let (status, said) = doctor(&url, &flags).await;
    assert_eq!(status, Some(0), "{said}");
    line(&said, "ok    pages of https://a.example may read answers, and send cookies");
    line(&said, "ok    pages of https://a.example may read preflights, and send cookies");
    line(&said, "ok    pages of https://a.example may open WebSockets");
    let (status, said) = doctor(&url, &["--quick", "--origin", "https://b.example"]).await;
    assert_eq!(status, Some(1), "{said}");
    fails(
        &said,
        &["pages of https://b.example may not read answers", "pages of https://b.example: 403 Forbidden to a Web"],
    );
    assert!(said.contains("cors.origins = [\"https://b.example\"]"), "{said}");
    let twice = proxy(&[&server], Fault::Adds("access-control-allow-origin: *")).await;
    let (_, said) = doctor(&twice, &flags).await;
    fails(&said, &["pages of https://a.example: answers say twice who may read them"]);
    // A proxy that names another host makes the host's own pages those of another one.
    let server = start(&[]).await;
    let renaming = proxy(&[&server], Fault::Renames).await;
    let (status, said) = doctor(&renaming, &["--quick"]).await;
    assert_eq!(status, Some(1), "{said}");
    let refused = format!("pages of {renaming}: refused as if they were another host's");
    fails(&said, &[&refused]);
    assert!(said.contains("nginx `proxy_set_header Host $http_host;`"), "{said}");
}

#[tokio::test]
async fn servers_that_lack_a_transport_are_told_so() {
    let server = start(&["engine.transports=polling"]).await;
    let (status, said) = doctor(&url_of(&server), &["--quick"]).await;
    assert_eq!(status, Some(0), "{said}");
    line(&said, "warn  upgrade: the server offers no WebSocket");
    line(&said, "warn  WebSocket: the server has none (400 Bad Request)");
    let server = start(&["engine.transports=websocket"]).await;
    let (status, said) = doctor(&url_of(&server), &["--quick"]).await;
    assert_eq!(status, Some(0), "{said}");
    line(&said, "warn  polling: the server has none");
    line(&said, "ok    WebSocket: open in ");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    let server = start(&[]).await;
    let late = proxy(&[&server], Fault::Adds("date: Tue, 01 Jan 2019 00:00:00 GMT")).await;
    let (status, said) = doctor(&late, &["--quick"]).await;
    assert_eq!(status, Some(0), "{said}");
    assert!(line(&said, "warn  clock: that of the server is ").contains(" s behind; change: set the clock"), "{said}");
}

#[tokio::test]
async fn certificates_are_looked_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doctor");
    fs::create_dir_all(&folder).expect("writable");
    let (cert, key) = (folder.join("cert.pem").display().to_string(), folder.join("key.pem").display().to_string());
    let CertifiedKey { cert: drawn, signing_key } = generate_simple_self_signed(["localhost".into()]).expect("drawn");
    fs::write(&cert, drawn.pem()).expect("writable");
    fs::write(&key, signing_key.serialize_pem()).expect("writable");
    let server = start(&[&format!("server.tls_cert={cert}"), &format!("server.tls_key={key}")]).await;
    let url = format!("https://localhost:{}", server.address.port());
    let CertifiedKey { cert: other, .. } = generate_simple_self_signed(["localhost".into()]).expect("drawn");
    let others = folder.join("others.pem").display().to_string();
    fs::write(&others, other.pem()).expect("writable");
    let ip = format!("https://127.0.0.1:{}", server.address.port());
    for (url, trusted, flags, failure, change) in [
        (&url, &cert, &[][..], "", ""),
        (&url, &others, &[], "TLS fails: ", "`ssl_certificate`"),
        (&ip, &cert, &[], "TLS fails: ", "for this name"),
        (&ip, &others, &["--insecure"], "", ""),
    ] {
        let _row = Row(failure);
        let mut command = command(BINARY, &[&["doctor", url, "--quick", "--timeout", "60s"], flags].concat());
        let (status, said) = outcome(command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR")).await;
        let words = said.lines().find(|line| line.starts_with("FAIL")).unwrap_or_default();
        assert!(words.contains(failure) && words.contains(change), "{said}");
        assert_eq!(status, Some(i32::from(!failure.is_empty())), "{said}");
        if failure.is_empty() {
            let tls =
                if flags.is_empty() { "ok    TLS with a certificate" } else { "warn  TLS: the certificate was not" };
            line(&said, tls);
            line(&said, "ok    upgrade from polling to WebSocket");
        }
    }
    let (_, said) = doctor(&url_of(&server), &["--quick"]).await;
    fails(&said, &["handshake: no answer"]);
    let plain = start(&[]).await;
    let url = format!("https://localhost:{}", plain.address.port());
    let mut command = command(BINARY, &["doctor", &url, "--timeout", "60s"]);
    let (_, said) = outcome(command.env("SSL_CERT_FILE", &cert)).await;
    assert!(line(&said, "FAIL  localhost:").contains("no TLS is spoken there: ask for http://"), "{said}");
}
