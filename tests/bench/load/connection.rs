//! What it is: one TCP connection to the server, read unit by unit.
//! What it is not: a client; it knows no Socket.IO.
//! Who calls it: `client` one step after another, `swarm` and `storm` for many at once.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::fd::{AsRawFd, RawFd},
    time::Duration,
};

use crate::{
    Failure,
    frame::{self, CLOSE, PING, PONG, Split, Unit},
};

/// How long a server may take for one step.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, and what came on it that is not a whole unit yet.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Asks for a connection that neither waits now nor later. It is there once the descriptor is writable.
    pub(crate) fn ask(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::from(mio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port).into())?);
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// From here on reads and writes do not wait.
    pub(crate) fn go_nonblocking(&self) -> Result<(), Failure> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// From here on reads and writes wait again.
    pub(crate) fn go_blocking(&self) -> Result<(), Failure> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        Ok(self.stream.set_nonblocking(false)?)
    }

    /// Writes all; what is sent is small, so that not even a connection that does not wait takes less.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<(), Failure> {
        (&self.stream).write_all(bytes).map_err(|error| format!("the server does not read: {error}").into())
    }

    /// Waits for the next unit, and hands over a copy.
    pub(crate) fn next(&mut self, split: Split) -> Result<(u8, Vec<u8>), Failure> {
        loop {
            if let Some(((opcode, payload), taken)) = split(&self.received)? {
                let unit = (opcode, payload.to_vec());
                self.received.drain(..taken);
                if !self.is_control((opcode, &unit.1))? {
                    return Ok(unit);
                }
            } else {
                self.read_on()?;
            }
        }
    }

    /// Whether a unit is of the WebSocket itself; if so, it is answered.
    fn is_control(&self, (opcode, payload): Unit<'_>) -> Result<bool, Failure> {
        match opcode {
            PING => self.send(&frame::masked(PONG, payload)).map(|()| true),
            CLOSE => Err(format!("the server closed the WebSocket: {payload:?}").into()),
            _ => Ok(false),
        }
    }

    /// Waits for the head of an answer that changes the protocol.
    pub(crate) fn switched(&mut self) -> Result<(), Failure> {
        loop {
            if let Some((head, taken)) = frame::head(&self.received)? {
                if !head.starts_with("HTTP/1.1 101 ") {
                    return Err(format!("answered {head}").into());
                }
                self.received.drain(..taken);
                return Ok(());
            }
            self.read_on()?;
        }
    }

    /// Waits until the server has closed the connection.
    pub(crate) fn ended(mut self) -> Result<(), Failure> {
        match self.stream.read_to_end(&mut self.received) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// How many bytes come until the server has closed the connection, or says nothing for this long; whether it has.
    pub(crate) fn drain(&mut self, patience: Duration) -> Result<(usize, bool), Failure> {
        self.go_blocking()?;
        self.stream.set_read_timeout(Some(patience))?;
        let (mut buffer, mut bytes) = (vec![0; 64 * 1024], self.received.len());
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok((bytes, true)),
                Ok(length) => bytes += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((bytes, false)),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok((bytes, true)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read_on(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer)? {
            0 => Err("the server closed the connection".into()),
            length => {
                self.received.extend(&buffer[..length]);
                Ok(())
            }
        }
    }

    /// Reads what is there, by way of a buffer that all connections share, and shows each whole unit.
    pub(crate) fn read_ready(
        &mut self,
        buffer: &mut [u8],
        split: Split,
        mut heard: impl FnMut(&Self, Unit<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if self.received.is_empty() {
                let mut rest = &buffer[..length];
                while let Some((unit, taken)) = split(rest)? {
                    if !self.is_control(unit)? {
                        heard(self, unit)?;
                    }
                    rest = &rest[taken..];
                }
                self.received.extend(rest);
            } else {
                self.received.extend(&buffer[..length]);
                self.show_received(split, &mut heard)?;
            }
            // Less than there was room for: the rest comes with an event of its own.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Shows the whole units of what had to be put together.
    fn show_received(
        &mut self,
        split: Split,
        mut heard: impl FnMut(&Self, Unit<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let received = std::mem::take(&mut self.received);
        let mut rest = &received[..];
        while let Some((unit, taken)) = split(rest)? {
            if !self.is_control(unit)? {
                heard(self, unit)?;
            }
            rest = &rest[taken..];
        }
        self.received.extend(rest);
        Ok(())
    }
}
