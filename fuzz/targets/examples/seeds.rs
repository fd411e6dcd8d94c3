//! Writes those seeds that are made of models: `cargo run -p fuzz-targets --example seeds`, after a
//! change of a format.

use std::fs;
use std::path::Path;

use fuzz_targets::graphs::every_operation;
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
        write("record", &format!("{name}-picture"), &[4 + i as u8, 70, 0, b'1', 0, 1, 0]);
        // A layer reads another, a number changes.
        write("lines", name, &[i as u8, 9, 0, 4, 0, 5, 6, 0, 3]);
        write("lines", &format!("{name}-picture"), &[4 + i as u8, 6, 1, 0, 0, 1, 8, 3, 0]);
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
    let ppm = |side: usize, wide: usize| -> Vec<u8> {
        let pixels = (0..3 * side * wide).map(|i| (i * 37 % 251) as u8);
        format!("P6 {wide} {side} 255\n").into_bytes().into_iter().chain(pixels).collect()
    };
    for precision in 0..4u8 {
        let choice = precision | (precision & 1) << 2 | 7 << 3;
        let picture = ppm(8, [8, 12][usize::from(precision) % 2]);
        write("translate", &format!("ppm-{precision}"), &[&[choice], &picture[..]].concat());
    }
    data(&ppm);
    for file in 0..8 {
        write("checkpoint", &format!("kept-{file}"), &[file, 0, 90, 0, 7]);
        write("checkpoint", &format!("mended-{file}"), &[file, 1, 90, 0, 7, 200, 1, 255]);
    }
}

/// Seeds of the readers of data.
fn data(ppm: &dyn Fn(usize, usize) -> Vec<u8>) {
    for pair in 0..6u8 {
        write("pairs", &format!("halves-{pair}"), &[&[pair, 7], &ppm(8, 16)[..]].concat());
    }
    for beside in [12, 13] {
        let (a, b) = (ppm(8, 8), ppm(9, 9));
        let length = (a.len() as u16).to_le_bytes();
        let bytes = [&[beside, 7], &length[..], &a, &b].concat();
        write("pairs", &format!("beside-{beside}"), &bytes);
    }

    let mut random = Random(11);
    let mut bytes = |n: usize| -> Vec<u8> { (0..n).map(|_| random.number() as u8).collect() };
    for i in 0..8 {
        write("nested", &format!("{i}"), &bytes(400));
        write("cifar", &format!("{i}"), &[&bytes(8)[..], b"airplane\nautomobile\nbird\n"].concat());
    }

    let npy = |descr: &str, order: &str, shape: &str, values: &[u8]| {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        let length = (text.len() as u16).to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &length, text.as_bytes(), values].concat()
    };
    let images = [
        npy("|u1", "False", "3, 5, 5", &bytes(75)),
        npy("|u1", "True", "3, 3, 5, 5", &bytes(225)),
        npy("<f4", "False", "2, 3, 3", &0.5f32.to_le_bytes().repeat(18)),
        npy("<u2", "False", "5, 6, 3", &bytes(180)),
        npy("|b1", "False", "2, 49", &[1, 0].repeat(49)),
        npy("<i8", "False", "2, 3, 3, 1", &7i64.to_le_bytes().repeat(18)),
    ];
    for (i, images) in images.iter().enumerate() {
        let labels = npy("<i8", "False", "3,", &[[3; 8], [4; 8], [3; 8]].concat());
        let length = (images.len() as u16).to_le_bytes();
        write("numpy", &format!("{i}"), &[&[i as u8], &length[..], images, &labels].concat());
    }

    let header: Vec<String> = (0..64).map(|i| format!("pixel{i}")).collect();
    let row = |from: usize| -> Vec<String> { (from..from + 64).map(|i| i.to_string()).collect() };
    let kaggle =
        format!("label,{}\n3,{}\n7,{}\n", header.join(","), row(0).join(","), row(9).join(","));
    write("table", "kaggle", kaggle.as_bytes());
    write("table", "plain", format!("{}\n{}\n", row(1).join(","), row(2).join(",")).as_bytes());
    let (a, b) = (row(3).join(" "), row(5).join(" "));
    let faces = format!("emotion,pixels,Usage\n0,{a},Training\n1,\"{b}\",PublicTest\n");
    write("table", "fer", faces.as_bytes());

    let mut tar = tar::Builder::new(Vec::new());
    for (i, name) in ["a.ppm", "cat/b.ppm", "./dog/c.ppm", &"long/".repeat(25)].iter().enumerate() {
        let bytes = ppm(4, 4 + i);
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("{name}{i}.ppm"), &bytes[..])
            .expect("memory takes it");
    }
    let tar = tar.into_inner().expect("memory takes it");
    write("tar", "whole", &[&[0], &tar[..]].concat());
    write("tar", "mended", &[&[1], &tar[..]].concat());
    write("tar", "packed", &[&[3], &tar[..]].concat());
}
