//! What it is: the answers a server waits for, by ack id.
//! What it is not: a clock. Whoever waits gives up by itself and takes its entry away.
//! Who calls it: `peer` holds one table per socket.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::args::Args;

/// Answers that are due. Empty, it owns no heap.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    /// A tree, because an empty one is half as large as a table.
    pending: BTreeMap<u64, oneshot::Sender<Args>>,
    /// Answers that nobody waits for any more, and that may yet come.
    abandoned: u32,
    /// Answers that came and were never asked for, or came twice.
    unknown: u32,
}

impl Acks {
    /// Number of answers that are due.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Expects an answer under this id.
    pub(crate) fn expect(&mut self, id: u64) -> oneshot::Receiver<Args> {
        let (sender, receiver) = oneshot::channel();
        self.pending.insert(id, sender);
        receiver
    }

    /// Hands over an answer; one that nobody waits for is dropped. Returns how many such came that cannot be late ones.
    pub(crate) fn resolve(&mut self, id: u64, args: Args) -> u32 {
        match (self.pending.remove(&id), self.abandoned.checked_sub(1)) {
            (Some(sender), _) => {
                // Fails when whoever waited has just given up.
                let _given_up = sender.send(args);
            }
            (None, Some(abandoned)) => self.abandoned = abandoned,
            (None, None) => self.unknown = self.unknown.saturating_add(1),
        }
        self.unknown
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget(&mut self, id: u64) {
        self.abandoned = self.abandoned.saturating_add(self.pending.remove(&id).is_some().into());
        if self.pending.is_empty() {
            self.pending = BTreeMap::new();
        }
    }

    /// The client is gone: all who wait learn it at once.
    pub(crate) fn clear(&mut self) {
        self.pending = BTreeMap::new();
    }
}
