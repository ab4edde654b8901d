//! What it is: what becomes of events by rules, without an application.
//! What it is not: their declaration (`config`), nor what becomes of events without a rule (`namespaces`).
//! Who calls it: `namespaces`, for each event that is nobody else's.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, RwLock},
};

use serde_json::Value;
use socketio::{Ack, Args, EmitError, Glob, JoinError, Room, Socket};

use crate::{
    auth::Pass,
    config::{self, AuthMode, Check, Config, Content, Slot},
    emitted::{Emitted, Source},
    member::{self, Member},
    op::Emit,
    slots::{Unfilled, Values},
    sockets::{Audience, Sockets},
};

/// What is emitted to a whole namespace goes by this name, so it is none of a room.
const EVERYBODY: &str = "@all";

/// The rules of one entry of namespaces, and who may join it. Clones are the same, also when they are replaced. The
/// lock is taken for each event, for each client that joins, and by `replace`.
#[derive(Clone)]
pub(crate) struct Rules(Arc<RwLock<Arc<Current>>>);

/// The rules of all entries, by their names. Clones are the same.
#[derive(Clone)]
pub(crate) struct Rulebook(Arc<HashMap<String, Rules>>);

/// Who may join, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) auth: AuthMode,
    pub(crate) require_user: bool,
    pub(crate) max_connections: usize,
    pub(crate) max_per_user: usize,
}

/// What holds now.
struct Current {
    terms: Terms,
    rules: Vec<(Glob, Arc<config::Rule>)>,
    /// Names of claims that slots ask for, those of `auto_join` among them.
    claims: BTreeSet<String>,
}

/// An event of a client.
pub(crate) struct Happened<'a> {
    pub(crate) socket: &'a Socket,
    pub(crate) event: &'a str,
    pub(crate) args: &'a Args,
}

/// Why a rule was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleError {
    /// Something that the rule is made of is not there, or of no use.
    Unfilled(Slot),
    /// The name of a room is none, or is not for clients to choose.
    Room,
    TooManyRooms,
    /// The client has no user.
    Unauthorized,
    /// The client may not.
    Forbidden,
    NotMember,
    /// No backend is there for it.
    Nobody,
    Gone,
}

impl RuleError {
    /// For the client's code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unfilled(_) | Self::Room => "invalid_argument",
            Self::TooManyRooms => "limit",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden | Self::NotMember => "forbidden",
            Self::Nobody => "unavailable",
            Self::Gone => "gone",
        }
    }
}

/// For the client's developer.
impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfilled(slot) => write!(f, "{slot} must be a text or a number"),
            Self::Room => f.write_str("the room is not possible"),
            Self::TooManyRooms => f.write_str("too many rooms"),
            Self::Unauthorized => f.write_str("log in first"),
            Self::Forbidden => f.write_str("not allowed"),
            Self::NotMember => f.write_str("join the room first"),
            Self::Nobody => f.write_str("backend unavailable"),
            Self::Gone => f.write_str("the socket has left"),
        }
    }
}

impl From<Unfilled> for RuleError {
    fn from(Unfilled(slot): Unfilled) -> Self {
        Self::Unfilled(slot)
    }
}

impl From<JoinError> for RuleError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::TooManyRooms => Self::TooManyRooms,
            JoinError::Disconnected => Self::Gone,
            _ => Self::Room,
        }
    }
}

/// A rule that is to be carried out, with everything filled in: nothing of it can fail halfway but for rooms.
pub(crate) struct Prepared {
    rule: Arc<config::Rule>,
    leave: Vec<Glob>,
    join: Vec<String>,
    /// The argument of the reply, where it is not what came.
    reply: Option<Value>,
    ack: Option<Value>,
    relay: Option<String>,
}

impl Rulebook {
    pub(crate) fn new(config: &Config) -> Self {
        let rules =
            |options: &config::Namespace| (options.name.0.clone(), Rules::new(options, config.auth_of(options)));
        Self(Arc::new(config.namespaces().iter().map(rules).collect()))
    }

