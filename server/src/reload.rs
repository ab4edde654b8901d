//! What it is: the configuration read again, while the server runs: what of it holds from then on.
//! What it is not: a restart: what is built once stays, and is said to.
//! Who calls it: `serve`; it runs beside all else.

use std::{collections::BTreeSet, sync::Arc};

use socketio::SocketIo;
use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use crate::{
    auth::Tokens,
    backend::Backends,
    command::Flags,
    config::{Auth, Config, Jwt, Limits, Settled},
    connect_rate::ConnectRate,
    deny::Deny,
    journal::Journal,
    keyring::Keyring,
    options,
    rules::Rulebook,
    tls::Tls,
};

/// What SIGHUP has read again: certificates, keys of API and tokens, who may join and how many, rules, backends, how
/// much is logged.
pub(crate) struct Reloaded {
    pub(crate) flags: Flags,
    /// What holds now.
    pub(crate) config: Config,
    /// Headers of handshakes that are kept since the start; others are not there to be asked for.
    pub(crate) kept_headers: BTreeSet<String>,
    pub(crate) io: SocketIo,
    /// The limit on open files.
    pub(crate) files: u64,
    pub(crate) connect_rate: ConnectRate,
    pub(crate) keyring: Keyring,
    pub(crate) tokens: Tokens,
    pub(crate) rulebook: Rulebook,
    pub(crate) backends: Arc<Backends>,
    pub(crate) journal: Journal,
    pub(crate) tls: Option<Tls>,
}

impl Reloaded {
    /// Reads it again whenever the signal comes.
    pub(crate) async fn on(mut self, mut hangup: Signal) {
        // The proxy's since the start, whatever backends come and go.
        let denied = Deny::of(&self.config);
        while hangup.recv().await.is_some() {
            if let Some(tls) = &self.tls {
                tls.reload();
            }
            match Settled::load(&self.flags) {
                Ok(settled) => self.take(settled.config, &denied),
                Err(error) => error!("the configuration stays as it was: {error}"),
            }
        }
    }

    fn take(&mut self, new: Config, denied: &Deny) {
        // Without keys it is the addresses that keep strangers out, and those that serve now stay.
        if !new.api.keys.0.is_empty() {
            self.keyring.replace(&new.api.keys.0);
            self.config.api.keys = new.api.keys.clone();
        }
        if self.take_keys(&new) {
            self.take_auth(&new);
        }
        for options in &mut self.config.namespace.0 {
            if let Some(new) = new.namespace.0.iter().find(|new| new.name == options.name) {
                options.rule = new.rule.clone();
                options.require_user = new.require_user;
                (options.max_connections, options.max_per_user) = (new.max_connections, new.max_per_user);
            }
        }
        self.rulebook.replace(&self.config);
        self.take_limits(&new.limits);
        self.take_backends(&new, denied);
        self.journal.set(new.log.level);
        self.config.log.level = new.log.level;
        if self.config == new {
            info!("configuration read again");
        } else {
            warn!("configuration read again; of what has changed, a part waits for the next start");
        }
    }

    /// Says whether they could be read.
    fn take_keys(&mut self, new: &Config) -> bool {
        // The headers that clients may have their token in are chosen at the start.
        let jwt = Jwt { sources: self.config.auth.jwt.sources.clone(), ..new.auth.jwt.clone() };
        let replaced = self.tokens.replace(&jwt);
        match &replaced {
            Ok(()) => self.config.auth.jwt = jwt,
            Err(error) => error!("the keys of tokens, and who may join, stay as they were: {error}"),
        }
        replaced.is_ok()
    }

    /// Who may join, from now on.
    fn take_auth(&mut self, new: &Config) {
        let mut taken = self.config.clone();
        taken.auth = Auth { mode: new.auth.mode, ..taken.auth };
        for options in &mut taken.namespace.0 {
            if let Some(new) = new.namespace.0.iter().find(|new| new.name == options.name) {
                options.auth = new.auth;
            }
        }
        if self.keeps_headers_for(&taken) {
            self.config = taken;
        }
    }

    /// How many connections there may be. What each of them may do is settled when it is opened.
    fn take_limits(&mut self, new: &Limits) {
        let Limits { max_connections, max_connections_per_ip, max_unused_connections, connect_rate, .. } = *new;
        let old = self.config.limits.clone();
        self.config.limits =
            Limits { max_connections, max_connections_per_ip, max_unused_connections, connect_rate, ..old };
        self.io.limit_sessions(options::session_limits(&self.config.limits, self.files));
        self.connect_rate.set(connect_rate);
    }

    fn take_backends(&mut self, new: &Config, denied: &Deny) {
        let taken = Config { backend: new.backend.clone(), ..self.config.clone() };
        let names = |config: &Config| config.namespaces().iter().map(|space| space.name.clone()).collect::<Vec<_>>();
        // Namespaces, and what is passed on to the application, are chosen at the start.
        let fits = names(&taken) == names(&self.config) && denied.includes(&Deny::of(&taken));
        if !fits || !self.keeps_headers_for(&taken) {
            return;
        }
        match self.backends.replace(&taken.backend.0) {
            Ok(()) => self.config = taken,
            Err(error) => error!("backends stay as they were: {error}"),
        }
    }

    fn keeps_headers_for(&self, config: &Config) -> bool {
        options::wanted_headers(config).is_subset(&self.kept_headers)
    }
}
