//! Parsers of the application's: what they are asked, and what is looked at behind them.

use std::sync::Arc;

use engineio::{ByteString, Message, Revision};
use socketio::{
    Args, Body, Config, CustomParser, Decode, DecodeError, DisconnectReason, EmitError, Incoming, Limits, Messages,
    OutgoingPacket, Packet, PacketType, Parser, Recovery, SocketIo, Value,
};
use tests::{
    Row,
    frames::{CLOSED, WebSocket, text},
    server::{self, Server},
};

use crate::{Told, namespace};

/// Packets as lines: a text `<type> <namespace>[ <ack id>]`, and one with the payload, if there is one. It carries no
/// binary.
#[derive(Debug)]
struct Lines;

#[derive(Debug)]
struct LineDecoder {
    limits: Arc<Limits>,
    head: Option<(char, String, Option<u64>)>,
}

impl CustomParser for Lines {
    fn supports(&self, packet: &OutgoingPacket<'_>) -> bool {
        packet.attachments.is_empty()
    }

    fn encode(&self, packet: &OutgoingPacket<'_>) -> Messages {
        let id = packet.ack.map(|id| format!(" {id}")).unwrap_or_default();
        let kind = match packet.kind {
            PacketType::Connect => 'c',
            PacketType::Disconnect => 'd',
            PacketType::Event => 'e',
            PacketType::Ack => 'a',
            PacketType::ConnectError => 'x',
        };
        let first = Message::Text(format!("{kind} {}{id}", packet.namespace).into());
        let rest = if packet.payload.is_empty() { Vec::new() } else { vec![Message::Text(packet.payload.into())] };
        Messages { first, rest }
    }

    fn decoder(&self, _revision: Revision, limits: &Arc<Limits>) -> Box<dyn Decode> {
        Box::new(LineDecoder { limits: limits.clone(), head: None })
    }
}

impl Decode for LineDecoder {
    fn push(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        let Message::Text(line) = message else { return Err(DecodeError::WrongMessage) };
        let Some((kind, namespace, ack)) = self.head.take() else {
            let mut words = line.split(' ');
            let kind = words.next().and_then(|kind| kind.chars().next()).ok_or(DecodeError::UnknownType)?;
            let namespace = words.next().ok_or(DecodeError::Namespace)?.to_owned();
            let alone = match kind {
                'p' => panic!("on purpose"),
                'c' => Some(Body::Connect(ByteString::new())),
                'd' => Some(Body::Disconnect),
                _ => None,
            };
            if let Some(body) = alone {
                return Ok(Some(Packet { namespace: namespace.into(), body }));
            }
            self.head = Some((kind, namespace, words.next().and_then(|id| id.parse().ok())));
            return Ok(None);
        };
        let body = match kind {
            'a' => Body::Ack(ack, Args::from_parts(&line, Vec::new(), &self.limits)?),
            'e' => {
                let args = Args::from_parts(&line, Vec::new(), &self.limits)?;
                let name = ByteString::from(args.get::<String>(0).map_err(|_| DecodeError::Payload)?);
                Body::Event(Incoming { name, args: args.skip(1), ack })
            }
            _ => return Err(DecodeError::UnknownType),
        };
        Ok(Some(Packet { namespace: namespace.into(), body }))
    }

    fn awaits(&self) -> Option<&str> {
        self.head.as_ref().map(|(_, namespace, _)| &**namespace)
    }
}

async fn serve(config: Config) -> (Server, SocketIo) {
    server::socketio(Config { parser: Parser::Custom(Arc::new(Lines)), ..config }, [namespace("/")]).await
}

