//! The pictures that a run writes while it trains.

use std::fs;
use std::io;

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};
use image::RgbImage;

use super::curves;
use super::folder::Run;
use super::log::Log;
use super::record::Record;
use crate::config::{Config, Objective};
use crate::data::{DataError, DataSet, sheet};
use crate::file::{self, WriteError};
use crate::networks::{Condition, State, finished, noise, signed};
use crate::objective::{self, Metric};

/// Side of the grid, in pictures.
const GRID: usize = 8;
/// Pictures of each class in the grid of a conditional run.
const EACH: usize = 10;
/// Latents over which batch norm's statistics are recomputed for a grid: enough for the eye.
const STATISTICS: usize = 512;

/// What the pictures are of and where they go. What cannot be written is reported by the [`Log`],
/// and training goes on.
pub struct Show<'a> {
    /// The folder that they are written into.
    pub run: &'a Run,
    /// Where failures are reported.
    pub log: &'a Log,
    /// Its settings.
    pub cfg: &'a Config,
    /// The training images.
    pub data: &'a DataSet,
    /// Images that are not trained on, if there are any.
    pub held: Option<&'a DataSet>,
    /// Where the networks are.
    pub device: &'a Device,
}

impl Show<'_> {
    /// Real images, of two sets one after the other, and what the untrained generator makes.
    ///
    /// # Errors
    /// [`DataError`] if an image cannot be read any more.
    pub fn first(&self, fresh: &State) -> Result<(), DataError> {
        let sets: Vec<&DataSet> = std::iter::once(self.data).chain(self.data.other()).collect();
        let mut reals = Vec::new();
        for set in &sets {
            let count = (GRID * GRID / sets.len()).min(set.len());
            reals.extend((0..count).map(|i| set.picture(i)).collect::<Result<Vec<_>, _>>()?);
        }
        self.log.check(sheet::write_sheet(&self.run.picture("reals"), &reals, GRID));
        let (fakes, columns) = (self.grid(fresh)?, self.columns());
        self.log.check(sheet::write_sheet(&self.run.picture("fakes_init"), &fakes, columns));
        Ok(())
    }

    /// A grid of samples, what the objective shows beside it, and the curves.
    ///
    /// # Errors
    /// [`DataError`] if an image cannot be read any more.
    pub fn samples(&self, state: &State, record: &mut Record<'_>) -> Result<(), DataError> {
        let tag = format!("-{:09}", state.images);
        let path = self.run.picture(&format!("fakes{tag}"));
        let (grid, columns) = (self.grid(state)?, self.columns());
        if self.log.check(sheet::write_sheet(&path, &grid, columns))
            && let Ok(png) = fs::read(&path)
        {
            let sides = [columns, grid.len() / columns].map(|n| (n * self.cfg.size) as u32);
            record.picture(state.images, "fakes", sides, &png);
        }
        self.objective(state, &tag)
    }

    /// The same at the end of an epoch and, for a GAN, D's output for each picture of the grid as
    /// probabilities, in the grid's rows and columns.
    ///
    /// # Errors
    /// [`DataError`] if an image cannot be read any more.
    pub fn epoch(&self, state: &State, epoch: u64) -> Result<(), DataError> {
        let (fakes, columns) = (self.fakes(state)?, self.columns());
        let path = self.run.picture(&format!("fake_images_epoch_{epoch:04}"));
        self.log.check(sheet::write_sheet(&path, &sheet::pictures(fakes.clone()), columns));
        if self.cfg.objective == Objective::Gan {
            state.d.settle();
            let rows = fakes.dims()[0] / columns;
            let labels: Vec<usize> = (0..fakes.dims()[0]).map(|i| i / columns).collect();
            let seen = match Condition::new(self.cfg, Some(&labels), &fakes.device()) {
                Some(condition) => condition.beside(fakes),
                None => fakes,
            };
            let outputs = activation::sigmoid(state.d.valid().forward(seen));
            let outputs = outputs.reshape([rows, columns]);
            self.log.check(sheet::write_square(&self.run.d_outputs(epoch), outputs));
        }
        self.objective(state, &format!("_epoch_{epoch:04}"))
    }

    /// The curves of everything logged so far.
    pub fn curves(&self, metrics: &[Metric]) {
        let path = self.run.curves();
        let written = match curves::svg(&curves::rows(&self.run.stats()), metrics) {
            Ok(text) => file::write(&path, text.as_bytes()),
            Err(e) => Err(WriteError { path, error: io::Error::other(e.to_string()) }),
        };
        self.log.check(written);
    }

    /// What the objective shows: reconstructions, codes.
    fn objective(&self, state: &State, tag: &str) -> Result<(), DataError> {
        let data = [self.data, self.unseen()];
        let pictures = objective::pictures(state, self.cfg, data, self.device);
        for picture in pictures? {
            let path = self.run.picture(&format!("{}{tag}", picture.name));
            self.log.check(sheet::write_png(&path, &picture.image.into()));
            if let Some(page) = picture.page {
                // Only the newest is kept: a page is large, and it differs from the last one only
                // in its points.
                self.log.check(file::write(&self.run.page(picture.name), page.as_bytes()));
            }
        }
        Ok(())
    }

    /// Held-out images, or training images if there are none (of one of two sets).
    fn unseen(&self) -> &DataSet {
        let whole = |set: &DataSet| !set.is_empty() && set.other().is_none_or(|o| !o.is_empty());
        self.held.filter(|held| whole(held)).unwrap_or(self.data)
    }

    /// Seeds 0 to 63, or ten of each class: the same latents at every interval, and the same as
    /// `runtime`'s. Of a translator: translations of 64 unseen images.
    fn grid(&self, state: &State) -> Result<Vec<RgbImage>, DataError> {
        Ok(sheet::pictures(self.fakes(state)?))
    }

    /// The grid as images `[n, c, h, w]` in [-1, 1].
    fn fakes(&self, state: &State) -> Result<Tensor<4>, DataError> {
        let (unseen, which) = (self.unseen(), self.unseen().evenly(GRID * GRID));
        let made = objective::translations(state, self.cfg, unseen, &which, self.device)?;
        if let Some(made) = made {
            return Ok(made);
        }
        let g = finished(&state.ema, self.cfg, STATISTICS, self.device);
        let device = &self.device.clone().inner();
        let z = match self.cfg.labels.len() {
            0 => noise::seeds(0, GRID * GRID, self.cfg.nz, 0, device),
            labels => noise::rows(EACH, self.cfg.nz, labels, device),
        };
        Ok(signed(g.forward(z), self.cfg))
    }

    /// Columns of the grid.
    fn columns(&self) -> usize {
        match self.cfg.labels.len() {
            0 => GRID,
            _ => EACH,
        }
    }
}
