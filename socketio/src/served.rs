//! What it is: one namespace that is being served: how clients join it, and how events reach its handlers.
//! What it is not: who is in it; that is its `hub`.
//! Who calls it: `namespaces` makes it; `client` brings it what clients send.

use std::{fmt, sync::Arc};

use crate::{
    decoder::Incoming,
    error::{ConnectError, DisconnectReason},
    event::{Event, Kind},
    handler::{self, Ended},
    hub::Hub,
    namespace::{Erased, Handlers},
    peer::Peer,
    socket::Socket,
};

/// A namespace that is being served. Clones are the same.
#[derive(Clone)]
pub(crate) struct Served(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    /// The same for all namespaces of a family.
    handlers: Arc<Handlers>,
}

impl Served {
    /// Serves a namespace with this name; `params` are the parameters in it.
    pub(crate) fn new(path: String, params: Box<str>, handlers: Arc<Handlers>) -> Self {
        let on_leave = handlers.clone();
        let hub = Hub::new(path, params, move |hub, peer, reason| {
            if let Some(on_disconnect) = &on_leave.on_disconnect {
                let socket = Socket { hub: hub.clone(), peer: peer.clone() };
                call(&socket, on_disconnect, &reason, |_| {});
            }
        });
        Self(Arc::new(Inner { hub: Arc::new(hub), handlers }))
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// A client asks to join. `joined` is told whether it may, perhaps later and in another task, unless it has gone.
    pub(crate) fn connect(&self, peer: Arc<Peer>, joined: impl FnOnce(Result<(), ConnectError>) + Send + 'static) {
        let socket = Socket { hub: self.0.hub.clone(), peer };
        match &self.0.handlers.on_connect {
            None => self.admit(&socket, joined),
            Some(on_connect) => {
                let (served, admitted) = (self.clone(), socket.clone());
                call(&socket, on_connect, &(), move |ended| match ended {
                    Ended::Returned(Ok(())) => served.admit(&admitted, joined),
                    Ended::Returned(Err(error)) => served.refuse(&admitted, error, joined),
                    Ended::NotCalled | Ended::Panicked => served.refuse(&admitted, ConnectError::refused(), joined),
                });
            }
        }
    }

    fn admit(&self, socket: &Socket, joined: impl FnOnce(Result<(), ConnectError>)) {
        // A client that is gone meanwhile never joined.
        if self.0.hub.admit(&socket.peer) {
            joined(Ok(()));
            while let Some(event) = socket.peer.next_waiting() {
                self.call_handler(socket, &event);
            }
        }
    }

    fn refuse(&self, socket: &Socket, error: ConnectError, joined: impl FnOnce(Result<(), ConnectError>)) {
        if !socket.peer.is_gone() {
            self.0.hub.remove(&socket.peer, DisconnectReason::ServerNamespaceDisconnect, false);
            joined(Err(error));
        }
    }

    /// A client of this namespace emitted an event.
    pub(crate) fn handle(&self, peer: &Arc<Peer>, event: &Incoming) {
        self.call_handler(&Socket { hub: self.0.hub.clone(), peer: peer.clone() }, event);
    }

    fn call_handler(&self, socket: &Socket, event: &Incoming) {
        if let Some(handler) = self.0.handlers.events.get(&*event.name) {
            let panicked = socket.clone();
            call(socket, handler, event, move |ended| {
                // The bug may have left half of something done: the client should begin anew.
                if ended == Ended::Panicked {
                    panicked.disconnect();
                }
            });
        }
    }
}

fn call<K: Kind>(
    socket: &Socket,
    handler: &Erased<K>,
    data: &K::Data,
    done: impl FnOnce(Ended<K::Outcome>) + Send + 'static,
) {
    handler::run(|| handler(&Event { socket, data }), done);
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("hub", &self.0.hub).finish_non_exhaustive()
    }
}
