//! Who is in a room, as its members are told.

use std::time::Duration;

use serde_json::json;
use socketio::{Auth, Config, Namespace, Presence, Recovery, RoomHistory, Socket, SocketIo, testing::Client};
use tests::{
    frames::{Frame, WebSocket, text},
    in_time,
    server::Server,
};
use tokio::time::Instant;

use crate::{
    heard, namespace,
    recovery::{cut, join, serve_with},
    serve, telling,
};

/// A namespace whose clients are in `game:1`, as whom they say they are.
pub(crate) fn game(presence: Presence) -> Namespace {
    namespace("/").presence("game:*", presence).on_connect(
        async |socket: Socket, auth: Option<Auth<serde_json::Value>>| {
            if let Some(Auth(user)) = auth
                && let Some(name) = user["name"].as_str()
            {
                socket.identify(name, user["info"].clone());
            }
            socket.join("game:1")
        },
    )
}

pub(crate) async fn come(server: &Server, auth: &str) -> (WebSocket, String) {
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send(&format!("40{auth}")).await;
    let answer = client.text().await;
    let id = answer.strip_prefix(r#"40{"sid":""#).and_then(|rest| rest.strip_suffix(r#""}"#)).expect(&answer);
    (client, id.to_owned())
}

pub(crate) fn state(members: &str) -> Vec<Frame> {
    vec![text(format!(r#"42["presence_state",{{"members":{{{members}}},"room":"game:1"}}]"#))]
}

pub(crate) fn diff(joins: &str, leaves: &str) -> Vec<Frame> {
    let diff = format!(r#"{{"joins":{{{joins}}},"leaves":{{{leaves}}},"room":"game:1"}}"#);
    vec![text(format!(r#"42["presence_diff",{diff}]"#))]
}

#[tokio::test]
async fn who_joins_is_told_who_is_there_and_the_others_who_came() {
    let presence = Presence { grace: Duration::from_millis(10), ..Presence::default() };
    let (root, mut told) = telling(game(presence).room_history("*", RoomHistory::default()));
    let (server, io) = serve([root]).await;
    let (mut ann, _id) = come(&server, r#"{"name":"ann","info":{"color":"red"}}"#).await;
    let ann_is = |count| format!(r#""ann":{{"count":{count},"info":{{"color":"red"}}}}"#);
    assert_eq!(heard(&mut ann).await, state(&ann_is(1)));
    let (mut tab, _id) = come(&server, r#"{"name":"ann","info":{"color":"red"}}"#).await;
    assert_eq!(heard(&mut tab).await, state(&ann_is(2)));
    assert_eq!(heard(&mut ann).await, [], "it is there already");

    let (mut stranger, id) = come(&server, "").await;
    let stranger_is = |count| format!(r#""{id}":{{"count":{count},"info":null}}"#);
    // In the order of their names.
    let mut both = [ann_is(2), stranger_is(1)];
    both.sort();
    assert_eq!(heard(&mut stranger).await, state(&both.join(",")));
    for client in [&mut ann, &mut tab] {
        assert_eq!(heard(client).await, diff(&stranger_is(1), ""));
    }
    let members = io.to("game:1").presence();
    assert_eq!((members["ann"].count, &members["ann"].info), (2, &json!({ "color": "red" })));
    assert_eq!((members.len(), io.to("other").presence().len()), (2, 0));

    drop(tab);
    told.next().await;
    stranger.send(r#"42["leave","game:1"]"#).await;
    assert_eq!(in_time(ann.frame()).await, diff("", &stranger_is(0))[0], "after its time, and not that a tab is gone");
    assert_eq!(heard(&mut stranger).await, [], "it is no member");
    assert_eq!(io.to("game:1").presence().len(), 1);
    assert_eq!(io.to("game:1").history().len(), 0, "rooms do not keep it");
}

/// On a clock that goes by itself while all wait.
#[tokio::test(start_paused = true)]
async fn who_is_back_in_time_was_not_gone() {
    let io = SocketIo::new(Config::default(), [game(Presence::default())]);
    let named = |name| Client::options().auth(json!({ "name": name })).patience(Duration::from_secs(100));
    let mut ann = named("ann").connect(&io).await.expect("let in");
    ann.expect_event::<serde_json::Value>("presence_state").await.expect("a state");
    let bob = named("bob").connect(&io).await.expect("let in");
    let diff: serde_json::Value = ann.expect_event("presence_diff").await.expect("bob comes");
    assert_eq!(diff["joins"]["bob"]["count"], 1);
    bob.cut();
    tokio::time::sleep(Duration::from_secs(14)).await;
    let mut bob = named("bob").connect(&io).await.expect("let in");
    let state: serde_json::Value = bob.expect_event("presence_state").await.expect("a state");
    assert_eq!(state["members"]["bob"]["count"], 1);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let left = Instant::now();
    bob.disconnect();
    let diff: serde_json::Value = ann.expect_event("presence_diff").await.expect("bob is gone, once");
    assert_eq!(diff, json!({ "room": "game:1", "joins": {}, "leaves": { "bob": { "info": null, "count": 0 } } }));
    let took = left.elapsed();
    assert!(took >= Duration::from_secs(15) && took < Duration::from_secs(16), "{took:?}");
}

#[tokio::test]
async fn who_is_recovered_is_told_anew_and_nobody_else_is() {
    let (root, mut told) = telling(game(Presence { state_event: "here".into(), ..Presence::default() }));
    let (server, _io) = serve_with(Recovery::default(), [root]).await;
    let mut ann = join(server.endpoint, r#"{"name":"ann"}"#).await;
    let here =
        |event: &str| event.starts_with(r#"42["here",{"members":{"ann":{"count":1,"info":null}},"room":"game:1"},""#);
    let event = ann.websocket.text().await;
    assert!(here(&event), "{event}");
    let offset = event.rsplit('"').nth(1).expect("an offset").to_owned();
    let claim = ann.claim(&offset);
    cut(ann, &mut told).await;
    let mut ann = join(server.endpoint, &claim).await;
    assert_eq!(ann.missed, []);
    let event = ann.websocket.text().await;
    assert!(here(&event), "{event}");
    assert_eq!(heard(&mut ann.websocket).await, []);
}
