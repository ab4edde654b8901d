//! Which pages of other origins are let in, and which headers tell their browser so.

use std::time::Duration;

use engineio::{Config, Cors, CorsError, Http, Origin, Origins};
use tests::{
    Row,
    frames::HANDSHAKE,
    http::{Answer, Connection},
    polling::{Polling, sid},
    server::{self, Server, Sessions},
};

use crate::{REFUSED, told};

/// Rows are about a server that its clients call `localhost`.
const NO_ORIGIN: &str = "";

fn list(origins: &[&str]) -> Cors {
    Cors::new(Origins::List(origins.iter().map(|origin| Origin::parse(origin).expect("an origin")).collect()))
}

async fn engine(cors: Option<Cors>) -> (Server, Sessions) {
    let http = cors.map_or(Http::default(), |cors| Http::default().cors(cors));
    server::engine_behind(http, Config::default()).await
}

/// The headers that are about origins, as lines in alphabetical order.
fn shown(answer: &Answer) -> String {
    let is_about = |name: &str| name == "vary" || name.starts_with("access-control-");
    let lines = answer.headers.iter().filter(|(name, _)| is_about(name));
    let mut lines: Vec<_> = lines.map(|(name, value)| format!("{name}: {value}\n")).collect();
    lines.sort_unstable();
    lines.concat()
}

async fn ask(server: &Server, line: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(server.endpoint.address).await;
    connection.request(line, headers).await;
    connection.answer().await
}

/// What polling handshake, POST and both kinds of WebSocket handshakes of a page are answered: their statuses;
/// each answer, refusals among them, must show the same headers.
async fn tried(server: &Server, sessions: &Sessions, headers: &str) -> ([u16; 4], String) {
    let endpoint = server.endpoint;
    let handshake = ask(server, &format!("GET {}", endpoint.target("polling")), headers).await;
    let mut program = Polling::open(endpoint).await;
    program.begin_post(&format!("{headers}content-length: 2\r\n")).await;
    program.posts.send("4a").await;
    let posted = program.posts.answer().await;
    let websocket = format!("GET {}", endpoint.target("websocket"));
    let upgrade = format!("{websocket}&sid={}", program.sid);
    let headers = format!("{headers}{HANDSHAKE}");
    let answers = [handshake, posted, ask(server, &websocket, &headers).await, ask(server, &upgrade, &headers).await];
    let shown = answers.each_ref().map(shown);
    assert!(shown.iter().all(|lines| *lines == shown[0]), "{answers:?}");
    // A request that was refused ends nothing but the connection with its body.
    program.posts = Connection::open(endpoint.address).await;
    assert_eq!(program.post("4alive").await.status, 200);
    let mut session = sessions.take(&program.sid);
    let first = session.text().await;
    assert_eq!(first, if answers[1].status == 200 { "a" } else { "alive" });
    for answer in answers.iter().filter(|answer| answer.status >= 400) {
        let refused = if answer.status == 403 { REFUSED[4] } else { REFUSED[3] };
        assert_eq!((answer.body.as_str(), answer.header("content-type")), (refused, "application/json"));
    }
    (answers.map(|answer| answer.status), shown[0].clone())
}

/// Statuses of the polling handshake, a POST, a WebSocket handshake, and an upgrade.
const IN: [u16; 4] = [200, 200, 101, 101];
const OUT: [u16; 4] = [403; 4];
const NO_WEBSOCKET: [u16; 4] = [200, 200, 403, 403];
const BAD: [u16; 4] = [400; 4];

