//! Networks that turn an image into another of the same size: the U-Net and the patch discriminator
//! of pix2pix (Isola et al. 2017, <https://arxiv.org/abs/1611.07004>) and the residual generator of
//! CycleGAN (Zhu et al. 2017, <https://arxiv.org/abs/1703.10593>).
//!
//! Norms are instance norms. In pix2pix they are batch norms that use the batch's own statistics
//! also at inference, which for a batch of one image, as in the paper, is the same (section 3.3).

use burn::tensor::Device;

use crate::dcgan::{DOUBLE, SLOPE, Shape, Unsupported, Upsample, positive};
use crate::init::Init;
use crate::layer::{Function, Join, Layer, Sequential};

/// Image sizes for which the networks are defined, in pixels.
pub const SIZES: [usize; 4] = [32, 64, 128, 256];

/// Times that the width doubles from the outermost layer to the innermost.
const DOUBLINGS: usize = 3;
/// Kernel 3, stride 1, padding 0.
const INSIDE: [usize; 3] = [3, 1, 0];
/// Kernel 7, stride 1, padding 0.
const WIDE: [usize; 3] = [7, 1, 0];
/// Kernel 3, stride 2, padding 1: halves an image.
const HALVE: [usize; 3] = [3, 2, 1];

/// How a translator differs from the paper's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Width next to the images: 64 in the papers.
    pub ngf: usize,
    /// How a feature map is doubled.
    pub upsample: Upsample,
    /// Dropout rate in the first layers of a U-Net's decoder: 0.5 in the paper; 0 leaves them out.
    pub dropout: f32,
    /// Whether the decoder of a U-Net sees the maps of its encoder. Without, it is the plain
    /// encoder and decoder that the paper compares it with (section 4.3).
    pub skips: bool,
}

impl Style {
    fn double(&self, from: usize, to: usize, bias: bool, init: &mut Init) -> Layer {
        match self.upsample {
            Upsample::Transposed => Layer::conv_transpose(from, to, DOUBLE, bias, init),
            Upsample::Resize => Layer::resize_conv(from, to, bias, init),
        }
    }
}

