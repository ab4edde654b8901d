//! What it is: an event that was emitted, as figures and those who watch are told of it.
//! What it is not: the emitting (`sockets`), nor what single clients are answered.
//! Who calls it: `perform`, `ask` and `rules`, behind each emit.

use serde_json::{Map, Value, json};
use socketio::Args;

use crate::{
    sockets::{Audience, Sockets},
    tail::Line,
};

/// What was emitted, and to whom.
pub(crate) struct Emitted<'a> {
    /// What it came from, of a closed list.
    pub(crate) source: &'a str,
    pub(crate) event: &'a str,
    pub(crate) args: &'a Args,
    pub(crate) to: &'a Audience,
    pub(crate) except: &'a Audience,
    /// To how many it was sent.
    pub(crate) recipients: usize,
}

impl Emitted<'_> {
    /// What those who watch are told.
    pub(crate) fn line(&self, namespace: &str) -> Line {
        let Self { source, event, args, to, except, recipients } = self;
        let (to_whom, not) = (named(to), named(except));
        let more = json!({ "source": source, "event": event, "recipients": recipients, "to": to_whom, "except": not });
        Line::new("emit", namespace, more).in_rooms(to.rooms.iter().map(Into::into)).with(args)
    }
}

impl Sockets {
    /// An event was emitted in a namespace.
    pub(crate) fn note_emitted(&self, namespace: &str, emitted: &Emitted<'_>) {
        self.metrics.emitted(emitted.source, emitted.recipients);
        self.tail.tell(|| emitted.line(namespace));
    }
}

/// An audience as those who watch see it; `None` of one that names nobody.
fn named(Audience { rooms, users, sids }: &Audience) -> Option<Value> {
    let named = [("rooms", rooms), ("users", users), ("sids", sids)].into_iter().filter(|(_, names)| !names.is_empty());
    let named: Map<_, _> = named.map(|(kind, names)| (kind.to_owned(), names.clone().into())).collect();
    (!named.is_empty()).then_some(named.into())
}
