//! What it is: what a backend answers to a hook, read as a whole before any of it is done.
//! What it is not: the doing (`effect`).
//! Who calls it: `outcome`, with the bodies of answers.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use socketio::{Args, Limits};

use crate::{
    member::{self, MAX_SESSION},
    op::{self, Op, OpError},
};

/// What is to be done, in this order but for the error, which is told before a client is sent away.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Kept with the socket; `null` forgets what was kept.
    pub(crate) session: Option<Box<RawValue>>,
    /// Whose the socket is; nobody's with an inner `None`.
    pub(crate) user: Option<Option<String>>,
    /// What others in its rooms see of it.
    pub(crate) info: Option<Value>,
    /// Joined by the socket.
    pub(crate) rooms: Vec<String>,
    pub(crate) actions: Vec<Op>,
    /// Answered to the client, if it wants that.
    pub(crate) ack: Option<Args>,
    pub(crate) error: Option<Told>,
    /// Sends the client away.
    pub(crate) disconnect: bool,
}

/// What a client is told of an error.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    pub(crate) message: Option<String>,
    pub(crate) data: Option<Value>,
}

/// An answer that makes no sense. It does not repeat what was answered, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Where; empty of the answer as a whole.
    field: String,
    what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.field {
            "" => f.write_str(self.what),
            field => write!(f, "{field}: {}", self.what),
        }
    }
}

/// All fields of an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    ack: Option<&'a RawValue>,
    attachments: Option<Vec<String>>,
    #[serde(borrow)]
    actions: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow, deserialize_with = "op::present")]
    session: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "op::present")]
    user: Option<&'a RawValue>,
    info: Option<Value>,
    rooms: Option<Vec<String>>,
    disconnect: Option<bool>,
    error: Option<Told>,
}

impl Answer {
    /// Reads an answer to a hook of this namespace. An empty one wants nothing.
    ///
    /// # Errors
    /// [`Malformed`], if any part of it makes no sense.
    pub(crate) fn read(body: &[u8], namespace: &str) -> Result<Self, Malformed> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(wrong("", "the answer is no object of JSON"));
        }
        let mut reader = serde_json::Deserializer::from_slice(body);
        let fields: Fields<'_> = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let field = error.path().to_string();
            match error.into_inner().is_data() {
                true => wrong(field.trim_matches(['.', '?']), "no such field, or not of its kind"),
                false => wrong("", "the answer is no JSON"),
            }
        })?;
        reader.end().map_err(|_| wrong("", "the answer is no JSON"))?;
        fields.check(namespace)
    }
}

impl Fields<'_> {
    fn check(self, namespace: &str) -> Result<Answer, Malformed> {
        let mut actions = Vec::new();
        for (index, json) in self.actions.unwrap_or_default().into_iter().enumerate() {
            let action = Op::read_in(namespace, json.get().as_bytes());
            actions.push(action.map_err(|error| of_op(&format!("actions[{index}]"), &error))?);
        }
        let session = self.session.map(ToOwned::to_owned);
        if session.as_ref().is_some_and(|session| session.get().len() > MAX_SESSION) {
            return Err(wrong("session", "it has too many bytes"));
        }
        let user = self.user.map(|user| serde_json::from_str::<Option<String>>(user.get())).transpose();
        let user = user.map_err(|_| wrong("user", "a text, or null for nobody"))?;
        if user.as_ref().is_some_and(|user| user.as_deref().is_some_and(|user| !member::can_be_user(user))) {
            return Err(wrong("user", "it is no name of a user"));
        }
        let rooms = op::checked(self.rooms.unwrap_or_default(), "rooms").map_err(|error| of_op("", &error))?;
        Ok(Answer {
            session,
            user,
            info: self.info,
            rooms,
            actions,
            ack: self.ack.map(|ack| arguments(ack, self.attachments.unwrap_or_default())).transpose()?,
            error: self.error,
            disconnect: self.disconnect.unwrap_or_default(),
        })
    }
}

fn arguments(json: &RawValue, attachments: Vec<String>) -> Result<Args, Malformed> {
    let attachments: Result<Vec<_>, _> =
        attachments.into_iter().map(|text| STANDARD.decode(text).map(Bytes::from)).collect();
    let attachments = attachments.map_err(|_| wrong("attachments", "a list of texts in base64"))?;
    let limits = Limits { max_args: usize::MAX, ..Limits::default() };
    Args::from_parts(json.get(), attachments, &limits)
        .map_err(|_| wrong("ack", "a list of arguments, with a placeholder for each attachment"))
}

