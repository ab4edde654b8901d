//! Tokens that are good, and all the ways in which they are not.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::{
    super::draft::{Draft, DraftError},
    *,
};
use crate::config::Jwt;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Seconds since 1970, in the year 2100.
const LATER: u64 = 4_102_444_800;

/// `{"sub":"42","exp":4102444800}`, signed by openssl with that secret, by HS256.
const HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.\
    7GrKUZjliXYosxMBXsc935Sne4Kw3SLLbogsevmU5DU";

/// The same by RS256, with the private key to `RSA`.
const RS256: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.\
    pItW6Oty14G0WQIRtSr99PiFldn3We6lGT2oRZandqHf5U3Mvl8iHdVVYPAqN1ipE7RGOpOA1aMRVmWDPD29OKzU3j0TA4St9crFHHI7xDRnRzuG\
    Iu7pTaFiPMh7oGUG_mHuWe4-ZrivOnE-8Nwe0KkdDw23ZAhmwNPkUhmd335eXzoRHPdqPeM4kl_nRKOmNJrLHzHrW5Gno2kHyBZzsl7u4Dm94e6B\
    TZY8hDl14Ye7DNtOHo4PiSqr6rY-RZNc-PuAUtp-vZHRrzZ1g2cZS3Jf2m3vh3U3-nQ1YZXCUC0wvxs0VLsxY2k9zElsoLouZ5nyYxjlSdn5hvkb\
    LeeEYw";

/// The same by HS256 with the text of `RSA` as its secret.
const CONFUSED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.\
    dbmDMUMKw5u-WlAoRXZSY3TF4iFqT1svEWqLLCuprCs";

const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtsflzxMZ8Kh2HWGJjkfJ
a7oWn564qk3yoREp6NGCWT8DLl0aUjSvv2u2GPilZ1qRE+safKBKSb58Lb4KvCOv
B9rykdIwKtCe4NaHf3zFooWJ2NvyTULBsezfAuGuErAM4rXfVJGv6r8kIqiqLVkp
SSNE4p3Ho/OsqzaxpXRJFgGxzmlS4Nnm85rApTTXfy+vCtOv5hOWxoQeO79qDXHq
FJusIE7+HSGnA5WPZJb1ZzELjbGa4Lkk1Mcto4TXwHe0ob6H88R8IHPfVhUnTSGh
hG+hyiClYzdOi9mM2OR11Rlcj3gMhBH9r40ftoRRVV9b01b4n7Kx5QPvlHiOPtdq
YwIDAQAB
-----END PUBLIC KEY-----
";

/// A key of 1024 bits.
const SHORT: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDKwf0FE8LzvqtZfqHltN/Z7m/E
A3Z48k3WMSiMJhuJAs5uIPDlhqMyAsUAt1zpqfS1bmukSZgEI2aN2CLXLaVdOgmY
Ck5E8vkYGWZdrpSO2aSkc2rWLyS6BM3NpZxGh3MOiHobHexjMg1xoYAppz3sftsh
V3f9m26IQETOriDMBwIDAQAB
-----END PUBLIC KEY-----
";

fn with_secrets(secrets: &[&str]) -> Jwt {
    Jwt { secret: secrets.iter().map(|secret| Secret((*secret).into())).collect(), ..Jwt::default() }
}

/// Options with these public keys, in files of their own.
fn with_public_keys(name: &str, algorithms: &[Algorithm], keys: &[&str]) -> Jwt {
    let file = |(index, key): (usize, &&str)| {
        let file = std::env::temp_dir().join(format!("socketio-server-{}-{name}-{index}.pem", std::process::id()));
        fs::write(&file, key).expect("writable");
        file
    };
    let public_key_file = keys.iter().enumerate().map(file).collect();
    Jwt { algorithms: algorithms.to_vec(), public_key_file, ..Jwt::default() }
}

