//! A generator by path: the newest checkpoint of a run, or a file.

use std::error::Error;
use std::path::{Path, PathBuf};

use runtime::graph::Facts;
use runtime::record::Buffer;
use trainer::config::Config;
use trainer::run::Run;
use trainer::run::checkpoint::{self, Checkpoint, LoadError, Newest};
use trainer::score::Target;
use trainer::{export, networks};

use super::output::{chain, complain};

/// Latents over which batch norm's statistics are recomputed before a generator is used.
const STATISTICS: usize = 10_000;
/// As many at least, after however short a run.
const FEWEST: usize = 512;

/// The generator of a run's newest checkpoint, or of a file.
///
/// # Errors
/// One that names the run or the file.
pub fn target(path: &Path) -> Result<Target, Box<dyn Error>> {
    if !path.is_dir() {
        return Target::file(path);
    }
    let (cfg, averages, images) = trained(path)?;
    if cfg.translates() {
        return Err(format!(
            "{} is a run that translates images and has no latents: translate with: runtime \
             translate {}",
            path.display(),
            exported(&Run::at(path), &cfg).display()
        )
        .into());
    }
    let [average] = &averages[..] else {
        unreachable!("only translators have several generators");
    };
    let generator = networks::finished(average, &cfg, statistics(images), &cfg.device.open());
    let facts = Facts { range: cfg.range(), labels: cfg.labels.clone(), ..Facts::default() };
    let mut graph = export::graph(&generator, cfg.nz, facts);
    graph.fold();
    Ok(Target {
        name: path.display().to_string(),
        record: Buffer::from(&graph.pack()?),
        data: cfg.data,
        crop: cfg.crop,
        transpose: cfg.transpose,
    })
}

/// Latents for the statistics of a generator after `images` images: no more than those, since the
/// weights of a short run are further off than the statistics.
pub fn statistics(images: u64) -> usize {
    usize::try_from(images).unwrap_or(STATISTICS).clamp(FEWEST, STATISTICS)
}

/// Where the first generator of a run is exported to.
pub fn exported(run: &Run, cfg: &Config) -> PathBuf {
    run.export().join(format!("{}.bpk", cfg.exports()[0]))
}

/// The settings and the averaged generators of a run's newest checkpoint, and the images it has
/// seen.
///
/// # Errors
/// One that names the run.
pub fn trained(root: &Path) -> Result<(Config, Vec<models::Sequential>, u64), Box<dyn Error>> {
    let run = Run::at(root);
    let cfg = Config::load(&run.options())?;
    let checkpoint = newest(&run)?;
    let fresh = networks::fresh(&cfg, &cfg.device.open())?;
    Ok((cfg, checkpoint.averages(fresh)?, checkpoint.images()))
}

/// A run's newest whole checkpoint. Newer damaged ones are named on standard error.
///
/// # Errors
/// [`LoadError`] names the run or the file.
pub fn newest(run: &Run) -> Result<Checkpoint, LoadError> {
    let Newest { checkpoint, damaged } = checkpoint::newest(run)?;
    for (_, what) in &damaged {
        complain(format!("warning: {}", chain(what)));
    }
    if !damaged.is_empty() {
        complain(format!("warning: using the checkpoint of {} images", checkpoint.images()));
    }
    Ok(checkpoint)
}
