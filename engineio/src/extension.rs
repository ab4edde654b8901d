//! What it is: what is agreed with a client on permessage-deflate (RFC 7692, section 7.1).
//! What it is not: compression (`deflate`). Other extensions there are none.
//! Who calls it: `service`, for each WebSocket handshake, when the option is set.

use std::fmt;

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The window that our compression may use, 9 to 15 bits.
    pub(crate) server_bits: u8,
    /// Whether we keep our context from one message to the next.
    pub(crate) server_takeover: bool,
    /// Whether the client does.
    pub(crate) client_takeover: bool,
    /// Whether the answer names the window.
    named_bits: bool,
}

impl Agreed {
    /// Takes the first offer that can be met, out of the values of `Sec-WebSocket-Extensions`.
    /// `None` when there is no such offer: messages are not compressed then.
    pub(crate) fn accept<'a>(offers: impl IntoIterator<Item = &'a str>, may_keep_contexts: bool) -> Option<Self> {
        offers.into_iter().flat_map(|value| value.split(',')).find_map(|offer| Self::meet(offer, may_keep_contexts))
    }

    fn meet(offer: &str, may_keep_contexts: bool) -> Option<Self> {
        let mut parts = offer.split(';').map(str::trim);
        if parts.next() != Some("permessage-deflate") {
            return None;
        }
        let (mut server_bits, mut client_bits, mut server_alone, mut client_alone) = (None, None, false, false);
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start()))),
                None => (part, None),
            };
            // Section 7.1: with a parameter twice, an unknown one, or a bad value, the offer is declined.
            match (name, value) {
                ("server_no_context_takeover", None) if !server_alone => server_alone = true,
                ("client_no_context_takeover", None) if !client_alone => client_alone = true,
                ("server_max_window_bits", Some(value)) if server_bits.is_none() => server_bits = Some(bits(value)?),
                ("client_max_window_bits", None) if client_bits.is_none() => client_bits = Some(15),
                ("client_max_window_bits", Some(value)) if client_bits.is_none() => client_bits = Some(bits(value)?),
                _ => return None,
            }
        }
        // A window of 8 bits cannot be written by zlib.
        (server_bits != Some(8)).then_some(Self {
            server_bits: server_bits.unwrap_or(15),
            server_takeover: may_keep_contexts && !server_alone,
            client_takeover: may_keep_contexts && !client_alone,
            named_bits: server_bits.is_some(),
        })
    }

    /// Whether memory is kept for the session between messages.
    pub(crate) fn keeps_context(&self) -> bool {
        self.server_takeover || self.client_takeover
    }
}

/// The value of `Sec-WebSocket-Extensions` in the answer.
impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        if !self.server_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if !self.client_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if self.named_bits {
            write!(f, "; server_max_window_bits={}", self.server_bits)?;
        }
        Ok(())
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// A decimal number from 8 to 15 without leading zeros.
fn bits(value: &str) -> Option<u8> {
    match value {
        "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15" => value.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offer: &str, may_keep_contexts: bool) -> Option<String> {
        Agreed::accept([offer], may_keep_contexts).map(|agreed| agreed.to_string())
    }

    #[test]
    fn offers_that_can_be_met() {
        const ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let rows = [
            ("permessage-deflate", ALONE, "permessage-deflate"),
            ("permessage-deflate; client_max_window_bits", ALONE, "permessage-deflate"),
            (" permessage-deflate ;client_max_window_bits=10 ", ALONE, "permessage-deflate"),
            ("permessage-deflate; server_no_context_takeover", ALONE, "permessage-deflate; server_no_context_takeover"),
            ("permessage-deflate; client_no_context_takeover", ALONE, "permessage-deflate; client_no_context_takeover"),
            (
                "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=\"10\"",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
                "permessage-deflate; server_max_window_bits=10",
            ),
            ("permessage-deflate; server_max_window_bits=8, permessage-deflate", ALONE, "permessage-deflate"),
            ("permessage-deflate; mode=7, permessage-deflate", ALONE, "permessage-deflate"),
        ];
        for (offer, alone, kept) in rows {
            assert_eq!(answer(offer, false).as_deref(), Some(alone), "{offer}");
            assert_eq!(answer(offer, true).as_deref(), Some(kept), "{offer}");
        }
    }

    /// T22, E10: none of them is met, and none does harm.
    #[test]
    fn hostile_offers_are_declined() {
        let rows = [
            "",
            ",",
            ";",
            "constructor",
            "__proto__",
            "permessage-deflate2",
            "PERMESSAGE-DEFLATE",
            "permessage-deflate;",
            "permessage-deflate; ;",
            "permessage-deflate; constructor",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=99",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover=true",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        ];
        for offer in rows {
            assert_eq!(answer(offer, true), None, "{offer}");
        }
    }
}
