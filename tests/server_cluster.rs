//! Two of the binary beside one Redis, as one server: what one of them is told reaches the clients of both, and what
//! becomes of it when one of them, or Redis, goes away. Clients are real, and what others publish is literal bytes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    Row,
    backend::Backend,
    bytes,
    frames::{CLOSED, WebSocket, closed},
    http::{Answer, Connection},
    in_time,
    openapi::Description,
    polling::Polling,
    process::Process,
    redis::{Redis, Wire},
    socket, within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Heartbeats come less often: what is known sooner was said.
const SOON: Duration = Duration::from_secs(4);

/// Starts a server of the cluster with these tables, on any free ports.
async fn start(redis: &Redis, name: &str, tables: &str) -> Process {
    let file = format!("{}/cluster-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    let text = format!("[redis]\nurl = '{}'\n[cluster]\nenabled = true\n{tables}", redis.url());
    Process::configured(BINARY, &file, &text).await
}

/// Redis and two servers that know of each other.
async fn pair(name: &str, tables: &str) -> (Redis, Process, Process) {
    let redis = Redis::start(&[]).await;
    let [name_a, name_b] = ["a", "b"].map(|server| format!("{name}-{server}"));
    let (a, b) = tokio::join!(start(&redis, &name_a, tables), start(&redis, &name_b, tables));
    knows(&a, 1).await;
    knows(&b, 1).await;
    (redis, a, b)
}

async fn cluster(server: &Process) -> Value {
    let stats = server.ask("/api/v1/stats").await;
    judge("GET /api/v1/stats", &stats);
    let stats: Value = serde_json::from_str(&stats.body).expect("JSON");
    stats["cluster"].clone()
}

async fn id(server: &Process) -> String {
    cluster(server).await["server_id"].as_str().expect("an id").to_owned()
}

/// Waits until a server knows of so many others.
#[track_caller]
fn knows(server: &Process, others: usize) -> impl Future<Output = ()> {
    within(async move {
        while cluster(server).await["servers"].as_array().map(Vec::len) != Some(others) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

async fn client(server: &Process) -> (WebSocket, String) {
    socket::connect(server.endpoint(), "/").await
}

/// Panics unless the API's description has such an answer.
fn judge(line: &str, answer: &Answer) {
    Description::read(include_str!("../server/src/api/openapi.json")).judge(line, answer);
}

/// What a server answers to a request of operators: status and JSON.
async fn call(server: &Process, line: &str, body: &Value) -> (u16, Value) {
    let answer = server.call(line, "content-type: application/json\r\n", &body.to_string()).await;
    judge(line, &answer);
    (answer.status, serde_json::from_str(&answer.body).unwrap_or_default())
}

/// Carries out an op; gives what came of it.
async fn done(server: &Process, op: &str, body: Value) -> Value {
    let (status, answer) = call(server, &format!("POST /api/v1/{op}"), &body).await;
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

/// Carries out one op as a batch; gives what came of it.
async fn in_batch(server: &Process, op: Value) -> Value {
    done(server, "batch", json!({ "ops": [op] })).await["results"][0].take()
}

/// The figure of this name and these labels.
async fn figure(server: &Process, name: &str) -> u64 {
    let figures = server.ask("/metrics").await.body;
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

/// Waits until a figure has this value.
#[track_caller]
fn comes_to(server: &Process, name: &str, value: u64) -> impl Future<Output = ()> {
    within(async move {
        while figure(server, name).await != value {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// The id of an event that wants an ack, with this list.
fn ack_id<'a>(packet: &'a str, list: &str) -> &'a str {
    packet.strip_prefix("42").and_then(|rest| rest.strip_suffix(list)).unwrap_or_else(|| panic!("{packet}"))
}

#[tokio::test]
async fn an_emit_at_one_server_reaches_clients_of_both_once() {
    let (_redis, a, b) = pair("emits", "").await;
    let (mut clients, mut sids) = (Vec::new(), Vec::new());
    for server in [&a, &a, &b, &b] {
        let (client, sid) = client(server).await;
        clients.push(client);
        sids.push(sid);
    }
    // 0 and 2 are in `r`, 1 and 3 are of ann; 2 is in `s`, too.
    for (server, sid, rooms) in [(&a, &sids[0], json!(["r"])), (&b, &sids[2], json!(["r", "s"]))] {
        let joined = done(server, "join", json!({ "target": { "sids": sid }, "rooms": rooms })).await;
        assert_eq!(joined, json!({ "changed": 1 }));
    }
    for (server, sid) in [(&a, &sids[1]), (&b, &sids[3])] {
        let op = json!({ "op": "user", "sid": sid, "user": "ann" });
        assert_eq!(in_batch(server, op).await, json!({ "changed": 1 }));
    }
    let [s0, s1, s2, s3] = [0, 1, 2, 3].map(|at| &sids[at]);
    for (fields, meant) in [
        (json!({}), &[0, 1, 2, 3][..]),
        (json!({ "room": "r" }), &[0, 2]),
        (json!({ "to": { "rooms": ["r", "s"] } }), &[0, 2]),
        (json!({ "to": { "users": "ann" } }), &[1, 3]),
        (json!({ "to": { "users": "ann", "rooms": "s" } }), &[1, 2, 3]),
        (json!({ "to": { "sids": s0 } }), &[0]),
        (json!({ "to": { "sids": s2 } }), &[2]),
        (json!({ "to": { "sids": [s0, s3] } }), &[0, 3]),
        // Each is named twice.
        (json!({ "to": { "sids": [s0, s2], "rooms": "r" } }), &[0, 2]),
        (json!({ "to": { "sids": [s1, s3], "users": "ann" } }), &[1, 3]),
        (json!({ "to": { "sids": "nobody" } }), &[]),
        (json!({ "room": "nobody" }), &[]),
        (json!({ "room": s2 }), &[2]),
        (json!({ "except": { "sids": [s0, s2] } }), &[1, 3]),
        (json!({ "except": { "users": "ann" } }), &[0, 2]),
        (json!({ "except": { "rooms": "s" } }), &[0, 1, 3]),
        (json!({ "to": { "sids": [s2, s3] }, "except": { "rooms": "s" } }), &[3]),
        (json!({ "room": "r", "except": { "sids": s2 } }), &[0]),
    ] {
        for server in [&a, &b] {
            let shown = fields.to_string();
            let _row = Row(&shown);
            let mut body = fields.clone();
            body["event"] = "e".into();
            body["args"] = json!([{ "n": 1 }, { "_placeholder": true, "num": 0 }]);
            body["attachments"] = json!(["AQI="]);
            done(server, "emit", body).await;
            done(server, "emit", json!({ "event": "fence" })).await;
            for (at, client) in clients.iter_mut().enumerate() {
                if meant.contains(&at) {
                    let text = client.text().await;
                    assert_eq!(text, r#"451-["e",{"n":1},{"_placeholder":true,"num":0}]"#, "{at}");
                    client.frame().await;
                }
                assert_eq!(client.text().await, r#"42["fence"]"#, "{at}");
            }
        }
    }
    assert_eq!(figure(&a, "socketio_cluster_servers").await, 1);
    assert!(figure(&b, r#"socketio_redis_messages_total{kind="cluster"}"#).await > 36);
    assert_eq!(figure(&b, r#"socketio_redis_rejected_total{reason="malformed"}"#).await, 0);
}

#[tokio::test]
async fn clients_that_poll_and_namespaces_of_one_server_take_part() {
    let (_redis, a, b) = pair("polling", "[[namespace]]\nname = '/'\n[[namespace]]\nname = '/chat*'\n").await;
    let mut polling = Polling::open(b.endpoint()).await;
    assert_eq!(polling.post("40").await.body, "ok");
    assert!(polling.get().await.body.starts_with("40{\"sid\":"));
    done(&a, "emit", json!({ "event": "e", "data": "à" })).await;
    assert_eq!(polling.get().await.body, "42[\"e\",\"à\"]");
    // It is there at the other server only.
    let (mut chat, sid) = socket::connect(b.endpoint(), "/chat-1").await;
    assert_eq!(done(&a, "emit", json!({ "namespace": "/chat-1", "event": "e" })).await, json!({ "sockets": 0 }));
    assert_eq!(chat.text().await, r#"42/chat-1,["e"]"#);
    let op = json!({ "namespace": "/chat-1", "target": { "sids": sid }, "rooms": "r" });
    assert_eq!(done(&a, "join", op).await, json!({ "changed": 1 }));
    done(&a, "emit", json!({ "namespace": "/chat-1", "room": "r", "event": "r" })).await;
    assert_eq!(chat.text().await, r#"42/chat-1,["r"]"#);
    let (status, answer) = call(&a, "POST /api/v1/emit", &json!({ "namespace": "/x", "event": "e" })).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("unknown_namespace")));
}

#[tokio::test]
async fn what_clients_say_reaches_those_of_the_other_server_by_a_rule() {
    let rules = "
        [[namespace]]
        name = '/'
        [[namespace.rule]]
        on = 'enter'
        join = ['game:{0}']
        ack = 'in'
        [[namespace.rule]]
        on = 'said'
        relay = { room = 'game:{0.game}', members_only = true }
        ack = 'told'";
    let (_redis, a, b) = pair("rules", rules).await;
    let mut clients = [client(&a).await.0, client(&a).await.0, client(&b).await.0];
    for client in &mut clients {
        client.send(r#"421["enter",7]"#).await;
        assert_eq!(client.text().await, r#"431["in"]"#);
    }
    for from in 0..3 {
        let text = format!(r#"["said",{{"game":7,"from":{from}}}]"#);
        clients[from].send(&format!("422{text}")).await;
        for (at, client) in clients.iter_mut().enumerate() {
            let expected = if at == from { r#"432["told"]"#.to_owned() } else { format!("42{text}") };
            assert_eq!(client.text().await, expected);
        }
    }
}

#[tokio::test]
async fn ops_at_one_server_change_sockets_of_the_other() {
    let (_redis, a, b) = pair("ops", "").await;
    let ((mut here, s_here), (mut there, s_there)) = (client(&a).await, client(&b).await);
    let both = json!({ "sids": [s_here, s_there] });
    let one = json!({ "sids": s_there });
    let rooms = || async {
        let mut rooms = Vec::new();
        for (server, sid) in [(&a, &s_here), (&b, &s_there)] {
            rooms.push(call(server, &format!("GET /api/v1/sockets/{sid}"), &json!(null)).await.1["rooms"].take());
        }
        json!(rooms)
    };
    for (op, body, changed, after) in [
        ("join", json!({ "target": one, "rooms": ["p:1", "q"] }), 1, json!([[], ["p:1", "q"]])),
        ("join", json!({ "target": one, "rooms": ["p:2"], "leave": "p:*" }), 1, json!([[], ["q", "p:2"]])),
        ("join", json!({ "target": both, "rooms": ["r", "s"] }), 2, json!([["r", "s"], ["q", "p:2", "r", "s"]])),
        ("leave", json!({ "target": { "rooms": "r" }, "rooms": ["p:*", "q"] }), 1, json!([["r", "s"], ["r", "s"]])),
        (
            "leave",
            json!({ "target": both, "except": { "sids": s_there }, "rooms": "s" }),
            1,
            json!([["r"], ["r", "s"]]),
        ),
        ("close_room", json!({ "room": "r" }), 2, json!([[], ["s"]])),
        ("join", json!({ "target": { "sids": "nobody" }, "rooms": ["r"] }), 0, json!([[], ["s"]])),
    ] {
        let shown = body.to_string();
        let _row = Row(&shown);
        assert_eq!(done(&a, op, body).await, json!({ "changed": changed }), "{op}");
        let (mut now, mut expected) = (rooms().await, after);
        for rooms in [&mut now, &mut expected].into_iter().flat_map(|all| all.as_array_mut().expect("a list")) {
            rooms.as_array_mut().expect("a list").sort_by_key(Value::to_string);
        }
        assert_eq!(now, expected, "{op}");
    }
    let too_long = json!({ "target": one, "rooms": "x".repeat(70_000) });
    let (status, answer) = call(&a, "POST /api/v1/join", &too_long).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("invalid_argument")), "{answer}");
    // Whose it is, and what is kept with it.
    for (op, expected) in [
        (json!({ "op": "user", "sid": s_there, "user": "bob" }), json!({ "changed": 1 })),
        (json!({ "op": "session", "sid": s_there, "set": { "n": 1 } }), json!({ "changed": 1 })),
        (json!({ "op": "user", "sid": s_there, "user": "b\u{1}" }), json!("invalid_argument")),
        (json!({ "op": "user", "sid": "nobody", "user": "bob" }), json!("unknown_socket")),
        (json!({ "op": "session", "sid": "nobody", "set": 1 }), json!("unknown_socket")),
    ] {
        let shown = op.to_string();
        let _row = Row(&shown);
        let mut answer = in_batch(&a, op).await;
        let code = answer["error"]["code"].take();
        assert_eq!(if code.is_null() { json!({ "changed": answer["changed"] }) } else { code }, expected);
    }
    let path = format!("/api/v1/sockets/{s_there}");
    let (status, shown) = call(&a, &format!("GET {path}"), &json!(null)).await;
    let found = (status, &shown["sid"], &shown["user"], &shown["session"]);
    assert_eq!(found, (200, &json!(s_there), &json!("bob"), &json!({ "n": 1 })));
    let change = json!({ "user": "cid", "session": null, "join": ["t"], "leave": "s" });
    let (status, shown) = call(&a, &format!("PATCH {path}"), &change).await;
    let found = (status, &shown["user"], &shown["session"], &shown["rooms"]);
    assert_eq!(found, (200, &json!("cid"), &json!(null), &json!(["t"])));
    let (status, answer) = call(&a, &format!("PATCH {path}"), &json!({ "user": "" })).await;
    assert_eq!((status, &answer["error"]["field"]), (422, &json!("user")), "{answer}");
    let (status, answer) = call(&a, "GET /api/v1/sockets/nobody", &json!(null)).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("unknown_socket")));
    // By its user, for good; then by its id.
    assert_eq!(done(&a, "disconnect", json!({ "target": { "users": "cid" } })).await, json!({ "changed": 1 }));
    assert_eq!(there.text().await, "41");
    assert_eq!(call(&a, &format!("DELETE {path}"), &json!(null)).await.0, 404);
    let (mut there, sid) = client(&b).await;
    let (status, answer) = call(&a, &format!("DELETE /api/v1/sockets/{sid}"), &json!(null)).await;
    assert_eq!((status, answer), (200, json!({ "changed": 1 })));
    assert_eq!(there.text().await, "41");
    let (mut there, sid) = client(&b).await;
    let closed = json!({ "target": { "sids": [sid, s_here] }, "transport": true });
    assert_eq!(done(&a, "disconnect", closed).await, json!({ "changed": 2 }));
    assert_eq!([there.frame().await, here.frame().await], [CLOSED, CLOSED]);
}

#[tokio::test]
async fn keys_are_good_for_their_namespaces_on_all_servers() {
    let keys = "
        [[api.keys]]
        key = 'all'
        [[api.keys]]
        key = 'chat'
        namespaces = ['/chat']
        [[namespace]]
        name = '/'
        [[namespace]]
        name = '/chat'";
    let redis = Redis::start(&[]).await;
    let (a, b) = tokio::join!(start(&redis, "keys-a", keys), start(&redis, "keys-b", keys));
    let headers = |key: &str| format!("authorization: Bearer {key}\r\n");
    for server in [&a, &b] {
        within(async {
            while server.call("GET /api/v1/stats", &headers("all"), "").await.body.contains(r#""servers":[]"#) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
    let (_root, root) = client(&b).await;
    let (mut chat, in_chat) = socket::connect(b.endpoint(), "/chat").await;
    for (key, sid, status) in
        [("all", &root, 200), ("chat", &root, 404), ("all", &in_chat, 200), ("chat", &in_chat, 200)]
    {
        for method in ["GET", "PATCH"] {
            let body = if method == "PATCH" { r#"{"join":"x"}"# } else { "" };
            let answer = a.call(&format!("{method} /api/v1/sockets/{sid}"), &headers(key), body).await;
            assert_eq!(answer.status, status, "{method} {key} {sid}: {}", answer.body);
        }
    }
    assert_eq!(a.call(&format!("DELETE /api/v1/sockets/{root}"), &headers("chat"), "").await.status, 404);
    assert_eq!(a.call(&format!("DELETE /api/v1/sockets/{in_chat}"), &headers("chat"), "").await.status, 200);
    assert_eq!(chat.text().await, "41/chat,");
}

/// Sends a request that is answered later.
async fn asking(server: &Process, path: &str, body: &Value) -> Connection {
    let mut connection = Connection::open(server.admin.expect("an admin listener")).await;
    let body = body.to_string();
    connection.request(&format!("POST {path}"), &format!("content-length: {}\r\n", body.len())).await;
    connection.send(&body).await;
    connection
}

#[tokio::test]
async fn a_call_asks_clients_of_both() {
    let (_redis, a, b) = pair("calls", "").await;
    let ((mut here, s_here), (mut there, s_there)) = (client(&a).await, client(&b).await);
    for (row, body, is_asked, answers) in [
        ("everybody", json!({ "event": "q" }), [true, true], [Some("[1]"), Some("[2,{}]")]),
        ("one of the other", json!({ "event": "q", "to": { "sids": s_there } }), [false, true], [None, Some("[3]")]),
        ("one of this", json!({ "event": "q", "to": { "sids": s_here } }), [true, false], [Some("[4]"), None]),
        ("all but one", json!({ "event": "q", "except": { "sids": s_here } }), [false, true], [None, Some("[]")]),
        ("one is silent", json!({ "event": "q", "timeout": "2s" }), [true, true], [Some("[5]"), None]),
        ("all are", json!({ "event": "q", "timeout": "1s" }), [true, true], [None, None]),
    ] {
        let _row = Row(row);
        let mut asked = asking(&a, "/api/v1/call", &body).await;
        let (mut responses, mut missing) = (Vec::new(), Vec::new());
        for ((client, sid), (is_asked, answer)) in
            [(&mut here, &s_here), (&mut there, &s_there)].into_iter().zip(is_asked.into_iter().zip(answers))
        {
            if !is_asked {
                continue;
            }
            let packet = client.text().await;
            let id = ack_id(&packet, r#"["q"]"#);
            match answer {
                Some(list) => {
                    client.send(&format!("43{id}{list}")).await;
                    responses.push(json!({ "sid": sid, "args": serde_json::from_str::<Value>(list).expect("JSON") }));
                }
                None => missing.push(json!(sid)),
            }
        }
        let answer = asked.answer().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let mut answer: Value = serde_json::from_str(&answer.body).expect("JSON");
        for list in [&mut responses, &mut missing] {
            list.sort_by_key(Value::to_string);
        }
        for key in ["responses", "missing"] {
            answer[key].as_array_mut().expect("a list").sort_by_key(Value::to_string);
        }
        assert_eq!(answer, json!({ "responses": responses, "missing": missing }));
    }
    let (status, answer) = call(&a, "POST /api/v1/call", &json!({ "event": "q", "room": "nobody" })).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("nobody")));
    // As python-socketio asks, by HTTP.
    let question = json!({ "method": "emit", "event": "p", "data": [1], "room": s_there, "callback": [s_there, "/", 7],
        "namespace": "/", "host_id": "h0st" });
    let mut asked = asking(&a, "/api/v1/pubsub", &question).await;
    let packet = there.text().await;
    there.send(&format!("43{}[true]", ack_id(&packet, r#"["p",1]"#))).await;
    let answer: Value = serde_json::from_str(&asked.answer().await.body).expect("JSON");
    assert_eq!(answer["callback"]["args"], json!([true]));
}

#[tokio::test]
async fn what_others_publish_is_delivered_once() {
    let (redis, a, b) = pair("others", "").await;
    let mut wire = redis.connect().await;
    let ((mut here, _), (mut there, sid)) = (client(&a).await, client(&b).await);
    let python = |fields: &str| format!(r#"{{"method":"emit","event":"p","data":[1],{fields}"host_id":"h0st"}}"#);
    let node = bytes("93 a1'x' 83 a4'type'02 a4'data' 92 a1'n'02 a3'nsp' a1'/' 80");
    let enter = format!(r#"{{"method":"enter_room","sid":"{sid}","room":"r","namespace":"/","host_id":"h0st"}}"#);
    for (channel, message, text, is_for_all) in [
        ("socketio", python("").into_bytes(), r#"42["p",1]"#, true),
        ("flask-socketio", python(&format!(r#""room":"{sid}","#)).into_bytes(), r#"42["p",1]"#, false),
        ("socketio", enter.into_bytes(), "", false),
        ("socketio", python(r#""room":"r","#).into_bytes(), r#"42["p",1]"#, false),
        ("socket.io#/#", node, r#"42["n",2]"#, true),
    ] {
        let _row = Row(text);
        assert_eq!(wire.publish(channel, message).await, 2);
        assert_eq!(wire.publish("socketio", r#"{"method":"emit","event":"fence","data":[]}"#).await, 2);
        for (client, is_meant) in [(&mut here, is_for_all), (&mut there, true)] {
            if is_meant && !text.is_empty() {
                assert_eq!(client.text().await, text);
            }
            assert_eq!(client.text().await, r#"42["fence"]"#);
        }
    }
}

#[tokio::test]
async fn what_servers_of_other_kinds_are_told_does_not_come_back() {
    let redis = Redis::start(&[]).await;
    let config = |name: &str| {
        let file = format!("{}/cluster-told-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
        let publish = "python_publish = true\nnode_publish = true";
        (file, format!("[redis]\nurl = '{}'\n{publish}\n[cluster]\nenabled = true\n", redis.url()))
    };
    let ((file_a, text_a), (file_b, text_b)) = (config("a"), config("b"));
    let (a, b) =
        (Process::configured(BINARY, &file_a, &text_a).await, Process::configured(BINARY, &file_b, &text_b).await);
    knows(&a, 1).await;
    let ((mut here, _), (mut there, _)) = (client(&a).await, client(&b).await);
    let (mut python, mut node) = (redis.connect().await, redis.connect().await);
    python.subscribe("flask-socketio").await;
    node.subscribe("socket.io#/#").await;
    done(&a, "emit", json!({ "event": "e", "args": [1] })).await;
    let told: Value = serde_json::from_slice(&python.message().await).expect("JSON");
    assert_eq!((&told["event"], &told["data"]), (&json!("e"), &json!([1])));
    assert!(node.message().await.starts_with(b"\x93"));
    // What was emitted by somebody else is not told again, and comes behind all that.
    let other = r#"{"method":"emit","event":"last","data":[],"namespace":"/","host_id":"another"}"#;
    assert!(redis.connect().await.publish("socketio", other).await >= 2);
    for client in [&mut here, &mut there] {
        assert_eq!(client.text().await, r#"42["e",1]"#);
        assert_eq!(client.text().await, r#"42["last"]"#);
    }
    done(&b, "emit", json!({ "event": "e", "args": [2] })).await;
    let told: Value = serde_json::from_slice(&python.message().await).expect("JSON");
    assert_eq!(told["data"], json!([2]));
}

/// Waits until both connections to Redis are there.
async fn connected(server: &Process) {
    for role in ["listener", "publisher"] {
        comes_to(server, &format!(r#"socketio_redis_connected{{role="{role}"}}"#), 1).await;
    }
}

#[tokio::test]
async fn servers_find_each_other_whenever_redis_comes() {
    let mut redis = Redis::start(&[]).await;
    redis.kill().await;
    let (mut a, mut b) = tokio::join!(start(&redis, "later-a", ""), start(&redis, "later-b", ""));
    for server in [&mut a, &mut b] {
        server.logged("Redis is away").await;
    }
    let ((mut here, _), (mut there, _)) = (client(&a).await, client(&b).await);
    for restarted in 0..3 {
        // Alone, it goes on for its own.
        done(&a, "emit", json!({ "event": "alone", "data": restarted })).await;
        assert_eq!(here.text().await, format!(r#"42["alone",{restarted}]"#));
        redis.restart().await;
        for server in [&mut a, &mut b] {
            server.logged("Redis is there").await;
        }
        for server in [&a, &b] {
            connected(server).await;
        }
        let start = Instant::now();
        knows(&a, 1).await;
        knows(&b, 1).await;
        assert!(start.elapsed() < SOON, "they say so at once");
        done(&a, "emit", json!({ "event": "together" })).await;
        done(&b, "emit", json!({ "event": "both" })).await;
        let mut heard = [here.text().await, here.text().await];
        heard.sort();
        assert_eq!(heard, [r#"42["both"]"#, r#"42["together"]"#]);
        let mut heard = [there.text().await, there.text().await];
        heard.sort();
        assert_eq!(heard, [r#"42["both"]"#, r#"42["together"]"#], "and nothing of what was said meanwhile");
        redis.kill().await;
        for server in [&mut a, &mut b] {
            server.logged("Redis is away").await;
        }
        for server in [&a, &b] {
            comes_to(server, r#"socketio_redis_connected{role="publisher"}"#, 0).await;
        }
    }
}

#[tokio::test]
async fn a_server_that_ends_says_goodbye() {
    let (_redis, a, mut b) = pair("ends", "").await;
    let (mut here, _) = client(&a).await;
    let (mut there, _) = client(&b).await;
    b.signal("TERM");
    assert_eq!(there.frame().await, closed(1001));
    assert!(within(b.child.wait()).await.expect("it ends").success());
    let start = Instant::now();
    knows(&a, 0).await;
    let mut asked = asking(&a, "/api/v1/call", &json!({ "event": "q", "timeout": "10s" })).await;
    let packet = here.text().await;
    here.send(&format!("43{}[]", ack_id(&packet, r#"["q"]"#))).await;
    let answer: Value = serde_json::from_str(&asked.answer().await.body).expect("JSON");
    assert_eq!((&answer["missing"], &answer["missing_servers"]), (&json!([]), &json!(null)));
    let op = json!({ "op": "session", "sid": "nobody", "set": 1 });
    assert_eq!(in_batch(&a, op).await["error"]["code"], "unknown_socket");
    assert!(start.elapsed() < SOON, "nobody waits for who has gone");
}

#[tokio::test]
async fn a_server_that_gives_no_answer_is_said_to_be_missing() {
    let (_redis, a, mut b) = pair("dies", "").await;
    let (mut here, sid) = client(&a).await;
    let gone = id(&b).await;
    within(b.child.kill()).await.expect("it runs");
    let asked = async {
        let mut asked = asking(&a, "/api/v1/call", &json!({ "event": "q", "timeout": "1s" })).await;
        let packet = here.text().await;
        here.send(&format!("43{}[]", ack_id(&packet, r#"["q"]"#))).await;
        let answer = asked.answer().await;
        judge("POST /api/v1/call", &answer);
        serde_json::from_str::<Value>(&answer.body).expect("JSON")
    };
    let (asked, joined, unknown, shown) = tokio::join!(
        asked,
        done(&a, "join", json!({ "target": { "sids": [sid, "elsewhere"] }, "rooms": "r" })),
        in_batch(&a, json!({ "op": "user", "sid": "elsewhere", "user": "ann" })),
        async { a.ask("/api/v1/sockets/elsewhere").await },
    );
    let responses = json!([{ "sid": sid, "args": [] }]);
    assert_eq!(asked, json!({ "responses": responses, "missing": [], "missing_servers": [gone] }));
    assert_eq!(joined, json!({ "changed": 1, "missing_servers": [gone] }));
    assert_eq!(unknown["error"]["code"], "unavailable", "{unknown}");
    judge("GET /api/v1/sockets/elsewhere", &shown);
    assert_eq!((shown.status, shown.header("retry-after")), (503, "1"), "{}", shown.body);
}

#[tokio::test]
async fn nonsense_on_the_channel_harms_nobody() {
    let (redis, a, b) = pair("nonsense", "").await;
    let mut wire: Wire = redis.connect().await;
    let (mut there, _) = client(&b).await;
    let own = format!("socketio-cluster:{}", id(&b).await);
    let framed = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
    let other = framed(r#"{"version":99,"from":"AAAAAAAAAAAAAAAAAAAA","body":"unheard of"}"#);
    let op = |text: &str| {
        let call = r#"{"version":1,"from":"AAAAAAAAAAAAAAAAAAAA","body":{"call":null}}"#;
        [framed(call), framed(&json!(["op", text]).to_string())].concat()
    };
    let wrong: &[&[u8]] = &[b"", b"{}", b"\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x02{}", &[0x80; 1000]];
    for channel in ["socketio-cluster", &own] {
        let receivers = if channel == own { 1 } else { 2 };
        for message in wrong {
            assert_eq!(wire.publish(channel, message).await, receivers);
        }
        assert_eq!(wire.publish(channel, &other).await, receivers);
        for text in ["", "{", "{}", r#"{"namespace":"/","action":{"Emit":{}}}"#, r#"{"namespace":"/","action":"Quit"}"#]
        {
            assert_eq!(wire.publish(channel, op(text)).await, receivers);
        }
    }
    done(&a, "emit", json!({ "event": "still" })).await;
    assert_eq!(there.text().await, r#"42["still"]"#);
    for (server, times) in [(&a, 1), (&b, 2)] {
        let rejected = |reason: &str| format!(r#"socketio_redis_rejected_total{{reason="{reason}"}}"#);
        comes_to(server, &rejected("malformed"), times * wrong.len() as u64).await;
        comes_to(server, &rejected("other_version"), times).await;
    }
}

/// Starts a server that takes messages up to this size only.
async fn bounded(redis: &Redis, name: &str, max_message: &str) -> Process {
    let file = format!("{}/cluster-bounded-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    let text = format!(
        "[redis]\nurl = '{}'\nmax_message = '{max_message}'\npython = false\nnode = false\n\
         [cluster]\nenabled = true\nchannel = 'c'\n",
        redis.url()
    );
    Process::configured(BINARY, &file, &text).await
}

#[tokio::test]
async fn messages_are_bounded_in_size() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (bounded(&redis, "a", "16MiB").await, bounded(&redis, "b", "4kB").await);
    knows(&a, 1).await;
    knows(&b, 1).await;
    let mut clients = [client(&a).await.0, client(&b).await.0];
    // Too large for who hears it, and for who would say it.
    for (at, server) in [&a, &b].into_iter().enumerate() {
        done(server, "emit", json!({ "event": "large", "data": "x".repeat(5000) })).await;
        done(server, "emit", json!({ "event": "small" })).await;
        assert!(clients[at].text().await.starts_with(r#"42["large","xxx"#));
        for client in &mut clients {
            assert_eq!(client.text().await, r#"42["small"]"#);
        }
    }
    assert_eq!(figure(&b, r#"socketio_redis_rejected_total{reason="too_large"}"#).await, 2);
}

#[tokio::test]
async fn answers_that_are_too_many_for_one_message_come_in_several() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (bounded(&redis, "many-a", "4kB").await, bounded(&redis, "many-b", "4kB").await);
    knows(&a, 1).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(client(&b).await.0);
    }
    let ask = |lengths: [usize; 4]| (json!({ "event": "q", "timeout": "5s" }), lengths);
    for (question, lengths) in [ask([1500; 4]), ask([1500, 1500, 5000, 1500])] {
        let mut asked = asking(&a, "/api/v1/call", &question).await;
        for (client, length) in clients.iter_mut().zip(lengths) {
            let packet = client.text().await;
            client.send(&format!("43{}[\"{}\"]", ack_id(&packet, r#"["q"]"#), "x".repeat(length))).await;
        }
        let answer: Value = serde_json::from_str(&asked.answer().await.body).expect("JSON");
        let fits = lengths.iter().filter(|length| **length < 4000).count();
        assert_eq!(answer["responses"].as_array().map(Vec::len), Some(fits));
        let missing = if fits == 4 { json!(null) } else { json!([id(&b).await]) };
        assert_eq!(answer["missing_servers"], missing, "a part of its answer was too large");
    }
}

#[tokio::test]
async fn a_sid_is_no_name_of_a_room() {
    let (_redis, a, b) = pair("names", "").await;
    let ((mut here, of_here), (mut there, of_there)) = (client(&a).await, client(&b).await);
    done(&a, "join", json!({ "target": { "sids": [of_here, of_there] }, "rooms": "r" })).await;
    done(&a, "emit", json!({ "event": "e", "to": { "sids": "r" } })).await;
    let (status, answer) = call(&a, "POST /api/v1/call", &json!({ "event": "q", "to": { "sids": "r" } })).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("nobody")));
    done(&a, "emit", json!({ "event": "over" })).await;
    assert_eq!([here.text().await, there.text().await], [r#"42["over"]"#; 2]);
}

#[tokio::test]
async fn a_python_question_to_a_room_is_answered_by_the_first() {
    let (_redis, a, b) = pair("first", "").await;
    let ((mut here, of_here), (mut there, of_there)) = (client(&a).await, client(&b).await);
    done(&a, "join", json!({ "target": { "sids": [of_here, of_there] }, "rooms": "r" })).await;
    let question = json!({ "method": "emit", "event": "p", "data": [1], "room": "r", "callback": ["r", "/", 7],
        "namespace": "/", "host_id": "h0st" });
    let mut asked = asking(&a, "/api/v1/pubsub", &question).await;
    there.text().await;
    let packet = here.text().await;
    here.send(&format!("43{}[true]", ack_id(&packet, r#"["p",1]"#))).await;
    assert!(asked.answer().await.body.contains(r#""args":[true]"#));
}

#[tokio::test]
async fn a_socket_is_asked_for_where_it_is() {
    let (redis, a, b) = pair("where", "").await;
    let c = start(&redis, "where-c", "").await;
    for server in [&a, &b, &c] {
        knows(server, 2).await;
    }
    let (_there, sid) = client(&c).await;
    // A server that says nothing holds up nobody but those who want something of it.
    b.signal("STOP");
    let start = Instant::now();
    let (status, _) = call(&a, &format!("GET /api/v1/sockets/{sid}"), &json!(null)).await;
    assert_eq!(status, 200);
    let joined = done(&a, "join", json!({ "target": { "sids": sid }, "rooms": "r" })).await;
    assert_eq!(joined, json!({ "changed": 1 }));
    assert!(start.elapsed() < SOON);
    b.signal("CONT");
}

#[tokio::test]
async fn nobody_is_unknown_while_others_are_not_heard() {
    let mut redis = Redis::start(&[]).await;
    redis.kill().await;
    let a = start(&redis, "deaf", "").await;
    let get = async || {
        let (status, answer) = call(&a, "GET /api/v1/sockets/nobody", &json!(null)).await;
        (status, answer["error"]["code"].clone())
    };
    let session = json!({ "op": "session", "sid": "nobody", "set": 1 });
    assert_eq!(get().await, (503, json!("unavailable")));
    assert_eq!(in_batch(&a, session.clone()).await["error"]["code"], "unavailable");
    redis.restart().await;
    connected(&a).await;
    assert_eq!(get().await, (404, json!("unknown_socket")));
    assert_eq!(in_batch(&a, session).await["error"]["code"], "unknown_socket");
}

#[tokio::test]
async fn what_a_backend_answers_is_done_on_the_server_that_has_the_socket() {
    let mut backend = Backend::listen().await;
    let (_redis, a, b) = pair("hooks", &format!("[[backend]]\nurl = '{}'\n", backend.url())).await;
    let mut joined = Vec::new();
    for server in [&a, &b] {
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        let hook = backend.hook_of("connect").await;
        let sid = hook.at("sid").as_str().expect("a text").to_owned();
        // It is about to be let in: what it is sent waits for that.
        done(&a, "emit", json!({ "event": "early", "to": { "sids": sid } })).await;
        done(&a, "emit", json!({ "event": "room", "room": sid })).await;
        let op = json!({ "op": "session", "sid": sid, "set": { "n": 1 } });
        assert_eq!(in_batch(&a, op).await, json!({ "changed": 1 }));
        hook.answer(204, "");
        assert_eq!(client.text().await, format!("40{{\"sid\":\"{sid}\"}}"));
        assert_eq!([client.text().await, client.text().await], [r#"42["early"]"#, r#"42["room"]"#]);
        joined.push((client, sid));
    }
    let [(mut here, _), (mut there, sid)] = <[_; 2]>::try_from(joined).expect("two");
    here.send(r#"42["go"]"#).await;
    let hook = backend.hook_of("event").await;
    let actions = json!([
        { "op": "join", "target": { "sids": sid }, "rooms": "r" },
        { "op": "user", "sid": sid, "user": "ann" },
        { "op": "session", "sid": sid, "set": { "n": 2 } },
        { "op": "emit", "event": "room", "room": "r" },
        { "op": "emit", "event": "user", "to": { "users": "ann" } },
        { "op": "emit", "event": "all" },
    ]);
    hook.done(&json!({ "actions": actions }).to_string());
    assert_eq!(here.text().await, r#"42["all"]"#);
    for event in ["room", "user", "all"] {
        assert_eq!(there.text().await, format!(r#"42["{event}"]"#));
    }
    let (_, shown) = call(&b, &format!("GET /api/v1/sockets/{sid}"), &json!(null)).await;
    assert_eq!((&shown["user"], &shown["session"]), (&json!("ann"), &json!({ "n": 2 })));
}

#[tokio::test]
async fn no_rule_lets_a_client_into_the_room_of_a_socket_elsewhere() {
    let rules = "
        [[namespace]]
        name = '/'
        [[namespace.rule]]
        on = 'listen'
        join = ['{0}']
        [[namespace.rule]]
        on = 'speak'
        relay = { room = '{0}' }";
    let (_redis, a, b) = pair("bare", rules).await;
    let ((mut eve, _), (mut ann, id)) = (client(&a).await, client(&b).await);
    for event in ["listen", "speak"] {
        eve.send(&format!(r#"42["{event}","{id}"]"#)).await;
        let error = format!(r#""event":"{event}","message":"the room is not possible"}}]"#);
        assert!(eve.text().await.ends_with(&error), "{event}");
    }
    done(&a, "emit", json!({ "event": "secret", "room": id })).await;
    done(&a, "emit", json!({ "event": "over" })).await;
    assert_eq!(eve.text().await, r#"42["over"]"#);
    assert_eq!([ann.text().await, ann.text().await], [r#"42["secret"]"#, r#"42["over"]"#]);
}

#[tokio::test]
async fn a_server_that_comes_later_takes_part_at_once() {
    let (redis, a, b) = pair("comes", "").await;
    let c = start(&redis, "comes-c", "").await;
    let start = Instant::now();
    for server in [&a, &b, &c] {
        knows(server, 2).await;
    }
    assert!(start.elapsed() < SOON, "it is heard at once");
    let mut clients = Vec::new();
    for server in [&a, &b, &c] {
        clients.push(client(server).await);
    }
    let sids: Vec<_> = clients.iter().map(|(_, sid)| sid.clone()).collect();
    let joined = done(&c, "join", json!({ "target": { "sids": sids }, "rooms": "r" })).await;
    assert_eq!(joined, json!({ "changed": 3 }));
    assert_eq!(done(&b, "emit", json!({ "event": "e", "room": "r" })).await, json!({ "sockets": 1 }));
    for (client, _) in &mut clients {
        assert_eq!(client.text().await, r#"42["e"]"#);
    }
    let mut asked = asking(&a, "/api/v1/call", &json!({ "event": "q" })).await;
    for (client, _) in &mut clients {
        let packet = client.text().await;
        client.send(&format!("43{}[]", ack_id(&packet, r#"["q"]"#))).await;
    }
    let answer: Value = serde_json::from_str(&asked.answer().await.body).expect("JSON");
    assert_eq!(answer["responses"].as_array().map(Vec::len), Some(3), "{answer}");
}

#[tokio::test]
async fn rooms_keep_what_was_emitted_at_another_server() {
    let (_redis, a, b) = pair("kept", "[[room]]\nmatch = 'news'\nhistory = 5\nreplay = 5\n").await;
    for (number, is_kept) in [(1, true), (2, false), (3, true)] {
        let emit = json!({ "event": "tick", "data": number, "room": "news", "history": is_kept });
        done(&a, "emit", emit).await;
    }
    let (mut there, sid) = client(&b).await;
    // At `a`, behind what was emitted there.
    let joined = done(&a, "join", json!({ "target": { "sids": sid }, "rooms": "news" })).await;
    assert_eq!(joined, json!({ "changed": 1 }));
    for number in [1, 3] {
        assert_eq!(there.text().await, format!(r#"42["tick",{number}]"#));
    }
}

#[tokio::test]
async fn rooms_tell_who_is_in_them_on_all_servers() {
    let room = "[[room]]\nmatch = 'game:*'\npresence = true\npresence_grace = '50ms'\n";
    let (_redis, a, b) = pair("presence", room).await;
    let ((mut here, of_here), (mut there, of_there)) = (client(&a).await, client(&b).await);
    let enter = async |server: &Process, sid: &str, user: &str| {
        in_batch(server, json!({ "op": "user", "sid": sid, "user": user })).await;
        done(server, "join", json!({ "target": { "sids": sid }, "rooms": "game:1" })).await;
    };
    enter(&a, &of_here, "ann").await;
    let ann = r#""ann":{"count":1,"info":null}"#;
    assert_eq!(here.text().await, format!(r#"42["presence_state",{{"members":{{{ann}}},"room":"game:1"}}]"#));
    enter(&a, &of_there, "bob").await;
    let bob = |count| format!(r#""bob":{{"count":{count},"info":null}}"#);
    let both = format!("{ann},{}", bob(1));
    assert_eq!(there.text().await, format!(r#"42["presence_state",{{"members":{{{both}}},"room":"game:1"}}]"#));
    let diff = |joins: &str, leaves: &str| {
        format!(r#"42["presence_diff",{{"joins":{{{joins}}},"leaves":{{{leaves}}},"room":"game:1"}}]"#)
    };
    assert_eq!(here.text().await, diff(&bob(1), ""));
    drop(there);
    assert_eq!(in_time(here.text()).await, diff("", &bob(0)));
}
