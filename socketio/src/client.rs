//! What it is: one connection and the namespaces it has joined; what is a packet here becomes a call there.
//! What it is not: shared; the connection's driver owns it, so nothing in it is locked.
//! Who calls it: `server`, with every message and with the end of the connection.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use engineio::{CloseReason, Message, Revision};

use crate::{
    deadlines::Deadlines,
    decoder::{Body, Decoder, Packet},
    error::{ConnectError, DisconnectReason},
    limits::Limits,
    namespace::Served,
    packet::{self, Encoded},
    peer::Peer,
};

/// All namespaces that can be joined, by name.
pub(crate) type Namespaces = HashMap<String, Served>;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    engine: engineio::Socket,
    namespaces: Arc<Namespaces>,
    decoder: Decoder,
    /// Few: most connections join one.
    joined: Vec<(Served, Arc<Peer>)>,
    /// Counted by connect handlers, too, which may run in other tasks.
    refusals: Arc<AtomicU32>,
    limits: Arc<Limits>,
    /// Kept by connect handlers, too.
    deadlines: Arc<Deadlines>,
}

impl Client {
    /// A connection that has just been opened. One of revision 3 joins `/` without asking (socket.io-protocol v4).
    pub(crate) fn new(
        engine: engineio::Socket,
        namespaces: Arc<Namespaces>,
        limits: Arc<Limits>,
        connect_timeout: Duration,
    ) -> Self {
        let revision = engine.encoding().revision;
        let decoder = Decoder::new(revision, limits.clone());
        let deadlines = Arc::new(Deadlines::new(engine.clone(), connect_timeout));
        let (joined, refusals) = (Vec::new(), Arc::default());
        let mut client = Self { engine, namespaces, decoder, joined, refusals, limits, deadlines };
        if revision == Revision::V3 {
            client.connect("/", "");
        }
        client
    }

    /// Takes the next message. As in the reference, a client that breaks the protocol is disconnected.
    pub(crate) fn on_message(&mut self, message: Message) {
        let was_partial = self.decoder.awaits().is_some();
        let decoded = self.decoder.push(message);
        match (was_partial, self.decoder.awaits().is_some()) {
            (false, true) => self.deadlines.begin_packet(self.limits.attachment_timeout),
            (true, false) => self.deadlines.end_packet(),
            _ => {}
        }
        let keeps_to_the_protocol = match decoded {
            Ok(Some(packet)) => self.on_packet(packet),
            // Of a namespace that it has not joined, nothing is kept.
            Ok(None) => self.decoder.awaits().is_some_and(|namespace| self.position(namespace).is_some()),
            Err(_) => false,
        };
        if !keeps_to_the_protocol {
            self.engine.close();
        }
    }

    /// The connection has ended: the client leaves all its namespaces.
    pub(crate) fn on_close(self, reason: CloseReason) {
        for (served, peer) in self.joined {
            served.hub().remove(&peer, DisconnectReason::Closed(reason), false);
        }
    }

    /// Says whether the client may send this packet now.
    fn on_packet(&mut self, packet: Packet) -> bool {
        let Packet { namespace, body } = packet;
        let at = self.position(&namespace);
        match (body, at.map(|at| (at, &self.joined[at]))) {
            (Body::Connect(auth), None) => {
                self.connect(&namespace, &auth);
                true
            }
            // A socket that the server made leave may come back.
            (Body::Connect(auth), Some((at, (_, peer)))) if peer.is_gone() => {
                self.joined.swap_remove(at);
                self.connect(&namespace, &auth);
                true
            }
            (Body::Disconnect, Some((at, _))) => {
                let (served, peer) = self.joined.swap_remove(at);
                served.hub().remove(&peer, DisconnectReason::ClientNamespaceDisconnect, false);
                true
            }
            (Body::Event(event), Some((_, (served, peer)))) => served.dispatch(peer, event),
            (Body::Ack(id, args), Some((_, (_, peer)))) => {
                id.is_none_or(|id| peer.resolve_ack(id, args) <= self.limits.max_unknown_acks)
            }
            // A second CONNECT, or anything else before the first.
            (Body::Connect(_), Some(_)) | (_, None) => false,
        }
    }

    fn position(&self, namespace: &str) -> Option<usize> {
        self.joined.iter().position(|(served, _)| served.hub().path == *namespace)
    }

    fn connect(&mut self, namespace: &str, auth: &str) {
        let (engine, refusals, max) = (self.engine.clone(), self.refusals.clone(), self.limits.max_refusals);
        let revision = engine.encoding().revision;
        let Some(served) = self.namespaces.get(namespace) else {
            refuse(&engine, &refusals, max, &packet::invalid_namespace(namespace));
            return;
        };
        if auth.len() > served.hub().max_auth() {
            let error = ConnectError::new("auth payload too large");
            refuse(&engine, &refusals, max, &packet::connect_error(namespace, &error, revision));
            return;
        }
        let (deadlines, hub) = (self.deadlines.clone(), served.hub().clone());
        let peer = served.connect(self.engine.clone(), auth, move |result| match result {
            Ok(()) => {
                deadlines.joined();
                engine.limit(None);
            }
            Err(error) => refuse(&engine, &refusals, max, &packet::connect_error(&hub.path, &error, revision)),
        });
        self.joined.push((served.clone(), peer));
    }
}

/// Tells the client that it may not join; closes the connection of one that asks again and again.
fn refuse(engine: &engineio::Socket, refusals: &AtomicU32, max: u32, refusal: &Encoded) {
    // A client that is gone needs no refusal.
    let _gone = engine.send_frames(&refusal.text, &refusal.attachments);
    if refusals.fetch_add(1, Ordering::Relaxed) + 1 >= max {
        engine.close();
    }
}
