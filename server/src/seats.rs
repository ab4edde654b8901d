//! What it is: how many sockets there are of one kind, within a bound: in a namespace, or of one user there.
//! What it is not: the sockets.
//! Who calls it: `namespaces`, when clients come and go.

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use prometheus::IntGauge;

/// How many there are of each kind, those included who are about to be let in.
pub(crate) struct Seats {
    taken: Arc<DashMap<Box<str>, usize>>,
    gauge: Option<IntGauge>,
}

/// A place among them, from before its client is let in; given up when it is dropped.
pub(crate) struct Seat {
    taken: Arc<DashMap<Box<str>, usize>>,
    kind: Box<str>,
    gauge: Option<IntGauge>,
}

impl Seats {
    pub(crate) fn new(gauge: Option<IntGauge>) -> Self {
        Self { taken: Arc::default(), gauge }
    }

    /// One of them; `None` when as many as `max` are taken. 0 is no bound.
    pub(crate) fn take(&self, kind: &str, max: usize) -> Option<Seat> {
        let mut taken = self.taken.entry(kind.into()).or_default();
        if max > 0 && *taken >= max {
            return None;
        }
        *taken += 1;
        self.gauge.iter().for_each(IntGauge::inc);
        Some(Seat { taken: self.taken.clone(), kind: kind.into(), gauge: self.gauge.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gauge.iter().for_each(IntGauge::dec);
        if let Entry::Occupied(mut taken) = self.taken.entry(std::mem::take(&mut self.kind)) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}
