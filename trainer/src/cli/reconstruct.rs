//! `trainer reconstruct`.

use std::path::PathBuf;

use trainer::data::{counted, sheet};
use trainer::file;
use trainer::objective::{self, autoencoder, metric};

use super::images;
use super::output::{Ended, say};
use super::trained::Trained;

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer reconstruct runs/00000-digits                               the run's held-out images
  trainer reconstruct runs/00000-digits --data test/ --out sheet.png --codes codes.png";

/// Arguments of `reconstruct`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of an autoencoder's run
    run: PathBuf,
    /// Folder, archive or arrays of images, or one image [default: the run's held-out images]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Where to write originals above their reconstructions
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Where to write the codes as points from two sides; FILE.html beside it can be rotated
    #[arg(long, value_name = "FILE.png")]
    codes: Option<PathBuf>,
}

/// Measures and shows reconstructions.
///
/// # Errors
/// One that names the run, the data or the file.
pub fn run(args: &Args) -> Ended {
    let trained = Trained::open(&args.run)?;
    let Trained { cfg, state, device } = &trained;
    let data = match &args.data {
        Some(path) => trained.data(path)?,
        None => {
            let mut own = images::of_run(cfg, cfg.channels)?;
            let held = own.hold_out(cfg.held_out);
            match held.is_empty() {
                true => return Err("the run has no held-out images: give some with --data".into()),
                false => held,
            }
        }
    };
    let measured = objective::measure(state, cfg, [&data; 2], device)?;
    say(format!("{}: {}\n", counted(data.len()), metric::line(&measured)));
    let coder = trained.coder();
    if let Some(out) = &args.out {
        let picture = autoencoder::reconstructions(&coder, cfg, &data)?;
        sheet::write_png(out, &picture.image.into())?;
        say(format!("wrote {}\n", out.display()));
    }
    if let Some(out) = &args.codes {
        let picture = autoencoder::points(&coder, cfg, &data)?;
        sheet::write_png(out, &picture.image.into())?;
        let page = out.with_extension("html");
        file::write(&page, picture.page.unwrap_or_default().as_bytes())?;
        say(format!("wrote {} and {}\n", out.display(), page.display()));
    }
    Ok(())
}
