//! The examples in `server/examples`: each starts as it is, and does what its first lines say. What stands for their
//! applications is only a test, which answers the hooks itself. (The one that has its application beside it runs with
//! that in `tests/bridge/test_jobs.py`.)

use std::{fs, path::Path, time::Instant};

use tests::{backend::Backend, frames::WebSocket, process::Process, redis::Redis, socket, within};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

const KEY: &str = "x-api-key: of the api\r\n";

/// A server with the configuration of this example, in which these texts stand for others.
async fn start(name: &str, changes: &[(&str, &str)]) -> Process {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut text = fs::read_to_string(example.join("server.toml")).expect("an example");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("example-{name}"));
    fs::create_dir_all(&folder).expect("writable");
    let secrets =
        [("api.key", "of the api"), ("hooks.key", "of hooks"), ("jwt.key", "of tokens, thirty-two bytes or more")];
    for (key, secret) in secrets {
        let file = folder.join(key).display().to_string();
        fs::write(&file, secret).expect("writable");
        text = text.replace(&format!("\"{key}\""), &format!("'{file}'"));
    }
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {name}");
        text = text.replace(from, to);
    }
    Process::configured(BINARY, &folder.join("server.toml").display().to_string(), &text).await
}

/// The same with this backend.
async fn start_with(name: &str, backend: &Backend) -> Process {
    let app = match name {
        "progress" => "http://app:8181",
        _ => "http://app:5000",
    };
    start(name, &[(app, &format!("http://{}", backend.address))]).await
}

/// A client in a namespace, by its backend's leave, whose answer is this.
async fn join(server: &Process, backend: &mut Backend, connect: &str, answer: &str) -> WebSocket {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send(connect).await;
    backend.hook_of("connect").await.done(answer);
    let joined = client.text().await;
    assert!(joined.starts_with(&format!("{connect}{{\"sid\":")), "{joined}");
    client
}

/// Sends a packet and reads what comes of it.
async fn ask(client: &mut WebSocket, packet: &str) -> String {
    client.send(packet).await;
    client.text().await
}

