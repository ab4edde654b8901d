//! `socketio-server`: holds Socket.IO connections. The command line, then what it asks for.

mod admin;
mod admin_page;
mod announce;
mod answer;
mod api;
mod ask;
mod auth;
mod backend;
mod bundle;
mod cluster;
mod command;
mod config;
mod connect_rate;
mod connector;
mod deny;
mod doctor;
mod emitted;
mod front;
mod guard;
mod hop;
mod journal;
mod keyring;
mod lag;
mod listeners;
mod member;
mod metrics;
mod namespaces;
mod op;
mod options;
mod origins;
mod pace;
mod page;
mod perform;
mod playground;
mod proxies;
mod pubsub;
mod redis;
mod reload;
mod request;
mod room_name;
mod rooms;
mod rules;
mod seats;
mod serve;
mod slots;
mod sockets;
mod supervisor;
mod tail;
mod tls;
mod trust;
mod tunnel;
mod upload;
mod upstream;
mod users;
mod wire;

use std::{error::Error, io, process::ExitCode};

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use auth::Tokens;
use command::{Command, CommandLine, Flags};
use config::{Settled, listing};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("socketio-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(CommandLine { command, flags }: CommandLine) -> Result<(), Box<dyn Error>> {
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(flags)?,
        Command::CheckConfig => {
            let settled = Settled::load(&flags)?;
            Tokens::load(&settled.config.auth.jwt)?;
            if !settled.is_playground {
                announce::warnings(&settled.config).for_each(|warning| println!("warning: {warning}"));
            }
            println!("nothing is wrong");
        }
        Command::DefaultConfig { env: false } => print!("{}", listing::file()),
        Command::DefaultConfig { env: true } => print!("{}", listing::environment()),
        Command::Version => println!("socketio-server {}", env!("CARGO_PKG_VERSION")),
        Command::Healthcheck => {
            let settled = Settled::load(&flags)?;
            print!("{}", runtime(1)?.block_on(request::healthcheck(&settled))?);
        }
        Command::Token(token) => {
            let tokens = Tokens::load(&Settled::load(&flags)?.config.auth.jwt)?;
            println!("{}", tokens.sign(&token.into())?.token);
        }
        Command::Doctor(asked) => runtime(1)?.block_on(doctor::doctor(&asked))?,
        Command::Emit(emit) => {
            let settled = Settled::load(&flags)?;
            print!("{}", runtime(1)?.block_on(request::emit(&emit, &settled))?);
        }
    }
    Ok(())
}

fn serve(flags: Flags) -> Result<(), Box<dyn Error>> {
    let settled = Settled::load(&flags)?;
    let runtime = runtime(settled.config.server.threads)?;
    let outcome = runtime.block_on(serve::serve(settled, flags));
    // Whatever still runs has had its time.
    runtime.shutdown_background();
    Ok(outcome?)
}

/// A runtime of so many threads; 0 is one for each processor that the process may use.
fn runtime(threads: usize) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}
