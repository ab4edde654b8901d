//! What it is: scenarios in a closed loop over WebSocket: each of 100 clients sends again once it was answered.
//! What it is not: paced; latency is that of a busy server.
//! Who calls it: `main`.

use std::time::{Duration, Instant};

use crate::{
    Failure, Run,
    client::{self, unexpected},
    connection::Connection,
    frame::{self, BINARY, TEXT},
    measured::{Measured, Report},
    swarm::Swarm,
};

/// Clients that poll or echo at the same time.
pub(crate) const CLIENTS: usize = 100;
/// Bytes of a text.
pub(crate) const LENGTH: usize = 64;
/// Bytes of an attachment.
const ATTACHMENT: usize = 1024;

/// What a client sends, and what must come back, unit by unit.
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<(u8, Vec<u8>)>,
}

pub(crate) fn echo(run: &Run) -> Result<Report, Failure> {
    let event = format!("42[\"echo\",\"{}\"]", "e".repeat(LENGTH));
    by_websocket(run, &Exchange { request: frame::text(&event), answer: vec![(TEXT, event.into_bytes())] })
}

pub(crate) fn ack(run: &Run) -> Result<Report, Failure> {
    let text = "a".repeat(LENGTH);
    let (event, answer) = (format!("427[\"ack\",\"{text}\"]"), format!("437[\"{text}\"]"));
    by_websocket(run, &Exchange { request: frame::text(&event), answer: vec![(TEXT, answer.into_bytes())] })
}

pub(crate) fn binary(run: &Run) -> Result<Report, Failure> {
    let event = "451-[\"bin\",{\"_placeholder\":true,\"num\":0}]";
    let attachment = [0xb1; ATTACHMENT];
    let request = [frame::text(event), frame::masked(BINARY, &attachment)].concat();
    let answer = vec![(TEXT, event.into()), (BINARY, attachment.into())];
    by_websocket(run, &Exchange { request, answer })
}

fn by_websocket(run: &Run, exchange: &Exchange) -> Result<Report, Failure> {
    run_all(run, exchange, || client::join(run.port))
}

/// Measures an exchange of clients that come so.
pub(crate) fn run_all(
    run: &Run,
    exchange: &Exchange,
    join: impl Fn() -> Result<Connection, Failure>,
) -> Result<Report, Failure> {
    let mut swarm = Swarm::new(frame::websocket)?;
    (0..CLIENTS).try_for_each(|_| swarm.push(join()?))?;
    let mut progress = vec![(0, Instant::now()); CLIENTS];
    for at in 0..CLIENTS {
        swarm.connection(at).send(&exchange.request)?;
    }
    go_on(&mut swarm, exchange, &mut progress, run.warm_up, |_| {})?;
    let mut measured = Measured::begin(&run.pid)?;
    go_on(&mut swarm, exchange, &mut progress, run.time, |latency| measured.count(latency))?;
    measured.report()
}

/// Turns for this long. Each client's progress is how many units of the answer it has, and when it asked.
fn go_on(
    swarm: &mut Swarm,
    exchange: &Exchange,
    progress: &mut [(usize, Instant)],
    time: Duration,
    mut count: impl FnMut(Duration),
) -> Result<(), Failure> {
    let (pong, end) = (frame::text("3"), Instant::now() + time);
    while Instant::now() < end {
        swarm.turn(Duration::from_millis(100), |at, connection, (opcode, payload)| {
            let (next, asked) = &mut progress[at];
            let (expected_opcode, expected) = &exchange.answer[*next];
            if payload == b"2" {
                return connection.send(&pong);
            }
            if opcode != *expected_opcode || payload != expected {
                return Err(unexpected(payload));
            }
            *next += 1;
            if *next == exchange.answer.len() {
                let now = Instant::now();
                count(now - *asked);
                (*next, *asked) = (0, now);
                connection.send(&exchange.request)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}
