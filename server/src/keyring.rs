//! What it is: the keys of the API, and what each is good for.
//! What it is not: a log-in of clients.
//! Who calls it: `admin`, for each request of the API; `tail` and what answers line by line, as they go on.

use std::{
    hash::BuildHasher,
    sync::{Arc, RwLock},
};

use hyper::{HeaderMap, header};
use subtle::ConstantTimeEq;

use crate::{
    api::ApiError,
    config::{ApiKey, Scope},
};

/// The keys. Clones are the same, also when they are replaced. The lock is taken for each request, each line
/// that is asked or told, and by `replace`.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<RwLock<Arc<[ApiKey]>>>);

/// What a request may do. Clones are the same.
#[derive(Clone)]
pub(crate) enum Grant {
    /// There are no keys.
    Everything,
    /// What is for everybody.
    Nothing,
    /// What this one of the keys is good for.
    Key(Arc<[ApiKey]>, usize),
}

impl Keyring {
    pub(crate) fn new(keys: &[ApiKey]) -> Self {
        Self(Arc::new(RwLock::new(keys.into())))
    }

    pub(crate) fn replace(&self, keys: &[ApiKey]) {
        *self.0.write().expect("not poisoned: nobody panics while it is held") = keys.into();
    }

    /// Whether there are no keys, so that whoever reaches the API may use it.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys().is_empty()
    }

    /// What a request with these headers may do. Without a scope that it needs, it needs no key.
    ///
    /// # Errors
    /// `Unauthorized` without a known key, `Forbidden` when the key is good for none of these.
    pub(crate) fn grant(&self, headers: &HeaderMap, scopes: &[Scope]) -> Result<Grant, ApiError> {
        if scopes.is_empty() {
            return Ok(Grant::Nothing);
        }
        let keys = self.keys();
        if keys.is_empty() {
            return Ok(Grant::Everything);
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer ")).map(|(_, key)| key);
        let said = bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes()));
        let said = said.ok_or(ApiError::Unauthorized)?;
        let grant = find(keys, said).ok_or(ApiError::Unauthorized)?;
        match scopes.iter().any(|scope| grant.allows(*scope)) {
            true => Ok(grant),
            false => Err(ApiError::Forbidden),
        }
    }

    /// What somebody may do by now who was granted this; `None` when the key is gone, or it takes one now.
    pub(crate) fn renew(&self, grant: &Grant) -> Option<Grant> {
        let keys = self.keys();
        match grant.key() {
            Some(key) => find(keys, key.key.0.as_bytes()),
            None if matches!(grant, Grant::Everything) && !keys.is_empty() => None,
            None => Some(grant.clone()),
        }
    }

    fn keys(&self) -> Arc<[ApiKey]> {
        self.0.read().expect("not poisoned: nobody panics while it is held").clone()
    }
}

/// What this key is good for. All are compared, and each in a time that does not tell how much of it is right.
fn find(keys: Arc<[ApiKey]>, said: &[u8]) -> Option<Grant> {
    let mut found = None;
    for (at, key) in keys.iter().enumerate() {
        if key.key.0.as_bytes().ct_eq(said).into() {
            found = Some(at);
        }
    }
    found.map(|at| Grant::Key(keys, at))
}

impl Grant {
    /// Who it is: the same for all requests with the same key.
    pub(crate) fn owner(&self, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one(self.key().map(|key| &*key.key.0))
    }

    /// Whether it is good for this.
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.is_good(|key| key.allow.contains(&scope))
    }

    /// What somebody may do whom another server lets do it in these namespaces, or in all.
    pub(crate) fn within(namespaces: Option<Vec<String>>) -> Self {
        namespaces
            .map_or(Self::Everything, |namespaces| Self::Key([ApiKey { namespaces, ..ApiKey::default() }].into(), 0))
    }

    /// The namespaces that it is good for; `None` is all.
    pub(crate) fn namespaces(&self) -> Option<Vec<String>> {
        match self {
            Self::Everything => None,
            Self::Nothing | Self::Key(..) => Some(self.key().map(|key| key.namespaces.clone()).unwrap_or_default()),
        }
    }

    /// Whether it is good for this namespace; `*` is all.
    pub(crate) fn is_for(&self, namespace: &str) -> bool {
        self.is_good(|key| key.namespaces.iter().any(|name| name == "*" || name == namespace))
    }

    fn is_good(&self, is_good: impl Fn(&ApiKey) -> bool) -> bool {
        matches!(self, Self::Everything) || self.key().is_some_and(is_good)
    }

    fn key(&self) -> Option<&ApiKey> {
        match self {
            Self::Key(keys, at) => keys.get(*at),
            Self::Everything | Self::Nothing => None,
        }
    }
}
