//! Executes a model on the CPU, in memory that the caller brings.

use core::fmt;

use crate::backend::Backend;
use crate::image::Image;
use crate::int8;
use crate::latent::{Latent, LatentLength};
use crate::model::{Layer, Model};
use crate::op;
use crate::packed;
use crate::plan;
use crate::simd::{Isa, Part, Places, cast};

/// A model and the memory to run it in.
pub struct Cpu<'a> {
    model: &'a Model<'a>,
    arena: &'a mut [f32],
    /// `None`: the obvious loops.
    isa: Option<Isa>,
}

/// The arena is shorter than [`Model::arena_len`]. Lengths in values (`f32`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaTooSmall {
    /// What the model wants.
    pub need: usize,
    /// What there is.
    pub got: usize,
}

impl fmt::Display for ArenaTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the arena has {} values, the model wants {}", self.got, self.need)
    }
}

impl core::error::Error for ArenaTooSmall {}

impl<'a> Cpu<'a> {
    /// With the fastest kernels this CPU has.
    ///
    /// # Errors
    /// [`ArenaTooSmall`] says what the model wants. A longer arena is fine; what is beyond is not touched.
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

    /// With the kernels of one instruction set, or the obvious loops.
    ///
    /// # Errors
    /// As [`Cpu::new`].
    pub fn with(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Option<Isa>,
    ) -> Result<Cpu<'a>, ArenaTooSmall> {
        let (need, got) = (model.arena_len(), arena.len());
        match arena.get_mut(..need) {
            Some(arena) => Ok(Cpu { model, arena, isa }),
            None => Err(ArenaTooSmall { need, got }),
        }
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Option<Isa> {
        self.isa
    }

    /// Makes one image, which borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] where a latent of given values is not as long as the model's.
    pub fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        self.watched(latent, |_, _| ())
    }

    /// As [`Cpu::generate`], and `watch` is told of every layer's number and output values as it is done; of an int8
    /// model there are no values.
    ///
    /// # Errors
    /// As [`Cpu::generate`].
    pub fn watched(
        &mut self,
        latent: &Latent<'_>,
        mut watch: impl FnMut(usize, &[f32]),
    ) -> Result<Image<'_>, LatentLength> {
        let length = self.model.latent();
        latent.fill_for(&mut self.arena[..length], self.model.classes())?;
        let layers = self.model.layers();
        let last = &layers[layers.len() - 1];
        if let Some((factor, zero)) = self.model.quantised() {
            let arena = cast::bytes_mut(self.arena);
            int8::latent(arena, length, factor, zero);
            for (i, layer) in layers.iter().enumerate() {
                self.step(i, layer);
                watch(i, &[]);
            }
            let bytes = plan::result(cast::bytes(self.arena), layers.len(), last);
            return Ok(Image::from_bytes(bytes, last.output));
        }
        for (i, layer) in layers.iter().enumerate() {
            self.step(i, layer);
            watch(i, plan::result(self.arena, i + 1, layer));
        }
        let values = plan::result(self.arena, layers.len(), last);
        Ok(Image::new(values, last.output, self.model.range()))
    }

    /// Runs layer `i`.
    fn step(&mut self, i: usize, layer: &Layer<'_>) {
        if let Some(int8) = &layer.int8 {
            let (x, scratch, y) = plan::cut(cast::bytes_mut(self.arena), i, layer);
            return match self.isa {
                Some(isa) => {
                    let border = &mut scratch[..plan::scratch_len(layer)];
                    isa.run_int8(layer, int8, Part::WHOLE, x, border, Places::new(y))
                }
                None => int8::reference(layer, int8, x, y),
            };
        }
        let (x, scratch, y) = plan::cut(self.arena, i, layer);
        match (self.isa, &layer.packed) {
            (Some(isa), Some(packed)) => {
                let border = &mut scratch[..plan::scratch_len(layer)];
                isa.run_packed(layer, packed, Part::WHOLE, x, border, Places::new(y));
            }
            (None, Some(packed)) => packed::reference(layer, packed, x, y),
            (Some(isa), None) => isa.run(layer, Part::WHOLE, x, scratch, Places::new(y)),
            (None, None) => {
                let shapes = [layer.input, layer.output];
                op::reference(&layer.op, shapes, x, layer.weight, layer.bias, y);
                layer.activation.apply(y);
            }
        }
    }
}

impl Backend for Cpu<'_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        Cpu::generate(self, latent)
    }
}
