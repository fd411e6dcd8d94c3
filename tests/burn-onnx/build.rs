//! Turns the ONNX file into Rust code and a burn record.

use std::path::Path;
use std::{env, fs};

use burn_onnx::{LoadStrategy, ModelGen};

fn main() {
    println!("cargo:rerun-if-env-changed=GENERATOR");
    let file = env::var("GENERATOR").unwrap_or("../../models/pretrained/faces64-small.onnx".into());
    println!("cargo:rerun-if-changed={file}");
    let record = Path::new(&file).with_extension("bpk");
    println!("cargo:rerun-if-changed={}", record.display());
    let record = fs::canonicalize(&record).unwrap_or_else(|e| panic!("{}: {e}", record.display()));
    println!("cargo:rustc-env=RECORD={}", record.display());
    // The generated file has the name of the ONNX file.
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let copy = Path::new(&out).join("generator.onnx");
    fs::copy(&file, &copy).unwrap_or_else(|e| panic!("{file}: {e}"));
    let copy = copy.to_str().expect("a path in UTF-8");
    ModelGen::new()
        .input(copy)
        .out_dir("model")
        .load_strategy(LoadStrategy::Embedded)
        .run_from_script();
}
