//! What it is: the figures of the process at a glance.
//! What it is not: their course over time; `/metrics` is for that.
//! Who calls it: `api`.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use socketio::ServerId;

use super::{
    route::{Answered, Call, shown},
    seconds,
};
use crate::{member, op};

#[derive(Serialize)]
struct Stats {
    version: &'static str,
    /// In seconds.
    uptime: f64,
    draining: bool,
    connections: usize,
    transports: BTreeMap<String, u64>,
    namespaces: usize,
    sockets: usize,
    rooms: usize,
    users: usize,
    /// By what they came from.
    emits: BTreeMap<String, u64>,
    /// Their recipients, in all.
    deliveries: u64,
    /// Resident bytes; 0 where the system does not tell.
    memory: u64,
    /// If it is one of a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster>,
}

#[derive(Serialize)]
struct Cluster {
    server_id: ServerId,
    /// The others that are there.
    servers: Vec<ServerId>,
}

/// `GET /api/v1/stats`. What namespaces have is counted in those that the key may see.
pub(super) fn show(call: &Call<'_>) -> Answered {
    let (io, metrics) = (call.api.sockets.io(), &call.api.sockets.metrics);
    let (mut sockets, mut rooms, mut users) = (0, 0, HashSet::new());
    let names = call.namespaces()?;
    for everybody in names.iter().filter_map(|name| io.of(name)) {
        sockets += everybody.ids().len();
        for (room, _) in everybody.rooms() {
            if member::is_of_user(room.as_str()) {
                users.insert(room);
            } else {
                rooms += usize::from(op::is_room(room.as_str()));
            }
        }
    }
    let cluster = || Cluster { server_id: io.server_id().clone(), servers: io.other_servers() };
    shown(&Stats {
        version: env!("CARGO_PKG_VERSION"),
        uptime: seconds(call.api.since.elapsed()),
        draining: call.api.is_closing(),
        connections: io.clients_count(),
        transports: metrics.transports(),
        namespaces: names.len(),
        sockets,
        rooms,
        users: users.len(),
        emits: metrics.emits(),
        deliveries: metrics.deliveries(),
        memory: metrics.memory(),
        cluster: call.api.sockets.have_cluster().then(cluster),
    })
}
