//! What it is: a choice of recipients in a namespace, and an event emitted to them.
//! What it is not: stored anywhere; each step gives a new choice, which can be used many times.
//! Who calls it: applications, by `SocketIo::of` or from a socket.

use std::{collections::BTreeMap, iter, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    answer::{Answers, Due},
    args::FromArgs,
    cluster_message::{Body, Recipients},
    encoded::EncodedEvent,
    error::{AckError, DisconnectReason, EmitError},
    flags::{Flags, Reach},
    histories::HistoryEntry,
    hub::Hub,
    id::SocketId,
    peer::{Peer, Stay},
    presence::PresentUser,
    request::Request,
    rooms::Room,
    servers::Servers,
    target::{Event, Target},
};

/// The sockets of a namespace that are meant: all, or those in some rooms, less those excepted; and how they are
/// emitted to. Each step gives a new choice, so that one can be kept, cloned and used many times.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Broadcast {
    pub(crate) hub: Arc<Hub>,
    pub(crate) target: Target,
    pub(crate) flags: Flags,
    /// What keeps a namespace that nobody here may be in from going away.
    pub(crate) _stay: Option<Arc<Stay>>,
}

impl Broadcast {
    /// Everybody.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self::staying(hub, None)
    }

    /// Everybody in a namespace that does not go away before this does.
    pub(crate) fn staying(hub: Arc<Hub>, stay: Option<Stay>) -> Self {
        Self { hub, target: Target::default(), flags: Flags::default(), _stay: stay.map(Arc::new) }
    }

    /// Those who are meant, with these flags.
    pub(crate) fn of(hub: &Arc<Hub>, target: Target, flags: Flags) -> Self {
        Self { target, flags, ..Self::new(hub.clone()) }
    }

    /// Adds the members of a room, or the socket with this id. Nobody is meant twice. (`to` and `in`.)
    pub fn to(mut self, room: impl Into<Room>) -> Self {
        self.target.rooms.push(room.into());
        self
    }

    /// Leaves out the members of a room, or the socket with this id.
    pub fn except(mut self, room: impl Into<Room>) -> Self {
        self.target.except.push(room.into());
        self
    }

    /// Only sockets of this server, not those of others of its [cluster](crate::SocketIo::join_cluster) (`local`).
    pub fn local(self) -> Self {
        Self { flags: Flags { reach: Reach::Here, ..self.flags }, ..self }
    }

    /// Only sockets of other servers of the cluster: for who deals with those of this server one by one.
    pub fn elsewhere(self) -> Self {
        Self { flags: Flags { reach: Reach::Elsewhere, ..self.flags }, ..self }
    }

    /// Drops the event for each client that cannot take it at once, see
    /// [`SocketOperator::volatile`](crate::SocketOperator::volatile).
    pub fn volatile(self) -> Self {
        Self { flags: Flags { volatile: true, ..self.flags }, ..self }
    }

    /// Leaves the event out of what rooms [keep](crate::Namespace::room_history).
    pub fn unkept(self) -> Self {
        Self { flags: Flags { unkept: true, ..self.flags }, ..self }
    }

    /// Whether the event may be compressed where the engine's options would. Default `true`.
    pub fn compress(self, compress: bool) -> Self {
        Self { flags: Flags { uncompressed: !compress, ..self.flags }, ..self }
    }

    /// Gives up on the answers that have not come after this time. Default: each is waited for until its socket
    /// leaves. Of no matter to events that want no answer.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { flags: Flags { timeout: Some(timeout), ..self.flags }, ..self }
    }

    /// Emits an event to all who are meant, and returns to how many of this server: of a volatile one, without those
    /// who were not ready; 0 of one that is held back ([`room_throttle`](crate::Namespace::room_throttle)). It is
    /// encoded once; arguments are those of [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<usize, EmitError> {
        Ok(self.deliver(self.hub.event(event, args, None)?))
    }

    /// Emits an event here, and has other servers do the same.
    pub(crate) fn deliver(&self, event: Event) -> usize {
        let event = self.flags.apply(event);
        let is_for_here = self.flags.reach != Reach::Elsewhere;
        let sent = if is_for_here { self.hub.deliver(&self.target, &event, self.flags.volatile) } else { 0 };
        if let Some(servers) = self.others()
            && let Some((list, attachments)) = event.encoded.list()
        {
            let parts = iter::once(list.as_bytes()).chain(attachments);
            servers.tell(&Body::Emit(self.recipients(), self.flags.manner()), parts);
        }
        sent
    }

    /// The sockets of this server that are meant.
    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        if self.flags.reach == Reach::Elsewhere { Vec::new() } else { self.hub.peers(&self.target) }
    }

    /// The other servers of the cluster, if there is one and they are meant, too.
    pub(crate) fn others(&self) -> Option<&Arc<Servers>> {
        Some(&self.hub.servers).filter(|servers| self.flags.reach != Reach::Here && servers.have_cluster())
    }

    pub(crate) fn recipients(&self) -> Recipients {
        let Target { rooms, except } = self.target.clone();
        Recipients { namespace: self.hub.path.clone(), rooms, except }
    }

    /// Emits the event `message`.
    ///
    /// # Errors
    /// As [`emit`](Self::emit).
    pub fn send<T: Serialize + ?Sized>(&self, args: &T) -> Result<usize, EmitError> {
        self.emit("message", args)
    }

    /// Encodes an event for this namespace, whoever is meant, to be emitted many times.
    ///
    /// # Errors
    /// [`EmitError`].
    pub fn encode<T: Serialize + ?Sized>(&self, event: &str, args: &T) -> Result<EncodedEvent, EmitError> {
        EncodedEvent::new(&self.hub, event, args)
    }

    /// Emits an event that was encoded before to all who are meant, and returns to how many.
    ///
    /// # Errors
    /// [`EmitError::OtherNamespace`].
    pub fn emit_encoded(&self, event: &EncodedEvent) -> Result<usize, EmitError> {
        Ok(self.deliver(event.within(&self.hub)?))
    }

    /// Emits an event to all who are meant and asks each for an answer, read as `R` by the rules of
    /// [`Args::read`](crate::Args::read). It is encoded once for the clients of this server. Who was not ready for a
    /// volatile one is not asked. In a cluster give it a [`timeout`](Self::timeout): a question to another server may
    /// be lost on its way, and without one is then waited for until that server goes.
    ///
    /// ```no_run
    /// # async fn ask(io: socketio::SocketIo) -> Result<(), socketio::EmitError> {
    /// use std::time::Duration;
    /// let players = io.to("game").timeout(Duration::from_secs(5));
    /// match players.emit_with_ack::<bool>("ready", &())?.await {
    ///     Ok(answers) => println!("all {} answered", answers.len()),
    ///     Err(incomplete) => {
    ///         for (id, why) in incomplete.missing {
    ///             println!("{id}: {why}");
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EmitError`]; nobody gets anything then.
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<Answers<R>, EmitError> {
        // For other servers, each of which gives it an id of its own.
        let without_id = self.others().map(|_| self.hub.event(event, args, None)).transpose()?;
        let id = self.hub.next_ack();
        let asked = self.hub.event(event, args, Some(id))?;
        let elsewhere = without_id.and_then(|event| self.ask_others(&event));
        Ok(self.ask(id, asked, elsewhere))
    }

    /// Asks the clients of this server, beside what others were asked.
    pub(crate) fn ask<R>(&self, id: u64, event: Event, elsewhere: Option<Request>) -> Answers<R> {
        let event = self.flags.apply(event);
        let mut answers = Answers::new(self.flags.timeout, elsewhere);
        // Not asked under a lock of the hub's tables, which comes behind a peer's.
        for peer in self.peers() {
            match self.hub.ask(&peer, id, &event, self.flags.volatile) {
                Ok(Some(receiver)) => answers.expect(Due::new(peer, id, receiver)),
                Err(EmitError::TooManyAcks) => answers.miss(peer.id().clone(), AckError::TooManyAcks),
                // It was not ready, or has left meanwhile.
                Ok(None) | Err(_) => {}
            }
        }
        answers
    }

    /// Asks the clients of other servers.
    fn ask_others(&self, event: &Event) -> Option<Request> {
        let (servers, (list, attachments)) = self.others().zip(event.encoded.list())?;
        let timeout = self.flags.timeout;
        // These servers wait for their clients, and say then who has answered.
        let patience = timeout.map(|timeout| timeout.saturating_add(servers.request_timeout()));
        let millis = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let body = |number| Body::Ask(number, self.recipients(), self.flags.manner(), millis);
        Some(Request::new(servers, None, patience, body, iter::once(list.as_bytes()).chain(attachments)))
    }

    /// The ids of the sockets of this server that are meant at this moment, in no order (`allSockets`).
    pub fn ids(&self) -> Vec<SocketId> {
        self.peers().iter().map(|peer| peer.id().clone()).collect()
    }

    /// All rooms of the namespace, whoever is meant, with how many of this server are in each, in no order; without
    /// those of single sockets (`adapter.rooms`).
    pub fn rooms(&self) -> Vec<(Room, usize)> {
        self.hub.rooms()
    }

    /// What the rooms that are meant keep on this server, or, if none was named, the namespace: oldest first, each
    /// once. It is empty without a [`room_history`](crate::Namespace::room_history); `except` is of no matter.
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.hub.history(&self.target.rooms)
    }

    /// Forgets what [`history`](Self::history) gives, on this server.
    pub fn clear_history(&self) {
        self.hub.clear_history(&self.target.rooms);
    }

    /// Who is in the rooms that are meant, by the names of users, of rooms that have a
    /// [`presence`](crate::Namespace::presence); who left within its grace is still there, with a count of 0. Of a user
    /// in several of them, the last one named counts. `except` is of no matter.
    pub fn presence(&self) -> BTreeMap<String, PresentUser> {
        self.target.rooms.iter().flat_map(|room| self.hub.members(room.as_str())).collect()
    }

    /// Lets all who are meant join a room (`socketsJoin`). Returns how many of this server are in it by that; the
    /// others may not, for the reasons of [`JoinError`](crate::JoinError).
    pub fn sockets_join(&self, room: impl Into<Room>) -> usize {
        let room = [room.into()];
        self.tell(|recipients| Body::Join(recipients, room.to_vec()));
        let peers = self.peers();
        peers.iter().filter(|peer| self.hub.join(peer, &room, false, &[]).is_ok()).count()
    }

    /// Lets all who are meant leave a room (`socketsLeave`).
    pub fn sockets_leave(&self, room: impl AsRef<str>) {
        let room = room.as_ref();
        self.tell(|recipients| Body::Leave(recipients, vec![room.into()]));
        for peer in self.peers() {
            self.hub.leave(&peer, |joined| joined.as_str() == room);
        }
    }

    /// Makes all who are meant leave the namespace, as [`Socket::disconnect`](crate::Socket::disconnect) does, so that
    /// their clients do not come back by themselves (`disconnectSockets`). With `close` their connections end behind
    /// that, and with these the other namespaces of each, to which clients do come back.
    pub fn disconnect_sockets(&self, close: bool) {
        self.tell(|recipients| Body::Disconnect(recipients, close));
        for peer in self.peers() {
            self.hub.remove(&peer, DisconnectReason::ServerNamespaceDisconnect, true);
            if close {
                peer.engine.close();
            }
        }
    }

    /// Tells other servers what to do with those who are meant.
    fn tell(&self, body: impl FnOnce(Recipients) -> Body) {
        if let Some(servers) = self.others() {
            servers.tell(&body(self.recipients()), []);
        }
    }
}
