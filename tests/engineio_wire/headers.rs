//! The cookie, and headers of the application's own.

use std::sync::{Arc, Mutex};

use engineio::{Config, Cookie, CookieError, Cors, Http, Origin, Origins, SameSite};
use tests::{
    Row,
    frames::{HANDSHAKE, handshake},
    http::{Answer, Connection},
    polling::{Polling, sid},
    server::{self, Server},
};

/// The values of a header.
fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    answer.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
}

async fn ask(server: &Server, line: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(line, headers).await;
    connection.answer().await
}

#[tokio::test]
async fn ck_01_02_03_04_d10_the_cookie() {
    let io = || Cookie::new("io").expect("a name");
    let path = |path| move |cookie: Cookie| -> Result<Cookie, CookieError> { cookie.path(path) };
    let rows = [
        ("CK-01: off", None, vec![]),
        ("CK-02: default", Some(io()), vec!["io=<sid>; Path=/; HttpOnly; SameSite=Lax"]),
        (
            "CK-03: name, path and site",
            Some(
                path(Some("/custom"))(Cookie::new("woot").expect("a name"))
                    .expect("a path")
                    .same_site(SameSite::Strict),
            ),
            vec!["woot=<sid>; Path=/custom; HttpOnly; SameSite=Strict"],
        ),
        ("CK-03: no path", path(None)(io()).ok(), vec!["io=<sid>; HttpOnly; SameSite=Lax"]),
        ("CK-04: for scripts", Some(io().http_only(false)), vec!["io=<sid>; Path=/; SameSite=Lax"]),
        (
            "D10: over TLS only",
            Some(io().secure(true).same_site(SameSite::None)),
            vec!["io=<sid>; Path=/; HttpOnly; Secure; SameSite=None"],
        ),
    ];
    for (label, cookie, expected) in rows {
        let _row = Row(label);
        let http = cookie.map_or(Http::default(), |cookie| Http::default().cookie(cookie));
        let (server, _sessions) = server::engine_behind(http, Config::default()).await;
        let answer = ask(&server, "GET /engine.io/?EIO=4&transport=polling", "").await;
        let sid = sid(&answer.body);
        let expected: Vec<_> = expected.into_iter().map(|cookie| cookie.replace("<sid>", &sid)).collect();
        assert_eq!(values(&answer, "set-cookie"), expected);
    }
}

#[tokio::test]
async fn ck_05_the_cookie_is_on_a_polling_handshake_only() {
    let http = Http::default().cookie(Cookie::new("io").expect("a name")).cors(Cors::new(Origins::Any));
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    sessions.take(&client.sid).send("a");
    let target = client.target();
    let mut websocket = Connection::open(server.endpoint.address).await;
    let mut upgrade = Connection::open(server.endpoint.address).await;
    let answers = [
        ("a GET", 200, client.get().await),
        ("a POST", 200, client.post("4a").await),
        ("a WebSocket", 101, handshake(&mut websocket, &server.endpoint.target("websocket")).await),
        ("an upgrade", 101, handshake(&mut upgrade, &target.replace("polling", "websocket")).await),
        ("a preflight", 204, ask(&server, &format!("OPTIONS {target}"), "").await),
        ("a refusal", 400, ask(&server, "GET /engine.io/?EIO=3&transport=polling", "").await),
    ];
    for (label, status, answer) in answers {
        let _row = Row(label);
        assert_eq!((answer.status, values(&answer, "set-cookie")), (status, vec![]));
    }
}

/// What the hooks were told of: which hook, and the request.
type Noted = Arc<Mutex<Vec<String>>>;

/// Both hooks, each adding a header and a cookie, and what they are told.
fn hooks() -> (Http, Noted) {
    let noted = Noted::default();
    let (initial, always) = (noted.clone(), noted.clone());
    let http = Http::default()
        .initial_headers(move |request, headers| {
            note(&initial, format!("initial: {} {}", request.method, request.uri));
            headers.insert("x-initial", "1".parse().expect("a value"));
            headers.append("set-cookie", "initial=1".parse().expect("a value"));
        })
        .headers(move |request, headers| {
            note(&always, format!("headers: {} {}", request.method, request.uri));
            headers.insert("x-always", "2".parse().expect("a value"));
            headers.append("set-cookie", "always=2".parse().expect("a value"));
        });
    (http.cookie(Cookie::new("io").expect("a name")).cors(Cors::new(Origins::Any)), noted)
}

fn note(noted: &Noted, what: String) {
    noted.lock().expect("not poisoned").push(what);
}

/// Which of the two headers an answer has, and its cookies.
fn added(answer: &Answer) -> (&str, &str, String) {
    (answer.header("x-initial"), answer.header("x-always"), values(answer, "set-cookie").join(", "))
}

