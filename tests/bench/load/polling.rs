//! What it is: the scenario of 100 clients that poll: each has a GET parked while its POST brings an event.
//! What it is not: a test of how bodies are put together.
//! Who calls it: `main`.

use std::time::{Duration, Instant};

use crate::{
    Failure, Run,
    client::{Polling, SEPARATOR, unexpected},
    connection::Connection,
    echo::{CLIENTS, LENGTH},
    frame,
    measured::{Measured, Report},
    swarm::Swarm,
};

/// What one client sends, and what it waits for. Its GETs go by one connection, its POSTs by the next one.
struct Client {
    get: Vec<u8>,
    post: Vec<u8>,
    /// The same with a pong before it.
    post_pong: Vec<u8>,
    is_pong_due: bool,
    is_posted: bool,
    is_echoed: bool,
    asked: Instant,
}

pub(crate) fn echo(run: &Run) -> Result<Report, Failure> {
    let event = format!("42[\"echo\",\"{}\"]", "p".repeat(LENGTH));
    let (mut clients, mut swarm) = (Vec::new(), Swarm::new(frame::http)?);
    for _ in 0..CLIENTS {
        let polling = Polling::join(run.port)?;
        clients.push(Client {
            get: polling.get_request(),
            post: polling.post_request(&event),
            post_pong: polling.post_request(&format!("3{}{event}", char::from(SEPARATOR))),
            is_pong_due: false,
            is_posted: false,
            is_echoed: false,
            asked: Instant::now(),
        });
        swarm.push(polling.connection)?;
        swarm.push(Connection::open(run.port)?)?;
    }
    for (at, client) in clients.iter().enumerate() {
        swarm.connection(2 * at).send(&client.get)?;
        swarm.connection(2 * at + 1).send(&client.post)?;
    }
    go_on(&mut swarm, &mut clients, &event, run.warm_up, |_| {})?;
    let mut measured = Measured::begin(&run.pid)?;
    go_on(&mut swarm, &mut clients, &event, run.time, |latency| measured.count(latency))?;
    measured.report()
}

fn go_on(
    swarm: &mut Swarm,
    clients: &mut [Client],
    event: &str,
    time: Duration,
    mut count: impl FnMut(Duration),
) -> Result<(), Failure> {
    let end = Instant::now() + time;
    let mut again = Vec::new();
    while Instant::now() < end {
        swarm.turn(Duration::from_millis(100), |at, connection, (_, body)| {
            let client = &mut clients[at / 2];
            if at % 2 == 1 {
                client.is_posted = true;
                if !body.eq_ignore_ascii_case(b"ok") {
                    return Err(unexpected(body));
                }
            } else {
                for packet in body.split(|byte| *byte == SEPARATOR) {
                    match packet {
                        b"2" => client.is_pong_due = true,
                        packet if packet == event.as_bytes() && !client.is_echoed => client.is_echoed = true,
                        packet => return Err(unexpected(packet)),
                    }
                }
                if !client.is_echoed {
                    connection.send(&client.get)?;
                }
            }
            if client.is_posted && client.is_echoed {
                again.push(at / 2);
            }
            Ok(())
        })?;
        for at in again.drain(..) {
            let client = &mut clients[at];
            let now = Instant::now();
            count(now - client.asked);
            swarm.connection(2 * at).send(&client.get)?;
            let post = if client.is_pong_due { &client.post_pong } else { &client.post };
            swarm.connection(2 * at + 1).send(post)?;
            (client.is_pong_due, client.is_posted, client.is_echoed, client.asked) = (false, false, false, now);
        }
    }
    Ok(())
}
