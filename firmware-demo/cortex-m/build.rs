//! Embeds the record, its arena length and the board's memory map. Environment:
//!
//! - `FACES`: the burn record [default: `faces64.bpk`]
//! - `BOARD`: a memory map in `boards` [default: `an500`]
//! - `STROKES`: what the sketch draws [default: `strokes.txt`]

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in ["FACES", "BOARD", "STROKES"] {
        println!("cargo:rerun-if-env-changed={name}");
    }

    let board = env::var("BOARD").unwrap_or_else(|_| "an500".into());
    let read = |path: &Path| {
        println!("cargo:rerun-if-changed={}", path.display());
        fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
    };
    let mut map = read(&here.join("boards").join(format!("{board}.x")))?;
    map.extend(read(&here.join("boards/faces.x"))?);
    fs::write(out.join("memory.x"), map)?;
    println!("cargo:rustc-link-search={}", out.display());

    let strokes = env::var_os("STROKES").map_or_else(|| here.join("strokes.txt"), PathBuf::from);
    fs::write(out.join("strokes.txt"), read(&strokes)?)?;

    let faces = env::var_os("FACES")
        .map_or_else(|| here.join("../../models/pretrained/faces64.bpk"), PathBuf::from);
    runtime::embed::record(faces)?;
    Ok(())
}
