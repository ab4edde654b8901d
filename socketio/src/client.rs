//! What it is: one connection and the namespaces it has joined; what is a packet here becomes a call there.
//! What it is not: shared; the connection's driver owns it, so nothing in it is locked.
//! Who calls it: `server`, with every message and with the end of the connection.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use engineio::{CloseReason, Message, Revision};

use crate::{
    decoder::{Body, Decoder, Packet},
    error::DisconnectReason,
    handler::{self, Ended},
    id::SocketId,
    namespaces::{Found, Missing, Namespaces},
    packet::{self, Encoded},
    peer::{Arrival, Peer},
    served::Served,
};

/// Refusals after which a connection is closed: no honest client asks again and again.
const MAX_REFUSALS: u32 = 10;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    engine: engineio::Socket,
    namespaces: Arc<Namespaces>,
    decoder: Decoder,
    /// Few: most connections join one.
    joined: Vec<Joined>,
    /// Counted by connect handlers, too, which may run in other tasks.
    refusals: Arc<AtomicU32>,
}

/// A namespace that the client has joined, or asks to join.
#[derive(Debug)]
struct Joined {
    name: Box<str>,
    peer: Arc<Peer>,
    /// Empty until it is known whether there is such a namespace.
    served: Arc<OnceLock<Served>>,
}

impl Joined {
    fn leave(&self, reason: DisconnectReason) {
        match self.served.get() {
            Some(served) => {
                served.hub().remove(&self.peer, reason, false);
            }
            // If its namespace is found a moment later, it is gone.
            None => self.peer.give_up(),
        }
    }
}

impl Client {
    /// A connection that has just been opened. One of revision 3 joins `/` without asking (socket.io-protocol v4).
    pub(crate) fn new(engine: engineio::Socket, decoder: Decoder, namespaces: Arc<Namespaces>) -> Self {
        let revision = engine.encoding().revision;
        let mut client = Self { engine, namespaces, decoder, joined: Vec::new(), refusals: Arc::default() };
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
        for joined in self.joined {
            joined.leave(DisconnectReason::Closed(reason));
        }
    }

    /// Says whether the client may send this packet now.
    fn on_packet(&mut self, packet: Packet) -> bool {
        let Packet { namespace, body } = packet;
        let at = self.joined.iter().position(|joined| *joined.name == *namespace);
        match (body, at.map(|at| (at, &self.joined[at]))) {
            (Body::Connect(auth), None) => {
                self.connect(&namespace, &auth);
                true
            }
            // A socket that the server made leave may come back.
            (Body::Connect(auth), Some((at, joined))) if joined.peer.is_gone() => {
                self.joined.swap_remove(at);
                self.connect(&namespace, &auth);
                true
            }
            (Body::Disconnect, Some((at, _))) => {
                self.joined.swap_remove(at).leave(DisconnectReason::ClientNamespaceDisconnect);
                true
            }
            (Body::Event(event), Some((_, joined))) => match joined.peer.arrive(event) {
                Arrival::Handle(event) => {
                    let served = joined.served.get().expect("a peer is let in by its namespace");
                    served.handle(&joined.peer, event);
                    true
                }
                Arrival::Kept => true,
                Arrival::TooMany => false,
            },
            (Body::Ack(id, args), Some((_, joined))) => {
                if let Some(id) = id {
                    joined.peer.resolve_ack(id, args);
                }
                true
            }
            // A second CONNECT, or anything else before the first.
            (Body::Connect(_), Some(_)) | (_, None) => false,
        }
    }

    fn connect(&mut self, name: &str, auth: &str) {
        let revision = self.engine.encoding().revision;
        let answer = Answer { engine: self.engine.clone(), refusals: self.refusals.clone(), name: name.into() };
        let max = self.namespaces.limits.max_per_connection;
        if self.joined.len() >= max {
            self.joined.retain(|joined| !joined.peer.is_gone());
        }
        if self.joined.len() >= max {
            answer.refuse(&Missing::TooMany.refusal(name, revision));
            return;
        }
        let id = match revision {
            Revision::V3 => SocketId::derive(self.engine.sid(), name),
            Revision::V4 => SocketId::draw(),
        };
        let peer = Arc::new(Peer::new(id, self.engine.clone(), auth));
        let served = Arc::new(OnceLock::new());
        let find = self.namespaces.clone().find(name.into(), auth.into());
        let (joining, place) = (peer.clone(), served.clone());
        handler::start(|| Ok(Box::pin(find))).then(move |ended| match ended {
            Ended::Returned(Ok(found)) => join(found, joining, &place, answer),
            Ended::Returned(Err(missing)) => refuse(&joining, missing, answer),
            Ended::Rejected(_) | Ended::Panicked(_) => refuse(&joining, Missing::Invalid, answer),
        });
        // Of a name that was refused at once nothing is kept.
        if served.get().is_some() || !peer.is_gone() {
            self.joined.push(Joined { name: name.into(), peer, served });
        }
    }
}

fn join(found: Found, peer: Arc<Peer>, place: &OnceLock<Served>, answer: Answer) {
    let Found { served, stay } = found;
    // Set first: whoever takes the peer out from here on finds where it is.
    let served = place.get_or_init(|| served);
    if peer.stay(stay) {
        served.connect(peer, move |result| match result {
            Ok(()) => answer.let_in(),
            Err(error) => {
                let refusal = packet::connect_error(&answer.name, &error, answer.engine.encoding().revision);
                answer.refuse(&refusal);
            }
        });
    }
}

fn refuse(peer: &Peer, missing: Missing, answer: Answer) {
    if !peer.is_gone() {
        peer.give_up();
        answer.refuse(&missing.refusal(&answer.name, peer.revision()));
    }
}

/// What follows when it is known whether a client may join.
struct Answer {
    engine: engineio::Socket,
    refusals: Arc<AtomicU32>,
    name: Box<str>,
}

impl Answer {
    /// Its time to join a first namespace, and what it may send before, are no longer limited.
    fn let_in(&self) {
        self.engine.expire(None);
        self.engine.limit(None);
    }

    fn refuse(&self, refusal: &Encoded) {
        // A client that is gone needs no refusal.
        let _gone = self.engine.send_frames(&refusal.text, &refusal.attachments);
        if self.refusals.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_REFUSALS {
            self.engine.close();
        }
    }
}
