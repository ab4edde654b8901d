//! What it is: packets as `socket.io-msgpack-parser` 3 has them: each is one binary message, a MessagePack map.
//! What it is not: MessagePack itself (`msgpack_reader`, `msgpack_writer`).
//! Who calls it: `parser`.

use std::sync::Arc;

use bytes::Bytes;
use engineio::{ByteString, Message, Revision};
use rmp::encode::{self, ValueWriteError};

use crate::{
    args::Args,
    decoder::{Body, Decode, Packet, event, parameters},
    error::DecodeError,
    limits::Limits,
    msgpack_reader::{Json, Reader, Token},
    msgpack_writer::write_json,
    packet::{Kind, MAX_SAFE_INTEGER, OutgoingPacket, split_query},
};

/// Writes a packet: a map with `type` and `nsp`, with `data` if there is a payload, with `id` if there is an ack id.
pub(crate) fn encode(packet: &OutgoingPacket<'_>) -> Vec<u8> {
    let binary: usize = packet.attachments.iter().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(packet.payload.len() + packet.namespace.len() + binary + 32);
    write(&mut out, packet).expect("memory takes all");
    out
}

fn write(out: &mut Vec<u8>, packet: &OutgoingPacket<'_>) -> Result<(), ValueWriteError<std::io::Error>> {
    let OutgoingPacket { kind, namespace, ack, payload, attachments } = *packet;
    encode::write_map_len(out, 2 + u32::from(!payload.is_empty()) + u32::from(ack.is_some()))?;
    encode::write_str(out, "type")?;
    encode::write_uint(out, kind as u64)?;
    encode::write_str(out, "nsp")?;
    encode::write_str(out, namespace)?;
    if !payload.is_empty() {
        encode::write_str(out, "data")?;
        write_json(out, payload, attachments)?;
    }
    if let Some(id) = ack {
        encode::write_str(out, "id")?;
        encode::write_uint(out, id)?;
    }
    Ok(())
}

/// Reads packets, one from each message.
#[derive(Debug)]
pub(crate) struct Decoder {
    revision: Revision,
    limits: Arc<Limits>,
}

impl Decoder {
    /// For a connection of this revision.
    pub(crate) fn new(revision: Revision, limits: Arc<Limits>) -> Self {
        Self { revision, limits }
    }

    fn packet(&self, message: &Bytes) -> Result<Packet, DecodeError> {
        let fields = Fields::read(message)?;
        let kind = match Reader::new(fields.kind.ok_or(DecodeError::UnknownType)?).token()? {
            Token::Unsigned(0) => Kind::Connect,
            Token::Unsigned(1) => Kind::Disconnect,
            Token::Unsigned(2) => Kind::Event,
            Token::Unsigned(3) => Kind::Ack,
            _ => return Err(DecodeError::UnknownType),
        };
        let (namespace, query) = namespace(fields.namespace, self.revision, &self.limits)?;
        let ack = match fields.ack.map(|id| Reader::new(id).token()).transpose()? {
            None => None,
            Some(Token::Unsigned(id)) if id <= MAX_SAFE_INTEGER => Some(id),
            Some(_) => return Err(DecodeError::AckId),
        };
        let body = match kind {
            Kind::Connect => {
                let auth = fields.data.map(|data| self.object(message, data)).transpose()?.unwrap_or_default();
                Body::Connect(query.map_or(auth, parameters))
            }
            Kind::Disconnect if fields.data.is_none() && ack.is_none() => Body::Disconnect,
            Kind::Disconnect => return Err(DecodeError::Payload),
            Kind::Event => Body::Event(event(self.args(message, fields.data)?, ack, &self.limits)?),
            Kind::Ack => Body::Ack(ack, self.args(message, fields.data)?),
        };
        Ok(Packet { namespace, body })
    }

    /// The payload of a CONNECT, in which nothing is binary.
    fn object(&self, message: &Bytes, data: &[u8]) -> Result<ByteString, DecodeError> {
        let (mut json, mut reader) = (Json::new(message, &self.limits), Reader::new(data));
        json.value(&mut reader)?;
        let (text, attachments) = json.finish()?;
        if !text.starts_with('{') || !attachments.is_empty() {
            return Err(DecodeError::Payload);
        }
        Ok(text.into())
    }

