//! What it is: whether polling works: the handshake, requests of one session, a GET that waits.
//! What it is not: how long a GET may wait (`idle`).
//! Who calls it: `doctor`; `idle` opens sessions by it.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};

use hyper::{StatusCode, header};
use serde::Deserialize;

use super::{
    advice,
    exchange::{self, Client, NoReply, Reply},
    report::{Report, short},
};
use crate::admin;

/// Requests of one session that must all find it.
const REQUESTS: usize = 8;

/// Time for a GET to arrive before something is sent to it.
const UNDER_WAY: Duration = Duration::from_millis(100);

/// More than this between two clocks is not the network.
const MAX_SKEW: Duration = Duration::from_secs(10);

/// What the server says of a session.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Open {
    pub(super) sid: String,
    pub(super) upgrades: Vec<String>,
    /// Milliseconds, as the next one.
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: Option<u64>,
}

impl Open {
    pub(super) fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval)
    }

    /// The longest time in which a connection may be quiet.
    pub(super) fn quiet(&self) -> Duration {
        Duration::from_millis(self.ping_interval.saturating_add(self.ping_timeout))
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ping_interval {} ms, ping_timeout {} ms", self.ping_interval, self.ping_timeout)?;
        self.max_payload.iter().try_for_each(|bytes| write!(f, ", max_payload {bytes} bytes"))
    }
}

/// What came of the handshake.
pub(super) enum Opening {
    Session(Open),
    /// The server has no polling.
    WebSocketOnly,
    Nothing,
}

/// A handshake, and what is wrong if it is none.
pub(super) async fn open(client: &mut Client, report: &mut Report) -> Opening {
    let reply = match client.poll(None, None, client.target.patience).await {
        Ok(reply) => reply,
        Err(error) => {
            report.fail(format_args!("handshake: {error}"), of_no_reply(&error, client.target.is_secure()));
            return Opening::Nothing;
        }
    };
    client.keep_cookies(&reply.headers);
    if let Some(open) = opened(&reply) {
        report.ok(format_args!("polling handshake in {:.1?}: {open}", reply.took));
        check_clock(&reply, report);
        return Opening::Session(open);
    }
    let path = &client.target.path;
    if reply.body.contains("Transport unknown") {
        report.warn("polling: the server has none", advice::WITHOUT_POLLING);
        return Opening::WebSocketOnly;
    }
    let (status, said) = (reply.status, short(&reply.body));
    let change = match status.as_u16() {
        200 => advice::PATH,
        300..=399 => {
            let location = reply.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            report.fail(format_args!("{path} answers {status} to {}", short(location)), advice::MOVED);
            return Opening::Nothing;
        }
        401 | 403 | 407 => advice::FORBIDDEN,
        500..=599 => advice::GATEWAY,
        _ if said.starts_with(admin::NAME) => advice::ADMIN,
        _ if said.contains("protocol version") => advice::OLDER,
        _ => advice::PATH,
    };
    let what = if status == StatusCode::OK { ", which is no Engine.IO" } else { "" };
    report.fail(format_args!("{path} answers {status}{what}: {said:?}"), change);
    Opening::Nothing
}

fn of_no_reply(error: &NoReply, is_secure: bool) -> &'static str {
    match error {
        NoReply::Broken(_) if !is_secure => "if the port speaks TLS, ask for https://; else see what listens there",
        NoReply::Broken(_) | NoReply::Unreachable(_) => advice::START,
        NoReply::Late(_) => advice::GATEWAY,
    }
}

/// The open packet of a handshake.
pub(super) fn opened(reply: &Reply) -> Option<Open> {
    let packet = reply.packets().next().filter(|_| reply.status == StatusCode::OK)?;
    serde_json::from_str(packet.strip_prefix('0')?).ok()
}

fn check_clock(reply: &Reply, report: &mut Report) {
    let date = reply.headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let Some(there) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else { return };
    let here = SystemTime::now();
    let (skew, word) = match here.duration_since(there) {
        Ok(behind) => (behind, "behind"),
        Err(ahead) => (ahead.duration(), "ahead"),
    };
    if skew > MAX_SKEW {
        report.warn(format_args!("clock: that of the server is {} s {word}", skew.as_secs()), advice::CLOCK);
    } else {
        report.ok("clock: as this one");
    }
}

/// Whether two handshakes get two sessions.
pub(super) async fn check_cache(client: &Client, first: &Open, report: &mut Report) {
    let second = client.poll(None, None, client.target.patience).await.ok().as_ref().and_then(opened);
    match second {
        Some(second) if second.sid == first.sid => {
            report.fail("two handshakes were given the same session", advice::CACHED);
        }
        Some(second) => close(client, &second).await,
        None => {}
    }
}

/// Ends a session that is needed no more.
pub(super) async fn close(client: &Client, session: &Open) {
    // Else it ends by itself.
    let _open = client.poll(Some(&session.sid), Some("1"), client.target.patience).await;
}

/// The packet that asks to join a namespace, or to be told that it cannot be joined.
pub(super) fn connect(namespace: &str) -> String {
    if namespace == "/" { "40".to_owned() } else { format!("40{namespace},") }
}

