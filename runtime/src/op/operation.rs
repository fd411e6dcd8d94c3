//! What a layer computes.

use super::shape::{Shape, ShapeError, Window};
use super::{affine, conv, conv_transpose, dense, resize};

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
            Op::ConvTranspose { .. } => "ConvTranspose",
            Op::Affine => "Affine",
            Op::Resize { .. } => "Resize",
            Op::Reshape { .. } => "Reshape",
            Op::Activate => "Activate",
        }
    }

    /// Shape of the output for `input`.
    ///
    /// # Errors
    /// [`ShapeError`] if the operation cannot be applied to `input`.
    pub fn output(&self, input: Shape) -> Result<Shape, ShapeError> {
        let output = match *self {
            Op::Dense { out } => Shape::new(out, 1, 1),
            Op::Conv { out, window } => conv::output(input, out, window)?,
            Op::ConvTranspose { out, window } => conv_transpose::output(input, out, window)?,
            Op::Affine | Op::Activate => input,
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
            Op::Conv { out, window } => Some([out, input.c, window.kernel, window.kernel]),
            Op::ConvTranspose { out, window } => Some([input.c, out, window.kernel, window.kernel]),
            Op::Affine => Some([input.c, 1, 1, 1]),
            Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => None,
        }
    }

    /// Length of the bias for `input`; `None` if the operation cannot have one.
    pub fn bias(&self, input: Shape) -> Option<usize> {
        match *self {
            Op::Dense { out } | Op::Conv { out, .. } | Op::ConvTranspose { out, .. } => Some(out),
            Op::Affine => Some(input.c),
            Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => None,
        }
    }

    /// Multiply-adds for one sample.
    pub fn multiply_adds(&self, input: Shape, output: Shape) -> u64 {
        match *self {
            Op::Dense { .. } => input.values() as u64 * output.values() as u64,
            Op::Conv { window, .. } => {
                output.values() as u64 * input.c as u64 * (window.kernel * window.kernel) as u64
            }
            Op::ConvTranspose { window, .. } => {
                input.values() as u64 * output.c as u64 * (window.kernel * window.kernel) as u64
            }
            Op::Affine => input.values() as u64,
            Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => 0,
        }
    }
}

/// The obvious loop of an operation, without the activation: the specification of every faster one.
///
/// `weight` and `bias` are laid out as [`Op`] documents; an empty `bias` is zero. `y` is
/// overwritten.
pub fn reference(
    op: &Op,
    shapes: [Shape; 2],
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
) {
    let [input, output] = shapes;
    match *op {
        Op::Dense { .. } => dense::reference(x, weight, bias, y),
        Op::Conv { window, .. } => conv::reference([input, output], window, x, weight, bias, y),
        Op::ConvTranspose { window, .. } => {
            conv_transpose::reference([input, output], window, x, weight, bias, y)
        }
        Op::Affine => affine::reference(input, x, weight, bias, y),
        Op::Resize { factor } => resize::reference(input, factor, x, y),
        Op::Reshape { .. } | Op::Activate => y.copy_from_slice(x),
    }
}
