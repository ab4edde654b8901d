//! Profiles `eio` and `eio3`: an Engine.IO server that sends every message back, without and with revision 3.
//! `PING_TIMEOUT` is how many milliseconds a pong may take, by default 200, as the protocol's own suite has it.

use std::{env, time::Duration};

use engineio::{Config, Engine, Message, Serve, Service, Socket};
use tokio::net::TcpListener;

pub(crate) async fn serve(listener: TcpListener, allow_eio3: bool, shutdown: impl Future<Output = ()>) {
    let config = Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: milliseconds("PING_TIMEOUT", 200),
        allow_eio3,
        ..Config::default()
    };
    let engine = engine(config, echo);
    let service = Service::new(engine.clone());
    run(listener, engine, service, shutdown).await;
}

/// What this variable says, for tests that have more patience.
pub(crate) fn milliseconds(variable: &str, default: u64) -> Duration {
    let number = env::var(variable).map_or(default, |number| number.parse().expect("a number of milliseconds"));
    Duration::from_millis(number)
}

/// An engine that has every message answered by `answer`.
pub(crate) fn engine(config: Config, answer: fn(&Socket, Message)) -> Engine {
    Engine::new(config, move |socket, driver| {
        tokio::spawn(async move { driver.run(|message| answer(&socket, message)).await });
    })
}

pub(crate) fn echo(socket: &Socket, message: Message) {
    // A client that has gone meanwhile hears no echo.
    let _gone = socket.send(&message);
}

pub(crate) async fn run(listener: TcpListener, engine: Engine, service: Service, shutdown: impl Future<Output = ()>) {
    let answer = move |request| {
        let service = service.clone();
        async move { service.answer(request).await }
    };
    Serve::default().run(listener, answer, shutdown, engine.close()).await;
}
