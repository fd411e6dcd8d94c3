//! Batch norm with the activation that follows it, channels last.
//!
//! Ioffe and Szegedy 2015, algorithm 1, and its gradients as given below it. Statistics are taken of each picture by
//! two passes while it is in the cache, and put together in order (Chan et al. 1979), so that they are the same for
//! any number of threads.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::kernels::Bend;

/// Mean and (biased) variance of each of `channels` over `x` `[n, h, w, c]`, whose pictures are `picture` long:
/// the means, then the variances.
pub fn statistics(x: &[f32], picture: usize, channels: usize) -> Vec<f32> {
    let parts: Vec<Vec<f32>> = x
        .par_chunks_exact(picture)
        .map(|x| {
            let mut sums = vec![0.0; 2 * channels];
            Arch::new().dispatch(Moments { x, sums: &mut sums });
            sums
        })
        .collect();
    let each = (picture / channels) as f64;
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

/// The sum of each of `channels` over `x` `[n, h, w, c]`, whose pictures are `picture` long.
pub fn sums(x: &[f32], picture: usize, channels: usize) -> Vec<f32> {
    let parts: Vec<Vec<f32>> = x
        .par_chunks_exact(picture)
        .map(|x| {
            let mut sums = vec![0.0; channels];
            Arch::new().dispatch(Totals { x, sums: &mut sums });
            sums
        })
        .collect();
    let mut sums = vec![0f64; channels];
    for part in &parts {
        sums.iter_mut().zip(part).for_each(|(to, v)| *to += *v as f64);
    }
    sums.into_iter().map(|v| v as f32).collect()
}

/// `y` of `x`: `z = x * scale + shift` by channel, then `z` where positive and else `slope * z`.
pub fn affine(x: &[f32], picture: usize, scale: &[f32], shift: &[f32], slope: f32) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    y.par_chunks_mut(picture).zip(x.par_chunks(picture)).for_each(|(y, x)| {
        Arch::new().dispatch(Affine { x, y, scale, shift, slope });
    });
    y
}

/// What batch norm's gradients are made of.
pub struct Normed<'a> {
    /// What was normalised, `[n, h, w, c]`.
    pub x: &'a [f32],
    /// Numbers of a picture.
    pub picture: usize,
    /// Means, then variances, of each channel.
    pub statistics: &'a [f32],
    /// Scale of each channel.
    pub gamma: &'a [f32],
    /// Shift of each channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
    /// Slope of the activation where it is negative.
    pub slope: f32,
}

