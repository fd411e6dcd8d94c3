//! A checked, borrowed view of a record's bytes as a list of layers.

use core::fmt;

use crate::half;
use crate::int8::{self, Int8, Layout};
use crate::op::{Activation, Op, Shape, ShapeError, Window};
use crate::packed::Packed;
use crate::plan;
use crate::record::{self, Record, RecordError, Tensor};
use crate::simd::{self, cast};

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
    /// How numbers are stored and computed with: absent for `f32`.
    pub const PRECISION: &str = "pocket-gan.precision";
    /// Integers of an int8 model: of the latent, then of the layers, one a line.
    pub const INT8: &str = "pocket-gan.int8";
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
    /// The integers of an int8 model, which has them in place of weight and bias.
    pub int8: Option<Int8<'a>>,
    /// The floats of a packed model, which has them in place of weight and bias.
    pub packed: Option<Packed<'a>>,
}

/// How a model's numbers are stored and computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 32-bit floats in the order in which they are used.
    Packed,
    /// Weights of 16-bit floats in the order in which they are used, computed with as 32-bit ones.
    F16,
    /// Bytes: integers from latent to pixel.
    Int8,
}

impl Precision {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Packed => "packed",
            Precision::F16 => "f16",
            Precision::Int8 => "int8",
        }
    }
}

