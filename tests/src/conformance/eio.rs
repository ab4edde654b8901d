//! Profiles `eio` and `eio3`: an Engine.IO server that sends every message back, without and with revision 3.

use std::time::Duration;

use engineio::{Config, Engine, Http, Serve, Service};
use tokio::net::TcpListener;

pub(crate) async fn serve(listener: TcpListener, allow_eio3: bool, shutdown: impl Future<Output = ()>) {
    let config = Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        allow_eio3,
        ..Config::default()
    };
    echo(listener, config, Http::default(), shutdown).await;
}

/// Sends every message back.
pub(crate) async fn echo(listener: TcpListener, config: Config, http: Http, shutdown: impl Future<Output = ()>) {
    let engine = Engine::new(config, |socket, driver| {
        tokio::spawn(async move {
            driver
                .run(|message| {
                    // A client that has gone meanwhile hears no echo.
                    let _gone = socket.send(&message);
                })
                .await
        });
    });
    let service = Service::with_http(engine.clone(), http);
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };
    Serve::default().run(listener, answer, shutdown, engine.close()).await;
}
