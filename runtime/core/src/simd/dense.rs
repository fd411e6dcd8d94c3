//! Matrix-vector products: every weight is used once, so memory is the limit.

use core::ops::Range;

use super::activate::Activate;
use super::lanes::Lanes;
use super::part::Work;
use super::set::{Job, Set};
use crate::op::bias_of;

/// Floats of the longest register.
const REGISTER: usize = 16;

/// A transposed convolution of one pixel: a weighted sum of the rows of the weight.
pub(super) struct Rows<'a>(pub Work<'a, f32>);

impl Job for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        let Work { layer, weight, bias, part, x, y, .. } = self.0;
        let (all, plane) = (layer.output.values(), layer.output.plane());
        // Whole registers: values behind the last one are summed in another order.
        let registers = part.share(all.div_ceil(REGISTER));
        let outputs = registers.start * REGISTER..all.min(registers.end * REGISTER);
        // SAFETY: these outputs are the part's own, and the set proves that the CPU has the
        // instructions; so below.
        unsafe {
            let y = y.cut(outputs.start, outputs.len());
            rows::<S::Lanes>(x, weight, bias, (plane, outputs.start), y);
            set.call(Activate(layer.activation, y));
        }
    }
}

/// A dense layer: one dot product per output.
pub(super) struct Dots<'a>(pub Work<'a, f32>);

impl Job for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        let Work { layer, weight, bias, part, x, y, .. } = self.0;
        let outputs = part.share(layer.output.values());
        // SAFETY: as for `Rows`.
        unsafe {
            let y = y.cut(outputs.start, outputs.len());
            dots::<S::Lanes>(x, weight, bias, outputs, y);
            set.call(Activate(layer.activation, y));
        }
    }
}

/// `y = x W + b` for `weight` `[in, out]`: a transposed convolution of one pixel, where the `plane`
/// outputs of a channel share its bias. `y` is a range of the outputs that starts at `first`.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn rows<L: Lanes>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    (plane, first): (usize, usize),
    y: &mut [f32],
) {
    let mut at = 0;
    while at < y.len() {
        let (o, begun) = ((first + at) / plane, (first + at) % plane);
        let end = y.len().min(at + plane - begun);
        y[at..end].fill(bias_of(bias, o));
        at = end;
    }
    let (row, out) = (weight.len() / x.len(), y.len());
    // Four rows at a time, so that `y` is read and written a quarter as often.
    let mut weights = weight.chunks_exact(4 * row);
    let mut inputs = x.chunks_exact(4);
    for (w, x) in weights.by_ref().zip(inputs.by_ref()) {
        let whole = out - out % L::N;
        let w: [&[f32]; 4] = core::array::from_fn(|r| &w[r * row + first..][..out]);
        // SAFETY: every access is at `at + L::N <= out` of `out` values.
        unsafe {
            let x: [L; 4] = [L::splat(x[0]), L::splat(x[1]), L::splat(x[2]), L::splat(x[3])];
            for at in (0..whole).step_by(L::N) {
                let to = y.as_mut_ptr().add(at);
                let mut sum = L::load(to);
                for (r, x) in x.iter().enumerate() {
                    sum = sum.add_product(*x, L::load(w[r].as_ptr().add(at)));
                }
                sum.store(to);
            }
        }
        for at in whole..out {
            for r in 0..4 {
                y[at] += x[r] * w[r][at];
            }
        }
    }
    let left = weights.remainder().chunks_exact(row);
    for (w, x) in left.zip(inputs.remainder()) {
        for (y, w) in y.iter_mut().zip(&w[first..]) {
            *y += x * w;
        }
    }
}

/// `y = W x + b` for `weight` `[out, in]`, for a range of the outputs.
///
/// # Safety
/// The CPU has the instructions of `L`.
#[inline(always)]
unsafe fn dots<L: Lanes>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    outputs: Range<usize>,
    y: &mut [f32],
) {
    let step = 4 * L::N;
    let whole = x.len() - x.len() % step;
    let weights = weight[outputs.start * x.len()..].chunks_exact(x.len());
    for (o, (y, w)) in outputs.zip(y.iter_mut().zip(weights)) {
        let mut lanes = [0.0; REGISTER];
        // SAFETY: every access is below `whole`, which neither row is shorter than; `lanes` is as
        // long as the longest register.
        unsafe {
            let mut sum = [L::splat(0.0); 4];
            for at in (0..whole).step_by(step) {
                for (part, sum) in sum.iter_mut().enumerate() {
                    let at = at + part * L::N;
                    *sum =
                        sum.add_product(L::load(x.as_ptr().add(at)), L::load(w.as_ptr().add(at)));
                }
            }
            let one = L::splat(1.0);
            let [a, b, c, d] = sum;
            let (ab, cd) = (a.add_product(b, one), c.add_product(d, one));
            ab.add_product(cd, one).store(lanes.as_mut_ptr());
        }
        let rest: f32 = x[whole..].iter().zip(&w[whole..]).map(|(x, w)| x * w).sum();
        *y = bias_of(bias, o) + lanes[..L::N].iter().sum::<f32>() + rest;
    }
}
