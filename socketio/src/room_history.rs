//! What it is: `RoomHistory`, what rooms keep of what is emitted to them, and the rules by which they do.
//! What it is not: what is kept (`histories`), nor what clients that come back have missed (`history`).
//! Who calls it: `namespace` takes the rules from the application; `histories` asks them.

use std::time::Duration;

use crate::{glob::Globs, room_rules::RoomRules};

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

/// What is kept by a room, as it is asked for.
#[derive(Debug)]
pub(crate) struct HistoryRule {
    pub(crate) options: RoomHistory,
    /// Those that are kept.
    pub(crate) events: Globs,
}

/// Which rooms of a namespace keep what.
pub(crate) type HistoryRules = RoomRules<HistoryRule>;

impl From<RoomHistory> for HistoryRule {
    fn from(options: RoomHistory) -> Self {
        Self { events: Globs::new(&options.events), options }
    }
}