fn load(jwt: &Jwt) -> Result<Keys, KeyError> {
    let keys = Keys::load(jwt);
    for file in &jwt.public_key_file {
        fs::remove_file(file).expect("it was written");
    }
    keys
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with these texts, however odd.
fn sign(header: &str, claims: &str, algorithm: Algorithm, key: &EncodingKey) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a key of that kind");
    format!("{message}.{signature}")
}

fn by_secret(claims: &str) -> String {
    sign("{\"alg\":\"HS256\"}", claims, Algorithm::HS256, &EncodingKey::from_secret(SECRET.as_bytes()))
}

fn sub(verified: Result<Claims, TokenError>) -> Result<Option<String>, TokenError> {
    verified.map(|claims| claims.sub)
}

#[test]
fn tokens_of_others_are_good_by_their_keys() {
    let user = Ok(Some("42".to_owned()));
    assert_eq!(sub(load(&with_secrets(&[SECRET])).expect("keys").verify(HS256)), user);
    let jwt = with_public_keys("rsa", &[Algorithm::RS256], &[RSA]);
    assert_eq!(sub(load(&jwt).expect("keys").verify(RS256)), user);
    for (algorithm, by) in [
        (Algorithm::ES256, &rcgen::PKCS_ECDSA_P256_SHA256),
        (Algorithm::ES384, &rcgen::PKCS_ECDSA_P384_SHA384),
        (Algorithm::EdDSA, &rcgen::PKCS_ED25519),
    ] {
        let [pair, other] = [(); 2].map(|()| KeyPair::generate_for(by).expect("drawn"));
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()),
            _ => EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()),
        };
        let header = format!("{{\"alg\":\"{algorithm:?}\"}}");
        let claims = format!("{{\"sub\":42,\"exp\":{LATER}}}");
        let token = sign(&header, &claims, algorithm, &key.expect("a key of that kind"));
        let (mine, theirs) = (pair.public_key_pem(), other.public_key_pem());
        for (keys, expected) in [
            (&[&*mine][..], user.clone()),
            (&[&theirs, &mine], user.clone()),
            (&[&theirs], Err(TokenError::Invalid(FOREIGN))),
        ] {
            let keys = load(&with_public_keys("drawn", &[algorithm], keys)).expect("keys");
            assert_eq!(sub(keys.verify(&token)), expected, "{algorithm:?}");
            assert_eq!(
                sub(keys.verify(HS256)),
                Err(TokenError::Invalid("its algorithm is none of auth.jwt.algorithms"))
            );
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let keys = load(&with_public_keys("confused", &[Algorithm::RS256], &[RSA])).expect("keys");
    assert_eq!(sub(keys.verify(CONFUSED)), Err(TokenError::Invalid("its algorithm is none of auth.jwt.algorithms")));
    // The token is one, where that text is a secret.
    assert_eq!(sub(load(&with_secrets(&[RSA])).expect("keys").verify(CONFUSED)), Ok(Some("42".to_owned())));
}

#[test]
fn keys_that_are_of_no_use_are_refused() {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("drawn");
    let (public, private) = (pair.public_key_pem(), pair.serialize_pem());
    for (algorithms, keys, message) in [
        (&[Algorithm::ES256][..], &[&*private][..], "is not a public key"),
        (&[Algorithm::ES256], &["nothing"], "is not a public key"),
        (&[Algorithm::ES256], &["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"], "is not a public key"),
        (&[Algorithm::RS256], &[SHORT], "less than 2048 bits"),
        (&[Algorithm::ES384], &[&public], "no algorithm of auth.jwt.algorithms is for the key in"),
        (&[Algorithm::RS256], &[&public], "no algorithm of auth.jwt.algorithms is for the key in"),
        (&[Algorithm::ES256, Algorithm::EdDSA], &[&public], "no key is for EdDSA"),
    ] {
        let error = load(&with_public_keys("refused", algorithms, keys)).err().expect(message).to_string();
        assert!(error.contains(message), "{error}");
    }
    let missing = Jwt { public_key_file: vec!["/no/such/key".into()], ..Jwt::default() };
    let error = Keys::load(&missing).err().expect("there is no file").to_string();
    assert!(error.starts_with("auth.jwt.public_key_file: cannot read /no/such/key"), "{error}");
}

