//! Polling answers that are compressed, and those that are not.

use std::io::Read;

use engineio::{Config, Cors, Frame, Http, Message, Origin, Origins};
use flate2::read::{GzDecoder, ZlibDecoder};
use tests::{
    Row,
    frames::{self, WebSocket, text},
    http::Answer,
    polling::Polling,
    server,
};

use crate::told;

const GZIP: &str = "accept-encoding: gzip\r\n";

/// A GET with these headers: its answer and its body, decoded as the answer says.
async fn get(client: &mut Polling, headers: &str) -> (Answer, Vec<u8>) {
    client.gets.request(&format!("GET {}", client.target()), headers).await;
    let (answer, body) = client.gets.binary_answer().await;
    assert_eq!((answer.status, answer.header("content-length")), (200, body.len().to_string().as_str()));
    let mut decoded = Vec::new();
    let read = match answer.header("content-encoding") {
        "" => return (answer, body),
        "gzip" => GzDecoder::new(body.as_slice()).read_to_end(&mut decoded),
        "deflate" => ZlibDecoder::new(body.as_slice()).read_to_end(&mut decoded),
        other => panic!("{other}"),
    };
    read.expect("as the header says");
    (answer, decoded)
}

#[tokio::test]
async fn cp_01_02_the_client_chooses() {
    let (server, sessions) = server::engine(Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let message = "é日🦀".repeat(500);
    let rows = [
        ("nothing", "", ""),
        ("gzip", GZIP, "gzip"),
        ("deflate", "accept-encoding: deflate\r\n", "deflate"),
        ("both, gzip first", "accept-encoding: br, gzip, deflate\r\n", "gzip"),
        ("both, deflate first", "accept-encoding: deflate, gzip, br\r\n", "deflate"),
        ("any", "accept-encoding: *\r\n", "gzip"),
        ("any but gzip", "accept-encoding: gzip;q=0, *\r\n", "deflate"),
        ("none of any", "accept-encoding: *;q=0\r\n", ""),
        ("in capitals", "accept-encoding: GZIP\r\n", "gzip"),
        ("in two lines", "accept-encoding: br\r\naccept-encoding: deflate\r\n", "deflate"),
        ("with weights", "accept-encoding: deflate;q=0.1, gzip;q=0.5\r\n", "gzip"),
        ("with other weights", "accept-encoding: gzip;q=0.1, deflate;q=0.9\r\n", "deflate"),
        ("not gzip", "accept-encoding: gzip;q=0, deflate\r\n", "deflate"),
        ("neither", "accept-encoding: gzip; q=0.0, deflate;q=0\r\n", ""),
        ("a weight in capitals", "accept-encoding: GZIP;Q=0, Deflate\r\n", "deflate"),
        ("a weight behind another parameter", "accept-encoding: gzip;x=1;q=0, deflate\r\n", "deflate"),
        ("others only", "accept-encoding: br, zstd, identity\r\n", ""),
        ("one that starts so", "accept-encoding: gzipped, xgzip\r\n", ""),
        ("no value", "accept-encoding: \r\n", ""),
    ];
    for (label, headers, coding) in rows {
        let _row = Row(label);
        session.send(&message);
        let (answer, body) = get(&mut client, headers).await;
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("vary"), if coding.is_empty() { "" } else { "Accept-Encoding" });
        assert_eq!(answer.header("content-type"), "text/plain; charset=UTF-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(body == format!("4{message}").into_bytes(), "the message is as it was");
        let length: usize = answer.header("content-length").parse().expect("a length");
        assert_eq!(length < 1000, !coding.is_empty(), "{length}");
    }
}

#[tokio::test]
async fn cp_01_02_03_from_the_threshold_on() {
    let rows = [
        ("CP-01: below the default", Http::default(), 1023, ""),
        ("CP-01: at the default", Http::default(), 1024, "gzip"),
        ("CP-03: below another", Http::default().compression(Some(100)), 99, ""),
        ("CP-03: at another", Http::default().compression(Some(100)), 100, "gzip"),
        ("CP-03: all", Http::default().compression(Some(0)), 1, "gzip"),
        ("CP-03: never", Http::default().compression(None), 100_000, ""),
    ];
    for (label, http, length, coding) in rows {
        let _row = Row(label);
        let (server, sessions) = server::engine_behind(http, Config::default()).await;
        let mut client = Polling::open(server.endpoint).await;
        let message = "x".repeat(length - 1);
        sessions.take(&client.sid).send(&message);
        let (answer, body) = get(&mut client, GZIP).await;
        assert_eq!(answer.header("content-encoding"), coding);
        assert!(body == format!("4{message}").into_bytes(), "the message is as it was");
    }
}

/// They tell their length (CP-07): unlike the reference's they are whole before they are sent.
#[tokio::test]
async fn cp_01_07_answers_of_all_kinds() {
    let http = Http::default().compression(Some(0));
    let config = Config { allow_eio3: true, ..Config::default() };
    let (server, sessions) = server::engine_behind(http, config).await;

    let mut client = Polling::open(server.endpoint.asked("EIO=3")).await;
    sessions.take(&client.sid).socket.send(&Message::Binary(vec![7; 20].into())).expect("the session lives");
    let (answer, body) = get(&mut client, GZIP).await;
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(
        (answer.header("content-encoding"), body),
        ("gzip", [b"\x01\x02\x01\xff\x04".as_slice(), &[7; 20]].concat())
    );

    let mut client = Polling::open(server.endpoint).await;
    sessions.take(&client.sid).send("a");
    client.endpoint = server.endpoint.asked("EIO=4&j=0");
    let (answer, body) = get(&mut client, GZIP).await;
    assert_eq!(answer.header("content-type"), "text/javascript; charset=UTF-8");
    assert_eq!((answer.header("content-encoding"), body), ("gzip", b"___eio[0](\"4a\");".to_vec()));

    client.begin_post(&format!("{GZIP}content-length: 4\r\n")).await;
    client.posts.send("d=4a").await;
    let answer = client.posts.answer().await;
    assert_eq!((told(&answer), answer.header("content-encoding")), ((200, "ok"), ""));

    // Without a sid it is a handshake.
    client.endpoint = server.endpoint;
    client.sid = String::new();
    let (answer, body) = get(&mut client, GZIP).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(body.starts_with(b"0{\"sid\":\""));
}

#[tokio::test]
async fn cp_04_cb_07_an_answer_is_compressed_if_one_of_its_messages_may_be() {
    let (server, sessions) = server::engine_behind(Http::default().compression(Some(1)), Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    let session = sessions.take(&client.sid);
    let (may, not) = (Frame::text(&["may"]), Frame::text(&["not"]).uncompressed());
    let binary = Frame::binary(b"not").uncompressed();
    let rows: [(&str, &[&Frame], &str, &str); 5] = [
        ("CB-07: unless said otherwise", &[&may], "4may", "gzip"),
        ("CP-04: not", &[&not], "4not", ""),
        ("CP-04: none of several", &[&not, &binary], "4not\x1ebbm90", ""),
        ("one of several", &[&not, &may, &not], "4not\x1e4may\x1e4not", "gzip"),
        ("and the next one again not", &[&not], "4not", ""),
    ];
    for (label, frames, body, coding) in rows {
        let _row = Row(label);
        frames.iter().for_each(|frame| session.socket.send_frames(frame, &[]).expect("the session lives"));
        let (answer, found) = get(&mut client, GZIP).await;
        assert_eq!((answer.header("content-encoding"), found.as_slice()), (coding, body.as_bytes()));
    }
    // A close packet behind it changes nothing.
    session.socket.send_frames(&not, &[]).expect("the session lives");
    session.socket.close();
    let (answer, found) = get(&mut client, GZIP).await;
    assert_eq!((answer.header("content-encoding"), found.as_slice()), ("", b"4not\x1e1".as_slice()));

    // Over a WebSocket it is the same frame, as nothing is compressed there.
    let (mut websocket, sid) = WebSocket::open(server.endpoint).await;
    sessions.take(&sid).socket.send_frames(&not, &[binary]).expect("the session lives");
    assert_eq!(websocket.frame().await, text("4not"));
    assert_eq!(websocket.frame().await, frames::Frame::Binary(b"not".to_vec()));
}

/// A cache that keeps answers apart by one of the two only would mix them up.
#[tokio::test]
async fn cp_02_co_04_a_compressed_answer_to_a_page_varies_with_both() {
    let origins = Origins::List(vec![Origin::parse("http://good").expect("an origin")]);
    let (server, sessions) = server::engine_behind(Http::default().cors(Cors::new(origins)), Config::default()).await;
    let mut client = Polling::open(server.endpoint).await;
    sessions.take(&client.sid).send(&"x".repeat(2000));
    let (answer, _body) = get(&mut client, &format!("{GZIP}origin: http://good\r\n")).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let lines = answer.headers.iter().filter(|(name, _)| name == "vary");
    let mut varies: Vec<_> = lines.flat_map(|(_, value)| value.split(", ")).collect();
    varies.sort_unstable();
    assert_eq!(varies, ["Accept-Encoding", "Origin"]);
}
