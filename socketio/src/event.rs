//! What it is: what a handler is called for: a connect, a message, a disconnect.
//! What it is not: the wire's packets.
//! Who calls it: `namespace` makes one for each call of a handler; extractors read it.

use std::fmt::Debug;

use crate::{
    decoder::Incoming,
    error::{ConnectError, DisconnectReason},
    socket::Socket,
};

/// A kind of event: what it carries, and what its handlers come to.
pub trait Kind: 'static {
    /// What comes with the event.
    type Data: Debug;
    /// What a handler's future gives in the end.
    type Outcome: Send + 'static;
}

/// A client asks to join.
#[derive(Debug)]
pub enum Connect {}

impl Kind for Connect {
    type Data = ();
    type Outcome = Result<(), ConnectError>;
}

/// A client emitted an event.
#[derive(Debug)]
pub enum Message {}

impl Kind for Message {
    type Data = Incoming;
    type Outcome = ();
}

/// A socket has left.
#[derive(Debug)]
pub enum Disconnect {}

impl Kind for Disconnect {
    type Data = DisconnectReason;
    type Outcome = ();
}

/// One event, as extractors see it.
#[derive(Debug)]
pub struct Event<'a, K: Kind> {
    /// Whose event it is.
    pub socket: &'a Socket,
    /// What came with it.
    pub data: &'a K::Data,
}
