//! What it is: the names of a family of namespaces, written with parameters: `/org-{org}/room-{id}`.
//! What it is not: a regular expression; a name matches as a whole and in one way.
//! Who calls it: `namespace` reads one from the application's text; `namespaces` asks it about names.

use std::collections::BTreeMap;

/// A pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As it was written, with its leading slash.
    pub(crate) text: String,
    /// What comes before the first parameter.
    prefix: String,
    parameters: Vec<Parameter>,
}

/// A parameter, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    /// Whether its value may hold slashes; only the last one's may.
    is_rest: bool,
    literal: String,
}

impl Pattern {
    /// Reads a pattern, to which a missing leading slash was added.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut pieces = text.split('{');
        let prefix = pieces.next().unwrap_or_default().to_owned();
        let mut parameters: Vec<Parameter> = Vec::new();
        for piece in pieces {
            let (name, literal) = piece.split_once('}').ok_or("a parameter is not closed")?;
            let (name, is_rest) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
            if name.is_empty() {
                return Err("a parameter has no name");
            }
            match parameters.last() {
                Some(before) if before.is_rest => return Err("something follows the rest"),
                Some(before) if before.literal.is_empty() => return Err("nothing is between two parameters"),
                _ => {}
            }
            if parameters.iter().any(|parameter| parameter.name == name) {
                return Err("two parameters have the same name");
            }
            if is_rest && !literal.is_empty() {
                return Err("something follows the rest");
            }
            parameters.push(Parameter { name: name.to_owned(), is_rest, literal: literal.to_owned() });
        }
        let literals = parameters.iter().map(|parameter| &parameter.literal);
        if literals.chain([&prefix]).any(|literal| literal.contains('}')) {
            return Err("a parameter is closed, but not opened");
        }
        Ok(Self { text: text.to_owned(), prefix, parameters })
    }

    /// The parameters of a name, as a JSON object of strings; `None` when it does not match.
    ///
    /// A value is not empty, and ends where the text behind the parameter is found first; this finds a match if
    /// there is one, because what a value may be does not depend on where it ends.
    pub(crate) fn read(&self, name: &str) -> Option<Box<str>> {
        let mut rest = name.strip_prefix(self.prefix.as_str())?;
        let mut values = BTreeMap::new();
        let mut parameters = self.parameters.iter().peekable();
        while let Some(parameter) = parameters.next() {
            let end = if parameters.peek().is_none() {
                rest.len() - rest.ends_with(&parameter.literal).then_some(parameter.literal.len())?
            } else {
                let first = rest.chars().next()?.len_utf8();
                first + rest[first..].find(&parameter.literal)?
            };
            let (value, tail) = rest.split_at(end);
            if value.is_empty() || (!parameter.is_rest && value.contains('/')) {
                return None;
            }
            values.insert(&parameter.name, value);
            rest = &tail[parameter.literal.len()..];
        }
        let values = || serde_json::to_string(&values).expect("strings can be written as JSON").into();
        rest.is_empty().then(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_a_whole() {
        let rows = [
            ("/room-{id}", "/room-1", Some(r#"{"id":"1"}"#)),
            ("/room-{id}", "/room-é\"", Some(r#"{"id":"é\""}"#)),
            ("/room-{id}", "/room-", None),
            ("/room-{id}", "/room-1/2", None),
            ("/room-{id}", "/a/room-1", None),
            ("/room-{id}", "/Room-1", None),
            ("/{a}-{b}", "/x-y-z", Some(r#"{"a":"x","b":"y-z"}"#)),
            ("/{a}-{b}", "/-y", None),
            ("/{a}-{b}", "/--y", Some(r#"{"a":"-","b":"y"}"#)),
            ("/{a}-{b}-c", "/x-y-c-c", Some(r#"{"a":"x","b":"y-c"}"#)),
            ("/{a}-c", "/x-c-c", Some(r#"{"a":"x-c"}"#)),
            ("/{a}/b", "/x/b", Some(r#"{"a":"x"}"#)),
            ("/{a}/b", "/x/bb", None),
            ("/{a}/{b}", "/x/y/z", None),
            ("/{a}/{*b}", "/x/y/z", Some(r#"{"a":"x","b":"y/z"}"#)),
            ("/{*all}", "/", None),
            ("/{*all}", "//", Some(r#"{"all":"/"}"#)),
            ("/{id}", "//", None),
            ("/{id}", "/__proto__", Some(r#"{"id":"__proto__"}"#)),
            ("/fixed", "/fixed", Some("{}")),
            ("/fixed", "/fixed1", None),
        ];
        for (pattern, name, values) in rows {
            let pattern = Pattern::parse(pattern).expect(pattern);
            assert_eq!(pattern.read(name).as_deref(), values, "{} {name}", pattern.text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["/{a", "/a}", "/{a}}", "/{}", "/{*}", "/{a}{b}", "/{a}/{a}", "/{*a}/b", "/{*a}{b}", "/{a}b}c"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
