//! What it is: all namespaces of a server: the fixed ones, the families, and what of the families is there now.
//! What it is not: a namespace; each is `served` by itself.
//! Who calls it: `client`, with the names that clients ask for; `server` and `family`.

use std::{
    collections::HashMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use engineio::Revision;
use futures_util::FutureExt;

use crate::{
    changes::Change,
    children::{Children, Entered},
    cluster::ServerId,
    delivery::Settings,
    error::ConnectError,
    hub::Hub,
    limits::Limits,
    namespace::{Handlers, Name, Namespace, OnlyIf},
    parser::{Encoded, Parser},
    pattern::Pattern,
    peer::Stay,
    served::Served,
};

/// The namespaces of a server.
pub(crate) struct Namespaces {
    fixed: HashMap<String, Fixed>,
    families: Vec<Family>,
    children: Arc<Children<Child>>,
    pub(crate) settings: Arc<Settings>,
}

/// A namespace that is always there.
struct Fixed {
    served: Served,
    only_if: Option<OnlyIf>,
}

/// Namespaces named by a pattern. Not to be confused with the handle of that name, which emits to them.
struct Family {
    pattern: Pattern,
    only_if: Option<OnlyIf>,
    handlers: Arc<Handlers>,
}

/// A namespace of a family that is there now.
#[derive(Clone)]
struct Child {
    served: Served,
    /// Which family it is of.
    family: usize,
    /// Whether a client came to it.
    has_come: Arc<AtomicBool>,
}

/// A namespace that a client may ask to join.
pub(crate) struct Found {
    pub(crate) served: Served,
    /// Keeps it from going away.
    pub(crate) stay: Option<Stay>,
}

/// Why there is no namespace for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// None has this name, or none that the client may know of.
    Invalid,
    /// It would be one too many.
    TooMany,
}

impl Missing {
    /// The answer to the CONNECT for that name.
    pub(crate) fn refusal(self, parser: &Parser, name: &str, revision: Revision) -> Encoded {
        match self {
            Self::Invalid => parser.invalid_namespace(name),
            Self::TooMany => parser.connect_error(name, &ConnectError::new("Too many namespaces"), revision),
        }
    }
}

impl Namespaces {
    /// Of two fixed ones with the same name the last one counts. `cleanup`: whether those of families go away when
    /// nobody is in them.
    pub(crate) fn new(namespaces: impl IntoIterator<Item = Namespace>, cleanup: bool, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let (mut fixed, mut families) = (HashMap::new(), Vec::new());
        for Namespace { name, only_if, handlers } in namespaces {
            let handlers = Arc::new(handlers);
            match name {
                Name::Fixed(path) => {
                    let served = Served::new(path.clone(), Box::default(), handlers, settings.clone());
                    fixed.insert(path, Fixed { served, only_if });
                }
                Name::Pattern(pattern) => families.push(Family { pattern, only_if, handlers }),
            }
        }
        fixed.keys().for_each(|path: &String| settings.hooks.new_namespace(path));
        let children = Arc::new(Children::new(settings.terms.limits.max_dynamic_namespaces, cleanup));
        Self { fixed, families, children, settings }
    }

