//! What it is: names of rooms with slots in them that are filled for each socket.
//! What it is not: a language; what is missing leaves the whole name out.
//! Who calls it: `keys`, for `auto_join`; `slots` fills them.

use super::{
    kind::{Scalar, quoted},
    value::Value,
};

/// A text with slots such as `{query.session_id}` and `{sid}`.
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
}

impl Template {
    /// The text with its slots filled; `None` when something is missing.
    pub(crate) fn fill(&self, value: impl Fn(&Slot) -> Option<String>) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Slot(slot) => filled.push_str(&value(slot)?),
            }
        }
        Some(filled)
    }

    /// The slots in it.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Slot(slot) => Some(slot),
        })
    }
}

impl Slot {
    fn read(text: &str) -> Option<Self> {
        match text.split_once('.') {
            None if text == "sid" => Some(Self::Id),
            None if text == "user" => Some(Self::User),
            Some(("query", name)) if !name.is_empty() => Some(Self::Query(name.to_owned())),
            Some(("claim", way)) => {
                let way: Vec<_> = way.split('.').map(str::to_owned).collect();
                way.iter().all(|name| !name.is_empty()).then_some(Self::Claim(way))
            }
            _ => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Id => "sid".into(),
            Self::User => "user".into(),
            Self::Query(name) => format!("query.{name}"),
            Self::Claim(way) => format!("claim.{}", way.join(".")),
        }
    }
}

impl Scalar for Template {
    const KIND: &'static str = "the name of a room, in which {user}, {sid}, {query.NAME} and {claim.NAME} may stand";

    fn read(value: &Value) -> Option<Self> {
        let mut rest = value.text()?;
        let mut parts = Vec::new();
        while let Some((before, slot)) = rest.split_once('{') {
            let (slot, after) = slot.split_once('}')?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Slot(Slot::read(slot)?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let is_whole = parts.iter().all(|part| !matches!(part, Part::Text(text) if text.contains('}')));
        parts.retain(|part| *part != Part::Text(String::new()));
        (!parts.is_empty() && is_whole).then_some(Self(parts))
    }

    fn shown(&self) -> String {
        let shown = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Slot(slot) => format!("{{{}}}", slot.shown()),
        };
        quoted(&self.0.iter().map(shown).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Template> {
        Template::read(&Value::Text(text.into()))
    }

    #[test]
    fn slots_are_filled_or_the_name_is_left_out() {
        let value = |slot: &Slot| match slot.shown().as_str() {
            "sid" => Some("S".to_owned()),
            "query.id" | "claim.a.0" => Some("7".to_owned()),
            _ => None,
        };
        for (template, room) in [
            ("news", Some("news")),
            ("user:{query.id}", Some("user:7")),
            ("{query.id}-{sid}-x", Some("7-S-x")),
            ("{claim.a.0}", Some("7")),
            ("user:{query.nobody}", None),
            ("{sid}{user}", None),
        ] {
            let read = read(template).expect(template);
            assert_eq!(read.fill(value).as_deref(), room, "{template}");
            assert_eq!(read.shown(), quoted(template));
        }
        for wrong in ["", "{", "a}", "a}{sid}", "{}", "{query.}", "{claim}", "{claim.a..b}", "{users}", "{sid", "{0.a}"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
