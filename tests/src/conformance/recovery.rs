//! Profile `recovery`: clients that are cut off again and again. `RECOVERY` says in which mode they come back: `full`
//! or `buffer`.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use socketio::{Args, Config, Data, JoinError, Namespace, Recovery, RecoveryMode, Reply, Retries, Socket, SocketIo};

pub(crate) fn server() -> Result<SocketIo, Box<dyn std::error::Error>> {
    let mode = match env::var("RECOVERY").as_deref() {
        Err(_) | Ok("full") => RecoveryMode::Full,
        Ok("buffer") => RecoveryMode::Buffer,
        Ok(other) => return Err(format!("RECOVERY={other} is no mode").into()),
    };
    let recovery = Some(Recovery { mode, ..Recovery::default() });
    let mut config = Config { connection_state_recovery: recovery, ..Config::default() };
    config.engine.ping_interval = Duration::from_millis(500);
    // Official clients that lose their WebSocket in the middle of an upgrade do not notice before that.
    config.engine.ping_timeout = Duration::from_millis(2500);
    Ok(SocketIo::new(config, [namespace()]))
}

fn namespace() -> Namespace {
    let (done, runs) = (Retries::new(1000, Duration::from_secs(60)), Arc::new(AtomicU64::new(0)));
    Namespace::new("/")
        .on("ack-me", async |args: Args| Reply(args))
        .on("count", async |socket: Socket, Data((room, until, pause)): Data<(String, u64, u64)>| {
            socket.join(&*room)?;
            tokio::spawn(count(socket, room, until, Duration::from_millis(pause)));
            Ok::<_, JoinError>(Reply(()))
        })
        .on("do and drop", move |socket: Socket, Data(id): Data<String>| {
            let (done, runs) = (done.clone(), runs.clone());
            async move {
                let work = async {
                    socket.close();
                    runs.fetch_add(1, Ordering::Relaxed) + 1
                };
                Reply(done.once(id, work).await)
            }
        })
}

/// Numbers from 0 on, each after a pause, to whoever is in the room.
async fn count(socket: Socket, room: String, until: u64, pause: Duration) {
    for number in 0..until {
        tokio::time::sleep(pause).await;
        let sent = socket.namespace().to(&*room).emit("number", &number);
        sent.expect("numbers are events");
    }
}
