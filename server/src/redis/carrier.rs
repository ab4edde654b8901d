//! What it is: the channels on which servers of a cluster publish what they tell each other.
//! What it is not: the publishing (`publisher`), nor what comes on them (`inbox`).
//! Who calls it: `redis` gives it to the server below, which tells others by it.

use bytes::Bytes;
use socketio::{Carrier, ServerId};

use super::{complaints::Complaints, publisher::Publisher};

/// Bytes that are enough for a message that need not be larger.
const USUAL_SIZE: usize = 256 << 10;

/// Carries messages to other servers. All of them wait in one queue, and so keep their order.
pub(super) struct RedisCarrier {
    publisher: Publisher,
    complaints: Complaints,
    /// The channel of all servers.
    channel: String,
    /// Largest message, in bytes: others would read no larger one.
    max_message: usize,
}

impl RedisCarrier {
    pub(super) fn new(publisher: Publisher, complaints: Complaints, channel: &str, max_message: usize) -> Self {
        Self { publisher, complaints, channel: channel.to_owned(), max_message }
    }

    /// The channel of all servers, and that of this one.
    pub(super) fn channels(&self, server: &ServerId) -> [String; 2] {
        [self.channel.clone(), self.of(server)]
    }

    fn publish_on(&self, channel: &str, message: Bytes) {
        if message.len() > self.max_message {
            let bytes = message.len();
            self.complaints.note("too_large", channel, format_args!("{bytes} bytes, which others would not read"));
            return;
        }
        self.publisher.publish(channel, message);
    }

    fn of(&self, server: &ServerId) -> String {
        format!("{}:{server}", self.channel)
    }
}

impl Carrier for RedisCarrier {
    fn publish(&self, message: Bytes) {
        self.publish_on(&self.channel, message);
    }

    fn usual_size(&self) -> usize {
        // Beside what is not counted there is room for an answer that is larger than most.
        (self.max_message / 4).min(USUAL_SIZE)
    }

    fn send(&self, server: &ServerId, message: Bytes) {
        self.publish_on(&self.of(server), message);
    }
}
