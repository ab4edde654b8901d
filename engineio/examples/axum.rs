//! What it is: Engine.IO under `/engine.io/`, beside the routes of an axum application that counts its sessions.
//! What it is not: the only way: any server that takes tower services has a place for the `Service`.
//! Who calls it: `cargo run -p engineio --features tower --example axum -- 127.0.0.1:3000`

use std::{env, io};

use axum::{Router, routing::get};
use engineio::{Config, Engine, Message, Service};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let engine = Engine::new(Config::default(), |socket, driver| {
        tokio::spawn(async move {
            let reply = |message| match message {
                Message::Text(text) => Message::Text(text.to_uppercase().into()),
                binary => binary,
            };
            driver
                .run(|message| {
                    let _left = socket.send(&reply(message));
                })
                .await
        });
    });
    let counted = engine.clone();
    let router = Router::new()
        .route("/", get(|| async { "Engine.IO is at /engine.io/\n" }))
        .route("/sessions", get(|| async move { format!("{}\n", counted.clients_count()) }))
        // The path of the `Config`; a service sees the whole path of a request, so `nest` would not do.
        .route_service("/engine.io/", Service::new(engine.clone()));

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let shutdown = async move {
        drop(tokio::signal::ctrl_c().await);
        // axum waits for connections to end: sessions that wait for news are told that there is none.
        engine.close().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