fn wrong(field: &str, what: &'static str) -> Malformed {
    Malformed { field: field.to_owned(), what }
}

fn of_op(at: &str, error: &OpError) -> Malformed {
    let what = match error {
        OpError::Syntax(_) => "no JSON",
        OpError::Field { .. } => "missing, unknown, or not of its kind",
        OpError::Reserved(_) => "a name that is reserved for clients",
    };
    let field = if let OpError::Field { field, .. } = error { field } else { "" };
    let dot = if at.is_empty() || field.is_empty() { "" } else { "." };
    Malformed { field: format!("{at}{dot}{field}"), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_a_whole_or_not_at_all() {
        for body in ["", " \n", "{}", r#"{"ack":null,"actions":null,"rooms":null,"error":null}"#] {
            let answer = Answer::read(body.as_bytes(), "/").expect(body);
            assert!(answer.ack.is_none() && answer.actions.is_empty() && answer.session.is_none(), "{body}");
        }
        let body = r#"{"ack":[1,{"_placeholder":true,"num":0}],"attachments":["YQ=="],"session":null,"user":null,
            "info":{"a":1},"rooms":["r"],"disconnect":true,"error":{"message":"m","data":[1]},
            "actions":[{"op":"emit","event":"e"},{"op":"emit","namespace":"/b","event":"e"}]}"#;
        let answer = Answer::read(body.as_bytes(), "/a").expect(body);
        assert_eq!(answer.ack.expect("there").attachments(), ["a"]);
        assert_eq!(answer.session.expect("there").get(), "null");
        assert_eq!((answer.user, answer.rooms, answer.disconnect), (Some(None), vec!["r".to_owned()], true));
        assert_eq!(answer.error.expect("there").message.as_deref(), Some("m"));
        let namespaces: Vec<_> = answer.actions.iter().map(|op| &*op.namespace).collect();
        assert_eq!(namespaces, ["/a", "/b"], "without a name it is that of the hook");
    }

    #[test]
    fn what_is_wrong_is_told_without_what_was_answered() {
        let long = format!(r#"{{"session":"{}"}}"#, "x".repeat(MAX_SESSION));
        for (body, told) in [
            ("<html>secret", "the answer is no object of JSON"),
            ("[]", "the answer is no object of JSON"),
            ("\"secret\"", "the answer is no object of JSON"),
            ("{\"secret", "the answer is no JSON"),
            ("{} secret", "the answer is no JSON"),
            (r#"{"actoins":["secret"]}"#, "actoins: no such field, or not of its kind"),
            (r#"{"disconnect":"secret"}"#, "disconnect: no such field, or not of its kind"),
            (r#"{"rooms":"secret"}"#, "rooms: no such field, or not of its kind"),
            (r#"{"rooms":["secret",7]}"#, "rooms[1]: no such field, or not of its kind"),
            (r#"{"rooms":["secret",""]}"#, "rooms: missing, unknown, or not of its kind"),
            (r#"{"error":{"msg":"secret"}}"#, "error.msg: no such field, or not of its kind"),
            (r#"{"ack":"secret"}"#, "ack: a list of arguments, with a placeholder for each attachment"),
            (r#"{"ack":[],"attachments":["secret!"]}"#, "attachments: a list of texts in base64"),
            (r#"{"user":7}"#, "user: a text, or null for nobody"),
            (r#"{"user":"a\nsecret"}"#, "user: it is no name of a user"),
            (long.as_str(), "session: it has too many bytes"),
            (
                r#"{"actions":[{"op":"emit","event":"e"},{"op":"emitt"}]}"#,
                "actions[1].op: missing, unknown, or not of its kind",
            ),
            (r#"{"actions":[7]}"#, "actions[0]: missing, unknown, or not of its kind"),
            (r#"{"actions":[{"op":"emit","event":"connect"}]}"#, "actions[0]: a name that is reserved for clients"),
        ] {
            let error = Answer::read(body.as_bytes(), "/").expect_err(body).to_string();
            assert_eq!(error, told, "{body}");
        }
    }
}
