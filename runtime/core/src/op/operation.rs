//! What a layer computes.

use super::shape::{Edge, Shape, ShapeError, Window};
use super::{affine, conv, conv_transpose, dense, instance_norm, join, resize};

/// What a layer computes. Its weight and bias are kept by the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// `y = W x + b` over the flattened input. Weight `[out, in]`.
    Dense {
        /// Features out.
        out: usize,
    },
    /// Convolution. Weight `[out, in, k, k]`.
    Conv {
        /// Channels out.
        out: usize,
        /// Kernel, stride and padding.
        window: Window,
    },
    /// Convolution of an input whose edges are reflected instead of padded with zeros. Weight `[out,
    /// in, k, k]`.
    ReflectConv {
        /// Channels out.
        out: usize,
        /// Kernel, stride and padding.
        window: Window,
    },
    /// Transposed convolution. Weight `[in, out, k, k]`, as PyTorch, burn and ONNX store it.
    ConvTranspose {
        /// Channels out.
        out: usize,
        /// Kernel, stride and padding.
        window: Window,
    },
    /// `y[c] = scale[c] * x[c] + shift[c]`: a batch norm that could not be folded. The weight `[c]`
    /// is the scale, the bias the shift.
    Affine,
    /// Each channel with its own mean and variance removed, then scaled and shifted. The weight
    /// `[c]` is the scale, the bias the shift.
    InstanceNorm {
        /// Added to the variance. In an int8 layer, in squared steps of its input bytes.
        epsilon: f32,
    },
    /// The sum of two inputs of the same shape.
    Add,
    /// The channels of the first input, then those of the second.
    Concat {
        /// Channels of the second input.
        channels: usize,
    },
    /// Nearest-neighbor upsampling by an integer factor.
    Resize {
        /// Factor in both directions.
        factor: usize,
    },
    /// The same values in another shape.
    Reshape {
        /// The new shape, with the same number of values.
        to: Shape,
    },
    /// An activation on its own.
    Activate,
}

