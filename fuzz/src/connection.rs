//! What it is: any script of packets from two clients to a Socket.IO server of three namespaces, and of emits, timeouts
//! and departures at the server; what each client hears is compared with a model, packet by packet.
//! What it is not: a check of single packets, which is the `decoder` target's, nor of transports: clients poll.
//! Who calls it: libFuzzer and the replay test.
//!
//! A script is text, one letter for each event.
//!
//! | letter | event |
//! |---|---|
//! | `1`, `2` | what follows is done by this client, |
//! | `/`, `a`, `b` | and in this namespace |
//! | `c`, `w`, `f`, `x` | CONNECT: let in at once; by a handler that waits; refused; to a namespace that is not there |
//! | `d` | DISCONNECT |
//! | `e`, `k` | an event that is echoed; one that is answered by an ack |
//! | `q`, `n`, `N`, `u` | an event that makes the server ask; an answer; the last one again; one to nothing |
//! | `j`, `J`, `l`, `L` | joins a room, or the other; leaves it |
//! | `m`, `M` | an event that makes the server emit to a room; to both, but not to the sender |
//! | `K`, `D` | an event that makes the server disconnect the socket; close the connection |
//! | `p`, `P`, `y` | the header of an event with one attachment; with two; an attachment |
//! | `i`, `I`, `v` | no packet; an event without a name; one with a reserved name |
//! | `r`, `R`, `B`, `X` | the server emits to a room; to all; binary to both rooms; disconnects all |
//! | `s`, `S` | the server lets all join a room; leave it |
//! | `t`, `T` | 40 ms pass; 200 ms |
//! | `E`, `o` | the client closes its connection; opens another |

use tokio::runtime::Builder;

use crate::{
    application::{Application, NAMESPACES, ROOMS},
    member::{Join, Request},
    members::Members,
};

/// Longest script that is carried out: what is longer says nothing new, and takes its time.
const MAX_EVENTS: usize = 200;

/// Runs a script; after it both clients go.
pub fn connection(data: &[u8]) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let mut script = Script { members: Members::open(Application::new()).await, client: 0, place: 0 };
        for letter in data.iter().take(MAX_EVENTS) {
            script.step(*letter).await;
        }
        script.members.end().await;
    });
}

struct Script {
    members: Members,
    client: usize,
    /// The namespace, as its place among all.
    place: usize,
}

impl Script {
    /// Carries out one event, and sees what came of it. Other letters do nothing.
    async fn step(&mut self, letter: u8) {
        let Self { members, client, place } = self;
        let (client, place) = (*client, *place);
        match letter {
            b'1' | b'2' => return self.client = usize::from(letter - b'1'),
            b'/' | b'a' | b'b' => {
                let is_meant = |name: &str| name.as_bytes()[name.len() - 1] == letter;
                return self.place = NAMESPACES.iter().position(|name| is_meant(name)).expect("one of three");
            }
            b'c' => members.connect(client, place, Join::AtOnce).await,
            b'w' => members.connect(client, place, Join::Later).await,
            b'f' => members.connect(client, place, Join::Refused).await,
            b'x' => members.connect_to_nothing(client).await,
            b'd' => members.disconnect(client, place).await,
            b'n' => members.answer(client, place).await,
            b'N' => members.answer_again(client).await,
            b'u' => members.answer_to_nothing(client, place).await,
            b'p' | b'P' => members.begin_upload(client, place, if letter == b'p' { 1 } else { 2 }).await,
            b'y' => members.attach(client).await,
            b'i' => members.break_protocol(client, "9").await,
            b'I' => members.break_protocol(client, "2[null]").await,
            b'v' => members.break_protocol(client, "2[\"disconnect\"]").await,
            b'r' => members.emit_to_room(place),
            b'R' => members.emit(place),
            b'B' => members.emit_binary(place),
            b'X' => members.disconnect_all(place),
            b's' => members.all_join(place, ROOMS[1]),
            b'S' => members.all_leave(place, ROOMS[1]),
            b't' => return members.wait(40).await,
            b'T' => return members.wait(200).await,
            b'E' => members.close(client).await,
            b'o' => members.reopen(client).await,
            _ => match request(letter) {
                Some(request) => members.event(client, place, request).await,
                None => return,
            },
        }
        members.settle().await;
    }
}

/// What a client asks for by an event.
fn request(letter: u8) -> Option<Request> {
    Some(match letter {
        b'e' => Request::Echo(0),
        b'k' => Request::Ack,
        b'q' => Request::Ask,
        b'j' => Request::Join(ROOMS[0]),
        b'J' => Request::Join(ROOMS[1]),
        b'l' => Request::Leave(ROOMS[0]),
        b'L' => Request::Leave(ROOMS[1]),
        b'm' => Request::Cast,
        b'M' => Request::Both,
        b'K' => Request::Kick,
        b'D' => Request::Drop,
        _ => return None,
    })
}
