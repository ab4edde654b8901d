//! What it is: the one grammar of what applications have the server do: emit, join, leave and so on, as JSON.
//! What it is not: the doing (`perform`). Servers of a cluster tell each other of ops as they are (`cluster`).
//! Who calls it: `api` and whatever else brings such JSON; other forms are made into the same ops.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, value::RawValue};
use socketio::{Args, Glob, Limits, RESERVED_EVENTS};

use crate::{
    config,
    member::MAX_SESSION,
    sockets::{Audience, Manner},
    wire,
};

const NOBODY: &str = "it names nobody; left out, it means everybody, but only of an emit";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) namespace: String,
    pub(crate) action: Action,
}

/// The kinds of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    Emit(Emit),
    /// Lets all who are meant join rooms, and leave others in the same step.
    Join {
        target: Audience,
        except: Audience,
        rooms: Vec<String>,
        #[serde(with = "wire::glob")]
        leave: Option<Glob>,
    },
    /// Lets them leave rooms, which may be globs.
    Leave {
        target: Audience,
        except: Audience,
        #[serde(with = "wire::globs")]
        rooms: Vec<Glob>,
    },
    /// Lets all members leave a room.
    CloseRoom {
        room: String,
    },
    Disconnect {
        target: Audience,
        except: Audience,
        /// Closes the connection, so that the client comes back, instead of sending it away.
        transport: bool,
    },
    /// Keeps this with a socket, to be brought along whenever its application is told of it.
    Session {
        sid: String,
        session: Box<Session>,
    },
    /// Says whose a socket is.
    User {
        sid: String,
        user: Option<String>,
    },
}

/// An event, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Emit {
    pub(crate) event: String,
    /// Other servers are told them beside it.
    #[serde(skip)]
    pub(crate) args: Args,
    pub(crate) to: Audience,
    pub(crate) except: Audience,
    pub(crate) manner: Manner,
    /// An emit with the same id is the same emit.
    pub(crate) id: Option<String>,
}

/// What an application keeps with a socket: any JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session(pub(crate) Box<RawValue>);

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// What is wrong with the text of an op.
#[derive(Debug)]
pub(crate) enum OpError {
    /// It is no JSON.
    Syntax(serde_json::Error),
    /// This field is wrong, or missing; empty of the op as a whole.
    Field { field: String, message: String },
    /// Clients keep the name of this event for themselves.
    Reserved(String),
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => error.fmt(f),
            Self::Field { message, .. } => f.write_str(message),
            Self::Reserved(event) => write!(f, "the name {event} is reserved for clients"),
        }
    }
}

impl OpError {
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Field { field: field.into(), message: message.into() }
    }
}

/// All fields that ops have. Which of them an op has is checked when it is taken apart.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Fields<'a> {
    op: Option<String>,
    namespace: Option<String>,
    event: Option<String>,
    #[serde(default, borrow, deserialize_with = "present")]
    args: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    attachments: Option<Vec<String>>,
    #[serde(default, deserialize_with = "names")]
    room: Option<Vec<String>>,
    to: Option<Named>,
    except: Option<Named>,
    volatile: Option<bool>,
    history: Option<bool>,
    id: Option<String>,
    #[serde(default, deserialize_with = "time")]
    timeout: Option<Duration>,
    target: Option<Named>,
    #[serde(default, deserialize_with = "names")]
    rooms: Option<Vec<String>>,
    #[serde(default, deserialize_with = "names")]
    leave: Option<Vec<String>>,
    transport: Option<bool>,
    sid: Option<String>,
    #[serde(default, borrow, deserialize_with = "present")]
    set: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    user: Option<&'a RawValue>,
}

/// An audience as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with rooms, users or sids, such as {\"rooms\":\"news\"}")]
struct Named {
    #[serde(default, deserialize_with = "names")]
    rooms: Option<Vec<String>>,
    #[serde(default, deserialize_with = "names")]
    users: Option<Vec<String>>,
    #[serde(default, deserialize_with = "names")]
    sids: Option<Vec<String>>,
}

