//! A generator that was exported to ONNX, as a burn module made by burn's own importer, beside the
//! pictures that the runtime makes from the record that was exported with it.
//!
//! ```sh
//! cargo run -- pictures.png
//! GENERATOR=/path/to/export/generator.onnx cargo run -- pictures.png
//! ```
//!
//! The PNG has a row of the runtime's pictures above a row of burn's. The exit code is 1 if a pixel
//! differs by more than one level of 255.

use std::error::Error;

use std::{env, fs, iter};

use burn::tensor::{Device, Tensor, TensorData};
use image::{Rgb, RgbImage};
use runtime::record::Buffer;
use runtime::{Cpu, Image, Latent, Model};

#[allow(clippy::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/model/generator.rs"));
}

/// Pictures that are compared.
const COUNT: usize = 8;
/// Seed of the first.
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::args().nth(1).ok_or("usage: burn-onnx-check FILE.png")?;
    let record = Buffer::from(fs::read(env!("RECORD"))?);
    let model = Model::parse(record.bytes()).map_err(|e| e.to_string())?;
    let shape = model.output();
    let latents: Vec<f32> = (0..COUNT as u64)
        .map(|i| {
            let mut z = vec![0.0; model.latent()];
            Latent::from_seed(SEED + i).fill_for(&mut z, model.classes()).map(|()| z)
        })
        .collect::<Result<Vec<_>, _>>()?
        .concat();

    let device = Device::default();
    let input = TensorData::new(latents.clone(), [COUNT, model.latent()]);
    let output: Tensor<4> =
        generated::Model::default().forward(Tensor::<2>::from_data(input, &device));
    let dims = output.dims();
    if dims != [COUNT, shape.c, shape.h, shape.w] {
        return Err(format!("burn makes {dims:?}, the runtime {shape}").into());
    }
    let theirs = output.into_data().try_to_vec::<f32>()?;

    let mut sheet = RgbImage::new((COUNT * shape.w) as u32, (2 * shape.h) as u32);
    let mut arena = vec![0.0; model.arena_len()];
    let (mut values, mut levels) = (0.0f32, 0u8);
    for (i, theirs) in theirs.chunks_exact(shape.values()).enumerate() {
        let z = &latents[i * model.latent()..][..model.latent()];
        let mut cpu = Cpu::new(&model, &mut arena)?;
        let ours = cpu.generate(&Latent::from_values(z))?;
        let theirs = Image::new(theirs, shape, model.range());
        for (a, b) in iter::zip(ours.values(), theirs.values()) {
            values = values.max((a - b).abs());
        }
        for (row, image) in [&ours, &theirs].into_iter().enumerate() {
            for (at, pixel) in image.pixels().enumerate() {
                let (x, y) = (at % shape.w + i * shape.w, at / shape.w + row * shape.h);
                sheet.put_pixel(x as u32, y as u32, Rgb(pixel));
            }
        }
        for (a, b) in iter::zip(ours.pixels().flatten(), theirs.pixels().flatten()) {
            levels = levels.max(a.abs_diff(b));
        }
    }
    sheet.save(&out)?;
    println!(
        "{COUNT} pictures of {shape}: largest difference {values:.1e}, {levels} of 255; wrote {out}"
    );
    if levels > 1 {
        return Err("burn's importer makes other pictures".into());
    }
    Ok(())
}
