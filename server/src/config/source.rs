//! What it is: where options come from: a file, the environment, flags; each as the table that it amounts to.
//! What it is not: their order, nor their meaning (`config`).
//! Who calls it: `config`, for each source.

use std::{ffi::OsString, fs, path::Path, sync::Arc};

use toml::de::DeTable;

use super::{
    ConfigError,
    setting::{Key, Problem, Setting, suggest},
    value::{Entry, Place, Value, line},
};

/// What the names of our variables begin with.
const PREFIX: &str = "SOCKETIO_";

/// The variable that names the file; it is a flag's.
const FILE: &str = "SOCKETIO_CONFIG";

/// What a file says.
pub(super) fn file(path: &Path) -> Result<Value, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
    let table = DeTable::parse(&text).map_err(|error| {
        let at = error.span().map_or(1, |span| line(&text, span.start));
        ConfigError::Syntax(path.into(), at, error.message().to_owned())
    })?;
    Ok(Value::of_file(table.get_ref(), &Arc::new(path.to_owned()), &text))
}

/// What our variables say, each of the key with its name. `root` has all keys.
pub(super) fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
    root: &dyn Setting,
    problems: &mut Vec<Problem>,
) -> Vec<Value> {
    let mut paths = Vec::new();
    collect(root, "", &mut paths);
    let mut found = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && *name != FILE) else { continue };
        let place = Place::Variable(name.to_owned());
        let Some(path) = paths.iter().find(|path| variable(path) == name) else {
            // What all of them begin with would make any two alike.
            let tail = |name: &str| name.trim_start_matches(PREFIX).to_owned();
            let suggestion = suggest(&tail(name), paths.iter().map(|path| tail(&variable(path))));
            let suggestion = suggestion.map(|tail| format!("{PREFIX}{tail}"));
            problems.push(Problem::Unknown { place, path: String::new(), suggestion });
            continue;
        };
        match value.into_string() {
            Ok(text) => found.push(at(path, Value::Raw(text), place)),
            Err(_) => problems.push(Problem::Invalid { place, path: path.clone(), expected: "a text in UTF-8".into() }),
        }
    }
    // The order of variables is nobody's: of two that say something of one key, always the same counts.
    found.sort_by_cached_key(|(name, _)| name.clone());
    found.into_iter().map(|(_, value)| value).collect()
}

/// What a flag says of the key with this path.
pub(super) fn flag(path: &str, text: &str, flag: &'static str) -> Value {
    at(path, Value::Raw(text.to_owned()), Place::Flag(flag)).1
}

/// The variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "_"))
}

/// A table that has the value at this path.
fn at(path: &str, value: Value, place: Place) -> (String, Value) {
    let wrap = |value, name: &str| Value::Table(vec![Entry { name: name.to_owned(), value, place: place.clone() }]);
    (path.to_owned(), path.rsplit('.').fold(value, wrap))
}

/// The paths of all keys, and of the files of those that are secret.
fn collect(setting: &dyn Setting, path: &str, paths: &mut Vec<String>) {
    let Some(keys) = setting.keys() else {
        paths.push(path.to_owned());
        if setting.is_secret() {
            paths.push(format!("{path}_file"));
        }
        return;
    };
    for Key { name, setting, .. } in keys {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        collect(setting, &path, paths);
    }
}
