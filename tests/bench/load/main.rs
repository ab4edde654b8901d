//! What it is: the load generator: one scenario against one server on this machine; figures as one line of JSON.
//! What it is not: what starts servers and compares them, which is `tests/bench/run`.
//! Who calls it: `tests/bench/run`; by hand: `load <scenario> <port> <pid of the server> <seconds>`.

mod broadcast;
mod client;
mod coming;
mod connection;
mod echo;
mod frame;
mod measured;
mod polling;
mod process;
mod swarm;

use std::{env, error::Error, process::ExitCode, time::Duration};

use measured::Report;

/// Why a scenario has no figures.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What a scenario is run against, and for how long.
pub(crate) struct Run {
    port: u16,
    pid: String,
    /// What is measured, the time before it left out.
    time: Duration,
}

impl Run {
    /// Before anything is measured.
    fn warm_up(&self) -> Duration {
        self.time / 4
    }
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
    let run = Run { port: port.parse()?, pid: pid.clone(), time: Duration::from_secs(seconds.parse()?) };
    match &scenario[..] {
        "idle" => coming::idle(&run),
        "echo" => echo::echo(&run),
        "ack" => echo::ack(&run),
        "binary" => echo::binary(&run),
        "broadcast_paced" => broadcast::paced(&run),
        "broadcast_flat" => broadcast::flat(&run),
        "handshake_upgrade" => coming::upgrade(&run),
        "handshake_websocket" => coming::websocket(&run),
        "polling_echo" => polling::echo(&run),
        other => Err(format!("no scenario {other}").into()),
    }
}
