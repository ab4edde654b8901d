//! What it is: the keys, each declared once: its line in the reference, its name, its kind and its default.
//! What it is not: what follows from several of them together (`check`).
//! Who calls it: `config` fills them; everything in the binary reads its own.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use engineio::Transport;
use ipnet::IpNet;
use jsonwebtoken::Algorithm;
use socketio::Glob;

use super::{
    data::Data,
    hook::{About, BackendUrl, HeaderName},
    kind::{Brief, Item, Scalar, Secret, Size, Tables, quoted},
    rule::{Check, Content, Relay, Reply},
    setting::{self, At, Key, Outcome, Section, Setting, section},
    template::{FirstRoom, Slot, Template},
    token::TokenSource,
    value::Value,
    word::{
        AllowedOrigin, AuthMode, CookieName, Excess, Format, Kept, Level, Listen, Mode, NamespaceName, Ordering,
        Prefix, RedisUrl, Replay, Scope, Slow, Unhandled, Upstream, UrlPath,
    },
};

section! {
    /// Everything that can be configured.
    Config {
        /// Where clients connect.
        server: Server = Server::default(),
        /// Where operators and applications connect: health, metrics, API.
        admin: Admin = Admin::default(),
        /// The API of the admin listener.
        api: Api = Api::default(),
        /// The transport.
        engine: Engine = Engine::default(),
        /// Who clients are.
        auth: Auth = Auth::default(),
        /// Pages of other origins.
        cors: Cors = Cors::default(),
        /// What clients may bring, or make the server keep.
        limits: Limits = Limits::default(),
        /// The application behind the server, which has what is not the server's own.
        proxy: Proxy = Proxy::default(),
        /// Where applications, and other servers, publish what clients are to get.
        redis: Redis = Redis::default(),
        /// Servers that act as one: what one of them emits reaches the clients of all.
        cluster: Cluster = Cluster::default(),
        /// Clients that come back after their connection was lost.
        recovery: Recovery = Recovery::default(),
        /// The end of the process.
        drain: Drain = Drain::default(),
        /// Figures for Prometheus.
        metrics: Metrics = Metrics::default(),
        /// The page for operators.
        ui: Ui = Ui::default(),
        /// What is written to standard error.
        log: Log = Log::default(),
        /// An application that is told by HTTP what clients do, and answers what is to be done.
        backend: Tables<Backend> = Tables::default(),
        /// A namespace that clients may join. With none at all there are those that backends are asked about, or else
        /// "/".
        namespace: Tables<Namespace> = Tables::default(),
        /// What becomes of events that are emitted to some rooms. Of several entries for a room, the first one counts
        /// for each of history, throttle and presence.
        room: Tables<Room> = Tables::default(),
        /// What all rooms keep, together.
        history: History = History::default(),
    }
}

section! {
    /// Where clients connect.
    Server {
        /// Addresses to listen on, one or a list; port 0 takes any free one, "systemd" the sockets of socket
        /// activation.
        listen: Vec<Listen> = vec![Listen::Tcp(([127, 0, 0, 1], 8000).into())],
        /// Paths of Socket.IO requests, one or a list; requests may leave out the slash at the end.
        path: Vec<UrlPath> = vec![UrlPath("/socket.io/".into())],
        /// The dist folder of the npm package socket.io-client, served below the path.
        serve_client: Option<PathBuf> = None,
        /// Certificate chain for TLS (PEM), for all TCP addresses; read again on SIGHUP and when it changes.
        tls_cert: Option<PathBuf> = None,
        /// Key of that certificate (PEM).
        tls_key: Option<PathBuf> = None,
        /// Networks of proxies whose X-Forwarded-For and X-Forwarded-Host are believed.
        trusted_proxies: Vec<IpNet> = vec![],
        /// Threads that serve; 0 is one for each processor that the process may use.
        threads: usize = 0,
        /// Time for the head of a request.
        header_timeout: Duration = Duration::from_secs(10),
        /// Size of the head of a request; beyond it 431. Less than 8 KiB counts as that.
        max_header_bytes: Size = Size(16 << 10),
    }
}