impl Op {
    /// Name of the operation in records.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Dense { .. } => "Dense",
            Op::Conv { .. } => "Conv",
            Op::ReflectConv { .. } => "ReflectConv",
            Op::ConvTranspose { .. } => "ConvTranspose",
            Op::Affine => "Affine",
            Op::InstanceNorm { .. } => "InstanceNorm",
            Op::Add => "Add",
            Op::Concat { .. } => "Concat",
            Op::Resize { .. } => "Resize",
            Op::Reshape { .. } => "Reshape",
            Op::Activate => "Activate",
        }
    }

    /// Whether it has two inputs.
    pub fn joins(&self) -> bool {
        match self {
            Op::Add | Op::Concat { .. } => true,
            Op::Dense { .. }
            | Op::Conv { .. }
            | Op::ReflectConv { .. }
            | Op::ConvTranspose { .. }
            | Op::Affine
            | Op::InstanceNorm { .. }
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => false,
        }
    }

    /// Its one or two inputs, given those that are named and the one before. An operation that joins
    /// names at least one of its inputs, any other at most its only one; otherwise `None`.
    pub(crate) fn sources<S>(&self, named: [Option<S>; 2], before: S) -> Option<(S, Option<S>)> {
        match (self.joins(), named) {
            (true, [Some(first), None]) => Some((first, Some(before))),
            (true, [None, Some(second)]) => Some((before, Some(second))),
            (true, [Some(first), second @ Some(_)]) => Some((first, second)),
            (false, [first, None]) => Some((first.unwrap_or(before), None)),
            (true, [None, None]) | (false, [_, Some(_)]) => None,
        }
    }

    /// Shape that the second input of an operation that joins must have.
    pub fn other(&self, input: Shape) -> Option<Shape> {
        let channels = match *self {
            Op::Concat { channels } => channels,
            _ => input.c,
        };
        self.joins().then_some(Shape { c: channels, ..input })
    }

    /// Shape of the output for `input`, the first one if there are two.
    ///
    /// # Errors
    /// [`ShapeError`] if the operation cannot be applied to `input`.
    pub fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        let output = match *self {
            Op::Dense { out } => Shape::new(out, 1, 1),
            Op::Conv { out, window } => conv::output(input, out, window)?,
            Op::ConvTranspose { out, window } => conv_transpose::output(input, out, window)?,
            Op::ReflectConv { out, window } => conv::reflected(input, out, window)?,
            Op::Affine | Op::InstanceNorm { .. } | Op::Add | Op::Activate => input,
            Op::Concat { channels: 0 } => return Err(ShapeError::Zero("the number of channels")),
            Op::Concat { channels } => {
                let c = input.c.checked_add(channels).ok_or(ShapeError::TooLarge)?;
                Shape { c, ..input }
            }
            Op::Resize { factor } => resize::output(input, factor)?,
            Op::Reshape { to } => match to.checked_values() == input.checked_values() {
                true => to,
                false => return Err(ShapeError::Reshape(input, to)),
            },
        };
        match output.checked_values() {
            Some(0) => Err(ShapeError::Zero("the number of channels")),
            Some(_) => Ok(output),
            None => Err(ShapeError::TooLarge),
        }
    }

    /// Dimensions of the weight for `input`, padded with ones; `None` without a weight.
    pub fn weight(&self, input: Shape) -> Option<[usize; 4]> {
        match *self {
            Op::Dense { out } => Some([out, input.values(), 1, 1]),
            Op::Conv { out, window } | Op::ReflectConv { out, window } => {
                Some([out, input.c, window.kernel, window.kernel])
            }
            Op::ConvTranspose { out, window } => Some([input.c, out, window.kernel, window.kernel]),
            Op::Affine | Op::InstanceNorm { .. } => Some([input.c, 1, 1, 1]),
            Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
                None
            }
        }
    }

    /// Length of the bias for `input`; `None` if the operation cannot have one.
    pub fn bias(&self, input: Shape) -> Option<usize> {
        match *self {
            Op::Dense { out }
            | Op::Conv { out, .. }
            | Op::ReflectConv { out, .. }
            | Op::ConvTranspose { out, .. } => Some(out),
            Op::Affine | Op::InstanceNorm { .. } => Some(input.c),
            Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
                None
            }
        }
    }

    /// Multiply-adds for one sample.
    pub fn multiply_adds(&self, input: Shape, output: Shape) -> u64 {
        match *self {
            Op::Dense { .. } => input.values() as u64 * output.values() as u64,
            Op::Conv { window, .. } | Op::ReflectConv { window, .. } => {
                output.values() as u64 * input.c as u64 * (window.kernel * window.kernel) as u64
            }
            Op::ConvTranspose { window, .. } => {
                input.values() as u64 * output.c as u64 * (window.kernel * window.kernel) as u64
            }
            Op::Affine => input.values() as u64,
            // The variance, then the scale.
            Op::InstanceNorm { .. } => 2 * input.values() as u64,
            Op::Add | Op::Concat { .. } | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => {
                0
            }
        }
    }
}

/// The obvious loop of an operation, without the activation: the specification of every faster one.
///
/// `weight` and `bias` are laid out as [`Op`] documents; an empty `bias` is zero. `other` is the
/// second input of an operation that joins. `y` is overwritten.
pub fn reference(
    op: &Op,
    shapes: [Shape; 2],
    [x, other]: [&[f32]; 2],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let [input, output] = shapes;
    match *op {
        Op::Dense { .. } => dense::reference(x, weight, bias, y),
        Op::Conv { window, .. } => {
            conv::reference([input, output], (window, Edge::Zero), x, weight, bias, y)
        }
        Op::ReflectConv { window, .. } => {
            conv::reference([input, output], (window, Edge::Reflect), x, weight, bias, y)
        }
        Op::ConvTranspose { window, .. } => {
            conv_transpose::reference([input, output], window, x, weight, bias, y)
        }
        Op::Affine => affine::reference(input, x, weight, bias, y),
        Op::InstanceNorm { epsilon } => {
            instance_norm::reference(input, epsilon, x, weight, bias, y)
        }
        Op::Add => join::add(x, other, y),
        Op::Concat { .. } => join::concat([x.len(), other.len()], x, other, 0..y.len(), y),
        Op::Resize { factor } => resize::reference(input, factor, x, y),
        Op::Reshape { .. } | Op::Activate => y.copy_from_slice(x),
    }
}
