//! What it is: the cookie that a handshake may set, for load balancers that keep a session with its server.
//! What it is not: a log-in: the server never reads it.
//! Who calls it: applications configure it; `service` sends it.

use std::{error, fmt};

use hyper::header::HeaderValue;

use crate::id::Sid;

/// Longest name or path, in bytes.
const MAX_LENGTH: usize = 1024;

/// `SameSite` of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with requests from pages of the same site only.
    Strict,
    /// Also when a user follows a link from elsewhere.
    Lax,
    /// Sent with all requests; browsers then demand `Secure`.
    None,
}

/// The cookie `<name>=<sid>`, set by the answer to a polling handshake (`cookie`).
///
/// ```
/// let cookie = engineio::Cookie::new("io")?;
/// assert_eq!(cookie.to_string(), "io=<sid>; Path=/; HttpOnly; SameSite=Lax");
/// # Ok::<_, engineio::CookieError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    name: String,
    path: Option<String>,
    http_only: bool,
    same_site: SameSite,
    secure: bool,
}

/// A name or path that would be read as something else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// A name is of letters, digits, and some signs, but no separators.
    Name(String),
    /// A path starts with a slash and has neither `;` nor control characters.
    Path(String),
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?} is no name of a cookie"),
            Self::Path(path) => write!(f, "{path:?} is no path of a cookie"),
        }
    }
}

impl error::Error for CookieError {}

impl Cookie {
    /// A cookie of this name (`name`); in the reference it is `io`. Its path is `/`, and it is `HttpOnly` and
    /// `SameSite=Lax`.
    ///
    /// # Errors
    /// [`CookieError::Name`].
    pub fn new(name: &str) -> Result<Self, CookieError> {
        // RFC 6265, section 4.1.1: a token.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || name.len() > MAX_LENGTH || !name.bytes().all(token) {
            return Err(CookieError::Name(name.to_owned()));
        }
        let (name, path) = (name.to_owned(), Some("/".to_owned()));
        Ok(Self { name, path, http_only: true, same_site: SameSite::Lax, secure: false })
    }

    /// Another path, or with `None` that of the handshake (`path`). Default `/`.
    ///
    /// # Errors
    /// [`CookieError::Path`].
    pub fn path(self, path: Option<&str>) -> Result<Self, CookieError> {
        let allowed = |path: &&str| {
            path.starts_with('/')
                && path.len() <= MAX_LENGTH
                && path.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
        };
        match path {
            Some(path) if !allowed(&path) => Err(CookieError::Path(path.to_owned())),
            path => Ok(Self { path: path.map(str::to_owned), ..self }),
        }
    }

    /// Whether scripts are kept from reading it (`httpOnly`). Default `true`.
    pub fn http_only(self, http_only: bool) -> Self {
        Self { http_only, ..self }
    }

    /// From where requests bring it along (`sameSite`). Default [`SameSite::Lax`].
    pub fn same_site(self, same_site: SameSite) -> Self {
        Self { same_site, ..self }
    }

    /// Whether it is sent over TLS only (`secure`). Default `false`.
    pub fn secure(self, secure: bool) -> Self {
        Self { secure, ..self }
    }

    /// The value of `Set-Cookie` for a session.
    pub(crate) fn header(&self, sid: Sid) -> HeaderValue {
        HeaderValue::try_from(self.with(sid.as_str())).expect("name and path were checked")
    }

    fn with(&self, value: &str) -> String {
        let Self { name, path, http_only, same_site, secure } = self;
        let path = path.as_ref().map(|path| format!("; Path={path}")).unwrap_or_default();
        let http_only = if *http_only { "; HttpOnly" } else { "" };
        let secure = if *secure { "; Secure" } else { "" };
        format!("{name}={value}{path}{http_only}{secure}; SameSite={same_site:?}")
    }
}

impl fmt::Display for Cookie {
    /// Shows the header, with `<sid>` in place of a sid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with("<sid>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_in_the_reference_s_order() {
        let io = Cookie::new("io").expect("a name");
        assert_eq!(io.to_string(), "io=<sid>; Path=/; HttpOnly; SameSite=Lax");
        let strict = io.clone().path(Some("/custom")).expect("a path").same_site(SameSite::Strict).secure(true);
        assert_eq!(strict.to_string(), "io=<sid>; Path=/custom; HttpOnly; Secure; SameSite=Strict");
        let open = io.path(None).expect("none").http_only(false).same_site(SameSite::None);
        assert_eq!(open.to_string(), "io=<sid>; SameSite=None");
    }

    #[test]
    fn t18_nothing_can_be_smuggled_into_the_header() {
        for name in ["", "a;b", "a=b", "a b", "a\r\nb", "é", "a,b"] {
            assert_eq!(Cookie::new(name), Err(CookieError::Name(name.to_owned())));
        }
        let io = Cookie::new("io").expect("a name");
        for path in ["", "a", "/;Domain=x", "/\r\n", "/é"] {
            assert_eq!(io.clone().path(Some(path)), Err(CookieError::Path(path.to_owned())));
        }
    }
}
