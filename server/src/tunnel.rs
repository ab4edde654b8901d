//! What it is: a WebSocket, or whatever else a connection goes on with, between a client and the application.
//! What it is not: a reader of it: bytes go both ways as they are.
//! Who calls it: `upstream`, when the application has agreed.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Joins both connections, once they have gone on, until either breaks or both have ended.
pub(crate) fn join(client: OnUpgrade, application: OnUpgrade) {
    tokio::spawn(async move {
        // Who has gone meanwhile takes the other along.
        let Ok((client, application)) = tokio::try_join!(client, application) else { return };
        let _broken = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(application)).await;
    });
}
