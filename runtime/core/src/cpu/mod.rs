//! Executes a model on the CPU, in memory that the caller provides.

use core::fmt;

use crate::backend::Backend;
use crate::cast;
use crate::image::{self, Image, PictureLength};
use crate::int8;
use crate::latent::{Latent, LatentLength};
use crate::layer::{Input, Precision, Weights};
use crate::layout::padded;
use crate::model::Model;
use crate::op;
use crate::packed;
use crate::plan::{self, Split};
use crate::simd::{self, Isa, Part, Places};

mod batch;

pub use batch::Batch;

/// A model and the memory to run it in.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::{Cpu, Latent, Model};
///
/// let model = Model::parse(runtime::include_record!("../../../../models/pretrained/faces-tiny-int8.bpk"))?;
/// let mut arena = vec![0.0; model.arena_len()];
/// let mut cpu = Cpu::new(&model, &mut arena)?;
/// let image = cpu.generate(&Latent::from_seed(42))?;
/// assert_eq!((image.width(), image.height()), (32, 32));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cpu<'a> {
    model: &'a Model<'a>,
    arena: &'a mut [f32],
    /// `None`: the obvious loops.
    isa: Option<Isa>,
}

/// The arena is shorter than [`Model::arena_len`]. Lengths in values (`f32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaTooSmall {
    /// Length that the model needs.
    pub need: usize,
    /// Length of the arena.
    pub got: usize,
}

impl fmt::Display for ArenaTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the arena has {} values, the model needs {}", self.got, self.need)
    }
}

impl core::error::Error for ArenaTooSmall {}

impl<'a> Cpu<'a> {
    /// With the fastest kernels that this CPU supports.
    ///
    /// # Errors
    /// [`ArenaTooSmall`] with the length that the model needs. A longer arena is fine; the rest of
    /// it is not touched.
    pub fn new(model: &'a Model<'a>, arena: &'a mut [f32]) -> Result<Cpu<'a>, ArenaTooSmall> {
        Cpu::with(model, arena, Some(Isa::best()))
    }

    /// With the obvious loops: the specification, slow.
    ///
    /// # Errors
    /// As [`Cpu::new`].
    pub fn reference(model: &'a Model<'a>, arena: &'a mut [f32]) -> Result<Cpu<'a>, ArenaTooSmall> {
        Cpu::with(model, arena, None)
    }

    /// With the kernels of one instruction set, or with the obvious loops if `None`.
    ///
    /// # Errors
    /// As [`Cpu::new`].
    pub fn with(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Option<Isa>,
    ) -> Result<Cpu<'a>, ArenaTooSmall> {
        let arena = fit(arena, model.arena_len())?;
        Ok(Cpu { model, arena, isa })
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Option<Isa> {
        self.isa
    }

    /// Makes one image from a latent. It borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] if a latent of given values does not have the model's length, or the model
    /// takes a picture.
    pub fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        self.watched(latent, |_, _| ())
    }

    /// [`Cpu::generate`], calling `watch` after each layer with its number and its output values,
    /// which are empty for int8 layers.
    ///
    /// # Errors
    /// As [`Cpu::generate`].
    pub fn watched(
        &mut self,
        latent: &Latent<'_>,
        watch: impl FnMut(usize, &[f32]),
    ) -> Result<Image<'_>, LatentLength> {
        begin(self.model, self.arena, latent)?;
        Ok(self.run(watch))
    }

