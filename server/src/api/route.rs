//! What it is: a route of the API, the search for that of a request, and what its handler is told.
//! What it is not: the table of routes (`api`).
//! Who calls it: `api` searches; handlers ask what the request says.

use std::{borrow::Cow, pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Response, body::Incoming};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use socketio::Broadcast;

use super::{Api, ApiError};
use crate::{
    answer::{Answer, json},
    config::Scope,
    keyring::Grant,
    perform::PerformError,
};

/// What requests of one method and one form of path lead to.
pub(super) struct Route {
    pub(super) method: Method,
    /// The path; a segment in braces stands for any name.
    pub(super) template: &'static str,
    /// A key has to have one of them.
    pub(super) scopes: &'static [Scope],
    /// What the query may have in it.
    pub(super) query: &'static [&'static str],
    pub(super) handler: Handler,
}

/// What happens.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// The op of this name, which is the body, is carried out.
    Op(&'static str),
    /// Nothing is wanted but what the path and the query say, and the answer is there at once.
    Show(fn(&Call<'_>) -> Answered),
    /// The whole body is wanted, and the answer is there at once.
    Take(fn(&Call<'_>, &[u8]) -> Answered),
    /// The same, of one socket, which another server of the cluster may have; there is a body only where it is changed.
    Socket(fn(&Call<'_>, &[u8]) -> Answered),
    /// The body is read in its own way, or the answer takes its time.
    Own(for<'a> fn(Call<'a>, Incoming) -> Answering<'a>),
}

/// An answer that is whole, or what is wrong with the request.
pub(super) type Answered = Result<Response<Full<Bytes>>, ApiError>;

/// An answer that takes its time.
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send + 'a>>;

/// A line of the table.
pub(super) const fn on(
    method: Method,
    template: &'static str,
    scopes: &'static [Scope],
    query: &'static [&'static str],
    handler: Handler,
) -> Route {
    Route { method, template, scopes, query, handler }
}

/// The route of a request, and what stands in its path for the segment in braces, still encoded.
pub(super) fn find<'p>(
    routes: &'static [Route],
    method: &Method,
    path: &'p str,
) -> Result<(&'static Route, Option<&'p str>), ApiError> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = String::new();
    for route in routes {
        let Some(name) = matched(route.template, path) else { continue };
        if route.method == *method {
            return Ok((route, name));
        }
        let separator = if allowed.is_empty() { "" } else { ", " };
        let methods = if route.method == Method::GET { "GET, HEAD" } else { route.method.as_str() };
        allowed = format!("{allowed}{separator}{methods}");
    }
    Err(if allowed.is_empty() { ApiError::NoRoute } else { ApiError::Method(allowed) })
}

/// Whether a path has this form; gives what stands for the segment in braces, if there is one.
fn matched<'p>(template: &str, path: &'p str) -> Option<Option<&'p str>> {
    let Some((before, rest)) = template.split_once('{') else { return (template == path).then_some(None) };
    let (_, after) = rest.split_once('}')?;
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    (!name.is_empty() && !name.contains('/')).then_some(Some(name))
}

/// What is shown, as JSON.
pub(super) fn shown(shown: &impl Serialize) -> Answered {
    Ok(json(serde_json::to_vec(shown).expect("texts, numbers and JSON")))
}

/// A segment of a path as it is meant.
pub(super) fn decoded(segment: &str) -> Result<Cow<'_, str>, ApiError> {
    percent_decode_str(segment).decode_utf8().map_err(|_| ApiError::Path)
}

/// A request that has found its route, and may use it.
pub(super) struct Call<'a> {
    pub(super) api: &'a Arc<Api>,
    pub(super) grant: &'a Grant,
    pub(super) route: &'static Route,
    /// What its path names; empty where it names nothing.
    pub(super) name: Cow<'a, str>,
    pub(super) query: Query<'a>,
    pub(super) headers: &'a HeaderMap,
}

impl Call<'_> {
    /// The namespace that the query names, or `/`.
    pub(super) fn namespace(&self) -> Result<&str, ApiError> {
        let namespace = self.query.get("namespace").unwrap_or("/");
        if self.grant.is_for(namespace) { Ok(namespace) } else { Err(ApiError::Forbidden) }
    }

    /// The same with everybody in it, unless nobody is and it is not there for that.
    pub(super) fn space(&self) -> Result<(&str, Option<Broadcast>), ApiError> {
        let namespace = self.namespace()?;
        let everybody = self.api.sockets.of(namespace).map_err(|error| ApiError::Perform(error.into()))?;
        Ok((namespace, everybody))
    }

    /// The names of all namespaces that are there and may be seen, or of the one that the query names.
    pub(super) fn namespaces(&self) -> Result<Vec<String>, ApiError> {
        if self.query.get("namespace").is_some() {
            let (namespace, everybody) = self.space()?;
            return Ok(everybody.map(|_| namespace.to_owned()).into_iter().collect());
        }
        let mut names = self.api.sockets.io().namespace_names();
        names.retain(|name| self.grant.is_for(name));
        Ok(names)
    }

    /// There is no socket with the id in the path.
    pub(super) fn no_socket(&self) -> ApiError {
        ApiError::Perform(PerformError::UnknownSocket)
    }
}

/// The parameters of a query, each once, and none that its route does not know.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub(super) fn read(query: Option<&'a str>, known: &[&str]) -> Result<Self, ApiError> {
        let mut parameters: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                return Err(ApiError::field(&name, "there is no such parameter"));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(ApiError::field(&name, "it is there twice"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_the_form_of_a_template() {
        for (template, path, found) in [
            ("/a", "/a", Some(None)),
            ("/a", "/a/", None),
            ("/a/{x}", "/a/b", Some(Some("b"))),
            ("/a/{x}", "/a/", None),
            ("/a/{x}", "/a/b/c", None),
            ("/a/{x}/c", "/a/b%2Fb/c", Some(Some("b%2Fb"))),
            ("/a/{x}/c", "/a/c", None),
            ("/a/{x}/c", "/a//c", None),
            ("/a/{x}/c", "/a/b/b/c", None),
        ] {
            assert_eq!(matched(template, path), found, "{template} {path}");
        }
    }
}
