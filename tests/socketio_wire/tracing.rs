//! What subscribers of `tracing` are told, and what they are not.

use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    sync::Once,
};

use serde_json::json;
use socketio::{Args, Auth, Config, ConnectError, Data, Namespace, SocketIo, testing::Client};
use tests::{
    frames::{CLOSED, WebSocket},
    server, socket, within,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use tracing_core::span::Current;

use crate::namespace;

/// What is told on one thread, as text, one line for each span and event: `LEVEL span > event field=value`.
struct Thread {
    spans: Vec<&'static Metadata<'static>>,
    entered: Vec<u64>,
    lines: UnboundedSender<String>,
}

thread_local! {
    static THREAD: RefCell<Option<Thread>> = const { RefCell::new(None) };
}

/// Does this to what is told on this thread, if somebody listens there.
fn here<T: Default>(work: impl FnOnce(&mut Thread) -> T) -> T {
    THREAD.with_borrow_mut(|thread| thread.as_mut().map(work).unwrap_or_default())
}

/// The one subscriber of this process: with one for each thread, `tracing` may remember for all of them what one that
/// does not listen had no interest in.
struct Listener;

/// What is written down on this thread.
struct Lines(UnboundedReceiver<String>);

impl Lines {
    #[track_caller]
    fn next(&mut self) -> impl Future<Output = String> {
        let next = within(self.0.recv());
        async move { next.await.expect("somebody listens") }
    }
}

/// Listens on this thread, on which all that the test does happens.
fn listen() -> Lines {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).expect("there is no other"));
    let (lines, received) = unbounded_channel();
    THREAD.set(Some(Thread { spans: Vec::new(), entered: Vec::new(), lines }));
    Lines(received)
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        }
        .expect("a String takes everything");
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "socketio"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let metadata = attributes.metadata();
        let mut fields = Fields(format!("{} {}", metadata.level(), metadata.name()));
        attributes.record(&mut fields);
        let number = here(|thread| {
            let _nobody_reads = thread.lines.send(fields.0);
            thread.spans.push(metadata);
            thread.spans.len() as u64
        });
        Id::from_u64(number.max(1))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let span = here(|thread| thread.entered.last().map(u64::to_string).unwrap_or_default());
        let mut fields = Fields(format!("{} {span}>", event.metadata().level()));
        event.record(&mut fields);
        here(|thread| drop(thread.lines.send(fields.0)));
    }

    fn enter(&self, span: &Id) {
        here(|thread| thread.entered.push(span.into_u64()));
    }

    fn exit(&self, _: &Id) {
        here(|thread| {
            thread.entered.pop();
        });
    }

    fn current_span(&self) -> Current {
        let current = here(|thread| thread.entered.last().map(|id| (*id, thread.spans[*id as usize - 1])));
        current.map_or_else(Current::none, |(id, metadata)| Current::new(Id::from_u64(id), metadata))
    }
}

