//! What it is: the load generator: one scenario against one server on this machine; figures as one line of JSON.
//! What it is not: what starts servers and compares them, which is `tests/bench/run`.
//! Who calls it: `tests/bench/run`; by hand: `load <scenario> <port> <pid of the server> <seconds>`.

mod broadcast;
mod client;
mod coming;
mod connection;
mod echo;
mod frame;
mod idle;
mod measured;
mod msgpack;
mod pace;
mod polling;
mod process;
mod punctual;
mod question;
mod room;
mod scale;
mod slow;
mod storm;
mod swarm;

use std::{env, error::Error, process::ExitCode, time::Duration};

use measured::Report;

/// Why a scenario has no figures.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What a scenario is run against, and for how long.
#[derive(Clone)]
pub(crate) struct Run {
    port: u16,
    pid: String,
    /// Before anything is measured.
    warm_up: Duration,
    /// What is measured.
    time: Duration,
}

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            let figures: Vec<_> = report.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            println!("{{{}}}", figures.join(","));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Report, Failure> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [scenario, port, pid, seconds] = &arguments[..] else {
        return Err("load <scenario> <port> <pid of the server> <seconds>".into());
    };
    let time = Duration::from_secs(seconds.parse()?);
    let run = Run { port: port.parse()?, pid: pid.clone(), warm_up: time / 4, time };
    match &scenario[..] {
        "idle" => idle::websocket(&run),
        "polling_idle" => idle::polling(&run),
        "echo" => echo::echo(&run),
        "ack" => echo::ack(&run),
        "binary" => echo::binary(&run),
        "msgpack" => msgpack::echo(&run),
        "polling_echo" => polling::echo(&run),
        "broadcast_paced" => broadcast::paced(&run),
        "broadcast_flat" => broadcast::flat(&run),
        "broadcast_ack" => question::ask(&run),
        "rooms" => broadcast::rooms(&run),
        "latency_echo" => punctual::echo(&run),
        "latency_broadcast" => broadcast::latency(&run),
        "slow_reader" => slow::reader(&run),
        "handshake_upgrade" => coming::upgrade(&run),
        "handshake_websocket" => coming::websocket(&run),
        "storm" => storm::storm(&run),
        "scale_idle" => idle::scale(&run),
        "scale_flat" => scale::flat(&run),
        "scale_paced" => scale::paced(&run),
        "scale_rooms" => scale::lookup(&run),
        other => Err(format!("no scenario {other}").into()),
    }
}
