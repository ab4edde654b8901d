//! What it is: what the servers of a cluster tell each other, and its bytes.
//! What it is not: the carrying (`cluster`), nor what is done with it (`inbox`).
//! Who calls it: `servers` writes messages, `inbox` reads them.
//!
//! ```text
//! length | JSON: {"version":1,"from":"..","to":null,"body":{"emit":[..]}}
//! length | the list of an event, as JSON: ["name",1,2]          where the body has one
//! length | what a placeholder in it stands for                   each of them
//! ```
//! A length has four bytes, the highest first.

use std::{collections::BTreeSet, error, fmt, net::IpAddr};

use bytes::Bytes;
use engineio::ByteString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    args::Args,
    cluster::ServerId,
    decoder::{self, Incoming},
    error::DecodeError,
    id::SocketId,
    limits::Limits,
    list,
    rooms::Room,
};

/// That of the messages of this version; a server leaves those of another one.
const VERSION: u32 = 1;

/// Bytes of a length.
const LENGTH: usize = 4;

/// A message, and who sent it.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) from: ServerId,
    /// Whom it is for; all, if nobody is named.
    pub(crate) to: Option<ServerId>,
    pub(crate) body: Body,
    pub(crate) parts: Vec<Bytes>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<B> {
    version: u32,
    from: ServerId,
    to: Option<ServerId>,
    /// Not looked into before the version is known.
    body: B,
}

/// What a message says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    /// The sender has come, or has missed something: who is there says so, and who is in its rooms that tell it.
    Hello,
    /// The sender is there, and has told so often that somebody came to such a room or went.
    Here(u64),
    /// The same, and that it will tell all who are in such rooms, of these namespaces; it has no others.
    Showing(u64, BTreeSet<String>),
    /// Who is in such rooms of a namespace?
    Who(String),
    /// That, or who comes and goes.
    Attending(String, Attending),
    /// The sender leaves.
    Bye,
    /// An event for clients. Its list follows.
    Emit(Recipients, Manner),
    /// The same, whose recipients are asked for answers, within so many milliseconds if it says so. Its list follows.
    Ask(u64, Recipients, Manner, Option<u64>),
    Join(Recipients, Vec<Room>),
    Leave(Recipients, Vec<Room>),
    /// With their connections, if it says so.
    Disconnect(Recipients, bool),
    /// Which sockets are meant?
    Fetch(u64, Recipients),
    /// An event for servers, whose answer is wanted if it has a number. Its list follows.
    Call(Option<u64>),
    /// The answers to this request are no longer waited for.
    Forget(u64),
    /// The answer to a request.
    Answer(u64, Answer),
    /// A part of one, or all of one that may be too large for a message.
    Part(u64, Answer),
    /// That was all, in so many parts.
    Parts(u64, usize),
}

/// Who is in rooms that tell it, of sockets of one server.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Attending {
    Came(Attendee),
    Went(Room, SocketId),
    /// All of them.
    All(Vec<Attendee>),
}

/// A socket in a room, whose it is, and what others may know of that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attendee {
    pub(crate) room: Room,
    pub(crate) id: SocketId,
    pub(crate) user: String,
    pub(crate) info: Value,
}

/// Who is meant, and in which namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipients {
    pub(crate) namespace: String,
    pub(crate) rooms: Vec<Room>,
    pub(crate) except: Vec<Room>,
}

/// How an event is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Manner {
    pub(crate) volatile: bool,
    pub(crate) unkept: bool,
    pub(crate) uncompressed: bool,
}

/// What a server answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Sockets(Vec<Described>),
    /// Who answered, each with the number of attachments of its list, and who did not. The lists follow.
    Acks(Vec<(SocketId, usize)>, Vec<(SocketId, Missing)>),
    /// The answer of a server. Its list follows.
    Reply,
    /// The server has no handler for that.
    NoHandler,
    /// The handler failed.
    Failed,
}

/// Bytes that an answer of a client takes beside its list, about.
pub(crate) const BESIDE: usize = 64;

impl Answer {
    /// About how many bytes it takes, without what follows.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Sockets(sockets) => sockets.iter().map(Described::size).sum(),
            Self::Acks(answers, missing) => (answers.len() + missing.len()) * BESIDE,
            Self::Reply | Self::NoHandler | Self::Failed => 0,
        }
    }
}

/// Why a client gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Missing {
    Timeout,
    Disconnected,
    TooManyAcks,
}

/// What is told of a socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) id: SocketId,
    pub(crate) rooms: Vec<Room>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) user: Option<String>,
    pub(crate) info: Value,
}

impl Described {
    /// About how many bytes it takes.
    fn size(&self) -> usize {
        let rooms: usize = self.rooms.iter().map(|room| room.as_str().len() + 3).sum();
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        let info = if self.info.is_null() { 4 } else { self.info.to_string().len() };
        200 + rooms + headers + self.query.len() + self.user.as_ref().map_or(0, String::len) + info
    }
}

