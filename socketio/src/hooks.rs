//! What it is: what an application is told that belongs to no handler.
//! What it is not: a way to change what happens; nothing is asked.
//! Who calls it: applications fill it in; `namespaces` calls it.

use std::{fmt, sync::Arc};

/// Called with the name of a namespace.
type OnNewNamespace = dyn Fn(&str) + Send + Sync;

/// Functions of the application that are told what happens in a [`SocketIo`](crate::SocketIo). They should return at
/// once, because clients wait meanwhile; a panic in them has no consequence.
///
/// ```
/// let hooks = socketio::Hooks::default().on_new_namespace(|name| println!("{name} is there"));
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    on_new_namespace: Option<Arc<OnNewNamespace>>,
}

impl Hooks {
    /// Told the name of each namespace that comes into being (`new_namespace`): of the fixed ones while the server is
    /// made, of those of a family before their first client joins. A second one replaces the first.
    pub fn on_new_namespace(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_new_namespace = Some(Arc::new(tell));
        self
    }

    pub(crate) fn new_namespace(&self, name: &str) {
        if let Some(tell) = &self.on_new_namespace {
            quietly(|| tell(name));
        }
    }
}

/// The panic hook has reported it.
fn quietly(tell: impl FnOnce()) {
    let _panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell));
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
