//! What it is: what is configured of rooms: history, throttle, presence, as the namespaces below have it.
//! What it is not: those themselves; they are the crate's.
//! Who calls it: `namespaces`; `api`, with names of rooms.

use socketio::{Broadcast, Glob, HistoryMode, Namespace, Presence, RoomHistory, Throttle};

use crate::config::{self, Kept, Replay};

/// What is emitted to a whole namespace.
const EVERYBODY: &str = "@all";

/// The namespace with the rules for its rooms. Of several rules for a room, the first one counts.
pub(crate) fn configure(mut namespace: Namespace, config: &config::Config, name: &str) -> Namespace {
    for room in config.room.0.iter().filter(|room| Glob::new(&room.namespace).matches(name)) {
        let is_for_all = room.r#match == EVERYBODY;
        if room.history > 0 {
            let history = history(room);
            namespace =
                if is_for_all { namespace.history(history) } else { namespace.room_history(&room.r#match, history) };
        }
        if !room.throttle.0.is_zero() {
            let throttle = Throttle { interval: room.throttle.0, events: room.throttle_events.clone() };
            namespace = if is_for_all {
                namespace.throttle(throttle)
            } else {
                namespace.room_throttle(&room.r#match, throttle)
            };
        }
        if room.presence && !is_for_all {
            let presence = Presence {
                grace: room.presence_grace,
                state_event: room.presence_state.clone(),
                diff_event: room.presence_diff.clone(),
            };
            namespace = namespace.presence(&room.r#match, presence);
        }
    }
    namespace
}

fn history(room: &config::Room) -> RoomHistory {
    RoomHistory {
        events: room.events.clone(),
        mode: match room.history_mode {
            Kept::Stream => HistoryMode::Stream,
            Kept::Last => HistoryMode::Last,
        },
        max_events: room.history,
        ttl: room.history_ttl,
        replay: match room.replay {
            Replay::All => None,
            Replay::Last(events) => Some(events),
        },
        ..RoomHistory::default()
    }
}

/// Whom the name of a room means as it is configured.
pub(crate) fn meant(everybody: Broadcast, room: &str) -> Broadcast {
    if room == EVERYBODY { everybody } else { everybody.to(room) }
}
