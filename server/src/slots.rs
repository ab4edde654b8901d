//! What it is: what stands in the slots of templates, for one socket.
//! What it is not: the templates (`config::Template`).
//! Who calls it: `namespaces`, with rooms that are joined from the start.

use serde_json::Value;
use socketio::Socket;

use crate::{auth::Pass, config::Slot, member::Member};

/// Longest value, in bytes.
const MAX_VALUE: usize = 1024;

/// What stands in a slot; `None` when that is missing, or no text or number that a name can have.
pub(crate) fn fill(slot: &Slot, socket: &Socket) -> Option<String> {
    let value = match slot {
        Slot::Id => socket.id().to_string(),
        Slot::User => Member::of(socket).user()?.to_string(),
        Slot::Query(name) => {
            let mut params = socket.handshake().params();
            params.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())?
        }
        Slot::Claim(way) => text(find(socket.get::<Pass>()?.claim(&way[0])?, &way[1..])?)?,
    };
    let is_plain = !value.is_empty() && value.len() <= MAX_VALUE && !value.contains(char::is_control);
    is_plain.then_some(value)
}

/// The value at this way into another one, by names of fields and numbers of items.
fn find<'a>(value: &'a Value, way: &[String]) -> Option<&'a Value> {
    way.iter().try_fold(value, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
