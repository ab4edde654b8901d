//! What it is: users of namespaces, as backends hear of them: there, or gone for good.
//! What it is not: sockets, each of which has hooks of its own; nor presence in rooms, which clients hear of.
//! Who calls it: `namespaces`, for the first socket of a user and for the last one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Backends,
    current::Current,
    hook::{Hook, Subject},
    leaving::Leaving,
    message::Happening,
    queue::Kind,
};

/// Namespace and user.
type Name = (Box<str>, Box<str>);

/// Users whom a backend knows to be there.
#[derive(Default)]
pub(super) struct Users {
    /// Taken for a few steps.
    known: Mutex<HashMap<Name, Stage>>,
    /// How often somebody has been left without a socket.
    count: AtomicU64,
}

/// How a user is there, from when its backend is told so until it is told the opposite.
///
/// ```text
/// come --> Here -- leave --> Away -- its time is over --> forgotten
///            ^                |
///            +----- come -----+
/// ```
enum Stage {
    Here,
    /// Without a socket, for the so manieth time.
    Away(u64),
}

impl Users {
    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Name, Stage>> {
        self.known.lock().expect("not poisoned: nobody panics while it is held")
    }

    /// Whether the user is there, or may be back soon.
    pub(super) fn has(&self, namespace: &str, user: &str) -> bool {
        self.known().contains_key(&(namespace.into(), user.into()))
    }
}

impl Backends {
    /// The first socket of a user is in a namespace.
    pub(crate) fn user_comes(self: &Arc<Self>, namespace: &str, user: &str) {
        let key = (namespace.into(), user.into());
        // Taken while it is told, so that what is told is in order.
        let mut known = self.users.known();
        if let Some(stage) = known.get_mut(&key) {
            *stage = Stage::Here;
        } else if self.tell_of_user(namespace, user, true) {
            known.insert(key, Stage::Here);
        }
    }

    /// The last one has left. Somebody may be back soon.
    pub(crate) fn user_leaves(self: &Arc<Self>, namespace: &str, user: &str) {
        let key = (namespace.into(), user.into());
        let number = self.users.next();
        match self.users.known().get_mut(&key) {
            Some(stage) => *stage = Stage::Away(number),
            None => return,
        }
        // A server that ends does not know who comes back to the next one.
        if self.is_closing() {
            return;
        }
        let Some(backend) = self.find_for(namespace, tells) else {
            // Nobody is to be told any more.
            self.users.known().remove(&key);
            return;
        };
        let grace = backend.current().options.presence_grace;
        let backends = self.clone();
        tokio::spawn(async move {
            if backends.unless_closing(tokio::time::sleep(grace)).await.is_err() {
                return;
            }
            let mut known = backends.users.known();
            if matches!(known.get(&key), Some(Stage::Away(last)) if *last == number) {
                known.remove(&key);
                backends.tell_of_user(&key.0, &key.1, false);
            }
        });
    }

    /// Says whether there is somebody to be told.
    fn tell_of_user(self: &Arc<Self>, namespace: &str, user: &str, is_online: bool) -> bool {
        let Some(backend) = self.find_for(namespace, tells) else { return false };
        let subject = Subject::User { namespace: namespace.into(), user: user.into() };
        let hook = Hook::new(Kind::Disconnect, subject, Happening::User { is_online }, &self.node);
        let waiting = backend.wait(&hook);
        let leaving = Leaving::new(self.clone());
        tokio::spawn(async move { leaving.tell(&backend, hook, waiting).await });
        true
    }
}

fn tells(current: &Current) -> bool {
    current.options.presence
}
