//! What it is: whose pages may connect, and a line of the log for those that may not, as these are told nothing.
//! What it is not: what keeps them out, which is the engine by the same list, and browsers.
//! Who calls it: `options` for the engine; `front`, for requests of Socket.IO.

use engineio::Origins;
use hyper::{
    HeaderMap,
    header::{self, HeaderName},
};
use tracing::warn;

use crate::{
    config::{AllowedOrigin, Cors},
    journal::shown,
    pace::Pace,
};

/// The origins that are let in.
pub(crate) fn of(cors: &Cors) -> Origins {
    let mut listed = Vec::new();
    for origin in &cors.origins {
        match origin {
            // Without the option, which is for other origins, only this is let in.
            AllowedOrigin::Same => {}
            AllowedOrigin::Any => return Origins::Any,
            AllowedOrigin::One(origin, _) => listed.push(origin.clone()),
        }
    }
    if listed.is_empty() { Origins::Same } else { Origins::List(listed) }
}

/// Looks out for pages of others.
pub(crate) struct Lookout {
    origins: Origins,
    pace: Pace,
}

impl Lookout {
    pub(crate) fn new(cors: &Cors) -> Self {
        Self { origins: of(cors), pace: Pace::default() }
    }

    /// Has the log say whose page is kept out, if this is one's request.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let Some(origin) = text(header::ORIGIN) else { return };
        let host = text(header::HOST).unwrap_or_default();
        if !self.origins.allow(origin, host) && self.pace.once_a_minute("origin") {
            warn!(
                origin = shown(origin),
                host = shown(host),
                "a page of this origin may not connect: see cors.origins"
            );
        }
    }
}