/// A value, which may be `null`.
pub(crate) fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// A time, as those of the configuration.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        other => other.to_string(),
    };
    config::time(&text).map(Some).ok_or_else(|| de::Error::custom("a time such as \"30m\", or a number of seconds"))
}

/// One name or a list of them.
pub(crate) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Names;

    impl<'de> de::Visitor<'de> for Names {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![name.to_owned()]))
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = items.next_element()? {
                names.push(name);
            }
            Ok(Some(names))
        }
    }

    deserializer.deserialize_any(Names)
}

impl Op {
    /// Reads an op. Without `op` in it, it is this one.
    pub(crate) fn read(json: &[u8], default: Option<&'static str>) -> Result<Self, OpError> {
        Self::of(Fields::parse(json, default)?, default, "/")
    }

    /// Reads an emit whose recipients are to answer, and how long that is waited for if it says so.
    pub(crate) fn read_call(json: &[u8]) -> Result<(Self, Option<Duration>), OpError> {
        let mut fields = Fields::parse(json, Some("emit"))?;
        let timeout = fields.timeout.take();
        Ok((Self::of(fields, Some("emit"), "/")?, timeout))
    }

    /// Reads an op, which names itself. Without `namespace` in it, it is for this one.
    pub(crate) fn read_in(namespace: &str, json: &[u8]) -> Result<Self, OpError> {
        Self::of(Fields::parse(json, None)?, None, namespace)
    }

    fn of(mut fields: Fields<'_>, default: Option<&'static str>, namespace: &str) -> Result<Self, OpError> {
        let name = fields.op.take().or(default.map(Into::into)).ok_or_else(|| OpError::field("op", "there is none"))?;
        if default.is_some_and(|default| default != name) {
            return Err(OpError::field("op", "another one than that of the path"));
        }
        let namespace = fields.namespace.take().unwrap_or_else(|| namespace.into());
        let action = match &*name {
            "emit" => fields.emit().map(Action::Emit),
            "join" => fields.join(),
            "leave" => fields.leave(),
            "close_room" => fields.close_room(),
            "disconnect" => fields.disconnect(),
            "session" => fields.session(),
            "user" => fields.user(),
            _ => Err(OpError::field(
                "op",
                "there is no such op: emit, join, leave, close_room, disconnect, session, user",
            )),
        }?;
        match fields.leftover() {
            Some(field) => Err(unknown(&name, field)),
            None => Ok(Self { namespace, action }),
        }
    }
}

/// Reads a body, and tells by its fields what is wrong with it.
pub(crate) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, OpError> {
    // serde would take a list of values for an object without names.
    if json.trim_ascii_start().first() == Some(&b'[') {
        return Err(OpError::field("", "it is an object"));
    }
    // Only where something is wrong is it worth the time to keep in mind in which field.
    if let Ok(parsed) = serde_json::from_slice(json) {
        return Ok(parsed);
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        let error = error.into_inner();
        match error.is_data() {
            true => OpError::Field { field: field.trim_start_matches('.').replace('?', ""), message: plain(&error) },
            false => OpError::Syntax(error),
        }
    })?;
    reader.end().map_err(OpError::Syntax)?;
    Ok(parsed)
}

/// What serde says, without the position, which the field tells better.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// The fields of an op beside `op` and `namespace`; `None` when there is no such op.
fn fields(op: &str) -> Option<&'static str> {
    Some(match op {
        "emit" => {
            "event, args, data, attachments, room, to.rooms, to.users, to.sids, except, volatile, history, id, \
             timeout of a call"
        }
        "join" => "target.rooms, target.users, target.sids, except, rooms, leave",
        "leave" => "target.rooms, target.users, target.sids, except, rooms",
        "close_room" => "room",
        "disconnect" => "target.rooms, target.users, target.sids, except, transport",
        "session" => "sid, set",
        "user" => "sid, user",
        _ => return None,
    })
}

