//! What it is: one connection and the namespaces it has joined; what is a packet here becomes a call there.
//! What it is not: shared; the connection's driver owns it, so nothing in it is locked.
//! Who calls it: `server`, with every message and with the end of the connection.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use engineio::{CloseReason, Message, Revision};

use crate::{
    decoder::{Body, Decode, Incoming, Packet},
    error::{ConnectError, DisconnectReason},
    event_rate::{Bucket, OnExcess},
    handler::{self, Ended},
    limits::Limits,
    namespaces::{Found, Missing, Namespaces},
    parser::{Encoded, Parser},
    peer::{Arrival, Peer},
    served::{Refusal, Served},
    trace,
};

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    engine: engineio::Socket,
    namespaces: Arc<Namespaces>,
    decoder: Box<dyn Decode>,
    /// Few: most connections join one.
    joined: Vec<Joined>,
    /// CONNECTs that were refused.
    refusals: Arc<AtomicU32>,
    /// Set where events are limited in number.
    bucket: Option<Box<Bucket>>,
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
        if self.served.get().is_none() {
            // If its namespace is found a moment later, it is gone.
            self.peer.give_up(reason);
        }
        // It may have been found a moment before.
        if let Some(served) = self.served.get() {
            served.hub().remove(&self.peer, reason, false);
        }
    }
}

impl Client {
    /// A connection that has just been opened. One of revision 3 joins `/` without asking (socket.io-protocol v4).
    pub(crate) fn new(engine: engineio::Socket, namespaces: Arc<Namespaces>, connect_timeout: Duration) -> Self {
        let revision = engine.encoding().revision;
        let decoder = namespaces.parser().decoder(revision, &namespaces.settings.terms.limits);
        // Until it has joined a namespace.
        engine.expire(Some(connect_timeout));
        let bucket = namespaces.limits().event_rate.map(|_| Box::default());
        let mut client = Self { engine, namespaces, decoder, joined: Vec::new(), refusals: Arc::default(), bucket };
        if revision == Revision::V3 {
            client.connect("/", "");
        }
        client
    }

    /// Takes the next message. As in the reference, a client that breaks the protocol is disconnected.
    pub(crate) fn on_message(&mut self, message: Message) {
        // A parser of the application's may panic: its client is disconnected, too.
        if catch_unwind(AssertUnwindSafe(|| self.take(message))).is_err() {
            self.engine.close();
        }
    }

    fn take(&mut self, message: Message) {
        let was_partial = self.decoder.awaits().is_some();
        let decoded = self.decoder.push(message);
        match (was_partial, self.decoder.awaits().is_some()) {
            (false, true) => self.engine.expect(Some(self.namespaces.limits().attachment_timeout)),
            (true, false) => self.engine.expect(None),
            _ => {}
        }
        let error = decoded.as_ref().err().copied();
        let keeps_to_the_protocol = match decoded {
            Ok(Some(packet)) => self.on_packet(packet),
            // Of a namespace that it has not joined, nothing is kept.
            Ok(None) => self.decoder.awaits().is_some_and(|namespace| self.position(namespace).is_some()),
            Err(_) => false,
        };
        if !keeps_to_the_protocol {
            trace::packet_refused(error);
            self.engine.close();
        }
    }

    /// The connection has ended: the client leaves all its namespaces.
    pub(crate) fn on_close(&mut self, reason: CloseReason) {
        for joined in self.joined.drain(..) {
            joined.leave(DisconnectReason::Closed(reason));
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
            (Body::Connect(auth), Some((at, joined))) if joined.peer.is_gone() => {
                self.joined.swap_remove(at);
                self.connect(&namespace, &auth);
                true
            }
            (Body::Disconnect, Some((at, _))) => {
                self.joined.swap_remove(at).leave(DisconnectReason::ClientNamespaceDisconnect);
                true
            }
            // The server closes: this came too late.
            (Body::Event(_), Some(_)) if self.namespaces.settings.tasks.is_closed() => true,
            (Body::Event(event), Some((at, _))) if !may_emit(&mut self.bucket, self.namespaces.limits()) => {
                self.refuse_event(at, event)
            }
            (Body::Event(event), Some((_, joined))) => match joined.peer.arrive(event, self.namespaces.limits()) {
                Arrival::Handle(event) => {
                    let served = joined.served.get().expect("a peer is let in by its namespace");
                    served.handle(&joined.peer, event);
                    true
                }
                Arrival::Kept => true,
                Arrival::TooMany => false,
            },
            (Body::Ack(id, args), Some((_, joined))) => {
                id.is_none_or(|id| joined.peer.resolve_ack(id, args) <= self.namespaces.limits().max_unknown_acks)
            }
            // A second CONNECT, or anything else before the first.
            (Body::Connect(_), Some(_)) | (_, None) => false,
        }
    }

