//! The binary's API: what its routes do, seen by clients, what they show, and what they answer to whatever is wrong.

use std::{fs, sync::LazyLock};

use serde_json::{Value, json};
use tests::{
    Row,
    frames::{CLOSED, Frame, WebSocket, closed, text},
    http::Answer,
    openapi::Description,
    page,
    polling::Polling,
    process::{Process, command, get, request},
    socket, within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Rooms from the start, as many as the URL says.
const JOINING: &str = "[[namespace]]\nname = '/'\nauto_join = ['{query.room}', '{query.other}']\n";

/// What answers may be.
static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::read(include_str!("../server/src/api/openapi.json")));

/// Starts a server with this file, on any free ports.
async fn start(name: &str, configuration: &str) -> Process {
    let file = format!("{}/api-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, configuration).await
}

/// A client in `/`, by a connection with this in its query, and the id of its socket.
async fn client(server: &Process, query: &str) -> (WebSocket, String) {
    let query = Box::leak(format!("EIO=4&{query}").into_boxed_str());
    socket::connect(server.endpoint().asked(query), "/").await
}

/// What a request is answered, which is 200 and JSON.
async fn shown(server: &Process, line: &str, body: &str) -> Value {
    let answer = server.call(line, "", body).await;
    assert_eq!(answer.status, 200, "{line}: {}", answer.body);
    DESCRIPTION.judge(line, &answer);
    parsed(&answer)
}

fn parsed(answer: &Answer) -> Value {
    assert!(answer.body.ends_with('\n'), "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// What is the same in all places of a list.
fn each(list: &Value, field: &str) -> Vec<Value> {
    list.as_array().expect("a list").iter().map(|item| item[field].clone()).collect()
}

#[tokio::test]
async fn ops_are_carried_out_and_say_for_how_many() {
    let server = start("ops", JOINING).await;
    let (mut ann, a) = client(&server, "room=r").await;
    let (mut bob, b) = client(&server, "room=s").await;
    for (route, body, answer, for_ann, for_bob) in [
        ("emit", json!({"event": "e"}), json!({"sockets": 2}), Some("42[\"e\"]"), Some("42[\"e\"]")),
        (
            "emit",
            json!({"op": "emit", "event": "e", "data": 1, "room": "r"}),
            json!({"sockets": 1}),
            Some("42[\"e\",1]"),
            None,
        ),
        (
            "emit",
            json!({"event": "e", "id": "x"}),
            json!({"id": "x", "sockets": 2}),
            Some("42[\"e\"]"),
            Some("42[\"e\"]"),
        ),
        (
            "join",
            json!({"target": {"sids": [a]}, "rooms": ["t", "u"], "leave": "r*"}),
            json!({"changed": 1}),
            None,
            None,
        ),
        ("emit", json!({"event": "u", "room": "u"}), json!({"sockets": 1}), Some("42[\"u\"]"), None),
        ("emit", json!({"event": "r", "room": "r"}), json!({"sockets": 0}), None, None),
        ("leave", json!({"target": {"rooms": ["t", "s"]}, "rooms": "u"}), json!({"changed": 1}), None, None),
        ("emit", json!({"event": "u", "room": "u"}), json!({"sockets": 0}), None, None),
        ("close_room", json!({"room": "s"}), json!({"changed": 1}), None, None),
        ("close_room", json!({"room": "s"}), json!({"changed": 0}), None, None),
        ("disconnect", json!({"target": {"users": ["nobody"]}}), json!({"changed": 0}), None, None),
        ("disconnect", json!({"target": {"sids": [a]}}), json!({"changed": 1}), Some("41"), None),
    ] {
        let _row = Row(&format!("{route} {body}"));
        assert_eq!(shown(&server, &format!("POST /api/v1/{route}"), &body.to_string()).await, answer);
        for (client, heard) in [(&mut ann, for_ann), (&mut bob, for_bob)] {
            if let Some(heard) = heard {
                assert_eq!(client.text().await, heard);
            }
        }
    }
    let transport = json!({"target": {"sids": [b]}, "transport": true});
    assert_eq!(shown(&server, "POST /api/v1/disconnect", &transport.to_string()).await, json!({"changed": 1}));
    assert_eq!(bob.frame().await, CLOSED);
}

#[tokio::test]
async fn batches_are_carried_out_in_order_whatever_fails() {
    let server = start("batch", &format!("[api]\nmax_batch = 4\n{JOINING}")).await;
    let (mut ann, a) = client(&server, "room=r").await;
    let ops = [
        json!({"op": "emit", "event": "one"}),
        json!({"op": "emit", "event": "connect"}),
        json!({"op": "user", "sid": a, "user": "ann"}),
        json!({"op": "emit", "event": "two", "to": {"users": ["ann"]}}),
    ];
    let reserved = json!({"error": {
        "code": "reserved_event", "message": "the name connect is reserved for clients", "field": "event"}});
    let done = [json!({"sockets": 1}), reserved, json!({"changed": 1}), json!({"sockets": 1})];
    for (stop, results, heard) in [(false, &done[..], &["one", "two"][..]), (true, &done[..2], &["one"])] {
        let body = json!({"ops": ops, "stop_on_error": stop}).to_string();
        assert_eq!(shown(&server, "POST /api/v1/batch", &body).await, json!({"results": results}));
        for event in heard {
            assert_eq!(ann.text().await, format!("42[\"{event}\"]"));
        }
    }
    assert_eq!(shown(&server, "POST /api/v1/batch", "{\"ops\":[]}").await, json!({"results": []}));
    for (body, status, field) in [
        ("{\"ops\":[1,2,3,4,5]}", 422, "ops"),
        ("{\"ops\":{}}", 422, "ops"),
        ("{}", 422, ""),
        ("[[]]", 422, ""),
        ("{\"ops\":[],\"stop\":true}", 422, "stop"),
        ("{\"ops\":[", 400, ""),
    ] {
        let _row = Row(body);
        let answer = server.call("POST /api/v1/batch", "", body).await;
        assert_eq!((answer.status, parsed(&answer)["error"]["field"].as_str().unwrap_or_default()), (status, field));
    }
    let wrong = shown(&server, "POST /api/v1/batch", "{\"ops\":[1,[],{\"op\":\"x\"},{}]}").await;
    let codes: Vec<_> = each(&wrong["results"], "error").iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, ["invalid_argument"; 4]);
}

#[tokio::test]
async fn whatever_is_wrong_has_its_status_and_code() {
    let server = start("errors", "[api]\nmax_body = 80\n[limits]\nmax_room_name = 5").await;
    let (_ann, a) = client(&server, "").await;
    let json = "content-type: application/json\r\n";
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let long = format!("{{\"event\":\"{}\"}}", "e".repeat(80));
    let named = format!("{{\"target\":{{\"sids\":\"{a}\"}},\"rooms\":\"longer\"}}");
    for (line, headers, body, status, code, field) in [
        ("GET /api/", "", "", 404, "not_found", ""),
        ("GET /api/v1/nothing", "", "", 404, "not_found", ""),
        ("GET /api/v1/stats/", "", "", 404, "not_found", ""),
        ("POST /api/v1/rooms/a/b/c", "", "", 404, "not_found", ""),
        ("GET /api/v1/emit", "", "", 405, "method_not_allowed", ""),
        ("POST /api/v1/stats", "", "", 405, "method_not_allowed", ""),
        ("PUT /api/v1/sockets/x", "", "", 405, "method_not_allowed", ""),
        ("OPTIONS /api/v1/emit", "", "", 405, "method_not_allowed", ""),
        ("POST /api/v1/emit", json, "", 400, "malformed_json", ""),
        ("POST /api/v1/emit", form, "{\"event\":", 400, "malformed_json", ""),
        ("POST /api/v1/emit", "", "{\"event\":\"e\"}{}", 400, "malformed_json", ""),
        ("POST /api/v1/emit", "", "\u{e9}", 400, "malformed_json", ""),
        ("POST /api/v1/emit", "", "{\"event\":\"disconnect\"}", 400, "reserved_event", "event"),
        ("GET /api/v1/rooms/%ff", "", "", 400, "bad_request", ""),
        ("POST /api/v1/emit", "content-type: text/xml\r\n", "{\"event\":\"e\"}", 415, "unsupported_media_type", ""),
        ("POST /api/v1/emit", "content-encoding: gzip\r\n", "{\"event\":\"e\"}", 415, "unsupported_media_type", ""),
        ("PATCH /api/v1/sockets/x", "content-type: image/png\r\n", "{}", 415, "unsupported_media_type", ""),
        ("POST /api/v1/emit", "", &long, 413, "too_large", ""),
        ("POST /api/v1/batch", "", &long, 413, "too_large", ""),
        ("PATCH /api/v1/sockets/x", "", &long, 413, "too_large", ""),
        ("POST /api/v1/emit", "", "[]", 422, "invalid_argument", ""),
        ("POST /api/v1/emit", "", "{\"event\":\"e\",\"to\":{\"rooms\":[7]}}", 422, "invalid_argument", "to.rooms[0]"),
        ("POST /api/v1/emit", "", "{\"op\":\"join\",\"rooms\":\"r\"}", 422, "invalid_argument", "op"),
        ("POST /api/v1/join", "", &named, 422, "invalid_argument", "rooms"),
        ("POST /api/v1/emit", "", "{\"event\":\"e\",\"namespace\":\"/x\"}", 404, "unknown_namespace", "namespace"),
        ("GET /api/v1/rooms?namespace=/x", "", "", 404, "unknown_namespace", "namespace"),
        ("GET /api/v1/sockets?namespace=/x", "", "", 404, "unknown_namespace", "namespace"),
        ("GET /api/v1/rooms?limit=0", "", "", 422, "invalid_argument", "limit"),
        ("GET /api/v1/rooms?limit=1001", "", "", 422, "invalid_argument", "limit"),
        ("GET /api/v1/sockets?limit=x", "", "", 422, "invalid_argument", "limit"),
        ("GET /api/v1/namespaces?cursor=!", "", "", 422, "invalid_argument", "cursor"),
        ("GET /api/v1/rooms?rom=x", "", "", 422, "invalid_argument", "rom"),
        ("GET /api/v1/rooms?prefix=a&prefix=b", "", "", 422, "invalid_argument", "prefix"),
        ("GET /api/v1/rooms/%01user%3A1", "", "", 422, "invalid_argument", "room"),
        ("GET /api/v1/rooms/%01user%3A1/history", "", "", 422, "invalid_argument", "room"),
        ("GET /api/v1/rooms/r/history?limit=x", "", "", 422, "invalid_argument", "limit"),
        ("DELETE /api/v1/rooms/r/history?namespace=/x", "", "", 404, "unknown_namespace", "namespace"),
        ("GET /api/v1/presence/r?namespace=/x", "", "", 404, "unknown_namespace", "namespace"),
        ("GET /api/v1/presence/r?cursor=!", "", "", 422, "invalid_argument", "cursor"),
        ("GET /api/v1/users/ann?room=r", "", "", 422, "invalid_argument", "room"),
        ("GET /api/v1/users/%ff", "", "", 400, "bad_request", ""),
        ("GET /api/v1/sockets/x", "", "", 404, "unknown_socket", "sid"),
        ("PATCH /api/v1/sockets/x", "", "{}", 404, "unknown_socket", "sid"),
        ("DELETE /api/v1/sockets/x", "", "", 404, "unknown_socket", "sid"),
        ("DELETE /api/v1/sockets/x?transport=yes", "", "", 422, "invalid_argument", "transport"),
        ("PATCH /api/v1/sockets/x", "", "{\"rooms\":[]}", 422, "invalid_argument", "rooms"),
        ("PATCH /api/v1/sockets/x", "", "{\"user\":7}", 422, "invalid_argument", "user"),
        ("PATCH /api/v1/sockets/x", "", "{\"join\":[\"\"]}", 422, "invalid_argument", "join"),
    ] {
        let _row = Row(&format!("{line} {headers} {body}"));
        let answer = server.call(line, headers, body).await;
        let error = &parsed(&answer)["error"];
        assert_eq!((answer.status, error["code"].as_str()), (status, Some(code)), "{error}");
        assert_eq!(error["field"].as_str().unwrap_or_default(), field, "{error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        if !["not_found", "method_not_allowed"].contains(&code) {
            DESCRIPTION.judge(line, &answer);
        }
    }
    for (path, allow) in [
        ("/api/v1/emit", "POST"),
        ("/api/v1/stats", "GET, HEAD"),
        ("/api/v1/sockets/x", "GET, HEAD, PATCH, DELETE"),
        ("/healthz", "GET, HEAD"),
    ] {
        let answer = server.call(&format!("PUT {path}"), "", "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{path}");
    }
    let metrics = server.ask("/metrics").await.body;
    for line in [
        "socketio_api_requests_total{code=\"404\",route=\"other\"} 4",
        "socketio_api_requests_total{code=\"405\",route=\"other\"}",
        "socketio_api_requests_total{code=\"404\",route=\"/api/v1/sockets/{sid}\"} 3",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn whatever_curl_sends_is_read() {
    let server = start("media", "").await;
    for media in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.example+json",
        "application/x-www-form-urlencoded",
        "text/plain;charset=UTF-8",
    ] {
        let answer = server.emit(&format!("content-type: {media}\r\n"), "{\"event\":\"e\"}").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"sockets\":0}\n"), "{media}");
    }
}

#[tokio::test]
async fn what_can_be_got_has_a_head() {
    let server = start("head", "").await;
    for path in ["/healthz", "/metrics", "/api/v1/stats", "/api/v1/sockets/x"] {
        let head = server.call(&format!("HEAD {path}"), "", "").await;
        let got = server.ask(path).await;
        assert_eq!(head.status, got.status, "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"));
        assert!(head.header("content-length").parse::<usize>().is_ok_and(|length| length > 0), "{:?}", head.headers);
    }
}

