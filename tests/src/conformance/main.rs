//! Servers that other projects' suites and benchmarks are pointed at. `PROFILE` says which, `PORT` where
//! (`0` for any free one; it is printed).

mod autobahn;
mod bench;
mod eio;
mod eio_client;
mod eio_options;
mod recovery;
mod sio;
mod sio_client;
mod smoke;

use std::{env, io, process::ExitCode, time::Duration};

use socketio::{Config, Parser, Recovery, SocketIo};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// As `socketio-server` has it.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long broadcasts of profile `bench-flush` wait for more.
const FLUSH_DELAY: Duration = Duration::from_millis(10);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let profile = env::var("PROFILE").unwrap_or_else(|_| "smoke".into());
    match profile.as_str() {
        "autobahn" => autobahn::serve(listen(4109).await?, terminated()?).await,
        "eio" => eio::serve(listen(4100).await?, false, terminated()?).await,
        "eio3" => eio::serve(listen(4105).await?, true, terminated()?).await,
        "eio-client" => eio_client::serve(listen(4103).await?, terminated()?).await,
        "eio-options" => eio_options::serve(listen(4108).await?, terminated()?).await?,
        "sio" => serve(sio::server(false), 4101).await?,
        "sio3" => serve(sio::server(true), 4106).await?,
        "sio-client" => serve(sio_client::server(), 4102).await?,
        "smoke" => serve(smoke::server(None, Parser::Default), 4104).await?,
        "smoke-recovery" => serve(smoke::server(Some(Recovery::default()), Parser::Default), 4110).await?,
        "sio-msgpack" => serve(smoke::server(None, Parser::Msgpack), 4111).await?,
        "recovery" => serve(recovery::server()?, 4112).await?,
        "bench" => serve(bench::server(Config::default()), 4107).await?,
        "bench-flush" => serve(bench::server(Config { flush_delay: FLUSH_DELAY, ..Config::default() }), 4114).await?,
        "bench-msgpack" => serve(bench::server(Config { parser: Parser::Msgpack, ..Config::default() }), 4113).await?,
        other => return Err(format!("PROFILE={other} is no profile").into()),
    }
    Ok(())
}

async fn serve(io: SocketIo, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    io.serve(listen(port).await?, terminated()?).await;
    Ok(())
}

/// Binds `PORT`, or the profile's own port.
async fn listen(default: u16) -> Result<TcpListener, Box<dyn std::error::Error>> {
    let port = env::var("PORT").map_or(Ok(default), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

/// Done when the process is asked to end.
fn terminated() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
