//! What it is: the rows of our lists of behaviours and of abuse that concern Engine.IO and Socket.IO, and the rule
//! that each has a test named after it.
//! What it is not: a judge of those tests: it reads their names.
//! Who calls it: `tidy.rs`; its pages of documentation ask what rows there are.

use std::{collections::BTreeSet, fs, path::Path};

use crate::source::SOURCES;

/// Families of rows, by the first and the last number of each. Behaviours, which have a dash and two digits:
/// handshake, heartbeat, transports, upgrade, closing, callbacks, CORS, cookies, payload limits, compression,
/// middlewares, attaching; namespaces, middlewares of them, listeners, events, rooms, acks, recovery, utility methods,
/// closing and violations, clients of 2.x.
const BEHAVIOURS: [(&str, u32); 22] = [
    ("HS", 38),
    ("HB", 16),
    ("TR", 28),
    ("UP", 16),
    ("CL", 20),
    ("CB", 8),
    ("CO", 12),
    ("CK", 9),
    ("PL", 7),
    ("CP", 7),
    ("EM", 6),
    ("AT", 12),
    ("NS", 29),
    ("MW", 10),
    ("SM", 5),
    ("EV", 15),
    ("RM", 12),
    ("AK", 11),
    ("RC", 10),
    ("UT", 4),
    ("CV", 18),
    ("V2", 10),
];

/// Abuse: query, polling, bodies, origins, WebSocket upgrade, frames, packets, HTTP; published vulnerabilities;
/// namespaces, packets of Socket.IO, JSON, binary packets.
const ABUSE: [(&str, u32); 13] = [
    ("A", 26),
    ("B", 13),
    ("C", 22),
    ("D", 10),
    ("E", 25),
    ("F", 25),
    ("G", 8),
    ("H", 15),
    ("T", 41),
    ("I", 21),
    ("J", 20),
    ("K", 13),
    ("Kb", 14),
];

/// Rows that cannot concern this server, and why.
const NOT_HERE: [(&str, &str); 10] = [
    ("AT-05", "there is no attaching: options are given once"),
    ("T14", "WebTransport is not spoken"),
    ("T19", "no row has this number"),
    ("T41", "no token is read; the application's filter decides"),
    ("NS-19", "no row has this number"),
    ("NS-29", "patterns of families keep no state between two names"),
    ("RC-10", "there is no adapter to be called; RC-01 shows that nothing is recovered"),
    ("CV-03", "a server does not own an HTTP server: closing it cannot fail"),
    ("CV-04", "timers keep no process alive: it ends when `main` does"),
    ("J18", "what answers is taken by answering: a second time does not compile"),
];

/// The name of a row: `HS-04`, `V2-01`, `A7`, `Kb3`.
fn name(family: &str, number: u32) -> String {
    if has_dash(family) { format!("{family}-{number:02}") } else { format!("{family}{number}") }
}

fn has_dash(family: &str) -> bool {
    family.len() == 2 && family != "Kb"
}

/// All rows, in their order.
fn rows() -> Vec<String> {
    let families = BEHAVIOURS.iter().chain(&ABUSE);
    families.flat_map(|(family, last)| (1..=*last).map(|number| name(family, number))).collect()
}

/// Those of these names that look like rows of these families, and are none.
pub(crate) fn unknown(named: &BTreeSet<String>) -> Vec<String> {
    let known = rows();
    let is_ours = |row: &&String| {
        let family = row.split('-').next().filter(|family| *family != **row);
        let family = family.unwrap_or_else(|| row.trim_end_matches(|last: char| last.is_ascii_digit()));
        BEHAVIOURS.iter().chain(&ABUSE).any(|(ours, _)| *ours == family)
    };
    named.iter().filter(is_ours).filter(|row| !known.contains(row)).cloned().collect()
}

/// The rows that the name of a test function begins with: `hs_04_05_a7_..`, and ranges as in `f1_to_f5_..`.
fn of_function(function: &str) -> Vec<String> {
    let (mut found, mut family, mut range_from) = (Vec::new(), String::new(), None);
    let mut last = 0;
    for word in function.split('_') {
        if word == "v2" {
            family = "V2".to_owned();
            continue;
        }
        let digits = word.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        let letters = word[..word.len() - digits.len()].to_ascii_uppercase().replace("KB", "Kb");
        if let Ok(number) = digits.parse() {
            if !letters.is_empty() {
                family = letters;
            }
            let first = range_from.take().unwrap_or(number);
            found.extend((first..=number).map(|number| name(&family, number)));
            last = number;
        } else if word == "to" {
            range_from = Some(last + 1);
        } else if letters.len() == 2 {
            family = letters;
        } else {
            break;
        }
    }
    found
}

