//! What it is: whether a GET and a WebSocket that are quiet live until the next ping.
//! What it is not: quick: it waits for a ping.
//! Who calls it: `doctor`, last, unless it is to be quick.

use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::{
    advice,
    exchange::{Client, NoReply},
    polling::{self, Open},
    report::Report,
    websocket::{Lost, Socket},
};

/// What became of a connection on which nothing was said.
enum Outcome {
    /// The ping came by it.
    Ping,
    /// It ended in this way.
    Cut(String),
    Silent,
}

/// Waits for the ping by the transports that work.
pub(super) async fn check(client: &Client, has_polling: bool, websocket: Option<&Open>, report: &mut Report) {
    let reply = if has_polling { client.poll(None, None, client.target.patience).await.ok() } else { None };
    let session = reply.as_ref().and_then(polling::opened);
    let Some(open) = session.as_ref().or(websocket) else { return };
    report.waiting(format_args!("waiting for a ping, up to {:?}; --quick leaves that out", open.quiet()));
    let by_polling = async {
        match &session {
            Some(session) => Some(parked(client, session).await),
            None => None,
        }
    };
    let by_websocket = async {
        match websocket {
            Some(open) => quiet(client, open.quiet()).await,
            None => None,
        }
    };
    let (by_polling, by_websocket) = tokio::join!(by_polling, by_websocket);
    if let Some(session) = &session {
        polling::close(client, session).await;
    }
    for (what, outcome) in [("polling: a GET that waits", by_polling), ("WebSocket: a quiet one", by_websocket)] {
        if let Some((outcome, after)) = outcome {
            tell(what, &outcome, (after, client.target.late()), open, report);
        }
    }
}

/// A GET of a session to which nothing is sent.
async fn parked(client: &Client, session: &Open) -> (Outcome, Duration) {
    // Who joins no namespace would be closed. The answer is fetched, so that nothing but the ping is to come.
    let joining = polling::connect(&client.target.namespace);
    if client.poll(Some(&session.sid), Some(&joining), client.target.patience).await.is_ok() {
        let _answer = client.poll(Some(&session.sid), None, client.target.patience).await;
    }
    let start = Instant::now();
    loop {
        let outcome = match client.poll(Some(&session.sid), None, session.quiet()).await {
            Ok(reply) if reply.status != StatusCode::OK => Outcome::Cut(reply.status.to_string()),
            Ok(reply) if reply.packets().any(|packet| packet == "2") => Outcome::Ping,
            Ok(reply) if reply.packets().any(|packet| packet == "1") => Outcome::Cut("closed by the server".into()),
            Ok(_) if start.elapsed() < session.quiet() => continue,
            Ok(_) | Err(NoReply::Late(_)) => Outcome::Silent,
            Err(error) => Outcome::Cut(error.to_string()),
        };
        return (outcome, start.elapsed());
    }
}

/// A WebSocket on which nothing is said.
async fn quiet(client: &Client, most: Duration) -> Option<(Outcome, Duration)> {
    let mut socket = Socket::open(client, None, None).await.ok()?;
    // As above.
    socket.send(&polling::connect(&client.target.namespace)).await.ok()?;
    let start = Instant::now();
    loop {
        let outcome = match socket.packet(most, true).await {
            Ok(packet) if packet == "2" => Outcome::Ping,
            Ok(_) if start.elapsed() < most => continue,
            Ok(_) | Err(Lost::Late) => Outcome::Silent,
            Err(Lost::Ended(why)) => Outcome::Cut(why),
        };
        return Some((outcome, start.elapsed()));
    }
}

/// `after` some time, and what is `late`.
fn tell(what: &str, outcome: &Outcome, (after, late): (Duration, Duration), open: &Open, report: &mut Report) {
    match outcome {
        Outcome::Ping if after < open.ping_interval() + late => {
            report.ok(format_args!("{what} had its ping after {after:.1?}"));
        }
        Outcome::Ping => {
            let late = after - open.ping_interval();
            report.warn(format_args!("{what} had its ping {late:.1?} late"), advice::BUFFER);
        }
        Outcome::Cut(why) => report.fail(
            format_args!(
                "{what} was cut off after {after:.1?}, and pings come every {:?}: {why}",
                open.ping_interval()
            ),
            advice::IDLE,
        ),
        Outcome::Silent => {
            report.fail(format_args!("{what} had no ping within {after:.1?}"), advice::BUFFER);
        }
    }
}
