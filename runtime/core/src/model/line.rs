//! Layers and numbers as lines of text in the metadata.

use core::fmt;

use crate::int8::InputScale;
use crate::op::{Activation, Op, Shape, Window};

/// `FACTOR ZERO`: the first line of [`super::key::INT8`].
pub(super) fn parse_scale(line: &str) -> Option<InputScale> {
    let (factor, zero) = line.split_once(' ')?;
    let factor: f32 = factor.parse().ok()?;
    let scale = InputScale { factor, zero: zero.parse().ok()? };
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

/// `CHANNELS ROWS COLUMNS` of a picture: gray or color.
pub(super) fn parse_picture(text: &str) -> Option<Shape> {
    let mut sides = text.split(' ').map(|side| side.parse().ok());
    let shape = Shape::new(sides.next()??, sides.next()??, sides.next()??);
    let valid = shape.checked_values().is_some_and(|values| values > 0);
    (sides.next().is_none() && valid && matches!(shape.c, 1 | 3)).then_some(shape)
}

/// A line of the layer list.
pub(super) struct Line<'a> {
    pub name: &'a str,
    pub op: Op,
    pub activation: Activation,
    /// Name of the layer that it reads.
    pub from: Option<&'a str>,
    /// Name of the layer that is its second input.
    pub with: Option<&'a str>,
}

/// `NAME OP ARGUMENTS ACTIVATION`, then optionally `from NAME` and `with NAME`, as [`write_line`] writes
/// it.
pub(super) fn parse_line(text: &str) -> Option<Line<'_>> {
    let mut words = text.split(' ');
    let name = words.next().filter(|name| !name.is_empty())?;
    let op = words.next()?;
    let positive = |text: &str| text.parse().ok().filter(|v: &f32| v.is_finite() && *v >= 0.0);
    if op == "InstanceNorm" {
        let op = Op::InstanceNorm { epsilon: positive(words.next()?)? };
        return rest(name, op, words);
    }
    let mut number = || words.next()?.parse::<usize>().ok();
    let op = match op {
        "Dense" => Op::Dense { out: number()? },
        "Conv" | "ReflectConv" | "ConvTranspose" => {
            let out = number()?;
            let window = Window { kernel: number()?, stride: number()?, padding: number()? };
            match op {
                "Conv" => Op::Conv { out, window },
                "ReflectConv" => Op::ReflectConv { out, window },
                _ => Op::ConvTranspose { out, window },
            }
        }
        "Add" => Op::Add,
        "Concat" => Op::Concat { channels: number()? },
        "Affine" => Op::Affine,
        "Resize" => Op::Resize { factor: number()? },
        "Reshape" => Op::Reshape { to: Shape::new(number()?, number()?, number()?) },
        "Activate" => Op::Activate,
        _ => return None,
    };
    rest(name, op, words)
}

/// The activation and the inputs of a line.
fn rest<'a>(name: &'a str, op: Op, mut words: core::str::Split<'a, char>) -> Option<Line<'a>> {
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
    let mut line = Line { name, op, activation, from: None, with: None };
    while let Some(word) = words.next() {
        let place = match word {
            "from" if line.from.is_none() && line.with.is_none() => &mut line.from,
            "with" if line.with.is_none() => &mut line.with,
            _ => return None,
        };
        *place = Some(words.next().filter(|name| !name.is_empty())?);
    }
    Some(line)
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
    [from, with]: [Option<&str>; 2],
) -> fmt::Result {
    write!(to, "{name} {}", op.name())?;
    match *op {
        Op::Dense { out } => write!(to, " {out}")?,
        Op::Conv { out, window }
        | Op::ReflectConv { out, window }
        | Op::ConvTranspose { out, window } => {
            write!(to, " {out} {} {} {}", window.kernel, window.stride, window.padding)?
        }
        Op::Resize { factor } => write!(to, " {factor}")?,
        Op::Reshape { to: s } => write!(to, " {} {} {}", s.c, s.h, s.w)?,
        Op::InstanceNorm { epsilon } => write!(to, " {epsilon}")?,
        Op::Concat { channels } => write!(to, " {channels}")?,
        Op::Affine | Op::Add | Op::Activate => {}
    }
    write!(to, " {}", activation.name())?;
    for number in activation.numbers().into_iter().flatten() {
        write!(to, " {number}")?;
    }
    for (word, name) in [("from", from), ("with", with)] {
        if let Some(name) = name {
            write!(to, " {word} {name}")?;
        }
    }
    Ok(())
}
