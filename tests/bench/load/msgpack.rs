//! What it is: the scenario of echoes by the MessagePack parser.
//! What it is not: a MessagePack library: servers order the fields of a packet as they like, and no further is looked.
//! Who calls it: `main`.

use crate::{
    Failure, Run,
    client::{self, unexpected},
    connection::Connection,
    echo::{self, Exchange, LENGTH},
    frame::{self, BINARY},
    measured::Report,
};

/// The packet CONNECT to `/`: `{type: 0, nsp: "/"}`.
const CONNECT: &[u8] = b"\x82\xa4type\x00\xa3nsp\xa1/";
/// The packet EVENT to `/`, up to the value of its `data`: `{type: 2, nsp: "/", data: ..}`.
const EVENT: &[u8] = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data";

pub(crate) fn echo(run: &Run) -> Result<Report, Failure> {
    // An array of two texts, the first one of four bytes, the second one of a length that takes a byte.
    let data = [&b"\x92\xa4echo\xd9"[..], &[u8::try_from(LENGTH)?], "e".repeat(LENGTH).as_bytes()].concat();
    let request = frame::masked(BINARY, &[EVENT, &data].concat());
    let mut first = join(run.port)?;
    first.send(&request)?;
    let answer = next(&mut first, &data)?;
    echo::run_all(run, &Exchange { request, answer: vec![(BINARY, answer)] }, || join(run.port))
}

fn join(port: u16) -> Result<Connection, Failure> {
    let mut client = client::open(port)?;
    client.send(&frame::masked(BINARY, CONNECT))?;
    next(&mut client, b"\xa3sid")?;
    Ok(client)
}

/// Waits for a packet that contains these bytes; answers pings meanwhile.
fn next(client: &mut Connection, wanted: &[u8]) -> Result<Vec<u8>, Failure> {
    loop {
        let (opcode, packet) = client.next(frame::websocket)?;
        if packet == b"2" {
            client.send(&frame::text("3"))?;
        } else if opcode == BINARY && packet.windows(wanted.len()).any(|window| window == wanted) {
            return Ok(packet);
        } else {
            return Err(unexpected(&packet));
        }
    }
}
