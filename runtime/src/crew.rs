//! Several threads that make one image together.
//!
//! Many images are made best by a thread each; a crew is for the one that somebody waits for. Threads are started once,
//! allocate nothing while they work, look out for the next image for some microseconds and then sleep. The values are
//! those that [`crate::cpu::Cpu`] makes, to the bit.

use core::fmt;
use std::io;
use std::thread;

use crate::backend::Backend;
use crate::cpu::ArenaTooSmall;
use crate::image::Image;
use crate::latent::{Latent, LatentLength};
use crate::model::Model;
use crate::simd::Isa;
use crate::simd::crew::{Leader, Table};

/// The threads, while they are there.
pub struct Crew<'s, 'a>(Leader<'s, 'a>);

/// Why there is no crew.
#[derive(Debug)]
pub enum CrewError {
    /// The arena is shorter than [`Model::arena_len_of`] so many threads.
    Arena(ArenaTooSmall),
    /// The system gives no thread.
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
    /// Starts `threads - 1` threads beside the caller's, does `work` with the crew, and ends them. No number of threads is
    /// taken as one.
    ///
    /// # Errors
    /// [`CrewError`]; `work` was not begun.
    pub fn with<R>(
        model: &'a Model<'a>,
        arena: &'a mut [f32],
        isa: Isa,
        threads: usize,
        work: impl FnOnce(&mut Crew<'_, 'a>) -> R,
    ) -> Result<R, CrewError> {
        let table = Table::new(model, arena, isa, threads.max(1));
        let mut table = table.map_err(CrewError::Arena)?;
        thread::scope(|scope| {
            // Whichever way this is left, the leader is dropped, which ends the others.
            let (leader, followers) = table.seats();
            for follower in followers {
                let started = thread::Builder::new().spawn_scoped(scope, || follower.follow());
                started.map_err(CrewError::Thread)?;
            }
            Ok(work(&mut Crew(leader)))
        })
    }

    /// Makes one image, which borrows the arena until the next one is made.
    ///
    /// # Errors
    /// [`LatentLength`] where a latent of given values is not as long as the model's.
    pub fn generate(&mut self, latent: &Latent<'_>) -> Result<Image<'_>, LatentLength> {
        self.0.generate(latent)
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
