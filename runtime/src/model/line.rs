//! Layers and numbers as lines of text in the metadata.

use core::fmt;

use crate::int8::LatentScale;
use crate::op::{Activation, Op, Shape, Window};

/// `FACTOR ZERO`: the first line of [`super::key::INT8`].
pub(super) fn parse_latent(line: &str) -> Option<LatentScale> {
    let (factor, zero) = line.split_once(' ')?;
    let factor: f32 = factor.parse().ok()?;
    let scale = LatentScale { factor, zero: zero.parse().ok()? };
    (factor.is_finite() && factor > 0.0).then_some(scale)
}

/// `SHIFT ZERO`: the line of a layer in [`super::key::INT8`].
pub(super) fn parse_integers(line: &str) -> Option<(u32, u8)> {
    let (shift, zero) = line.split_once(' ')?;
    let shift = shift.parse().ok().filter(|shift| (1..=62).contains(shift))?;
    Some((shift, zero.parse().ok()?))
}

/// `BLACK WHITE`: two different finite numbers.
pub(super) fn parse_range(text: &str) -> Option<(f32, f32)> {
    let (black, white) = text.split_once(' ')?;
    let (black, white): (f32, f32) = (black.parse().ok()?, white.parse().ok()?);
    (black.is_finite() && white.is_finite() && black != white).then_some((black, white))
}

/// `NAME OP ARGUMENTS ACTIVATION`, as [`write_line`] writes it.
pub(super) fn parse_line(text: &str) -> Option<(&str, Op, Activation)> {
    let mut words = text.split(' ');
    let name = words.next().filter(|name| !name.is_empty())?;
    let op = words.next()?;
    let mut number = || words.next()?.parse::<usize>().ok();
    let op = match op {
        "Dense" => Op::Dense { out: number()? },
        "Conv" | "ConvTranspose" => {
            let out = number()?;
            let window = Window { kernel: number()?, stride: number()?, padding: number()? };
            match op {
                "Conv" => Op::Conv { out, window },
                _ => Op::ConvTranspose { out, window },
            }
        }
        "Affine" => Op::Affine,
        "Resize" => Op::Resize { factor: number()? },
        "Reshape" => Op::Reshape { to: Shape::new(number()?, number()?, number()?) },
        "Activate" => Op::Activate,
        _ => return None,
    };
    let name_of = words.next()?;
    let mut number = || words.next()?.parse::<f32>().ok();
    let activation = match name_of {
        "None" => Activation::None,
        "Relu" => Activation::Relu,
        "LeakyRelu" => Activation::LeakyRelu(number()?),
        "Tanh" => Activation::Tanh,
        "Sigmoid" => Activation::Sigmoid,
        "Elu" => Activation::Elu(number()?),
        "Selu" => Activation::Selu,
        "Gelu" => Activation::Gelu,
        "GeluTanh" => Activation::GeluTanh,
        "Silu" => Activation::Silu,
        "Mish" => Activation::Mish,
        "Softplus" => Activation::Softplus,
        "Clip" => Activation::Clip(number()?, number()?),
        _ => return None,
    };
    if !activation.is_valid() {
        return None;
    }
    words.next().is_none().then_some((name, op, activation))
}

/// Writes a layer as a line of the layer list.
///
/// # Errors
/// Whatever `to` returns.
pub fn write_line(
    to: &mut dyn fmt::Write,
    name: &str,
    op: &Op,
    activation: Activation,
) -> fmt::Result {
    write!(to, "{name} {}", op.name())?;
    match *op {
        Op::Dense { out } => write!(to, " {out}")?,
        Op::Conv { out, window } | Op::ConvTranspose { out, window } => {
            write!(to, " {out} {} {} {}", window.kernel, window.stride, window.padding)?
        }
        Op::Resize { factor } => write!(to, " {factor}")?,
        Op::Reshape { to: s } => write!(to, " {} {} {}", s.c, s.h, s.w)?,
        Op::Affine | Op::Activate => {}
    }
    write!(to, " {}", activation.name())?;
    activation.numbers().into_iter().flatten().try_for_each(|number| write!(to, " {number}"))
}
