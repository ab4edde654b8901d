//! The binary's hooks of users: told when the first socket of one is there, and when there has been none for a while.

use serde_json::json;
use tests::{
    backend::Backend,
    frames::{WebSocket, closed, text},
    in_time,
    process::Process,
    within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

async fn start(name: &str, backend: &Backend, options: &str) -> Process {
    let file = format!("{}/users-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    let url = backend.url();
    Process::configured(BINARY, &file, &format!("[[backend]]\nurl = '{url}'\ndisconnect = false\n{options}")).await
}

/// A client that its backend lets in as this user.
async fn join(server: &Process, backend: &mut Backend, user: &str) -> (WebSocket, String) {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    let hook = backend.hook_of("connect").await;
    let sid = hook.at("sid").as_str().expect("a text").to_owned();
    hook.done(&json!({ "user": user }).to_string());
    assert!(client.text().await.starts_with("40{"));
    (client, sid)
}

/// Waits until the server has so many connections.
async fn connections(server: &Process, count: usize) {
    let line = format!("socketio_connections{{transport=\"websocket\"}} {count}");
    within(async { while !server.ask("/metrics").await.body.contains(&line) {} }).await;
}

/// Waits until a user has no socket.
async fn gone(server: &Process, user: &str) {
    let path = format!("/api/v1/users/{user}");
    within(async { while !server.ask(&path).await.body.contains(r#""sockets":[]"#) {} }).await;
}

#[tokio::test]
async fn users_come_with_their_first_socket_and_go_with_their_last() {
    let mut backend = Backend::listen().await;
    let server = start("tabs", &backend, "presence = true\npresence_grace = '500ms'").await;
    let (mut first, sid) = join(&server, &mut backend, "ann").await;
    let online = backend.hook_of("user_online").await;
    assert_eq!(online.head.header("socketio-event"), "user_online");
    let body = json!({
        "type": "user_online", "id": online.at("id"), "time": online.at("time"), "node": online.at("node"),
        "namespace": "/", "user": "ann",
    });
    assert_eq!(online.body, body);
    online.done(r#"{"actions":[{"op":"emit","event":"hello","to":{"users":["ann"]}}]}"#);
    assert_eq!(first.frame().await, text(r#"42["hello"]"#));
    let (second, _) = join(&server, &mut backend, "ann").await;
    drop(second);
    connections(&server, 1).await;
    // Whose the last one is may change, too.
    let change = json!({ "ops": [{ "op": "user", "sid": sid, "user": "bob" }] }).to_string();
    assert_eq!(server.call("POST /api/v1/batch", "", &change).await.status, 200);
    for (kind, user) in [("user_online", "bob"), ("user_offline", "ann")] {
        let hook = backend.hook_of(kind).await;
        assert_eq!(hook.at("user"), user);
        hook.answer(204, "");
    }
    drop(first);
    let gone = in_time(backend.hook_of("user_offline")).await;
    let id = gone.at("id").clone();
    gone.answer(503, "");
    let again = backend.hook_of("user_offline").await;
    assert_eq!((again.at("id"), again.at("user")), (&id, &json!("bob")));
    again.answer(204, "");
    let metrics = server.ask("/metrics").await.body;
    for (kind, code, count) in [("user_online", 200, 1), ("user_online", 204, 1), ("user_offline", 503, 1)] {
        let line =
            format!("socketio_backend_requests_total{{backend=\"default\",code=\"{code}\",type=\"{kind}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn who_is_back_in_time_was_never_gone_and_nobody_is_when_the_server_ends() {
    let mut backend = Backend::listen().await;
    let mut server = start("blip", &backend, "presence = true\npresence_grace = '5m'").await;
    let (client, _) = join(&server, &mut backend, "ann").await;
    backend.hook_of("user_online").await.answer(204, "");
    drop(client);
    gone(&server, "ann").await;
    let (mut client, _) = join(&server, &mut backend, "ann").await;
    // What comes behind that shows that nothing came before.
    let (_other, _) = join(&server, &mut backend, "bob").await;
    let hook = backend.hook_of("user_online").await;
    assert_eq!(hook.at("user"), "bob");
    hook.answer(204, "");
    server.signal("TERM");
    assert_eq!(client.frame().await, closed(1001));
    assert!(within(server.child.wait()).await.expect("it ends").success());
    assert!(backend.is_idle());
}

#[tokio::test]
async fn users_are_told_of_where_that_is_wanted() {
    let mut backend = Backend::listen().await;
    let server = start("unwanted", &backend, "presence_grace = '1ms'").await;
    let (client, _) = join(&server, &mut backend, "ann").await;
    drop(client);
    gone(&server, "ann").await;
    let (_client, _) = join(&server, &mut backend, "ann").await;
    assert!(backend.is_idle());
}

#[tokio::test]
async fn who_goes_while_nobody_is_told_comes_anew() {
    let mut backend = Backend::listen().await;
    let mut server = start("untold", &backend, "presence = true").await;
    let (client, _) = join(&server, &mut backend, "ann").await;
    backend.hook_of("user_online").await.answer(204, "");
    let file = format!("{}/users-untold.toml", env!("CARGO_TARGET_TMPDIR"));
    let with = std::fs::read_to_string(&file).expect("written");
    std::fs::write(&file, with.replace("presence = true", "")).expect("writable");
    server.signal("HUP");
    server.logged("configuration read again").await;
    drop(client);
    gone(&server, "ann").await;
    std::fs::write(&file, &with).expect("writable");
    server.signal("HUP");
    server.logged("configuration read again").await;
    let (_client, _) = join(&server, &mut backend, "ann").await;
    let hook = backend.hook_of("user_online").await;
    assert_eq!(hook.at("user"), "ann");
    hook.answer(204, "");
}
