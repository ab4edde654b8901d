//! What it is: what exists while somebody is in it, by name, each with the number of those who are: the namespaces
//! that patterns led to.
//! What it is not: aware of namespaces; what it keeps is any value.
//! Who calls it: `namespaces`.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Values by name, with a bound.
pub(crate) struct Children<N> {
    /// Most that may be there at once.
    max: usize,
    /// Whether one that nobody is in goes away.
    frees: bool,
    /// Taken for a few steps, the making of a value among them, which takes no other lock.
    named: Mutex<HashMap<Arc<str>, Child<N>>>,
}

struct Child<N> {
    value: N,
    stays: usize,
}

/// Somebody is in a child; it does not go away before this is dropped.
pub(crate) struct Stay<N> {
    children: Arc<Children<N>>,
    name: Arc<str>,
}

/// What somebody entered.
pub(crate) struct Entered<N> {
    pub(crate) value: N,
    /// Whether it was made for them.
    pub(crate) is_new: bool,
    pub(crate) stay: Stay<N>,
}

impl<N: Clone> Children<N> {
    pub(crate) fn new(max: usize, frees: bool) -> Self {
        Self { max, frees, named: Mutex::default() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<N> {
        self.named().get(name).map(|child| child.value.clone())
    }

    /// All that are there now.
    pub(crate) fn all(&self) -> Vec<N> {
        self.named().values().map(|child| child.value.clone()).collect()
    }

    /// Enters the child of this name, made now unless it is there; `None` when there are too many.
    pub(crate) fn enter(self: &Arc<Self>, name: &str, make: impl FnOnce() -> N) -> Option<Entered<N>> {
        let mut named = self.named();
        let entered = self.enter_one_of(&mut named, name);
        if entered.is_some() || named.len() >= self.max {
            return entered;
        }
        let (name, value) = (Arc::<str>::from(name), make());
        named.insert(name.clone(), Child { value: value.clone(), stays: 1 });
        Some(Entered { value, is_new: true, stay: Stay { children: self.clone(), name } })
    }

    /// Enters the child of this name, if it is there.
    pub(crate) fn enter_if_there(self: &Arc<Self>, name: &str) -> Option<Entered<N>> {
        self.enter_one_of(&mut self.named(), name)
    }

    fn enter_one_of(self: &Arc<Self>, named: &mut HashMap<Arc<str>, Child<N>>, name: &str) -> Option<Entered<N>> {
        let name = named.get_key_value(name)?.0.clone();
        let child = named.get_mut(&name)?;
        child.stays += 1;
        Some(Entered { value: child.value.clone(), is_new: false, stay: Stay { children: self.clone(), name } })
    }
}

impl<N> Children<N> {
    fn named(&self) -> MutexGuard<'_, HashMap<Arc<str>, Child<N>>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, name: &str) {
        let mut named = self.named();
        let Some(child) = named.get_mut(name) else { return };
        child.stays -= 1;
        let freed = if child.stays == 0 && self.frees { named.remove(name) } else { None };
        // Dropped after the lock is free.
        drop(named);
        drop(freed);
    }
}

impl<N> Drop for Stay<N> {
    fn drop(&mut self) {
        self.children.leave(&self.name);
    }
}

impl<N> fmt::Debug for Stay<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stay").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_lasts_as_long_as_somebody_is_in_it() {
        let children = Arc::new(Children::new(1, true));
        let first = children.enter("a", || 1).expect("room");
        let second = children.enter("a", || 2).expect("room");
        assert_eq!((first.value, first.is_new, second.value, second.is_new), (1, true, 1, false));
        assert!(children.enter("b", || 3).is_none());
        drop(first);
        assert_eq!(children.get("a"), Some(1));
        drop(second);
        assert_eq!((children.get("a"), children.all()), (None, vec![]));
        let third = children.enter("b", || 3).expect("room again");
        assert!(third.is_new);
    }

    #[test]
    fn it_stays_where_that_is_wanted() {
        let children = Arc::new(Children::new(1, false));
        drop(children.enter("a", || 1));
        assert_eq!(children.all(), [1]);
    }
}
