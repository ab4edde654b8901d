//! What it is: the scenario of clients who all come at the same moment.
//! What it is not: a scenario in which anyone waits for another client.
//! Who calls it: `main`.

use std::{
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{
    Failure, Run,
    client::{self, unexpected},
    connection::{Connection, PATIENCE},
    frame,
    measured::{Report, microseconds},
    process::{Cpu, SELF},
};

const CLIENTS: usize = 2_000;
/// Between all having left and all coming again.
const PAUSE: Duration = Duration::from_millis(200);

/// How far a client has come.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Connecting,
    Switching,
    Opening,
    Joining,
    Joined,
}

/// All come, until all have joined, and leave; again, until the time is over. Their leaving is not measured.
pub(crate) fn storm(run: &Run) -> Result<Report, Failure> {
    let (mut took, mut server, mut own) = (Vec::new(), Duration::ZERO, Duration::ZERO);
    let start = Instant::now();
    while start.elapsed() < run.time {
        thread::sleep(PAUSE);
        let (server_before, own_before, begun) = (Cpu::of(&run.pid)?, Cpu::of(SELF)?, Instant::now());
        let clients = all_join(run.port)?;
        took.push(begun.elapsed());
        server += Cpu::of(&run.pid)?.since(server_before).total();
        own += Cpu::of(SELF)?.since(own_before).total();
        for client in &clients {
            client.go_blocking()?;
        }
        clients.into_iter().try_for_each(client::leave)?;
    }
    took.sort_unstable();
    let all: Duration = took.iter().sum();
    Ok(vec![
        ("server_us", microseconds(server) / (CLIENTS * took.len()) as f64),
        ("all_joined_ms", microseconds(took[took.len() / 2]) / 1e3),
        ("server_cpu", server.as_secs_f64() / all.as_secs_f64()),
        ("load_cpu", own.as_secs_f64() / all.as_secs_f64()),
    ])
}

fn all_join(port: u16) -> Result<Vec<Connection>, Failure> {
    let (mut poll, mut events, mut buffer) = (Poll::new()?, Events::with_capacity(1024), vec![0; 64 * 1024]);
    let (switch, join, pong) = (client::switch(port, ""), frame::text("40"), frame::text("3"));
    let (mut clients, mut joined) = (Vec::new(), 0);
    for at in 0..CLIENTS {
        let client = Connection::ask(port)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut SourceFd(&client.descriptor()), Token(at), interest)?;
        clients.push((client, Stage::Connecting));
    }
    let begun = Instant::now();
    while joined < CLIENTS {
        poll.poll(&mut events, Some(PATIENCE))?;
        if begun.elapsed() > PATIENCE {
            return Err(format!("{joined} of {CLIENTS} had joined in time").into());
        }
        for event in &events {
            let (client, stage) = &mut clients[event.token().0];
            if *stage == Stage::Connecting {
                if !event.is_writable() {
                    continue;
                }
                client.send(switch.as_bytes())?;
                *stage = Stage::Switching;
            }
            client.read_ready(&mut buffer, frame::switching, |connection, (_, payload)| {
                *stage = match *stage {
                    stage if payload == b"2" => {
                        connection.send(&pong)?;
                        stage
                    }
                    Stage::Switching if payload.starts_with(b"HTTP/1.1 101 ") => Stage::Opening,
                    Stage::Opening if payload.starts_with(b"0{") => {
                        connection.send(&join)?;
                        Stage::Joining
                    }
                    Stage::Joining if payload.starts_with(b"40") => {
                        joined += 1;
                        Stage::Joined
                    }
                    _ => return Err(unexpected(payload)),
                };
                Ok(())
            })?;
        }
    }
    Ok(clients.into_iter().map(|(client, _)| client).collect())
}
