//! What it is: what applications and other servers publish in Redis, done here, and answered there.
//! What it is not: a bus between servers of this kind.
//! Who calls it: `serve` starts it; `admin` asks whether it is there.

mod address;
mod backoff;
mod channels;
mod complaints;
mod gate;
mod inbox;
mod listener;
mod node;
mod publisher;
mod reply;
mod standing;
mod stream;

use std::{sync::Arc, time::Duration};

use crate::{config::Config, sockets::Sockets};

pub(crate) use address::Address;
use channels::Channels;
use complaints::Complaints;
use inbox::Inbox;
use listener::Listener;
use publisher::Publisher;
use standing::Standing;

/// What a server does without that others would miss is not ready when Redis is away for longer than this.
const GRACE: Duration = Duration::from_secs(5);

/// A message that is this many times larger than it may be is not read to its end.
const MUCH: usize = 4;

/// Redis, as the rest of the server knows it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Redis {
    listener: Arc<Standing>,
    is_required: bool,
}

impl Redis {
    /// Listens from now on, if it is configured. Redis may be there later.
    pub(crate) fn start(config: &Config, sockets: &Arc<Sockets>) -> Option<Self> {
        let redis = &config.redis;
        let address = Address::parse(&redis.url.0)?;
        let metrics = &sockets.metrics;
        let complaints = Complaints::new(metrics.clone());
        let standing = |role, is_logged| Standing::new(address.to_string(), metrics.redis_connected(role), is_logged);
        let publisher = Publisher::start(address.clone(), standing("publisher", false), complaints.clone());
        let namespaces = config.namespaces();
        let namespaces: Vec<_> = namespaces.iter().map(|namespace| &*namespace.name.0).collect();
        let python = if redis.python { &redis.python_channels[..] } else { &[] };
        let node_key = redis.node.then_some(&*redis.node_key);
        let max_message = redis.max_message.0;
        let standing = Arc::new(standing("listener", true));
        let listener = Listener {
            address: address.clone(),
            channels: Channels::new(python, node_key, &namespaces),
            max_bytes: max_message.saturating_mul(MUCH),
            inbox: Inbox::new(sockets.clone(), publisher, complaints, max_message, &config.server.path[0].0),
            standing: standing.clone(),
        };
        tokio::spawn(listener.run());
        Some(Self { listener: standing, is_required: redis.required })
    }

    /// Whether the server should have no clients now, for it does not hear what its applications emit.
    pub(crate) fn is_missed(&self) -> bool {
        self.is_required && self.listener.away().is_some_and(|away| away > GRACE)
    }
}
