//! What it is: the CORS headers of answers, as the reference's `cors` option gives them.
//! What it is not: the refusal of requests; that is `service`, by the same origins.
//! Who calls it: `service`, for every answer when the option is set.

use std::{error, fmt, time::Duration};

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};

use crate::{head, origin::Origins};

/// Methods that a preflight is told, unless others are set.
const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

/// Which pages of other origins may use polling, and what they may see. Without it no CORS header is sent.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    methods: HeaderValue,
    allowed_headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    max_age: Option<Duration>,
    preflight_status: StatusCode,
}

/// The options cannot be together, or be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorsError {
    /// Credentials for pages of any origin would hand every user's session to every page.
    CredentialsForAll,
    /// This is no list of names that a header could hold.
    Names(String),
    /// A preflight is answered with a status of success.
    Status(u16),
}

impl fmt::Display for CorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialsForAll => f.write_str("credentials need a list of origins"),
            Self::Names(names) => write!(f, "{names:?} is no list of names"),
            Self::Status(status) => write!(f, "{status} is no status of success"),
        }
    }
}

impl error::Error for CorsError {}

impl Cors {
    /// CORS for pages of these origins (`origin`).
    pub fn new(origins: Origins) -> Self {
        Self {
            origins,
            credentials: false,
            methods: HeaderValue::from_static(METHODS),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
            preflight_status: StatusCode::NO_CONTENT,
        }
    }

    /// Lets pages send cookies and log-ins (`credentials`). Default: they may not.
    ///
    /// # Errors
    /// [`CorsError::CredentialsForAll`] with [`Origins::Any`].
    pub fn credentials(self) -> Result<Self, CorsError> {
        if self.origins == Origins::Any {
            return Err(CorsError::CredentialsForAll);
        }
        Ok(Self { credentials: true, ..self })
    }

    /// Methods that a preflight is told (`methods`). Default: `GET,HEAD,PUT,PATCH,POST,DELETE`.
    ///
    /// # Errors
    /// [`CorsError::Names`].
    pub fn methods(self, methods: &[&str]) -> Result<Self, CorsError> {
        Ok(Self { methods: list(methods)?, ..self })
    }

    /// Headers that pages may send (`allowedHeaders`, `headers`). Default: those a preflight asks for.
    ///
    /// # Errors
    /// [`CorsError::Names`].
    pub fn allowed_headers(self, headers: &[&str]) -> Result<Self, CorsError> {
        Ok(Self { allowed_headers: Some(list(headers)?), ..self })
    }

    /// Headers of answers that pages may read (`exposedHeaders`). Default: none.
    ///
    /// # Errors
    /// [`CorsError::Names`].
    pub fn exposed_headers(self, headers: &[&str]) -> Result<Self, CorsError> {
        Ok(Self { exposed_headers: Some(list(headers)?), ..self })
    }

    /// Time for which a browser may keep the answer to a preflight (`maxAge`). Seconds on the wire. Default: not said.
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    /// Status of the answer to a preflight (`optionsSuccessStatus`). Default 204; some old browsers want 200.
    ///
    /// # Errors
    /// [`CorsError::Status`].
    pub fn preflight_status(self, status: u16) -> Result<Self, CorsError> {
        let preflight_status = StatusCode::from_u16(status).ok().filter(StatusCode::is_success);
        Ok(Self { preflight_status: preflight_status.ok_or(CorsError::Status(status))?, ..self })
    }

    /// Which pages are let in.
    pub(crate) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The status of the answer, when the request is a preflight.
    pub(crate) fn preflight(&self, method: &Method) -> Option<StatusCode> {
        (*method == Method::OPTIONS).then_some(self.preflight_status)
    }

    /// Adds the headers of an answer to this request.
    pub(crate) fn add_headers(&self, request: &Parts, answer: &mut HeaderMap) {
        let origin = request.headers.get(header::ORIGIN);
        let host = head::host(request);
        let mut varies = Vec::new();
        let allowed = match (&self.origins, origin) {
            (Origins::Any, _) => Some(HeaderValue::from_static("*")),
            (_, origin) => {
                varies.push("Origin");
                origin.filter(|origin| origin.to_str().is_ok_and(|origin| self.origins.allow(origin, host))).cloned()
            }
        };
        if let Some(allowed) = allowed {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            if self.credentials {
                answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            if let Some(exposed) = &self.exposed_headers {
                answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
            }
            if request.method == Method::OPTIONS {
                self.add_preflight_headers(&request.headers, answer, &mut varies);
            }
        }
        if !varies.is_empty() {
            let varies = HeaderValue::try_from(varies.join(", ")).expect("names of headers");
            answer.append(header::VARY, varies);
        }
    }

    fn add_preflight_headers(&self, request: &HeaderMap, answer: &mut HeaderMap, varies: &mut Vec<&str>) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let headers = match &self.allowed_headers {
            Some(headers) => Some(headers),
            None => {
                varies.push("Access-Control-Request-Headers");
                request.get(header::ACCESS_CONTROL_REQUEST_HEADERS)
            }
        };
        if let Some(headers) = headers {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        if let Some(max_age) = self.max_age {
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(max_age.as_secs()));
        }
    }
}

/// Names joined by commas, each a token (RFC 9110, section 5.6.2).
fn list(names: &[&str]) -> Result<HeaderValue, CorsError> {
    let joined = names.join(",");
    let tokens = names.iter().all(|name| HeaderName::try_from(*name).is_ok());
    let value = HeaderValue::try_from(joined.as_str()).ok().filter(|_| tokens);
    value.ok_or(CorsError::Names(joined))
}