#[test]
fn a_token_that_is_not_right_is_refused() {
    let (invalid, no_token) = (TokenError::Invalid, TokenError::Invalid("it is no token"));
    let claims_wrong = invalid("its claims are not what they should be");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("later").as_secs();
    let keys = load(&with_secrets(&[SECRET])).expect("keys");
    let good = format!("{{\"sub\":\"42\",\"exp\":{LATER}}}");
    let with = |more: &str| format!("{{\"exp\":{LATER},{more}}}");
    let rows = [
        (good.clone(), None),
        (format!("{{\"exp\":{LATER}}}"), None),
        (format!("{{\"exp\":{LATER}.5}}"), None),
        (format!("{{\"exp\":{}}}", now - 10), None),
        (with("\"aud\":\"x\",\"iss\":\"y\",\"jti\":1,\"more\":[1]"), None),
        (with(&format!("\"nbf\":{},\"iat\":{now}.25", now + 10)), None),
        (with("\"socketio\":{}"), None),
        (format!("{{\"exp\":{}}}", now - 60), Some(TokenError::Expired)),
        ("{\"exp\":0}".into(), Some(TokenError::Expired)),
        (with(&format!("\"nbf\":{}", now + 60)), Some(invalid("it is not valid yet"))),
        ("{\"exp\":-1}".into(), Some(invalid("it has no exp"))),
        ("{\"exp\":99999999999999999999}".into(), Some(invalid("it has no exp"))),
        ("{}".into(), Some(claims_wrong)),
        ("{\"sub\":\"42\"}".into(), Some(claims_wrong)),
        ("{\"exp\":null}".into(), Some(claims_wrong)),
        (format!("{{\"exp\":\"{LATER}\"}}"), Some(claims_wrong)),
        ("{\"exp\":1e400}".into(), Some(claims_wrong)),
        ("{\"exp\":[1]}".into(), Some(claims_wrong)),
        (with(&format!("\"nbf\":\"{}\"", now + 60)), Some(claims_wrong)),
        (with("\"nbf\":{}"), Some(claims_wrong)),
        (with("\"nbf\":-5"), Some(invalid("its nbf is no time"))),
        (with("\"iat\":\"now\""), Some(claims_wrong)),
        (with("\"sub\":\"\""), Some(invalid("its sub is no name of a user"))),
        (with("\"sub\":\"a\\u0001\""), Some(invalid("its sub is no name of a user"))),
        (with("\"sub\":1.5"), Some(claims_wrong)),
        (with("\"sub\":[\"42\"]"), Some(claims_wrong)),
        (with("\"sub\":true"), Some(claims_wrong)),
        (with("\"socketio\":null"), Some(claims_wrong)),
        (with("\"socketio\":{\"room\":[\"a\"]}"), Some(claims_wrong)),
        (with("\"socketio\":{\"rooms\":\"a\"}"), Some(claims_wrong)),
        (with("\"socketio\":{\"rooms\":[\"\"]}"), Some(invalid("it names a room that is none"))),
        (with("\"socketio\":{\"rooms\":[\"\\u0001user:7\"]}"), Some(invalid("it names a room that is none"))),
        (with("\"socketio\":{\"allow\":{\"joins\":[]}}"), Some(claims_wrong)),
        (with("\"socketio\":{\"namespaces\":\"/\"}"), Some(claims_wrong)),
        ("[]".into(), Some(claims_wrong)),
        ("\"text\"".into(), Some(claims_wrong)),
        ("{".into(), Some(claims_wrong)),
        (String::new(), Some(claims_wrong)),
    ];
    for (claims, expected) in rows {
        assert_eq!(keys.verify(&by_secret(&claims)).err(), expected, "{claims}");
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let body = base64(&good);
    let headed = |header: &str| sign(header, &good, Algorithm::HS256, &key);
    for (header, is_good) in [
        ("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}", true),
        ("{\"alg\":\"HS256\",\"typ\":\"anything\"}", true),
        // Keys and addresses of keys are not looked at.
        ("{\"alg\":\"HS256\",\"jku\":\"https://evil.example\",\"x5u\":\"https://evil.example\"}", true),
        ("{\"alg\":\"none\"}", false),
        ("{\"alg\":\"None\"}", false),
        ("{\"alg\":\"\"}", false),
        ("{\"alg\":null}", false),
        ("{\"alg\":\"hs256\"}", false),
        ("{\"alg\":\"HS384\"}", false),
        ("{\"alg\":\"HS512\"}", false),
        ("{\"alg\":\"RS256\"}", false),
        ("{\"alg\":\"ES256\"}", false),
        ("{\"alg\":\"EdDSA\"}", false),
        ("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", false),
        ("{\"alg\":\"HS256\",\"crit\":[]}", false),
        ("{\"alg\":[\"HS256\"]}", false),
        ("{}", false),
        ("[]", false),
        ("", false),
        ("{\"alg\":\"HS256\"", false),
    ] {
        assert_eq!(keys.verify(&headed(header)).is_ok(), is_good, "{header}");
    }
    let token = by_secret(&good);
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    for (token, expected) in [
        (String::new(), no_token),
        (".".into(), no_token),
        ("..".into(), no_token),
        ("a.b.c".into(), no_token),
        (format!("{message}."), invalid(FOREIGN)),
        (message.to_owned(), no_token),
        (format!("{token}."), no_token),
        (format!("{token}.x"), no_token),
        (format!(" {token}"), no_token),
        (format!("{token}="), no_token),
        (format!("{token}é"), no_token),
        (format!("{message}.{}", &signature[1..]), invalid(FOREIGN)),
        (format!("{message}.{}", "A".repeat(43)), invalid(FOREIGN)),
        (format!("{}.{}.{signature}", base64("{\"alg\":\"none\"}"), body), no_token),
        (format!("{}.{}.", base64("{\"alg\":\"none\"}"), body), no_token),
        (format!("{}.{}.{signature}", base64("{\"alg\":\"HS256\"}"), base64("{\"exp\":5e9}")), invalid(FOREIGN)),
        (sign("{\"alg\":\"HS256\"}", &good, Algorithm::HS256, &EncodingKey::from_secret(b"")), invalid(FOREIGN)),
        (sign("{\"alg\":\"HS256\"}", &good, Algorithm::HS256, &EncodingKey::from_secret(b"0")), invalid(FOREIGN)),
        (
            sign("{\"alg\":\"HS256\"}", "{\"exp\":0}", Algorithm::HS256, &EncodingKey::from_secret(b"0")),
            invalid(FOREIGN),
        ),
        ("a.".repeat(8000), no_token),
        ("a".repeat(1 << 20), invalid("it is too long")),
    ] {
        assert_eq!(keys.verify(&token).err(), Some(expected), "{}", &token[..token.len().min(300)]);
    }
    // Each byte of a token counts.
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        // The last letter of a signature has bits that no byte has.
        assert!(keys.verify(&changed).is_err() || at + 1 == token.len(), "{at}");
    }
}