async fn emit(server: &Process, body: &str) -> String {
    let answer = server.emit(KEY, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[test]
fn each_example_has_what_its_first_lines_name() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let list = fs::read_to_string(examples.join("README.md")).expect("the list");
    for folder in fs::read_dir(&examples).expect("examples").map(|entry| entry.expect("readable").path()) {
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().expect("below").to_string_lossy().into_owned();
        assert!(list.contains(&format!("[{name}]({name}/server.toml)")), "{name} is not in the list");
        let compose = fs::read_to_string(folder.join("compose.yaml")).expect("a compose file");
        let context = compose.lines().find_map(|line| line.trim().strip_prefix("context: ")).expect("a context");
        let dockerfile = compose.lines().find_map(|line| line.trim().strip_prefix("dockerfile: ")).expect("a file");
        assert!(folder.join(context).join(dockerfile).is_file(), "{name}");
    }
}

#[tokio::test]
async fn viewers_of_a_bot_have_what_was_last_at_once() {
    let server = start("viewer", &[]).await;
    for number in 1..=60 {
        let body = format!(r#"{{"event":"command_data","room":"commands","data":{{"n":{number}}}}}"#);
        assert_eq!(emit(&server, &body).await, "{\"sockets\":0}\n");
    }
    let ((mut viewer, _), (mut other, _)) =
        (socket::connect(server.endpoint(), "/").await, socket::connect(server.endpoint(), "/").await);
    viewer.send("42[\"subscribe_commands\"]").await;
    for number in 11..=60 {
        assert_eq!(viewer.text().await, format!("42[\"command_data\",{{\"n\":{number}}}]"));
    }
    assert_eq!(viewer.text().await, "42[\"status\",{\"message\":\"Subscribed to command stream\"}]");
    assert_eq!(ask(&mut other, "42[\"ping\"]").await, "42[\"pong\"]", "no arguments stay none");
    assert_eq!(ask(&mut other, "42[\"ping\",null,{\"t\":1}]").await, "42[\"pong\",null,{\"t\":1}]");
    assert_eq!(emit(&server, r#"{"event":"log_line","room":"logs","data":"x"}"#).await, "{\"sockets\":0}\n");
    assert_eq!(emit(&server, r#"{"event":"command_data","room":"commands"}"#).await, "{\"sockets\":1}\n");
    assert_eq!(viewer.text().await, "42[\"command_data\"]");
    assert_eq!(ask(&mut other, "42[\"subscribe_logs\"]").await, "42[\"log_line\",\"x\"]");
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(socket::connect(server.endpoint(), "/").await);
    }
    let (mut refused, _) = WebSocket::open(server.endpoint()).await;
    let full = "44{\"message\":\"Too many connections\",\"data\":{\"code\":\"limit\"}}";
    assert_eq!(ask(&mut refused, "40").await, full);
    drop(others);
    within(async { while ask(&mut refused, "40").await == full {} }).await;
    let metrics = server.ask("/metrics").await.body;
    for line in
        ["socketio_emits_total{source=\"rule\"} 3", "socketio_events_received_total{event=\"other\",namespace=\"/\"} 4"]
    {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("socketio_events_unhandled_total{namespace=\"/\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_tab_of_a_watch_list_has_the_figures_at_once_and_not_all_that_come() {
    let mut backend = Backend::listen().await;
    let server = start_with("watchlist", &backend).await;
    for (event, data) in [("queue_size", 3), ("queue_size", 4), ("checking_now", 1), ("watch_deleted", 9)] {
        emit(&server, &format!(r#"{{"event":"{event}","data":{data}}}"#)).await;
    }
    let mut tab = join(&server, &mut backend, "40", "{}").await;
    assert_eq!(tab.text().await, "42[\"queue_size\",4]");
    assert_eq!(tab.text().await, "42[\"checking_now\",1]");
    let start = Instant::now();
    for count in 0..50 {
        emit(&server, &format!(r#"{{"event":"general_stats_update","data":{count}}}"#)).await;
    }
    emit(&server, r#"{"event":"watch_deleted","data":1}"#).await;
    let (mut updates, mut deleted, mut last) = (0, 0, String::new());
    while deleted == 0 || last != "42[\"general_stats_update\",49]" {
        let text = tab.text().await;
        if text.contains("stats") { (updates, last) = (updates + 1, text) } else { deleted += 1 }
    }
    assert_eq!(deleted, 1, "only what is often waits");
    let most = 2 + start.elapsed().as_millis() / 200;
    assert!(updates <= most, "{updates} of 50, {most} at most");
    for path in ["/app/socket.io/", "/socket.io/"] {
        assert_eq!(server.get(&format!("{path}?EIO=4&transport=polling"), "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn progress_of_jobs_is_there_for_who_comes_late_or_back() {
    let mut backend = Backend::listen().await;
    let server = start_with("progress", &backend).await;
    for percent in [50, 100] {
        emit(&server, &format!(r#"{{"event":"project_progress","room":"p1","data":{{"percent":{percent}}}}}"#)).await;
    }
    let mut client = join(&server, &mut backend, "40", "{}").await;
    // Who comes late is told how things stand, before the answer.
    let progress = ask(&mut client, "42[\"crawl_subscribe\",{\"progress_id\":\"p1\"}]").await;
    assert!(progress.starts_with("42[\"project_progress\",{\"percent\":100},\""), "{progress}");
    let answer = client.text().await;
    let expected = "42[\"crawl_subscribe_ack\",{\"progress_id\":\"p1\",\"status\":\"subscribed\"},\"";
    assert!(answer.starts_with(expected), "{answer}");
    assert_eq!(emit(&server, r#"{"event":"e","room":"p1"}"#).await, "{\"sockets\":1}\n");
    client.text().await;
    client.send("42[\"crawl_unsubscribe\",{\"progress_id\":\"p1\"}]").await;
    // What has no rule is the application's.
    client.send("427[\"crawl_stop\",{\"progress_id\":\"p1\"}]").await;
    let hook = backend.hook().await;
    assert_eq!((hook.at("type").as_str(), hook.at("event").as_str()), (Some("event"), Some("crawl_stop")));
    hook.done("{\"ack\":[{\"success\":true}]}");
    assert_eq!(client.text().await, "437[{\"success\":true}]");
    assert_eq!(emit(&server, r#"{"event":"e","room":"p1"}"#).await, "{\"sockets\":0}\n");
    // A job that is none is no room.
    client.send("42[\"crawl_subscribe\",{\"id\":\"p1\"}]").await;
    assert!(client.text().await.contains("\"0.progress_id must be a text or a number\""));
}

#[tokio::test]
async fn tasks_are_for_their_owners_and_a_dashboard_for_administrators() {
    let mut backend = Backend::listen().await;
    let server = start_with("captions", &backend).await;
    emit(&server, r#"{"event":"progress_update","room":"task_7","data":{"progress_percent":40}}"#).await;
    let mut ann = join(&server, &mut backend, "40", "{\"user\":\"ann\"}").await;
    ann.send("42[\"join_task\",{\"task_id\":8}]").await;
    let not_hers = "{\"error\":{\"message\":\"Task not found or access denied\"}}";
    backend.hook_of("event").await.done(not_hers);
    let told = ann.text().await;
    assert!(told.starts_with("42[\"error\"") && told.contains("Task not found or access denied"), "{told}");
    ann.send("42[\"join_task\",{\"task_id\":7}]").await;
    backend.hook_of("event").await.answer(204, "");
    assert_eq!(ann.text().await, "42[\"progress_update\",{\"progress_percent\":40}]");
    assert_eq!(emit(&server, r#"{"event":"e","room":"task_8"}"#).await, "{\"sockets\":0}\n");
    // What the application does not know is told, and not lost.
    ann.send("42[\"cancel_task\",{\"task_id\":7}]").await;
    backend.hook_of("event").await.answer(404, "");
    let told = ann.text().await;
    assert!(told.starts_with("42[\"error\"") && told.contains("cancel_task"), "{told}");
    let mut tabs = vec![ann];
    for _ in 1..5 {
        tabs.push(join(&server, &mut backend, "40", "{\"user\":\"ann\"}").await);
    }
    for (connect, answer, refusal) in [
        ("40", "{\"user\":\"ann\"}", "44{\"message\":\"Too many connections of this user\""),
        ("40/admin,", "{}", "44/admin,{\"message\":\"User required\""),
        (
            "40/admin,",
            "{\"error\":{\"message\":\"Administrators only\"}}",
            "44/admin,{\"message\":\"Administrators only\"",
        ),
    ] {
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send(connect).await;
        let status = if answer.contains("error") { 403 } else { 200 };
        backend.hook_of("connect").await.answer(status, answer);
        let refused = client.text().await;
        assert!(refused.starts_with(refusal), "{refused}");
        if status == 200 {
            // The application had let it in.
            backend.hook_of("disconnect").await.answer(204, "");
        }
    }
    join(&server, &mut backend, "40/admin,", "{\"user\":\"root\"}").await;
}

#[tokio::test]
async fn players_are_users_whom_redis_reaches() {
    let (mut backend, redis) = (Backend::listen().await, Redis::start(&[]).await);
    let app = format!("http://{}", backend.address);
    let mut server = start("mud", &[("http://app:5000", &app), ("redis://redis:6379", &redis.url())]).await;
    server.logged("Redis is there").await;
    let (mut stranger, _) = WebSocket::open(server.endpoint()).await;
    stranger.send("40").await;
    backend.hook_of("connect").await.answer(204, "");
    assert!(stranger.text().await.starts_with("44{\"message\":\"User required\""));
    // The application had let it in.
    backend.hook_of("disconnect").await.answer(204, "");
    let (mut ann, _) = WebSocket::open(server.endpoint()).await;
    ann.send("40").await;
    let hook = backend.hook_of("connect").await;
    let sid = hook.at("sid").as_str().expect("an id").to_owned();
    let join = format!("{{\"op\":\"join\",\"target\":{{\"sids\":[\"{sid}\"]}},\"rooms\":[\"room:inn\"]}}");
    hook.done(&format!("{{\"user\":\"ann\",\"actions\":[{join}]}}"));
    assert_eq!(ann.text().await, format!("40{{\"sid\":\"{sid}\"}}"));
    let there = "{\"members\":{\"ann\":{\"count\":1,\"info\":null}},\"room\":\"room:inn\"}";
    assert_eq!(ann.text().await, format!("42[\"presence_state\",{there}]"));
    let mut wire = redis.connect().await;
    let message =
        r#"{"method":"emit","event":"room_message","data":{"message":"rain"},"room":"user:ann","host_id":"w1"}"#;
    assert_eq!(wire.publish("flask-socketio", message).await, 1);
    assert_eq!(ann.text().await, "42[\"room_message\",{\"message\":\"rain\"}]");
    assert_eq!(ask(&mut ann, "42[\"ping\",{\"timestamp\":1}]").await, "42[\"pong\",{\"timestamp\":1}]");
}

#[tokio::test]
async fn jobs_tell_all_tabs_of_their_owner() {
    let server = start("jobs", &[]).await;
    let (mut tabs, mut sids) = (Vec::new(), Vec::new());
    for user in ["ann", "ann", "bob"] {
        let draft = format!("{{\"sub\":\"{user}\",\"ttl\":\"1h\"}}");
        let answer = server.call("POST /api/v1/tokens", KEY, &draft).await;
        let (_, token) = answer.body.split_once("{\"token\":\"").expect("a token");
        let (mut tab, _) = WebSocket::open(server.endpoint()).await;
        tab.send(&format!("40{{\"token\":\"{}\"}}", token.split('"').next().expect("its end"))).await;
        sids.push(tab.text().await);
        tabs.push(tab);
    }
    assert!(sids.iter().all(|joined| joined.starts_with("40{\"sid\":")), "{sids:?}");
    let progress = r#"{"room":"user:ann","event":"progress","data":{"job":"a1","percent":10}}"#;
    assert_eq!(emit(&server, progress).await, "{\"sockets\":2}\n");
    for tab in &mut tabs[..2] {
        assert_eq!(tab.text().await, "42[\"progress\",{\"job\":\"a1\",\"percent\":10}]");
    }
    let (mut stranger, _) = WebSocket::open(server.endpoint()).await;
    assert!(ask(&mut stranger, "40").await.starts_with("44{\"message\":\"Token missing\""));
}