#[tokio::test]
async fn t40_the_life_of_a_connection_is_told_without_what_is_secret() {
    let mut lines = listen();
    let root = namespace("/")
        .on("typed", async |_: Data<u8>| {})
        .on("fails", async || {
            tokio::task::yield_now().await;
            Err::<(), _>("no such room")
        })
        .on("panics", async |args: Args| {
            tokio::task::yield_now().await;
            assert!(args.is_empty(), "the test wants a panic");
        });
    let admin = Namespace::new("/admin").on_connect(async |Auth(auth): Auth<serde_json::Value>| {
        if auth["token"] == "secret 1" { Ok(()) } else { Err(ConnectError::new("secret 2")) }
    });
    let io = SocketIo::new(Config::default(), [root, admin]);
    let options = Client::options().auth(json!({ "token": "secret 3" })).query("token=secret-4");
    let client = options.header("cookie", "secret-5").connect(&io).await.expect("let in");
    assert_eq!(lines.next().await, r#"INFO connection transport="websocket" protocol=5"#);
    let id = client.id();
    assert_eq!(lines.next().await, format!(r#"DEBUG 1> socket joined namespace="/" socket="{id}""#));

    client.connect_to("/admin", json!({ "token": "secret 6" })).await.expect_err("refused");
    assert_eq!(lines.next().await, r#"INFO 1> join refused namespace="/admin""#);
    client.connect_to("/none", ()).await.expect_err("refused");
    assert_eq!(lines.next().await, r#"INFO 1> join refused namespace="/none""#);
    let admin = client.connect_to("/admin", json!({ "token": "secret 1" })).await.expect("let in");
    let id = admin.id();
    assert_eq!(lines.next().await, format!(r#"DEBUG 1> socket joined namespace="/admin" socket="{id}""#));
    admin.disconnect();
    let left = format!(r#"DEBUG 1> socket left namespace="/admin" socket="{id}" reason="client namespace disconnect""#);
    assert_eq!(lines.next().await, left);

    client.emit("typed", "secret 7").expect("sent");
    assert_eq!(lines.next().await, r#"INFO 1> handler not called namespace="/" event="typed""#);
    client.emit("fails", "secret 8").expect("sent");
    assert_eq!(lines.next().await, r#"WARN 1> handler failed namespace="/" event="fails" error="no such room""#);
    client.emit("panics", "secret 9").expect("sent");
    assert_eq!(lines.next().await, r#"ERROR 1> handler panicked namespace="/" event="panics""#);
    let left = format!(r#"namespace="/" socket="{}" reason="server namespace disconnect""#, client.id());
    assert_eq!(lines.next().await, format!("DEBUG 1> socket left {left}"));
    client.cut();
    assert_eq!(lines.next().await, r#"DEBUG 1> connection closed reason="transport close""#);
}

#[tokio::test]
async fn t40_packets_that_are_refused_are_told_without_their_bytes() {
    let mut lines = listen();
    let (server, _io) = server::socketio(Config::default(), [namespace("/")]).await;
    for (packet, why) in [("4secret", "the packet type is unknown"), ("42[\"secret\"]", "out of place")] {
        let (mut client, _sid) = WebSocket::open(server.endpoint).await;
        client.send(packet).await;
        assert_eq!(client.frame().await, CLOSED);
        assert!(lines.next().await.starts_with("INFO connection"));
        let refused = lines.next().await;
        assert!(refused.ends_with(&format!("> packet refused error={why:?}")), "{refused}");
        assert!(lines.next().await.ends_with(r#"> connection closed reason="forced close""#));
    }
}

/// Clients of revision 3 make their id of their sid.
#[tokio::test]
async fn t40_an_id_that_is_a_credential_is_not_told() {
    let mut lines = listen();
    let config = Config::default();
    let config = Config { engine: engineio::Config { allow_eio3: true, ..config.engine }, ..config };
    let (server, _io) = server::socketio(config, [namespace("/")]).await;
    let (mut client, sid) = WebSocket::open(server.endpoint.asked("EIO=3")).await;
    assert_eq!(client.text().await, "40");
    client.send("41").await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(lines.next().await);
    }
    assert_eq!(heard[0], r#"INFO connection transport="websocket" protocol=4"#);
    assert_eq!(heard[1], r#"DEBUG 1> socket joined namespace="/""#);
    assert_eq!(heard[2], r#"DEBUG 1> socket left namespace="/" reason="client namespace disconnect""#);
    assert!(heard.iter().all(|line| !line.contains(&sid)));
}

#[tokio::test]
async fn m1_a_client_that_does_not_read_is_a_warning() {
    let mut lines = listen();
    let config = Config::default();
    let config = Config { engine: engineio::Config { max_outbox_messages: 8, ..config.engine }, ..config };
    let (server, io) = server::socketio(config, [namespace("/")]).await;
    let (_client, _id) = socket::connect(server.endpoint, "/").await;
    for _ in 0..16 {
        io.emit("news", &()).expect("no reserved name");
    }
    while lines.next().await != r#"WARN 1> slow consumer reason="slow consumer""# {}
}
