//! Several images at a time.

use core::ops::Range;

use super::{ArenaTooSmall, Cpu, begin, begin_picture, fit};
use crate::cast;
use crate::image::{Image, PictureLength};
use crate::latent::{Latent, LatentLength};
use crate::layer::Weights;
use crate::model::Model;
use crate::plan::{self, Split};
use crate::simd::{self, Isa};

/// A model and the memory to make several images at a time, which takes less time for each.
///
/// The layers at the beginning of a generator have most of the weights and little to compute. They are computed
/// for all images at a time, so that weights are read once for all of them, and the layers that follow for one image
/// after another. The values are the same, bit for bit, as those of [`Cpu`].
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::{Batch, Isa, Latent, Model};
///
/// let model = Model::parse(runtime::include_record!("../../../../models/pretrained/faces-tiny-int8.bpk"))?;
/// let images = 8;
/// let mut arena = vec![0.0; model.arena_len_of_batch(images)];
/// let mut batch = Batch::new(&model, &mut arena, Isa::best(), images)?;
/// let latents: Vec<_> = (0..20).map(Latent::from_seed).collect();
/// let mut faces = Vec::new();
/// batch.generate(&latents, |_, image| faces.push(image.pixels().collect::<Vec<_>>()))?;
/// assert_eq!(faces.len(), 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Batch<'a> {
    /// Makes what is left of each image.
    cpu: Cpu<'a>,
    isa: Isa,
    /// Images at a time.
    images: usize,
    /// Layers that are computed for all images, and their memory.
    shared: usize,
    arena: &'a mut [f32],
}

impl<'a> Batch<'a> {
    /// With `images` images at a time; 0 means 1.
    ///
    /// # Errors
    /// [`ArenaTooSmall`] with [`Model::arena_len_of_batch`].
    pub fn new(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        images: usize,
    ) -> Result<Batch<'a>, ArenaTooSmall> {
        Batch::sharing(plan::shared(model.layers()), model, arena, isa, images)
    }

    /// With all layers computed for all images, for tests.
    ///
    /// # Errors
    /// [`ArenaTooSmall`].
    #[doc(hidden)]
    pub fn of_all_layers(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        images: usize,
    ) -> Result<Batch<'a>, ArenaTooSmall> {
        Batch::sharing(model.layers().len(), model, arena, isa, images)
    }

    fn sharing(
        shared: usize,
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        images: usize,
    ) -> Result<Batch<'a>, ArenaTooSmall> {
        let images = images.max(1);
        let len = plan::shared_len(model.layers(), shared, images);
        let arena = fit(arena, len.saturating_add(model.arena_len()))?;
        let (arena, one) = arena.split_at_mut(len);
        let cpu = Cpu::with(model, one, Some(isa))?;
        Ok(Batch { cpu, isa, images, shared, arena })
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Makes an image from each latent, and calls `each` with its number and the image, in order.
    ///
    /// # Errors
    /// [`LatentLength`] if a latent of given values does not have the model's length, or the model takes a picture.
    /// Images of the latents before it may have been made.
    pub fn generate(
        &mut self,
        latents: &[Latent<'_>],
        each: impl FnMut(usize, Image<'_>),
    ) -> Result<(), LatentLength> {
        self.run(latents, |model, arena, latent| begin(model, arena, latent), each)
    }

    /// Makes an image from the pixels of each of several others, which are as [`Cpu::translate`] takes them, and
    /// calls `each` with its number and the image, in order.
    ///
    /// # Errors
    /// [`PictureLength`] if the number of bytes is not that of the picture, or the model takes a latent. Images of the
    /// pictures before it may have been made.
    pub fn translate(
        &mut self,
        pictures: &[&[u8]],
        each: impl FnMut(usize, Image<'_>),
    ) -> Result<(), PictureLength> {
        self.run(pictures, |model, arena, pixels| begin_picture(model, arena, pixels), each)
    }

    /// Makes images from inputs that `begin` writes to where the first layer of an image reads them.
    fn run<I, E>(
        &mut self,
        inputs: &[I],
        begin: impl Fn(&Model<'_>, &mut [f32], &I) -> Result<(), E>,
        mut each: impl FnMut(usize, Image<'_>),
    ) -> Result<(), E> {
        let model = self.cpu.model;
        for (chunk, inputs) in inputs.chunks(self.images).enumerate() {
            let images = inputs.len();
            // Of one image, the layers are as fast without copies of its values.
            let shared = if images > 1 { self.shared } else { 0 };
            if shared > 0 {
                for (image, input) in inputs.iter().enumerate() {
                    begin(model, self.cpu.arena, input)?;
                    self.copy_input(images, image);
                }
                for i in 0..shared {
                    self.step(images, i);
                }
            }
            for (image, input) in inputs.iter().enumerate() {
                match shared {
                    0 => begin(model, self.cpu.arena, input)?,
                    _ => self.copy_output(images, image),
                }
                each(chunk * self.images + image, self.cpu.run_from(shared, |_, _| ()));
            }
        }
        Ok(())
    }

    /// Copies the input of one image to those of all.
    fn copy_input(&mut self, images: usize, image: usize) {
        let layers = self.cpu.model.layers();
        let value = layers[0].weights.value();
        let [from, to] = [1, images].map(|images| in_bytes(plan::input(images, layers), value));
        let (own, arena) = (cast::bytes(self.cpu.arena), cast::bytes_mut(self.arena));
        nth(&mut arena[to], images, image).copy_from_slice(&own[from]);
    }

    /// Copies the output of the last shared layer to the arena of one image.
    fn copy_output(&mut self, images: usize, image: usize) {
        let (layers, i) = (self.cpu.model.layers(), self.shared - 1);
        let value = layers[i].weights.value();
        let (own, arena) = (cast::bytes_mut(self.cpu.arena), cast::bytes_mut(self.arena));
        let place = |images: usize, len: usize| {
            in_bytes(plan::places_of(images, len / value, layers, i).y, value)
        };
        let (from, to) = (place(images, arena.len()), place(1, own.len()));
        own[to].copy_from_slice(nth(&mut arena[from], images, image));
    }

    /// Runs layer `i` for all images.
    fn step(&mut self, images: usize, i: usize) {
        let layers = self.cpu.model.layers();
        let layer = &layers[i];
        let scratch_len = simd::scratch_len(layer, images);
        if let Weights::Int8(int8) = &layer.weights {
            let arena = cast::bytes_mut(self.arena);
            let Split { x, other, scratch, y } = plan::split(images, arena, layers, i);
            let scratch = &mut scratch[..scratch_len];
            return simd::bytes_of(self.isa, images, (layer, int8), [x, other], scratch, y);
        }
        let Split { x, other, scratch, y } = plan::split(images, self.arena, layers, i);
        let scratch = &mut scratch[..scratch_len];
        simd::floats_of(self.isa, images, layer, [x, other], scratch, y);
    }
}

/// A range of values of `value` bytes, in bytes.
fn in_bytes(range: Range<usize>, value: usize) -> Range<usize> {
    range.start * value..range.end * value
}

/// One of `of` equal pieces.
fn nth<T>(all: &mut [T], of: usize, index: usize) -> &mut [T] {
    let len = all.len() / of;
    &mut all[index * len..][..len]
}
