//! Layers of PyTorch as those of a graph.

use runtime::graph::{self, Layer};
use runtime::op::{Activation, Op, Window};

use super::error::ImportError;
use super::module::{Module, room};

/// A layer named after its operation and its `number` in the graph.
pub(super) fn layer(number: usize, op: Op, weight: Vec<f32>, bias: Vec<f32>) -> Layer {
    let name = format!("{}{number}", name_of(&op));
    Layer { weight, bias, ..Layer::new(name, op) }
}

fn name_of(op: &Op) -> &'static str {
    match op {
        Op::Dense { .. } => "dense",
        Op::Conv { .. } => "conv",
        Op::ReflectConv { .. } => "reflect_conv",
        Op::ConvTranspose { .. } => "conv_transpose",
        Op::Affine => "batch_norm",
        Op::InstanceNorm { .. } => "instance_norm",
        Op::Add => "add",
        Op::Concat { .. } => "concat",
        Op::Resize { .. } => "upsample",
        Op::Reshape { .. } => "reshape",
        Op::Activate => "activation",
    }
}

/// Kernels of side `k` with zeros behind them.
pub(super) fn enlarged(weight: &[f32], k: usize, side: usize) -> Vec<f32> {
    if side == k {
        return weight.to_vec();
    }
    let mut large = vec![0.0; weight.len() / (k * k) * side * side];
    for (i, row) in weight.chunks_exact(k).enumerate() {
        let at = (i / k * side + i % k) * side;
        large[at..at + k].copy_from_slice(row);
    }
    large
}

/// PReLU: `max(x, 0) - slope * max(-x, 0)` by two convolutions of kernel 1, unless one slope serves
/// all.
pub(super) fn prelu(slopes: &[f32], c: usize, number: usize) -> Vec<Layer> {
    let layer = |part: &str, op, activation, weight| Layer {
        activation,
        weight,
        ..Layer::new(format!("prelu{number}{part}"), op)
    };
    if slopes.windows(2).all(|w| w[0] == w[1]) {
        let slope = slopes.first().copied().unwrap_or(0.25);
        return vec![layer("", Op::Activate, Activation::LeakyRelu(slope), vec![])];
    }
    let [split, joined] = graph::prelu(slopes);
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    vec![
        layer("a", Op::Conv { out: 2 * c, window }, Activation::Relu, split),
        layer("b", Op::Conv { out: c, window }, Activation::None, joined),
    ]
}

/// A pixel shuffle of `c` channels by `r`: a transposed convolution that copies.
pub(super) fn pixel_shuffle(c: usize, r: usize, number: usize) -> Result<Layer, ImportError> {
    let name = "pixel_shuffle";
    let out = c.checked_div(r.saturating_mul(r)).unwrap_or(0);
    if out == 0 || out * r * r != c {
        let what = format!("a pixel shuffle by {r} does not fit {c} channels");
        return Err(ImportError::Layer(name.into(), what));
    }
    room(name, c, c)?;
    let mut weight = vec![0.0; c * c];
    // Channel (o, y, x) becomes pixel (y, x) of channel o.
    weight.iter_mut().step_by(c + 1).for_each(|w| *w = 1.0);
    let window = Window { kernel: r, stride: r, padding: 0 };
    Ok(layer(number, Op::ConvTranspose { out, window }, weight, vec![]))
}

/// Batch norm as a scale and a shift. `before` is the name and shape of the weight before it.
pub(super) fn batch_norm(
    module: &Module<'_>,
    before: Option<&(String, Vec<usize>)>,
    channels: usize,
    epsilon: f32,
    number: usize,
) -> Result<Layer, ImportError> {
    let get = |part: &str| -> Result<Vec<f32>, ImportError> {
        let tensor = module.need(part)?;
        match (tensor.shape[..] == [channels], before) {
            (true, _) => Ok(tensor.values.clone()),
            (false, Some(before)) => Err(ImportError::Shape(
                [before.clone(), (module.named(part), tensor.shape.clone())],
                "a batch norm has a number for each channel that comes before it",
            )),
            (false, None) => {
                let what = format!("{:?} for {channels} channels", tensor.shape);
                Err(ImportError::Layer(module.named(part), what))
            }
        }
    };
    // affine=False: neither of the two.
    let plain = module.get("weight").is_none() && module.get("bias").is_none();
    let (gamma, beta) = match plain {
        true => (vec![1.0; channels], vec![0.0; channels]),
        false => (get("weight")?, get("bias")?),
    };
    let (mean, variance) = (get("running_mean")?, get("running_var")?);
    if let Some(v) = variance.iter().find(|v| v.is_nan() || **v < 0.0) {
        let what = format!("a variance of {v}");
        return Err(ImportError::Layer(module.named("running_var"), what));
    }
    let name = format!("batch_norm{number}");
    Ok(Layer::batch_norm(name, &gamma, &beta, &mean, &variance, epsilon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_behind_a_kernel() {
        assert_eq!(
            enlarged(&[1.0, 2.0, 3.0, 4.0], 2, 3),
            [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_pixel_shuffle_by_any_factor_fits_or_is_an_error() {
        let layer = pixel_shuffle(8, 2, 0).unwrap();
        assert_eq!(layer.weight.iter().filter(|w| **w == 1.0).count(), 8);
        for factor in [0, 3, 1 << 32, usize::MAX] {
            assert!(pixel_shuffle(8, factor, 0).is_err(), "{factor}");
        }
    }
}
