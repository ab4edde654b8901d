//! Whatever comes of a hook: each answer, and each want of one, to clients that join and to sockets that leave. What
//! comes of events is in `server_webhooks`.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tests::{
    Row,
    application::Full,
    backend::{Backend, Hook},
    frames::WebSocket,
    process::Process,
    within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

async fn start(name: &str, backend: &str, options: &str) -> Process {
    let file = format!("{}/outcomes-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, &format!("[[backend]]\nurl = '{backend}'\n{options}")).await
}

/// A client in `/` that has sent its CONNECT.
async fn connecting(server: &Process) -> WebSocket {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    client
}

/// What a backend may do instead of answering as it should.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    /// A status without a body.
    Status(u16),
    /// 200 with this body.
    Body(&'static str),
    /// More than an answer may have.
    Large,
    /// What is no HTTP.
    Garbage,
    /// The connection ends.
    Cut,
    /// The head, and then the connection ends.
    Half,
    /// Nothing, for longer than it has.
    Late,
}

impl Outcome {
    /// Gives the hook back that is not to be answered.
    fn answer(self, hook: Hook) -> Option<Hook> {
        match self {
            Self::Status(status) => hook.answer(status, ""),
            Self::Body(body) => hook.done(body),
            Self::Large => hook.done(&"x".repeat((1 << 20) + 1)),
            Self::Garbage => hook.write("nonsense\r\n\r\n"),
            Self::Half => hook.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{"),
            Self::Cut => drop(hook),
            Self::Late => return Some(hook),
        }
        None
    }
}

use Outcome::{Body, Cut, Garbage, Half, Large, Late, Status};

#[tokio::test]
async fn whatever_is_no_answer_to_a_connect_is_asked_again() {
    let mut backend = Backend::listen().await;
    let options = "timeout = '2s'\nbreaker_failures = 0\ndisconnect = false";
    let server = start("connects", &backend.url(), options).await;
    for outcome in [
        Status(500),
        Status(501),
        Status(502),
        Status(503),
        Status(504),
        Status(408),
        Status(429),
        Status(302),
        Status(304),
        Body("no JSON"),
        Body("[]"),
        Body("{\"unknown\":1}"),
        Body("{\"actions\":[{\"op\":\"x\"}]}"),
        Large,
        Garbage,
        Half,
        Cut,
        Late,
    ] {
        let _row = Row(&format!("{outcome:?}"));
        let mut client = connecting(&server).await;
        let first = backend.hook_of("connect").await;
        let (id, body) = (first.at("id").clone(), first.text.clone());
        let late = outcome.answer(first);
        let again = backend.hook_of("connect").await;
        assert_eq!((again.at("id"), &again.text), (&id, &body), "the same hook");
        drop(late);
        again.answer(204, "");
        assert!(client.text().await.starts_with("40{"), "and it was told nothing before");
    }
    assert!(backend.is_idle());
}

#[tokio::test]
async fn disconnects_go_again_if_they_may_have_been_for_nobody() {
    let mut backend = Backend::listen().await;
    // All of them at once, and each again after a second.
    let options = "timeout = '3s'\nbreaker_failures = 0\ndisconnect_rate = 0";
    let server = start("disconnects", &backend.url(), options).await;
    let again = [Status(500), Status(503), Status(408), Status(429), Status(302), Garbage, Half, Cut, Late];
    let once = [
        Status(200),
        Status(204),
        Status(404),
        Status(403),
        Status(400),
        Body("no JSON"),
        Body("{\"unknown\":1}"),
        Large,
    ];
    let (mut clients, mut sids) = (Vec::new(), Vec::new());
    for _ in again.iter().chain(&once) {
        let mut client = connecting(&server).await;
        let hook = backend.hook_of("connect").await;
        sids.push(hook.at("sid").to_string());
        hook.answer(204, "");
        assert!(client.text().await.starts_with("40{"));
        clients.push(client);
    }
    drop(clients);
    let (mut late, mut expected) = (Vec::new(), BTreeSet::new());
    // None of them comes again before all have come.
    let mut first = Vec::new();
    for _ in &sids {
        first.push(backend.hook_of("disconnect").await);
    }
    for hook in first {
        let gone = hook.at("sid").to_string();
        let at = sids.iter().position(|sid| *sid == gone).expect("one of them");
        if let Some(outcome) = again.get(at) {
            expected.insert((sids[at].clone(), hook.at("id").to_string()));
            late.extend(outcome.answer(hook));
        } else {
            late.extend(once[at - again.len()].answer(hook));
        }
    }
    let mut found = BTreeSet::new();
    for _ in &again {
        let hook = backend.hook_of("disconnect").await;
        found.insert((hook.at("sid").to_string(), hook.at("id").to_string()));
        hook.answer(204, "");
    }
    assert_eq!(found, expected);
    assert!(backend.is_idle(), "the others had their answer");
}

#[tokio::test]
async fn a_backend_that_cannot_be_connected_to_in_time_is_late() {
    let full = Full::listen().await;
    let options = "timeout = '5m'\nconnect_timeout = '200ms'\nconnect = false\n[[namespace]]";
    let server = start("connecting", &format!("http://{}/hook", full.address), options).await;
    let mut client = connecting(&server).await;
    assert!(client.text().await.starts_with("40{"));
    client.send(r#"42["e"]"#).await;
    let told = r#"42["error",{"code":"timeout","event":"e","message":"backend unavailable"}]"#;
    assert_eq!(client.text().await, told);
}

#[tokio::test]
async fn so_many_disconnects_go_in_a_second() {
    let mut backend = Backend::listen().await;
    let server = start("rate", &backend.url(), "disconnect_rate = 5\nconnect = false\n[[namespace]]").await;
    let mut clients = Vec::new();
    for _ in 0..14 {
        let mut client = connecting(&server).await;
        assert!(client.text().await.starts_with("40{"));
        clients.push(client);
    }
    let start = Instant::now();
    drop(clients);
    // Ten at once, and the other four one after the other.
    for _ in 0..14 {
        within(backend.hook_of("disconnect")).await.answer(204, "");
    }
    assert!(start.elapsed() >= Duration::from_millis(790), "{:?}", start.elapsed());
}
