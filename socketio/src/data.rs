//! What it is: what an application keeps with a socket: one value of each type.
//! What it is not: sent anywhere; clients do not see it.
//! Who calls it: `peer` holds one for each socket, behind its lock.

use std::{any::Any, fmt, mem, sync::Arc};

/// Any value that threads may share.
type Value = Arc<dyn Any + Send + Sync>;

/// Values of different types; few, so that they are looked through. Empty, it owns no heap.
#[derive(Clone, Default)]
pub(crate) struct Values(Vec<Value>);

impl Values {
    /// Keeps a value; gives back the one of this type that was kept before.
    pub(crate) fn set<T: Send + Sync + 'static>(&mut self, value: Arc<T>) -> Option<Value> {
        match self.0.iter_mut().find(|kept| kept.is::<T>()) {
            Some(kept) => Some(mem::replace(kept, value)),
            None => {
                self.0.push(value);
                None
            }
        }
    }

    /// The value of this type, kept from now on if there was none.
    pub(crate) fn get_or_default<T: Default + Send + Sync + 'static>(&mut self) -> Arc<T> {
        self.get().unwrap_or_else(|| {
            let value = Arc::<T>::default();
            self.set(value.clone());
            value
        })
    }

    /// The value of this type.
    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.iter().find(|kept| kept.is::<T>())?.clone().downcast().ok()
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
