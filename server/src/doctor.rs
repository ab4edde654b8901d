//! What it is: the subcommand `doctor`: connects to a server as clients do, through whatever stands between, and says
//! what is to be changed.
//! What it is not: for servers of ours only; any that speaks Engine.IO 4 may be asked.
//! Who calls it: `main`.

mod advice;
mod exchange;
mod idle;
mod origin;
mod polling;
mod reach;
mod report;
mod target;
mod websocket;

use std::{fmt, io};

use engineio::Origin;

use crate::command;

use exchange::Client;
use polling::Opening;
use report::Report;
use target::Target;

pub(crate) use exchange::NOWHERE;

/// Why nothing was found out, or that something is wrong.
#[derive(Debug)]
pub(crate) enum DoctorError {
    Url(String),
    Origin(String),
    Namespace(String),
    /// The system has no certificates that could be trusted.
    Roots(io::Error),
    /// So many findings are failures.
    Failed(usize),
}

impl fmt::Display for DoctorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => {
                write!(f, "{url} is no URL such as https://chat.example.com, and no address such as 127.0.0.1:8000")
            }
            Self::Origin(origin) => write!(f, "{origin} is no origin such as https://www.example.com"),
            Self::Namespace(name) => write!(f, "{name} is no name of a namespace such as /chat"),
            Self::Roots(error) => error.fmt(f),
            Self::Failed(1) => f.write_str("1 thing is to be changed"),
            Self::Failed(count) => write!(f, "{count} things are to be changed"),
        }
    }
}

impl std::error::Error for DoctorError {}

/// Tells all there is to be found out, line by line.
pub(crate) async fn doctor(asked: &command::Doctor) -> Result<(), DoctorError> {
    let is_none = |origin: &&String| !origin.starts_with("http") || Origin::parse(origin).is_err();
    if let Some(wrong) = asked.origin.as_ref().filter(is_none) {
        return Err(DoctorError::Origin(wrong.clone()));
    }
    let target = Target::of(asked)?;
    let mut report = Report::default();
    examine(Client::new(target), asked, &mut report).await;
    report.close();
    match report.failed() {
        0 => Ok(()),
        count => Err(DoctorError::Failed(count)),
    }
}

async fn examine(mut client: Client, asked: &command::Doctor, report: &mut Report) {
    if !reach::check(&client, report).await {
        return;
    }
    let mut session = None;
    match polling::open(&mut client, report).await {
        Opening::Nothing => return,
        Opening::WebSocketOnly => {}
        Opening::Session(open) => {
            polling::check_cache(&client, &open, report).await;
            if polling::check(&client, &open, report).await {
                websocket::check_upgrade(&client, &open, report).await;
                session = Some(open.clone());
            }
        }
    }
    let websocket = websocket::check(&client, report).await;
    let own = client.target.origin();
    match asked.origin.as_deref().filter(|origin| *origin != own) {
        Some(origin) => origin::check_other(&client, origin, websocket.is_some(), report).await,
        None => origin::check_own(&client, &own, websocket.is_some(), report).await,
    }
    if !asked.quick {
        idle::check(&client, session.is_some(), websocket.as_ref(), report).await;
    }
}