    /// An event of a namespace is one too many. Says whether the client may go on.
    fn refuse_event(&self, at: usize, event: Incoming) -> bool {
        let Joined { peer, served, .. } = &self.joined[at];
        // The application does not know of others.
        if let Some(served) = served.get().filter(|_| peer.is_connected()) {
            served.refuse_event(peer, event);
        }
        self.namespaces.limits().event_rate.is_none_or(|rate| rate.on_excess == OnExcess::Drop)
    }

    fn position(&self, namespace: &str) -> Option<usize> {
        self.joined.iter().position(|joined| *joined.name == *namespace)
    }

    fn connect(&mut self, name: &str, auth: &str) {
        // The server closes: this came too late.
        if self.namespaces.settings.tasks.is_closed() {
            return;
        }
        let answer = Answer {
            engine: self.engine.clone(),
            parser: self.namespaces.parser().clone(),
            max_refusals: self.namespaces.limits().max_refusals,
            refusals: self.refusals.clone(),
            name: name.into(),
        };
        if auth.len() > self.namespaces.limits().max_auth {
            return answer.refuse_for(&ConnectError::new("auth payload too large"));
        }
        let max = self.namespaces.limits().max_namespaces;
        if self.joined.len() >= max {
            self.joined.retain(|joined| !joined.peer.is_gone());
        }
        if self.joined.len() >= max {
            return answer.refuse(&Missing::TooMany.refusal(
                self.namespaces.parser(),
                name,
                self.engine.encoding().revision,
            ));
        }
        let peer = Arc::new(Peer::new(self.engine.clone(), auth));
        let served = Arc::new(OnceLock::new());
        let find = self.namespaces.clone().find(name.into(), auth.into());
        let (joining, place) = (peer.clone(), served.clone());
        handler::start(&self.namespaces.settings.tasks, || Ok(Box::pin(find))).then(move |ended| match ended {
            Ended::Returned(Ok(found)) => join(found, joining, &place, answer),
            Ended::Returned(Err(missing)) => refuse(&joining, missing, answer),
            Ended::Rejected(_) | Ended::Panicked(_) => refuse(&joining, Missing::Invalid, answer),
        });
        // Of a name that was refused at once nothing is kept.
        if served.get().is_some() || !peer.is_gone() {
            // Most join one, and never another: no room for more.
            self.joined.reserve_exact(1);
            self.joined.push(Joined { name: name.into(), peer, served });
        }
    }
}

/// Whether one more event is not too many.
fn may_emit(bucket: &mut Option<Box<Bucket>>, limits: &Limits) -> bool {
    let limited = bucket.as_mut().zip(limits.event_rate.as_ref());
    limited.is_none_or(|(bucket, rate)| bucket.take(rate, Instant::now()))
}

fn join(found: Found, peer: Arc<Peer>, place: &OnceLock<Served>, answer: Answer) {
    let Found { served, stay } = found;
    // Set first: whoever takes the peer out from here on finds where it is.
    let served = place.get_or_init(|| served);
    if peer.stay(stay) && served.hub().identify(&peer) {
        served.connect(peer, move |result| match result {
            Ok(()) => answer.let_in(),
            Err(Refusal::Due(error)) => answer.refuse_for(&error),
            Err(Refusal::Told) => answer.note_refused(),
        });
    }
}

fn refuse(peer: &Peer, missing: Missing, answer: Answer) {
    if !peer.is_gone() {
        peer.give_up(DisconnectReason::ServerNamespaceDisconnect);
        answer.refuse(&missing.refusal(&answer.parser, &answer.name, peer.revision()));
    }
}

/// What follows when it is known whether a client may join.
struct Answer {
    engine: engineio::Socket,
    parser: Parser,
    max_refusals: u32,
    refusals: Arc<AtomicU32>,
    name: Box<str>,
}

impl Answer {
    /// Its time to join a first namespace is no longer limited.
    fn let_in(&self) {
        self.engine.expire(None);
    }

    fn refuse_for(&self, error: &ConnectError) {
        self.refuse(&self.parser.connect_error(&self.name, error, self.engine.encoding().revision));
    }

    fn refuse(&self, refusal: &Encoded) {
        // A client that is gone needs no refusal.
        let _gone = self.engine.send_frames(&refusal.first, &refusal.rest);
        self.note_refused();
    }

    fn note_refused(&self) {
        trace::refused(&self.name);
        if self.refusals.fetch_add(1, Ordering::Relaxed) + 1 >= self.max_refusals {
            self.engine.close();
        }
    }
}
