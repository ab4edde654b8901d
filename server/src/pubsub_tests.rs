//! What it is: messages as python-socketio publishes them, and wrong ones.
//! What it is not: tests of what they bring about; those are from outside.
//! Who calls it: `cargo test`.

use super::*;

fn read(json: &str) -> Result<Message, PubSubError> {
    Message::read(json.as_bytes())
}

fn emit(json: &str) -> Emit {
    match read(json) {
        Ok(Message::Do(Op { action: Action::Emit(emit), .. })) => emit,
        other => panic!("{json}: {other:?}"),
    }
}

fn args(json: &str) -> Args {
    Args::from_json(json).expect("a list")
}

#[test]
fn messages_of_our_own_are_for_nobody() {
    let emitted = |host: &str| read(&format!(r#"{{"method":"emit","event":"e","data":[1],"host_id":"{host}"}}"#));
    assert_eq!(emitted("socketio-server:somebody"), Ok(Message::Nothing));
    assert_ne!(emitted("another"), Ok(Message::Nothing));
}

#[test]
fn events_are_read_with_all_forms_of_rooms_and_data() {
    let message = |fields: &str| format!(r#"{{"method":"emit","event":"e","host_id":"h",{fields}}}"#);
    let (everybody, nobody) = (Audience::default, Audience::default);
    let rooms = |names: &[&str]| Audience {
        rooms: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Audience::default()
    };
    let sids = |names: &[&str]| Audience { sids: rooms(names).rooms, ..Audience::default() };
    for (fields, list, to, except) in [
        (
            r#""data":[{"a":1}],"binary":false,"namespace":"/","room":null,"skip_sid":null,"callback":null"#,
            r#"[{"a":1}]"#,
            everybody(),
            nobody(),
        ),
        (r#""data":["a",2],"room":"room1","skip_sid":"S""#, r#"["a",2]"#, rooms(&["room1"]), sids(&["S"])),
        (r#""data":[null],"room":["a","b"],"skip_sid":["S","T"]"#, "[]", rooms(&["a", "b"]), sids(&["S", "T"])),
        (r#""data":{"a":1},"room":42"#, r#"[{"a":1}]"#, rooms(&["42"]), nobody()),
        (r#""data":"text","room":[42,"b"]"#, r#"["text"]"#, rooms(&["42", "b"]), nobody()),
        (r#""data":[[null],null]"#, "[[null],null]", everybody(), nobody()),
        (r#""data":[[null]],"binary":true"#, "[null]", everybody(), nobody()),
        (r#""data":null,"more":{}"#, "[]", everybody(), nobody()),
        (r#""data":[],"callback":["only","two"]"#, "[]", everybody(), nobody()),
        (r#""room":"""#, "[]", rooms(&[""]), nobody()),
    ] {
        let emit = emit(&message(fields));
        assert_eq!((emit.args, emit.to, emit.except), (args(list), to, except), "{fields}");
    }
    assert_eq!(read(&message(r#""data":[],"room":[]"#)), Ok(Message::Nothing), "an empty list is nobody");
}

#[test]
fn binary_is_behind_its_placeholders() {
    for data in
        [r#"[[{"img":{"_placeholder":true,"num":0}}],"AQI="]"#, r#"[{"img":{"_placeholder":true,"num":0}},"AQI="]"#]
    {
        let emit = emit(&format!(r#"{{"method":"emit","event":"e","binary":true,"data":{data}}}"#));
        assert_eq!(emit.args.to_json(), r#"[{"img":{"_placeholder":true,"num":0}}]"#);
        assert_eq!(emit.args.attachments(), [&[1, 2][..]]);
    }
}

#[test]
fn sockets_are_moved_and_sent_away() {
    let (except, target) = (Audience::default(), Audience::sid("S"));
    for (json, namespace, action) in [
        (
            r#"{"method":"disconnect","sid":"S","namespace":"/n","host_id":"h"}"#,
            "/n",
            Action::Disconnect { target: target.clone(), except: except.clone(), transport: false },
        ),
        (
            r#"{"method":"enter_room","sid":"S","room":"a*","namespace":"/"}"#,
            "/",
            Action::Join { target: target.clone(), except: except.clone(), rooms: vec!["a*".into()], leave: None },
        ),
        (
            r#"{"method":"leave_room","sid":"S","room":"a*","namespace":null}"#,
            "/",
            Action::Leave { target, except, rooms: vec![Glob::exact("a*")] },
        ),
        (r#"{"method":"close_room","room":7}"#, "/", Action::CloseRoom { room: "7".into() }),
    ] {
        assert_eq!(read(json), Ok(Message::Do(Op { namespace: namespace.into(), action })), "{json}");
    }
}

#[test]
fn answers_go_back_to_who_asked() {
    let question = r#"{"method":"emit","event":"q","data":[1],"room":"SID","callback":["SID","/",7],"host_id":"h0st"}"#;
    let Ok(Message::Ask(_, callback)) = read(question) else { panic!("a question") };
    let answer = r#"{"method":"callback","host_id":"h0st","sid":"SID","namespace":"/","id":7,"args":["ok",{"b":1}]}"#;
    assert_eq!(callback.message(&args(r#"["ok",{"b":1}]"#)).as_deref(), Some(answer));
    assert_eq!(read(answer), Ok(Message::Nothing));
    let placeholder = r#"[{"_placeholder":true,"num":0}]"#;
    let binary = Args::from_parts(placeholder, vec![Bytes::from_static(b"a")], &Limits::default()).expect("arguments");
    assert_eq!(callback.message(&binary), None);
}

#[test]
fn what_is_wrong_is_told() {
    use PubSubError::{Field, Form, Method, Pickle, Syntax};

    for (json, error) in [
        ("", Syntax),
        ("{", Syntax),
        ("{} {}", Syntax),
        (r#"{"method":"emit","data":[NaN],"event":"e"}"#, Syntax),
        ("[]", Form),
        ("null", Form),
        ("{}", Method),
        (r#"{"method":"dance"}"#, Method),
        (r#"{"method":"emit","data":[1]}"#, Field("event")),
        (r#"{"method":"emit","event":7}"#, Form),
        (r#"{"method":"emit","event":"e","room":{}}"#, Form),
        (r#"{"method":"emit","event":"e","room":"\u0001user:42"}"#, Form),
        (r#"{"method":"emit","event":"e","binary":true,"data":[]}"#, Field("data")),
        (r#"{"method":"emit","event":"e","binary":true,"data":"x"}"#, Field("data")),
        (r#"{"method":"emit","event":"e","binary":true,"data":[[1],"?"]}"#, Field("data")),
        (
            r#"{"method":"emit","event":"e","binary":true,"data":[[{"_placeholder":true,"num":1}],"AQ=="]}"#,
            Field("data"),
        ),
        (r#"{"method":"enter_room","sid":"S"}"#, Field("room")),
        (r#"{"method":"enter_room","room":"r"}"#, Field("sid")),
        (r#"{"method":"leave_room","sid":"S","room":["r"]}"#, Field("room")),
        (r#"{"method":"disconnect"}"#, Field("sid")),
        (r#"{"method":"close_room","room":""}"#, Field("room")),
    ] {
        assert_eq!(read(json), Err(error), "{json}");
    }
    assert_eq!(Message::read(b"\x80\x04\x95"), Err(Pickle));
    assert!(Pickle.to_string().contains("upgrade python-socketio to 5.14"));
}
