//! Literal bytes against an Engine.IO server: what clients of any make, and strangers, get to see.
//!
//! Labels such as `HS-04` or `A1` are the rows of our lists of behaviours and of abuse.

mod admission;
mod bodies;
mod bounds;
mod closing;
mod compression;
mod cors;
mod deflate;
mod embedding;
mod events;
mod frames;
mod handshake;
mod headers;
mod heads;
mod heartbeat;
mod hold;
mod jsonp;
mod limits;
mod middlewares;
mod polling;
mod refusals;
mod reports;
mod revision3;
mod slow;
mod streams;
mod upgrade;
mod websocket;

use engineio::{CloseReason, TransportFault};

/// The bodies of refused requests, by their code.
const REFUSED: [&str; 6] = [
    r#"{"code":0,"message":"Transport unknown"}"#,
    r#"{"code":1,"message":"Session ID unknown"}"#,
    r#"{"code":2,"message":"Bad handshake method"}"#,
    r#"{"code":3,"message":"Bad request"}"#,
    r#"{"code":4,"message":"Forbidden"}"#,
    r#"{"code":5,"message":"Unsupported protocol version"}"#,
];

/// The transport broke, in this way.
fn broken(fault: TransportFault) -> CloseReason {
    CloseReason::TransportError(fault)
}

/// Status and body of an answer.
fn told(answer: &tests::http::Answer) -> (u16, &str) {
    (answer.status, &answer.body)
}
