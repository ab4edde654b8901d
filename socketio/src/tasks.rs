//! What it is: what of a server still runs, so that its end can wait for it; and whether that end has begun.
//! What it is not: a list of tasks; nothing is ended by it.
//! Who calls it: `server`; `handler`, for what runs in a task of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// What runs, by the receivers there are.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: watch::Sender<()>,
    /// Set once the server closes.
    closed: AtomicBool,
}

/// Something runs for as long as this is not dropped.
pub(crate) type Task = watch::Receiver<()>;

impl Tasks {
    /// Something more runs.
    pub(crate) fn begin(&self) -> Task {
        self.running.subscribe()
    }

    /// Nothing new is to begin.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Waits until nothing runs.
    pub(crate) async fn ended(&self) {
        self.running.closed().await;
    }
}
