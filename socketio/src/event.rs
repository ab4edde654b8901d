//! What it is: what a handler is called for: a connect, a message, a disconnect; and where middleware sends a message.
//! What it is not: the wire's packets.
//! Who calls it: `served` and `delivery` make one for each call of a handler; extractors read it.

use std::{
    error::Error,
    fmt::Debug,
    sync::{Arc, OnceLock, atomic::AtomicBool},
};

use crate::{
    args::Args,
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
    type Outcome = Result<(), Box<dyn Error + Send + Sync>>;
}

/// A client emitted an event that has not come to its handler yet.
#[derive(Debug)]
pub enum Middleware {}

impl Kind for Middleware {
    type Data = Incoming;
    type Outcome = Result<Next, Box<dyn Error + Send + Sync>>;
}

/// What becomes of an event, as an [event middleware](crate::Namespace::event_middleware) decides.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It goes on as it came.
    Pass,
    /// It goes on with this name and these arguments; what is answered is the event that came.
    Change {
        /// The name, by which its handler is chosen.
        event: String,
        /// The arguments. [`Args::from_json`] makes new ones.
        args: Args,
    },
    /// It goes no further, which is no error; nothing is answered.
    Drop,
}

/// An event is emitted to a client.
#[derive(Debug)]
pub enum Outgoing {}

impl Kind for Outgoing {
    type Data = Incoming;
    type Outcome = ();
}

/// A socket leaves, or has left.
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
    /// Of an event that may be answered.
    pub(crate) answered: Option<&'a Answered>,
}

impl<K: Kind<Data = Incoming>> Event<'_, K> {
    /// Others may answer it beside whoever is about to have it: from now on each of them knows whether one has.
    pub(crate) fn share_answer(&self) {
        if let Some(answered) = self.answered.filter(|_| self.data.ack.is_some()) {
            answered.get_or_init(Arc::default);
        }
    }
}

/// Whether an event was answered. Set once somebody has an [`Ack`](crate::Ack) beside whom others may answer.
pub(crate) type Answered = OnceLock<Arc<AtomicBool>>;
