//! What it is: what options must not say together, and what is wrong with each such pair.
//! What it is not: the check of single values, which their kinds make.
//! Who calls it: `config`, when all sources are read.

use std::{collections::HashSet, fmt, time::Duration};

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use socketio::Glob;

use super::{
    keys::{Auth, Backend, Config},
    rule::Check,
    word::{AllowedOrigin, Listen, Mode, Slow, Upstream},
};
use crate::backend::key;

/// Clocks of machines that are set at all are not more than this apart.
const MAX_LEEWAY: Duration = Duration::from_secs(3600);

/// Options that cannot be together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The playground answers everybody who reaches it.
    Playground(Listen),
    AdminWithoutKey(Listen),
    AdminInherited,
    AdminWithoutPrefix(Listen),
    /// What is in front for clients, such as a proxy on this machine, brings them to the API.
    SharedWithoutKey(Listen),
    PrefixBelowPath,
    NoListener,
    NoTransport,
    /// A key that no time, or nothing at all, would make useless.
    Zero(&'static str),
    HalfTls,
    /// The server would ask itself, without end.
    UpstreamIsServer(Listen),
    CredentialsForAll,
    OriginsMixed,
    NamespaceTwice(String),
    RoomWithoutName(usize),
    /// There is no such namespace.
    RoomNowhere(usize, String),
    /// Presence is of rooms.
    PresenceOfAll(usize),
    EmptyKey(usize),
    BackendTwice(String),
    /// The whole application would be kept from its users.
    BackendAtRoot(usize),
    BackendIsServer(usize, Listen),
    /// It begins with `whsec_`, and does not go on in base64.
    BackendSecret(usize),
    /// Tokens are asked for, and nothing says what makes them good.
    NoTokenKey,
    NoTokenSource,
    /// One for which there is no key.
    TokenKey(Algorithm),
    SecretBesidePublicKey,
    EmptySecret,
    Leeway,
    /// A rule that asks or tells an application, where there is none.
    RuleWithoutBackend(String),
    RedisNowhere(&'static str),
    PublishedNowhere(&'static str),
    RedisForNothing,
    ClusterNowhere,
    /// Nobody could listen to it, or hear what others say there.
    ClusterChannel,
    /// Who comes back is to have missed nothing.
    DroppedAndRecovered,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playground(listen) => write!(
                f,
                "{listen} can be reached from other machines, and the playground lets everybody in: it listens on \
                 loopback addresses only, such as 127.0.0.1:8000. What else is configured makes it a server: \
                 `socketio-server default-config` has all options"
            ),
            Self::AdminWithoutKey(listen) => write!(
                f,
                "admin.listen: {listen} can be reached from other machines, and there is no API key: set api.keys, \
                 or listen on 127.0.0.1"
            ),
            Self::AdminInherited => f.write_str("admin.listen: sockets of socket activation are for clients"),
            Self::AdminWithoutPrefix(listen) => {
                write!(f, "admin.listen: {listen} is server.listen, too: set admin.prefix to tell them apart")
            }
            Self::SharedWithoutKey(listen) => write!(
                f,
                "admin.listen: {listen} is server.listen, too, and there is no API key: a proxy in front would let \
                 everybody use the API; set api.keys, or listen on an address of its own"
            ),
            Self::PrefixBelowPath => f.write_str("admin.prefix: it is a path of Socket.IO requests"),
            Self::NoListener => f.write_str("server.listen: there must be an address"),
            Self::NoTransport => f.write_str("engine.transports: there must be one"),
            Self::Zero(key) => write!(f, "{key}: it must be more than 0"),
            Self::HalfTls => f.write_str("server.tls_cert and server.tls_key: there must be both, or none"),
            Self::UpstreamIsServer(listen) => write!(f, "proxy.upstream: {listen} is server.listen, too"),
            Self::CredentialsForAll => f.write_str(
                "cors.origins: \"*\" with credentials would hand every user's session to every page: \
                 set cors.credentials = false, or list the origins",
            ),
            Self::OriginsMixed => f.write_str("cors.origins: \"same-origin\" and \"*\" stand alone"),
            Self::NamespaceTwice(name) => write!(f, "namespace: {name} is there twice"),
            Self::RoomWithoutName(index) => write!(f, "room[{index}]: there is no match, which rooms it is about"),
            Self::RoomNowhere(index, glob) => {
                write!(f, "room[{index}].namespace: \"{glob}\" means no namespace that clients may join")
            }
            Self::PresenceOfAll(index) => write!(f, "room[{index}]: \"@all\" is no room that somebody could be in"),
            Self::RedisNowhere(key) => write!(f, "redis.{key}: there is no redis.url"),
            Self::PublishedNowhere(key) => write!(f, "redis.{key}: there must be a name to publish by"),
            Self::RedisForNothing => f.write_str(
                "redis.url: nothing is listened to: set redis.python and redis.python_channels, or redis.node and \
                 redis.node_key",
            ),
            Self::ClusterNowhere => {
                f.write_str("cluster.enabled: servers reach each other by Redis, and there is no redis.url")
            }
            Self::ClusterChannel => f.write_str(
                "cluster.channel: it must be a name, and none on which others publish, by redis.python_channels or \
                 redis.node_key",
            ),
            Self::DroppedAndRecovered => f.write_str(
                "limits.slow_consumer: \"drop_oldest\" leaves out what recovery promises: set recovery.mode = \"off\", or \
                 \"disconnect\", behind which clients come back for all of it",
            ),
            Self::EmptyKey(index) => write!(f, "api.keys[{index}]: the key is empty"),
            Self::BackendTwice(name) => write!(f, "backend: {name} is there twice; set names"),
            Self::BackendAtRoot(index) => write!(
                f,
                "backend[{index}].url: it is all of proxy.upstream, and nothing is passed on to what takes hooks: give \
                 it a path of its own"
            ),
            Self::BackendIsServer(index, listen) => write!(f, "backend[{index}].url: {listen} is server.listen, too"),
            Self::BackendSecret(index) => {
                write!(f, "backend[{index}].secret: behind whsec_ it goes on in base64, and is not empty")
            }
            Self::NoTokenKey => f.write_str(
                "auth.mode: tokens are wanted, so set auth.jwt.secret, or auth.jwt.public_key_file and \
                 auth.jwt.algorithms",
            ),
            Self::NoTokenSource => f.write_str("auth.jwt.sources: there must be one"),
            Self::TokenKey(algorithm) if algorithm.family() == AlgorithmFamily::Hmac => write!(
                f,
                "auth.jwt.algorithms: {algorithm:?} is by auth.jwt.secret, and never by a public key, which everybody \
                 may know"
            ),
            Self::TokenKey(algorithm) => {
                write!(f, "auth.jwt.algorithms: {algorithm:?} is by auth.jwt.public_key_file, and not by a secret")
            }
            Self::SecretBesidePublicKey => {
                f.write_str("auth.jwt.secret and auth.jwt.public_key_file: there must be one of them, or none")
            }
            Self::EmptySecret => f.write_str("auth.jwt.secret: it is empty"),
            Self::RuleWithoutBackend(path) => write!(f, "{path}: there is no backend for this namespace"),
            Self::Leeway => write!(f, "auth.jwt.leeway: it must be {} minutes at most", MAX_LEEWAY.as_secs() / 60),
        }
    }
}