/// A generator, checked: no method of it can fail.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    record: Record<'a>,
    latent: usize,
    classes: usize,
    range: (f32, f32),
    /// Factor and zero of the latent of an int8 model.
    quantised: Option<(f32, u8)>,
    packed: bool,
    half: bool,
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
    /// As many classes as the latent has values, or more: both.
    Classes(usize, usize),
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
    /// A layer's tensor of an element type other than its model's: layer, name, wanted, got.
    Type(usize, &'a str, &'static str, &'a str),
    /// A weight of a layer of an f16 model that is no number.
    NotFinite(usize, &'a str),
    /// A layer of an int8 or packed model for which those have no kernel: why.
    Blocks(usize, &'a str, &'static str),
    /// An int8 layer's line of zero and shift that is missing or does not read.
    Zero(usize, &'a str),
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
            ModelError::Missing(key) => {
                write!(f, "the record has no {key:?}: it is not an exported generator")
            }
            ModelError::Value(key, got) => write!(f, "{key:?} says {got:?}"),
            ModelError::Classes(classes, latent) => write!(
                f,
                "{:?} has {classes} names, a latent of {latent} values has no room for so many and a seed",
                key::LABELS
            ),
            ModelError::Layers(got) => write!(f, "{got} layers, at most {LAYERS} are supported"),
            ModelError::Layer(i, line) => write!(f, "layer {i}: {line:?} is not a layer"),
            ModelError::Shape(i, name, error) => write!(f, "layer {i} ({name}): {error}"),
            ModelError::NoTensor(i, name, tensor) => {
                write!(f, "layer {i} ({name}): the record has no {tensor}")
            }
            ModelError::Tensor { layer, name, tensor, need, got } => write!(
                f,
                "layer {layer} ({name}): the {tensor} has {got} values, the layer wants {need}"
            ),
            ModelError::Type(i, name, want, got) => write!(
                f,
                "layer {i} ({name}): values of type {got:?}, the model's precision wants {want:?}"
            ),
            ModelError::Blocks(i, name, why) => {
                write!(f, "layer {i} ({name}): int8 and packed models have no {why}")
            }
            ModelError::NotFinite(i, name) => {
                write!(f, "layer {i} ({name}): a weight is not finite")
            }
            ModelError::Zero(i, name) => {
                write!(f, "layer {i} ({name}): {:?} has no shift and zero of it", key::INT8)
            }
            ModelError::NoImage(shape) => {
                write!(f, "the last layer makes {shape}, not an image of 1 or 3 channels")
            }
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
        for (i, layer) in model.layers().iter().enumerate() {
            let mut halves = layer.packed.iter().flat_map(|packed| packed.half);
            if !halves.all(|h| half::is_finite(*h)) {
                return Err(ModelError::NotFinite(i, layer.name));
            }
        }
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
            classes: 0,
            range: (-1.0, 1.0),
            quantised: None,
            packed: false,
            half: false,
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
        model.classes = model.labels().count();
        if model.classes >= model.latent {
            return Err(ModelError::Classes(model.classes, model.latent));
        }
        let text = model.required(key::RANGE)?;
        model.range = range(text).ok_or(ModelError::Value(key::RANGE, text))?;
        let mut integers = "".lines();
        match record.get(key::PRECISION) {
            None | Some("f32") => {}
            Some("packed") => model.packed = true,
            Some("f16") => (model.packed, model.half) = (true, true),
            Some("int8") => {
                let text = model.required(key::INT8)?;
                integers = text.lines();
                let latent = integers.next().unwrap_or_default();
                model.quantised =
                    Some(self::latent(latent).ok_or(ModelError::Value(key::INT8, latent))?);
            }
            Some(other) => return Err(ModelError::Value(key::PRECISION, other)),
        }
        let lines = model.required(key::LAYERS)?;
        let count = lines.lines().count();
        if count > LAYERS {
            return Err(ModelError::Layers(count));
        }
        let mut shape = Shape::new(model.latent, 1, 1);
        for (i, line) in lines.lines().enumerate() {
            let mut layer = model.layer(i, line, shape)?;
            if let Some((_, zero)) = model.quantised {
                let before = model.layers[..i].last().and_then(|l| l.int8);
                let before = before.map_or(zero, |b| b.zero);
                let line = integers.next().unwrap_or_default();
                layer.int8 = Some(model.int8(i, &layer, line, before, i + 1 == count)?);
            }
            if model.packed {
                layer.packed = Some(model.packed(i, &layer, i + 1 == count)?);
            }
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
        let output = op.output(input).map_err(|error| ModelError::Shape(i, name, error))?;
        // Int8 and packed models have their weights in other forms.
        let sides = op.weight(input).filter(|_| !self.blocked());
        let weight = match sides {
            None => &[],
            Some(sides) => {
                let need = sides.into_iter().try_fold(1usize, usize::checked_mul);
                let need = need.ok_or(ModelError::Shape(i, name, ShapeError::TooLarge))?;
                self.floats(i, name, "weight", need)?
                    .ok_or(ModelError::NoTensor(i, name, "weight"))?
            }
        };
        let bias = match op.bias(input) {
            Some(need) if !self.blocked() => {
                self.floats(i, name, "bias", need)?.unwrap_or_default()
            }
            _ => &[],
        };
        Ok(Layer { name, op, activation, input, output, weight, bias, int8: None, packed: None })
    }

    /// Whether weights are in blocks.
    fn blocked(&self) -> bool {
        self.packed || self.quantised.is_some()
    }

    /// Layer `i`'s integers; `line` is its own of [`key::INT8`].
    fn int8(
        &self,
        i: usize,
        layer: &Layer<'a>,
        line: &str,
        before: u8,
        image: bool,
    ) -> Result<Int8<'a>, ModelError<'a>> {
        let name = layer.name;
        let missing = ModelError::Zero(i, name);
        let (shift, zero) = line.split_once(' ').ok_or(missing)?;
        let (shift, zero) = match (shift.parse(), zero.parse()) {
            (Ok(shift @ 1..=62), Ok(zero)) => (shift, zero),
            _ => return Err(missing),
        };
        let mut int8 =
            Int8 { weight: &[], bias: &[], scale: &[], shift, table: &[], before, zero, image };
        let layout = Layout::bytes(&layer.op, layer.input, layer.output, image);
        let Some(layout) = only_moves(i, layer, layout, image)? else {
            // The bytes stay what they were, so does the one that stands for 0.
            int8.zero = before;
            return Ok(int8);
        };
        let need = layout.weight_len();
        let need = need.ok_or(ModelError::Shape(i, name, ShapeError::TooLarge))?;
        if layout.terms() > int8::TERMS {
            return Err(ModelError::Blocks(i, name, "sums of so many products"));
        }
        let required = |tensor, dtype, need, size| {
            let found = self.tensor(i, name, tensor, dtype, need, size)?;
            found.ok_or(ModelError::NoTensor(i, name, tensor))
        };
        let words = |bytes| cast::words(bytes).ok_or(ModelError::Misaligned);
        let lanes = layout.bias_len();
        int8.weight = cast::signed(required("weight", "I8", need, 1)?);
        int8.bias = words(required("bias", "I32", lanes, 4)?)?;
        int8.scale = words(required("scale", "I32", lanes, 4)?)?;
        if image || !matches!(layer.activation, Activation::None | Activation::Relu) {
            int8.table = required("table", "U8", int8::TABLE, 1)?;
        }
        Ok(int8)
    }

    /// Layer `i`'s blocks of floats.
    fn packed(
        &self,
        i: usize,
        layer: &Layer<'a>,
        image: bool,
    ) -> Result<Packed<'a>, ModelError<'a>> {
        let mut packed = Packed { weight: &[], half: &[], bias: &[], image };
        let Some(layout) = only_moves(i, layer, packed.layout(layer), image)? else {
            return Ok(packed);
        };
        let need = layout.weight_len();
        let need = need.ok_or(ModelError::Shape(i, layer.name, ShapeError::TooLarge))?;
        let required = |tensor, need| {
            let found = self.floats(i, layer.name, tensor, need)?;
            found.ok_or(ModelError::NoTensor(i, layer.name, tensor))
        };
        match self.half && !simd::one_by_one(&layer.op, layer.input, image) {
            false => packed.weight = required("weight", need)?,
            true => {
                let name = layer.name;
                let bytes = self.tensor(i, name, "weight", "F16", need, 2)?;
                let bytes = bytes.ok_or(ModelError::NoTensor(i, name, "weight"))?;
                packed.half = cast::halves(bytes).ok_or(ModelError::Misaligned)?;
            }
        }
        packed.bias = required("bias", layout.bias_len())?;
        Ok(packed)
    }

    /// Layer `i`'s tensor of `need` floats.
    fn floats(
        &self,
        i: usize,
        name: &'a str,
        kind: &'static str,
        need: usize,
    ) -> Result<Option<&'a [f32]>, ModelError<'a>> {
        match self.tensor(i, name, kind, "F32", need, 4)? {
            None => Ok(None),
            Some(bytes) => cast::floats(bytes).ok_or(ModelError::Misaligned).map(Some),
        }
    }

    /// Layer `i`'s tensor, `NAME.weight` or another `kind`, of `need` values of `size` bytes.
    fn tensor(
        &self,
        i: usize,
        name: &'a str,
        kind: &'static str,
        dtype: &'static str,
        need: usize,
        size: usize,
    ) -> Result<Option<&'a [u8]>, ModelError<'a>> {
        let is = |n: &str| n.strip_prefix(name).and_then(|n| n.strip_prefix('.')) == Some(kind);
        let Some(tensor): Option<Tensor<'a>> = self.record.tensor(is) else {
            return Ok(None);
        };
        if tensor.dtype != dtype {
            return Err(ModelError::Type(i, name, dtype, tensor.dtype));
        }
        if tensor.bytes.len() != need.saturating_mul(size) {
            return Err(ModelError::Tensor {
                layer: i,
                name,
                tensor: kind,
                need,
                got: tensor.bytes.len() / size,
            });
        }
        Ok(Some(tensor.bytes))
    }

    /// How numbers are stored and computed with.
    pub fn precision(&self) -> Precision {
        match self.quantised {
            Some(_) => Precision::Int8,
            None if self.half => Precision::F16,
            None if self.packed => Precision::Packed,
            None => Precision::F32,
        }
    }

    /// Factor and zero by which the latent of an int8 model becomes bytes.
    pub fn quantised(&self) -> Option<(f32, u8)> {
        self.quantised
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
        self.layers().iter().map(Layer::parameters).sum()
    }

    /// Multiply-adds of one image.
    pub fn multiply_adds(&self) -> u64 {
        let of = |l: &Layer| l.op.multiply_adds(l.input, l.output);
        self.layers().iter().map(of).sum()
    }

    /// Values (`f32`) of the arena that [`crate::cpu::Cpu`] wants: exact, scratch included.
    pub fn arena_len(&self) -> usize {
        plan::arena_len(self, 1)
    }

    /// Values (`f32`) of the arena with which so many threads make one image together: exact, a scratch a thread.
    pub fn arena_len_of(&self, threads: usize) -> usize {
        plan::arena_len(self, threads)
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

    /// How many classes a conditional generator has: so many of its latent's values, the last ones, say which.
    pub fn classes(&self) -> usize {
        self.classes
    }
}

impl Layer<'_> {
    /// Numbers that were learnt; an int8 or packed layer always has a bias.
    pub fn parameters(&self) -> usize {
        let bias = match (&self.int8, &self.packed) {
            (None, None) => self.bias.len(),
            _ => self.op.bias(self.input).unwrap_or(0),
        };
        self.op.weight(self.input).map_or(0, |s| s.iter().product()) + bias
    }

    /// What stands in the places of a model's array that have no layer.
    const NOTHING: Layer<'static> = Layer {
        name: "",
        op: Op::Activate,
        activation: Activation::None,
        input: Shape::new(0, 0, 0),
        output: Shape::new(0, 0, 0),
        weight: &[],
        bias: &[],
        int8: None,
        packed: None,
    };
}

