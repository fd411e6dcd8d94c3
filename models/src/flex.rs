//! The layers' kernels on a CPU.

use burn::backend::{Flex, TensorMetadata};
use burn_flex::FlexTensor;

use crate::channels_last as last;
use crate::conv::{self, Window};
use crate::kernels::{Adjoints, Bend, Factor, Layers, NormParts, transposed, window};
use crate::norm::{self, Normed};

fn dims(x: &FlexTensor) -> [usize; 4] {
    x.shape().dims()
}

fn forward(w: &Window, x: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let y = conv::forward(w, &last::read(x), &last::read_as_is(weight));
    last::tensor(y, [w.images, w.features, w.rows(), w.columns()])
}

fn data(w: &Window, y: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let x = conv::data(w, &last::read(y), &last::read_as_is(weight));
    last::tensor(x, [w.images, w.channels, w.height, w.width])
}

/// Calls `f` with a batch norm's numbers.
fn normed<R>(parts: &NormParts<Flex>, f: impl FnOnce(&Normed<'_>) -> R) -> R {
    let [n, c, h, w] = dims(&parts.x);
    debug_assert!(n > 0);
    f(&Normed {
        x: &last::read(&parts.x),
        picture: c * h * w,
        statistics: &last::read_as_is(&parts.statistics),
        gamma: &last::read_as_is(&parts.gamma),
        beta: &last::read_as_is(&parts.beta),
        epsilon: parts.epsilon,
        slope: parts.slope,
    })
}

/// Which of an axis' three taps each of the four is the sum of.
const FOLDED: [&[usize]; 4] = [&[2], &[1, 2], &[0, 1], &[0]];
/// Which of the four taps each of the three is a part of.
const UNFOLDED: [&[usize]; 3] = [&[2, 3], &[1, 2], &[0, 1]];

impl Layers for Flex {
    fn conv(x: FlexTensor, weight: FlexTensor, stride: usize, padding: usize) -> FlexTensor {
        let window = window(dims(&x), dims(&weight), stride, padding);
        forward(&window, &x, &weight)
    }

    fn conv_transpose(
        x: FlexTensor,
        weight: FlexTensor,
        stride: usize,
        padding: usize,
    ) -> FlexTensor {
        let window = transposed(dims(&x), dims(&weight), stride, padding);
        data(&window, &x, &weight)
    }

    fn fold(weight: FlexTensor) -> FlexTensor {
        let [out, from, _, _] = dims(&weight);
        let weight = last::read_as_is(&weight);
        let mut folded = vec![0.0; from * out * 16];
        for (pair, to) in folded.chunks_exact_mut(16).enumerate() {
            let (i, o) = (pair / out, pair % out);
            let taps = &weight[(o * from + i) * 9..][..9];
            for (to, at) in to.iter_mut().zip(0..) {
                let [rows, columns] = [FOLDED[at / 4], FOLDED[at % 4]];
                let row = |y: &usize| columns.iter().map(|x| taps[y * 3 + x]).sum::<f32>();
                *to = rows.iter().map(row).sum();
            }
        }
        last::flat(folded, [from, out, 4, 4])
    }

    fn statistics(
        x: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        momentum: f32,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [_, c, h, w] = dims(&x);
        let statistics = norm::statistics(&last::read(&x), c * h * w, c);
        let kept = (1.0 - f64::from(momentum)) as f32;
        let moved = |old: &FlexTensor, new: &[f32]| {
            let old = last::read_as_is(old);
            let each = old.iter().zip(new).map(|(o, n)| o * kept + n * momentum);
            last::flat(each.collect(), [c])
        };
        let mean = moved(&mean, &statistics[..c]);
        let variance = moved(&variance, &statistics[c..]);
        (last::flat(statistics, [2 * c]), mean, variance)
    }

    fn norm(
        x: FlexTensor,
        statistics: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
        slope: f32,
    ) -> FlexTensor {
        let shape = dims(&x);
        let parts = NormParts { x, statistics, gamma, beta, epsilon, slope };
        last::tensor(normed(&parts, |n| n.forward()), shape)
    }

    fn bend(x: FlexTensor, bend: Bend) -> FlexTensor {
        last::tensor(norm::bend(&last::read(&x), bend), dims(&x))
    }

    fn unbend(y: FlexTensor, dy: FlexTensor, bend: Bend) -> FlexTensor {
        last::tensor(norm::unbend(&last::read(&y), &last::read(&dy), bend), dims(&y))
    }

    fn add_bias(x: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let [_, c, h, w] = dims(&x);
        let (scale, shift) = (vec![1.0; c], last::read_as_is(&bias));
        let y = norm::affine(&last::read(&x), c * h * w, &scale, &shift, 1.0);
        last::tensor(y, dims(&x))
    }

    fn bend_biased(x: FlexTensor, bias: FlexTensor, bend: Bend) -> FlexTensor {
        Flex::bend(Flex::add_bias(x, bias), bend)
    }
}

impl Adjoints for Flex {
    fn forward(w: &Window, x: FlexTensor, weight: FlexTensor, _: Factor) -> FlexTensor {
        forward(w, &x, &weight)
    }

    fn data(w: &Window, y: FlexTensor, weight: FlexTensor, _: Factor) -> FlexTensor {
        data(w, &y, &weight)
    }

    fn weight_gradient(w: &Window, x: FlexTensor, y: FlexTensor, _: [Factor; 2]) -> FlexTensor {
        let values = conv::weight(w, &last::read(&x), &last::read(&y));
        last::flat(values, [w.features, w.channels, w.kernel, w.kernel])
    }

    fn unfold(gradient: FlexTensor) -> FlexTensor {
        let [from, out, _, _] = dims(&gradient);
        let gradient = last::read_as_is(&gradient);
        let mut weight = vec![0.0; out * from * 9];
        for (pair, folded) in gradient.chunks_exact(16).enumerate() {
            let (i, o) = (pair / out, pair % out);
            let taps = &mut weight[(o * from + i) * 9..][..9];
            for (to, at) in taps.iter_mut().zip(0..) {
                let [rows, columns] = [UNFOLDED[at / 3], UNFOLDED[at % 3]];
                let column = |x: &usize| rows.iter().map(|y| folded[y * 4 + x]).sum::<f32>();
                *to = columns.iter().map(column).sum();
            }
        }
        last::flat(weight, [out, from, 3, 3])
    }

    fn norm_gradients(parts: NormParts<Flex>, dy: FlexTensor) -> [FlexTensor; 3] {
        let [dx, gamma, beta] = normed(&parts, |n| n.backward(&last::read(&dy)));
        let channels = gamma.len();
        [
            last::tensor(dx, dims(&parts.x)),
            last::flat(gamma, [channels]),
            last::flat(beta, [channels]),
        ]
    }

    fn bias_gradient(dy: FlexTensor) -> FlexTensor {
        let [_, c, h, w] = dims(&dy);
        last::flat(norm::sums(&last::read(&dy), c * h * w, c), [c])
    }

    fn bend_biased_gradients(y: FlexTensor, dy: FlexTensor, bend: Bend) -> [FlexTensor; 2] {
        let dx = Flex::unbend(y, dy, bend);
        let bias = Flex::bias_gradient(dx.clone());
        [dx, bias]
    }
}