/// What is told of sockets, in parts of about so many bytes; of nobody in one, as that has to be said, too.
pub(crate) fn parted(sockets: Vec<Described>, size: usize) -> Vec<Vec<Described>> {
    let (mut all, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
    for socket in sockets {
        let more = socket.size();
        if bytes > 0 && bytes + more > size {
            all.push(std::mem::take(&mut part));
            bytes = 0;
        }
        bytes += more;
        part.push(socket);
    }
    all.push(part);
    all
}

/// Why a message of another server is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterError {
    /// It is no message of a server of this kind, or not all of one.
    Malformed,
    /// Its server has another version, whose messages this one does not know.
    Version,
    /// More servers are there than can be known, 10,000.
    TooManyServers,
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is no message of a server of the cluster",
            Self::Version => "its server has another version",
            Self::TooManyServers => "its server is one too many",
        })
    }
}

impl error::Error for ClusterError {}

/// A list that is malformed is a message that is.
impl From<DecodeError> for ClusterError {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

/// Writes a message.
pub(crate) fn write<'a>(
    from: &ServerId,
    to: Option<&ServerId>,
    body: &Body,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Bytes {
    let envelope = Envelope { version: VERSION, from: from.clone(), to: to.cloned(), body };
    let mut out = vec![0; LENGTH];
    serde_json::to_writer(&mut out, &envelope).expect("names and numbers can be written as JSON");
    let envelope = length(out.len() - LENGTH);
    out[..LENGTH].copy_from_slice(&envelope);
    for part in parts {
        out.extend_from_slice(&length(part.len()));
        out.extend_from_slice(part);
    }
    out.into()
}

fn length(bytes: usize) -> [u8; LENGTH] {
    u32::try_from(bytes).expect("an event has less than 4 GiB").to_be_bytes()
}

/// Reads a message.
pub(crate) fn read(mut message: Bytes) -> Result<Message, ClusterError> {
    let mut parts = Vec::new();
    while !message.is_empty() {
        let length = message.split_off_checked(LENGTH)?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        parts.push(message.split_off_checked(length)?);
    }
    if parts.is_empty() {
        return Err(ClusterError::Malformed);
    }
    let envelope = parts.remove(0);
    let malformed = |_| ClusterError::Malformed;
    let Envelope { version, from, to, body } =
        serde_json::from_slice::<Envelope<&RawValue>>(&envelope).map_err(malformed)?;
    if version != VERSION {
        return Err(ClusterError::Version);
    }
    let body = serde_json::from_str(body.get()).map_err(malformed)?;
    Ok(Message { from, to, body, parts })
}

/// Takes bytes from the beginning.
trait SplitOff {
    fn split_off_checked(&mut self, length: usize) -> Result<Bytes, ClusterError>;
}

impl SplitOff for Bytes {
    fn split_off_checked(&mut self, length: usize) -> Result<Bytes, ClusterError> {
        if length > self.len() { Err(ClusterError::Malformed) } else { Ok(self.split_to(length)) }
    }
}

/// An event of another server, to be sent on as it is.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) name: ByteString,
    /// Its list, the name first.
    pub(crate) list: ByteString,
    pub(crate) attachments: Vec<Bytes>,
}

/// Reads an event, which is all of these parts.
pub(crate) fn event(parts: Vec<Bytes>) -> Result<Relayed, ClusterError> {
    let mut attachments = parts.into_iter();
    let text = text(attachments.next())?;
    let attachments: Vec<Bytes> = attachments.collect();
    let Incoming { name, .. } = decoder::event(Args::parse(&text, &text, &unlimited())?, None, &unlimited())?;
    if !attachments.is_empty() && !list::are_all_ours(&text, 0, attachments.len()) {
        return Err(ClusterError::Malformed);
    }
    Ok(Relayed { name, list: text, attachments })
}

fn text(part: Option<Bytes>) -> Result<ByteString, ClusterError> {
    ByteString::try_from(part.ok_or(ClusterError::Malformed)?).map_err(|_| ClusterError::Malformed)
}

/// Reads an event for a server: its list, and what follows it.
pub(crate) fn call(part: Option<Bytes>, attachments: Vec<Bytes>) -> Result<Incoming, ClusterError> {
    Ok(decoder::event(list(part, attachments)?, None, &unlimited())?)
}

/// Reads a list with its attachments.
pub(crate) fn list(part: Option<Bytes>, attachments: Vec<Bytes>) -> Result<Args, ClusterError> {
    let text = text(part)?;
    Ok(Args::parse(&text, &text, &unlimited())?.attach(attachments)?)
}

/// What an application of ours emits is bounded by nothing.
fn unlimited() -> Limits {
    let max = usize::MAX;
    Limits { max_args: max, max_depth: max, max_number: max, max_event_name: max, ..Limits::default() }
}
