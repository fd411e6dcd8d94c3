//! A checked, borrowed view of a record's bytes as a list of layers.

mod error;
pub mod key;
mod line;
mod weights;

pub use error::ModelError;
pub use line::write_line;
#[cfg(feature = "alloc")]
pub use weights::INPUT;

pub use crate::layer::{Input, LAYERS, Layer, Precision};

use crate::checksum::checksum;
use crate::int8::InputScale;
use crate::layer::Source;
use crate::limits::{Exceeded, Limit, Limits};
use crate::op::{LARGEST, Shape};
use crate::plan;
use crate::record::Record;

use line::{parse_picture, parse_range, parse_scale};
use weights::{Lend, Reader};

/// A generator, checked: none of its methods can fail.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::Model;
///
/// let model = Model::parse(runtime::include_record!("../../../../models/pretrained/faces-tiny-int8.bpk"))?;
/// assert_eq!(model.output().to_string(), "3 x 32 x 32");
/// println!("{} bytes of RAM for the arena", 4 * model.arena_len());
/// # Ok::<(), runtime::ModelError<'static>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model<'a> {
    record: Record<'a>,
    input: Input,
    classes: usize,
    range: (f32, f32),
    numbers: Numbers,
    layers: [Layer<'a>; LAYERS],
    len: usize,
}

/// The precision; for int8 also how the input becomes bytes.
#[derive(Clone, Copy, Debug)]
enum Numbers {
    F32,
    Packed,
    F16,
    Int8(InputScale),
}

impl<'a> Model<'a> {
    /// A view of a record with everything in it checked, the weights against their checksum too.
    ///
    /// The bytes must be aligned to 4 in memory: see [`crate::include_record`] and
    /// [`crate::record::Buffer`].
    ///
    /// # Errors
    /// [`ModelError`] names the layer or key.
    pub fn parse(bytes: &'a [u8]) -> Result<Model<'a>, ModelError<'a>> {
        Model::parse_within(bytes, &Limits::DEFAULT)
    }

    /// [`Model::parse`] with limits of the caller's own.
    ///
    /// # Errors
    /// As [`Model::parse`].
    pub fn parse_within(bytes: &'a [u8], limits: &Limits) -> Result<Model<'a>, ModelError<'a>> {
        // One variable for the result: a model is kilobytes, and every move of it would be a copy
        // on the stack of a microcontroller.
        let mut result = Model::open(bytes, None, limits);
        let fault = result.as_ref().ok().and_then(|model| model.verify().err());
        if let Some(fault) = fault {
            result = Err(fault);
        }
        result
    }

    /// [`Model::parse`] without reading the weights, for firmware whose flash is checked elsewhere.
    /// Damaged weights then make a wrong picture, and nothing worse.
    ///
    /// # Errors
    /// As [`Model::parse`].
    pub fn parse_unverified(bytes: &'a [u8]) -> Result<Model<'a>, ModelError<'a>> {
        Model::open(bytes, None, &Limits::DEFAULT)
    }

    /// [`Model::parse_within`] of a record of precision f32 without its tensors, which lie elsewhere:
    /// `lend` has the weight and the bias of a layer by its number, in which all values are finite.
    #[cfg(feature = "alloc")]
    pub(crate) fn parse_apart(
        bytes: &'a [u8],
        lend: &Lend<'_, 'a>,
        limits: &Limits,
    ) -> Result<Model<'a>, ModelError<'a>> {
        Model::open(bytes, Some(lend), limits)
    }

    #[inline(always)]
    fn open(
        bytes: &'a [u8],
        lend: Option<&Lend<'_, 'a>>,
        limits: &Limits,
    ) -> Result<Model<'a>, ModelError<'a>> {
        let record = Record::parse(bytes);
        let mut result = record.map(Model::empty).map_err(ModelError::Record);
        let fault = result.as_mut().ok().and_then(|model| model.read(lend, limits).err());
        if let Some(fault) = fault {
            result = Err(fault);
        }
        result
    }

