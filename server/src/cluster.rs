//! What it is: ops carried out by all servers of a cluster: each does its part, for clients of its own.
//! What it is not: the parts (`perform`), the messages of servers (the crate below), nor their carrier (`redis`).
//! Who calls it: `api` and whatever else brings ops; `serve` has this server take part.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketio::{Args, ClusterOptions, Limits, Partial, Reply, ServerId};

use crate::{
    emitted::Source,
    member::MemberError,
    op::{Action, Emit, Op},
    perform::{Done, PerformError},
    sockets::{Audience, Reach, Sockets},
};

/// The event by which servers tell each other of an op.
const OP: &str = "op";

/// What came of an op on another server, as that tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Told {
    /// For so many sockets something was done.
    Done(usize),
    UnknownSocket,
    RoomName,
    Member(MemberError),
    /// It was none, or is none there.
    Nothing,
}

/// Which other servers have to be told of an op.
enum Others {
    None,
    /// Those that have the sockets.
    These(Vec<ServerId>),
    All,
}

/// What came of an op on all servers.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) done: Done,
    /// Servers that did not say what came of it there.
    pub(crate) unheard: Vec<ServerId>,
}

/// Has this server carry out what others were told; gives how it takes part in its cluster.
pub(crate) fn options(sockets: &Arc<Sockets>) -> ClusterOptions {
    let sockets = sockets.clone();
    ClusterOptions::default().on(OP, move |_from: ServerId, args: Args| {
        let sockets = sockets.clone();
        async move { Reply(sockets.perform_for_another(&args)) }
    })
}

impl Sockets {
    /// Carries out one op, for clients of all servers unless each of these hears of it by itself. It waits for nothing,
    /// so what is said of it is said of this server; what is for a socket that may be on another one counts as done.
    ///
    /// # Errors
    /// [`PerformError`]; nothing was done then.
    pub(crate) fn perform(&self, op: &Op, source: Source) -> Result<Done, PerformError> {
        let (done, others) = self.part(op, source);
        match &others {
            Others::None => {}
            Others::These(servers) => {
                let servers = self.io().to_servers(servers.iter().cloned());
                servers.emit(OP, &written(op)).map_err(PerformError::Emit)?;
            }
            Others::All => self.io().server_side_emit(OP, &written(op)).map_err(PerformError::Emit)?,
        }
        if let (Action::Emit(emit), Ok(_)) = (&op.action, &done)
            && source.is_heard_once()
        {
            self.publish(&op.namespace, emit);
        }
        match (done, others) {
            (Err(PerformError::UnknownSocket), Others::These(_) | Others::All) => Ok(Done::Changed(0)),
            (done, _) => done,
        }
    }

    /// The same, and waits for what other servers say of it, but for emits: of those nobody says anything.
    ///
    /// # Errors
    /// [`PerformError`]; nothing was done then, but of `Unheard` it is not known, and of what is wrong with a room or a
    /// user, servers that have said nothing may have done it.
    pub(crate) async fn perform_and_hear(&self, op: &Op, source: Source) -> Result<Heard, PerformError> {
        let alone = |done| Heard { done, unheard: Vec::new() };
        if matches!(op.action, Action::Emit(_)) {
            return self.perform(op, source).map(alone);
        }
        let (done, others) = self.part(op, source);
        let asked = match &others {
            Others::None => return done.map(alone),
            Others::These(servers) => {
                self.io().to_servers(servers.iter().cloned()).emit_with_ack::<Told>(OP, &written(op))
            }
            Others::All => self.io().server_side_emit_with_ack::<Told>(OP, &written(op)),
        };
        let Partial { heard, missing } = asked.map_err(PerformError::Emit)?.await.into();
        let mut unheard: Vec<_> = missing.into_iter().map(|(server, _)| server).collect();
        let is_known = done.is_ok();
        let mut changed = if let Ok(Done::Changed(changed)) = done { changed } else { 0 };
        let mut is_found = false;
        for (from, told) in heard {
            match told {
                Told::Done(more) => (changed, is_found) = (changed + more, true),
                Told::UnknownSocket => {}
                // It is so on every server, or the socket is on that one alone.
                Told::RoomName => return Err(PerformError::RoomName),
                Told::Member(error) => return Err(PerformError::Member(error)),
                Told::Nothing => unheard.push(from),
            }
        }
        match is_known || is_found {
            true => Ok(Heard { done: Done::Changed(changed), unheard }),
            false if unheard.is_empty() && self.hear_others() => Err(PerformError::UnknownSocket),
            false => Err(PerformError::Unheard),
        }
    }

