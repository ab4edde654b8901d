//! What it is: what happens, told line by line to those who watch: emits, events, who comes and goes, and in rooms.
//! What it is not: a log; while nobody watches, nothing is made of it, and who does not keep up misses lines.
//! Who calls it: `emitted`, `rules` and `namespaces` tell; `api` answers `GET /api/v1/tail` with it.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use socketio::{Args, Room};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use crate::{
    config::Scope,
    keyring::{Grant, Keyring},
};

/// Lines that wait for each who watches; one that is further behind misses the oldest.
const WAITING: usize = 1024;

/// How many may watch at a time.
const MAX_WATCHERS: usize = 16;

/// Time without a line after which a comment shows that the connection is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Most characters of what is shown of arguments.
const MAX_ARGS: usize = 200;

/// Tells what happens.
#[derive(Debug)]
pub(crate) struct Tail {
    lines: broadcast::Sender<Arc<Line>>,
    /// Each who watches has a clone, so that it takes no lock to see that nobody does.
    watchers: Arc<()>,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Line {
    namespace: String,
    /// The rooms that it is about.
    rooms: Vec<Room>,
    shown: Value,
    /// Arguments, shortened.
    args: Option<String>,
}

/// What somebody wants to hear of.
#[derive(Clone)]
pub(crate) struct Wanted {
    /// What was granted at the start, and by whom.
    pub(crate) grant: Grant,
    pub(crate) keyring: Keyring,
    /// One namespace only.
    pub(crate) namespace: Option<String>,
    pub(crate) room: Option<String>,
    pub(crate) args: bool,
}

/// So many watch already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Line {
    /// What happened where, with more to be said of it.
    pub(crate) fn new(kind: &'static str, namespace: &str, more: Value) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut shown = json!({ "kind": kind, "time": now.as_millis() as u64, "namespace": namespace });
        if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
            shown.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Self { namespace: namespace.to_owned(), rooms: Vec::new(), shown, args: None }
    }

    /// It is about these rooms, or somebody in them.
    pub(crate) fn in_rooms(self, rooms: impl IntoIterator<Item = Room>) -> Self {
        Self { rooms: rooms.into_iter().collect(), ..self }
    }

    /// With these arguments, for those who want to see them.
    pub(crate) fn with(mut self, args: &Args) -> Self {
        let json = args.to_json();
        self.shown["bytes"] = (json.len() + args.attachments().iter().map(Bytes::len).sum::<usize>()).into();
        self.args = Some(json.chars().take(MAX_ARGS).collect());
        self
    }

    /// As an event of `text/event-stream`, if it is wanted.
    fn event(&self, wanted: &Wanted, grant: &Grant) -> Option<Bytes> {
        let is_meant = wanted.namespace.as_ref().is_none_or(|namespace| *namespace == self.namespace)
            && wanted.room.as_ref().is_none_or(|room| self.rooms.iter().any(|other| other.as_str() == room));
        if !is_meant || !grant.is_for(&self.namespace) {
            return None;
        }
        let mut shown = self.shown.clone();
        if let Some(args) = self.args.as_ref().filter(|_| wanted.args) {
            shown["args"] = args.as_str().into();
        }
        Some(format!("data: {shown}\n\n").into())
    }
}

impl Default for Tail {
    fn default() -> Self {
        Self { lines: broadcast::Sender::new(WAITING), watchers: Arc::default() }
    }
}

impl Tail {
    /// Tells something, if anybody watches.
    pub(crate) fn tell(&self, line: impl FnOnce() -> Line) {
        if self.watchers() > 0 {
            // The last one may have gone just now.
            let _nobody = self.lines.send(Arc::new(line()));
        }
    }

    fn watchers(&self) -> usize {
        Arc::strong_count(&self.watchers) - 1
    }

    /// The body of an answer that goes on until its client or its key goes, or the server is `closing`.
    ///
    /// # Errors
    /// [`TooMany`].
    pub(crate) fn watch(
        &self,
        wanted: Wanted,
        closing: watch::Receiver<bool>,
    ) -> Result<UnsyncBoxBody<Bytes, Infallible>, TooMany> {
        if self.watchers() >= MAX_WATCHERS {
            return Err(TooMany);
        }
        // The first bytes come at once, so that whoever asks knows that it watches.
        let first = Some(Bytes::from_static(b": watching\n\n"));
        let start = (self.lines.subscribe(), closing, self.watchers.clone(), first);
        let lines = stream::unfold(start, move |(mut lines, mut closing, watcher, first)| {
            let wanted = wanted.clone();
            async move {
                let bytes = match first {
                    Some(first) => first,
                    None => next(&mut lines, &mut closing, &wanted).await?,
                };
                Some((Ok(Frame::data(bytes)), (lines, closing, watcher, None)))
            }
        });
        Ok(StreamBody::new(lines).boxed_unsync())
    }
}

/// The next bytes for somebody who watches; `None` at the end.
async fn next(
    lines: &mut broadcast::Receiver<Arc<Line>>,
    closing: &mut watch::Receiver<bool>,
    wanted: &Wanted,
) -> Option<Bytes> {
    // Also while there are lines, but none that is wanted.
    let until = Instant::now() + KEEP_ALIVE;
    loop {
        let line = tokio::select! {
            line = tokio::time::timeout_at(until, lines.recv()) => line,
            _ = closing.wait_for(|closing| *closing) => return None,
        };
        let grant = wanted.keyring.renew(&wanted.grant).filter(|grant| grant.allows(Scope::Read))?;
        match line {
            Ok(Ok(line)) => {
                if let Some(event) = line.event(wanted, &grant) {
                    return Some(event);
                }
            }
            Ok(Err(broadcast::error::RecvError::Lagged(missed))) => {
                let line = Line::new("missed", "", json!({ "lines": missed }));
                return Some(format!("data: {}\n\n", line.shown).into());
            }
            Ok(Err(broadcast::error::RecvError::Closed)) => return None,
            Err(_) => return Some(Bytes::from_static(b": alive\n\n")),
        }
    }
}
