//! The examples of socketio: each is built, started, and spoken to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tests::{
    example::Example,
    frames::{Frame, WebSocket, closed, text},
    http::Connection,
    polling::Polling,
    redis::{Redis, Reply},
    server::Endpoint,
    socket, within,
};

async fn start(name: &str) -> (Example, Endpoint) {
    start_with(name, &[]).await
}

async fn start_with(name: &str, environment: &[(&str, &str)]) -> (Example, Endpoint) {
    let (example, address) = Example::tcp("socketio", name, environment).await;
    (example, Endpoint { address, path: "/socket.io/", query: "EIO=4" })
}

/// A client that asks to join a namespace; returns what it is answered, which is for its namespace.
async fn ask(endpoint: Endpoint, namespace: &str, auth: &Value) -> (WebSocket, String) {
    let (mut client, _sid) = WebSocket::open(endpoint).await;
    let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
    client.send(&format!("40{prefix}{auth}")).await;
    let answer = client.text().await;
    (client, answer.replacen(&prefix, "", 1))
}

async fn join(endpoint: Endpoint, namespace: &str, auth: Value) -> WebSocket {
    let (client, answer) = ask(endpoint, namespace, &auth).await;
    assert!(answer.starts_with("40{"), "{answer}");
    client
}

/// Emits an event that wants an answer, and returns that, which must be the next thing that comes.
async fn call(client: &mut WebSocket, event: Value) -> String {
    client.send(&format!("427{event}")).await;
    let answer = client.text().await;
    answer.strip_prefix("437").unwrap_or_else(|| panic!("no answer to {event}: {answer}")).to_owned()
}