section! {
    /// Where operators and applications connect.
    Admin {
        /// Addresses, one or a list, or "" for none; without an API key on this machine only, and none of
        /// server.listen.
        listen: Vec<Listen> = vec![Listen::Tcp(([127, 0, 0, 1], 8001).into())],
        /// What stands before the paths of the admin listener; needed where it shares an address with clients.
        prefix: Prefix = Prefix::default(),
    }
}

section! {
    /// The API of the admin listener.
    Api {
        /// Keys, one or a list: texts, or tables with name, key (or key_file), allow ("emit", "manage",
        /// "read") and namespaces. With none, whoever reaches the admin listener may use the API.
        keys: Tables<ApiKey> = Tables::default(),
        /// Size of the body of a request; beyond it 413.
        max_body: Size = Size(1 << 20),
        /// Ops in one body; beyond it 422.
        max_batch: usize = 1000,
        /// Time for which answers are kept by the ids of requests, so that what is sent once more is not done once
        /// more; 0 is none.
        idempotency_ttl: Duration = Duration::from_secs(300),
    }
}

section! {
    /// A key of the API.
    ApiKey {
        /// Name of its owner, for logs.
        name: String = String::new(),
        /// The key.
        key: Secret = Secret::default(),
        /// What it is good for: "emit" sends events, "manage" changes sockets and rooms, "read" shows them.
        allow: Vec<Scope> = vec![Scope::Emit, Scope::Manage, Scope::Read],
        /// Namespaces that it is good for; "*" is all.
        namespaces: Vec<String> = vec!["*".into()],
    }
}

section! {
    /// The transport.
    Engine {
        /// Transports that are served.
        transports: Vec<Transport> = vec![Transport::Polling, Transport::WebSocket],
        /// Time from a pong, or the handshake, to the next ping.
        ping_interval: Duration = Duration::from_secs(25),
        /// Time that a client has to answer a ping.
        ping_timeout: Duration = Duration::from_secs(20),
        /// Largest POST body and largest WebSocket message.
        max_payload: Size = Size(1_000_000),
        /// Time that an upgrade to WebSocket may take.
        upgrade_timeout: Duration = Duration::from_secs(10),
        /// Time that a client has to join its first namespace.
        connect_timeout: Duration = Duration::from_secs(45),
        /// Time that a broadcast may wait for more, so that one write takes many, for rooms with many messages a
        /// second; 0 is none.
        flush_delay: Brief = Brief(Duration::ZERO),
        /// Whether clients of Socket.IO 1.x and 2.x are served, too.
        eio3: bool = false,
        /// Whether polling answers are compressed, for clients that accept it.
        http_compression: bool = true,
        /// Size from which on they are.
        compression_threshold: Size = Size(1024),
        /// Whether WebSocket messages are compressed (permessage-deflate); it costs time for each recipient.
        ws_compression: bool = false,
        /// Name of a cookie with the sid, for load balancers; "" is none.
        cookie: CookieName = CookieName::default(),
    }
}

section! {
    /// Who clients are.
    Auth {
        /// "jwt" lets in who has a valid token, "jwt_optional" those without one, too, "none" looks at no tokens.
        mode: AuthMode = AuthMode::None,
        /// JSON Web Tokens (JWT). All but the sources is read again on SIGHUP.
        jwt: Jwt = Jwt::default(),
    }
}

section! {
    /// JSON Web Tokens.
    Jwt {
        /// How tokens may be signed: HS256, HS384, HS512 by the secret; RS256, RS384, RS512, PS256, PS384, PS512,
        /// ES256, ES384, EdDSA by the owner of a public key.
        algorithms: Vec<Algorithm> = vec![Algorithm::HS256],
        /// The secret of HS algorithms, or a list: the first one signs, all are good for tokens that clients bring.
        secret: Vec<Secret> = vec![],
        /// Public keys for the other algorithms (PEM), one file or a list.
        public_key_file: Vec<PathBuf> = vec![],
        /// What tokens must name as their issuer (iss); "" is anything.
        issuer: String = String::new(),
        /// What tokens must name as their audience (aud), alone or among others; "" is anything.
        audience: String = String::new(),
        /// How far the clocks of others may be wrong.
        leeway: Duration = Duration::from_secs(30),
        /// Where clients may have their token, the first one counts: auth.NAME of their CONNECT, query.NAME,
        /// header.NAME, cookie.NAME.
        sources: Vec<TokenSource> = TokenSource::usual(),
        /// Longest life of tokens that this server signs.
        max_ttl: Duration = Duration::from_secs(24 * 3600),
    }
}

