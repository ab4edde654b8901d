//! Engine.IO inside servers of other people: streams that hyper did not read, HTTP/2, and routes beside it.

use std::{
    future::ready,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use engineio::{
    CloseReason, Config, Context, Cors, Engine, Http, Origin, Origins, Serve, Service, Transport, TransportFault,
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, client::conn::http2, http::request::Parts, server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tests::{
    Row,
    frames::{ACCEPT, CLOSE, HANDSHAKE, TEXT, WebSocket, handshake, masked},
    http::Connection,
    polling::{Polling, sid},
    server::{Server, Sessions, engine_behind},
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpListener,
    time::Instant,
};

use crate::{REFUSED, broken};

/// The head of a request as another HTTP server has read it.
fn head(line: &str, headers: &str) -> Parts {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    let mut request = Request::builder().method(method).uri(target).header("host", "localhost");
    for header in headers.lines() {
        let (name, value) = header.split_once(": ").expect("a name and a value");
        request = request.header(name, value);
    }
    request.body(()).expect("a request").into_parts().0
}

/// Hands over one end of a stream; returns the other.
async fn accept(service: &Service, request: Parts) -> DuplexStream {
    let (ours, theirs) = duplex(64 * 1024);
    within(service.accept(request, theirs)).await.expect("the stream takes the answer");
    ours
}

/// Reads exactly these bytes.
async fn expect(stream: &mut DuplexStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    within(stream.read_exact(&mut read)).await.expect("so many bytes");
    assert_eq!(read, bytes, "{}", String::from_utf8_lossy(&read));
}

/// Reads the answer that lets a WebSocket in.
async fn switched(stream: &mut DuplexStream) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {ACCEPT}\r\n\r\n"
    );
    expect(stream, head.as_bytes()).await;
}

/// Reads that answer, and the open packet of the session that follows.
async fn opened(stream: &mut DuplexStream) -> String {
    switched(stream).await;
    let mut frame = [0; 2];
    within(stream.read_exact(&mut frame)).await.expect("the head of a frame");
    assert_eq!(frame[0], TEXT);
    let mut open = vec![0; usize::from(frame[1])];
    within(stream.read_exact(&mut open)).await.expect("a frame");
    sid(&String::from_utf8(open).expect("UTF-8"))
}

/// A server whose sessions are those of a service without a port, too.
async fn both(http: Http, config: Config) -> (Server, Sessions, Service) {
    let (server, sessions) = engine_behind(http.clone(), config).await;
    let service = Service::with_http(sessions.engine.clone(), http);
    (server, sessions, service)
}

#[tokio::test]
async fn hs_28_a_raw_stream_becomes_a_session() {
    let (_server, sessions, service) = both(Http::default(), Config::default()).await;
    let request = head("GET /engine.io/?EIO=4&transport=websocket", HANDSHAKE);
    let mut stream = accept(&service, request).await;
    let mut session = sessions.take(&opened(&mut stream).await);
    assert_eq!(session.socket.transport(), Transport::WebSocket);
    stream.write_all(&masked(TEXT, b"4up")).await.expect("is read");
    assert_eq!(session.text().await, "up");
    session.send("down");
    expect(&mut stream, b"\x81\x054down").await;
    session.socket.close();
    expect(&mut stream, &[CLOSE, 0]).await;
    drop(stream);
    session.reason().await;
    assert_eq!(sessions.engine.clients_count(), 0);
}

