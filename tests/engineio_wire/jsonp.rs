//! Polling for browsers without CORS: answers are scripts, POSTs are forms.

use engineio::{CloseReason, Config, DecodeError, Message};
use tests::{
    Row,
    http::{Answer, Connection},
    polling::{Polling, sid},
    server::{self, Endpoint, Server, Sessions},
};

use crate::{REFUSED, told};

async fn engine() -> (Server, Sessions) {
    server::engine(Config { allow_eio3: true, ..Config::default() }).await
}

async fn get(endpoint: Endpoint) -> Answer {
    let mut connection = Connection::open(endpoint.address).await;
    connection.request(&format!("GET {}", endpoint.target("polling")), "").await;
    connection.answer().await
}

/// What is handed to the client's function, without the escapes of an open packet.
fn handed(script: &str, function: &str) -> String {
    let inside = script.strip_prefix(&format!("{function}(\"")).and_then(|rest| rest.strip_suffix("\");"));
    inside.unwrap_or_else(|| panic!("not a call of {function}: {script}")).replace("\\\"", "\"")
}

/// The reference says `text/plain`, which browsers that are told `nosniff` do not run.
#[tokio::test]
async fn tr_26_27_a_handshake_is_a_script() {
    let (server, sessions) = engine().await;
    for (query, length) in [("EIO=4&j=0", ""), ("EIO=3&b64=1&j=0", "118:")] {
        let _row = Row(query);
        let answer = get(server.endpoint.asked(query)).await;
        assert_eq!(answer.header("content-type"), "text/javascript; charset=UTF-8");
        assert_eq!(answer.header("cache-control"), "no-store");
        let id = sid(&handed(&answer.body, "___eio[0]"));
        let rest =
            r#"\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}"#;
        let script = format!(r#"___eio[0]("{length}0{{\"sid\":\"{id}{rest}");"#);
        assert_eq!(told(&answer), (200, script.as_str()));
        sessions.take(&id);
    }
}

#[tokio::test]
async fn tr_26_a23_only_the_digits_of_the_function_get_into_the_script() {
    let (server, _sessions) = engine().await;
    for (query, function) in [
        ("EIO=4&j=", "___eio[]"),
        ("EIO=4&j", "___eio[]"),
        ("EIO=4&j=007", "___eio[007]"),
        ("EIO=4&j=');alert(1)//", "___eio[1]"),
        ("EIO=3&j=');alert(1)//", "___eio[1]"),
        ("EIO=4&j=%22%5D%28%29%3Balert%2823%29%2F%2F", "___eio[23]"),
        ("EIO=4&j=%D9%A1%EF%BC%92", "___eio[]"),
        ("EIO=4&j=1&j=2", "___eio[2]"),
    ] {
        let _row = Row(query);
        let answer = get(server.endpoint.asked(query)).await;
        sid(&handed(&answer.body, function));
        assert_eq!(answer.header("content-type"), "text/javascript; charset=UTF-8");
    }
}

#[tokio::test]
async fn tr_26_messages_to_the_client() {
    let (server, sessions) = engine().await;
    let rows: [(&str, &[&str], &str, &str); 6] = [
        ("text", &["a"], r#"___eio[7]("4a");"#, r#"___eio[7]("2:4a");"#),
        ("several", &["a", "b"], r#"___eio[7]("4a\u001e4b");"#, r#"___eio[7]("2:4a2:4b");"#),
        ("quotes", &[r#"["\"]"#], r#"___eio[7]("4[\"\\\"]");"#, r#"___eio[7]("6:4[\"\\\"]");"#),
        (
            "control characters",
            &["\0\t\n\r\x1f"],
            r#"___eio[7]("4\u0000\t\n\r\u001f");"#,
            r#"___eio[7]("6:4\u0000\t\n\r\u001f");"#,
        ),
        (
            "separators of lines",
            &["\u{2028}\u{2029}"],
            r#"___eio[7]("4\u2028\u2029");"#,
            r#"___eio[7]("3:4\u2028\u2029");"#,
        ),
        ("TR-21: multibyte", &["é日🦀"], r#"___eio[7]("4é日🦀");"#, r#"___eio[7]("5:4é日🦀");"#),
    ];
    for (query, later) in [("EIO=4&j=0", "EIO=4&j=7"), ("EIO=3&b64=1&j=0", "EIO=3&j=7")] {
        let opened = get(server.endpoint.asked(query)).await;
        let mut client = Polling::open(server.endpoint).await;
        (client.endpoint, client.sid) = (server.endpoint.asked(later), sid(&handed(&opened.body, "___eio[0]")));
        let session = sessions.take(&client.sid);
        for (label, messages, revision4, revision3) in rows {
            let _row = Row(label);
            messages.iter().for_each(|message| session.send(message));
            let script = if later == "EIO=4&j=7" { revision4 } else { revision3 };
            assert_eq!(told(&client.get().await), (200, script));
        }
        session.socket.send(&Message::Binary(vec![1, 2].into())).expect("the session lives");
        let script = if later == "EIO=4&j=7" { r#"___eio[7]("bAQI=");"# } else { r#"___eio[7]("6:b4AQI=");"# };
        assert_eq!(told(&client.get().await), (200, script));
    }
}

#[tokio::test]
async fn tr_26_forms_from_the_client() {
    let (server, sessions) = engine().await;
    let rows: [(&str, &str, &str, &str, &[&str]); 6] = [
        ("as it is", "EIO=4&j=0", "EIO=4", "d=4a", &["a"]),
        ("escaped", "EIO=4&j=0", "EIO=4", "d=4%C3%A9%26+%F0%9F%A6%80", &["é& 🦀"]),
        ("several, among other fields", "EIO=4&j=0", "EIO=4", "x=1&d=4a%1E4b&y=2", &["a", "b"]),
        ("newlines, and what looks like one", "EIO=4&j=0", "EIO=4", "d=4a%5Cnb%5C%5Cnc", &["a\nb\\nc"]),
        ("revision 3", "EIO=3&b64=1&j=0", "EIO=3", "d=2%3A4a3%3A4%F0%9F%A6%80", &["a", "🦀"]),
        ("revision 3, newlines", "EIO=3&b64=1&j=0", "EIO=3", "d=4%3A4a%5Cnb", &["a\nb"]),
    ];
    for (label, query, opened, form, messages) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint.asked(opened)).await;
        client.endpoint = server.endpoint.asked(query);
        let mut session = sessions.take(&client.sid);
        client
            .begin_post(&format!(
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
                form.len()
            ))
            .await;
        client.posts.send(form).await;
        let answer = client.posts.answer().await;
        assert_eq!((told(&answer), answer.header("content-type")), ((200, "ok"), "text/html"));
        for message in messages {
            assert_eq!(session.text().await, *message);
        }
    }
}

#[tokio::test]
async fn tr_26_c14_forms_that_end_the_session() {
    let (server, sessions) = engine().await;
    let unknown = |kind| CloseReason::ParseError(DecodeError::UnknownType(kind));
    let rows = [
        ("nothing", "EIO=4", "", CloseReason::ParseError(DecodeError::Empty)),
        ("no d", "EIO=4", "4a", CloseReason::ParseError(DecodeError::Empty)),
        ("another field", "EIO=3", "dd=2:4a", CloseReason::ParseError(DecodeError::Empty)),
        ("an empty d", "EIO=4", "d=", CloseReason::ParseError(DecodeError::Empty)),
        ("an empty d of revision 3", "EIO=3", "d=", CloseReason::ParseError(DecodeError::Length)),
        ("no packet", "EIO=4", "d=9", unknown('9')),
        ("the first d counts", "EIO=4", "d=x&d=4a", unknown('x')),
        ("C14: no UTF-8", "EIO=4", "d=4%FF", CloseReason::ParseError(DecodeError::Utf8)),
        ("C14: the same of revision 3", "EIO=3", "d=2:4%FF", CloseReason::ParseError(DecodeError::Utf8)),
    ];
    for (label, query, form, reason) in rows {
        let _row = Row(label);
        let mut client = Polling::open(server.endpoint.asked(query)).await;
        client.endpoint = server.endpoint.asked(if query == "EIO=4" { "EIO=4&j=0" } else { "EIO=3&j=0" });
        let answer = client.post(form).await;
        // An error is no script, as in the reference: a browser would not run it anyway.
        assert_eq!((told(&answer), answer.header("content-type")), ((400, REFUSED[3]), "application/json"));
        assert_eq!(sessions.take(&client.sid).reason().await, reason);
        assert_eq!(told(&client.get().await), (400, REFUSED[1]));
    }
}

#[tokio::test]
async fn cl_04_05_the_end_of_a_session_is_a_script() {
    let (server, sessions) = engine().await;
    for (query, close, noop) in [("EIO=4&j=3", "1", "6"), ("EIO=3&j=3", "1:1", "1:6")] {
        let _row = Row(query);
        let opened = server.endpoint.asked(&query[..5]);
        let mut client = Polling::open(opened).await;
        client.endpoint = server.endpoint.asked(query);
        client.send_get().await;
        server.waiting(1).await;
        sessions.take(&client.sid).socket.close();
        assert_eq!(client.gets.answer().await.body, format!("___eio[3](\"{close}\");"));

        let mut client = Polling::open(opened).await;
        client.endpoint = server.endpoint.asked(query);
        client.send_get().await;
        server.waiting(1).await;
        assert_eq!(told(&client.post(format!("d={}", close.replace(':', "%3A"))).await), (200, "ok"));
        assert_eq!(client.gets.answer().await.body, format!("___eio[3](\"{noop}\");"));
    }
}