#[tokio::test]
async fn chat() {
    let (_example, endpoint) = start("chat").await;
    let (_refused, answer) = ask(endpoint, "/", &json!({ "name": " " })).await;
    assert_eq!(answer, r#"44{"message":"say who you are","data":{"field":"name"}}"#);
    let mut ann = join(endpoint, "/", json!({ "name": "Ann" })).await;
    let mut bob = join(endpoint, "/", json!({ "name": "Bob" })).await;
    assert_eq!(ann.text().await, r#"42["came","Bob"]"#);
    assert_eq!(call(&mut bob, json!(["who is there"])).await, r#"[["Ann","Bob"]]"#);
    bob.send(r#"42["typing"]"#).await;
    assert_eq!(ann.text().await, r#"42["typing","Bob"]"#);
    assert_eq!(call(&mut ann, json!(["say", "hi"])).await, "[1]");
    assert_eq!(bob.text().await, r#"42["said","Ann","hi"]"#);
    drop(bob);
    assert_eq!(ann.text().await, r#"42["went","Bob"]"#);
}

#[tokio::test]
async fn acks() {
    let (_example, endpoint) = start("acks").await;
    let mut client = join(endpoint, "/", json!({})).await;
    let _silent = join(endpoint, "/", json!({})).await;
    assert_eq!(call(&mut client, json!(["divide", 7, 2])).await, "[3.5]");
    let zero = call(&mut client, json!(["divide", 7, 0])).await;
    assert_eq!(zero, r#"[{"error":{"message":"nothing can be divided by 0"}}]"#);
    let wrong = call(&mut client, json!(["divide", "7"])).await;
    assert_eq!(wrong, r#"[{"error":{"message":"Invalid arguments"}}]"#);
    assert_eq!(call(&mut client, json!(["later"])).await, r#"["done"]"#);
    client.send(r#"427["greet"]"#).await;
    let question = client.text().await;
    let id = question.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["name?"]"#)).expect(&question);
    client.send(&format!(r#"43{id}["Ann"]"#)).await;
    assert_eq!(client.text().await, r#"437["Hello Ann"]"#);
    client.send(r#"428["poll","tea?"]"#).await;
    let question = client.text().await;
    let id = question.strip_prefix("42").and_then(|rest| rest.strip_suffix(r#"["vote","tea?"]"#)).expect(&question);
    client.send(&format!("43{id}[true]")).await;
    assert_eq!(client.text().await, "438[1,0,1]", "one did not answer");
}

#[tokio::test]
async fn rooms() {
    let (mut example, endpoint) = start("rooms").await;
    let mut one = join(endpoint, "/", json!({})).await;
    let mut other = join(endpoint, "/", json!({})).await;
    assert_eq!(call(&mut one, json!(["open", "home"])).await, "[1]");
    assert_eq!(example.line().await, "somebody looks at page:home");
    assert_eq!(call(&mut other, json!(["open", "home"])).await, "[2]");
    assert_eq!(one.text().await, r#"42["viewers","home",2]"#);
    assert_eq!(call(&mut other, json!(["change", ["home", "none"], "title"])).await, "[1]");
    assert_eq!(one.text().await, r#"42["changed","title"]"#);
    assert_eq!(call(&mut one, json!(["open", "end"])).await, "[1]");
    assert_eq!(example.line().await, "somebody looks at page:end");
    assert_eq!(call(&mut one, json!(["change", ["home"], "text"])).await, "[1]", "only the other one is left");
    drop(other);
    assert_eq!(example.line().await, "nobody looks at page:home");
    let long = call(&mut one, json!(["open", "x".repeat(1000)])).await;
    assert_eq!(long, r#"[{"error":{"message":"the name of the room is too long"}}]"#);
}

#[tokio::test]
async fn private() {
    let (_example, endpoint) = start("private").await;
    let mut ann = join(endpoint, "/", json!({ "name": "Ann" })).await;
    let mut tab = join(endpoint, "/", json!({ "name": "Ann" })).await;
    let mut bob = join(endpoint, "/", json!({ "name": "Bob" })).await;
    assert_eq!(call(&mut ann, json!(["whisper", "Bob", "psst"])).await, "[true]");
    assert_eq!(bob.text().await, r#"42["whispered","Ann","psst"]"#);
    assert_eq!(tab.text().await, r#"42["you whispered","Bob","psst"]"#);
    assert_eq!(call(&mut ann, json!(["whisper", "Eve", "psst"])).await, "[false]");
    assert_eq!(tab.text().await, r#"42["you whispered","Eve","psst"]"#);
    tab.send(r#"42["log out everywhere"]"#).await;
    for client in [&mut ann, &mut tab] {
        assert_eq!(client.text().await, "41");
        assert!(matches!(client.frame().await, Frame::Close(..)));
    }
    assert_eq!(call(&mut bob, json!(["whisper", "Ann", "gone?"])).await, "[false]");
}

#[tokio::test]
async fn upload() {
    let (_example, endpoint) = start("upload").await;
    let mut client = join(endpoint, "/", json!({})).await;
    assert_eq!(call(&mut client, json!(["begin", "photo.jpg", 4])).await, r#"["send photo.jpg"]"#);
    for (piece, answer) in [
        (&[1, 2, 3][..], "[75,null]"),
        (&[4, 5][..], r#"[{"error":{"message":"more bytes than were announced"}}]"#),
        (&[255][..], "[100,261]"),
    ] {
        client.send(r#"451-9["piece",{"_placeholder":true,"num":0}]"#).await;
        client.send_binary(piece).await;
        assert_eq!(client.text().await, format!("439{answer}"));
    }
    let large = call(&mut client, json!(["begin", "film.mkv", 200_000_000])).await;
    assert_eq!(large, r#"[{"error":{"message":"film.mkv is larger than 100000000 bytes"}}]"#);
}

#[tokio::test]
async fn jwt() {
    let key = "a key of the test";
    let (_example, endpoint) = start_with("jwt", &[("JWT_KEY", key)]).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let token = |algorithm, key: &str, claims: Value| {
        let key = EncodingKey::from_secret(key.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).expect("a token")
    };
    let ann = token(Algorithm::HS256, key, json!({ "sub": "Ann", "exp": now + 600 }));
    let root = token(Algorithm::HS256, key, json!({ "sub": "root", "exp": now + 600, "admin": true }));
    let mut client = join(endpoint, "/", json!({ "token": ann })).await;
    assert_eq!(call(&mut client, json!(["who am i"])).await, r#"["Ann"]"#);
    join(endpoint, "/admin", json!({ "token": root })).await;
    for (namespace, auth, message) in [
        ("/", json!({}), "a token is required"),
        ("/", json!({ "token": "x" }), "log in again"),
        (
            "/",
            json!({ "token": token(Algorithm::HS256, key, json!({ "sub": "Ann", "exp": now - 600 })) }),
            "log in again",
        ),
        ("/", json!({ "token": token(Algorithm::HS256, key, json!({ "sub": "Ann" })) }), "log in again"),
        (
            "/",
            json!({ "token": token(Algorithm::HS512, key, json!({ "sub": "Ann", "exp": now + 600 })) }),
            "log in again",
        ),
        (
            "/",
            json!({ "token": token(Algorithm::HS256, "", json!({ "sub": "Ann", "exp": now + 600 })) }),
            "log in again",
        ),
        ("/admin", json!({ "token": ann }), "not for you"),
    ] {
        let (_refused, answer) = ask(endpoint, namespace, &auth).await;
        let error: Value = serde_json::from_str(answer.strip_prefix("44").expect(&answer)).expect("JSON");
        assert_eq!(error["message"], message, "{auth}");
    }
}

#[tokio::test]
async fn recovery() {
    let (_example, endpoint) = start("recovery").await;
    let (mut one, answer) = ask(endpoint, "/", &json!({})).await;
    let ids: Value = serde_json::from_str(&answer[2..]).expect("JSON");
    let event = async |client: &mut WebSocket| -> Value {
        let event = client.text().await;
        serde_json::from_str(event.strip_prefix("42").expect(&event)).expect("JSON")
    };
    let list = event(&mut one).await;
    assert_eq!((&list[0], &list[1]), (&json!("list"), &json!([])));
    drop(one);
    let mut other = join(endpoint, "/", json!({})).await;
    event(&mut other).await;
    other.send(r#"421["add","milk"]"#).await;
    assert_eq!(event(&mut other).await[1], "milk");
    assert_eq!(other.frame().await, text("431[1]"));
    let (mut back, _sid) = WebSocket::open(endpoint).await;
    back.send(&format!("40{}", json!({ "pid": ids["pid"], "offset": list[2] }))).await;
    let missed = event(&mut back).await;
    assert_eq!((&missed[0], &missed[1]), (&json!("added"), &json!("milk")));
    assert_eq!(back.text().await, answer, "as who it was, and without the whole list");
    other.send(r#"42["add","bread"]"#).await;
    assert_eq!(event(&mut back).await[1], "bread");
}

#[tokio::test]
async fn history() {
    let (_example, endpoint) = start("history").await;
    let mut worker = join(endpoint, "/", json!({})).await;
    for (event, value) in [("log", "began"), ("progress", "10 %"), ("log", "half"), ("progress", "50 %")] {
        worker.send(&format!("42{}", json!(["report", 7, event, value]))).await;
    }
    assert_eq!(call(&mut worker, json!(["announce", "maintenance at 10"])).await, "[0]");
    let mut page = join(endpoint, "/", json!({})).await;
    assert_eq!(page.text().await, r#"42["announced","maintenance at 10"]"#);
    page.send(r#"427["watch",7]"#).await;
    for next in [r#"42["log","began"]"#, r#"42["log","half"]"#, r#"42["progress","50 %"]"#, "437[]"] {
        assert_eq!(page.text().await, next);
    }
    worker.send(r#"42["report",7,"progress","done"]"#).await;
    assert_eq!(page.text().await, r#"42["progress","done"]"#);
    assert_eq!(
        call(&mut page, json!(["history", 7])).await,
        r#"[[["log","began"],["log","half"],["progress","done"]]]"#
    );
    let unknown = call(&mut worker, json!(["report", 7, "other", ""])).await;
    assert_eq!(unknown, r#"[{"error":{"message":"log or progress"}}]"#);
}

#[tokio::test]
async fn flood() {
    let (mut example, endpoint) = start("flood").await;
    let mut client = join(endpoint, "/", json!({})).await;
    assert_eq!(call(&mut client, json!(["draw", 1, 2])).await, "[true]");
    // At the rate of the example they would take 100 s.
    for number in 0..1000 {
        client.send(&format!(r#"42{number}["draw",1,2]"#)).await;
    }
    assert_eq!(example.line().await, "5 events too many");
    let (mut drawn, mut dropped) = (0, 0);
    loop {
        match client.text().await {
            left if left == "41" => break,
            answer if answer.ends_with("[true]") => drawn += 1,
            answer if answer.ends_with(r#"[{"error":{"message":"Too many events"}}]"#) => dropped += 1,
            other => panic!("{other}"),
        }
    }
    assert!(drawn >= 19, "{drawn}");
    assert_eq!(dropped, 4, "that of the fifth comes too late");
}

#[tokio::test]
async fn votes() {
    let (_example, endpoint) = start("votes").await;
    let mut watcher = join(endpoint, "/", json!({})).await;
    assert_eq!(call(&mut watcher, json!(["watch", "tea"])).await, "[]");
    let mut voter = join(endpoint, "/", json!({})).await;
    for _ in 0..1000 {
        voter.send(r#"42["vote","tea"]"#).await;
    }
    let mut counts = Vec::new();
    while counts.last() != Some(&1000) {
        let event = watcher.text().await;
        let count = event.strip_prefix(r#"42["votes","tea","#).and_then(|rest| rest.strip_suffix(']'));
        counts.push(count.expect(&event).parse::<u32>().expect("a number"));
    }
    assert!(counts[0] == 1 && counts.len() < 1000 && counts.is_sorted(), "{counts:?}");
    let mut late = join(endpoint, "/", json!({})).await;
    late.send(r#"421["watch","tea"]"#).await;
    assert_eq!([late.text().await, late.text().await], [r#"42["votes","tea",1000]"#, "431[]"]);
}

#[tokio::test]
async fn presence() {
    let (_example, endpoint) = start("presence").await;
    let (_refused, answer) = ask(endpoint, "/", &json!({ "name": "", "color": "red" })).await;
    assert_eq!(answer, r#"44{"message":"a name and a color, please"}"#);
    let mut ann = join(endpoint, "/", json!({ "name": "Ann", "color": "red" })).await;
    ann.send(r#"421["open","plan"]"#).await;
    let members = r#""Ann":{"count":1,"info":{"color":"red"}}"#;
    let state = format!(r#"42["presence_state",{{"members":{{{members}}},"room":"document:plan"}}]"#);
    assert_eq!([ann.text().await, ann.text().await], [state, "431[]".to_owned()]);
    let mut bob = join(endpoint, "/", json!({ "name": "Bob", "color": "blue" })).await;
    assert_eq!(call(&mut bob, json!(["count", "plan"])).await, "[1]");
    bob.send(r#"421["open","plan"]"#).await;
    let joins = r#"{"Bob":{"count":1,"info":{"color":"blue"}}}"#;
    let diff = format!(r#"42["presence_diff",{{"joins":{joins},"leaves":{{}},"room":"document:plan"}}]"#);
    assert_eq!(ann.text().await, diff);
}

#[tokio::test]
async fn namespaces() {
    let (mut example, endpoint) = start("namespaces").await;
    assert_eq!(example.line().await, "/lobby is there");
    let mut ann = join(endpoint, "/project-apollo", json!({ "name": "Ann" })).await;
    assert_eq!(example.line().await, "/project-apollo is there");
    ann.send(r#"42/project-apollo,1["where am i"]"#).await;
    assert_eq!(ann.text().await, r#"43/project-apollo,1["apollo"]"#);
    for (namespace, name) in [("/project-gemini", "Ann"), ("/project-voyager", "Bob"), ("/nowhere", "Bob")] {
        let (_refused, answer) = ask(endpoint, namespace, &json!({ "name": name })).await;
        assert_eq!(answer, r#"44{"message":"Invalid namespace"}"#, "{namespace}");
    }
    let mut bob = join(endpoint, "/project-apollo", json!({ "name": "Bob" })).await;
    bob.send(r#"42/project-apollo,["say","hi"]"#).await;
    assert_eq!(ann.text().await, r#"42/project-apollo,["said","hi"]"#);
}

#[tokio::test]
async fn background() {
    let (_example, endpoint) = start("background").await;
    let mut client = join(endpoint, "/", json!({})).await;
    assert_eq!(call(&mut client, json!(["start", "report", 3])).await, "[true]");
    for step in 1..=3 {
        assert_eq!(client.text().await, format!(r#"42["progress","report",{step},3]"#));
    }
    client.send(r#"42["watch","clock"]"#).await;
    tokio::time::timeout(Duration::from_secs(30), async {
        let tick = client.text().await;
        assert!(tick.starts_with(r#"42["tick","#), "{tick}");
    })
    .await
    .expect("a tick");
}

#[tokio::test]
async fn at_01_axum_layer() {
    let (mut example, endpoint) = start("axum_layer").await;
    let (mut client, _id) = socket::connect(endpoint, "/").await;
    let (mut other, _id) = socket::connect(endpoint, "/").await;
    let mut page = Connection::open(endpoint.address).await;
    page.request("POST /click", "content-length: 0\r\n").await;
    assert_eq!(page.answer().await.body, "1\n");
    assert_eq!(client.text().await, r#"42["clicks",1]"#);
    assert_eq!(other.text().await, r#"42["clicks",1]"#);
    client.send(r#"420["click"]"#).await;
    assert_eq!(client.text().await, "430[2]");
    assert_eq!(other.text().await, r#"42["clicks",2]"#);
    page.request("GET /", "").await;
    assert_eq!(page.answer().await.body, "2\n");
    page.request("GET /socket.io/other", "").await;
    assert_eq!(page.answer().await.status, 404);
    let mut polling = Polling::open(endpoint).await;
    assert_eq!(polling.post("40").await.body, "ok");
    assert!(polling.get().await.body.starts_with("40{\"sid\":\""));

    polling.send_get().await;
    // The GET waits by the time that requests behind it were answered one by one.
    for _ in 0..10 {
        assert_eq!(polling.post(r#"42["none"]"#).await.body, "ok");
    }
    example.interrupt();
    assert_eq!(client.frame().await, closed(1001));
    assert_eq!(polling.gets.answer().await.body, "1");
    assert!(example.ended().await.success());
}

#[tokio::test]
async fn at_01_hyper() {
    let (_example, endpoint) = start("hyper").await;
    let (mut alice, _id) = socket::connect(endpoint, "/").await;
    let (mut bob, _id) = socket::connect(endpoint, "/").await;
    alice.send(r#"420["say","hello"]"#).await;
    assert_eq!(alice.text().await, "430[1]");
    assert_eq!(bob.text().await, r#"42["said","hello"]"#);
    let mut page = Connection::open(endpoint.address).await;
    page.request("GET /", "").await;
    assert_eq!(page.answer().await.body, "2 clients are connected\n");
}

/// Bytes as socket.io-msgpack-parser writes them; `bin 8` is in the middle of the map, and not beside it.
#[tokio::test]
async fn msgpack() {
    let (_example, endpoint) = start("msgpack").await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let (mut client, _sid) = WebSocket::open(endpoint).await;
        client.send_binary(b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\xd4\x00\x00").await;
        assert!(matches!(client.frame().await, Frame::Binary(_)));
        clients.push(client);
    }
    let reading = b"\x83\xaainstrument\xa1A\xa6values\x92\xcb\x3f\xf8\0\0\0\0\0\0\xcb\x40\x04\0\0\0\0\0\0\xa5trace\xc4\x02\xff\x00";
    let packet = [&b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\x07\xa4data\x92\xa4read"[..], reading].concat();
    clients[0].send_binary(&packet).await;
    let Frame::Binary(heard) = clients[1].frame().await else { panic!("not binary") };
    assert!(heard.ends_with(reading), "{}", heard.escape_ascii());
    let Frame::Binary(answer) = clients[0].frame().await else { panic!("not binary") };
    let summary = b"\x91\x82\xa4mean\xcb\x40\x00\0\0\0\0\0\0\xa5bytes\x02";
    assert!(answer.windows(summary.len()).any(|part| part == summary), "{}", answer.escape_ascii());
}

#[tokio::test]
async fn cluster() {
    let mut redis = Redis::start(&[]).await;
    let url = redis.url();
    let (_here, here) = start_with("cluster", &[("REDIS_URL", &url)]).await;
    let (_there, there) = start_with("cluster", &[("REDIS_URL", &url)]).await;
    let mut ann = join(here, "/", json!({ "name": "Ann" })).await;
    let mut bob = join(there, "/", json!({ "name": "Bob" })).await;
    let everybody = |names: &str| format!("[[{names}]]");
    let together = async |ann: &mut WebSocket, names: &str| {
        while call(ann, json!(["who is there"])).await != everybody(names) {}
    };
    within(together(&mut ann, r#""Ann","Bob""#)).await;
    bob.send(r#"42["say","hi"]"#).await;
    assert_eq!(ann.text().await, r#"42["said","hi"]"#);
    redis.kill().await;
    redis.restart().await;
    let mut wire = redis.connect().await;
    within(async {
        while wire.call(&[b"PUBSUB", b"NUMSUB", b"chat"]).await
            != Reply::List(vec![Reply::Bytes(Some(b"chat".to_vec())), Reply::Number(2)])
        {}
    })
    .await;
    let _cid = join(there, "/", json!({ "name": "Cid" })).await;
    within(together(&mut ann, r#""Ann","Bob","Cid""#)).await;
    bob.send(r#"42["say","still there?"]"#).await;
    assert_eq!(ann.text().await, r#"42["said","still there?"]"#);
}