    #[inline(always)]
    fn empty(record: Record<'a>) -> Model<'a> {
        Model {
            record,
            input: Input::Latent(0),
            classes: 0,
            range: (-1.0, 1.0),
            numbers: Numbers::F32,
            layers: [Layer::EMPTY; LAYERS],
            len: 0,
        }
    }

    /// Fills an empty model from its record.
    #[inline(never)]
    fn read(&mut self, lend: Option<&Lend<'_, 'a>>, limits: &Limits) -> Result<(), ModelError<'a>> {
        let version = self.required(key::FORMAT)?;
        if !key::VERSIONS.contains(&version) {
            return Err(ModelError::Value(key::FORMAT, version));
        }
        self.input = match self.record.get(key::PICTURE) {
            Some(text) => {
                let shape = parse_picture(text).ok_or(ModelError::Value(key::PICTURE, text))?;
                Input::Picture(shape)
            }
            None => {
                let text = self.required(key::LATENT)?;
                match text.parse() {
                    Ok(n @ 1..=LARGEST) => Input::Latent(n),
                    _ => return Err(ModelError::Value(key::LATENT, text)),
                }
            }
        };
        self.classes = self.labels().count();
        // A class is a part of the latent.
        if self.classes > 0 && self.classes >= self.latent() {
            return Err(ModelError::Classes(self.classes, self.latent()));
        }
        let text = self.required(key::RANGE)?;
        self.range = parse_range(text).ok_or(ModelError::Value(key::RANGE, text))?;
        let mut integers = "".lines();
        self.numbers = match self.record.get(key::PRECISION) {
            None | Some("f32") => Numbers::F32,
            Some("packed") => Numbers::Packed,
            Some("f16") => Numbers::F16,
            Some("int8") => {
                integers = self.required(key::INT8)?.lines();
                let line = integers.next().unwrap_or_default();
                Numbers::Int8(parse_scale(line).ok_or(ModelError::Value(key::INT8, line))?)
            }
            Some(other) => return Err(ModelError::Value(key::PRECISION, other)),
        };
        self.read_layers(integers, lend, limits)
    }

