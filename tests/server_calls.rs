//! The binary's API where a request takes its time: answers of clients, ops line by line, and ids that make a request
//! one that is done once.

use std::{fs, sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use tests::{
    Row,
    frames::{BINARY as BINARY_FRAME, Frame, WebSocket, closed, masked},
    http::{Answer, Connection},
    openapi::Description,
    process::Process,
    socket, within,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Rooms from the start, as the URL says.
const JOINING: &str = "[[namespace]]\nname = '/'\nauto_join = ['{query.room}']\n";

/// What answers may be.
static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| Description::read(include_str!("../server/src/api/openapi.json")));

fn file(name: &str) -> String {
    format!("{}/calls-{name}.toml", env!("CARGO_TARGET_TMPDIR"))
}

/// Starts a server with this file, on any free ports.
async fn start(name: &str, configuration: &str) -> Process {
    Process::configured(BINARY, &file(name), configuration).await
}

/// A client in `/` that is in this room, and the id of its socket.
async fn in_room(server: &Process, room: &str) -> (WebSocket, String) {
    let query = Box::leak(format!("EIO=4&room={room}").into_boxed_str());
    socket::connect(server.endpoint().asked(query), "/").await
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

/// A connection on which a request was sent whose answer takes its time.
async fn asking(server: &Process, route: &str, headers: &str, body: &str) -> Connection {
    let mut connection = Connection::open(server.admin.expect("an admin listener")).await;
    let length = body.len();
    connection.request(&format!("POST /api/v1/{route}"), &format!("{headers}content-length: {length}\r\n")).await;
    connection.send(body).await;
    connection
}

#[tokio::test]
async fn calls_bring_the_answers_of_all_who_are_meant() {
    let server = start("call", JOINING).await;
    let (mut ann, a) = in_room(&server, "r").await;
    let (mut bob, b) = in_room(&server, "r").await;
    let (mut eve, e) = in_room(&server, "s").await;
    let ack = |event: &str| event.strip_prefix("42").and_then(|rest| rest.split('[').next()).map(str::to_owned);
    let question = json!({"event": "q", "data": 1, "room": "r", "timeout": "1m"}).to_string();
    let mut call = asking(&server, "call", "", &question).await;
    for (client, args) in [(&mut bob, "[\"yes\",2]"), (&mut ann, "[]")] {
        let event = client.text().await;
        assert!(event.ends_with("[\"q\",1]"), "{event}");
        client.send(&format!("43{}{args}", ack(&event).expect("an ack is wanted"))).await;
    }
    let mut answer = parsed(&call.answer().await);
    let responses = answer["responses"].as_array_mut().expect("a list");
    responses.sort_by_key(|response| response["args"].to_string());
    let expected = json!({"responses": [{"sid": b, "args": ["yes", 2]}, {"sid": a, "args": []}], "missing": []});
    assert_eq!(answer, expected);

    // One answers with binary, one leaves, and one says nothing.
    let question = json!({"event": "q", "to": {"sids": [a, b, e]}, "timeout": 3}).to_string();
    let mut call = asking(&server, "call", "", &question).await;
    let event = ann.text().await;
    ann.send(&format!("461-{}[{{\"_placeholder\":true,\"num\":0}}]", ack(&event).expect("an ack"))).await;
    ann.connection.send(masked(BINARY_FRAME, &[1, 2])).await;
    bob.text().await;
    drop(bob);
    eve.text().await;
    let answer = call.answer().await;
    DESCRIPTION.judge("POST /api/v1/call", &answer);
    let mut answer = parsed(&answer);
    answer["missing"].as_array_mut().expect("a list").sort_by_key(|sid| *sid == e.as_str());
    let args = json!([{"_placeholder": true, "num": 0}]);
    let given = json!([{"sid": a, "args": args, "attachments": ["AQI="]}]);
    assert_eq!(answer, json!({"responses": given, "missing": [b, e]}));

    for (body, status, code) in [
        (json!({"event": "q", "room": "nobody"}), 404, "nobody"),
        (json!({"event": "q", "timeout": "61s"}), 422, "invalid_argument"),
        (json!({"event": "q", "timeout": 0}), 422, "invalid_argument"),
        (json!({"event": "q", "timeout": "soon"}), 422, "invalid_argument"),
        (json!({"op": "join", "event": "q"}), 422, "invalid_argument"),
        (json!({"event": "q", "namespace": "/x"}), 404, "unknown_namespace"),
        (json!({"event": "connect"}), 400, "reserved_event"),
    ] {
        let answer = server.call("POST /api/v1/call", "", &body.to_string()).await;
        assert_eq!((answer.status, parsed(&answer)["error"]["code"].as_str()), (status, Some(code)), "{body}");
        DESCRIPTION.judge("POST /api/v1/call", &answer);
    }
    let answer = server.emit("", "{\"event\":\"e\",\"timeout\":1}").await;
    assert_eq!(parsed(&answer)["error"]["field"], "timeout", "an emit has none");
}

#[tokio::test]
async fn nobody_waits_for_answers_whose_caller_has_gone() {
    let server = start("gone", "").await;
    let (mut ann, a) = in_room(&server, "").await;
    let owed = async || {
        let answer = server.ask(&format!("/api/v1/sockets/{a}")).await;
        parsed(&answer)["pending_acks"].as_u64().expect("a number")
    };
    let call = asking(&server, "call", "", "{\"event\":\"q\",\"timeout\":60}").await;
    assert!(ann.text().await.ends_with("[\"q\"]"));
    assert_eq!(owed().await, 1);
    drop(call);
    within(async { while owed().await > 0 {} }).await;
}

#[tokio::test]
async fn what_has_an_id_is_done_once() {
    let keys = "[api]\nkeys = ['one', 'other']\n";
    let server = start("ids", &format!("{keys}{JOINING}")).await;
    let (mut ann, a) = in_room(&server, "r").await;
    let long = "x".repeat(256);
    let join = json!({"target": {"sids": a}, "rooms": "t"}).to_string();
    let batch = json!({"ops": [{"op": "emit", "event": "in batch"}]}).to_string();
    let item = json!({"ops": [{"op": "emit", "event": "item", "id": "6"}]}).to_string();
    // Route, headers, body, status, whether it was there already, and what the client hears.
    let rows = [
        ("emit", "", "{\"event\":\"a\",\"id\":\"1\"}", 200, false, "a"),
        ("emit", "", "{\"event\":\"a\",\"id\":\"1\"}", 200, true, ""),
        ("emit", "idempotency-key: 1\r\n", "{\"event\":\"a\",\"id\":\"1\"}", 200, true, ""),
        ("emit", "", "{\"event\":\"b\",\"id\":\"1\"}", 409, false, ""),
        ("emit", "idempotency-key: 1\r\n", "{\"event\":\"a\"}", 409, false, ""),
        ("call", "", "{\"event\":\"a\",\"id\":\"1\"}", 409, false, ""),
        ("emit", "idempotency-key: 2\r\n", "{\"event\":\"c\"}", 200, false, "c"),
        ("emit", "idempotency-key: \"2\"\r\n", "{\"event\":\"c\"}", 200, true, ""),
        ("emit", "idempotency-key: 2\r\n", "{\"event\":\"c\",\"id\":\"3\"}", 422, false, ""),
        ("emit", &format!("idempotency-key: {long}\r\n"), "{\"event\":\"c\"}", 422, false, ""),
        ("emit", "", "{\"event\":\"c\",\"id\":\"\"}", 422, false, ""),
        ("emit", "", "{\"event\":\"d\",\"id\":\"4\",\"namespace\":\"/x\"}", 404, false, ""),
        ("emit", "", "{\"event\":\"d\",\"id\":\"4\"}", 200, false, "d"),
        ("join", "idempotency-key: 5\r\n", &join, 200, false, ""),
        ("join", "idempotency-key: 5\r\n", &join, 200, true, ""),
        ("batch", "idempotency-key: 7\r\n", &batch, 200, false, "in batch"),
        ("batch", "idempotency-key: 7\r\n", &batch, 200, true, ""),
        ("batch", "", &item, 200, false, "item"),
        ("batch", "", &item, 200, false, ""),
        ("batch", "idempotency-key: 8\r\ncontent-type: application/x-ndjson\r\n", "", 422, false, ""),
    ];
    let mut last = String::new();
    for (route, headers, body, status, is_replayed, heard) in rows {
        let _row = Row(&format!("{route} {headers} {body}"));
        let headers = format!("x-api-key: one\r\n{headers}");
        let answer = server.call(&format!("POST /api/v1/{route}"), &headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        DESCRIPTION.judge(&format!("POST /api/v1/{route}"), &answer);
        assert_eq!(answer.header("idempotent-replayed"), if is_replayed { "true" } else { "" });
        if is_replayed {
            assert_eq!(answer.body, last);
        }
        if status == 409 {
            assert_eq!(parsed(&answer)["error"]["code"], "id_conflict");
        } else {
            last = answer.body;
        }
        if !heard.is_empty() {
            assert_eq!(ann.text().await, format!("42[\"{heard}\"]"));
        }
    }
    let other = server.emit("x-api-key: other\r\n", "{\"event\":\"of another\",\"id\":\"1\"}").await;
    assert_eq!(other.status, 200, "each key has its own ids");
    assert_eq!(ann.text().await, "42[\"of another\"]");
    let server = start("short_ids", "[api]\nidempotency_ttl = '200ms'").await;
    let (mut ann, _) = in_room(&server, "").await;
    let once =
        async || server.emit("", "{\"event\":\"e\",\"id\":\"1\"}").await.header("idempotent-replayed").is_empty();
    assert!(once().await, "for the first time");
    within(async { while !once().await {} }).await;
    for _ in 0..2 {
        assert_eq!(ann.text().await, "42[\"e\"]");
    }
    let server = start("no_ids", "[api]\nidempotency_ttl = 0").await;
    let (mut ann, _) = in_room(&server, "").await;
    for _ in 0..2 {
        server.emit("", "{\"event\":\"e\",\"id\":\"1\"}").await;
        assert_eq!(ann.text().await, "42[\"e\"]");
    }
}

#[tokio::test]
async fn what_is_asked_again_while_it_is_done_has_the_same_answer() {
    let server = start("twice", "").await;
    let (mut ann, a) = in_room(&server, "").await;
    let body = "{\"event\":\"q\",\"timeout\":60,\"id\":\"1\"}";
    // Its caller goes away, and its answer is there for who comes after it.
    let gone = asking(&server, "call", "", body).await;
    let event = ann.text().await;
    drop(gone);
    let (mut second, mut third) =
        (asking(&server, "call", "", body).await, asking(&server, "call", "idempotency-key: 1\r\n", body).await);
    // Answered behind these two, on a connection that is opened after theirs.
    let conflict = server.call("POST /api/v1/call", "", "{\"event\":\"other\",\"id\":\"1\"}").await;
    assert_eq!(conflict.status, 409);
    ann.send(&event.replace("42", "43").replace("\"q\"", "\"yes\"")).await;
    for connection in [&mut second, &mut third] {
        let answer = connection.answer().await;
        assert_eq!(parsed(&answer), json!({"responses": [{"sid": a, "args": ["yes"]}], "missing": []}));
        assert_eq!(answer.header("idempotent-replayed"), "true");
    }
    server.emit("", "{\"event\":\"end\"}").await;
    assert_eq!(ann.text().await, "42[\"end\"]", "it was asked once");
}

/// A request with ops line by line, whose end is not told.
async fn stream(server: &Process, headers: &str) -> Connection {
    let mut connection = Connection::open(server.admin.expect("an admin listener")).await;
    let headers = format!("content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n{headers}");
    connection.request("POST /api/v1/batch", &headers).await;
    connection
}

async fn send(connection: &mut Connection, part: &str) {
    connection.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
}

/// The next part of an answer; empty when it was the last.
async fn part(connection: &mut Connection) -> String {
    String::from_utf8(connection.chunk().await).expect("UTF-8")
}

/// So many lines, in as many parts as they come in.
async fn lines(connection: &mut Connection, count: usize) -> Vec<String> {
    let mut text = String::new();
    while text.lines().count() < count || !text.ends_with('\n') {
        text.push_str(&part(connection).await);
    }
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn ops_are_answered_line_by_line_while_the_request_still_runs() {
    let server = start("lines", &format!("[api]\nmax_body = 80\nmax_batch = 2\n{JOINING}")).await;
    let (mut ann, a) = in_room(&server, "r").await;
    let mut stream = stream(&server, "").await;
    let head = stream.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, "application/x-ndjson"), "before any line");
    let error = |code: &str| format!("{{\"error\":{{\"code\":\"{code}\"");
    let long = "x".repeat(200);
    let join = format!("{{\"op\":\"user\",\"sid\":\"{a}\",\"user\":\"ann\"}}\n");
    for (parts, answers, heard) in [
        (&["{\"op\":\"emit\",\"event\":\"a\"}\n"][..], &["{\"sockets\":1}".to_owned()][..], "a"),
        (&["\n  \r\n{\"op\":\"emit\",", "\"event\":\"b\"", "}\r\n"], &["{\"sockets\":1}".into()], "b"),
        (
            &["{\"op\":\"x\"}\n{\"op\":\n[]\n"],
            &[error("invalid_argument"), error("malformed_json"), error("invalid_argument")],
            "",
        ),
        (
            &[&long, &long, "\n{\"op\":\"emit\",\"event\":\"c\"}\n"],
            &[error("too_large"), "{\"sockets\":1}".into()],
            "c",
        ),
        (
            &[&join, "{\"op\":\"emit\",\"event\":\"d\",\"to\":{\"users\":\"ann\"}}\n"],
            &["{\"changed\":1}".into(), "{\"sockets\":1}".into()],
            "d",
        ),
        (&["{\"op\":\"emit\",\"event\":\"e\",\"id\":\"1\"}\n"], &["{\"id\":\"1\",\"sockets\":1}".into()], "e"),
        (&["{\"op\":\"emit\",\"event\":\"e\",\"id\":\"1\"}\n"], &["{\"id\":\"1\",\"sockets\":1}".into()], ""),
    ] {
        let _row = Row(parts[0]);
        for part in parts {
            send(&mut stream, part).await;
        }
        let found = lines(&mut stream, answers.len()).await;
        assert_eq!(found.len(), answers.len(), "{found:?}");
        for (found, answer) in found.iter().zip(answers) {
            assert!(found.starts_with(answer), "{found}");
        }
        if !heard.is_empty() {
            assert_eq!(ann.text().await, format!("42[\"{heard}\"]"));
        }
    }
    send(&mut stream, "{\"op\":\"emit\",\"event\":\"last\"}").await;
    stream.send("0\r\n\r\n").await;
    assert_eq!(lines(&mut stream, 1).await, ["{\"sockets\":1}"], "the last line needs no end");
    assert_eq!(part(&mut stream).await, "");
    assert_eq!(ann.text().await, "42[\"last\"]");
    stream.request("GET /api/v1/stats", "").await;
    assert_eq!(stream.answer().await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn lines_are_done_as_long_as_their_key_is_good() {
    let mut server = start("revoked", "[api]\nkeys = ['old', 'kept']\n").await;
    let (mut ann, _) = in_room(&server, "").await;
    let (mut old, mut kept) =
        (stream(&server, "x-api-key: old\r\n").await, stream(&server, "x-api-key: kept\r\n").await);
    let op = |event: &str| format!("{{\"op\":\"emit\",\"event\":\"{event}\"}}\n");
    for stream in [&mut old, &mut kept] {
        assert_eq!(stream.head().await.status, 200);
        send(stream, &op("before")).await;
        assert_eq!(lines(stream, 1).await, ["{\"sockets\":1}"]);
        assert_eq!(ann.text().await, "42[\"before\"]");
    }
    fs::write(file("revoked"), "[api]\nkeys = ['new', { key = 'kept', allow = 'manage' }]\n").expect("writable");
    server.signal("HUP");
    server.logged("configuration read again").await;
    send(&mut old, &op("refused")).await;
    assert_eq!(part(&mut old).await, "", "it ends");
    send(&mut kept, &op("forbidden")).await;
    assert!(part(&mut kept).await.starts_with("{\"error\":{\"code\":\"forbidden\""));
    assert_eq!(server.emit("x-api-key: new\r\n", "{\"event\":\"after\"}").await.status, 200);
    assert_eq!(ann.text().await, "42[\"after\"]");
}

#[tokio::test]
async fn lines_may_be_many_and_keep_their_order() {
    let server = start("many", "").await;
    let (mut ann, _) = in_room(&server, "").await;
    let ops: String =
        (0..2000).map(|at| format!("{{\"op\":\"emit\",\"event\":\"e\",\"data\":{at},\"id\":\"{at}\"}}\n")).collect();
    let body = format!("content-length: {}\r\n", ops.len());
    let mut connection = Connection::open(server.admin.expect("an admin listener")).await;
    connection.request("POST /api/v1/batch", &format!("content-type: application/jsonl\r\n{body}")).await;
    // The client is to read all the while, as more than 1024 may not wait for it.
    let listening = tokio::spawn(async move {
        for at in 0..2000 {
            assert_eq!(ann.text().await, format!("42[\"e\",{at}]"));
        }
    });
    connection.send(ops).await;
    connection.head().await;
    let answers = lines(&mut connection, 2000).await;
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, format!("{{\"id\":\"{at}\",\"sockets\":1}}"));
    }
    within(listening).await.expect("all came in order");
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_not_read() {
    let server = start("unread", "").await;
    let peak = || {
        let status = format!("/proc/{}/status", server.child.id().expect("it runs"));
        let status = fs::read_to_string(status).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number")
    };
    let before = peak();
    let mut stream = stream(&server, "").await;
    stream.head().await;
    let stream = stream.into_stream();
    let (mut reader, mut writer) = stream.into_split();
    // The answer to each says the name of its field twice: there are some 40 MB of them.
    let line = format!("{{\"op\":\"emit\",\"event\":\"e\",\"{}\":1}}\n", "x".repeat(2000));
    let chunk = format!("{:x}\r\n{line}\r\n", line.len());
    let writing = tokio::spawn(async move {
        for _ in 0..10_000 {
            writer.write_all(chunk.as_bytes()).await.expect("the server reads");
        }
        writer.write_all(b"0\r\n\r\n").await.expect("the server reads");
        writer
    });
    // Time in which a server that goes on reading would have all of them in its memory.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut unread, mut count) = (Vec::with_capacity(1 << 16), 0);
    while !unread.ends_with(b"\r\n0\r\n\r\n") {
        // What may be the beginning of the end.
        unread.drain(..unread.len().saturating_sub(6));
        let looked = unread.len();
        let read = within(reader.read_buf(&mut unread)).await.expect("an answer");
        assert!(read > 0, "the connection ended");
        count += unread[looked..].iter().filter(|byte| **byte == b'\n').count();
    }
    // Each chunk has two line ends of its own, beside those of its lines.
    assert!(count > 10_000, "{count}");
    assert!(peak() < before + (16 << 10), "{} KiB more", peak() - before);
    within(writing).await.expect("all was written");
}

#[tokio::test]
async fn lines_end_when_the_server_does() {
    let mut server = start("drain", "[drain]\nrate = 1").await;
    let (mut ann, _) = in_room(&server, "").await;
    let mut stream = stream(&server, "").await;
    stream.head().await;
    send(&mut stream, "{\"op\":\"emit\",\"event\":\"e\"}\n").await;
    assert_eq!(lines(&mut stream, 1).await, ["{\"sockets\":1}"]);
    assert_eq!(ann.text().await, "42[\"e\"]");
    server.signal("TERM");
    assert_eq!(part(&mut stream).await, "", "what was not answered was not done");
    assert_eq!(ann.frame().await, closed(1001));
    assert!(within(server.child.wait()).await.expect("it ends").success());
}

#[tokio::test]
async fn clients_that_ask_for_leave_to_send_lines_have_it_first() {
    let server = start("leave", "").await;
    let mut stream = stream(&server, "expect: 100-continue\r\n").await;
    assert_eq!(stream.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut stream, "{\"op\":\"emit\",\"event\":\"e\"}\n").await;
    assert_eq!(stream.head().await.status, 200);
    assert_eq!(lines(&mut stream, 1).await, ["{\"sockets\":0}"]);
}

#[tokio::test]
async fn lines_are_judged_by_the_key_one_by_one() {
    let keys = "[[api.keys]]\nkey = 'emits'\nallow = 'emit'\n[[api.keys]]\nkey = 'reads'\nallow = 'read'";
    let server = start("judged", keys).await;
    let (mut ann, _) = in_room(&server, "").await;
    let mut stream = stream(&server, "x-api-key: emits\r\n").await;
    stream.head().await;
    send(&mut stream, "{\"op\":\"close_room\",\"room\":\"r\"}\n{\"op\":\"emit\",\"event\":\"e\"}\n").await;
    let answers = lines(&mut stream, 2).await;
    assert!(answers[0].contains("\"forbidden\"") && answers[1] == "{\"sockets\":1}", "{answers:?}");
    assert_eq!(ann.frame().await, Frame::Text("42[\"e\"]".into()));
    let mut refused = self::stream(&server, "x-api-key: reads\r\n").await;
    assert_eq!(refused.answer().await.status, 403);
}

#[tokio::test]
async fn messages_of_pythons_managers_are_carried_out_as_they_are() {
    let server = start("pubsub", JOINING).await;
    let (mut ann, a) = in_room(&server, "r").await;
    let message = |method: &str, more: Value| {
        let mut message = json!({"method": method, "namespace": "/", "host_id": "h"});
        message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        message.to_string()
    };
    let event = |more: Value| message("emit", more);
    for (body, heard) in [
        (
            event(json!({"event": "a", "data": [{"n": 1}], "room": "r", "skip_sid": null, "callback": null})),
            "42[\"a\",{\"n\":1}]",
        ),
        (event(json!({"event": "a", "data": [1], "room": null, "skip_sid": a})), ""),
        (message("enter_room", json!({"sid": a, "room": "t"})), ""),
        (event(json!({"event": "b", "data": [2], "room": ["t", "r"]})), "42[\"b\",2]"),
        (message("leave_room", json!({"sid": a, "room": "t"})), ""),
        (event(json!({"event": "c", "data": [3], "room": "t"})), ""),
        (message("close_room", json!({"room": "r"})), ""),
        (event(json!({"event": "d", "data": [4], "room": "r"})), ""),
        (message("callback", json!({"sid": a, "id": 1, "args": []})), ""),
    ] {
        let _row = Row(&body);
        let answer = server.call("POST /api/v1/pubsub", "", &body).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}\n"));
        DESCRIPTION.judge("POST /api/v1/pubsub", &answer);
        if !heard.is_empty() {
            assert_eq!(ann.text().await, heard);
        }
    }
    let question = event(json!({"event": "q", "data": [{"x": 1}], "room": a, "callback": [a, "/", 7]}));
    let mut asked = asking(&server, "pubsub", "", &question).await;
    let event_of_question = ann.text().await;
    assert!(event_of_question.ends_with("[\"q\",{\"x\":1}]"), "{event_of_question}");
    let id = event_of_question.strip_prefix("42").and_then(|rest| rest.split('[').next()).expect("an ack is wanted");
    ann.send(&format!("43{id}[\"ok\",2]")).await;
    let callback =
        json!({"method": "callback", "host_id": "h", "sid": a, "namespace": "/", "id": 7, "args": ["ok", 2]});
    let answer = asked.answer().await;
    assert_eq!(parsed(&answer), json!({"callback": callback}));
    DESCRIPTION.judge("POST /api/v1/pubsub", &answer);
    // Of several the first one that answers is enough.
    let ((mut bob, _), (mut silent, _)) = (in_room(&server, "s").await, in_room(&server, "s").await);
    let to_room = event(json!({"event": "q", "data": [], "room": "s", "callback": ["s", "/", 8]}));
    let mut asked = asking(&server, "pubsub", "", &to_room).await;
    silent.text().await;
    let question = bob.text().await;
    let id = question.strip_prefix("42").and_then(|rest| rest.split('[').next()).expect("an ack is wanted");
    bob.send(&format!("43{id}[\"first\"]")).await;
    assert_eq!(parsed(&asked.answer().await)["callback"]["args"], json!(["first"]));
    let of_nobody = event(json!({"event": "q", "data": [], "room": "nobody", "callback": ["nobody", "/", 7]}));
    let answer = server.call("POST /api/v1/pubsub", "", &of_nobody).await;
    assert_eq!(parsed(&answer), json!({"callback": null}));
    let again = "idempotency-key: 1\r\n";
    let body = event(json!({"event": "once", "data": [], "room": a}));
    for replayed in ["", "true"] {
        let answer = server.call("POST /api/v1/pubsub", again, &body).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, replayed));
    }
    assert_eq!(ann.text().await, "42[\"once\"]");
    let disconnect = message("disconnect", json!({"sid": a}));
    assert_eq!(server.call("POST /api/v1/pubsub", "", &disconnect).await.body, "{}\n");
    assert_eq!(ann.text().await, "41", "and the event was there once");
    for (body, status, field) in [
        ("{", 400, ""),
        ("{}", 422, "method"),
        ("{\"method\":\"emit\"}", 422, "event"),
        ("{\"method\":\"emit\",\"event\":7}", 422, ""),
        ("{\"method\":\"disconnect\"}", 422, "sid"),
        ("{\"method\":\"disconnect\",\"sid\":\"S\",\"namespace\":\"/x\"}", 404, "namespace"),
    ] {
        let _row = Row(body);
        let answer = server.call("POST /api/v1/pubsub", "", body).await;
        let error = &parsed(&answer)["error"];
        assert_eq!((answer.status, error["field"].as_str().unwrap_or_default()), (status, field), "{error}");
        DESCRIPTION.judge("POST /api/v1/pubsub", &answer);
    }
    // A pickle is not read.
    let mut connection = Connection::open(server.admin.expect("an admin listener")).await;
    connection.request("POST /api/v1/pubsub", "content-length: 3\r\n").await;
    connection.send(b"\x80\x04.").await;
    let answer = connection.answer().await;
    assert_eq!((answer.status, &parsed(&answer)["error"]["code"]), (415, &json!("unsupported_media_type")));
}

