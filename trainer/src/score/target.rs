//! The generator that is scored or sampled.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use quality::Pictures;
use rayon::prelude::*;
use runtime::cpu::Cpu;
use runtime::graph::Graph;
use runtime::latent::Latent;
use runtime::model::{Model, Precision};
use runtime::onnx;
use runtime::record::Buffer;

use crate::data::{Crop, Form};

/// A generator.
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its record, of any precision.
    pub record: Buffer,
    /// The data that it was trained on, if that is known.
    pub data: Option<PathBuf>,
    /// The crop of the data.
    pub crop: Crop,
    /// Whether rows and columns of the data were exchanged.
    pub transpose: bool,
}

impl Target {
    /// A generator's file: a burn record or an ONNX model.
    ///
    /// # Errors
    /// One that names the file.
    pub fn file(path: &Path) -> Result<Target, Box<dyn Error>> {
        let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let bytes = fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let is_onnx = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
        let record = match is_onnx {
            true => {
                let options = onnx::Options { folder: path.parent(), ..onnx::Options::default() };
                let mut graph = onnx::import(&bytes, &options).map_err(|e| failed(&e))?.graph;
                graph.fold();
                graph.pack().map_err(|e| failed(&e))?
            }
            false => {
                let buffer = Buffer::from(&bytes);
                let model = Model::parse(buffer.bytes()).map_err(|e| failed(&e))?;
                match model.precision() {
                    // Packed weights are many times faster.
                    Precision::F32 => Graph::from_model(&model).pack().map_err(|e| failed(&e))?,
                    _ => bytes,
                }
            }
        };
        Ok(Target {
            name: path.display().to_string(),
            record: Buffer::from(&record),
            data: None,
            crop: Crop::Center,
            transpose: false,
        })
    }

    /// The classes of a conditional generator.
    ///
    /// # Errors
    /// One that names the generator.
    pub fn classes(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let model = Model::parse(self.record.bytes());
        let model = model.map_err(|e| format!("{}: {e}", self.name))?;
        Ok(model.labels().map(ToString::to_string).collect())
    }

    /// The samples of `count` seeds, on all cores. `progress` is called with the number done, from
    /// any thread.
    ///
    /// # Errors
    /// One that names the generator.
    pub fn samples(
        &self,
        count: usize,
        seed: u64,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Pictures, Box<dyn Error>> {
        let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", self.name);
        let model = Model::parse(self.record.bytes()).map_err(|e| failed(&e))?;
        let shape = model.output();
        if shape.h != shape.w || ![1, 3].contains(&shape.c) {
            return Err(failed(&format!("images of {shape:?} cannot be scored")).into());
        }
        let form =
            Form { size: shape.w as u32, channels: shape.c, crop: Crop::Center, transpose: false };
        let done = AtomicUsize::new(0);
        const PART: usize = 32;
        let parts: Vec<Vec<u8>> = (0..count.div_ceil(PART))
            .into_par_iter()
            .map(|part| {
                let mut arena = vec![0.0; model.arena_len()];
                let mut bytes = Vec::new();
                let Ok(mut cpu) = Cpu::new(&model, &mut arena) else {
                    return bytes;
                };
                for i in part * PART..count.min((part + 1) * PART) {
                    let latent = Latent::from_seed(seed.wrapping_add(i as u64));
                    if let Ok(image) = cpu.generate(&latent) {
                        for c in 0..shape.c {
                            for at in 0..shape.w * shape.h {
                                bytes.push(image.pixel(at % shape.w, at / shape.w)[c]);
                            }
                        }
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
                bytes
            })
            .collect();
        let mut pictures = Pictures::new(form.size, form.planes());
        for bytes in parts {
            bytes.chunks_exact(form.values()).for_each(|planes| pictures.push(planes));
        }
        match pictures.len() == count {
            true => Ok(pictures),
            false => Err(failed(&"a seed made no image").into()),
        }
    }
}
