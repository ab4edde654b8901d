//! What it is: what can be wrong with a request of the API, with its status, code, field and words.
//! What it is not: a refusal of clients; they have their own words.
//! Who calls it: everything in `api`, and `keyring`.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{self, HeaderValue},
};
use serde::Serialize;
use socketio::EmitError;

use crate::{
    answer::json, auth::draft::DraftError, member::MemberError, op::OpError, perform::PerformError, pubsub::PubSubError,
};

/// What can be wrong with a request.
#[derive(Debug)]
pub(crate) enum ApiError {
    NoRoute,
    /// Its path is there for these methods only.
    Method(String),
    /// Its path is no text.
    Path,
    /// No key, or none that is known.
    Unauthorized,
    /// The key is not good for this.
    Forbidden,
    /// The server closes its connections.
    Closing,
    /// As many as may watch a tail do.
    TooManyWatchers,
    /// The body is of a type that is not read.
    Media,
    /// The body did not arrive whole.
    Body,
    /// Another request has the same id.
    Conflict,
    /// The body is larger than this, in bytes.
    TooLarge(usize),
    Op(OpError),
    Perform(PerformError),
    Draft(DraftError),
    PubSub(PubSubError),
}

/// It as JSON.
#[derive(Serialize)]
struct Written<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

#[derive(Serialize)]
struct Wrapped<'a> {
    error: Written<'a>,
}

impl ApiError {
    /// This field, of the body or the query, is wrong.
    pub(super) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Op(OpError::field(field, message))
    }

    /// Whether there is no such socket here.
    pub(super) fn is_unknown_socket(&self) -> bool {
        matches!(self, Self::Perform(PerformError::UnknownSocket))
    }

    fn status(&self) -> StatusCode {
        self.parts().0
    }

    /// Status, code, and the field that it is about.
    fn parts(&self) -> (StatusCode, &'static str, Option<&str>) {
        match self {
            Self::NoRoute => (StatusCode::NOT_FOUND, "not_found", None),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", None),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", None),
            Self::Closing => (StatusCode::SERVICE_UNAVAILABLE, "draining", None),
            Self::Conflict => (StatusCode::CONFLICT, "id_conflict", Some("id")),
            Self::TooManyWatchers => (StatusCode::SERVICE_UNAVAILABLE, "too_many", None),
            Self::Media => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", None),
            Self::Path | Self::Body => (StatusCode::BAD_REQUEST, "bad_request", None),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", None),
            Self::Op(OpError::Syntax(_)) => (StatusCode::BAD_REQUEST, "malformed_json", None),
            Self::Op(OpError::Reserved(_)) => (StatusCode::BAD_REQUEST, "reserved_event", Some("event")),
            Self::Op(OpError::Field { field, .. }) => wrong(Some(&**field).filter(|field| !field.is_empty())),
            Self::Draft(DraftError::NoSecret) => (StatusCode::CONFLICT, "no_secret", None),
            Self::Draft(error) => wrong(error.field()),
            Self::PubSub(PubSubError::Pickle) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", None),
            Self::PubSub(PubSubError::Syntax) => (StatusCode::BAD_REQUEST, "malformed_json", None),
            Self::PubSub(PubSubError::Method) => wrong(Some("method")),
            Self::PubSub(PubSubError::Form) => wrong(None),
            Self::PubSub(PubSubError::Field(field)) => wrong(Some(field)),
            Self::Perform(error) => of_op(error),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoRoute => "there is nothing here; /api/openapi.json says what there is".into(),
            Self::Method(allowed) => format!("use {allowed}"),
            Self::Path => "the path is not encoded as it should be".into(),
            Self::Unauthorized => "say `Authorization: Bearer KEY` or `X-API-Key: KEY`, with a key of api.keys".into(),
            Self::Forbidden => "the key is not good for this".into(),
            Self::Closing => "the server ends; try again in a moment".into(),
            Self::Conflict => "another request had the same id".into(),
            Self::TooManyWatchers => "others watch already, as many as may".into(),
            Self::Media => "a body is application/json, and not compressed".into(),
            Self::Body => "the body did not arrive whole".into(),
            Self::TooLarge(max) => format!("a body has {max} bytes at most"),
            Self::Op(error) => error.to_string(),
            Self::Draft(error) => error.to_string(),
            Self::PubSub(error) => error.to_string(),
            Self::Perform(error) => error.to_string(),
        }
    }

    /// `{"error":{..}}`.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let (_, code, field) = self.parts();
        let error = Written { code, message: &self.message(), field };
        serde_json::to_vec(&Wrapped { error }).expect("texts")
    }

    /// The answer that says so.
    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        let mut answer = json(self.to_json());
        *answer.status_mut() = self.status();
        let header = match self {
            Self::Method(allowed) => {
                (header::ALLOW, HeaderValue::from_str(allowed).expect("names of methods are header text"))
            }
            Self::Unauthorized => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Self::Closing | Self::TooManyWatchers | Self::Perform(PerformError::Unheard) => {
                (header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            _ => return answer,
        };
        answer.headers_mut().insert(header.0, header.1);
        answer
    }
}

fn wrong(field: Option<&str>) -> (StatusCode, &'static str, Option<&str>) {
    (StatusCode::UNPROCESSABLE_ENTITY, "invalid_argument", field)
}

/// What keeps an op from being carried out.
fn of_op(error: &PerformError) -> (StatusCode, &'static str, Option<&str>) {
    match error {
        PerformError::UnknownNamespace => (StatusCode::NOT_FOUND, "unknown_namespace", Some("namespace")),
        PerformError::UnknownSocket | PerformError::Member(MemberError::Gone) => {
            (StatusCode::NOT_FOUND, "unknown_socket", Some("sid"))
        }
        PerformError::Emit(EmitError::ReservedEvent) => (StatusCode::BAD_REQUEST, "reserved_event", Some("event")),
        PerformError::Emit(_) => wrong(Some("args")),
        PerformError::Unheard => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some("sid")),
        PerformError::Nobody => (StatusCode::NOT_FOUND, "nobody", None),
        PerformError::RoomName => wrong(Some("rooms")),
        PerformError::Member(MemberError::Session) => wrong(Some("set")),
        PerformError::Member(_) => wrong(Some("user")),
    }
}