/// The reference lets WebSockets of any page in (D2): pages elsewhere then use the log-ins of their visitors.
#[tokio::test]
async fn co_01_d1_d2_d6_d9_without_the_option_pages_of_the_same_origin_only() {
    let (server, sessions) = engine(None).await;
    let rows = [
        ("a program", NO_ORIGIN, IN),
        ("the same origin", "origin: http://localhost\r\n", IN),
        ("behind a proxy that speaks TLS", "origin: https://localhost\r\n", IN),
        ("D7: in capitals", "origin: HTTP://LOCALHOST:80\r\n", IN),
        ("D1, D2: another origin", "origin: http://evil\r\n", NO_WEBSOCKET),
        ("another port", "origin: http://localhost:81\r\n", NO_WEBSOCKET),
        ("a name below", "origin: http://a.localhost\r\n", NO_WEBSOCKET),
        ("a name that starts so", "origin: http://localhost.evil\r\n", NO_WEBSOCKET),
        ("a name behind log-in words", "origin: http://evil@localhost\r\n", NO_WEBSOCKET),
        ("a path", "origin: http://localhost/\r\n", NO_WEBSOCKET),
        ("another scheme", "origin: chrome-extension://localhost\r\n", NO_WEBSOCKET),
        ("no scheme", "origin: localhost\r\n", NO_WEBSOCKET),
        ("empty", "origin: \r\n", NO_WEBSOCKET),
        ("D6: null", "origin: null\r\n", NO_WEBSOCKET),
        ("A18: no text", "origin: http://\u{e9}\r\n", NO_WEBSOCKET),
        ("D9: two", "origin: http://localhost\r\norigin: http://evil\r\n", BAD),
        ("D9: two that are the same", "origin: http://localhost\r\norigin: http://localhost\r\n", BAD),
    ];
    for (label, headers, statuses) in rows {
        let _row = Row(label);
        assert_eq!(tried(&server, &sessions, headers).await, (statuses, String::new()));
    }
}

/// The reference's `origin: true` repeats the origin; `*` says the same, and nothing of credentials.
#[tokio::test]
async fn co_03_any_origin() {
    let (server, sessions) = engine(Some(Cors::new(Origins::Any))).await;
    let rows = [
        ("a program", NO_ORIGIN, IN),
        ("the same origin", "origin: http://localhost\r\n", IN),
        ("another origin", "origin: http://evil\r\n", IN),
        ("D6: null", "origin: null\r\n", IN),
        ("D9: two", "origin: http://evil\r\norigin: http://evil\r\n", BAD),
    ];
    for (label, headers, statuses) in rows {
        let _row = Row(label);
        let shown = "access-control-allow-origin: *\n".to_owned();
        assert_eq!(tried(&server, &sessions, headers).await, (statuses, shown));
    }
}

/// The reference answers pages that are not in the list, without the header (D4), and WebSockets as if they were (D3).
#[tokio::test]
async fn co_04_05_09_d3_d4_d6_d7_origins_of_a_list() {
    let good = ["http://good", "https://*.example.com", "http://other:8080"];
    let (server, sessions) = engine(Some(list(&good))).await;
    let rows = [
        ("a program", NO_ORIGIN, IN),
        ("listed", "http://good", IN),
        ("with its default port", "http://good:80", IN),
        ("D7: in capitals", "HTTP://GOOD", IN),
        ("with a port of its own", "http://other:8080", IN),
        ("below", "https://a.example.com", IN),
        ("far below", "https://a.b.example.com", IN),
        ("D3, D4: another origin", "http://evil", OUT),
        ("the same origin is not listed", "http://localhost", OUT),
        ("D6: null is not listed", "null", OUT),
        ("D7: below a listed name", "http://a.good", OUT),
        ("D7: a listed name below another", "http://good.evil.com", OUT),
        ("D7: a name that starts so", "http://goodevil.com", OUT),
        ("D7: another port", "http://good:81", OUT),
        ("D7: another scheme", "https://good", OUT),
        ("D7: a name that ends so", "https://evilexample.com", OUT),
        ("the name that the others are below", "https://example.com", OUT),
        ("nothing below", "https://.example.com", OUT),
        ("the star itself", "https://*", OUT),
        ("no port", "http://other", OUT),
        ("a path", "http://good/", OUT),
        ("A18: no text", "http://\u{e9}.example.com", OUT),
    ];
    for (label, origin, statuses) in rows {
        let _row = Row(label);
        let headers = if origin.is_empty() { String::new() } else { format!("origin: {origin}\r\n") };
        let allowed = if statuses == IN && !origin.is_empty() {
            format!("access-control-allow-origin: {origin}\n")
        } else {
            String::new()
        };
        assert_eq!(tried(&server, &sessions, &headers).await, (statuses, allowed + "vary: Origin\n"));
    }

    let (server, sessions) = engine(Some(list(&["null"]))).await;
    let shown = "access-control-allow-origin: null\nvary: Origin\n".to_owned();
    assert_eq!(tried(&server, &sessions, "origin: null\r\n").await, (IN, shown), "D6: listed literally");
}

