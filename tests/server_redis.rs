//! The binary beside a real Redis: what is published there reaches clients, and what becomes of it when Redis goes
//! away. Messages are literal bytes, as python-socketio 5.18, `@socket.io/redis-emitter` and `@socket.io/redis-adapter`
//! publish them; the libraries themselves publish in tests/python and tests/js.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tests::{
    Row, bytes,
    frames::{Frame, WebSocket},
    port::{self, Refusing},
    process::{Process, command, run},
    redis::{Redis, Reply, Wire},
    socket, within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Starts a server with these options, on any free ports.
async fn start(redis: &Redis, options: &[&str]) -> Process {
    let url = format!("redis.url={}", redis.url());
    let mut server = Process::with(BINARY, &[&["--set", &url], options].concat()).await;
    server.logged("Redis is there").await;
    server
}

/// Redis, a server, and a connection that publishes.
async fn all(options: &[&str]) -> (Redis, Process, Wire) {
    let redis = Redis::start(&[]).await;
    let (server, wire) = (start(&redis, options).await, redis.connect().await);
    (redis, server, wire)
}

async fn client(server: &Process) -> (WebSocket, String) {
    socket::connect(server.endpoint(), "/").await
}

/// A folder of its own for a test, below the one cargo gives for that.
fn temporary(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

/// What python-socketio publishes to emit an event; `fields` has what is not everybody, `[]` and `/`.
fn python(event: &str, fields: &str) -> String {
    format!(r#"{{"method":"emit","event":"{event}",{fields}"host_id":"h0st"}}"#)
}

/// `["emitter", {type: 2, data, nsp: "/"}, opts]`.
fn node(data: &str, opts: &str) -> Vec<u8> {
    bytes(&format!("93 a7'emitter' 83 a4'type'02 a4'data' {data} a3'nsp' a1'/' {opts}"))
}

/// The figure of this name and these labels.
async fn figure(server: &Process, name: &str) -> u64 {
    let figures = server.ask("/metrics").await.body;
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

#[tokio::test]
async fn events_of_python_reach_those_who_are_meant() {
    let (_redis, server, mut wire) = all(&[]).await;
    let ((mut ann, ann_sid), (mut bob, bob_sid)) = (client(&server).await, client(&server).await);
    for (sid, room) in [(&ann_sid, "a"), (&bob_sid, "b")] {
        let message =
            format!(r#"{{"method":"enter_room","sid":"{sid}","room":"{room}","namespace":"/","host_id":"h0st"}}"#);
        assert_eq!(wire.publish("socketio", message).await, 1);
    }
    for (fields, to_ann, to_bob) in [
        (
            r#""data":[{"a":1},2],"binary":false,"namespace":"/","room":null,"skip_sid":null,"callback":null,"#,
            true,
            true,
        ),
        (r#""data":[{"a":1},2],"room":"a","#, true, false),
        (r#""data":[{"a":1},2],"room":["a","b","a"],"#, true, true),
        (r#""data":[{"a":1},2],"room":[],"#, false, false),
        (&format!(r#""data":[{{"a":1}},2],"room":"{bob_sid}","#), false, true),
        (&format!(r#""data":[{{"a":1}},2],"skip_sid":"{ann_sid}","#), false, true),
        (&format!(r#""data":[{{"a":1}},2],"room":["a","b"],"skip_sid":["{bob_sid}"],"#), true, false),
        (r#""data":[{"a":1},2],"namespace":"/other","#, false, false),
    ] {
        let _row = Row(fields);
        for (channel, event) in [("socketio", python("e", fields)), ("flask-socketio", python("e", fields))] {
            wire.publish(channel, event).await;
            wire.publish(channel, python("fence", r#""data":[],"#)).await;
            for (client, is_meant) in [(&mut ann, to_ann), (&mut bob, to_bob)] {
                if is_meant {
                    assert_eq!(client.text().await, r#"42["e",{"a":1},2]"#);
                }
                assert_eq!(client.text().await, r#"42["fence"]"#);
            }
        }
    }
    assert_eq!(figure(&server, r#"socketio_redis_messages_total{kind="join"}"#).await, 2);
    assert_eq!(figure(&server, r#"socketio_redis_rejected_total{reason="unknown_namespace"}"#).await, 2);
    assert_eq!(figure(&server, r#"socketio_emits_total{source="redis_python"}"#).await, 28);
}

#[tokio::test]
async fn data_of_python_arrive_as_they_are() {
    let (_redis, server, mut wire) = all(&[]).await;
    let (mut client, _) = client(&server).await;
    for (data, args) in [
        (r#"["a",[1],null]"#, r#","a",[1],null"#),
        // So it writes that there is no argument, and reads it.
        ("[null]", ""),
        ("[]", ""),
        // Versions 5.14.0 to 5.15.0 publish a value as it is.
        (r#"{"a":1}"#, r#",{"a":1}"#),
        (r#""text""#, r#","text""#),
        ("7", ",7"),
        ("null", ""),
    ] {
        wire.publish("socketio", python("e", &format!(r#""data":{data},"#))).await;
        assert_eq!(client.text().await, format!(r#"42["e"{args}]"#), "{data}");
    }
    let binary = r#""binary":true,"data":[[{"img":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}],"AQI=","Aw=="],"#;
    wire.publish("socketio", python("bin", binary)).await;
    assert_eq!(
        client.text().await,
        r#"452-["bin",{"img":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]"#
    );
    assert_eq!([client.frame().await, client.frame().await], [Frame::Binary(vec![3]), Frame::Binary(vec![1, 2])]);
}

#[tokio::test]
async fn python_moves_sockets_and_sends_them_away() {
    let (_redis, server, mut wire) = all(&[]).await;
    let ((mut ann, ann_sid), (mut bob, _)) = (client(&server).await, client(&server).await);
    let message =
        |method: &str, fields: &str| format!(r#"{{"method":"{method}",{fields},"namespace":"/","host_id":"h0st"}}"#);
    let of_ann = |room: &str| format!(r#""sid":"{ann_sid}","room":{room}"#);
    let to_room = |event: &str| python(event, r#""data":[],"room":"a*","#);
    let fence = python("fence", r#""data":[],"#);
    for (change, is_in) in [
        (message("enter_room", &of_ann(r#""a*""#)), true),
        (message("enter_room", &of_ann(r#""ab""#)), true),
        // One name, though it looks like many.
        (message("leave_room", &of_ann(r#""ab*""#)), true),
        (message("leave_room", &of_ann(r#""a*""#)), false),
        (message("enter_room", &of_ann(r#""a*""#)), true),
        (message("close_room", r#""room":"a*""#), false),
        // Names of nobody here are no matter.
        (message("enter_room", r#""sid":"nobody","room":"a*""#), false),
        (message("disconnect", r#""sid":"nobody""#), false),
    ] {
        let _row = Row(&change);
        for message in [&change, &to_room("in"), &fence] {
            wire.publish("socketio", message).await;
        }
        if is_in {
            assert_eq!(ann.text().await, r#"42["in"]"#);
        }
        assert_eq!(ann.text().await, r#"42["fence"]"#);
        assert_eq!(bob.text().await, r#"42["fence"]"#);
    }
    wire.publish("socketio", message("disconnect", &format!(r#""sid":"{ann_sid}""#))).await;
    assert_eq!(ann.text().await, "41");
    wire.publish("socketio", fence).await;
    assert_eq!(bob.text().await, r#"42["fence"]"#);
}

#[tokio::test]
async fn answers_of_clients_go_back_to_python() {
    let (redis, server, mut wire) = all(&[]).await;
    let (mut client, sid) = client(&server).await;
    let mut answers = redis.connect().await;
    answers.subscribe("flask-socketio").await;
    let question = python("q", &format!(r#""data":[1],"room":"{sid}","callback":["{sid}","/",7],"#));
    wire.publish("flask-socketio", &question).await;
    assert_eq!(answers.message().await, question.as_bytes());
    let asked = client.text().await;
    let id = asked.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["q",1]"#)).expect(&asked);
    client.send(&format!(r#"43{id}["ok",{{"b":2}}]"#)).await;
    let answer = format!(
        r#"{{"method":"callback","host_id":"h0st","sid":"{sid}","namespace":"/","id":7,"args":["ok",{{"b":2}}]}}"#
    );
    assert_eq!(String::from_utf8_lossy(&answers.message().await), answer);
    assert_eq!(figure(&server, r#"socketio_redis_messages_total{kind="ask"}"#).await, 1);
}

#[tokio::test]
async fn a_pickle_is_refused_and_it_is_said_what_to_do() {
    let (_redis, mut server, mut wire) = all(&[]).await;
    let (mut client, _) = client(&server).await;
    // `pickle.dumps(os.system, 'touch ..')` begins like any other one.
    for pickle in [&b"\x80\x04\x95\x1d\x00"[..], b"\x80\x03cos\nsystem\n."] {
        wire.publish("socketio", pickle).await;
    }
    wire.publish("socketio", python("fence", r#""data":[],"#)).await;
    assert_eq!(client.text().await, r#"42["fence"]"#);
    assert_eq!(figure(&server, r#"socketio_redis_rejected_total{reason="pickle"}"#).await, 2);
    let line = server.logged("pickle").await;
    assert!(line.contains("upgrade python-socketio to 5.14 or later"), "{line}");
    server.signal("TERM");
    let mut rest = String::new();
    while let Some(line) = server.log.next_line().await.expect("UTF-8") {
        rest.push_str(&line);
    }
    assert!(!rest.contains("pickle"), "said once: {rest}");
}

#[tokio::test]
async fn malformed_messages_harm_nobody() {
    let (_redis, server, mut wire) = all(&[]).await;
    let (mut client, _) = client(&server).await;
    let deep = "[".repeat(100_000);
    let wrong: &[&[u8]] = &[
        b"",
        b"{",
        b"null",
        b"{}",
        b"[1,2,3]",
        b"\xff\xfe",
        br#"{"method":7}"#,
        br#"{"method":"emit"}"#,
        br#"{"method":"emit","event":"connect","data":[]}"#,
        br#"{"method":"emit","event":"e","data":[NaN]}"#,
        br#"{"method":"emit","event":"e","binary":true,"data":[[1],"?"]}"#,
        br#"{"type":99}"#,
        br#"{"type":5}"#,
        br#"{"type":2,"opts":{"rooms":[],"except":[]},"rooms":["\u0001user:42"]}"#,
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\x93\xc0\xc0\xc0",
        b"\xc6\xff\xff\xff\xffa",
        deep.as_bytes(),
        &b"\x91".repeat(100_000),
    ];
    let mut published = 0;
    for channel in ["socketio", "flask-socketio", "socket.io#/#", "socket.io#/#room#", "socket.io-request#/#"] {
        for message in wrong {
            published += wire.publish(channel, message).await;
        }
    }
    assert_eq!(published, 5 * wrong.len() as i64);
    wire.publish("socketio", python("still", r#""data":["there"],"#)).await;
    assert_eq!(client.text().await, r#"42["still","there"]"#);
    wire.publish("socket.io#/#", node("92 a5'still' a5'there'", "80")).await;
    assert_eq!(client.text().await, r#"42["still","there"]"#);
    let rejected = |reason: &str| format!(r#"socketio_redis_rejected_total{{reason="{reason}"}}"#);
    for (reason, least) in [("malformed", 50), ("unknown_method", 2), ("unknown_request", 1), ("refused", 2)] {
        assert!(figure(&server, &rejected(reason)).await >= least, "{reason}");
    }
}

#[tokio::test]
async fn messages_are_bounded_in_size() {
    let (_redis, mut server, mut wire) = all(&["--set", "redis.max_message=1kB"]).await;
    let (mut client, _) = client(&server).await;
    let large = python("large", &format!(r#""data":["{}"],"#, "x".repeat(1000)));
    wire.publish("socketio", large).await;
    wire.publish("socketio", python("small", r#""data":[],"#)).await;
    assert_eq!(client.text().await, r#"42["small"]"#);
    assert_eq!(figure(&server, r#"socketio_redis_rejected_total{reason="too_large"}"#).await, 1);
    // What is much larger is not waited for.
    wire.publish("socketio", vec![b'x'; 8 << 20]).await;
    server.logged("Redis is away: a message was much larger than redis.max_message").await;
    server.logged("Redis is there").await;
    wire.publish("socketio", python("small", r#""data":[],"#)).await;
    assert_eq!(client.text().await, r#"42["small"]"#);
}

#[tokio::test]
async fn messages_keep_their_order() {
    let (_redis, server, mut wire) = all(&[]).await;
    let (mut client, sid) = client(&server).await;
    for number in 0..500 {
        let (method, room) = if number % 2 == 0 { ("enter_room", "even") } else { ("leave_room", "even") };
        wire.publish("socketio", format!(r#"{{"method":"{method}","sid":"{sid}","room":"{room}"}}"#)).await;
        wire.publish("socketio", python("e", &format!(r#""data":[{number}],"room":"even","#))).await;
    }
    for number in (0..500).step_by(2) {
        assert_eq!(client.text().await, format!(r#"42["e",{number}]"#));
    }
}

#[tokio::test]
async fn events_of_the_official_emitter_reach_those_who_are_meant() {
    let (_redis, server, mut wire) = all(&[]).await;
    let ((mut ann, ann_sid), (mut bob, bob_sid)) = (client(&server).await, client(&server).await);
    for (sid, room) in [(&ann_sid, "\"a\""), (&bob_sid, "7")] {
        let join = format!(r#"{{"type":2,"opts":{{"rooms":["{sid}"],"except":[]}},"rooms":[{room}]}}"#);
        assert_eq!(wire.publish("socket.io-request#/#", join).await, 1);
    }
    let data = "93 a5'hello' a5'world' 01";
    let opts = |rooms: &str, except: &str| format!("83 a5'rooms' {rooms} a5'flags' 80 a6'except' {except}");
    let of = |sid: &str| format!("91 b4'{sid}'");
    for (channel, opts, to_ann, to_bob) in [
        ("socket.io#/#", opts("90", "90"), true, true),
        ("socket.io#/#a#", opts("91 a1'a'", "90"), true, false),
        ("socket.io#/#7#", opts("91 07", "90"), false, true),
        ("socket.io#/#", opts("92 a1'a' 07", "90"), true, true),
        (&format!("socket.io#/#{bob_sid}#"), opts(&of(&bob_sid), "90"), false, true),
        ("socket.io#/#", opts("90", &of(&ann_sid)), false, true),
        ("socket.io#/#", opts("90", "91 a1'a'"), false, true),
        ("socket.io#/#nobody#", opts("91 a6'nobody'", "90"), false, false),
        // A room of another namespace, whose channel looks like one of ours.
        ("socket.io#/#chat#", "80".to_owned(), true, true),
    ] {
        let _row = Row(&opts);
        assert_eq!(wire.publish(channel, node(data, &opts)).await, 1, "{channel}");
        wire.publish("socket.io#/#", node("91 a5'fence'", "80")).await;
        for (client, is_meant) in [(&mut ann, to_ann), (&mut bob, to_bob)] {
            if is_meant {
                assert_eq!(client.text().await, r#"42["hello","world",1]"#);
            }
            assert_eq!(client.text().await, r#"42["fence"]"#);
        }
    }
    // Binary, a date, nothing.
    wire.publish("socket.io#/#", node("94 a1'e' 81 a1'b' c4020102 d6ff00000001 c0", "80")).await;
    let header = r#"451-["e",{"b":{"_placeholder":true,"num":0}},"1970-01-01T00:00:01.000Z",null]"#;
    assert_eq!(ann.text().await, header);
    assert_eq!(ann.frame().await, Frame::Binary(vec![1, 2]));
    assert_eq!(figure(&server, r#"socketio_emits_total{source="redis_node"}"#).await, 19);
    // Who is not ready for a volatile event goes without.
    let flags = "81 a5'flags' 82 a8'volatile' c3 a8'compress' c2";
    loop {
        wire.publish("socket.io#/#", node("91 a3'now'", flags)).await;
        wire.publish("socket.io#/#", node("91 a5'fence'", "80")).await;
        if ann.text().await == r#"42["now"]"# {
            break;
        }
    }
}

#[tokio::test]
async fn servers_in_node_move_sockets_and_send_them_away() {
    let (redis, server, mut wire) = all(&[]).await;
    let ((mut ann, ann_sid), (mut bob, bob_sid)) = (client(&server).await, client(&server).await);
    let mut answers = redis.connect().await;
    answers.subscribe("socket.io-response#/#").await;
    const REQUESTS: &str = "socket.io-request#/#";
    let to_room = node("91 a2'in'", "81 a5'rooms' 91 a1'r'");
    for (request, ann_is_in, bob_is_in) in [
        (r#"{"uid":"haDLO7","type":2,"opts":{"rooms":[],"except":[]},"rooms":["r","s"]}"#, true, true),
        (&format!(r#"{{"type":3,"opts":{{"rooms":["s"],"except":["{bob_sid}"]}},"rooms":["r"]}}"#), false, true),
        (r#"{"type":2,"opts":{"rooms":["nobody"],"except":[]},"rooms":["r"]}"#, false, true),
        // A glob is a name here.
        (r#"{"type":3,"opts":{"rooms":[],"except":[]},"rooms":["*"]}"#, false, true),
        (r#"{"uid":"emitter","type":6,"data":["hello","world"]}"#, false, true),
    ] {
        let _row = Row(request);
        wire.publish(REQUESTS, request).await;
        wire.publish("socket.io#/#", &to_room).await;
        wire.publish("socket.io#/#", node("91 a5'fence'", "80")).await;
        for (client, is_in) in [(&mut ann, ann_is_in), (&mut bob, bob_is_in)] {
            if is_in {
                assert_eq!(client.text().await, r#"42["in"]"#);
            }
            assert_eq!(client.text().await, r#"42["fence"]"#);
        }
    }
    // The form of adapters before version 6, which want an answer from who has the socket.
    for (request, is_here) in [
        (format!(r#"{{"type":2,"sid":"{ann_sid}","room":"r","requestId":"one"}}"#), true),
        (r#"{"type":2,"sid":"nobody","room":"r","requestId":"two"}"#.into(), false),
        (format!(r#"{{"type":3,"sid":"{ann_sid}","room":"r","requestId":"three"}}"#), true),
    ] {
        wire.publish(REQUESTS, &request).await;
        if is_here {
            let id = request.split('"').rev().nth(1).expect("quoted");
            assert_eq!(answers.message().await, format!(r#"{{"requestId":"{id}"}}"#).as_bytes());
        }
    }
    let disconnect =
        |sid: &str, close: bool| format!(r#"{{"type":4,"opts":{{"rooms":["{sid}"],"except":[]}},"close":{close}}}"#);
    wire.publish(REQUESTS, disconnect(&ann_sid, false)).await;
    assert_eq!(ann.text().await, "41");
    // Its client, which is to stay away, closes the connection.
    wire.publish(REQUESTS, disconnect(&bob_sid, true)).await;
    assert_eq!(bob.text().await, "41");
}

#[tokio::test]
async fn servers_in_node_are_told_of_sockets_and_rooms() {
    let (redis, server, mut wire) = all(&[]).await;
    let (mut ann, ann_sid) = client(&server).await;
    let (_bob, bob_sid) = client(&server).await;
    let mut answers = redis.connect().await;
    answers.subscribe("socket.io-response#/#").await;
    const REQUESTS: &str = "socket.io-request#/#";
    // Others wait for as many answers as there are subscribers.
    let counted = wire.call(&[b"PUBSUB", b"NUMSUB", REQUESTS.as_bytes()]).await;
    assert_eq!(counted, Reply::List(vec![Reply::Bytes(Some(REQUESTS.into())), Reply::Number(1)]));
    let join = format!(r#"{{"type":2,"opts":{{"rooms":["{ann_sid}"],"except":[]}},"rooms":["r"]}}"#);
    wire.publish(REQUESTS, join).await;
    let mut ask = async |request: &str| -> serde_json::Value {
        wire.publish(REQUESTS, request).await;
        serde_json::from_slice(&answers.message().await).expect("JSON")
    };
    let sorted = |value: &serde_json::Value| {
        let mut names: Vec<_> =
            value.as_array().expect("a list").iter().map(|name| name.as_str().expect("text")).collect();
        names.sort_unstable();
        names.join(" ")
    };
    let both = |more: &str| {
        let mut names = vec![&*ann_sid, &*bob_sid];
        names.extend(more.split_whitespace());
        names.sort_unstable();
        names.join(" ")
    };
    let ids = ask(r#"{"uid":"other","requestId":"RQ1","type":0,"rooms":[]}"#).await;
    assert_eq!((&ids["requestId"], sorted(&ids["sockets"])), (&"RQ1".into(), both("")));
    let ids = ask(r#"{"uid":"other","requestId":"RQ2","type":0,"rooms":["r"]}"#).await;
    assert_eq!(sorted(&ids["sockets"]), ann_sid);
    let rooms = ask(r#"{"uid":"other","requestId":"RQ3","type":1}"#).await;
    assert_eq!((&rooms["requestId"], sorted(&rooms["rooms"])), (&"RQ3".into(), both("r")));
    let fetch = |rooms: &str| {
        format!(r#"{{"uid":"other","requestId":"RQ4","type":5,"opts":{{"rooms":[{rooms}],"except":["{bob_sid}"]}}}}"#)
    };
    let found = ask(&fetch(r#""r""#)).await;
    let socket = &found["sockets"][0];
    assert_eq!((found["sockets"].as_array().map(Vec::len), &socket["id"]), (Some(1), &(*ann_sid).into()));
    assert_eq!(sorted(&socket["rooms"]), {
        let mut rooms = [&*ann_sid, "r"];
        rooms.sort_unstable();
        rooms.join(" ")
    });
    assert_eq!(socket["data"], serde_json::json!({}));
    let handshake = &socket["handshake"];
    assert_eq!(handshake["query"], serde_json::json!({"EIO": "4", "transport": "websocket"}));
    assert_eq!(
        (&handshake["address"], &handshake["url"]),
        (&"127.0.0.1".into(), &"/socket.io/?EIO=4&transport=websocket".into())
    );
    assert!(handshake["issued"].as_u64().is_some_and(|issued| issued > 1_700_000_000_000), "{handshake}");
    assert!(handshake["time"].as_str().is_some_and(|time| time.ends_with("GMT+0000 (Coordinated Universal Time)")));
    assert_eq!(ask(&fetch(r#""nobody""#)).await, serde_json::json!({"requestId": "RQ4", "sockets": []}));
    // A question to clients: how many were asked, then each one's first argument.
    let question = "85 a3'uid' a5'other' a9'requestId' a3'RQ5' a4'type' 07 \
                    a6'packet' 83 a4'type' 02 a4'data' 92 a1'q' 01 a3'nsp' a1'/' \
                    a4'opts' 83 a5'rooms' 91 a1'r' a6'except' 90 a5'flags' 81 a7'timeout' cd2710";
    wire.publish(REQUESTS, bytes(question)).await;
    let count: serde_json::Value = serde_json::from_slice(&answers.message().await).expect("JSON");
    assert_eq!(count, serde_json::json!({"type": 8, "requestId": "RQ5", "clientCount": 1}));
    let asked = ann.text().await;
    let id = asked.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["q",1]"#)).expect(&asked);
    ann.send(&format!(r#"43{id}["yes",2]"#)).await;
    assert_eq!(answers.message().await, bytes("83 a4'type' 09 a9'requestId' a3'RQ5' a6'packet' a3'yes'"));
}

#[tokio::test]
async fn only_what_is_configured_is_listened_to() {
    for (options, channels, patterns) in [
        (&[][..], &["flask-socketio", "socket.io-request#/#", "socketio"][..], 1),
        (&["redis.node=false"], &["flask-socketio", "socketio"], 0),
        (&["redis.python=false", "redis.node_key=app"], &["app-request#/#"], 1),
        (
            &["redis.python_channels=other", "namespace=[{},{\"name\":\"/chat*\"}]"],
            &["other", "socket.io-request#/#"],
            3,
        ),
    ] {
        let _row = Row(options.first().unwrap_or(&"nothing"));
        let set: Vec<&str> = options.iter().flat_map(|option| ["--set", option]).collect();
        // One of its own: one for all would know the server before, too, until it finds that gone.
        let redis = Redis::start(&[]).await;
        let mut wire = redis.connect().await;
        let _server = start(&redis, &set).await;
        let Reply::List(found) = wire.call(&[b"PUBSUB", b"CHANNELS"]).await else { panic!("a list") };
        let mut found: Vec<_> = found.into_iter().map(|name| format!("{name:?}")).collect();
        found.sort_unstable();
        let channels = channels.iter().map(|name| format!("{:?}", Reply::Bytes(Some(name.as_bytes().to_vec()))));
        let mut channels: Vec<_> = channels.collect();
        channels.sort_unstable();
        assert_eq!(found, channels);
        assert_eq!(wire.call(&[b"PUBSUB", b"NUMPAT"]).await, Reply::Number(patterns));
    }
}

#[tokio::test]
async fn namespaces_have_their_own_channels() {
    let option = "namespace=[{},{\"name\":\"/chat*\"}]";
    let (_redis, server, mut wire) = all(&["--set", option]).await;
    let (mut root, _) = client(&server).await;
    let (mut chat, sid) = socket::connect(server.endpoint(), "/chat-1").await;
    let packet = "93 a0 83 a4'type'02 a4'data' 91 a2'hi' a3'nsp' a7'/chat-1' 80";
    assert_eq!(wire.publish("socket.io#/chat-1#", bytes(packet)).await, 1);
    assert_eq!(chat.text().await, r#"42/chat-1,["hi"]"#);
    // Its packet says another namespace than its channel.
    wire.publish("socket.io#/#", bytes(packet)).await;
    wire.publish("socket.io#/#", node("91 a5'fence'", "80")).await;
    assert_eq!(root.text().await, r#"42["fence"]"#);
    let disconnect = format!(r#"{{"type":4,"opts":{{"rooms":["{sid}"],"except":[]}},"close":false}}"#);
    wire.publish("socket.io-request#/chat-1#", disconnect).await;
    assert_eq!(chat.text().await, "41/chat-1,");
    wire.publish("socketio", python("hi", r#""namespace":"/","data":[],"#)).await;
    assert_eq!(root.text().await, r#"42["hi"]"#);
}

#[tokio::test]
async fn a_restart_of_redis_costs_what_is_published_meanwhile_and_nothing_else() {
    let (mut redis, mut server, mut wire) = all(&["--set", "redis.required=true"]).await;
    let (mut client, _) = client(&server).await;
    let connected = r#"socketio_redis_connected{role="listener"}"#;
    assert_eq!(figure(&server, connected).await, 1);
    for event in ["before", "between", "after"] {
        wire.publish("socketio", python(event, r#""data":[],"#)).await;
        assert_eq!(client.text().await, format!(r#"42["{event}"]"#));
        redis.kill().await;
        let line = server.logged("Redis").await;
        assert!(line.contains("Redis is away"), "{line}");
        assert_eq!(figure(&server, connected).await, 0);
        assert_eq!(server.ask("/readyz").await.status, 200, "for a moment it does not matter");
        redis.restart().await;
        // The next line of all that it says of Redis: nothing is said twice.
        let line = server.logged("Redis").await;
        assert!(line.contains("Redis is there"), "{line}");
        wire = redis.connect().await;
    }
    wire.publish("socketio", python("end", r#""data":[],"#)).await;
    assert_eq!(client.text().await, r#"42["end"]"#);
    assert_eq!(figure(&server, connected).await, 1);
    assert_eq!(figure(&server, r#"socketio_connections{transport="websocket"}"#).await, 1);
}

#[tokio::test]
async fn a_server_that_needs_redis_is_not_ready_without_it() {
    for (required, status) in [("true", 503), ("false", 200)] {
        let mut redis = Redis::start(&[]).await;
        redis.kill().await;
        let url = format!("redis.url={}", redis.url());
        let required = format!("redis.required={required}");
        let mut server = Process::with(BINARY, &["--set", &url, "--set", &required]).await;
        server.logged("Redis is away").await;
        if status == 503 {
            within(async {
                while server.ask("/readyz").await.status != status {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
            .await;
            assert_eq!(server.ask("/readyz").await.body, "Redis is away\n");
        }
        assert_eq!(server.ask("/healthz").await.status, 200);
        // Redis may come later than the server.
        redis.restart().await;
        server.logged("Redis is there").await;
        assert_eq!(server.ask("/readyz").await.status, 200);
        let (mut client, _) = client(&server).await;
        redis.connect().await.publish("socketio", python("late", r#""data":[],"#)).await;
        assert_eq!(client.text().await, r#"42["late"]"#);
    }
}

#[tokio::test]
async fn the_password_is_used_and_never_shown() {
    let redis = Redis::start(&["--requirepass", "s3cret"]).await;
    let mut wire = redis.connect().await;
    wire.call(&[b"AUTH", b"s3cret"]).await;
    let file = temporary("redis_password").join("url");
    fs::write(&file, format!("{}?pass=s3cret\n", redis.url())).expect("writable");
    let mut right = command(BINARY, &["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    right.env("SOCKETIO_REDIS_URL_FILE", &file).env("SOCKETIO_LOG_LEVEL", "trace");
    let mut server = Process::start(right).await;
    server.logged("Redis is there").await;
    let (mut client, _) = client(&server).await;
    wire.publish("socketio", python("e", r#""data":[],"#)).await;
    assert_eq!(client.text().await, r#"42["e"]"#);
    // Whoever may no longer connect is told why, and that once.
    wire.call(&[b"CONFIG", b"SET", b"requirepass", b"other"]).await;
    wire.call(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]).await;
    let mut said = server.announced.clone();
    for words in ["Redis is away", "the user or the password is wrong"] {
        said.push_str(&server.logged(words).await);
    }
    server.signal("TERM");
    while let Some(line) = server.log.next_line().await.expect("UTF-8") {
        assert!(!line.contains("the user or the password is wrong"), "{line}");
        said.push_str(&line);
    }
    assert!(!said.contains("s3cret"), "{said}");
    let wrong = run(BINARY, &["check-config", "--redis", "redis://:s3cret@host:port"]).await;
    let error = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(error.contains("--redis: redis.url must be ") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn an_account_needs_few_rights() {
    // As docs/server.md says.
    let rights = "on >s3cret resetchannels &socketio &flask-socketio &socket.io* &socket.io#/#* -@all +subscribe \
                  +psubscribe +publish +ping";
    let redis = Redis::start(&[]).await;
    let mut wire = redis.connect().await;
    let words: Vec<&[u8]> = ["ACL", "SETUSER", "app"].into_iter().chain(rights.split(' ')).map(str::as_bytes).collect();
    assert_eq!(wire.call(&words).await, Reply::Text("OK".into()));
    let url = format!("redis.url={}?user=app&pass=s3cret", redis.url());
    let mut server = Process::with(BINARY, &["--set", &url]).await;
    server.logged("Redis is there").await;
    let (mut client, sid) = client(&server).await;
    let mut answers = redis.connect().await;
    answers.subscribe("socketio").await;
    let question = python("q", &format!(r#""data":[],"room":"{sid}","callback":["{sid}","/",7],"#));
    wire.publish("socketio", question).await;
    answers.message().await;
    let asked = client.text().await;
    let id = asked.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["q"]"#)).expect(&asked);
    client.send(&format!("43{id}[]")).await;
    assert!(answers.message().await.ends_with(br#""args":[]}"#));
    wire.publish("socket.io#/#", node("91 a1'e'", "80")).await;
    assert_eq!(client.text().await, r#"42["e"]"#);
}

#[tokio::test]
async fn redis_is_reached_by_tcp_tls_and_sentinels() {
    let folder = temporary("redis_tls");
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".into()]).expect("drawn");
    let [cert_file, key_file] = ["cert.pem", "key.pem"].map(|name| folder.join(name).display().to_string());
    fs::write(&cert_file, cert.pem()).expect("writable");
    fs::write(&key_file, signing_key.serialize_pem()).expect("writable");
    let [tcp, tls, sentinel] = [(); 3].map(|()| port::free().port().to_string());
    let of_tls = ["--tls-cert-file", &cert_file, "--tls-key-file", &key_file, "--tls-auth-clients", "no"];
    let redis = Redis::start(&[&["--port", &tcp, "--tls-port", &tls], &of_tls[..]].concat()).await;
    let config = folder.join("sentinel.conf");
    fs::write(&config, format!("port {sentinel}\nsentinel monitor main 127.0.0.1 {tcp} 1\n")).expect("writable");
    let _sentinel = tokio::process::Command::new("redis-server")
        .args([config.display().to_string(), "--sentinel".into()])
        .kill_on_drop(true)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server");
    let nobody = Refusing::bind();
    for url in [
        format!("redis://127.0.0.1:{tcp}/0"),
        format!("rediss://localhost:{tls}"),
        format!("redis+sentinel://{},127.0.0.1:{sentinel}/0/main", nobody.address),
    ] {
        let _row = Row(&url);
        let ports = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let mut command = command(BINARY, &[&ports[..], &["--redis", &url]].concat());
        command.env("SSL_CERT_FILE", &cert_file);
        let mut server = Process::start(command).await;
        server.logged("Redis is there").await;
        let (mut client, _) = client(&server).await;
        redis.connect().await.publish("socketio", python("e", r#""data":[],"#)).await;
        assert_eq!(client.text().await, r#"42["e"]"#);
    }
    // A certificate that nobody vouches for.
    let url = format!("redis.url=rediss://localhost:{tls}");
    let mut server = Process::with(BINARY, &["--set", &url]).await;
    server.logged("Redis is away").await;
}
