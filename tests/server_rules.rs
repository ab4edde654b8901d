//! The binary with rules: what becomes of events without an application. More of that is in `server_examples.rs`.

use std::fs;

use tests::{
    Row,
    backend::Backend,
    frames::{Frame, WebSocket},
    process::{Process, run},
    socket,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// The secret of tokens.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Starts a server with this file, on any free ports.
async fn start(name: &str, configuration: &str) -> Process {
    let file = format!("{}/rules-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, configuration).await
}

/// A client in `/`.
async fn join(server: &Process) -> WebSocket {
    socket::connect(server.endpoint(), "/").await.0
}

/// A client in `/` with a token that says this, and the id of its socket.
async fn join_as(server: &Process, token: &[&str]) -> (WebSocket, String) {
    let secret = format!("auth.jwt.secret={SECRET}");
    let output = run(BINARY, &[&["token", "--set", &secret], token].concat()).await;
    let token = String::from_utf8(output.stdout).expect("UTF-8");
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send(&format!("40{{\"token\":\"{}\"}}", token.trim_end())).await;
    let answer = client.text().await;
    let id = answer.strip_prefix("40{\"sid\":\"").and_then(|rest| rest.strip_suffix("\"}"));
    (client, id.unwrap_or_else(|| panic!("{answer}")).to_owned())
}

/// Sends a packet and reads what comes of it.
async fn ask(client: &mut WebSocket, packet: &str) -> String {
    client.send(packet).await;
    client.text().await
}

async fn emit(server: &Process, body: &str) -> String {
    let answer = server.emit("", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// The text of the event that tells of an error.
fn error(code: &str, event: &str, message: &str) -> String {
    format!("42[\"error\",{{\"code\":\"{code}\",\"event\":\"{event}\",\"message\":\"{message}\"}}]")
}

#[tokio::test]
async fn a_dashboard_is_for_those_whose_tokens_say_so() {
    let configuration = r#"
        [auth]
        mode = "jwt_optional"
        [auth.jwt]
        secret = "SECRET"
        [[namespace]]
        name = "/"
        max_per_user = 5
        auto_join = ["user:{user}"]
        [[namespace.rule]]
        on = "join_task"
        check = "claims"
        join = ["{0.task_id}"]
        reply = { event = "joined_task", data = { task_id = "{0.task_id}" } }
        [[namespace.rule]]
        on = "join_admin_dashboard"
        check = "role:admin"
        join = ["admin_dashboard"]
        ack = true
        [[namespace.rule]]
        on = "whoami"
        check = "user"
        reply = { event = "you", data = ["{user}", "{claim.sub}", "{claim.socketio.info.n}", "{sid}"] }
        [[namespace.rule]]
        on = "note_*"
        check = "claims"
        ack = "noted""#;
    let server = start("dashboard", &configuration.replace("SECRET", SECRET)).await;
    let ann = ["--sub", "ann", "--allow-join", "task_1_*", "--allow-emit", "note_a*", "--info", "{\"n\":7}"];
    let (ann, sid) = join_as(&server, &ann).await;
    let (admin, _) = join_as(&server, &["--sub", "root", "--role", "admin"]).await;
    let mut clients = [ann, admin, join(&server).await];
    let [ann, admin, nobody] = [0, 1, 2];
    let ids = "42[\"joined_task\",{\"task_id\":\"task_1_a\"}]";
    for (client, packet, answer) in [
        (ann, "42[\"join_task\",{\"task_id\":\"task_1_a\"}]", ids.to_owned()),
        (ann, "42[\"join_task\",{\"task_id\":\"task_2_a\"}]", error("forbidden", "join_task", "not allowed")),
        (ann, "420[\"join_admin_dashboard\"]", error("forbidden", "join_admin_dashboard", "not allowed")),
        (ann, "421[\"note_a1\"]", "431[\"noted\"]".to_owned()),
        (ann, "421[\"note_b1\"]", error("forbidden", "note_b1", "not allowed")),
        (ann, "42[\"whoami\"]", format!("42[\"you\",[\"ann\",\"ann\",7,\"{sid}\"]]")),
        (admin, "420[\"join_admin_dashboard\"]", "430[true]".to_owned()),
        (admin, "42[\"join_task\",{\"task_id\":\"x\"}]", error("forbidden", "join_task", "not allowed")),
        (nobody, "42[\"join_task\",{\"task_id\":\"x\"}]", error("forbidden", "join_task", "not allowed")),
        (nobody, "42[\"whoami\"]", error("unauthorized", "whoami", "log in first")),
        (nobody, "42[\"join_admin_dashboard\"]", error("forbidden", "join_admin_dashboard", "not allowed")),
    ] {
        assert_eq!(ask(&mut clients[client], packet).await, answer, "{packet}");
    }
    for (room, sockets) in [("task_1_a", 1), ("task_2_a", 0), ("x", 0), ("admin_dashboard", 1), ("user:ann", 1)] {
        let answer = emit(&server, &format!("{{\"event\":\"e\",\"room\":\"{room}\"}}")).await;
        assert_eq!(answer, format!("{{\"sockets\":{sockets}}}\n"), "{room}");
    }
}

#[tokio::test]
async fn rooms_of_clients_words_are_bounded_by_what_is_theirs() {
    let rules = r#"
        [limits]
        max_rooms_per_socket = 3
        max_room_name = 10
        [[namespace]]
        error_event = "oops"
        [[namespace.rule]]
        on = "go"
        leave = ["room:*"]
        join = ["{0}"]
        reply = { event = "there" }
        [[namespace.rule]]
        on = "leave"
        leave = ["{0}", "x{1.0}*"]
        ack = 1.5
        [[namespace.rule]]
        on = "typing"
        relay = { room = "{0.room}" }
        [[namespace.rule]]
        on = "shout"
        relay = { room = "{0.room}", members_only = false }
        [[namespace.rule]]
        on = "quiet*"
        [[namespace.rule]]
        on = "*"
        join = ["never"]
        [[namespace]]
        name = "/silent"
        error_event = ""
        [[namespace.rule]]
        on = "go"
        join = ["{0}"]
        ack = "gone""#;
    let server = start("bounds", rules).await;
    let (mut ann, _) = socket::connect(server.endpoint(), "/").await;
    let (mut bob, bob_id) = socket::connect(server.endpoint(), "/").await;
    let oops = |code: &str, event: &str, message: &str| error(code, event, message).replacen("error", "oops", 1);
    let bad = |event: &str, slot: &str| oops("invalid_argument", event, &format!("{slot} must be a text or a number"));
    let room = |event: &str| oops("invalid_argument", event, "the room is not possible");
    let there = || "42[\"there\"]".to_owned();
    for (packet, answer) in [
        ("42[\"go\",\"room:1\"]", there()),
        ("42[\"go\",\"room:2\"]", there()),
        ("42[\"go\",\"room:2\"]", there()),
        ("42[\"go\",7]", there()),
        ("42[\"go\",8]", there()),
        ("42[\"go\",\"a\"]", there()),
        ("42[\"go\",\"b\"]", oops("limit", "go", "too many rooms")),
        ("42[\"go\",\"12345678901\"]", room("go")),
        (&format!("42[\"go\",\"{bob_id}\"]"), room("go")),
        ("42[\"go\",\"@all\"]", room("go")),
        ("42[\"go\"]", bad("go", "0")),
        ("42[\"go\",null]", bad("go", "0")),
        ("42[\"go\",true]", bad("go", "0")),
        ("42[\"go\",[\"a\"]]", bad("go", "0")),
        ("42[\"go\",\"\"]", bad("go", "0")),
        ("42[\"go\",\"a\\u0001\"]", bad("go", "0")),
        ("42[\"go\",\"\\u0001user:bob\"]", bad("go", "0")),
        (&format!("42[\"go\",\"{}\"]", "x".repeat(1025)), bad("go", "0")),
        ("421[\"leave\",\"*\",[\"\"]]", bad("leave", "0")),
        ("421[\"leave\",\"7\",[\"*\"]]", bad("leave", "1.0")),
        ("421[\"leave\",\"7\",{\"0\":\"y\"}]", "431[1.5]".to_owned()),
        ("42[\"typing\",{\"room\":\"lobby\"}]", oops("forbidden", "typing", "join the room first")),
        (&format!("42[\"typing\",{{\"room\":\"{bob_id}\"}}]"), room("typing")),
        (&format!("42[\"shout\",{{\"room\":\"{bob_id}\"}}]"), room("shout")),
    ] {
        let _row = Row(packet);
        assert_eq!(ask(&mut ann, packet).await, answer);
    }
    for (room, sockets) in [("room:1", 0), ("room:2", 0), ("7", 0), ("8", 1), ("a", 1), ("b", 0)] {
        let answer = emit(&server, &format!("{{\"event\":\"e\",\"room\":\"{room}\"}}")).await;
        assert_eq!(answer, format!("{{\"sockets\":{sockets}}}\n"), "{room}");
    }
    for _ in 0..2 {
        assert_eq!(ann.text().await, "42[\"e\"]");
    }

    // What goes on to a room is as it came, binary too, and does not come back.
    assert_eq!(ask(&mut bob, "42[\"go\",\"a\"]").await, there());
    ann.send("42[\"typing\",{\"room\":\"a\"},[1]]").await;
    assert_eq!(bob.text().await, "42[\"typing\",{\"room\":\"a\"},[1]]");
    let shout = "451-[\"shout\",{\"room\":\"8\"},{\"_placeholder\":true,\"num\":0}]";
    bob.send(shout).await;
    bob.send_binary(&[1, 2]).await;
    assert_eq!(ann.text().await, shout);
    assert_eq!(ann.frame().await, Frame::Binary(vec![1, 2]));
    // The first rule counts, also if it does nothing; what none is for is nobody's.
    ann.send("42[\"quiet please\"]").await;
    assert_eq!(ask(&mut ann, "422[\"leave\",\"8\",[\"z\"]]").await, "432[1.5]");
    let (mut silent, _) = socket::connect(server.endpoint(), "/silent").await;
    for packet in ["42/silent,[\"go\"]", "42/silent,[\"else\"]"] {
        silent.send(packet).await;
    }
    assert_eq!(ask(&mut silent, "42/silent,3[\"go\",\"x\"]").await, "43/silent,3[\"gone\"]");
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_events_unhandled_total{namespace=\"/silent\"} 1"), "{metrics}");
    assert!(metrics.contains("socketio_emits_total{source=\"rule\"} 9"), "{metrics}");
    assert_eq!(emit(&server, r#"{"event":"e","room":"never"}"#).await, "{\"sockets\":0}\n");
}

#[tokio::test]
async fn rules_that_cannot_be_are_refused_and_daring_ones_are_told() {
    for (rule, message) in [
        ("on = 'a'\nreply = { echo = true }", "namespace[0].rule[0].reply must be a table with event"),
        ("on = 'a'\nreply = { event = 'b', data = 1, echo = true }", "reply must be a table with event"),
        ("on = 'a'\nreply = { event = 'disconnect' }", "which is no reserved name"),
        ("on = 'a'\nack = 2020-01-01", "ack must be a value that JSON has"),
        ("on = 'a'\nack = '{nobody}'", "ack must be a value that JSON has"),
        ("onn = 'a'", "there is no option namespace[0].rule[0].onn; did you mean on?"),
        ("check = 'backend'", "namespace /: rule[0].check: there is no backend for this namespace"),
        ("forward = true", "namespace /: rule[0].forward: there is no backend for this namespace"),
        ("join = \"\\u0001user:a\"", "join must be the name of a room"),
    ] {
        let _row = Row(rule);
        let file = format!("{}/rules-wrong.toml", env!("CARGO_TARGET_TMPDIR"));
        fs::write(&file, format!("[[namespace]]\n[[namespace.rule]]\n{rule}")).expect("writable");
        let output = run(BINARY, &["check-config", "--config", &file]).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(message), "{error}");
    }
    let auth = format!("[auth]\nmode = 'jwt'\n[auth.jwt]\nsecret = '{SECRET}'\n[[namespace]]\n[[namespace.rule]]\n");
    let warning = "a rule with check = \"open\" joins rooms that clients name";
    for (rule, is_told) in
        [("join = '{0}'", true), ("join = '{0}'\ncheck = 'claims'", false), ("join = 'a-{user}'", false)]
    {
        let server = start("daring", &format!("{auth}{rule}")).await;
        assert_eq!(server.announced.contains(warning), is_told, "{rule}: {}", server.announced);
    }
}

#[tokio::test]
async fn hanging_up_reads_rules_again() {
    let with = |rule: &str| format!("[[namespace]]\nauto_join = 'all'\n[[namespace.rule]]\n{rule}\n");
    let mut server = start("reload", &with("on = 'a'\nack = 'old'")).await;
    let mut client = join(&server).await;
    assert_eq!(ask(&mut client, "421[\"a\"]").await, "431[\"old\"]");
    for (configuration, logged, answer) in [
        (with("on = 'a'\nack = 'new'"), "configuration read again", "\"new\""),
        (with("on = 'a'\nack = "), "stays as it was", "\"new\""),
        (with("on = 'b'\n[[namespace.rule]]\non = '*'\nack = 'any'"), "configuration read again", "\"any\""),
        (format!("{}[[namespace]]\nname = '/b'", with("ack = 7")), "waits for the next start", "7"),
    ] {
        let _row = Row(&configuration);
        let file = format!("{}/rules-reload.toml", env!("CARGO_TARGET_TMPDIR"));
        fs::write(file, &configuration).expect("writable");
        server.signal("HUP");
        server.logged(logged).await;
        assert_eq!(ask(&mut client, "421[\"a\"]").await, format!("431[{answer}]"));
    }
}

/// A server with a backend that is not asked about clients who join, and these rules.
async fn with_backend(name: &str, backend: &Backend, rules: &str) -> Process {
    let configuration = format!("[[backend]]\nurl = '{}'\nconnect = false\ndisconnect = false\n", backend.url());
    start(name, &format!("{configuration}events = ['task_*', 'note']\n[[namespace]]\n{rules}")).await
}

#[tokio::test]
async fn a_backend_says_who_may_have_what_a_rule_gives() {
    let mut backend = Backend::listen().await;
    let rules = "
        [[namespace.rule]]
        on = 'task_join'
        check = 'backend'
        join = '{0.id}'
        reply = { event = 'joined', data = '{0.id}' }
        [[namespace.rule]]
        on = 'task_ack'
        check = 'backend'
        ack = 'of the rule'
        [[namespace.rule]]
        on = 'elsewhere'
        check = 'backend'
        ack = true";
    let server = with_backend("check", &backend, rules).await;
    let (mut client, sid) = socket::connect(server.endpoint(), "/").await;
    client.send("42[\"task_join\",{\"id\":\"t1\"}]").await;
    let hook = backend.hook_of("event").await;
    assert_eq!((hook.at("event"), hook.at("args")), (&"task_join".into(), &serde_json::json!([{ "id": "t1" }])));
    // Nothing is done before it has answered; then what it wants comes first.
    assert_eq!(emit(&server, r#"{"event":"e","room":"t1"}"#).await, "{\"sockets\":0}\n");
    hook.done(&format!(r#"{{"actions":[{{"op":"emit","event":"first","to":{{"sids":["{sid}"]}}}}]}}"#));
    assert_eq!(client.text().await, "42[\"first\"]");
    assert_eq!(client.text().await, "42[\"joined\",\"t1\"]");
    assert_eq!(emit(&server, r#"{"event":"e","room":"t1"}"#).await, "{\"sockets\":1}\n");
    client.text().await;
    for (status, body, code, message) in [
        (
            403,
            r#"{"error":{"message":"Task not found or access denied"}}"#,
            "rejected",
            "Task not found or access denied",
        ),
        (404, "", "rejected", "Event rejected by server"),
        (200, r#"{"error":{"message":"no"}}"#, "rejected", "no"),
        (500, "", "error", "backend unavailable"),
    ] {
        client.send("421[\"task_join\",{\"id\":\"t2\"}]").await;
        backend.hook_of("event").await.answer(status, body);
        assert_eq!(client.text().await, error(code, "task_join", message), "{status}");
    }
    assert_eq!(emit(&server, r#"{"event":"e","room":"t2"}"#).await, "{\"sockets\":0}\n");
    for (body, ack) in [("", "of the rule"), (r#"{"ack":["of the backend"]}"#, "of the rule")] {
        client.send("421[\"task_ack\"]").await;
        backend.hook_of("event").await.done(body);
        assert_eq!(client.text().await, format!("431[\"{ack}\"]"));
    }
    // What lacks something, or has no backend, is nobody's to ask about.
    let lacks = ask(&mut client, "42[\"task_join\"]").await;
    assert_eq!(lacks, error("invalid_argument", "task_join", "0.id must be a text or a number"));
    let nobody = ask(&mut client, "421[\"elsewhere\"]").await;
    assert_eq!(nobody, error("unavailable", "elsewhere", "backend unavailable"));
    assert!(backend.is_idle());
    let metrics = server.ask("/metrics").await.body;
    assert!(!metrics.contains("socketio_events_unhandled_total{namespace=\"/\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_backend_hears_of_what_a_rule_has_done() {
    let mut backend = Backend::listen().await;
    let rules = "
        [[namespace.rule]]
        on = 'note'
        join = '{0}'
        reply = { event = 'noted' }
        forward = true
        [[namespace.rule]]
        on = 'task_*'
        ack = 'of the rule'
        forward = true
        [[namespace.rule]]
        on = 'mine'
        ack = 'alone'
        forward = true";
    let server = with_backend("forward", &backend, rules).await;
    let (mut client, _) = socket::connect(server.endpoint(), "/").await;
    assert_eq!(ask(&mut client, "421[\"note\",\"n\"]").await, "42[\"noted\"]");
    let hook = backend.hook_of("event").await;
    assert_eq!((hook.at("rooms"), hook.at("wants_ack")), (&serde_json::json!(["n"]), &true.into()));
    hook.done(r#"{"ack":["of the backend"]}"#);
    assert_eq!(client.text().await, "431[\"of the backend\"]");
    assert_eq!(ask(&mut client, "422[\"task_1\"]").await, "432[\"of the rule\"]");
    let hook = backend.hook_of("event").await;
    assert_eq!(hook.at("wants_ack"), false);
    hook.answer(404, "");
    // It was handled, and needs no backend for that.
    assert_eq!(ask(&mut client, "423[\"mine\"]").await, "433[\"alone\"]");
    // A rule that was not carried out is not told of.
    let lacks = ask(&mut client, "42[\"note\"]").await;
    assert_eq!(lacks, error("invalid_argument", "note", "0 must be a text or a number"));
    client.send("42[\"task_2\"]").await;
    let hook = backend.hook_of("event").await;
    assert_eq!(hook.at("event"), "task_2");
    hook.answer(403, r#"{"error":{"message":"too late"}}"#);
    assert_eq!(client.text().await, error("rejected", "task_2", "too late"));
    let metrics = server.ask("/metrics").await.body;
    assert!(!metrics.contains("socketio_events_unhandled_total{namespace=\"/\"} 1"), "{metrics}");
}
