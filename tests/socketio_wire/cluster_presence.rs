//! Who is in a room of all servers of a cluster, as its members are told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use socketio::{ClusterOptions, Config, Data, Namespace, Presence, Reply, Socket, SocketIo, testing::Client};
use tests::{
    frames::{WebSocket, text},
    server::{self, Server},
    socket, within,
};

use crate::{
    cluster::{Bus, Cluster, soon},
    heard,
    presence::{come, diff, game, state},
};

/// Who has gone is told soon.
fn presence() -> Presence {
    Presence { grace: Duration::from_millis(10), ..Presence::default() }
}

/// Somebody, with so many sockets.
fn is(name: &str, count: usize) -> String {
    format!(r#""{name}":{{"count":{count},"info":null}}"#)
}

fn auth(name: &str) -> String {
    json!({ "name": name }).to_string()
}

/// The names of those who are in the room, with how many sockets each has, as a server knows them.
fn members(io: &SocketIo) -> Vec<(String, usize)> {
    names(io, "/")
}

fn names(io: &SocketIo, namespace: &str) -> Vec<(String, usize)> {
    let members = io.of(namespace).map(|namespace| namespace.to("game:1").presence()).unwrap_or_default();
    members.into_iter().map(|(user, present)| (user, present.count)).collect()
}

/// Waits until a server knows so.
async fn knows(io: &SocketIo, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|(user, count)| ((*user).to_owned(), *count)).collect();
    within(async {
        while members(io) != expected {
            // A clock that stands still goes on only while nobody else has anything to do.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn members_are_told_who_comes_and_goes_on_other_servers() {
    let cluster = Cluster::of(|| vec![game(presence())]).await;
    let server = |at: usize| &cluster.servers[at].0;
    let (mut ann, _) = come(server(0), &auth("ann")).await;
    assert_eq!(heard(&mut ann).await, state(&is("ann", 1)));
    let (mut bob, _) = come(server(1), &auth("bob")).await;
    assert_eq!(heard(&mut bob).await, state(&[is("ann", 1), is("bob", 1)].join(",")));
    assert_eq!(heard(&mut ann).await, diff(&is("bob", 1), ""));
    // The same user by another server is nobody new, and is there until the last socket has gone.
    let (mut tab, _) = come(server(2), &auth("ann")).await;
    assert_eq!(heard(&mut tab).await, state(&[is("ann", 2), is("bob", 1)].join(",")));
    assert_eq!([heard(&mut ann).await, heard(&mut bob).await], [vec![], vec![]]);
    drop(ann);
    knows(cluster.io(1), &[("ann", 1), ("bob", 1)]).await;
    tab.send(r#"421["leave","game:1"]"#).await;
    assert_eq!(tab.frame().await, text("431[]"));
    assert_eq!(bob.frame().await, diff("", &is("ann", 0))[0]);
    for at in 0..3 {
        knows(cluster.io(at), &[("bob", 1)]).await;
    }
    assert_eq!(heard(&mut tab).await, [], "it is no member");
}

#[tokio::test]
async fn who_moves_to_another_server_was_never_gone() {
    let presence = Presence { grace: Duration::from_secs(15), ..Presence::default() };
    let cluster = Cluster::of(|| vec![game(presence.clone())]).await;
    let (mut ann, _) = come(&cluster.servers[0].0, &auth("ann")).await;
    let (bob, _) = come(&cluster.servers[1].0, &auth("bob")).await;
    assert_eq!(heard(&mut ann).await.len(), 2);
    drop(bob);
    knows(cluster.io(0), &[("ann", 1), ("bob", 0)]).await;
    let (_bob, _) = come(&cluster.servers[2].0, &auth("bob")).await;
    knows(cluster.io(0), &[("ann", 1), ("bob", 1)]).await;
    assert_eq!(heard(&mut ann).await, []);
}

#[tokio::test]
async fn with_a_server_those_go_who_were_on_it() {
    let cluster = Cluster::of(|| vec![game(presence())]).await;
    let (mut ann, _) = come(&cluster.servers[0].0, &auth("ann")).await;
    let (_bob, _) = come(&cluster.servers[1].0, &auth("bob")).await;
    assert_eq!(heard(&mut ann).await.len(), 2);
    within(cluster.io(1).close()).await;
    assert_eq!(ann.frame().await, diff("", &is("bob", 0))[0]);
    knows(cluster.io(2), &[("ann", 1)]).await;
}

/// What a carrier loses.
#[derive(Clone, Default)]
struct Lost(Arc<Mutex<Option<&'static str>>>);

impl Lost {
    /// From now on, messages with this in them; `None` for nothing.
    fn set(&self, lost: Option<&'static str>) {
        *self.0.lock().expect("not poisoned") = lost;
    }

    fn is(&self, message: &[u8]) -> bool {
        let lost = *self.0.lock().expect("not poisoned");
        lost.is_some_and(|lost| String::from_utf8_lossy(message).contains(lost))
    }
}

/// All messages have this in them.
const ALL: Option<&str> = Some("version");

/// Two servers whose carrier can lose messages. Their clients are in memory, as a clock that stands still goes on while
/// a network is at work.
fn two(namespaces: impl Fn() -> Namespace) -> ([SocketIo; 2], Lost) {
    let one = || SocketIo::new(Config::default(), [namespaces()]);
    let (servers, lost) = ([one(), one()], Lost::default());
    for (at, io) in servers.iter().enumerate() {
        let (other, lost) = (servers[1 - at].clone(), lost.clone());
        let carrier = move |message: Bytes| {
            if !lost.is(&message) {
                other.receive(message).expect("a message of a server");
            }
        };
        io.join_cluster(carrier, ClusterOptions::default());
    }
    (servers, lost)
}

/// A client that says who it is.
async fn present(io: &SocketIo, name: &str) -> Client {
    Client::options().auth(json!({ "name": name })).connect(io).await.expect("let in")
}

/// A client that enters `game:1` of `/game-7`.
async fn playing(io: &SocketIo, name: &str) -> Client {
    let client = Client::options().namespace("/game-7").connect(io).await.expect("let in");
    client.emit_with_ack::<()>("enter", name).await.expect("it enters");
    client
}

/// Heartbeats are heard, and what they make servers ask for.
async fn beat() {
    tokio::time::sleep(Duration::from_secs(6)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_made_up_for_with_the_next_heartbeat() {
    let ([here, there], lost) = two(|| game(presence()));
    let _ann = present(&here, "ann").await;
    let bob = present(&there, "bob").await;
    knows(&here, &[("ann", 1), ("bob", 1)]).await;
    lost.set(ALL);
    bob.cut();
    let _cid = present(&there, "cid").await;
    knows(&there, &[("ann", 1), ("cid", 1)]).await;
    assert_eq!(members(&here), [("ann".into(), 1), ("bob".into(), 1)]);
    lost.set(None);
    beat().await;
    assert_eq!(members(&here), [("ann".into(), 1), ("cid".into(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_were_cut_off_are_one_again() {
    let ([here, there], lost) = two(|| game(presence()));
    let _ann = present(&here, "ann").await;
    let _bob = present(&there, "bob").await;
    lost.set(ALL);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!([members(&here), members(&there)], [[("ann".into(), 1)], [("bob".into(), 1)]]);
    lost.set(None);
    beat().await;
    for io in [&here, &there] {
        assert_eq!(members(io), [("ann".into(), 1), ("bob".into(), 1)]);
    }
}

#[tokio::test]
async fn a_server_that_comes_later_knows_who_is_there() {
    let cluster = Cluster::of(|| vec![game(presence())]).await;
    let (_ann, _) = come(&cluster.servers[0].0, &auth("ann")).await;
    let (_bob, _) = come(&cluster.servers[1].0, &auth("bob")).await;
    let (server, io) = server::socketio(Config::default(), [game(presence())]).await;
    cluster.bus.join(&io, ClusterOptions::default().times(soon()));
    knows(&io, &[("ann", 1), ("bob", 1)]).await;
    let (mut cid, _) = come(&server, &auth("cid")).await;
    assert_eq!(heard(&mut cid).await, state(&[is("ann", 1), is("bob", 1), is("cid", 1)].join(",")));
    knows(cluster.io(0), &[("ann", 1), ("bob", 1), ("cid", 1)]).await;
}

/// Namespaces whose clients enter `game:1`, as whom they say they are.
fn games() -> Namespace {
    let enter = async |socket: Socket, Data(name): Data<String>| {
        socket.identify(name, ());
        socket.join("game:1").map(Reply)
    };
    Namespace::pattern("/game-{id}").presence("game:*", presence()).on("enter", enter)
}

/// Enters `/game-7`; says also what came before the answer.
async fn enter(server: &Server, name: &str) -> (WebSocket, Vec<String>) {
    let (mut client, _) = socket::connect(server.endpoint, "/game-7").await;
    client.send(&format!(r#"42/game-7,1["enter","{name}"]"#)).await;
    let mut heard = Vec::new();
    loop {
        match client.text().await {
            answer if answer == "43/game-7,1[]" => return (client, heard),
            event => heard.push(event),
        }
    }
}

#[tokio::test]
async fn a_namespace_that_comes_later_knows_who_is_there() {
    let cluster = Cluster::of(|| vec![games()]).await;
    let (mut ann, _) = enter(&cluster.servers[0].0, "ann").await;
    let (_bob, heard) = enter(&cluster.servers[2].0, "bob").await;
    let both =
        format!(r#"42/game-7,["presence_state",{{"members":{{{},{}}},"room":"game:1"}}]"#, is("ann", 1), is("bob", 1));
    assert_eq!(heard, [both]);
    assert!(ann.text().await.contains(&is("bob", 1)));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_lost_is_asked_for_again() {
    let ([here, there], lost) = two(|| game(presence()));
    let _ann = present(&here, "ann").await;
    lost.set(ALL);
    let _bob = present(&there, "bob").await;
    knows(&there, &[("ann", 1), ("bob", 1)]).await;
    lost.set(Some("\"all\""));
    beat().await;
    assert_eq!(members(&here), [("ann".into(), 1)], "it has not come");
    lost.set(None);
    beat().await;
    assert_eq!(members(&here), [("ann".into(), 1), ("bob".into(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_has_gone_on_another_server_has_nobody_there() {
    let ([here, there], lost) = two(games);
    let _ann = playing(&here, "ann").await;
    let bob = playing(&there, "bob").await;
    assert_eq!(names(&here, "/game-7"), [("ann".into(), 1), ("bob".into(), 1)]);
    lost.set(ALL);
    bob.cut();
    within(async {
        while !there.namespace_names().iter().all(|name| name == "/") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    lost.set(None);
    beat().await;
    assert_eq!(names(&here, "/game-7"), [("ann".into(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_lost_is_asked_again() {
    let ([here, there], lost) = two(games);
    let _bob = playing(&there, "bob").await;
    lost.set(Some("\"who\""));
    let _ann = playing(&here, "ann").await;
    assert_eq!(names(&here, "/game-7"), [("ann".into(), 1)], "it was lost");
    beat().await;
    assert_eq!(names(&here, "/game-7"), [("ann".into(), 1), ("bob".into(), 1)]);
}

#[tokio::test]
async fn who_is_on_others_is_not_known_to_a_server_that_leaves() {
    let ([here, there], _lost) = two(|| game(presence()));
    let _ann = present(&here, "ann").await;
    let _bob = present(&there, "bob").await;
    knows(&here, &[("ann", 1), ("bob", 1)]).await;
    here.leave_cluster();
    knows(&here, &[("ann", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn those_who_were_there_before_a_server_joined_are_shown() {
    let one = || SocketIo::new(Config::default(), [game(presence())]);
    let (bus, here, there) = (Bus::default(), one(), one());
    let _ann = present(&here, "ann").await;
    [&there, &here].iter().for_each(|io| bus.join(io, ClusterOptions::default()));
    knows(&there, &[("ann", 1)]).await;
}
