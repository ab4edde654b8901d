//! What it is: how keys are declared, once each: name, kind, default and the line that explains them.
//! What it is not: the keys (`keys`), nor the kinds of their values (`kind`).
//! Who calls it: `keys` declares with `section!`; `config` assigns what sources say; `listing` shows all.

use std::{env, fmt, fs, io, path::Path};

use super::value::{Entry, Place, Value};

/// Names that are this much alike, of 1, are worth a suggestion.
const ALIKE: f64 = 0.85;

/// A key's value, or a table of keys.
pub(super) trait Setting {
    /// What a value looks like, for messages.
    fn kind(&self) -> String;

    /// The value as TOML, which in lists is JSON, too.
    fn shown(&self) -> String;

    /// Takes what a source says; of a table, only the keys that it names.
    fn assign(&mut self, value: &Value, at: &At<'_>, outcome: &mut Outcome);

    /// Whether the value must not be shown, and may come from a file of its own, named by `<key>_file`.
    fn is_secret(&self) -> bool {
        false
    }

    /// The keys of a table.
    fn keys(&self) -> Option<Vec<Key<'_>>> {
        None
    }

    /// The keys of each item of a list of tables, with their defaults.
    fn item(&self) -> Option<Box<dyn Setting>> {
        None
    }
}

/// A key as it was declared, and its value.
pub(super) struct Key<'a> {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) setting: &'a dyn Setting,
}

/// Of which key something was said, and where.
pub(super) struct At<'a> {
    pub(super) path: &'a str,
    pub(super) place: &'a Place,
}

/// What came of reading the sources.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) problems: Vec<Problem>,
    /// Paths of keys that somebody has said something of.
    pub(super) assigned: Vec<String>,
}

/// What is wrong with one thing that a source says. It does not repeat the value, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    Unknown { place: Place, path: String, suggestion: Option<String> },
    Invalid { place: Place, path: String, expected: String },
    Unreadable { place: Place, path: String, error: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { place, path, suggestion } => {
                match place {
                    Place::Variable(_) => write!(f, "{place}: there is no such option")?,
                    _ => write!(f, "{place}: there is no option {path}")?,
                }
                suggestion.iter().try_for_each(|name| write!(f, "; did you mean {name}?"))
            }
            Self::Invalid { place, path, expected } => write!(f, "{place}: {path} must be {expected}"),
            Self::Unreadable { place, path, error } => write!(f, "{place}: {path} names a file: {error}"),
        }
    }
}

impl At<'_> {
    pub(super) fn expected(&self, expected: impl Into<String>) -> Problem {
        Problem::Invalid { place: self.place.clone(), path: self.path.to_owned(), expected: expected.into() }
    }
}

/// What the declaration of a table gives.
pub(super) trait Section: Default {
    fn keys(&self) -> Vec<Key<'_>>;

    fn setting(&mut self, name: &str) -> Option<&mut dyn Setting>;
}

/// Assigns the entries of a table, each to its key.
pub(super) fn assign(section: &mut impl Section, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
    let Value::Table(entries) = value else {
        outcome.problems.push(at.expected("a table"));
        return;
    };
    for Entry { name, value, place } in entries {
        let path = if at.path.is_empty() { name.clone() } else { format!("{}.{name}", at.path) };
        if let Some(setting) = section.setting(name) {
            setting.assign(value, &At { path: &path, place }, outcome);
            outcome.assigned.push(path);
            continue;
        }
        let secret = name.strip_suffix("_file").and_then(|name| section.setting(name));
        let Some(secret) = secret.filter(|setting| setting.is_secret()) else {
            let names = Section::keys(section).into_iter().map(|key| key.name.to_owned());
            let suggestion = suggest(name, names);
            outcome.problems.push(Problem::Unknown { place: place.clone(), path, suggestion });
            continue;
        };
        let Some(file) = value.text() else {
            outcome.problems.push(At { path: &path, place }.expected("the path of a file"));
            continue;
        };
        let text = fs::read_to_string(file).map_err(|error| unreadable(file, &error));
        let text = text.map(|text| text.trim_end().to_owned());
        // Whoever wants none names no file: this one has lost what it had.
        match text.and_then(|text| if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text) }) {
            Ok(text) => {
                let path = path.trim_end_matches("_file");
                secret.assign(&Value::Raw(text), &At { path, place }, outcome);
                outcome.assigned.push(path.to_owned());
            }
            Err(error) => outcome.problems.push(Problem::Unreadable { place: place.clone(), path, error }),
        }
    }
}

/// Why a file cannot be read. It is not named: by mistake it may be the secret itself.
fn unreadable(file: &str, error: &io::Error) -> String {
    match env::current_dir().ok().filter(|_| Path::new(file).is_relative()) {
        Some(folder) => format!("{error}, seen from {}", folder.display()),
        None => error.to_string(),
    }
}

/// The name that was probably meant: one that is much alike, or else one with a word more or less.
pub(super) fn suggest(name: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let has_word = |name: &str, word: &str| name.split('_').any(|other| other == word);
    let likeness = names.map(|other| {
        let least = if has_word(name, &other) || has_word(&other, name) { ALIKE } else { 0.0 };
        (strsim::jaro_winkler(name, &other).max(least), other)
    });
    likeness.filter(|(alike, _)| *alike >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}

/// The name of a key that is a word of Rust, too.
pub(super) fn plain(name: &'static str) -> &'static str {
    name.trim_start_matches("r#")
}

/// Declares a table: `/// what it is`, its name, and its keys as `/// what it means`, `name: kind = default`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $section:ident {
            $($(#[doc = $doc:literal])+ $key:ident: $kind:ty = $default:expr,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct $section {
            $($(#[doc = $doc])+ pub(crate) $key: $kind,)+
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl Section for $section {
            fn keys(&self) -> Vec<Key<'_>> {
                vec![$(Key { name: setting::plain(stringify!($key)), doc: concat!($($doc),+), setting: &self.$key },)+]
            }

            fn setting(&mut self, name: &str) -> Option<&mut dyn Setting> {
                $(if name == setting::plain(stringify!($key)) {
                    return Some(&mut self.$key);
                })+
                None
            }
        }
        section!(table $section);
    };
    (table $section:ident) => {
        impl Setting for $section {
            fn kind(&self) -> String {
                "a table".into()
            }

            fn shown(&self) -> String {
                let shown = |key: Key<'_>| format!("{} = {}", key.name, key.setting.shown());
                format!("{{ {} }}", Section::keys(self).into_iter().map(shown).collect::<Vec<_>>().join(", "))
            }

            fn assign(&mut self, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
                setting::assign(self, value, at, outcome);
            }

            fn keys(&self) -> Option<Vec<Key<'_>>> {
                Some(Section::keys(self))
            }
        }
    };
}

pub(super) use section;
