//! What the binary takes of a configuration that it reads again: backends, and who may join.

use std::fs;

use tests::{
    Row,
    backend::{Backend, Hook},
    frames::{WebSocket, text},
    process::{Process, run},
    socket,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

fn file(test: &str) -> String {
    format!("{}/reload-{test}.toml", env!("CARGO_TARGET_TMPDIR"))
}

/// Has it read this, and say so.
async fn reread(server: &mut Process, test: &str, configuration: &str, logged: &str) {
    fs::write(file(test), configuration).expect("writable");
    server.signal("HUP");
    server.logged(logged).await;
}

const READ: &str = "configuration read again";
const WAITS: &str = "waits for the next start";

/// A namespace, and a backend that hears of its events.
fn of(backend: &Backend, more: &str) -> String {
    let url = backend.url();
    format!("[[namespace]]\n[[backend]]\nurl = '{url}'\nconnect = false\ndisconnect = false\n{more}")
}

/// Answers with what came.
fn echo(hook: Hook) {
    let ack = serde_json::json!({ "ack": hook.body["args"] }).to_string();
    hook.done(&ack);
}

#[tokio::test]
async fn another_url_holds_for_what_waits_too() {
    let (mut old, mut new) = (Backend::listen().await, Backend::listen().await);
    let mut server = Process::configured(BINARY, &file("url"), &of(&old, "")).await;
    let (mut client, _) = socket::connect(server.endpoint(), "/").await;
    for at in 0..3 {
        client.send(&format!(r#"42{at}["e",{at}]"#)).await;
    }
    let under_way = old.hook_of("event").await;
    reread(&mut server, "url", &of(&new, "secret = 's'\ninclude_rooms = false"), READ).await;
    echo(under_way);
    assert_eq!(client.frame().await, text("430[0]"));
    for at in 1..3 {
        let hook = new.hook_of("event").await;
        assert!(hook.head.header("webhook-signature").starts_with("v1,"));
        assert!(hook.body.get("rooms").is_none(), "{}", hook.text);
        echo(hook);
        assert_eq!(client.frame().await, text(format!("43{at}[{at}]")));
    }
    assert!(old.is_idle());
}

#[tokio::test]
async fn another_pace_and_other_bounds_hold_at_once() {
    let mut backend = Backend::listen().await;
    let paused = "breaker_failures = 1\nbreaker_pause = '5m'\nmax_in_flight = 1";
    let mut server = Process::configured(BINARY, &file("bounds"), &of(&backend, paused)).await;
    let (mut ann, _) = socket::connect(server.endpoint(), "/").await;
    let (mut bob, _) = socket::connect(server.endpoint(), "/").await;
    ann.send(r#"42["e"]"#).await;
    backend.hook_of("event").await.answer(503, "");
    assert!(ann.text().await.contains("\"code\":\"error\""));
    ann.send(r#"42["e"]"#).await;
    assert!(ann.text().await.contains("\"code\":\"unavailable\""), "it has a pause");
    // That is over with other options.
    reread(&mut server, "bounds", &of(&backend, "max_in_flight = 1"), READ).await;
    ann.send(r#"421["e"]"#).await;
    let first = backend.hook_of("event").await;
    bob.send(r#"422["e"]"#).await;
    reread(&mut server, "bounds", &of(&backend, "max_in_flight = 2"), READ).await;
    echo(backend.hook_of("event").await);
    assert_eq!(bob.frame().await, text("432[]"), "the second one goes though the first one is not answered");
    echo(first);
    assert_eq!(ann.frame().await, text("431[]"));
}

#[tokio::test]
async fn backends_come_and_go() {
    let (mut first, mut second) = (Backend::listen().await, Backend::listen().await);
    let spaces = "[[namespace]]\nunhandled = 'error'\n";
    let one = |name: &str, backend: &Backend, events: &str| {
        let url = backend.url();
        format!(
            "[[backend]]\nname = '{name}'\nurl = '{url}'\nevents = '{events}'\nconnect = false\ndisconnect = false\n"
        )
    };
    let mut server = Process::configured(BINARY, &file("list"), &format!("{spaces}{}", one("a", &first, "x*"))).await;
    let (mut client, _) = socket::connect(server.endpoint(), "/").await;
    client.send(r#"42["y"]"#).await;
    assert!(client.text().await.contains("unhandled"));
    let both = format!("{spaces}{}{}", one("b", &second, "xx"), one("a", &first, "*"));
    reread(&mut server, "list", &both, READ).await;
    for event in ["y", "xx", "x"] {
        let _row = Row(event);
        let backend = if event == "xx" { &mut second } else { &mut first };
        client.send(&format!(r#"421["{event}"]"#)).await;
        echo(backend.hook_of("event").await);
        assert_eq!(client.frame().await, text("431[]"));
    }
    client.send(r#"421["y"]"#).await;
    let under_way = first.hook_of("event").await;
    reread(&mut server, "list", spaces, READ).await;
    under_way.done(r#"{"ack":[],"actions":[{"op":"emit","event":"done"}]}"#);
    assert_eq!(client.frame().await, text(r#"42["done"]"#), "what was asked before is carried out");
    assert_eq!(client.frame().await, text("431[]"));
    client.send(r#"42["xx"]"#).await;
    assert!(client.text().await.contains("unhandled"));
    assert!(first.is_idle() && second.is_idle());
}

#[tokio::test]
async fn what_was_built_at_the_start_is_not_left_open() {
    let mut backend = Backend::listen().await;
    let origin = format!("http://{}", backend.address);
    let with =
        |rest: &str| format!("[proxy]\nupstream = '{origin}'\ndeny = '/hooks'\n[[namespace]]\n[[backend]]\n{rest}\n");
    let start = with(&format!("url = '{origin}/_old'"));
    let mut server = Process::configured(BINARY, &file("start"), &start).await;
    for (rest, logged, path) in [
        // Clients could reach it through the front.
        (format!("url = '{origin}/_new'"), WAITS, "POST /_old HTTP/1.1"),
        // The header is not kept of connections.
        (format!("url = '{origin}/_old'\nforward_headers = 'x-team'"), WAITS, "POST /_old HTTP/1.1"),
        (format!("url = '{origin}/hooks/new'\nforward_headers = 'cookie'"), READ, "POST /hooks/new HTTP/1.1"),
    ] {
        let _row = Row(&rest);
        reread(&mut server, "start", &with(&rest), logged).await;
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        let hook = backend.hook_of("connect").await;
        assert_eq!(hook.head.line, path);
        hook.answer(403, "");
        assert!(client.text().await.starts_with("44{"));
    }
    // Without namespaces of its own these are those of the backend, which there are from the start.
    let derived = |namespaces: &str| format!("[[backend]]\nurl = '{}'\nnamespaces = '{namespaces}'\n", backend.url());
    let mut server = Process::configured(BINARY, &file("derived"), &derived("/a")).await;
    reread(&mut server, "derived", &derived("/b"), WAITS).await;
}

#[tokio::test]
async fn a_backend_that_was_there_at_the_start_may_come_again() {
    let mut backend = Backend::listen().await;
    let origin = format!("http://{}", backend.address);
    let without = format!("[proxy]\nupstream = '{origin}'\n[[namespace]]\n");
    let with = format!("{without}[[backend]]\nurl = '{origin}/_socketio'\n");
    let mut server = Process::configured(BINARY, &file("again"), &with).await;
    reread(&mut server, "again", &without, READ).await;
    socket::connect(server.endpoint(), "/").await;
    assert_eq!(server.post("/_socketio", "{}").await.status, 404, "it is denied since the start");
    reread(&mut server, "again", &with, READ).await;
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    backend.hook_of("connect").await.answer(403, "");
    assert!(client.text().await.starts_with("44{"));
}

#[tokio::test]
async fn keys_that_came_late_leave_backends_to_be_changed() {
    let (mut old, mut new) = (Backend::listen().await, Backend::listen().await);
    let secret = "[auth.jwt]\nsecret = 'a secret of thirty-two bytes, or more'\n";
    let mut server = Process::configured(BINARY, &file("late-keys"), &of(&old, "forward_headers = 'cookie'")).await;
    for (auth, logged) in [("", READ), ("[auth]\nmode = 'jwt'\n", WAITS)] {
        let _row = Row(auth);
        let with = |backend: &Backend| format!("{auth}{secret}{}", of(backend, "forward_headers = 'cookie'"));
        for backend in [&mut new, &mut old] {
            reread(&mut server, "late-keys", &with(backend), logged).await;
            let (mut client, _) = socket::connect(server.endpoint(), "/").await;
            client.send(r#"421["e"]"#).await;
            echo(backend.hook_of("event").await);
            assert_eq!(client.frame().await, text("431[]"));
        }
    }
}

#[tokio::test]
async fn who_may_join_is_decided_anew() {
    let secret = "[auth.jwt]\nsecret = 'a secret of thirty-two bytes, or more'\n";
    let with = |mode: &str, space: &str| format!("[auth]\nmode = '{mode}'\n{secret}[[namespace]]\n{space}\n");
    let mut server = Process::configured(BINARY, &file("mode"), &with("none", "")).await;
    let (mut early, _) = socket::connect(server.endpoint(), "/").await;
    for (configuration, is_let_in) in [
        (with("jwt", ""), false),
        (with("jwt_optional", ""), true),
        (with("none", "auth = 'jwt'"), false),
        (with("jwt", "auth = 'none'"), true),
    ] {
        let _row = Row(&configuration);
        reread(&mut server, "mode", &configuration, READ).await;
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        let answer = client.text().await;
        assert_eq!(answer.starts_with("40{"), is_let_in, "{answer}");
        assert!(is_let_in || answer.contains("Token missing"), "{answer}");
    }
    // Who is there stays.
    server.emit("", "{\"event\":\"e\"}").await;
    assert_eq!(early.text().await, "42[\"e\"]");
    // Without keys at the start no header is kept that could have a token.
    let mut server = Process::configured(BINARY, &file("no-keys"), "[[namespace]]").await;
    reread(&mut server, "no-keys", &with("jwt", ""), WAITS).await;
    socket::connect(server.endpoint(), "/").await;
}

#[tokio::test]
async fn how_many_may_come_is_decided_anew() {
    let open = async |server: &Process| server.get("/socket.io/?EIO=4&transport=polling", "").await;
    let mut server = Process::configured(BINARY, &file("limits"), "[[namespace]]").await;
    for _ in 0..2 {
        assert_eq!(open(&server).await.status, 200);
    }
    for (limits, status) in [
        ("max_connections = 2", 503),
        ("max_connections = 3", 200),
        ("max_unused_connections = 3", 503),
        ("", 200),
        ("max_connections_per_ip = 1", 200),
        ("max_connections_per_ip = 1", 503),
    ] {
        let _row = Row(limits);
        reread(&mut server, "limits", &format!("[limits]\n{limits}\n[[namespace]]"), READ).await;
        assert_eq!(open(&server).await.status, status);
    }
    reread(&mut server, "limits", "[limits]\nconnect_rate = 1\n[[namespace]]", READ).await;
    // The third one of a second is one too many; a slow machine has some seconds for ten.
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(open(&server).await.status);
    }
    assert!(statuses[0] == 200 && statuses.contains(&503), "{statuses:?}");
    reread(&mut server, "limits", "[limits]\nsend_queue_messages = 5\n[[namespace]]", WAITS).await;
}

#[tokio::test]
async fn how_many_may_join_is_decided_anew() {
    let secret = "auth.jwt.secret=a secret of thirty-two bytes, or more";
    let token = run(BINARY, &["token", "--set", secret, "--sub", "ann"]).await.stdout;
    let token = String::from_utf8(token).expect("UTF-8");
    let as_ann = format!("40{{\"token\":\"{}\"}}", token.trim());
    let with = |space: &str| {
        let auth = "[auth]\nmode = 'jwt_optional'\n[auth.jwt]\nsecret = 'a secret of thirty-two bytes, or more'";
        format!("{auth}\n[[namespace]]\n{space}")
    };
    let mut server = Process::configured(BINARY, &file("seats"), &with("")).await;
    let mut clients = Vec::new();
    for (space, connect, answer) in [
        ("", "40", "40{"),
        ("max_connections = 1", "40", "44{\"message\":\"Too many connections\""),
        ("max_connections = 2", "40", "40{"),
        ("max_per_user = 1", &as_ann, "40{"),
        ("max_per_user = 1", &as_ann, "44{\"message\":\"Too many connections of this user\""),
        ("require_user = true", "40", "44{\"message\":\"User required\""),
        ("require_user = true", &as_ann, "40{"),
    ] {
        let _row = Row(space);
        reread(&mut server, "seats", &with(space), READ).await;
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send(connect).await;
        let found = client.text().await;
        assert!(found.starts_with(answer), "{found}");
        clients.push(client);
    }
}
