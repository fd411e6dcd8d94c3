//! Executes a model on the CPU, in memory that the caller provides.

use core::fmt;

use crate::backend::Backend;
use crate::cast;
use crate::image::Image;
use crate::int8;
use crate::latent::{Latent, LatentLength};
use crate::layer::{Layer, Weights};
use crate::model::Model;
use crate::op;
use crate::packed;
use crate::plan;
use crate::simd::{self, Isa, Part, Places};

/// A model and the memory to run it in.
///
/// ```
/// use runtime::{Cpu, Latent, Model};
///
/// let model = Model::parse(runtime::include_record!("../../models/pretrained/faces-tiny-int8.bpk"))?;
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

    /// Makes one image, which borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] if a latent of given values does not have the model's length.
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
        mut watch: impl FnMut(usize, &[f32]),
    ) -> Result<Image<'_>, LatentLength> {
        begin(self.model, self.arena, latent)?;
        for (i, layer) in self.model.layers().iter().enumerate() {
            self.step(i, layer);
            match layer.weights {
                Weights::Int8(_) => watch(i, &[]),
                Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
                    watch(i, plan::output(self.arena, i, layer));
                }
            }
        }
        Ok(finish(self.model, self.arena))
    }

    /// Runs layer `i`.
    fn step(&mut self, i: usize, layer: &Layer<'_>) {
        let scratch_len = plan::scratch_len(layer);
        if let Weights::Int8(int8) = &layer.weights {
            let (x, scratch, y) = plan::split(cast::bytes_mut(self.arena), i, layer);
            return match self.isa {
                None => int8::reference(layer, int8, x, y),
                Some(isa) => {
                    let scratch = &mut scratch[..scratch_len];
                    simd::bytes(isa, (layer, int8), Part::WHOLE, x, scratch, Places::new(y));
                }
            };
        }
        let (x, scratch, y) = plan::split(self.arena, i, layer);
        match (self.isa, layer.weights) {
            (Some(isa), _) => {
                let scratch = &mut scratch[..scratch_len];
                simd::floats(isa, layer, Part::WHOLE, x, scratch, Places::new(y));
            }
            (None, Weights::Float { weight, bias }) => {
                op::reference(&layer.op, [layer.input, layer.output], x, weight, bias, y);
                layer.activation.apply(y);
            }
            (None, Weights::Packed { .. } | Weights::Half { .. } | Weights::Int8(_)) => {
                packed::reference(layer, x, y);
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
    let length = model.latent();
    latent.fill_for(&mut arena[..length], model.classes())?;
    if let Some(scale) = model.latent_scale() {
        scale.apply(cast::bytes_mut(arena), length);
    }
    Ok(())
}

/// The image in the arena after the last layer.
pub(crate) fn finish<'m>(model: &Model<'_>, arena: &'m [f32]) -> Image<'m> {
    let layers = model.layers();
    let last = &layers[layers.len() - 1];
    match last.weights {
        Weights::Int8(_) => {
            let bytes = plan::output(cast::bytes(arena), layers.len() - 1, last);
            Image::from_bytes(bytes, last.output)
        }
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => {
            let values = plan::output(arena, layers.len() - 1, last);
            Image::new(values, last.output, model.range())
        }
    }
}