impl Normed<'_> {
    /// `x * scale + shift` is the normalised and scaled `x`.
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

    /// Normalised, scaled, shifted and activated.
    pub fn forward(&self) -> Vec<f32> {
        let (scale, shift) = self.scale_and_shift();
        affine(self.x, self.picture, &scale, &shift, self.slope)
    }

    /// The gradients by `x`, `gamma` and `beta`, of the gradient by what came out.
    pub fn backward(&self, dy: &[f32]) -> [Vec<f32>; 3] {
        let channels = self.gamma.len();
        let (scale, shift) = self.scale_and_shift();
        let (mean, variance) = self.statistics.split_at(channels);
        let parts: Vec<Vec<f32>> = self
            .x
            .par_chunks_exact(self.picture)
            .zip(dy.par_chunks_exact(self.picture))
            .map(|(x, dy)| {
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
            })
            .collect();
        let mut sums = vec![0f64; 2 * channels];
        for part in &parts {
            sums.iter_mut().zip(part).for_each(|(to, v)| *to += *v as f64);
        }
        let count = (self.x.len() / channels) as f64;
        let (by_shift, by_scale) = sums.split_at(channels);
        // dx = scale * (dz - mean(dz) - normalised * mean(dz * normalised)), as dz * scale + x * slant + offset.
        let (mut slant, mut offset) = (vec![0.0; channels], vec![0.0; channels]);
        let (mut gamma, mut beta) = (vec![0.0; channels], vec![0.0; channels]);
        for c in 0..channels {
            let inverse = 1.0 / (variance[c] as f64 + self.epsilon as f64).sqrt();
            let (scale, mean) = (scale[c] as f64, mean[c] as f64);
            let by_normalised = by_scale[c] * inverse;
            (gamma[c], beta[c]) = (by_normalised as f32, by_shift[c] as f32);
            let tilt = -scale * inverse * by_normalised / count;
            slant[c] = tilt as f32;
            offset[c] = (-scale * by_shift[c] / count - tilt * mean) as f32;
        }
        let mut dx = vec![0.0; self.x.len()];
        dx.par_chunks_mut(self.picture)
            .zip(self.x.par_chunks(self.picture))
            .zip(dy.par_chunks(self.picture))
            .for_each(|((dx, x), dy)| {
                Arch::new().dispatch(Back {
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

/// Sums of a picture by channel, then sums of squares about the picture's own mean.
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

/// Sums of a picture by channel.
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

/// Sums by channel of the gradient before the activation, then of it times `x` less its mean.
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

struct Back<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    slant: &'a [f32],
    offset: &'a [f32],
    slope: f32,
}

impl WithSimd for Back<'_> {
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

/// Numbers of one task of an element-wise function.
const TASK: usize = 1 << 14;

/// A function of every number.
pub fn bend(x: &[f32], bend: Bend) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    y.par_chunks_mut(TASK)
        .zip(x.par_chunks(TASK))
        .for_each(|(y, x)| Arch::new().dispatch(Bent { x, y, bend }));
    y
}

/// The gradient by what went into [`bend`], of what came out and the gradient by that.
pub fn unbend(y: &[f32], dy: &[f32], bend: Bend) -> Vec<f32> {
    let mut dx = vec![0.0; y.len()];
    dx.par_chunks_mut(TASK)
        .zip(y.par_chunks(TASK).zip(dy.par_chunks(TASK)))
        .for_each(|(dx, (y, dy))| Arch::new().dispatch(Unbent { y, dy, dx, bend }));
    dx
}

struct Bent<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    bend: Bend,
}

impl WithSimd for Bent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let each = self.y.iter_mut().zip(self.x);
        match self.bend {
            // Multiplied either way, so that there is no branch: signs follow no pattern.
            Bend::Leaky(slope) => {
                each.for_each(|(y, &x)| *y = x * if x > 0.0 { 1.0 } else { slope });
            }
            Bend::Tanh => each.for_each(|(y, &x)| *y = tanh(x)),
        }
    }
}

struct Unbent<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    bend: Bend,
}

impl WithSimd for Unbent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let each = self.dx.iter_mut().zip(self.y.iter().zip(self.dy));
        match self.bend {
            // The slope is positive or zero, so that the sign of what came out is that of what went in.
            Bend::Leaky(slope) => {
                each.for_each(|(dx, (&y, dy))| *dx = dy * if y > 0.0 { 1.0 } else { slope });
            }
            Bend::Tanh => each.for_each(|(dx, (y, dy))| *dx = dy * (1.0 - y * y)),
        }
    }
}

/// Hyperbolic tangent, `1 - 2 / (exp(2 x) + 1)`, in steps that a compiler makes into registers of them. Off by less
/// than 2e-7.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 leaves the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    // exp(2 x) = 2^(whole + rest): the whole part goes into the exponent, the rest into a power series.
    let power = (x * (2.0 * std::f32::consts::LOG2_E)).clamp(-40.0, 40.0);
    let whole = (power + ROUND) - ROUND;
    let rest = (power - whole) * std::f32::consts::LN_2;
    const SERIES: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let mut sum = 1.0 / 5040.0;
    let mut i = 0;
    while i < SERIES.len() {
        sum = sum * rest + SERIES[i];
        i += 1;
    }
    let scale = f32::from_bits(((whole as i32 + 127) as u32) << 23);
    1.0 - 2.0 / (sum * scale + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_tanh() {
        let mut worst = 0.0f64;
        for i in -1_000_000..=1_000_000 {
            let x = i as f32 * 2e-5;
            worst = worst.max((tanh(x) as f64 - (x as f64).tanh()).abs());
        }
        assert!(worst < 2e-7, "off by {worst}");
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert!(tanh(f32::NAN).is_nan());
    }
}
