//! The binary from outside: its process, its port, its files, its API.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tests::{
    Row,
    frames::{WebSocket, closed},
    http::Connection,
    polling::Polling,
    process::{Process, command, run},
    within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Starts it on any free port.
async fn start(arguments: &[&str]) -> Process {
    Process::start(command(BINARY, &[&["--listen", "127.0.0.1:0"], arguments].concat())).await
}

/// A client in namespace `/`, behind its welcome; with the id of its socket.
async fn join(server: &Process) -> (WebSocket, String) {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    let connect = client.text().await;
    let id = connect.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.strip_suffix("\"}")).expect("a CONNECT");
    assert!(client.text().await.starts_with("42[\"welcome\","));
    (client, id.to_owned())
}

#[tokio::test]
async fn sigint_and_sigterm_close_transports_without_disconnect_packets() {
    for signal in ["INT", "TERM"] {
        let _row = Row(signal);
        let mut server = start(&[]).await;
        let (mut websocket, _) = join(&server).await;
        let mut polling = Polling::open(server.endpoint()).await;
        assert_eq!(polling.post("40").await.body, "ok");
        // The CONNECT answer and the welcome.
        polling.get().await;
        polling.send_get().await;
        // The GET waits by the time that requests behind it were answered one by one.
        for _ in 0..10 {
            assert_eq!(polling.post("6").await.body, "ok");
        }
        server.signal(signal);
        assert_eq!(websocket.frame().await, closed(1001));
        assert_eq!(polling.gets.answer().await.body, "1");
        assert!(within(server.child.wait()).await.expect("it ends").success());
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let mut server = start(&[]).await;
    // A peer that answers no close, and a request whose body is waited for, keep the first signal's goodbye waiting.
    let (websocket, _) = join(&server).await;
    let mut idle = Connection::open(server.address).await;
    idle.request("POST /api/v1/emit", "content-length: 2\r\nexpect: 100-continue\r\n").await;
    assert_eq!(idle.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("TERM");
    within(async {
        while let Some(line) = server.output.next_line().await.expect("UTF-8") {
            if line.contains("closing") {
                break;
            }
        }
    })
    .await;
    server.signal("TERM");
    assert_eq!(within(server.child.wait()).await.expect("it ends").code(), Some(130));
    drop(websocket);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let taken = start(&[]).await;
    let taken = taken.address.to_string();
    let folder = temporary("what_cannot_be_started");
    fs::write(folder.join("typo.toml"), "[server]\nlistenn = '127.0.0.1:1'\n").expect("writable");
    let typo = folder.join("typo.toml").display().to_string();
    let of_clients =
        format!("cannot listen on {taken}: Address already in use (os error 98); --listen 127.0.0.1:0 takes");
    let of_operators = of_clients.replace("--listen", "--admin-listen");
    let rows: [(&[&str], i32, &str); 7] = [
        (&["--listen", &taken], 1, &of_clients),
        (&["--listen", "127.0.0.1:0", "--admin-listen", &taken], 1, &of_operators),
        (&["--listen", "0.0.0.0:0"], 1, "loopback addresses only"),
        (&["--listen", "nonsense"], 1, "--listen: server.listen must be an address such as"),
        (&["--config", &typo], 1, "typo.toml:2: there is no option server.listenn; did you mean listen?"),
        (&["--config", "/no/such/file"], 1, "cannot read /no/such/file"),
        (&["--listen", "127.0.0.1:0", "--serve-client", "/no/such/dist"], 1, "the npm package socket.io-client"),
    ];
    for (arguments, code, message) in rows {
        let _row = Row(message);
        let output = run(BINARY, arguments).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(message), "{error}");
        assert_eq!(output.status.code(), Some(code));
    }
}

#[tokio::test]
async fn the_page_is_whole_and_loads_nothing_from_elsewhere() {
    let server = start(&[]).await;
    let page = server.get("/", "").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/playground");
    let names = fs::read_dir(folder).expect("the page's folder").map(|entry| entry.expect("readable").file_name());
    for name in names.map(|name| name.into_string().expect("ASCII")).filter(|name| name != "page.html") {
        let _row = Row(&name);
        let file = server.get(&format!("/playground/{name}"), "").await;
        let content_type = if name.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert_eq!(file.status, 200);
        assert_eq!(file.header("content-type"), format!("{content_type}; charset=utf-8"));
        assert!(!file.body.contains("@import url(\"http") && !file.body.contains("from 'http"));
    }
    assert!(!page.body.contains("src=\"http") && !page.body.contains("href=\"http"));
}

#[tokio::test]
async fn events_of_the_playground() {
    let server = start(&[]).await;
    let ((mut ann, ann_id), (mut bob, bob_id)) = (join(&server).await, join(&server).await);
    ann.send("421[\"join\",\"r\"]").await;
    assert_eq!(ann.text().await, "431[{\"members\":1,\"room\":\"r\"}]");
    bob.send("421[\"join\",\"r\"]").await;
    assert_eq!(bob.text().await, "431[{\"members\":2,\"room\":\"r\"}]");
    assert_eq!(ann.text().await, format!("42[\"joined\",{{\"room\":\"r\",\"id\":\"{bob_id}\",\"members\":2}}]"));
    bob.send("422[\"say\",\"r\",\"hi\"]").await;
    let said = format!("42[\"said\",{{\"from\":\"{bob_id}\",\"room\":\"r\",\"text\":\"hi\"}}]");
    assert_eq!(ann.text().await, said);
    assert_eq!(bob.text().await, said);
    assert_eq!(bob.text().await, "432[{\"members\":2,\"room\":\"r\"}]");
    bob.send("423[\"echo\",1,null,\"é\"]").await;
    assert_eq!(bob.text().await, "42[\"echo\",1,null,\"é\"]");
    assert_eq!(bob.text().await, "433[1,null,\"é\"]");
    for wrong in ["[\"say\",\"elsewhere\",\"hi\"]", "[\"say\",\"r\"]", "[\"join\"]", "[\"join\",\"\"]", "[\"leave\",7]"]
    {
        let _row = Row(wrong);
        bob.send(&format!("429{wrong}")).await;
        assert!(bob.text().await.starts_with("439[{\"error\":\""));
    }
    bob.send("424[\"leave\",\"r\"]").await;
    assert_eq!(bob.text().await, "434[{\"members\":1,\"room\":\"r\"}]");
    assert_eq!(ann.text().await, format!("42[\"left\",{{\"room\":\"r\",\"id\":\"{bob_id}\",\"members\":1}}]"));
    bob.send("425[\"join\",\"r\"]").await;
    bob.text().await;
    drop(ann);
    assert_eq!(bob.text().await, format!("42[\"left\",{{\"room\":\"r\",\"id\":\"{ann_id}\",\"members\":1}}]"));
}

#[tokio::test]
async fn the_api_emits_to_clients() {
    let server = start(&[]).await;
    let ((mut ann, ann_id), (mut bob, _)) = (join(&server).await, join(&server).await);
    ann.send("421[\"join\",\"r\"]").await;
    ann.text().await;
    let to_one = format!("{{\"room\":\"{ann_id}\",\"event\":\"e\",\"args\":[]}}");
    let rows = [
        ("{\"event\":\"e\",\"args\":[1,{\"a\":[null]},\"é\"]}", 2, "42[\"e\",1,{\"a\":[null]},\"é\"]"),
        (
            "{\"namespace\":\"/\",\"room\":\"r\",\"event\":\"e\",\"data\":12345678901234567890}",
            1,
            "42[\"e\",12345678901234567890]",
        ),
        ("{\"room\":\"nobody\",\"event\":\"e\"}", 0, ""),
        (&to_one, 1, "42[\"e\"]"),
    ];
    for (body, sockets, event) in rows {
        let _row = Row(body);
        let answer = server.post("/api/v1/emit", body).await;
        assert_eq!((answer.status, answer.body), (200, format!("{{\"sockets\":{sockets}}}\n")));
        if sockets > 0 {
            assert_eq!(ann.text().await, event);
        }
        if sockets > 1 {
            assert_eq!(bob.text().await, event);
        }
    }
}

#[tokio::test]
async fn the_api_says_what_is_wrong() {
    let server = start(&[]).await;
    let large = format!("{{\"event\":\"e\",\"data\":\"{}\"}}", "x".repeat(1 << 20));
    let rows = [
        ("", 400, "malformed_json"),
        ("{", 400, "malformed_json"),
        ("not json", 400, "malformed_json"),
        ("[]", 422, "invalid_argument"),
        ("{}", 422, "invalid_argument"),
        ("{\"event\":1}", 422, "invalid_argument"),
        ("{\"event\":\"e\",\"evnt\":1}", 422, "invalid_argument"),
        ("{\"event\":\"e\",\"args\":{}}", 422, "invalid_argument"),
        ("{\"event\":\"e\",\"args\":[],\"data\":1}", 422, "invalid_argument"),
        ("{\"event\":\"disconnect\"}", 400, "reserved_event"),
        ("{\"event\":\"e\",\"namespace\":\"/nowhere\"}", 404, "unknown_namespace"),
        (&large, 413, "too_large"),
    ];
    for (body, status, code) in rows {
        let _row = Row(&body[..body.len().min(40)]);
        let answer = server.post("/api/v1/emit", body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.starts_with(&format!("{{\"error\":{{\"code\":\"{code}\"")), "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let wrong_method = server.get("/api/v1/emit", "").await;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, "POST"));
    assert_eq!(server.get("/nowhere", "").await.status, 404);
}

#[tokio::test]
async fn pages_from_elsewhere_are_turned_away() {
    let server = start(&[]).await;
    let mut connection = Connection::open(server.address).await;
    for (host, origin, status) in [
        ("evil.example", "", 403),
        ("127.0.0.1", "origin: http://evil.example\r\n", 403),
        ("127.0.0.1", "origin: null\r\n", 403),
        ("127.0.0.1", "origin: http://localhost:5173\r\n", 200),
    ] {
        for path in ["/", "/socket.io/?EIO=4&transport=polling"] {
            connection.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{origin}\r\n")).await;
            assert_eq!(connection.answer().await.status, status, "{host} {origin} {path}");
        }
    }
}

/// A folder of its own for a test, below the one cargo gives for that.
fn temporary(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

/// Where the reference answers 400 with code 0, which it does for all that is below its path, this is 404; and as
/// pages from elsewhere are turned away, the bundle has no CORS headers for them.
#[tokio::test]
async fn at_06_to_11_co_10_the_client_bundle_is_served_from_its_folder() {
    let package = temporary("the_client_bundle");
    let dist = package.join("dist");
    fs::create_dir_all(&dist).expect("writable");
    fs::write(package.join("package.json"), "{\"name\":\"socket.io-client\",\"version\":\"4.8.4\"}").expect("writable");
    let script = "console.log('é');\n".repeat(100);
    fs::write(dist.join("socket.io.js"), &script).expect("writable");
    let names = ["", ".min", ".esm.min", ".msgpack.min"].map(|kind| format!("socket.io{kind}.js"));
    fs::write(dist.join(&names[1]), "x()").expect("writable");
    for name in &names {
        fs::write(dist.join(format!("{name}.map")), "{}").expect("writable");
    }
    fs::write(dist.join("secret.txt"), "secret").expect("writable");
    let server = start(&["--serve-client", &dist.display().to_string()]).await;

    let plain = server.get("/socket.io/socket.io.js?v=1", "").await;
    assert_eq!((plain.status, plain.body), (200, script));
    let plain = server.get("/socket.io/socket.io.js", "").await;
    for (name, value) in [
        ("content-type", "application/javascript; charset=utf-8"),
        ("etag", "\"4.8.4\""),
        ("cache-control", "public, max-age=0"),
        ("content-encoding", ""),
    ] {
        assert_eq!(plain.header(name), value);
    }
    assert_eq!(plain.header("x-sourcemap"), "", "AT-11");
    let min = server.get("/socket.io/socket.io.min.js?v=1", "").await;
    assert_eq!((min.status, min.body.as_str()), (200, "x()"));
    for name in &names {
        let map = server.get(&format!("/socket.io/{name}.map"), "").await;
        assert_eq!((map.status, map.header("content-type")), (200, "application/json; charset=utf-8"), "{name}");
    }
    let page = server.get("/socket.io/socket.io.js", "origin: http://localhost:5173\r\n").await;
    assert_eq!((page.status, page.header("access-control-allow-origin")), (200, ""), "CO-10");
    assert_eq!(server.get("/socket.io/socket.io.js", "origin: http://evil.example\r\n").await.status, 403);
    for (etag, status) in [("\"4.8.4\"", 304), ("W/\"4.8.4\"", 304), ("\"4.8.3\"", 200)] {
        let answer = server.get("/socket.io/socket.io.js", &format!("if-none-match: {etag}\r\n")).await;
        assert_eq!(answer.status, status, "{etag}");
    }
    for (accepted, coding) in [
        ("gzip, deflate, br", "br"),
        ("deflate, gzip", "gzip"),
        ("deflate", "deflate"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", ""),
    ] {
        let mut connection = Connection::open(server.address).await;
        connection.request("GET /socket.io/socket.io.js", &format!("accept-encoding: {accepted}\r\n")).await;
        let head = connection.head().await;
        assert_eq!(head.header("content-encoding"), coding, "{accepted}");
    }
    for other in ["secret.txt", "socket.io.esm.min.js", "../package.json", "%2e%2e/package.json"] {
        assert_eq!(server.get(&format!("/socket.io/{other}"), "").await.status, 404, "{other}");
    }
    let without = start(&[]).await;
    assert_eq!(without.get("/socket.io/socket.io.js", "").await.status, 404, "AT-10: not served");
}

#[tokio::test]
async fn the_environment_goes_before_the_file_and_flags_before_both() {
    let folder = temporary("precedence");
    let file = folder.join("server.toml");
    fs::write(&file, "[admin]\nlisten = '0.0.0.0:1'\n").expect("writable");
    let file = file.display().to_string();
    let refused = |listen: &str| format!("{listen} can be reached");
    for (environment, flag, outcome) in [
        (None, None, refused("0.0.0.0:1")),
        (Some("0.0.0.0:2"), None, refused("0.0.0.0:2")),
        (Some("0.0.0.0:2"), Some("0.0.0.0:3"), refused("0.0.0.0:3")),
    ] {
        let mut command = command(BINARY, &["--config", &file]);
        command.args(flag.map(|flag| ["--admin-listen", flag]).iter().flatten());
        command.envs(environment.map(|value| ("SOCKETIO_ADMIN_LISTEN", value)));
        let output = within(command.output()).await.expect("the binary runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(&outcome), "{error}");
    }
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind() {
    let server = start(&[]).await;
    let descriptors =
        || fs::read_dir(format!("/proc/{}/fd", server.child.id().expect("it runs"))).expect("Linux").count();
    let (mut witness, _) = join(&server).await;
    witness.send("421[\"join\",\"r\"]").await;
    witness.text().await;
    let before = descriptors();
    for _ in 0..50 {
        let (mut client, _) = join(&server).await;
        client.send("42[\"join\",\"r\"]").await;
        assert!(witness.text().await.starts_with("42[\"joined\","));
        drop(client);
        assert!(witness.text().await.starts_with("42[\"left\","));
    }
    within(async {
        // The system tells of no closed descriptor: it is looked at until it is gone.
        while descriptors() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
