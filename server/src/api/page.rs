//! What it is: a part of a long list, in the order of its names: `limit` and `cursor`.
//! What it is not: a look at one moment: what comes and goes between two parts is in the list or not, all else is once.
//! Who calls it: whatever in `api` lists something.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{ApiError, route::Query};

/// How many there are if nobody says, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// How many are wanted: the query's `limit`.
pub(super) fn limit(query: &Query<'_>) -> Result<usize, ApiError> {
    let Some(limit) = query.get("limit") else { return Ok(USUAL) };
    let limit = limit.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    limit.ok_or_else(|| ApiError::field("limit", format!("a number from 1 to {MOST}")))
}

/// The part that comes behind a name.
pub(super) struct Page<T> {
    after: Option<String>,
    limit: usize,
    /// One more than are wanted, if there are so many: that says whether others follow.
    found: BTreeMap<Box<str>, T>,
}

impl<T> Page<T> {
    /// The part that the query wants.
    pub(super) fn of(query: &Query<'_>) -> Result<Self, ApiError> {
        let decode = |cursor| String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok();
        let after = query.get("cursor").map(|cursor| {
            decode(cursor).ok_or_else(|| ApiError::field("cursor", "it is none that came with a list before"))
        });
        Ok(Self { after: after.transpose()?, limit: limit(query)?, found: BTreeMap::new() })
    }

    /// Takes something along if its name is in this part.
    pub(super) fn offer(&mut self, name: &str, item: impl FnOnce() -> T) {
        let is_before = self.after.as_deref().is_some_and(|after| name <= after);
        let is_full = self.found.len() > self.limit;
        let is_behind = is_full && self.found.last_key_value().is_some_and(|(last, _)| name >= &**last);
        if !is_before && !is_behind {
            self.found.insert(name.into(), item());
            if self.found.len() > self.limit + 1 {
                self.found.pop_last();
            }
        }
    }

    /// What is in it, by name, and the cursor of the next part if there is one.
    pub(super) fn end(mut self) -> (BTreeMap<Box<str>, T>, Option<String>) {
        let follows = self.found.len() > self.limit;
        if follows {
            self.found.pop_last();
        }
        let last = self.found.last_key_value().filter(|_| follows);
        let cursor = last.map(|(last, _)| URL_SAFE_NO_PAD.encode(last.as_bytes()));
        (self.found, cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_in_order() {
        let names = ["d", "a", "c", "b", "é", "e"];
        let (mut query, mut seen) = ("limit=2".to_owned(), Vec::new());
        for last in [false, false, true] {
            let read = Query::read(Some(&query), &["limit", "cursor"]).expect("known");
            let mut page = Page::of(&read).expect("right");
            names.iter().for_each(|name| page.offer(name, || *name));
            let (found, cursor) = page.end();
            seen.extend(found.into_values());
            assert_eq!(cursor.is_none(), last);
            query = format!("limit=2&cursor={}", cursor.unwrap_or_default());
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e", "é"]);
    }
}