/// Whether layer `i` of an int8 or packed model, which has no `layout`, may be without: it moves values and no more.
fn only_moves<'a>(
    i: usize,
    layer: &Layer<'a>,
    layout: Option<Layout>,
    image: bool,
) -> Result<Option<Layout>, ModelError<'a>> {
    let refused = |why| Err(ModelError::Blocks(i, layer.name, why));
    match layer.op {
        _ if layout.is_some() => Ok(layout),
        Op::Resize { .. } | Op::Reshape { .. } if image => {
            refused("last layer that only moves values")
        }
        Op::Resize { .. } | Op::Reshape { .. } if layer.activation != Activation::None => {
            refused("activation of moved values")
        }
        Op::Resize { .. } | Op::Reshape { .. } => Ok(None),
        Op::Affine | Op::Activate => refused("kernel for it"),
        Op::Dense { .. } | Op::Conv { .. } | Op::ConvTranspose { .. } => {
            refused("kernel for so large a window")
        }
    }
}

/// `FACTOR ZERO` of the latent.
fn latent(line: &str) -> Option<(f32, u8)> {
    let (factor, zero) = line.split_once(' ')?;
    let factor: f32 = factor.parse().ok()?;
    Some((factor, zero.parse().ok()?)).filter(|_| factor.is_finite() && factor > 0.0)
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
        let window = Window { kernel: number()?, stride: number()?, padding: number()? };
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
        "Reshape" => Op::Reshape { to: Shape::new(number()?, number()?, number()?) },
        "Activate" => Op::Activate,
        _ => return None,
    };
    let activation = match words.next()? {
        "None" => Activation::None,
        "Relu" => Activation::Relu,
        "LeakyRelu" => {
            let slope = words.next()?.parse().ok().filter(|slope: &f32| slope.is_finite())?;
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
        Op::Conv { out, window } | Op::ConvTranspose { out, window } => {
            write!(to, " {out} {} {} {}", window.kernel, window.stride, window.padding)?
        }
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
