//! Layers from a record: a line of text each, and tensors.

use super::error::ModelError;
use super::line::{Line, parse_integers, parse_line};
use crate::cast;
use crate::half;
use crate::layer::{
    ADD_SHIFT, Input, Int8, JOINED, Layer, NORMALIZED, Place, Precision, Source, TABLE, TERMS,
    Weights,
};
use crate::layout::is_pixelwise;
use crate::op::{Activation, Op, Shape, ShapeError};
use crate::record::Record;

/// The name by which a layer reads the model's input.
pub const INPUT: &str = "input";

/// The weight and the bias of a layer that lie elsewhere than in the record.
pub(super) type Lend<'l, 'a> = dyn Fn(usize) -> [&'a [f32]; 2] + 'l;

/// Reads the layers of a record, first to last.
pub(super) struct Reader<'r, 'a> {
    pub record: &'r Record<'a>,
    pub lend: Option<&'r Lend<'r, 'a>>,
    pub precision: Precision,
    /// Number of the next layer.
    pub i: usize,
    /// The model's input, and its zero point if the model is int8.
    pub input: Input,
    pub zero: u8,
}

impl<'a> Reader<'_, 'a> {
    /// The next layer, from its line of the layer list and that of its integers, after those that
    /// are `done`; `image` marks the last.
    pub fn layer(
        &mut self,
        line: &'a str,
        integers: &str,
        image: bool,
        done: &[Layer<'a>],
    ) -> Result<Layer<'a>, ModelError<'a>> {
        let i = self.i;
        let line = parse_line(line).ok_or(ModelError::Layer(i, line))?;
        let Line { name, op, activation, .. } = line;
        let (from, other) = self.sources(&line, done)?;
        let input = self.shape(from, done);
        let output = op.output(input).map_err(|error| ModelError::Shape(i, name, error))?;
        if let Some((want, got)) = op.other(input).zip(other.map(|other| self.shape(other, done)))
            && want != got
        {
            return Err(ModelError::Join(i, name, want, got));
        }
        let weights = Weights::Float { weight: &[], bias: &[] };
        let place = Place::FRONT;
        let mut layer =
            Layer { name, op, activation, from, other, input, output, image, weights, place };
        layer.weights = match self.precision {
            Precision::F32 => self.float(&layer)?,
            Precision::Packed => self.packed(layer, false)?,
            Precision::F16 => self.packed(layer, !is_pixelwise(&op, input, image))?,
            Precision::Int8 => Weights::Int8(self.int8(layer, integers, self.zero(from, done))?),
        };
        self.i += 1;
        Ok(layer)
    }

    /// What a layer reads.
    fn sources(
        &self,
        line: &Line<'a>,
        done: &[Layer<'a>],
    ) -> Result<(Source, Option<Source>), ModelError<'a>> {
        let find = |name: Option<&'a str>| {
            let Some(name) = name else { return Ok(None) };
            match done.iter().rposition(|layer| layer.name == name) {
                // There are at most `LAYERS`.
                Some(of) => Ok(Some(Source::Layer(of as u16))),
                None if name == INPUT => Ok(Some(Source::Input)),
                None => Err(ModelError::Source(self.i, line.name, name)),
            }
        };
        let named = [find(line.from)?, find(line.with)?];
        let sources = line.op.sources(named, Source::before(self.i));
        sources.ok_or(ModelError::Sources(self.i, line.name))
    }

    fn shape(&self, source: Source, done: &[Layer<'a>]) -> Shape {
        match source {
            Source::Input => self.input.shape(),
            Source::Layer(of) => done[usize::from(of)].output,
        }
    }

    /// Zero point of the bytes that a layer reads.
    fn zero(&self, source: Source, done: &[Layer<'a>]) -> u8 {
        match source {
            Source::Input => self.zero,
            Source::Layer(of) => match done[usize::from(of)].weights {
                Weights::Int8(int8) => int8.zero,
                Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => 0,
            },
        }
    }

    fn float(&self, layer: &Layer<'a>) -> Result<Weights<'a>, ModelError<'a>> {
        let [lent_weight, lent_bias] = self.lend.map_or([&[][..]; 2], |lend| lend(self.i));
        let weight = match layer.op.weight(layer.input) {
            None => &[],
            Some(dims) => {
                let need = dims.into_iter().try_fold(1usize, usize::checked_mul);
                let need = need.ok_or(self.too_large(layer))?;
                match self.lend {
                    Some(_) => self.lent(layer, "weight", need, lent_weight)?,
                    None => self.required(layer, "weight", need).and_then(floats)?,
                }
            }
        };
        let bias = match layer.op.bias(layer.input) {
            None => &[],
            Some(_) if self.lend.is_some() && lent_bias.is_empty() => &[],
            Some(need) if self.lend.is_some() => self.lent(layer, "bias", need, lent_bias)?,
            Some(need) => match self.tensor(layer, "bias", "F32", need, 4)? {
                None => &[],
                Some(bytes) => floats(bytes)?,
            },
        };
        Ok(Weights::Float { weight, bias })
    }

    /// Exactly `need` values that lie elsewhere.
    fn lent(
        &self,
        layer: &Layer<'a>,
        tensor: &'static str,
        need: usize,
        values: &'a [f32],
    ) -> Result<&'a [f32], ModelError<'a>> {
        match values.len() == need {
            true => Ok(values),
            false => {
                let (name, got) = (layer.name, values.len());
                Err(ModelError::Tensor { layer: self.i, name, tensor, need, got })
            }
        }
    }

    fn packed(&self, mut layer: Layer<'a>, half: bool) -> Result<Weights<'a>, ModelError<'a>> {
        let (mut weight, mut bias): (&[f32], &[f32]) = (&[], &[]);
        let mut halves: &[u16] = &[];
        layer.weights = Weights::Packed { weight, bias };
        match layer.layout() {
            None if scales(&layer) => {
                weight = self.required(&layer, "weight", layer.input.c).and_then(floats)?;
                bias = self.required(&layer, "bias", layer.input.c).and_then(floats)?;
                return Ok(Weights::Packed { weight, bias });
            }
            None => self.only_moves(&layer)?,
            Some(layout) => {
                let need = layout.weight_len().ok_or(self.too_large(&layer))?;
                if half {
                    let bytes = self.required_as(&layer, "weight", "F16", need, 2)?;
                    halves = cast::halves(bytes).ok_or(ModelError::Misaligned)?;
                } else {
                    weight = self.required(&layer, "weight", need).and_then(floats)?;
                }
                bias = self.required(&layer, "bias", layout.bias_len()).and_then(floats)?;
            }
        }
        Ok(match half {
            true => Weights::Half { weight: halves, bias },
            false => Weights::Packed { weight, bias },
        })
    }

    /// `padding` is the zero point of the input.
    fn int8(
        &self,
        mut layer: Layer<'a>,
        line: &str,
        padding: u8,
    ) -> Result<Int8<'a>, ModelError<'a>> {
        let missing = ModelError::Zero(self.i, layer.name);
        let (shift, zero) = parse_integers(line).ok_or(missing)?;
        let mut int8 =
            Int8 { weight: &[], bias: &[], scale: &[], shift, table: &[], padding, zero };
        layer.weights = Weights::Int8(int8);
        let refused = |why| Err(ModelError::Blocks(self.i, layer.name, why));
        // Lengths of weight, bias and scale.
        let [need, biases, scales] = match (layer.layout(), layer.op) {
            (Some(layout), _) if layout.terms() > TERMS => {
                return refused("sums of that many products");
            }
            (Some(layout), _) => {
                let need = layout.weight_len().ok_or(self.too_large(&layer))?;
                [need, layout.bias_len(), layout.bias_len()]
            }
            (None, Op::Affine) if !layer.image => [layer.input.c; 3],
            (None, Op::InstanceNorm { .. } | Op::Add) if shift > ADD_SHIFT => return Err(missing),
            (None, Op::InstanceNorm { .. }) if layer.input.plane() > NORMALIZED => {
                return refused("a norm of that many pixels");
            }
            (None, Op::InstanceNorm { .. }) if !layer.image => [0, layer.input.c, layer.input.c],
            (None, Op::Add) if !layer.image => [0, 1, 2],
            (None, Op::Concat { .. }) if !layer.image => {
                int8.table = self.required_as(&layer, "table", "U8", JOINED, 1)?;
                return Ok(int8);
            }
            (None, _) => {
                // Bytes that are only moved keep their zero point.
                int8.zero = padding;
                return self.only_moves(&layer).map(|()| int8);
            }
        };
        let words = |bytes| cast::words(bytes).ok_or(ModelError::Misaligned);
        if need > 0 {
            int8.weight = cast::signed(self.required_as(&layer, "weight", "I8", need, 1)?);
        }
        int8.bias = self.required_as(&layer, "bias", "I32", biases, 4).and_then(words)?;
        int8.scale = self.required_as(&layer, "scale", "I32", scales, 4).and_then(words)?;
        if layer.image || !matches!(layer.activation, Activation::None | Activation::Relu) {
            int8.table = self.required_as(&layer, "table", "U8", TABLE, 1)?;
        }
        Ok(int8)
    }

    /// Checks that a layer in blocks without a layout has no weights.
    fn only_moves(&self, layer: &Layer<'a>) -> Result<(), ModelError<'a>> {
        let refused = |why| Err(ModelError::Blocks(self.i, layer.name, why));
        match layer.op {
            Op::Resize { .. } | Op::Reshape { .. } | Op::Add | Op::Concat { .. } if layer.image => {
                refused("a last layer without weights")
            }
            Op::Resize { .. } | Op::Reshape { .. } if layer.activation != Activation::None => {
                refused("an activation after a layer that only moves values")
            }
            Op::Resize { .. } | Op::Reshape { .. } | Op::Add | Op::Concat { .. } => Ok(()),
            Op::Affine | Op::InstanceNorm { .. } | Op::Activate => refused("this operation"),
            Op::Dense { .. }
            | Op::Conv { .. }
            | Op::ReflectConv { .. }
            | Op::ConvTranspose { .. } => refused("a window of that size"),
        }
    }

    fn too_large(&self, layer: &Layer<'a>) -> ModelError<'a> {
        ModelError::Shape(self.i, layer.name, ShapeError::TooLarge)
    }

    /// A tensor of `need` 32-bit floats.
    fn required(
        &self,
        layer: &Layer<'a>,
        tensor: &'static str,
        need: usize,
    ) -> Result<&'a [u8], ModelError<'a>> {
        self.required_as(layer, tensor, "F32", need, 4)
    }

    fn required_as(
        &self,
        layer: &Layer<'a>,
        tensor: &'static str,
        dtype: &'static str,
        need: usize,
        size: usize,
    ) -> Result<&'a [u8], ModelError<'a>> {
        let found = self.tensor(layer, tensor, dtype, need, size)?;
        found.ok_or(ModelError::NoTensor(self.i, layer.name, tensor))
    }

    /// The tensor `NAME.tensor` of `need` values of `size` bytes.
    fn tensor(
        &self,
        layer: &Layer<'a>,
        tensor: &'static str,
        dtype: &'static str,
        need: usize,
        size: usize,
    ) -> Result<Option<&'a [u8]>, ModelError<'a>> {
        let (i, name) = (self.i, layer.name);
        let is = |n: &str| n.strip_prefix(name).and_then(|n| n.strip_prefix('.')) == Some(tensor);
        let Some(found) = self.record.tensor(is) else {
            return Ok(None);
        };
        if found.dtype != dtype {
            return Err(ModelError::Type(i, name, dtype, found.dtype));
        }
        if found.bytes.len() != need.saturating_mul(size) {
            let got = found.bytes.len() / size;
            return Err(ModelError::Tensor { layer: i, name, tensor, need, got });
        }
        Ok(Some(found.bytes))
    }
}

/// Whether a layer that is not in blocks scales each channel. The image is planar, so its layer is
/// always in blocks.
fn scales(layer: &Layer<'_>) -> bool {
    matches!(layer.op, Op::Affine | Op::InstanceNorm { .. }) && !layer.image
}

fn floats(bytes: &[u8]) -> Result<&[f32], ModelError<'_>> {
    cast::floats(bytes).ok_or(ModelError::Misaligned)
}

/// Checks the values of a layer's weights.
pub(super) fn check<'a>(i: usize, layer: &Layer<'a>) -> Result<(), ModelError<'a>> {
    match layer.weights {
        Weights::Half { weight, .. } if !weight.iter().all(|h| half::is_finite(*h)) => {
            Err(ModelError::NotFinite(i, layer.name))
        }
        // Two products of a byte with -128 need more than 16 bits; see `simd::dots::arm`.
        Weights::Int8(int8) if int8.weight.contains(&i8::MIN) => {
            Err(ModelError::Lowest(i, layer.name))
        }
        Weights::Half { .. }
        | Weights::Int8(_)
        | Weights::Float { .. }
        | Weights::Packed { .. } => Ok(()),
    }
}
