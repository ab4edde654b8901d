//! Families of namespaces: names that match a pattern, which come and go with their sockets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use socketio::{Auth, Broadcast, Config, ConnectError, Hooks, Limits, Namespace, Params, Reply, Socket, SocketIo};
use tests::{
    Row,
    frames::{CLOSED, text},
    server::{self, Server},
    socket,
};
use tokio::sync::watch;

use crate::{Told, heard, namespace, serve, telling};

/// The handlers of `namespace`, for a family.
fn family(pattern: &str) -> Namespace {
    Namespace::pattern(pattern)
        .on("join", async |socket: Socket, socketio::Data(room): socketio::Data<String>| {
            socket.join(room).expect("rooms are left");
            Reply(())
        })
        .on("name", async |socket: Socket| Reply(socket.namespace_name().to_owned()))
        .on("params", async |Params(params): Params<Value>| Reply(params))
}

/// A server that tells of each namespace that comes into being.
async fn serve_telling(
    mut config: Config,
    namespaces: impl IntoIterator<Item = Namespace>,
) -> (Server, SocketIo, Told<String>) {
    let (sender, told) = Told::new();
    config.hooks = Hooks::default().on_new_namespace(move |name| {
        let _over = sender.send(name.to_owned());
    });
    let (server, io) = server::socketio(config, namespaces).await;
    (server, io, told)
}

