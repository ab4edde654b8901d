//! Every option of the binary: right and wrong values, and what the right ones bring about.

use std::{collections::BTreeSet, fs, path::Path};

use tests::{
    Row,
    frames::{CLOSED, WebSocket},
    http::Connection,
    in_time,
    polling::Polling,
    process::{Process, command, run},
    within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Name, a right value, a wrong one.
type Spoken = (&'static str, &'static str, &'static str);

/// Each option with a right and a wrong value; where every text is right, no wrong one.
const OPTIONS: &[Spoken] = &[
    ("server.listen", "[\"127.0.0.1:1\",\"unix:/x/y\",\"systemd\"]", "localhost"),
    ("server.path", "[\"/a\",\"/b/\"]", "a"),
    ("server.serve_client", "dist", ""),
    ("server.tls_cert", "", ""),
    ("server.tls_key", "", ""),
    ("server.trusted_proxies", "[\"10.0.0.0/8\",\"::1\"]", "10.0.0.0/33"),
    ("server.threads", "3", "-1"),
    ("server.header_timeout", "500ms", "0"),
    ("server.max_header_bytes", "32KiB", "many"),
    ("admin.listen", "", "127.0.0.1"),
    ("admin.prefix", "/_admin", "admin"),
    (
        "api.keys",
        "[\"a\",{\"name\":\"bot\",\"key\":\"b\",\"allow\":[\"read\"],\"namespaces\":[\"/\"]}]",
        "[{\"kee\":1}]",
    ),
    ("api.max_body", "1kB", "1k"),
    ("api.max_batch", "10", "many"),
    ("api.idempotency_ttl", "0", "soon"),
    ("engine.transports", "websocket", "[\"webtransport\"]"),
    ("engine.ping_interval", "300ms", "0"),
    ("engine.ping_timeout", "200ms", "soon"),
    ("engine.max_payload", "2MB", "0"),
    ("engine.upgrade_timeout", "1", "1d"),
    ("engine.connect_timeout", "1m", "-1s"),
    ("engine.flush_delay", "10ms", "-1"),
    ("engine.eio3", "true", "yes"),
    ("engine.http_compression", "false", "0"),
    ("engine.compression_threshold", "0", "1.5"),
    ("engine.ws_compression", "true", ""),
    ("engine.cookie", "io", "i o"),
    ("auth.mode", "none", "yes"),
    ("auth.jwt.algorithms", "[\"HS512\",\"HS256\"]", "none"),
    ("auth.jwt.secret", "[\"new\",\"old\"]", "[\"\"]"),
    ("auth.jwt.public_key_file", "", ""),
    ("auth.jwt.issuer", "https://example.com", ""),
    ("auth.jwt.audience", "chat", ""),
    ("auth.jwt.leeway", "0", "2h"),
    ("auth.jwt.sources", "[\"cookie.session\",\"header.x-token\",\"query.t\",\"auth.t\"]", "body.token"),
    ("auth.jwt.max_ttl", "5m", "0"),
    ("cors.origins", "[\"https://a.example\",\"https://*.b.example\"]", "a.example"),
    ("cors.credentials", "false", "no"),
    ("limits.max_connections", "1", "one"),
    ("limits.max_connections_per_ip", "1", "1MB"),
    ("limits.max_unused_connections", "0", "-1"),
    ("limits.connect_rate", "100", "-1"),
    ("limits.events_per_second", "10", "1.5"),
    ("limits.events_burst", "100", "a"),
    ("limits.on_excess", "disconnect", "ignore"),
    ("limits.send_queue_bytes", "64KiB", "0"),
    ("limits.send_queue_messages", "10", "0"),
    ("limits.slow_consumer", "drop_oldest", "drop"),
    ("limits.max_rooms_per_socket", "5", "5.0"),
    ("limits.max_event_name", "5", "a"),
    ("limits.max_room_name", "5", "a"),
    ("limits.max_namespaces_per_connection", "5", "a"),
    ("limits.max_attachments", "0", "a"),
    ("proxy.upstream", "http://[::1]:5000/app", "127.0.0.1:5000"),
    ("proxy.timeout", "5m", "0"),
    ("proxy.connect_timeout", "1s", "0"),
    ("proxy.deny", "[\"/_socketio\",\"/hooks/\"]", "_socketio"),
    ("redis.url", "redis://user:secret@host:6379/1", "http://host"),
    ("redis.python", "false", "no"),
    ("redis.python_channels", "[\"a\",\"b\"]", "[1]"),
    ("redis.node", "false", "no"),
    ("redis.node_key", "app", ""),
    ("redis.python_publish", "false", "no"),
    ("redis.node_publish", "false", "no"),
    ("redis.max_message", "1MiB", "0"),
    ("redis.required", "false", "no"),
    ("cluster.enabled", "false", "no"),
    ("cluster.channel", "other", ""),
    ("recovery.mode", "buffer", "on"),
    ("recovery.window", "1h", "a"),
    ("recovery.max_bytes", "1GiB", "a"),
    ("recovery.total_bytes", "1GiB", "a"),
    ("recovery.max_sessions", "5", "a"),
    ("recovery.hook", "false", "a"),
    ("drain.timeout", "1s", "a"),
    ("drain.rate", "0", "a"),
    ("metrics.enabled", "false", "a"),
    ("metrics.event_labels", "[\"a\",\"b\"]", "[1]"),
    ("ui.enabled", "false", "no"),
    ("log.level", "trace", "loud"),
    ("log.format", "json", "xml"),
    ("history.total_bytes", "1MiB", "a"),
];

/// The same of what is in lists of tables.
const LISTS: &[(&str, &[Spoken])] =
    &[("backend", OF_BACKENDS), ("namespace", OF_NAMESPACES), ("namespace.rule", OF_RULES), ("room", OF_ROOMS)];

const OF_BACKENDS: &[Spoken] = &[
    ("name", "\"app\"", "7"),
    ("url", "\"unix:/run/app.sock:/hook\"", "\"127.0.0.1:5000\""),
    ("namespaces", "[\"/\",\"/game-*\"]", "\"game\""),
    ("events", "[\"a\",\"b*\"]", "7"),
    ("connect", "\"always\"", "\"never\""),
    ("disconnect", "false", "\"no\""),
    ("presence", "true", "\"yes\""),
    ("presence_grace", "\"1m\"", "\"long\""),
    ("secret", "\"whsec_YWJj\"", "7"),
    ("timeout", "\"500ms\"", "\"long\""),
    ("connect_timeout", "1", "\"long\""),
    ("max_in_flight", "1", "\"many\""),
    ("queue", "1", "-1"),
    ("queue_per_socket", "1", "-1"),
    ("queue_bytes", "\"1MB\"", "\"1mb\""),
    ("ordering", "\"none\"", "\"all\""),
    ("forward_headers", "[\"Cookie\",\"x-team\"]", "\"webhook-id\""),
    ("include_request", "false", "\"no\""),
    ("include_rooms", "false", "\"no\""),
    ("disconnect_rate", "0", "-1"),
    ("retries", "2", "-1"),
    ("breaker_failures", "0", "-1"),
    ("breaker_pause", "1", "\"long\""),
];

const OF_NAMESPACES: &[Spoken] = &[
    ("name", "\"/chat\"", "\"chat\""),
    ("auth", "\"inherit\"", "\"yes\""),
    ("max_connections", "10", "\"ten\""),
    ("require_user", "true", "\"yes\""),
    ("max_per_user", "5", "\"five\""),
    ("auto_join", "[\"all\",\"user:{user}\",\"{sid}\",\"{query.a}-{claim.b.c}\"]", "\"{users}\""),
    ("unhandled", "\"error\"", "\"shout\""),
    ("error_event", "\"\"", "7"),
];

const OF_RULES: &[Spoken] = &[
    ("on", "\"task_*\"", "7"),
    ("check", "\"role:admin\"", "\"role:\""),
    ("leave", "[\"room:*\",\"{0}\"]", "\"{room}\""),
    ("join", "[\"news\",\"{0.a.1}:{user}:{sid}:{query.b}:{claim.c}\"]", "\"{}\""),
    ("reply", "{\"event\":\"e\",\"data\":{\"a\":[1,-1.5,true,\"{0.b}\"]}}", "{\"event\":\"connect\"}"),
    ("ack", "[\"{0}\"]", "{\"a\":null}"),
    ("relay", "{\"room\":\"{0.room}\",\"members_only\":false}", "{\"members_only\":false}"),
    ("forward", "false", "7"),
];

const OF_ROOMS: &[Spoken] = &[
    ("namespace", "\"/*\"", "7"),
    ("match", "\"task_*\"", "7"),
    ("history", "50", "\"all\""),
    ("history_ttl", "\"72h\"", "\"3d\""),
    ("history_mode", "\"last\"", "\"first\""),
    ("events", "[\"a\",\"b*\"]", "7"),
    ("replay", "\"all\"", "\"some\""),
    ("throttle", "\"100ms\"", "\"often\""),
    ("throttle_events", "\"a\"", "7"),
    ("presence", "true", "\"yes\""),
    ("presence_state", "\"here\"", "7"),
    ("presence_diff", "\"change\"", "7"),
    ("presence_grace", "1", "\"long\""),
];

#[tokio::test]
async fn the_page_of_the_server_has_all_options_as_they_are() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/server.md");
    let page = fs::read_to_string(page).expect("the page");
    let listing = String::from_utf8(run(BINARY, &["default-config"]).await.stdout).expect("UTF-8");
    assert!(page.contains(&format!("```toml\n{listing}```\n")), "put this into docs/server.md:\n{listing}");
}

#[tokio::test]
async fn the_examples_of_the_pages_are_right() {
    let pages = ["README.md", "docs/server.md"].map(|page| {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
        fs::read_to_string(page).expect("the page")
    });
    let pages = pages.iter().flat_map(|page| page.split("```toml\n").skip(1));
    for (index, example) in pages.map(|rest| rest.split("```").next().expect("its end")).enumerate() {
        let _row = Row(example);
        let file = format!("{}/example-{index}.toml", env!("CARGO_TARGET_TMPDIR"));
        fs::write(&file, example).expect("writable");
        let output = run(BINARY, &["check-config", "--config", &file]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Starts a server with these options, on any free ports.
async fn start(options: &[&str]) -> Process {
    Process::with_options(BINARY, options).await
}

/// The handshake's answer without its packet type.
async fn open(server: &Process) -> String {
    server.get("/socket.io/?EIO=4&transport=polling", "").await.body
}

#[tokio::test]
async fn every_option_takes_right_values_and_refuses_wrong_ones_by_name() {
    let listing = String::from_utf8(run(BINARY, &["default-config"]).await.stdout).expect("UTF-8");
    let (mut section, mut listed) = (String::new(), BTreeSet::new());
    for line in listing.lines() {
        if let Some(name) = line.trim_start_matches("# ").strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ") {
            listed.insert(format!("{section}.{name}"));
        }
    }
    let in_lists = LISTS.iter().flat_map(|(list, rows)| rows.iter().map(move |(name, ..)| format!("{list}.{name}")));
    let known: BTreeSet<_> = OPTIONS.iter().map(|(path, ..)| (*path).to_owned()).chain(in_lists).collect();
    assert_eq!(listed, known, "each option of default-config has its row here");
    for &(path, right, wrong) in OPTIONS {
        let _row = Row(path);
        let set = |value: &str| format!("{path}={value}");
        // With a second option it is no playground, which is more particular.
        let output = run(BINARY, &["check-config", "--set", &set(right), "--set", "drain.rate=1"]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if wrong.is_empty() {
            continue;
        }
        let output = run(BINARY, &["check-config", "--set", &set(wrong)]).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        let key = if path == "api.keys" { "api.keys[0].kee" } else { path };
        assert!(error.contains(key), "{error}");
    }
    for (list, (name, right, wrong)) in LISTS.iter().flat_map(|(list, rows)| rows.iter().map(move |row| (list, row))) {
        let _row = Row(name);
        let (list, inner) = list.split_once('.').unwrap_or((list, ""));
        let variable = format!("SOCKETIO_{}", list.to_uppercase());
        let key = if inner.is_empty() { format!("{list}[0].{name}") } else { format!("{list}[0].{inner}[0].{name}") };
        for (value, code) in [(right, 0), (wrong, 1)] {
            let item = format!("{{\"{name}\":{value}}}");
            let item = if inner.is_empty() { item } else { format!("{{\"{inner}\":[{item}]}}") };
            let mut command = command(BINARY, &["check-config"]);
            command.env(&variable, format!("[{item}]"));
            let output = within(command.output()).await.expect("the binary runs");
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{error}");
            assert_eq!(error.contains(&format!("variable {variable}: {key} must be ")), code == 1);
        }
    }
}

#[tokio::test]
async fn the_handshake_says_what_is_configured() {
    let said = "\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
    assert!(open(&start(&[]).await).await.ends_with(said));
    let server = start(&[
        "engine.ping_interval=300ms",
        "engine.ping_timeout=2",
        "engine.max_payload=1MiB",
        "engine.transports=polling",
        "engine.cookie=io",
    ]);
    let server = server.await;
    let answer = server.get("/socket.io?EIO=4&transport=polling", "").await;
    let said = "\"upgrades\":[],\"pingInterval\":300,\"pingTimeout\":2000,\"maxPayload\":1048576}";
    assert!(answer.body.ends_with(said), "{}", answer.body);
    assert!(answer.header("set-cookie").starts_with("io="), "{:?}", answer.headers);
    assert!(server.get("/socket.io/?EIO=4&transport=websocket", "").await.body.contains("Transport unknown"));
}

#[tokio::test]
async fn a_transport_may_be_the_only_one() {
    let server = start(&["engine.transports=websocket"]).await;
    assert!(open(&server).await.contains("Transport unknown"));
    let (_client, answer) = join(&server, "/", "EIO=4").await;
    assert!(answer.starts_with("40{"), "{answer}");
}

#[tokio::test]
async fn there_may_be_no_admin_listener() {
    let arguments = ["--listen", "127.0.0.1:0", "--admin-listen", "", "--set", "drain.rate=1"];
    let server = Process::start(command(BINARY, &arguments)).await;
    assert_eq!(server.admin, None, "{}", server.announced);
    for path in ["/healthz", "/metrics", "/api/v1/stats"] {
        assert_eq!(server.get(path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn pages_of_the_host_that_a_trusted_proxy_names_are_of_the_same_origin() {
    for (trusted, origin, status) in [
        ("127.0.0.1", "https://chat.example", 101),
        ("127.0.0.1", "https://other.example", 403),
        ("[]", "https://chat.example", 403),
    ] {
        let _row = Row(origin);
        let server = start(&[&format!("server.trusted_proxies={trusted}")]).await;
        let mut connection = Connection::open(server.address).await;
        let headers = format!("{}x-forwarded-host: chat.example\r\norigin: {origin}\r\n", tests::frames::HANDSHAKE);
        connection.request("GET /socket.io/?EIO=4&transport=websocket", &headers).await;
        assert_eq!(connection.head().await.status, status);
    }
}

#[tokio::test]
async fn older_clients_are_served_on_request() {
    for (options, status) in [(&[][..], 400), (&["engine.eio3=true"], 200)] {
        let answer = start(options).await.get("/socket.io/?EIO=3&transport=polling", "").await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_as_configured() {
    let listed = "cors.origins=[\"https://a.example\",\"https://*.b.example\"]";
    for (options, origin, allowed, credentials) in [
        (&[][..], "https://a.example", "", ""),
        (&[listed], "https://a.example", "https://a.example", "true"),
        (&[listed], "https://x.b.example", "https://x.b.example", "true"),
        (&[listed], "https://c.example", "", ""),
        (&[listed, "cors.credentials=false"], "https://a.example", "https://a.example", ""),
        (&["cors.origins=*", "cors.credentials=false"], "https://c.example", "*", ""),
    ] {
        let _row = Row(origin);
        let server = start(options).await;
        let answer = server.get("/socket.io/?EIO=4&transport=polling", &format!("origin: {origin}\r\n")).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        assert_eq!(answer.header("access-control-allow-credentials"), credentials);
        let websocket = format!(
            "origin: {origin}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        let mut connection = Connection::open(server.address).await;
        connection.request("GET /socket.io/?EIO=4&transport=websocket", &websocket).await;
        assert_eq!(connection.head().await.status, if allowed.is_empty() { 403 } else { 101 });
    }
}

#[tokio::test]
async fn several_paths_and_addresses_serve_the_same() {
    let server = start(&["server.path=[\"/socket.io/\",\"/app/socket.io\"]"]).await;
    for path in ["/socket.io/", "/socket.io", "/app/socket.io/", "/app/socket.io"] {
        let answer = server.get(&format!("{path}?EIO=4&transport=polling"), "").await;
        assert_eq!(answer.status, 200, "{path}");
    }
    assert_eq!(server.get("/app/", "").await.status, 404);
    assert_eq!(server.get("/", "").await.status, 404, "there is no playground");
}

#[tokio::test]
async fn connections_beyond_the_limits_are_refused_at_the_handshake() {
    for option in ["limits.max_connections=1", "limits.max_connections_per_ip=1", "limits.max_unused_connections=1"] {
        let _row = Row(option);
        let server = start(&[option]).await;
        assert!(open(&server).await.starts_with("0{"));
        let answer = server.get("/socket.io/?EIO=4&transport=polling", "").await;
        assert_eq!(answer.status, 503);
        let reason = option.trim_start_matches("limits.").trim_end_matches("=1").replace("connections", "sessions");
        let metrics = server.ask("/metrics").await.body;
        let counted = format!("socketio_handshakes_rejected_total{{reason=\"{}\"}} 1", reason.to_uppercase());
        assert!(metrics.contains(&counted), "{metrics}");
    }
}

#[tokio::test]
async fn the_address_of_a_client_behind_a_proxy_is_what_the_proxy_says() {
    for (trusted, status) in [("[]", 503), ("127.0.0.1", 200)] {
        let option = format!("server.trusted_proxies={trusted}");
        let server = start(&[&option, "limits.max_connections_per_ip=1"]).await;
        for (client, status) in [("192.0.2.1", 200), ("192.0.2.2", status)] {
            let headers = format!("x-forwarded-for: {client}\r\n");
            assert_eq!(server.get("/socket.io/?EIO=4&transport=polling", &headers).await.status, status, "{trusted}");
        }
    }
}

#[tokio::test]
async fn what_clients_bring_is_bounded() {
    let server = start(&["limits.max_event_name=5", "limits.max_attachments=1"]).await;
    for packet in ["42[\"longer\"]", "452-[\"e\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"]
    {
        let _row = Row(packet);
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        client.text().await;
        client.send(packet).await;
        assert_eq!(client.frame().await, CLOSED);
    }
    let server = start(&["limits.max_namespaces_per_connection=1", "namespace=[{},{\"name\":\"/b\"}]"]).await;
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    client.text().await;
    client.send("40/b,").await;
    assert!(client.text().await.contains("Too many namespaces"));
}

#[tokio::test]
async fn clients_come_back_in_the_mode_that_is_configured() {
    for (mode, has_pid) in [("off", false), ("full", true), ("buffer", true)] {
        let server = start(&[&format!("recovery.mode={mode}")]).await;
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        assert_eq!(client.text().await.contains("\"pid\":"), has_pid, "{mode}");
        server.emit("", "{\"event\":\"e\"}").await;
        let has_offset = client.text().await != "42[\"e\"]";
        assert_eq!(has_offset, mode == "full", "{mode}");
    }
}

/// A client in this namespace, by a connection with this query.
async fn join(server: &Process, namespace: &str, query: &'static str) -> (WebSocket, String) {
    let (mut client, _) = WebSocket::open(server.endpoint().asked(query)).await;
    client.send(&format!("40{namespace},")).await;
    let answer = client.text().await;
    (client, answer)
}

#[tokio::test]
async fn namespaces_are_those_that_are_configured() {
    let server = start(&["namespace=[{\"name\":\"/a\",\"max_connections\":1}]"]).await;
    let (_, answer) = join(&server, "/b", "EIO=4").await;
    assert_eq!(answer, "44/b,{\"message\":\"Invalid namespace\"}");
    let (client, answer) = join(&server, "/a", "EIO=4").await;
    assert!(answer.starts_with("40/a,{\"sid\":"), "{answer}");
    let full = "44/a,{\"message\":\"Too many connections\",\"data\":{\"code\":\"limit\"}}";
    assert_eq!(join(&server, "/a", "EIO=4").await.1, full);
    drop(client);
    within(async {
        // The next one is let in as soon as the server has seen that the first one is gone.
        while join(&server, "/a", "EIO=4").await.1 == full {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn rooms_are_joined_from_the_start() {
    let rooms = "namespace=[{\"auto_join\":[\"all\",\"user:{query.id}\"]}]";
    let server = start(&[rooms, "limits.max_room_name=10"]).await;
    let (mut ann, _) = join(&server, "/", "EIO=4&id=ann").await;
    let (mut long, _) = join(&server, "/", "EIO=4&id=very-long-name").await;
    let (mut nobody, _) = join(&server, "/", "EIO=4").await;
    for (room, sockets) in [("user:ann", 1), ("user:", 0), ("user:very-long-name", 0), ("all", 3)] {
        let answer = server.emit("", &format!("{{\"room\":\"{room}\",\"event\":\"{room}\"}}")).await;
        assert_eq!(answer.body, format!("{{\"sockets\":{sockets}}}\n"), "{room}");
    }
    assert_eq!(ann.text().await, "42[\"user:ann\"]");
    for client in [&mut ann, &mut long, &mut nobody] {
        assert_eq!(client.text().await, "42[\"all\"]");
    }
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_rooms{namespace=\"/\"} 2"), "{metrics}");
    let server = start(&["namespace=[{\"auto_join\":[\"a\",\"b\"]}]", "limits.max_rooms_per_socket=1"]).await;
    let (_client, _) = join(&server, "/", "EIO=4").await;
    assert!(server.emit("", "{\"room\":\"b\",\"event\":\"e\"}").await.body.contains(":0}"));
}

#[tokio::test]
async fn events_that_nobody_handles_are_counted_told_and_logged() {
    let spaces = "namespace=[{\"unhandled\":\"error\",\"error_event\":\"oops\"},{\"name\":\"/q\",\"unhandled\":\"ignore\"},{\"name\":\"/r\"}]";
    let mut server = start(&[spaces, "metrics.event_labels=say"]).await;
    let (mut client, _) = join(&server, "/", "EIO=4").await;
    client.send("42[\"say\",\"secret words\"]").await;
    let error = "42[\"oops\",{\"code\":\"unhandled\",\"event\":\"say\",\"message\":\"nobody handles this event\"}]";
    assert_eq!(client.text().await, error);
    client.send("42[\"other\"]").await;
    client.text().await;
    let line = server.logged("nobody handles").await;
    assert!(line.contains("event=\"say\"") && !line.contains("secret"), "{line}");
    let (mut quiet, _) = join(&server, "/q", "EIO=4").await;
    quiet.send("42/q,[\"x\"]").await;
    // An event is handled before the next one, of whichever namespace, that is answered.
    quiet.send("40/nowhere,").await;
    assert!(quiet.text().await.starts_with("44/nowhere,"));
    // By default it is logged, and the client hears nothing.
    let (mut reported, _) = join(&server, "/r", "EIO=4").await;
    reported.send("42/r,[\"lost\"]").await;
    assert!(server.logged("nobody handles").await.contains("event=\"lost\""));
    reported.send("40/nowhere,").await;
    assert!(reported.text().await.starts_with("44/nowhere,"));
    let metrics = server.ask("/metrics").await.body;
    for line in [
        "socketio_events_unhandled_total{namespace=\"/r\"} 1",
        "socketio_events_received_total{event=\"say\",namespace=\"/\"} 1",
        "socketio_events_received_total{event=\"other\",namespace=\"/\"} 1",
        "socketio_events_unhandled_total{namespace=\"/\"} 2",
        "socketio_events_unhandled_total{namespace=\"/q\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn compression_is_as_configured() {
    for (options, coding) in [
        (&["engine.compression_threshold=1"][..], "gzip"),
        (&[], ""),
        (&["engine.compression_threshold=1", "engine.http_compression=false"], ""),
    ] {
        let server = start(options).await;
        let mut connection = Connection::open(server.address).await;
        connection.request("GET /socket.io/?EIO=4&transport=polling", "accept-encoding: gzip\r\n").await;
        assert_eq!(connection.head().await.header("content-encoding"), coding, "{options:?}");
    }
}

#[tokio::test]
async fn heads_of_requests_are_bounded_in_size_and_time() {
    let long = format!("x: {}\r\n", "x".repeat(20_000));
    for (option, status) in [("server.max_header_bytes=16KiB", 431), ("server.max_header_bytes=32KiB", 200)] {
        let server = start(&[option]).await;
        assert_eq!(server.get("/socket.io/?EIO=4&transport=polling", &long).await.status, status);
    }
    let server = start(&["server.header_timeout=100ms"]).await;
    let mut connection = Connection::open(server.address).await;
    connection.send("GET / HTTP/1.1\r\n").await;
    in_time(connection.rest()).await;
}

#[tokio::test]
async fn messages_are_bounded_in_size() {
    let server = start(&["engine.max_payload=10"]).await;
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("4012345678").await.body, "ok");
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("40123456789").await.status, 413);
}

#[tokio::test]
async fn clients_that_do_nothing_are_sent_away() {
    let mut server = start(&["engine.ping_interval=50ms", "engine.ping_timeout=50ms"]).await;
    let _client = WebSocket::open(server.endpoint()).await;
    assert!(in_time(server.logged("connection closed")).await.contains("reason=ping timeout"));
    let mut server = start(&["engine.connect_timeout=50ms"]).await;
    let _client = WebSocket::open(server.endpoint()).await;
    assert!(server.logged("connection closed").await.contains("reason=forced close"));
}

#[tokio::test]
async fn upgrades_have_their_time_and_failed_ones_are_counted() {
    let mut server = start(&["engine.upgrade_timeout=1s"]).await;
    let mut polling = Polling::open(server.endpoint()).await;
    let mut websocket = polling.probing().await;
    assert_eq!(in_time(websocket.frame()).await, CLOSED);
    assert_eq!(polling.post("1").await.body, "ok");
    server.logged("connection closed").await;
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_upgrades_total{result=\"failure\"} 1"), "{metrics}");
}

#[tokio::test]
async fn broadcasts_wait_as_long_as_they_are_told_to() {
    let mut server = start(&["engine.flush_delay=1h", "limits.send_queue_messages=3"]).await;
    let _client = join(&server, "/", "EIO=4").await;
    // It would be sent them all, but is sent none, or only the first ones, if its connection is still at work.
    for _ in 0..8 {
        server.emit("", "{\"event\":\"e\"}").await;
    }
    assert!(server.logged("connection closed").await.contains("reason=slow consumer"));
}

#[tokio::test]
async fn clients_that_do_not_read_are_cut_off_behind_their_queue() {
    let large = format!("{{\"event\":\"e\",\"data\":\"{}\"}}", "x".repeat(600));
    for (option, body, emits) in
        [("limits.send_queue_messages=3", "{\"event\":\"e\"}", 4), ("limits.send_queue_bytes=1kB", &large[..], 3)]
    {
        let _row = Row(option);
        let mut server = start(&[option]).await;
        let mut polling = Polling::open(server.endpoint()).await;
        assert_eq!(polling.post("40").await.body, "ok");
        polling.get().await;
        for emit in 1..=emits {
            let sockets = u8::from(emit < emits);
            assert_eq!(server.emit("", body).await.body, format!("{{\"sockets\":{sockets}}}\n"), "{emit}");
        }
        assert!(server.logged("connection closed").await.contains("reason=slow consumer"));
        assert!(server.ask("/metrics").await.body.contains("socketio_slow_consumers_total 1"));
    }
}

#[tokio::test]
async fn clients_that_do_not_read_lose_the_oldest_events_if_they_are_to_stay() {
    let mut server = start(&["limits.slow_consumer=drop_oldest", "limits.send_queue_messages=3"]).await;
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("40").await.body, "ok");
    polling.get().await;
    for event in 1..=5 {
        assert_eq!(server.emit("", &format!("{{\"event\":\"e{event}\"}}")).await.body, "{\"sockets\":1}\n");
    }
    assert_eq!(polling.get().await.body, "42[\"e3\"]\u{1e}42[\"e4\"]\u{1e}42[\"e5\"]");
    assert_eq!(polling.post("1").await.body, "ok");
    assert!(server.logged("connection closed").await.contains("dropped=2"));
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_deliveries_dropped_total{reason=\"oldest\"} 2"), "{metrics}");
    let both = ["check-config", "--set", "limits.slow_consumer=drop_oldest", "--set", "recovery.mode=full"];
    let refused = run(BINARY, &both).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leaves out what recovery promises"));
}

#[tokio::test]
async fn websocket_messages_are_compressed_on_request() {
    for (options, extensions) in [(&[][..], ""), (&["engine.ws_compression=true"], "permessage-deflate")] {
        let server = start(options).await;
        let mut connection = Connection::open(server.address).await;
        let headers = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-extensions: permessage-deflate\r\n";
        connection.request("GET /socket.io/?EIO=4&transport=websocket", headers).await;
        let head = connection.head().await;
        assert_eq!(head.status, 101);
        assert_eq!(head.header("sec-websocket-extensions").split(';').next(), Some(extensions));
    }
}
