//! What it is: what the server does without configuration: a few events to try Socket.IO with.
//! What it is not: configurable; an application brings its own.
//! Who calls it: `serve`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use socketio::{Args, Data, Namespace, Rejection, Reply, Room, Socket, SocketId};

use crate::sockets::Sockets;

/// Longest name of a room, in bytes.
const MAX_ROOM: usize = 200;

/// What the client is told about a room.
#[derive(Debug, Serialize)]
struct Membership {
    room: String,
    /// Whose joining or leaving it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<SocketId>,
    members: usize,
}

impl Membership {
    fn of(socket: &Socket, room: &str) -> Self {
        Self { room: room.to_owned(), id: None, members: socket.namespace().to(room).sockets().len() }
    }

    /// Tells the others in the room.
    fn tell(self, socket: &Socket, event: &str) {
        let told = Self { id: Some(socket.id()), ..self };
        socket.to(told.room.as_str()).emit(event, &told).expect("a membership is valid JSON");
    }
}

/// A room that a client named.
fn room(name: Result<Data<String>, Rejection>) -> Result<String, Reply<Value>> {
    match name {
        Ok(Data(name)) if (1..=MAX_ROOM).contains(&name.len()) => Ok(name),
        Ok(_) => Err(error("a room has a name of 1 to 200 bytes")),
        Err(_) => Err(error("the first argument is the name of a room")),
    }
}

fn error(message: &str) -> Reply<Value> {
    Reply(json!({ "error": message }))
}

fn ack(membership: &Membership) -> Reply<Value> {
    Reply(json!(membership))
}

/// The playground's namespace.
pub(crate) fn namespace(sockets: &Arc<Sockets>) -> Namespace {
    let (coming, leaving) = (sockets.clone(), sockets.clone());
    Namespace::new("/")
        .on_connect(move |socket: Socket| {
            coming.insert(&socket);
            let welcome = json!({ "id": socket.id(), "events": ["echo", "join", "leave", "say"] });
            // A client that has gone meanwhile needs no welcome; the same holds below.
            let _gone = socket.emit("welcome", &welcome);
            async {}
        })
        .on_disconnecting(move |socket: Socket| {
            leaving.remove(&socket);
            async {}
        })
        .on("echo", async |socket: Socket, args: Args| {
            let _gone = socket.emit("echo", &args);
            Reply(args)
        })
        .on("join", async |socket: Socket, name: Result<Data<String>, Rejection>| {
            let room = match room(name) {
                Ok(room) => room,
                Err(refusal) => return refusal,
            };
            if let Err(refusal) = socket.join(&room) {
                return error(&refusal.to_string());
            }
            let reply = ack(&Membership::of(&socket, &room));
            Membership::of(&socket, &room).tell(&socket, "joined");
            reply
        })
        .on("leave", async |socket: Socket, name: Result<Data<String>, Rejection>| {
            let room = match room(name) {
                Ok(room) => room,
                Err(refusal) => return refusal,
            };
            socket.leave(&room);
            let reply = ack(&Membership::of(&socket, &room));
            Membership::of(&socket, &room).tell(&socket, "left");
            reply
        })
        .on("say", async |socket: Socket, said: Result<Data<(String, String)>, Rejection>| {
            let Ok(Data((room, text))) = said else {
                return error("the arguments are the name of a room and a text");
            };
            if !socket.rooms().contains(&Room::from(&room)) {
                return error("join the room first");
            }
            let said = json!({ "room": room, "from": socket.id(), "text": text });
            let members = socket.namespace().to(&room).emit("said", &said).expect("a text is valid JSON");
            ack(&Membership { room, id: None, members })
        })
        .on_disconnect(async |socket: Socket| {
            for room in socket.rooms() {
                Membership::of(&socket, room.as_str()).tell(&socket, "left");
            }
        })
}
