//! What it is: the lines of a body, as they come.
//! What it is not: what is in them, but that blank ones are none.
//! Who calls it: `stream`.

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// A body, line by line.
pub(super) struct Lines {
    body: Incoming,
    split: Split,
    /// Whether there is no more.
    is_over: bool,
}

/// One of them, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Bytes),
    /// It was longer than it may be.
    TooLong,
}

/// The body ended before it was whole: its client has gone.
#[derive(Debug)]
pub(super) struct Broken;

impl Lines {
    /// A line may have so many bytes.
    pub(super) fn new(body: Incoming, max: usize) -> Self {
        Self { body, split: Split { max, ..Split::default() }, is_over: false }
    }

    /// Waits until more has come; says whether there may be another line.
    pub(super) async fn read(&mut self) -> Result<bool, Broken> {
        if self.is_over {
            return Ok(false);
        }
        match self.body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    self.split.unread.extend_from_slice(&data);
                }
            }
            Some(Err(_)) => return Err(Broken),
            None => self.is_over = true,
        }
        Ok(true)
    }

    /// The next line that is there. The last one need not have an end.
    pub(super) fn take(&mut self) -> Option<Line> {
        self.split.take(self.is_over)
    }
}

/// Bytes that are split at the ends of lines.
#[derive(Default)]
struct Split {
    /// What came, and was not taken yet.
    unread: BytesMut,
    /// How much of it has no end of a line in it.
    looked: usize,
    max: usize,
    /// Whether a line is under way that is too long: nothing of it is kept.
    skips: bool,
}

impl Split {
    fn take(&mut self, is_over: bool) -> Option<Line> {
        loop {
            let end = self.unread[self.looked..].iter().position(|byte| *byte == b'\n').map(|at| self.looked + at);
            if end.is_none() && !is_over {
                self.looked = self.unread.len();
                if self.skips || self.looked > self.max {
                    (self.skips, self.looked) = (true, 0);
                    self.unread.clear();
                }
                return None;
            }
            let line = self.unread.split_to(end.unwrap_or(self.unread.len())).freeze();
            self.unread.advance(usize::from(end.is_some()));
            self.looked = 0;
            if std::mem::take(&mut self.skips) || line.len() > self.max {
                return Some(Line::TooLong);
            }
            if !line.trim_ascii().is_empty() {
                return Some(Line::Whole(line));
            }
            end?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines in a body that comes in these parts.
    fn lines(parts: &[&str]) -> Vec<String> {
        let mut split = Split { max: 4, ..Split::default() };
        let mut lines = Vec::new();
        for at in 0..=parts.len() {
            split.unread.extend_from_slice(parts.get(at).unwrap_or(&"").as_bytes());
            while let Some(line) = split.take(at == parts.len()) {
                lines.push(match line {
                    Line::Whole(line) => String::from_utf8(line.into()).expect("UTF-8"),
                    Line::TooLong => "too long".into(),
                });
            }
            assert!(split.unread.len() <= 4, "no more than a line waits");
        }
        lines
    }

    #[test]
    fn bodies_are_split_wherever_their_parts_end() {
        for (parts, found) in [
            (&["a\nb\n"][..], &["a", "b"][..]),
            (&["a", "b", "\n", "c"], &["ab", "c"]),
            (&["\n \r\n\n", "a\r\n", "\n"], &["a\r"]),
            (&["abcd\nabcde\na"], &["abcd", "too long", "a"]),
            (&["abc", "de", "fghij", "k\na\n"], &["too long", "a"]),
            (&["abcd", "\n"], &["abcd"]),
            (&["abcde"], &["too long"]),
            (&["abcd", "e"], &["too long"]),
            (&[], &[]),
            (&["  "], &[]),
        ] {
            assert_eq!(lines(parts), found, "{parts:?}");
        }
    }
}
