//! What it is: whether WebSockets work: from the start, and on a session that polls.
//! What it is not: how long one may be quiet (`idle`).
//! Who calls it: `doctor`; `idle` and `origin` open some by it.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use hyper::{StatusCode, header};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::{
    advice,
    exchange::{Client, NoReply},
    polling::{self, Open},
    report::{Report, short},
};
use crate::connector::Stream;

/// Messages that are sent and answered one after the other.
const ROUNDS: usize = 5;

/// An open WebSocket.
pub(super) struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    patience: Duration,
}

/// Why there is none.
pub(super) enum Refused {
    NoReply(NoReply),
    /// The answer was another one than 101, with this body.
    Status(StatusCode, String),
    /// It was no answer to a handshake.
    Broken(String),
}

/// Why nothing more comes.
pub(super) enum Lost {
    Late,
    Ended(String),
}

impl Socket {
    /// Asks for a WebSocket, of a session or of none, as a page of this origin or as no page at all.
    pub(super) async fn open(client: &Client, sid: Option<&str>, origin: Option<&str>) -> Result<Self, Refused> {
        let broken = |error: Error| Refused::Broken(error.to_string());
        let stream = client.target.connect().await.map_err(|error| Refused::NoReply(NoReply::Unreachable(error)))?;
        let url = format!("ws://{}{}", client.target.authority(), client.query("websocket", sid));
        let mut request = url.into_client_request().map_err(broken)?;
        let mut add = |name, value: &str| -> Result<(), Refused> {
            let value = value.parse().map_err(|_| Refused::Broken(format!("{value:?} cannot be in a header")))?;
            request.headers_mut().insert(name, value);
            Ok(())
        };
        add(header::HOST, &client.target.authority())?;
        if let Some(origin) = origin {
            add(header::ORIGIN, origin)?;
        }
        if let Some(cookies) = client.cookies() {
            add(header::COOKIE, &cookies)?;
        }
        let opened = timeout(client.target.patience, client_async(request, stream.stream)).await;
        match opened.map_err(|_| Refused::NoReply(NoReply::Late(client.target.patience)))? {
            Ok((stream, _)) => Ok(Self { stream, patience: client.target.patience }),
            Err(Error::Http(answer)) => {
                let (head, body) = answer.into_parts();
                Err(Refused::Status(head.status, String::from_utf8_lossy(&body.unwrap_or_default()).into_owned()))
            }
            Err(error) => Err(broken(error)),
        }
    }

    pub(super) async fn send(&mut self, packet: &str) -> Result<(), Lost> {
        self.stream.send(Message::text(packet)).await.map_err(|error| Lost::Ended(error.to_string()))
    }

    /// The next packet that is of interest; pings of the heartbeat are answered where they are of none.
    pub(super) async fn packet(&mut self, patience: Duration, wants_ping: bool) -> Result<String, Lost> {
        let next = async {
            loop {
                let packet = match self.stream.next().await {
                    Some(Ok(Message::Text(packet))) => packet.to_string(),
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.map_or_else(String::new, |frame| format!(" with {}", frame.code));
                        return Err(Lost::Ended(format!("closed{code}")));
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(Lost::Ended(error.to_string())),
                    None => return Err(Lost::Ended("the connection ended".into())),
                };
                if packet == "2" {
                    self.send("3").await?;
                    if !wants_ping {
                        continue;
                    }
                }
                return Ok(packet);
            }
        };
        timeout(patience, next).await.unwrap_or(Err(Lost::Late))
    }

    /// The packet that begins like this.
    async fn packet_like(&mut self, is_it: impl Fn(&str) -> bool) -> Result<String, Lost> {
        loop {
            let packet = self.packet(self.patience, false).await?;
            if is_it(&packet) {
                return Ok(packet);
            }
        }
    }
}

