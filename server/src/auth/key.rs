//! What it is: the keys of tokens, and what makes a token valid.
//! What it is not: the search for a client's token (`source`), nor what follows from one.
//! Who calls it: `auth`, which replaces them on SIGHUP; `check-config` tries whether they can be read.

use std::{
    fmt, fs, io,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation, crypto, decode, decode_header, encode,
    errors::ErrorKind,
};

use serde::Serialize;

use super::claims::{Claims, is_user};
use crate::config::{self, Secret};

/// Longest token, in bytes. Browsers send no header of more than that, and nothing is decoded of a longer one.
pub(super) const MAX_TOKEN: usize = 16 << 10;

/// Least bytes of an RSA key as it is written in its file: 2048 bits.
const MIN_RSA: usize = 256;

/// The keys, and what else has to be right about tokens.
pub(crate) struct Keys {
    /// Each with the algorithms that it is for, and the claims that are wanted.
    keys: Vec<(DecodingKey, Validation)>,
    /// What this server signs with, when it has a secret.
    signing: Option<(Algorithm, EncodingKey)>,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) max_ttl: Duration,
    pub(super) leeway: Duration,
}

/// Why a client's token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    Missing,
    Expired,
    /// What is wrong with it, for the operator.
    Invalid(&'static str),
}

/// What the client's developer is told.
impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Token missing",
            Self::Expired => "Token expired",
            Self::Invalid(_) => "Token invalid",
        })
    }
}

/// Why the keys cannot be used.
#[derive(Debug)]
pub(crate) enum KeyError {
    Read(PathBuf, io::Error),
    /// The file has something else.
    NotPublic(PathBuf),
    /// An RSA key that is too short.
    Short(PathBuf),
    /// No algorithm is for this key.
    Unused(PathBuf),
    /// No key is for this algorithm.
    WithoutKey(Algorithm),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("auth.jwt.public_key_file: ")?;
        match self {
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::NotPublic(path) => {
                write!(f, "{} is not a public key of RSA, EC or Ed25519 in PEM (BEGIN PUBLIC KEY)", path.display())
            }
            Self::Short(path) => write!(f, "{} has an RSA key of less than 2048 bits", path.display()),
            Self::Unused(path) => write!(f, "no algorithm of auth.jwt.algorithms is for the key in {}", path.display()),
            Self::WithoutKey(algorithm) => write!(f, "no key is for {algorithm:?}"),
        }
    }
}

impl std::error::Error for KeyError {}

impl Keys {
    /// Reads the files of public keys.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn load(jwt: &config::Jwt) -> Result<Self, KeyError> {
        let by_secret = |secret: &Secret| DecodingKey::from_secret(secret.0.as_bytes());
        let secrets = jwt.secret.iter().map(by_secret);
        let mut keys: Vec<_> = secrets.map(|key| (key, validation(jwt, AlgorithmFamily::Hmac))).collect();
        for path in &jwt.public_key_file {
            let key = public_key(path)?;
            let mut wanted = validation(jwt, key.family());
            // An EC key is on one curve, which is for one algorithm.
            wanted.algorithms.retain(|algorithm| crypto::verify("", b"", &key, *algorithm).is_ok());
            if wanted.algorithms.is_empty() {
                return Err(KeyError::Unused(path.clone()));
            }
            keys.push((key, wanted));
        }
        let has_key = |algorithm| keys.iter().any(|(_, wanted)| wanted.algorithms.contains(algorithm));
        match jwt.algorithms.iter().find(|algorithm| !keys.is_empty() && !has_key(algorithm)) {
            Some(algorithm) => Err(KeyError::WithoutKey(*algorithm)),
            None => Ok(Self {
                signing: signing(jwt),
                keys,
                issuer: jwt.issuer.clone(),
                audience: jwt.audience.clone(),
                max_ttl: jwt.max_ttl,
                leeway: jwt.leeway,
            }),
        }
    }

    /// The claims of a valid token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(super) fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid("it is no token"))?;
        // RFC 7515, 4.1.11: what the header says is critical must be understood, and nothing of it is.
        if header.crit.is_some() {
            return Err(TokenError::Invalid("it has critical headers"));
        }
        let mut error = TokenError::Invalid("its algorithm is none of auth.jwt.algorithms");
        for (key, wanted) in self.keys.iter().filter(|(_, wanted)| wanted.algorithms.contains(&header.alg)) {
            match decode::<Claims>(token, key, wanted) {
                Ok(token) => return self.checked(token.claims),
                Err(found) => error = why(found.kind()),
            }
            // Whoever signed it, it was signed by this key.
            if error != TokenError::Invalid(FOREIGN) {
                break;
            }
        }
        Err(error)
    }

    /// What the library does not look at, or only to the second.
    fn checked(&self, claims: Claims) -> Result<Claims, TokenError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if claims.exp + self.leeway.as_secs_f64() <= now.as_secs_f64() {
            return Err(TokenError::Expired);
        }
        if !claims.sub.as_deref().is_none_or(is_user) {
            return Err(TokenError::Invalid("its sub is no name of a user"));
        }
        if !claims.socketio.has_rooms() {
            return Err(TokenError::Invalid("it names a room that is none"));
        }
        Ok(claims)
    }

    /// Signs a token; `None` without a secret.
    pub(super) fn sign(&self, payload: &impl Serialize) -> Option<String> {
        let (algorithm, key) = self.signing.as_ref()?;
        Some(encode(&Header::new(*algorithm), payload, key).expect("plain data, and a key of that kind"))
    }
}

