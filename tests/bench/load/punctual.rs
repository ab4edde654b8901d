//! What it is: the scenario of echoes in an open loop: 2,000 a second over 100 clients.
//! What it is not: a search for the most a server can do.
//! Who calls it: `main`.

use std::time::Duration;

use crate::{
    Failure, Run,
    client::{self, unexpected},
    echo::{CLIENTS, LENGTH},
    frame,
    measured::Report,
    pace::{self, DIGITS, Numbered, Paced},
    swarm::Swarm,
};

/// Echoes in a second.
const PACE: u32 = 2_000;
/// What an event starts with, either way.
const START: &str = "42[\"echo\",\"";

/// The clients, which send in turn.
struct Echoes {
    swarm: Swarm,
    /// Of each message that was sent, whether it is still to come back.
    is_due: Vec<bool>,
    /// What an event ends with.
    end: String,
    pong: Vec<u8>,
}

impl Numbered for Echoes {
    fn next(&self) -> usize {
        self.is_due.len()
    }

    fn send(&mut self) -> Result<(), Failure> {
        let (number, end) = (self.next(), &self.end);
        self.is_due.push(true);
        self.swarm.connection(number % CLIENTS).send(&frame::text(&format!("{START}{number:0DIGITS$}{end}")))
    }

    fn due_of_each(&self) -> usize {
        1
    }

    fn turn(&mut self, wait: Duration, mut heard: impl FnMut(usize)) -> Result<(), Failure> {
        let Self { swarm, is_due, end, pong } = self;
        swarm.turn(wait, |at, connection, (_, payload)| {
            if payload == b"2" {
                return connection.send(pong);
            }
            let number = pace::number(payload, START.as_bytes(), end.as_bytes());
            let number = number.filter(|number| number % CLIENTS == at && is_due.get(*number) == Some(&true));
            let number = number.ok_or_else(|| unexpected(payload))?;
            is_due[number] = false;
            heard(number);
            Ok(())
        })
    }
}

pub(crate) fn echo(run: &Run) -> Result<Report, Failure> {
    let mut swarm = Swarm::new(frame::websocket)?;
    (0..CLIENTS).try_for_each(|_| swarm.push(client::join(run.port)?))?;
    let end = format!("{}\"]", "e".repeat(LENGTH - DIGITS));
    let mut echoes = Echoes { swarm, is_due: Vec::new(), end, pong: frame::text("3") };
    let Paced { measured, in_time } = pace::keep(run, &mut echoes, PACE)?;
    let mut report = measured.report()?;
    report.push(("in_time", in_time));
    Ok(report)
}
