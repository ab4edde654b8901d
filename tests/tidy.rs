//! What it is: the house rules that a program can check (CONTRIBUTING.md), each one a test over the sources as text.
//! What it is not: rustfmt, clippy or rustdoc, which check the rest.
//! Who calls it: `cargo test -p tests --test tidy`.

use std::collections::BTreeSet;

use source::{SOURCES, Source, names, read, used};

#[path = "tidy/minimum.rs"]
mod minimum;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/rows.rs"]
mod rows;
#[path = "tidy/source.rs"]
mod source;

/// The layers of each crate, lowest first. A file uses files of lower layers, and of its own layer those behind `+`,
/// which come before it: so there can be no circle.
const ENGINEIO: &str = "\
    words: protocol, id, packet + protocol, reason + packet, query + protocol reason, handshake + protocol
    codecs: frame, payload + frame, jsonp, extension, deflate
    machine: backlog, config, admission + config, allowance + admission config, event, heartbeat + config, outbox + config, requests, \
        session + allowance backlog config event heartbeat outbox requests, stats + session
    shared: socket, sessions + socket
    carriers: reader, websocket + reader, polling, driver + websocket
    front: engine, origin, refusal, head + refusal, cors + head origin, cookie, compress, http + cookie cors origin refusal, \
        answer + compress head refusal, connection, handover + connection refusal, \
        service + answer engine handover head http origin refusal, bare + answer handover refusal, \
        serve + connection service";
const SOCKETIO: &str = "\
    words: cluster, id + cluster, pid + id, error, trace + error id, event_rate, \
        limits + event_rate, shape, value, data, pattern, \
        glob, room_rules + glob id, room_history + glob room_rules, rooms + id, \
        watch, presence + cluster id room_rules rooms watch
    codecs: list, args + list, packet, decoder + args packet, msgpack_reader + decoder, msgpack_writer, \
        msgpack_json + list msgpack_reader msgpack_writer, msgpack + args decoder msgpack_reader msgpack_writer packet, \
        custom_parser + decoder packet, parser + args custom_parser decoder list msgpack packet, \
        cluster_message + args decoder list
    state: acks, changes, children, tasks, timer, accounts, errands, requests, servers + accounts errands requests, request + requests servers timer, history, ledger + history, load, marks, stats, target, corks, \
        histories + target, throttle + target, peer + acks load marks, running + peer, \
        recovery + history ledger peer stats, hub + changes corks histories peer recovery servers stats target throttle, \
        audience + hub peer target, emission + audience corks hub peer stats target throttle timer, attendance + changes hub target timer, identity + hub peer
    handles: replies, answer + replies, flags, encoded, broadcast + answer encoded flags, \
        remote + broadcast flags replies, operator + answer broadcast encoded flags, \
        socket + answer broadcast encoded flags operator, retries
    handlers: event, extract + event, handler + event extract, state + event extract, calls + handler, \
        lanes + event extract handler, hooks + extract, namespace + event extract handler lanes, \
        delivery + event extract handler hooks lanes namespace, served + delivery event extract handler hooks lanes namespace
    connections: namespaces, family + namespaces, client + namespaces, \
        server + client family namespaces, inbox + namespaces server, other_servers + inbox server, root + server, tower + server, loopback, testing + loopback server";

/// Layers, from the lowest, that take bytes and time as arguments and give values back.
const WITHOUT_IO: [(&str, &str, usize); 2] = [("engineio/src", ENGINEIO, 3), ("socketio/src", SOCKETIO, 2)];

/// The only files of the two crates that name an HTTP or WebSocket library.
const HTTP: [&str; 18] = [
    "engineio/src/bare.rs",
    "engineio/src/reader.rs",
    "engineio/src/websocket.rs",
    "engineio/src/polling.rs",
    "engineio/src/head.rs",
    "engineio/src/cors.rs",
    "engineio/src/cookie.rs",
    "engineio/src/compress.rs",
    "engineio/src/refusal.rs",
    "engineio/src/http.rs",
    "engineio/src/answer.rs",
    "engineio/src/handover.rs",
    "engineio/src/service.rs",
    "engineio/src/serve.rs",
    "socketio/src/server.rs",
    "socketio/src/tower.rs",
    "socketio/src/loopback.rs",
    "socketio/src/testing.rs",
];

/// Most lines of a source file, its docs and unit tests left out.
const MAX_LINES: usize = 450;

/// Most characters of a line.
const MAX_WIDTH: usize = 120;

