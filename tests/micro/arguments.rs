//! What it is: what a handler's `Data` does: arguments that came, read as its type.
//! What it is not: the packet around them (`texts`).
//! Who calls it: `main`.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use serde::{Deserialize, de::DeserializeOwned};
use socketio::{Args, Limits, Value};

/// What an application might be sent.
#[derive(Debug, Deserialize)]
struct Order {
    _id: u64,
    _customer: String,
    _items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    _name: String,
    _price: f64,
    _sold: bool,
}

/// A message with a file.
#[derive(Debug, Deserialize)]
struct Upload {
    _name: String,
    _data: Bytes,
}

const ORDER: &str = r#"[{"_id":42,"_customer":"Ada","_items":[
    {"_name":"tea","_price":3.5,"_sold":true},{"_name":"salt","_price":0.8,"_sold":false}]}]"#;

pub(crate) fn bench(criterion: &mut Criterion) {
    let (string, file) = (format!("[\"{}\"]", "x".repeat(64)), Bytes::from(vec![0; 1024]));
    let binary = r#"[{"_placeholder":true,"num":0}]"#;
    let upload = r#"[{"_name":"a.txt","_data":{"_placeholder":true,"num":0}}]"#;
    let files = || vec![file.clone()];
    read::<String>(criterion, "string", &string, Vec::new());
    read::<(f64, u8, bool)>(criterion, "three_numbers", "[1.25,7,true]", Vec::new());
    read::<Order>(criterion, "struct", ORDER, Vec::new());
    read::<serde_json::Value>(criterion, "any_json", ORDER, Vec::new());
    read::<Bytes>(criterion, "binary", binary, files());
    read::<Upload>(criterion, "struct_with_binary", upload, files());
    read::<Value>(criterion, "any_value_with_binary", upload, files());
}

fn read<T: DeserializeOwned>(criterion: &mut Criterion, name: &str, json: &str, attachments: Vec<Bytes>) {
    let args = Args::from_parts(json, attachments, &Limits::default()).expect("arguments");
    let id = BenchmarkId::new("read", name);
    let mut group = criterion.benchmark_group("socketio_arguments");
    group.bench_function(id, |bencher| bencher.iter(|| args.read::<T>().expect("of this type")));
    group.finish();
}
