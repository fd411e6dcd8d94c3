//! Batch norm together with the rectifier that follows it, channels last.
//!
//! Ioffe and Szegedy 2015, algorithm 1, and the gradients given below it. Statistics take two
//! passes over each image while it is in the cache, and images are merged in order (Chan et al.
//! 1979), so that the result does not depend on the number of threads.

use pulp::{Arch, Simd, WithSimd};

use crate::parallel::{self, chunk};

/// The means, then the biased variances, of the `channels` of `x` `[n, h, w, c]`, whose images have
/// `image_len` values.
pub fn statistics(x: &[f32], image_len: usize, channels: usize) -> Vec<f32> {
    let parts = parallel::map(x.len() / image_len, &|i| {
        let mut sums = vec![0.0; 2 * channels];
        Arch::new().dispatch(Moments { x: chunk(x, i, image_len), sums: &mut sums });
        sums
    });
    let each = (image_len / channels) as f64;
    let (mut mean, mut square) = (vec![0f64; channels], vec![0f64; channels]);
    for (i, part) in parts.iter().enumerate() {
        let (seen, part) = (i as f64 * each, part.split_at(channels));
        let sums = part.0.iter().zip(part.1);
        for ((mean, square), (sum, squares)) in mean.iter_mut().zip(&mut square).zip(sums) {
            let off = *sum as f64 / each - *mean;
            *mean += off * each / (seen + each);
            *square += *squares as f64 + off * off * seen * each / (seen + each);
        }
    }
    let count = each * parts.len() as f64;
    let mean = mean.into_iter().map(|v| v as f32);
    mean.chain(square.into_iter().map(|v| (v / count) as f32)).collect()
}

/// The sums of the `channels` of `x` `[n, h, w, c]`, whose images have `image_len` values.
pub fn sums(x: &[f32], image_len: usize, channels: usize) -> Vec<f32> {
    let parts = parallel::map(x.len() / image_len, &|i| {
        let mut sums = vec![0.0; channels];
        Arch::new().dispatch(Totals { x: chunk(x, i, image_len), sums: &mut sums });
        sums
    });
    total(&parts, channels).into_iter().map(|v| v as f32).collect()
}

/// The sums over images, in order.
fn total(parts: &[Vec<f32>], len: usize) -> Vec<f64> {
    let mut sums = vec![0f64; len];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(to, v)| *to += *v as f64);
    }
    sums
}

/// `z = x * scale + shift`, with a scale and a shift per channel, then `z` if positive, else
/// `slope * z`.
pub fn affine(x: &[f32], image_len: usize, scale: &[f32], shift: &[f32], slope: f32) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    parallel::chunks(&mut y, image_len, &|i, y| {
        let x = chunk(x, i, image_len);
        Arch::new().dispatch(Affine { x, y, scale, shift, slope });
    });
    y
}

/// The inputs of a batch norm.
pub struct Norm<'a> {
    /// What is normalized, `[n, h, w, c]`.
    pub x: &'a [f32],
    /// Values in one image.
    pub image_len: usize,
    /// Means, then variances, of each channel.
    pub statistics: &'a [f32],
    /// Scale of each channel.
    pub gamma: &'a [f32],
    /// Shift of each channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
    /// Slope of the rectifier below 0; 1 leaves it out.
    pub slope: f32,
}

