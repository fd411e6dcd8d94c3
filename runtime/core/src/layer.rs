//! One layer of a model, its weights borrowed from a record.

use crate::layout::{Layout, padded, stored};
use crate::op::{Activation, Op, Shape};

/// Most layers of a model: a model stores that many in place, without an allocator.
pub const LAYERS: usize = 64;

/// What a model makes its picture from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A latent of that many values.
    Latent(usize),
    /// A picture of that shape, gray or in color. Black is -1 and white 1.
    Picture(Shape),
}

impl Input {
    /// Its shape as the first layer reads it.
    pub fn shape(self) -> Shape {
        match self {
            Input::Latent(n) => Shape::new(n, 1, 1),
            Input::Picture(shape) => shape,
        }
    }
}

/// A tensor that a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The model's input.
    Input,
    /// The output of the layer of that number.
    Layer(u16),
}

impl Source {
    /// What layer `i` reads unless it says otherwise: the output of the layer before.
    pub(crate) fn before(i: usize) -> Source {
        match i {
            0 => Source::Input,
            _ => Source::Layer(i as u16 - 1),
        }
    }
}

/// How the numbers of a model are stored and computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 32-bit floats in the order in which the CPU kernels read them.
    Packed,
    /// Weights as 16-bit floats in the order in which the CPU kernels read them; activations are
    /// 32-bit floats, and so are products and sums unless the instruction set
    /// [`has_halves`](crate::Isa::has_halves).
    F16,
    /// 8-bit integers from the latent to the pixels.
    Int8,
}

impl Precision {
    /// Its name in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Packed => "packed",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
        }
    }
}

/// Where the output of a layer lies, and what is in use while the layer runs: in values, or in bytes
/// for an int8 layer. See [`crate::plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whether the offset counts from the back of the arena.
    pub back: bool,
    /// Distance from that end.
    pub offset: usize,
    /// The last layer that reads it.
    pub until: u16,
    /// Length in use at the front and at the back of the arena.
    pub used: [usize; 2],
}

impl Place {
    /// That of the model's input, and of layers without a plan.
    pub const FRONT: Place = Place { back: false, offset: 0, until: 0, used: [0; 2] };
}

/// One layer.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it computes.
    pub op: Op,
    /// What is applied to each output value.
    pub activation: Activation,
    /// What it reads.
    pub from: Source,
    /// The second input of an operation that joins two.
    pub other: Option<Source>,
    /// Shape of the input, the first one if there are two.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Whether it is the last layer, whose output is the image.
    pub image: bool,
    /// Its weights and biases.
    pub weights: Weights<'a>,
    /// Where its output lies.
    pub(crate) place: Place,
}

/// The weights and biases of a layer. The slices of an operation that only moves values are empty.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// As the operation defines them; activations have their channels first.
    Float {
        /// See [`Op`].
        weight: &'a [f32],
        /// One value per output channel; empty means zero.
        bias: &'a [f32],
    },
    /// In blocks; activations have their channels last. Of [`Op::Affine`] and
    /// [`Op::InstanceNorm`], both have one value per channel.
    Packed {
        /// See [`Layout::weight`].
        weight: &'a [f32],
        /// One value per lane of every block of every group.
        bias: &'a [f32],
    },
    /// [`Weights::Packed`] with weights as 16-bit floats, all of them finite.
    Half {
        /// The bits of the floats; see [`crate::half`].
        weight: &'a [u16],
        /// One value per lane of every block of every group.
        bias: &'a [f32],
    },
    /// In blocks of 8-bit integers; activations are bytes with their channels last.
    Int8(Int8<'a>),
}

/// The integers of an int8 layer. Those of [`Op::Affine`] and [`Op::InstanceNorm`] have one value
/// per channel; see [`crate::int8`] for operations that join.
#[derive(Clone, Copy, Debug)]
pub struct Int8<'a> {
    /// See [`Layout::weight`].
    pub weight: &'a [i8],
    /// Added to a sum, one value per lane: the bias minus the contribution of the input's zero
    /// point.
    pub bias: &'a [i32],
    /// Factor of a sum, one value per lane.
    pub scale: &'a [i32],
    /// Bits by which the product is shifted, 1 to 62.
    pub shift: u32,
    /// The activation as [`TABLE`] bytes; empty if it is the clamping to a byte. Of
    /// [`Op::Concat`], the byte that each of the 256 becomes, for both inputs.
    pub table: &'a [u8],
    /// Zero point of the input: the byte of the padding.
    pub padding: u8,
    /// Zero point of the output.
    pub zero: u8,
}

