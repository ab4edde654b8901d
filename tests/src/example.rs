//! What it is: the examples of our crates as running programs.
//! What it is not: a client of theirs.
//! Who calls it: the tests that speak to them.

use std::{
    collections::HashMap,
    env,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::LazyLock,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::within;

/// The programs by the names of crate and example. Cargo says where they are, and builds those that the tests'
/// own build has not: without a deadline.
static PROGRAMS: LazyLock<HashMap<(String, String), PathBuf>> = LazyLock::new(|| {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = std::process::Command::new(cargo)
        .args(["build", "--workspace", "--examples", "--all-features", "--message-format=json"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "the examples build");
    let messages = String::from_utf8(built.stdout).expect("UTF-8");
    let programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let is_example = message["target"]["kind"][0] == "example";
        let program = message["executable"].as_str().filter(|_| is_example)?;
        let package = PathBuf::from(message["manifest_path"].as_str()?);
        let package = package.parent()?.file_name()?.to_str()?.to_owned();
        Some(((package, message["target"]["name"].as_str()?.to_owned()), program.into()))
    });
    programs.collect()
});

/// A running example; killed when it is dropped.
#[derive(Debug)]
pub struct Example {
    child: Child,
    /// Where it says it listens.
    pub place: String,
    /// What it says after that.
    output: Lines<BufReader<ChildStdout>>,
}

impl Example {
    /// Starts it with this argument and environment.
    pub async fn start(package: &str, name: &str, argument: &str, environment: &[(&str, &str)]) -> Self {
        let program = &PROGRAMS[&(package.to_owned(), name.to_owned())];
        let mut command = Command::new(program);
        command.arg(argument).envs(environment.iter().copied());
        command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = within(output.next_line()).await.expect("UTF-8").expect("a line");
        let place = first.strip_prefix("listening on ").expect("where it listens").to_owned();
        Self { child, place, output }
    }

    /// Starts it on a free port.
    pub async fn tcp(package: &str, name: &str, environment: &[(&str, &str)]) -> (Self, SocketAddr) {
        let example = Self::start(package, name, "127.0.0.1:0", environment).await;
        let (_, authority) = example.place.split_once("://").expect("a URL");
        let address = authority.split('/').next().expect("a host").parse().expect("an address");
        (example, address)
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        within(self.child.wait()).await.expect("it can be waited for")
    }

    /// The next line of its output.
    pub async fn line(&mut self) -> String {
        within(self.output.next_line()).await.expect("UTF-8").expect("a line")
    }
}
