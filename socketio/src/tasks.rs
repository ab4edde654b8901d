//! What it is: what of a server still runs, so that its end can wait for it; where; and whether that end has begun.
//! What it is not: a list of tasks; nothing is ended by it.
//! Who calls it: `server`; `handler`, for what runs in a task of its own.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    runtime::{EnterGuard, Handle},
    sync::watch,
};

/// What runs, by the receivers there are.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: watch::Sender<()>,
    /// Where the first client came.
    runtime: OnceLock<Handle>,
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

    /// A client comes: where it does, what is started for clients may run.
    pub(crate) fn run_here(&self) {
        self.runtime.get_or_init(Handle::current);
    }

    /// Lets a thread that has no runtime, as one of the application's that emits or disconnects, start what may wait.
    pub(crate) fn enter(&self) -> Option<EnterGuard<'_>> {
        if Handle::try_current().is_ok() { None } else { self.runtime.get().map(Handle::enter) }
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
