//! What it is: names of rooms or events, written with `*` for any characters: `chat:*`.
//! What it is not: a pattern of namespaces (`pattern`), which names what it matches.
//! Who calls it: rules for rooms (`room_rules`), with names that applications emit to; applications, with their own.

use std::fmt;

/// Names that are meant: one name, or all that a text with `*`, for any characters or none, matches as a whole.
///
/// ```
/// use socketio::Glob;
///
/// assert!(Glob::new("chat:*").matches("chat:7"));
/// assert!(!Glob::new("chat").matches("chat:7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// What comes before the first `*`; all of it if there is none.
    prefix: Box<str>,
    /// What comes behind each `*`; the last one ends the name.
    pieces: Vec<Box<str>>,
}

impl Glob {
    /// The names that this text means.
    pub fn new(text: &str) -> Self {
        let mut pieces = text.split('*').map(Into::into);
        Self { prefix: pieces.next().unwrap_or_default(), pieces: pieces.collect() }
    }

    /// This name alone, even if there is a `*` in it.
    pub fn exact(name: &str) -> Self {
        Self { prefix: name.into(), pieces: Vec::new() }
    }

    /// Whether it is one name.
    pub fn is_exact(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        let Some(mut rest) = name.strip_prefix(&*self.prefix) else { return false };
        let Some((last, pieces)) = self.pieces.split_last() else { return rest.is_empty() };
        for piece in pieces {
            // Where it is found first leaves the most for those behind it.
            let Some(at) = rest.find(&**piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(&**last)
    }
}

/// The text that it was made of.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)?;
        self.pieces.iter().try_for_each(|piece| write!(f, "*{piece}"))
    }
}

/// Several of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Globs(Box<[Glob]>);

impl Globs {
    pub(crate) fn new(texts: &[String]) -> Self {
        Self(texts.iter().map(|text| Glob::new(text)).collect())
    }

    /// Whether one of them matches.
    pub(crate) fn match_any(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_meant_as_it_is() {
        assert!(Glob::exact("a*").matches("a*") && !Glob::exact("a*").matches("ab"));
    }

    #[test]
    fn names_match_as_a_whole() {
        let rows = [
            ("a", "a", true),
            ("a", "ab", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "é:1", true),
            ("chat:*", "chat:", true),
            ("chat:*", "chat:1:2", true),
            ("chat:*", "Chat:1", false),
            ("*:end", "a:end", true),
            ("*:end", "a:end.", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "ac", false),
            ("a*ab", "ab", false),
            ("a*b*b", "ab", false),
            ("**", "x", true),
        ];
        for (glob, name, expected) in rows {
            assert_eq!(Glob::new(glob).matches(name), expected, "{glob} {name}");
            assert_eq!(Glob::new(glob).to_string(), glob);
        }
    }
}
