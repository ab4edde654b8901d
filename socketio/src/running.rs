//! What it is: one event whose handlers are under way, as it counts for its socket.
//! What it is not: the event, or its handlers (`delivery`).
//! Who calls it: `delivery`, for events whose handlers wait.

use std::sync::Arc;

use crate::{limits::Limits, peer::Peer};

/// Counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    peer: Arc<Peer>,
    bytes: usize,
    limits: Arc<Limits>,
}

impl Running {
    /// An event of this size is under way.
    pub(crate) fn new(peer: &Arc<Peer>, bytes: usize, limits: &Arc<Limits>) -> Self {
        peer.state().load.get_or_insert_default().add(bytes, limits, &peer.engine);
        Self { peer: peer.clone(), bytes, limits: limits.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.peer.state();
        let hold = state.load.as_mut().and_then(|load| load.remove(self.bytes, &self.limits));
        state.load.take_if(|load| load.is_empty());
        drop(state);
        // It wakes the connection's driver, which may take that lock.
        drop(hold);
    }
}
