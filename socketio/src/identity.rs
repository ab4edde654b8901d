//! What it is: who a client becomes that asks to join a namespace: somebody new, or who it was before.
//! What it is not: the check of what it claims (`recovery`), nor its admission (`hub`).
//! Who calls it: `client`, once the namespace is found.

use std::{sync::Arc, time::Instant};

use engineio::Revision;

use crate::{error::DisconnectReason, hub::Hub, id::SocketId, peer::Peer, pid::Claim};

impl Hub {
    /// Gives a peer its id: that of the session which its client claims and can have, with the rooms and data, or a new
    /// one. Says whether it is still there.
    pub(crate) fn identify(self: &Arc<Self>, peer: &Arc<Peer>) -> bool {
        let may_claim = self.recovery.is_some() && peer.revision() == Revision::V4;
        let claim = if may_claim { Claim::parse(&peer.auth) } else { None };
        let mut recovery = self.recovery();
        if peer.is_gone() {
            return false;
        }
        let claimed =
            recovery.as_mut().zip(claim).map(|(recovery, claim)| recovery.claim(&claim, peer, Instant::now()));
        let Some(Ok(before)) = claimed else {
            drop(recovery);
            if let Some(Err(why)) = claimed {
                self.counts.note_unrecovered(why);
            }
            let id = match peer.revision() {
                Revision::V3 => SocketId::derive(peer.engine.sid(), &self.path),
                Revision::V4 if self.servers.have_cluster() => SocketId::draw_on(&self.servers.id),
                Revision::V4 => SocketId::draw(),
            };
            peer.identify(id, false);
            return true;
        };
        // Before anybody else can: who leaves later would take this one, which has the same id, out of the tables.
        self.remove_from(recovery, &before, DisconnectReason::TakenOver, false);
        // A client has one connection: whatever else there is on this one will not be heard.
        before.engine.close();
        let (rooms, data) = {
            let state = before.state();
            (state.rooms.clone(), state.data.clone())
        };
        let mut recovery = self.recovery();
        let mut state = peer.state();
        (state.rooms, state.data) = (rooms, data);
        drop(state);
        if let Some(recovery) = &mut recovery {
            recovery.passed(peer);
        }
        !peer.is_gone()
    }
}
