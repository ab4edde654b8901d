//! What it is: a server as one of a cluster: how it joins, and what is done with the messages of the others.
//! What it is not: what is told to the others; handles do that, by `servers`.
//! Who calls it: applications, with what their carrier brings.

use std::{
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::{
    answer,
    args::Args,
    broadcast::Broadcast,
    calls::ClusterOptions,
    changes::Change,
    cluster::{Carrier, ServerId},
    cluster_message::{self, Answer, Attending, Body, ClusterError, Manner, Message, Recipients},
    decoder::Incoming,
    flags::Flags,
    handler::{self, Ended},
    namespaces::Namespaces,
    requests::Heard,
    server::SocketIo,
    servers::{Noted, Servers},
    target::Target,
    tasks::Tasks,
    timer::now,
};

impl SocketIo {
    /// Makes this server one of a cluster: from now on what it emits reaches the clients of all its servers, and so on
    /// with joining and leaving rooms and disconnecting by a [`Broadcast`], unless that is
    /// [`local`](Broadcast::local). All servers should have the same namespaces and options.
    ///
    /// The application brings the carrier of messages, and hands on to [`receive`](Self::receive) what comes by it:
    ///
    /// ```no_run
    /// # struct Bus;
    /// # impl Bus {
    /// #     fn publish(&self, _: bytes::Bytes) {}
    /// #     async fn next(&mut self) -> bytes::Bytes { bytes::Bytes::new() }
    /// # }
    /// # async fn join(io: socketio::SocketIo, sender: Bus, mut receiver: Bus) {
    /// io.join_cluster(move |message| sender.publish(message), socketio::ClusterOptions::default());
    /// loop {
    ///     if let Err(error) = io.receive(receiver.next().await) {
    ///         eprintln!("a message of the cluster is left: {error}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// Rooms with [presence](crate::Namespace::presence) tell who is in them on all servers. Each server has its own
    /// history of rooms, throttles and sessions of clients that may come back: a client is recovered by the server that
    /// it was on, and rooms keep what was emitted since that server is there.
    /// Requests of a client that polls all have to come to one server, as ever. Servers learn of each other when they
    /// join; what is asked of all is asked of those that are known then. Join before clients come: of these a server
    /// knows by their ids to which one they belong, so that nobody can join a room of that name.
    ///
    /// # Panics
    /// Outside of a tokio runtime, and when it is one of a cluster already.
    pub fn join_cluster(&self, carrier: impl Carrier, options: ClusterOptions) {
        let runtime = Handle::current();
        // Whoever brings messages may be a thread without a runtime.
        self.tasks().run_here();
        let ClusterOptions { times, handlers } = options;
        let is_first = self.servers().join(Box::new(carrier), times, handlers);
        assert!(is_first, "the server is one of a cluster already");
        runtime.spawn(beat(Arc::downgrade(&self.0.namespaces), times.checked().heartbeat_interval));
        self.greet_cluster();
    }

    /// Says to all servers of the cluster that this one is there, and has them say so: for a carrier that could not do
    /// that when the server joined, or that was away. Else it takes them a
    /// [`heartbeat_interval`](crate::ClusterTimes::heartbeat_interval).
    pub fn greet_cluster(&self) {
        self.servers().tell(&Body::Hello, []);
        if !self.0.namespaces.with_presence().is_empty() {
            self.show(None);
        }
    }

    /// Tells another server, or all, that this one is there, and who is in rooms that tell it.
    fn show(&self, to: Option<&ServerId>) {
        let servers = self.servers();
        // In this order: who comes to a namespace that is not yet there is not counted here, so others ask again.
        let times = servers.attended();
        let hubs = self.0.namespaces.with_presence();
        let body = Body::Showing(times, hubs.iter().map(|hub| hub.path.clone()).collect());
        match to {
            Some(to) => servers.send(to, &body, []),
            None => servers.tell(&body, []),
        }
        hubs.iter().for_each(|hub| hub.note(Change::Show(to.cloned())));
    }

    /// Leaves the cluster for good: the others wait for this server no longer, and nothing is told to them or heard of
    /// them. [`close`](Self::close) does it in the end.
    pub fn leave_cluster(&self) {
        let gone = self.servers().leave();
        gone.iter().for_each(|server| self.0.namespaces.lose(server));
    }

    /// The name of this server in its cluster, and elsewhere.
    pub fn server_id(&self) -> &ServerId {
        &self.servers().id
    }

    /// The other servers of the cluster that are known to be there, in order.
    pub fn other_servers(&self) -> Vec<ServerId> {
        self.servers().there()
    }

    /// Whether this is the id of a socket of another server of the cluster, that is there, was or will be: nobody
    /// [joins](crate::Socket::join) a room of that name. Ids tell by their first letters, but for those of clients of
    /// revision 3.
    pub fn is_elsewhere(&self, id: &str) -> bool {
        self.servers().have_socket(id)
    }

    /// The server of the cluster that has the socket of this id, if it has one, which may be this one; `None` if that
    /// server is not there, or the id does not tell.
    pub fn server_of(&self, id: &str) -> Option<ServerId> {
        self.servers().server_of(id)
    }

    /// Does what a message wants that came from another server of the cluster. It waits for nothing. Messages of this
    /// server that come back do nothing, nor do any before it joins and once it is [closed](Self::close).
    ///
    /// # Errors
    /// [`ClusterError`]; nothing was done then.
    pub fn receive(&self, message: Bytes) -> Result<(), ClusterError> {
        let servers = self.servers();
        if servers.joined().is_none() {
            return Ok(());
        }
        let Message { from, to, body, parts } = cluster_message::read(message)?;
        if from == servers.id || to.is_some_and(|to| to != servers.id) {
            return Ok(());
        }
        let noted = servers.note(&from, now()).ok_or(ClusterError::TooManyServers)?;
        let _runtime = self.tasks().enter();
        // One that was not heard before has told others who is in its rooms; as one that says that it has told more.
        let has_missed = match &body {
            // Who was on one that has left has gone.
            Body::Here(_) | Body::Showing(..) | Body::Attending(..) if noted == Noted::Left => return Ok(()),
            Body::Here(times) => !servers.accounts.is_complete(&from, *times),
            Body::Hello | Body::Bye | Body::Showing(..) | Body::Attending(_, Attending::All(_)) => false,
            _ => noted == Noted::New,
        };
        self.carry_out(&from, body, parts)?;
        if has_missed {
            servers.send(&from, &Body::Hello, []);
        }
        Ok(())
    }

    fn carry_out(&self, from: &ServerId, body: Body, parts: Vec<Bytes>) -> Result<(), ClusterError> {
        let servers = self.servers();
        match body {
            Body::Hello => self.show(Some(from)),
            Body::Here(_) => {}
            Body::Showing(times, namespaces) => {
                let mut others = self.0.namespaces.with_presence();
                others.retain(|hub| !namespaces.contains(&hub.path));
                servers.accounts.begin(from, times, namespaces);
                // In what it has no more there is nobody.
                others.iter().for_each(|hub| hub.note(Change::Gone(from.clone())));
            }
            Body::Bye => {
                servers.lose(from);
                self.0.namespaces.lose(from);
            }
            Body::Who(namespace) => match self.0.namespaces.get(&namespace) {
                Some(served) => served.hub().note(Change::Show(Some(from.clone()))),
                None => servers.show(Some(from), &namespace, Vec::new()),
            },
            Body::Attending(namespace, attending) => {
                servers.accounts.note(from, &namespace, &attending);
                if let Some(served) = self.0.namespaces.get(&namespace) {
                    served.hub().runtime.get_or_init(Handle::current);
                    served.hub().note(Change::Elsewhere(from.clone(), attending));
                }
            }
            Body::Emit(recipients, manner) => self.emit_here(recipients, manner, parts)?,
            Body::Ask(request, recipients, manner, millis) => {
                let flags = Flags::of_another(manner, millis.map(Duration::from_millis));
                self.ask_here(from, request, (recipients, flags), parts)?;
            }
            Body::Join(recipients, rooms) => {
                let Some(meant) = self.here(recipients, Flags::LOCAL) else { return Ok(()) };
                for room in rooms {
                    meant.sockets_join(room);
                }
            }
            Body::Leave(recipients, rooms) => {
                let Some(meant) = self.here(recipients, Flags::LOCAL) else { return Ok(()) };
                rooms.iter().for_each(|room| meant.sockets_leave(room));
            }
            Body::Disconnect(recipients, close) => {
                if let Some(meant) = self.here(recipients, Flags::LOCAL) {
                    meant.disconnect_sockets(close);
                }
            }
            Body::Fetch(request, recipients) => {
                let meant = self.here(recipients, Flags::LOCAL);
                let sockets = meant.map(|meant| meant.described()).unwrap_or_default();
                let parts = cluster_message::parted(sockets, servers.usual_size()).into_iter();
                let parts = parts.map(|sockets| (Answer::Sockets(sockets), Vec::new())).collect();
                servers.answer(from, request, parts);
            }
            Body::Call(request) => self.call_here(from.clone(), request, parts)?,
            Body::Forget(request) => servers.errands.give_up(from, request),
            Body::Answer(request, answer) => {
                servers.requests.answer(request, Heard { from: from.clone(), answer, parts });
            }
            Body::Part(request, answer) => {
                servers.requests.answer_in_part(request, Heard { from: from.clone(), answer, parts });
            }
            Body::Parts(request, count) => servers.requests.end_parts(request, from, count),
        }
        Ok(())
    }

    /// Who is meant here, if there is such a namespace.
    fn here(&self, Recipients { namespace, rooms, except }: Recipients, flags: Flags) -> Option<Broadcast> {
        let served = self.0.namespaces.get(&namespace)?;
        Some(Broadcast::of(served.hub(), Target { rooms, except }, flags))
    }

    fn emit_here(&self, recipients: Recipients, manner: Manner, parts: Vec<Bytes>) -> Result<(), ClusterError> {
        let meant = self.here(recipients, Flags::of_another(manner, None));
        // Most of what comes to a large cluster is for clients of others.
        if let Some(meant) = meant.filter(|meant| meant.hub.may_mean(&meant.target)) {
            let event = meant.hub.relayed(&cluster_message::event(parts)?, None);
            // The parser of this server may have no way to write it.
            meant.deliver(event.map_err(|_| ClusterError::Malformed)?);
        }
        Ok(())
    }

    /// Asks clients for another server, and tells it once what came of it.
    fn ask_here(
        &self,
        from: &ServerId,
        request: u64,
        (recipients, flags): (Recipients, Flags),
        parts: Vec<Bytes>,
    ) -> Result<(), ClusterError> {
        let (servers, to) = (self.servers().clone(), from.clone());
        let tell = move |answers: Vec<(Answer, Vec<Bytes>)>| {
            servers.errands.end(&to, request);
            servers.answer(&to, request, answers);
        };
        if !self.servers().errands.have_room() {
            tell(vec![(Answer::Failed, Vec::new())]);
            return Ok(());
        }
        let meant = self.here(recipients, flags).filter(|meant| meant.hub.may_mean(&meant.target));
        let Some(meant) = meant else {
            tell(answer::told(Ok(Vec::new()), 0));
            return Ok(());
        };
        let id = meant.hub.next_ack();
        let event = meant.hub.relayed(&cluster_message::event(parts)?, Some(id));
        let answers = meant.ask::<Args>(id, event.map_err(|_| ClusterError::Malformed)?, None);
        // Whoever closes waits for it.
        let (task, size) = (self.0.connections.begin(), self.servers().usual_size());
        self.servers().errands.begin(from, request, || {
            let asking = tokio::spawn(async move {
                tell(answer::told(answers.await, size));
                drop(task);
            });
            asking.abort_handle()
        });
        Ok(())
    }

    /// Does what another server wants, and tells it what came of it, if it asks.
    fn call_here(&self, from: ServerId, request: Option<u64>, mut parts: Vec<Bytes>) -> Result<(), ClusterError> {
        let attachments = parts.split_off(parts.len().min(1));
        let Incoming { name, args, .. } = cluster_message::call(parts.pop(), attachments)?;
        let (servers, to) = (self.servers().clone(), from.clone());
        let answer = move |answer: Answer, parts: Vec<Bytes>| {
            if let Some(request) = request {
                servers.answer(&to, request, vec![(answer, parts)]);
            }
        };
        let joined = self.servers().joined();
        let Some(handler) = joined.as_ref().and_then(|joined| joined.handlers.get(&*name)) else {
            answer(Answer::NoHandler, Vec::new());
            return Ok(());
        };
        handler::start(self.tasks(), || Ok(handler(from, args))).then(move |ended| match ended {
            Ended::Returned(Some((list, attachments))) => {
                answer(Answer::Reply, iter::once(list.into()).chain(attachments).collect());
            }
            Ended::Returned(None) | Ended::Rejected(_) | Ended::Panicked(_) => answer(Answer::Failed, Vec::new()),
        });
        Ok(())
    }

    fn tasks(&self) -> &Tasks {
        &self.0.namespaces.settings.tasks
    }

    pub(crate) fn servers(&self) -> &Arc<Servers> {
        &self.0.namespaces.settings.terms.servers
    }
}

/// Says again and again that the server is there, for as long as it is one of a cluster.
async fn beat(namespaces: Weak<Namespaces>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(namespaces) = namespaces.upgrade() else { return };
        let servers = &namespaces.settings.terms.servers;
        if servers.joined().is_none() {
            return;
        }
        // A carrier that fails once may do better the next time.
        let silent = catch_unwind(AssertUnwindSafe(|| servers.beat(now()))).unwrap_or_default();
        silent.iter().for_each(|server| namespaces.lose(server));
    }
}
