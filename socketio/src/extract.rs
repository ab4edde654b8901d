//! What it is: the arguments that handlers can ask for, and how each is taken from an event.
//! What it is not: the calling of handlers (`handler`).
//! Who calls it: `handler`, once per argument and call, before the handler's first step.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use engineio::ByteString;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    args::Args,
    decoder::{Incoming, parameters},
    error::{DisconnectReason, EmitError, EventError},
    event::{Disconnect, Event, Kind, Message, Middleware},
    socket::Socket,
};

/// A type that handlers of this kind of event can have as an argument.
///
/// | argument | what it is | handlers of |
/// |---|---|---|
/// | [`Socket`] | who it is about, to emit to, to join rooms | all |
/// | [`SocketIo`](crate::SocketIo) | the server, to emit in other namespaces, while the application has it | all |
/// | [`Data<T>`](Data) | the arguments, read by serde | messages, event middlewares, outgoing events |
/// | [`Args`] | the arguments as they are | messages, event middlewares, outgoing events |
/// | [`EventName`] | the name of the event | messages, event middlewares, outgoing events |
/// | [`Ack`] | to answer later, or not at all | messages, event middlewares |
/// | [`DisconnectReason`] | why the socket leaves | disconnects |
/// | [`Auth<T>`](Auth) | what the client sent as `auth` | all |
/// | [`Query<T>`](Query) | the parameters of the connection's URL | all |
/// | [`Params<T>`](Params) | the parameters in the namespace's name | all |
/// | [`State<T>`](crate::State) | what the application gave to the namespace | all |
/// | [`SocketData<T>`](crate::SocketData) | what it keeps with the socket | all |
/// | [`Handshake`](engineio::Handshake) | the request of the connection | all |
///
/// An application can have extractors of its own. What one gives, the handler need not check:
///
/// ```
/// use socketio::{Event, EventError, FromEvent, Kind, Namespace, Rejection, Reply, SocketData};
///
/// /// Kept with each socket by the connect handler.
/// struct User {
///     name: String,
///     is_admin: bool,
/// }
///
/// struct Admin(SocketData<User>);
///
/// impl<K: Kind> FromEvent<K> for Admin {
///     fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
///         let user = SocketData::<User>::from_event(event)?;
///         if user.is_admin { Ok(Self(user)) } else { Err(EventError::new("Admins only").into()) }
///     }
/// }
///
/// let chat = Namespace::new("/").on("who am i", async |admin: Admin| Reply(admin.0.name.clone()));
/// ```
///
/// `Result<T, Rejection>` and `Option<T>` of such a type can be asked for, too; then the handler is called even
/// when there is no `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler for `{K}` events",
    label = "not an extractor for `{K}` events",
    note = "all handlers can have `Socket`, `SocketIo`, `Auth<T>`, `Query<T>`, `Params<T>`, `State<T>`, `SocketData<T>` and `Handshake`; message handlers and event middlewares also `Data<T>`, `Args`, `EventName`, `Ack`; handlers of outgoing events also `Data<T>`, `Args`, `EventName`; disconnect handlers also `DisconnectReason`"
)]
pub trait FromEvent<K: Kind>: Sized {
    /// Takes it from the event.
    ///
    /// # Errors
    /// [`Rejection`]: the handler is not called, and an ack that was asked for is not sent.
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection>;
}

/// Why an argument could not be taken from an event.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// What the client sent is not of the type that the handler wants.
    Decode(serde_json::Error),
    /// The namespace was given no [state](crate::State) of this type.
    State(&'static str),
    /// Nothing of this type is [kept](crate::SocketData) with the socket.
    SocketData(&'static str),
    /// The application has dropped the [server](crate::SocketIo).
    Server,
    /// An extractor of the application does not give it, and the client may know why: it is told as of an error that a
    /// handler returns; one that asks to join is refused with that.
    Refused(EventError),
}

impl From<EventError> for Rejection {
    fn from(error: EventError) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "the client's data is not what the handler wants: {error}"),
            Self::State(name) => write!(f, "the namespace was given no state of the type {name}"),
            Self::SocketData(name) => write!(f, "nothing of the type {name} is kept with the socket"),
            Self::Server => f.write_str("the application has dropped the server"),
            Self::Refused(error) => write!(f, "an argument was refused: {error}"),
        }
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::State(_) | Self::SocketData(_) | Self::Server => None,
        }
    }
}

impl<K: Kind> FromEvent<K> for Socket {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        Ok(event.socket.clone())
    }
}

impl<K: Kind, T: FromEvent<K>> FromEvent<K> for Result<T, Rejection> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        Ok(T::from_event(event))
    }
}

impl<K: Kind, T: FromEvent<K>> FromEvent<K> for Option<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        Ok(T::from_event(event).ok())
    }
}

/// The arguments of an event, read as `T` by the rules of [`Args::read`]: a tuple for several, else the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data<T>(pub T);

impl<K: Kind<Data = Incoming>, T: DeserializeOwned> FromEvent<K> for Data<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        event.data.args.read().map(Self).map_err(Rejection::Decode)
    }
}