#[test]
fn issuer_and_audience_are_as_configured() {
    let jwt = Jwt { issuer: "me".into(), audience: "you".into(), ..with_secrets(&[SECRET]) };
    let keys = load(&jwt).expect("keys");
    for (claims, expected) in [
        ("\"iss\":\"me\",\"aud\":\"you\"", None),
        ("\"iss\":\"me\",\"aud\":[\"others\",\"you\"]", None),
        ("\"iss\":\"me\"", Some("it has no aud")),
        ("\"aud\":\"you\"", Some("it has no iss")),
        ("\"iss\":\"you\",\"aud\":\"you\"", Some("it has another issuer than auth.jwt.issuer")),
        ("\"iss\":\"me\",\"aud\":\"me\"", Some("it is for another audience than auth.jwt.audience")),
        ("\"iss\":\"me\",\"aud\":[]", Some("it is for another audience than auth.jwt.audience")),
        ("\"iss\":1,\"aud\":\"you\"", Some("it has no iss")),
        ("\"iss\":\"me\",\"aud\":{}", Some("it has no aud")),
    ] {
        let token = by_secret(&format!("{{\"exp\":{LATER},{claims}}}"));
        assert_eq!(keys.verify(&token).err(), expected.map(TokenError::Invalid), "{claims}");
    }
}