    /// The payload of an event or an ack: a list.
    fn args(&self, message: &Bytes, data: Option<&[u8]>) -> Result<Args, DecodeError> {
        let mut reader = Reader::new(data.ok_or(DecodeError::Payload)?);
        let count = match reader.token()? {
            Token::Array(count) if count <= self.limits.max_args => count,
            _ => return Err(DecodeError::Payload),
        };
        let mut json = Json::new(message, &self.limits);
        let mut ranges = Vec::new();
        for _ in 0..count {
            let start = json.len();
            json.value(&mut reader)?;
            ranges.push(start..json.len());
        }
        let (text, attachments) = json.finish()?;
        Ok(Args::new(text.into(), ranges.into_iter(), attachments))
    }
}

impl Decode for Decoder {
    fn push(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        match message {
            Message::Binary(message) => self.packet(&message).map(Some),
            Message::Text(_) => Err(DecodeError::WrongMessage),
        }
    }
}

/// The values of a packet's fields, but for those that say nothing: `undefined` of JavaScript, and nil, as of Python.
#[derive(Debug)]
struct Fields<'a> {
    kind: Option<&'a [u8]>,
    namespace: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    ack: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// They may be in any order, each once; the reference's client sends others beside them, for itself.
    fn read(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        let Token::Map(count) = reader.token()? else { return Err(DecodeError::Payload) };
        let mut values = [None; 4];
        for _ in 0..count {
            let Token::Text(name) = reader.token()? else { return Err(DecodeError::Payload) };
            let value = reader.skip()?;
            let at = ["type", "nsp", "data", "id"].iter().position(|field| *field == name);
            if at.is_some_and(|at| values[at].replace(value).is_some()) {
                return Err(DecodeError::Payload);
            }
        }
        if !reader.is_empty() {
            return Err(DecodeError::Payload);
        }
        let says_nothing = |value: &&[u8]| matches!(Reader::new(value).token(), Ok(Token::Nil | Token::Undefined));
        let [kind, namespace, data, ack] = values.map(|value| value.filter(|value| !says_nothing(value)));
        Ok(Self { kind, namespace, data, ack })
    }
}

