//! What it is: arguments of handlers that do not come with the event: what the application gave to the namespace, what
//! it keeps with the socket, and the request of the connection.
//! What it is not: what clients send (`extract`).
//! Who calls it: `handler`, as other extractors.

use std::{any::type_name, ops::Deref, sync::Arc};

use engineio::Handshake;

use crate::{
    event::{Event, Kind},
    extract::{FromEvent, Rejection},
};

/// What the application gave to the namespace with [`Namespace::state`](crate::Namespace::state): a clone, so it should
/// be cheap to clone, such as a pool of connections or an `Arc`.
///
/// Nothing of this type given: the handler is not called, see [`Rejection::State`].
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// use socketio::{Namespace, Reply, State};
///
/// #[derive(Clone, Default)]
/// struct Visits(Arc<AtomicU64>);
///
/// let counter = Namespace::new("/")
///     .state(Visits::default())
///     .on("visit", async |State(visits): State<Visits>| Reply(visits.0.fetch_add(1, Ordering::Relaxed) + 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State<T>(pub T);

impl<K: Kind, T: Clone + Send + Sync + 'static> FromEvent<K> for State<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        let value = event.socket.hub.state.get::<T>().ok_or(Rejection::State(type_name::<T>()))?;
        Ok(Self(T::clone(&value)))
    }
}

/// What the application keeps with the socket, see [`Socket::set`](crate::Socket::set) (`socket.data`).
///
/// Nothing of this type kept: the handler is not called, see [`Rejection::SocketData`]; so what
/// [`on_connect`](crate::Namespace::on_connect) or a middleware always sets, other handlers can ask for.
///
/// ```
/// use socketio::{Auth, Data, Namespace, Socket, SocketData};
///
/// #[derive(serde::Deserialize)]
/// struct User {
///     name: String,
/// }
///
/// let chat = Namespace::new("/chat")
///     .on_connect(async |socket: Socket, Auth(user): Auth<User>| socket.set(user))
///     .on("say", async |socket: Socket, user: SocketData<User>, Data(text): Data<String>| {
///         let _heard = socket.broadcast().emit("said", &(&user.name, text));
///     });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketData<T>(Arc<T>);

impl<T> Deref for SocketData<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<K: Kind, T: Send + Sync + 'static> FromEvent<K> for SocketData<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        event.socket.get::<T>().map(Self).ok_or(Rejection::SocketData(type_name::<T>()))
    }
}

/// The request of the connection: its query, address, and those headers that are [kept](engineio::Http::kept_headers).
impl<K: Kind> FromEvent<K> for Handshake {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        Ok(event.socket.handshake().clone())
    }
}
