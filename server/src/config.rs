//! What it is: the options of the binary: defaults, then a file, then the environment, then flags.
//! What it is not: the options of the crates below, which `options` makes of these.
//! Who calls it: `main`, once, and on SIGHUP; everything else in the binary reads its own part.

mod check;
mod data;
mod hook;
mod keys;
mod kind;
pub(crate) mod listing;
mod rule;
mod setting;
mod source;
mod template;
mod token;
mod value;
mod word;

use std::{env, ffi::OsString, fmt, io, path::PathBuf};

use crate::command::Flags;

pub(crate) use hook::*;
pub(crate) use keys::*;
pub(crate) use kind::{Secret, time};
pub(crate) use rule::{Check, Content};
pub(crate) use template::Slot;
pub(crate) use token::TokenSource;
pub(crate) use word::*;

use check::Conflict;
use setting::{At, Outcome, Problem, Setting};
use value::{Place, Value};

/// What may be said to a playground. Everything else makes it a server that is configured.
const OF_THE_PLAYGROUND: [&str; 7] =
    ["server", "server.listen", "server.serve_client", "server.threads", "log", "log.level", "log.format"];

/// The options, settled.
#[derive(Debug, PartialEq)]
pub(crate) struct Settled {
    pub(crate) config: Config,
    /// Nothing is configured but what a playground may be told.
    pub(crate) is_playground: bool,
}

/// Why the server cannot start with these options.
#[derive(Debug)]
pub(crate) enum ConfigError {
    Read(PathBuf, io::Error),
    /// File, line, and what the parser says.
    Syntax(PathBuf, usize, String),
    Wrong(Vec<Problem>),
    Conflicting(Vec<Conflict>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Syntax(path, line, error) => write!(f, "{}:{line}: {error}", path.display()),
            Self::Wrong(problems) => lines(f, problems),
            Self::Conflicting(conflicts) => lines(f, conflicts),
        }
    }
}

impl std::error::Error for ConfigError {}

fn lines(f: &mut fmt::Formatter<'_>, lines: &[impl fmt::Display]) -> fmt::Result {
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    f.write_str(&lines.join("\n"))
}

impl Settled {
    /// Settles the options of this process.
    pub(crate) fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::of(flags, env::vars_os())
    }

    fn of(flags: &Flags, environment: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let (mut config, mut outcome) = (Config::default(), Outcome::default());
        let mut said: Vec<Value> = flags.config.as_deref().map(source::file).transpose()?.into_iter().collect();
        said.extend(source::environment(environment, &config, &mut outcome.problems));
        for (path, text, flag) in flags.options() {
            said.push(source::flag(path, text, flag));
        }
        for value in said {
            // Each entry of the table has a place of its own.
            config.assign(&value, &At { path: "", place: &Place::Flag("") }, &mut outcome);
        }
        if !outcome.problems.is_empty() {
            return Err(ConfigError::Wrong(outcome.problems));
        }
        let is_of_playground = |path: &String| OF_THE_PLAYGROUND.contains(&&**path);
        let is_playground = flags.config.is_none() && outcome.assigned.iter().all(is_of_playground);
        let conflicts = check::conflicts(&config, is_playground);
        if conflicts.is_empty() { Ok(Self { config, is_playground }) } else { Err(ConfigError::Conflicting(conflicts)) }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