section! {
    /// Pages of other origins.
    Cors {
        /// Whose pages may connect, one or a list; of WebSockets, too. "*" is everybody's.
        origins: Vec<AllowedOrigin> = vec![AllowedOrigin::Same],
        /// Whether pages of listed origins may send cookies; with "*" it must be false.
        credentials: bool = true,
    }
}

section! {
    /// What clients may bring, or make the server keep.
    Limits {
        /// Connections; beyond it a handshake is answered 503. 0 is the limit on open files less 64.
        max_connections: usize = 0,
        /// Connections of one address, of IPv6 of its first 64 bits; 0 is no limit.
        max_connections_per_ip: usize = 0,
        /// Connections whose clients have sent nothing yet; 0 is no limit.
        max_unused_connections: usize = 10_000,
        /// New connections in a second; beyond it a handshake is answered 503, and clients try again. Twice as many at
        /// once after a pause. 0 is no limit.
        connect_rate: u32 = 0,
        /// Events of one connection in a second, in the long run; 0 is no limit.
        events_per_second: u32 = 0,
        /// Events of one connection at once after a pause; 0 is twice events_per_second.
        events_burst: u32 = 0,
        /// What becomes of an event beyond that: "drop" leaves it out, "disconnect" closes the connection, too.
        on_excess: Excess = Excess::Drop,
        /// Bytes that may wait for one client.
        send_queue_bytes: Size = Size(1 << 20),
        /// Messages that may wait for one client.
        send_queue_messages: usize = 1024,
        /// What becomes of a client for whom more would wait: "disconnect" closes its connection, "drop_oldest" leaves
        /// out the oldest events that want no ack.
        slow_consumer: Slow = Slow::Disconnect,
        /// Rooms of one socket.
        max_rooms_per_socket: usize = 1000,
        /// Bytes of the name of an event.
        max_event_name: usize = 200,
        /// Bytes of the name of a room.
        max_room_name: usize = 200,
        /// Namespaces of one connection.
        max_namespaces_per_connection: usize = 16,
        /// Binary values of one packet; clients send 10 at most.
        max_attachments: usize = 10,
    }
}

section! {
    /// The application behind the server.
    Proxy {
        /// Where requests go that are not Socket.IO's, the admin listener's or the client's bundle; "" is nowhere.
        upstream: Upstream = Upstream::Nowhere,
        /// Time for the head of its answer, from the last byte of the request on; beyond it 504.
        timeout: Duration = Duration::from_secs(60),
        /// Time for a connection to it; beyond it 502.
        connect_timeout: Duration = Duration::from_secs(5),
        /// Paths that are never passed on, one or a list, with all below them.
        deny: Vec<UrlPath> = vec![],
    }
}

section! {
    /// Where applications, and other servers, publish what clients are to get.
    Redis {
        /// URL, such as redis://user:password@host:6379/0, rediss:// with TLS, unix:///run/redis.sock or
        /// redis+sentinel://host1:26379,host2:26379/0/service; "" is none.
        url: RedisUrl = RedisUrl::default(),
        /// Whether messages of python-socketio and Flask-SocketIO are for clients of this server.
        python: bool = true,
        /// Channels on which they come: the default ones of both.
        python_channels: Vec<String> = vec!["socketio".into(), "flask-socketio".into()],
        /// Whether those of @socket.io/redis-emitter, and of servers with @socket.io/redis-adapter, are.
        node: bool = true,
        /// What their channels begin with (key).
        node_key: String = "socket.io".into(),
        /// Whether servers with python-socketio are told what this one emits by itself: for the API, backends and
        /// rules.
        python_publish: bool = false,
        /// The same for servers with @socket.io/redis-adapter.
        node_publish: bool = false,
        /// Size of a message; what is larger is left out.
        max_message: Size = Size(16 << 20),
        /// Whether /readyz says 503 when Redis is away for more than 5 seconds.
        required: bool = false,
    }
}

section! {
    /// Servers that act as one.
    Cluster {
        /// Whether this server is one of them: it has redis.url and channel in common with the others.
        enabled: bool = false,
        /// Channel of their messages. Those of one server alone have ":" and its id behind it.
        channel: String = "socketio-cluster".into(),
    }
}

