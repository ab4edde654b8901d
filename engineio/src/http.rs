//! What it is: the options of the HTTP front: origins, CORS, the cookie, compression, and the application's hooks.
//! What it is not: options of sessions; those are in `config`.
//! Who calls it: users build one; `service` asks it for each request.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use hyper::{HeaderMap, http::request::Parts};

use crate::{
    cookie::Cookie,
    cors::Cors,
    id::Sid,
    origin::Origins,
    refusal::{Denied, Refusal, Refused},
};

/// Polling answers from this size on are compressed, in bytes, as in the reference.
const COMPRESSION_THRESHOLD: usize = 1024;

type AllowRequest = dyn Fn(&Parts) -> Pin<Box<dyn Future<Output = Result<(), Denied>> + Send>> + Send + Sync;
type AddHeaders = dyn Fn(&Parts, &mut HeaderMap) + Send + Sync;
type GenerateSid = dyn Fn(&Parts) -> Pin<Box<dyn Future<Output = Option<Sid>> + Send>> + Send + Sync;
type ClientIp = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;
type OnRefused = dyn Fn(&Refused<'_>) + Send + Sync;

/// Options of a [`Service`](crate::Service).
///
/// ```
/// use engineio::{Cookie, Cors, Http, Origin, Origins};
///
/// # fn options() -> Result<Http, Box<dyn std::error::Error>> {
/// let pages = Origins::List(vec![Origin::parse("https://*.example.com")?]);
/// let http = Http::default()
///     .cors(Cors::new(pages).credentials()?)
///     .cookie(Cookie::new("io")?)
///     .allow_request(|request| {
///         let known = request.headers.contains_key("authorization");
///         async move { if known { Ok(()) } else { Err("who are you?".into()) } }
///     });
/// # Ok(http)
/// # }
/// ```
#[derive(Clone)]
pub struct Http {
    pub(crate) cors: Option<Cors>,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) compression: Option<usize>,
    allow_request: Option<Arc<AllowRequest>>,
    initial_headers: Option<Arc<AddHeaders>>,
    headers: Option<Arc<AddHeaders>>,
    generate_sid: Option<Arc<GenerateSid>>,
    client_ip: Option<Arc<ClientIp>>,
    kept_headers: Arc<[String]>,
    on_refused: Option<Arc<OnRefused>>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            cors: None,
            cookie: None,
            compression: Some(COMPRESSION_THRESHOLD),
            allow_request: None,
            initial_headers: None,
            headers: None,
            generate_sid: None,
            client_ip: None,
            kept_headers: Arc::default(),
            on_refused: None,
        }
    }
}

impl Http {
    /// Lets pages of other origins in (`cors`). They may then open WebSockets, too: unlike the reference, which does
    /// not look at their origin, a WebSocket of another page is refused with code 4. Default: no CORS headers, and
    /// WebSockets of the same origin only.
    pub fn cors(self, cors: Cors) -> Self {
        Self { cors: Some(cors), ..self }
    }

    /// Sets a cookie with the answer to a polling handshake (`cookie`). Default: none.
    pub fn cookie(self, cookie: Cookie) -> Self {
        Self { cookie: Some(cookie), ..self }
    }

    /// Compresses polling answers of this many bytes and more, with gzip or deflate, for clients that accept it
    /// (`httpCompression.threshold`); `None` never does. Default: 1024.
    pub fn compression(self, threshold: Option<usize>) -> Self {
        Self { compression: threshold, ..self }
    }