fn unknown(op: &str, field: &str) -> OpError {
    let fields = fields(op).unwrap_or_default();
    OpError::field(field, format!("{op} has no such field, but namespace, {fields}"))
}

impl<'a> Fields<'a> {
    /// Reads the fields of an op; of one that is unknown it tells which there are in this op, or the one that is named.
    fn parse(json: &'a [u8], default: Option<&str>) -> Result<Self, OpError> {
        #[derive(Deserialize)]
        struct Op {
            op: String,
        }
        parse(json).map_err(|error| match error {
            OpError::Field { field, message } if !field.contains('.') && message.starts_with("unknown field ") => {
                let named = || serde_json::from_slice(json).ok().map(|Op { op }| op);
                let op = default.map(str::to_owned).or_else(named).filter(|op| fields(op).is_some());
                op.map_or(OpError::field(&field, message), |op| unknown(&op, &field))
            }
            error => error,
        })
    }

    fn emit(&mut self) -> Result<Emit, OpError> {
        let event = required(self.event.take(), "event")?;
        if RESERVED_EVENTS.contains(&&*event) {
            return Err(OpError::Reserved(event));
        }
        let args = self.args()?;
        let mut to = audience(self.to.take(), "to")?;
        if let Some(rooms) = self.room.take() {
            if rooms.is_empty() {
                return Err(OpError::field("room", NOBODY));
            }
            to.rooms.extend(checked(rooms, "room")?);
        }
        let except = self.except()?;
        let volatile = self.volatile.take().unwrap_or_default();
        let manner = Manner { volatile, unkept: !self.history.take().unwrap_or(true), uncompressed: false };
        Ok(Emit { event, args, to, except, manner, id: self.id.take() })
    }

    fn args(&mut self) -> Result<Args, OpError> {
        let json = match (self.args.take(), self.data.take()) {
            (Some(_), Some(_)) => return Err(OpError::field("data", "either `args` or `data`")),
            (Some(args), None) => args.get().to_owned(),
            (None, Some(data)) => format!("[{}]", data.get()),
            (None, None) => "[]".to_owned(),
        };
        let decode = |text: String| STANDARD.decode(text).map(Bytes::from);
        let attachments = self.attachments.take().unwrap_or_default().into_iter().map(decode);
        let attachments = attachments.collect::<Result<Vec<_>, _>>();
        let attachments = attachments.map_err(|_| OpError::field("attachments", "a list of texts in base64"))?;
        let message =
            "a list of at most 1024 arguments, nested 128 deep at most, with a placeholder for each attachment";
        Args::from_parts(&json, attachments, &Limits::default()).map_err(|_| OpError::field("args", message))
    }

    fn join(&mut self) -> Result<Action, OpError> {
        let target = self.target()?;
        let rooms = self.rooms_or_room()?;
        let leave = self.leave.take().map(|leave| match &leave[..] {
            [glob] => Ok(Glob::new(glob)),
            _ => Err(OpError::field("leave", "one name or glob")),
        });
        Ok(Action::Join { target, except: self.except()?, rooms, leave: leave.transpose()? })
    }

    fn leave(&mut self) -> Result<Action, OpError> {
        let target = self.target()?;
        let rooms = self.rooms_or_room()?.iter().map(|glob| Glob::new(glob)).collect();
        Ok(Action::Leave { target, except: self.except()?, rooms })
    }

    fn close_room(&mut self) -> Result<Action, OpError> {
        match <[String; 1]>::try_from(self.rooms_or_room()?) {
            Ok([room]) => Ok(Action::CloseRoom { room }),
            Err(_) => Err(OpError::field("room", "one name")),
        }
    }

    fn disconnect(&mut self) -> Result<Action, OpError> {
        let (target, except) = (self.target()?, self.except()?);
        Ok(Action::Disconnect { target, except, transport: self.transport.take().unwrap_or_default() })
    }

