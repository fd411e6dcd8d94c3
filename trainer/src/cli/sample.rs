//! `trainer sample`.

use std::path::PathBuf;

use trainer::apply::latents::{self, Terms};
use trainer::data::sheet;

use super::generator::target;
use super::output::{Ended, say};
use super::values::{Grid, seed};

/// Arguments of `sample`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of a run, or a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL")]
    target: PathBuf,
    /// Where to write the sheet
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Rows and columns of the sheet
    #[arg(long, value_name = "RxC", default_value = "8x8")]
    grid: Grid,
    /// Seed of the first sample
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
}

/// Writes a sheet of seeds.
///
/// # Errors
/// One that names the generator or the file.
pub fn run(args: &Args) -> Ended {
    let target = target(&args.target)?;
    let Grid { rows, columns } = args.grid;
    let (count, space) = ((rows * columns) as u64, latents::space(&target)?);
    let last = args.seed.checked_add(count - 1).ok_or_else(|| {
        format!("--seed {}: {count} seeds from there go beyond {}", args.seed, u64::MAX)
    })?;
    let z: Vec<Vec<f32>> =
        (args.seed..=last).map(|seed| Terms(vec![(1.0, vec![seed])]).latent(space)).collect();
    sheet::write_sheet(&args.out, &latents::pictures(&target, &z)?, columns)?;
    say(format!(
        "wrote {}: seeds {} to {last} of {}\n",
        args.out.display(),
        args.seed,
        target.name
    ));
    Ok(())
}
