//! What it is: what a parser of the application's has to do, and the look at what it read.
//! What it is not: the choice between parsers (`parser`).
//! Who calls it: `parser`; applications implement it.

use std::{fmt, sync::Arc};

use engineio::{Message, Revision};

use crate::{
    decoder::{Body, Decode, Packet},
    error::DecodeError,
    limits::Limits,
    packet::{MAX_SAFE_INTEGER, OutgoingPacket, check_event_name},
};

/// A parser of the application's, for clients that have the same. It gives values for values, and must neither wait nor
/// call the server: packets are written under locks while a client is let in, and events with
/// [recovery](crate::Config::connection_state_recovery). A panic of its decoder ends the connection.
///
/// This one does as the default one does, but closes the connection of whoever sends binary, and emits none:
///
/// ```
/// use std::sync::Arc;
///
/// use engineio::Message;
/// use socketio::{
///     Config, CustomParser, Decode, DecodeError, Limits, Messages, OutgoingPacket, Packet, Parser, Revision,
/// };
///
/// #[derive(Debug)]
/// struct TextOnly;
///
/// impl CustomParser for TextOnly {
///     fn supports(&self, packet: &OutgoingPacket<'_>) -> bool {
///         packet.attachments.is_empty()
///     }
///
///     fn encode(&self, packet: &OutgoingPacket<'_>) -> Messages {
///         Parser::Default.encode(packet)
///     }
///
///     fn decoder(&self, revision: Revision, limits: &Arc<Limits>) -> Box<dyn Decode> {
///         Box::new(TextDecoder(Parser::Default.decoder(revision, limits)))
///     }
/// }
///
/// #[derive(Debug)]
/// struct TextDecoder(Box<dyn Decode>);
///
/// impl Decode for TextDecoder {
///     fn push(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
///         // Only a packet that announces binary is not complete with its first message.
///         self.0.push(message)?.ok_or(DecodeError::Attachments).map(Some)
///     }
/// }
///
/// let config = Config { parser: Parser::Custom(Arc::new(TextOnly)), ..Config::default() };
///
/// # use socketio::{Body, PacketType};
/// # let Parser::Custom(parser) = config.parser else { unreachable!() };
/// # let payload = r#"["a",1]"#;
/// # let packet = OutgoingPacket { kind: PacketType::Event, namespace: "/n", ack: None, payload, attachments: &[] };
/// # assert!(parser.supports(&packet));
/// # let messages = parser.encode(&packet);
/// # assert_eq!((&messages.first, messages.rest.len()), (&Message::Text(r#"2/n,["a",1]"#.into()), 0));
/// # let mut decoder = parser.decoder(Revision::V4, &Arc::default());
/// # let packet = decoder.push(messages.first).unwrap().expect("one message is enough");
/// # assert!(matches!(packet.body, Body::Event(event) if &*event.name == "a" && event.args.len() == 1));
/// # let binary = Message::Text(r#"51-["a",{"_placeholder":true,"num":0}]"#.into());
/// # assert_eq!(decoder.push(binary), Err(DecodeError::Attachments));
/// ```
pub trait CustomParser: fmt::Debug + Send + Sync {
    /// Whether it can write this event or ack; if not, emitting it is
    /// [`EmitError::Unsupported`](crate::EmitError::Unsupported). Packets of other types it has to write. Default: all.
    fn supports(&self, _packet: &OutgoingPacket<'_>) -> bool {
        true
    }

    /// Writes a packet, once for all who are sent it; with
    /// [recovery](crate::Config::connection_state_recovery) an event once more, with its offset.
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Messages;

    /// The decoder of a new connection of this revision. It keeps to the limits on what it reads and keeps; that
    /// namespaces, event names, ack ids and the number of arguments are within them, is looked at behind it.
    fn decoder(&self, revision: Revision, limits: &Arc<Limits>) -> Box<dyn Decode>;
}

/// A packet as messages, one at least, which are sent one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    /// The first one, or the only one.
    pub first: Message,
    /// The others.
    pub rest: Vec<Message>,
}

impl From<Message> for Messages {
    fn from(first: Message) -> Self {
        Self { first, rest: Vec::new() }
    }
}

/// The decoder of a custom parser, whose packets are looked at.
#[derive(Debug)]
pub(crate) struct Checked {
    decoder: Box<dyn Decode>,
    limits: Arc<Limits>,
}

impl Checked {
    pub(crate) fn new(decoder: Box<dyn Decode>, limits: &Arc<Limits>) -> Self {
        Self { decoder, limits: limits.clone() }
    }
}

impl Decode for Checked {
    fn push(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        let packet = self.decoder.push(message)?;
        packet.map(|packet| check(&packet, &self.limits).map(|()| packet)).transpose()
    }

    fn awaits(&self) -> Option<&str> {
        self.decoder.awaits()
    }
}

fn check(Packet { namespace, body }: &Packet, limits: &Limits) -> Result<(), DecodeError> {
    if !namespace.starts_with('/') || namespace.len() > limits.max_namespace_name {
        return Err(DecodeError::Namespace);
    }
    let (id, items) = match body {
        Body::Connect(_) | Body::Disconnect => return Ok(()),
        Body::Event(event) => {
            check_event_name(&event.name, limits)?;
            (event.ack, event.args.len() + 1)
        }
        Body::Ack(id, args) => (*id, args.len()),
    };
    if id.is_some_and(|id| id > MAX_SAFE_INTEGER) {
        return Err(DecodeError::AckId);
    }
    if items > limits.max_args { Err(DecodeError::Payload) } else { Ok(()) }
}
