//! What it is: who clients are, by the tokens (JWT) that they bring, and what they may do by these.
//! What it is not: the keys of the API (`keyring`), nor a decision; `namespaces` and rules ask.
//! Who calls it: `namespaces` for each client that joins; `api` and the subcommand `token` have tokens signed.

pub(crate) mod claims;
pub(crate) mod draft;
mod expiry;
mod gate;
mod key;
mod pass;
mod source;

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use socketio::{Socket, SocketId};

use crate::config::{Jwt, TokenSource};
use claims::Claims;
use draft::{Draft, DraftError, Signed};
use expiry::Expiries;
use key::{Keys, TokenError};

pub(crate) use gate::{Gate, Refused};
pub(crate) use key::KeyError;
pub(crate) use pass::Pass;
pub(crate) use source::headers;

/// Longer than any process runs, and short enough for every clock.
const AGE: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// That the end of a socket's token is known.
type Noted = expiry::Noted<SocketId>;

/// The keys of tokens, and where clients have theirs. Clones are the same, also when the keys are replaced.
#[derive(Clone)]
pub(crate) struct Tokens {
    /// Taken for each client that joins, and by `replace`.
    keys: Arc<RwLock<Arc<Keys>>>,
    sources: Arc<[TokenSource]>,
    expiries: Expiries<SocketId>,
}

impl Tokens {
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn load(jwt: &Jwt) -> Result<Self, KeyError> {
        let keys = Arc::new(Keys::load(jwt)?);
        let keys = Arc::new(RwLock::new(keys));
        Ok(Self { keys, sources: jwt.sources.clone().into(), expiries: Expiries::default() })
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// [`KeyError`]; they stay as they were then.
    pub(crate) fn replace(&self, jwt: &Jwt) -> Result<(), KeyError> {
        let keys = Keys::load(jwt)?.into();
        *self.keys.write().expect("not poisoned: nobody panics while it is held") = keys;
        Ok(())
    }

    /// What the token of a client says that has sent this with its CONNECT, and until when it is good.
    ///
    /// # Errors
    /// [`TokenError`].
    fn check(&self, socket: &Socket, auth: &Value) -> Result<(Claims, Instant), TokenError> {
        let token = source::find(&self.sources, socket.handshake(), auth).ok_or(TokenError::Missing)?;
        let keys = self.keys();
        let claims = keys.verify(&token)?;
        let left = left(claims.exp, keys.leeway, SystemTime::now());
        Ok((claims, Instant::now() + left))
    }

    /// # Errors
    /// [`DraftError`].
    pub(crate) fn sign(&self, draft: &Draft) -> Result<Signed, DraftError> {
        draft.sign(&self.keys(), SystemTime::now())
    }

    /// Hands over each socket when its token expires.
    pub(crate) async fn run(self, expired: impl Fn(&SocketId)) {
        self.expiries.run(expired).await;
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().expect("not poisoned: nobody panics while it is held").clone()
    }
}

/// For how long a valid token is good that expires then, in seconds since 1970. One that has expired, but may not have
/// where it comes from, is good for as long as clocks may differ.
fn left(exp: f64, leeway: Duration, now: SystemTime) -> Duration {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let until = |exp: Duration| exp.checked_sub(now).filter(|left| !left.is_zero());
    let exp = Duration::try_from_secs_f64(exp).unwrap_or(Duration::MAX / 2);
    until(exp).or_else(|| until(exp + leeway)).unwrap_or_default().min(AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_it_expires_or_clocks_cannot_differ_so_much() {
        let (now, leeway) = (UNIX_EPOCH + Duration::from_secs(1000), Duration::from_secs(30));
        for (exp, seconds) in [
            (1001.5, Duration::from_millis(1500)),
            (1000.0, leeway),
            (980.0, Duration::from_secs(10)),
            (970.0, Duration::ZERO),
            (0.0, Duration::ZERO),
            (1e300, AGE),
        ] {
            assert_eq!(left(exp, leeway, now), seconds, "{exp}");
        }
    }
}