#[test]
fn what_is_signed_here_is_good_here() {
    let jwt = Jwt { issuer: "me".into(), audience: "you".into(), ..with_secrets(&["new".repeat(11).as_str(), SECRET]) };
    let keys = load(&jwt).expect("keys");
    let permit: Value = json!({
        "namespaces": ["/", "/admin"], "rooms": ["user:42"], "allow": { "join": ["task_*"], "emit": ["chat_*"] },
        "info": { "name": "Ann" }, "session": [1], "roles": ["admin"],
    });
    let permit = serde_json::from_value(permit).expect("a permit");
    let draft = Draft { sub: Some("42".into()), ttl: Some(Duration::from_secs(60)), permit };
    let signed = draft.sign(&keys, UNIX_EPOCH + Duration::from_secs(LATER)).expect("right");
    assert_eq!(signed.expires_at, LATER + 60);
    let claims = keys.verify(&signed.token).expect("valid");
    assert_eq!((claims.sub, claims.socketio, claims.exp), (draft.sub.clone(), draft.permit, (LATER + 60) as f64));
    assert_eq!(claims.others.get("iss"), Some(&json!("me")));
    // By the secret that is new, and not by the one that was before.
    let before = Jwt { issuer: "me".into(), audience: "you".into(), ..with_secrets(&[SECRET]) };
    assert_eq!(sub(load(&before).expect("keys").verify(&signed.token)), Err(TokenError::Invalid(FOREIGN)));
}

#[test]
fn what_cannot_be_signed_is_said() {
    type Change<'a> = &'a dyn Fn(&mut Draft);

    let keys = load(&with_secrets(&[SECRET])).expect("keys");
    let day = Duration::from_secs(24 * 3600);
    let with = |change: Change<'_>| {
        let mut draft = Draft::default();
        change(&mut draft);
        draft.sign(&keys, SystemTime::now()).map(|signed| keys.verify(&signed.token).is_ok())
    };
    assert_eq!(with(&|_| {}).ok(), Some(true));
    assert_eq!(with(&|draft| draft.ttl = Some(day)).ok(), Some(true));
    let second = Duration::from_secs(1);
    let rows: [(Change<'_>, DraftError); 7] = [
        (&|draft| draft.ttl = Some(day + second), DraftError::Ttl(day)),
        (&|draft| draft.ttl = Some(second / 2), DraftError::Ttl(day)),
        (&|draft| draft.sub = Some(String::new()), DraftError::Subject),
        (&|draft| draft.sub = Some("a\nb".into()), DraftError::Subject),
        (&|draft| draft.permit.rooms = vec![String::new()], DraftError::Room),
        (&|draft| draft.permit.rooms = vec!["\u{1}user:7".into()], DraftError::Room),
        (&|draft| draft.permit.info = "x".repeat(MAX_TOKEN).into(), DraftError::Long),
    ];
    for (change, expected) in rows {
        assert_eq!(with(change).err(), Some(expected));
    }
    let jwt = with_public_keys("nobody", &[Algorithm::RS256], &[RSA]);
    let nobody = Draft::default().sign(&load(&jwt).expect("keys"), SystemTime::now());
    assert_eq!(nobody.err(), Some(DraftError::NoSecret));
}
