//! What it is: a server on a Unix socket, as behind a proxy of the same machine, that greets its clients.
//! What it is not: for clients of its own; they come through the proxy, which knows their addresses.
//! Who calls it: `cargo run -p engineio --example unix -- engine.sock`

use std::{env, fs, io, path::PathBuf};

use engineio::{Config, Engine, Http, Message, Serve, Service};
use tokio::net::UnixListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    // Nobody else can write to the socket, so what the proxy says of addresses can be believed.
    let http = Http::default().kept_headers(["x-real-ip"]).client_ip(|request| {
        let address = request.headers.get("x-real-ip")?.to_str().ok()?;
        address.parse().ok()
    });
    let config = Config { max_sessions_per_ip: Some(100), ..Config::default() };
    let engine = Engine::new(config, |socket, driver| {
        let address = socket.handshake().header("x-real-ip").unwrap_or(b"nowhere");
        let greeting = format!("hello, {}", String::from_utf8_lossy(address));
        // Waits for the driver, as all that is sent does.
        let _queued = socket.send(&Message::Text(greeting.into()));
        tokio::spawn(driver.run(|_message| {}));
    });
    let service = Service::with_http(engine.clone(), http);
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };

    let path = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "engine.sock".to_owned()));
    if path.exists() {
        // Of a server that ended without tidying up.
        fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path)?;
    println!("listening on {}", path.display());
    let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    Serve::default().run(listener, answer, ctrl_c, engine.close()).await;
    fs::remove_file(&path)
}
