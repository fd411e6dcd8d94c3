//! The way from one face to another, as PPM files:
//! `cargo run --release -p runtime --example morph -- FOLDER`

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use runtime::{Cpu, Image, Latent, Model};

static FACES: &[u8] = runtime::include_record!("../../models/pretrained/faces64.bpk");

const FRAMES: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: morph FOLDER")?);
    fs::create_dir_all(&folder)?;
    let model = Model::parse(FACES)?;
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena)?;
    for frame in 0..FRAMES {
        let t = frame as f32 / (FRAMES - 1) as f32;
        let image = cpu.generate(&Latent::between(1, 2, t))?;
        fs::write(folder.join(format!("morph-{frame}.ppm")), ppm(&image))?;
    }
    Ok(())
}

/// A binary PPM file.
fn ppm(image: &Image<'_>) -> Vec<u8> {
    let mut bytes = format!("P6 {} {} 255\n", image.width(), image.height()).into_bytes();
    bytes.extend(image.pixels().flatten());
    bytes
}