    /// Makes one image from the pixels of another: row by row, one byte per pixel for gray and red,
    /// green and blue for color, of the size and channels of [`Input::Picture`]. The image borrows
    /// the arena until the next one is made.
    ///
    /// ```
    /// # use runtime_core as runtime;
    /// use runtime::{Cpu, Input, Model};
    ///
    /// fn first_pixel(model: &Model, arena: &mut [f32], pixels: &[u8]) -> Option<[u8; 3]> {
    ///     let mut cpu = Cpu::new(model, arena).ok()?;
    ///     let image = cpu.translate(pixels).ok()?;
    ///     Some(image.pixel(0, 0))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`PictureLength`] if the number of bytes is not that of the picture, or the model takes a
    /// latent.
    pub fn translate(&mut self, pixels: &[u8]) -> Result<Image<'_>, PictureLength> {
        self.translate_watched(pixels, |_, _| ())
    }

    /// [`Cpu::translate`], calling `watch` as [`Cpu::watched`] does.
    ///
    /// # Errors
    /// As [`Cpu::translate`].
    pub fn translate_watched(
        &mut self,
        pixels: &[u8],
        watch: impl FnMut(usize, &[f32]),
    ) -> Result<Image<'_>, PictureLength> {
        begin_picture(self.model, self.arena, pixels)?;
        Ok(self.run(watch))
    }

    /// Runs all layers on the input in the arena.
    fn run(&mut self, watch: impl FnMut(usize, &[f32])) -> Image<'_> {
        self.run_from(0, watch)
    }

    /// Runs the layers from number `first` on, whose inputs are in the arena.
    fn run_from(&mut self, first: usize, mut watch: impl FnMut(usize, &[f32])) -> Image<'_> {
        let layers = self.model.layers();
        for (i, layer) in layers.iter().enumerate().skip(first) {
            self.step(i);
            match layer.weights {
                Weights::Int8(_) => watch(i, &[]),
                Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
                    watch(i, plan::output(self.arena, layers, i));
                }
            }
        }
        finish(self.model, self.arena)
    }

    /// Runs layer `i`.
    fn step(&mut self, i: usize) {
        let layers = self.model.layers();
        let layer = &layers[i];
        let scratch_len = plan::scratch_len(layer);
        if let Weights::Int8(int8) = &layer.weights {
            let Split { x, other, scratch, y } =
                plan::split(1, cast::bytes_mut(self.arena), layers, i);
            return match self.isa {
                None => int8::reference(layer, int8, [x, other], y),
                Some(isa) => {
                    let scratch = &mut scratch[..scratch_len];
                    let y = Places::new(y);
                    simd::bytes(isa, (layer, int8), Part::WHOLE, [x, other], scratch, y);
                }
            };
        }
        let Split { x, other, scratch, y } = plan::split(1, self.arena, layers, i);
        match (self.isa, layer.weights) {
            (Some(isa), _) => {
                let scratch = &mut scratch[..scratch_len];
                simd::floats(isa, layer, Part::WHOLE, [x, other], scratch, Places::new(y));
            }
            (None, Weights::Float { weight, bias }) => {
                let shapes = [layer.input, layer.output];
                op::reference(&layer.op, shapes, [x, other], weight, bias, y);
                layer.activation.apply(y);
            }
            (None, Weights::Packed { .. } | Weights::Half { .. } | Weights::Int8(_)) => {
                packed::reference(layer, [x, other], y);
            }
        }
    }
}

impl Backend for Cpu<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        Cpu::generate(self, latent)
    }
}

/// The first `need` values of an arena.
pub(crate) fn fit(arena: &mut [f32], need: usize) -> Result<&mut [f32], ArenaTooSmall> {
    let got = arena.len();
    arena.get_mut(..need).ok_or(ArenaTooSmall { need, got })
}

/// Writes a latent to where the first layer reads it.
pub(crate) fn begin(
    model: &Model<'_>,
    arena: &mut [f32],
    latent: &Latent<'_>,
) -> Result<(), LatentLength> {
    let length = match model.input() {
        Input::Latent(length) => length,
        Input::Picture(_) => return Err(LatentLength { need: 0, got: latent.len().unwrap_or(0) }),
    };
    latent.fill_for(&mut arena[..length], model.classes())?;
    if let Some(scale) = model.input_scale() {
        scale.apply(cast::bytes_mut(arena), length);
    }
    Ok(())
}

/// Writes the pixels of a picture to where layers read them.
pub(crate) fn begin_picture(
    model: &Model<'_>,
    arena: &mut [f32],
    pixels: &[u8],
) -> Result<(), PictureLength> {
    let got = pixels.len();
    let shape = match model.input() {
        Input::Picture(shape) if shape.values() == got => shape,
        Input::Picture(shape) => return Err(PictureLength { need: Some(shape), got }),
        Input::Latent(_) => return Err(PictureLength { need: None, got }),
    };
    match (model.input_scale(), model.precision()) {
        (Some(scale), _) => {
            let table: [u8; 256] = core::array::from_fn(|byte| scale.of(image::value(byte as u8)));
            let to = cast::bytes_mut(arena).chunks_exact_mut(padded(shape.c));
            for (to, pixel) in to.zip(pixels.chunks_exact(shape.c)) {
                for (to, byte) in to.iter_mut().zip(pixel) {
                    *to = table[usize::from(*byte)];
                }
            }
        }
        (None, Precision::F32) => {
            let planes = arena.chunks_exact_mut(shape.plane()).take(shape.c);
            for (channel, plane) in planes.enumerate() {
                for (to, byte) in plane.iter_mut().zip(pixels[channel..].iter().step_by(shape.c)) {
                    *to = image::value(*byte);
                }
            }
        }
        (None, Precision::Packed | Precision::F16 | Precision::Int8) => {
            for (to, byte) in arena.iter_mut().zip(pixels) {
                *to = image::value(*byte);
            }
        }
    }
    Ok(())
}

/// The image in the arena after the last layer.
pub(crate) fn finish<'m>(model: &Model<'_>, arena: &'m [f32]) -> Image<'m> {
    let layers = model.layers();
    let (i, shape) = (layers.len() - 1, model.output());
    match layers[i].weights {
        Weights::Int8(_) => Image::from_bytes(plan::output(cast::bytes(arena), layers, i), shape),
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
            Image::new(plan::output(arena, layers, i), shape, model.range())
        }
    }
}
