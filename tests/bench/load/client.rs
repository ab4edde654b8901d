//! What it is: the steps of a Socket.IO client, each waited for: open, join, poll, upgrade, leave.
//! What it is not: fast; what is measured of many clients at once is in `swarm`.
//! Who calls it: the scenarios, to have clients; the handshakes, to measure these.

use crate::{
    Failure,
    connection::Connection,
    frame::{self, CLOSE},
};

/// Engine.IO's separator of packets in a polling body.
pub(crate) const SEPARATOR: u8 = 0x1e;

const PATH: &str = "/socket.io/?EIO=4&transport=";

/// A WebSocket that was opened, and is in no namespace yet.
pub(crate) fn open(port: u16) -> Result<Connection, Failure> {
    let mut connection = Connection::open(port)?;
    connection.send(switch(port, "").as_bytes())?;
    connection.switched()?;
    wait_for(&mut connection, b"0{")?;
    Ok(connection)
}

/// A WebSocket at `/`, by WebSocket alone.
pub(crate) fn join(port: u16) -> Result<Connection, Failure> {
    let mut connection = open(port)?;
    connection.send(&frame::text("40"))?;
    wait_for(&mut connection, b"40")?;
    Ok(connection)
}

/// Waits for a text that begins so; answers pings meanwhile.
pub(crate) fn wait_for(connection: &mut Connection, start: &[u8]) -> Result<(), Failure> {
    loop {
        let (_, payload) = connection.next(frame::websocket)?;
        if payload == b"2" {
            connection.send(&frame::text("3"))?;
        } else if payload.starts_with(start) {
            return Ok(());
        } else {
            return Err(unexpected(&payload));
        }
    }
}

/// Closes a WebSocket, and waits until the server has done the same.
pub(crate) fn leave(connection: Connection) -> Result<(), Failure> {
    connection.send(&frame::masked(CLOSE, &1000_u16.to_be_bytes()))?;
    connection.ended()
}

/// What came is none of what may come.
pub(crate) fn unexpected(payload: &[u8]) -> Failure {
    format!("unexpected: {}", String::from_utf8_lossy(payload)).into()
}

/// A client at `/` that polls.
pub(crate) struct Polling {
    /// For GET, and for what is not measured.
    pub(crate) connection: Connection,
    port: u16,
    sid: String,
}

impl Polling {
    pub(crate) fn join(port: u16) -> Result<Self, Failure> {
        Self::join_by(Connection::open(port)?, port)
    }

    /// Joins by a connection that may have brought other clients before.
    pub(crate) fn join_by(mut connection: Connection, port: u16) -> Result<Self, Failure> {
        connection.send(request("GET", port, "polling", "").as_bytes())?;
        let (_, body) = connection.next(frame::http)?;
        let sid = str::from_utf8(&body)?.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = sid.ok_or_else(|| unexpected(&body))?.to_owned();
        let mut polling = Self { connection, port, sid };
        polling.post("40")?;
        loop {
            polling.connection.send(&polling.get_request())?;
            let (_, body) = polling.connection.next(frame::http)?;
            if body.split(|byte| *byte == SEPARATOR).any(|packet| packet == b"2") {
                polling.post("3")?;
            }
            if body.split(|byte| *byte == SEPARATOR).any(|packet| packet.starts_with(b"40")) {
                return Ok(polling);
            }
        }
    }

    /// A GET, to be sent.
    pub(crate) fn get_request(&self) -> Vec<u8> {
        request("GET", self.port, "polling", &format!("&sid={}", self.sid)).into_bytes()
    }

    /// A POST, to be sent.
    pub(crate) fn post_request(&self, body: &str) -> Vec<u8> {
        let head = request("POST", self.port, "polling", &format!("&sid={}", self.sid));
        let head = head.strip_suffix("\r\n").expect("it ends with an empty line");
        let length = body.len();
        format!("{head}Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn post(&mut self, body: &str) -> Result<(), Failure> {
        self.connection.send(&self.post_request(body))?;
        let (_, answer) = self.connection.next(frame::http)?;
        if answer.eq_ignore_ascii_case(b"ok") { Ok(()) } else { Err(unexpected(&answer)) }
    }

    /// Goes over to WebSocket as the official client does: a GET is parked meanwhile, and is answered first.
    pub(crate) fn upgrade(mut self) -> Result<Connection, Failure> {
        self.connection.send(&self.get_request())?;
        let mut websocket = Connection::open(self.port)?;
        websocket.send(switch(self.port, &format!("&sid={}", self.sid)).as_bytes())?;
        websocket.switched()?;
        websocket.send(&frame::text("2probe"))?;
        wait_for(&mut websocket, b"3probe")?;
        let (_, body) = self.connection.next(frame::http)?;
        websocket.send(&frame::text("5"))?;
        match &body[..] {
            b"6" => {}
            b"2" => websocket.send(&frame::text("3"))?,
            body => return Err(unexpected(body)),
        }
        Ok(websocket)
    }
}

fn request(method: &str, port: u16, transport: &str, query: &str) -> String {
    format!("{method} {PATH}{transport}{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
}

/// The request that makes a connection a WebSocket; the query begins with `&` if there is more than the transport.
pub(crate) fn switch(port: u16, query: &str) -> String {
    let head = request("GET", port, "websocket", query);
    let head = head.strip_suffix("\r\n").expect("it ends with an empty line");
    format!(
        "{head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}
