//! What it is: messages as the reference's emitter and adapter publish them, byte by byte, and wrong ones.
//! What it is not: tests of what they bring about; those are from outside.
//! Who calls it: `cargo test`.

use serde_json::json;

use super::*;

/// What somebody else has emitted.
fn foreign(message: &Bytes, is_in: impl Fn(&str) -> bool) -> Result<Op, NodeError> {
    super::emitted(message, is_in).map(|op| op.expect("it is not our own"))
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

/// An event in `/`, by the hex of its data and options.
fn event(data: &str, opts: &str) -> Result<Op, NodeError> {
    let packet = format!("83 a474797065 02 a464617461 {data} a36e7370 a12f");
    foreign(&bytes(&format!("93 a7656d6974746572 {packet} {opts}")), |namespace| namespace == "/")
}

fn asked(json: &str) -> Result<Asked, NodeError> {
    request(&Bytes::copy_from_slice(json.as_bytes()), "/n").map(|request| request.asked)
}

fn rooms(names: &[&str]) -> Audience {
    Audience { rooms: names.iter().map(|name| (*name).to_owned()).collect(), ..Audience::default() }
}

fn args(json: &str) -> Args {
    Args::from_json(json).expect("a list")
}

fn in_namespace(namespace: &str, action: Action) -> Op {
    Op { namespace: namespace.into(), action }
}

#[test]
fn events_of_the_emitter_are_read() {
    let to_room1 = "83 a5726f6f6d73 91a5726f6f6d31 a5666c616773 80 a6657863657074 90";
    let emit = Emit { event: "hello".into(), args: args(r#"["world"]"#), to: rooms(&["room1"]), ..Emit::default() };
    let data = "92 a568656c6c6f a5776f726c64";
    assert_eq!(event(data, to_room1), Ok(in_namespace("/", Action::Emit(emit.clone()))));
    // To 7 and "a" except "SID", volatile, not compressed, broadcast.
    let flags = "83 a8766f6c6174696c65 c3 a8636f6d7072657373 c2 a962726f616463617374 c3";
    let opts = format!("83 a5726f6f6d73 92 07 a161 a6657863657074 91 a3534944 a5666c616773 {flags}");
    let manner = Manner { volatile: true, uncompressed: true, unkept: false };
    let emit = Emit { to: rooms(&["7", "a"]), except: rooms(&["SID"]), manner, ..emit };
    assert_eq!(event(data, &opts), Ok(in_namespace("/", Action::Emit(emit))));
    // A number is a name, nobody is everybody, and no arguments are none.
    let emit = Emit { event: "7".into(), ..Emit::default() };
    assert_eq!(event("91 07", "80"), Ok(in_namespace("/", Action::Emit(emit))));
    let Ok(Op { action: Action::Emit(emit), .. }) = event("92 a165 81 a161 c4020102", "80") else { panic!("an event") };
    assert_eq!(emit.args.to_json(), r#"[{"a":{"_placeholder":true,"num":0}}]"#);
    assert_eq!(emit.args.attachments(), [&[1, 2][..]]);
}

#[test]
fn the_namespace_is_that_of_the_packet() {
    let message = |nsp: &str| bytes(&format!("93 a0 {nsp} 80"));
    let chat = message("83 a474797065 02 a464617461 91a165 a36e7370 a52f63686174");
    let namespace = |op: Op| op.namespace;
    assert_eq!(foreign(&chat, |namespace| namespace == "/chat").map(namespace).as_deref(), Ok("/chat"));
    assert_eq!(foreign(&chat, |namespace| namespace == "/").map(namespace), Err(NodeError::OtherNamespace));
    let none = message("82 a474797065 02 a464617461 91a165");
    assert_eq!(foreign(&none, |namespace| namespace == "/").map(namespace).as_deref(), Ok("/"));
}

#[test]
fn requests_are_read_in_both_forms() {
    let ok = |asked| Ok(asked);
    let (one, two) = (rooms(&["room1"]), rooms(&["room2"]));
    let everybody = Audience::default;
    let of = |action| in_namespace("/n", action);
    for (json, expected) in [
        (r#"{"uid":"haDLO7","requestId":"a","type":0,"rooms":["room1"]}"#, Asked::Ids(one.clone())),
        (r#"{"uid":"haDLO7","requestId":"a","type":0,"rooms":[]}"#, Asked::Ids(everybody())),
        (r#"{"uid":"haDLO7","requestId":"a","type":1}"#, Asked::AllRooms),
        (
            r#"{"type":2,"opts":{"rooms":["room1"],"except":["room2"]},"rooms":["a*",7]}"#,
            Asked::Do(of(Action::Join {
                target: one.clone(),
                except: two.clone(),
                rooms: vec!["a*".into(), "7".into()],
                leave: None,
            })),
        ),
        (
            r#"{"uid":"haDLO7","type":3,"opts":{"rooms":["room1"],"except":[]},"rooms":["a*"]}"#,
            Asked::Do(of(Action::Leave { target: one.clone(), except: everybody(), rooms: vec![Glob::exact("a*")] })),
        ),
        (
            r#"{"uid":"haDLO7","type":4,"opts":{"rooms":["room1"],"except":[]},"close":true}"#,
            Asked::Do(of(Action::Disconnect { target: one.clone(), except: everybody(), transport: false })),
        ),
        (
            r#"{"type":2,"sid":"S","room":"r","requestId":"a"}"#,
            Asked::DoFor(
                "S".into(),
                of(Action::Join {
                    target: Audience::sid("S"),
                    except: everybody(),
                    rooms: vec!["r".into()],
                    leave: None,
                }),
            ),
        ),
        (
            r#"{"type":4,"sid":"S","requestId":"a"}"#,
            Asked::DoFor(
                "S".into(),
                of(Action::Disconnect { target: Audience::sid("S"), except: everybody(), transport: false }),
            ),
        ),
        (
            r#"{"uid":"h","requestId":"u7J0Aa","type":5,"opts":{"rooms":["room1"],"except":["room2"]}}"#,
            Asked::Sockets(one, two),
        ),
        (r#"{"uid":"emitter","type":6,"data":["hello","world"]}"#, Asked::ServerSideEmit),
    ] {
        assert_eq!(asked(json), ok(expected), "{json}");
    }
    // A question with the arguments "q" and 1, and 100 ms for its answers.
    let question = "85 a3756964 a6686144 4c4f37 a9726571756573744964 a3525135 a474797065 07 \
                    a67061636b6574 83 a474797065 02 a464617461 92a17101 a36e7370 a22f6e \
                    a46f707473 83 a5726f6f6d73 90 a6657863657074 90 a5666c616773 81 a774696d656f7574 64";
    let emit = Emit { event: "q".into(), args: args("[1]"), ..Emit::default() };
    let expected = Asked::Emit(of(Action::Emit(emit)), Some(Duration::from_millis(100)));
    assert_eq!(request(&bytes(question), "/n"), Ok(Request { id: json!("RQ5"), asked: expected }));
}

#[test]
fn what_is_wrong_is_told() {
    for hex in
        ["", "c1", "80", "90", "93 01 02 03", "92 a0 80", "93a0 c0 80", "93 a0 82 a474797065 02 a464617461 91a165"]
    {
        assert_eq!(foreign(&bytes(hex), |_| true), Err(NodeError::Malformed), "{hex}");
    }
    for (data, opts) in [
        ("90", "80"),
        ("91 c0", "80"),
        ("a165", "80"),
        ("91 a165", "c0"),
        ("91 a165", "81 a5726f6f6d73 a161"),
        ("91 a165", "81 a5726f6f6d73 91 c0"),
        // A room that begins with a control character.
        ("91 a165", "81 a5726f6f6d73 91 a20175"),
        ("91 a165", "80 00"),
    ] {
        assert_eq!(event(data, opts), Err(NodeError::Malformed), "{data} {opts}");
    }
    for json in [
        "{",
        "{}",
        r#"{"type":"2"}"#,
        r#"{"type":2}"#,
        r#"{"type":5,"requestId":"a"}"#,
        r#"{"type":7,"requestId":"a"}"#,
        r#"{"type":2,"opts":{"rooms":[{}]},"rooms":["a"]}"#,
        r#"{"type":2,"opts":{"rooms":[]},"rooms":["\u0001user:42"]}"#,
        r#"{"type":7,"packet":{"type":3,"data":["e"]},"opts":{}}"#,
    ] {
        assert_eq!(asked(json), Err(NodeError::Malformed), "{json}");
    }
    assert_eq!(asked(r#"{"type":10}"#), Err(NodeError::UnknownRequest));
}
