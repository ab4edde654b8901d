//! What it is: what holds for a backend now: its options, what they mean, and its client.
//! What it is not: the hooks under way, which outlast a change (`turns`).
//! Who calls it: `backend`, for each attempt, and when the configuration is read again.

use socketio::Glob;

use super::{
    breaker::Breaker,
    client::{Client, ClientError},
    pacer::Pacer,
    queue::Bounds,
    schedule::Terms,
};
use crate::config;

/// The options that hold.
pub(super) struct Current {
    pub(super) options: config::Backend,
    pub(super) client: Client,
    namespaces: Vec<Glob>,
    events: Vec<Glob>,
}

impl Current {
    /// # Errors
    /// [`ClientError`].
    pub(super) fn new(options: &config::Backend) -> Result<Self, ClientError> {
        Ok(Self {
            client: Client::new(options)?,
            namespaces: options.namespaces.iter().map(|name| Glob::new(&name.0)).collect(),
            events: options.events.iter().map(|name| Glob::new(name)).collect(),
            options: options.clone(),
        })
    }

    /// Whether it is for sockets of this namespace.
    pub(super) fn is_for(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|glob| glob.matches(namespace))
    }

    /// Whether it is for events of this name.
    pub(super) fn takes(&self, event: &str) -> bool {
        self.events.iter().any(|glob| glob.matches(event))
    }

    /// How its hooks go.
    pub(super) fn terms(&self) -> Terms {
        let config::Backend { queue, queue_per_socket, ref queue_bytes, ordering, max_in_flight, .. } = self.options;
        let config::Backend { breaker_failures, breaker_pause, disconnect_rate, .. } = self.options;
        Terms {
            bounds: Bounds {
                hooks: queue,
                per_line: queue_per_socket,
                bytes: queue_bytes.0,
                is_ordered: ordering == config::Ordering::Socket,
            },
            breaker: Breaker::new(breaker_failures, breaker_pause),
            pacer: Pacer::new(disconnect_rate),
            max_in_flight,
        }
    }
}
