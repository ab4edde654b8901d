//! What it is: one client of the `connection` target, what it can ask for, and what is known of it.
//! What it is not: what becomes of that; it takes two clients and their server to tell (`members`).
//! Who calls it: `members`; `connection` names what clients ask for.

use crate::{
    application::{Application, CONNECT_TIMEOUT, NAMESPACES},
    poller::{Poller, Question},
    seat::Seat,
};

/// How a client is let in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Join {
    AtOnce,
    Later,
    Refused,
}

/// What a client asks for by an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// With so many attachments.
    Echo(usize),
    Ack,
    Ask,
    Join(&'static str),
    Leave(&'static str),
    Cast,
    Both,
    Kick,
    Drop,
}

/// A packet whose attachments are due.
pub(crate) struct Upload {
    pub(crate) place: usize,
    pub(crate) number: u64,
    pub(crate) missing: usize,
    pub(crate) attachments: Vec<String>,
    pub(crate) due: u64,
}

/// One client, and what is known of it.
pub(crate) struct Member {
    pub(crate) poller: Poller,
    /// Its connection has ended, or is about to.
    pub(crate) ended: bool,
    pub(crate) seats: [Seat; NAMESPACES.len()],
    pub(crate) refusals: u32,
    /// By when it has to have joined a namespace.
    pub(crate) join_by: Option<u64>,
    pub(crate) upload: Option<Upload>,
    /// What it answered last.
    pub(crate) answered: Option<Question>,
    /// What it has to hear next.
    pub(crate) expected: Vec<String>,
}

impl Member {
    pub(crate) async fn open(application: &Application, now: u64) -> Self {
        Self {
            poller: Poller::open(&application.io).await,
            ended: false,
            seats: Default::default(),
            refusals: 0,
            join_by: Some(now + CONNECT_TIMEOUT),
            upload: None,
            answered: None,
            expected: Vec::new(),
        }
    }

    /// When something that it waits for, or has to do, ends next.
    pub(crate) fn next_end(&self) -> Option<u64> {
        let upload = self.upload.as_ref().map(|upload| upload.due);
        self.seats.iter().filter_map(Seat::next_end).chain(self.join_by).chain(upload).min()
    }
}

/// What names a namespace in a packet.
pub(crate) fn prefix(place: usize) -> String {
    if place == 0 { String::new() } else { format!("{},", NAMESPACES[place]) }
}

pub(crate) fn placeholder(number: usize) -> String {
    format!("{{\"_placeholder\":true,\"num\":{number}}}")
}

pub(crate) fn placeholders(count: usize) -> String {
    (0..count).map(placeholder).collect::<Vec<_>>().join(",")
}
