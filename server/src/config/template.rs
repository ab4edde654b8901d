//! What it is: texts with slots in them that are filled for each socket, or each event.
//! What it is not: a language; what is missing leaves the whole text out.
//! Who calls it: `keys`, for names of rooms; `data`, for texts in answers; `slots` fills them.

use super::{
    kind::{Scalar, quoted},
    value::Value,
};

/// A text with slots such as `{query.session_id}` and `{0.task_id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Slot(Slot),
}

/// What stands in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The id of the socket.
    Id,
    User,
    /// A parameter of the query.
    Query(String),
    /// A claim of the token, and the way into it.
    Claim(Vec<String>),
    /// An argument of the event by its number, and the way into it.
    Arg(usize, Vec<String>),
}

impl Template {
    /// Reads a text; control characters are nowhere in it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut parts) = (text, Vec::new());
        while let Some((before, slot)) = rest.split_once('{') {
            let (slot, after) = slot.split_once('}')?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Slot(Slot::read(slot)?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let is_plain = |part: &Part| !matches!(part, Part::Text(text) if text.contains('}'));
        let is_right = parts.iter().all(is_plain) && !text.contains(char::is_control);
        parts.retain(|part| *part != Part::Text(String::new()));
        is_right.then_some(Self(parts))
    }

    /// The text with its slots filled.
    ///
    /// # Errors
    /// What `value` says of a slot that it cannot fill.
    pub(crate) fn fill<E>(&self, value: impl Fn(&Slot) -> Result<String, E>) -> Result<String, E> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Slot(slot) => filled.push_str(&value(slot)?),
            }
        }
        Ok(filled)
    }

    /// The slots in it.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Slot(slot) => Some(slot),
        })
    }

    /// The slot that it is, if it is nothing else.
    pub(crate) fn only_slot(&self) -> Option<&Slot> {
        match &self.0[..] {
            [Part::Slot(slot)] => Some(slot),
            _ => None,
        }
    }

    /// As it was written.
    pub(super) fn text(&self) -> String {
        let shown = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Slot(slot) => format!("{{{slot}}}"),
        };
        self.0.iter().map(shown).collect()
    }
}

impl Slot {
    fn read(text: &str) -> Option<Self> {
        let (first, way) = text.split_once('.').map_or((text, None), |(first, way)| (first, Some(way)));
        let names = way.into_iter().flat_map(|way| way.split('.')).map(str::to_owned).collect::<Vec<_>>();
        if names.iter().any(String::is_empty) {
            return None;
        }
        match (first, way) {
            ("sid", None) => Some(Self::Id),
            ("user", None) => Some(Self::User),
            ("query", Some(name)) => Some(Self::Query(name.to_owned())),
            ("claim", Some(_)) => Some(Self::Claim(names)),
            (number, _) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().ok().map(|number| Self::Arg(number, names))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id => f.write_str("sid"),
            Self::User => f.write_str("user"),
            Self::Query(name) => write!(f, "query.{name}"),
            Self::Claim(way) => write!(f, "claim.{}", way.join(".")),
            Self::Arg(number, way) => {
                write!(f, "{number}")?;
                way.iter().try_for_each(|name| write!(f, ".{name}"))
            }
        }
    }
}

/// The name of a room, made of an event.
impl Scalar for Template {
    const KIND: &'static str =
        "the name of a room, in which {0.FIELD}, {user}, {sid}, {query.NAME} and {claim.NAME} may stand";

    fn read(value: &Value) -> Option<Self> {
        Self::parse(value.text()?).filter(|template| !template.0.is_empty())
    }

    fn shown(&self) -> String {
        quoted(&self.text())
    }
}

/// The name of a room that is joined before there are events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstRoom(pub(crate) Template);

impl Scalar for FirstRoom {
    const KIND: &'static str = "the name of a room, in which {user}, {sid}, {query.NAME} and {claim.NAME} may stand";

    fn read(value: &Value) -> Option<Self> {
        let is_of_event = |slot: &Slot| matches!(slot, Slot::Arg(..));
        Template::read(value).filter(|template| !template.slots().any(is_of_event)).map(Self)
    }

    fn shown(&self) -> String {
        self.0.shown()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Template> {
        Template::read(&Value::Text(text.into()))
    }

    #[test]
    fn slots_are_filled_or_the_text_is_left_out() {
        let value = |slot: &Slot| match slot.to_string().as_str() {
            "sid" => Ok("S".to_owned()),
            "query.id" | "claim.a.0" | "0" | "12.a.b" => Ok("7".to_owned()),
            _ => Err(()),
        };
        for (template, room) in [
            ("news", Some("news")),
            ("user:{query.id}", Some("user:7")),
            ("{query.id}-{sid}-x", Some("7-S-x")),
            ("{claim.a.0}", Some("7")),
            ("{0}{12.a.b}", Some("77")),
            ("user:{query.nobody}", None),
            ("{sid}{user}", None),
            ("{1}", None),
        ] {
            let read = read(template).expect(template);
            assert_eq!(read.fill(value).ok().as_deref(), room, "{template}");
            assert_eq!(read.shown(), quoted(template));
        }
        for wrong in [
            "",
            "{",
            "a}",
            "a}{sid}",
            "{}",
            "{query.}",
            "{query}",
            "{claim}",
            "{claim.a..b}",
            "{users}",
            "{sid",
            "{-1}",
            "{0.}",
            "{sid.a}",
            "a\u{1}",
            "{99999999999999999999}",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(FirstRoom::read(&Value::Text("{0.a}".into())), None);
    }
}
