//! What it is: what is sent, and to whom.
//! What it is not: the sending (`hub`).
//! Who calls it: `hub` makes and sends events; handles say who is meant.

use std::sync::Arc;

use crate::{decoder::Incoming, parser::Encoded, rooms::Room};

/// Who is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Target {
    /// Rooms or socket ids; none means everybody.
    pub(crate) rooms: Vec<Room>,
    /// Rooms or socket ids to leave out.
    pub(crate) except: Vec<Room>,
}

/// An event to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Its name, where rooms keep events.
    pub(crate) name: Option<Arc<str>>,
    /// No room keeps it.
    pub(crate) unkept: bool,
    pub(crate) encoded: Encoded,
    /// What its recipients get, for the observer; `None` when that does not want to be told.
    pub(crate) received: Option<Arc<Incoming>>,
}

impl Event {
    pub(crate) fn uncompressed(self) -> Self {
        Self { encoded: self.encoded.uncompressed(), ..self }
    }
}
