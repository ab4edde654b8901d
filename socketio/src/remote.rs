//! What it is: sockets of all servers of a cluster, as they are told of, and the asking for them.
//! What it is not: a `Socket`; what is known of one on another server is what that said of it.
//! Who calls it: applications, by `Broadcast::fetch_sockets`.

use std::net::IpAddr;

use serde_json::Value;

use crate::{
    broadcast::Broadcast,
    cluster::ServerId,
    cluster_message::{Answer, Body, Described},
    flags::Flags,
    id::SocketId,
    peer::Peer,
    presence::Identification,
    replies::{self, Partial, ReplyError},
    request::Request,
    requests::Heard,
    rooms::Room,
    target::Target,
};

/// A socket of any server of a cluster, as it was when it was asked for (`RemoteSocket`).
#[derive(Debug, Clone)]
pub struct RemoteSocket {
    server: ServerId,
    described: Described,
    operator: Broadcast,
}

impl RemoteSocket {
    /// Its id; read what [`SocketId`] says of clients of revision 3.
    pub fn id(&self) -> &SocketId {
        &self.described.id
    }

    /// The server that has it.
    pub fn server(&self) -> &ServerId {
        &self.server
    }

    /// The rooms it is in, without that of its own id.
    pub fn rooms(&self) -> &[Room] {
        &self.described.rooms
    }

    /// The address of its client, if its server knows that.
    pub fn address(&self) -> Option<IpAddr> {
        self.described.address
    }

    /// The query of its connection, as it came.
    pub fn query(&self) -> &str {
        &self.described.query
    }

    /// The first value of a header, if its server [keeps](engineio::Http::kept_headers) it, and it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.described.headers.iter();
        headers.find(|(kept, _)| kept.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whose it is, as [`Socket::identify`](crate::Socket::identify) said: that, with [`info`](Self::info), stands for
    /// the reference's `data`.
    pub fn user(&self) -> Option<&str> {
        self.described.user.as_deref()
    }

    /// What else that said of it; else it is `null`.
    pub fn info(&self) -> &Value {
        &self.described.info
    }

    /// This socket alone, on whatever server it is: to emit to it, to let it join and leave rooms, to disconnect it.
    pub fn operator(&self) -> Broadcast {
        self.operator.clone()
    }
}

impl Broadcast {
    /// The sockets that are meant at this moment, of all servers of the [cluster](crate::SocketIo::join_cluster), in no
    /// order (`fetchSockets`). Those of this server alone are to be had at once, by [`sockets`](Self::sockets).
    ///
    /// ```no_run
    /// # async fn show(io: socketio::SocketIo) -> Result<(), Box<dyn std::error::Error>> {
    /// for socket in io.of("/").expect("it is always there").to("game").fetch_sockets().await? {
    ///     println!("{} of {:?} on {}", socket.id(), socket.user(), socket.server());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Partial`], when a server went away or gave no answer within
    /// [`request_timeout`](crate::ClusterTimes::request_timeout).
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, Partial<RemoteSocket>> {
        let asked = self.others().map(|servers| {
            let body = |number| Body::Fetch(number, self.recipients());
            Request::new(servers, None, Some(servers.request_timeout()), body, [])
        });
        let here = self.described();
        let mut all = Partial { heard: self.remote(&self.hub.servers.id, here), missing: Vec::new() };
        if let Some(mut asked) = asked {
            while let Some(Heard { from, answer, .. }) = asked.next().await {
                match answer {
                    Answer::Sockets(sockets) => all.heard.extend(self.remote(&from, sockets)),
                    _ => all.missing.push((from, ReplyError::Decode)),
                }
            }
            all.missing.extend(replies::missing(&asked));
        }
        all.complete()
    }

    /// What is told of those of this server.
    pub(crate) fn described(&self) -> Vec<Described> {
        self.peers().iter().map(|peer| describe(peer)).collect()
    }

    fn remote(&self, server: &ServerId, sockets: Vec<Described>) -> Vec<RemoteSocket> {
        let remote = |described: Described| {
            let (target, flags) = (Target::default(), Flags::default());
            let operator = Self { target, flags, ..self.clone() }.to(described.id.clone());
            RemoteSocket { server: server.clone(), described, operator }
        };
        sockets.into_iter().map(remote).collect()
    }
}

fn describe(peer: &Peer) -> Described {
    let handshake = peer.engine.handshake();
    let headers = handshake.headers();
    let headers = headers.map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    let (rooms, identified) = {
        let state = peer.state();
        (state.rooms.clone(), state.data.get::<Identification>())
    };
    Described {
        id: peer.id().clone(),
        rooms,
        address: handshake.remote.map(|remote| remote.ip()),
        query: handshake.query.to_string(),
        headers: headers.collect(),
        user: identified.as_ref().map(|identified| identified.user.clone()),
        info: identified.map(|identified| identified.info.clone()).unwrap_or_default(),
    }
}
