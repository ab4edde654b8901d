//! What it is: a floor: the contract of the profile `bench` as raw frames on epoll, one thread, strings hard-coded.
//! What it is not: a server for anyone but the generator; what it does not expect ends the connection.
//! Who calls it: `tests/bench/run`.

mod answer;
mod polling;

use std::{
    collections::HashMap,
    env,
    error::Error,
    io::{self, ErrorKind, Read, Write},
    mem, str,
};

use answer::Answer;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use polling::{Request, Sessions};

const LISTENER: Token = Token(0);
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// The answer to the one key that the generator sends.
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Client {
    stream: TcpStream,
    is_websocket: bool,
    /// Of the session that its WebSocket probes for.
    sid: String,
    received: Vec<u8>,
    /// What waits to be written, once all events of a turn have been looked at.
    out: Vec<u8>,
}

/// What a client's frames ask of the whole server.
#[derive(Default)]
struct Asked {
    joins: bool,
    casts: Vec<Vec<u8>>,
    requests: Vec<Request>,
    /// The session that goes over to this WebSocket.
    upgrades: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = format!("127.0.0.1:{}", env::var("PORT")?).parse()?;
    let mut listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut clients, mut room, mut to_flush) = (HashMap::<Token, Client>::new(), Vec::new(), Vec::new());
    let (mut sessions, mut buffer, mut next) = (Sessions::default(), vec![0; 64 * 1024], 1);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(next), interest)?;
                    let (sid, received, out) = (String::new(), Vec::new(), Vec::new());
                    clients.insert(Token(next), Client { stream, is_websocket: false, sid, received, out });
                    next += 1;
                }
                continue;
            }
            let Some(client) = clients.get_mut(&token) else {
                continue;
            };
            let mut asked = Asked::default();
            if client.read(&mut buffer, &mut asked).is_err() {
                clients.remove(&token);
                continue;
            }
            to_flush.push(token);
            if asked.joins {
                room.push(token);
            }
            let answers = asked.requests.iter().flat_map(|request| sessions.answer(token, request));
            let mut answers: Vec<_> = answers.collect();
            answers.extend(asked.upgrades.and_then(|sid| sessions.upgrade(&sid)));
            for (to, answer) in answers {
                if let Some(client) = clients.get_mut(&to) {
                    client.out.extend(answer.as_bytes());
                }
                to_flush.push(to);
            }
            for cast in asked.casts {
                for member in &room {
                    if let Some(client) = clients.get_mut(member) {
                        client.out.extend(&cast);
                    }
                }
                to_flush.extend(&room);
            }
        }
        for token in to_flush.drain(..) {
            if clients.get_mut(&token).is_some_and(|client| client.flush().is_err()) {
                clients.remove(&token);
            }
        }
    }
}

impl Client {
    fn read(&mut self, buffer: &mut [u8], asked: &mut Asked) -> Result<(), Box<dyn Error>> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err("closed".into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            self.received.extend(&buffer[..length]);
            if length < buffer.len() {
                break;
            }
        }
        let mut received = mem::take(&mut self.received);
        let mut start = 0;
        while !self.is_websocket
            && let Some((request, taken)) = Request::read(&received[start..])
        {
            start += taken;
            if !request.is_upgrade {
                asked.requests.push(request);
                continue;
            }
            self.is_websocket = true;
            self.out.extend(SWITCHED);
            if request.sid.is_empty() {
                frame(TEXT, answer::OPEN.as_bytes(), &mut self.out);
            }
            self.sid = request.sid;
        }
        while self.is_websocket
            && let Some((opcode, payload, taken)) = unmasked(&mut received[start..])
        {
            match opcode {
                TEXT => match answer::to(str::from_utf8(payload)?) {
                    Answer::Back(back) if back == "3probe" => {
                        frame(TEXT, back.as_bytes(), &mut self.out);
                        asked.upgrades = Some(mem::take(&mut self.sid));
                    }
                    Answer::Back(back) => frame(TEXT, back.as_bytes(), &mut self.out),
                    Answer::Join(back) => {
                        asked.joins = true;
                        frame(TEXT, back.as_bytes(), &mut self.out);
                    }
                    Answer::Cast(event) => {
                        let mut cast = Vec::new();
                        frame(TEXT, event.as_bytes(), &mut cast);
                        asked.casts.push(cast);
                    }
                    Answer::Nothing => {}
                },
                BINARY => frame(BINARY, payload, &mut self.out),
                CLOSE => {
                    frame(CLOSE, payload, &mut self.out);
                    self.flush()?;
                    return Err("closed".into());
                }
                _ => return Err("unexpected".into()),
            }
            start += taken;
        }
        received.drain(..start);
        self.received = received;
        Ok(())
    }

    /// Writes what waits; what does not go now goes when there is room.
    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(length) => drop(self.out.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The first frame that is whole: how it begins, its payload, and how many bytes it took.
fn unmasked(bytes: &mut [u8]) -> Option<(u8, &[u8], usize)> {
    let (start, length) = match *bytes {
        [_, length @ 0x80..=0xfd, ..] => (6, usize::from(length & 0x7f)),
        [_, 0xfe, high, low, ..] => (8, usize::from(u16::from_be_bytes([high, low]))),
        _ => return None,
    };
    let frame = bytes.get_mut(..start + length)?;
    let (head, payload) = frame.split_at_mut(start);
    let mask = &head[start - 4..];
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((head[0], payload, start + length))
}

fn frame(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(opcode);
    match u8::try_from(payload.len()) {
        Ok(length @ ..=125) => out.push(length),
        _ => {
            out.push(126);
            out.extend(u16::try_from(payload.len()).expect("the generator sends short ones").to_be_bytes());
        }
    }
    out.extend(payload);
}
