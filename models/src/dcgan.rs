//! The generator and discriminator of DCGAN (Radford et al. 2016,
//! <https://arxiv.org/abs/1511.06434>).

use std::fmt;

use burn::tensor::Device;

use crate::init::Init;
use crate::layer::{Function, Layer, Sequential};

/// Kernel 4, stride 2, padding 1: doubles or halves an image.
const DOUBLE: [usize; 3] = [4, 2, 1];
/// Kernel 4, stride 1, padding 0: between `1 x 1` and `4 x 4`.
const WHOLE: [usize; 3] = [4, 1, 0];
/// Slope of LeakyReLU in the discriminator (section 4).
const SLOPE: f32 = 0.2;

/// Image sizes for which the networks are defined, in pixels.
pub const SIZES: [usize; 4] = [16, 32, 64, 128];

/// The images of a network, which are square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Side in pixels: 16, 32, 64 or 128.
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

fn positive(name: &'static str, width: usize) -> Result<(), Unsupported> {
    match width {
        0 => Err(Unsupported::Width(name)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::tensor::Tensor;

    #[test]
    fn shapes() {
        let device = Device::flex();
        for size in SIZES {
            for channels in [1, 3] {
                let shape = Shape { size, channels };
                let g = generator(&shape, 7, 3, 0, &device).unwrap();
                let x = g.forward(Tensor::ones([2, 7, 1, 1], &device));
                assert_eq!(x.dims(), [2, channels, size, size]);
                for norm in [false, true] {
                    let d = discriminator(&shape, 2, norm, 0, &device).unwrap();
                    assert_eq!(d.forward(x.clone()).dims(), [2, 1, 1, 1]);
                }
            }
        }
    }

    #[test]
    fn the_tutorials_parameter_counts() {
        // As printed by PyTorch's DCGAN tutorial for nz 100, ngf = ndf = 64.
        let device = Device::flex();
        let shape = Shape { size: 64, channels: 3 };
        let trainable = |net: &Sequential| {
            let running: usize = net
                .layers
                .iter()
                .map(|l| match l {
                    Layer::BatchNorm(n) => 2 * n.gamma.dims()[0],
                    Layer::Conv(_)
                    | Layer::ConvTranspose(_)
                    | Layer::ResizeConv(_)
                    | Layer::Activation(_)
                    | Layer::Dropout(_) => 0,
                })
                .sum();
            net.num_params() - running
        };
        let g = generator(&shape, 100, 64, 0, &device).unwrap();
        assert_eq!(trainable(&g), 3_576_704);
        let d = discriminator(&shape, 64, true, 0, &device).unwrap();
        assert_eq!(trainable(&d), 2_765_568);
    }

    #[test]
    fn the_largest_map() {
        let device = Device::flex();
        let shape = Shape { size: 64, channels: 3 };
        let g = generator(&shape, 100, 64, 0, &device).unwrap();
        assert_eq!(g.largest_map([100, 1]), 64 * 32 * 32);
        let d = discriminator(&shape, 8, true, 0, &device).unwrap();
        assert_eq!(d.largest_map([3, 64]), 3 * 64 * 64);
    }

    #[test]
    fn refusals() {
        let device = Device::flex();
        let shape = |size, channels| Shape { size, channels };
        let error = |s, nz, ngf| generator(&s, nz, ngf, 0, &device).unwrap_err();
        assert_eq!(error(shape(48, 3), 1, 1), Unsupported::Size(48));
        assert_eq!(error(shape(64, 2), 1, 1), Unsupported::Channels(2));
        assert_eq!(error(shape(64, 3), 0, 1), Unsupported::Width("nz"));
        assert_eq!(error(shape(64, 3), 1, 0), Unsupported::Width("ngf"));
    }

    #[test]
    fn statistics_of_averaged_weights_are_the_mean_over_batches() {
        let device = Device::flex().autodiff();
        let shape = Shape { size: 16, channels: 1 };
        let g = generator(&shape, 4, 2, 3, &device).unwrap();
        let z = |v: f32| Tensor::<4>::full([3, 4, 1, 1], v, &device);
        let g = g.restandardize([z(1.0), z(2.0), z(3.0)]);
        let first = match &g.layers[0] {
            Layer::ConvTranspose(l) => l.weight.val(),
            other => panic!("{other:?}"),
        };
        // Every latent of a batch is the same, and the first layer is linear, so the mean over the
        // three batches is that of the latent 2.
        let expect = first.sum_dim(0).mean_dim(3).mean_dim(2).mul_scalar(2.0);
        let Layer::BatchNorm(norm) = &g.layers[1] else { panic!("no norm") };
        assert_eq!(norm.momentum, 0.1);
        let got = norm.running_mean.value_sync();
        let diff = (got - expect.reshape([4])).abs().max().into_scalar::<f32>();
        assert!(diff < 1e-6, "{diff}");
    }
}
