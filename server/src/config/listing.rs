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
    for Key { name, doc, setting } in Setting::keys(&config).unwrap_or_default() {
        text.push('\n');
        comment(&mut text, "", doc);
        if let Some(item) = setting.item() {
            let _infallible = writeln!(text, "# [[{name}]]");
            lines(&mut text, &*item, "# ");
        } else {
            let _infallible = writeln!(text, "[{name}]");
            lines(&mut text, setting, "");
        }
    }
    text
}

/// Lines for an environment, which mean the same as none.
pub(crate) fn environment() -> String {
    let config = Config::default();
    let mut text = String::new();
    for Key { name: section, setting, doc } in Setting::keys(&config).unwrap_or_default() {
        for Key { name, doc, setting } in setting.keys().unwrap_or(vec![Key { name: "", doc, setting }]) {
            let path = if name.is_empty() { section.to_owned() } else { format!("{section}.{name}") };
            comment(&mut text, "", doc);
            let shown = setting.shown();
            let value = serde_json::from_str::<String>(&shown).unwrap_or(shown);
            let _infallible = writeln!(text, "{}={value}", variable(&path));
        }
    }
    text
}

fn lines(text: &mut String, section: &dyn Setting, before: &str) {
    for Key { name, doc, setting } in section.keys().unwrap_or_default() {
        comment(text, before, doc);
        let _infallible = writeln!(text, "{before}{name} = {}", setting.shown());
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