fn check(shape: &Shape, from: usize, width: (&'static str, usize)) -> Result<(), Unsupported> {
    if let Some(channels) = [shape.channels, from].into_iter().find(|c| ![1, 3].contains(c)) {
        return Err(Unsupported::Channels(channels));
    }
    if !SIZES.contains(&shape.size) {
        return Err(Unsupported::TranslatorSize(shape.size));
    }
    positive(width.0, width.1)
}

/// Maps images `[n, from, size, size]` to images `[n, channels, size, size]` in (-1, 1): a U-Net.
///
/// An encoder halves the image down to one pixel; a decoder doubles it again and before each step
/// concatenates the encoder's output of the same size (appendix 6.1.1; the activation before a
/// convolution there is the one after the layer before it here, which is the same network). For 64
/// pixels and `ngf` 64:
///
/// ```text
/// 3 -> 64 x 32 x 32 -> 128 x 16 x 16 -> 256 x 8 x 8 -> 512 x 4 x 4 -> 512 x 2 x 2 -> 512 x 1 x 1
///   -> 512 x 2 x 2 -> 512 x 4 x 4 -> 256 x 8 x 8 -> 128 x 16 x 16 -> 64 x 32 x 32 -> 3 x 64 x 64
/// ```
///
/// Layers without a norm (the first, the innermost, whose single pixel a norm would make 0, and the
/// last) have a bias. Dropout follows the first three layers of the decoder at 256 pixels, one less
/// for each halving and at least one: those inside of `8 ngf` channels on both sides.
///
/// # Errors
/// [`Unsupported`] if the network is not defined for a size, channel count or width.
pub fn unet(
    shape: &Shape,
    from: usize,
    style: &Style,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    check(shape, from, ("ngf", style.ngf))?;
    let init = &mut Init::new(seed, device);
    let levels = shape.size.ilog2() as usize;
    let width = |level: usize| style.ngf << level.min(DOUBLINGS);
    let mut layers = Vec::new();
    let mut outputs = Vec::new();
    let mut channels = from;
    for level in 0..levels {
        let innermost = level + 1 == levels;
        let norm = level > 0 && !innermost;
        layers.push(Layer::conv(channels, width(level), DOUBLE, !norm, init));
        channels = width(level);
        if norm {
            layers.push(Layer::instance_norm(channels, true, init));
        }
        layers.push(Layer::activation(match innermost {
            true => Function::Relu,
            false => Function::LeakyRelu(SLOPE),
        }));
        outputs.push(layers.len() - 1);
    }
    let dropouts = levels.saturating_sub(5).max(1);
    for level in (0..levels - 1).rev() {
        let to = width(level);
        layers.push(style.double(channels, to, false, init));
        layers.push(Layer::instance_norm(to, true, init));
        if style.dropout > 0.0 && level + 1 + dropouts >= levels {
            layers.push(Layer::dropout(style.dropout));
        }
        channels = to;
        if style.skips {
            layers.push(Layer::Concat(Join { with: outputs[level] }));
            channels = 2 * to;
        }
        layers.push(Layer::activation(Function::Relu));
    }
    layers.push(style.double(channels, shape.channels, true, init));
    layers.push(Layer::activation(Function::Tanh));
    Ok(Sequential { layers })
}

/// Maps images `[n, from, size, size]` to images `[n, channels, size, size]` in (-1, 1): the
/// residual generator of `blocks` blocks, 6 for 128 pixels and 9 for 256 in the paper (appendix
/// 7.2).
///
/// Two layers halve the image, the blocks work on `4 ngf` channels, two layers double it. Borders
/// are reflected, norms have no scale and shift. Its layers double an image by a kernel of 4 where
/// the paper's has one of 3 that reaches beyond the border on one side only.
///
/// # Errors
/// As [`unet`].
pub fn resnet(
    shape: &Shape,
    from: usize,
    style: &Style,
    blocks: usize,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    check(shape, from, ("ngf", style.ngf))?;
    positive("blocks", blocks)?;
    let init = &mut Init::new(seed, device);
    let ngf = style.ngf;
    // A bias before a norm would be removed by it.
    let normalized = |conv: Layer, to: usize, init: &mut Init| {
        [conv, Layer::instance_norm(to, false, init), Layer::activation(Function::Relu)]
    };
    let mut layers = vec![Layer::reflect_pad(3)];
    let first = Layer::conv(from, ngf, WIDE, false, init);
    layers.extend(normalized(first, ngf, init));
    for to in [2 * ngf, 4 * ngf] {
        let conv = Layer::conv(to / 2, to, HALVE, false, init);
        layers.extend(normalized(conv, to, init));
    }
    for _ in 0..blocks {
        let (with, width) = (layers.len() - 1, 4 * ngf);
        for last in [false, true] {
            layers.push(Layer::reflect_pad(1));
            let conv = Layer::conv(width, width, INSIDE, false, init);
            let [conv, norm, relu] = normalized(conv, width, init);
            layers.extend([conv, norm]);
            layers.push(match last {
                false => relu,
                true => Layer::Add(Join { with }),
            });
        }
    }
    for to in [2 * ngf, ngf] {
        let double = style.double(2 * to, to, false, init);
        layers.extend(normalized(double, to, init));
    }
    layers.push(Layer::reflect_pad(3));
    layers.push(Layer::conv(ngf, shape.channels, WIDE, true, init));
    layers.push(Layer::activation(Function::Tanh));
    Ok(Sequential { layers })
}

/// Maps an image concatenated with its translation, `[n, from + channels, size, size]`, to a logit
/// per patch, `[n, 1, rows, columns]` (section 3.2.2). With `from` 0 it sees the translation alone,
/// as in CycleGAN.
///
/// Strided convolutions; the last two have stride 1. A patch has 70 x 70 pixels at 256 and
/// 128 pixels, as in the paper, 34 x 34 at 64 and 16 x 16 at 32. With `norm`, all layers but the
/// first and the last have an instance norm; without, weights are those of He et al. 2015.
///
/// # Errors
/// As [`unet`].
pub fn patch_discriminator(
    shape: &Shape,
    from: usize,
    ndf: usize,
    norm: bool,
    seed: u64,
    device: &Device,
) -> Result<Sequential, Unsupported> {
    // Without an image beside it, only the translation has channels to be checked.
    let beside = if from == 0 { shape.channels } else { from };
    check(shape, beside, ("ndf", ndf))?;
    let init = &mut Init::new(seed, device);
    if !norm {
        init.he(1.0);
    }
    let halvings = (shape.size.ilog2() as usize - 4).min(3);
    let mut layers = Vec::new();
    let mut channels = from + shape.channels;
    for step in 0..=halvings {
        let (to, stride) = (ndf << step, if step < halvings { 2 } else { 1 });
        let norm = norm && step > 0;
        layers.push(Layer::conv(channels, to, [4, stride, 1], !norm, init));
        if norm {
            layers.push(Layer::instance_norm(to, true, init));
        }
        layers.push(Layer::activation(Function::LeakyRelu(SLOPE)));
        channels = to;
    }
    layers.push(Layer::conv(channels, 1, [4, 1, 1], true, init));
    Ok(Sequential { layers })
}