/// The rows at the start of a label or a title: `T30, F24: a bomb`, `HS-01 HS-02 a handshake`.
pub(crate) fn of_label(label: &str) -> Vec<String> {
    let words = label.split(' ').map(|word| (word.trim_end_matches([',', ':']), word.ends_with(':')));
    let mut found = Vec::new();
    for (word, is_last) in words {
        let letters = word.len() - word.trim_start_matches(|letter: char| letter.is_ascii_uppercase()).len();
        let (family, digits) =
            word.split_at(if word.starts_with("V2-") || word.starts_with("Kb") { 2 } else { letters });
        let (dash, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
        let is_row = matches!(family.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let Some(number) = digits.parse::<u32>().ok().filter(|_| is_row) else { break };
        if dash == has_dash(family) {
            found.push(name(family, number));
        }
        if is_last {
            break;
        }
    }
    found
}

/// The rows that tests of Rust name: in the names of functions, and in labels of their tables.
fn in_rust() -> Vec<String> {
    let mut found = Vec::new();
    for source in SOURCES.iter().filter(|source| source.path != "tests/tidy/rows.rs") {
        let lines: Vec<_> = source.text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let is_test = pair[0].starts_with("#[") && pair[0].contains("test");
            let name = pair[1].trim_start_matches("async ").strip_prefix("fn ").filter(|_| is_test);
            found.extend(name.and_then(|name| name.split('(').next()).map(of_function).unwrap_or_default());
        }
        if source.is_test() {
            found.extend(lines.iter().filter(|line| !line.starts_with("//")).flat_map(|line| labels(line, &['"'])));
        }
    }
    found
}

/// The rows that titles of the tests in Node name.
fn in_javascript() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["tests/js", "tests/js/differential"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.extension().is_some_and(|extension| extension == "mjs") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                let lines = text.lines().filter(|line| !line.trim().starts_with("//"));
                found.extend(lines.flat_map(|line| labels(line, &['\'', '`'])));
            }
        }
    }
    found
}

/// The rows that quoted texts of a line begin with.
fn labels(line: &str, quotes: &[char]) -> Vec<String> {
    line.split(quotes).skip(1).step_by(2).flat_map(of_label).collect()
}

#[test]
fn every_row_has_a_test() {
    let rows = rows();
    let named: BTreeSet<_> = in_rust().into_iter().chain(in_javascript()).collect();
    let not_here = NOT_HERE.map(|(row, _)| row);
    let without: Vec<_> =
        rows.iter().filter(|row| !named.contains(*row) && !not_here.contains(&row.as_str())).collect();
    assert!(without.is_empty(), "Write a test for each of these rows, its name beginning with theirs: {without:?}");
    let needless: Vec<_> = not_here.iter().filter(|row| named.contains(**row)).collect();
    assert!(needless.is_empty(), "These rows have tests; strike them from NOT_HERE: {needless:?}");
    let unknown = unknown(&named);
    assert!(unknown.is_empty(), "There are no such rows: {unknown:?}");
}

#[test]
fn names_of_tests_are_read_as_rows() {
    for (function, rows) in [
        ("hs_04_05_a7_both", "HS-04 HS-05 A7"),
        ("f1_to_f5_what_is_no_frame", "F1 F2 F3 F4 F5"),
        ("hs_04_to_06_a1_three", "HS-04 HS-05 HS-06 A1"),
        ("b2_of_two_gets", "B2"),
        ("a24_http_1_0_is_served", "A24"),
        ("e22_three_probes", "E22"),
        ("ns_04_g7_joins_nothing", "NS-04 G7"),
        ("v2_02_05_kb3_rm_01_both", "V2-02 V2-05 Kb3 RM-01"),
        ("an_answer_of_2", ""),
    ] {
        assert_eq!(of_function(function).join(" "), rows, "{function}");
    }
    for (label, rows) in [
        ("T30, F24: a bomb", "T30 F24"),
        ("HS-01 HS-02 a handshake", "HS-01 HS-02"),
        ("G6", "G6"),
        ("GET /", ""),
        ("A table", ""),
        ("F9: {code}", "F9"),
        ("V2-01 Kb12, EV-03: all", "V2-01 Kb12 EV-03"),
    ] {
        assert_eq!(of_label(label).join(" "), rows, "{label}");
    }
}
