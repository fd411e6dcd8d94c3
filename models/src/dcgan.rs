//! The generator and discriminator of DCGAN (Radford et al. 2016,
//! <https://arxiv.org/abs/1511.06434>).

use std::fmt;

use burn::tensor::Device;

use crate::init::Init;
use crate::layer::{Function, Layer, Sequential};

/// Kernel 4, stride 2, padding 1: doubles or halves an image.
pub(crate) const DOUBLE: [usize; 3] = [4, 2, 1];
/// Kernel 4, stride 1, padding 0: between `1 x 1` and `4 x 4`.
const WHOLE: [usize; 3] = [4, 1, 0];
/// Slope of LeakyReLU in the discriminator (section 4).
pub(crate) const SLOPE: f32 = 0.2;

/// Image sizes for which the networks are defined, in pixels.
pub const SIZES: [usize; 4] = [16, 32, 64, 128];

/// The images of a network, which are square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Side in pixels; each family of networks has its sizes.
    pub size: usize,
    /// 1 (gray) or 3 (RGB).
    pub channels: usize,
}

/// How a generator differs from the paper's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How a feature map is doubled.
    pub upsample: Upsample,
    /// Batch norm after every layer but the last. Without it, layers have a bias and weights from
    /// He et al. 2015.
    pub norm: bool,
    /// The last layer.
    pub output: Output,
}

/// How a feature map is doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsample {
    /// Transposed convolution of kernel 4, as in the paper.
    Transposed,
    /// Nearest-neighbor doubling, then a convolution of kernel 3.
    Resize,
}

/// The last layer of a generator, and with it the range of its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hyperbolic tangent: values in (-1, 1).
    Tanh,
    /// None: values meant for [-1, 1], and clipped to that when shown.
    Linear,
    /// Logistic function: values in (0, 1).
    Sigmoid,
}

impl Style {
    /// The style of the paper.
    pub const PAPER: Style =
        Style { upsample: Upsample::Transposed, norm: true, output: Output::Tanh };
}

/// A network that is not defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// Not one of [`SIZES`].
    Size(usize),
    /// Outside [`mlp::SIZES`](crate::mlp::SIZES).
    DenseSize(usize),
    /// Not one of [`translate::SIZES`](crate::translate::SIZES).
    TranslatorSize(usize),
    /// Neither 1 nor 3.
    Channels(usize),
    /// A width of 0, by name.
    Width(&'static str),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsupported::Size(got) => {
                write!(f, "image size {got} is not supported: 16, 32, 64 or 128")
            }
            Unsupported::DenseSize(got) => {
                write!(f, "image size {got} is not supported by the dense networks: 8 to 64")
            }
            Unsupported::TranslatorSize(got) => {
                write!(f, "image size {got} is not supported by translators: 32, 64, 128 or 256")
            }
            Unsupported::Channels(got) => {
                write!(f, "{got} image channels are not supported: 1 (gray) or 3 (color)")
            }
            Unsupported::Width(name) => write!(f, "{name} is 0, and must be at least 1"),
        }
    }
}

impl std::error::Error for Unsupported {}

impl Shape {
    /// How often a `4 x 4` map is doubled.
    fn doublings(&self) -> Result<u32, Unsupported> {
        if ![1, 3].contains(&self.channels) {
            return Err(Unsupported::Channels(self.channels));
        }
        match SIZES.contains(&self.size) {
            true => Ok((self.size / 4).ilog2()),
            false => Err(Unsupported::Size(self.size)),
        }
    }
}

/// Maps a latent `[n, nz, 1, 1]` to images `[n, channels, size, size]` in (-1, 1).
///
/// Transposed convolutions without bias, all but the last followed by batch norm and ReLU, then
/// tanh. `ngf` is the width of the layer before the image, and every halving of the image doubles
/// it. For 64 pixels and `ngf` 64:
///
/// ```text
/// 100 -> 512 x 4 x 4 -> 256 x 8 x 8 -> 128 x 16 x 16 -> 64 x 32 x 32 -> 3 x 64 x 64
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
    generator_as(Style::PAPER, shape, nz, ngf, seed, device)
}

/// [`generator`] in another style.
///
/// # Errors
/// As [`generator`].
pub fn generator_as(
    style: Style,
    shape: &Shape,
    nz: usize,
    ngf: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    /// Gain of the last layer of a network without batch norm.
    const LAST: f32 = 0.1;
    let doublings = shape.doublings()?;
    positive("nz", nz)?;
    positive("ngf", ngf)?;
    let init = &mut Init::new(seed, device);
    if !style.norm {
        init.he(1.0);
    }
    let double = |from, to, bias, init: &mut Init| match style.upsample {
        Upsample::Transposed => Layer::conv_transpose(from, to, DOUBLE, bias, init),
        Upsample::Resize => Layer::resize_conv(from, to, bias, init),
    };
    let mut layers = Vec::new();
    let mut from = nz;
    for step in 0..doublings {
        let to = ngf << (doublings - 1 - step);
        layers.push(match step {
            0 => Layer::conv_transpose(from, to, WHOLE, !style.norm, init),
            _ => double(from, to, !style.norm, init),
        });
        if style.norm {
            layers.push(Layer::batch_norm(to, init));
        }
        layers.push(Layer::activation(Function::Relu));
        from = to;
    }
    if !style.norm {
        init.he(LAST);
    }
    // The paper's last layer has no bias. Other styles need one to reach black, which is at the end
    // of the range.
    let bias = style != Style::PAPER;
    layers.push(double(from, shape.channels, bias, init));
    match style.output {
        Output::Tanh => layers.push(Layer::activation(Function::Tanh)),
        Output::Linear => {}
        Output::Sigmoid => layers.push(Layer::activation(Function::Sigmoid)),
    }
    Ok(Sequential { layers })
}

/// Maps images `[n, channels, size, size]` to logits `[n, 1, 1, 1]`.
///
/// Strided convolutions and LeakyReLU. With `norm`, all layers but the first and the last have
/// batch norm and no bias, as in the paper. Without it, they have a bias and weights from He et al.
/// 2015.
///
/// # Errors
/// [`Unsupported`], as for [`generator`].
pub fn discriminator(
    shape: &Shape,
    ndf: usize,
    norm: bool,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    encoder(shape, [0, 1], ndf, norm, seed, device)
}

/// [`discriminator`] with other `ends` `[labels, values]`: maps images with `labels` class planes
/// (see [`conditional`](crate::conditional)), `[n, channels + labels, size, size]`, to
/// `[n, values, 1, 1]`.
///
/// # Errors
/// As [`discriminator`].
pub fn encoder(
    shape: &Shape,
    ends: [usize; 2],
    ndf: usize,
    norm: bool,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    let doublings = shape.doublings()?;
    let [labels, values] = ends;
    positive("ndf", ndf)?;
    positive("nz", values)?;
    let init = &mut Init::new(seed, device);
    if !norm {
        init.he(1.0);
    }
    let mut layers = Vec::new();
    let mut from = shape.channels + labels;
    for step in 0..doublings {
        let to = ndf << step;
        layers.push(Layer::conv(from, to, DOUBLE, !norm, init));
        if norm && step > 0 {
            layers.push(Layer::batch_norm(to, init));
        }
        layers.push(Layer::activation(Function::LeakyRelu(SLOPE)));
        from = to;
    }
    layers.push(Layer::conv(from, values, WHOLE, !norm, init));
    Ok(Sequential { layers })
}

pub(crate) fn positive(name: &'static str, width: usize) -> Result<(), Unsupported> {
    match width {
        0 => Err(Unsupported::Width(name)),
        _ => Ok(()),
    }
}
