//! Writes those seeds that are made of models: `cargo run -p fuzz-targets --example seeds`, after a
//! change of a format.

use std::fs;
use std::path::Path;

use fuzz_targets::model::every_operation;
use fuzz_targets::mutate::Random;
use runtime::{npy, onnx};

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), bytes).expect("a file");
}

fn main() {
    let graph = every_operation();
    let records = [
        ("f32", graph.to_record()),
        ("packed", graph.pack()),
        ("f16", graph.halve()),
        ("int8", graph.quantize(0..4)),
    ];
    for (i, (name, record)) in records.into_iter().enumerate() {
        write("metadata", name, &record.expect("a generator"));
        write("record", name, &[i as u8, 70, 0, b'1', 0, 1, 0]);
    }
    let mut random = Random(7);
    for i in 0..8 {
        let bytes: Vec<u8> = (0..120).map(|_| random.number() as u8).collect();
        write("graph", &format!("{i}"), &bytes);
    }
    write("onnx", "floats", &onnx::write(&graph).expect("a generator"));
    write("onnx", "bytes", &onnx::write_bytes(&graph).expect("a generator"));
    write("npy", "matrix", &npy::write(&[2, 3], [0.5, -1.0, 2.0, 3.0, -4.0, 0.0]));
    write("npy", "scalar", &npy::write(&[], [1.0]));
    for file in 0..8 {
        write("checkpoint", &format!("kept-{file}"), &[file, 0, 90, 0, 7]);
        write("checkpoint", &format!("mended-{file}"), &[file, 1, 90, 0, 7, 200, 1, 255]);
    }
}
