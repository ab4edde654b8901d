//! What it is: the reader of WebSocket frames: headers, unmasking, UTF-8, messages put together.
//! What it is not: system calls; the bytes are there.
//! Who calls it: `main`.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use engineio::{
    Config,
    reader::{Compressed, Reader},
};
use tests::frames::{BINARY, FIN, TEXT, masked};

/// The first byte of a frame that continues a message.
const CONTINUATION: u8 = 0;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engineio_reader");
    let (small, fragment) = ([b'x'; 80], [b'x'; 20]);
    let fragments = [TEXT & !FIN, CONTINUATION, CONTINUATION, CONTINUATION | FIN].map(|first| masked(first, &fragment));
    let cases = [
        ("text_of_80", masked(TEXT, &small)),
        ("16_texts_of_80", masked(TEXT, &small).repeat(16)),
        ("text_in_4_fragments", fragments.concat()),
        ("text_of_4096", masked(TEXT, &[b'x'; 4096])),
        ("binary_of_65536", masked(BINARY, &[0; 65_536])),
    ];
    let config = Config::default();
    for (name, bytes) in cases {
        let mut reader = Reader::new(&config, Compressed::Never);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("read", name), |bencher| {
            let read = |bytes: &mut Vec<u8>| {
                let (mut rest, mut units) = (bytes.as_mut_slice(), 0);
                while reader.read(&mut rest).expect("frames of a client").is_some() {
                    units += 1;
                }
                units
            };
            bencher.iter_batched_ref(|| bytes.clone(), read, BatchSize::SmallInput);
        });
    }
    group.finish();
}