/// All conflicts.
pub(super) fn conflicts(config: &Config, is_playground: bool) -> Vec<Conflict> {
    let Config { server, admin, api, engine, auth, cors, namespace, .. } = config;
    let mut found = Vec::new();
    let mut refuse = |is_wrong: bool, conflict: Conflict| {
        if is_wrong {
            found.push(conflict);
        }
    };
    refuse(server.listen.is_empty() || server.path.is_empty(), Conflict::NoListener);
    refuse(server.tls_cert.is_some() != server.tls_key.is_some(), Conflict::HalfTls);
    if is_playground {
        for listen in &server.listen {
            refuse(!listen.is_local(), Conflict::Playground(listen.clone()));
        }
        return found;
    }
    for listen in &admin.listen {
        let is_inherited = *listen == Listen::Inherited;
        refuse(is_inherited, Conflict::AdminInherited);
        let is_open = !is_inherited && !listen.is_local() && api.keys.0.is_empty();
        refuse(is_open, Conflict::AdminWithoutKey(listen.clone()));
        let has_prefix = !admin.prefix.0.is_empty();
        let is_shared = server.listen.contains(listen) && (has_prefix || !is_ephemeral(listen));
        refuse(is_shared && !has_prefix, Conflict::AdminWithoutPrefix(listen.clone()));
        let is_open = is_shared && listen.is_local() && api.keys.0.is_empty();
        refuse(is_open, Conflict::SharedWithoutKey(listen.clone()));
    }
    let prefix = format!("{}/", admin.prefix.0);
    refuse(server.path.iter().any(|path| prefix.starts_with(&path.0)), Conflict::PrefixBelowPath);
    for (index, key) in api.keys.0.iter().enumerate() {
        refuse(key.key.0.is_empty(), Conflict::EmptyKey(index));
    }
    refuse(engine.transports.is_empty(), Conflict::NoTransport);
    for (key, is_zero) in [
        ("engine.ping_interval", engine.ping_interval.is_zero()),
        ("engine.ping_timeout", engine.ping_timeout.is_zero()),
        ("engine.upgrade_timeout", engine.upgrade_timeout.is_zero()),
        ("engine.connect_timeout", engine.connect_timeout.is_zero()),
        ("engine.max_payload", engine.max_payload.0 == 0),
        ("proxy.timeout", config.proxy.timeout.is_zero()),
        ("proxy.connect_timeout", config.proxy.connect_timeout.is_zero()),
        ("auth.jwt.max_ttl", auth.jwt.max_ttl.as_secs() == 0),
        ("server.header_timeout", server.header_timeout.is_zero()),
        ("redis.max_message", config.redis.max_message.0 == 0),
        ("limits.send_queue_bytes", config.limits.send_queue_bytes.0 == 0),
        ("limits.send_queue_messages", config.limits.send_queue_messages == 0),
    ] {
        refuse(is_zero, Conflict::Zero(key));
    }
    let drops = config.limits.slow_consumer == Slow::DropOldest;
    refuse(drops && config.recovery.mode != Mode::Off, Conflict::DroppedAndRecovered);
    for listen in server.listen.iter().filter(|listen| is_at(listen, &config.proxy.upstream)) {
        refuse(true, Conflict::UpstreamIsServer(listen.clone()));
    }
    let stands_alone = |origin: &AllowedOrigin| !matches!(origin, AllowedOrigin::One(..));
    let is_mixed = cors.origins.len() > 1 && cors.origins.iter().any(stands_alone);
    refuse(is_mixed, Conflict::OriginsMixed);
    let is_for_all = cors.origins.contains(&AllowedOrigin::Any) && cors.credentials;
    refuse(is_for_all, Conflict::CredentialsForAll);
    of_tokens(auth, config.wants_tokens(), &mut refuse);
    let spaces = config.namespaces();
    for (index, room) in config.room.0.iter().enumerate() {
        let glob = Glob::new(&room.namespace);
        let is_there = spaces.iter().any(|space| glob.matches(&space.name.0));
        refuse(!is_there, Conflict::RoomNowhere(index, room.namespace.clone()));
        refuse(room.r#match.is_empty(), Conflict::RoomWithoutName(index));
        refuse(room.presence && room.r#match == "@all", Conflict::PresenceOfAll(index));
    }
    let redis = &config.redis;
    let hears_python = redis.python && !redis.python_channels.is_empty();
    let hears_node = redis.node && !redis.node_key.is_empty();
    let (publishes_python, publishes_node) = (redis.python_publish, redis.node_publish);
    let wants = [("required", redis.required), ("python_publish", publishes_python), ("node_publish", publishes_node)];
    for (key, _) in wants.iter().filter(|(_, wanted)| *wanted && redis.url.0.is_empty()) {
        refuse(true, Conflict::RedisNowhere(key));
    }
    let is_nameless = publishes_python && redis.python_channels.is_empty();
    refuse(is_nameless, Conflict::PublishedNowhere("python_publish"));
    refuse(publishes_node && redis.node_key.is_empty(), Conflict::PublishedNowhere("node_publish"));
    let cluster = &config.cluster;
    let hears_nothing = !hears_python && !hears_node && !cluster.enabled;
    refuse(!redis.url.0.is_empty() && hears_nothing, Conflict::RedisForNothing);
    refuse(cluster.enabled && redis.url.0.is_empty(), Conflict::ClusterNowhere);
    let of_node = |kind: &str| cluster.channel.starts_with(&format!("{}{kind}#", redis.node_key));
    let is_taken = redis.python && redis.python_channels.contains(&cluster.channel)
        || redis.node && ["", "-request", "-response"].into_iter().any(of_node);
    refuse(cluster.enabled && (cluster.channel.is_empty() || is_taken), Conflict::ClusterChannel);
    of_backends(config, &mut refuse);
    let mut names = HashSet::new();
    for namespace in &namespace.0 {
        let name = &namespace.name.0;
        refuse(!names.insert(name), Conflict::NamespaceTwice(name.clone()));
        let is_of = |glob: &str, name: &str| Glob::new(glob).matches(name);
        let mut globs = config.backend.0.iter().flat_map(|backend| &backend.namespaces);
        let has_backend = globs.any(|glob| is_of(&glob.0, name) || is_of(name, &glob.0));
        for (index, rule) in namespace.rule.0.iter().enumerate() {
            let path = |key| format!("namespace {name}: rule[{index}].{key}");
            refuse(!has_backend && rule.check == Check::Backend, Conflict::RuleWithoutBackend(path("check")));
            refuse(!has_backend && rule.forward, Conflict::RuleWithoutBackend(path("forward")));
        }
    }
    found
}

fn is_at(listen: &Listen, upstream: &Upstream) -> bool {
    match (listen, upstream) {
        (Listen::Tcp(address), Upstream::Http { authority, .. }) => {
            let is_local = address.ip().is_loopback() && authority.host().eq_ignore_ascii_case("localhost");
            let is_here = is_local || authority.host().trim_matches(['[', ']']) == address.ip().to_string();
            is_here && authority.port_u16().unwrap_or(80) == address.port()
        }
        (Listen::Unix(path), Upstream::Unix(other)) => path == other,
        _ => false,
    }
}

/// Those of backends.
fn of_backends(config: &Config, refuse: &mut impl FnMut(bool, Conflict)) {
    let backends = &config.backend.0;
    for (index, Backend { name, url, secret, .. }) in backends.iter().enumerate() {
        let is_twice = backends[..index].iter().any(|other| other.name == *name);
        refuse(is_twice, Conflict::BackendTwice(name.clone()));
        refuse(url.path() == "/" && url.is_behind(&config.proxy.upstream), Conflict::BackendAtRoot(index));
        let is_server = |listen: &&Listen| url.as_upstream().is_some_and(|upstream| is_at(listen, &upstream));
        for listen in config.server.listen.iter().filter(is_server) {
            refuse(true, Conflict::BackendIsServer(index, listen.clone()));
        }
        let is_secret = secret.0.is_empty() || key(&secret.0).is_some_and(|key| !key.is_empty());
        refuse(!is_secret, Conflict::BackendSecret(index));
    }
    for (key, is_zero) in [
        ("backend.timeout", backends.iter().any(|backend| backend.timeout.is_zero())),
        ("backend.connect_timeout", backends.iter().any(|backend| backend.connect_timeout.is_zero())),
        ("backend.max_in_flight", backends.iter().any(|backend| backend.max_in_flight == 0)),
        ("backend.queue", backends.iter().any(|backend| backend.queue == 0)),
        ("backend.queue_per_socket", backends.iter().any(|backend| backend.queue_per_socket == 0)),
        ("backend.queue_bytes", backends.iter().any(|backend| backend.queue_bytes.0 == 0)),
    ] {
        refuse(is_zero, Conflict::Zero(key));
    }
}

/// Those of keys of tokens, which clients need if `are_wanted`.
fn of_tokens(Auth { jwt, .. }: &Auth, are_wanted: bool, refuse: &mut impl FnMut(bool, Conflict)) {
    let (has_secret, has_public_key) = (!jwt.secret.is_empty(), !jwt.public_key_file.is_empty());
    refuse(are_wanted && !has_secret && !has_public_key, Conflict::NoTokenKey);
    refuse(are_wanted && jwt.sources.is_empty(), Conflict::NoTokenSource);
    refuse(has_secret && has_public_key, Conflict::SecretBesidePublicKey);
    for algorithm in &jwt.algorithms {
        let is_by_secret = algorithm.family() == AlgorithmFamily::Hmac;
        let has_other = if is_by_secret { has_public_key } else { has_secret };
        refuse(has_other && has_secret != has_public_key, Conflict::TokenKey(*algorithm));
    }
    refuse(jwt.secret.iter().any(|secret| secret.0.is_empty()), Conflict::EmptySecret);
    refuse(jwt.leeway > MAX_LEEWAY, Conflict::Leeway);
}

/// Two listeners on any free port have two ports, unless a prefix tells them apart.
fn is_ephemeral(listen: &Listen) -> bool {
    matches!(listen, Listen::Tcp(address) if address.port() == 0)
}
