//! What it is: Socket.IO on the port of an axum application, both with the same state: a page and clients count clicks.
//! What it is not: the only way to share state: an `Arc` that handlers capture is as good as any.
//! Who calls it: `cargo run -p socketio --features tower --example axum_layer -- 127.0.0.1:3000`

use std::{
    env, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use socketio::{Config, Namespace, Reply, Socket, SocketIo};
use tokio::net::TcpListener;

#[derive(Clone)]
struct App {
    clicks: Arc<AtomicU64>,
    io: SocketIo,
}

/// A click on the page, of which all clients hear.
async fn click(State(app): State<App>) -> String {
    let clicks = app.clicks.fetch_add(1, Ordering::Relaxed) + 1;
    let _told = app.io.emit("clicks", &clicks);
    format!("{clicks}\n")
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let clicks = Arc::new(AtomicU64::new(0));
    let counted = clicks.clone();
    let namespace = Namespace::new("/").on("click", move |socket: Socket| {
        let clicks = counted.fetch_add(1, Ordering::Relaxed) + 1;
        let _told = socket.broadcast().emit("clicks", &clicks);
        async move { Reply(clicks) }
    });
    let app = App { clicks, io: SocketIo::new(Config::default(), [namespace]) };
    let router = Router::new()
        .route("/", get(async |State(app): State<App>| format!("{}\n", app.clicks.load(Ordering::Relaxed))))
        .route("/click", post(click))
        .with_state(app.clone())
        .layer(app.io.clone());

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let shutdown = async move {
        drop(tokio::signal::ctrl_c().await);
        app.io.close().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}
