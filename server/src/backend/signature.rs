//! What it is: the signature of a hook, by which a backend knows that it comes from this server: Standard Webhooks.
//! What it is not: encryption; that is TLS.
//! Who calls it: `client`, for each attempt.

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use ring::hmac;

/// How secrets begin that go on in base64.
const PREFIX: &str = "whsec_";

/// Signs hooks, if there is a secret.
pub(crate) struct Signer(Option<hmac::Key>);

impl Signer {
    /// The signer with this secret, which may be empty.
    pub(crate) fn new(secret: &str) -> Self {
        let key = key(secret).filter(|key| !key.is_empty());
        Self(key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature`, of this id, this time in seconds since 1970, and this body.
    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> Option<HeaderValue> {
        let mut context = hmac::Context::with_key(self.0.as_ref()?);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        let signature = format!("v1,{}", STANDARD.encode(context.sign()));
        Some(HeaderValue::try_from(signature).expect("base64 is ASCII"))
    }
}

/// The key that is meant by a secret; `None` when it begins with `whsec_` and does not go on in base64.
pub(crate) fn key(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_signed_as_the_standard_has_it() {
        // The example of the specification's libraries.
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.expect("there is a secret"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(Signer::new("").sign("m", 1, b""), None);
    }

    #[test]
    fn secrets_are_base64_or_as_they_are() {
        assert_eq!(key("whsec_YQ=="), Some(b"a".to_vec()));
        assert_eq!(key("plain"), Some(b"plain".to_vec()));
        assert_eq!(key("whsec_?"), None);
    }
}
