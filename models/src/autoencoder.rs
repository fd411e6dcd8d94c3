//! Autoencoders of dense layers (Hinton and Salakhutdinov 2006): an encoder from images to codes, a
//! decoder from codes to images, and the decoder as a generator. A convolutional autoencoder is
//! [`dcgan::encoder`](crate::dcgan::encoder) and a [`dcgan`](crate::dcgan) generator that ends in a
//! logistic function.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use crate::dcgan::{Shape, Unsupported};
use crate::init::Init;
use crate::layer::{ConvTranspose, Function, Layer, Sequential};
use crate::mlp;

/// Maps images `[n, channels, size, size]` to `values` values, `[n, values, 1, 1]`: dense layers of
/// `hidden` values with ReLU, then one to the code. For digits, `hidden` 128, 64, 12 and 3 values:
///
/// ```text
/// 1 x 28 x 28 -> 128 -> 64 -> 12 -> 3
/// ```
///
/// # Errors
/// [`Unsupported`] if the network is not defined for a size, channel count or width.
pub fn encoder(
    shape: &Shape,
    hidden: &[usize],
    values: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    check(shape, hidden, values)?;
    let init = &mut Init::new(seed, device);
    let mut layers = Vec::new();
    let (mut from, mut kernel) = (shape.channels, shape.size);
    for &to in hidden {
        layers.push(mlp::from_image(from, to, kernel, init));
        layers.push(Layer::activation(Function::Relu));
        (from, kernel) = (to, 1);
    }
    layers.push(mlp::from_image(from, values, kernel, init));
    Ok(Sequential { layers })
}

/// Maps codes `[n, nz, 1, 1]` to images `[n, channels, size, size]` in (0, 1): the encoder's layers
/// in reverse, then a logistic function.
///
/// # Errors
/// As [`encoder`].
pub fn decoder(
    shape: &Shape,
    hidden: &[usize],
    nz: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    check(shape, hidden, nz)?;
    let init = &mut Init::new(seed, device);
    let mut layers = Vec::new();
    let mut from = nz;
    for &to in hidden.iter().rev() {
        layers.push(mlp::to_image(from, to, 1, init));
        layers.push(Layer::activation(Function::Relu));
        from = to;
    }
    layers.push(mlp::to_image(from, shape.channels, shape.size, init));
    layers.push(Layer::activation(Function::Sigmoid));
    Ok(Sequential { layers })
}

/// A generator of latents from N(0, 1): the decoder behind a dense layer of `nz` values, which is
/// the identity until [`set_codes`] gives it the distribution of codes.
pub fn generator(decoder: Sequential, nz: usize, device: &Device) -> Sequential {
    let mut one = vec![0.0f32; nz * nz];
    one.iter_mut().step_by(nz + 1).for_each(|v| *v = 1.0);
    let first = Layer::ConvTranspose(ConvTranspose {
        weight: Param::from_data(TensorData::new(one, [nz, nz, 1, 1]), device),
        bias: Some(Param::from_tensor(Tensor::zeros([nz], device))),
        stride: 1,
        padding: 0,
    });
    let mut layers = vec![first];
    layers.extend(decoder.layers);
    Sequential { layers }
}

/// The distribution of codes: a mean, and the lower triangular (Cholesky) root of the covariance.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// One mean per value of a code.
    pub mean: Vec<f64>,
    /// Row by row; `root` times its transpose is the covariance.
    pub root: Vec<f64>,
}

/// The distribution of codes in the first layer of a [`generator`]; `None` for other networks.
pub fn codes(generator: &Sequential) -> Option<Codes> {
    let Some(Layer::ConvTranspose(l)) = generator.layers.first() else {
        return None;
    };
    let [nz, to, 1, 1] = l.weight.dims() else {
        return None;
    };
    let floats = |t: TensorData| -> Vec<f64> { t.iter::<f64>().collect() };
    let weight = floats(l.weight.val().into_data());
    let mean = floats(l.bias.as_ref()?.val().into_data());
    // The weight is [in, out]: the root's transpose.
    let root = (0..nz * nz).map(|i| weight[(i % nz) * nz + i / nz]);
    (nz == to).then(|| Codes { mean, root: root.collect() })
}

/// Sets the distribution of codes in the first layer of a [`generator`], which then maps latents
/// from N(0, 1) to such codes.
///
/// # Panics
/// If `generator` was not made by [`generator`], or its codes have another length.
pub fn set_codes(mut generator: Sequential, codes: &Codes, device: &Device) -> Sequential {
    let nz = codes.mean.len();
    let Some(Layer::ConvTranspose(l)) = generator.layers.first_mut() else {
        panic!("the generator does not begin with a layer for codes");
    };
    let floats = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
    let root = floats(&codes.root);
    let weight: Vec<f32> = (0..nz * nz).map(|i| root[(i % nz) * nz + i / nz]).collect();
    let weight = Tensor::from_data(TensorData::new(weight, [nz, nz, 1, 1]), device);
    let bias = Tensor::from_data(TensorData::new(floats(&codes.mean), [nz]), device);
    // Mapped rather than replaced, so that the parameters keep the ids under which records store
    // them.
    l.weight = l.weight.clone().map(|_| weight);
    l.bias = l.bias.clone().map(|b| b.map(|_| bias));
    generator
}

fn check(shape: &Shape, hidden: &[usize], values: usize) -> Result<(), Unsupported> {
    let least = hidden.iter().copied().min().unwrap_or(1);
    mlp::check(shape, [("nz", values), ("hidden", least)])
}
