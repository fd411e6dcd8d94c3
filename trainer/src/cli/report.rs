//! `trainer report`.

use std::path::PathBuf;

use trainer::config::Config;
use trainer::run::{Run, page};

use super::output::{Ended, say};

/// Arguments of `report`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the run
    run: PathBuf,
}

/// Writes the page of a run.
///
/// # Errors
/// One that names the run or the file.
pub fn run(args: &Args) -> Ended {
    let run = Run::at(&args.run);
    let cfg = Config::load(&run.options())?;
    say(format!("wrote {}\n", page::write(&run, &cfg)?.display()));
    Ok(())
}
