//! What it is: scenarios of memory: what clients cost that are there and do nothing, and what they leave behind.
//! What it is not: a figure of speed.
//! Who calls it: `main`.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure, Run,
    client::{self, Polling},
    connection::Connection,
    frame,
    measured::Report,
    process::{self, Memory},
    swarm::Swarm,
};

/// Time that allocators take to give memory back: jemalloc ten seconds.
const GIVEN_BACK: Duration = Duration::from_secs(12);

/// Clients by WebSocket.
const CLIENTS: usize = 10_000;
/// Clients that poll.
const POLLING: usize = 5_000;
/// How many clients there are, in turn, to see that each one costs the same.
const SCALE: [(usize, &str); 4] =
    [(100, "idle_100"), (1_000, "idle_1000"), (10_000, "idle_10000"), (19_000, "idle_19000")];
/// Clients that join before those who are there are looked after.
const TURN: usize = 256;

const MEGABYTE: f64 = 1e6;

fn nobody_there(time: Duration) -> Result<(), Failure> {
    thread::sleep(time);
    Ok(())
}

/// Has clients join until there are so many.
fn fill(swarm: &mut Swarm, port: u16, clients: usize) -> Result<(), Failure> {
    while swarm.len() < clients {
        swarm.push(client::join(port)?)?;
        if swarm.len().is_multiple_of(TURN) {
            swarm.rest(Duration::ZERO)?;
        }
    }
    Ok(())
}

/// Clients are there, and leave; the same again.
pub(crate) fn websocket(run: &Run) -> Result<Report, Failure> {
    let mut report = Report::new();
    let (before, descriptors) = (Memory::settled(&run.pid, nobody_there)?, process::descriptors(&run.pid)?);
    for [rss, pss, rss_left, left] in [
        ["rss", "pss", "rss_left_mb", "descriptors_left"],
        ["rss_again", "pss_again", "rss_left_again_mb", "descriptors_left_again"],
    ] {
        let mut swarm = Swarm::new(frame::websocket)?;
        fill(&mut swarm, run.port, CLIENTS)?;
        let there = Memory::settled(&run.pid, |time| swarm.rest(time))?.each(before, CLIENTS);
        swarm.leave()?;
        nobody_there(GIVEN_BACK)?;
        let after = Memory::of(&run.pid)?.rss / MEGABYTE;
        let open = process::descriptors(&run.pid)? as f64 - descriptors as f64;
        report.extend([(rss, there.rss), (pss, there.pss), (rss_left, after), (left, open)]);
    }
    Ok(report)
}

/// More and more clients are there.
pub(crate) fn scale(run: &Run) -> Result<Report, Failure> {
    let before = Memory::settled(&run.pid, nobody_there)?;
    let (mut swarm, mut report) = (Swarm::new(frame::websocket)?, Report::new());
    for (clients, name) in SCALE {
        fill(&mut swarm, run.port, clients)?;
        report.push((name, Memory::settled(&run.pid, |time| swarm.rest(time))?.each(before, clients).rss));
    }
    Ok(report)
}

/// Clients that poll: first without a request, as all came by one connection; then each with a GET that waits.
pub(crate) fn polling(run: &Run) -> Result<Report, Failure> {
    let before = Memory::settled(&run.pid, nobody_there)?;
    let mut connection = Connection::open(run.port)?;
    let mut requests = Vec::new();
    for _ in 0..POLLING {
        let polling = Polling::join_by(connection, run.port)?;
        requests.push((polling.get_request(), polling.post_request("3")));
        connection = polling.connection;
    }
    let without = Memory::settled(&run.pid, nobody_there)?.each(before, POLLING);
    let mut swarm = Swarm::new(frame::http)?;
    for (get, _) in &requests {
        let connection = Connection::open(run.port)?;
        connection.send(get)?;
        swarm.push(connection)?;
    }
    let parked = Memory::settled(&run.pid, |time| park(&mut swarm, &requests, time))?.each(before, POLLING);
    Ok(vec![("rss_without", without.rss), ("rss_parked", parked.rss), ("pss_parked", parked.pss)])
}

/// Lets this much time pass. A GET that a ping ends is followed by a POST with the pong, and that by the next GET.
fn park(swarm: &mut Swarm, requests: &[(Vec<u8>, Vec<u8>)], time: Duration) -> Result<(), Failure> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        swarm.turn(Duration::from_millis(50), |at, connection, (_, body)| match body {
            b"2" => connection.send(&requests[at].1),
            body if body.eq_ignore_ascii_case(b"ok") => connection.send(&requests[at].0),
            body => Err(client::unexpected(body)),
        })?;
    }
    Ok(())
}