section! {
    /// Clients that come back after their connection was lost.
    Recovery {
        /// "full" is the reference's recovery; "buffer" leaves events as they are, and brings some twice.
        mode: Mode = Mode::Off,
        /// Time that a client may be away.
        window: Duration = Duration::from_secs(120),
        /// Bytes of events that each namespace keeps for those who are away.
        max_bytes: Size = Size(16 << 20),
        /// Bytes that all namespaces keep together; beyond it those forget theirs that were not emitted to for longest.
        total_bytes: Size = Size(256 << 20),
        /// Sockets that each namespace keeps while they are away.
        max_sessions: usize = 10_000,
        /// Whether backends are asked about clients that come back.
        hook: bool = true,
    }
}

section! {
    /// The end of the process.
    Drain {
        /// Time to close all connections in; what takes longer is cut off.
        timeout: Duration = Duration::from_secs(8),
        /// Connections closed in a second, or more, so that it takes a quarter of the timeout at most; 0 is all at
        /// once.
        rate: usize = 1000,
    }
}

section! {
    /// Figures for Prometheus.
    Metrics {
        /// Whether the admin listener has /metrics.
        enabled: bool = true,
        /// Names of events to be counted by name; all others count as "other".
        event_labels: Vec<String> = vec![],
    }
}

section! {
    /// The page for operators.
    Ui {
        /// Whether the admin listener has one, at its first path; it asks for a key where there are keys.
        enabled: bool = true,
    }
}

section! {
    /// What is written to standard error.
    Log {
        /// How much: "info" has one line for each connection that ends.
        level: Level = Level::Info,
        /// Lines for people, or for programs.
        format: Format = Format::Text,
    }
}

section! {
    /// An application that is told by HTTP what clients do, and answers what is to be done.
    Backend {
        /// Its name, for metrics and log; each has another one.
        name: String = "default".into(),
        /// Where it takes hooks: http://, https://, or unix:/path/to/socket:/path.
        url: BackendUrl = BackendUrl::default(),
        /// Namespaces that it is for, one or a list: names, or their beginning and a "*". Of several backends the first
        /// one counts.
        namespaces: Vec<NamespaceName> = vec![NamespaceName("*".into())],
        /// Events that it is for; globs. Of several backends the first one counts.
        events: Vec<String> = vec!["*".into()],
        /// Whether it is asked about clients that want to join: true leaves out those with a valid token, "always" does
        /// not.
        connect: About = About::Strangers,
        /// Whether it is told of sockets that have left.
        disconnect: bool = true,
        /// Whether it is told of users who come and go: user_online with the first socket of a user in a namespace,
        /// user_offline once there has been none for presence_grace.
        presence: bool = false,
        /// Time after which a user without a socket is gone.
        presence_grace: Duration = Duration::from_secs(15),
        /// What hooks are signed with (Standard Webhooks): "whsec_" and base64, or any text; "" is no signature.
        secret: Secret = Secret::default(),
        /// Time for its answer.
        timeout: Duration = Duration::from_secs(5),
        /// The part of that time in which there must be a connection.
        connect_timeout: Duration = Duration::from_secs(2),
        /// Hooks that it has at a time.
        max_in_flight: usize = 64,
        /// Events that wait for that, and disconnects as many; an event beyond it fails. Sockets take turns.
        queue: usize = 10_000,
        /// Events of one socket that wait.
        queue_per_socket: usize = 100,
        /// Bytes of all events that wait.
        queue_bytes: Size = Size(64 << 20),
        /// "socket" has of each socket one hook at a time, in order; with "none" events overtake each other.
        ordering: Ordering = Ordering::Socket,
        /// Headers of clients that hooks have.
        forward_headers: Vec<HeaderName> = HeaderName::usual(),
        /// Whether hooks of events and disconnects have the client's request; those of connects have it always.
        include_request: bool = true,
        /// Whether they have the rooms of the socket.
        include_rooms: bool = true,
        /// Disconnect hooks in a second; 0 is no bound.
        disconnect_rate: usize = 200,
        /// How often an event goes again that was not answered in time, or by a status from 500 on.
        retries: usize = 0,
        /// Failures in a row behind which the backend has a pause: it cannot be reached, does not answer in time, or
        /// answers 502, 503 or 504. 0 is no pause.
        breaker_failures: usize = 5,
        /// How long that is. Events fail meanwhile, and clients who want to join wait.
        breaker_pause: Duration = Duration::from_secs(5),
    }
}

