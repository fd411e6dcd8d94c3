//! What a batch of images is made from.

use std::ops::Range;
use std::vec;
use std::vec::Vec;

use super::error::GpuError;
use super::layer;
use super::network::Network;
use crate::image::{self, PictureLength};
use crate::latent::{Latent, LatentLength};
use crate::layer::Input;
use crate::op::Shape;

/// The inputs of a batch.
#[derive(Clone, Copy)]
pub enum Inputs<'b> {
    Latents(&'b [Latent<'b>]),
    /// Pixels; see [`crate::Cpu::translate`].
    Pictures(&'b [&'b [u8]]),
}

impl<'b> Inputs<'b> {
    pub fn len(&self) -> usize {
        match self {
            Inputs::Latents(all) => all.len(),
            Inputs::Pictures(all) => all.len(),
        }
    }

    /// Some of them.
    pub fn part(&self, range: Range<usize>) -> Inputs<'b> {
        match self {
            Inputs::Latents(all) => Inputs::Latents(&all[range]),
            Inputs::Pictures(all) => Inputs::Pictures(&all[range]),
        }
    }

    /// All of them in parts of up to `most`.
    pub fn parts(&self, most: usize) -> impl Iterator<Item = Inputs<'b>> + use<'b> {
        let all = *self;
        (0..all.len().div_ceil(most)).map(move |i| {
            let end = all.len().min((i + 1) * most);
            all.part(i * most..end)
        })
    }

    /// The values that the network reads, with several threads for a large part.
    ///
    /// # Errors
    /// [`GpuError::Latent`] or [`GpuError::Picture`].
    pub fn values(&self, net: &Network, threads: usize) -> Result<Vec<f32>, GpuError> {
        let mut z = vec![0.0; self.len() * layer::values(net.input.shape())];
        match (self, net.input) {
            (Inputs::Latents(all), Input::Latent(n)) => {
                draw(all, (n, net.classes), &mut z, threads).map_err(GpuError::Latent)?;
            }
            (Inputs::Pictures(all), Input::Picture(shape)) => {
                let face = layer::values(shape);
                for (pixels, z) in all.iter().zip(z.chunks_exact_mut(face)) {
                    spread(pixels, shape, z).map_err(GpuError::Picture)?;
                }
            }
            (Inputs::Latents(_), Input::Picture(_)) => {
                return Err(GpuError::Latent(LatentLength { need: 0, got: 0 }));
            }
            (Inputs::Pictures(all), Input::Latent(_)) => {
                let got = all.first().map_or(0, |pixels| pixels.len());
                return Err(GpuError::Picture(PictureLength { need: None, got }));
            }
        }
        Ok(z)
    }
}

/// Draws latents of `n` values.
fn draw(
    all: &[Latent<'_>],
    (n, classes): (usize, usize),
    z: &mut [f32],
    threads: usize,
) -> Result<(), LatentLength> {
    let face = layer::values(Shape::new(n, 1, 1));
    let fill = |latents: &[Latent<'_>], z: &mut [f32]| {
        let mut pairs = z.chunks_exact_mut(face).zip(latents);
        pairs.try_for_each(|(z, l)| l.fill_for(&mut z[..n], classes))
    };
    let threads = threads.min(all.len() / 16);
    if threads < 2 {
        return fill(all, z);
    }
    let each = all.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let parts = all.chunks(each).zip(z.chunks_mut(each * face));
        let parts: Vec<_> =
            parts.map(|(latents, z)| scope.spawn(move || fill(latents, z))).collect();
        parts.into_iter().try_for_each(|part| match part.join() {
            Ok(filled) => filled,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Writes the values of pixels to whole vectors.
fn spread(pixels: &[u8], shape: Shape, z: &mut [f32]) -> Result<(), PictureLength> {
    if pixels.len() != shape.values() {
        return Err(PictureLength { need: Some(shape), got: pixels.len() });
    }
    let pixel = layer::values(Shape::new(shape.c, 1, 1));
    for (from, to) in pixels.chunks_exact(shape.c).zip(z.chunks_exact_mut(pixel)) {
        for (byte, value) in from.iter().zip(to) {
            *value = image::value(*byte);
        }
    }
    Ok(())
}
