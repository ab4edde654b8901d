//! What it is: the smallest server: whatever a client says is said back to it.
//! What it is not: beside anything else on its port; for that see `axum.rs`.
//! Who calls it: `cargo run -p engineio --example echo -- 127.0.0.1:3000`

use std::{env, io};

use engineio::{Config, Engine, Serve, Service};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let engine = Engine::new(Config::default(), |socket, driver| {
        // The driver is the one task of a session: without it nothing moves.
        tokio::spawn(async move {
            let reason = driver
                .run(|message| {
                    // A client that has left meanwhile hears no echo.
                    let _left = socket.send(&message);
                })
                .await;
            println!("a client left: {reason}");
        });
    });
    let service = Service::new(engine.clone());
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };

    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/engine.io/", listener.local_addr()?);
    // On Ctrl-C all sessions are closed, and connections have a little time to take their last answers.
    let ctrl_c = async { drop(tokio::signal::ctrl_c().await) };
    Serve::default().run(listener, answer, ctrl_c, engine.close()).await;
    Ok(())
}