    fn session(&mut self) -> Result<Action, OpError> {
        let sid = required(self.sid.take(), "sid")?;
        let session = required(self.set.take(), "set")?.to_owned();
        if session.get().len() > MAX_SESSION {
            return Err(OpError::field("set", format!("it has {MAX_SESSION} bytes at most")));
        }
        Ok(Action::Session { sid, session: Box::new(Session(session)) })
    }

    fn user(&mut self) -> Result<Action, OpError> {
        let sid = required(self.sid.take(), "sid")?;
        let user = required(self.user.take(), "user")?;
        let user =
            serde_json::from_str(user.get()).map_err(|_| OpError::field("user", "a text, or null for nobody"))?;
        Ok(Action::User { sid, user })
    }

    /// Of whom something is wanted: everybody has to be named.
    fn target(&mut self) -> Result<Audience, OpError> {
        audience(Some(required(self.target.take(), "target")?), "target")
    }

    fn except(&mut self) -> Result<Audience, OpError> {
        audience(self.except.take(), "except")
    }

    fn rooms_or_room(&mut self) -> Result<Vec<String>, OpError> {
        let (rooms, field) = match (self.rooms.take(), self.room.take()) {
            (Some(_), Some(_)) => return Err(OpError::field("room", "either `rooms` or `room`")),
            (Some(rooms), None) => (rooms, "rooms"),
            (None, room) => (required(room, "rooms")?, "room"),
        };
        if rooms.is_empty() {
            return Err(OpError::field(field, "name at least one"));
        }
        checked(rooms, field)
    }

    /// A field that is there, and was not asked for.
    fn leftover(&self) -> Option<&'static str> {
        let fields = [
            ("event", self.event.is_some()),
            ("args", self.args.is_some()),
            ("data", self.data.is_some()),
            ("attachments", self.attachments.is_some()),
            ("room", self.room.is_some()),
            ("to", self.to.is_some()),
            ("except", self.except.is_some()),
            ("volatile", self.volatile.is_some()),
            ("history", self.history.is_some()),
            ("id", self.id.is_some()),
            ("timeout", self.timeout.is_some()),
            ("target", self.target.is_some()),
            ("rooms", self.rooms.is_some()),
            ("leave", self.leave.is_some()),
            ("transport", self.transport.is_some()),
            ("sid", self.sid.is_some()),
            ("set", self.set.is_some()),
            ("user", self.user.is_some()),
        ];
        fields.into_iter().find(|(_, is_there)| *is_there).map(|(field, _)| field)
    }
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, OpError> {
    field.ok_or_else(|| OpError::field(name, "it is missing"))
}

/// An audience; one that is written names somebody, so that a list that came out empty does not mean everybody.
fn audience(named: Option<Named>, field: &str) -> Result<Audience, OpError> {
    let Some(Named { rooms, users, sids }) = named else { return Ok(Audience::default()) };
    let rooms = checked(rooms.unwrap_or_default(), &format!("{field}.rooms"))?;
    let audience = Audience { rooms, users: users.unwrap_or_default(), sids: sids.unwrap_or_default() };
    // Nobody is left out by an empty list.
    if audience.is_everybody() && field != "except" {
        return Err(OpError::field(field, NOBODY));
    }
    Ok(audience)
}

/// Names of rooms that are possible.
pub(crate) fn checked(rooms: Vec<String>, field: &str) -> Result<Vec<String>, OpError> {
    match rooms.iter().all(|room| is_room(room)) {
        false => Err(OpError::field(field, "a name has at least one character, and begins with no control character")),
        true => Ok(rooms),
    }
}

/// Whether a room from outside may have this name: those that begin with control characters are the server's own.
pub(crate) fn is_room(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(char::is_control)
}

#[cfg(test)]
#[path = "op_tests.rs"]
mod tests;
