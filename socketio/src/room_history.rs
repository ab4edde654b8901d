//! What it is: `RoomHistory`, what rooms keep of what is emitted to them, and the rules which rooms do.
//! What it is not: what is kept (`histories`), nor what clients that come back have missed (`history`).
//! Who calls it: `namespace` takes the rules from the application; `histories` asks them.

use std::time::Duration;

use crate::{glob::Glob, id::SocketId};

/// How much a room keeps of what is emitted to it, and how much of that a socket is sent when it joins: see
/// [`Namespace::room_history`](crate::Namespace::room_history).
///
/// ```
/// use std::time::Duration;
/// use socketio::{HistoryMode, RoomHistory};
///
/// let latest = RoomHistory { mode: HistoryMode::Last, ttl: Duration::from_secs(3600), ..RoomHistory::default() };
/// let talk = RoomHistory { events: vec!["said".into()], replay: Some(20), ..RoomHistory::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomHistory {
    /// Which events are kept: names, or globs in which `*` stands for any characters. Default `["*"]`: all.
    pub events: Vec<String>,
    /// What of these is kept. Default [`HistoryMode::Stream`].
    pub mode: HistoryMode,
    /// Most events that one room keeps; the oldest go. Default 100.
    pub max_events: usize,
    /// Bytes of these, with what it takes to keep them; the oldest go. What is replayed waits for the client as
    /// whatever is emitted does, so all rooms that are joined at once should fit into
    /// [`max_outbox_bytes`](engineio::Config::max_outbox_bytes). Default 256 KiB.
    pub max_bytes: usize,
    /// How old an event may become. Default 5 min.
    pub ttl: Duration,
    /// Most events that a socket is sent when it joins, the latest ones. Default `None`: all that are kept.
    pub replay: Option<usize>,
}

/// What a room keeps of its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HistoryMode {
    /// One after the other, as they were emitted.
    #[default]
    Stream,
    /// Of each name the last one: for events that say how something is now.
    Last,
}

impl Default for RoomHistory {
    fn default() -> Self {
        Self {
            events: vec!["*".into()],
            mode: HistoryMode::default(),
            max_events: 100,
            max_bytes: 256 * 1024,
            ttl: Duration::from_secs(300),
            replay: None,
        }
    }
}

/// Which rooms of a namespace keep what.
#[derive(Debug, Default)]
pub(crate) struct HistoryRules {
    /// For what is emitted to the whole namespace.
    namespace: Option<HistoryRule>,
    /// The first one that matches counts.
    rooms: Vec<(Glob, HistoryRule)>,
}

#[derive(Debug)]
pub(crate) struct HistoryRule {
    pub(crate) options: RoomHistory,
    events: Vec<Glob>,
}

impl HistoryRule {
    fn new(options: RoomHistory) -> Self {
        Self { events: options.events.iter().map(|event| Glob::new(event)).collect(), options }
    }

    /// Whether events of this name are kept.
    pub(crate) fn keeps(&self, event: &str) -> bool {
        self.events.iter().any(|glob| glob.matches(event))
    }
}

impl HistoryRules {
    pub(crate) fn set_namespace(&mut self, options: RoomHistory) {
        self.namespace = Some(HistoryRule::new(options));
    }

    pub(crate) fn add_room(&mut self, rooms: &str, options: RoomHistory) {
        self.rooms.push((Glob::new(rooms), HistoryRule::new(options)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.namespace.is_none() && self.rooms.is_empty()
    }

    /// The rule for a room, or for the whole namespace.
    pub(crate) fn of(&self, room: Option<&str>) -> Option<&HistoryRule> {
        let Some(room) = room else { return self.namespace.as_ref() };
        // What was for one socket is not for whoever joins a room of that name later.
        let is_meant = |glob: &Glob| glob.matches(room) && (glob.is_exact() || !SocketId::could_be(room));
        self.rooms.iter().find(|(glob, _)| is_meant(glob)).map(|(_, rule)| rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_counts_and_none_is_for_single_sockets() {
        let mut rules = HistoryRules::default();
        let numbered = |max_events| RoomHistory { max_events, ..RoomHistory::default() };
        rules.add_room("a*", numbered(1));
        rules.add_room("abcdefghijklmnopqrst", numbered(2));
        rules.add_room("*", numbered(3));
        let id = SocketId::draw();
        let rows = [
            (Some("ab"), Some(1)),
            (Some("abcdefghijklmnopqrst"), Some(2)),
            (Some("b"), Some(3)),
            (Some("bcdefghijklmnopqrstu"), None),
            (Some("b#bcdefghijklmnopqrs"), Some(3)),
            (Some("/chat#bcdefghijklmnopqrstu"), None),
            (Some(id.as_str()), None),
            (None, None),
        ];
        for (room, expected) in rows {
            assert_eq!(rules.of(room).map(|rule| rule.options.max_events), expected, "{room:?}");
        }
        rules.set_namespace(numbered(4));
        assert_eq!(rules.of(None).map(|rule| rule.options.max_events), Some(4));
    }
}
