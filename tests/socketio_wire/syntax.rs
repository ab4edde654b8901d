//! Packets that look odd but keep to the protocol: each is answered, or ignored, and ends nothing.

use socketio::{Data, EventName, Reply, Value};
use tests::{
    Row,
    frames::{TEXT, masked, text},
    socket,
};

use crate::{heard, namespace, serve};

/// What is sent, and what is answered; nothing, when it is ignored.
const ROWS: &[(&str, &str, &str)] = &[
    ("EV-07, J5: the name is a number", r#"421[1,"a"]"#, r#"431["1"]"#),
    ("J5: the name is a fraction", r#"421[1.5,"a"]"#, r#"431["1.5"]"#),
    ("T10, J6: the name is empty", r#"421["","a"]"#, r#"431[""]"#),
    ("T10, J10: error", r#"421["error"]"#, r#"431["error"]"#),
    ("J10: connection", r#"421["connection"]"#, r#"431["connection"]"#),
    ("J10: message", r#"421["message"]"#, r#"431["message"]"#),
    ("J10: data", r#"421["data"]"#, r#"431["data"]"#),
    ("J10: __proto__", r#"421["__proto__"]"#, r#"431["__proto__"]"#),
    ("J10: constructor", r#"421["constructor"]"#, r#"431["constructor"]"#),
    ("J10: toString", r#"421["toString"]"#, r#"431["toString"]"#),
    ("J10: new_namespace", r#"421["new_namespace"]"#, r#"431["new_namespace"]"#),
    ("a name that nobody handles", r#"421["nobody"]"#, ""),
    ("AK-05, J12: an ack that nobody waits for", r#"439["x"]"#, ""),
    ("J13: an ack without an id", "43[1]", ""),
    ("J14: an ack without items", "439[]", ""),
    ("J16: the largest ack id", r#"429007199254740991["ack"]"#, "439007199254740991[]"),
    ("J17: an ack id with zeros", r#"420007["ack"]"#, "437[]"),
    ("the namespace is spelled", r#"42/,1["ack",1]"#, "431[1]"),
    ("blanks within the list", "421[ \"ack\" ,\n1 , [ 2 ] ]", "431[1,[ 2 ]]"),
    ("K4: a number beyond any float", r#"421["ack",1e999]"#, "431[1e999]"),
    (
        "K5: a number of 30 digits",
        r#"421["ack",123456789012345678901234567890]"#,
        "431[123456789012345678901234567890]",
    ),
    ("K5: 2^53 + 1", r#"421["ack",9007199254740993]"#, "431[9007199254740993]"),
    ("K7: a key twice", r#"421["ack",{"a":1,"a":2}]"#, r#"431[{"a":1,"a":2}]"#),
    ("K8: a zero character", r#"421["ack","\u0000"]"#, r#"431["\u0000"]"#),
    ("K8: half a surrogate pair", r#"421["ack","\ud800"]"#, r#"431["\ud800"]"#),
    ("K8: half a pair where text is wanted", r#"421["join","\ud800"]"#, ""),
    ("K11: keys of prototypes", r#"421["ack",{"__proto__":{"a":1}}]"#, r#"431[{"__proto__":{"a":1}}]"#),
    (
        "Kb11: a placeholder without binary",
        r#"421["ack",{"_placeholder":true,"num":0}]"#,
        r#"431[{"_placeholder":true,"num":0}]"#,
    ),
    ("EV-02: null", r#"421["ack",null]"#, "431[null]"),
    ("EV-08: a date is a string", r#"421["ack","2026-11-21T00:00:00.000Z"]"#, r#"431["2026-11-21T00:00:00.000Z"]"#),
    ("EV-04: multibyte text", r#"421["ack","日本 € 🦀"]"#, r#"431["日本 € 🦀"]"#),
    ("C3: engine packets in between", "6", ""),
    ("G3: a pong that nobody asked for", "3", ""),
];

#[tokio::test]
async fn ev_07_08_j5_j6_j10_j12_to_j14_j16_j17_k4_k5_k7_k8_k11_kb11_odd_packets_are_answered_or_ignored() {
    let names = [
        "1",
        "1.5",
        "",
        "error",
        "connection",
        "message",
        "data",
        "__proto__",
        "constructor",
        "toString",
        "new_namespace",
    ];
    let root = names
        .iter()
        .fold(namespace("/"), |root, name| root.on(name, async |name: EventName| Reply((*name).to_owned())));
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    for (label, sent, answer) in ROWS {
        let _row = Row(label);
        client.connection.send(masked(TEXT, sent.as_bytes())).await;
        let answers = if answer.is_empty() { vec![] } else { vec![text(*answer)] };
        assert_eq!(heard(&mut client).await, answers);
    }
}

#[tokio::test]
async fn ev_06_j11_k1_k2_k9_k10_long_packets_are_answered() {
    let root = namespace("/").on("read", async |Data(value): Data<Value>| Reply((value,)));
    let (server, _io) = serve([root]).await;
    let (mut client, _id) = socket::connect(server.endpoint, "/").await;
    let nested = format!("{}{}", "[".repeat(127), "]".repeat(127));
    client.send(&format!("421[\"read\",{nested}]")).await;
    assert_eq!(client.frame().await, text(format!("431[{nested}]")), "K2: read, and written anew");
    let keys = (0..60_000).map(|at| format!("\"{at}\":1")).collect::<Vec<_>>().join(",");
    let rows = [
        ("K1: nested 128 deep", nested),
        ("K1: brackets in a string", format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200))),
        ("K9: 1,024 arguments, the name among them", vec!["1"; 1023].join(",")),
        ("K10: an object of 60,000 keys", format!("{{{keys}}}")),
        ("EV-06, PL-07: 900 KB", format!("\"{}\"", "x".repeat(900_000))),
    ];
    for (label, args) in rows {
        let _row = Row(label);
        client.send(&format!("421[\"ack\",{args}]")).await;
        assert!(client.text().await == format!("431[{args}]"));
    }
    client.send(&format!("421[\"{}\"]", "x".repeat(1024))).await;
    assert_eq!(heard(&mut client).await, [], "J11: a name of 1,024 bytes");
}
