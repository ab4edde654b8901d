//! What it is: the channels on which servers of a cluster publish what they tell each other.
//! What it is not: the publishing (`publisher`), nor what comes on them (`inbox`).
//! Who calls it: `redis` gives it to the server below, which tells others by it.

use bytes::Bytes;
use socketio::{Carrier, ServerId};

use super::publisher::Publisher;

/// Carries messages to other servers. All of them wait in one queue, and so keep their order.
pub(super) struct RedisCarrier {
    publisher: Publisher,
    /// The channel of all servers.
    channel: String,
}

impl RedisCarrier {
    pub(super) fn new(publisher: Publisher, channel: &str) -> Self {
        Self { publisher, channel: channel.to_owned() }
    }

    /// The channel of all servers, and that of this one.
    pub(super) fn channels(&self, server: &ServerId) -> [String; 2] {
        [self.channel.clone(), self.of(server)]
    }

    fn of(&self, server: &ServerId) -> String {
        format!("{}:{server}", self.channel)
    }
}

impl Carrier for RedisCarrier {
    fn publish(&self, message: Bytes) {
        self.publisher.publish(&self.channel, message);
    }

    fn send(&self, server: &ServerId, message: Bytes) {
        self.publisher.publish(&self.of(server), message);
    }
}
