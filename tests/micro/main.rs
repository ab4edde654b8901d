//! What it is: micro-benchmarks of single steps, by public doors, most of them there for the fuzz targets.
//! What it is not: a figure of the server as a whole (`tests/bench/run`), nor what fails when it gets slower
//! (`tests/guard/run.py`).
//! Who calls it: `cargo bench -p tests --bench micro`, perhaps with part of a name behind `--`.

mod arguments;
mod packets;
mod rooms;
mod sessions;
mod texts;
mod websocket;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let quick = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = quick.without_plots().configure_from_args();
    packets::bench(&mut criterion);
    websocket::bench(&mut criterion);
    sessions::bench(&mut criterion);
    texts::bench(&mut criterion);
    arguments::bench(&mut criterion);
    rooms::bench(&mut criterion);
    criterion.final_summary();
}
