//! What it is: what systemd is told, if it has started the process (`Type=notify`).
//! What it is not: socket activation, which is `listeners`.
//! Who calls it: `serve`.

use sd_notify::NotifyState;
use tracing::warn;

/// Clients can come; from now on the watchdog is told that the runtime turns.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
    if let Some(timeout) = sd_notify::watchdog_enabled() {
        tokio::spawn(async move {
            loop {
                tell(&[NotifyState::Watchdog]);
                tokio::time::sleep(timeout / 2).await;
            }
        });
    }
}

/// The end has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Without systemd nothing is told.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot tell systemd: {error}");
    }
}