/// Each file of a table with the files it may use.
fn allowed(table: &'static str) -> Vec<(&'static str, BTreeSet<&'static str>)> {
    let mut files: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    for layer in table.lines() {
        let below: BTreeSet<&str> = files.iter().map(|(file, _)| *file).collect();
        let (_, layer_files) = layer.split_once(": ").expect("a layer is `name: files`");
        for entry in layer_files.split(", ") {
            let (file, beside) = entry.split_once(" + ").unwrap_or((entry, ""));
            let mut may_use = below.clone();
            for name in beside.split_whitespace() {
                let is_before = files.iter().any(|(other, _)| *other == name);
                assert!(is_before && may_use.insert(name), "{file} + {name}: name a file before it, of the same layer");
            }
            files.push((file, may_use));
        }
    }
    files
}

/// Fails with the lines that are wrong, in one reading of those sources that the rule is for.
fn no_line(advice: &str, is_for: fn(&Source) -> bool, reading: fn(&Source) -> &str, wrong: impl Fn(&str) -> bool) {
    let mut found = Vec::new();
    for source in SOURCES.iter().filter(|source| is_for(source)) {
        for (at, line) in reading(source).lines().enumerate().filter(|(_, line)| wrong(line)) {
            found.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
        }
    }
    none(&found, advice);
}

/// Fails with the files that are wrong.
fn no_file(advice: &str, wrong: impl Fn(&Source) -> bool) {
    let found: Vec<_> = SOURCES.iter().filter(|source| wrong(source)).map(|source| source.path.clone()).collect();
    none(&found, advice);
}

fn none(found: &[String], advice: &str) {
    assert!(found.is_empty(), "{advice}:\n{}", found.join("\n"));
}

#[test]
fn files_use_lower_layers_only() {
    let mut found = Vec::new();
    for (folder, table) in [("engineio/src", ENGINEIO), ("socketio/src", SOCKETIO)] {
        let mut table = allowed(table);
        for source in SOURCES.iter().filter(|source| !source.is_test()) {
            let (place, name) = source.place();
            if place != folder || name == "lib" {
                continue;
            }
            let Some(at) = table.iter().position(|(file, _)| *file == name) else {
                found.push(format!("{} is in no layer", source.path));
                continue;
            };
            let (_, may_use) = table.swap_remove(at);
            let used = used(source.code_without_tests());
            found.extend(used.difference(&may_use).map(|other| format!("{} must not use `{other}`", source.path)));
        }
        found.extend(table.iter().map(|(file, _)| format!("{folder}/{file}.rs is in a layer, but is no file")));
    }
    let advice = "Move what two files share into a lower one, name the file instead of the crate root's re-export, \
                  or change the tables in tests/tidy.rs and the layers in lib.rs and ARCHITECTURE.md";
    none(&found, advice);
}

#[test]
fn carriers_and_front_alone_name_http() {
    let is_for = |source: &Source| {
        ["engineio/src/", "socketio/src/"].iter().any(|folder| source.path.starts_with(folder))
            && !HTTP.contains(&&*source.path)
    };
    let libraries = ["hyper", "hyper_util", "http_body_util", "tokio_tungstenite", "tungstenite"];
    let advice = "Keep HTTP and WebSocket libraries in the carriers and the front";
    no_line(advice, is_for, Source::code_without_tests, |line| names(line, &libraries));
}

#[test]
fn words_codecs_and_machine_do_no_io() {
    let is_for = |source: &Source| {
        let (folder, name) = source.place();
        WITHOUT_IO.into_iter().filter(|(crate_folder, ..)| *crate_folder == folder).any(|(_, table, layers)| {
            table.lines().take(layers).any(|layer| layer.split([' ', ',']).any(|file| file == name))
        })
    };
    let io = ["tokio", "async", "await", "Instant::now", "sleep", "spawn", "Mutex"];
    let advice = "Take time as an argument, and leave tasks, locks and waiting to the layers above";
    no_line(advice, is_for, Source::code_without_tests, |line| names(line, &io));
}

#[test]
fn pending_acks_have_no_clock() {
    let clock = ["time", "Instant", "sleep", "spawn"];
    let is_for = |source: &Source| source.path == "socketio/src/acks.rs";
    no_line("Whoever waits for an ack keeps the time", is_for, |source| &source.code, |line| names(line, &clock));
}

