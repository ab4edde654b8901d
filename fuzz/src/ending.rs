//! What it is: how far the end of one session has come, and why it ends.
//! What it is not: what the session then does.
//! Who calls it: `model`, when a close begins and after each event.

use engineio::CloseReason;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    Open,
    /// A close waits for what was sent.
    Closing,
    Closed(CloseReason),
}

impl Ending {
    /// An orderly close begins, unless something ended the session before. Says so.
    pub(crate) fn begin(&mut self) -> bool {
        let begins = matches!(self, Self::Open);
        if begins {
            *self = Self::Closing;
        }
        begins
    }

    /// What the session says of itself.
    pub(crate) fn observe(&mut self, closed: Option<CloseReason>) {
        *self = match (*self, closed) {
            (Self::Closed(reason), closed) => {
                assert_eq!(closed, Some(reason), "a session ends once");
                Self::Closed(reason)
            }
            (Self::Closing, Some(reason)) => {
                let expected = [CloseReason::ForcedClose, CloseReason::Shutdown].contains(&reason);
                assert!(expected, "a close became {reason}");
                Self::Closed(reason)
            }
            (Self::Open, Some(reason)) => Self::Closed(reason),
            (state, None) => state,
        };
    }

    /// Why the session closes or has closed.
    pub(crate) fn reason(self) -> Option<CloseReason> {
        match self {
            Self::Open => None,
            Self::Closing => Some(CloseReason::ForcedClose),
            Self::Closed(reason) => Some(reason),
        }
    }

    pub(crate) fn is_begun(self) -> bool {
        !matches!(self, Self::Open)
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Closed(_))
    }
}
