//! What it is: the messages that python-socketio's servers and `RedisManager`s publish, as ops.
//! What it is not: the way on which they come (`redis`, `api`), nor the doing (`perform`).
//! Who calls it: `redis`, with what is published on its channels.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use socketio::{Args, Glob, Limits};

use crate::{
    op::{Action, Emit, Op},
    redis::is_own,
    room_name::{RoomName, RoomNames},
    sockets::Audience,
};

/// The first byte of a pickle of protocol 2 or later.
const PICKLE: u8 = 0x80;

/// What a message wants.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Do(Op),
    /// Each recipient of the event is asked for an answer.
    Ask(Op, Callback),
    /// Nothing of us: it is the answer to another's question, or an event for nobody.
    Nothing,
}

/// Whom an answer is for: the server that asked, and what it asked by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Callback {
    host_id: Value,
    sid: Value,
    namespace: Value,
    id: Value,
}

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PubSubError {
    /// It is a pickle, and reading one can run any code.
    Pickle,
    Syntax,
    /// A field has the form of another.
    Form,
    /// It has no method that is known.
    Method,
    /// This field is missing or wrong.
    Field(&'static str),
}

impl PubSubError {
    /// Its name in figures.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Pickle => "pickle",
            Self::Syntax | Self::Form | Self::Field(_) => "malformed",
            Self::Method => "unknown_method",
        }
    }
}

impl fmt::Display for PubSubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pickle => f.write_str(
                "a pickle, which is not read because it could run any code: \
                 upgrade python-socketio to 5.14 or later wherever it publishes",
            ),
            Self::Syntax => f.write_str("no JSON object"),
            Self::Method => f.write_str("a method that is not known"),
            Self::Form => f.write_str("a field is wrong"),
            Self::Field(field) => write!(f, "{field} is missing or wrong"),
        }
    }
}

/// All fields that messages have; there may be others.
#[derive(Debug, Deserialize)]
struct Fields<'a> {
    method: Option<String>,
    namespace: Option<String>,
    event: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    binary: Option<bool>,
    room: Option<RoomNames>,
    sid: Option<String>,
    skip_sid: Option<RoomNames>,
    callback: Option<Value>,
    host_id: Option<Value>,
}

impl Message {
    /// Reads a message; nothing is wanted by one of a server of this kind.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, PubSubError> {
        if bytes.first() == Some(&PICKLE) {
            return Err(PubSubError::Pickle);
        }
        let fields: Fields<'_> = serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
            true => PubSubError::Form,
            false => PubSubError::Syntax,
        })?;
        if fields.host_id.as_ref().and_then(Value::as_str).is_some_and(is_own) {
            return Ok(Self::Nothing);
        }
        let namespace = fields.namespace.clone().unwrap_or_else(|| "/".into());
        let action = match fields.method.as_deref() {
            Some("emit") => return fields.emit(namespace),
            // It is for the server that asked, which is none of ours.
            Some("callback") => return Ok(Self::Nothing),
            Some("disconnect") => {
                Action::Disconnect { target: fields.sid()?, except: Audience::default(), transport: false }
            }
            Some("enter_room") => Action::Join {
                target: fields.sid()?,
                except: Audience::default(),
                rooms: vec![fields.room()?],
                leave: None,
            },
            Some("leave_room") => Action::Leave {
                target: fields.sid()?,
                except: Audience::default(),
                rooms: vec![Glob::exact(&fields.room()?)],
            },
            Some("close_room") => Action::CloseRoom { room: fields.room()? },
            _ => return Err(PubSubError::Method),
        };
        Ok(Self::Do(Op { namespace, action }))
    }
}

impl Fields<'_> {
    fn emit(self, namespace: String) -> Result<Message, PubSubError> {
        let args = self.args()?;
        let to = match self.room.map(RoomNames::into_vec) {
            None => Audience::default(),
            Some(rooms) if rooms.is_empty() => return Ok(Message::Nothing),
            Some(rooms) => Audience { rooms, ..Audience::default() },
        };
        let sids = self.skip_sid.map(RoomNames::into_vec).unwrap_or_default();
        let emit = Emit {
            event: self.event.ok_or(PubSubError::Field("event"))?,
            args,
            to,
            except: Audience { sids, ..Audience::default() },
            ..Emit::default()
        };
        let op = Op { namespace, action: Action::Emit(emit) };
        // Of another length it means nothing, as among Python's servers.
        match self.callback.as_ref().and_then(Value::as_array).map(Vec::as_slice) {
            Some([sid, namespace, id]) => {
                let [sid, namespace, id] = [sid, namespace, id].map(Clone::clone);
                Ok(Message::Ask(op, Callback { host_id: self.host_id.unwrap_or_default(), sid, namespace, id }))
            }
            _ => Ok(Message::Do(op)),
        }
    }

    /// The arguments. A list is all of them; anything else, as python-socketio 5.14.0 to 5.15.0 wrote it, the only one.
    /// `null` alone is none: so python-socketio writes that there is no argument, and its servers read it.
    fn args(&self) -> Result<Args, PubSubError> {
        const DATA: PubSubError = PubSubError::Field("data");
        let (data, attachments) = match (self.data, self.binary) {
            (None, _) => ("[]", Vec::new()),
            (Some(data), Some(true)) => {
                let parts: Vec<&RawValue> = serde_json::from_str(data.get()).map_err(|_| DATA)?;
                let (data, attachments) = parts.split_first().ok_or(DATA)?;
                let decode = |part: &&RawValue| {
                    let text: String = serde_json::from_str(part.get()).map_err(|_| DATA)?;
                    STANDARD.decode(text).map(Bytes::from).map_err(|_| DATA)
                };
                (data.get(), attachments.iter().map(decode).collect::<Result<_, _>>()?)
            }
            (Some(data), _) if is_none(data) => ("[]", Vec::new()),
            (Some(data), _) => (data.get(), Vec::new()),
        };
        let list = if data.starts_with('[') { data.to_owned() } else { format!("[{data}]") };
        Args::from_parts(&list, attachments, &Limits::default()).map_err(|_| DATA)
    }

    fn sid(&self) -> Result<Audience, PubSubError> {
        self.sid.clone().map(Audience::sid).ok_or(PubSubError::Field("sid"))
    }

    fn room(&self) -> Result<String, PubSubError> {
        match &self.room {
            Some(RoomNames::One(RoomName(room))) if !room.is_empty() => Ok(room.clone()),
            _ => Err(PubSubError::Field("room")),
        }
    }
}

/// Whether it is `null`, or that alone in a list.
fn is_none(data: &RawValue) -> bool {
    let text = data.get();
    serde_json::from_str::<()>(text).is_ok() || serde_json::from_str::<[(); 1]>(text).is_ok()
}

impl Callback {
    /// The message with a client's answer. `None` if there is binary in it, for which these messages have no form.
    pub(crate) fn message(&self, answer: &Args) -> Option<String> {
        #[derive(Serialize)]
        struct Answer<'a> {
            method: &'static str,
            #[serde(flatten)]
            callback: &'a Callback,
            args: &'a RawValue,
        }

        let json = answer.to_json();
        let args = serde_json::from_str(&json).expect("arguments are JSON");
        let answer_of = Answer { method: "callback", callback: self, args };
        answer.attachments().is_empty().then(|| serde_json::to_string(&answer_of).expect("texts and JSON"))
    }
}

#[cfg(test)]
#[path = "pubsub_tests.rs"]
mod tests;
