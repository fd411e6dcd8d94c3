//! Several threads that make one image together.
//!
//! Many images are made fastest with one thread each; a crew is for the single image that somebody
//! waits for. Its threads are started once and allocate nothing while they work; they spin for some
//! microseconds until the next image and then sleep. The values are the same, bit for bit, as those
//! of [`crate::Cpu`].

mod shared;

use core::fmt;
use std::io;
use std::thread;

use crate::backend::Backend;
use crate::cpu::ArenaTooSmall;
use crate::image::{Image, PictureLength};
use crate::latent::{Latent, LatentLength};
use crate::model::Model;
use crate::simd::Isa;

use shared::{Leader, Shared};

/// A group of running threads.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::{Crew, Isa, Latent, Model};
///
/// let model = Model::parse(runtime::include_record!("../../../../models/pretrained/faces-tiny-int8.bpk"))?;
/// let threads = 2;
/// let mut arena = vec![0.0; model.arena_len_of(threads)];
/// let pixels = Crew::with(&model, &mut arena, Isa::best(), threads, |crew| {
///     crew.generate(&Latent::from_seed(42)).map(|image| image.pixels().len())
/// })??;
/// assert_eq!(pixels, 32 * 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Crew<'s, 'a>(Leader<'s, 'a>);

/// Why a crew was not started.
#[derive(Debug)]
pub enum CrewError {
    /// The arena is shorter than [`Model::arena_len_of`] that many threads.
    Arena(ArenaTooSmall),
    /// The system could not start a thread.
    Thread(io::Error),
}

impl fmt::Display for CrewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CrewError::Arena(error) => write!(f, "{error}"),
            CrewError::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for CrewError {}

impl<'a> Crew<'_, 'a> {
    /// Starts `threads - 1` threads besides the caller's, calls `work` with the crew, and ends
    /// them. 0 threads means 1.
    ///
    /// # Errors
    /// [`CrewError`] if the crew was not started; `work` was not called.
    pub fn with<R>(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        threads: usize,
        work: impl FnOnce(&mut Crew<'_, 'a>) -> R,
    ) -> Result<R, CrewError> {
        let shared = Shared::new(model, arena, isa, threads.max(1));
        let mut shared = shared.map_err(CrewError::Arena)?;
        thread::scope(|scope| {
            // However this scope is left, the leader is dropped, which ends the workers.
            let (leader, workers) = shared.split();
            for worker in workers {
                let started = thread::Builder::new().spawn_scoped(scope, || worker.run());
                started.map_err(CrewError::Thread)?;
            }
            Ok(work(&mut Crew(leader)))
        })
    }

    /// Makes one image, which borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] if a latent of given values does not have the model's length, or the model
    /// takes a picture.
    pub fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        self.0.generate(latent)
    }

    /// Makes one image from the pixels of another; see [`crate::Cpu::translate`].
    ///
    /// # Errors
    /// [`PictureLength`] if the number of bytes is not that of the picture, or the model takes a
    /// latent.
    pub fn translate(&mut self, pixels: &[u8]) -> Result<Image<'_>, PictureLength> {
        self.0.translate(pixels)
    }

    /// The model.
    pub fn model(&self) -> &'a Model<'a> {
        self.0.model()
    }
}

impl Backend for Crew<'_, '_> {
    fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        self.0.generate(latent)
    }
}
