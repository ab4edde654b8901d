//! What it is: the kinds of values that keys have, plain ones: how each is read, and shown.
//! What it is not: kinds that know what they are for; those are in `word`.
//! Who calls it: `keys` names them; `setting` assigns through them.

use std::{fmt, path::PathBuf, time::Duration};

use super::{
    setting::{At, Outcome, Section, Setting},
    value::Value,
};

/// A value without parts.
pub(super) trait Scalar: Sized {
    /// What it looks like, behind "must be".
    const KIND: &'static str;
    const IS_SECRET: bool = false;

    /// `None` when it is no such value.
    fn read(value: &Value) -> Option<Self>;

    /// As TOML.
    fn shown(&self) -> String;
}

impl<T: Scalar> Setting for T {
    fn kind(&self) -> String {
        T::KIND.into()
    }

    fn shown(&self) -> String {
        Scalar::shown(self)
    }

    fn assign(&mut self, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
        match T::read(value) {
            Some(new) => *self = new,
            None => outcome.problems.push(at.expected(T::KIND)),
        }
    }

    fn is_secret(&self) -> bool {
        T::IS_SECRET
    }
}

/// One or a list.
impl<T: Scalar> Setting for Vec<T> {
    fn kind(&self) -> String {
        format!("{}, or a list of such", T::KIND)
    }

    fn shown(&self) -> String {
        match &self[..] {
            [only] => only.shown(),
            items => format!("[{}]", items.iter().map(Scalar::shown).collect::<Vec<_>>().join(", ")),
        }
    }

    fn assign(&mut self, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
        let items = value.items(at.place);
        if let Some(new) = items.iter().map(T::read).collect() {
            *self = new;
            return;
        }
        let wrong = items.iter().position(|item| T::read(item).is_none()).filter(|_| items.len() > 1);
        outcome.problems.push(match (wrong, value) {
            (Some(index), _) => At { path: &format!("{}[{index}]", at.path), place: at.place }.expected(T::KIND),
            (None, Value::Raw(_)) => at.expected(format!("{} in JSON: [\"a\",\"b\"]", self.kind())),
            (None, _) => at.expected(self.kind()),
        });
    }

    fn is_secret(&self) -> bool {
        T::IS_SECRET
    }
}

/// A list of tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tables<T>(pub(crate) Vec<T>);

/// An item of such a list.
pub(super) trait Item: Section + Setting + 'static {
    /// What the items are.
    const KIND: &'static str;
    const IS_SECRET: bool = false;

    /// One that is told by a text instead of a table.
    fn of_text(_: &str) -> Option<Self> {
        None
    }
}

impl<T: Item> Setting for Tables<T> {
    fn kind(&self) -> String {
        T::KIND.into()
    }

    fn shown(&self) -> String {
        format!("[{}]", self.0.iter().map(Setting::shown).collect::<Vec<_>>().join(", "))
    }

    /// What a later source says replaces the list.
    fn assign(&mut self, value: &Value, at: &At<'_>, outcome: &mut Outcome) {
        self.0.clear();
        for (index, item) in value.items(at.place).iter().enumerate() {
            if let Some(new) = item.text().and_then(T::of_text) {
                self.0.push(new);
            } else if let Value::Table(_) = item {
                let mut new = T::default();
                new.assign(item, &At { path: &format!("{}[{index}]", at.path), place: at.place }, outcome);
                self.0.push(new);
            } else {
                outcome.problems.push(at.expected(T::KIND));
            }
        }
    }

    fn is_secret(&self) -> bool {
        T::IS_SECRET
    }

    fn item(&self) -> Option<Box<dyn Setting>> {
        Some(Box::new(T::default()))
    }
}

impl Scalar for bool {
    const KIND: &'static str = "true or false";

    fn read(value: &Value) -> Option<Self> {
        value.bool()
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Scalar for usize {
    const KIND: &'static str = "a whole number";

    fn read(value: &Value) -> Option<Self> {
        value.number()?.parse().ok()
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Scalar for u32 {
    const KIND: &'static str = "a whole number";

    fn read(value: &Value) -> Option<Self> {
        value.number()?.parse().ok()
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Scalar for String {
    const KIND: &'static str = "a text";

    fn read(value: &Value) -> Option<Self> {
        value.text().map(str::to_owned)
    }

    fn shown(&self) -> String {
        quoted(self)
    }
}

impl Scalar for Duration {
    const KIND: &'static str =
        "a time such as \"250ms\", \"25s\", \"5m\" or \"2h\"; a bare number is seconds, and 3600 at most";

    fn read(value: &Value) -> Option<Self> {
        time_of(value, 3600)
    }

    fn shown(&self) -> String {
        let (millis, seconds) = (self.as_millis(), self.as_secs());
        match () {
            () if millis % 1000 > 0 => format!("\"{millis}ms\""),
            () if seconds > 0 && seconds.is_multiple_of(3600) => format!("\"{}h\"", seconds / 3600),
            () if seconds > 0 && seconds.is_multiple_of(60) => format!("\"{}m\"", seconds / 60),
            () => format!("\"{seconds}s\""),
        }
    }
}

/// A time that most say in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Brief(pub(crate) Duration);

impl Scalar for Brief {
    const KIND: &'static str = "a time such as \"100ms\" or \"2s\"; a bare number is seconds, and 10 at most";

    fn read(value: &Value) -> Option<Self> {
        time_of(value, 10).map(Self)
    }

    fn shown(&self) -> String {
        Scalar::shown(&self.0)
    }
}

/// A time, which without a unit has so many seconds at most: more are milliseconds, as Socket.IO has them elsewhere.
fn time_of(value: &Value, most: u64) -> Option<Duration> {
    let text = value.number().or(value.text())?;
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    time(text).filter(|time| has_unit || *time <= Duration::from_secs(most))
}

/// A time as a text.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = text[..text.len() - unit.len()].parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

impl Scalar for Size {
    const KIND: &'static str = "a number of bytes, or a size such as \"1MB\" or \"1MiB\"";

    fn read(value: &Value) -> Option<Self> {
        let text = value.number().or(value.text())?;
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
        text[..text.len() - unit.len()].parse::<usize>().ok()?.checked_mul(*bytes).map(Self)
    }

    fn shown(&self) -> String {
        let exact = |(_, bytes): &&(&str, usize)| *bytes > 1 && self.0 > 0 && self.0.is_multiple_of(*bytes);
        match UNITS.iter().rev().find(exact) {
            Some((name, bytes)) => format!("\"{}{name}\"", self.0 / bytes),
            None => self.0.to_string(),
        }
    }
}

const UNITS: [(&str, usize); 8] = [
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

impl Scalar for Option<PathBuf> {
    const KIND: &'static str = "a path, or \"\" for none";

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?;
        Some((!text.is_empty()).then(|| text.into()))
    }

    fn shown(&self) -> String {
        quoted(&self.as_deref().unwrap_or("".as_ref()).to_string_lossy())
    }
}

impl Scalar for PathBuf {
    const KIND: &'static str = "a path";

    fn read(value: &Value) -> Option<Self> {
        value.text().filter(|text| !text.is_empty()).map(Into::into)
    }

    fn shown(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

/// A text that is not shown to anybody.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Scalar for Secret {
    const KIND: &'static str = "a secret text";
    const IS_SECRET: bool = true;

    fn read(value: &Value) -> Option<Self> {
        value.text().map(|text| Self(text.to_owned()))
    }

    fn shown(&self) -> String {
        quoted(if self.0.is_empty() { "" } else { "***" })
    }
}

/// A text as TOML and JSON have it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
