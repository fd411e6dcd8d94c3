//! The random numbers of a run. Each is a function of the run's seed and the images seen so far, so
//! that a resumed run draws the same numbers without stored state.

use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use runtime::latent::Latent;

/// Independent streams of random numbers.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Latents of a training step.
    Latents = 1,
    /// Mirrored images.
    Mirror = 2,
    /// Latents over which batch norm's statistics are recomputed.
    Statistics = 3,
    /// Initial weights of the generator.
    Generator = 4,
    /// Initial weights of the discriminator.
    Discriminator = 5,
    /// Dropout in the discriminator.
    Dropout = 6,
    /// Augmentation and noise on images.
    Augment = 7,
    /// Initial vectors of spectral normalization.
    Spectral = 8,
    /// Corruption of an autoencoder's input.
    Corruption = 9,
    /// Samples of a variational autoencoder's codes.
    Codes = 10,
    /// Initial weights of the generator of the way back.
    BackGenerator = 11,
    /// Initial weights of the discriminator of the way back.
    BackDiscriminator = 12,
    /// Which translations a discriminator sees again.
    Pool = 13,
    /// Windows of enlarged images.
    Jitter = 14,
    /// Mirrored images of the other set.
    MirrorOthers = 15,
    /// Windows of enlarged images of the other set.
    JitterOthers = 16,
}

/// The random numbers of `stream` at image `image` of a run with seed `seed`.
pub fn rng(seed: u64, stream: Stream, image: u64) -> StdRng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(stream as u64).to_le_bytes());
    key[16..24].copy_from_slice(&image.to_le_bytes());
    StdRng::from_seed(key)
}

/// `n` latents from N(0, 1): `[n, nz, 1, 1]`.
pub fn latents(n: usize, nz: usize, rng: &mut StdRng, device: &Device) -> Tensor<4> {
    normal([n, nz, 1, 1], rng, device)
}

/// Numbers from N(0, 1).
pub fn normal<const D: usize>(shape: [usize; D], rng: &mut StdRng, device: &Device) -> Tensor<D> {
    let values = models::init::normals(shape.iter().product(), rng);
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The latents of the seeds `first..first + n`, as `runtime` makes them for a model of `labels`
/// classes: `[n, nz + labels, 1, 1]`.
pub fn seeds(first: u64, n: usize, nz: usize, labels: usize, device: &Device) -> Tensor<4> {
    let each = (0..n).map(|i| Latent::from_seed(first.wrapping_add(i as u64)));
    filled(each, nz, labels, device)
}

/// The latents of a sheet with a row for each class, of the seeds `0..columns`: `[labels * columns,
/// nz + labels, 1, 1]`.
pub fn rows(columns: usize, nz: usize, labels: usize, device: &Device) -> Tensor<4> {
    let each = (0..labels * columns).map(|i| {
        let seed = Latent::from_seed((i % columns) as u64);
        seed.labeled((i / columns) as u32)
    });
    filled(each, nz, labels, device)
}

fn filled(
    latents: impl ExactSizeIterator<Item = Latent<'static>>,
    nz: usize,
    labels: usize,
    device: &Device,
) -> Tensor<4> {
    let (n, length) = (latents.len(), nz + labels);
    let mut values = vec![0.0; n * length];
    for (z, latent) in values.chunks_exact_mut(length).zip(latents) {
        latent.fill_for(z, labels).expect("a seed makes a latent of any length");
    }
    Tensor::from_data(TensorData::new(values, [n, length, 1, 1]), device)
}

/// Mirrors about half of the images of a batch left to right, in place. An image has `image`
/// values, a row `width`.
pub fn mirror(batch: &mut [f32], image: usize, width: usize, rng: &mut StdRng) {
    for image in batch.chunks_exact_mut(image) {
        if rng.random::<bool>() {
            image.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_positions_differ_and_repeat() {
        let device = Device::flex();
        let draw = |stream, image| -> Vec<f32> {
            latents(2, 3, &mut rng(7, stream, image), &device).into_data().try_to_vec().unwrap()
        };
        let first = draw(Stream::Latents, 0);
        assert_eq!(first, draw(Stream::Latents, 0));
        assert_ne!(first, draw(Stream::Latents, 32));
        assert_ne!(first, draw(Stream::Statistics, 0));
    }

    #[test]
    fn mirrors_whole_images_half_of_the_time() {
        let mut mirrored = 0;
        for step in 0..100 {
            let mut batch = vec![1.0, 2.0, 3.0, 4.0];
            mirror(&mut batch, 4, 2, &mut rng(0, Stream::Mirror, step));
            match batch[..] {
                [1.0, 2.0, 3.0, 4.0] => {}
                [2.0, 1.0, 4.0, 3.0] => mirrored += 1,
                _ => panic!("{batch:?}"),
            }
        }
        assert!((30..70).contains(&mirrored), "{mirrored}");
    }
}
