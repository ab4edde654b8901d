//! The binary's rooms and namespaces as they are configured: history, throttle, presence, names by their beginning.

use std::time::Duration;

use tests::{
    Row,
    frames::{WebSocket, text},
    in_time,
    process::Process,
    socket,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// Starts a server with this file, on any free ports.
async fn start(name: &str, configuration: &str) -> Process {
    let file = format!("{}/rooms-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, configuration).await
}

/// A client in `/` that is in this room because its URL says so.
async fn in_room(server: &Process, room: &str) -> WebSocket {
    let endpoint = server.endpoint().asked(Box::leak(format!("EIO=4&room={room}").into_boxed_str()));
    let (mut client, _) = WebSocket::open(endpoint).await;
    client.send("40").await;
    assert!(client.text().await.starts_with("40{\"sid\":"));
    client
}

async fn emit(server: &Process, body: &str) -> String {
    let answer = server.emit("", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

const JOINING: &str = "[[namespace]]\nname = '/'\nauto_join = ['{query.room}']\n";

#[tokio::test]
async fn rooms_bring_what_they_keep_to_those_who_join() {
    let rooms = "
        [[room]]
        match = 'news'
        history = 3
        replay = 2
        events = ['tick*']
        [[room]]
        match = 'task_*'
        history = 10
        history_mode = 'last'
        replay = 'all'
        [[room]]
        match = '@all'
        history = 1
        history_mode = 'last'
        events = ['status']
        replay = 'all'";
    let server = start("history", &format!("{JOINING}{rooms}")).await;
    for event in ["tick1", "other", "tick2", "tick3", "tick4"] {
        emit(&server, &format!(r#"{{"event":"{event}","room":"news"}}"#)).await;
    }
    emit(&server, r#"{"event":"tick5","room":"news","history":false}"#).await;
    for percent in [10, 20] {
        emit(&server, &format!(r#"{{"event":"progress","room":"task_1","data":{percent}}}"#)).await;
    }
    emit(&server, r#"{"event":"status","data":"up"}"#).await;
    emit(&server, r#"{"event":"unkept"}"#).await;
    for (room, replayed) in [
        ("news", &[r#"42["tick3"]"#, r#"42["tick4"]"#, r#"42["status","up"]"#][..]),
        ("task_1", &[r#"42["progress",20]"#, r#"42["status","up"]"#]),
        ("task_2", &[r#"42["status","up"]"#]),
    ] {
        let _row = Row(room);
        let mut client = in_room(&server, room).await;
        emit(&server, r#"{"event":"end"}"#).await;
        for event in replayed.iter().chain(&[r#"42["end"]"#]) {
            assert_eq!(client.frame().await, text(*event));
        }
    }
}

#[tokio::test]
async fn old_events_and_too_many_bytes_are_not_kept() {
    for (name, options) in [("ttl", "history_ttl = '1ms'"), ("bytes", "[history]\ntotal_bytes = 10")] {
        let rooms = format!("[[room]]\nmatch = 'news'\nhistory = 3\nreplay = 'all'\n{options}");
        let server = start(name, &format!("{JOINING}{rooms}")).await;
        emit(&server, r#"{"event":"tick","room":"news"}"#).await;
        // What has to pass is time.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut client = in_room(&server, "news").await;
        emit(&server, r#"{"event":"end"}"#).await;
        assert_eq!(client.frame().await, text(r#"42["end"]"#), "{name}");
    }
}

#[tokio::test]
async fn throttled_rooms_get_the_first_and_the_last() {
    let rooms = "[[room]]\nmatch = 'task'\nthrottle = '300ms'\nthrottle_events = ['progress']";
    let server = start("throttle", &format!("{JOINING}{rooms}")).await;
    let mut client = in_room(&server, "task").await;
    for percent in 1..=5 {
        emit(&server, &format!(r#"{{"event":"progress","room":"task","data":{percent}}}"#)).await;
    }
    emit(&server, r#"{"event":"log","room":"task"}"#).await;
    let mut heard = Vec::new();
    while ![r#"42["log"]"#, r#"42["progress",5]"#].iter().all(|last| heard.iter().any(|text| text == last)) {
        heard.push(client.text().await);
    }
    assert_eq!(heard[0], r#"42["progress",1]"#);
    // However slow the machine is, some waited and were overtaken, unless each took an interval.
    assert!(heard.len() <= 6, "{heard:?}");
}

#[tokio::test]
async fn rooms_with_presence_tell_who_is_there() {
    let rooms = "[[room]]\nmatch = 'doc'\npresence = true\npresence_grace = '10ms'";
    let server = start("presence", &format!("{JOINING}{rooms}")).await;
    let mut first = in_room(&server, "doc").await;
    let state = first.text().await;
    assert!(state.starts_with(r#"42["presence_state",{"members":{""#), "{state}");
    let second = in_room(&server, "doc").await;
    let joined = first.text().await;
    assert!(joined.starts_with(r#"42["presence_diff",{"joins":{""#), "{joined}");
    drop(second);
    let left = in_time(first.text()).await;
    assert!(left.contains(r#""joins":{},"leaves":{""#), "{left}");
    let named = "[[room]]\nmatch = 'doc'\npresence = true\npresence_state = 'here'\npresence_diff = 'change'";
    let server = start("presence-names", &format!("{JOINING}{named}")).await;
    let mut first = in_room(&server, "doc").await;
    assert!(first.text().await.starts_with(r#"42["here",{"members":"#));
    let _second = in_room(&server, "doc").await;
    assert!(first.text().await.starts_with(r#"42["change",{"joins":"#));
}

#[tokio::test]
async fn namespaces_are_meant_by_their_beginning_or_all() {
    let spaces = "
        [[namespace]]
        name = '/game-*'
        max_connections = 1
        [[namespace]]
        name = '/game-over'";
    let server = start("globs", spaces).await;
    let (_first, _) = socket::connect(server.endpoint(), "/game-1").await;
    let (_other, _) = socket::connect(server.endpoint(), "/game-2").await;
    for (namespace, answer) in [
        ("/game-1", "44/game-1,{\"message\":\"Too many connections\",\"data\":{\"code\":\"limit\"}}"),
        ("/game-over", "40/game-over,"),
        ("/game-", "44/game-,{\"message\":\"Invalid namespace\"}"),
        ("/other", "44/other,{\"message\":\"Invalid namespace\"}"),
        ("/game-3", "40/game-3,"),
    ] {
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send(&format!("40{namespace},")).await;
        let found = client.text().await;
        assert!(found.starts_with(answer), "{namespace}: {found}");
    }
    let metrics = server.ask("/metrics").await.body;
    assert!(metrics.contains("socketio_connects_total{namespace=\"/game-*\",result=\"accepted\"} 3"), "{metrics}");
    assert!(!metrics.contains("/game-1\""), "names of clients are no labels: {metrics}");
    assert_eq!(emit(&server, r#"{"namespace":"/game-2","event":"go"}"#).await, "{\"sockets\":1}\n");
    assert_eq!(emit(&server, r#"{"namespace":"/game-9","event":"go"}"#).await, "{\"sockets\":0}\n");
    assert_eq!(server.emit("", r#"{"namespace":"/other","event":"go"}"#).await.status, 404);

    let all = start("all", "[[namespace]]\nname = '*'").await;
    for namespace in ["/", "/a", "/a/b"] {
        socket::connect(all.endpoint(), namespace).await;
    }
}

#[tokio::test]
async fn rooms_may_be_of_one_namespace_of_those_that_a_glob_means() {
    let rooms = "
        [[namespace]]
        name = '*'
        max_connections = 1
        [[room]]
        namespace = '/chat'
        match = 'news'
        history = 1
        [[room]]
        namespace = '/game-*'
        match = 'news'
        history = 2
        [[room]]
        namespace = '/game-1*'
        match = 'late'
        history = 3";
    let server = start("of-one", rooms).await;
    for (namespace, room, kept) in [
        ("/chat", "news", 1),
        ("/chat/2", "news", 0),
        ("/", "news", 0),
        ("/game-2", "news", 2),
        ("/game-3", "late", 0),
        ("/game-11", "news", 2),
        ("/game-12", "late", 3),
    ] {
        let _row = Row(namespace);
        // Somebody has to be there: with the last one most namespaces go, and what they keep.
        let (_first, _) = socket::connect(server.endpoint(), namespace).await;
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        let comma = if namespace == "/" { String::new() } else { format!("{namespace},") };
        client.send(&format!("40{comma}")).await;
        assert!(client.text().await.contains("Too many connections"), "options are those of the glob");
        for at in 0..3 {
            emit(&server, &format!(r#"{{"event":"e","data":{at},"namespace":"{namespace}","room":"{room}"}}"#)).await;
        }
        let shown = server.ask(&format!("/api/v1/rooms/{room}?namespace={namespace}")).await.body;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["history"], kept, "{shown}");
    }
}

#[tokio::test]
async fn a_room_may_have_the_id_of_a_socket_in_another_namespace() {
    let server = start("ids", "[[namespace]]\nname = '/'\n[[namespace]]\nname = '/other'\n").await;
    let (_far, far) = socket::connect(server.endpoint(), "/other").await;
    let (mut near, id) = socket::connect(server.endpoint(), "/").await;
    let joined =
        server.call("POST /api/v1/join", "", &format!(r#"{{"target":{{"sids":["{id}"]}},"rooms":"{far}"}}"#)).await;
    assert_eq!((joined.status, joined.body.as_str()), (200, "{\"changed\":1}\n"));
    let body = emit(&server, &format!(r#"{{"event":"e","room":"{far}"}}"#)).await;
    assert_eq!(body, "{\"sockets\":1}\n");
    assert_eq!(near.text().await, "42[\"e\"]");
    // Nor does the socket with this id get it, which is in another namespace, where nobody is in such a room.
    let body = emit(&server, &format!(r#"{{"event":"e","namespace":"/other","room":"{id}"}}"#)).await;
    assert_eq!(body, "{\"sockets\":0}\n");
}
