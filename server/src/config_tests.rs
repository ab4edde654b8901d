//! Sources, their order, and what is said of mistakes.

use clap::Parser;

use super::*;
use crate::command::CommandLine;

/// The options of this command line and environment.
fn settle(flags: &[&str], environment: &[(&str, &str)]) -> Result<Settled, ConfigError> {
    let flags = CommandLine::try_parse_from([&["socketio-server"], flags].concat()).expect("valid flags").flags;
    Settled::of(&flags, environment.iter().map(|(name, value)| (name.into(), value.into())))
}

fn with_file(name: &str, text: &str, environment: &[(&str, &str)]) -> Result<Settled, ConfigError> {
    let file = std::env::temp_dir().join(format!("socketio-server-{}-{name}.toml", std::process::id()));
    std::fs::write(&file, text).expect("writable");
    let settled = settle(&["--config", &file.display().to_string()], environment);
    std::fs::remove_file(&file).expect("it is there");
    settled
}

#[test]
fn without_options_it_is_a_playground() {
    for flags in [&[][..], &["--listen", "[::1]:0", "--log-level", "warn"]] {
        let settled = settle(flags, &[]).expect("valid");
        assert!(settled.is_playground);
        assert_eq!(settled.config.engine, Config::default().engine);
    }
    for flags in [&["--admin-listen", ""][..], &["--set", "engine.eio3=true"], &["--config", "/dev/null"]] {
        assert!(!settle(flags, &[]).expect("valid").is_playground, "{flags:?}");
    }
    assert!(!settle(&[], &[("SOCKETIO_ADMIN_LISTEN", "127.0.0.1:1")]).expect("valid").is_playground);
}