/// The reference reads the first; a browser sends one.
#[tokio::test]
async fn d9_two_origins_are_one_too_many() {
    let (server, _sessions) = engine(Some(list(&["http://good"]))).await;
    for headers in ["origin: http://good\r\norigin: http://evil\r\n", "origin: http://evil\r\norigin: http://good\r\n"]
    {
        let line = format!("GET {}", server.endpoint.target("polling"));
        assert_eq!(told(&ask(&server, &line, headers).await), (400, REFUSED[3]));
    }
}

/// The reference tells methods and headers to those who may not use them (D5), and answers below its path (CO-12).
#[tokio::test]
async fn co_02_05_06_07_08_d5_preflights() {
    let any = || Cors::new(Origins::Any);
    let good = || list(&["http://good"]);
    let methods = "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE\n";
    let from_good = "access-control-allow-origin: http://good\n";
    let set = good().credentials().and_then(|cors| cors.methods(&["GET", "POST"]));
    let set =
        set.and_then(|cors| cors.allowed_headers(&["x-a", "X-B"])).and_then(|cors| cors.exposed_headers(&["x-c"]));
    let set = set.expect("they go together").max_age(Duration::from_secs(123));
    let rows = [
        (
            "CO-06: any origin",
            any(),
            "origin: http://evil\r\n",
            204,
            "access-control-allow-methods: \
            GET,HEAD,PUT,PATCH,POST,DELETE\naccess-control-allow-origin: *\nvary: Access-Control-Request-Headers\n"
                .to_owned(),
        ),
        (
            "CO-06: a listed one",
            good(),
            "origin: http://good\r\n",
            204,
            format!("{methods}{from_good}vary: Origin, Access-Control-Request-Headers\n"),
        ),
        (
            "CO-08: headers that were asked for",
            good(),
            "origin: http://good\r\naccess-control-request-method: POST\r\naccess-control-request-headers: x-y, x-z\r\n",
            204,
            format!(
                "access-control-allow-headers: x-y, x-z\n{methods}{from_good}\
                vary: Origin, Access-Control-Request-Headers\n"
            ),
        ),
        (
            "CO-05, D5: another",
            good(),
            "origin: http://evil\r\naccess-control-request-headers: x-y\r\n",
            204,
            "vary: Origin\n".to_owned(),
        ),
        ("no origin", good(), NO_ORIGIN, 204, "vary: Origin\n".to_owned()),
        (
            "CO-08: all options",
            set.clone(),
            "origin: http://good\r\naccess-control-request-headers: x-y\r\n",
            204,
            format!(
                "access-control-allow-credentials: true\naccess-control-allow-headers: x-a,X-B\n\
                access-control-allow-methods: GET,POST\n{from_good}access-control-expose-headers: x-c\n\
                access-control-max-age: 123\nvary: Origin\n"
            ),
        ),
        ("CO-05: no credentials for others", set, "origin: http://evil\r\n", 204, "vary: Origin\n".to_owned()),
        (
            "CO-02: another status",
            good().preflight_status(200).expect("of success"),
            "origin: http://evil\r\n",
            200,
            "vary: Origin\n".to_owned(),
        ),
    ];
    for (label, cors, headers, status, expected) in rows {
        let _row = Row(label);
        let (server, sessions) = engine(Some(cors)).await;
        // Whatever the query: a browser asks for the path.
        for query in ["?EIO=4&transport=polling", "?EIO=4&transport=polling&sid=abc", ""] {
            let answer = ask(&server, &format!("OPTIONS /engine.io/{query}"), headers).await;
            assert_eq!((told(&answer), shown(&answer)), ((status, ""), expected.clone()));
        }
        let elsewhere = ask(&server, "OPTIONS /engine.io/default/", headers).await;
        assert_eq!((told(&elsewhere), shown(&elsewhere)), ((404, ""), String::new()), "CO-12: not our path");
        assert_eq!(sessions.engine.clients_count(), 0);
    }
}

