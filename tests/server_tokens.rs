//! The binary with tokens: who is let in by which, what they bring, how they end, and how they are signed.

use std::{fs, path::Path};

use rcgen::KeyPair;
use serde_json::Value;
use tests::{
    Row,
    frames::{CLOSED, WebSocket},
    polling::{self, Polling},
    process::{Process, post, run},
    within,
};
use tokio::io::AsyncReadExt;

const BINARY: &str = env!("CARGO_BIN_EXE_socketio-server");

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// `{"sub":"42","exp":4102444800}`, which is in the year 2100, signed with that secret by openssl.
const GOOD: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.\
    7GrKUZjliXYosxMBXsc935Sne4Kw3SLLbogsevmU5DU";

/// The same by HS384.
const BY_HS384: &str = "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMH0.\
    OEg91vk3SM7QjUbLLCNCfSLw4EjRGSPpQxL2B3fsYbFTlrjY1D0AB8xKLhw1AbwO";

/// The same with `"iss":"me","aud":["you","others"]`.
const FOR_YOU: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJzdWIiOiI0MiIsImV4cCI6NDEwMjQ0NDgwMCwiaXNzIjoibWUiLCJhdWQiOlsieW91Iiwib3RoZXJzIl19.\
    k1QUMHZtT_eAIt92xIDMsddtj7pSdNeypa4qMCAkgac";

/// `{"sub":"42","exp":0}`, signed with it.
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6MH0.\
    QdQ2Y6tOvoElPsNP1Mi-5YAyuFehEkBscieRPLnu1A4";

const MISSING: &str = "{\"message\":\"Token missing\",\"data\":{\"code\":\"unauthorized\"}}";
const INVALID: &str = "{\"message\":\"Token invalid\",\"data\":{\"code\":\"unauthorized\"}}";
const OLD: &str = "{\"message\":\"Token expired\",\"data\":{\"code\":\"unauthorized\"}}";

/// A file in a folder of its own for a test.
fn file(test: &str, name: &str, text: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tokens").join(test);
    fs::create_dir_all(&folder).expect("writable");
    let file = folder.join(name);
    fs::write(&file, text).expect("writable");
    file.display().to_string()
}

/// Starts a server with this file, on any free ports.
async fn start(test: &str, configuration: &str) -> Process {
    Process::configured(BINARY, &file(test, "server.toml", ""), configuration).await
}

/// A server that wants tokens by the secret.
async fn start_with_secret(test: &str, more: &str) -> Process {
    start(test, &format!("[auth]\nmode = 'jwt'\n[auth.jwt]\nsecret = '{SECRET}'\n{more}")).await
}

