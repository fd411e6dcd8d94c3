//! A checked, borrowed view of a record's bytes as a list of layers.

use core::fmt;

use crate::op::{Activation, Op, Shape, ShapeError, Window};
use crate::plan;
use crate::record::{self, Record, RecordError};
use crate::simd::cast;

/// Most layers of a model: the view has room for as many, in itself.
pub const LAYERS: usize = 32;

/// The keys of a record's metadata that this project writes; `docs/record.md` explains them.
pub mod key {
    /// Version of these keys.
    pub const FORMAT: &str = "pocket-gan.format";
    /// Length of the latent.
    pub const LATENT: &str = "pocket-gan.latent";
    /// The layers, one a line.
    pub const LAYERS: &str = "pocket-gan.layers";
    /// Checksum of the data section.
    pub const CHECKSUM: &str = "pocket-gan.checksum";
    /// Values of black and white.
    pub const RANGE: &str = "pocket-gan.range";
    /// What the generator is called.
    pub const NAME: &str = "pocket-gan.name";
    /// Its licence.
    pub const LICENSE: &str = "pocket-gan.license";
    /// What it was trained on.
    pub const DATA: &str = "pocket-gan.data";
    /// How it was trained.
    pub const TRAINED: &str = "pocket-gan.trained";
    /// Names of the classes, one a line.
    pub const LABELS: &str = "pocket-gan.labels";
}

/// The version of the keys that is written and read.
pub const FORMAT: &str = "1";

/// One layer: weights in the record's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What it computes.
    pub op: Op,
    /// What is applied to each value afterwards.
    pub activation: Activation,
    /// Shape of the input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// The operation's weight; empty where it has none.
    pub weight: &'a [f32],
    /// A value an output channel; empty for zeros.
    pub bias: &'a [f32],
}

/// A generator, checked: no method of it can fail.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    record: Record<'a>,
    latent: usize,
    range: (f32, f32),
    layers: [Layer<'a>; LAYERS],
    len: usize,
}

/// Why bytes are not a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ModelError<'a> {
    /// Not even a record.
    Record(RecordError),
    /// A record without this key: it is not an exported generator.
    Missing(&'static str),
    /// A key whose value is not what it should be.
    Value(&'static str, &'a str),
    /// More than [`LAYERS`] layers.
    Layers(usize),
    /// A line of the layer list that does not read: which, what it says.
    Layer(usize, &'a str),
    /// A layer that does not fit what comes before it.
    Shape(usize, &'a str, ShapeError),
    /// A layer's tensor is not there.
    NoTensor(usize, &'a str, &'static str),
    /// A layer's tensor is of the wrong size.
    Tensor {
        /// Which layer.
        layer: usize,
        /// Its name.
        name: &'a str,
        /// `weight` or `bias`.
        tensor: &'static str,
        /// Values the layer wants.
        need: usize,
        /// Values there are.
        got: usize,
    },
    /// A layer's tensor of an element type that this build has no kernels for.
    Type(usize, &'a str, &'a str),
    /// The last layer makes no image: 1 or 3 channels.
    NoImage(Shape),
    /// The weights are damaged: checksum written, checksum found.
    Checksum(u32, u32),
    /// The bytes do not lie at a multiple of 4: see [`crate::include_record`] and [`crate::record::Buffer`].
    Misaligned,
}

impl fmt::Display for ModelError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelError::Record(error) => write!(f, "{error}"),
            ModelError::Missing(key) => write!(
                f,
                "the record has no {key:?}: it is not an exported generator"
            ),
            ModelError::Value(key, got) => write!(f, "{key:?} says {got:?}"),
            ModelError::Layers(got) => write!(f, "{got} layers, at most {LAYERS} are supported"),
            ModelError::Layer(i, line) => write!(f, "layer {i}: {line:?} is not a layer"),
            ModelError::Shape(i, name, error) => write!(f, "layer {i} ({name}): {error}"),
            ModelError::NoTensor(i, name, tensor) => {
                write!(f, "layer {i} ({name}): the record has no {tensor}")
            }
            ModelError::Tensor {
                layer,
                name,
                tensor,
                need,
                got,
            } => write!(
                f,
                "layer {layer} ({name}): the {tensor} has {got} values, the layer wants {need}"
            ),
            ModelError::Type(i, name, got) => write!(
                f,
                "layer {i} ({name}): values of type {got:?}, this build reads \"F32\""
            ),
            ModelError::NoImage(shape) => write!(
                f,
                "the last layer makes {shape}, not an image of 1 or 3 channels"
            ),
            ModelError::Checksum(want, got) => write!(
                f,
                "the weights are damaged: their checksum is {got:08x}, {want:08x} was written"
            ),
            ModelError::Misaligned => {
                write!(f, "the record's bytes are not aligned to 4 bytes in memory")
            }
        }
    }
}

