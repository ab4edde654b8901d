//! Middlewares: functions of an application around the service, which is itself a function from request to answer.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use engineio::{Answer, Config, Engine, Http, Serve, Service};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, http::HeaderValue};
use tests::{
    Row,
    frames::{HANDSHAKE, WebSocket},
    http::{self, Connection},
    polling::{Polling, sid},
    server::Endpoint,
};
use tokio::net::TcpListener;

use crate::{REFUSED, told};

/// What the middlewares saw, in their order.
type Noted = Arc<Mutex<Vec<String>>>;

fn echo() -> Engine {
    Engine::new(Config::default(), |socket, driver| {
        tokio::spawn(driver.run(move |message| socket.send(&message).expect("the session lives")));
    })
}

/// Serves with two middlewares: each notes the request and adds a header to its answer.
async fn serve(engine: Engine, noted: Noted) -> Endpoint {
    let service = Service::new(engine);
    listen(move |request| {
        let (service, noted) = (service.clone(), noted.clone());
        async move { outer(request, &service, &noted).await }
    })
    .await
}

async fn listen<A, F>(answer: A) -> Endpoint
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("bound");
    tokio::spawn(async move { Serve::default().run(listener, answer, pending(), async {}).await });
    Endpoint { address, path: "/engine.io/", query: "EIO=4" }
}

fn note(noted: &Noted, name: &str, request: &Request<Incoming>) {
    noted.lock().expect("not poisoned").push(format!("{name} {}", request.method()));
}

async fn outer(request: Request<Incoming>, service: &Service, noted: &Noted) -> Answer {
    note(noted, "outer", &request);
    let mut answer = inner(request, service, noted).await;
    // Only now: whoever is known, and for how long, may be clear once the request was answered.
    answer.headers_mut().append("set-cookie", HeaderValue::from_static("session=1; HttpOnly"));
    answer
}

async fn inner(request: Request<Incoming>, service: &Service, noted: &Noted) -> Answer {
    note(noted, "inner", &request);
    if request.headers().contains_key("x-unwelcome") {
        let mut answer = Response::new(Full::from("later"));
        *answer.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        return answer;
    }
    let mut answer = service.answer(request).await;
    answer.headers_mut().insert("x-frame-options", HeaderValue::from_static("DENY"));
    answer
}

async fn ask(endpoint: Endpoint, line: &str, headers: &str) -> (http::Answer, Connection) {
    let mut connection = Connection::open(endpoint.address).await;
    connection.request(line, headers).await;
    let answer = connection.head().await;
    (answer, connection)
}

#[tokio::test]
async fn em_01_02_06_middlewares_run_in_order_and_their_headers_are_in_every_answer() {
    let noted = Noted::default();
    let endpoint = serve(echo(), noted.clone()).await;
    let client = Polling::open(endpoint).await;
    let (of_session, direct) = (client.target(), endpoint.target("websocket"));
    let rows = [
        ("a handshake", "GET", endpoint.target("polling"), "", 200),
        ("a POST", "POST", of_session.clone(), "content-length: 2\r\n\r\n4a", 200),
        ("a GET", "GET", of_session.clone(), "", 200),
        ("a refusal", "PUT", of_session.clone(), "", 405),
        ("a WebSocket", "GET", direct, HANDSHAKE, 101),
        ("an upgrade", "GET", of_session.replace("polling", "websocket"), HANDSHAKE, 101),
    ];
    noted.lock().expect("not poisoned").clear();
    for (label, method, target, headers, status) in rows {
        let _row = Row(label);
        let (answer, connection) = ask(endpoint, &format!("{method} {target}"), headers).await;
        let added = (answer.header("x-frame-options"), answer.header("set-cookie"));
        assert_eq!((answer.status, added), (status, ("DENY", "session=1; HttpOnly")));
        let seen = std::mem::take(&mut *noted.lock().expect("not poisoned"));
        assert_eq!(seen, [format!("outer {method}"), format!("inner {method}")]);
        if label == "a WebSocket" {
            let mut websocket = WebSocket { connection };
            assert!(websocket.text().await.starts_with("0{"));
            websocket.send("4b").await;
            assert_eq!(websocket.text().await, "4b");
        }
    }
}

#[tokio::test]
async fn em_03_04_what_a_middleware_answers_itself_opens_no_session() {
    let (engine, noted) = (echo(), Noted::default());
    let endpoint = serve(engine.clone(), noted).await;
    for (transport, headers) in [("polling", ""), ("websocket", HANDSHAKE)] {
        let _row = Row(transport);
        let mut connection = Connection::open(endpoint.address).await;
        connection
            .request(&format!("GET {}", endpoint.target(transport)), &format!("x-unwelcome: 1\r\n{headers}"))
            .await;
        let answer = connection.answer().await;
        assert_eq!(told(&answer), (503, "later"));
        assert_eq!((answer.header("x-frame-options"), answer.header("set-cookie")), ("", "session=1; HttpOnly"));
    }
    assert_eq!(engine.clients_count(), 0);
}

/// The reference attaches its one engine to one server; here services are made of an engine, as many as are wanted.
#[tokio::test]
async fn at_12_an_engine_is_served_whenever_and_wherever_it_is_wanted() {
    let engine = echo();
    let early = Service::new(engine.clone());
    let first = listen(move |request| {
        let service = early.clone();
        async move { service.answer(request).await }
    })
    .await;
    let mut client = Polling::open(first).await;

    let closed = Http::default().allow_request(|_| async { Err("members only".into()) });
    let late = Service::with_http(engine.clone(), closed);
    let second = listen(move |request| {
        let service = late.clone();
        async move { service.answer(request).await }
    })
    .await;
    client.posts = Connection::open(second.address).await;
    assert_eq!(told(&client.post("4by the other port").await), (200, "ok"));
    assert_eq!(told(&client.get().await), (200, "4by the other port"));
    let mut connection = Connection::open(second.address).await;
    connection.request(&format!("GET {}", second.target("polling")), "").await;
    assert_eq!(told(&connection.answer().await), (403, r#"{"code":4,"message":"members only"}"#));
    let mut connection = Connection::open(first.address).await;
    connection.request(&format!("GET {}", first.target("polling")), "").await;
    assert_ne!(sid(&connection.answer().await.body), client.sid);
    engine.close().await;
    assert_eq!(told(&client.get().await), (400, REFUSED[1]));
}
