//! The binary's log: what its operator is told where clients are told little, or nothing; never their secrets.

use tests::{backend::Backend, frames::WebSocket, http::Connection, process::Process, within};

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

/// A token of nobody's: `{}`, signed with `secret` by HS256.
const FOREIGN: &str = "eyJhbGciOiJIUzI1NiJ9.e30.XmNK3GpH3Ys_7wsYBfq4C3M6goz71I7dTgUkuIa5lyQ";

async fn start(name: &str, configuration: &str) -> Process {
    let file = format!("{}/log-{name}.toml", env!("CARGO_TARGET_TMPDIR"));
    Process::configured(BINARY, &file, configuration).await
}

/// What the server says to this packet of a client that has just come.
async fn told(server: &Process, packet: &str) -> String {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send(packet).await;
    client.text().await
}

/// The lines of warnings that it has logged, without their time, when it has ended.
async fn warnings(mut server: Process) -> Vec<String> {
    server.signal("TERM");
    let mut warnings = Vec::new();
    while let Some(line) = within(server.log.next_line()).await.expect("UTF-8") {
        warnings.extend(line.split_once(" WARN ").map(|(_, warning)| warning.to_owned()));
    }
    warnings
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_told_once_a_minute() {
    let server = start("namespaces", "[[namespace]]\nname = '/chat'").await;
    // The first one is what `doctor` asks for.
    for name in ["/socketio-doctor-1,", "", "/chta,", "/another,"] {
        assert_eq!(told(&server, &format!("40{name}")).await, format!("44{name}{{\"message\":\"Invalid namespace\"}}"));
    }
    let warning = "a client asks for a namespace that is not there: see [[namespace]] namespace=\"/\"";
    assert_eq!(warnings(server).await, [warning]);
}

#[tokio::test]
async fn a_token_that_is_invalid_is_told_once_a_minute_for_each_cause() {
    let server =
        start("tokens", "auth = { mode = 'jwt', jwt = { secret = '0123456789abcdef0123456789abcdef' } }").await;
    for token in [FOREIGN, "no-token", FOREIGN] {
        let told = told(&server, &format!("40{{\"token\":\"{token}\"}}")).await;
        assert_eq!(told, "44{\"message\":\"Token invalid\",\"data\":{\"code\":\"unauthorized\"}}");
    }
    // This one its client is told.
    told(&server, "40").await;
    let warnings = warnings(server).await;
    assert_eq!(
        warnings,
        [
            "a token is invalid: it is signed by another key than those of auth.jwt namespace=\"/\"",
            "a token is invalid: it is no token namespace=\"/\""
        ]
    );
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_once_a_minute() {
    let polling = "GET /socket.io/?EIO=4&transport=polling";
    let websocket = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: \
                     AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    for (name, cors, line, headers, status) in [
        ("same", "", polling, "", 200),
        ("same-ws", "", "GET /socket.io/?EIO=4&transport=websocket", websocket, 403),
        ("list", "[cors]\norigins = 'https://www.example.com'", polling, "", 403),
    ] {
        let server = start(name, cors).await;
        for _ in 0..2 {
            let mut page = Connection::open(server.address).await;
            page.request(line, &format!("origin: https://evil.example\r\n{headers}")).await;
            assert_eq!(page.answer().await.status, status);
        }
        let warning = "a page of this origin may not connect: see cors.origins origin=\"https://evil.example\" \
                       host=\"localhost\"";
        assert_eq!(warnings(server).await, [warning], "{name}");
    }
    let server = start("listed", "[cors]\norigins = 'https://www.example.com'").await;
    let mut page = Connection::open(server.address).await;
    page.request(polling, "origin: https://www.example.com\r\n").await;
    assert_eq!(page.answer().await.status, 200);
    assert_eq!(warnings(server).await, [""; 0]);
}

#[tokio::test]
async fn a_hook_that_is_refused_without_a_word_is_told_once_a_minute() {
    let mut backend = Backend::listen().await;
    let server = start("hooks", &format!("[[backend]]\nurl = '{}'\nsecret = 'the-secret'", backend.url())).await;
    for (status, body) in
        [(401, ""), (401, ""), (405, "<!doctype html>"), (404, ""), (403, "{\"error\":{\"message\":\"not you\"}}")]
    {
        let (mut client, _) = WebSocket::open(server.endpoint()).await;
        client.send("40").await;
        backend.hook_of("connect").await.answer(status, body);
        assert!(client.text().await.starts_with("44{\"message\":"), "{status}");
    }
    let hook = "backend=\"default\" hook=\"connect\" code=";
    let word = "a hook was refused without a word";
    assert_eq!(
        warnings(server).await,
        [
            format!("{word}: this backend and its application are to have the same secret {hook}\"401\""),
            format!("{word} {hook}\"405\""),
            format!(
                "a client may not join: the url of this backend takes no hooks, or its application has no such \
                 namespace {hook}\"404\""
            ),
        ]
    );
}

#[tokio::test]
async fn a_hook_that_is_not_answered_is_told_with_where_it_went_and_what_the_system_says() {
    let mut backend = Backend::listen().await;
    let url = backend.url();
    let mut server = start("away", &format!("[[backend]]\nurl = '{url}'\nbreaker_failures = 0")).await;
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    client.send("40").await;
    backend.hook_of("connect").await.answer(500, "");
    let words = "a hook was not answered backend=\"default\" hook=\"connect\" code=";
    let line = server.logged("a hook was").await;
    assert!(line.ends_with(&format!("{words}\"500\" url=\"{url}\"")), "{line}");
    backend.stop().await;
    let line = server.logged("unreachable").await;
    let refused = format!("{words}\"unreachable\" url=\"{url}\" error=\"Connection refused (os error 111)\"");
    assert!(line.ends_with(&refused), "{line}");
}
