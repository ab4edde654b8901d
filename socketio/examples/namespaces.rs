//! What it is: a namespace for each project, there while somebody is in it, and only for members of the project.
//! What it is not: a place to make projects: which there are is fixed here.
//! Who calls it: `cargo run -p socketio --example namespaces -- 127.0.0.1:3000`

use std::{env, io};

use socketio::{Auth, Config, Data, Hooks, Namespace, Params, Reply, Socket, SocketIo};
use tokio::{net::TcpListener, signal};

const MEMBERS: [(&str, &[&str]); 2] = [("apollo", &["Ann", "Bob"]), ("gemini", &["Bob"])];

#[derive(serde::Deserialize)]
struct User {
    name: String,
}

/// The name `/project-apollo` has the parameter `apollo`.
#[derive(serde::Deserialize)]
struct Project {
    id: String,
}

/// Who is no member is told that there is no such namespace.
async fn is_member(name: String, Auth(user): Auth<User>) -> bool {
    let members = MEMBERS.iter().find(|(id, _)| name.strip_prefix("/project-") == Some(*id));
    members.is_some_and(|(_, members)| members.contains(&user.name.as_str()))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let projects = Namespace::pattern("/project-{id}")
        .only_if(is_member)
        .on("where am i", async |Params(project): Params<Project>| Reply(project.id))
        .on("say", async |socket: Socket, Data(text): Data<String>| {
            let heard = socket.broadcast().emit("said", &text).unwrap_or(0);
            Reply(heard)
        });
    let hooks = Hooks::default().on_new_namespace(|name| println!("{name} is there"));
    let io = SocketIo::new(Config { hooks, ..Config::default() }, [projects, Namespace::new("/lobby")]);
    let end = async {
        drop(signal::ctrl_c().await);
        if let Some(all) = io.family("/project-{id}") {
            let _told = all.emit("bye", "the server stops");
        }
    };
    io.serve(listener, end).await;
    Ok(())
}