/// All parts of a list, put together: the names that are in it.
async fn pages(server: &Process, path: &str, list: &str, name: &str) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let part = shown(server, &format!("GET {path}{cursor}"), "").await;
        let found = each(&part[list], name);
        names.extend(found.iter().map(|name| name.as_str().expect("a text").to_owned()));
        match part["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

#[tokio::test]
async fn lists_come_in_parts_and_in_order() {
    let spaces = "[[namespace]]\nname = '/game-*'";
    let server = start("lists", &format!("{JOINING}{spaces}")).await;
    let (mut clients, mut sids) = (Vec::new(), Vec::new());
    for room in ["a1", "a2", "a2", "b%C3%A9", "a2"] {
        let (client, sid) = client(&server, &format!("room={room}&other=all")).await;
        clients.push(client);
        sids.push(sid);
    }
    shown(&server, "POST /api/v1/batch", &json!({"ops": [{"op": "user", "sid": sids[1], "user": "ann"}]}).to_string())
        .await;
    let (_game, g) = socket::connect(server.endpoint(), "/game-7").await;
    let rooms = shown(&server, "GET /api/v1/rooms", "").await;
    let room = |room: &str, members: u8| json!({"room": room, "members": members});
    assert_eq!(rooms, json!({"rooms": [room("a1", 1), room("a2", 3), room("all", 5), room("bé", 1)]}));
    let with_a = shown(&server, "GET /api/v1/rooms?prefix=a&limit=2&namespace=/", "").await;
    assert_eq!(with_a["rooms"], json!([room("a1", 1), room("a2", 3)]));
    assert_eq!(shown(&server, "GET /api/v1/rooms?namespace=/game-7", "").await, json!({"rooms": []}));
    assert_eq!(shown(&server, "GET /api/v1/rooms?namespace=/game-8", "").await, json!({"rooms": []}));
    assert_eq!(pages(&server, "/api/v1/rooms?limit=1", "rooms", "room").await, ["a1", "a2", "all", "bé"]);
    assert_eq!(
        shown(&server, "GET /api/v1/namespaces", "").await,
        json!({"namespaces": [
            {"namespace": "/", "sockets": 5, "rooms": 4},
            {"namespace": "/game-7", "sockets": 1, "rooms": 0}]})
    );
    assert_eq!(pages(&server, "/api/v1/namespaces?limit=1", "namespaces", "namespace").await, ["/", "/game-7"]);
    let sorted = |of: &[&String]| {
        let mut sorted: Vec<String> = of.iter().map(|sid| (*sid).clone()).collect();
        sorted.sort();
        sorted
    };
    for (query, expected) in [
        ("?limit=2", sorted(&[&sids[0], &sids[1], &sids[2], &sids[3], &sids[4], &g])),
        ("?limit=2&namespace=/", sorted(&[&sids[0], &sids[1], &sids[2], &sids[3], &sids[4]])),
        ("?limit=2&room=a2", sorted(&[&sids[1], &sids[2], &sids[4]])),
        ("?user=ann", vec![sids[1].clone()]),
        ("?user=ann&room=a2", vec![sids[1].clone()]),
        ("?user=ann&room=a1", vec![]),
        ("?room=a1&namespace=/game-7", vec![]),
        ("?namespace=/game-8", vec![]),
    ] {
        assert_eq!(pages(&server, &format!("/api/v1/sockets{query}"), "sockets", "sid").await, expected, "{query}");
    }
    let room = shown(&server, "GET /api/v1/rooms/b%C3%A9", "").await;
    assert_eq!(room, json!({"room": "bé", "namespace": "/", "members": 1, "history": 0}));
}

#[tokio::test]
async fn a_socket_is_shown_changed_and_sent_away() {
    let server = start("socket", &format!("{JOINING}[limits]\nmax_rooms_per_socket = 4")).await;
    let (mut ann, a) = client(&server, "room=r").await;
    let path = format!("/api/v1/sockets/{a}");
    let mut socket = shown(&server, &format!("GET {path}"), "").await;
    for field in ["age", "bytes_sent", "packets_sent"] {
        assert!(socket[field].as_f64().is_some_and(|figure| figure >= 0.0), "{field} in {socket}");
        socket.as_object_mut().expect("an object").remove(field);
    }
    assert_eq!(
        socket,
        json!({
            "sid": a, "namespace": "/", "connected": true, "user": null, "transport": "websocket",
            "remote": "127.0.0.1", "packets_received": 1, "bytes_received": 1, "queue_packets": 0, "queue_bytes": 0,
            "pending_acks": 0, "round_trip": null, "slow": [], "rooms": ["r"], "session": null
        })
    );
    for (change, field, value) in [
        (json!({"user": "ann"}), "user", json!("ann")),
        (json!({"session": {"a": [1]}}), "session", json!({"a": [1]})),
        (json!({"join": ["x:1", "x:2"], "leave": "r"}), "rooms", json!(["x:1", "x:2"])),
        (json!({"join": "y", "leave": ["x:*"], "user": null}), "rooms", json!(["y"])),
        (json!({}), "user", json!(null)),
        (json!({"session": null}), "session", json!(null)),
    ] {
        let _row = Row(&change.to_string());
        let changed = shown(&server, &format!("PATCH {path}"), &change.to_string()).await;
        assert_eq!(changed[field], value, "{changed}");
        assert_eq!(shown(&server, &format!("GET {path}"), "").await[field], value);
    }
    for (change, field) in [
        (json!({"user": "a\u{7}b"}), "user"),
        (json!({"session": "x".repeat(17 << 10)}), "session"),
        (json!({"join": ["1", "2", "3", "4"]}), "join"),
        (json!({"join": ["x".repeat(201)]}), "join"),
    ] {
        let answer = server.call(&format!("PATCH {path}"), "", &change.to_string()).await;
        let error = &parsed(&answer)["error"];
        assert_eq!((answer.status, error["field"].as_str()), (422, Some(field)), "{error}");
    }
    assert_eq!(shown(&server, "POST /api/v1/emit", "{\"event\":\"y\",\"room\":\"y\"}").await, json!({"sockets": 1}));
    assert_eq!(ann.text().await, "42[\"y\"]");
    assert_eq!(shown(&server, &format!("DELETE {path}"), "").await, json!({"changed": 1}));
    assert_eq!(ann.frame().await, text("41"));
    assert_eq!(server.call(&format!("GET {path}"), "", "").await.status, 404);
    let (mut bob, b) = client(&server, "").await;
    let answer = shown(&server, &format!("DELETE /api/v1/sockets/{b}?transport=true"), "").await;
    assert_eq!(answer, json!({"changed": 1}));
    assert_eq!(bob.frame().await, CLOSED, "and no DISCONNECT");
}

#[tokio::test]
async fn what_rooms_keep_is_shown_and_forgotten() {
    let rooms = "
        [[room]]
        match = 'a/b'
        history = 3
        [[room]]
        match = '@all'
        history = 1";
    let server = start("history", &format!("{JOINING}{rooms}")).await;
    let path = "/api/v1/rooms/a%2Fb/history";
    let nothing = json!({"room": "a/b", "namespace": "/", "length": 0, "events": []});
    assert_eq!(shown(&server, &format!("GET {path}"), "").await, nothing);
    let binary =
        "{\"event\":\"d\",\"room\":\"a/b\",\"args\":[{\"_placeholder\":true,\"num\":0},1],\"attachments\":[\"AQI=\"]}";
    for body in ["{\"event\":\"a\",\"room\":\"a/b\"}", "{\"event\":\"b\",\"room\":\"a/b\"}", "{\"event\":\"c\"}"] {
        server.emit("", body).await;
    }
    server.emit("", "{\"event\":\"c\",\"room\":\"a/b\",\"data\":{\"é\":null}}").await;
    server.emit("", binary).await;
    let without_age = |mut history: Value| {
        for event in history["events"].as_array_mut().expect("a list") {
            let age = event.as_object_mut().expect("an object").remove("age");
            assert!(age.and_then(|age| age.as_f64()).is_some_and(|age| (0.0..60.0).contains(&age)));
        }
        history
    };
    let last = json!({
        "event": "d", "args": [{"_placeholder": true, "num": 0}, 1], "attachments": ["AQI="]});
    let all = json!([{"event": "b", "args": []}, {"event": "c", "args": [{"é": null}]}, last]);
    let history = without_age(shown(&server, &format!("GET {path}"), "").await);
    assert_eq!(history, json!({"room": "a/b", "namespace": "/", "length": 3, "events": all}));
    let history = without_age(shown(&server, &format!("GET {path}?limit=1&namespace=/"), "").await);
    assert_eq!(history, json!({"room": "a/b", "namespace": "/", "length": 3, "events": [last]}));
    assert_eq!(shown(&server, "GET /api/v1/rooms/a%2Fb", "").await["history"], 3);
    let of_all = shown(&server, "GET /api/v1/rooms/@all/history", "").await;
    assert_eq!(each(&of_all["events"], "event"), ["c"]);
    assert_eq!(shown(&server, &format!("DELETE {path}"), "").await, json!({"changed": 3}));
    assert_eq!(shown(&server, &format!("GET {path}"), "").await, nothing);
    assert_eq!(shown(&server, &format!("DELETE {path}"), "").await, json!({"changed": 0}));
    assert_eq!(shown(&server, "GET /api/v1/rooms/%40all/history", "").await["length"], 1);
}

#[tokio::test]
async fn who_is_in_a_room_is_shown() {
    let rooms = "[[room]]\nmatch = 'doc'\npresence = true\npresence_grace = '1m'";
    let server = start("presence", &format!("{JOINING}{rooms}")).await;
    let (_ann, a) = client(&server, "room=doc").await;
    let (bob, b) = client(&server, "room=doc").await;
    let (mut _eve, _) = client(&server, "room=other").await;
    let member = |count: u8| json!({"info": null, "count": count});
    let expected = json!({"room": "doc", "namespace": "/", "members": {&a: member(1), &b: member(1)}});
    assert_eq!(shown(&server, "GET /api/v1/presence/doc", "").await, expected);
    let first = shown(&server, "GET /api/v1/presence/doc?limit=1", "").await;
    let cursor = first["cursor"].as_str().expect("there is more");
    let second = shown(&server, &format!("GET /api/v1/presence/doc?limit=1&cursor={cursor}"), "").await;
    let names = [&first, &second].map(|part| part["members"].as_object().expect("members").keys().cloned().collect());
    let [first, second]: [Vec<String>; 2] = names;
    let mut sorted = [a.clone(), b.clone()];
    sorted.sort();
    assert_eq!([first, second].concat(), sorted);
    assert_eq!(shown(&server, "GET /api/v1/presence/other", "").await["members"], json!({}));
    drop(bob);
    within(async { while shown(&server, "GET /api/v1/presence/doc", "").await["members"][&b] != member(0) {} }).await;
}

#[tokio::test]
async fn who_is_given_a_user_is_in_rooms_by_that() {
    let rooms = "[[room]]\nmatch = 'doc_*'\npresence = true\n[engine]\neio3 = true";
    let server = start("identified", &format!("{JOINING}{rooms}")).await;
    let (mut ann, sid) = client(&server, "").await;
    let patch = format!("PATCH /api/v1/sockets/{sid}");
    shown(&server, &patch, r#"{"user":"ann","join":"doc_1"}"#).await;
    shown(&server, &patch, r#"{"user":"bob","join":"doc_2"}"#).await;
    let user = |user: &str| format!(r#"{{"op":"user","sid":"{sid}","user":{user}}}"#);
    let join = |room: &str| format!(r#"{{"op":"join","target":{{"sids":"{sid}"}},"rooms":"{room}"}}"#);
    let ops = [user("\"cy\""), join("doc_3"), user("null"), join("doc_4")].join(",");
    shown(&server, "POST /api/v1/batch", &format!(r#"{{"ops":[{ops}]}}"#)).await;
    for (room, name) in [("doc_1", "ann"), ("doc_2", "bob"), ("doc_3", "cy"), ("doc_4", &sid)] {
        let members = format!(r#"{{"{name}":{{"count":1,"info":null}}}}"#);
        let state = format!(r#"42["presence_state",{{"members":{members},"room":"{room}"}}]"#);
        assert_eq!(ann.text().await, state);
    }
    // The id of a client of version 2 is what its requests are known by.
    let (mut old, sid) = WebSocket::open(server.endpoint().asked("EIO=3")).await;
    assert_eq!(old.text().await, "40");
    shown(&server, &format!("PATCH /api/v1/sockets/{sid}"), r#"{"user":null,"join":"doc_5"}"#).await;
    let state = old.text().await;
    assert!(state.contains("\"count\":1") && !state.contains(&sid), "{state}");
}

#[tokio::test]
async fn a_user_is_shown_with_all_its_sockets_and_rooms() {
    let server = start("users", &format!("{JOINING}[[namespace]]\nname = '/b'\nauto_join = ['x']")).await;
    let (mut both, a) = client(&server, "room=r&other=s").await;
    let b = socket::join(&mut both, "/b").await;
    let (_other, c) = client(&server, "room=r").await;
    let user = |sid, namespace, user| json!({"op": "user", "sid": sid, "namespace": namespace, "user": user});
    let ops = json!({"ops": [user(&a, "/", "ann/é"), user(&b, "/b", "ann/é"), user(&c, "/", "bob")]}).to_string();
    shown(&server, "POST /api/v1/batch", &ops).await;
    let ann = shown(&server, "GET /api/v1/users/ann%2F%C3%A9", "").await;
    let room = |namespace: &str, room: &str| json!({"namespace": namespace, "room": room});
    assert_eq!(ann["user"], "ann/é");
    assert_eq!(ann["rooms"], json!([room("/", "r"), room("/", "s"), room("/b", "x")]));
    let mut sids = each(&ann["sockets"], "sid");
    sids.sort_by_key(|sid| *sid != a.as_str());
    assert_eq!(sids, [a.as_str(), b.as_str()]);
    let of_a = ann["sockets"].as_array().expect("a list").iter().find(|socket| socket["sid"] == a.as_str());
    assert_eq!(of_a.expect("there")["rooms"], json!(["r", "s"]));
    let found = pages(&server, "/api/v1/users/ann%2F%C3%A9?limit=1", "sockets", "sid").await;
    assert_eq!(found.len(), 2);
    let of_b = shown(&server, "GET /api/v1/users/ann%2F%C3%A9?namespace=/b", "").await;
    assert_eq!((each(&of_b["sockets"], "sid"), &of_b["rooms"]), (vec![json!(b)], &json!([room("/b", "x")])));
    let nobody = shown(&server, "GET /api/v1/users/nobody", "").await;
    assert_eq!(nobody, json!({"user": "nobody", "rooms": [], "sockets": []}));
}

#[tokio::test]
async fn the_description_is_there_for_everybody() {
    let server = start("description", "[api]\nkeys = ['k']").await;
    let answer = server.ask("/api/openapi.json").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.body, include_str!("../server/src/api/openapi.json"));
}

#[tokio::test]
async fn a_socket_says_why_it_may_be_slow() {
    let options = "[limits]\nsend_queue_messages = 4\n[engine]\nping_interval = '1s'\nping_timeout = '1m'";
    let server = start("slow", options).await;
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("40").await.body, "ok");
    polling.get().await;
    let sockets = shown(&server, "GET /api/v1/sockets", "").await;
    assert_eq!(sockets["sockets"][0]["slow"], json!(["polling"]), "{sockets}");
    for _ in 0..2 {
        server.emit("", "{\"event\":\"e\"}").await;
    }
    within(async {
        // The ping waits behind these, longer than two seconds.
        while shown(&server, "GET /api/v1/sockets", "").await["sockets"][0]["slow"]
            != json!(["polling", "queue", "unanswered_ping"])
        {}
    })
    .await;
    let sockets = shown(&server, "GET /api/v1/sockets", "").await;
    assert_eq!(sockets["sockets"][0]["queue_packets"], 3, "{sockets}");
    polling.get().await;
    assert_eq!(polling.post("3").await.body, "ok");
    let sockets = shown(&server, "GET /api/v1/sockets", "").await;
    assert_eq!(sockets["sockets"][0]["slow"], json!(["polling", "round_trip"]), "{sockets}");
}

#[tokio::test]
async fn figures_are_there_at_a_glance() {
    let server = start("stats", &format!("{JOINING}[[namespace]]\nname = '/b'")).await;
    let (_ann, a) = client(&server, "room=r").await;
    let (mut both, b) = client(&server, "room=r").await;
    let c = socket::join(&mut both, "/b").await;
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post("40").await.body, "ok");
    polling.get().await;
    let user = |sid, namespace, user| json!({"op": "user", "sid": sid, "namespace": namespace, "user": user});
    let ops = json!({"ops": [user(a, "/", "ann"), user(b, "/", "bob"), user(c, "/b", "bob")]}).to_string();
    let results = shown(&server, "POST /api/v1/batch", &ops).await;
    assert_eq!(each(&results["results"], "changed"), [1, 1, 1]);
    server.emit("", "{\"event\":\"e\"}").await;
    let mut stats = shown(&server, "GET /api/v1/stats", "").await;
    assert!(stats["uptime"].as_f64().is_some_and(|uptime| uptime > 0.0), "{stats}");
    assert!(stats["memory"].as_u64().is_some_and(|memory| memory > 1_000_000), "{stats}");
    assert_eq!(stats["emits"]["api"], 1, "{stats}");
    for field in ["uptime", "memory", "emits"] {
        stats.as_object_mut().expect("an object").remove(field);
    }
    let expected = json!({
        "version": "0.1.0", "draining": false, "connections": 3, "transports": {"polling": 1, "websocket": 2},
        "namespaces": 2, "sockets": 4, "rooms": 1, "users": 2, "deliveries": 3});
    assert_eq!(stats, expected);
}

#[tokio::test]
async fn a_key_sees_and_does_what_it_is_for() {
    let text = "
        [[namespace]]
        name = '/'
        [[namespace]]
        name = '/b'
        auto_join = ['r']
        [[api.keys]]
        key = 'b'
        namespaces = ['/b']
        [[api.keys]]
        key = 'reads'
        allow = 'read'
        [[api.keys]]
        key = 'emits'
        allow = 'emit'
        [[api.keys]]
        key = 'manages'
        allow = 'manage'";
    let server = start("scopes", text).await;
    let (_ann, a) = client(&server, "").await;
    let (_bob, b) = socket::connect(server.endpoint(), "/b").await;
    let (of_a, of_b) = (format!("/api/v1/sockets/{a}"), format!("/api/v1/sockets/{b}"));
    let [get_a, patch_a, delete_a] = ["GET", "PATCH", "DELETE"].map(|method| format!("{method} {of_a}"));
    let [get_b, patch_b] = ["GET", "PATCH"].map(|method| format!("{method} {of_b}"));
    let emit = "{\"event\":\"e\"}";
    let emit_b = "{\"event\":\"e\",\"namespace\":\"/b\"}";
    let close = "{\"room\":\"r\",\"namespace\":\"/b\"}";
    for (key, line, body, status) in [
        ("none", "GET /api/v1/stats", "", 401),
        ("none", "POST /api/v1/batch", "{\"ops\":[]}", 401),
        ("none", "GET /api/v1/nothing", "", 404),
        ("b", "GET /api/v1/rooms", "", 403),
        ("b", "GET /api/v1/rooms?namespace=/b", "", 200),
        ("b", "GET /api/v1/rooms/r", "", 403),
        ("b", "GET /api/v1/rooms/r?namespace=/b", "", 200),
        ("b", "GET /api/v1/sockets?namespace=/", "", 403),
        ("b", "GET /api/v1/sockets?namespace=/&room=r", "", 403),
        ("b", "GET /api/v1/rooms/r/history", "", 403),
        ("b", "GET /api/v1/rooms/r/history?namespace=/b", "", 200),
        ("b", "DELETE /api/v1/rooms/r/history", "", 403),
        ("reads", "DELETE /api/v1/rooms/r/history", "", 403),
        ("b", "GET /api/v1/presence/r", "", 403),
        ("b", "GET /api/v1/presence/r?namespace=/b", "", 200),
        ("b", "GET /api/v1/users/ann", "", 200),
        ("b", "GET /api/v1/users/ann?namespace=/", "", 403),
        ("none", "GET /api/openapi.json", "", 200),
        ("b", &get_a, "", 404),
        ("b", &patch_a, "{}", 404),
        ("b", &delete_a, "", 404),
        ("b", &get_b, "", 200),
        ("b", &patch_b, "{}", 200),
        ("b", "POST /api/v1/emit", emit, 403),
        ("b", "POST /api/v1/emit", emit_b, 200),
        ("reads", "POST /api/v1/emit", emit, 403),
        ("reads", "POST /api/v1/batch", "{\"ops\":[]}", 403),
        ("reads", &patch_a, "{}", 403),
        ("reads", &get_a, "", 200),
        ("emits", "POST /api/v1/emit", emit, 200),
        ("emits", "POST /api/v1/close_room", close, 403),
        ("emits", "POST /api/v1/batch", "{\"ops\":[]}", 200),
        ("emits", "GET /api/v1/stats", "", 403),
        ("manages", "POST /api/v1/emit", emit, 403),
        ("manages", "POST /api/v1/close_room", close, 200),
        ("manages", &patch_a, "{}", 200),
    ] {
        let _row = Row(&format!("{key}: {line} {body}"));
        let answer = server.call(line, &format!("x-api-key: {key}\r\n"), body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status != 404 || !line.contains("nothing") {
            DESCRIPTION.judge(line, &answer);
        }
        assert_eq!(answer.header("www-authenticate"), if status == 401 { "Bearer" } else { "" });
    }
    let ask = async |key: &str, line: &str, body: &str| {
        parsed(&server.call(line, &format!("x-api-key: {key}\r\n"), body).await)
    };
    let namespaces = ask("b", "GET /api/v1/namespaces", "").await;
    assert_eq!(each(&namespaces["namespaces"], "namespace"), ["/b"]);
    assert_eq!(each(&ask("b", "GET /api/v1/sockets", "").await["sockets"], "sid"), [b.as_str()]);
    assert_eq!(each(&ask("reads", "GET /api/v1/sockets", "").await["sockets"], "sid").len(), 2);
    assert_eq!(ask("b", "GET /api/v1/stats", "").await["sockets"], 1);
    let batch = "{\"ops\":[{\"op\":\"emit\",\"event\":\"e\"},{\"op\":\"close_room\",\"room\":\"r\"}]}";
    for (key, codes) in [("emits", ["", "forbidden"]), ("manages", ["forbidden", ""]), ("b", ["forbidden"; 2])] {
        let results = ask(key, "POST /api/v1/batch", batch).await["results"].clone();
        let errors = each(&results, "error");
        assert_eq!(errors.iter().map(|error| error["code"].as_str().unwrap_or_default()).collect::<Vec<_>>(), codes);
    }
}

#[tokio::test]
async fn a_server_that_ends_still_shows_but_does_nothing_more() {
    let mut server = start("drain", "[drain]\nrate = 1").await;
    let mut clients = [client(&server, "").await.0, client(&server, "").await.0, client(&server, "").await.0];
    let admin = server.admin.expect("an admin listener");
    let mut operator = tests::http::Connection::open(admin).await;
    server.signal("TERM");
    within(async {
        loop {
            operator.request("GET /api/v1/stats", "").await;
            if parsed(&operator.answer().await)["draining"] == true {
                return;
            }
        }
    })
    .await;
    for line in ["POST /api/v1/emit", "POST /api/v1/batch", "DELETE /api/v1/sockets/x"] {
        operator.request(line, "content-length: 0\r\n").await;
        let answer = operator.answer().await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{line}");
        assert_eq!(parsed(&answer)["error"]["code"], "draining");
        DESCRIPTION.judge(line, &answer);
    }
    for client in &mut clients {
        assert_eq!(client.frame().await, closed(1001));
    }
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn the_playground_has_the_whole_api() {
    let server = Process::start(command(BINARY, &["--listen", "127.0.0.1:0"])).await;
    let (mut ann, a) = client(&server, "").await;
    assert!(ann.text().await.starts_with("42[\"welcome\""));
    let got = get(server.address, &format!("/api/v1/sockets/{a}"), "").await;
    assert_eq!((got.status, parsed(&got)["sid"].as_str()), (200, Some(a.as_str())));
    let emit = format!("{{\"event\":\"e\",\"to\":{{\"sids\":\"{a}\"}}}}");
    assert_eq!(server.post("/api/v1/emit", &emit).await.body, "{\"sockets\":1}\n");
    assert_eq!(ann.text().await, "42[\"e\"]");
    let deleted = request(server.address, &format!("DELETE /api/v1/sockets/{a}"), "", "").await;
    assert_eq!((deleted.status, ann.frame().await), (200, Frame::Text("41".into())));
    assert_eq!(get(server.address, &format!("/api/v1/sockets/{a}"), "").await.status, 404);
    assert_eq!(parsed(&server.get("/api/v1/x", "").await)["error"]["code"], "not_found");
}

/// The examples in the page's part on the API: commands, and what they are answered. A tail, which has no end, is in
/// another part.
fn examples() -> Vec<(String, String)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/server.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, part) = page.split_once("\n## API\n").expect("a part on the API");
    let part = part.split("\n## ").next().unwrap_or_default();
    let blocks = part.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let mut examples: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ curl "), examples.last_mut()) {
            (Some(command), _) => examples.push((command.to_owned(), String::new())),
            // Within quotes the command goes on.
            (None, Some((command, _))) if command.matches('\'').count() % 2 == 1 => *command += &format!("\n{line}"),
            (None, Some((_, answer))) => *answer += &format!("{line}\n"),
            (None, None) => panic!("an answer is behind its command: {line}"),
        }
    }
    examples
}

/// The words of a command line, without their quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for character in command.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().expect("one at least").push(other),
        }
    }
    words
}

/// Does what curl does with these words.
async fn curl(server: &Process, words: Vec<String>) -> Answer {
    let (mut method, mut headers, mut path, mut body) = ("", String::new(), String::new(), String::new());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut next = || words.next().expect("what it is for");
        match word {
            "-X" => method = next(),
            "-H" => headers = format!("{headers}{}\r\n", next()),
            "-d" | "--data-binary" => body = next().to_owned(),
            url => path = url.strip_prefix("http://127.0.0.1:8001").expect("the admin listener").to_owned(),
        }
    }
    let with_body = if body.is_empty() { "GET" } else { "POST" };
    let method = if method.is_empty() { with_body } else { method };
    if !body.is_empty() && !headers.contains("content-type") {
        headers.push_str("content-type: application/x-www-form-urlencoded\r\n");
    }
    server.call(&format!("{method} {path}"), &headers, &body).await
}

/// Whether a text is as it is written, where `...` stands for anything.
fn is_like(text: &str, written: &str) -> bool {
    let mut parts = written.split("...");
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

#[tokio::test]
async fn the_examples_of_the_page_are_answered_as_it_says() {
    let server = start("page", JOINING).await;
    let (_reader, sid) = client(&server, "room=news").await;
    let examples = examples();
    assert!(examples.len() > 7, "{examples:?}");
    for (command, written) in examples {
        let answer = curl(&server, words(&command.replace("SID", &sid))).await;
        assert!(is_like(&answer.body, &written), "{command}: {} is not {written}", answer.body);
    }
}

#[tokio::test]
async fn the_calls_of_others_are_ops_as_the_page_says() {
    let cells = page::last_cells("| Flask-SocketIO | Node | op and body |");
    assert!(cells.len() > 10, "{cells:?}");
    let server = start("calls", &format!("{JOINING}[[namespace]]\nname = '/x'")).await;
    let (_reader, sid) = client(&server, "room=r").await;
    for cell in cells {
        let cell = cell.replace("SID", &sid);
        let words: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        let answer = match words[..] {
            [op, body] => server.call(&format!("POST /api/v1/{op}"), "", body).await,
            [line] => server.call(line, "", "").await,
            _ => panic!("an op and its body: {cell}"),
        };
        assert_eq!(answer.status, 200, "{cell}: {}", answer.body);
    }
}

#[tokio::test]
async fn who_asks_for_leave_to_send_too_much_does_not_get_it() {
    let server = start("expect", "[api]\nmax_body = 20").await;
    for (length, answer) in [(21, "HTTP/1.1 413 "), (13, "HTTP/1.1 100 ")] {
        let mut connection = tests::http::Connection::open(server.admin.expect("an admin listener")).await;
        let headers = format!("expect: 100-continue\r\ncontent-length: {length}\r\n");
        connection.request("POST /api/v1/emit", &headers).await;
        assert!(connection.until(" ").await == "HTTP/1.1 " && connection.until(" ").await == answer[9..]);
    }
}
