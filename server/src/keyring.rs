//! What it is: the keys of the API, and what each is good for.
//! What it is not: a log-in of clients.
//! Who calls it: `admin`, for each request of the API.

use std::sync::{Arc, RwLock};

use hyper::{HeaderMap, header};
use subtle::ConstantTimeEq;

use crate::{
    api::ApiError,
    config::{ApiKey, Scope},
};

/// The keys. Clones are the same, also when they are replaced. The lock is taken for each request, and by `replace`.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<RwLock<Arc<[ApiKey]>>>);

/// What a request may do.
pub(crate) struct Grant {
    /// The names; `*` is all.
    namespaces: Vec<String>,
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

    /// What a request with these headers may do.
    ///
    /// # Errors
    /// `Unauthorized` without a known key, `Forbidden` when the key is not good for this.
    pub(crate) fn grant(&self, headers: &HeaderMap, scope: Scope) -> Result<Grant, ApiError> {
        let keys = self.keys();
        if keys.is_empty() {
            return Ok(Grant { namespaces: vec!["*".into()] });
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer ")).map(|(_, key)| key);
        let said = bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes()));
        let said = said.ok_or(ApiError::Unauthorized)?;
        // All are compared, and each in a time that does not tell how much of it is right.
        let mut found = None;
        for key in keys.iter() {
            if key.key.0.as_bytes().ct_eq(said).into() {
                found = Some(key);
            }
        }
        let key = found.ok_or(ApiError::Unauthorized)?;
        if !key.allow.contains(&scope) {
            return Err(ApiError::Forbidden);
        }
        Ok(Grant { namespaces: key.namespaces.clone() })
    }

    fn keys(&self) -> Arc<[ApiKey]> {
        self.0.read().expect("not poisoned: nobody panics while it is held").clone()
    }
}

impl Grant {
    /// Whether it is good for this namespace; `*` is all.
    pub(crate) fn is_for(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|name| name == "*" || name == namespace)
    }
}
