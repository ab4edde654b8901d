//! What it is: scenarios of handshakes: clients that come and go beside each other.
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
};

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
    let end = Instant::now() + run.warm_up + run.time;
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
        thread::sleep(run.warm_up);
        let (since, mut measured) = (Instant::now(), Measured::begin(&run.pid)?);
        for guest in guests {
            let done = guest.join().map_err(|_| "a client panicked")??;
            done.into_iter().filter(|(start, _)| *start >= since).for_each(|(_, latency)| measured.count(latency));
        }
        measured.report()
    })
}
