//! What it is: whether a connection to Redis is there, as figures, log and health checks have it.
//! What it is not: the connection (`listener`, `publisher`).
//! Who calls it: they tell it; `admin` asks.

use std::{
    fmt,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use prometheus::IntGauge;
use redis::RedisError;
use tracing::{info, warn};

/// Why a connection is not there, or not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It cannot be opened, or has ended.
    Lost(String),
    /// What is at the other side wants nothing of us, and says why.
    Refused(String),
    /// Nothing is heard of it any more.
    Silent,
    /// A message is so large that the rest of it was not awaited.
    TooLarge,
}

/// What is known of one connection.
pub(crate) struct Standing {
    /// Where it goes, without secrets.
    place: String,
    gauge: IntGauge,
    /// Whether its coming and going is logged.
    is_logged: bool,
    /// Taken for a few steps.
    state: Mutex<State>,
}

struct State {
    away_since: Option<Instant>,
    /// What was logged since it was there; nothing of it is said twice.
    logged: Vec<Absence>,
}

impl Standing {
    /// Away until it is there for the first time.
    pub(crate) fn new(place: String, gauge: IntGauge, is_logged: bool) -> Self {
        let state = State { away_since: Some(Instant::now()), logged: Vec::new() };
        Self { place, gauge, is_logged, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned: nobody panics while it is held")
    }

    /// It is there.
    pub(crate) fn note_there(&self) {
        let mut state = self.state();
        state.logged.clear();
        if state.away_since.take().is_some() {
            self.gauge.set(1);
            if self.is_logged {
                info!(redis = self.place, "Redis is there");
            }
        }
    }

    /// It is away. Logged once; and once more when Redis itself says something that was not said before.
    pub(crate) fn note_away(&self, absence: Absence) {
        let mut state = self.state();
        state.away_since.get_or_insert_with(Instant::now);
        self.gauge.set(0);
        let is_news = state.logged.is_empty() || matches!(absence, Absence::Refused(_));
        if self.is_logged && is_news && !state.logged.contains(&absence) {
            warn!(redis = self.place, "Redis is away: {absence}");
            state.logged.push(absence);
        }
    }

    /// For how long it has been away.
    pub(crate) fn away(&self) -> Option<Duration> {
        self.state().away_since.map(|since| since.elapsed())
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) | Self::Refused(why) => f.write_str(why),
            Self::Silent => f.write_str("no answer"),
            Self::TooLarge => f.write_str("a message was much larger than redis.max_message"),
        }
    }
}

impl From<std::io::Error> for Absence {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<RedisError> for Absence {
    fn from(error: RedisError) -> Self {
        use redis::{ErrorKind, ServerErrorKind};

        let said = || format!("{} {}", error.code().unwrap_or("ERR"), error.detail().unwrap_or_default());
        match error.kind() {
            // It has just begun, and will be there.
            ErrorKind::Server(ServerErrorKind::BusyLoading) => Self::Lost(said()),
            ErrorKind::AuthenticationFailed => Self::Refused("the user or the password is wrong".into()),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(said()),
            _ => Self::Lost(error.to_string()),
        }
    }
}
