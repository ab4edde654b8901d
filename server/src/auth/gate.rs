//! What it is: the check of a client that asks to join, by its token, and what the token brings about.
//! What it is not: the judge of tokens (`key`), nor of clients that have none and need none.
//! Who calls it: `namespaces`, one for each entry of the configuration.

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use socketio::{ConnectError, Glob, Socket};
use tracing::warn;

use super::{Noted, Tokens, claims::Claims, key::TokenError, pass::Pass};
use crate::{config::AuthMode, member::Member, pace::Pace};

/// Lets clients in by their tokens.
pub(crate) struct Gate {
    tokens: Tokens,
    pace: Pace,
}

/// Why a client is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Token(TokenError),
    /// The token is good for other namespaces.
    Namespace,
    /// It has come back for what was somebody else's. It is to lose its connection, and then be somebody new.
    Stranger,
}

impl Refused {
    /// What it counts as.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Token(_) => "unauthorized",
            Self::Namespace => "forbidden",
            Self::Stranger => "stranger",
        }
    }
}

impl From<Refused> for ConnectError {
    fn from(refused: Refused) -> Self {
        let message = match refused {
            Refused::Token(error) => error.to_string(),
            Refused::Namespace => "Token not for this namespace".into(),
            Refused::Stranger => "Recovery not by this token".into(),
        };
        Self::new(message).with_data(json!({ "code": refused.label() }))
    }
}

impl Gate {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self { tokens, pace: Pace::default() }
    }

    /// Checks a client that has sent this with its CONNECT, if tokens are wanted, and gives its socket what the token
    /// says: user, rooms, session, and an end. `keeps` says which claims somebody asks for later.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn check(
        &self,
        socket: &Socket,
        auth: &RawValue,
        mode: AuthMode,
        keeps: impl Fn(&str) -> bool,
    ) -> Result<(), Refused> {
        let checked = self.judge(socket, auth, mode, keeps);
        if let Err(Refused::Token(TokenError::Invalid(why))) = checked
            && self.pace.once_a_minute(why)
        {
            warn!(namespace = socket.namespace_name(), "a token is invalid: {why}");
        }
        checked
    }

    fn judge(
        &self,
        socket: &Socket,
        auth: &RawValue,
        mode: AuthMode,
        keeps: impl Fn(&str) -> bool,
    ) -> Result<(), Refused> {
        if mode == AuthMode::None {
            return Ok(());
        }
        let auth: Value = serde_json::from_str(auth.get()).unwrap_or_default();
        let token = match self.tokens.check(socket, &auth) {
            Ok(token) => Some(token),
            Err(TokenError::Missing) if mode == AuthMode::JwtOptional => None,
            Err(error) => return Err(Refused::Token(error)),
        };
        let claims = token.as_ref().map(|(claims, _)| claims);
        let is_meant = |glob: &String| Glob::new(glob).matches(socket.namespace_name());
        let namespaces = claims.and_then(|claims| claims.socketio.namespaces.as_ref());
        if namespaces.is_some_and(|globs| !globs.iter().any(is_meant)) {
            return Err(Refused::Namespace);
        }
        // Only who is recovered has one already.
        let before = socket.get::<Pass>();
        let user = claims.map(|claims| claims.sub.as_deref());
        if socket.recovered() && before.as_ref().map(|pass| pass.user.as_deref()) != user {
            return Err(Refused::Stranger);
        }
        let Some((claims, until)) = token else { return Ok(()) };
        socket.set(Some(self.tokens.expiries.note(socket.id(), until)));
        enter(socket, claims, before.as_deref(), keeps).map_err(|why| Refused::Token(TokenError::Invalid(why)))
    }

    /// The socket leaves, or is refused.
    pub(crate) fn forget(socket: &Socket) {
        socket.set(None::<Noted>);
    }
}

/// Gives the socket what the token says. One that is recovered keeps its user and session, which may have been
/// changed since; of its rooms it leaves those that only the token before has had it join.
fn enter(
    socket: &Socket,
    claims: Claims,
    before: Option<&Pass>,
    keeps: impl Fn(&str) -> bool,
) -> Result<(), &'static str> {
    let (permit, member) = (&claims.socketio, Member::of(socket));
    let is_over = |room: &str| before.is_some_and(|pass| pass.rooms.iter().any(|old| old == room));
    let leaves = |room: &socketio::Room| is_over(room.as_str()) && !permit.rooms.iter().any(|new| new == room.as_str());
    socket.move_to_all(&permit.rooms, leaves).map_err(|_| "it names a room that is none")?;
    if let Some(user) = &claims.sub {
        if !socket.recovered() {
            member.set_user(socket, Some(user)).map_err(|_| "its sub is no name of a user")?;
        }
        member.set_info(socket, permit.info.clone());
    }
    if !permit.session.is_null() && !socket.recovered() {
        let session = to_raw_value(&permit.session).expect("it was JSON before");
        member.set_session(session).map_err(|_| "its session is too long")?;
    }
    socket.set(Pass::new(claims, keeps));
    Ok(())
}