/// The name, and in revision 3 the query behind it.
fn namespace<'a>(
    field: Option<&'a [u8]>,
    revision: Revision,
    limits: &Limits,
) -> Result<(ByteString, Option<&'a str>), DecodeError> {
    let Token::Text(name) = Reader::new(field.ok_or(DecodeError::Namespace)?).token()? else {
        return Err(DecodeError::Namespace);
    };
    let (name, query) = split_query(name, revision);
    if !name.starts_with('/') || name.len() > limits.max_namespace_name {
        return Err(DecodeError::Namespace);
    }
    Ok((if name == "/" { ByteString::from_static("/") } else { name.into() }, query))
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::{
        decoder::Incoming,
        packet::PacketType,
        value::{PLACEHOLDER, Value},
    };

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
        digits.chunks(2).map(byte).collect()
    }

    fn decode_with(limits: Limits, message: Bytes) -> Result<Packet, DecodeError> {
        let mut decoder = Decoder::new(Revision::V4, Arc::new(limits));
        decoder.push(Message::Binary(message)).map(|packet| packet.expect("each message is a packet"))
    }

    fn decode(hex: &str) -> Result<Packet, DecodeError> {
        decode_with(Limits::default(), bytes(hex))
    }

    /// `{type: 2, nsp: "/", data: ["e", <value>]}`.
    fn event(value: &str) -> String {
        format!("83a4747970650 2a36e7370a12fa464617461 92a165{value}")
    }

    fn args(packet: Result<Packet, DecodeError>) -> Result<Args, DecodeError> {
        match packet?.body {
            Body::Event(event) => Ok(event.args),
            other => panic!("no event: {other:?}"),
        }
    }

    /// The JSON that a value is read as.
    fn json(value: &str) -> Result<String, DecodeError> {
        let args = serde_json::to_string(&args(decode(&event(value)))?).expect("JSON");
        Ok(args[1..args.len() - 1].to_owned())
    }

    #[test]
    fn packets_are_read() {
        let connect =
            |namespace: &str, auth: &str| Packet { namespace: namespace.into(), body: Body::Connect(auth.into()) };
        assert_eq!(decode("83 a474797065 00 a36e7370 a12f a464617461 d40000"), Ok(connect("/", "")));
        assert_eq!(decode("82 a474797065 00 a36e7370 a22f61"), Ok(connect("/a", "")));
        assert_eq!(decode("83 a464617461 c0 a36e7370 a12f a474797065 00"), Ok(connect("/", "")));
        assert_eq!(
            decode("83 a474797065 00 a36e7370 a12f a464617461 81 a5746f6b656e a3616263"),
            Ok(connect("/", r#"{"token":"abc"}"#))
        );
        let disconnect = Packet { namespace: "/".into(), body: Body::Disconnect };
        assert_eq!(decode("82 a474797065 01 a36e7370 a12f"), Ok(disconnect.clone()));
        assert_eq!(decode("84 a474797065 01 a36e7370 a12f a464617461 d40000 a26964 c0"), Ok(disconnect));
        let asked = decode("84 a474797065 02 a36e7370 a62f61646d696e a464617461 92 a178 01 a26964 03").expect("event");
        let incoming = Incoming { name: "x".into(), args: Args::from_json("[1]").expect("JSON"), ack: Some(3) };
        assert_eq!(asked, Packet { namespace: "/admin".into(), body: Body::Event(incoming) });
        let answer = decode("84 a26964 03 a464617461 91 a26f6b a36e7370 a12f a474797065 03").expect("ack");
        let ack = Body::Ack(Some(3), Args::from_json(r#"["ok"]"#).expect("JSON"));
        assert_eq!(answer, Packet { namespace: "/".into(), body: ack });
        let none = Body::Ack(None, Args::default());
        assert_eq!(decode("83 a474797065 03 a36e7370 a12f a464617461 90").map(|packet| packet.body), Ok(none));
        // What the client keeps with its packet is sent along.
        let options = "84 a474797065 02 a36e7370 a12f a464617461 91a165 a76f7074696f6e73 81a8636f6d7072657373c3";
        assert_eq!(args(decode(options)), Ok(Args::default()));
        // An event may be named by a number.
        let Ok(Body::Event(event)) = decode("83a47479706502a36e7370a12fa464617461 91ccff").map(|packet| packet.body)
        else {
            panic!("no event")
        };
        assert_eq!(event.name, "255");
    }

    #[test]
    fn in_revision_3_auth_is_the_query_of_the_namespace() {
        let mut decoder = Decoder::new(Revision::V3, Arc::default());
        let rows = [
            ("82 a474797065 00 a36e7370 a62f613f623d63", "/a", r#"{"b":"c"}"#),
            ("82 a474797065 00 a36e7370 a22f61", "/a", ""),
        ];
        for (hex, namespace, auth) in rows {
            let packet = Packet { namespace: namespace.into(), body: Body::Connect(auth.into()) };
            assert_eq!(decoder.push(Message::Binary(bytes(hex))), Ok(Some(packet)), "{hex}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        use DecodeError::{AckId, EventName, Namespace, Payload, UnknownType};
        let rows = [
            ("", Payload),
            ("c0", Payload),
            ("c1", Payload),
            ("90", Payload),
            ("80", UnknownType),
            ("83 a474797065 05 a36e7370 a12f a464617461 90", UnknownType),
            ("83 a474797065 04 a36e7370 a12f a464617461 80", UnknownType),
            ("83 a474797065 ff a36e7370 a12f a464617461 90", UnknownType),
            ("83 a474797065 a130 a36e7370 a12f a464617461 90", UnknownType),
            ("82 a36e7370 a12f a464617461 90", UnknownType),
            ("82 a474797065 02 a464617461 91a165", Namespace),
            ("83 a474797065 02 a36e7370 a0 a464617461 91a165", Namespace),
            ("83 a474797065 02 a36e7370 a161 a464617461 91a165", Namespace),
            ("83 a474797065 02 a36e7370 2f a464617461 91a165", Namespace),
            ("82 a474797065 02 a36e7370 a12f", Payload),
            ("83 a474797065 02 a36e7370 a12f a464617461 90", Payload),
            ("83 a474797065 02 a36e7370 a12f a464617461 80", Payload),
            ("83 a474797065 02 a36e7370 a12f a464617461 91c0", Payload),
            ("83 a474797065 02 a36e7370 a12f a464617461 9191a165", Payload),
            ("83 a474797065 02 a36e7370 a12f a464617461 91c40165", Payload),
            ("83 a474797065 02 a36e7370 a12f a464617461 91a7636f6e6e656374", EventName),
            ("83 a474797065 00 a36e7370 a12f a464617461 90", Payload),
            ("83 a474797065 00 a36e7370 a12f a464617461 a178", Payload),
            ("83 a474797065 00 a36e7370 a12f a464617461 81a162c40178", Payload),
            ("83 a474797065 01 a36e7370 a12f a464617461 80", Payload),
            ("83 a474797065 01 a36e7370 a12f a26964 00", Payload),
            ("83 a474797065 03 a36e7370 a12f a464617461 80", Payload),
            ("84 a474797065 03 a36e7370 a12f a464617461 90 a26964 ff", AckId),
            ("84 a474797065 03 a36e7370 a12f a464617461 90 a26964 a130", AckId),
            ("84 a474797065 03 a36e7370 a12f a464617461 90 a26964 cb0000000000000000", AckId),
            ("84 a474797065 03 a36e7370 a12f a464617461 90 a26964 cf0020000000000000", AckId),
            // A byte behind it, a field twice, and a field that has no name.
            ("83 a474797065 02 a36e7370 a12f a464617461 91a165 c0", Payload),
            ("84 a474797065 02 a36e7370 a12f a464617461 91a165 a464617461 91a165", Payload),
            ("84 a474797065 02 a36e7370 a12f a464617461 91a165 00 00", Payload),
            ("84 a474797065 02 a36e7370 a12f a464617461 c0 a464617461 91a165", Payload),
        ];
        for (hex, error) in rows {
            assert_eq!(decode(hex), Err(error), "{hex}");
        }
        let mut decoder = Decoder::new(Revision::V4, Arc::default());
        assert_eq!(decoder.push(Message::Text("2[\"e\"]".into())), Err(DecodeError::WrongMessage));
        // Every beginning of a packet is none.
        let whole = bytes(&event("83a16190a162c40178a163cb3ff8000000000000"));
        for end in 0..whole.len() {
            assert_eq!(decode_with(Limits::default(), whole.slice(..end)), Err(Payload), "cut at {end}");
        }
    }

    #[test]
    fn values_are_read_as_json() {
        let rows = [
            ("c0", "null"),
            ("c2", "false"),
            ("c3", "true"),
            ("d40000", "null"),
            ("d40063", "null"),
            ("7f", "127"),
            ("e0", "-32"),
            ("ccff", "255"),
            ("cdffff", "65535"),
            ("ceffffffff", "4294967295"),
            ("cf0020000000000001", "9007199254740993"),
            ("cfffffffffffffffff", "18446744073709551615"),
            ("d080", "-128"),
            ("d18000", "-32768"),
            ("d280000000", "-2147483648"),
            ("d38000000000000000", "-9223372036854775808"),
            ("ca3fc00000", "1.5"),
            ("cb3ff8000000000000", "1.5"),
            ("cb7ff8000000000000", "null"),
            ("cb7ff0000000000000", "null"),
            ("cbfff0000000000000", "null"),
            ("ca7f800000", "null"),
            ("a0", r#""""#),
            ("a5c3a9220a5c", r#""é\"\n\\""#),
            ("d902c3a9", r#""é""#),
            ("da0002c3a9", r#""é""#),
            ("db00000002c3a9", r#""é""#),
            ("90", "[]"),
            ("9390 9101 80", "[[],[1],{}]"),
            ("dc000201c0", "[1,null]"),
            ("dd0000000201c0", "[1,null]"),
            ("82a161 81a162 90 a163c0", r#"{"a":{"b":[]},"c":null}"#),
            ("de0001a16101", r#"{"a":1}"#),
            ("df00000001a16101", r#"{"a":1}"#),
            ("8301a161 ffa162 a0a163", r#"{"1":"a","-1":"b","":"c"}"#),
            // A key twice is there twice, as from the default parser.
            ("82a16101 a16102", r#"{"a":1,"a":2}"#),
            // What is undefined is not there in an object.
            ("83a161d40000 a16201 a163d40000", r#"{"b":1}"#),
            ("81a161d40000", "{}"),
            ("92d40000 01", "[null,1]"),
            ("d7000000000000000000", r#""1970-01-01T00:00:00.000Z""#),
            ("d70000000169b66e6c7b", r#""2019-03-25T19:58:03.899Z""#),
            ("d700000000dd9fcd3bff", r#""2000-02-29T23:59:59.999Z""#),
            ("d700ffffc77590fb9fff", r#""-000001-12-31T23:59:59.999Z""#),
            ("d7000000e677d21fdc00", r#""+010000-01-01T00:00:00.000Z""#),
            ("d700ffffffffffffffff", r#""1969-12-31T23:59:59.999Z""#),
            ("d700001eb208c2dc0000", r#""+275760-09-13T00:00:00.000Z""#),
            ("d700ffe14df73d240000", r#""-271821-04-20T00:00:00.000Z""#),
            ("d700001eb208c2dc0001", "null"),
            // Without binary, this is data.
            ("82 ac5f706c616365686f6c646572c3 a36e756d00", r#"{"_placeholder":true,"num":0}"#),
        ];
        for (hex, text) in rows {
            assert_eq!(json(hex).as_deref(), Ok(text), "{hex}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let rows = [
            "c1",
            "a1ff",
            "a3eda080",
            "a2c3",
            "cc",
            "cb00",
            "d9ff",
            "dbffffffff",
            "c6ffffffff00",
            "c9ffffffff0000",
            "ddffffffff00",
            "dfffffffff00",
            "dcffff00",
            "81c001",
            "81c301",
            "81900 1",
            "81cb000000000000000001",
            "d400",
            "d70000",
            "9301",
        ];
        for hex in rows {
            assert_eq!(json(hex), Err(DecodeError::Payload), "{hex}");
        }
    }

    #[test]
    fn binary_is_beside_the_json() {
        let rows: [(&str, &str, &[&[u8]]); 7] = [
            ("c400", "$0", &[b""]),
            ("c4027879", "$0", &[b"xy"]),
            ("c5000178", "$0", &[b"x"]),
            ("c60000000178", "$0", &[b"x"]),
            // An ArrayBuffer, and extensions that are nothing of notepack.io's.
            ("92 c7010078 c80001 0079", "[$0,$1]", &[b"x", b"y"]),
            ("93 d4ff78 d60102030405 c701ff79", "[[-1,$0],[1,$1],[-1,$2]]", &[b"x", &[2, 3, 4, 5], b"y"]),
            ("82a161c40178 a16291c40179", r#"{"a":$0,"b":[$1]}"#, &[b"x", b"y"]),
        ];
        for (hex, json, binary) in rows {
            let mut json = format!("[{json}]");
            for number in 0..binary.len() {
                json = json.replace(&format!("${number}"), &format!("{{\"{PLACEHOLDER}\":true,\"num\":{number}}}"));
            }
            let binary = binary.iter().map(|data| Bytes::copy_from_slice(data)).collect();
            let expected = Args::from_parts(&json, binary, &Limits::default()).expect("arguments");
            assert_eq!(args(decode(&event(hex))), Ok(expected), "{hex}");
        }
        let lookalike = "82 ac5f706c616365686f6c646572c3 a36e756d00";
        assert_eq!(json(&format!("92{lookalike}c400")), Err(DecodeError::Placeholder));
        assert_eq!(json(&format!("92c400{lookalike}")), Err(DecodeError::Placeholder));
        assert!(args(decode(&event("92 81ac5f706c616365686f6c646572c2 c400"))).is_ok());
    }

    #[test]
    fn what_is_kept_of_a_packet_is_not_its_whole_message() {
        let blob = format!("c6000186a0{}", "00".repeat(100_000));
        let message = bytes(&format!("84a47479706502a36e7370a12fa16f{blob}a46461746192a165c40178"));
        let kept = Decoder::new(Revision::V4, Arc::default()).push(Message::Binary(message.clone())).expect("a packet");
        assert!(matches!(&kept, Some(Packet { body: Body::Event(event), .. }) if event.args.size() > 0));
        assert!(message.is_unique(), "nothing of the message is kept");
    }

    #[test]
    fn limits_hold() {
        let limits =
            Limits { max_depth: 4, max_args: 3, max_attachments: 2, max_attachment_bytes: 3, ..Limits::default() };
        let rows = [
            ("919190", None),
            ("91919190", Some(DecodeError::Payload)),
            ("81a16181a16280", None),
            ("81a16181a16281a16380", Some(DecodeError::Payload)),
            ("92 c4021111 c40122", None),
            ("92 c4021111 c4022222", Some(DecodeError::AttachmentBytes)),
            ("93 c400 c700 00 c400", Some(DecodeError::Attachments)),
        ];
        for (hex, error) in rows {
            let decoded = args(decode_with(limits.clone(), bytes(&event(hex))));
            assert_eq!(decoded.err(), error, "{hex}");
        }
        let list = |items: &str| bytes(&format!("83a47479706502a36e7370a12fa464617461 {items}"));
        assert!(decode_with(limits.clone(), list("93a1650102")).is_ok());
        assert_eq!(decode_with(limits, list("94a165010203")), Err(DecodeError::Payload));
        // However deep, nothing is called again for it, and what is not read may be as deep as it likes.
        let deep = "91".repeat(100_000);
        let endless = Limits { max_depth: usize::MAX, ..Limits::default() };
        assert!(args(decode_with(endless, bytes(&event(&format!("{deep}90"))))).is_ok());
        assert_eq!(json(&format!("{deep}90")), Err(DecodeError::Payload));
        let other = format!("84a47479706502a36e7370a12fa16f{deep}90a46461746191a165");
        assert!(args(decode(&other)).is_ok());
    }

    #[test]
    fn packets_are_written() {
        let binary = [Bytes::from_static(b"x"), Bytes::from_static(b"")];
        let payload = r#"["b",{"a":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]"#;
        let packet = |kind, ack, payload| OutgoingPacket { kind, namespace: "/", ack, payload, attachments: &[] };
        let rows = [
            (
                packet(PacketType::Connect, None, r#"{"sid":"x"}"#),
                "83a47479706500a36e7370a12fa464617461 81a3736964a178",
            ),
            (packet(PacketType::Disconnect, None, ""), "82a47479706501a36e7370a12f"),
            (packet(PacketType::Event, None, r#"["e"]"#), "83a47479706502a36e7370a12fa464617461 91a165"),
            (
                OutgoingPacket { attachments: &binary, ..packet(PacketType::Event, Some(3), payload) },
                "84a47479706502a36e7370a12fa464617461 93a162 81a16191c400 c40178 a2696403",
            ),
            (packet(PacketType::Ack, Some(0), "[]"), "84a47479706503a36e7370a12fa464617461 90 a2696400"),
            (packet(PacketType::ConnectError, None, r#""no""#), "83a47479706504a36e7370a12fa464617461 a26e6f"),
        ];
        for (packet, hex) in rows {
            assert_eq!(encode(&packet), bytes(hex), "{packet:?}");
        }
    }

    #[test]
    fn binary_is_read_as_any_type() {
        let args = args(decode(&event("82a161c40178a162 d7000000000000000000"))).expect("arguments");
        assert_eq!(args.get::<Json>(0).ok(), None, "a JSON value holds no binary");
        let date = Value::String("1970-01-01T00:00:00.000Z".into());
        let expected = Value::Object(vec![("a".into(), Value::Binary("x".into())), ("b".into(), date)]);
        assert_eq!(args.read::<Value>().expect("a value"), expected);
    }
}