/// Tells why there is no WebSocket; `what` was asked for.
fn tell_refused(what: &str, refused: &Refused, report: &mut Report) {
    match refused {
        Refused::Status(status, said) if said.contains("Transport unknown") => {
            report.warn(format_args!("{what}: the server has none ({status})"), advice::WITHOUT_WEBSOCKET);
        }
        Refused::Status(status, said) if said.contains("Session ID unknown") => {
            report.fail(format_args!("{what}: {status}, it came to a server without its session"), advice::STICKY);
        }
        Refused::Status(status, said) => {
            report.fail(format_args!("{what} is blocked: {status} instead of 101: {:?}", short(said)), advice::UPGRADE);
        }
        Refused::NoReply(NoReply::Late(patience)) => {
            report.fail(format_args!("{what} is blocked: it hangs, no answer within {patience:?}"), advice::UPGRADE);
        }
        Refused::NoReply(error) => report.fail(format_args!("{what}: {error}"), advice::UPGRADE),
        Refused::Broken(error) => report.fail(format_args!("{what} is blocked: {error}"), advice::UPGRADE),
    }
}

/// Whether messages pass by a WebSocket from the start, and how fast; gives what the server said of the session.
pub(super) async fn check(client: &Client, report: &mut Report) -> Option<Open> {
    let start = Instant::now();
    let mut socket = match Socket::open(client, None, None).await {
        Ok(socket) => socket,
        Err(refused) => {
            tell_refused("WebSocket", &refused, report);
            return None;
        }
    };
    let opened = start.elapsed();
    let open = match socket.packet(client.target.patience, false).await {
        Ok(packet) => packet.strip_prefix('0').and_then(|json| serde_json::from_str::<Open>(json).ok()),
        Err(lost) => {
            tell_lost("WebSocket: 101, but no first message", &lost, report);
            return None;
        }
    };
    let Some(open) = open else {
        report.fail("WebSocket: the first message is none of Engine.IO", advice::PATH);
        return None;
    };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let sent = Instant::now();
        let answered = match socket.send(&client.echo()).await {
            Ok(()) => socket.packet_like(polling::is_echo).await,
            Err(lost) => Err(lost),
        };
        if let Err(lost) = answered {
            tell_lost("WebSocket: a message is not answered", &lost, report);
            return None;
        }
        rounds.push(sent.elapsed());
        if rounds.iter().any(|round| *round > client.target.late()) {
            break;
        }
    }
    rounds.sort();
    let (median, slowest) = (rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    if slowest < client.target.late() {
        report
            .ok(format_args!("WebSocket: open in {opened:.1?}, answers in {median:.1?}, the slowest in {slowest:.1?}"));
    } else {
        report.fail(format_args!("WebSocket: answers are {slowest:.1?} late"), advice::BUFFER);
    }
    Some(open)
}

fn tell_lost(what: &str, lost: &Lost, report: &mut Report) {
    match lost {
        Lost::Late => report.fail(format_args!("{what} in time"), advice::BUFFER),
        Lost::Ended(why) => report.fail(format_args!("{what}: {why}"), advice::UPGRADE),
    }
}

/// Whether a session that polls can go on by WebSocket, as those of clients do.
pub(super) async fn check_upgrade(client: &Client, open: &Open, report: &mut Report) {
    if !open.upgrades.iter().any(|transport| transport == "websocket") {
        report.warn("upgrade: the server offers no WebSocket", advice::WITHOUT_WEBSOCKET);
        return;
    }
    let mut socket = match Socket::open(client, Some(&open.sid), None).await {
        Ok(socket) => socket,
        Err(refused) => return tell_refused("upgrade to WebSocket", &refused, report),
    };
    let probed = match socket.send("2probe").await {
        Ok(()) => socket.packet_like(|packet| packet == "3probe").await,
        Err(lost) => Err(lost),
    };
    match probed {
        Ok(_) => {
            // Once it is through, the session ends with its WebSocket.
            let _ended = socket.send("5").await;
            report.ok("upgrade from polling to WebSocket");
        }
        Err(lost) => tell_lost("upgrade: 101, but no answer to the probe", &lost, report),
    }
}
