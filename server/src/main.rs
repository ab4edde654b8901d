//! `socketio-server`: holds Socket.IO connections. Options, then serve.

mod api;
mod bundle;
mod config;
mod front;
mod guard;
mod page;
mod playground;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use config::{Config, Options};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Config::load(Options::parse()) {
        Ok(config) => serve::serve(config).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("socketio-server: {error}");
            ExitCode::FAILURE
        }
    }
}
