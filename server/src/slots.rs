//! What it is: what stands in the slots of templates, for one socket and one event.
//! What it is not: the templates (`config::Template`).
//! Who calls it: `namespaces`, with rooms that are joined from the start; `rules`.

use std::{cell::RefCell, collections::HashMap};

use serde_json::Value;
use socketio::{Args, Socket};

use crate::{auth::Pass, config::Slot, member::Member};

/// Longest value, in bytes.
const MAX_VALUE: usize = 1024;

/// A slot that cannot be filled: nothing is there, or no text or number, or one that is empty, too long, or has control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfilled(pub(crate) Slot);

/// Where the values of slots come from.
pub(crate) struct Values<'a> {
    socket: &'a Socket,
    args: Option<&'a Args>,
    /// Arguments that were read.
    read: RefCell<HashMap<usize, Value>>,
}

impl<'a> Values<'a> {
    /// Those of a socket, and of an event if there is one.
    pub(crate) fn new(socket: &'a Socket, args: Option<&'a Args>) -> Self {
        Self { socket, args, read: RefCell::default() }
    }

    /// What is in a slot, as a text.
    ///
    /// # Errors
    /// [`Unfilled`].
    pub(crate) fn text(&self, slot: &Slot) -> Result<String, Unfilled> {
        let value = self.value(slot)?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// What is in a slot: a text or a number.
    ///
    /// # Errors
    /// [`Unfilled`].
    pub(crate) fn value(&self, slot: &Slot) -> Result<Value, Unfilled> {
        let found = match slot {
            Slot::Id => Some(self.socket.id().as_str().into()),
            Slot::User => Member::of(self.socket).user().map(|user| (*user).into()),
            Slot::Query(name) => {
                let mut params = self.socket.handshake().params();
                params.find(|(other, _)| other == name).map(|(_, value)| value.into())
            }
            Slot::Claim(way) => {
                let pass = self.socket.get::<Pass>();
                pass.as_ref().and_then(|pass| find(pass.claim(way.first()?)?, &way[1..]).cloned())
            }
            Slot::Arg(number, way) => self.arg(*number, way),
        };
        found.filter(is_plain).ok_or_else(|| Unfilled(slot.clone()))
    }

    fn arg(&self, number: usize, way: &[String]) -> Option<Value> {
        let args = self.args.filter(|args| number < args.len())?;
        let mut read = self.read.borrow_mut();
        // What has binary in it has nothing that could stand in a text.
        let arg = read.entry(number).or_insert_with(|| args.get(number).unwrap_or_default());
        find(arg, way).cloned()
    }
}

/// The value at this way into another one, by names of fields and numbers of items.
fn find<'a>(value: &'a Value, way: &[String]) -> Option<&'a Value> {
    way.iter().try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && text.len() <= MAX_VALUE && !text.contains(char::is_control),
        Value::Number(_) => true,
        _ => false,
    }
}
