//! The scores of a generator, as JSON and as a table.

use quality::kernel::Kernel;
use quality::manifold::Manifold;
use quality::neighbors::Memorization;
use quality::ssim::Diversity;
use quality::swd::Levels;
use serde::Serialize;

use super::classifier::Reading;
use super::extractor::Spec;

/// The scores of a generator.
#[derive(Debug, Default, Serialize)]
pub struct Scores {
    /// The generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The real images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Seed of the samples and of random draws.
    pub seed: u64,
    /// Scores of pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pixels>,
    /// Whether samples of a conditional generator show the requested class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Scores of features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<OfFeatures>,
}

/// Scores that need no network.
#[derive(Debug, Serialize)]
pub struct Pixels {
    /// Number of samples and of real images.
    pub count: [usize; 2],
    /// Side and channels of the images.
    pub form: [usize; 2],
    /// Sliced Wasserstein distance of samples and real images, times 1000.
    pub swd: f64,
    /// The same for each level.
    pub swd_levels: Levels,
    /// The same between two halves of the real images: the score of a perfect generator with half
    /// as many samples.
    pub swd_floor: f64,
    /// MS-SSIM over pairs of samples.
    pub ms_ssim: Diversity,
    /// MS-SSIM over pairs of real images.
    pub ms_ssim_real: Diversity,
    /// Distance of samples to training images.
    pub memorization: Memorization,
}

/// Scores of features.
#[derive(Debug, Serialize)]
pub struct OfFeatures {
    /// Number of real images and of samples.
    pub count: [usize; 2],
    /// Length of a feature vector.
    pub dimension: usize,
    /// SHA-256 of the extractor's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractor_sha256: Option<String>,
    /// How images were prepared for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Frechet distance: FID if the features are those of Inception.
    pub frechet: f64,
    /// Kernel distance: KID with the same features.
    pub kernel: Kernel,
    /// Precision, recall, density, coverage.
    pub manifold: Manifold,
}

impl std::fmt::Display for Scores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(p) = &self.pixels {
            let [fakes, reals] = p.count;
            writeln!(f, "{fakes} samples, {reals} real images, {} px", p.form[0])?;
            let levels: Vec<String> =
                p.swd_levels.levels.iter().map(|(size, v)| format!("{size} px {v:.2}")).collect();
            writeln!(
                f,
                "SWD x1000         {:.2} ({}); between halves of the real images {:.2}",
                p.swd,
                levels.join(", "),
                p.swd_floor
            )?;
            writeln!(
                f,
                "MS-SSIM           {:.4} over {} pairs of samples, scales: {}; {:.4} over real ones",
                p.ms_ssim.mean, p.ms_ssim.pairs, p.ms_ssim.scales, p.ms_ssim_real.mean
            )?;
            let m = &p.memorization;
            writeln!(
                f,
                "nearest training  {:.2} levels from samples, {:.2} from held-out images: ratio {:.3}",
                m.fakes, m.held_out, m.ratio
            )?;
        }
        if let Some(r) = &self.reading {
            let least = r.classes.iter().copied().fold(1.0, f64::min);
            writeln!(
                f,
                "read as asked     {:.1} % of {} samples, {:.1} % of the worst class, by a classifier that reads {:.1} % of \
                 {} unseen real images",
                100.0 * r.asked,
                r.count,
                100.0 * least,
                100.0 * r.real,
                r.real_count
            )?;
        }
        if let Some(s) = &self.features {
            let [reals, fakes] = s.count;
            writeln!(
                f,
                "features          {} numbers of {reals} real images and {fakes} samples",
                s.dimension
            )?;
            writeln!(f, "Frechet distance  {:.4}", s.frechet)?;
            writeln!(
                f,
                "kernel distance   {:.6} +- {:.6} ({} images a subset)",
                s.kernel.mean, s.kernel.deviation, s.kernel.size
            )?;
            let m = &s.manifold;
            writeln!(
                f,
                "precision {:.3}, recall {:.3}, density {:.3}, coverage {:.3}",
                m.precision, m.recall, m.density, m.coverage
            )?;
        }
        Ok(())
    }
}