/// Whether this is the answer to an `echo`. Some servers let everybody in, whatever the namespace.
pub(super) fn is_echo(packet: &str) -> bool {
    packet.get(2..).is_some_and(|rest| packet.starts_with('4') && rest.starts_with(exchange::NOWHERE))
}

/// Whether the session can be gone on with.
pub(super) async fn check(client: &Client, open: &Open, report: &mut Report) -> bool {
    if !find(client, open, report).await {
        return false;
    }
    let packets = match client.poll(Some(&open.sid), None, client.target.patience).await {
        Ok(reply) if reply.status == StatusCode::OK => reply,
        Ok(reply) => {
            let change = if reply.is_unknown_session() { advice::STICKY } else { advice::BUFFER };
            report.fail(format_args!("polling: a GET answers {} {:?}", reply.status, short(&reply.body)), change);
            return false;
        }
        Err(error) => {
            report.fail(
                format_args!("polling: what the server has for the client does not come: {error}"),
                advice::BUFFER,
            );
            return false;
        }
    };
    let is_joined =
        |packet: &&str| packet.get(1..).is_some_and(|rest| rest.starts_with(['0', '4']) && !is_echo(packet));
    if let Some(joined) = packets.packets().find(is_joined) {
        tell_join(client, joined, report);
    }
    check_delay(client, open, report).await
}

fn tell_join(client: &Client, answer: &str, report: &mut Report) {
    let namespace = &client.target.namespace;
    if answer.starts_with("40") {
        report.ok(format_args!("namespace {namespace} lets clients in"));
    } else {
        let said = answer.get(2..).unwrap_or_default();
        let change = if said.contains("Invalid namespace") { advice::NAMESPACE } else { advice::LOG_IN };
        report.warn(format_args!("namespace {namespace} does not let this client in: {}", short(said)), change);
    }
}

/// Whether all requests of a session reach the server that has it. Each has a connection of its own, as those of
/// clients may have.
async fn find(client: &Client, open: &Open, report: &mut Report) -> bool {
    let (mut unknown, mut slowest) = (0, Duration::ZERO);
    for number in 0..REQUESTS {
        let packet = if number == 0 { connect(&client.target.namespace) } else { client.echo() };
        match client.poll(Some(&open.sid), Some(&packet), client.target.patience).await {
            Ok(reply) if reply.status == StatusCode::OK => slowest = slowest.max(reply.took),
            Ok(reply) if reply.is_unknown_session() => unknown += 1,
            Ok(reply) => {
                let change = if reply.status.is_server_error() { advice::GATEWAY } else { advice::LOG };
                report.fail(format_args!("polling: a POST answers {} {:?}", reply.status, short(&reply.body)), change);
                return false;
            }
            Err(error) => {
                report.fail(format_args!("polling: a POST has {error}"), advice::GATEWAY);
                return false;
            }
        }
    }
    if unknown > 0 {
        let what = format!("stickiness: {unknown} of {REQUESTS} requests came to a server without their session");
        report.fail(what, advice::STICKY);
        return false;
    }
    let by = if client.cookies().is_some() { " by a cookie" } else { "" };
    report.ok(format_args!("polling: {REQUESTS} requests found their session{by}, the slowest in {slowest:.1?}"));
    true
}

/// Whether a GET that waits is answered as soon as there is something, and holds up nobody.
async fn check_delay(client: &Client, open: &Open, report: &mut Report) -> bool {
    let waiting = async {
        let reply = client.poll(Some(&open.sid), None, client.target.patience).await;
        (reply, Instant::now())
    };
    let asking = async {
        tokio::time::sleep(UNDER_WAY).await;
        // Less, so that it is not let through because the GET has been given up.
        let reply = client.poll(Some(&open.sid), Some(&client.echo()), client.target.patience / 2).await;
        (reply, Instant::now())
    };
    let ((waited, waited_at), (asked, asked_at)) = tokio::join!(waiting, asking);
    let delay = waited_at.saturating_duration_since(asked_at);
    match (waited, asked) {
        (_, Err(NoReply::Late(_))) => {
            report.fail("polling: while a GET waits, a POST is not answered", advice::ONE_AT_A_TIME);
            false
        }
        (Ok(reply), Ok(_)) if reply.status == StatusCode::OK && delay < client.target.late() => {
            report.ok(format_args!("polling: what the server sends comes at once, {} ms behind", delay.as_millis()));
            true
        }
        (Ok(reply), Ok(_)) if reply.status == StatusCode::OK => {
            report.fail(format_args!("polling: what the server sends comes {delay:.1?} late"), advice::BUFFER);
            true
        }
        (Ok(reply), Ok(_)) if reply.is_unknown_session() => {
            report.fail("stickiness: a GET came to a server without its session", advice::STICKY);
            false
        }
        (Ok(reply), _) => {
            report.fail(format_args!("polling: a GET that waits answers {}", reply.status), advice::IDLE);
            false
        }
        (Err(error), _) => {
            report.fail(format_args!("polling: a GET that waits has {error}"), advice::BUFFER);
            false
        }
    }
}