/// A client in `/`.
async fn connect(server: &Server) -> WebSocket {
    let (mut client, _sid) = WebSocket::open(server.endpoint).await;
    client.send("4c /").await;
    let [head, connected] = hear(&mut client).await;
    assert_eq!(head, "4c /");
    assert!(connected.starts_with(r#"4{"sid":""#), "{connected}");
    client
}

async fn send(client: &mut WebSocket, lines: &[&str]) {
    for line in lines {
        client.send(&format!("4{line}")).await;
    }
}

async fn hear(client: &mut WebSocket) -> [String; 2] {
    [client.text().await, client.text().await]
}

#[tokio::test]
async fn packets_go_by_the_parser_of_the_server() {
    let (server, io) = serve(Config::default()).await;
    let (mut first, mut second) = (connect(&server).await, connect(&server).await);
    send(&mut first, &["e / 7", r#"["ack",1,{"a":[]}]"#]).await;
    assert_eq!(hear(&mut first).await, ["4a / 7", r#"4[1,{"a":[]}]"#]);
    assert_eq!(io.emit("hello", "you").expect("emitted"), 2);
    for client in [&mut first, &mut second] {
        assert_eq!(hear(client).await, ["4e /", r#"4["hello","you"]"#]);
    }
    first.send("4c /nowhere").await;
    assert_eq!(hear(&mut first).await, ["4x /nowhere", r#"4{"message":"Invalid namespace"}"#]);
    io.of("/").expect("served").disconnect_sockets(false);
    assert_eq!(first.frame().await, text("4d /"));
}

#[tokio::test]
async fn what_a_parser_cannot_write_is_an_error() {
    let (server, io) = serve(Config::default()).await;
    let mut client = connect(&server).await;
    let binary = Value::Binary(b"x".to_vec().into());
    assert!(matches!(io.emit("up", &binary), Err(EmitError::Unsupported)));
    send(&mut client, &["e / 1", r#"["ack"]"#]).await;
    assert_eq!(hear(&mut client).await, ["4a / 1", "4[]"], "nothing came before");
}

#[tokio::test]
async fn packets_of_any_parser_are_within_the_limits() {
    let limits = Limits { max_event_name: 4, max_args: 3, max_namespace_name: 5, ..Limits::default() };
    let (server, _io) = serve(Config { limits, ..Config::default() }).await;
    let rows: [(&str, &[&str]); 6] = [
        ("the name of an event", &["e /", r#"["echo5"]"#]),
        ("a reserved name", &["e /", r#"["connect"]"#]),
        ("arguments", &["e /", r#"["echo",1,2,3]"#]),
        ("an ack id", &["e / 9007199254740992", r#"["ack"]"#]),
        ("the name of a namespace", &["c /12345"]),
        ("a name without a slash", &["c chat"]),
    ];
    for (label, lines) in rows {
        let _row = Row(label);
        let mut client = connect(&server).await;
        send(&mut client, &["e / 1", r#"["ack",1,2]"#]).await;
        assert_eq!(hear(&mut client).await, ["4a / 1", "4[1,2]"]);
        send(&mut client, lines).await;
        assert_eq!(client.frame().await, CLOSED);
    }
}

#[tokio::test]
async fn rc_03_offsets_go_by_the_parser_of_the_server() {
    let config = Config { connection_state_recovery: Some(Recovery::default()), ..Config::default() };
    let (server, io) = serve(config).await;
    let mut client = connect(&server).await;
    io.emit("hello", "you").expect("emitted");
    let [head, event] = hear(&mut client).await;
    assert_eq!(head, "4e /");
    let offset = event.strip_prefix(r#"4["hello","you",""#).and_then(|event| event.strip_suffix(r#""]"#));
    assert_eq!(offset.map(str::len), Some(10), "{event}");
}

#[tokio::test]
async fn a_parser_that_panics_ends_the_connection_and_leaves_nobody_behind() {
    let (sender, mut told) = Told::new();
    let root = namespace("/").on_disconnect(move |reason: DisconnectReason| {
        let _over = sender.send(reason.to_string());
        async {}
    });
    let config = Config { parser: Parser::Custom(Arc::new(Lines)), ..Config::default() };
    let (server, io) = server::socketio(config, [root]).await;
    let mut client = connect(&server).await;
    send(&mut client, &["p /"]).await;
    assert_eq!(told.next().await, "forced close");
    assert!(io.sockets().is_empty());
    connect(&server).await;
}
