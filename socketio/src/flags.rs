//! What it is: how an event is to be sent: volatile, compressed, with how much time for an answer.
//! What it is not: to whom; that is the business of `operator` and `broadcast`, which carry these.
//! Who calls it: those two.

use std::time::Duration;

use crate::{cluster_message::Manner, target::Event};

/// Whose sockets are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Those of all servers of the cluster.
    #[default]
    Everywhere,
    /// Those of this server.
    Here,
    /// Those of the others.
    Elsewhere,
}

/// How an event is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    /// Dropped for those who cannot take it at once.
    pub(crate) volatile: bool,
    /// On which servers.
    pub(crate) reach: Reach,
    /// Kept by no room.
    pub(crate) unkept: bool,
    /// Never compressed, whatever the engine's options say.
    pub(crate) uncompressed: bool,
    /// How long answers are waited for; `None` is until the socket leaves.
    pub(crate) timeout: Option<Duration>,
}

impl Flags {
    /// Those of what is only for this server.
    pub(crate) const LOCAL: Self =
        Self { volatile: false, reach: Reach::Here, unkept: false, uncompressed: false, timeout: None };

    /// Those that hold on every server.
    pub(crate) fn manner(self) -> Manner {
        let Self { volatile, unkept, uncompressed, .. } = self;
        Manner { volatile, unkept, uncompressed }
    }

    /// Those of what another server emits.
    pub(crate) fn of_another(manner: Manner, timeout: Option<Duration>) -> Self {
        let Manner { volatile, unkept, uncompressed } = manner;
        Self { volatile, reach: Reach::Here, unkept, uncompressed, timeout }
    }

    /// The event as these flags want it.
    pub(crate) fn apply(self, event: Event) -> Event {
        let event = Event { unkept: self.unkept, ..event };
        if self.uncompressed { event.uncompressed() } else { event }
    }
}
