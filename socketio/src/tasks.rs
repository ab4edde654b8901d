//! What it is: what of a server still runs, so that its end can wait for it; and whether that end has begun.
//! What it is not: a list of tasks; nothing is ended by it.
//! Who calls it: `server`; `handler`, for what runs in a task of its own.

use tokio::sync::watch;

/// What runs, by the receivers there are; `true` once the server closes.
#[derive(Debug)]
pub(crate) struct Tasks(watch::Sender<bool>);

/// Something runs for as long as this is not dropped.
pub(crate) type Task = watch::Receiver<bool>;

impl Default for Tasks {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Tasks {
    /// Something more runs.
    pub(crate) fn begin(&self) -> Task {
        self.0.subscribe()
    }

    /// Nothing new is to begin.
    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until nothing runs.
    pub(crate) async fn ended(&self) {
        self.0.closed().await;
    }
}