impl<K: Kind<Data = Incoming>> FromEvent<K> for Args {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        Ok(event.data.args.clone())
    }
}

/// The name of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventName(ByteString);

impl Deref for EventName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<K: Kind<Data = Incoming>> FromEvent<K> for EventName {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        Ok(Self(event.data.name.clone()))
    }
}

/// What the client sent as `auth` when it joined; `{}` when it sent nothing. Of a client of revision 3 it is the query
/// behind the namespace's name, an object of strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth<T>(pub T);

impl<K: Kind, T: DeserializeOwned> FromEvent<K> for Auth<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        object(&event.socket.peer.auth).map(Self)
    }
}

/// The parameters of the URL of the connection, the same in all its namespaces (`socket.handshake.query`): an object
/// of strings, the protocol's own `EIO`, `transport` and `t` among them. Of one given twice the last counts.
///
/// ```
/// use std::collections::HashMap;
///
/// use socketio::{Namespace, Query, Socket};
///
/// let chat = Namespace::new("/chat").on_connect(async |socket: Socket, Query(query): Query<HashMap<String, String>>| {
///     socket.join(query.get("room").map_or("lobby", String::as_str))
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<K: Kind, T: DeserializeOwned> FromEvent<K> for Query<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        object(&parameters(&event.socket.handshake().query)).map(Self)
    }
}

/// The parameters in the name of the namespace, where that was written as a [pattern](crate::Namespace::pattern): an
/// object of strings. In other namespaces it is empty.
///
/// ```
/// use socketio::{Namespace, Params, Socket};
///
/// #[derive(serde::Deserialize)]
/// struct Game {
///     id: String,
/// }
///
/// let games = Namespace::pattern("/game-{id}").on_connect(async |socket: Socket, Params(game): Params<Game>| {
///     let _gone = socket.emit("welcome to", &game.id);
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params<T>(pub T);

impl<K: Kind, T: DeserializeOwned> FromEvent<K> for Params<T> {
    fn from_event(event: &Event<'_, K>) -> Result<Self, Rejection> {
        object(&event.socket.hub.params).map(Self)
    }
}

impl<T: DeserializeOwned> Auth<T> {
    /// What a client sent that is not in a namespace yet.
    pub(crate) fn read(json: &str) -> Option<Self> {
        object(json).ok().map(Self)
    }
}

/// Reads a JSON object, of which nothing is left when it is empty.
fn object<T: DeserializeOwned>(json: &str) -> Result<T, Rejection> {
    serde_json::from_str(if json.is_empty() { "{}" } else { json }).map_err(Rejection::Decode)
}

impl FromEvent<Disconnect> for DisconnectReason {
    fn from_event(event: &Event<'_, Disconnect>) -> Result<Self, Rejection> {
        Ok(*event.data)
    }
}

/// Answers an event later than by the handler's return value, or not at all. It answers once.
#[derive(Debug)]
pub struct Ack {
    socket: Socket,
    id: Option<u64>,
    /// Whether somebody has answered, where several may.
    answered: Option<Arc<AtomicBool>>,
}

impl Ack {
    /// For the last one that may answer an event.
    pub(crate) fn new<K: Kind<Data = Incoming>>(event: &Event<'_, K>) -> Self {
        let answered = event.answered.and_then(OnceLock::get).cloned();
        Self { socket: event.socket.clone(), id: event.data.ack, answered }
    }

    /// For a handler, which may answer by what it returns, too, as may those behind it.
    fn shared<K: Kind<Data = Incoming>>(event: &Event<'_, K>) -> Self {
        event.share_answer();
        Self::new(event)
    }

    /// Whether the client wants an answer.
    pub fn is_wanted(&self) -> bool {
        self.id.is_some()
    }

    /// Answers with these arguments, as [`Socket::emit`] takes them; without effect when no answer is wanted, or one
    /// was given already.
    ///
    /// A second answer does not compile:
    /// ```compile_fail,E0382
    /// # fn answer(ack: socketio::Ack) -> Result<(), socketio::EmitError> {
    /// ack.send("first")?;
    /// ack.send("second")
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`EmitError`]; the client gets nothing then.
    pub fn send<T: Serialize + ?Sized>(self, args: &T) -> Result<(), EmitError> {
        let Some(id) = self.id else { return Ok(()) };
        let encoded = self.socket.hub.parser.ack(&self.socket.hub.path, id, args)?;
        match self.answered {
            Some(answered) if answered.swap(true, Ordering::Relaxed) => Ok(()),
            _ => self.socket.peer.send(&encoded),
        }
    }
}

impl FromEvent<Message> for Ack {
    fn from_event(event: &Event<'_, Message>) -> Result<Self, Rejection> {
        Ok(Self::shared(event))
    }
}

impl FromEvent<Middleware> for Ack {
    fn from_event(event: &Event<'_, Middleware>) -> Result<Self, Rejection> {
        Ok(Self::shared(event))
    }
}
