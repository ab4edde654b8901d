//! What it is: many connections on one thread, by readiness.
//! What it is not: an async runtime; whoever turns it keeps the time.
//! Who calls it: scenarios with more than one client at a time.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use crate::{
    Failure,
    client::unexpected,
    connection::Connection,
    frame::{self, CLOSE, Split, Unit},
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
    pub(crate) fn new(split: Split) -> Result<Self, Failure> {
        let (poll, events, buffer) = (Poll::new()?, Events::with_capacity(1024), vec![0; 64 * 1024]);
        Ok(Self { connections: Vec::new(), split, poll, events, buffer })
    }

    /// Takes a connection over; its number is how many there were before it.
    pub(crate) fn push(&mut self, connection: Connection) -> Result<(), Failure> {
        connection.go_nonblocking()?;
        let token = Token(self.connections.len());
        self.poll.registry().register(&mut SourceFd(&connection.descriptor()), token, Interest::READABLE)?;
        self.connections.push(connection);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// One of the connections, to be written to.
    pub(crate) fn connection(&self, at: usize) -> &Connection {
        &self.connections[at]
    }

    /// From here on nothing is read from the last connection, which is handed over.
    pub(crate) fn pop(&mut self) -> Result<Connection, Failure> {
        let connection = self.connections.pop().ok_or("there is none")?;
        self.poll.registry().deregister(&mut SourceFd(&connection.descriptor()))?;
        Ok(connection)
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

    /// Lets this much time pass, in which WebSockets answer pings and hear nothing else; all pings that are there.
    pub(crate) fn rest(&mut self, time: Duration) -> Result<(), Failure> {
        let (pong, end) = (frame::text("3"), Instant::now() + time);
        loop {
            self.turn(end.saturating_duration_since(Instant::now()), |_, connection, (_, payload)| match payload {
                b"2" => connection.send(&pong),
                payload => Err(unexpected(payload)),
            })?;
            let is_all = self.events.iter().count() < self.events.capacity();
            if is_all && Instant::now() >= end {
                return Ok(());
            }
        }
    }

    /// Closes all WebSockets, and waits until the server has done the same.
    pub(crate) fn leave(self) -> Result<(), Failure> {
        let close = frame::masked(CLOSE, &1000_u16.to_be_bytes());
        for connection in &self.connections {
            connection.go_blocking()?;
            connection.send(&close)?;
        }
        self.connections.into_iter().try_for_each(Connection::ended)
    }
}
