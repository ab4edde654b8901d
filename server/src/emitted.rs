//! What it is: an event that was emitted, as figures and those who watch are told of it.
//! What it is not: the emitting (`sockets`), nor what single clients are answered.
//! Who calls it: `perform`, `ask` and `rules`, behind each emit; what brings ops says what they come from.

use serde_json::{Map, Value, json};
use socketio::Args;

use crate::{
    sockets::{Audience, Sockets},
    tail::Line,
};

/// What emits and other ops come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A request of the API.
    Api,
    /// The answer of a backend.
    Hook,
    /// A rule of the configuration.
    Rule,
    /// A message of python-socketio in Redis.
    Python,
    /// The same of a server or an emitter in Node.
    Node,
    /// Another server of the cluster.
    Cluster,
}

/// What was emitted, and to whom.
pub(crate) struct Emitted<'a> {
    pub(crate) source: Source,
    pub(crate) event: &'a str,
    pub(crate) args: &'a Args,
    pub(crate) to: &'a Audience,
    pub(crate) except: &'a Audience,
    /// To how many it was sent.
    pub(crate) recipients: usize,
}

impl Source {
    /// As figures, and those who watch, have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Hook => "hook",
            Self::Rule => "rule",
            Self::Python => "redis_python",
            Self::Node => "redis_node",
            Self::Cluster => "cluster",
        }
    }

    /// Whether this server alone hears of it, and so has to tell others of its cluster.
    pub(crate) fn is_heard_once(self) -> bool {
        match self {
            Self::Api | Self::Hook | Self::Rule => true,
            Self::Python | Self::Node | Self::Cluster => false,
        }
    }
}

impl Emitted<'_> {
    /// What those who watch are told.
    pub(crate) fn line(&self, namespace: &str) -> Line {
        let Self { source, event, args, to, except, recipients } = self;
        let (to_whom, not) = (named(to), named(except));
        let source = source.name();
        let more = json!({ "source": source, "event": event, "recipients": recipients, "to": to_whom, "except": not });
        Line::new("emit", namespace, more).in_rooms(to.rooms.iter().map(Into::into)).with(args)
    }
}

impl Sockets {
    /// An event was emitted in a namespace.
    pub(crate) fn note_emitted(&self, namespace: &str, emitted: &Emitted<'_>) {
        self.metrics.emitted(emitted.source.name(), emitted.recipients);
        self.tail.tell(|| emitted.line(namespace));
    }
}

/// An audience as those who watch see it; `None` of one that names nobody.
fn named(Audience { rooms, users, sids }: &Audience) -> Option<Value> {
    let named = [("rooms", rooms), ("users", users), ("sids", sids)].into_iter().filter(|(_, names)| !names.is_empty());
    let named: Map<_, _> = named.map(|(kind, names)| (kind.to_owned(), names.clone().into())).collect();
    (!named.is_empty()).then_some(named.into())
}
