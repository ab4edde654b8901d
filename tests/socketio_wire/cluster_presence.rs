//! Who is in a room of all servers of a cluster, as its members are told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use socketio::{ClusterOptions, ClusterTimes, Config, Data, Namespace, Presence, Reply, Socket, SocketIo};
use tests::{
    frames::{WebSocket, text},
    server::{self, Server},
    socket, within,
};

use crate::{
    cluster::{Cluster, soon},
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
    io.to("game:1").presence().into_iter().map(|(user, present)| (user, present.count)).collect()
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

/// Two servers whose carrier can be cut.
async fn two(times: ClusterTimes) -> ([(Server, SocketIo); 2], Arc<AtomicBool>) {
    let one = async || server::socketio(Config::default(), [game(presence())]).await;
    let servers = [one().await, one().await];
    let is_cut = Arc::new(AtomicBool::new(false));
    for (at, (_, io)) in servers.iter().enumerate() {
        let (other, is_cut) = (servers[1 - at].1.clone(), is_cut.clone());
        let carrier = move |message: Bytes| {
            if !is_cut.load(Ordering::Relaxed) {
                other.receive(message).expect("a message of a server");
            }
        };
        io.join_cluster(carrier, ClusterOptions::default().times(times));
    }
    (servers, is_cut)
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_made_up_for_with_the_next_heartbeat() {
    let ([(here, io_here), (there, io_there)], is_cut) = two(ClusterTimes::default()).await;
    let (_ann, _) = come(&here, &auth("ann")).await;
    let (bob, _) = come(&there, &auth("bob")).await;
    knows(&io_here, &[("ann", 1), ("bob", 1)]).await;
    is_cut.store(true, Ordering::Relaxed);
    drop(bob);
    let (_cid, _) = come(&there, &auth("cid")).await;
    knows(&io_there, &[("ann", 1), ("cid", 1)]).await;
    assert_eq!(members(&io_here), [("ann".into(), 1), ("bob".into(), 1)]);
    is_cut.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(members(&io_here), [("ann".into(), 1), ("cid".into(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_were_cut_off_are_one_again() {
    let ([(here, io_here), (there, io_there)], is_cut) = two(ClusterTimes::default()).await;
    let (_ann, _) = come(&here, &auth("ann")).await;
    let (_bob, _) = come(&there, &auth("bob")).await;
    is_cut.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!([members(&io_here), members(&io_there)], [[("ann".into(), 1)], [("bob".into(), 1)]]);
    is_cut.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(6)).await;
    for io in [&io_here, &io_there] {
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

#[tokio::test]
async fn a_namespace_that_comes_later_knows_who_is_there() {
    let games = || {
        let enter = async |socket: Socket, Data(name): Data<String>| {
            socket.identify(name, ());
            socket.join("game:1").map(Reply)
        };
        vec![Namespace::pattern("/game-{id}").presence("game:*", presence()).on("enter", enter)]
    };
    let cluster = Cluster::of(games).await;
    let enter = async |at: usize, name: &str| -> (WebSocket, Vec<String>) {
        let (mut client, _) = socket::connect(cluster.servers[at].0.endpoint, "/game-7").await;
        client.send(&format!(r#"42/game-7,1["enter","{name}"]"#)).await;
        let mut heard = Vec::new();
        loop {
            match client.text().await {
                answer if answer == "43/game-7,1[]" => return (client, heard),
                event => heard.push(event),
            }
        }
    };
    let (mut ann, _) = enter(0, "ann").await;
    let (_bob, heard) = enter(2, "bob").await;
    let both =
        format!(r#"42/game-7,["presence_state",{{"members":{{{},{}}},"room":"game:1"}}]"#, is("ann", 1), is("bob", 1));
    assert_eq!(heard, [both]);
    assert!(ann.text().await.contains(&is("bob", 1)));
}
