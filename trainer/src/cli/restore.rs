//! `trainer restore`.

use std::error::Error;
use std::path::{Path, PathBuf};

use image::RgbImage;
use trainer::config::Corruption;
use trainer::data::{DataSet, counted, sheet};
use trainer::file;

use super::output::{Ended, bar, say};
use super::trained::Trained;

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer fit --data mnist/ --recipe denoising-autoencoder --out runs/denoise
  trainer restore runs/denoise --data noisy.png --out restored.png
  trainer fit --data faces.zip --recipe colorize --out runs/color
  trainer restore runs/color --data gray/ --out colored/";

/// Arguments of `restore`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of a run of the recipe denoising-autoencoder or colorize
    run: PathBuf,
    /// An image, or a folder, archive or arrays of images; resized to the run's size
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// FILE.png for one image, otherwise a folder
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// List every file that is written
    #[arg(short, long)]
    verbose: bool,
}

/// Removes noise from images, or gives gray ones their colors: what the run was trained for.
///
/// # Errors
/// One that names the run, an image or a file.
pub fn run(args: &Args) -> Ended {
    let trained = Trained::open(&args.run)?;
    if trained.cfg.corruption == Corruption::None {
        let text = "was not trained to restore images: train one with the recipe \
                    denoising-autoencoder or colorize";
        return Err(format!("{} {text}", args.run.display()).into());
    }
    let data = trained.data(&args.data)?;
    let file = args.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if file && data.len() > 1 {
        return Err(format!(
            "--out {}: {} images need a folder, a name without .png",
            args.out.display(),
            data.len()
        )
        .into());
    }
    if !file {
        super::images::refuse_run(&args.out)?;
        file::create_dir(&args.out)?;
    }
    let which: Vec<usize> = (0..data.len()).collect();
    let bar = bar("restoring", data.len());
    let mut names = which.iter().map(|&i| file_name(&data, i));
    let mut failed = None;
    trained.coder().each(&data, &which, false, |coded| {
        for picture in sheet::pictures(coded.restored * 2.0 - 1.0) {
            let name = names.next().unwrap_or_default();
            let path = match file {
                true => args.out.clone(),
                false => args.out.join(name),
            };
            if failed.is_none() {
                failed = write(&path, picture, args.verbose).err();
            }
            bar.inc(1);
        }
    })?;
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error);
    }
    let out = args.out.display();
    match file {
        true => say(format!("wrote {out}\n")),
        false => say(format!("wrote {} to {out}\n", counted(data.len()))),
    }
    Ok(())
}

fn write(path: &Path, picture: RgbImage, verbose: bool) -> Result<(), Box<dyn Error>> {
    if let Some(parent) = path.parent() {
        file::create_dir(parent)?;
    }
    sheet::write_png(path, &picture.into())?;
    if verbose {
        say(format!("{}\n", path.display()));
    }
    Ok(())
}

/// The name of an image's file, ending in `.png`; its number if it has no name.
fn file_name(data: &DataSet, i: usize) -> String {
    match data.name(i) {
        Some(name) => Path::new(name).with_extension("png").display().to_string(),
        None => format!("{i:06}.png"),
    }
}
