//! What it is: Socket.IO packets, decoded and encoded: text, with attachments, acks; as text and as MessagePack.
//! What it is not: what arguments are read as (`arguments`).
//! Who calls it: `main`.

use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use engineio::{Message, Revision};
use socketio::{OutgoingPacket, PacketType, Parser};

pub(crate) fn bench(criterion: &mut Criterion) {
    let text = "x".repeat(64);
    let (event, answer) = (format!("[\"echo\",\"{text}\"]"), format!("[\"{text}\"]"));
    let attached = r#"["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let attachments = [Bytes::from(vec![0; 64]), Bytes::from(vec![0; 1024])];
    let packet =
        OutgoingPacket { kind: PacketType::Event, namespace: "/", ack: None, payload: &event, attachments: &[] };
    let cases = [
        ("event", packet),
        ("event_in_namespace", OutgoingPacket { namespace: "/chat", ..packet }),
        ("event_with_ack", OutgoingPacket { ack: Some(12), ..packet }),
        ("event_with_attachments", OutgoingPacket { payload: attached, attachments: &attachments, ..packet }),
        ("ack", OutgoingPacket { kind: PacketType::Ack, ack: Some(12), payload: &answer, ..packet }),
    ];
    for (parser_name, parser) in [("socketio_packet", Parser::Default), ("socketio_packet_msgpack", Parser::Msgpack)] {
        let mut group = criterion.benchmark_group(parser_name);
        for (name, packet) in &cases {
            group.bench_function(BenchmarkId::new("encode", name), |bencher| bencher.iter(|| parser.encode(packet)));
            // Events and acks are the same in both directions.
            let sent = parser.encode(packet);
            let messages: Vec<Message> = std::iter::once(sent.first).chain(sent.rest).collect();
            let mut decoder = parser.decoder(Revision::V4, &Arc::default());
            group.bench_function(BenchmarkId::new("decode", name), |bencher| {
                bencher.iter(|| {
                    let pushed = messages.iter().map(|message| decoder.push(message.clone()).expect("a packet"));
                    pushed.last().flatten().expect("whole")
                });
            });
        }
        group.finish();
    }
}
