//! What it is: what docs/server.md says in its tables, to be tried.
//! What it is not: a reader of Markdown.
//! Who calls it: the tests of what the page says.

use std::fs;

/// The last cells of the rows of the table with this head.
pub fn last_cells(head: &str) -> Vec<String> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/server.md")).expect("the page");
    let (_, rows) = page.split_once(&format!("{head}\n")).expect("a table");
    let rows = rows.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_end_matches(" |").rsplit("| ").next().expect("a cell").to_owned()).collect()
}
