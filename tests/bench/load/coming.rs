//! What it is: scenarios of clients that come and go: handshakes, and what idle ones cost in memory.
//! What it is not: a flood: of those that come and go there are 32, each on a thread that waits for every step.
//! Who calls it: `main`.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure, Run,
    client::{self, Polling, wait_for},
    connection::Connection,
    frame,
    measured::{Measured, Report},
    process::Memory,
};

/// Clients that are there and do nothing.
const IDLE: usize = 5_000;
/// Clients that come and go beside each other, each step waited for.
const AT_ONCE: usize = 32;

/// Until a client that begins with WebSocket is at `/`. Then it leaves, and the next one comes.
pub(crate) fn websocket(run: &Run) -> Result<Report, Failure> {
    come_and_go(run, || client::join(run.port))
}

/// Until a client that begins with polling is at `/`, has gone over to WebSocket, and was answered there.
pub(crate) fn upgrade(run: &Run) -> Result<Report, Failure> {
    come_and_go(run, || {
        let mut websocket = Polling::join(run.port)?.upgrade()?;
        websocket.send(&frame::text("420[\"ack\",\"here\"]"))?;
        wait_for(&mut websocket, b"430[\"here\"]")?;
        Ok(websocket)
    })
}

fn come_and_go(run: &Run, come: impl Fn() -> Result<Connection, Failure> + Sync) -> Result<Report, Failure> {
    let end = Instant::now() + run.warm_up() + run.time;
    let one_by_one = || -> Result<Vec<(Instant, Duration)>, Failure> {
        let mut done = Vec::new();
        while Instant::now() < end {
            let start = Instant::now();
            let client = come()?;
            done.push((start, start.elapsed()));
            client::leave(client)?;
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let guests: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one_by_one)).collect();
        thread::sleep(run.warm_up());
        let (since, mut measured) = (Instant::now(), Measured::begin(&run.pid)?);
        for guest in guests {
            let done = guest.join().map_err(|_| "a client panicked")??;
            done.into_iter().filter(|(start, _)| *start >= since).for_each(|(_, latency)| measured.count(latency));
        }
        measured.report()
    })
}

/// How much memory the server has for each client while all are there, and after all have left; the same again.
pub(crate) fn idle(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new();
    let before = Memory::settled(&run.pid)?;
    for names in [["rss", "pss", "rss_left"], ["rss_again", "pss_again", "rss_left_again"]] {
        let clients = (0..IDLE).map(|_| client::join(run.port)).collect::<Result<Vec<_>, _>>()?;
        let there = Memory::settled(&run.pid)?.each(before, IDLE);
        clients.into_iter().try_for_each(client::leave)?;
        let left = Memory::settled(&run.pid)?.each(before, IDLE);
        report.extend(names.into_iter().zip([there.rss, there.pss, left.rss]));
    }
    Ok(report)
}