#[tokio::test]
async fn ck_06_07_08_09_hooks_add_headers_to_handshakes_and_to_all_answers() {
    let (http, noted) = hooks();
    let (server, sessions) = server::engine_behind(http, Config::default()).await;
    let (polling, websocket) = (server.endpoint.target("polling"), server.endpoint.target("websocket"));

    let opened = ask(&server, &format!("GET {polling}"), "").await;
    let id = sid(&opened.body);
    let cookies = format!("io={id}; Path=/; HttpOnly; SameSite=Lax, initial=1, always=2");
    assert_eq!(added(&opened), ("1", "2", cookies));
    let mut connection = Connection::open(server.endpoint.address).await;
    let direct = handshake(&mut connection, &websocket).await;
    assert_eq!((direct.status, added(&direct)), (101, ("1", "2", "initial=1, always=2".to_owned())));

    let (polling, websocket) = (format!("{polling}&sid={id}"), format!("{websocket}&sid={id}"));
    sessions.take(&id).send("a");
    let later = [
        ("a GET", 200, format!("GET {polling}"), ""),
        ("a POST", 200, format!("POST {polling}"), "content-length: 1\r\n\r\n6"),
        ("an upgrade", 101, format!("GET {websocket}"), HANDSHAKE),
        ("another method", 405, format!("PUT {polling}"), ""),
        ("a preflight", 204, format!("OPTIONS {polling}"), ""),
        ("code 0", 400, "GET /engine.io/".to_owned(), ""),
        ("code 2", 400, "POST /engine.io/?EIO=4&transport=polling".to_owned(), ""),
        ("code 3", 400, "GET /engine.io/?EIO=4&transport=websocket".to_owned(), ""),
    ];
    for (label, status, line, headers) in &later {
        let _row = Row(label);
        let answer = ask(&server, line, headers).await;
        assert_eq!((answer.status, added(&answer)), (*status, ("", "2", "always=2".to_owned())));
    }

    let noted = noted.lock().expect("not poisoned").split_off(0);
    let handshakes = ["GET /engine.io/?EIO=4&transport=polling", "GET /engine.io/?EIO=4&transport=websocket"];
    let mut expected: Vec<_> =
        handshakes.iter().flat_map(|line| [format!("initial: {line}"), format!("headers: {line}")]).collect();
    expected.extend(later.iter().map(|(_, _, line, _)| format!("headers: {line}")));
    assert_eq!(noted, expected);
}

#[tokio::test]
async fn requests_elsewhere_have_no_headers_of_ours() {
    let (http, noted) = hooks();
    let (server, _sessions) = server::engine_behind(http, Config::default()).await;
    let answer = ask(&server, "GET /elsewhere?EIO=4&transport=polling", "").await;
    assert_eq!((answer.status, added(&answer)), (404, ("", "", String::new())));
    assert_eq!(*noted.lock().expect("not poisoned"), Vec::<String>::new());
}

/// What a client sends gets into a head nowhere but where it is meant to, and there as it is.
#[tokio::test]
async fn h7_no_line_of_an_answer_is_written_by_its_client() {
    let good = Origins::List(vec![Origin::parse("http://good").expect("an origin")]);
    let http = Http::default().cookie(Cookie::new("io").expect("a name")).cors(Cors::new(good));
    let (server, _sessions) = server::engine_behind(http, Config::default()).await;
    let injected = "x%0d%0ainjected:%20yes%0d%0a%0d%0a";
    let polling = "/engine.io/?EIO=4&transport=polling";
    let rows = [
        ("a sid", format!("GET {polling}&sid={injected}"), "", 400),
        ("a transport", format!("GET /engine.io/?EIO=4&transport={injected}"), "", 400),
        ("a revision", format!("GET /engine.io/?EIO={injected}&transport=polling"), "", 400),
        ("another parameter", format!("GET {polling}&{injected}={injected}"), "", 200),
        ("a JSONP function", format!("GET {polling}&j={injected}"), "", 200),
        ("an origin", format!("GET {polling}"), "origin: http://good\\r\\ninjected: yes\r\n", 403),
        ("an escaped origin", format!("GET {polling}"), "origin: http://good%0d%0ainjected:%20yes\r\n", 403),
        (
            "headers to allow",
            format!("OPTIONS {polling}"),
            "origin: http://good\r\naccess-control-request-headers: \
            a%0d%0ainjected: yes\r\n",
            204,
        ),
        (
            "a subprotocol",
            "GET /engine.io/?EIO=4&transport=websocket".to_owned(),
            "sec-websocket-protocol: \
            a%0d%0ainjected\r\n",
            101,
        ),
    ];
    for (label, line, headers, status) in rows {
        let _row = Row(label);
        let upgrade = if status == 101 { HANDSHAKE } else { "" };
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(&line, &format!("{headers}{upgrade}")).await;
        let answer = if status == 101 { connection.head().await } else { connection.answer().await };
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.headers.iter().any(|(name, _)| name == "injected"), "{answer:?}");
        if status == 400 || status == 403 {
            assert!(!answer.headers.iter().any(|(_, value)| value.contains("injected")), "{answer:?}");
            assert!(!answer.body.contains("injected"), "{answer:?}");
        }
    }
}