    /// Does what is to be done here, and says which others have to be told.
    fn part(&self, op: &Op, source: Source) -> (Result<Done, PerformError>, Others) {
        let is_for_all = self.have_cluster() && source.is_heard_once();
        let others = if is_for_all { self.others_of(op) } else { Others::None };
        // Of what is named by ids each server that has them is told: there one may be about to be let in.
        let is_by_id = !matches!(others, Others::None);
        let is_emit = matches!(op.action, Action::Emit(_));
        let reach = if is_for_all && is_emit && !is_by_id { Reach::Everywhere } else { Reach::Here };
        let done = self.perform_here(op, source, reach);
        let is_possible = matches!(done, Ok(_) | Err(PerformError::UnknownSocket));
        (done, if is_possible { others } else { Others::None })
    }

    /// Which others have to be told of an op, as what is meant by it may be there; of an emit, who has to be told of it
    /// as an op.
    fn others_of(&self, op: &Op) -> Others {
        let namespace = &*op.namespace;
        match &op.action {
            Action::Emit(emit) => {
                let Audience { rooms, users, sids } = &emit.to;
                let is_id = |room: &&String| self.io().is_elsewhere(room);
                let ids = sids.iter().chain(rooms.iter().filter(is_id));
                let has_more = !users.is_empty() || rooms.iter().any(|room| !is_id(&room));
                self.with_sockets(namespace, ids, has_more)
            }
            Action::Join { target, .. } | Action::Leave { target, .. } | Action::Disconnect { target, .. } => {
                let Audience { rooms, users, sids } = target;
                match rooms.is_empty() && users.is_empty() {
                    true => self.with_sockets(namespace, sids.iter(), false),
                    false => Others::All,
                }
            }
            Action::CloseRoom { .. } => Others::All,
            Action::Session { sid, .. } | Action::User { sid, .. } => {
                self.with_sockets(namespace, std::iter::once(sid), false)
            }
        }
    }

    /// Those that have these sockets, of which some may be here; all, if there are more or ids do not say where.
    fn with_sockets<'a>(&self, namespace: &str, ids: impl Iterator<Item = &'a String>, has_more: bool) -> Others {
        let mut servers = Vec::new();
        let mut is_known = true;
        for id in ids.filter(|id| self.one(namespace, id).is_err()) {
            match self.io().server_of(id) {
                // It was here.
                Some(server) if server == *self.io().server_id() => {}
                Some(server) if !servers.contains(&server) => servers.push(server),
                Some(_) => {}
                None => is_known = false,
            }
        }
        match (servers.is_empty() && is_known, is_known && !has_more) {
            (true, _) => Others::None,
            (false, true) => Others::These(servers),
            (false, false) => Others::All,
        }
    }

    /// Does its part of what another server was told.
    fn perform_for_another(&self, args: &Args) -> Told {
        let Ok(mut op) = args.get::<Op>(0) else { return Told::Nothing };
        if let Action::Emit(emit) = &mut op.action {
            emit.args = args.clone().skip(1);
        }
        match self.perform(&op, Source::Cluster) {
            Ok(Done::Sent(sockets) | Done::Changed(sockets)) => Told::Done(sockets),
            Err(PerformError::UnknownSocket) => Told::UnknownSocket,
            Err(PerformError::RoomName) => Told::RoomName,
            Err(PerformError::Member(error)) => Told::Member(error),
            Err(_) => Told::Nothing,
        }
    }
}

/// An op as others are told of it: what it says, and behind it the arguments of an emit.
fn written(op: &Op) -> Args {
    let text = serde_json::to_string(op).expect("texts, numbers and JSON");
    let Action::Emit(Emit { args, .. }) = &op.action else { return list(&format!("[{text}]"), &[]) };
    let args_text = args.to_json();
    let items = &args_text[1..args_text.len() - 1];
    let comma = if items.is_empty() { "" } else { "," };
    list(&format!("[{text}{comma}{items}]"), args.attachments())
}

fn list(text: &str, attachments: &[Bytes]) -> Args {
    let max = usize::MAX;
    let limits = Limits { max_args: max, max_depth: max, max_number: max, ..Limits::default() };
    Args::from_parts(text, attachments.to_vec(), &limits).expect("JSON, and what was read before")
}