    /// What a client may bring.
    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.terms.limits
    }

    pub(crate) fn parser(&self) -> &Parser {
        &self.settings.terms.parser
    }

    /// The namespace of this name, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<Served> {
        let fixed = self.fixed.get(name).map(|fixed| fixed.served.clone());
        fixed.or_else(|| Some(self.children.get(name)?.served))
    }

    /// The same, to emit in it: it does not go away before what keeps it does. In a cluster one of a family, which may
    /// be on another server, is made if it is not there; `None` also if it would be one too many.
    pub(crate) fn get_or_enter(&self, name: &str) -> Option<Found> {
        if let Some(Fixed { served, .. }) = self.fixed.get(name) {
            return Some(Found { served: served.clone(), stay: None });
        }
        let entered = if self.settings.terms.servers.have_cluster() {
            let mut families = self.families.iter().enumerate();
            let (at, params) = families.find_map(|(at, family)| Some((at, family.pattern.read(name)?)))?;
            self.enter(name, at, params)?
        } else {
            self.children.enter_if_there(name)?
        };
        Some(Found { served: entered.value.served, stay: Some(Box::new(entered.stay)) })
    }

    /// Enters a namespace of a family, which is made if it is not there; `None` if it would be one too many.
    fn enter(&self, name: &str, family: usize, params: Box<str>) -> Option<Entered<Child>> {
        let make = || {
            let (handlers, settings) = (self.families[family].handlers.clone(), self.settings.clone());
            let served = Served::new(name.to_owned(), params, handlers, settings);
            Child { served, family, has_come: Arc::default() }
        };
        let entered = self.children.enter(name, make)?;
        if entered.is_new {
            self.settings.hooks.new_namespace(name);
        }
        Some(entered)
    }

    /// The names of all that are there now, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let children = self.children.all();
        let children = children.iter().map(|child| child.served.hub().path.clone());
        let mut names: Vec<_> = self.fixed.keys().cloned().chain(children).collect();
        names.sort();
        names
    }

    pub(crate) fn has_family(&self, pattern: &str) -> bool {
        self.families.iter().any(|family| family.pattern.text == pattern)
    }

    /// The hubs of a family that are there now: those of its pattern, and fixed ones whose name matches.
    pub(crate) fn hubs(&self, pattern: &str) -> Vec<Arc<Hub>> {
        let is_of = |family: &Family| family.pattern.text == pattern;
        let mut hubs: Vec<_> = self.children.all().into_iter().collect();
        hubs.retain(|child| is_of(&self.families[child.family]));
        let matching = self.fixed.iter().filter(|(path, _)| {
            let mut families = self.families.iter().filter(|family| is_of(family));
            families.any(|family| family.pattern.read(path).is_some())
        });
        let fixed = matching.map(|(_, fixed)| fixed.served.hub().clone());
        hubs.into_iter().map(|child| child.served.hub().clone()).chain(fixed).collect()
    }

    /// The hubs of those whose rooms tell who is in them.
    pub(crate) fn with_presence(&self) -> Vec<Arc<Hub>> {
        let mut hubs = Vec::new();
        self.for_each(|served| hubs.extend(served.has_presence().then(|| served.hub().clone())));
        hubs
    }

    /// Sends what is held back in all of them.
    pub(crate) fn flush(&self) {
        self.for_each(|served| served.hub().flush());
    }

    /// Another server has gone, or has left.
    pub(crate) fn lose(&self, server: &ServerId) {
        self.with_presence().iter().for_each(|hub| hub.note(Change::Gone(server.clone())));
    }

    fn for_each(&self, each: impl FnMut(&Served)) {
        let children = self.children.all();
        let all = self.fixed.values().map(|fixed| &fixed.served).chain(children.iter().map(|child| &child.served));
        all.for_each(each);
    }

    /// The namespace of this name for a client that sent this `auth`. One of a family is made if it is not there.
    pub(crate) async fn find(self: Arc<Self>, name: Box<str>, auth: Box<str>) -> Result<Found, Missing> {
        if let Some(fixed) = self.fixed.get(&*name) {
            let found = || Found { served: fixed.served.clone(), stay: None };
            return is_let_in(fixed.only_if.as_ref(), &name, &auth)
                .await
                .then(found)
                .ok_or_else(|| self.invalid(&name));
        }
        for (at, family) in self.families.iter().enumerate() {
            // A namespace that is there is its family's.
            if self.children.get(&name).is_some_and(|child| child.family != at) {
                continue;
            }
            let Some(params) = family.pattern.read(&name) else { continue };
            if !is_let_in(family.only_if.as_ref(), &name, &auth).await {
                continue;
            }
            let entered = self.enter(&name, at, params).ok_or(Missing::TooMany)?;
            // Another family may have been faster.
            if entered.value.family == at {
                let (child, servers) = (&entered.value, &self.settings.terms.servers);
                // While it was not there this server has left what others told.
                if servers.have_cluster()
                    && child.served.has_presence()
                    && !child.has_come.swap(true, Ordering::Relaxed)
                {
                    servers.ask_who(&name);
                }
                return Ok(Found { served: entered.value.served, stay: Some(Box::new(entered.stay)) });
            }
        }
        Err(self.invalid(&name))
    }

    fn invalid(&self, name: &str) -> Missing {
        self.settings.hooks.invalid_namespace(name);
        Missing::Invalid
    }
}

async fn is_let_in(only_if: Option<&OnlyIf>, name: &str, auth: &str) -> bool {
    let Some(only_if) = only_if else { return true };
    // Called within, for its part before the first wait may panic, too.
    let decision = async {
        match only_if(name, auth) {
            Some(decision) => decision.await,
            None => false,
        }
    };
    AssertUnwindSafe(decision).catch_unwind().await.unwrap_or(false)
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = self.families.iter().map(|family| &family.pattern.text);
        f.debug_struct("Namespaces")
            .field("fixed", &self.fixed.keys())
            .field("families", &families.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
