//! Packets that break the protocol end their connection, in an orderly way, and with it all its namespaces.

use tests::{
    Row,
    frames::{BINARY, CLOSED, Frame, TEXT, WebSocket, masked},
    polling::Polling,
    socket,
};

use crate::{namespace, serve, telling};

/// What a client sends: text, or binary.
#[derive(Clone, Copy)]
enum Sent {
    Text(&'static str),
    Binary(&'static [u8]),
}

use Sent::{Binary as B, Text as T};

fn bytes(sent: &[Sent]) -> Vec<u8> {
    let frame = |sent: &Sent| match sent {
        T(text) => masked(TEXT, text.as_bytes()),
        B(data) => masked(BINARY, data),
    };
    sent.iter().flat_map(frame).collect()
}

/// Before any CONNECT.
const STRANGERS: &[(&str, &[Sent])] = &[
    ("CV-06, I10: an event", &[T(r#"42["ack"]"#)]),
    ("I10: an event that wants an ack", &[T(r#"420["ack"]"#)]),
    ("I10: an ack", &[T(r#"430["x"]"#)]),
    ("I10: a disconnect", &[T("41")]),
    ("T34, Kb12: a binary event", &[T(r#"451-["ack",{"_placeholder":true,"num":0}]"#), B(b"x")]),
    ("CV-12: binary", &[B(b"x")]),
    ("CV-08, I2: no object", &[T("40[]")]),
    ("CV-08, I2: a string", &[T(r#"40"x""#)]),
    ("I2: null", &[T("40null")]),
    ("I2: no JSON", &[T("40abc")]),
    ("I2: half an object", &[T(r#"40{"a":"#)]),
    ("I2: more than an object", &[T("40{}{}")]),
    ("CV-15, EV-15, I13: a CONNECT_ERROR", &[T(r#"44{"message":"x"}"#)]),
    ("I13: one of another namespace", &[T(r#"44/other,"x""#)]),
    ("CV-07: no packet", &[T("4abc")]),
];

/// In the namespace `/`.
const MEMBERS: &[(&str, &[Sent])] = &[
    ("CV-05, I1: a second CONNECT", &[T("40")]),
    ("I1: one with auth", &[T(r#"40{"a":1}"#)]),
    ("I6: one that spells the name", &[T("40/,")]),
    ("CV-08: one without an object", &[T("40[]")]),
    ("I12: an event for a namespace not joined", &[T(r#"42/other,["ack"]"#)]),
    ("I12: an ack for one", &[T(r#"43/other,0["ack"]"#)]),
    ("I18: leaving one", &[T("41/other,")]),
    ("I15: an event behind a disconnect", &[T("41"), T(r#"42["ack"]"#)]),
    ("I15: a second disconnect", &[T("41"), T("41")]),
    ("CV-08, I17: a disconnect with a payload", &[T(r#"41{"a":1}"#)]),
    ("CV-08, I17: a disconnect with an object", &[T("41{}")]),
    ("CV-15, EV-15, I13: a CONNECT_ERROR", &[T(r#"44["x"]"#)]),
    ("J1: nothing", &[T("4")]),
    ("J1: type 7", &[T("47")]),
    ("J1: type 8", &[T("48")]),
    ("J1: type 9", &[T("49")]),
    ("CV-07, J1: a letter", &[T("4a")]),
    ("J1: a negative type", &[T("4-1")]),
    ("T10, J2: no data", &[T("42")]),
    ("J3: an ack id only", &[T("421")]),
    ("J4: no items", &[T("42[]")]),
    ("CV-08, J4: an object", &[T("42{}")]),
    ("CV-08: an object with keys", &[T(r#"42{"a":1}"#)]),
    ("J4: null", &[T("42null")]),
    ("J4: a string", &[T(r#"42"x""#)]),
    ("CV-08, J4: the name is null", &[T("42[null]")]),
    ("CV-08, J4: the name is true", &[T("42[true]")]),
    ("J4: the name is a list", &[T(r#"42[["ack"]]"#)]),
    ("CV-08, J4: the name is an object", &[T("42[{}]")]),
    ("T9: the name is an object with toString", &[T(r#"42[{"toString":"foo"}]"#)]),
    ("CV-08, J7: no end", &[T(r#"42["ack""#)]),
    ("J7: a comma behind the last item", &[T(r#"42["ack",]"#)]),
    ("J7: something behind the list", &[T(r#"42["ack"]x"#)]),
    ("J7: a second list", &[T(r#"42["ack"]["ack"]"#)]),
    ("J7: NaN", &[T(r#"42["ack",NaN]"#)]),
    ("J7: a control character in a string", &[T("42[\"ack\",\"\u{1}\"]")]),
    ("J8: a blank", &[T(r#"42 ["ack",1]"#)]),
    ("J8: a line feed", &[T("42\n[\"ack\",1]")]),
    ("CV-09, J9: connect", &[T(r#"42["connect"]"#)]),
    ("J9: connect_error", &[T(r#"42["connect_error"]"#)]),
    ("CV-09, J9: disconnect", &[T(r#"42["disconnect","x"]"#)]),
    ("J9: disconnecting", &[T(r#"42["disconnecting"]"#)]),
    ("J9: newListener", &[T(r#"42["newListener"]"#)]),
    ("J9: removeListener", &[T(r#"42["removeListener"]"#)]),
    ("J9: spelled with an escape", &[T(r#"42["dis\u0063onnect"]"#)]),
    ("J9: in a binary event", &[T(r#"451-["connect"]"#), B(b"x")]),
    ("J13: an ack without id and data", &[T("43")]),
    ("J14: an ack without data", &[T("431")]),
    ("CV-08, J14: an ack with an object", &[T("43{}")]),
    ("J14: an ack with an id and an object", &[T("431{}")]),
    ("J14: an ack with a string", &[T(r#"431"x""#)]),
    ("J14: an ack with null", &[T("431null")]),
    ("CV-14: an ack id with letters", &[T(r#"42abc["ack"]"#)]),
    ("CV-14: an ack id that ends in letters", &[T(r#"421a["ack"]"#)]),
    ("J15: a negative ack id", &[T(r#"42-1["ack"]"#)]),
    ("J15: an ack id with a fraction", &[T(r#"421.5["ack"]"#)]),
    ("J15: an ack id with a sign", &[T(r#"42+1["ack"]"#)]),
    ("J15: a hexadecimal ack id", &[T(r#"420x1["ack"]"#)]),
    ("J16: an ack id above 2^53 - 1", &[T(r#"429007199254740992["ack"]"#)]),
    ("J16: an ack id of 22 digits", &[T(r#"421000000000000000000000["ack"]"#)]),
    ("CV-10, Kb1: no count", &[T("45")]),
    ("CV-10, Kb1: a count only", &[T("451")]),
    ("Kb1: a list in place of a count", &[T(r#"45["ack"]"#)]),
    ("Kb1: an empty count", &[T(r#"45-["ack"]"#)]),
    ("CV-10, Kb1: a count of letters", &[T(r#"45a-["ack"]"#)]),
    ("CV-10, Kb1: a count with a fraction", &[T(r#"451.5-["ack"]"#)]),
    ("Kb1: a negative count", &[T(r#"45-1-["ack"]"#)]),
    ("CV-18, T12, Kb2: a count of 0", &[T(r#"450-["ack"]"#)]),
    ("Kb2: an ack with a count of 0", &[T(r#"460-1["ack"]"#)]),
    ("PL-06, T11, Kb3: a count of 11", &[T(r#"4511-["ack"]"#)]),
    ("T11, Kb3: a count of 11 digits", &[T(r#"4599999999999-["ack"]"#)]),
    ("Kb3: a count beyond 64 bits", &[T(r#"4599999999999999999999999-["ack"]"#)]),
    ("Kb4: a count with an exponent", &[T(r#"451e1-["ack"]"#)]),
    ("Kb4: a hexadecimal count", &[T(r#"450x1-["ack"]"#)]),
    ("Kb4: a count with a blank", &[T(r#"45 1-["ack"]"#)]),
    ("Kb4: a count with zeros", &[T(r#"45001-["ack"]"#)]),
    ("CV-13, Kb6: text while binary is due", &[T(r#"451-["ack",1]"#), T(r#"42["ack"]"#)]),
    ("CV-13: a second header while binary is due", &[T(r#"451-["ack",1]"#), T(r#"451-["ack",1]"#)]),
    ("CV-12, F20, Kb7: binary without a header", &[B(b"x")]),
    ("F20: empty binary without a header", &[B(b"")]),
    ("Kb7: one binary too many", &[T(r#"451-["ack",1]"#), B(b"x"), B(b"x")]),
    ("CV-11, Kb8: num is out of range", &[T(r#"451-["ack",{"_placeholder":true,"num":1}]"#), B(b"x")]),
    ("Kb8: num is negative", &[T(r#"451-["ack",{"_placeholder":true,"num":-1}]"#), B(b"x")]),
    ("CV-11, T8, Kb8: num is a method's name", &[T(r#"451-["ack",{"_placeholder":true,"num":"splice"}]"#), B(b"x")]),
    ("T8: num is a string of digits", &[T(r#"451-["ack",{"_placeholder":true,"num":"0"}]"#), B(b"x")]),
    ("Kb8: num is null", &[T(r#"451-["ack",{"_placeholder":true,"num":null}]"#), B(b"x")]),
    ("Kb8: num is missing", &[T(r#"451-["ack",{"_placeholder":true}]"#), B(b"x")]),
    ("Kb8: num is beyond any float", &[T(r#"451-["ack",{"_placeholder":true,"num":1e400}]"#), B(b"x")]),
    ("T8, Kb9: num is a fraction", &[T(r#"451-["ack",{"_placeholder":true,"num":0.5}]"#), B(b"x")]),
    ("Kb8: deep inside", &[T(r#"451-["ack",[{"a":{"_placeholder":true,"num":1}}]]"#), B(b"x")]),
    ("Kb8: in an ack", &[T(r#"461-0[{"_placeholder":true,"num":1}]"#), B(b"x")]),
    ("Kb8: an event of a namespace not joined", &[T(r#"451-/other,["ack",1]"#), B(b"x")]),
];

/// Sends bytes that break the protocol: the connection is closed, without a code.
async fn is_closed(client: &mut WebSocket, bytes: &[u8]) {
    client.connection.send(bytes).await;
    assert_eq!(client.frame().await, CLOSED);
    assert_eq!(client.frame().await, Frame::End);
}

#[tokio::test]
async fn i2_i10_i13_kb12_strangers_who_break_the_protocol_are_closed() {
    let (server, io) = serve([namespace("/"), namespace("/other")]).await;
    for (label, sent) in STRANGERS {
        let _row = Row(label);
        let (mut client, _sid) = WebSocket::open(server.endpoint).await;
        is_closed(&mut client, &bytes(sent)).await;
    }
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn cv_16_i1_i12_j1_to_j9_j13_to_j16_kb1_to_kb9_members_who_break_the_protocol_are_closed_and_leave() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root, namespace("/other")]).await;
    for (label, sent) in MEMBERS {
        let _row = Row(label);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        is_closed(&mut client, &bytes(sent)).await;
        let left_before = matches!(sent, [T("41"), _]);
        let reason = if left_before { "client namespace disconnect" } else { "forced close" };
        assert_eq!(told.next().await.0, reason);
    }
    assert_eq!(io.clients_count(), 0);
}

/// Too long to be spelled out in the table.
#[tokio::test]
async fn i8_j11_j16_k1_k3_k9_members_who_send_too_much_are_closed() {
    let (server, _io) = serve([namespace("/")]).await;
    let nested = |depth| format!("42[\"ack\",{}{}]", "[".repeat(depth), "]".repeat(depth));
    let rows = [
        ("I8: a namespace of 256 bytes", format!("40/{},", "x".repeat(255))),
        ("J11: an event name of 1,025 bytes", format!("42[\"{}\"]", "x".repeat(1025))),
        ("J11: one of 900 KB", format!("42[\"{}\"]", "x".repeat(900_000))),
        ("T4, J16: an ack id of 999,000 digits", format!("42{}[\"ack\"]", "1".repeat(999_000))),
        ("K1: nested 129 deep", nested(128)),
        ("K1: nested 400,000 deep", nested(400_000)),
        ("K1: objects nested 129 deep", format!("42[\"ack\",{}1{}]", "{\"a\":".repeat(128), "}".repeat(128))),
        ("K1: auth nested 129 deep", format!("40/other,{}1{}", "{\"a\":".repeat(129), "}".repeat(129))),
        ("K3: 900,000 lists that do not end", format!("42{}", "[".repeat(900_000))),
        ("K9: 1,025 arguments, the name among them", format!("42[\"ack\"{}]", ",1".repeat(1024))),
    ];
    for (label, packet) in rows {
        let _row = Row(label);
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        is_closed(&mut client, &masked(TEXT, packet.as_bytes())).await;
    }
}

#[tokio::test]
async fn cv_05_to_07_over_polling_the_next_get_is_told() {
    let (root, mut told) = telling(namespace("/"));
    let (server, _io) = serve([root]).await;
    for packet in ["40", r#"42/other,["ack"]"#, "4abc", "4", r#"42["connect"]"#, "bAQID", "451-[\"ack\"]\x1e41"] {
        let _row = Row(packet);
        let mut client = Polling::open(server.endpoint).await;
        assert_eq!(client.post("40").await.body, "ok");
        assert!(client.get().await.body.starts_with("40{\"sid\":\""));
        assert_eq!(client.post(packet).await.body, "ok");
        assert_eq!(client.get().await.body, "6\x1e1");
        assert_eq!(told.next().await.0, "forced close");
        assert_eq!(client.get().await.body, r#"{"code":1,"message":"Session ID unknown"}"#);
    }
}

/// One who breaks the protocol in one namespace has broken it for all.
#[tokio::test]
async fn i12_all_namespaces_of_the_connection_are_left() {
    let ((root, mut from_root), (other, mut from_other)) = (telling(namespace("/")), telling(namespace("/other")));
    let (server, _io) = serve([root, other]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    socket::join(&mut client, "/other").await;
    is_closed(&mut client, &bytes(&[T(r#"42/other,[]"#)])).await;
    assert_eq!(from_root.next().await.0, "forced close");
    assert_eq!(from_other.next().await.0, "forced close");
}

/// CVE-2026-48804: what is left of a binary packet dies with its connection.
#[tokio::test]
async fn t34_binary_packets_that_stay_unfinished() {
    let (root, mut told) = telling(namespace("/"));
    let (server, io) = serve([root]).await;
    for _ in 0..100 {
        let (mut client, _id) = socket::connect(server.endpoint, "/").await;
        client.connection.send(bytes(&[T(r#"4510-["ack",{"_placeholder":true,"num":9}]"#), B(&[0; 1000])])).await;
        drop(client);
        assert_eq!(told.next().await.0, "transport close");
    }
    assert_eq!(io.clients_count(), 0);
}
