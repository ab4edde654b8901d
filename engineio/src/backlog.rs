//! What it is: a queue that is empty nearly always, and takes one word then.
//! What it is not: bounded, nor for what is hot: each time it fills it allocates twice.
//! Who calls it: `session` for what came by polling, `driver` for what its application does not take yet.

use std::collections::VecDeque;

/// Items that wait, oldest first.
#[derive(Debug)]
#[expect(clippy::box_collection, reason = "one word is what it is for")]
pub(crate) struct Backlog<T>(Option<Box<VecDeque<T>>>);

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Backlog<T> {
    pub(crate) fn push(&mut self, item: T) {
        self.0.get_or_insert_default().push_back(item);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = self.0.as_mut()?.pop_front();
        self.0.take_if(|items| items.is_empty());
        item
    }

    /// Adds all that there are, at the end.
    pub(crate) fn extend(&mut self, items: impl Iterator<Item = T>) {
        items.for_each(|item| self.push(item));
    }

    /// Takes everything.
    pub(crate) fn take(&mut self) -> VecDeque<T> {
        self.0.take().map(|items| *items).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |items| items.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
