//! What it is: names of rooms with places in them that a client's request fills.
//! What it is not: a language; what is missing leaves the whole name out.
//! Who calls it: `keys`, for `auto_join`; `namespaces` fills them.

use super::{
    kind::{Scalar, quoted},
    value::Value,
};

/// A text with places such as `{query.session_id}` and `{sid}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The id of the socket.
    Id,
    /// A parameter of the query.
    Query(String),
}

impl Template {
    /// The text with its places filled; `None` when something is missing or empty, or has control characters.
    pub(crate) fn fill(&self, id: &str, query: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Id => filled.push_str(id),
                Part::Query(name) => {
                    let value = query(name)?;
                    if value.is_empty() || value.contains(char::is_control) {
                        return None;
                    }
                    filled.push_str(&value);
                }
            }
        }
        Some(filled)
    }
}

impl Scalar for Template {
    const KIND: &'static str = "the name of a room, in which {query.NAME} and {sid} may stand";

    fn read(value: &Value) -> Option<Self> {
        let mut rest = value.text()?;
        let mut parts = Vec::new();
        while let Some((before, place)) = rest.split_once('{') {
            let (place, after) = place.split_once('}')?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match place.strip_prefix("query.") {
                Some(name) if !name.is_empty() => Part::Query(name.to_owned()),
                None if place == "sid" => Part::Id,
                _ => return None,
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        (!parts.is_empty() && !rest.contains('}')).then_some(Self(parts))
    }

    fn shown(&self) -> String {
        let shown = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Id => "{sid}".into(),
            Part::Query(name) => format!("{{query.{name}}}"),
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
    fn places_are_filled_or_the_name_is_left_out() {
        let query = |name: &str| match name {
            "id" => Some("7".to_owned()),
            "empty" => Some(String::new()),
            "odd" => Some("a\nb".to_owned()),
            _ => None,
        };
        for (template, room) in [
            ("news", Some("news")),
            ("user:{query.id}", Some("user:7")),
            ("{query.id}-{sid}-x", Some("7-S-x")),
            ("user:{query.nobody}", None),
            ("user:{query.empty}", None),
            ("user:{query.odd}", None),
        ] {
            let template = read(template).expect(template);
            assert_eq!(template.fill("S", query).as_deref(), room, "{template:?}");
        }
        for wrong in ["", "{", "a}", "{}", "{query.}", "{user}", "{sid"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
