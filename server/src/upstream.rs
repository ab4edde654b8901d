//! What it is: the application behind the server: requests that are not the server's own go there, and its answers
//! come back, both bit by bit.
//! What it is not: a cache, nor a balancer: there is one application.
//! Who calls it: `front`, for requests that it has no answer to.

use std::{sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode, Uri, Version,
    body::{Body, Incoming},
    ext::ReasonPhrase,
    header::{self, HeaderValue},
    http::{
        request::Parts,
        uri::{Authority, Scheme},
    },
    upgrade::OnUpgrade,
};
use hyper_util::client::legacy::{self, Client};
use tracing::warn;

use crate::{
    answer::{Answer, streamed, text, whole},
    config,
    connector::{Connector, Target, Used, innermost},
    deny::Deny,
    hop,
    metrics::Metrics,
    pace::Pace,
    proxies::Proxies,
    tunnel,
    upload::{Pulse, Upload},
};

/// The application.
pub(crate) struct Upstream {
    client: Client<Connector, Upload>,
    /// What connections are told apart by; there is one of it.
    authority: Authority,
    /// What stands before the paths of requests, without a slash at its end.
    prefix: String,
    deny: Deny,
    timeout: Duration,
    metrics: Arc<Metrics>,
    failures: Pace,
}

/// Why a request has no answer of the application.
#[derive(Debug)]
enum Failure {
    /// Its path is not passed on.
    Denied,
    Method,
    /// Whom it is for, or where it ends, can be read in several ways.
    Ambiguous,
    Expectation,
    /// There is no connection.
    Unreachable(legacy::Error),
    /// There is no answer, or none that makes sense.
    Broken(Option<legacy::Error>),
    Late,
}

/// A request for another protocol.
struct Upgrade {
    protocol: HeaderValue,
    client: OnUpgrade,
}

impl Upstream {
    /// `None` when there is no application.
    pub(crate) fn new(config: &config::Proxy, deny: Deny, metrics: &Arc<Metrics>) -> Option<Self> {
        let (target, authority, prefix) = match &config.upstream {
            config::Upstream::Nowhere => return None,
            config::Upstream::Http { authority, prefix } => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                (Target::Tcp { host, port: authority.port_u16().unwrap_or(80) }, authority.clone(), prefix.clone())
            }
            config::Upstream::Unix(path) => {
                (Target::Unix(path.clone()), Authority::from_static("localhost"), String::new())
            }
        };
        let connector = Connector { target: Arc::new(target), tls: None, patience: config.connect_timeout };
        let (timeout, metrics) = (config.timeout, metrics.clone());
        Some(Self { client: connector.pool(), authority, prefix, deny, timeout, metrics, failures: Pace::default() })
    }

    /// The answer of the application, or why there is none.
    pub(crate) async fn answer(&self, request: Request<Incoming>, proxies: &Proxies, is_secure: bool) -> Answer {
        let has_body = !request.body().is_end_stream();
        let answer = self.forward(request, proxies, is_secure).await.unwrap_or_else(|failure| {
            self.report(&failure);
            failure.answer(has_body)
        });
        self.metrics.proxied(answer.status().as_u16());
        answer
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        proxies: &Proxies,
        is_secure: bool,
    ) -> Result<Answer, Failure> {
        let trailers = hop::takes_trailers(request.headers());
        let upgrade = Upgrade::of(&mut request);
        let (head, body) = request.into_parts();
        let pulse = Pulse::new();
        // From here on, so that what is not wanted of it is read all the same.
        let body = Upload::new(body, pulse.clone());
        check(&head)?;
        let uri = self.uri(&head.uri)?;
        let mut request = Request::from_parts(head, body);
        hop::strip(request.headers_mut());
        proxies.forward(&mut request, is_secure);
        let (mut head, body) = request.into_parts();
        (head.uri, head.version, head.extensions) = (uri, Version::HTTP_11, Default::default());
        // The server has the client go on by itself.
        head.headers.remove(header::EXPECT);
        if trailers {
            head.headers.insert(header::TE, HeaderValue::from_static("trailers"));
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
        if let Some(Upgrade { protocol, .. }) = &upgrade {
            head.headers.append(header::CONNECTION, HeaderValue::from_static("upgrade"));
            head.headers.insert(header::UPGRADE, protocol.clone());
        }
        // RFC 9110, section 9.2.2: what changes nothing may be asked for twice.
        let again = (head.method.is_safe() && body.is_end_stream()).then(|| head.clone());
        let answer = match (self.send(Request::from_parts(head, body), &pulse).await, again) {
            (Err(Failure::Broken(Some(error))), Some(head)) if Used::before(&error) => {
                self.send(Request::from_parts(head, Upload::empty(pulse.clone())), &pulse).await?
            }
            (answer, _) => answer?,
        };
        back(answer, upgrade)
    }

    /// Where this path is with the application.
    fn uri(&self, uri: &Uri) -> Result<Uri, Failure> {
        let target = uri.path_and_query().ok_or(Failure::Ambiguous)?;
        let path = format!("{}{target}", self.prefix);
        // The application sees the whole path; what is configured may be a part of it.
        if self.deny.denies(uri.path()) || self.deny.denies(&format!("{}{}", self.prefix, uri.path())) {
            return Err(Failure::Denied);
        }
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(path);
        uri.build().map_err(|_| Failure::Ambiguous)
    }

    async fn send(&self, request: Request<Upload>, pulse: &Pulse) -> Result<Response<Incoming>, Failure> {
        tokio::select! {
            biased;
            answer = self.client.request(request) => {
                let answer = answer.map_err(|error| match error.is_connect() {
                    true => Failure::Unreachable(error),
                    false => Failure::Broken(Some(error)),
                })?;
                if let Some(used) = answer.extensions().get::<Used>() {
                    used.mark();
                }
                Ok(answer)
            }
            () = pulse.stops(self.timeout) => Err(Failure::Late),
        }
    }

    /// Has the log say what the application is to blame for.
    fn report(&self, failure: &Failure) {
        let (what, error) = match failure {
            Failure::Unreachable(error) => ("the application cannot be reached", Some(error)),
            Failure::Broken(error) => ("the application gave no answer", error.as_ref()),
            Failure::Late => ("the application did not answer in time", None),
            Failure::Denied | Failure::Method | Failure::Ambiguous | Failure::Expectation => return,
        };
        if self.failures.once_a_second(what) {
            let error = error.map(|error| innermost(error).to_string()).unwrap_or_default();
            warn!(upstream = %self.authority, error, "{what}");
        }
    }
}