fn invalid(name: &str) -> String {
    format!(r#"44{name},{{"message":"Invalid namespace"}}"#)
}

#[tokio::test]
async fn ns_20_i7_by_pattern() {
    let (server, io) = serve([namespace("/"), family("/game-{id}"), family("team/{team}/{*rest}")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    assert!(io.of("/game-1").is_none());
    for (name, params) in [
        ("/game-1", r#"{"id":"1"}"#),
        ("/game-é ", r#"{"id":"é "}"#),
        ("/game-1?x=1", r#"{"id":"1?x=1"}"#),
        ("/game-__proto__", r#"{"id":"__proto__"}"#),
        ("/team/a/b/c", r#"{"rest":"b/c","team":"a"}"#),
    ] {
        let _row = Row(name);
        socket::join(&mut client, name).await;
        client.send(&format!(r#"42{name},1["name"]"#)).await;
        assert_eq!(client.frame().await, text(format!(r#"43{name},1["{name}"]"#)));
        client.send(&format!(r#"42{name},1["params"]"#)).await;
        assert_eq!(client.frame().await, text(format!("43{name},1[{params}]")));
        assert_eq!(io.of(name).expect("there now").sockets().len(), 1);
    }
    for name in ["/game-", "/game", "/game-1/2", "/a/game-1", "/team/a", "/team//b"] {
        client.send(&format!("40{name},")).await;
        assert_eq!(heard(&mut client).await, [text(invalid(name))]);
    }
}

#[tokio::test]
async fn ns_20_typed_parameters_refuse_like_any_argument() {
    let typed = Namespace::pattern("/{id}").on_connect(async |_: Params<HashMap<String, u8>>| {});
    let (server, _io) = serve([namespace("/"), typed]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/1,").await;
    assert_eq!(client.frame().await, text(r#"44/1,{"message":"Connection refused"}"#));
}

/// Families named by themselves, each for clients whose `auth` names it; `/c` waits a while, `/p` panics.
fn choosy() -> Vec<Namespace> {
    let family = |own: &'static str| {
        Namespace::pattern("/{*name}")
            .only_if(move |name: String, Auth(auth): Auth<HashMap<String, String>>| {
                assert!(own != "p", "{name}");
                async move {
                    if own == "c" {
                        tokio::task::yield_now().await;
                    }
                    name != "/nobody" && auth["family"].contains(own)
                }
            })
            .on("family", move || async move { Reply(own) })
    };
    ["p", "a", "b", "c"].map(family).into_iter().chain([namespace("/")]).collect()
}

#[tokio::test]
async fn ns_21_by_function_the_first_that_lets_in_counts() {
    let (server, io) = serve(choosy()).await;
    for (auth, chosen) in [("a", "a"), ("b", "b"), ("abc", "a"), ("cb", "b"), ("c", "c")] {
        let _row = Row(auth);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.send(&format!(r#"40/x,{{"family":"{auth}"}}"#)).await;
        assert!(client.text().await.starts_with(r#"40/x,{"sid":"#));
        client.send(r#"42/x,1["family"]"#).await;
        assert_eq!(client.frame().await, text(format!(r#"43/x,1["{chosen}"]"#)));
        // Free it for the next row.
        client.send("41/x,").await;
        assert_eq!(heard(&mut client).await, []);
    }
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for auth in [r#"{"family":"d"}"#, "{}", "", r#"{"family":1}"#] {
        client.send(&format!("40/x,{auth}")).await;
        assert_eq!(client.frame().await, text(invalid("/x")));
    }
    client.send(r#"40/nobody,{"family":"abc"}"#).await;
    assert_eq!(client.frame().await, text(invalid("/nobody")));
    assert!(io.of("/x").is_none() && io.of("/nobody").is_none());
}

/// The reference asks only who comes first.
#[tokio::test]
async fn ns_21_everybody_is_asked_about() {
    let (server, _io) = serve(choosy()).await;
    let (mut first, _id) = socket::connect(server.endpoint, "/").await;
    first.send(r#"40/x,{"family":"a"}"#).await;
    first.text().await;
    let (mut second, _id) = socket::connect(server.endpoint, "/").await;
    for auth in ["{}", r#"{"family":"b"}"#] {
        second.send(&format!("40/x,{auth}")).await;
        assert_eq!(second.frame().await, text(invalid("/x")), "it is there, and not for all");
    }
}

#[tokio::test]
async fn ns_21_a_fixed_namespace_may_be_choosy_too() {
    let fixed = namespace("/fixed").only_if(async |_, Auth(auth): Auth<Value>| auth["token"] == "x");
    let (server, _io) = serve([namespace("/"), fixed, family("/{name}")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/fixed,").await;
    assert_eq!(client.frame().await, text(invalid("/fixed")));
    client.send(r#"40/fixed,{"token":"x"}"#).await;
    assert!(client.text().await.starts_with(r#"40/fixed,{"sid":"#));
}

/// A family that lets clients in only once the test says so.
fn waiting(open: &watch::Sender<bool>) -> Namespace {
    let open = open.clone();
    family("/late-{id}").only_if(move |_, _: Auth<Value>| {
        let mut open = open.subscribe();
        async move { open.wait_for(|open| *open).await.is_ok() }
    })
}

#[tokio::test]
async fn ns_24_two_clients_at_once_make_one_namespace() {
    let open = watch::Sender::new(false);
    let (server, io, mut told) = serve_telling(Config::default(), [namespace("/"), waiting(&open)]).await;
    assert_eq!(told.next().await, "/");
    let mut clients = Vec::new();
    for _ in 0..10 {
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.send("40/late-1,").await;
        assert_eq!(heard(&mut client).await, []);
        clients.push(client);
    }
    assert!(io.of("/late-1").is_none());
    open.send_replace(true);
    for client in &mut clients {
        assert!(client.text().await.starts_with(r#"40/late-1,{"sid":"#));
    }
    assert_eq!(io.of("/late-1").expect("there").emit("all", &()).expect("emitted"), 10);
    assert_eq!(told.next().await, "/late-1");
    told.none();
}

#[tokio::test]
async fn ns_18_i11_events_wait_for_the_decision() {
    let open = watch::Sender::new(false);
    let (server, io) = serve([namespace("/"), waiting(&open)]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    client.send("40/late-1,").await;
    client.send(r#"42/late-1,1["name"]"#).await;
    let (mut leaves, _id) = socket::connect(server.endpoint, "/").await;
    leaves.send("40/late-1,").await;
    leaves.send("41/late-1,").await;
    let (mut floods, _id) = socket::connect(server.endpoint, "/").await;
    floods.send("40/late-1,").await;
    for _ in 0..17 {
        floods.send(r#"42/late-1,["name"]"#).await;
    }
    assert_eq!(floods.frame().await, CLOSED);
    assert_eq!((heard(&mut client).await, heard(&mut leaves).await), (vec![], vec![]));
    open.send_replace(true);
    assert!(client.text().await.starts_with(r#"40/late-1,{"sid":"#));
    assert_eq!(client.frame().await, text(r#"43/late-1,1["/late-1"]"#));
    assert_eq!(heard(&mut leaves).await, []);
    assert_eq!(io.of("/late-1").expect("there").sockets().len(), 1);
}

#[tokio::test]
async fn ns_23_27_28_a_family_is_emitted_to() {
    let families = [family("/game-{id}"), family("/{*all}"), namespace("/game-fixed"), namespace("/")];
    let (server, io) = serve(families).await;
    let mut clients = HashMap::new();
    for (name, room) in [("/game-1", "a"), ("/game-2", "b"), ("/game-fixed", "a"), ("/other", "a")] {
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        let id = socket::join(&mut client, name).await;
        client.send(&format!(r#"42{name},1["join","{room}"]"#)).await;
        assert_eq!(client.frame().await, text(format!("43{name},1[]")));
        clients.insert(name, (client, id));
    }
    let games = io.family("/game-{id}").expect("given");
    let second = clients["/game-2"].1.clone();
    let rows = [
        ("all", games.clone(), &["/game-1", "/game-2", "/game-fixed"][..]),
        ("a room", games.clone().to("a"), &["/game-1", "/game-fixed"]),
        ("but a room", games.clone().except("a"), &["/game-2"]),
        ("a socket", games.clone().to(&second), &["/game-2"]),
        ("the other family", io.family("{*all}").expect("given"), &["/game-fixed", "/other"]),
    ];
    for (label, to, expected) in rows {
        let _row = Row(label);
        assert_eq!(to.emit("news", label).expect("emitted"), expected.len());
        for (name, (client, _)) in &mut clients {
            let told = expected.contains(name).then(|| text(format!(r#"42{name},["news","{label}"]"#)));
            assert_eq!(heard(client).await, told.into_iter().collect::<Vec<_>>(), "{name}");
        }
    }
    assert!(games.emit("connect", &()).is_err());
    assert!(io.family("/game-").is_none() && io.family("/game-fixed").is_none());
}

#[tokio::test]
async fn ns_15_25_i19_a_namespace_goes_with_its_last_socket() {
    let (games, mut left) = telling(family("/game-{id}").on("kick", async |socket: Socket| socket.disconnect()));
    let games = games.on_connect(async |Auth(auth): Auth<Value>| -> Result<(), ConnectError> {
        if auth["refuse"] == true { Err(ConnectError::new("no")) } else { Ok(()) }
    });
    let (server, io, mut told) = serve_telling(Config::default(), [games, namespace("/")]).await;
    assert_eq!(told.next().await, "/");
    let (mut first, _id) = socket::connect(server.endpoint, "/").await;
    let (mut second, _id) = socket::connect(server.endpoint, "/").await;

    first.send(r#"40/game-1,{"refuse":true}"#).await;
    assert_eq!(heard(&mut first).await, [text(r#"44/game-1,{"message":"no"}"#)]);
    assert!(io.of("/game-1").is_none(), "the only one was refused");
    assert_eq!(told.next().await, "/game-1");

    socket::join(&mut first, "/game-1").await;
    socket::join(&mut second, "/game-1").await;
    assert_eq!(told.next().await, "/game-1");
    second.send("41/game-1,").await;
    assert_eq!(heard(&mut second).await, []);
    left.next().await;
    first.send(r#"40/game-2,{"refuse":true}"#).await;
    assert_eq!(heard(&mut first).await.len(), 1);
    assert_eq!(told.next().await, "/game-2");
    assert_eq!(io.of("/game-1").expect("one is in it").sockets().len(), 1);
    second.send(r#"40/game-1,{"refuse":true}"#).await;
    assert_eq!(heard(&mut second).await.len(), 1);
    assert_eq!(io.of("/game-1").expect("one is in it").sockets().len(), 1);

    first.send(r#"42/game-1,["kick"]"#).await;
    assert_eq!(heard(&mut first).await, [text("41/game-1,")]);
    assert!(io.of("/game-1").is_none(), "the last was sent away");
    left.next().await;

    socket::join(&mut first, "/game-1").await;
    assert_eq!(told.next().await, "/game-1", "it can be joined again");
    first.send(r#"42/game-1,1["name"]"#).await;
    assert_eq!(first.frame().await, text(r#"43/game-1,1["/game-1"]"#));
    drop(first);
    left.next().await;
    server.stop().await;
    assert!(io.of("/game-1").is_none(), "the connection ended");
    assert!(io.of("/").is_some(), "NS-26: a fixed one stays");
    told.none();
}

/// Clients that come and go at once never find a namespace that is about to go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ns_24_25_nobody_is_in_a_namespace_that_went() {
    let emitted: Arc<Mutex<Vec<Broadcast>>> = Arc::default();
    let kept = emitted.clone();
    let games = family("/game-{id}").on("all", move |socket: Socket| {
        kept.lock().expect("not poisoned").push(socket.namespace());
        async move { Reply(socket.namespace().emit("told", &()).expect("emitted")) }
    });
    let (server, io) = serve([games, namespace("/")]).await;
    let endpoint = server.endpoint;
    let churning = [(); 4].map(|()| {
        tokio::spawn(async move {
            let (mut client, _id) = socket::connect(endpoint, "/").await;
            for _ in 0..50 {
                socket::join(&mut client, "/game-1").await;
                client.send(r#"42/game-1,1["all"]"#).await;
                // Others may have been told at the same time.
                while client.text().await == r#"42/game-1,["told"]"# {}
                client.send("41/game-1,").await;
                heard(&mut client).await;
            }
        })
    });
    for client in churning {
        client.await.expect("no panic");
    }
    assert!(io.of("/game-1").is_none());
    let emitted = emitted.lock().expect("not poisoned");
    assert_eq!(emitted.len(), 200);
    assert!(emitted.iter().all(|namespace| namespace.sockets().is_empty()));
}

/// Who keeps the handle of a namespace keeps the namespace: what is emitted by it later reaches who is there then.
#[tokio::test]
async fn ns_25_a_namespace_that_an_application_holds_stays() {
    let (server, io) = serve([family("/game-{id}"), namespace("/")]).await;
    let (mut first, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut first, "/game-1").await;
    let kept = io.of("/game-1").expect("one is in it").except("nobody");
    first.send("41/game-1,").await;
    assert_eq!(heard(&mut first).await, []);
    let (mut second, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut second, "/game-1").await;
    assert_eq!(kept.emit("news", &()).expect("emitted"), 1);
    assert_eq!(second.frame().await, text(r#"42/game-1,["news"]"#));
    second.send("41/game-1,").await;
    assert_eq!(heard(&mut second).await, []);
    assert!(io.of("/game-1").is_some(), "it is kept yet");
    drop(kept);
    assert!(io.of("/game-1").is_none());
}

#[tokio::test]
async fn ns_26_without_cleanup_it_stays() {
    let config = Config { cleanup_empty_child_namespaces: false, ..Config::default() };
    let (server, io, mut told) = serve_telling(config, [family("/game-{id}"), namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for _ in 0..2 {
        socket::join(&mut client, "/game-1").await;
        client.send("41/game-1,").await;
        assert_eq!(heard(&mut client).await, []);
        assert_eq!(io.of("/game-1").expect("there").sockets(), []);
    }
    assert_eq!((told.next().await, told.next().await), ("/".into(), "/game-1".into()));
    told.none();
}

#[tokio::test]
async fn l2_i19_namespaces_are_bounded() {
    let too_many = |name: &str| text(format!(r#"44{name},{{"message":"Too many namespaces"}}"#));
    let limits = Limits { max_namespaces: 3, max_dynamic_namespaces: 3, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let (server, _io) = server::socketio(config, [family("/game-{id}"), namespace("/")]).await;
    let (mut first, _id) = socket::connect(server.endpoint, "/").await;
    let (mut second, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut first, "/game-1").await;
    socket::join(&mut first, "/game-2").await;
    first.send("40/game-3,").await;
    assert_eq!(first.frame().await, too_many("/game-3"), "of this connection");
    socket::join(&mut second, "/game-3").await;
    second.send("40/game-4,").await;
    assert_eq!(second.frame().await, too_many("/game-4"), "of this server");
    socket::join(&mut second, "/game-1").await;
    second.send("41/game-3,").await;
    first.send("41/game-2,").await;
    assert_eq!((heard(&mut first).await, heard(&mut second).await), (vec![], vec![]));
    socket::join(&mut first, "/game-5").await;
    socket::join(&mut second, "/game-6").await;
    for _ in 0..9 {
        first.send("40/game-7,").await;
        assert_eq!(first.frame().await, too_many("/game-7"));
    }
    assert_eq!(first.frame().await, CLOSED, "I4: that was the tenth refusal");
}

#[tokio::test]
async fn i8_the_longest_name_is_an_option() {
    let limits = Limits { max_namespace_name: 7, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let (server, _io) = server::socketio(config, [family("/{id}"), namespace("/")]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/123456").await;
    client.send("40/1234567,").await;
    assert_eq!(client.frame().await, CLOSED);
}

#[test]
#[should_panic(expected = "the namespace pattern `/{a}{b}`: nothing is between two parameters")]
fn ns_29_what_is_no_pattern_is_told_at_once() {
    let _never = Namespace::pattern("/{a}{b}");
}
