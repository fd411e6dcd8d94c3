//! A GAN of dense layers, the one of introductions (Goodfellow et al. 2014, section 5: digits by
//! multilayer perceptrons).
//!
//! A dense layer is a convolution whose kernel covers the whole image, or a transposed one from a
//! single pixel, so these networks are lists of the same layers as those of
//! [`dcgan`](crate::dcgan), and run wherever those do. Unlike in textbooks, the generator's last
//! layer has a bias per channel, not per pixel.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use crate::dcgan::{Shape, Unsupported};
use crate::init::Init;
use crate::layer::{Conv, ConvTranspose, Function, Layer, Sequential};

/// Smallest and largest side of an image in pixels. In larger images the weights of the last layer
/// outgrow all others.
pub const SIZES: [usize; 2] = [8, 64];

/// Slope of LeakyReLU in the discriminator.
const SLOPE: f32 = 0.2;
/// Default dropout rate of a discriminator.
pub const DROPOUT: f32 = 0.3;

/// Maps a latent `[n, nz, 1, 1]` to images `[n, channels, size, size]` in (-1, 1): dense layers of
/// `ngf`, `2 ngf` and `4 ngf` values with ReLU, then one to the image with tanh. For digits, `nz`
/// 64 and `ngf` 256:
///
/// ```text
/// 64 -> 256 -> 512 -> 1024 -> 1 x 28 x 28
/// ```
///
/// # Errors
/// [`Unsupported`] if the network is not defined for a size, channel count or width.
pub fn generator(
    shape: &Shape,
    nz: usize,
    ngf: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    check(shape, [("nz", nz), ("ngf", ngf)])?;
    let init = &mut Init::new(seed, device);
    let mut layers = Vec::new();
    let mut from = nz;
    for to in [ngf, 2 * ngf, 4 * ngf] {
        layers.push(to_image(from, to, 1, init));
        layers.push(Layer::activation(Function::Relu));
        from = to;
    }
    layers.push(to_image(from, shape.channels, shape.size, init));
    layers.push(Layer::activation(Function::Tanh));
    Ok(Sequential { layers })
}

/// Maps images `[n, channels, size, size]` to logits `[n, 1, 1, 1]`: dense layers of `4 ndf`,
/// `2 ndf` and `ndf` values with LeakyReLU and a dropout of 0.3, then one to the logit. Dropout
/// only happens in [`Sequential::forward_with`].
///
/// # Errors
/// [`Unsupported`], as for [`generator`].
pub fn discriminator(
    shape: &Shape,
    ndf: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    conditional_discriminator(shape, 0, ndf, DROPOUT, seed, device)
}

/// [`discriminator`] that is conditioned on a class: maps flattened images with a one-hot class
/// appended, `[n, channels * size * size + labels, 1, 1]` (see
/// [`conditional::values`](crate::conditional::values)), or plain images if `labels` is 0.
/// `dropout` is a rate in [0, 1); 0 leaves the dropout layers out.
///
/// # Errors
/// [`Unsupported`], as for [`generator`].
pub fn conditional_discriminator(
    shape: &Shape,
    labels: usize,
    ndf: usize,
    dropout: f32,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    check(shape, [("ndf", ndf), ("ndf", ndf)])?;
    let init = &mut Init::new(seed, device);
    let mut layers = Vec::new();
    let (mut from, mut kernel) = match labels {
        0 => (shape.channels, shape.size),
        labels => (shape.channels * shape.size.pow(2) + labels, 1),
    };
    for to in [4 * ndf, 2 * ndf, ndf] {
        layers.push(from_image(from, to, kernel, init));
        layers.push(Layer::activation(Function::LeakyRelu(SLOPE)));
        if dropout > 0.0 {
            layers.push(Layer::dropout(dropout));
        }
        (from, kernel) = (to, 1);
    }
    layers.push(from_image(from, 1, 1, init));
    Ok(Sequential { layers })
}

/// A dense layer from one pixel of `from` values to an image: `[n, from, 1, 1]` to
/// `[n, to, kernel, kernel]`.
pub(crate) fn to_image(from: usize, to: usize, kernel: usize, init: &mut Init) -> Layer {
    Layer::ConvTranspose(ConvTranspose {
        weight: weight([from, to, kernel, kernel], from, init),
        bias: Some(init.zeros([to])),
        stride: 1,
        padding: 0,
    })
}

/// A dense layer from a whole image: `[n, from, kernel, kernel]` to `[n, to, 1, 1]`.
pub(crate) fn from_image(from: usize, to: usize, kernel: usize, init: &mut Init) -> Layer {
    Layer::Conv(Conv {
        weight: weight([to, from, kernel, kernel], from * kernel * kernel, init),
        bias: Some(init.zeros([to])),
        stride: 1,
        padding: 0,
    })
}

/// Uniform in +-1 / sqrt(inputs) (LeCun et al. 1998, "Efficient backprop", section 4.6, up to a
/// constant): without batch norm, signals would vanish with DCGAN's 0.02.
fn weight(shape: [usize; 4], inputs: usize, init: &mut Init) -> Param<Tensor<4>> {
    init.uniform(shape, 1.0 / (inputs as f32).sqrt())
}

pub(crate) fn check(shape: &Shape, widths: [(&'static str, usize); 2]) -> Result<(), Unsupported> {
    if ![1, 3].contains(&shape.channels) {
        return Err(Unsupported::Channels(shape.channels));
    }
    if !(SIZES[0]..=SIZES[1]).contains(&shape.size) {
        return Err(Unsupported::DenseSize(shape.size));
    }
    match widths.into_iter().find(|(_, width)| *width == 0) {
        Some((name, _)) => Err(Unsupported::Width(name)),
        None => Ok(()),
    }
}
