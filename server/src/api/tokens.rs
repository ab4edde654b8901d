//! What it is: tokens that are signed for applications without a library of their own for that.
//! What it is not: the signature (`auth`).
//! Who calls it: `api`.

use super::{
    ApiError,
    route::{Answered, Call, shown},
};
use crate::auth::draft::Draft;

/// `POST /api/v1/tokens`.
pub(super) fn sign(call: &Call<'_>, body: &[u8]) -> Answered {
    let draft = Draft::read(body).map_err(ApiError::Op)?;
    // A token is good for all namespaces, unless it says for which.
    let names = draft.permit.namespaces.as_deref();
    if !names.map_or_else(|| call.grant.is_for("*"), |names| names.iter().all(|name| call.grant.is_for(name))) {
        return Err(ApiError::Forbidden);
    }
    shown(&call.api.tokens.sign(&draft).map_err(ApiError::Draft)?)
}
