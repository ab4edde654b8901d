//! What it is: the id of a session, drawn from the operating system's random source.
//! What it is not: the id of a Socket.IO socket. A sid is a credential: whoever holds it can poll the session.
//! Who calls it: the engine draws one per handshake and parses the `sid` of every later request.

use std::{cell::RefCell, fmt, str};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Random bytes in an id: 120 bits, which 20 letters of base64 hold without padding.
const RANDOM_BYTES: usize = 15;

/// Ids for which random bytes are drawn at a time: each time is a system call.
const DRAWN_AT_ONCE: usize = 16;

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random::none()) };
}

/// Random bytes for the next ids; those of ids that were given out are wiped.
struct Random {
    bytes: [[u8; RANDOM_BYTES]; DRAWN_AT_ONCE],
    left: usize,
}

impl Random {
    const fn none() -> Self {
        Self { bytes: [[0; RANDOM_BYTES]; DRAWN_AT_ONCE], left: 0 }
    }

    fn next(&mut self) -> [u8; RANDOM_BYTES] {
        if self.left == 0 {
            getrandom::fill(self.bytes.as_flattened_mut()).expect("the operating system gives random bytes");
            self.left = DRAWN_AT_ONCE;
        }
        self.left -= 1;
        std::mem::take(&mut self.bytes[self.left])
    }
}

/// Length of an id as text, in bytes.
pub(crate) const SID_LENGTH: usize = 20;

/// The id of an Engine.IO session: 20 characters of the URL-safe base64 alphabet, 120 random bits.
///
/// It is secret: with it anybody can read and write the session over polling.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; SID_LENGTH]);

impl Sid {
    /// Draws a new id.
    ///
    /// # Panics
    /// When the operating system cannot give random bytes: no session may then be opened at all.
    pub fn draw() -> Self {
        let random = RANDOM.with_borrow_mut(Random::next);
        let mut text = [0; SID_LENGTH];
        URL_SAFE_NO_PAD.encode_slice(random, &mut text).expect("15 bytes are 20 letters of base64");
        Self(text)
    }

    /// Reads an id from a request. `None` when it cannot be one of ours, so that no look-up is spent on it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; SID_LENGTH] = text.as_bytes().try_into().ok()?;
        // All of them are looked at, which the compiler then does at once.
        let is_ours = |byte: &u8| byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'_');
        let ours = bytes.iter().fold(true, |ours, byte| ours & is_ours(byte));
        ours.then_some(Self(bytes))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("an id is made of ASCII letters only")
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    /// Shows the first letters only: the rest is what makes it a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({}..)", &self.as_str()[..4])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_parse_back() {
        let ids: HashSet<Sid> = (0..10_000).map(|_| Sid::draw()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids.iter().take(100) {
            assert_eq!(Sid::parse(id.as_str()), Some(*id));
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_refused() {
        for text in ["", "abc", "__proto__", "0123456789012345678\0", "012345678901234567890", "01234567890123456é"] {
            assert_eq!(Sid::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let id = Sid::draw();
        assert!(!format!("{id:?}").contains(id.as_str()));
    }
}
