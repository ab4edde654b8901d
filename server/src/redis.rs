//! What it is: what applications and other servers publish in Redis, done here, and answered there; and the carrier of
//! what servers of a cluster tell each other.
//! What it is not: what these say; that is the crate's, and `cluster`'s.
//! Who calls it: `serve` starts it, and waits for its last words; `admin` asks whether it is there.

mod address;
mod backoff;
mod carrier;
mod channels;
mod complaints;
mod emitter;
mod gate;
mod inbox;
mod listener;
mod node;
mod publisher;
mod reply;
mod standing;
mod stream;

use std::{sync::Arc, time::Duration};

use socketio::ClusterOptions;
use tracing::info;

use crate::{config::Config, sockets::Sockets};

pub(crate) use address::Address;
use carrier::RedisCarrier;
use channels::Channels;
use complaints::Complaints;
pub(crate) use emitter::{Emitter, is_own};
use inbox::Inbox;
use listener::Listener;
use publisher::Publisher;
pub(crate) use standing::Standing;

/// What a server does without that others would miss is not ready when Redis is away for longer than this.
const GRACE: Duration = Duration::from_secs(5);

/// Time for what is still to be published when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A message that is this many times larger than it may be is not read to its end.
const MUCH: usize = 4;

/// Redis, as the rest of the server knows it. Clones are the same.
#[derive(Clone)]
pub(crate) struct Redis {
    listener: Arc<Standing>,
    publisher: Publisher,
    is_required: bool,
}

impl Redis {
    /// Listens from now on, if it is configured, and takes part in a cluster if there is one. Redis may come later.
    pub(crate) fn start(config: &Config, sockets: &Arc<Sockets>, options: ClusterOptions) -> Option<Self> {
        let redis = &config.redis;
        let address = Address::parse(&redis.url.0)?;
        let metrics = &sockets.metrics;
        let complaints = Complaints::new(metrics.clone());
        let standing = |role, is_logged| Standing::new(address.to_string(), metrics.redis_connected(role), is_logged);
        let greet = {
            let sockets = sockets.clone();
            move || sockets.io().greet_cluster()
        };
        let publisher = Publisher::start(address.clone(), standing("publisher", false), complaints.clone(), greet);
        let namespaces = config.namespaces();
        let namespaces: Vec<_> = namespaces.iter().map(|namespace| &*namespace.name.0).collect();
        let python = if redis.python { &redis.python_channels[..] } else { &[] };
        let node_key = redis.node.then_some(&*redis.node_key);
        let max_message = redis.max_message.0;
        let carrier = config
            .cluster
            .enabled
            .then(|| RedisCarrier::new(publisher.clone(), complaints.clone(), &config.cluster.channel, max_message));
        let of_cluster = carrier.as_ref().map(|carrier| carrier.channels(sockets.io().server_id()));
        if let Some(carrier) = carrier {
            info!(server = %sockets.io().server_id(), channel = config.cluster.channel, "one of a cluster");
            sockets.io().join_cluster(carrier, options);
        }
        let id = sockets.io().server_id();
        if let Some(emitter) = Emitter::new(redis, publisher.clone(), complaints.clone(), id) {
            sockets.publish_by(emitter);
        }
        let standing = Arc::new(standing("listener", true));
        sockets.hear_by(standing.clone());
        let listener = Listener {
            address: address.clone(),
            channels: Channels::new(python, node_key, &namespaces).with_cluster(of_cluster),
            max_bytes: max_message.saturating_mul(MUCH),
            inbox: Inbox::new(sockets.clone(), publisher.clone(), complaints, max_message, &config.server.path[0].0),
            standing: standing.clone(),
        };
        tokio::spawn(listener.run());
        Some(Self { listener: standing, publisher, is_required: redis.required })
    }

    /// Waits until what was published has left, for a moment at most.
    pub(crate) async fn flushed(&self) {
        let _or_late = tokio::time::timeout(LAST_WORDS, self.publisher.flushed()).await;
    }

    /// Whether the server should have no clients now, for it does not hear what its applications emit.
    pub(crate) fn is_missed(&self) -> bool {
        self.is_required && self.listener.away().is_some_and(|away| away > GRACE)
    }
}