    /// Those of an entry.
    pub(crate) fn of(&self, name: &str) -> Rules {
        self.0.get(name).expect("all entries are there").clone()
    }

    /// Takes what this says of entries that there are.
    pub(crate) fn replace(&self, config: &Config) {
        for options in config.namespaces().iter() {
            if let Some(rules) = self.0.get(&options.name.0) {
                rules.replace(options, config.auth_of(options));
            }
        }
    }
}

impl Rules {
    fn new(options: &config::Namespace, auth: AuthMode) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(Current::new(options, auth)))))
    }

    fn replace(&self, options: &config::Namespace, auth: AuthMode) {
        *self.0.write().expect("not poisoned: nobody panics while it is held") = Arc::new(Current::new(options, auth));
    }

    /// Who may join.
    pub(crate) fn terms(&self) -> Terms {
        self.current().terms
    }

    /// The first rule that is for events of this name.
    pub(crate) fn find(&self, event: &str) -> Option<Arc<config::Rule>> {
        self.current().rules.iter().find(|(glob, _)| glob.matches(event)).map(|(_, rule)| rule.clone())
    }

    /// Whether somebody asks for this claim of tokens.
    pub(crate) fn asks_for(&self) -> impl Fn(&str) -> bool {
        let current = self.current();
        move |claim| current.claims.contains(claim)
    }

    fn current(&self) -> Arc<Current> {
        self.0.read().expect("not poisoned: nobody panics while it is held").clone()
    }
}

impl Current {
    fn new(options: &config::Namespace, auth: AuthMode) -> Self {
        let rules = options.rule.0.iter().map(|rule| (Glob::new(&rule.on), Arc::new(rule.clone())));
        let claim = |slot: &Slot| if let Slot::Claim(way) = slot { way.first().cloned() } else { None };
        let config::Namespace { require_user, max_connections, max_per_user, .. } = *options;
        let terms = Terms { auth, require_user, max_connections, max_per_user };
        Self { terms, rules: rules.collect(), claims: options.slots().into_iter().filter_map(claim).collect() }
    }
}

/// Whether this client may have it, whatever it says.
fn check(check: &Check, socket: &Socket) -> Result<(), RuleError> {
    let pass = || socket.get::<Pass>();
    match check {
        // A backend is asked later, with what the client says.
        Check::Open | Check::Backend => Ok(()),
        Check::User if Member::of(socket).user().is_some() => Ok(()),
        Check::User => Err(RuleError::Unauthorized),
        Check::Role(role) if pass().is_some_and(|pass| pass.has_role(role)) => Ok(()),
        Check::Claims if pass().is_some() => Ok(()),
        Check::Role(_) | Check::Claims => Err(RuleError::Forbidden),
    }
}

impl Prepared {
    /// Checks whether the client may have it, and fills the slots.
    ///
    /// # Errors
    /// [`RuleError`].
    pub(crate) fn new(rule: &Arc<config::Rule>, happened: &Happened<'_>, sockets: &Sockets) -> Result<Self, RuleError> {
        check(&rule.check, happened.socket)?;
        let values = Values::new(happened.socket, Some(happened.args));
        let text = |slot: &Slot| values.text(slot);
        let value = |slot: &Slot| values.value(slot);
        // A star that a client says is no star.
        let without_star = |slot: &Slot| {
            values.text(slot).and_then(|text| match text.contains('*') {
                true => Err(Unfilled(slot.clone())),
                false => Ok(text),
            })
        };
        let leave = rule.leave.iter().map(|name| name.fill(without_star).map(|name| Glob::new(&name)));
        let join = rule.join.iter().map(|name| Ok(name.fill(text)?)).collect::<Result<Vec<_>, RuleError>>()?;
        let reply = rule.reply.as_ref().and_then(|reply| match &reply.content {
            Content::One(data) => Some(data.fill(&value)),
            Content::None | Content::Echo => None,
        });
        let prepared = Self {
            leave: leave.collect::<Result<_, Unfilled>>()?,
            join,
            reply: reply.transpose()?,
            ack: rule.ack.as_ref().map(|data| data.fill(&value)).transpose()?,
            relay: rule.relay.as_ref().map(|relay| relay.room.fill(text)).transpose()?,
            rule: rule.clone(),
        };
        prepared.check(happened, sockets)?;
        Ok(prepared)
    }