impl Norm<'_> {
    /// `scale` and `shift` of each channel, with which `x * scale + shift` is the normalized `x`
    /// times `gamma` plus `beta`.
    pub fn scale_and_shift(&self) -> (Vec<f32>, Vec<f32>) {
        let (mean, variance) = self.statistics.split_at(self.gamma.len());
        let scale: Vec<f32> = variance
            .iter()
            .zip(self.gamma)
            .map(|(v, gamma)| gamma / (v + self.epsilon).sqrt())
            .collect();
        let shift = mean.iter().zip(&scale).zip(self.beta);
        let shift = shift.map(|((m, scale), beta)| beta - m * scale).collect();
        (scale, shift)
    }

    /// `x` normalized, scaled, shifted and rectified.
    pub fn forward(&self) -> Vec<f32> {
        let (scale, shift) = self.scale_and_shift();
        affine(self.x, self.image_len, &scale, &shift, self.slope)
    }

    /// The gradients by `x`, `gamma` and `beta`, from the gradient by the output.
    pub fn backward(&self, dy: &[f32]) -> [Vec<f32>; 3] {
        let channels = self.gamma.len();
        let (scale, shift) = self.scale_and_shift();
        let (mean, variance) = self.statistics.split_at(channels);
        let image = |values, i| chunk(values, i, self.image_len);
        let parts = parallel::map(self.x.len() / self.image_len, &|i| {
            let (x, dy) = (image(self.x, i), image(dy, i));
            let mut sums = vec![0.0; 2 * channels];
            Arch::new().dispatch(Sums {
                x,
                dy,
                scale: &scale,
                shift: &shift,
                mean,
                slope: self.slope,
                sums: &mut sums,
            });
            sums
        });
        let sums = total(&parts, 2 * channels);
        let count = (self.x.len() / channels) as f64;
        let (by_shift, by_scale) = sums.split_at(channels);
        // dx = scale * (dz - mean(dz) - normalized * mean(dz * normalized)), written as
        // dz * scale + x * slant + offset.
        let (mut slant, mut offset) = (vec![0.0; channels], vec![0.0; channels]);
        let (mut gamma, mut beta) = (vec![0.0; channels], vec![0.0; channels]);
        for c in 0..channels {
            let inverse = 1.0 / (variance[c] as f64 + self.epsilon as f64).sqrt();
            let (scale, mean) = (scale[c] as f64, mean[c] as f64);
            let by_normalized = by_scale[c] * inverse;
            (gamma[c], beta[c]) = (by_normalized as f32, by_shift[c] as f32);
            let tilt = -scale * inverse * by_normalized / count;
            slant[c] = tilt as f32;
            offset[c] = (-scale * by_shift[c] / count - tilt * mean) as f32;
        }
        let mut dx = vec![0.0; self.x.len()];
        parallel::chunks(&mut dx, self.image_len, &|i, dx| {
            let (x, dy) = (image(self.x, i), image(dy, i));
            Arch::new().dispatch(Backward {
                x,
                dy,
                dx,
                scale: &scale,
                shift: &shift,
                slant: &slant,
                offset: &offset,
                slope: self.slope,
            });
        });
        [dx, gamma, beta]
    }
}

/// Instance norm: each image of `x` `[n, h, w, c]` by its own statistics, then scaled by `gamma`,
/// shifted by `beta` and rectified.
pub struct Instances<'a> {
    /// What is normalized.
    pub x: &'a [f32],
    /// Values in one image.
    pub image_len: usize,
    /// Scale of each channel.
    pub gamma: &'a [f32],
    /// Shift of each channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
    /// Slope of the rectifier below 0; 1 leaves it out.
    pub slope: f32,
}