/// Whether a request can be passed on at all.
fn check(head: &Parts) -> Result<(), Failure> {
    // A tunnel to anywhere, and what shows to a page the headers that are kept from it.
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Failure::Method);
    }
    if !hop::is_clear(head) {
        return Err(Failure::Ambiguous);
    }
    let is_known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if head.headers.get_all(header::EXPECT).iter().all(is_known) { Ok(()) } else { Err(Failure::Expectation) }
}

impl Upgrade {
    /// What a request without a body asks for; with one, it is an ordinary request.
    fn of(request: &mut Request<Incoming>) -> Option<Self> {
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        let protocol = hop::upgrade(request.headers()).filter(|_| request.body().is_end_stream())?;
        Some(Self { protocol, client })
    }

    /// Whether it is this that the application goes on with.
    fn is_for(&self, agreed: &HeaderValue) -> bool {
        let offered = self.protocol.to_str().unwrap_or_default().split(',').map(str::trim);
        offered.into_iter().any(|offered| offered.as_bytes().eq_ignore_ascii_case(agreed.as_bytes()))
    }
}

/// An answer of the application as it goes on to the client.
fn back(mut answer: Response<Incoming>, upgrade: Option<Upgrade>) -> Result<Answer, Failure> {
    let is_switch = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    let agreed = hop::upgrade(answer.headers()).filter(|_| is_switch);
    hop::strip(answer.headers_mut());
    if let Some(length) = answer.body().size_hint().exact().filter(|_| !answer.body().is_end_stream()) {
        // There may be several that say the same.
        answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    match (upgrade, agreed) {
        (Some(upgrade), Some(agreed)) if upgrade.is_for(&agreed) => {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            answer.headers_mut().insert(header::UPGRADE, agreed);
            tunnel::join(upgrade.client, hyper::upgrade::on(&mut answer));
        }
        _ if is_switch => return Err(Failure::Broken(None)),
        (Some(_), _) => {
            // What follows a refused upgrade may be frames: it is not to be read as a request.
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (None, _) => {}
    }
    *answer.version_mut() = Version::HTTP_11;
    let reason = answer.extensions_mut().remove::<ReasonPhrase>();
    answer.extensions_mut().clear();
    if let Some(reason) = reason {
        answer.extensions_mut().insert(reason);
    }
    Ok(streamed(answer))
}

impl Failure {
    fn answer(&self, has_body: bool) -> Answer {
        let (status, words) = match self {
            Self::Denied => (StatusCode::NOT_FOUND, "There is nothing here.\n"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "This method is not passed on.\n"),
            Self::Ambiguous => (StatusCode::BAD_REQUEST, "The request can be read in several ways.\n"),
            Self::Expectation => (StatusCode::EXPECTATION_FAILED, "Only 100-continue can be expected.\n"),
            Self::Unreachable(_) => (StatusCode::BAD_GATEWAY, "The application cannot be reached.\n"),
            Self::Broken(_) => (StatusCode::BAD_GATEWAY, "The application gave no answer.\n"),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "The application did not answer in time.\n"),
        };
        let mut answer = text(status, words);
        if has_body || matches!(self, Self::Ambiguous) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        whole(answer)
    }
}