/// Entries of the table of an activation.
pub const TABLE: usize = 1024;

/// Entries of the table of a concatenation.
pub const JOINED: usize = 512;

/// Most bits by which the sum of two inputs is shifted: sums have 32.
pub const ADD_SHIFT: u32 = 30;

/// Most pixels of a channel that is normalized in integers.
pub const NORMALIZED: usize = 1 << 20;

/// Most channels whose scales are written as the diagonal of a matrix in records in blocks, which
/// grows with their square; more stay one scale per channel.
#[cfg(feature = "alloc")]
pub(crate) const DIAGONAL: usize = 64;

/// Most products in a sum: that many of 255 * 127 fit into 31 bits.
pub const TERMS: usize = 65_536;

impl Weights<'_> {
    /// Bytes of the weights.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Weights::Float { weight, .. } | Weights::Packed { weight, .. } => size_of_val(*weight),
            Weights::Half { weight, .. } => size_of_val(*weight),
            Weights::Int8(int8) => size_of_val(int8.weight),
        }
    }

    /// Bytes of a value of an activation.
    pub(crate) fn value(&self) -> usize {
        match self {
            Weights::Int8(_) => size_of::<u8>(),
            Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
                size_of::<f32>()
            }
        }
    }
}

impl Int8<'_> {
    /// What is added to a requantized sum, and the largest result.
    #[inline(always)]
    pub(crate) fn span(&self) -> (i64, i64) {
        match self.table {
            [] => (self.zero as i64, 255),
            _ => (TABLE as i64 / 2, TABLE as i64 - 1),
        }
    }
}

impl<'a> Layer<'a> {
    /// Fills the unused places of a model.
    pub(crate) const EMPTY: Layer<'static> = Layer {
        name: "",
        op: Op::Activate,
        activation: Activation::None,
        from: Source::Input,
        other: None,
        input: Shape::new(0, 0, 0),
        output: Shape::new(0, 0, 0),
        image: false,
        weights: Weights::Float { weight: &[], bias: &[] },
        place: Place::FRONT,
    };

    /// Weight and bias as the operation defines them; empty for other precisions than f32.
    pub fn floats(&self) -> (&'a [f32], &'a [f32]) {
        match self.weights {
            Weights::Float { weight, bias } => (weight, bias),
            Weights::Packed { .. } | Weights::Half { .. } | Weights::Int8(_) => (&[], &[]),
        }
    }

    /// Where the weights and outputs of a layer in blocks lie; `None` if it is not in blocks or
    /// only moves values.
    pub(crate) fn layout(&self) -> Option<Layout> {
        match self.weights {
            Weights::Float { .. } => None,
            Weights::Packed { .. } | Weights::Half { .. } => {
                Layout::floats(&self.op, self.input, self.output, self.image)
            }
            Weights::Int8(_) => Layout::bytes(&self.op, self.input, self.output, self.image),
        }
    }

    /// Shape of the second input; the first one's if there is none.
    pub fn other_input(&self) -> Shape {
        self.op.other(self.input).unwrap_or(self.input)
    }

    /// Length of the input, of the second input and of the output in memory: in values, or in bytes
    /// for an int8 layer.
    pub(crate) fn ends(&self) -> [usize; 3] {
        let (input, other) = (self.input, self.other_input());
        match self.weights {
            Weights::Int8(_) => {
                [stored(input, false), stored(other, false), stored(self.output, self.image)]
            }
            Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
                [input.values(), other.values(), self.output.values()]
            }
        }
    }

    /// Distance of the pixels of the inputs and of the output of a layer whose activations have
    /// their channels last; `None` if they have them first.
    pub(crate) fn steps(&self) -> Option<[usize; 3]> {
        let all = [self.input.c, self.other_input().c, self.output.c];
        match self.weights {
            Weights::Float { .. } => None,
            Weights::Packed { .. } | Weights::Half { .. } => Some(all),
            Weights::Int8(_) => Some(all.map(padded)),
        }
    }

    /// Number of trained parameters. Layers in blocks always have a bias.
    pub fn parameters(&self) -> usize {
        let bias = match self.weights {
            Weights::Float { bias, .. } => bias.len(),
            Weights::Packed { .. } | Weights::Half { .. } | Weights::Int8(_) => {
                self.op.bias(self.input).unwrap_or(0)
            }
        };
        self.op.weight(self.input).map_or(0, |dims| dims.iter().product()) + bias
    }
}