const FOREIGN: &str = "it is signed by another key than those of auth.jwt";

/// What has to be right about a token that is signed in this way.
fn validation(jwt: &config::Jwt, family: AlgorithmFamily) -> Validation {
    let mut wanted = Validation::new(Algorithm::HS256);
    wanted.algorithms = jwt.algorithms.iter().copied().filter(|algorithm| algorithm.family() == family).collect();
    wanted.leeway = jwt.leeway.as_secs();
    wanted.validate_nbf = true;
    wanted.validate_aud = !jwt.audience.is_empty();
    let mut claims = vec!["exp"];
    if !jwt.issuer.is_empty() {
        wanted.set_issuer(&[&jwt.issuer]);
        claims.push("iss");
    }
    if !jwt.audience.is_empty() {
        wanted.set_audience(&[&jwt.audience]);
        claims.push("aud");
    }
    wanted.set_required_spec_claims(&claims);
    wanted
}

fn signing(jwt: &config::Jwt) -> Option<(Algorithm, EncodingKey)> {
    let algorithm = jwt.algorithms.iter().find(|algorithm| algorithm.family() == AlgorithmFamily::Hmac)?;
    Some((*algorithm, EncodingKey::from_secret(jwt.secret.first()?.0.as_bytes())))
}

fn public_key(path: &PathBuf) -> Result<DecodingKey, KeyError> {
    let pem = fs::read(path).map_err(|error| KeyError::Read(path.clone(), error))?;
    let begin = String::from_utf8_lossy(&pem);
    // The library would take a private key or a certificate, too, and verify nothing by it.
    if !begin.contains("PUBLIC KEY-----") || begin.contains("PRIVATE KEY-----") {
        return Err(KeyError::NotPublic(path.clone()));
    }
    let key = DecodingKey::from_ec_pem(&pem).or_else(|_| DecodingKey::from_ed_pem(&pem));
    let key = key.or_else(|_| DecodingKey::from_rsa_pem(&pem)).map_err(|_| KeyError::NotPublic(path.clone()))?;
    if key.family() == AlgorithmFamily::Rsa && key.as_bytes().len() < MIN_RSA {
        return Err(KeyError::Short(path.clone()));
    }
    Ok(key)
}

/// A closed list of words, since those of the library have parts of the token.
fn why(kind: &ErrorKind) -> TokenError {
    TokenError::Invalid(match kind {
        ErrorKind::ExpiredSignature => return TokenError::Expired,
        ErrorKind::InvalidSignature => FOREIGN,
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidIssuer => "it has another issuer than auth.jwt.issuer",
        ErrorKind::InvalidAudience => "it is for another audience than auth.jwt.audience",
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => match claim.as_str() {
            "exp" => "it has no exp",
            "iss" => "it has no iss",
            "aud" => "it has no aud",
            _ => "its nbf is no time",
        },
        ErrorKind::Json(_) => "its claims are not what they should be",
        _ => "it is no token",
    })
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