/// A client that is told goodbye has 5 s to go; the clock is the test's.
#[tokio::test(start_paused = true)]
async fn f23_a_stream_whose_client_does_not_go_is_dropped() {
    let (_server, sessions, service) = both(Http::default(), Config::default()).await;
    let mut stream = accept(&service, head("GET /engine.io/?EIO=4&transport=websocket", HANDSHAKE)).await;
    let session = sessions.take(&opened(&mut stream).await);
    let since = Instant::now();
    session.socket.close();
    assert_eq!(session.reason().await, CloseReason::ForcedClose);
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.expect("an end");
    assert_eq!((rest.as_slice(), since.elapsed()), ([CLOSE, 0].as_slice(), Duration::ZERO));
    while stream.write_all(b"more").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(since.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn f23_a_stream_whose_client_said_goodbye_ends_with_the_answer() {
    let (_server, sessions, service) = both(Http::default(), Config::default()).await;
    let mut stream = accept(&service, head("GET /engine.io/?EIO=4&transport=websocket", HANDSHAKE)).await;
    let session = sessions.take(&opened(&mut stream).await);
    let since = Instant::now();
    stream.write_all(&masked(CLOSE, b"\x03\xe8")).await.expect("is read");
    assert_eq!(session.reason().await, CloseReason::TransportClose);
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.expect("an end");
    assert_eq!(rest, b"\x88\x02\x03\xe8");
    assert!(stream.write_all(b"more").await.is_err(), "nobody is there");
    assert_eq!(since.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn up_01_a_raw_stream_upgrades_a_session_that_polls() {
    let (server, sessions, service) = both(Http::default(), Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let mut session = sessions.take(&client.sid);
    let target = client.target().replace("polling", "websocket");
    let mut stream = accept(&service, head(&format!("GET {target}"), HANDSHAKE)).await;
    switched(&mut stream).await;
    stream.write_all(&masked(TEXT, b"2probe")).await.expect("is read");
    expect(&mut stream, b"\x81\x063probe").await;
    stream.write_all(&[masked(TEXT, b"5"), masked(TEXT, b"4a")].concat()).await.expect("is read");
    assert_eq!(session.text().await, "a");
    assert_eq!(session.socket.transport(), Transport::WebSocket);
}

/// The same requests, read by hyper and by another server, are answered and reported alike.
#[tokio::test]
async fn t15_a_raw_stream_passes_the_same_admission() {
    let noted: Arc<Mutex<Vec<Context>>> = Arc::default();
    let notes = noted.clone();
    let good = Origins::List(vec![Origin::parse("http://good").expect("an origin")]);
    let http = Http::default()
        .cors(Cors::new(good))
        .allow_request(|request| {
            let rude = request.uri.query().is_some_and(|query| query.contains("rude"));
            ready(if rude { Err("no".into()) } else { Ok(()) })
        })
        .generate_sid(|request| {
            let none = request.uri.query().is_some_and(|query| query.contains("nobody"));
            ready((!none).then(engineio::Sid::draw))
        })
        .client_ip(|_| Some([192, 0, 2, 1].into()))
        .on_refused(move |refused| notes.lock().expect("not poisoned").push(refused.context.clone()));
    let (server, sessions, service) = both(http, Config { max_sessions_per_ip: Some(1), ..Config::default() }).await;
    let target = "GET /engine.io/?EIO=4&transport=websocket";
    let with = |header: &str| format!("{HANDSHAKE}{header}\r\n");
    let rows = [
        ("another path", "GET /other?EIO=4&transport=websocket", HANDSHAKE.to_owned(), 404),
        ("another transport", "GET /engine.io/?EIO=4&transport=polling", HANDSHAKE.to_owned(), 400),
        ("an unknown transport", "GET /engine.io/?EIO=4&transport=foo", HANDSHAKE.to_owned(), 400),
        ("an unknown sid", &format!("{target}&sid=abc"), HANDSHAKE.to_owned(), 400),
        ("another method", "PUT /engine.io/?EIO=4&transport=websocket", HANDSHAKE.to_owned(), 400),
        ("another revision", "GET /engine.io/?EIO=3&transport=websocket", HANDSHAKE.to_owned(), 400),
        ("a page", target, with("origin: http://evil"), 403),
        ("the application's no", &format!("{target}&rude"), HANDSHAKE.to_owned(), 403),
        ("no id", &format!("{target}&nobody"), HANDSHAKE.to_owned(), 400),
        ("a body", target, with("content-length: 5"), 400),
        ("two hosts", target, with("host: b"), 400),
        ("an expectation", target, with("expect: foo"), 417),
        ("another version", target, HANDSHAKE.replace("version: 13", "version: 8"), 426),
        ("no upgrade", target, String::new(), 400),
        ("a second session", target, HANDSHAKE.to_owned(), 503),
    ];
    let mut first = None;
    for (label, line, headers, status) in rows {
        let _row = Row(label);
        if status == 503 {
            first = Some(Polling::open(server.endpoint).await);
        }
        let mut connection = Connection::open(server.endpoint.address).await;
        connection.request(line, &headers).await;
        let by_hyper = connection.answer().await;
        let reported = std::mem::take(&mut *noted.lock().expect("not poisoned"));

        let mut raw = String::new();
        let mut stream = accept(&service, head(line, &headers)).await;
        within(stream.read_to_string(&mut raw)).await.expect("an answer, and the end");
        let (head, body) = raw.split_once("\r\n\r\n").expect("a head");
        assert_eq!((by_hyper.status, by_hyper.body.as_str()), (status, body));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let mut lines: Vec<_> = head.lines().skip(1).map(str::to_owned).collect();
        let mut expected: Vec<_> = by_hyper.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        expected.retain(|line| !line.starts_with("date: ") && line != "connection: close");
        lines.retain(|line| line != "connection: close");
        lines.sort();
        expected.sort();
        assert_eq!(lines, expected);
        assert_eq!(*noted.lock().expect("not poisoned"), reported);
        noted.lock().expect("not poisoned").clear();
    }
    assert_eq!((first.is_some(), sessions.engine.clients_count()), (true, 1));
}

#[tokio::test]
async fn a_raw_stream_that_is_gone_leaves_no_session() {
    let (_server, sessions, service) = both(Http::default(), Config::default()).await;
    let (ours, theirs) = duplex(64 * 1024);
    drop(ours);
    let request = head("GET /engine.io/?EIO=4&transport=websocket", HANDSHAKE);
    assert!(within(service.accept(request, theirs)).await.is_err());
    within(async {
        while sessions.engine.clients_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A client of HTTP/2 on a stream whose other end the service answers.
async fn http2(service: Service) -> http2::SendRequest<Full<Bytes>> {
    let (ours, theirs) = duplex(64 * 1024);
    let server = server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(async move { server.serve_connection(TokioIo::new(theirs), service).await });
    let (client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(ours)).await.expect("both speak HTTP/2");
    tokio::spawn(connection);
    client
}

fn of_http2(method: &str, target: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(format!("http://a.example{target}"));
    request.header("origin", "http://a.example").body(Full::from(body.to_owned())).expect("a request")
}

async fn whole(answer: impl Future<Output = hyper::Result<Response<hyper::body::Incoming>>>) -> Response<String> {
    let (head, body) = within(answer).await.expect("an answer").into_parts();
    let body = within(body.collect()).await.expect("a body").to_bytes();
    Response::from_parts(head, String::from_utf8(body.into()).expect("UTF-8"))
}

#[tokio::test]
async fn hs_01_tr_10_polling_over_http_2() {
    let (_server, sessions, service) = both(Http::default().cors(Cors::new(Origins::Same)), Config::default()).await;
    let mut client = http2(service).await;
    let target = "/engine.io/?EIO=4&transport=polling";
    let opened = whole(client.send_request(of_http2("GET", target, ""))).await;
    // The target's host stands for the header that HTTP/2 does not need.
    assert_eq!(opened.headers()["access-control-allow-origin"], "http://a.example");
    let sid = sid(opened.body());
    let target = format!("{target}&sid={sid}");
    let mut session = sessions.take(&sid);

    let parked = client.send_request(of_http2("GET", &target, ""));
    let posted = whole(client.send_request(of_http2("POST", &target, "4up"))).await;
    assert_eq!((posted.status().as_u16(), posted.body().as_str()), (200, "ok"));
    assert_eq!(session.text().await, "up");
    session.send("down");
    let polled = whole(parked).await;
    assert_eq!(polled.body(), "4down");

    let refused = whole(client.send_request(of_http2("GET", "/engine.io/?EIO=4&transport=websocket", ""))).await;
    assert_eq!((refused.status().as_u16(), refused.body().as_str()), (400, REFUSED[3]));
    let too_large = whole(client.send_request(of_http2("POST", &target, &"4".repeat(1_000_001)))).await;
    assert_eq!(too_large.status(), 413);
    for answer in [opened, posted, polled, refused, too_large] {
        let forbidden = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];
        assert!(!forbidden.iter().any(|name| answer.headers().contains_key(*name)), "{answer:?}");
    }

    // A stream that the client resets is a connection that ended.
    let parked = client.send_request(of_http2("GET", &target, ""));
    let other = whole(client.send_request(of_http2("POST", &target, "6"))).await;
    assert_eq!(other.body(), "ok");
    drop(parked);
    assert_eq!(session.reason().await, broken(TransportFault::PollAborted));
}

/// hyper would strip it; other servers need not.
#[tokio::test]
async fn answers_to_http_2_never_say_how_the_connection_goes_on() {
    let (server, _sessions, service) = both(Http::default(), Config::default()).await;
    let client = Polling::open(server.endpoint).await;
    let rows = [
        ("too large", format!("POST {}", client.target()), "content-length: 1000001\r\n", 413),
        ("refused", "GET /engine.io/?EIO=4&transport=websocket".to_owned(), HANDSHAKE, 400),
    ];
    for (label, line, headers, status) in rows {
        let _row = Row(label);
        for (version, close) in [(hyper::Version::HTTP_11, true), (hyper::Version::HTTP_2, false)] {
            let mut request = head(&line, headers);
            request.version = version;
            let body = Full::new(Bytes::from("4".repeat(1_000_001)));
            let answer = service.answer(Request::from_parts(request, body)).await;
            assert_eq!((answer.status().as_u16(), answer.headers().contains_key("connection")), (status, close));
        }
    }
}

#[tokio::test]
async fn at_01_03_04_beside_an_application_s_own_routes() {
    let engine = Engine::new(Config::default(), |socket, driver| {
        tokio::spawn(async move {
            driver
                .run(|message| {
                    let _gone = socket.send(&message);
                })
                .await
        });
    });
    let service = Service::new(engine);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let calls: Arc<Mutex<Vec<String>>> = Arc::default();
    let called = calls.clone();
    let answer = move |request: Request<hyper::body::Incoming>| {
        let (service, called) = (service.clone(), called.clone());
        async move {
            if service.matches(request.uri().path()) {
                return service.answer(request).await;
            }
            called.lock().expect("not poisoned").push(request.uri().to_string());
            Response::new(Full::from("the application's own"))
        }
    };
    tokio::spawn(async move { Serve::default().run(listener, answer, std::future::pending(), async {}).await });
    let endpoint = tests::server::Endpoint { address, path: "/engine.io/", query: "EIO=4" };

    // All on one connection.
    let mut connection = Connection::open(address).await;
    for (target, headers) in [("/", ""), ("/engine.io", ""), ("/chat?transport=websocket", HANDSHAKE)] {
        connection.request(&format!("GET {}", endpoint.target("polling")), "").await;
        assert_eq!(connection.answer().await.status, 200);
        connection.request(&format!("GET {target}"), headers).await;
        assert_eq!(connection.answer().await.body, "the application's own");
    }
    assert_eq!(handshake(&mut connection, &endpoint.target("websocket")).await.status, 101);
    let mut websocket = WebSocket { connection };
    websocket.text().await;
    websocket.send("4echo").await;
    assert_eq!(websocket.text().await, "4echo");
    let expected = ["/", "/engine.io", "/chat?transport=websocket"];
    assert_eq!(*calls.lock().expect("not poisoned"), expected, "AT-01: once each");
}