    /// Whether this client may have it with what it says.
    fn check(&self, Happened { socket, event, .. }: &Happened<'_>, sockets: &Sockets) -> Result<(), RuleError> {
        let id = socket.id();
        // The room of another socket is for what is meant for that one alone.
        let is_taken = |room: &String| room == EVERYBODY || (room != id.as_str() && sockets.is_socket(room));
        if self.join.iter().chain(&self.relay).any(is_taken) {
            return Err(RuleError::Room);
        }
        let members_only = self.rule.relay.as_ref().is_some_and(|relay| relay.members_only);
        if let Some(room) = self.relay.as_ref().filter(|_| members_only)
            && !self.join.contains(room)
            && !socket.rooms().iter().any(|joined| joined.as_str() == room)
        {
            return Err(RuleError::NotMember);
        }
        if self.rule.check != Check::Claims {
            return Ok(());
        }
        let pass = socket.get::<Pass>().ok_or(RuleError::Forbidden)?;
        let relayed = self.relay.iter().filter(|_| !members_only);
        let has_rooms = self.join.iter().chain(relayed).all(|room| pass.may_join(room));
        let has_event = !self.join.is_empty() || pass.may_emit(event);
        if has_rooms && has_event { Ok(()) } else { Err(RuleError::Forbidden) }
    }

    /// Does what the rule says: leave and join in one step, reply, ack, relay. Gives the ack back if it says none.
    ///
    /// # Errors
    /// [`RuleError`]; the client gets neither reply nor ack then.
    pub(crate) fn carry_out(
        self,
        happened: &Happened<'_>,
        ack: Ack,
        sockets: &Sockets,
    ) -> Result<Option<Ack>, RuleError> {
        let Happened { socket, event, args } = *happened;
        if !self.join.is_empty() || !self.leave.is_empty() {
            let leaves = |room: &Room| {
                let name = room.as_str();
                !member::is_of_user(name) && self.leave.iter().any(|glob| glob.matches(name))
            };
            socket.move_to_all(&self.join, leaves)?;
        }
        if let Some(reply) = &self.rule.reply {
            let sent = match (&self.reply, &reply.content) {
                (Some(data), _) => socket.emit(&reply.event, &(data,)),
                (None, Content::Echo) => socket.emit(&reply.event, args),
                (None, _) => socket.emit(&reply.event, &()),
            };
            sent.map_err(|_| RuleError::Gone)?;
            sockets.metrics.emitted(Source::Rule.name(), 1);
        }
        let unanswered = match &self.ack {
            Some(data) => ack.send(&(data,)).map(|()| None).map_err(|_| RuleError::Gone)?,
            None => Some(ack),
        };
        if let Some(room) = self.relay {
            match socket.to(room.as_str()).emit(event, args) {
                Ok(recipients) => {
                    sockets.metrics.emitted(Source::Rule.name(), recipients);
                    let (to, except) = (Audience::room(room), Audience::sid(socket.id().as_str()));
                    let (event, args) = ((*event).to_owned(), args.clone());
                    let emit = Emit { event, args, to, except, ..Emit::default() };
                    sockets.publish(socket.namespace_name(), &emit);
                    sockets.tail.tell(|| {
                        let Emit { event, args, to, except, .. } = &emit;
                        Emitted { source: Source::Rule, event, args, to, except, recipients }
                            .line(socket.namespace_name())
                    });
                }
                Err(EmitError::ReservedEvent) => return Err(RuleError::Forbidden),
                Err(_) => return Err(RuleError::Gone),
            }
        }
        Ok(unanswered)
    }
}