/// Who sends messages in order has to know when a client was asked, and cannot wait until it has answered.
#[tokio::test]
async fn the_answer_to_a_question_of_pythons_managers_begins_when_the_client_was_asked() {
    let server = start("asked", JOINING).await;
    let (mut ann, a) = in_room(&server, "r").await;
    let question = json!({"method": "emit", "namespace": "/", "event": "q", "data": [], "room": a, "host_id": "h",
        "callback": [a, "/", 7]});
    let mut asked = asking(&server, "pubsub", "", &question.to_string()).await;
    let head = asked.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, "application/json"));
    let next = json!({"method": "emit", "namespace": "/", "event": "next", "data": [], "room": a, "host_id": "h"});
    assert_eq!(server.call("POST /api/v1/pubsub", "", &next.to_string()).await.body, "{}\n");
    let heard = ann.text().await;
    assert!(heard.ends_with("[\"q\"]"), "{heard}");
    assert_eq!(ann.text().await, "42[\"next\"]");
    ann.send(&heard.replace("42", "43").replace("[\"q\"]", "[true]")).await;
    let body: Value = serde_json::from_slice(&asked.chunk().await).expect("JSON");
    assert_eq!(body["callback"]["args"], json!([true]));
    assert!(asked.chunk().await.is_empty(), "that was all");
}
