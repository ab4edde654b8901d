//! What it is: all keys with their defaults, as a file or as an environment.
//! What it is not: a template for anybody's server; it says what holds when nothing is said.
//! Who calls it: the subcommand `default-config`.

use std::fmt::Write;

use super::{
    keys::Config,
    setting::{Key, Setting},
    source::variable,
};

/// Widest line of a comment.
const WIDTH: usize = 100;

/// A TOML file with all defaults, which means the same as an empty one.
pub(crate) fn file() -> String {
    let config = Config::default();
    let mut text = String::from(
        "# All options with their defaults. Times are \"250ms\", \"25s\", \"5m\", \"2h\" or seconds; sizes are bytes,\n\
         # \"1kB\", \"1KiB\", \"1MB\" or \"1MiB\".\n",
    );
    for key in Setting::keys(&config).unwrap_or_default() {
        table(&mut text, "", "", key);
    }
    text
}

/// A table with its keys, and then the tables in it.
fn table(text: &mut String, path: &str, before: &str, Key { name, doc, setting }: Key<'_>) {
    let path = format!("{path}{name}");
    let item = setting.item();
    text.push_str(before.trim_end());
    text.push('\n');
    comment(text, before, doc);
    let (before, open, close) = if item.is_some() { ("# ", "[[", "]]") } else { (before, "[", "]") };
    let _infallible = writeln!(text, "{before}{open}{path}{close}");
    let keys = item.as_deref().unwrap_or(setting).keys().unwrap_or_default();
    // A list of tables is a value elsewhere, as its default is short.
    let is_table = |key: &Key<'_>| key.setting.keys().is_some() || (item.is_some() && key.setting.item().is_some());
    let (tables, values): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_table);
    for Key { name, doc, setting } in values {
        comment(text, before, doc);
        let _infallible = writeln!(text, "{before}{name} = {}", setting.shown());
    }
    for key in tables {
        table(text, &format!("{path}."), before, key);
    }
}

/// Lines for an environment, which mean the same as none.
pub(crate) fn environment() -> String {
    let config = Config::default();
    let mut text = String::new();
    variables(&mut text, "", Setting::keys(&config).unwrap_or_default());
    text
}

fn variables(text: &mut String, before: &str, keys: Vec<Key<'_>>) {
    for Key { name, doc, setting } in keys {
        let path = format!("{before}{name}");
        if let Some(keys) = setting.keys() {
            variables(text, &format!("{path}."), keys);
            continue;
        }
        comment(text, "", doc);
        let shown = setting.shown();
        let value = serde_json::from_str::<String>(&shown).unwrap_or(shown);
        let _infallible = writeln!(text, "{}={value}", variable(&path));
    }
}

/// A comment, broken between words.
fn comment(text: &mut String, before: &str, doc: &str) {
    let mut width = usize::MAX;
    for word in doc.split_whitespace() {
        if width.saturating_add(1 + word.len()) > WIDTH {
            let start = if width == usize::MAX { "" } else { "\n" };
            let _infallible = write!(text, "{start}{before}#");
            width = before.len() + 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text.push('\n');
}
