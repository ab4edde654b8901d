//! What it is: how many clients may come in a second, by their handshakes.
//! What it is not: how many there may be at a time, which the engine counts.
//! Who calls it: `options` asks it for each handshake; `reload` changes it.

use std::{
    future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use engineio::{Denied, Http};
use socketio::{Bucket, EventRate};

/// How many clients may come in a second; 0 is any number. Clones are the same.
#[derive(Clone)]
pub(crate) struct ConnectRate(Arc<AtomicU32>);

impl ConnectRate {
    pub(crate) fn new(per_second: u32) -> Self {
        Self(Arc::new(AtomicU32::new(per_second)))
    }

    pub(crate) fn set(&self, per_second: u32) {
        self.0.store(per_second, Ordering::Relaxed);
    }

    /// Lets so many be.
    pub(crate) fn admit(self, http: Http) -> Http {
        // Taken for each handshake.
        let bucket = Mutex::new(Bucket::default());
        http.allow_request(move |_| {
            let per_second = self.0.load(Ordering::Relaxed);
            let rate = EventRate { per_second, burst: per_second.saturating_mul(2), ..EventRate::default() };
            let mut bucket = bucket.lock().expect("not poisoned: nobody panics while it is held");
            let is_let_in = per_second == 0 || bucket.take(&rate, Instant::now());
            let denied = || Denied::new(503, "Too many new connections");
            future::ready(is_let_in.then_some(()).ok_or_else(denied))
        })
    }
}
