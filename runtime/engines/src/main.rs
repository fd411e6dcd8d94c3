//! A face by tract or rten, with as little code as possible:
//!
//!     engines rten|tract MODEL.onnx face.png      makes one face, for `time`
//!     engines rten|tract MODEL.onnx SECONDS       prints the median milliseconds per face
//!
//! The latent has 100 values. RTEN_NUM_THREADS sets the number of threads of rten.

use std::error::Error;
use std::fs::File;
use std::time::Instant;

use rten_tensor::prelude::*;
use tract_onnx::prelude::*;

/// The values of an image, channels first, from -1 to 1.
type Face = Box<dyn FnMut() -> Result<Vec<f32>, Box<dyn Error>>>;

const LATENT: [usize; 4] = [1, 100, 1, 1];

fn latent() -> Vec<f32> {
    (0..100).map(|i| (i as f32 * 0.7).sin()).collect()
}

fn rten(path: &str) -> Result<Face, Box<dyn Error>> {
    let model = rten::Model::load_file(path)?;
    Ok(Box::new(move || {
        let latent = rten_tensor::Tensor::from_data(&LATENT, latent());
        let image: rten_tensor::Tensor<f32> = model.run_one(latent.into(), None)?.try_into()?;
        Ok(image.to_vec())
    }))
}

fn tract(path: &str) -> Result<Face, Box<dyn Error>> {
    let model = tract_onnx::onnx()
        .model_for_path(path)?
        .with_input_fact(0, f32::fact(LATENT).into())?
        .into_optimized()?
        .into_runnable()?;
    Ok(Box::new(move || {
        let latent = tract_onnx::prelude::Tensor::from_shape(&LATENT, &latent())?;
        let images = model.run(tvec!(latent.into()))?;
        Ok(images[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }))
}

fn png(path: &str, values: &[f32]) -> Result<(), Box<dyn Error>> {
    let plane = values.len() / 3;
    let side = (plane as f64).sqrt() as usize;
    let byte = |v: f32| ((v + 1.0) * 127.5 + 0.5) as u8;
    let pixels: Vec<u8> = (0..3 * plane).map(|i| byte(values[i % 3 * plane + i / 3])).collect();
    let mut encoder = png::Encoder::new(File::create(path)?, side as u32, side as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, engine, path, what] = &arguments[..] else {
        return Err("engines rten|tract MODEL.onnx face.png|SECONDS".into());
    };
    let mut face = match engine.as_str() {
        "rten" => rten(path)?,
        "tract" => tract(path)?,
        other => return Err(format!("unknown engine {other}; use rten or tract").into()),
    };
    let Ok(seconds) = what.parse::<f64>() else {
        return png(what, &face()?);
    };
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        std::hint::black_box(face()?);
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    println!("{:.4}", times[times.len() / 2] * 1e3);
    Ok(())
}