/// What the subcommand prints, with this secret.
async fn token(arguments: &[&str]) -> String {
    let secret = format!("auth.jwt.secret={SECRET}");
    let output = run(BINARY, &[&["token", "--set", &secret], arguments].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}

/// Asks to join; returns the client with the answer to its CONNECT, without the type and the namespace.
async fn connect(server: &Process, namespace: &str, auth: &str) -> (WebSocket, String) {
    let (mut client, _) = WebSocket::open(server.endpoint()).await;
    let before = if namespace == "/" { String::new() } else { format!("{namespace},") };
    client.send(&format!("40{before}{auth}")).await;
    let answer = client.text().await;
    (client, answer[2..].strip_prefix(&before).expect("the namespace").to_owned())
}

/// A client that was let in with this token, and the answer.
async fn join(server: &Process, token: &str) -> (WebSocket, Value) {
    let (client, answer) = connect(server, "/", &format!("{{\"token\":\"{token}\"}}")).await;
    assert!(answer.starts_with("{\"sid\":"), "{answer}");
    (client, serde_json::from_str(&answer).expect("JSON"))
}

/// To how many sockets an event goes.
async fn sent(server: &Process, to: &str) -> String {
    let answer = server.emit("", &format!("{{\"event\":\"e\",{to}}}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn clients_are_let_in_by_their_tokens() {
    let spaces = "
        [[namespace]]
        name = '/'
        [[namespace]]
        name = '/open'
        auth = 'none'
        [[namespace]]
        name = '/maybe'
        auth = 'jwt_optional'
        [[namespace]]
        name = '/known'
        auth = 'jwt_optional'
        require_user = true";
    let server = start_with_secret("in", spaces).await;
    let auth = |token: &str| format!("{{\"token\":\"{token}\"}}");
    let mut changed = GOOD.to_owned();
    changed.replace_range(60..61, "x");
    let nobody = token(&[]).await;
    let elsewhere = token(&["--sub", "42", "--namespace", "/maybe", "--namespace", "/team-*"]).await;
    let unknown = "{\"message\":\"User required\",\"data\":{\"code\":\"unauthorized\"}}";
    let foreign = "{\"message\":\"Token not for this namespace\",\"data\":{\"code\":\"forbidden\"}}";
    for (namespace, auth, refused) in [
        ("/", auth(GOOD), ""),
        ("/", auth(&nobody), ""),
        ("/", auth(&format!("Bearer {GOOD}")), ""),
        ("/", String::new(), MISSING),
        ("/", auth(""), MISSING),
        ("/", "{\"token\":7}".into(), MISSING),
        ("/", auth("nonsense"), INVALID),
        ("/", auth(&changed), INVALID),
        ("/", auth(BY_HS384), INVALID),
        ("/", auth(EXPIRED), OLD),
        ("/", auth(&"x".repeat(20_000)), "{\"message\":\"auth payload too large\"}"),
        ("/", auth(&elsewhere), foreign),
        ("/open", String::new(), ""),
        ("/open", auth(EXPIRED), ""),
        ("/maybe", String::new(), ""),
        ("/maybe", auth(GOOD), ""),
        ("/maybe", auth(&elsewhere), ""),
        ("/maybe", auth(EXPIRED), OLD),
        ("/maybe", auth("nonsense"), INVALID),
        ("/known", auth(GOOD), ""),
        ("/known", auth(&nobody), unknown),
        ("/known", String::new(), unknown),
    ] {
        let _row = Row(&auth);
        let (_client, answer) = connect(&server, namespace, &auth).await;
        match refused {
            "" => assert!(answer.starts_with("{\"sid\":"), "{namespace} {answer}"),
            refused => assert_eq!(answer, refused, "{namespace}"),
        }
    }
    let metrics = server.ask("/metrics").await.body;
    for line in [
        "socketio_connects_total{namespace=\"/\",result=\"accepted\"} 3",
        "socketio_connects_total{namespace=\"/\",result=\"unauthorized\"} 7",
        "socketio_connects_total{namespace=\"/\",result=\"forbidden\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

/// The answer to a CONNECT by polling, where the handshake has this query and these headers.
async fn polled(server: &Process, query: &str, headers: &str, auth: &str) -> String {
    let target = "/socket.io/?EIO=4&transport=polling";
    let opened = server.get(&format!("{target}&{query}"), headers).await;
    let target = format!("{target}&sid={}", polling::sid(&opened.body));
    assert_eq!(server.post(&target, &format!("40{auth}")).await.body, "ok");
    server.get(&target, "").await.body[2..].to_owned()
}

#[tokio::test]
async fn tokens_are_found_where_clients_have_them() {
    let usual = start_with_secret("usual", "").await;
    let sources = "sources = ['cookie.session', 'header.x-token', 'query.t']";
    let chosen = start_with_secret("chosen", sources).await;
    let query = |name: &str| format!("{name}={GOOD}");
    let header = |name: &str| format!("{name}{GOOD}\r\n");
    let none = String::new;
    for (server, query, headers, auth, expected) in [
        (&usual, query("token"), none(), none(), "{\"sid\":"),
        (&usual, none(), header("authorization: Bearer "), none(), "{\"sid\":"),
        (&usual, none(), header("authorization: bearer "), none(), "{\"sid\":"),
        (&usual, none(), header("authorization: "), none(), "{\"sid\":"),
        (&usual, none(), "authorization: Basic YTpi\r\n".into(), none(), INVALID),
        (&usual, none(), "authorization: \u{e9}\r\n".into(), none(), INVALID),
        (&usual, none(), header("cookie: token="), none(), MISSING),
        (&usual, query("t"), none(), none(), MISSING),
        // The first place counts in which there is one.
        (&usual, query("token"), none(), "{\"token\":\"x\"}".into(), INVALID),
        (&usual, "token=x".into(), header("authorization: Bearer "), none(), INVALID),
        (&chosen, none(), header("cookie: a=b; session="), none(), "{\"sid\":"),
        (&chosen, none(), format!("cookie: session=\"{GOOD}\"; a=b\r\n"), none(), "{\"sid\":"),
        (&chosen, none(), header("cookie: sessions="), none(), MISSING),
        (&chosen, none(), header("x-token: "), none(), "{\"sid\":"),
        (&chosen, query("t"), none(), none(), "{\"sid\":"),
        (&chosen, query("token"), header("authorization: Bearer "), format!("{{\"token\":\"{GOOD}\"}}"), MISSING),
        (&chosen, query("t"), "cookie: session=x\r\n".into(), none(), INVALID),
    ] {
        let answer = polled(server, &query, &headers, &auth).await;
        assert!(answer.starts_with(expected), "{query} {headers} {auth}: {answer}");
    }
}

#[tokio::test]
async fn a_token_brings_user_rooms_and_claims() {
    let rooms = "
        [[namespace]]
        name = '/'
        max_per_user = 2
        auto_join = ['of-{user}', 'at-{claim.socketio.info.name}', 'by-{claim.iss}-{claim.sub}', 'no-{claim.none}']
        [[room]]
        match = 'game'
        presence = true
        [[namespace]]
        name = '/other'
        max_per_user = 2";
    let server = start_with_secret("brings", &format!("issuer = 'me'{rooms}")).await;
    let arguments = ["--set", "auth.jwt.issuer=me", "--room", "game", "--info", "{\"name\":\"Ann\"}", "--sub"];
    let ann = token(&[&arguments[..], &["ann"]].concat()).await;
    let (mut first, _) = join(&server, &ann).await;
    let present =
        "42[\"presence_state\",{\"members\":{\"ann\":{\"count\":1,\"info\":{\"name\":\"Ann\"}}},\"room\":\"game\"}]";
    assert_eq!(first.text().await, present);
    let _second = join(&server, &ann).await;
    for (to, sockets) in [
        ("\"to\":{\"users\":[\"ann\"]}", 2),
        ("\"to\":{\"users\":[\"bob\"]}", 0),
        ("\"room\":\"game\"", 2),
        ("\"room\":\"of-ann\"", 2),
        ("\"room\":\"at-Ann\"", 2),
        ("\"room\":\"by-me-ann\"", 2),
        ("\"room\":\"no-\"", 0),
    ] {
        assert_eq!(sent(&server, to).await, format!("{{\"sockets\":{sockets}}}\n"), "{to}");
    }
    let full = "{\"message\":\"Too many connections of this user\",\"data\":{\"code\":\"limit\"}}";
    let auth = format!("{{\"token\":\"{ann}\"}}");
    assert_eq!(connect(&server, "/", &auth).await.1, full);
    assert!(connect(&server, "/other", &auth).await.1.starts_with("{\"sid\":"));
    let bob = token(&[&arguments[..], &["bob"]].concat()).await;
    join(&server, &bob).await;
    drop(first);
    within(async { while connect(&server, "/", &auth).await.1 == full {} }).await;
    // A room that cannot be is a mistake of whoever has signed the token.
    let long = token(&["--set", "auth.jwt.issuer=me", "--sub", "cy", "--room", &"x".repeat(300)]).await;
    assert_eq!(connect(&server, "/", &format!("{{\"token\":\"{long}\"}}")).await.1, INVALID);
}

#[tokio::test]
async fn the_connection_ends_with_the_token_and_without_a_disconnect_packet() {
    let server = start_with_secret("end", "leeway = 0").await;
    let (mut lasting, _) = join(&server, &token(&["--sub", "ann"]).await).await;
    let short = token(&["--sub", "ann", "--ttl", "5"]).await;
    let (mut websocket, _) = join(&server, &short).await;
    let mut polling = Polling::open(server.endpoint()).await;
    assert_eq!(polling.post(format!("40{{\"token\":\"{short}\"}}")).await.body, "ok");
    assert!(polling.get().await.body.starts_with("40{\"sid\":"));
    assert_eq!(websocket.frame().await, CLOSED);
    // Maybe behind a noop packet, for the GET that is answered.
    assert!(polling.get().await.body.ends_with('1'));
    assert_eq!(connect(&server, "/", &format!("{{\"token\":\"{short}\"}}")).await.1, OLD);
    assert_eq!(sent(&server, "\"to\":{\"users\":[\"ann\"]}").await, "{\"sockets\":1}\n");
    assert_eq!(lasting.text().await, "42[\"e\"]");
}

#[tokio::test]
async fn who_comes_back_is_who_was_there() {
    let check = async |mode: &str| {
        let _row = Row(mode);
        let server = start_with_secret(mode, &format!("leeway = 0\n[recovery]\nmode = '{mode}'")).await;
        let back = async |pid: &Value, token: &str| {
            let (mut client, _) = WebSocket::open(server.endpoint()).await;
            client.send(&format!("40{{\"pid\":{pid},\"token\":\"{token}\"}}")).await;
            client
        };
        let [ann, bob] = ["ann", "bob"].map(|user| async move { token(&["--sub", user, "--room", "a"]).await });
        let (ann, bob) = (ann.await, bob.await);
        let ann_elsewhere = token(&["--sub", "ann", "--room", "b"]).await;

        // With a token of the same user, whose rooms are those of the new token; each takes over from the one before.
        let (_first, answer) = join(&server, &ann).await;
        let mut second = back(&answer["pid"], &ann_elsewhere).await;
        let again = second.text().await;
        assert!(again.contains(answer["sid"].as_str().expect("a text")), "recovered: {again}");
        for (to, sockets) in [("\"room\":\"a\"", 0), ("\"room\":\"b\"", 1), ("\"to\":{\"users\":[\"ann\"]}", 1)] {
            assert_eq!(sent(&server, to).await, format!("{{\"sockets\":{sockets}}}\n"), "{to}");
        }

        // Somebody else is not told, but cut off, and then is somebody new. What was for Ann comes to nobody.
        let mut thief = back(&answer["pid"], &bob).await;
        assert_eq!(thief.frame().await, CLOSED, "{mode}");
        sent(&server, &format!("\"to\":{{\"sids\":[{}]}}", answer["sid"])).await;
        let mut thief = back(&answer["pid"], &bob).await;
        let new = thief.text().await;
        assert!(new.starts_with("40{\"sid\":") && !new.contains(answer["sid"].as_str().expect("a text")), "{new}");
        assert_eq!(sent(&server, "\"to\":{\"users\":[\"ann\"]}").await, "{\"sockets\":0}\n");

        // With a token that has expired nobody comes back.
        let short = token(&["--sub", "ann", "--ttl", "5"]).await;
        let (mut client, answer) = join(&server, &short).await;
        assert_eq!(client.frame().await, CLOSED);
        let mut client = back(&answer["pid"], &short).await;
        assert_eq!(client.text().await, format!("44{OLD}"));
    };
    tokio::join!(check("full"), check("buffer"));
}

#[tokio::test]
async fn hanging_up_reads_the_keys_of_tokens_again() {
    let with = |jwt: &str| format!("[auth]\nmode = 'jwt'\n[auth.jwt]\n{jwt}");
    let (old, new) = (format!("secret = '{SECRET}'"), "secret = 'another secret of thirty-two bytes'");
    let both = format!("secret = ['another secret of thirty-two bytes', '{SECRET}']");
    let mut server = start("reload", &with(&old)).await;
    let (mut client, _) = join(&server, GOOD).await;
    for (jwt, logged, answer) in [
        (both.as_str(), "configuration read again", "{\"sid\":"),
        (new, "configuration read again", INVALID),
        ("secret = ''", "stays as it was", INVALID),
        ("algorithms = 'ES256'\npublic_key_file = '/no/such/file'", "waits for the next start", INVALID),
        (&old, "configuration read again", "{\"sid\":"),
        (&format!("{old}\naudience = 'you'"), "configuration read again", INVALID),
        (&format!("{old}\nsources = 'query.token'"), "waits for the next start", "{\"sid\":"),
    ] {
        let _row = Row(jwt);
        file("reload", "server.toml", &with(jwt));
        server.signal("HUP");
        let line = server.logged(logged).await;
        assert!(!line.contains(SECRET) && !line.contains("another secret"), "{line}");
        let found = connect(&server, "/", &format!("{{\"token\":\"{GOOD}\"}}")).await.1;
        assert!(found.starts_with(answer), "{found}");
    }
    // Who is there stays.
    sent(&server, "\"to\":{\"users\":[\"42\"]}").await;
    assert_eq!(client.text().await, "42[\"e\"]");
}

#[tokio::test]
async fn keys_are_those_that_are_configured() {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("drawn");
    let (public, private) =
        (file("keys", "public.pem", &pair.public_key_pem()), file("keys", "private.pem", &pair.serialize_pem()));
    let of = |jwt: &str| format!("[auth]\nmode = 'jwt'\n[auth.jwt]\n{jwt}");
    for (jwt, token, answer) in [
        (format!("secret = '{SECRET}'\nalgorithms = ['HS512', 'HS384']"), BY_HS384, "{\"sid\":"),
        (format!("secret = '{SECRET}'\nalgorithms = ['HS512', 'HS384']"), GOOD, INVALID),
        (format!("secret = '{SECRET}'\nissuer = 'me'\naudience = 'you'"), FOR_YOU, "{\"sid\":"),
        (format!("secret = '{SECRET}'\nissuer = 'you'\naudience = 'you'"), FOR_YOU, INVALID),
        (format!("secret = '{SECRET}'\nissuer = 'me'\naudience = 'me'"), FOR_YOU, INVALID),
        (format!("secret = '{SECRET}'"), FOR_YOU, "{\"sid\":"),
        (format!("secret_file = '{}'", file("keys", "secret", &format!("{SECRET}\n"))), GOOD, "{\"sid\":"),
        (format!("algorithms = 'ES256'\npublic_key_file = '{public}'"), GOOD, INVALID),
    ] {
        let server = start("keys", &of(&jwt)).await;
        let found = connect(&server, "/", &format!("{{\"token\":\"{token}\"}}")).await.1;
        assert!(found.starts_with(answer), "{jwt}: {found}");
    }
    for (jwt, message) in [
        (format!("public_key_file = '{public}'"), "HS256 is by auth.jwt.secret, and never by a public key"),
        (format!("public_key_file = '{public}'\nalgorithms = ['ES256', 'HS256']"), "HS256 is by auth.jwt.secret"),
        (format!("public_key_file = '{private}'\nalgorithms = 'ES256'"), "is not a public key"),
        (format!("public_key_file = '{public}'\nalgorithms = 'RS256'"), "no algorithm of auth.jwt.algorithms is for"),
        ("public_key_file = '/no/such/key'\nalgorithms = 'RS256'".into(), "cannot read /no/such/key"),
        ("".into(), "tokens are wanted, so set auth.jwt.secret"),
    ] {
        let _row = Row(&jwt);
        let file = file("keys", "wrong.toml", &of(&jwt));
        for subcommand in ["check-config", "serve"] {
            let output = run(BINARY, &[subcommand, "--config", &file]).await;
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(1) && error.contains(message), "{subcommand}: {error}");
        }
    }
}

#[tokio::test]
async fn tokens_are_signed_for_programs_without_a_library() {
    let keys = "
        max_ttl = '2h'
        [[namespace]]
        name = '/'
        [[namespace]]
        name = '/b'
        [[api.keys]]
        key = 'all'
        [[api.keys]]
        key = 'emit-key'
        allow = 'emit'
        [[api.keys]]
        key = 'b-key'
        namespaces = ['/b']";
    let server = start_with_secret("api", keys).await;
    let sign = async |key: &str, body: &str| {
        let admin = server.admin.expect("an admin listener");
        post(admin, "/api/v1/tokens", &format!("x-api-key: {key}\r\n"), body).await
    };
    let all = r#"{"sub":42,"ttl":"90m","namespaces":["/"],"rooms":["a"],"allow":{"join":["b*"],"emit":["c"]},
        "info":{"name":"Ann"},"session":{"cart":[]},"roles":["admin"]}"#;
    for body in [all, "{}", "{\"sub\":null,\"ttl\":7200}", "{\"ttl\":1.5}"] {
        let answer = sign("all", body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let signed: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert!(signed["expires_at"].as_u64() > Some(1_700_000_000), "{signed}");
        let (_client, _) = join(&server, signed["token"].as_str().expect("a text")).await;
        if body == all {
            let sockets = server.emit("x-api-key: all\r\n", r#"{"event":"e","to":{"users":["42"]},"room":"a"}"#).await;
            assert_eq!(sockets.body, "{\"sockets\":1}\n");
        }
    }
    for (key, body, status, said) in [
        ("none", "{}", 401, "unauthorized"),
        ("emit-key", "{}", 403, "forbidden"),
        ("b-key", "{}", 403, "forbidden"),
        ("b-key", r#"{"namespaces":["/b","/"]}"#, 403, "forbidden"),
        ("b-key", r#"{"namespaces":["*"]}"#, 403, "forbidden"),
        ("b-key", r#"{"namespaces":["/b"]}"#, 200, "token"),
        ("all", "{", 400, "malformed_json"),
        ("all", r#"{"ttl":"121m"}"#, 422, r#""field":"ttl""#),
        ("all", r#"{"ttl":0}"#, 422, r#""field":"ttl""#),
        ("all", r#"{"ttl":"soon"}"#, 422, r#""field":"ttl""#),
        ("all", r#"{"ttl":[1]}"#, 422, r#""field":"ttl""#),
        ("all", r#"{"sub":""}"#, 422, r#""field":"sub""#),
        ("all", r#"{"sub":{}}"#, 422, r#""field":"sub""#),
        ("all", r#"{"rooms":[""]}"#, 422, r#""field":"rooms""#),
        ("all", r#"{"rooms":"a"}"#, 422, r#""field":"rooms""#),
        ("all", r#"{"allow":{"joins":["a"]}}"#, 422, r#""field":"allow.joins""#),
        ("all", r#"{"room":["a"]}"#, 422, r#""field":"room""#),
    ] {
        let _row = Row(body);
        let answer = sign(key, body).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(said), "{}", answer.body);
    }
    let without = start("unsigned", "").await;
    let answer = post(without.admin.expect("an admin listener"), "/api/v1/tokens", "", "{}").await;
    assert_eq!(answer.status, 409, "{}", answer.body);
    let get = server.ask("/api/v1/tokens").await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn the_command_says_why_it_signs_nothing() {
    let secret = format!("auth.jwt.secret={SECRET}");
    for (arguments, message) in [
        (&["--set", "drain.rate=1"][..], "there is no auth.jwt.secret to sign with"),
        (&["--set", &secret, "--ttl", "25h"], "a token is good for 1 to 86400 seconds"),
        (&["--set", &secret, "--ttl", "soon"], "it is no time such as 30m"),
        (&["--set", &secret, "--info", "{"], "invalid value '{' for '--info <JSON>'"),
        (&["--set", &secret, "--sub", ""], "the name of a user has at least one character"),
        (&["--set", "auth.jwt.secret="], "there is no auth.jwt.secret to sign with"),
    ] {
        let output = run(BINARY, &[&["token"], arguments].concat()).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(message), "{error}");
        assert!(output.stdout.is_empty() && !error.contains(SECRET), "{error}");
    }
}

#[tokio::test]
async fn tokens_and_secrets_are_in_no_log() {
    let mut server = start_with_secret("log", "[log]\nlevel = 'trace'").await;
    assert!(!server.announced.contains(SECRET), "{}", server.announced);
    drop(join(&server, GOOD).await);
    for token in [EXPIRED, "secret-token", &format!("{GOOD}x")] {
        let endpoint = server.endpoint().asked(Box::leak(format!("EIO=4&token={token}").into_boxed_str()));
        let (mut client, _) = WebSocket::open(endpoint).await;
        client.send("40").await;
        assert!(client.text().await.starts_with("44{\"message\":\"Token "));
    }
    server.signal("TERM");
    let mut log = String::new();
    within(server.log.get_mut().read_to_string(&mut log)).await.expect("UTF-8");
    for line in ["socket joined", "a token is invalid: it is no token", "a token is invalid: it is signed by another"] {
        assert!(log.contains(line), "{line} in {log}");
    }
    for secret in [SECRET, GOOD, EXPIRED, "QdQ2Y6tOvoElPsNP1Mi", "secret-token"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
