//! What it is: ops carried out by all servers of a cluster: each does its part, for clients of its own.
//! What it is not: the parts (`perform`), the messages of servers (the crate below), nor their carrier (`redis`).
//! Who calls it: `api` and whatever else brings ops; `serve` has this server take part.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use socketio::{Args, ClusterOptions, Partial, Reply, ServerId};

use crate::{
    emitted::Source,
    member::MemberError,
    op::{Action, Op},
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
        let (done, is_for_others) = self.part(op, source);
        if let (Action::Emit(emit), Some(emitter)) = (&op.action, self.emitter())
            && source.is_heard_once()
            && done.is_ok()
        {
            emitter.publish(&op.namespace, emit);
        }
        if is_for_others {
            self.io().server_side_emit(OP, &(written(op),)).map_err(PerformError::Emit)?;
        }
        match done {
            Err(PerformError::UnknownSocket) if is_for_others => Ok(Done::Changed(0)),
            done => done,
        }
    }

    /// The same, and waits for what other servers say of it, but for emits: of those nobody says anything.
    ///
    /// # Errors
    /// [`PerformError`]; nothing was done then.
    pub(crate) async fn perform_and_hear(&self, op: &Op, source: Source) -> Result<Heard, PerformError> {
        let alone = |done| Heard { done, unheard: Vec::new() };
        if matches!(op.action, Action::Emit(_)) {
            return self.perform(op, source).map(alone);
        }
        let (done, is_for_others) = self.part(op, source);
        if !is_for_others {
            return done.map(alone);
        }
        let asked = self.io().server_side_emit_with_ack::<Told>(OP, &(written(op),)).map_err(PerformError::Emit)?;
        let (heard, mut unheard) = match asked.await {
            Ok(heard) => (heard, Vec::new()),
            Err(Partial { heard, missing }) => (heard, missing.into_iter().map(|(server, _)| server).collect()),
        };
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
            false if unheard.is_empty() => Err(PerformError::UnknownSocket),
            false => Err(PerformError::Unheard),
        }
    }

    /// Does what is to be done here, and says whether others have to be told.
    fn part(&self, op: &Op, source: Source) -> (Result<Done, PerformError>, bool) {
        let is_for_all = self.have_cluster() && source.is_heard_once();
        let is_for_others = is_for_all && self.may_be_elsewhere(op);
        // Below, the id of a socket is a room like others, in which somebody else may be.
        let is_emit = matches!(op.action, Action::Emit(_));
        let reach = if is_for_all && is_emit && !is_for_others { Reach::Everywhere } else { Reach::Here };
        let done = self.perform_here(op, source, reach);
        let is_possible = matches!(done, Ok(_) | Err(PerformError::UnknownSocket));
        (done, is_for_others && is_possible)
    }

    /// Whether others have to be told of an op, as what is meant by it may be there; of an emit, whether it has to be
    /// told of as an op.
    fn may_be_elsewhere(&self, op: &Op) -> bool {
        let is_unknown = |sid: &String| self.one(&op.namespace, sid).is_err();
        match &op.action {
            Action::Emit(emit) => emit.to.sids.iter().any(is_unknown),
            Action::Join { target, .. } | Action::Leave { target, .. } | Action::Disconnect { target, .. } => {
                let Audience { rooms, users, sids } = target;
                !rooms.is_empty() || !users.is_empty() || sids.iter().any(is_unknown)
            }
            Action::CloseRoom { .. } => true,
            Action::Session { sid, .. } | Action::User { sid, .. } => is_unknown(sid),
        }
    }

    /// Does its part of what another server was told.
    fn perform_for_another(&self, args: &Args) -> Told {
        let text = args.get::<String>(0).unwrap_or_default();
        let Ok(op) = serde_json::from_str::<Op>(&text) else { return Told::Nothing };
        match self.perform(&op, Source::Cluster) {
            Ok(Done::Sent(sockets) | Done::Changed(sockets)) => Told::Done(sockets),
            Err(PerformError::UnknownSocket) => Told::UnknownSocket,
            Err(PerformError::RoomName) => Told::RoomName,
            Err(PerformError::Member(error)) => Told::Member(error),
            Err(_) => Told::Nothing,
        }
    }
}

fn written(op: &Op) -> String {
    serde_json::to_string(op).expect("texts, numbers and JSON")
}
