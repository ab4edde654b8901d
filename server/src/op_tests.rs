//! What it is: right ops and wrong ones, and what is said of these.
//! What it is not: tests of what ops bring about; those are from outside.
//! Who calls it: `cargo test`.

use super::*;

fn read(json: &str) -> Result<Op, String> {
    Op::read(json.as_bytes(), None).map_err(|error| match error {
        OpError::Syntax(_) => "syntax".into(),
        OpError::Reserved(event) => format!("reserved {event}"),
        OpError::Field { field, message } => format!("{field}: {message}"),
    })
}

fn op(namespace: &str, action: Action) -> Result<Op, String> {
    Ok(Op { namespace: namespace.into(), action })
}

fn args(json: &str) -> Args {
    Args::from_json(json).expect("a list")
}

#[test]
fn ops_are_read_as_they_are_written() {
    let sid = || Audience { sids: vec!["S".into()], ..Audience::default() };
    for (json, namespace, action) in [
        (r#"{"op":"emit","event":"e"}"#, "/", Action::Emit(Emit { event: "e".into(), ..Emit::default() })),
        (
            r#"{"op":"emit","namespace":"/n","event":"e","data":null,"room":"r","volatile":true,"id":"1"}"#,
            "/n",
            Action::Emit(Emit {
                event: "e".into(),
                args: args("[null]"),
                to: Audience::room("r"),
                manner: Manner { volatile: true, unkept: false, uncompressed: false },
                id: Some("1".into()),
                ..Emit::default()
            }),
        ),
        (
            r#"{"op":"emit","event":"e","args":[1,[2]],"room":["a"],"history":false,
                "to":{"rooms":"b","users":["42"],"sids":[]},"except":{"sids":"S","users":[],"rooms":[]}}"#,
            "/",
            Action::Emit(Emit {
                event: "e".into(),
                args: args("[1,[2]]"),
                to: Audience { rooms: vec!["b".into(), "a".into()], users: vec!["42".into()], sids: vec![] },
                except: sid(),
                manner: Manner { volatile: false, unkept: true, uncompressed: false },
                id: None,
            }),
        ),
        (
            r#"{"op":"join","target":{"sids":["S"]},"rooms":["room:inn"],"leave":"room:*"}"#,
            "/",
            Action::Join {
                target: sid(),
                except: Audience::default(),
                rooms: vec!["room:inn".into()],
                leave: Some(Glob::new("room:*")),
            },
        ),
        (
            r#"{"op":"leave","target":{"users":["42"]},"rooms":"x"}"#,
            "/",
            Action::Leave {
                except: Audience::default(),
                target: Audience { users: vec!["42".into()], ..Audience::default() },
                rooms: vec![Glob::new("x")],
            },
        ),
        (r#"{"op":"close_room","room":"x"}"#, "/", Action::CloseRoom { room: "x".into() }),
        (
            r#"{"op":"disconnect","target":{"sids":"S"},"transport":true}"#,
            "/",
            Action::Disconnect { target: sid(), except: Audience::default(), transport: true },
        ),
        (r#"{"op":"user","sid":"S","user":"42"}"#, "/", Action::User { sid: "S".into(), user: Some("42".into()) }),
        (r#"{"op":"user","sid":"S","user":null}"#, "/", Action::User { sid: "S".into(), user: None }),
    ] {
        assert_eq!(read(json), op(namespace, action), "{json}");
    }
    let session = read(r#"{"op":"session","sid":"S","set":{"a":[1]}}"#).expect("valid");
    let Action::Session { session, .. } = session.action else { panic!("{session:?}") };
    assert_eq!(session.0.get(), r#"{"a":[1]}"#);
}

#[test]
fn binary_arguments_come_beside_their_placeholders() {
    let json = r#"{"op":"emit","event":"e","args":[{"_placeholder":true,"num":0}],"attachments":["AQI="]}"#;
    let Ok(Op { action: Action::Emit(emit), .. }) = read(json) else { panic!("valid") };
    assert_eq!(emit.args.attachments(), [&b"\x01\x02"[..]]);
}

#[test]
fn what_is_wrong_is_told_by_its_field() {
    let long = format!(r#"{{"op":"session","sid":"S","set":"{}"}}"#, "x".repeat(MAX_SESSION));
    for (json, error) in [
        ("", "syntax"),
        ("{", "syntax"),
        ("[]", ": it is an object"),
        ("{} {}", "syntax"),
        ("{}", "op: there is none"),
        (r#"{"op":"fly"}"#, "op: there is no such op: emit, join, leave, close_room, disconnect, session, user"),
        (r#"{"op":"emit"}"#, "event: it is missing"),
        (r#"{"op":"emit","event":7}"#, "event: invalid type: integer `7`, expected a string"),
        (r#"{"op":"emit","event":"connect"}"#, "reserved connect"),
        (r#"{"op":"emit","event":"e","args":1}"#, "args: a list of at most"),
        (r#"{"op":"emit","event":"e","args":[],"data":1}"#, "data: either"),
        (r#"{"op":"emit","event":"e","room":[]}"#, "room: it names nobody"),
        (r#"{"op":"emit","event":"e","to":{}}"#, "to: it names nobody"),
        (r#"{"op":"emit","event":"e","to":{"rooms":[7]}}"#, "to.rooms"),
        (r#"{"op":"emit","event":"e","to":{"room":"r"}}"#, "to.room: unknown field"),
        (r#"{"op":"emit","event":"e","to":{"rooms":"\u0001user:42"}}"#, "to.rooms: a name has"),
        (r#"{"op":"emit","event":"e","attachments":["!"]}"#, "attachments: a list"),
        (r#"{"op":"emit","event":"e","args":[{"_placeholder":true,"num":1}],"attachments":["AQI="]}"#, "args: a list"),
        (
            r#"{"op":"emit","event":"e","to":"r"}"#,
            r#"to: invalid type: string "r", expected an object with rooms, users or sids, such as {"rooms":"news"}"#,
        ),
        (
            r#"{"op":"emit","event":"e","rooms":"r"}"#,
            "rooms: emit has no such field, but namespace, event, args, data, attachments, room, to.rooms, to.users, \
             to.sids, except, volatile, history, id",
        ),
        (r#"{"op":"emit","name":"e"}"#, "name: emit has no such field, but namespace, event, args, "),
        (r#"{"op":"fly","name":"e"}"#, "name: unknown field `name`, expected one of "),
        (
            r#"{"op":"join","to":{"sids":"S"},"rooms":"r","target":{"sids":"S"}}"#,
            "to: join has no such field, but namespace, target.rooms, target.users, target.sids, except, rooms, leave",
        ),
        (
            r#"{"op":"leave","target":{"sids":"S"},"room":"r","leave":"x"}"#,
            "leave: leave has no such field, but namespace, target.rooms, target.users, target.sids, except, rooms",
        ),
        (r#"{"op":"close_room","name":"r"}"#, "name: close_room has no such field, but namespace, room"),
        (
            r#"{"op":"disconnect","sid":"S","target":{"sids":"S"}}"#,
            "sid: disconnect has no such field, but namespace, target.rooms, target.users, target.sids, except, \
             transport",
        ),
        (r#"{"op":"session","sid":"S","data":1}"#, "set: it is missing"),
        (r#"{"op":"session","sid":"S","set":1,"data":1}"#, "data: session has no such field, but namespace, sid, set"),
        (r#"{"op":"user","sid":"S","name":"42"}"#, "name: user has no such field, but namespace, sid, user"),
        (r#"{"op":"join","rooms":"r"}"#, "target: it is missing"),
        (r#"{"op":"join","target":{"rooms":[]},"rooms":"r"}"#, "target: it names nobody"),
        (r#"{"op":"join","target":{"sids":"S"}}"#, "rooms: it is missing"),
        (r#"{"op":"join","target":{"sids":"S"},"rooms":[""]}"#, "rooms: a name has"),
        (r#"{"op":"join","target":{"sids":"S"},"rooms":[],"leave":"a"}"#, "rooms: name at least one"),
        (r#"{"op":"close_room","rooms":["a","b"]}"#, "room: one name"),
        (r#"{"op":"user","sid":"S"}"#, "user: it is missing"),
        (r#"{"op":"user","sid":"S","user":42}"#, "user: a text, or null"),
        (&long, "set: it has 16384 bytes at most"),
    ] {
        let found = read(json).expect_err(json);
        assert!(found.starts_with(error), "{json}: {found}");
    }
}
