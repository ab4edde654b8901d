//! What it is: many connections on one thread, by readiness.
//! What it is not: an async runtime; whoever turns it keeps the time.
//! Who calls it: scenarios with more than one client at a time.

use std::{io::ErrorKind, time::Duration};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{
    Failure,
    connection::Connection,
    frame::{Split, Unit},
};

/// Connections that all speak WebSocket, or all HTTP.
pub(crate) struct Swarm {
    connections: Vec<Connection>,
    split: Split,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Takes connections over.
    pub(crate) fn new(connections: Vec<Connection>, split: Split) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        for (at, connection) in connections.iter().enumerate() {
            let descriptor = connection.go_nonblocking()?;
            poll.registry().register(&mut SourceFd(&descriptor), Token(at), Interest::READABLE)?;
        }
        Ok(Self { connections, split, poll, events: Events::with_capacity(1024), buffer: vec![0; 64 * 1024] })
    }

    /// One of the connections, to be written to.
    pub(crate) fn connection(&self, at: usize) -> &Connection {
        &self.connections[at]
    }

    /// Waits this long at most for something to come, and shows it with the number of its connection.
    pub(crate) fn turn(
        &mut self,
        wait: Duration,
        mut heard: impl FnMut(usize, &Connection, Unit<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let at = event.token().0;
            self.connections[at]
                .read_ready(&mut self.buffer, self.split, |connection, unit| heard(at, connection, unit))?;
        }
        Ok(())
    }
}
