//! What it is: whether pages may connect: those of the host itself, and those of another origin.
//! What it is not: whether anybody may (`polling`, `websocket`).
//! Who calls it: `doctor`.

use hyper::{HeaderMap, Method, StatusCode, header};

use super::{
    advice,
    exchange::Client,
    polling,
    report::Report,
    websocket::{Refused, Socket},
};

/// Whether pages of this host are known as such, through the proxy.
pub(super) async fn check_own(client: &Client, origin: &str, has_websocket: bool, report: &mut Report) {
    let headers = [(header::ORIGIN, origin)];
    let Ok(reply) = client.ask(Method::GET, None, &headers, "", client.target.patience).await else { return };
    let is_refused = match Socket::open(client, None, Some(origin)).await {
        Err(Refused::Status(status, _)) => has_websocket && status == StatusCode::FORBIDDEN,
        _ => false,
    };
    if is_refused || reply.status == StatusCode::FORBIDDEN {
        let change = format!("{}; if pages are another host's, name that by --origin", advice::HOST);
        report.fail(format_args!("pages of {origin}: refused as if they were another host's"), &change);
    } else if has_websocket || polling::opened(&reply).is_some() {
        report.ok(format_args!("pages of {origin} are let in"));
    }
    if let Some(session) = polling::opened(&reply) {
        polling::close(client, &session).await;
    }
}

/// Whether pages of another origin are let in, by what browsers look at.
pub(super) async fn check_other(client: &Client, origin: &str, has_websocket: bool, report: &mut Report) {
    let change = advice::cors(origin);
    let headers = [(header::ORIGIN, origin)];
    if let Ok(reply) = client.ask(Method::GET, None, &headers, "", client.target.patience).await {
        let session = polling::opened(&reply);
        // A server without polling has no answer that a page would read.
        let is_meant = session.is_some() || reply.status == StatusCode::FORBIDDEN;
        if is_meant && tell(origin, "answers", &reply.headers, report) {
            check_preflight(client, origin, report).await;
        }
        if let Some(session) = session {
            polling::close(client, &session).await;
        }
    }
    if has_websocket {
        match Socket::open(client, None, Some(origin)).await {
            Ok(_) => report.ok(format_args!("pages of {origin} may open WebSockets")),
            Err(Refused::Status(status, _)) => {
                report.fail(format_args!("pages of {origin}: {status} to a WebSocket"), &change);
            }
            Err(_) => report.fail(format_args!("pages of {origin}: no WebSocket"), &change),
        }
    }
}

/// Whether a page may ask what browsers ask leave for, such as requests with headers of its own.
async fn check_preflight(client: &Client, origin: &str, report: &mut Report) {
    let asked = [
        (header::ORIGIN, origin),
        (header::ACCESS_CONTROL_REQUEST_METHOD, "POST"),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type"),
    ];
    match client.ask(Method::OPTIONS, None, &asked, "", client.target.patience).await {
        Ok(reply) if reply.status.is_success() => {
            tell(origin, "preflights", &reply.headers, report);
        }
        Ok(reply) => {
            let what = format!("pages of {origin}: a preflight (OPTIONS) answers {}", reply.status);
            report.warn(what, advice::PREFLIGHT);
        }
        Err(error) => report.warn(format_args!("pages of {origin}: a preflight has {error}"), advice::PREFLIGHT),
    }
}

/// Says, and gives, whether a browser would give this answer to a page.
fn tell(origin: &str, what: &str, headers: &HeaderMap, report: &mut Report) -> bool {
    let mut allowed = headers.get_all(header::ACCESS_CONTROL_ALLOW_ORIGIN).iter();
    let (first, second) = (allowed.next().and_then(|value| value.to_str().ok()), allowed.next());
    let credentials = headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS).is_some_and(|value| value == "true");
    match first {
        Some(_) if second.is_some() => {
            report.fail(format_args!("pages of {origin}: {what} say twice who may read them"), advice::CORS_TWICE);
            false
        }
        Some(value) if value == origin && credentials => {
            report.ok(format_args!("pages of {origin} may read {what}, and send cookies"));
            true
        }
        Some(value) if value == origin || value == "*" => {
            report.ok(format_args!("pages of {origin} may read {what}, without cookies"));
            true
        }
        _ => {
            report.fail(format_args!("pages of {origin} may not read {what}"), &advice::cors(origin));
            false
        }
    }
}