    fn read_layers(
        &mut self,
        mut integers: core::str::Lines<'a>,
        lend: Option<&Lend<'_, 'a>>,
        limits: &Limits,
    ) -> Result<(), ModelError<'a>> {
        let lines = self.required(key::LAYERS)?;
        let count = lines.lines().count();
        let layers = limits.layers.min(LAYERS as u64);
        Limits { layers, ..*limits }.check(Limit::Layers, count as u64)?;
        let mut reader = Reader {
            record: &self.record,
            lend,
            precision: self.precision(),
            i: 0,
            input: self.input,
            zero: self.input_scale().map_or(0, |scale| scale.zero),
        };
        for (i, line) in lines.lines().enumerate() {
            let integers = integers.next().unwrap_or_default();
            let (done, rest) = self.layers.split_at_mut(i);
            rest[0] = reader.layer(line, integers, i + 1 == count, done)?;
        }
        self.len = count;
        match self.layers().last().map(|last| last.output) {
            Some(Shape { c: 1 | 3 | 4, .. }) => {}
            Some(other) => return Err(ModelError::NoImage(other)),
            None => return Err(ModelError::NoImage(self.input.shape())),
        }
        self.check_used()?;
        plan::place(&mut self.layers[..count]);
        Ok(self.check(limits)?)
    }

    /// Checks that every output but the last is read.
    fn check_used(&self) -> Result<(), ModelError<'a>> {
        for (i, layer) in self.layers().iter().enumerate().take(self.len - 1) {
            let own = Source::Layer(i as u16);
            let later = &self.layers()[i + 1..];
            if !later.iter().any(|l| l.from == own || l.other == Some(own)) {
                return Err(ModelError::Unused(i, layer.name));
            }
        }
        Ok(())
    }

    /// Checks memory and time.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Exceeded> {
        plan::check(self.layers(), self.input, limits)
    }

    /// Checks the weights.
    #[inline(never)]
    fn verify(&self) -> Result<(), ModelError<'a>> {
        for (i, layer) in self.layers().iter().enumerate() {
            weights::check(i, layer)?;
        }
        let text = self.required(key::CHECKSUM)?;
        let stored = u32::from_str_radix(text, 16);
        let stored = stored.map_err(|_| ModelError::Value(key::CHECKSUM, text))?;
        match checksum(self.record.data()) {
            computed if computed == stored => Ok(()),
            computed => Err(ModelError::Checksum(stored, computed)),
        }
    }

    fn required(&self, key: &'static str) -> Result<&'a str, ModelError<'a>> {
        self.record.get(key).ok_or(ModelError::Missing(key))
    }

    /// How numbers are stored and computed with.
    pub fn precision(&self) -> Precision {
        match self.numbers {
            Numbers::F32 => Precision::F32,
            Numbers::Packed => Precision::Packed,
            Numbers::F16 => Precision::F16,
            Numbers::Int8(_) => Precision::Int8,
        }
    }

    /// How the input of an int8 model becomes bytes; `None` for other precisions.
    pub(crate) fn input_scale(&self) -> Option<InputScale> {
        match self.numbers {
            Numbers::Int8(scale) => Some(scale),
            Numbers::F32 | Numbers::Packed | Numbers::F16 => None,
        }
    }

    /// What it makes its picture from.
    pub fn input(&self) -> Input {
        self.input
    }

    /// Length of the latent; 0 if the input is a picture.
    pub fn latent(&self) -> usize {
        match self.input {
            Input::Latent(n) => n,
            Input::Picture(_) => 0,
        }
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer<'a>] {
        &self.layers[..self.len]
    }

    /// Names of the layers that layer `i` reads as its first and second input, where they are not
    /// the layer before; `input` is the model's input.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn reads(&self, i: usize) -> [Option<&'a str>; 2] {
        let layer = &self.layers()[i];
        let name = |source: Source| match source {
            Source::Input => weights::INPUT,
            Source::Layer(of) => self.layers()[usize::from(of)].name,
        };
        let far = |source: &Source| *source != Source::before(i);
        let named = [Some(layer.from).filter(far), layer.other.filter(far)].map(|s| s.map(name));
        match named {
            // A layer that joins its only input to itself names it all the same.
            [None, None] => [None, layer.other.map(name)],
            named => named,
        }
    }

    /// Shape of the image: channels, height, width.
    pub fn output(&self) -> Shape {
        self.layers[self.len - 1].output
    }

    /// Output values of black and white.
    pub fn range(&self) -> (f32, f32) {
        self.range
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> usize {
        self.layers().iter().map(Layer::parameters).sum()
    }

    /// Multiply-adds for one image.
    pub fn multiply_adds(&self) -> u64 {
        let of = |l: &Layer| l.op.multiply_adds(l.input, l.output);
        self.layers().iter().map(of).sum()
    }

    /// Exact length in `f32`s of the arena that [`crate::Cpu`] needs, scratch included.
    pub fn arena_len(&self) -> usize {
        self.arena_len_of(1)
    }

    /// Exact arena length in `f32`s for `threads` threads making one image together, with one
    /// scratch area per thread.
    pub fn arena_len_of(&self, threads: usize) -> usize {
        plan::arena_len(self.layers(), self.input, threads)
    }

    /// Exact arena length in `f32`s of a [`crate::Batch`] of this many images at a time.
    pub fn arena_len_of_batch(&self, images: usize) -> usize {
        let layers = self.layers();
        plan::shared_len(layers, plan::shared(layers), images).saturating_add(self.arena_len())
    }

    /// A fact of the record by its [`key`], such as [`key::NAME`] or [`key::LICENSE`]; empty if
    /// absent.
    pub fn fact(&self, key: &str) -> &'a str {
        self.record.get(key).unwrap_or_default()
    }

    /// Names of the classes of a conditional generator, in order.
    pub fn labels(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fact(key::LABELS).lines()
    }

    /// Number of classes of a conditional generator: that many values at the end of its latent
    /// select the class.
    pub fn classes(&self) -> usize {
        self.classes
    }
}
