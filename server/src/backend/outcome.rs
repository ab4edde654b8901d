//! What it is: what came of a hook: an answer, a refusal, or that the backend is not to be had.
//! What it is not: what follows from it for a client (`namespaces`).
//! Who calls it: `backend`, with what `client` brings.

use bytes::Bytes;
use hyper::StatusCode;

use super::{
    answer::{Answer, Malformed, Told},
    breaker::Sign,
    queue::Full,
};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no connection.
    Unreachable,
    /// It did not come in time.
    Late,
    /// The connection ended before it, or within it.
    Broken,
    /// It is larger than [`MAX_ANSWER`](super::client::MAX_ANSWER).
    TooLarge,
}

/// The same, with what the system says of it, if it does.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    pub(crate) error: Option<String>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { fault, error: None }
    }
}

impl Fault {
    /// For metrics and log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Late => "timeout",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
        }
    }
}

/// What a backend says to a hook.
#[derive(Debug)]
pub(crate) enum Reply {
    /// What is to be done; perhaps nothing.
    Done(Box<Answer>),
    /// It has no handler for this.
    NotFound,
    /// It does not want this, and says why or not.
    Refused(Told),
}

/// Why a backend says nothing to a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// It was not asked: too much waits for it.
    Full(Full),
    /// It was not asked: it has failed too often just now.
    Open,
    Fault(Fault),
    /// It answered, with a status that says so, or one that no backend should have.
    Status(StatusCode),
    /// It answered what makes no sense.
    Malformed(Malformed),
    /// It was not asked: the server ends.
    Closing,
}

impl Unavailable {
    /// What clients are told.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Full(_) => "overloaded",
            Self::Open | Self::Closing | Self::Fault(Fault::Unreachable) => "unavailable",
            Self::Fault(Fault::Late) => "timeout",
            Self::Fault(Fault::Broken | Fault::TooLarge) | Self::Status(_) | Self::Malformed(_) => "error",
        }
    }

    /// Whether the backend may have done what it was asked for all the same.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Fault(Fault::Late | Fault::Broken | Fault::TooLarge) | Self::Malformed(_))
    }

    /// Whether there is sense in asking once more.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Fault(Fault::Unreachable | Fault::Late | Fault::Broken) | Self::Status(_))
    }
}

/// What a response, or its want, comes to for a hook of this namespace.
pub(crate) fn judge(response: &Result<Response, Failed>, namespace: &str) -> Result<Reply, Unavailable> {
    let Response { status, body } = response.as_ref().map_err(|failed| Unavailable::Fault(failed.fault))?;
    match *status {
        status if status.is_success() => {
            let answer = Answer::read(body, namespace).map_err(Unavailable::Malformed)?;
            Ok(Reply::Done(Box::new(answer)))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Unavailable::Status(*status)),
        StatusCode::NOT_FOUND => Ok(Reply::NotFound),
        // It may be a page for people, of whatever stands before the application.
        status if status.is_client_error() => {
            let told = Answer::read(body, namespace).ok().and_then(|answer| answer.error);
            Ok(Reply::Refused(told.unwrap_or_default()))
        }
        status => Err(Unavailable::Status(status)),
    }
}

/// What a response shows of its backend. One that answers works, even if each of its answers is an error: else whoever
/// finds an event that fails could keep all others from it.
pub(crate) fn sign(response: &Result<Response, Failed>) -> Sign {
    match response.as_ref().map_err(|failed| failed.fault) {
        Ok(Response { status, .. }) => match *status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Sign::Dead,
            _ => Sign::Alive,
        },
        Err(Fault::TooLarge) => Sign::Alive,
        Err(Fault::Unreachable | Fault::Late | Fault::Broken) => Sign::Dead,
    }
}
