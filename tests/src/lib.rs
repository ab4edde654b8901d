//! Shared by the tests: servers on free ports, and clients that send and read literal bytes.
//!
//! Nothing in here knows what is right. It is the tests that spell out the bytes.

pub mod application;
pub mod backend;
pub mod example;
pub mod frames;
pub mod http;
pub mod openapi;
pub mod page;
pub mod polling;
pub mod port;
pub mod process;
pub mod redis;
pub mod server;
pub mod socket;

use std::{panic::Location, time::Duration};

/// A server that has not reacted by then never will, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Less than the defaults of the times that are so proven to be set: these are 10 s and more.
const BEFORE_DEFAULTS: Duration = Duration::from_secs(8);

/// What the future comes to; panics, naming its caller, when nothing comes of it.
#[track_caller]
pub fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    bounded(PATIENCE, future)
}

/// The same for what a time that the test has set brings about: the default would, too, only later.
#[track_caller]
pub fn in_time<F: Future>(future: F) -> impl Future<Output = F::Output> {
    bounded(BEFORE_DEFAULTS, future)
}

#[track_caller]
fn bounded<F: Future>(time: Duration, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        match tokio::time::timeout(time, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing happened within {time:?} at {caller}"),
        }
    }
}

/// Names the row of a table that a test was in when it failed.
#[derive(Debug)]
pub struct Row<'a>(pub &'a str);

impl Drop for Row<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the row: {}", self.0);
        }
    }
}

/// Bytes in hex, in which `'` begins and ends text as it is.
pub fn bytes(hex: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, part) in hex.split('\'').enumerate() {
        if at % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u32> = part.chars().filter_map(|digit| digit.to_digit(16)).collect();
        assert_eq!(digits.len() % 2, 0, "{part}: half a byte");
        bytes.extend(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8));
    }
    bytes
}