impl core::error::Error for ModelError<'_> {}

impl From<RecordError> for ModelError<'_> {
    fn from(error: RecordError) -> Self {
        ModelError::Record(error)
    }
}

impl<'a> Model<'a> {
    /// A view of a record's bytes, everything in it checked, the weights against their checksum too.
    ///
    /// The bytes have to lie at a multiple of 4 in memory: [`crate::include_record`] and
    /// [`crate::record::Buffer`] see to it.
    ///
    /// # Errors
    /// [`ModelError`] names the layer or key. After `Ok` no method of the model or of what runs it fails.
    pub fn parse(bytes: &'a [u8]) -> Result<Model<'a>, ModelError<'a>> {
        let model = Model::parse_unsummed(bytes)?;
        let text = model.required(key::CHECKSUM)?;
        let want =
            u32::from_str_radix(text, 16).map_err(|_| ModelError::Value(key::CHECKSUM, text))?;
        match record::checksum(model.record.data()) {
            got if got == want => Ok(model),
            got => Err(ModelError::Checksum(want, got)),
        }
    }

    /// As [`Model::parse`], without reading the weights: for firmware whose flash is checked elsewhere. Damaged weights
    /// make a wrong picture then, and nothing worse.
    ///
    /// # Errors
    /// As [`Model::parse`].
    pub fn parse_unsummed(bytes: &'a [u8]) -> Result<Model<'a>, ModelError<'a>> {
        let record = Record::parse(bytes)?;
        let mut model = Model {
            record,
            latent: 0,
            range: (-1.0, 1.0),
            layers: [Layer::NOTHING; LAYERS],
            len: 0,
        };
        let format = model.required(key::FORMAT)?;
        if format != FORMAT {
            return Err(ModelError::Value(key::FORMAT, format));
        }
        let text = model.required(key::LATENT)?;
        model.latent = match text.parse() {
            Ok(n @ 1..=crate::op::LARGEST) => n,
            _ => return Err(ModelError::Value(key::LATENT, text)),
        };
        let text = model.required(key::RANGE)?;
        model.range = range(text).ok_or(ModelError::Value(key::RANGE, text))?;
        let lines = model.required(key::LAYERS)?;
        let count = lines.lines().count();
        if count > LAYERS {
            return Err(ModelError::Layers(count));
        }
        let mut shape = Shape::new(model.latent, 1, 1);
        for (i, line) in lines.lines().enumerate() {
            let layer = model.layer(i, line, shape)?;
            shape = layer.output;
            model.layers[i] = layer;
            model.len = i + 1;
        }
        match shape.c {
            1 | 3 if count > 0 => Ok(model),
            _ => Err(ModelError::NoImage(shape)),
        }
    }

    fn required(&self, key: &'static str) -> Result<&'a str, ModelError<'a>> {
        self.record.get(key).ok_or(ModelError::Missing(key))
    }

    fn layer(&self, i: usize, line: &'a str, input: Shape) -> Result<Layer<'a>, ModelError<'a>> {
        let (name, op, activation) = self::line(line).ok_or(ModelError::Layer(i, line))?;
        let output = op
            .output(input)
            .map_err(|error| ModelError::Shape(i, name, error))?;
        let weight = match op.weight(input) {
            None => &[],
            Some(sides) => {
                let need = sides.into_iter().try_fold(1usize, usize::checked_mul);
                let need = need.ok_or(ModelError::Shape(i, name, ShapeError::TooLarge))?;
                self.tensor(i, name, "weight", need)?
                    .ok_or(ModelError::NoTensor(i, name, "weight"))?
            }
        };
        let bias = match op.bias(input) {
            None => &[],
            Some(need) => self.tensor(i, name, "bias", need)?.unwrap_or_default(),
        };
        Ok(Layer {
            name,
            op,
            activation,
            input,
            output,
            weight,
            bias,
        })
    }

    /// Layer `i`'s tensor, `NAME.weight` or `NAME.bias`, of `need` values.
    fn tensor(
        &self,
        i: usize,
        name: &'a str,
        kind: &'static str,
        need: usize,
    ) -> Result<Option<&'a [f32]>, ModelError<'a>> {
        let is = |n: &str| n.strip_prefix(name).and_then(|n| n.strip_prefix('.')) == Some(kind);
        let Some(tensor) = self.record.tensor(is) else {
            return Ok(None);
        };
        if tensor.dtype != "F32" {
            return Err(ModelError::Type(i, name, tensor.dtype));
        }
        if tensor.bytes.len() != need.saturating_mul(4) {
            return Err(ModelError::Tensor {
                layer: i,
                name,
                tensor: kind,
                need,
                got: tensor.bytes.len() / 4,
            });
        }
        cast::floats(tensor.bytes)
            .ok_or(ModelError::Misaligned)
            .map(Some)
    }

