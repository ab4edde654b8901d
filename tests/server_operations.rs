//! The binary as operators see it: health, the API and its keys, signals, sockets, subcommands.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
};

use tests::{
    Row,
    application::Application,
    frames::{WebSocket, closed},
    http::Connection,
    polling::Polling,
    port,
    process::{Process, command, get, post, run, signal},
    server::Endpoint,
    socket, within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixDatagram, UnixStream},
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// A folder of its own for a test, below the one cargo gives for that.
fn temporary(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

/// Starts a server with this file, on any free ports.
async fn start(name: &str, text: &str) -> Process {
    let file = temporary(name).join("server.toml").display().to_string();
    Process::configured(BINARY, &file, text).await
}

async fn join(server: &Process) -> WebSocket {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    assert!(client.text().await.starts_with("40{\"sid\":"));
    client
}

#[tokio::test]
async fn health_is_told_on_the_admin_listener_only() {
    let server = start("health", "").await;
    let nothing = "There is nothing here. This is the admin listener: the API is below /api/v1/, and clients connect to \
                   server.listen.\n";
    for (path, status, body) in
        [("/healthz", 200, "ok\n"), ("/readyz", 200, "ready\n"), ("/socket.io/", 404, nothing), ("/emit", 404, nothing)]
    {
        let answer = server.ask(path).await;
        assert_eq!((answer.status, &*answer.body), (status, body), "{path}");
    }
    for path in ["/healthz", "/metrics", "/api/v1/emit"] {
        assert_eq!(server.get(path, "").await.status, 404, "{path} is not for clients");
    }
}

#[tokio::test]
async fn the_api_wants_a_key_that_is_good_for_it() {
    let text = "
        [[namespace]]
        name = '/'
        [[namespace]]
        name = '/b'
        [[api.keys]]
        key = 'all'
        [[api.keys]]
        name = 'reader'
        key = 'read-key'
        allow = 'read'
        [[api.keys]]
        key = 'b-key'
        namespaces = ['/b']";
    let server = start("keys", text).await;
    for (headers, namespace, status, code) in [
        ("", "/", 401, "unauthorized"),
        ("authorization: Bearer wrong\r\n", "/", 401, "unauthorized"),
        ("authorization: Basic all\r\n", "/", 401, "unauthorized"),
        ("x-api-key: al\r\n", "/", 401, "unauthorized"),
        ("authorization: Bearer read-key\r\n", "/", 403, "forbidden"),
        ("authorization: Bearer b-key\r\n", "/", 403, "forbidden"),
        ("authorization: Bearer b-key\r\n", "/b", 200, ""),
        ("authorization: bearer all\r\n", "/", 200, ""),
        ("x-api-key: all\r\n", "/b", 200, ""),
    ] {
        let _row = Row(headers);
        let answer = server.emit(headers, &format!("{{\"event\":\"e\",\"namespace\":\"{namespace}\"}}")).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        let start = if code.is_empty() { "{\"sockets\":0}" } else { &format!("{{\"error\":{{\"code\":\"{code}\"") };
        assert!(answer.body.starts_with(start), "{}", answer.body);
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
    let admin = server.admin.expect("an admin listener");
    for (key, status) in [("read-key", 200), ("all", 200), ("none", 401)] {
        let answer = get(admin, "/api/v1/stats", &format!("x-api-key: {key}\r\n")).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(server.ask("/metrics").await.status, 200, "without a key");
}

#[tokio::test]
async fn without_a_key_pages_are_kept_from_the_admin_listener() {
    let server = start("no_key", "[api]\nmax_body = 30").await;
    let body = "{\"event\":\"e\"}";
    assert_eq!(server.emit("", body).await.status, 200);
    assert_eq!(server.emit("origin: http://evil.example\r\n", body).await.status, 403);
    let large = server.emit("", &format!("{{\"event\":\"e\",\"data\":\"{}\"}}", "x".repeat(30))).await;
    assert_eq!(large.status, 413);
    assert!(large.body.contains("a body has 30 bytes at most"), "{}", large.body);
    assert!(server.announced.contains("warning: there is no API key"), "{}", server.announced);
}

#[tokio::test]
async fn operators_may_share_the_port_of_clients_below_a_prefix() {
    let free = port::free().to_string();
    let arguments = ["--listen", &free, "--admin-listen", &free, "--set", "admin.prefix=/_ops", "--set", "api.keys=k"];
    let server = Process::start(command(BINARY, &arguments)).await;
    for (path, status) in
        [("/_ops/readyz", 200), ("/readyz", 404), ("/_ops/", 200), ("/_ops/x", 404), ("/socket.io/", 400)]
    {
        assert_eq!(server.get(path, "").await.status, status, "{path}");
    }
    // A proxy in front may bring whoever it likes with whatever host.
    for (key, status) in [("", 401), ("x-api-key: k\r\n", 200)] {
        assert_eq!(post(server.address, "/_ops/api/v1/emit", key, "{\"event\":\"e\"}").await.status, status);
    }
}

#[tokio::test]
async fn draining_closes_transports_and_says_so() {
    let mut server = start("drain", "[drain]\nrate = 1").await;
    let mut clients = [join(&server).await, join(&server).await, join(&server).await];
    let mut operator = Connection::open(server.admin.expect("an admin listener")).await;
    operator.request("GET /readyz", "").await;
    assert_eq!(operator.answer().await.status, 200);
    server.signal("TERM");
    // The last connection is closed up to three seconds after the first one; that long the server drains.
    within(async {
        loop {
            operator.request("GET /readyz", "").await;
            let answer = operator.answer().await;
            if (answer.status, answer.body.as_str()) == (503, "draining\n") {
                return;
            }
        }
    })
    .await;
    for client in &mut clients {
        assert_eq!(client.frame().await, closed(1001), "and no DISCONNECT");
    }
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn hanging_up_reads_keys_and_the_level_of_the_log_again() {
    let mut server = start("reload", "[api]\nkeys = ['old']").await;
    let file = temporary("reload").join("server.toml");
    let emit = "{\"event\":\"e\"}";
    assert_eq!(server.emit("x-api-key: old\r\n", emit).await.status, 200);
    for (text, logged, old, new) in [
        ("[api]\nkeys = ['new', '", "stays as it was", 200, 401),
        ("[api]\nkeys = ['new']", "configuration read again", 401, 200),
        ("[admin]\nlisten = '127.0.0.1:1'", "waits for the next start", 401, 200),
        ("[api]\nkeys = ['new']\n[engine]\nping_interval = 1", "waits for the next start", 401, 200),
    ] {
        let _row = Row(text);
        fs::write(&file, text).expect("writable");
        server.signal("HUP");
        server.logged(logged).await;
        assert_eq!(server.emit("x-api-key: old\r\n", emit).await.status, old);
        assert_eq!(server.emit("x-api-key: new\r\n", emit).await.status, new);
    }
}

#[tokio::test]
async fn each_connection_that_ends_is_a_line_of_the_log_without_secrets() {
    for (format, parts) in [
        ("text", &["INFO", "connection closed", "reason=transport close", "transport=\"websocket\"", "received=2"][..]),
        ("json", &["\"level\":\"INFO\"", "\"message\":\"connection closed\"", "\"reason\":\"transport close\""]),
    ] {
        let mut server = start(format, &format!("[log]\nformat = '{format}'")).await;
        let endpoint = server.endpoint().asked("EIO=4&token=secret");
        let (mut client, _) = WebSocket::open(endpoint).await;
        client.send("40{\"token\":\"secret\"}").await;
        client.text().await;
        client.send("41").await;
        drop(client);
        let line = server.logged("connection closed").await;
        for part in parts {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("secret"), "{line}");
    }
    let mut server = start("debug", "[log]\nlevel = 'debug'").await;
    let _client = join(&server).await;
    assert!(server.logged("socket joined").await.contains("namespace=\"/\""));
    let mut server = start("quiet", "[log]\nlevel = 'error'").await;
    drop(join(&server).await);
    server.signal("TERM");
    let mut rest = String::new();
    within(server.log.get_mut().read_to_string(&mut rest)).await.expect("UTF-8");
    assert_eq!(rest, "");
}

/// An answer to a GET, from a Unix socket.
async fn get_unix(path: &Path, target: &str) -> String {
    within(async {
        let mut stream = UnixStream::connect(path).await.expect("the server listens");
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("UTF-8");
        answer
    })
    .await
}

#[tokio::test]
async fn unix_sockets_serve_clients_and_are_left_behind_by_nobody() {
    let folder = temporary("unix");
    let (socket, admin) = (folder.join("clients.sock"), folder.join("admin.sock"));
    // Left behind by a process that was killed.
    drop(std::os::unix::net::UnixListener::bind(&socket).or_else(|_| {
        fs::remove_file(&socket)?;
        std::os::unix::net::UnixListener::bind(&socket)
    }));
    let listen = format!("[\"127.0.0.1:0\",\"unix:{}\"]", socket.display());
    let operators = format!("unix:{}", admin.display());
    let flags = ["--listen", &listen, "--admin-listen", &operators];
    let mut server = Process::start(command(BINARY, &flags)).await;
    assert!(get_unix(&socket, "/socket.io/?EIO=4&transport=polling").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(server.get("/socket.io/?EIO=4&transport=polling", "").await.status, 200);
    assert!(get_unix(&admin, "/healthz").await.ends_with("ok\n"));
    let healthy = run(BINARY, &[&["healthcheck"], &flags[..]].concat()).await;
    assert_eq!((healthy.status.code(), healthy.stdout.as_slice()), (Some(0), &b"ready\n"[..]));
    server.signal("TERM");
    assert!(within(server.child.wait()).await.expect("it ends").success());
    assert!(!socket.exists() && !admin.exists());
}

#[tokio::test]
async fn a_server_that_drains_leaves_the_socket_file_of_the_next_one() {
    let socket = temporary("next").join("clients.sock");
    let application = Application::listen().await;
    let (listen, upstream) =
        (format!("[\"127.0.0.1:0\",\"unix:{}\"]", socket.display()), format!("http://{}", application.address));
    let flags = ["--listen", &listen, "--admin-listen", "127.0.0.1:0", "--upstream", &upstream];
    let mut server = Process::start(command(BINARY, &flags)).await;
    // It drains for as long as the application takes.
    let (answer, _next) = tokio::join!(get_unix(&socket, "/slow"), async {
        let (mut asked, _) = application.asked().await;
        server.signal("TERM");
        within(async {
            while UnixStream::connect(&socket).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let next = Process::start(command(BINARY, &flags)).await;
        asked.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        next
    });
    assert!(answer.ends_with("\r\n\r\nok"));
    assert!(within(server.child.wait()).await.expect("it ends").success());
    assert!(get_unix(&socket, "/socket.io/?EIO=4&transport=polling").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

/// What is to be told as systemd is, and where.
fn supervisor(test: &str) -> (UnixDatagram, PathBuf) {
    let path = temporary(test).join("notify.sock");
    // That of a run before.
    let _none = fs::remove_file(&path);
    (UnixDatagram::bind(&path).expect("a socket"), path)
}

async fn told(supervisor: &UnixDatagram) -> String {
    let mut message = [0; 64];
    let length = within(supervisor.recv(&mut message)).await.expect("a message");
    String::from_utf8_lossy(&message[..length]).trim_end().to_owned()
}

#[tokio::test]
async fn sockets_of_socket_activation_are_served_and_systemd_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (notify, notified) = supervisor("systemd");
    // systemd hands the socket over as descriptor 3, to a process whose id is in the environment.
    let script = "LISTEN_FDS=1 LISTEN_PID=$$ WATCHDOG_USEC=100000 WATCHDOG_PID=$$ \
         exec \"$0\" --listen systemd --admin-listen 127.0.0.1:0 3<&0";
    let mut command = command("sh", &["-c", script, BINARY]);
    command.stdin(Stdio::from(OwnedFd::from(listener))).env("NOTIFY_SOCKET", &notified);
    let mut server = Process::start(command).await;
    assert_eq!(server.address, address);
    assert_eq!(server.get("/socket.io/?EIO=4&transport=polling", "").await.status, 200);
    // Its watchdog is told again and again.
    for word in ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"] {
        assert_eq!(told(&notify).await, word);
    }
    server.signal("TERM");
    let mut last = told(&notify).await;
    while last == "WATCHDOG=1" {
        last = told(&notify).await;
    }
    assert_eq!(last, "STOPPING=1");
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

/// Standard output is a stream socket, as it is under systemd, and nobody reads it.
#[tokio::test]
async fn what_nobody_reads_keeps_the_server_neither_from_its_start_nor_from_its_end() {
    for (name, has_reader, is_told_twice, status) in
        [("broken", false, false, 0), ("stalled", true, false, 0), ("stalled, told twice", true, true, 130)]
    {
        let _row = Row(name);
        let (mut output, reader) = std::os::unix::net::UnixStream::pair().expect("two sockets");
        let _reader = has_reader.then_some(reader);
        output.set_nonblocking(true).expect("a socket");
        while output.write(b"x").is_ok() {}
        output.set_nonblocking(false).expect("a socket");
        let (notify, notified) = supervisor("unread");
        let address = port::free();
        let mut command = command(BINARY, &["--listen", &address.to_string(), "--admin-listen", ""]);
        command.stdout(OwnedFd::from(output)).env("NOTIFY_SOCKET", &notified);
        let mut child = command.spawn().expect("the binary runs");
        assert_eq!(told(&notify).await, "READY=1");
        // It answers no close, which the end waits for.
        let (mut client, _) = WebSocket::open(Endpoint { address, path: "/socket.io/", query: "EIO=4" }).await;
        signal(&child, "TERM");
        assert_eq!(client.frame().await, closed(1001));
        if is_told_twice {
            signal(&child, "TERM");
        } else {
            drop(client);
        }
        assert_eq!(within(child.wait()).await.expect("it ends").code(), Some(status));
    }
}

#[tokio::test]
async fn subcommands_speak_to_the_server_that_runs() {
    let server = start("subcommands", "[api]\nkeys = 'k'").await;
    let admin = server.admin.expect("an admin listener").to_string();
    let mut client = join(&server).await;
    let key = temporary("subcommands").join("key");
    fs::write(&key, "k\n").expect("writable");
    let (url, key) = (format!("http://{admin}"), key.display().to_string());
    let by_url = ["--url", &url, "--key-file", &key];
    let by_configuration = ["--admin-listen", &admin, "--set", "api.keys=k"];
    for flags in [&by_url, &by_configuration] {
        let output = run(BINARY, &[&["emit", "news", "1", "{\"a\":\"é\"}"], &flags[..]].concat()).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"sockets\":1}\n");
        assert_eq!(client.text().await, "42[\"news\",1,{\"a\":\"é\"}]");
    }
    let clients = server.address.to_string();
    let stranger = format!("{clients} is no admin listener, by its answer (404 Not Found): say --config FILE, the");
    let url_of_clients = format!("http://{clients}");
    let rows: [(&[&str], i32, &str); 11] = [
        // Without a configuration it would be a playground that is there.
        (&["healthcheck", "--listen", &clients], 1, &stranger),
        (&["emit", "news", "--listen", &clients], 1, &stranger),
        (&["emit", "news", "--url", &url_of_clients], 1, &stranger),
        (&["emit", "news", "--url", &format!("{url}/x")], 1, "404 Not Found: There is nothing here. This is the admin"),
        (&["healthcheck", "--admin-listen", &admin], 0, "ready"),
        (&["emit", "news", "--url", &url], 1, "401 Unauthorized"),
        (&["emit", "news", "text", "--url", &url], 1, "text is no JSON"),
        (&["emit", "news", "--url", "ftp://x"], 1, "ftp://x is no URL"),
        (&["healthcheck", "--admin-listen", "127.0.0.1:1"], 1, "cannot connect to 127.0.0.1:1"),
        (&["version"], 0, "socketio-server 0.1.0"),
        (&["check-config", "--admin-listen", "0.0.0.0:1"], 1, "there is no API key"),
    ];
    for (arguments, code, words) in rows {
        let _row = Row(words);
        let output = run(BINARY, arguments).await;
        let said = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&said).contains(words), "{}", String::from_utf8_lossy(&said));
        assert_eq!(output.status.code(), Some(code));
    }
}

#[tokio::test]
async fn a_check_warns_of_what_a_start_warns_of() {
    let options = ["auth.jwt.secret=secret", "auth.mode=jwt", "cors.origins=*", "cors.credentials=false"];
    let arguments = options.map(|option| ["--set", option]).concat();
    let output = run(BINARY, &[&["check-config"], &arguments[..]].concat()).await;
    let warnings = "warning: there is no API key: all programs on this machine may use the API\n\
                    warning: auth.jwt.secret has less than 32 bytes, and may be guessed\n\
                    warning: pages of all origins are let in\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{warnings}nothing is wrong\n"));
    let server = Process::with(BINARY, &arguments).await;
    for warning in warnings.lines() {
        assert!(server.announced.contains(&format!("\n  {warning}\n")), "{}", server.announced);
    }
    assert_eq!(run(BINARY, &["check-config"]).await.stdout, b"nothing is wrong\n", "it is a playground");
}

#[tokio::test]
async fn emits_from_the_command_line_are_for_those_who_are_named() {
    let server = start("emit", "").await;
    let (mut clients, mut sids) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (client, sid) = socket::connect(server.endpoint(), "/").await;
        clients.push(client);
        sids.push(sid);
    }
    let [a, b, c, _] = &sids[..] else { panic!("four") };
    for (sid, change) in [
        (a, "{\"user\":\"ann\",\"join\":\"r\"}"),
        (b, "{\"user\":\"ann\",\"join\":[\"r\",\"s\"]}"),
        (c, "{\"user\":\"bob\",\"join\":\"s\"}"),
    ] {
        assert_eq!(server.call(&format!("PATCH /api/v1/sockets/{sid}"), "", change).await.status, 200);
    }
    let (except_a, url) = (format!("sid={a}"), format!("http://{}", server.admin.expect("an admin listener")));
    let rows: [(&[&str], [bool; 4]); 12] = [
        (&[], [true; 4]),
        (&["--room", "r"], [true, true, false, false]),
        (&["--room", "r", "--room", "s"], [true, true, true, false]),
        (&["--user", "ann"], [true, true, false, false]),
        (&["--user", "bob", "--sid", a], [true, false, true, false]),
        (&["--sid", c, "--room", "s"], [false, true, true, false]),
        (&["--except", "user=ann"], [false, false, true, true]),
        (&["--except", "room=s", "--except", &except_a], [false, false, false, true]),
        (&["--room", "r", "--except", "room=s"], [true, false, false, false]),
        (&["--user", "nobody"], [false; 4]),
        // Ids may begin so.
        (&["--sid", "-x"], [false; 4]),
        (&["--sid", "--room", "--user", "-"], [false; 4]),
    ];
    for (row, (flags, meant)) in rows.into_iter().enumerate() {
        let (words, row) = (flags.join(" "), format!("-{row}"));
        let _row = Row(&words);
        let output = run(BINARY, &[&["emit", "e", &row, "--url", &url], flags].concat()).await;
        let sockets = meant.iter().filter(|is_meant| **is_meant).count();
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(String::from_utf8_lossy(&said), format!("{{\"sockets\":{sockets}}}\n"));
        for (client, _) in clients.iter_mut().zip(meant).filter(|(_, is_meant)| *is_meant) {
            assert_eq!(client.text().await, format!("42[\"e\",{row}]"), "and nothing of the rows before");
        }
    }
    for (flags, words) in [
        (["--except", "ann"], "it is none of room=NAME, user=NAME and sid=ID"),
        (["--room", ""], "a name has at least one character"),
    ] {
        let output = run(BINARY, &[&["emit", "e", "--url", &url], &flags[..]].concat()).await;
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn the_limit_on_open_files_is_raised_and_threads_are_as_many_as_said() {
    let script = "ulimit -Sn 200; exec \"$0\" --listen 127.0.0.1:0 --admin-listen '' --set server.threads=3 \
         --set limits.max_connections=9000000000";
    let server = Process::start(command("sh", &["-c", script, BINARY])).await;
    let status = format!("/proc/{}", server.child.id().expect("it runs"));
    let limits = fs::read_to_string(format!("{status}/limits")).expect("Linux");
    let limit = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    let [.., soft, hard, _] = limit.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{limit}") };
    assert_eq!(soft, hard);
    assert!(server.announced.contains(&format!("open files {hard}")), "{}", server.announced);
    assert!(server.announced.contains("warning: limits.max_connections is more than"), "{}", server.announced);
    let threads = || {
        let tasks = fs::read_dir(format!("{status}/task")).expect("Linux").filter(|task| {
            let name = task.as_ref().map(|task| fs::read_to_string(task.path().join("comm")).unwrap_or_default());
            name.is_ok_and(|name| name.starts_with("tokio-"))
        });
        tasks.count()
    };
    within(async {
        // A thread gives itself its name.
        while threads() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(threads(), 3);
}

#[tokio::test]
async fn without_a_limit_of_its_own_connections_are_bounded_by_open_files() {
    let script = "ulimit -n 70; exec \"$0\" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0";
    let server = Process::start(command("sh", &["-c", script, BINARY])).await;
    assert!(server.announced.contains("warning: the limit on open files is low"), "{}", server.announced);
    for (connection, status) in [200, 200, 200, 200, 200, 200, 503].into_iter().enumerate() {
        let answer = server.get("/socket.io/?EIO=4&transport=polling", "").await;
        assert_eq!(answer.status, status, "connection {connection}, of 70 less 64");
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_stalls_nobody() {
    let server = start("unread", "").await;
    // A line for each; the system keeps 64 KiB for a reader.
    for connection in 0..600 {
        let mut polling = Polling::open(server.endpoint()).await;
        assert_eq!(polling.post("1").await.body, "ok", "connection {connection}");
    }
    within(async {
        while !server.ask("/metrics").await.body.contains("socketio_connections{transport=\"polling\"} 0") {}
    })
    .await;
}
