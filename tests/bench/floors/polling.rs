//! What it is: long-polling for the floor of raw frames: requests cut apart, answers hard-coded but for their body.
//! What it is not: HTTP: of a head it looks for what the generator is known to write.
//! Who calls it: `frames`.

use std::{collections::HashMap, str};

use mio::Token;

use crate::answer::{self, Answer};

/// The id in the first packet, of which a client that polls needs one of its own.
const SID: &str = "AAAAAAAAAAAAAAAAAAAA";

/// A request, as far as it matters.
pub(crate) struct Request {
    /// Of the session that it is for; empty for a new one.
    pub(crate) sid: String,
    pub(crate) is_upgrade: bool,
    is_post: bool,
    body: String,
}

impl Request {
    /// The first request that is whole, and how many bytes it took.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = 4 + bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = str::from_utf8(&bytes[..end]).ok()?;
        let behind = |name| head.split_once(name).map(|(_, rest)| rest.split(['\r', ' ']).next().unwrap_or_default());
        let length = behind("Content-Length: ").and_then(|length| length.parse().ok()).unwrap_or(0);
        let body = str::from_utf8(bytes.get(end..end + length)?).ok()?;
        let request = Self {
            sid: behind("&sid=").unwrap_or_default().into(),
            is_upgrade: head.contains("\r\nUpgrade: websocket\r\n"),
            is_post: head.starts_with("POST"),
            body: body.into(),
        };
        Some((request, end + length))
    }
}

/// Clients that poll.
#[derive(Default)]
pub(crate) struct Sessions {
    by_sid: HashMap<String, Session>,
    opened: usize,
}

#[derive(Default)]
struct Session {
    /// The connection of a GET that waits.
    parked: Option<Token>,
    /// The body of the next answer.
    waiting: String,
}

impl Sessions {
    /// What is to be written for a request of this connection, and by which connections.
    pub(crate) fn answer(&mut self, from: Token, request: &Request) -> Vec<(Token, String)> {
        if request.sid.is_empty() {
            self.opened += 1;
            let sid = format!("{:020}", self.opened);
            let body = answer::OPEN.replace(SID, &sid).replace("[]", "[\"websocket\"]");
            self.by_sid.insert(sid, Session::default());
            return vec![(from, ok(&body))];
        }
        let Some(session) = self.by_sid.get_mut(&request.sid) else { return Vec::new() };
        let mut answers = Vec::new();
        if request.is_post {
            answers.push((from, ok("ok")));
            if let Answer::Back(back) = answer::to(&request.body) {
                session.waiting.push_str(&back);
            }
        } else {
            session.parked = Some(from);
        }
        if let Some(get) = session.parked.take_if(|_| !session.waiting.is_empty()) {
            answers.push((get, ok(&std::mem::take(&mut session.waiting))));
        }
        answers
    }

    /// A session goes over to a WebSocket: what is to be written for its GET, if one waits, and by which connection.
    pub(crate) fn upgrade(&mut self, sid: &str) -> Option<(Token, String)> {
        Some((self.by_sid.remove(sid)?.parked?, ok("6")))
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
