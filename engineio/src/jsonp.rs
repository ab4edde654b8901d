//! What it is: JSONP: polling for browsers without CORS, whose answers are scripts and whose POSTs are forms.
//! What it is not: another payload; the same body is wrapped.
//! Who calls it: `polling` and `answer`. The fuzzer.

use std::fmt::Write;

use bytes::Bytes;

/// The script that hands a body to the client's function of this number.
pub fn wrap(body: &str, index: &str) -> String {
    let mut script = String::with_capacity(body.len() + 32);
    script.push_str("___eio[");
    script.push_str(index);
    script.push_str("](\"");
    escape(body, &mut script);
    script.push_str("\");");
    script
}

/// Writes the inside of a string, as JSON and JavaScript read it.
pub(crate) fn escape(text: &str, script: &mut String) {
    for character in text.chars() {
        match character {
            '"' => script.push_str("\\\""),
            '\\' => script.push_str("\\\\"),
            '\n' => script.push_str("\\n"),
            '\r' => script.push_str("\\r"),
            '\t' => script.push_str("\\t"),
            // Line separators end a string in older scripts.
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                write!(script, "\\u{:04x}", u32::from(character)).expect("a string takes all");
            }
            other => script.push(other),
        }
    }
}

/// The body in the field `d` of a form, whatever its bytes are; `None` when there is none.
///
/// The client writes a newline as `\n` and a backslash before an `n` as `\\n`, because forms would change newlines.
pub fn unwrap(form: &[u8]) -> Option<Bytes> {
    let field = form.split(|byte| *byte == b'&').find_map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (decode(halves.next()?) == b"d").then(|| decode(halves.next().unwrap_or_default()))
    })?;
    let (mut body, mut rest) = (Vec::with_capacity(field.len()), field.as_slice());
    loop {
        rest = match rest {
            [b'\\', b'\\', b'n', rest @ ..] => {
                body.extend_from_slice(b"\\n");
                rest
            }
            [b'\\', b'n', rest @ ..] => {
                body.push(b'\n');
                rest
            }
            [other, rest @ ..] => {
                body.push(*other);
                rest
            }
            [] => return Some(body.into()),
        }
    }
}

/// A name or a value of a form. `form_urlencoded` would make text of it, and change what is none.
fn decode(encoded: &[u8]) -> Vec<u8> {
    let (mut decoded, mut rest) = (Vec::with_capacity(encoded.len()), encoded);
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = tail;
                digit(*high) << 4 | digit(*low)
            }
            (other, _) => *other,
        });
    }
    decoded
}

/// The value of a hexadecimal digit.
fn digit(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { (digit | 0x20) - b'a' + 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_hold_any_body() {
        assert_eq!(wrap("4\"\\\n\u{2028}é\0", "12"), "___eio[12](\"4\\\"\\\\\\n\\u2028é\\u0000\");");
        assert_eq!(wrap("", ""), "___eio[](\"\");");
    }

    #[test]
    fn forms_give_the_body_back() {
        let rows: [(&[u8], &[u8]); 9] = [
            (b"d=2%3A4a", b"2:4a"),
            (b"x=1&d=2:4%C3%A9", "2:4é".as_bytes()),
            (b"%64=a%5Cnb", b"a\nb"),
            (b"d=a%5C%5Cnb", b"a\\nb"),
            (b"d=a+%2b%5c%2", b"a +\\%2"),
            (b"d=%+1%G0%", b"% 1%G0%"),
            (b"d=4%FF\xfe", b"4\xff\xfe"),
            (b"d=", b""),
            (b"&d", b""),
        ];
        for (form, body) in rows {
            assert_eq!(unwrap(form).as_deref(), Some(body), "{}", form.escape_ascii());
        }
        assert_eq!(unwrap(b"e=1"), None);
        assert_eq!(unwrap(b""), None);
    }
}
