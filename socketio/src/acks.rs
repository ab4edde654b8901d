//! What it is: the answers a server waits for, by ack id.
//! What it is not: a clock. Whoever waits gives up by itself and takes its entry away.
//! Who calls it: `peer` holds one table per socket.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::args::Args;

/// Answers that are due. Empty, it owns no heap.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    pending: HashMap<u64, oneshot::Sender<Args>>,
}

impl Acks {
    /// Expects an answer under this id.
    pub(crate) fn expect(&mut self, id: u64) -> oneshot::Receiver<Args> {
        let (sender, receiver) = oneshot::channel();
        self.pending.insert(id, sender);
        receiver
    }

    /// Hands over an answer. One that nobody waits for (any more) is dropped.
    pub(crate) fn resolve(&mut self, id: u64, args: Args) {
        if let Some(sender) = self.pending.remove(&id) {
            // Fails when whoever waited has just given up.
            let _given_up = sender.send(args);
        }
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn forget(&mut self, id: u64) {
        self.pending.remove(&id);
        if self.pending.is_empty() {
            self.pending = HashMap::new();
        }
    }

    /// The client is gone: all who wait learn it at once.
    pub(crate) fn clear(&mut self) {
        self.pending = HashMap::new();
    }
}
