//! Normalized channels. Threads share the channels.

use core::ops::Range;

use super::activate::{Activate, activated};
use super::part::{Part, Places, Work};
use super::set::{Job, Set};
use crate::int8::Norm;
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, padded};
use crate::op::bias_of;
use crate::op::instance_norm::factors;

/// Values summed in `f32` before they are added up in `f64`: one per lane of each of them.
const RUN: usize = 64;

/// Pixels from which on a table of all bytes of a channel is made first.
const TABLE: usize = 255;

/// A layer whose channels are planes.
pub(super) struct Planes<'a> {
    pub epsilon: f32,
    pub work: Work<'a, f32>,
}

impl Job for Planes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        let Planes { epsilon, work } = self;
        let Work { layer, weight: scale, bias: shift, part, x, y, .. } = work;
        let plane = layer.input.plane();
        for c in part.share(layer.input.c) {
            let x = &x[c * plane..][..plane];
            let mean = sum(x, |x| x) / plane as f64;
            let middle = mean as f32;
            let variance = sum(x, |x| (x - middle) * (x - middle)) / plane as f64;
            let (mean, factor) = factors((mean, variance), epsilon, scale[c]);
            let shift = bias_of(shift, c);
            // SAFETY: the channel is the part's own.
            let y = unsafe { y.cut(c * plane, plane) };
            for (x, y) in x.iter().zip(&mut *y) {
                *y = (x - mean) * factor + shift;
            }
            set.call(Activate(layer.activation, y));
        }
    }
}

/// The sum of a function of all values.
#[inline(always)]
fn sum(x: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for run in x.chunks(RUN * LANES) {
        let mut lanes = [0.0f32; LANES];
        let (whole, rest) = run.as_chunks::<LANES>();
        for x in whole {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane += of(*x);
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *lane += of(*x);
        }
        total += lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>();
    }
    total
}

/// A packed layer, whose channels are last.
pub(super) struct Pixels<'a> {
    pub epsilon: f32,
    pub work: Work<'a, f32>,
}

impl Job for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        let Pixels { epsilon, work } = self;
        let Work { layer, weight: scale, bias: shift, part, x, y, .. } = work;
        let (c, n) = (layer.input.c, layer.input.plane() as f64);
        for block in part.share(c.div_ceil(LANES)) {
            let channels = block * LANES..c.min((block + 1) * LANES);
            let mean = sums(x, c, &channels, |_, x| x).map(|sum| sum / n);
            let middle = mean.map(|mean| mean as f32);
            let off = |lane: usize, x: f32| (x - middle[lane]) * (x - middle[lane]);
            let variance = sums(x, c, &channels, off).map(|sum| sum / n);
            let (mut each, mut shifts) = ([(0.0, 0.0); LANES], [0.0; LANES]);
            for (lane, channel) in channels.clone().enumerate() {
                each[lane] = factors((mean[lane], variance[lane]), epsilon, scale[channel]);
                shifts[lane] = shift[channel];
            }
            let (means, factors) = (each.map(|each| each.0), each.map(|each| each.1));
            for (pixel, x) in x.chunks_exact(c).enumerate() {
                let x = lanes_of(&x[channels.clone()]);
                let values: [f32; LANES] = core::array::from_fn(|lane| {
                    (x[lane] - means[lane]) * factors[lane] + shifts[lane]
                });
                let values = activated(set, layer.activation, values);
                // SAFETY: the channels are the part's own.
                let y = unsafe { y.cut(pixel * c + channels.start, channels.len()) };
                match y.first_chunk_mut::<LANES>() {
                    Some(y) => *y = values,
                    None => y.copy_from_slice(&values[..channels.len()]),
                }
            }
        }
    }
}

/// Up to 16 values, followed by zeros.
#[inline(always)]
pub(super) fn lanes_of<T: Copy + Default>(values: &[T]) -> [T; LANES] {
    match values.first_chunk() {
        Some(lanes) => *lanes,
        None => {
            let mut lanes = [T::default(); LANES];
            lanes[..values.len()].copy_from_slice(values);
            lanes
        }
    }
}

/// The sums of a function of the values of a few channels of pixels of `c` values.
#[inline(always)]
fn sums(
    x: &[f32],
    c: usize,
    channels: &Range<usize>,
    of: impl Fn(usize, f32) -> f32,
) -> [f64; LANES] {
    /// Sums that do not wait for each other.
    const APART: usize = 4;
    let mut totals = [0.0; LANES];
    for run in x.chunks(RUN * c) {
        let mut sums = [[0.0f32; LANES]; APART];
        let mut groups = run.chunks_exact(APART * c);
        for group in &mut groups {
            for (sums, pixel) in sums.iter_mut().zip(group.chunks_exact(c)) {
                let x = lanes_of(&pixel[channels.clone()]);
                for lane in 0..LANES {
                    sums[lane] += of(lane, x[lane]);
                }
            }
        }
        for (sums, pixel) in sums.iter_mut().zip(groups.remainder().chunks_exact(c)) {
            let x = lanes_of(&pixel[channels.clone()]);
            for lane in 0..LANES {
                sums[lane] += of(lane, x[lane]);
            }
        }
        for sums in sums {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total += f64::from(sum);
            }
        }
    }
    totals
}

/// A part of an int8 layer.
pub(super) struct Bytes<'a> {
    pub layer: &'a Layer<'a>,
    pub epsilon: f32,
    pub int8: &'a Int8<'a>,
    pub part: Part,
    pub x: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

impl Job for Bytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let Bytes { layer, epsilon, int8, part, x, y } = self;
        // A copy: writing a byte could change what is behind the reference, for all the compiler knows.
        let int8 = &{ *int8 };
        let (c, n) = (padded(layer.input.c), layer.input.plane());
        for block in part.share(layer.input.c.div_ceil(LANES)) {
            let channels = block * LANES..layer.input.c.min((block + 1) * LANES);
            for (channel, moments) in channels.clone().zip(moments(x, c, channels)) {
                let norm = Norm::new(n as u64, moments, epsilon, int8, channel);
                let bytes = (n > TABLE).then(|| norm.bytes(int8));
                for (pixel, x) in x[channel..].iter().step_by(c).enumerate() {
                    let byte = match &bytes {
                        Some(bytes) => bytes[usize::from(*x)],
                        None => norm.byte(*x, int8),
                    };
                    // SAFETY: the channel is the part's own.
                    unsafe { y.put(pixel * c + channel, byte) };
                }
            }
        }
    }
}

/// The sums of the bytes of a few channels of pixels of `c` bytes, and of their squares.
#[inline(always)]
fn moments(x: &[u8], c: usize, channels: Range<usize>) -> [(u64, u64); LANES] {
    let mut each = [(0u64, 0u64); LANES];
    // So few squares of bytes that their sum has 32 bits.
    for run in x.chunks(c.saturating_mul(1 << 16)) {
        let (mut sums, mut squares) = ([0u32; LANES], [0u32; LANES]);
        for pixel in run.chunks_exact(c) {
            let pixel = &pixel[channels.start..channels.end];
            let lanes = match pixel.first_chunk() {
                Some(lanes) => *lanes,
                None => {
                    let mut lanes = [0; LANES];
                    lanes[..pixel.len()].copy_from_slice(pixel);
                    lanes
                }
            };
            for lane in 0..LANES {
                let x = u32::from(lanes[lane]);
                sums[lane] += x;
                squares[lane] += x * x;
            }
        }
        for ((sum, square), lane) in each.iter_mut().zip(0..) {
            *sum += u64::from(sums[lane]);
            *square += u64::from(squares[lane]);
        }
    }
    each
}