impl Instances<'_> {
    /// Calls `f` with the norm of each image, in parallel.
    fn each<T: Send>(&self, f: impl Fn(usize, &Norm<'_>) -> T + Sync) -> Vec<T> {
        parallel::map(self.x.len() / self.image_len, &|i| {
            let x = chunk(self.x, i, self.image_len);
            let statistics = statistics(x, self.image_len, self.gamma.len());
            f(
                i,
                &Norm {
                    x,
                    image_len: self.image_len,
                    statistics: &statistics,
                    gamma: self.gamma,
                    beta: self.beta,
                    epsilon: self.epsilon,
                    slope: self.slope,
                },
            )
        })
    }

    /// The output.
    pub fn forward(&self) -> Vec<f32> {
        self.each(|_, norm| norm.forward()).concat()
    }

    /// The gradients by `x`, `gamma` and `beta`, from the gradient by the output.
    pub fn backward(&self, dy: &[f32]) -> [Vec<f32>; 3] {
        let dy = |i: usize| &dy[i * self.image_len..][..self.image_len];
        let (mut dx, mut gammas, mut betas) = (Vec::with_capacity(self.x.len()), vec![], vec![]);
        for [image, gamma, beta] in self.each(|i, norm| norm.backward(dy(i))) {
            dx.extend(image);
            gammas.push(gamma);
            betas.push(beta);
        }
        let sum = |parts: &[Vec<f32>]| {
            total(parts, self.gamma.len()).into_iter().map(|v| v as f32).collect()
        };
        [dx, sum(&gammas), sum(&betas)]
    }
}

/// The sums of an image by channel, then the sums of squares about the image's own means.
struct Moments<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.sums.len() / 2;
        let (sums, squares) = self.sums.split_at_mut(channels);
        add_up(self.x, sums);
        let share = channels as f32 / self.x.len() as f32;
        for x in self.x.chunks_exact(channels) {
            for ((square, sum), x) in squares.iter_mut().zip(&*sums).zip(x) {
                let off = x - sum * share;
                *square += off * off;
            }
        }
    }
}

/// The sums of an image by channel.
struct Totals<'a> {
    x: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Totals<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        add_up(self.x, self.sums);
    }
}

#[inline(always)]
fn add_up(x: &[f32], sums: &mut [f32]) {
    for x in x.chunks_exact(sums.len()) {
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum += x;
        }
    }
}

struct Affine<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    slope: f32,
}

impl WithSimd for Affine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.scale.len();
        let pixels = self.y.chunks_exact_mut(channels);
        for (y, x) in pixels.zip(self.x.chunks_exact(channels)) {
            let by = self.scale.iter().zip(self.shift);
            for ((y, x), (scale, shift)) in y.iter_mut().zip(x).zip(by) {
                let z = x * scale + shift;
                *y = if z > 0.0 { z } else { self.slope * z };
            }
        }
    }
}

/// The sums by channel of `dz`, the gradient before the rectifier, then of `dz * (x - mean)`.
struct Sums<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    mean: &'a [f32],
    slope: f32,
    sums: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.scale.len();
        let (plain, weighted) = self.sums.split_at_mut(channels);
        let pixels = self.x.chunks_exact(channels);
        for (x, dy) in pixels.zip(self.dy.chunks_exact(channels)) {
            let by = self.scale.iter().zip(self.shift).zip(self.mean);
            let to = plain.iter_mut().zip(&mut *weighted);
            for (((x, dy), ((scale, shift), mean)), (plain, weighted)) in
                x.iter().zip(dy).zip(by).zip(to)
            {
                let dz = if x * scale + shift > 0.0 { *dy } else { self.slope * dy };
                *plain += dz;
                *weighted += dz * (x - mean);
            }
        }
    }
}

/// `dz * scale + x * slant + offset`, where `dz` is the gradient before the rectifier.
struct Backward<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    slant: &'a [f32],
    offset: &'a [f32],
    slope: f32,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let channels = self.scale.len();
        let pixels = self.x.chunks_exact(channels);
        let pixels = pixels.zip(self.dy.chunks_exact(channels));
        for (dx, (x, dy)) in self.dx.chunks_exact_mut(channels).zip(pixels) {
            let by = self.scale.iter().zip(self.shift);
            let by = by.zip(self.slant.iter().zip(self.offset));
            for ((dx, (x, dy)), ((scale, shift), (slant, offset))) in
                dx.iter_mut().zip(x.iter().zip(dy)).zip(by)
            {
                let dz = if x * scale + shift > 0.0 { *dy } else { self.slope * dy };
                *dx = dz * scale + (x * slant + offset);
            }
        }
    }
}