section! {
    /// A namespace that clients may join.
    Namespace {
        /// Its name; one that ends with "*" means all that begin so and have no entry of their own, "*" all.
        name: NamespaceName = NamespaceName("/".into()),
        /// Who may join: as auth.mode says it, or "inherit".
        auth: Option<AuthMode> = None,
        /// Sockets in it, or in each that is meant; one more is refused with connect_error. 0 is no limit.
        max_connections: usize = 0,
        /// Whether who is nobody's, by token and backend, is refused.
        require_user: bool = false,
        /// Sockets of one user in it; one more is refused. 0 is no limit.
        max_per_user: usize = 0,
        /// Rooms that each socket is in from the start; one whose place cannot be filled is left out.
        auto_join: Vec<FirstRoom> = vec![],
        /// What becomes of events that nobody handles: "report" counts all and logs one each second, "error" tells the
        /// client, too, "ignore" only counts.
        unhandled: Unhandled = Unhandled::Report,
        /// Name of the event that tells a client of an error; "" tells nothing.
        error_event: String = "error".into(),
        /// What becomes of some events without an application; the first rule counts whose name matches.
        rule: Tables<Rule> = Tables::default(),
    }
}

section! {
    /// What becomes of some events without an application.
    Rule {
        /// Name of the events; a glob.
        on: String = "*".into(),
        /// Who may have it: "open" is everybody, "user" who is somebody, "role:NAME" whose token has the role, "claims"
        /// whose token allows it, "backend" whom the application allows it.
        check: Check = Check::Open,
        /// Rooms that the socket leaves; globs, and in names what may stand in those of join.
        leave: Vec<Template> = vec![],
        /// Rooms that it joins, in the same step; {0.FIELD} is of the first argument, and what is missing is an error.
        join: Vec<Template> = vec![],
        /// An event for the client: a table with event, its name, and data, its argument, or echo, which is true for
        /// the arguments that came; {} is none.
        reply: Option<Reply> = None,
        /// The argument of the ack, if the client wants one; "" is none.
        ack: Option<Data> = None,
        /// Sends the event on to the others in a room: a table with room, and with members_only, which is false to let
        /// those do it, too, who are not in it; {} is none.
        relay: Option<Relay> = None,
        /// Whether the application is told, too.
        forward: bool = false,
    }
}

impl Namespace {
    /// All slots in it.
    pub(crate) fn slots(&self) -> Vec<&Slot> {
        let mut slots: Vec<_> = self.auto_join.iter().flat_map(|room| room.0.slots()).collect();
        for rule in &self.rule.0 {
            let rooms = rule.leave.iter().chain(&rule.join).chain(rule.relay.iter().map(|relay| &relay.room));
            slots.extend(rooms.flat_map(Template::slots));
            let reply = rule.reply.iter().filter_map(|reply| match &reply.content {
                Content::One(data) => Some(data),
                Content::None | Content::Echo => None,
            });
            slots.extend(reply.chain(&rule.ack).flat_map(Data::slots));
        }
        slots
    }
}

impl Item for Rule {
    const KIND: &'static str = "a list of tables with on, and more";
}

section! {
    /// What becomes of events that are emitted to some rooms.
    Room {
        /// Namespace of the rooms; a glob.
        namespace: String = "/".into(),
        /// Name of the room; a glob, but none that has several names means rooms of single sockets. "@all" is what is
        /// emitted to the whole namespace.
        r#match: String = "*".into(),
        /// Events that the room keeps; 0 is none.
        history: usize = 0,
        /// How old they may become.
        history_ttl: Duration = Duration::from_secs(300),
        /// "stream" keeps one after the other, "last" the newest of each name.
        history_mode: Kept = Kept::Stream,
        /// Names of events that are kept; globs.
        events: Vec<String> = vec!["*".into()],
        /// Events that a socket is sent when it joins, or for "@all" when it connects: the last ones, or "all".
        replay: Replay = Replay::Last(0),
        /// Time from one event to the next one of its name in one room; of those between, the last one is sent when it
        /// is over, or ahead of an event of another name. 0 is none.
        throttle: Brief = Brief(Duration::ZERO),
        /// Names of events that wait for that; globs.
        throttle_events: Vec<String> = vec!["*".into()],
        /// Whether members are told who is there.
        presence: bool = false,
        /// Name of the event for who joins, with all members.
        presence_state: String = "presence_state".into(),
        /// Name of the event for the others, with who came and who left.
        presence_diff: String = "presence_diff".into(),
        /// Time after which somebody without a socket is gone.
        presence_grace: Duration = Duration::from_secs(15),
    }
}

