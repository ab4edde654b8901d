//! What it is: any script of events for one session, carried out on the session and on a model of it.
//! What it is not: a check of every answer, which `session_tests.rs` makes row by row; what holds in any order is in
//! `model`.
//! Who calls it: libFuzzer and the replay test.
//!
//! A script is text, one letter for each event. The first says which session opens: `w` by WebSocket, `W` the same in
//! revision 3, `v` by polling in revision 3; any other, by polling, is an event already.
//!
//! | letter | event |
//! |---|---|
//! | `g`, `.`, `G` | a GET arrives; a waiting one is looked at again; the connection of a waiting one ends |
//! | `p`, `q`, `Q` | a POST arrives; its body has been read; its connection ends |
//! | `+`, `=` | a WebSocket opens; it asks what to write |
//! | `-`, `!` | the WebSocket is closed by the client; it breaks |
//! | `ocibnmyuzx` | a packet by POST: open, close, ping, probe, pong, text, binary, upgrade, noop, none at all |
//! | `OCIBNMYUZX` | the same by WebSocket |
//! | `s`, `S`, `l`, `a` | send a small message; two at once; one larger than the outbox; one that may be dropped |
//! | `F`, `f` | the WebSocket has written all that it took; it was to, and could not |
//! | `j`, `J` | the client may send 10 bytes more; take that back |
//! | `k`, `K` | close; shut down |
//! | `e`, `E` | expire in 50 ms; take that back |
//! | `r` | the driver reads the inbox |
//! | `1` to `9` | so many times 50 ms pass with a driver that is on time |
//! | `d`, `t`, `h` | 1 s passes with a driver that sleeps; it wakes at the next deadline; it wakes now |

use std::time::Duration;

use engineio::{DecodeError, Encoding, Message, Packet, Transport, TransportFault};

use crate::model::{LIMIT, Model};

/// Timeouts after which a session that hears nothing has ended: probe, expiry or ping, end, and one to spare.
const LAST_TIMEOUTS: usize = 4;

/// Runs a script; after it the client says no more.
pub fn session(data: &[u8]) {
    let (encoding, transport, script) = match data {
        [b'w', script @ ..] => (Encoding::V4, Transport::WebSocket, script),
        [b'W', script @ ..] => (Encoding::V3, Transport::WebSocket, script),
        [b'v', script @ ..] => (Encoding::V3, Transport::Polling, script),
        script => (Encoding::V4, Transport::Polling, script),
    };
    let mut model = Model::open(encoding, transport);
    for letter in script.iter().chain(&[b't'; LAST_TIMEOUTS]) {
        step(&mut model, *letter);
        model.check();
    }
    model.check_end();
}

/// Carries out one event. A letter for which there is no request or WebSocket does nothing.
fn step(model: &mut Model, letter: u8) {
    match letter {
        b'g' => model.get(),
        b'.' => model.poll_get(),
        b'G' => model.abort_get(),
        b'p' => model.post(),
        b'q' => model.posted(),
        b'Q' => model.abort_post(),
        b'+' => model.probe(),
        b'=' => model.poll_websocket(),
        b'-' => model.lose(None),
        b'!' => model.lose(Some(TransportFault::Frame)),
        b's' => model.send(&[8]),
        b'S' => model.send(&[4, 4]),
        b'l' => model.send(&[LIMIT + 60]),
        b'a' => model.send_volatile(8),
        b'F' => model.written_out(true),
        b'f' => model.written_out(false),
        b'j' => model.limit(Some(10)),
        b'J' => model.limit(None),
        b'k' => model.close(),
        b'K' => model.shut_down(),
        b'e' => model.expire(Some(Duration::from_millis(50))),
        b'E' => model.expire(None),
        b'r' => model.poll_inbox(),
        b'1'..=b'9' => model.wait(Duration::from_millis(50) * u32::from(letter - b'0')),
        b'd' => model.sleep(Duration::from_secs(1)),
        b't' => model.timeout_when_due(),
        b'h' => model.timeout(),
        _ if letter.is_ascii_lowercase() => packet(model, Transport::Polling, letter),
        _ => packet(model, Transport::WebSocket, letter.to_ascii_lowercase()),
    }
}

/// A packet, or none at all, arrives.
fn packet(model: &mut Model, via: Transport, letter: u8) {
    let packet = match letter {
        b'o' => Packet::Open,
        b'c' => Packet::Close,
        b'i' => Packet::Ping("".into()),
        b'b' => Packet::Ping("probe".into()),
        b'n' => Packet::Pong,
        b'm' => Packet::Message(Message::Text(model.next_message().into())),
        b'y' => Packet::Message(Message::Binary(model.next_message().into())),
        b'u' => Packet::Upgrade,
        b'z' => Packet::Noop,
        b'x' => return model.packet(via, Err(DecodeError::Empty)),
        _ => return,
    };
    model.packet(via, Ok(packet));
}
