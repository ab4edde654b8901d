//! What it is: the kinds of values that rules have: what is checked, and what is answered or passed on.
//! What it is not: what becomes of an event (`rules`).
//! Who calls it: `keys` names them.

use socketio::RESERVED_EVENTS;

use super::{
    data::Data,
    kind::{Scalar, quoted},
    template::Template,
    value::{Entry, Value},
};

/// Whose events a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    Open,
    /// Who has a user.
    User,
    /// Whose token has this role.
    Role(String),
    /// Whom the token allows it.
    Claims,
    /// Whom the application allows it.
    Backend,
}

impl Scalar for Check {
    const KIND: &'static str = "\"open\", \"user\", \"role:NAME\", \"claims\" or \"backend\"";

    fn read(value: &Value) -> Option<Self> {
        match value.text()? {
            "open" => Some(Self::Open),
            "user" => Some(Self::User),
            "claims" => Some(Self::Claims),
            "backend" => Some(Self::Backend),
            text => text.strip_prefix("role:").filter(|role| !role.is_empty()).map(|role| Self::Role(role.into())),
        }
    }

    fn shown(&self) -> String {
        quoted(match self {
            Self::Open => "open",
            Self::User => "user",
            Self::Role(role) => return quoted(&format!("role:{role}")),
            Self::Claims => "claims",
            Self::Backend => "backend",
        })
    }
}

/// An event for who has emitted one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) event: String,
    pub(crate) content: Content,
}

/// The arguments of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    None,
    /// The same as came.
    Echo,
    One(Data),
}

impl Scalar for Option<Reply> {
    const KIND: &'static str = "a table with event, which is no reserved name, and data or echo = true";

    fn read(value: &Value) -> Option<Self> {
        let Value::Table(entries) = value else { return None };
        let (mut event, mut content) = (None, Content::None);
        for Entry { name, value, .. } in entries {
            match (name.as_str(), &content) {
                ("event", _) => event = Some(value.text().filter(|name| !RESERVED_EVENTS.contains(name))?.to_owned()),
                ("data", Content::None) => content = Content::One(Data::read(value)?),
                ("echo", Content::None) => content = if value.bool()? { Content::Echo } else { Content::None },
                _ => return None,
            }
        }
        match event {
            Some(event) => Some(Some(Reply { event, content })),
            None => entries.is_empty().then_some(None),
        }
    }

    fn shown(&self) -> String {
        let Some(Reply { event, content }) = self else { return "{}".into() };
        let content = match content {
            Content::None => String::new(),
            Content::Echo => ", echo = true".into(),
            Content::One(data) => format!(", data = {}", data.shown()),
        };
        format!("{{ event = {}{content} }}", quoted(event))
    }
}

/// A room to which an event goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) room: Template,
    /// Whether only members of the room may have that.
    pub(crate) members_only: bool,
}

impl Scalar for Option<Relay> {
    const KIND: &'static str = "a table with room, and perhaps members_only = false";

    fn read(value: &Value) -> Option<Self> {
        let Value::Table(entries) = value else { return None };
        let (mut room, mut members_only) = (None, true);
        for Entry { name, value, .. } in entries {
            match name.as_str() {
                "room" => room = Some(Template::read(value)?),
                "members_only" => members_only = value.bool()?,
                _ => return None,
            }
        }
        match room {
            Some(room) => Some(Some(Relay { room, members_only })),
            None => entries.is_empty().then_some(None),
        }
    }

    fn shown(&self) -> String {
        match self {
            Some(Relay { room, members_only }) => {
                format!("{{ room = {}, members_only = {members_only} }}", room.shown())
            }
            None => "{}".into(),
        }
    }
}

/// The one argument of an ack.
impl Scalar for Option<Data> {
    const KIND: &'static str = "a value that JSON has, or \"\" for none";

    fn read(value: &Value) -> Option<Self> {
        match value.text() {
            Some("") => Some(None),
            _ => Data::read(value).map(Some),
        }
    }

    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), Data::shown)
    }
}
