//! What it is: what servers of a cluster may have each other do: handlers for events of other servers.
//! What it is not: events of clients; those are a namespace's.
//! Who calls it: applications give them to `SocketIo::join_cluster`; `inbox` calls them.

use std::{collections::HashMap, error::Error, fmt, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    args::Args,
    cluster::{ClusterTimes, ServerId},
    handler::Reply,
    list,
    servers::{Handler, List},
    trace,
};

/// How a server takes part in a cluster.
#[derive(Clone, Default)]
#[must_use = "it is for `SocketIo::join_cluster`"]
pub struct ClusterOptions {
    pub(crate) times: ClusterTimes,
    pub(crate) handlers: HashMap<String, Handler>,
}

impl ClusterOptions {
    /// With these times.
    pub fn times(self, times: ClusterTimes) -> Self {
        Self { times, ..self }
    }

    /// Handles an event that another server emits with
    /// [`server_side_emit`](crate::SocketIo::server_side_emit), which is told what this [replies](ServerReply) if it
    /// asks. A second handler of one event replaces the first.
    ///
    /// ```
    /// use socketio::{Args, ClusterOptions, Reply, ServerId};
    ///
    /// let options = ClusterOptions::default().on("jobs", async |_from: ServerId, _args: Args| Reply(3));
    /// ```
    ///
    /// A handler that holds the [`SocketIo`](crate::SocketIo) keeps it alive until that is
    /// [closed](crate::SocketIo::close).
    pub fn on<F, Fut>(mut self, event: &str, handler: F) -> Self
    where
        F: Fn(ServerId, Args) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: ServerReply,
    {
        let name: Arc<str> = event.into();
        let erased: Handler = Arc::new(move |from, args| {
            let (running, name) = (handler(from, args), name.clone());
            Box::pin(async move {
                let reply = running.await.list();
                reply.inspect_err(|error| trace::call_failed(&name, &**error)).ok()
            })
        });
        self.handlers.insert(event.to_owned(), erased);
        self
    }
}

/// What a handler of events of other servers may return: `()`, which replies without arguments, [`Reply`], or a
/// `Result` of either with any error, which the asking server knows as [`ReplyError::Failed`](crate::ReplyError).
#[diagnostic::on_unimplemented(
    message = "a handler of events of other servers cannot return `{Self}`",
    note = "it returns `()`, `Reply<T>` or `Result<_, E>` of either, with any error that `?` takes"
)]
pub trait ServerReply {
    /// The list of the reply, as JSON with binary beside it.
    ///
    /// # Errors
    /// That of the handler, or of writing the list.
    fn list(self) -> Result<(String, Vec<Bytes>), Box<dyn Error + Send + Sync>>;
}

impl ServerReply for () {
    fn list(self) -> Result<List, Box<dyn Error + Send + Sync>> {
        Reply(()).list()
    }
}

impl<T: Serialize> ServerReply for Reply<T> {
    fn list(self) -> Result<List, Box<dyn Error + Send + Sync>> {
        Ok(list::write(None, &self.0, Bytes::copy_from_slice)?)
    }
}

impl<T: ServerReply, E: Into<Box<dyn Error + Send + Sync>>> ServerReply for Result<T, E> {
    fn list(self) -> Result<List, Box<dyn Error + Send + Sync>> {
        self.map_err(Into::into)?.list()
    }
}

impl fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.handlers.keys();
        f.debug_struct("ClusterOptions").field("times", &self.times).field("events", &events).finish()
    }
}
