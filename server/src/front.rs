//! What it is: the map of the port of clients: which path leads where.
//! What it is not: the answers themselves.
//! Who calls it: `serve`, for every request.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{self, HeaderValue},
    http::uri::PathAndQuery,
};
use socketio::SocketIo;

use crate::{
    admin::Admin,
    answer::{Answer, text, whole},
    bundle::Bundle,
    config::UrlPath,
    deny::Deny,
    guard,
    origins::Lookout,
    page,
    proxies::Proxies,
    upstream::Upstream,
};

/// Everything on the port. Clones are the same.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) io: SocketIo,
    pub(crate) bundle: Option<Bundle>,
    /// The path of Socket.IO, and others that mean the same.
    pub(crate) paths: Arc<[UrlPath]>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) lookout: Arc<Lookout>,
    /// The application that has all other requests.
    pub(crate) upstream: Option<Arc<Upstream>>,
    /// The paths of Socket.IO, which the application is not to answer in other spellings.
    pub(crate) own: Arc<Deny>,
    /// Where the port is shared.
    pub(crate) admin: Option<Admin>,
    /// Whether there is a page, for this machine only.
    pub(crate) is_playground: bool,
}

impl Front {
    /// Answers one request, which came by TLS or not.
    pub(crate) async fn answer(&self, mut request: Request<Incoming>, is_secure: bool) -> Answer {
        if self.is_playground && !guard::is_local(request.uri(), request.headers()) {
            return whole(text(
                StatusCode::FORBIDDEN,
                "The playground is for pages and programs of this machine only.\n",
            ));
        }
        match self.place(request.uri().path()) {
            Place::SocketIo(path) => {
                self.proxies.apply(&mut request, is_secure);
                if let Some(path) = path {
                    *request.uri_mut() = moved(request.uri(), path);
                }
                self.lookout.note(request.headers());
                whole(self.io.answer(request).await)
            }
            Place::Admin(admin) => {
                self.proxies.apply(&mut request, is_secure);
                admin.answer(request).await
            }
            Place::Elsewhere => {
                if let Some(file) = self.file(&request) {
                    return whole(file);
                }
                match &self.upstream {
                    Some(upstream) if !self.is_own(request.uri()) => {
                        upstream.answer(request, &self.proxies, is_secure).await
                    }
                    _ => whole(text(StatusCode::NOT_FOUND, if self.is_playground { PLAYGROUND } else { NOTHING })),
                }
            }
        }
    }

    fn place(&self, path: &str) -> Place<'_> {
        if self.io.matches(path) {
            return Place::SocketIo(None);
        }
        if let Some(admin) = self.admin.as_ref().filter(|admin| admin.matches(path)) {
            return Place::Admin(admin);
        }
        let mut aliases = self.paths[1..].iter();
        match aliases.any(|alias| alias.0.trim_end_matches('/') == path.trim_end_matches('/')) {
            true => Place::SocketIo(Some(&self.paths[0].0)),
            false => Place::Elsewhere,
        }
    }

    /// Whether the application would take this for a request of Socket.IO, which it may serve, too. The scripts of the
    /// client are the application's where the server has none.
    fn is_own(&self, uri: &Uri) -> bool {
        let is_script = uri.query().is_none() && self.name(uri.path()).is_some_and(Bundle::has_name);
        !is_script && self.own.denies(uri.path())
    }

    /// What follows the path of Socket.IO.
    fn name<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.paths.iter().find_map(|folder| path.strip_prefix(&folder.0))
    }

    fn file(&self, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let path = request.uri().path();
        let page = self.is_playground.then(|| page::find(path)).flatten();
        if let Some((content_type, content)) = page {
            let mut answer = Response::new(Full::from(content));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return Some(answer);
        }
        self.bundle.as_ref()?.answer(self.name(path)?, request.headers())
    }
}

/// Where a path leads.
enum Place<'a> {
    /// Below another path than it says.
    SocketIo(Option<&'a str>),
    Admin(&'a Admin),
    Elsewhere,
}

const NOTHING: &str = "There is nothing here.\n";
const PLAYGROUND: &str = "There is nothing here. The playground is at /\n";

/// The same with another path.
fn moved(uri: &Uri, path: &str) -> Uri {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    // Both came out of such values.
    parts.path_and_query = PathAndQuery::try_from(format!("{path}{query}")).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
