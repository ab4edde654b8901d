//! Connection state recovery: clients that lose their connection and come back as who they were.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use socketio::{
    Auth, Config, ConnectError, Data, DisconnectReason, Limits, Namespace, Presence, Recovery, Reply, RoomHistory,
    Socket, SocketIo, Value,
};
use tests::{
    Row,
    frames::{CLOSE, CLOSED, Frame, TEXT, WebSocket, masked, text},
    polling::Polling,
    server::{self, Endpoint, Server},
    within,
};
use tokio::sync::{Notify, mpsc::UnboundedSender};

use crate::{Told, heard, namespace, serve, telling};

async fn serve_recovering(namespaces: impl IntoIterator<Item = Namespace>) -> (Server, SocketIo) {
    serve_with(Recovery::default(), namespaces).await
}

pub(crate) async fn serve_with(
    recovery: Recovery,
    namespaces: impl IntoIterator<Item = Namespace>,
) -> (Server, SocketIo) {
    let config = Config { connection_state_recovery: Some(recovery), ..Config::default() };
    server::socketio(config, namespaces).await
}

/// A client in `/`, its ids, and what it was sent before it was let in.
pub(crate) struct Client {
    pub(crate) websocket: WebSocket,
    pub(crate) sid: String,
    pub(crate) pid: String,
    pub(crate) missed: Vec<Frame>,
}

/// Joins `/` on a connection of its own, with this as `auth`.
pub(crate) async fn join(endpoint: Endpoint, auth: &str) -> Client {
    let (mut websocket, _sid) = WebSocket::open(endpoint).await;
    websocket.send(&format!("40{auth}")).await;
    let mut missed = Vec::new();
    loop {
        match websocket.frame().await {
            Frame::Text(answer) if answer.starts_with("40") => {
                let (sid, pid) = ids(&answer);
                return Client { websocket, sid, pid, missed };
            }
            Frame::End => panic!("closed after {missed:?}"),
            frame => missed.push(frame),
        }
    }
}