#[tokio::test]
async fn co_07_08_09_other_answers_to_a_listed_page() {
    let cors = list(&["http://good"]).credentials().and_then(|cors| cors.exposed_headers(&["x-c", "x-d"]));
    let cors = cors.and_then(|cors| cors.allowed_headers(&["x-a"])).expect("they go together");
    let (server, _sessions) = engine(Some(cors.max_age(Duration::from_secs(1)))).await;
    let expected = "access-control-allow-credentials: true\naccess-control-allow-origin: http://good\n\
        access-control-expose-headers: x-c,x-d\nvary: Origin\n";
    let client = Polling::open(server.endpoint).await;
    let large = "origin: http://good\r\ncontent-length: 1000001\r\n";
    let (page, target) = ("origin: http://good\r\n", client.target());
    for (label, line, headers, status) in [
        ("a handshake", "GET /engine.io/?EIO=4&transport=polling", page, 200),
        ("code 0", "GET /engine.io/", page, 400),
        ("code 1", "GET /engine.io/?EIO=4&transport=polling&sid=abc", page, 400),
        ("code 2", "POST /engine.io/?EIO=4&transport=polling", page, 400),
        ("code 3", "GET /engine.io/?EIO=4&transport=websocket", page, 400),
        ("code 5", "GET /engine.io/?EIO=3&transport=polling", page, 400),
        ("another method", &format!("PUT {target}"), page, 405),
        ("too large", &format!("POST {target}"), large, 413),
    ] {
        let _row = Row(label);
        let answer = ask(&server, line, headers).await;
        assert_eq!((answer.status, shown(&answer).as_str()), (status, expected), "{answer:?}");
    }
}

#[tokio::test]
async fn co_11_messages_flow_with_credentials() {
    let (server, sessions) = engine(Some(list(&["http://good"]).credentials().expect("a list"))).await;
    let page = "origin: http://good\r\ncookie: a=b\r\n";
    let opened = ask(&server, &format!("GET {}", server.endpoint.target("polling")), page).await;
    let mut client = Polling::open(server.endpoint).await;
    client.sid = sid(&opened.body);
    let mut session = sessions.take(&client.sid);
    client.begin_post(&format!("{page}content-length: 2\r\n")).await;
    client.posts.send("4a").await;
    let posted = client.posts.answer().await;
    assert_eq!((told(&posted), session.text().await), ((200, "ok"), "a".to_owned()));
    session.send("b");
    client.gets.request(&format!("GET {}", client.target()), page).await;
    let polled = client.gets.answer().await;
    assert_eq!(told(&polled), (200, "4b"));
    let expected = "access-control-allow-credentials: true\naccess-control-allow-origin: http://good\nvary: Origin\n";
    assert_eq!([opened, posted, polled].each_ref().map(shown), [expected; 3]);
}

/// The reference lets every page of the world use the log-ins of its visitors, if it is told to.
#[tokio::test]
async fn t2_d8_credentials_need_a_list() {
    assert_eq!(Cors::new(Origins::Any).credentials().unwrap_err(), CorsError::CredentialsForAll);
    assert!(Cors::new(Origins::Same).credentials().is_ok());
}
