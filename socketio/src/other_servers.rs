//! What it is: a choice of other servers of a cluster, and an event emitted to them, for handlers of theirs.
//! What it is not: for clients; that is `broadcast`.
//! Who calls it: applications, by `SocketIo::server_side_emit` and `SocketIo::to_servers`.

use std::{iter, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use crate::{
    args::FromArgs, cluster::ServerId, cluster_message::Body, error::EmitError, list, replies::Replies,
    request::Request, server::SocketIo, servers::Servers,
};

/// Other servers of a cluster: see [`SocketIo::to_servers`].
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct OtherServers {
    servers: Arc<Servers>,
    /// These, or all.
    to: Option<Vec<ServerId>>,
}

impl OtherServers {
    /// Emits an event to these servers, for the handlers that they have by
    /// [`ClusterOptions::on`](crate::ClusterOptions::on). Arguments are those of
    /// [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<(), EmitError> {
        let (list, attachments) = list::write(Some(event), args, Bytes::copy_from_slice)?;
        let parts = || iter::once(list.as_bytes()).chain(attachments.iter().map(|data| &**data));
        match &self.to {
            Some(to) => to.iter().for_each(|server| self.servers.send(server, &Body::Call(None), parts())),
            None => self.servers.tell(&Body::Call(None), parts()),
        }
        Ok(())
    }

    /// The same, and asks each for what its handler returns, read as `R` by the rules of
    /// [`Args::read`](crate::Args::read).
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then. Awaited, [`Partial`](crate::Partial), when a server went away, has no
    /// such handler or one that fails, answers something else, or nothing within
    /// [`request_timeout`](crate::ClusterTimes::request_timeout).
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Replies<R>, EmitError> {
        let (list, attachments) = list::write(Some(event), args, Bytes::copy_from_slice)?;
        let (timeout, body) = (self.servers.request_timeout(), |number| Body::Call(Some(number)));
        let parts = iter::once(list.as_bytes()).chain(attachments.iter().map(|data| &**data));
        Ok(Replies::new(Request::new(&self.servers, self.to.as_deref(), Some(timeout), body, parts)))
    }
}

impl SocketIo {
    /// Emits an event to all other servers of the cluster (`serverSideEmit`, here of no namespace); to none without a
    /// cluster. See [`OtherServers::emit`].
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn server_side_emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<(), EmitError> {
        self.to_other_servers().emit(event, args)
    }

    /// The same, and asks each for what its handler returns (`serverSideEmitWithAck`): see
    /// [`OtherServers::emit_with_ack`].
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn server_side_emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Replies<R>, EmitError> {
        self.to_other_servers().emit_with_ack(event, args)
    }

    /// Other servers of the cluster, to emit to: those of these names, such as the one that has a
    /// [socket](Self::server_of).
    pub fn to_servers(&self, servers: impl IntoIterator<Item = ServerId>) -> OtherServers {
        OtherServers { to: Some(servers.into_iter().collect()), ..self.to_other_servers() }
    }

    fn to_other_servers(&self) -> OtherServers {
        OtherServers { servers: self.servers().clone(), to: None }
    }
}
