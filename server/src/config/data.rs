//! What it is: any JSON in which texts may have slots: what a rule answers.
//! What it is not: arguments of events; these are taken as they come.
//! Who calls it: `rule` reads it; `rules` fills it.

use serde_json::{Map, Number};

use super::{
    kind::quoted,
    template::{Slot, Template},
    value::{Entry, Value},
};

/// A value with slots in its texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Text(Template),
    Number(Number),
    Bool(bool),
    List(Vec<Data>),
    Table(Vec<(String, Data)>),
}

impl Data {
    /// `None` when it has something that JSON has not, or a slot that there is not.
    pub(super) fn read(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Raw(text) | Value::Text(text) => Self::Text(Template::parse(text)?),
            Value::Number(text) => Self::Number(text.trim_start_matches('+').parse().ok()?),
            Value::Bool(value) => Self::Bool(*value),
            Value::List(items) => Self::List(items.iter().map(Self::read).collect::<Option<_>>()?),
            Value::Table(entries) => {
                let entry = |entry: &Entry| Some((entry.name.clone(), Self::read(&entry.value)?));
                Self::Table(entries.iter().map(entry).collect::<Option<_>>()?)
            }
            Value::Other => return None,
        })
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(template) => quoted(&template.text()),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", ")),
            Self::Table(fields) => {
                let shown = |(name, data): &(String, Self)| format!("{} = {}", quoted(name), data.shown());
                format!("{{ {} }}", fields.iter().map(shown).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The value with its slots filled. A text that is nothing but a slot becomes what is in it, be it a number.
    ///
    /// # Errors
    /// What `value` says of a slot that it cannot fill.
    pub(crate) fn fill<E>(
        &self,
        value: &impl Fn(&Slot) -> Result<serde_json::Value, E>,
    ) -> Result<serde_json::Value, E> {
        Ok(match self {
            Self::Text(template) => match template.only_slot() {
                Some(slot) => value(slot)?,
                None => template.fill(|slot| value(slot).map(|value| plain(&value)))?.into(),
            },
            Self::Number(number) => number.clone().into(),
            Self::Bool(value) => (*value).into(),
            Self::List(items) => items.iter().map(|item| item.fill(value)).collect::<Result<Vec<_>, E>>()?.into(),
            Self::Table(fields) => {
                let filled = fields.iter().map(|(name, data)| Ok((name.clone(), data.fill(value)?)));
                filled.collect::<Result<Map<_, _>, E>>()?.into()
            }
        })
    }

    /// All slots in it.
    pub(crate) fn slots(&self) -> Vec<&Slot> {
        match self {
            Self::Text(template) => template.slots().collect(),
            Self::Number(_) | Self::Bool(_) => Vec::new(),
            Self::List(items) => items.iter().flat_map(Self::slots).collect(),
            Self::Table(fields) => fields.iter().flat_map(|(_, data)| data.slots()).collect(),
        }
    }
}

/// A text or a number as it stands among others.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
