//! What it is: what a file, the environment or a flag says, before it is known to be right.
//! What it is not: the kinds of values that keys have; those are `kind`.
//! Who calls it: `source` makes values; `setting` and `kind` read them.

use std::{fmt, path::PathBuf, sync::Arc};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// A value as it was written.
#[derive(Clone)]
pub(super) enum Value {
    /// From the environment or a flag, where everything is text; what it is depends on the key.
    Raw(String),
    Text(String),
    /// A whole number, or one with a fraction, as it was written.
    Number(String),
    Bool(bool),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// Something no key takes, such as a date.
    Other,
}

/// A key of a table, with its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) place: Place,
}

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Line(Arc<PathBuf>, usize),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{}:{line}", file.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Value {
    /// A table of a file.
    pub(super) fn of_file(table: &DeTable<'_>, file: &Arc<PathBuf>, text: &str) -> Self {
        let entry = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
            name: name.get_ref().to_string(),
            place: Place::Line(file.clone(), line(text, name.span().start)),
            value: Self::of_toml(value.get_ref(), file, text),
        };
        Self::Table(table.iter().map(entry).collect())
    }

    fn of_toml(value: &DeValue<'_>, file: &Arc<PathBuf>, text: &str) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Self::Number(number.as_str().to_owned()),
            DeValue::Float(number) => Self::Number(number.as_str().to_owned()),
            DeValue::Boolean(value) => Self::Bool(*value),
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| Self::of_toml(item.get_ref(), file, text)).collect())
            }
            DeValue::Table(table) => Self::of_file(table, file, text),
            DeValue::Integer(_) | DeValue::Datetime(_) => Self::Other,
        }
    }

    fn of_json(value: serde_json::Value, place: &Place) -> Self {
        match value {
            serde_json::Value::Null => Self::Other,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number.to_string()),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(items) => {
                Self::List(items.into_iter().map(|item| Self::of_json(item, place)).collect())
            }
            serde_json::Value::Object(table) => {
                let entry = |(name, value)| Entry { name, value: Self::of_json(value, place), place: place.clone() };
                Self::Table(table.into_iter().map(entry).collect())
            }
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Raw(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number as it was written.
    pub(super) fn number(&self) -> Option<&str> {
        match self {
            Self::Raw(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn bool(&self) -> Option<bool> {
        match self {
            Self::Raw(text) => text.parse().ok(),
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a list, which in the environment is JSON; of anything else, that alone; of an empty text none.
    pub(super) fn items(&self, place: &Place) -> Vec<Value> {
        match self {
            Self::List(items) => items.clone(),
            Self::Raw(text) | Self::Text(text) if text.is_empty() => Vec::new(),
            // What is no JSON may be an address of IPv6.
            Self::Raw(text) if text.starts_with('[') => match serde_json::from_str(text) {
                Ok(list) => Self::of_json(list, place).items(place),
                Err(_) => vec![self.clone()],
            },
            other => vec![other.clone()],
        }
    }
}

/// The number of the line in which this byte is.
pub(super) fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