#[test]
fn architecture_names_every_file() {
    let text = read("ARCHITECTURE.md");
    let section = |name: &str| {
        let (_, section) = text.split_once(&format!("\n### {name}\n")).unwrap_or_default();
        section.split("\n#").next().unwrap_or_default()
    };
    let advice = "Name them in the code map of ARCHITECTURE.md: below `### <crate>` as `file.rs`; \
                  of tests and fuzz `the/whole/path.rs` or, below the first level, `the/folder/`";
    no_file(advice, |source| match source.path.split_once("/src/") {
        Some((name @ ("engineio" | "socketio" | "server"), file)) => !section(name).contains(&format!("`{file}`")),
        _ => {
            let folder = source.place().0;
            let by_folder = folder.contains('/') && text.contains(&format!("`{folder}/`"));
            !by_folder && !text.contains(&format!("`{}`", source.path))
        }
    });
}

#[test]
fn files_say_what_they_are() {
    let advice = "Begin these files with `//!`: what it is, what it is not, who calls it";
    no_file(advice, |source| !source.text.starts_with("//!"));
}

#[test]
fn nothing_is_left_to_do() {
    let notes = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"];
    let advice = "Do it now, or write a test that is ignored with the reason";
    no_line(advice, |_| true, |source| &source.unquoted, |line| names(line, &notes));
}

#[test]
fn ignored_tests_say_why() {
    no_line("Give the reason: #[ignore = \"..\"]", |_| true, |source| &source.code, |line| line.contains("#[ignore]"));
}

#[test]
fn no_code_is_commented_out() {
    let is_code = |line: &str| {
        let comment = line.split_once("//").map(|(_, comment)| comment.trim());
        comment.filter(|comment| !comment.starts_with(['/', '!'])).is_some_and(|comment| {
            comment.starts_with("#[") || comment.starts_with("use crate::") || comment.ends_with([';', '{', '}'])
        })
    };
    no_line("Delete it: git remembers", |_| true, |source| &source.unquoted, is_code);
}

#[test]
fn unit_tests_come_last() {
    no_file("Move the unit tests to the end, where other rules do not look", |source| {
        let (_, tests) = source.code.split_once("\n#[cfg(test)]\n").unwrap_or_default();
        // `mod tests {` and `}`, or `#[path]` and `mod tests;`.
        tests.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).count() > 2
    });
}

#[test]
fn files_are_short() {
    no_file("Look for the second noun, and give it a file", |source| {
        let lines = source.code_without_tests().lines().count();
        let is_doc = |line: &&str| ["//!", "///"].iter().any(|doc| line.trim_start().starts_with(doc));
        !source.is_test() && lines - source.text.lines().take(lines).filter(is_doc).count() > MAX_LINES
    });
}

#[test]
fn lines_are_short() {
    // A long text in quotes, blank here, cannot always be broken.
    let is_long = |line: &str| !line.contains(&" ".repeat(60)) && line.chars().count() > MAX_WIDTH;
    no_line("Break these lines at 120 characters", |_| true, |source| &source.unquoted, is_long);
}

#[test]
fn nothing_is_unsafe() {
    no_line("Write it in safe Rust", |_| true, |source| &source.code, |line| names(line, &["unsafe"]));
}

#[test]
fn k12_keys_from_clients_are_hashed_with_a_secret() {
    let fixed = ["BuildHasherDefault", "DefaultHasher", "FxHashMap", "FxHasher", "FnvHashMap", "ahash", "with_hasher"];
    let is_for = |source: &Source| source.path.starts_with("engineio/src/") || source.path.starts_with("socketio/src/");
    let advice = "Leave tables to the hasher of the standard library, which draws a key of its own";
    no_line(advice, is_for, |source| &source.code, |line| names(line, &fixed));
}

#[test]
fn no_path_is_of_one_machine() {
    let places = ["home", "root", "tmp", "Users", "work"].map(|place| format!("/{place}/"));
    let advice = "Make the path relative, or ask the system for it";
    no_line(advice, |_| true, |source| &source.text, |line| places.iter().any(|place| line.contains(place)));
}

#[test]
fn readme_shows_the_example_that_compiles() {
    let example = |text: &str| {
        let blocks = text.split("\n```").skip(1).step_by(2);
        let block = blocks.into_iter().find(|block| block.contains("SocketIo::new"))?;
        Some(block.split_once('\n')?.1.to_owned())
    };
    let source = read("socketio/src/lib.rs");
    let docs: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let docs: Vec<_> = docs.into_iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let docs = example(&docs.join("\n"));
    assert!(docs.is_some(), "Show a server in the doc of socketio/src/lib.rs, with SocketIo::new");
    assert_eq!(example(&read("README.md")), docs, "Make README.md show the example of socketio/src/lib.rs, a doctest");
}
