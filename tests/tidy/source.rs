//! What it is: the Rust files of the workspace as text: found, stripped of comments and literals, asked for words.
//! What it is not: a parser of Rust; it knows quotes, comments and paths.
//! Who calls it: the rules in `tidy.rs`.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

/// One Rust file.
pub(crate) struct Source {
    /// From the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text, with blanks over what is in quotes.
    pub(crate) unquoted: String,
    /// The text, with blanks over what is in quotes and over comments.
    pub(crate) code: String,
}

/// All Rust files of the workspace.
pub(crate) static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources = Vec::new();
    for folder in ["engineio", "socketio", "server", "tests", "fuzz"] {
        find(folder, &mut sources);
    }
    sources
});

fn find(folder: &str, sources: &mut Vec<Source>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in fs::read_dir(root.join(folder)).expect("the folder can be read") {
        let entry = entry.expect("the entry can be read");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("the type is known");
        if kind.is_dir() && !path.ends_with("/node_modules") && !path.ends_with("/target") {
            find(&path, sources);
        } else if kind.is_file() && path.ends_with(".rs") {
            let text = read(&path);
            sources.push(Source { path, unquoted: blank(&text, true), code: blank(&text, false), text });
        }
    }
}

pub(crate) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Source {
    /// The folder, and the name without `.rs`.
    pub(crate) fn place(&self) -> (&str, &str) {
        self.path.strip_suffix(".rs").and_then(|path| path.rsplit_once('/')).expect("every file is in a folder")
    }

    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/") || self.path.ends_with("_tests.rs")
    }

    /// The code without its unit tests, which come last.
    pub(crate) fn code_without_tests(&self) -> &str {
        self.code.split("\n#[cfg(test)]\n").next().unwrap_or_default()
    }
}

/// Writes blanks over what is in quotes and, if they are not to be kept, over comments. Lines stay where they are.
fn blank(text: &str, keep_comments: bool) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let comment = rest.starts_with("//").then(|| rest.find('\n').unwrap_or(rest.len()));
        let after_word = blanked.ends_with(|last: char| last.is_alphanumeric() && last != 'b');
        let length = comment.or_else(|| quoted(rest, after_word)).unwrap_or(0);
        let (part, tail) = rest.split_at(length.max(first.len_utf8()));
        if length == 0 || comment.is_some() && keep_comments {
            blanked.push_str(part);
        } else {
            blanked.extend(part.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        }
        rest = tail;
    }
    blanked
}

/// Length of what is in quotes at the start of `text`, quotes included; `None` when there are none.
fn quoted(text: &str, after_word: bool) -> Option<usize> {
    let tail = text.get(1..)?;
    let hashes = tail.bytes().take_while(|byte| *byte == b'#').count();
    if text.starts_with('r') && !after_word && tail[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(hashes + 2 + text[hashes + 2..].find(&end)? + end.len());
    }
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let is_lifetime = quote == '\'' && !text.starts_with("'\\") && text.chars().nth(2) != Some('\'');
    let mut escaped = false;
    let end = tail.find(|character| {
        let end = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        end
    })?;
    (!is_lifetime).then_some(end + 2)
}

/// Whether one of `words` stands in `line`, and not only as a part of a longer word.
pub(crate) fn names(line: &str, words: &[&str]) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    words.iter().any(|word| {
        line.match_indices(word)
            .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part))
    })
}

/// What the file uses of its own crate: the first name of every path from the root.
pub(crate) fn used(code: &str) -> BTreeSet<&str> {
    let paths = code.split("crate::").skip(1).chain(code.split("super::").skip(1));
    paths.flat_map(|path| if path.starts_with('{') { top_level(path) } else { vec![first_name(path)] }).collect()
}

fn first_name(path: &str) -> &str {
    path.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap_or_default()
}

/// The first names in a tree in braces.
fn top_level(tree: &str) -> Vec<&str> {
    let (mut depth, mut names) = (0, Vec::new());
    for (at, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (character, depth) {
            ('{' | ',', 1) => names.push(first_name(tree[at + 1..].trim_start())),
            (_, 0) => break,
            _ => {}
        }
    }
    // Behind the last comma there may be nothing.
    names.retain(|name| !name.is_empty());
    names
}
