//! Random numbers.

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::StandardNormal;

/// The next numbers of `rng` from N(0, 1).
pub fn normals(count: usize, rng: &mut StdRng) -> Vec<f32> {
    rng.sample_iter(StandardNormal).take(count).collect()
}

/// The next numbers of `rng` from N(`mean`, `std`).
pub fn scaled_normals(count: usize, [mean, std]: [f32; 2], rng: &mut StdRng) -> Vec<f32> {
    rng.sample_iter::<f32, _>(StandardNormal).take(count).map(|z| mean + std * z).collect()
}

/// The next numbers of `rng`, uniform in [-`bound`, `bound`).
pub fn uniforms(count: usize, bound: f32, rng: &mut StdRng) -> Vec<f32> {
    (0..count).map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound).collect()
}