    /// Asks the application about each handshake (`allowRequest`), not about later requests. A denied one is answered
    /// with its status, 403 unless it says otherwise, and with code 4 and its words. Default: all are let in.
    pub fn allow_request<F>(self, filter: impl Fn(&Parts) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Denied>> + Send + 'static,
    {
        Self { allow_request: Some(Arc::new(move |request| Box::pin(filter(request)))), ..self }
    }

    /// Adds headers to the answer of each handshake (the event `initial_headers`), the 101 of a WebSocket included.
    /// Default: none.
    pub fn initial_headers(self, add: impl Fn(&Parts, &mut HeaderMap) + Send + Sync + 'static) -> Self {
        Self { initial_headers: Some(Arc::new(add)), ..self }
    }

    /// Adds headers to each answer (the event `headers`), the 101 of a WebSocket included. For a GET that waits it is
    /// called before that. Default: none.
    pub fn headers(self, add: impl Fn(&Parts, &mut HeaderMap) + Send + Sync + 'static) -> Self {
        Self { headers: Some(Arc::new(add)), ..self }
    }

    /// Gives each session its id (`generateId`); `None`, or an id in use, refuses the handshake with code 3.
    /// Ids must not be guessed: whoever knows one can use the session. Default: [`Sid::draw`].
    pub fn generate_sid<F>(self, generate: impl Fn(&Parts) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<Sid>> + Send + 'static,
    {
        Self { generate_sid: Some(Arc::new(move |request| Box::pin(generate(request)))), ..self }
    }

    /// *Ours*, as the reference keeps all. Keeps these headers of the handshake for as long as the session lives, in
    /// its [`Handshake`](crate::Handshake). Each costs memory that clients decide on, within the bounds on a request's
    /// head. Default: none.
    pub fn kept_headers(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { kept_headers: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// *Ours.* Says from which address the client of a handshake comes, for [`max_sessions_per_ip`]. Behind a proxy it
    /// is in a header, which clients can send, too, so believe only what the proxy itself put there. Those of which it
    /// is `None` are not counted. Default: the address of the peer, [`RemoteAddr`](crate::RemoteAddr).
    ///
    /// [`max_sessions_per_ip`]: crate::Config::max_sessions_per_ip
    pub fn client_ip(self, find: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self { client_ip: Some(Arc::new(find)), ..self }
    }

    /// Told of each request that is refused with an official code, and what exactly was wrong (the event
    /// `connection_error`). The client's answer waits while it runs. Default: nobody is told.
    pub fn on_refused(self, told: impl Fn(&Refused<'_>) + Send + Sync + 'static) -> Self {
        Self { on_refused: Some(Arc::new(told)), ..self }
    }

    /// Which pages may open WebSockets and, if it is a list, use polling.
    pub(crate) fn origins(&self) -> &Origins {
        self.cors.as_ref().map_or(&Origins::Same, Cors::origins)
    }

    /// Whether the application lets this handshake in.
    pub(crate) async fn allows(&self, request: &Parts) -> Result<(), Denied> {
        match &self.allow_request {
            Some(filter) => filter(request).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn sid(&self, request: &Parts) -> Option<Sid> {
        match &self.generate_sid {
            Some(generate) => generate(request).await,
            None => Some(Sid::draw()),
        }
    }

    /// The address that a handshake counts for.
    pub(crate) fn ip(&self, request: &Parts, remote: Option<SocketAddr>) -> Option<IpAddr> {
        match &self.client_ip {
            Some(find) => find(request),
            None => remote.map(|remote| remote.ip()),
        }
    }

    /// The headers to keep, names and values.
    pub(crate) fn kept<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let values = |name: &'a String| headers.get_all(name).iter().map(|value| (name.as_str(), value.as_bytes()));
        self.kept_headers.iter().flat_map(values)
    }

    /// Adds the application's headers to the answer of a handshake.
    pub(crate) fn add_initial_headers(&self, request: &Parts, answer: &mut HeaderMap) {
        if let Some(add) = &self.initial_headers {
            add(request, answer);
        }
    }

    /// Adds CORS and the application's headers to any answer.
    pub(crate) fn add_headers(&self, request: &Parts, answer: &mut HeaderMap) {
        if let Some(cors) = &self.cors {
            cors.add_headers(request, answer);
        }
        if let Some(add) = &self.headers {
            add(request, answer);
        }
    }

    pub(crate) fn refused(&self, request: &Parts, refusal: &Refusal) {
        if let Some(told) = &self.on_refused {
            let Refusal { error, message, context, .. } = refusal;
            told(&Refused { request, error: *error, message, context });
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("cors", &self.cors)
            .field("cookie", &self.cookie)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}
