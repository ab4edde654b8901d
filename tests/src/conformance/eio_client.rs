//! Profile `eio-client`: what engine.io-client's own tests ask of a server: an echo that also shows headers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use engineio::{ByteString, Config, Engine, Http, Message, Serve, Service, Socket};
use serde_json::{Map, Value};
use tokio::net::TcpListener;

/// The headers of the latest POST of each session, as a JSON object. Nobody waits while the lock is held.
type Posts = Arc<Mutex<HashMap<String, Value>>>;

pub(crate) async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let config = Config { ping_interval: Duration::from_millis(500), max_payload: 100, ..Config::default() };
    let http = Http::default()
        .allow_request(|request| {
            let denied = parameter(request.uri.query(), "deny").is_some();
            async move { if denied { Err("Forbidden".into()) } else { Ok(()) } }
        })
        .initial_headers(|request, headers| {
            // The client keeps one jar for both transports, and it is to be filled by polling.
            if parameter(request.uri.query(), "transport") != Some("polling") {
                return;
            }
            let now = httpdate::fmt_http_date(SystemTime::now());
            for cookie in [
                "1=1; Max-Age=86400",
                "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
                "3=3; Max-Age=0",
                &format!("4=4; Expires={now}"),
            ] {
                headers.append("set-cookie", cookie.parse().expect("ASCII"));
            }
        });
    let posts = Posts::default();
    let of_sessions = posts.clone();
    let engine = Engine::new(config, move |socket, driver| {
        let posts = of_sessions.clone();
        tokio::spawn(async move {
            reply(&socket, "hi".into());
            driver.run(|message| answer(&socket, message, &posts)).await;
            posts.lock().expect("not poisoned").remove(socket.sid().as_str());
        });
    });
    let service = Service::with_http(engine.clone(), http);
    Serve::default()
        .run(
            listener,
            move |request| {
                let (service, posts) = (service.clone(), posts.clone());
                if let ("POST", Some(sid)) = (request.method().as_str(), parameter(request.uri().query(), "sid")) {
                    let headers: Map<String, Value> = request
                        .headers()
                        .iter()
                        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
                        .collect();
                    posts.lock().expect("not poisoned").insert(sid.to_owned(), headers.into());
                }
                async move { service.answer(request).await }
            },
            shutdown,
            engine.close(),
        )
        .await;
}

fn answer(socket: &Socket, message: Message, posts: &Posts) {
    match &message {
        Message::Text(text) if *text == "sendHeaders" => {
            let headers = posts.lock().expect("not poisoned").get(socket.sid().as_str()).cloned();
            reply(socket, headers.unwrap_or_default().to_string().into());
        }
        Message::Text(text) if *text == "give binary" => {
            let _gone = socket.send(&Message::Binary(vec![0, 1, 2, 3, 4].into()));
        }
        Message::Text(text) if *text == "give utf8" => reply(socket, "пойду спать всем спокойной ночи".into()),
        _ => {
            let _gone = socket.send(&message);
        }
    }
}

/// Sends text. A client that has gone meanwhile hears none; the same holds above.
fn reply(socket: &Socket, text: ByteString) {
    let _gone = socket.send(&Message::Text(text));
}

/// A parameter of a query whose names and values need no decoding.
fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}
