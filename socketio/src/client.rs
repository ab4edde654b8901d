//! What it is: one connection and the namespaces it has joined; what is a packet here becomes a call there.
//! What it is not: shared; the connection's driver owns it, so nothing in it is locked.
//! Who calls it: `server`, with every message and with the end of the connection.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use engineio::{CloseReason, Message, Revision};

use crate::{
    decoder::{Body, Decoder, Packet},
    error::DisconnectReason,
    limits::Limits,
    namespace::Served,
    packet::{self, Encoded},
    peer::Peer,
};

/// All namespaces that can be joined, by name.
pub(crate) type Namespaces = HashMap<String, Served>;

/// Refusals after which a connection is closed: no honest client asks again and again.
const MAX_REFUSALS: u32 = 10;

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
}

impl Client {
    /// A connection that has just been opened. One of revision 3 joins `/` without asking (socket.io-protocol v4).
    pub(crate) fn new(engine: engineio::Socket, namespaces: Arc<Namespaces>, limits: Arc<Limits>) -> Self {
        let (revision, joined, refusals) = (engine.encoding().revision, Vec::new(), Arc::default());
        let mut client = Self { engine, namespaces, decoder: Decoder::new(revision), joined, refusals, limits };
        if revision == Revision::V3 {
            client.connect("/", "");
        }
        client
    }

    /// Takes the next message. As in the reference, a client that breaks the protocol is disconnected.
    pub(crate) fn on_message(&mut self, message: Message) {
        let keeps_to_the_protocol = match self.decoder.push(message) {
            Ok(Some(packet)) => self.on_packet(packet),
            Ok(None) => true,
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
        let at = self.joined.iter().position(|(served, _)| served.hub().path == *namespace);
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

    fn connect(&mut self, namespace: &str, auth: &str) {
        let Some(served) = self.namespaces.get(namespace) else {
            refuse(&self.engine, &self.refusals, &packet::invalid_namespace(namespace));
            return;
        };
        let (engine, refusals, hub) = (self.engine.clone(), self.refusals.clone(), served.hub().clone());
        let peer = served.connect(self.engine.clone(), auth, move |result| match result {
            Ok(()) => {
                engine.expire(None);
                engine.limit(None);
            }
            Err(error) => {
                refuse(&engine, &refusals, &packet::connect_error(&hub.path, &error, engine.encoding().revision));
            }
        });
        self.joined.push((served.clone(), peer));
    }
}

fn refuse(engine: &engineio::Socket, refusals: &AtomicU32, refusal: &Encoded) {
    // A client that is gone needs no refusal.
    let _gone = engine.send_frames(&refusal.text, &refusal.attachments);
    if refusals.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_REFUSALS {
        engine.close();
    }
}