#[test]
fn the_listing_means_the_same_as_nothing() {
    let settled = with_file("listing", &listing::file(), &[]).expect("valid");
    assert_eq!(settled.config, Config::default());
    // With what it has behind comment signs, too: the defaults of each item of a list.
    let uncommented: String = listing::file()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if code.starts_with("[[") || code.split(" = ").next().is_some_and(is_name) => code,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let settled = with_file("uncommented", &uncommented, &[]).expect("valid");
    let rule = kind::Tables(vec![Rule::default()]);
    assert_eq!(settled.config.namespace.0, [Namespace { rule, ..Namespace::default() }]);
    assert_eq!(settled.config.backend.0, [Backend::default()]);
    assert_eq!(settled.config.room.0, [Room::default()]);
    let environment = listing::environment();
    let lines = environment.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let settled = settle(&[], &lines.collect::<Vec<_>>()).expect("valid");
    assert_eq!(settled.config, Config::default());
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn keys_of_api_are_texts_or_tables_or_in_files() {
    let keys = |settled: Settled| -> Vec<_> {
        settled.config.api.keys.0.iter().map(|key| (key.name.clone(), key.key.0.clone())).collect()
    };
    let none = String::new;
    let settled = settle(&[], &[("SOCKETIO_API_KEYS", "k1")]).expect("valid");
    assert_eq!(keys(settled), [(none(), "k1".into())]);
    let settled = settle(&[], &[("SOCKETIO_API_KEYS", r#"["k1",{"name":"bot","key":"k2","allow":"read"}]"#)]);
    let settled = settled.expect("valid");
    assert_eq!(settled.config.api.keys.0[1].allow, [Scope::Read]);
    assert!(!format!("{settled:?}").contains("k1"));
    assert_eq!(keys(settled), [(none(), "k1".into()), ("bot".into(), "k2".into())]);
    let file = std::env::temp_dir().join(format!("socketio-server-{}-key", std::process::id()));
    std::fs::write(&file, "k3\n").expect("writable");
    let path = file.display().to_string();
    let settled = settle(&[], &[("SOCKETIO_API_KEYS_FILE", &path)]).expect("valid");
    assert_eq!(keys(settled), [(none(), "k3".into())]);
    let settled = with_file("key", &format!("[[api.keys]]\nname = 'x'\nkey_file = {path:?}"), &[]).expect("valid");
    assert_eq!(keys(settled), [("x".into(), "k3".into())]);
    let settled = settle(&[], &[("SOCKETIO_AUTH_JWT_SECRET_FILE", &path)]).expect("valid");
    assert_eq!(settled.config.auth.jwt.secret, [Secret("k3".into())]);
    assert!(!format!("{settled:?}").contains("k3"));
    let text = format!("[auth.jwt]\nsecret_file = {path:?}");
    assert_eq!(with_file("secret", &text, &[]).expect("valid").config.auth.jwt.secret, [Secret("k3".into())]);
    let set = [("SOCKETIO_AUTH_JWT_SECRET", "[\"a\",\"b\"]"), ("SOCKETIO_AUTH_MODE", "jwt")];
    let secrets = settle(&[], &set).expect("valid").config.auth.jwt.secret;
    assert_eq!(secrets, ["a", "b"].map(|secret| Secret(secret.into())));
    for nothing in ["", "\n"] {
        std::fs::write(&file, nothing).expect("writable");
        for name in ["API_KEYS", "AUTH_JWT_SECRET", "REDIS_URL"] {
            let refused = settle(&[], &[(&format!("SOCKETIO_{name}_FILE"), &path)]).expect_err("it is empty");
            assert!(refused.to_string().ends_with("_file names a file: it is empty"), "{refused}");
        }
    }
    std::fs::remove_file(&file).expect("it is there");
    // As of all lists, so that a variable can take back what the file has.
    let settled = with_file("taken-back", "[api]\nkeys = 'k'", &[("SOCKETIO_API_KEYS", "")]).expect("valid");
    assert_eq!(keys(settled), []);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let here = env::current_dir().expect("a folder");
    let from_here =
        format!("api.keys_file names a file: No such file or directory (os error 2), seen from {}", here.display());
    let rows = [
        ("[server]\n\nlistenn = 'x'", ":3: there is no option server.listenn; did you mean listen?"),
        ("[sever]", ":1: there is no option sever; did you mean server?"),
        ("listen = 'x'", ":1: there is no option listen"),
        ("[api]\nkeys = [{ keyy = 'x' }]", ":2: there is no option api.keys[0].keyy; did you mean key?"),
        ("[server]\nlisten = 80", ":2: server.listen must be an address such as"),
        (
            "[engine]\nping_interval = 25000",
            ":2: engine.ping_interval must be a time such as \"250ms\", \"25s\", \"5m\" or \"2h\"; a bare number is \
             seconds, and 3600 at most",
        ),
        ("[engine]\nping_interval = '25000'", ":2: engine.ping_interval must be a time such as"),
        ("[engine]\nping_interval = 'soon'", ":2: engine.ping_interval must be a time such as"),
        (
            "[[room]]\nthrottle = 100",
            ":2: room[0].throttle must be a time such as \"100ms\" or \"2s\"; a bare number is seconds, and 10 at most",
        ),
        ("[engine]\neio3 = 'true'", ":2: engine.eio3 must be true or false"),
        ("[[namespace]]\nname = '/a'\n[[namespace]]\nnam = '/b'", ":4: there is no option namespace[1].nam; did you"),
        ("namespace = 7", ":1: namespace must be a list of tables"),
        ("server = 7", ":1: server must be a table"),
        ("[api]\nkeys = [7]", ":2: api.keys must be a key, a table"),
        (
            "[api]\nkeys_file = '/no/such/key'\n[auth.jwt]\nsecret_file = '/x/y/z'",
            ":2: api.keys_file names a file: No such file or directory (os error 2)\n",
        ),
        ("[api]\nkeys_file = 's3cret'", &from_here),
        ("[server]\nlisten = ", ":2: "),
        ("[[namespace]]\nname = '/*/a'", ":2: namespace[0].name must be the whole name"),
        ("[[namespace]]\n[[namespace]]", "namespace: / is there twice"),
        (
            "[cors]\norigins = ['http://a', 'localhost:3000']",
            ":2: cors.origins[1] must be \"same-origin\", \"*\", or an origin such as \"https://*.example.com\" or \
             \"http://localhost:5173\", with its scheme, and without a slash at its end",
        ),
        ("[cors]\norigins = ['http://a/', '*']", ":2: cors.origins[0] must be"),
        ("[cors]\nallowed_origins = '*'", ":2: there is no option cors.allowed_origins; did you mean origins?"),
        ("[engine]\ninterval = '25s'", ":2: there is no option engine.interval; did you mean ping_interval?"),
        ("[cors]\norigins = '*'", "set cors.credentials = false"),
        ("[cors]\norigins = ['*', 'same-origin']\ncredentials = false", "stand alone"),
        ("[admin]\nlisten = '0.0.0.0:1'", "there is no API key"),
        ("[admin]\nlisten = 'systemd'", "for clients"),
        ("[admin]\nlisten = '127.0.0.1:8000'", "set admin.prefix"),
        (
            "[server]\nlisten = '127.0.0.1:0'\n[admin]\nlisten = '127.0.0.1:0'\nprefix = '/x'",
            "127.0.0.1:0 is server.listen, too, and there is no API key",
        ),
        ("[admin]\nprefix = '/socket.io/'", "a path of Socket.IO requests"),
        ("[server]\ntls_cert = 'x'", "both, or none"),
        ("[server]\nlisten = ''", "there must be an address"),
        ("[engine]\nping_interval = 0", "engine.ping_interval: it must be more than 0"),
        ("[engine]\ntransports = []", "there must be one"),
        ("[[room]]\nmatch = ''", "room[0]: there is no match"),
        ("[[room]]\nnamespace = '/caht'", "room[0].namespace: \"/caht\""),
        ("[[namespace]]\nname = '/a'\n[[room]]", "room[0].namespace: \"/\""),
        ("[[backend]]\nnamespaces = '/a-*'\n[[room]]\nnamespace = '/a'", "room[0].namespace: \"/a\""),
        ("[[backend]]\n[[room]]\nnamespace = 'b'", "room[0].namespace: \"b\""),
        ("[[room]]\nmatch = '@all'\npresence = true", "room[0]: \"@all\" is no room"),
        ("[proxy]\nupstream = 'http://localhost:8000/app'", "127.0.0.1:8000 is server.listen, too"),
        ("[proxy]\nupstream = 'https://127.0.0.1:5000'", ":2: proxy.upstream must be \"\", a URL"),
        ("[proxy]\nupstream = 'http://user:secret@127.0.0.1:5000'", ":2: proxy.upstream must be \"\", a URL"),
        ("[proxy]\nupstream = 'http://127.0.0.1:5000/?a'", ":2: proxy.upstream must be \"\", a URL"),
        ("[proxy]\nupstream = 'http://:5000'", ":2: proxy.upstream must be \"\", a URL"),
        ("[[backend]]\n[[backend]]\nurl = 'http://a/b'", "backend: default is there twice"),
        (
            "[proxy]\nupstream = 'http://a'\n[[backend]]\nurl = 'http://a/'",
            "backend[0].url: it is all of proxy.upstream",
        ),
        ("[[backend]]\nurl = 'http://localhost:8000/x'", "backend[0].url: 127.0.0.1:8000 is server.listen"),
        ("[[backend]]\nsecret = 'whsec_?'", "backend[0].secret: behind whsec_"),
        ("[[backend]]\nsecret = 'whsec_'", "backend[0].secret: behind whsec_"),
        ("[[backend]]\ntimeout = 0", "backend.timeout: it must be more than 0"),
        ("[api]\nkeys = ['']", "api.keys[0]: the key is empty"),
        ("[auth]\nmode = 'jwt'", "auth.mode: tokens are wanted, so set auth.jwt.secret"),
        ("[[namespace]]\nauth = 'jwt_optional'", "auth.mode: tokens are wanted"),
        ("[auth.jwt]\nsecret = ''\nmode = 1", ":3: there is no option auth.jwt.mode"),
        ("[auth.jwt]\nsecret = ['a', '']", "auth.jwt.secret: it is empty"),
        ("[auth.jwt]\nsecret = 'a'\nalgorithms = 'ES256'", "ES256 is by auth.jwt.public_key_file"),
        ("[auth.jwt]\npublic_key_file = 'a'", "HS256 is by auth.jwt.secret, and never by a public key"),
        ("[auth.jwt]\npublic_key_file = 'a'\nsecret = 'a'", "there must be one of them"),
        ("[auth.jwt]\nalgorithms = 'none'", ":2: auth.jwt.algorithms must be an algorithm"),
        ("[auth.jwt]\nsources = 'cookie.a b'", ":2: auth.jwt.sources must be auth.NAME"),
        ("[auth]\nmode = 'jwt'\n[auth.jwt]\nsecret = 'a'\nsources = []", "auth.jwt.sources: there must be one"),
        ("[auth.jwt]\nleeway = '2h'", "auth.jwt.leeway: it must be 60 minutes at most"),
        ("[auth.jwt]\nmax_ttl = '500ms'", "auth.jwt.max_ttl: it must be more than 0"),
        ("[redis]\nurl = 'redis'", ":2: redis.url must be \"\", or a URL such as"),
        ("[redis]\nrequired = true", "redis.required: there is no redis.url"),
        ("[redis]\nnode_publish = true", "redis.node_publish: there is no redis.url"),
        (
            "[redis]\nurl = 'redis://'\npython_publish = true\npython_channels = []",
            "redis.python_publish: there must be a name to publish by",
        ),
        (
            "[redis]\nurl = 'redis://'\nnode_publish = true\nnode_key = ''",
            "redis.node_publish: there must be a name to publish by",
        ),
        ("[redis]\nurl = 'redis://'\nnode_key = ''\npython = false", "redis.url: nothing is listened to"),
        ("[cluster]\nenabled = true", "cluster.enabled: servers reach each other by Redis, and there is no redis.url"),
        (
            "[redis]\nurl = 'redis://'\n[cluster]\nenabled = true\nchannel = ''",
            "cluster.channel: it must be a name, and none on which others publish",
        ),
        (
            "[redis]\nurl = 'redis://'\n[cluster]\nenabled = true\nchannel = 'socketio'",
            "cluster.channel: it must be a name, and none on which others publish",
        ),
        (
            "[redis]\nurl = 'redis://'\n[cluster]\nenabled = true\nchannel = 'socket.io-request#/#'",
            "cluster.channel: it must be a name, and none on which others publish",
        ),
    ];
    for (index, (text, message)) in rows.into_iter().enumerate() {
        let error = with_file(&format!("mistake-{index}"), text, &[]).expect_err(text).to_string();
        assert!(error.contains(message) && !error.contains("s3cret"), "{text:?}: {error}");
    }
    for (name, value, message) in [
        (
            "SOCKETIO_ENGINE_PING_INTERVL",
            "1s",
            "SOCKETIO_ENGINE_PING_INTERVL: there is no such option; did you mean \
            SOCKETIO_ENGINE_PING_INTERVAL?",
        ),
        ("SOCKETIO_FOO", "1", "SOCKETIO_FOO: there is no such option"),
        ("SOCKETIO_ENGINE_EIO3", "yes", "variable SOCKETIO_ENGINE_EIO3: engine.eio3 must be true or false"),
        ("SOCKETIO_SERVER_LISTEN", "[", "server.listen must be an address"),
        ("SOCKETIO_CORS_ALLOWED_ORIGINS", "*", "there is no such option; did you mean SOCKETIO_CORS_ORIGINS?"),
        (
            "SOCKETIO_CORS_ORIGINS",
            "http://a,http://b",
            "without a slash at its end, or a list of such in JSON: [\"a\",\"b\"]",
        ),
    ] {
        let error = settle(&[], &[(name, value)]).expect_err(name).to_string();
        assert!(error.contains(message), "{error}");
    }
    let error = settle(&["--set", "engine.eio4=true"], &[]).expect_err("unknown").to_string();
    assert_eq!(error, "--set: there is no option engine.eio4; did you mean eio3?");
    let error = settle(&["--listen", "nonsense"], &[]).expect_err("invalid").to_string();
    assert!(error.starts_with("--listen: server.listen must be an address"), "{error}");
}

#[test]
fn times_and_sizes_have_units() {
    use std::time::Duration;

    for (text, time) in [("'250ms'", 250), ("'1.5s'", 1500), ("25", 25_000), ("0.5", 500), ("'5m'", 300_000)] {
        let settled = with_file("time", &format!("[engine]\nping_interval = {text}"), &[]).expect(text);
        assert_eq!(settled.config.engine.ping_interval, Duration::from_millis(time), "{text}");
    }
    for (text, bytes) in [("7", 7), ("'7'", 7), ("'2kB'", 2000), ("'2KiB'", 2048), ("'1MB'", 1_000_000)] {
        let settled = with_file("size", &format!("[engine]\nmax_payload = {text}"), &[]).expect(text);
        assert_eq!(settled.config.engine.max_payload.0, bytes, "{text}");
    }
    for wrong in ["-1", "'1 day'", "'s'", "''", "1e400", "true", "2020-01-01", "'1.5.5s'", "0x10"] {
        with_file("wrong", &format!("[engine]\nping_interval = {wrong}"), &[]).expect_err(wrong);
    }
    for wrong in ["-1", "1.5", "'1mb'", "''", "'99999999999999999999'", "'9999999999999999GiB'"] {
        with_file("wrong_size", &format!("[engine]\nmax_payload = {wrong}"), &[]).expect_err(wrong);
    }
}

#[test]
fn namespaces_are_those_that_a_backend_decides_about() {
    let names = |text: &str| -> Vec<_> {
        let settled = with_file("backend", text, &[]).expect(text);
        settled.config.namespaces().iter().map(|namespace| namespace.name.0.clone()).collect()
    };
    for (text, expected) in [
        ("[[backend]]", &["*"][..]),
        ("[[backend]]\nconnect = false", &["/"]),
        ("[[backend]]\nnamespaces = ['/a', '/b-*']\n[[backend]]\nname = 'x'\nnamespaces = '/a'", &["/a", "/b-*"]),
        ("[[backend]]\n[[namespace]]\nname = '/c'", &["/c"]),
        // What is said of rooms of one namespace, or some, of those that a glob means is of no others.
        ("[[backend]]\n[[room]]\n[[room]]\nnamespace = '/b'\n[[room]]\nnamespace = '/*b'", &["/", "/b", "*"]),
        (
            "[[namespace]]\nname = '/a*'\n[[namespace]]\nname = '*'\n[[room]]\nnamespace = '/a-*'\n[[room]]\n\
             namespace = '/b*'\n[[room]]\nnamespace = '/b'\n[[room]]\nnamespace = '/a*'",
            &["/a-*", "/a*", "/b", "/b*", "*"],
        ),
    ] {
        assert_eq!(names(text), expected, "{text}");
    }
    let settled = settle(&["--backend", "http://app:5000/hook"], &[]).expect("valid");
    assert_eq!(settled.config.backend.0[0].url.to_string(), "http://app:5000/hook");
    let file = std::env::temp_dir().join(format!("socketio-server-{}-hooks", std::process::id()));
    std::fs::write(&file, "s3cret\n").expect("writable");
    let settled = with_file("secret", &format!("[[backend]]\nsecret_file = {:?}", file.display().to_string()), &[]);
    assert_eq!(settled.expect("valid").config.backend.0[0].secret.0, "s3cret");
    std::fs::remove_file(&file).expect("it is there");
}
