//! Faces from a GPU, in batches, or from the CPU once the GPU is lost.

use std::error::Error;

use image::RgbaImage;
use runtime::gpu::{Gpu, GpuError};
use runtime::{Cpu, Latent};

use super::picture::picture;
use super::terminal::note;

/// Faces per batch: enough to keep a GPU busy, few enough for any memory.
const BATCH: usize = 64;

/// The first face of a batch, and the number of faces.
type Range = (usize, usize);

/// Makes faces in order.
pub struct GpuFaces<'a> {
    gpu: Option<Gpu>,
    cpu: Cpu<'a>,
    /// Number of faces in total.
    count: usize,
    /// Number of the first face that is ready, and the faces.
    ready: (usize, Vec<RgbaImage>),
    /// The batch that the GPU computes meanwhile.
    ahead: Option<Range>,
}

impl<'a> GpuFaces<'a> {
    /// `cpu` takes over if `gpu` is lost.
    pub fn new(gpu: Gpu, cpu: Cpu<'a>, count: usize) -> GpuFaces<'a> {
        GpuFaces { gpu: Some(gpu), cpu, count, ready: (0, Vec::new()), ahead: None }
    }

    /// Face `i`, from `latent(i)`.
    ///
    /// # Errors
    /// If a latent does not have the model's length.
    pub fn face<'l>(
        &mut self,
        i: usize,
        latent: impl Fn(usize) -> Latent<'l>,
    ) -> Result<RgbaImage, Box<dyn Error>> {
        let (first, faces) = &self.ready;
        if let Some(face) = i.checked_sub(*first).and_then(|at| faces.get(at)) {
            return Ok(face.clone());
        }
        if let Some(gpu) = &mut self.gpu {
            let batch = |from: usize| -> Vec<Latent<'l>> {
                (from..(from + BATCH).min(self.count)).map(&latent).collect()
            };
            match next(gpu, i, self.ahead.take(), batch) {
                Ok((faces, ahead)) => {
                    self.ready = (i, faces);
                    self.ahead = ahead;
                    if let Some(face) = self.ready.1.first() {
                        return Ok(face.clone());
                    }
                }
                Err(GpuError::Latent(error)) => return Err(error.into()),
                Err(error) => {
                    note(format_args!("{error}: continuing on the CPU from face {i}"));
                    self.gpu = None;
                }
            }
        }
        Ok(picture(&self.cpu.generate(&latent(i))?))
    }
}

/// The faces from `i` on, which may have been begun, and the batch begun after them, which the GPU
/// computes while the CPU compresses.
fn next<'l>(
    gpu: &mut Gpu,
    i: usize,
    ahead: Option<Range>,
    batch: impl Fn(usize) -> Vec<Latent<'l>>,
) -> Result<(Vec<RgbaImage>, Option<Range>), GpuError> {
    let count = match ahead {
        Some((first, count)) if first == i => count,
        _ => {
            while gpu.finish()? {}
            let latents = batch(i);
            gpu.begin(&latents)?;
            latents.len()
        }
    };
    let after = batch(i + count);
    if !after.is_empty() {
        gpu.begin(&after)?;
    }
    gpu.finish()?;
    let faces = (0..count).map(|at| picture(&gpu.image(at))).collect();
    let ahead = (!after.is_empty()).then_some((i + count, after.len()));
    Ok((faces, ahead))
}