    /// Length of the latent.
    pub fn latent(&self) -> usize {
        self.latent
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer<'a>] {
        &self.layers[..self.len]
    }

    /// Shape of the image.
    pub fn output(&self) -> Shape {
        self.layers[self.len - 1].output
    }

    /// Values of black and white.
    pub fn range(&self) -> (f32, f32) {
        self.range
    }

    /// Numbers that were learnt.
    pub fn parameters(&self) -> usize {
        let of = |l: &Layer| l.weight.len() + l.bias.len();
        self.layers().iter().map(of).sum()
    }

    /// Multiply-adds of one image.
    pub fn multiply_adds(&self) -> u64 {
        let of = |l: &Layer| l.op.multiply_adds(l.input, l.output);
        self.layers().iter().map(of).sum()
    }

    /// Values (`f32`) of the arena that [`crate::cpu::Cpu`] wants: exact, scratch included.
    pub fn arena_len(&self) -> usize {
        plan::arena_len(self)
    }

    /// A fact of the record, by its [`key`]: [`key::NAME`], [`key::LICENSE`], [`key::DATA`], [`key::TRAINED`]; empty
    /// where it is not there.
    pub fn fact(&self, key: &str) -> &'a str {
        self.record.get(key).unwrap_or_default()
    }

    /// Names of the classes of a conditional generator, in order.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fact(key::LABELS).lines()
    }
}

impl Layer<'_> {
    /// What stands in the places of a model's array that have no layer.
    const NOTHING: Layer<'static> = Layer {
        name: "",
        op: Op::Activate,
        activation: Activation::None,
        input: Shape::new(0, 0, 0),
        output: Shape::new(0, 0, 0),
        weight: &[],
        bias: &[],
    };
}

/// Two different finite numbers.
fn range(text: &str) -> Option<(f32, f32)> {
    let (black, white) = text.split_once(' ')?;
    let (black, white): (f32, f32) = (black.parse().ok()?, white.parse().ok()?);
    (black.is_finite() && white.is_finite() && black != white).then_some((black, white))
}

/// `NAME OP ARGUMENTS ACTIVATION`, as [`write_line`] writes it.
fn line(text: &str) -> Option<(&str, Op, Activation)> {
    let mut words = text.split(' ');
    let name = words.next().filter(|name| !name.is_empty())?;
    let op = words.next()?;
    let mut number = || words.next()?.parse::<usize>().ok();
    let mut windowed = || {
        let out = number()?;
        let window = Window {
            kernel: number()?,
            stride: number()?,
            padding: number()?,
        };
        Some((out, window))
    };
    let op = match op {
        "Dense" => Op::Dense { out: number()? },
        "Conv" => {
            let (out, window) = windowed()?;
            Op::Conv { out, window }
        }
        "ConvTranspose" => {
            let (out, window) = windowed()?;
            Op::ConvTranspose { out, window }
        }
        "Affine" => Op::Affine,
        "Resize" => Op::Resize { factor: number()? },
        "Reshape" => Op::Reshape {
            to: Shape::new(number()?, number()?, number()?),
        },
        "Activate" => Op::Activate,
        _ => return None,
    };
    let activation = match words.next()? {
        "None" => Activation::None,
        "Relu" => Activation::Relu,
        "LeakyRelu" => {
            let slope = words
                .next()?
                .parse()
                .ok()
                .filter(|slope: &f32| slope.is_finite())?;
            Activation::LeakyRelu(slope)
        }
        "Tanh" => Activation::Tanh,
        "Sigmoid" => Activation::Sigmoid,
        _ => return None,
    };
    words.next().is_none().then_some((name, op, activation))
}

/// A layer as a line of the layer list.
///
/// # Errors
/// Those of `to`.
pub fn write_line(
    to: &mut dyn fmt::Write,
    name: &str,
    op: &Op,
    activation: Activation,
) -> fmt::Result {
    write!(to, "{name} {}", op.name())?;
    match *op {
        Op::Dense { out } => write!(to, " {out}")?,
        Op::Conv { out, window } | Op::ConvTranspose { out, window } => write!(
            to,
            " {out} {} {} {}",
            window.kernel, window.stride, window.padding
        )?,
        Op::Resize { factor } => write!(to, " {factor}")?,
        Op::Reshape { to: s } => write!(to, " {} {} {}", s.c, s.h, s.w)?,
        Op::Affine | Op::Activate => {}
    }
    match activation {
        Activation::None => write!(to, " None"),
        Activation::Relu => write!(to, " Relu"),
        Activation::LeakyRelu(slope) => write!(to, " LeakyRelu {slope}"),
        Activation::Tanh => write!(to, " Tanh"),
        Activation::Sigmoid => write!(to, " Sigmoid"),
    }
}
