//! What it is: the rules that keep the pages in `docs/` whole: every option, every difference that tests know of.
//! What it is not: a judge of their words.
//! Who calls it: `tidy.rs`.

use std::{collections::BTreeSet, fmt::Debug};

use engineio::{Config, Cookie, Cors, Http, Origins, PerMessageDeflate, Serve};
use socketio::{EventRate, Limits, Presence, Recovery, RoomHistory, Throttle};

use crate::{
    none,
    rows::{of_label, unknown},
    source::read,
};

/// Options that have no default: they are arguments of `new`.
const ARGUMENTS: [&str; 2] = ["name", "origins"];

/// The tables of a page: rows of cells, the heads left out.
fn tables(page: &str) -> Vec<Vec<&str>> {
    let lines = page.lines().filter(|line| line.starts_with("| "));
    let rows = lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    rows.filter(|cells| !["option", "rows", "figure"].contains(&cells[0])).collect()
}

/// What stands in the first backquotes.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_default()
}

/// Names and values of the fields that `{:?}` shows; of a value that has fields itself its type.
fn shown(value: &dyn Debug) -> Vec<(String, String)> {
    let text = format!("{value:?}");
    let fields = text.split_once(" { ").and_then(|(_, rest)| rest.strip_suffix(" }")).expect("fields in braces");
    let (mut depth, mut is_quoted, mut start, mut found) = (0, false, 0, Vec::new());
    for (at, character) in fields.char_indices().chain([(fields.len(), ',')]) {
        match character {
            '"' => is_quoted = !is_quoted,
            '(' | '[' | '{' if !is_quoted => depth += 1,
            ')' | ']' | '}' if !is_quoted => depth -= 1,
            ',' if !is_quoted && depth == 0 => {
                let field = fields[start..at].trim().split_once(": ");
                found.extend(field.map(|(name, value)| (name.to_owned(), type_or_value(value).to_owned())));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn type_or_value(shown: &str) -> &str {
    shown.split_once(" { ").map_or(shown, |(name, _)| name)
}

/// The options of a type in its source: public fields, and methods that take it and give it back changed.
fn in_source(file: &str, name: &str) -> BTreeSet<String> {
    let text = read(file);
    let block = |start: String| text.split_once(&start).and_then(|(_, rest)| rest.split("\n}\n").next());
    let fields = block(format!("pub struct {name} {{\n")).unwrap_or_default().lines();
    let fields = fields.filter_map(|line| line.strip_prefix("    pub ")?.split_once(": ")).map(|(name, _)| name);
    let methods = block(format!("\nimpl {name} {{\n")).unwrap_or_default().split("    pub fn ").skip(1);
    let methods = methods.filter_map(|method| {
        let (name, rest) = method.split_once(['(', '<'])?;
        let head = rest.split(" {\n").next()?;
        (head.contains("self, ") || head.contains("self)")).then_some(())?;
        (head.contains("-> Self") || head.contains("-> Result<Self")).then_some(name)
    });
    fields.chain(methods).map(str::to_owned).collect()
}

/// The rows of entries of the table of requests that the official server and ours answer differently, on purpose.
fn differing() -> BTreeSet<String> {
    let text = read("tests/js/differential/differences.json");
    let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let wanted = entries.iter().filter(|(_, entry)| entry.get("differs").is_some());
    wanted.flat_map(|(key, _)| of_label(key.split(" | ").nth(1).unwrap_or_default())).collect()
}

#[test]
fn the_page_of_options_has_all_and_their_defaults() {
    let page = read("docs/options.md");
    let cors = Cors::new(Origins::Any);
    let cookie = Cookie::new("io").expect("a name");
    let types: [(&str, &str, &dyn Debug); 13] = [
        ("socketio::Config", "socketio/src/server.rs", &socketio::Config::default()),
        ("Limits", "socketio/src/limits.rs", &Limits::default()),
        ("EventRate", "socketio/src/event_rate.rs", &EventRate::default()),
        ("Recovery", "socketio/src/recovery.rs", &Recovery::default()),
        ("RoomHistory", "socketio/src/room_history.rs", &RoomHistory::default()),
        ("Throttle", "socketio/src/throttle.rs", &Throttle::default()),
        ("Presence", "socketio/src/presence.rs", &Presence::default()),
        ("Config", "engineio/src/config.rs", &Config::default()),
        ("PerMessageDeflate", "engineio/src/config.rs", &PerMessageDeflate::default()),
        ("Http", "engineio/src/http.rs", &Http::default()),
        ("Cors", "engineio/src/cors.rs", &cors),
        ("Cookie", "engineio/src/cookie.rs", &cookie),
        ("Serve", "engineio/src/serve.rs", &Serve::default()),
    ];
    let mut found = Vec::new();
    for (name, file, default) in types {
        let (_, section) = page.split_once(&format!("\n## `{name}`\n")).unwrap_or_default();
        let rows = tables(section.split("\n## ").next().unwrap_or_default());
        let on_page: BTreeSet<_> = rows.iter().map(|cells| code(cells[0]).to_owned()).collect();
        let shown = shown(default);
        let mut in_code = in_source(file, name.trim_start_matches("socketio::"));
        in_code.extend(shown.iter().map(|(option, _)| option.clone()));
        found.extend(in_code.difference(&on_page).map(|option| format!("{name}::{option} is not on the page")));
        found.extend(on_page.difference(&in_code).map(|option| format!("{name}::{option} is no option")));
        for cells in rows {
            let option = code(cells[0]);
            if cells.len() != 5 || cells[1..4].contains(&"") {
                found.push(format!("{name}::{option} has no name in the reference, no unit or no default"));
                continue;
            }
            let default = shown.iter().find(|(name, _)| name == option && !ARGUMENTS.contains(&option));
            let said = default.map_or("none", |_| code(cells[3]));
            if default.is_none() && !cells[3].starts_with("none") || default.is_some_and(|(_, value)| value != said) {
                found.push(format!("{name}::{option} is by default {default:?}, and not {}", cells[3]));
            }
        }
    }
    none(&found, "Tell of options in docs/options.md as they are");
}

#[test]
fn the_page_of_differences_has_all_that_tests_know_of() {
    let page = read("docs/differences.md");
    let tables = tables(&page);
    let told: BTreeSet<_> = tables.iter().flat_map(|cells| of_label(&cells[0].replace(", ", " "))).collect();
    let missing = differing().difference(&told).cloned().collect::<Vec<_>>();
    none(&missing, "Tell of these differences from the official server in docs/differences.md");
    none(&unknown(&told), "There are no such rows");
    let short: Vec<_> =
        tables.iter().filter(|cells| cells.len() < 3 || cells.contains(&"")).map(|cells| cells.join(" | ")).collect();
    none(&short, "Say what the reference does, what this server does, and why");
}

#[test]
fn pages_are_linked_to() {
    let of_engineio = ["README.md", "ARCHITECTURE.md", "engineio/src/lib.rs"];
    let of_socketio = ["README.md", "ARCHITECTURE.md", "socketio/src/lib.rs"];
    let of_server = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let pages = [
        ("docs/server.md", of_server),
        ("docs/options.md", of_engineio),
        ("docs/options.md", of_socketio),
        ("docs/differences.md", of_engineio),
        ("docs/delivery.md", of_socketio),
    ];
    for (page, texts) in pages {
        for text in texts {
            assert!(read(text).contains(page), "{text} should name {page}");
        }
    }
}

/// The figures of the binary, without their prefix.
fn figures() -> BTreeSet<String> {
    let text = read("server/src/metrics.rs");
    let kinds = ["gauge(", "gauges(", "quantile(", "counter(", "counters(", "histogram(", "histograms("];
    let declared = kinds.iter().flat_map(|kind| text.split(kind).skip(1));
    let names = declared.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_page_of_the_server_has_all_figures() {
    let page = read("docs/server.md");
    let (_, section) = page.split_once("\n### Figures\n").unwrap_or_default();
    let rows = tables(section.split("\n## ").next().unwrap_or_default());
    let names = rows.iter().flat_map(|cells| cells[0].split('`').skip(1).step_by(2));
    let told: BTreeSet<String> = names.map(|name| name.split('{').next().unwrap_or_default().to_owned()).collect();
    let differing: Vec<_> = figures().symmetric_difference(&told).cloned().collect();
    none(&differing, "Tell of these figures in docs/server.md as they are");
}

#[test]
fn the_dashboard_shows_figures_that_are_there() {
    let (dashboard, figures) = (read("server/grafana/socketio-server.json"), figures());
    let _valid: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let words = dashboard.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect::<BTreeSet<_>>();
    let shown = words.into_iter().filter_map(|word| word.strip_prefix("socketio_"));
    let unknown = shown.filter(|name| !figures.contains(name.trim_end_matches("_bucket").trim_end_matches("_count")));
    none(&unknown.map(str::to_owned).collect::<Vec<_>>(), "server/src/metrics.rs has no such figures");
}
