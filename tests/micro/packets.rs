//! What it is: Engine.IO packets and polling bodies, decoded; frames, encoded.
//! What it is not: how a polling body is written, which has no door: the guard's polling cycle has it in it.
//! Who calls it: `main`.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use engineio::{
    Frame, Message, Packet, Revision,
    payload::{Form, decode},
};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engineio_packet");
    for (name, packet) in [("message", format!("42[\"echo\",\"{}\"]", "x".repeat(64))), ("pong", "3".to_owned())] {
        let unit = Message::Text(packet.into());
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            bencher.iter(|| Packet::decode(unit.clone(), Revision::V4).expect("a packet"));
        });
    }
    for length in [64, 1024, 65_536] {
        let text = "x".repeat(length);
        group.bench_function(BenchmarkId::new("encode_text", length), |bencher| {
            bencher.iter(|| Frame::text(&["2", &text]));
        });
        group.bench_function(BenchmarkId::new("encode_binary", length), |bencher| {
            bencher.iter(|| Frame::binary(text.as_bytes()));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("engineio_payload");
    for packets in [1, 16, 256] {
        let body = Bytes::from(vec![format!("42[\"echo\",\"{}\"]", "x".repeat(64)); packets].join("\x1e"));
        group.bench_function(BenchmarkId::new("decode", packets), |bencher| {
            bencher.iter(|| decode(body.clone(), Form::Separated).expect("UTF-8").filter(Result::is_ok).count());
        });
    }
    group.finish();
}
