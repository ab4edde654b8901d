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

/// The body in the field `d` of a form; `None` when there is none.
///
/// The client writes a newline as `\n` and a backslash before an `n` as `\\n`, because forms would change newlines.
pub fn unwrap(form: &[u8]) -> Option<Bytes> {
    let (_, field) = form_urlencoded::parse(form).find(|(name, _)| name == "d")?;
    let mut body = String::with_capacity(field.len());
    let mut rest = field.as_ref();
    while let Some(at) = rest.find("\\n") {
        let (before, after) = rest.split_at(at);
        match before.strip_suffix('\\') {
            Some(before) => {
                body.push_str(before);
                body.push_str("\\n");
            }
            None => {
                body.push_str(before);
                body.push('\n');
            }
        }
        rest = &after[2..];
    }
    body.push_str(rest);
    Some(body.into())
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
        for (form, body) in [
            ("d=2%3A4a", "2:4a"),
            ("x=1&d=2:4%C3%A9", "2:4é"),
            ("d=a%5Cnb", "a\nb"),
            ("d=a%5C%5Cnb", "a\\nb"),
            ("d=", ""),
        ] {
            assert_eq!(unwrap(form.as_bytes()).as_deref(), Some(body.as_bytes()), "{form}");
        }
        assert_eq!(unwrap(b"e=1"), None);
        assert_eq!(unwrap(b""), None);
    }
}