/// The ids in the answer to a CONNECT.
pub(crate) fn ids(answer: &str) -> (String, String) {
    let ids = answer.strip_prefix(r#"40{"sid":""#).and_then(|rest| rest.strip_suffix(r#""}"#));
    let (sid, pid) =
        ids.and_then(|ids| ids.split_once(r#"","pid":""#)).unwrap_or_else(|| panic!("not two ids: {answer}"));
    (sid.to_owned(), pid.to_owned())
}

impl Client {
    pub(crate) fn ids(&self) -> (&str, &str) {
        (&self.sid, &self.pid)
    }

    /// The `auth` with which it comes back.
    pub(crate) fn claim(&self, offset: &str) -> String {
        format!(r#"{{"pid":"{}","offset":"{offset}"}}"#, self.pid)
    }

    /// The `auth` of one that has not seen an offset.
    pub(crate) fn claim_without_offset(&self) -> String {
        format!(r#"{{"pid":"{}"}}"#, self.pid)
    }

    /// The next event, without its offset, and the offset.
    async fn event(&mut self) -> (String, String) {
        loop {
            match &*self.websocket.text().await {
                "2" => self.websocket.send("3").await,
                event => return split(event),
            }
        }
    }

    /// Answers the ping that came before it was let in, if one did.
    pub(crate) async fn pong(&mut self) {
        if self.missed.contains(&text("2")) {
            self.websocket.send("3").await;
        }
    }

    /// Asks for an ack in place of what the test's server does. Its pings are left unanswered.
    pub(crate) async fn ask(&mut self, event: &str) -> String {
        self.websocket.send(&format!("421{event}")).await;
        loop {
            let answer = self.websocket.text().await;
            if answer != "2" {
                return answer;
            }
        }
    }
}

/// An event without its last argument, which is an offset, and the offset.
fn split(event: &str) -> (String, String) {
    let parts = event.strip_suffix("\"]").and_then(|event| event.rsplit_once(",\""));
    let (event, offset) = parts.unwrap_or_else(|| panic!("no string at the end: {event}"));
    assert!(!offset.is_empty() && offset.is_ascii() && !offset.contains(['"', '\\', '[', ']']), "{offset}");
    (format!("{event}]"), offset.to_owned())
}

/// Events without their offsets, and without pings; other frames as they are.
pub(crate) fn events(frames: &[Frame]) -> Vec<Frame> {
    let event = |frame: &Frame| match frame {
        Frame::Text(event) => text(split(event).0),
        other => other.clone(),
    };
    frames.iter().filter(|frame| **frame != text("2")).map(event).collect()
}

/// At this point of what is emitted, waits until the client was cut twice.
pub(crate) fn await_cuts(cuts: &AtomicUsize, is_there: bool) {
    while is_there && cuts.load(Ordering::Relaxed) < 2 {
        std::thread::yield_now();
    }
}

/// Lets a client's connection break, and waits until the server has noticed.
pub(crate) async fn cut(client: Client, told: &mut Told<(String, Vec<String>)>) {
    drop(client.websocket);
    assert_eq!(told.next().await.0, "transport close");
}

/// A namespace whose clients can ask for what the server has of them.
pub(crate) fn asked(namespace: Namespace) -> Namespace {
    namespace
        .on("state", async |socket: Socket| {
            let rooms: Vec<_> = socket.rooms().iter().map(ToString::to_string).collect();
            Reply((socket.recovered(), rooms, socket.get::<String>().map(|kept| (*kept).clone())))
        })
        .on("keep", async |socket: Socket, Data(text): Data<String>| {
            socket.set(text);
            Reply(())
        })
        .on("tell others", async |socket: Socket, Data(text): Data<String>| {
            socket.broadcast().emit("told", &text).map(Reply)
        })
}

#[tokio::test]
async fn rc_01_off_by_default() {
    let (server, io) = serve([asked(namespace("/"))]).await;
    let (mut websocket, _sid) = WebSocket::open(server.endpoint).await;
    websocket.send(r#"40{"pid":"0123456789012345678901234567890123456789","offset":"01234567.1"}"#).await;
    let answer = websocket.text().await;
    assert!(answer.starts_with(r#"40{"sid":""#) && answer.ends_with("\"}") && !answer.contains("pid"), "{answer}");
    io.of("/").expect("served").emit("news", &1).expect("emitted");
    assert_eq!(heard(&mut websocket).await, [text(r#"42["news",1]"#)]);
}

#[tokio::test]
async fn rc_02_03_events_without_acks_have_offsets() {
    let root = asked(namespace("/")).on("question", async |socket: Socket| {
        let _never_answered = socket.emit_with_ack::<()>("question", "?").map(drop);
    });
    let (server, io) = serve_recovering([root, namespace("/other")]).await;
    let mut client = join(server.endpoint, "").await;
    let other = join(server.endpoint, "").await;
    assert_eq!((client.sid.len(), client.pid.len(), client.missed.len()), (20, 40, 0));
    assert!(client.sid != other.sid && client.pid[20..] != other.pid[20..]);

    let root = io.of("/").expect("served");
    let binary = Value::Binary(vec![1, 2].into());
    root.emit("all", &()).expect("emitted");
    root.clone().to(&client.sid).emit("one", &("é", [1])).expect("emitted");
    root.to(&client.sid).sockets()[0].emit("binary", &binary).expect("emitted");
    let mut offsets = Vec::new();
    for expected in [r#"42["all"]"#, r#"42["one","é",[1]]"#, r#"451-["binary",{"_placeholder":true,"num":0}]"#] {
        let (event, offset) = client.event().await;
        assert_eq!(event, expected);
        assert!(!offsets.contains(&offset));
        offsets.push(offset);
    }
    assert_eq!(client.websocket.frame().await, Frame::Binary(vec![1, 2]));
    assert_eq!(client.ask(r#"["ack","x"]"#).await, r#"431["x"]"#, "acks have none");
    client.websocket.send(r#"42["question"]"#).await;
    let question = client.websocket.text().await;
    assert!(question.starts_with("42") && question.ends_with(r#"["question","?"]"#), "{question}");

    client.websocket.send("40/other,").await;
    let answer = client.websocket.text().await;
    assert!(answer.starts_with("40/other,{\"sid\":\"") && answer.contains("\",\"pid\":\""), "{answer}");
    io.of("/other").expect("served").emit("news", &"x".repeat(70_000)).expect("emitted");
    let (event, offset) = client.event().await;
    assert_eq!(event, format!(r#"42/other,["news","{}"]"#, "x".repeat(70_000)));
    assert!(!offsets.contains(&offset));
}

#[tokio::test]
async fn rc_04_05_missed_events_come_first_and_in_order() {
    let (root, mut told) = telling(asked(namespace("/")));
    let (server, io) = serve_recovering([root]).await;
    let root = io.of("/").expect("served");
    let mut client = join(server.endpoint, "").await;
    assert_eq!(client.ask(r#"["state"]"#).await, "431[false,[],null]", "RC-05: a first connection");
    client.ask(r#"["join","a"]"#).await;
    client.ask(r#"["join","b"]"#).await;
    client.ask(r#"["keep","kept"]"#).await;
    root.emit("seen", &1).expect("emitted");
    let (_event, offset) = client.event().await;
    root.emit("sent", &2).expect("emitted");
    let stale = root.clone().to(&client.sid).sockets().remove(0);
    let (claim, sid, pid) = (client.claim(&offset), client.sid.clone(), client.pid.clone());
    cut(client, &mut told).await;

    root.emit("all", &3).expect("emitted");
    root.clone().to("a").to("b").emit("rooms", &4).expect("emitted");
    root.clone().to(&sid).emit("direct", &Value::Binary(vec![5].into())).expect("emitted");
    root.clone().to("c").emit("other room", &6).expect("emitted");
    stale.emit("by an old handle", &7).expect("its client may come back");
    assert!(!stale.is_connected() && !stale.recovered());
    let missed = [
        text(r#"42["sent",2]"#),
        text(r#"42["all",3]"#),
        text(r#"42["rooms",4]"#),
        text(r#"451-["direct",{"_placeholder":true,"num":0}]"#),
        Frame::Binary(vec![5]),
        text(r#"42["by an old handle",7]"#),
    ];
    let mut client = join(server.endpoint, &claim).await;
    assert_eq!(client.ids(), (&*sid, &*pid));
    assert_eq!(events(&client.missed), missed);
    assert_eq!(client.ask(r#"["state"]"#).await, r#"431[true,["a","b"],"kept"]"#);
    stale.emit("later", &8).expect("its client is back");
    root.clone().to("b").emit("later", &9).expect("emitted");
    assert_eq!(client.event().await.0, r#"42["later",8]"#);
    let (event, offset) = client.event().await;
    assert_eq!(event, r#"42["later",9]"#);

    // Once more, from the middle of what it missed, and over polling.
    let Frame::Text(direct) = &client.missed[3] else { panic!("not text: {:?}", client.missed) };
    let (middle, last) = (client.claim(&split(direct).1), client.claim(&offset));
    cut(client, &mut told).await;
    let mut polling = Polling::open(server.endpoint).await;
    polling.post(format!("40{middle}")).await;
    let body = polling.get().await.body;
    let packets: Vec<_> = body.split('\x1e').collect();
    let (connect, missed) = packets.split_last().expect("a packet");
    assert_eq!(ids(connect), (sid.clone(), pid));
    let missed: Vec<_> = missed.iter().map(|packet| split(packet).0).collect();
    assert_eq!(missed, [r#"42["by an old handle",7]"#, r#"42["later",8]"#, r#"42["later",9]"#]);
    polling.post("1").await;
    assert_eq!(told.next().await, ("transport close".into(), vec!["a".into(), "b".into()]));
    assert_eq!(join(server.endpoint, &last).await.missed, [], "nothing since");
}

#[tokio::test]
async fn rc_04_without_an_offset_all_since_the_first_connection_is_sent() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve_recovering([root]).await;
    let root = io.of("/").expect("served");
    let _someone = join(server.endpoint, "").await;
    root.emit("before", &()).expect("emitted");
    let client = join(server.endpoint, "").await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    root.emit("sent", &()).expect("emitted");
    cut(client, &mut told).await;
    root.emit("missed", &()).expect("emitted");
    for _ in 0..2 {
        let client = join(server.endpoint, &claim).await;
        assert_eq!(client.sid, sid);
        assert_eq!(events(&client.missed), [text(r#"42["sent"]"#), text(r#"42["missed"]"#)]);
        cut(client, &mut told).await;
    }
    // The offset that a client still has of a server before this one says no more.
    let client = join(server.endpoint, &claim.replace('}', r#","offset":"AAAAAAAA.7"}"#)).await;
    assert_eq!((&*client.sid, client.missed.len()), (&*sid, 2));
}

/// What a connect handler finds: whether the socket is recovered, its rooms, and the `auth`.
type Found = (bool, usize, String);

/// A namespace whose connect handler tells what it finds, and refuses who says `refuse`.
fn greeting(told: UnboundedSender<Found>) -> Namespace {
    asked(namespace("/")).on_connect(move |socket: Socket, Auth(auth): Auth<serde_json::Value>| {
        let refuse = auth["refuse"].is_boolean();
        let _over = told.send((socket.recovered(), socket.rooms().len(), auth["token"].to_string()));
        socket.join("greeted").expect("one room is allowed");
        socket.emit("hello", &socket.recovered()).expect("connecting");
        async move { if refuse { Err(ConnectError::new("no")) } else { Ok(()) } }
    })
}

#[tokio::test]
async fn rc_05_06_the_connect_handler_runs_and_can_tell() {
    let (sender, mut found) = Told::new();
    let (root, mut told) = telling(greeting(sender));
    let (server, io) = serve_recovering([root]).await;
    let mut client = join(server.endpoint, "").await;
    assert_eq!(found.next().await, (false, 0, "null".into()));
    let (event, offset) = client.event().await;
    assert_eq!(event, r#"42["hello",false]"#);
    let (claim, sid) = (client.claim(&offset), client.sid.clone());
    cut(client, &mut told).await;
    io.of("/").expect("served").emit("missed", &()).expect("emitted");

    let mut client = join(server.endpoint, &claim.replace('}', r#","token":1}"#)).await;
    assert_eq!(found.next().await, (true, 1, "1".into()));
    assert_eq!((&*client.sid, events(&client.missed)), (&*sid, vec![text(r#"42["missed"]"#)]));
    assert_eq!(client.event().await.0, r#"42["hello",true]"#, "behind its CONNECT");
    assert_eq!(client.ask(r#"["state"]"#).await, r#"431[true,["greeted"],null]"#);
    cut(client, &mut told).await;

    // Refused, it is new the next time.
    let (mut websocket, _sid) = WebSocket::open(server.endpoint).await;
    websocket.send(&format!("40{}", claim.replace('}', r#","refuse":true}"#))).await;
    assert_eq!(websocket.frame().await, text(r#"44{"message":"no"}"#));
    assert!(found.next().await.0);
    assert_ne!(join(server.endpoint, &claim).await.sid, sid);
}

#[tokio::test]
async fn rc_05_a_connection_lost_while_the_connect_handler_runs_loses_nothing() {
    let (sender, mut held) = Told::new();
    let (root, mut told) = telling(namespace("/"));
    let root = root.on_connect(move |socket: Socket| {
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let is_held = socket.handshake().query.contains("hold") && sender.send(go).is_ok();
        async move {
            if is_held {
                let _gone = wait.await;
            }
        }
    });
    let (server, io) = serve_recovering([root]).await;
    let root = io.of("/").expect("served");
    let client = join(server.endpoint, "").await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;
    root.emit("first", &()).expect("emitted");
    let (mut websocket, _sid) = WebSocket::open(server.endpoint.asked("EIO=4&hold=1")).await;
    websocket.send(&format!("40{claim}")).await;
    let go = held.next().await;
    root.emit("second", &()).expect("emitted");
    drop(websocket);
    // Whether the server has noticed that or not.
    let client = join(server.endpoint, &claim).await;
    assert_eq!((&*client.sid, events(&client.missed)), (&*sid, vec![text(r#"42["first"]"#), text(r#"42["second"]"#)]));
    assert!(go.send(()).is_ok());
    cut(client, &mut told).await;
    told.none();
}

#[tokio::test]
async fn rc_07_i21_whoever_cannot_be_recovered_is_new() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve_recovering([root]).await;
    let mut client = join(server.endpoint, "").await;
    io.of("/").expect("served").emit("news", &()).expect("emitted");
    let (_event, offset) = client.event().await;
    let (claim, pid, sid) = (client.claim(&offset), client.pid.clone(), client.sid.clone());
    let (epoch, position) = offset.split_once('.').expect("two parts");
    let later = format!("{epoch}.{}", position.parse::<u64>().expect("a number") + 1000);
    cut(client, &mut told).await;
    let last = if pid.ends_with('A') { 'B' } else { 'A' };
    let rows = [
        ("nothing", String::new()),
        ("the id alone", claim.replace(&pid, &sid)),
        ("an unknown pid", claim.replace(&pid, &"x".repeat(40))),
        ("no pid", claim.replace(&pid, "x")),
        ("a nearly right pid", claim.replace(&pid, &format!("{}{last}", &pid[..39]))),
        ("the id with another's secret", claim.replace(&pid, &format!("{sid}{}", "x".repeat(20)))),
        ("an unknown offset", claim.replace(&offset, "abc")),
        ("an offset of no form", claim.replace(&offset, &format!("{epoch}-1"))),
        ("an offset that is none", claim.replace(&offset, "é")),
        ("an offset to come", claim.replace(&offset, &later)),
        ("a pid of another type", claim.replace(&format!("\"{pid}\""), "1")),
        ("an offset of another type", claim.replace(&format!("\"{offset}\""), "[]")),
        ("a huge offset", claim.replace(&offset, &format!("{epoch}.{}", "9".repeat(100)))),
    ];
    for (label, auth) in rows {
        let _row = Row(label);
        let client = join(server.endpoint, &auth).await;
        assert!(client.sid != sid && client.pid != pid);
        assert_eq!(client.missed, []);
        cut(client, &mut told).await;
    }
    assert_eq!(join(server.endpoint, &claim).await.ids(), (&*sid, &*pid), "nobody took it from its client");
}

/// Tells of its end.
struct Kept(UnboundedSender<()>);

impl Drop for Kept {
    fn drop(&mut self) {
        let _over = self.0.send(());
    }
}

fn keeping(sender: UnboundedSender<()>) -> Namespace {
    keeping_in(namespace("/"), sender)
}

fn keeping_in(namespace: Namespace, sender: UnboundedSender<()>) -> Namespace {
    namespace.on("keep", move |socket: Socket| {
        socket.set(Kept(sender.clone()));
        async { Reply(()) }
    })
}

#[tokio::test]
async fn rc_07_what_is_kept_is_given_up_in_time() {
    let (sender, mut given_up) = Told::new();
    let (root, mut told) = telling(keeping(sender));
    let max_disconnection_duration = Duration::from_millis(20);
    let (server, _io) = serve_with(Recovery { max_disconnection_duration, ..Recovery::default() }, [root]).await;
    for _ in 0..2 {
        let mut client = join(server.endpoint, "").await;
        client.ask(r#"["keep"]"#).await;
        let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
        cut(client, &mut told).await;
        given_up.next().await;
        let client = join(server.endpoint, &claim).await;
        assert_ne!(client.sid, sid);
        cut(client, &mut told).await;
    }
}

#[tokio::test]
async fn rc_07_a_client_may_be_away_for_as_long_as_is_wanted() {
    let (root, mut told) = telling(namespace("/"));
    let recovery = Recovery { max_disconnection_duration: Duration::MAX, ..Recovery::default() };
    let (server, _io) = serve_with(recovery, [root]).await;
    let client = join(server.endpoint, "").await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;
    assert_eq!(join(server.endpoint, &claim).await.sid, sid);
}

/// What one client alone is sent when it joins a room has no place among what all may have missed.
#[tokio::test]
async fn rc_07_what_rooms_tell_who_joins_them_makes_nobody_a_new_client() {
    let kept = || namespace("/").room_history("kept:*", RoomHistory::default());
    let present = namespace("/").presence("present:*", Presence::default()).on_connect(async |socket: Socket| {
        socket.identify(socket.id().as_str(), json!({ "about": "x".repeat(500) }));
        socket.join("present:1")
    });
    for (label, root, is_present) in [("presence", present, true), ("history", kept(), false)] {
        let _row = Row(label);
        let (root, mut told) = telling(root);
        let recovery = Recovery { max_bytes: 50_000, ..Recovery::default() };
        let (server, io) = serve_with(recovery, [root]).await;
        let (mut claims, mut clients) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            let mut client = join(server.endpoint, "").await;
            let claim = match is_present {
                true => {
                    let (_state, offset) = client.event().await;
                    client.claim(&offset)
                }
                false => client.claim_without_offset(),
            };
            claims.push((claim, client.sid.clone()));
            clients.push(client);
        }
        for mut client in clients {
            heard(&mut client.websocket).await;
            cut(client, &mut told).await;
        }
        if !is_present {
            for room in ["kept:1", "kept:2"] {
                io.to(room).emit("kept", &"x".repeat(10_000)).expect("emitted");
            }
            let mut other = join(server.endpoint, "").await;
            for at in 0..20 {
                let [here, there] = if at % 2 == 0 { ["kept:1", "kept:2"] } else { ["kept:2", "kept:1"] };
                other.ask(&format!(r#"["leave","{there}"]"#)).await;
                other.websocket.send(&format!(r#"421["join","{here}"]"#)).await;
                assert_eq!(heard(&mut other.websocket).await.len(), 2, "what the room keeps, and the ack");
            }
        }
        for (claim, sid) in claims {
            assert_eq!(join(server.endpoint, &claim).await.sid, sid);
        }
    }
}

#[tokio::test]
async fn rc_07_there_are_bounds_on_what_is_kept() {
    let (sender, mut given_up) = Told::new();
    let (root, mut told) = telling(keeping(sender));
    let recovery = Recovery { max_bytes: 10_000, max_sessions: 2, ..Recovery::default() };
    let (server, io) = serve_with(recovery, [root]).await;
    let (mut claims, mut sids) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut client = join(server.endpoint, "").await;
        client.ask(r#"["keep"]"#).await;
        claims.push(client.claim_without_offset());
        sids.push(client.sid.clone());
        cut(client, &mut told).await;
    }
    given_up.next().await;
    given_up.none();
    let new = join(server.endpoint, &claims[0]).await;
    assert_ne!(new.sid, sids[0], "too many were away");
    let small = "x".repeat(100);
    io.of("/").expect("served").emit("small", &small).expect("emitted");
    let client = join(server.endpoint, &claims[1]).await;
    assert_eq!((&client.sid, events(&client.missed)), (&sids[1], vec![text(format!(r#"42["small","{small}"]"#))]));
    for _ in 0..50 {
        io.of("/").expect("served").emit("many", &small).expect("emitted");
    }
    assert_ne!(join(server.endpoint, &claims[2]).await.sid, sids[2], "too much was missed");
}

#[tokio::test]
async fn rc_08_reasons_after_which_a_client_can_come_back() {
    let root = namespace("/")
        .on("kick", async |socket: Socket| socket.disconnect())
        .on("close", async |socket: Socket| socket.close());
    let (root, mut told) = telling(root);
    let (server, _io) = serve_recovering([root]).await;
    let rows = [
        ("the client leaves", masked(TEXT, b"41"), "client namespace disconnect", false),
        ("the server disconnects it", masked(TEXT, br#"42["kick"]"#), "server namespace disconnect", false),
        ("the client sends what is no packet", masked(TEXT, b"x"), "parse error", false),
        ("the server closes its connection", masked(TEXT, br#"42["close"]"#), "forced close", true),
        ("the client closes the session", masked(TEXT, b"1"), "transport close", true),
        ("the client closes the WebSocket", masked(CLOSE, b""), "transport close", true),
        ("the client breaks WebSocket", vec![TEXT, 0], "transport error", true),
    ];
    for (label, bytes, reason, is_kept) in rows {
        let _row = Row(label);
        let mut client = join(server.endpoint, "").await;
        client.websocket.connection.send(bytes).await;
        assert_eq!(told.next().await.0, reason);
        let again = join(server.endpoint, &client.claim_without_offset()).await;
        assert_eq!(again.sid == client.sid, is_kept);
        drop(client.websocket);
        cut(again, &mut told).await;
    }
}

#[tokio::test]
async fn rc_08_a_client_that_falls_silent_can_come_back() {
    let (root, mut told) = telling(namespace("/"));
    let mut config = Config { connection_state_recovery: Some(Recovery::default()), ..Config::default() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (Duration::from_millis(20), Duration::from_secs(1));
    let (server, io) = server::socketio(config, [root]).await;
    let client = join(server.endpoint, "").await;
    assert_eq!(told.next().await.0, "ping timeout");
    io.of("/").expect("served").emit("missed", &()).expect("emitted");
    let again = join(server.endpoint, &client.claim_without_offset()).await;
    assert_eq!(again.sid, client.sid);
    assert_eq!(events(&again.missed), [text(r#"42["missed"]"#)]);
}

#[tokio::test]
async fn rc_08_a_socket_that_is_away_can_be_sent_away() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve_recovering([root]).await;
    let client = join(server.endpoint, "").await;
    let socket = io.of("/").expect("served").sockets().remove(0);
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;
    socket.disconnect();
    socket.emit("nobody", &()).expect_err("there is no such client any more");
    assert_ne!(join(server.endpoint, &claim).await.sid, sid);
    told.none();
}

#[tokio::test]
async fn rc_09_what_was_for_others_is_not_sent() {
    let (root, mut told) = telling(asked(namespace("/")));
    let (server, io) = serve_recovering([root]).await;
    let root = io.of("/").expect("served");
    let mut other = join(server.endpoint, "").await;
    let mut client = join(server.endpoint, "").await;
    client.ask(r#"["join","early"]"#).await;
    root.clone().to("late").emit("before it joined", &()).expect("emitted");
    client.ask(r#"["join","late"]"#).await;
    root.clone().to("early").emit("before it left", &()).expect("emitted");
    let (event, _offset) = client.event().await;
    assert_eq!(event, r#"42["before it left"]"#);
    client.ask(r#"["leave","early"]"#).await;
    root.clone().to("early").emit("after it left", &()).expect("emitted");
    client.websocket.send(r#"421["tell others","by itself"]"#).await;
    assert_eq!(client.websocket.text().await, "431[1]");
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;

    root.clone().to("early").emit("another room", &()).expect("emitted");
    root.clone().except("late").emit("not its room", &()).expect("emitted");
    root.clone().to("late").except(&sid).emit("not itself", &()).expect("emitted");
    root.clone().to(&other.sid).emit("to another", &()).expect("emitted");
    root.to("late").except("early").emit("for it", &()).expect("emitted");
    let client = join(server.endpoint, &claim).await;
    assert_eq!(client.sid, sid);
    assert_eq!(events(&client.missed), [text(r#"42["before it left"]"#), text(r#"42["for it"]"#)]);
    for expected in [r#"42["told","by itself"]"#, r#"42["not its room"]"#, r#"42["to another"]"#] {
        assert_eq!(other.event().await.0, expected);
    }
    assert_eq!(heard(&mut other.websocket).await, []);
}

#[tokio::test]
async fn i21_a_client_takes_over_from_a_connection_that_is_not_known_to_be_dead() {
    let (sender, mut reasons) = Told::new();
    let root = asked(namespace("/")).on_disconnect(move |reason: DisconnectReason| {
        let _over = sender.send(reason);
        async {}
    });
    let (server, io) = serve_recovering([root]).await;
    let root = io.of("/").expect("served");
    let mut before = join(server.endpoint, "").await;
    before.ask(r#"["join","room"]"#).await;
    before.ask(r#"["keep","kept"]"#).await;
    root.emit("sent into the void", &()).expect("emitted");

    let mut after = join(server.endpoint, &before.claim_without_offset()).await;
    assert_eq!(reasons.next().await, DisconnectReason::TakenOver);
    assert_eq!(after.ids(), before.ids());
    assert_eq!(events(&after.missed), [text(r#"42["sent into the void"]"#)]);
    assert_eq!(after.ask(r#"["state"]"#).await, r#"431[true,["room"],"kept"]"#);
    assert_eq!(before.event().await.0, r#"42["sent into the void"]"#);
    assert_eq!(before.websocket.frame().await, CLOSED, "nobody listens there");

    assert_eq!(root.clone().to("room").emit("once", &()).expect("emitted"), 1);
    assert_eq!(events(&heard(&mut after.websocket).await), [text(r#"42["once"]"#)]);
    after.websocket.send("41").await;
    assert_eq!(reasons.next().await, DisconnectReason::ClientNamespaceDisconnect);
    reasons.none();
    assert_ne!(join(server.endpoint, &after.claim_without_offset()).await.sid, after.sid);
}

#[tokio::test]
async fn rc_04_a_client_that_heard_nothing_for_long_is_recovered() {
    let (root, mut told) = telling(namespace("/"));
    let recovery = Some(Recovery { max_bytes: 5_000, ..Recovery::default() });
    let mut config = Config { connection_state_recovery: recovery, ..Config::default() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (Duration::from_millis(10), Duration::from_millis(750));
    let (server, io) = server::socketio(config, [root]).await;
    let root = io.of("/").expect("served");
    let mut client = join(server.endpoint, "").await;
    client.pong().await;
    root.emit("seen", &()).expect("emitted");
    let (_event, offset) = client.event().await;
    let (claim, sid) = (client.claim(&offset), client.sid.clone());
    for _ in 0..50 {
        root.clone().to("others").emit("not for it", &"x".repeat(100)).expect("emitted");
    }
    // Longer than a connection can be dead before that is known: an interval and four times the timeout.
    for _ in 0..302 {
        assert_eq!(client.websocket.frame().await, text("2"));
        client.websocket.send("3").await;
    }
    root.emit("lost on its way", &()).expect("emitted");
    cut(client, &mut told).await;
    root.emit("missed", &()).expect("emitted");
    let client = join(server.endpoint, &claim).await;
    assert_eq!(client.sid, sid);
    assert_eq!(events(&client.missed), [text(r#"42["lost on its way"]"#), text(r#"42["missed"]"#)]);
}

/// However long it is that nobody listens to a client, and so that it is not known to be dead.
#[tokio::test]
async fn rc_04_what_a_held_connection_was_sent_is_not_taken_for_heard() {
    let (gate, (sender, mut begun)) = (Arc::new(Notify::new()), Told::new());
    let opened = gate.clone();
    let (root, mut told) = telling(namespace("/").on("wait", move || {
        let opened = opened.clone();
        let _over = sender.send(());
        async move { opened.notified().await }
    }));
    let recovery = Some(Recovery { max_bytes: 5_000, ..Recovery::default() });
    let limits = Limits { max_running_events: 1, ..Limits::default() };
    let mut config = Config { connection_state_recovery: recovery, limits, ..Config::default() };
    (config.engine.ping_interval, config.engine.ping_timeout) = (Duration::from_millis(10), Duration::from_millis(500));
    let (server, io) = server::socketio(config, [root]).await;
    let mut client = join(server.endpoint, "").await;
    client.pong().await;
    io.emit("seen", &()).expect("emitted");
    let (_event, offset) = client.event().await;
    let (claim, sid) = (client.claim(&offset), client.sid.clone());
    for _ in 0..50 {
        io.to("others").emit("not for it", &"x".repeat(100)).expect("emitted");
    }
    // Two, so that one was sent behind all this.
    for _ in 0..2 {
        assert_eq!(client.websocket.frame().await, text("2"));
        client.websocket.send("3").await;
    }
    client.websocket.send(r#"42["wait"]"#).await;
    begun.next().await;
    io.emit("lost on its way", &()).expect("emitted");
    // Of which each one takes its timeout, as nobody listens. It takes longer to be dead than is known otherwise.
    let mut pings = 0;
    while pings < 6 {
        pings += u8::from(client.websocket.frame().await == text("2"));
    }
    gate.notify_one();
    assert_eq!(told.next().await.0, "ping timeout");
    let client = join(server.endpoint, &claim).await;
    assert_eq!(client.sid, sid);
    assert_eq!(events(&client.missed), [text(r#"42["lost on its way"]"#)]);
}

#[tokio::test]
async fn v2_clients_of_protocol_4_are_never_recovered_and_see_no_offsets() {
    let (root, mut told) = telling(namespace("/"));
    let mut config = Config { connection_state_recovery: Some(Recovery::default()), ..Config::default() };
    config.engine.allow_eio3 = true;
    let (server, io) = server::socketio(config, [root]).await;
    let root = io.of("/").expect("served");
    let (mut old, sid) = WebSocket::open(server.endpoint.asked("EIO=3")).await;
    assert_eq!(old.frame().await, text("40"));
    let mut new = join(server.endpoint, "").await;
    assert_eq!(root.emit("all", &1).expect("emitted"), 2);
    root.clone().to(&sid).emit("by room", &2).expect("emitted");
    root.clone().to(&sid).sockets()[0].emit("direct", &3).expect("emitted");
    assert_eq!(new.event().await.0, r#"42["all",1]"#);
    for event in [r#"42["all",1]"#, r#"42["by room",2]"#, r#"42["direct",3]"#] {
        assert_eq!(old.frame().await, text(event));
    }
    drop(old);
    assert_eq!(told.next().await.0, "transport close");
    assert_eq!(root.to(&sid).sockets(), []);
}

/// Emits numbered events, each by a thread of its own, until the client has come back so often.
fn emit_from_all_sides(
    io: &SocketIo,
    sid: &str,
    rounds: u32,
    cuts: &Arc<AtomicUsize>,
) -> Vec<std::thread::JoinHandle<()>> {
    let broadcast = io.of("/").expect("served");
    let socket = broadcast.clone().to(sid).sockets().remove(0);
    let emits: [Box<dyn Fn(u32) + Send>; 3] = [
        Box::new({
            let all = broadcast.clone();
            move |number| drop(all.emit("all", &number))
        }),
        Box::new(move |number| drop(broadcast.clone().to("room").emit("room", &number))),
        Box::new(move |number| socket.emit("direct", &number).expect("its client comes back")),
    ];
    let thread = |emit: Box<dyn Fn(u32) + Send>| {
        let cuts = cuts.clone();
        std::thread::spawn(move || {
            for number in 0..rounds {
                await_cuts(&cuts, number == rounds / 2);
                emit(number);
            }
        })
    };
    emits.into_iter().map(thread).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rc_04_nothing_is_lost_or_twice_or_out_of_order_however_often_a_client_is_cut() {
    const EVENTS: u32 = 2000;
    let root = asked(namespace("/"));
    let (server, io) = serve_recovering([root]).await;
    let mut client = join(server.endpoint, "").await;
    client.ask(r#"["join","room"]"#).await;
    let sid = client.sid.clone();
    let done = Arc::default();
    let threads = emit_from_all_sides(&io, &sid, EVENTS, &done);
    let (mut next, mut last, mut cuts) = ([0; 3], client.claim_without_offset(), 0_usize);
    let mut see = |event: &str| {
        let (event, offset) = split(event);
        let (name, number) = event.strip_prefix("42[\"").and_then(|event| event.split_once("\",")).expect("an event");
        let at = ["all", "room", "direct"].iter().position(|known| *known == name).expect("a name");
        assert_eq!(number.strip_suffix(']').and_then(|number| number.parse().ok()), Some(next[at]), "{name}");
        next[at] += 1;
        (offset, next == [EVENTS; 3])
    };
    'all: loop {
        // More each time, so that they are cut in the middle of bursts, too; none before the second cut, for which
        // what is emitted may be waiting.
        for _ in 0..cuts.saturating_sub(1) * 7 % 300 {
            let (offset, is_all) = see(&client.websocket.text().await);
            last = client.claim(&offset);
            if is_all {
                break 'all;
            }
        }
        // The server may know of the end, or not yet.
        client = join(server.endpoint, &last).await;
        assert_eq!(client.sid, sid, "after {cuts} cuts");
        cuts += 1;
        done.store(cuts, Ordering::Relaxed);
        for missed in std::mem::take(&mut client.missed) {
            let Frame::Text(event) = missed else { panic!("not text: {missed:?}") };
            let (offset, is_all) = see(&event);
            last = client.claim(&offset);
            if is_all {
                break 'all;
            }
        }
    }
    assert!(cuts > 1);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(heard(&mut client.websocket).await, []);
}

#[tokio::test]
async fn rc_07_who_missed_more_than_may_wait_for_it_is_new_the_next_time() {
    let (root, mut told) = telling(namespace("/"));
    let mut config = Config { connection_state_recovery: Some(Recovery::default()), ..Config::default() };
    config.engine.max_outbox_bytes = 1000;
    let (server, io) = server::socketio(config, [root]).await;
    let client = join(server.endpoint, "").await;
    let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
    cut(client, &mut told).await;
    for _ in 0..2 {
        io.of("/").expect("served").emit("much", &"x".repeat(1000)).expect("emitted");
    }
    let (mut websocket, _sid) = WebSocket::open(server.endpoint).await;
    websocket.send(&format!("40{claim}")).await;
    assert_eq!(told.next().await.0, "slow consumer");
    assert_ne!(join(server.endpoint, &claim).await.sid, sid);
}

#[tokio::test]
async fn rc_07_namespaces_that_are_used_need_the_room_of_others() {
    for (bytes, comes_back) in [(1000, true), (5000, false)] {
        let _row = Row(&bytes.to_string());
        let (root, mut told) = telling(namespace("/"));
        let recovery = Recovery { total_bytes: 5000, ..Recovery::default() };
        let (server, io) = serve_with(recovery, [root, namespace("/other")]).await;
        let client = join(server.endpoint, "").await;
        let (claim, sid) = (client.claim_without_offset(), client.sid.clone());
        cut(client, &mut told).await;
        // Somebody has to be there for whom something is kept.
        let (_other, _) = tests::socket::connect(server.endpoint, "/other").await;
        io.of("/").expect("served").emit("missed", &()).expect("emitted");
        io.of("/other").expect("served").emit("much", &"x".repeat(bytes)).expect("emitted");
        let back = join(server.endpoint, &claim).await;
        assert_eq!((back.sid == sid, back.missed.len()), (comes_back, usize::from(comes_back)));
    }
}

/// Middlewares decide about newcomers; of one that is recovered they have decided before.
#[tokio::test]
async fn rc_06_middlewares_are_skipped_unless_they_are_wanted() {
    for skip_middlewares in [true, false] {
        let (sender, mut asked_for) = Told::new();
        let root = asked(namespace("/")).middleware(move |socket: Socket| {
            let _over = sender.send(socket.recovered());
            async {}
        });
        let (root, mut told) = telling(root);
        let (server, _io) = serve_with(Recovery { skip_middlewares, ..Recovery::default() }, [root]).await;
        let client = join(server.endpoint, "").await;
        let claim = client.claim_without_offset();
        cut(client, &mut told).await;
        let mut back = join(server.endpoint, &claim).await;
        assert!(back.ask(r#"["state"]"#).await.starts_with("431[true,"));
        assert!(!asked_for.next().await);
        if skip_middlewares {
            asked_for.none();
        } else {
            assert!(asked_for.next().await);
        }
    }
}

/// A namespace of a family waits for those who may come back to it, and no longer.
#[tokio::test]
async fn rc_05_ns_25_a_namespace_waits_for_who_may_come_back() {
    async fn join(endpoint: Endpoint, auth: &str) -> (WebSocket, (String, String), Vec<String>) {
        let (mut websocket, _sid) = WebSocket::open(endpoint).await;
        websocket.send(&format!("40/game-1,{auth}")).await;
        let mut missed = Vec::new();
        loop {
            let text = websocket.text().await;
            match text.strip_prefix("40/game-1,") {
                Some(answer) => return (websocket, ids(&format!("40{answer}")), missed),
                None => missed.push(text),
            }
        }
    }
    let (sender, mut given_up) = Told::new();
    let family = || keeping_in(Namespace::pattern("/game-{id}"), sender.clone());
    let (patient, mut told) = telling(family());
    let (server, io) = serve_recovering([patient]).await;
    let (first, (sid, pid), _missed) = join(server.endpoint, "").await;
    drop(first);
    assert_eq!(told.next().await.0, "transport close");
    let game = io.of("/game-1").expect("it waits");
    assert_eq!(game.emit("missed", &1).expect("encoded"), 0);
    drop(game);
    let (_back, (same_sid, _pid), missed) = join(server.endpoint, &format!(r#"{{"pid":"{pid}"}}"#)).await;
    assert_eq!(same_sid, sid);
    assert!(missed.len() == 1 && missed[0].starts_with(r#"42/game-1,["missed",1,""#), "{missed:?}");

    let recovery = Recovery { max_disconnection_duration: Duration::from_millis(20), ..Recovery::default() };
    let (server, io) = serve_with(recovery, [family()]).await;
    let (mut client, _ids, _missed) = join(server.endpoint, "").await;
    client.send(r#"42/game-1,1["keep"]"#).await;
    assert_eq!(client.text().await, "43/game-1,1[]");
    drop(client);
    given_up.next().await;
    within(async {
        while io.of("/game-1").is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Whether it is the handler itself that does so, or anybody while it runs.
#[tokio::test]
async fn who_is_made_to_leave_while_it_leaves_is_not_recovered() {
    let root = namespace("/").on_disconnecting(async |socket: Socket| socket.disconnect());
    let (root, mut told) = telling(root);
    let (server, _io) = serve_recovering([root]).await;
    let client = join(server.endpoint, "").await;
    let claim = client.claim_without_offset();
    let before = client.sid.clone();
    cut(client, &mut told).await;
    assert_ne!(join(server.endpoint, &claim).await.sid, before);
}
