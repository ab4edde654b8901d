//! What it is: any bytes as the form of a JSONP client, and any text as the script that one is answered with.
//! What it is not: the payload inside (`payload`).
//! Who calls it: libFuzzer and the replay test.

use engineio::jsonp::{unwrap, wrap};

/// Unwraps the input as a form; when it is UTF-8, wraps it as a script, and sends it as a client does.
pub fn jsonp(data: &[u8]) {
    let body = field(data).map(|field| unescape(&field).into());
    assert_eq!(unwrap(data), body, "as a naive reading of the form");

    let Ok(text) = str::from_utf8(data) else { return };
    let script = wrap(text, "7");
    let string = script.strip_prefix("___eio[7](").and_then(|rest| rest.strip_suffix(");"));
    let string = string.expect("one call with one argument");
    assert_eq!(serde_json::from_str::<String>(string).ok().as_deref(), Some(text), "a string of JSON");
    let is_safe = |character: char| character >= ' ' && !"\u{2028}\u{2029}".contains(character);
    assert!(string.chars().all(is_safe), "and of JavaScript, in which lines end a string: {string}");

    // What a client writes for a backslash before a newline means another text: it cannot send that one.
    if !text.contains("\\\n") {
        let escaped = text.replace("\\n", "\\\n").replace('\n', "\\n");
        let form: String = escaped.bytes().map(|byte| format!("%{byte:02X}")).collect();
        assert_eq!(unwrap(format!("d={form}").as_bytes()).as_deref(), Some(text.as_bytes()), "what a client sent");
    }
}

/// The first field `d` of a form.
fn field(form: &[u8]) -> Option<Vec<u8>> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).find_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((pair, &[][..]), |at| (&pair[..at], &pair[at + 1..]));
        (decode(name) == b"d").then(|| decode(value))
    })
}

fn decode(escaped: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), escaped);
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        match digits.and_then(|digits| str::from_utf8(digits).ok()) {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                rest = &tail[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    bytes
}

/// `\n` is a newline, and `\\n` what looks like one.
fn unescape(field: &[u8]) -> Vec<u8> {
    let (mut body, mut rest) = (Vec::new(), field);
    while let Some(first) = rest.first() {
        let (skipped, written) = if rest.starts_with(b"\\\\n") {
            (3, b"\\n".as_slice())
        } else if rest.starts_with(b"\\n") {
            (2, b"\n".as_slice())
        } else {
            (1, std::slice::from_ref(first))
        };
        body.extend_from_slice(written);
        rest = &rest[skipped..];
    }
    body
}
