//! What it is: broadcasts before anything is sent: who is meant, and the event encoded, once for all of them.
//! What it is not: deliveries, of which the guard counts the instructions.
//! Who calls it: `main`.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use socketio::{Args, Config, Data, Namespace, Reply, Socket, SocketIo, testing::Client};
use tokio::runtime::Builder;

/// Each room has the first so many clients.
const SIZES: [usize; 4] = [10, 100, 1000, 10_000];

pub(crate) fn bench(criterion: &mut Criterion) {
    let root =
        Namespace::new("/").on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room).map(Reply));
    let io = SocketIo::new(Config::default(), [root]);
    encode(criterion, &io);

    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut clients = Vec::new();
    for size in SIZES {
        runtime.block_on(async {
            while clients.len() < size {
                clients.push(Client::connect(&io).await.expect("let in"));
            }
            for client in &clients {
                client.emit_with_ack::<Args>("join", &size.to_string()).await.expect("joined");
            }
        });
    }
    let mut group = criterion.benchmark_group("socketio_rooms");
    let mut select = |name: &str, size: usize, expected: usize, select: &dyn Fn() -> usize| {
        assert_eq!(select(), expected);
        group.bench_function(BenchmarkId::new(name, size), |bencher| bencher.iter(select));
    };
    for (size, half) in SIZES.into_iter().map(|size| (size, size / 10)) {
        let (room, other) = (size.to_string(), half.to_string());
        select("to", size, size, &|| io.to(&*room).ids().len());
        // The smallest room's tenth is nobody's room.
        let members = if size == SIZES[0] { 0 } else { half };
        select("to_two", size, size, &|| io.to(&*room).to(&*other).ids().len());
        select("to_except", size, size - members, &|| io.to(&*room).except(&*other).ids().len());
    }
    group.finish();
}

fn encode(criterion: &mut Criterion, io: &SocketIo) {
    let mut group = criterion.benchmark_group("socketio_broadcast");
    for length in [64, 1024, 65_536] {
        let (text, file, all) = ("x".repeat(length), Bytes::from(vec![0; length]), io.to("room"));
        group.bench_function(BenchmarkId::new("encode_text", length), |bencher| {
            bencher.iter(|| all.encode("msg", &text).expect("JSON"));
        });
        group.bench_function(BenchmarkId::new("encode_binary", length), |bencher| {
            bencher.iter(|| all.encode("msg", &file).expect("JSON"));
        });
    }
    group.finish();
}