section! {
    /// What all rooms keep, together.
    History {
        /// Bytes of it; beyond it rooms that nobody used for longest forget what they keep.
        total_bytes: Size = Size(64 << 20),
    }
}

impl Item for Room {
    const KIND: &'static str = "a list of tables with match, and more";
}

impl Config {
    /// The namespaces that clients may join. Of several globs that mean one, the first one counts.
    pub(crate) fn namespaces(&self) -> Vec<Namespace> {
        let mut spaces = match self.namespace.0.is_empty() {
            true => self.namespaces_of_backends(),
            false => self.namespace.0.clone(),
        };
        // What is said of the rooms of some that a glob means is of no others: they have an entry of their own.
        let of_rooms = self.room.0.iter().filter_map(|room| NamespaceName::read(&Value::Text(room.namespace.clone())));
        for name in of_rooms {
            let is_meant = |space: &Namespace| Glob::new(&space.name.0).matches(&name.0);
            let is_there = spaces.iter().any(|space| space.name == name);
            if let Some(at) = spaces.iter().position(is_meant).filter(|_| !is_there) {
                spaces.insert(at, Namespace { name, ..spaces[at].clone() });
            }
        }
        spaces
    }

    fn namespaces_of_backends(&self) -> Vec<Namespace> {
        let asked = self.backend.0.iter().filter(|backend| backend.connect != About::Nobody);
        let mut names: Vec<NamespaceName> = asked.flat_map(|backend| backend.namespaces.clone()).collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.0.clone()));
        let named = |name| Namespace { name, ..Namespace::default() };
        if names.is_empty() { vec![Namespace::default()] } else { names.into_iter().map(named).collect() }
    }

    /// Whether clients need a token, or may have one.
    pub(crate) fn wants_tokens(&self) -> bool {
        self.namespaces().iter().any(|space| self.has_tokens(space))
    }

    /// Who may join this namespace.
    pub(crate) fn auth_of(&self, space: &Namespace) -> AuthMode {
        space.auth.unwrap_or(self.auth.mode)
    }

    fn has_tokens(&self, space: &Namespace) -> bool {
        self.auth_of(space) != AuthMode::None
    }

    /// Whether clients may have a room by its name alone where they are somebody.
    pub(crate) fn has_daring_rule(&self) -> bool {
        let is_of_client = |slot: &Slot| matches!(slot, Slot::Arg(..) | Slot::Query(_));
        let is_daring =
            |rule: &Rule| rule.check == Check::Open && rule.join.iter().any(|room| room.slots().any(is_of_client));
        self.namespaces().iter().any(|space| self.has_tokens(space) && space.rule.0.iter().any(is_daring))
    }
}

impl Item for Backend {
    const KIND: &'static str = "a URL, a table with url, and more, or a list of such";

    fn of_text(text: &str) -> Option<Self> {
        Some(Self { url: BackendUrl::parse(text)?, ..Self::default() })
    }
}

impl Item for Namespace {
    const KIND: &'static str = "a list of tables with name, and more";
}

impl Item for ApiKey {
    const KIND: &'static str = "a key, a table with name, key, allow and namespaces, or a list of such";
    const IS_SECRET: bool = true;

    fn of_text(text: &str) -> Option<Self> {
        Some(Self { key: Secret(text.to_owned()), ..Self::default() })
    }
}

impl Scalar for IpNet {
    const KIND: &'static str = "an address, or a network such as \"10.0.0.0/8\"";

    fn read(value: &Value) -> Option<Self> {
        let text = value.text()?;
        text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(Self::from))
    }

    fn shown(&self) -> String {
        quoted(&self.to_string())
    }
}
