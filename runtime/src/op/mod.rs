//! The operations a generator is made of: one file an op.
//!
//! Every tensor is one sample, channels first: `Shape { c, h, w }`. A latent is `n x 1 x 1`. Each file has the output
//! shape of its operation and the obvious loop, which is kept as the specification of every faster one.

use core::fmt;

pub mod activation;
pub mod affine;
pub mod conv;
pub mod conv_transpose;
pub mod dense;
pub mod resize;

/// The shape of one sample: channels, height, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Channels (features of a flat vector).
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

/// The function applied to each output value of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Identity.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `slope * x`.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
}

/// Square window of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side of the kernel.
    pub kernel: usize,
    /// Step in input (convolution) or output (transposed convolution) pixels.
    pub stride: usize,
    /// Zeros added on each side (convolution) or rows cut from each side (transposed convolution).
    pub padding: usize,
}

impl Shape {
    /// A shape of `c` channels of `h` rows and `w` columns.
    pub const fn new(c: usize, h: usize, w: usize) -> Shape {
        Shape { c, h, w }
    }

    /// Values of one channel.
    pub const fn plane(&self) -> usize {
        self.h * self.w
    }

    /// Values of one sample. Shapes of a checked model do not overflow.
    pub const fn values(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Values of one sample, or `None` where no tensor can be that large.
    pub fn checked_values(&self) -> Option<usize> {
        let values = self.c.checked_mul(self.h)?.checked_mul(self.w)?;
        (values <= LARGEST).then_some(values)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.c, self.h, self.w)
    }
}

/// Most values of a tensor: what a larger number says is damage or a slip.
pub const LARGEST: usize = 1 << 28;

/// What a layer computes. Weights and bias are beside it, in the layer.
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
    /// `y[c] = scale[c] * x[c] + shift[c]`: a batch norm that could not be folded. Weight `[c]` is the scale, bias the shift.
    Affine,
    /// Nearest-neighbour enlargement by a whole factor.
    Resize {
        /// Factor in both directions.
        factor: usize,
    },
    /// The same values under another shape.
    Reshape {
        /// The new shape; as many values as before.
        to: Shape,
    },
    /// An activation on its own.
    Activate,
}

/// Why an operation does not apply to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// A number that has to be at least 1 is 0: which.
    Zero(&'static str),
    /// The window does not fit the input, or takes all of the output away.
    Window(Shape, Window),
    /// Another number of values: of the input, of the new shape.
    Reshape(Shape, Shape),
    /// More than [`LARGEST`] values.
    TooLarge,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShapeError::Zero(what) => write!(f, "{what} is 0"),
            ShapeError::Window(input, window) => write!(
                f,
                "kernel {}, stride {} and padding {} do not fit an input of {input}",
                window.kernel, window.stride, window.padding
            ),
            ShapeError::Reshape(from, to) => write!(f, "{from} values cannot become {to}"),
            ShapeError::TooLarge => write!(f, "a tensor of more than {LARGEST} values"),
        }
    }
}

impl core::error::Error for ShapeError {}

impl Op {
    /// The name of the operation, as records write it.
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

    /// The shape of what it makes of `input`.
    ///
    /// # Errors
    /// [`ShapeError`] says what does not fit.
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

    /// Sides of the weight of an operation on `input`: `None` where it has none.
    pub fn weight(&self, input: Shape) -> Option<[usize; 4]> {
        match *self {
            Op::Dense { out } => Some([out, input.values(), 1, 1]),
            Op::Conv { out, window } => Some([out, input.c, window.kernel, window.kernel]),
            Op::ConvTranspose { out, window } => Some([input.c, out, window.kernel, window.kernel]),
            Op::Affine => Some([input.c, 1, 1, 1]),
            Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => None,
        }
    }

    /// Length of the bias of an operation on `input`, where it may have one.
    pub fn bias(&self, input: Shape) -> Option<usize> {
        match *self {
            Op::Dense { out } | Op::Conv { out, .. } | Op::ConvTranspose { out, .. } => Some(out),
            Op::Affine => Some(input.c),
            Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => None,
        }
    }

    /// Multiply-adds on one sample of `input`.
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

/// The obvious loop of an operation: the specification of all others. `weight` and `bias` as the operation has them
/// (an empty bias is zeros); `y` is written whole. The activation is not applied.
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

/// Output channel `o`'s bias; none is nought.
pub(crate) fn bias_of(bias: &[f32], o: usize) -> f32 {
    bias.get(o).copied().unwrap_or(0.0)
}
