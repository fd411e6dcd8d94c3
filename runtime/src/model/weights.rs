//! Layers from a record: a line of text each, and tensors.

use super::error::ModelError;
use super::line::{parse_integers, parse_line};
use crate::cast;
use crate::half;
use crate::layer::{Int8, Layer, Precision, TABLE, TERMS, Weights};
use crate::layout::is_pixelwise;
use crate::op::{Activation, Op, Shape, ShapeError};
use crate::record::Record;

/// Reads the layers of a record, first to last.
pub(super) struct Reader<'r, 'a> {
    pub record: &'r Record<'a>,
    pub precision: Precision,
    /// The next layer's number and input.
    pub i: usize,
    pub shape: Shape,
    /// Zero point of the input of an int8 layer.
    pub zero: u8,
}

impl<'a> Reader<'_, 'a> {
    /// The next layer, from its line of the layer list and that of its integers; `image` marks the
    /// last.
    pub fn layer(
        &mut self,
        line: &'a str,
        integers: &str,
        image: bool,
    ) -> Result<Layer<'a>, ModelError<'a>> {
        let i = self.i;
        let (name, op, activation) = parse_line(line).ok_or(ModelError::Layer(i, line))?;
        let input = self.shape;
        let output = op.output(input).map_err(|error| ModelError::Shape(i, name, error))?;
        let weights = Weights::Float { weight: &[], bias: &[] };
        let mut layer = Layer { name, op, activation, input, output, image, weights };
        layer.weights = match self.precision {
            Precision::F32 => self.float(&layer)?,
            Precision::Packed => self.packed(layer, false)?,
            Precision::F16 => self.packed(layer, !is_pixelwise(&op, input, image))?,
            Precision::Int8 => Weights::Int8(self.int8(layer, integers)?),
        };
        self.shape = output;
        self.i += 1;
        Ok(layer)
    }

    fn float(&self, layer: &Layer<'a>) -> Result<Weights<'a>, ModelError<'a>> {
        let weight = match layer.op.weight(layer.input) {
            None => &[],
            Some(dims) => {
                let need = dims.into_iter().try_fold(1usize, usize::checked_mul);
                let need = need.ok_or(self.too_large(layer))?;
                self.required(layer, "weight", need).and_then(floats)?
            }
        };
        let bias = match layer.op.bias(layer.input) {
            None => &[],
            Some(need) => match self.tensor(layer, "bias", "F32", need, 4)? {
                None => &[],
                Some(bytes) => floats(bytes)?,
            },
        };
        Ok(Weights::Float { weight, bias })
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

    fn int8(&mut self, mut layer: Layer<'a>, line: &str) -> Result<Int8<'a>, ModelError<'a>> {
        let missing = ModelError::Zero(self.i, layer.name);
        let (shift, zero) = parse_integers(line).ok_or(missing)?;
        let padding = self.zero;
        let mut int8 =
            Int8 { weight: &[], bias: &[], scale: &[], shift, table: &[], padding, zero };
        layer.weights = Weights::Int8(int8);
        let (need, lanes) = match layer.layout() {
            Some(layout) if layout.terms() > TERMS => {
                return Err(ModelError::Blocks(self.i, layer.name, "sums of that many products"));
            }
            Some(layout) => (layout.weight_len().ok_or(self.too_large(&layer))?, layout.bias_len()),
            None if scales(&layer) => (layer.input.c, layer.input.c),
            None => {
                // Bytes that are only moved keep their zero point.
                int8.zero = padding;
                return self.only_moves(&layer).map(|()| int8);
            }
        };
        let words = |bytes| cast::words(bytes).ok_or(ModelError::Misaligned);
        int8.weight = cast::signed(self.required_as(&layer, "weight", "I8", need, 1)?);
        int8.bias = self.required_as(&layer, "bias", "I32", lanes, 4).and_then(words)?;
        int8.scale = self.required_as(&layer, "scale", "I32", lanes, 4).and_then(words)?;
        if layer.image || !matches!(layer.activation, Activation::None | Activation::Relu) {
            int8.table = self.required_as(&layer, "table", "U8", TABLE, 1)?;
        }
        self.zero = zero;
        Ok(int8)
    }

    /// Checks that a layer in blocks without a layout is one that only moves values.
    fn only_moves(&self, layer: &Layer<'a>) -> Result<(), ModelError<'a>> {
        let refused = |why| Err(ModelError::Blocks(self.i, layer.name, why));
        match layer.op {
            Op::Resize { .. } | Op::Reshape { .. } if layer.image => {
                refused("a last layer that only moves values")
            }
            Op::Resize { .. } | Op::Reshape { .. } if layer.activation != Activation::None => {
                refused("an activation after a layer that only moves values")
            }
            Op::Resize { .. } | Op::Reshape { .. } => Ok(()),
            Op::Affine | Op::Activate => refused("this operation"),
            Op::Dense { .. } | Op::Conv { .. } | Op::ConvTranspose { .. } => {
                refused("a window of that size")
            }
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
    layer.op == Op::Affine && !layer.image
}

fn floats(bytes: &[u8]) -> Result<&[f32], ModelError<'_>> {
    cast::floats(bytes).ok_or(ModelError::Misaligned)
}

/// Whether all 16-bit weights of a layer are finite.
pub(super) fn is_finite(layer: &Layer<'_>) -> bool {
    match layer.weights {
        Weights::Half { weight, .. } => weight.iter().all(|h| half::is_finite(*h)),
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Int8(_) => true,
    }
}
