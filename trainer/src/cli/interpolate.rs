//! `trainer interpolate`.

use std::error::Error;
use std::path::{Path, PathBuf};

use image::RgbImage;
use trainer::apply::latents;
use trainer::data::sheet;
use trainer::file;

use super::generator::target;
use super::output::{Ended, say};
use super::values::{Seeds, whole};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer interpolate face.bpk --out walk.gif                       a loop through nine seeds
  trainer interpolate runs/00000-photos --seeds 4,9,31 --steps 10 --out grid.png";

/// Arguments of `interpolate`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of a run, or a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL")]
    target: PathBuf,
    /// Seeds to walk through, separated by commas
    #[arg(long, default_value = "1,2,3,4,5,6,7,8,9")]
    seeds: Seeds,
    /// Steps from each seed to the next
    #[arg(long, default_value_t = 8, value_parser = whole::<u16>(1..=256))]
    steps: u16,
    /// Walk in straight lines instead of along the sphere
    #[arg(long)]
    linear: bool,
    /// FILE.png for a grid with a row from each seed to the next, FILE.gif for a loop
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Frames per second of a GIF
    #[arg(long, default_value_t = 12, value_parser = whole::<u16>(1..=50))]
    fps: u16,
}

/// Walks from seed to seed.
///
/// # Errors
/// One that names what is wrong; nothing is written then.
pub fn run(args: &Args) -> Ended {
    let gif = match ending(&args.out).as_str() {
        "gif" => true,
        "png" => false,
        _ => {
            return Err(format!("{}: a walk is written to .png or .gif", args.out.display()).into());
        }
    };
    if args.seeds.0.len() < 2 {
        return Err("--seeds: at least two to walk between".into());
    }
    let target = target(&args.target)?;
    let path = match args.linear {
        true => latents::Path::Line,
        false => latents::Path::Sphere,
    };
    let (space, steps) = (latents::space(&target)?, usize::from(args.steps));
    let z = latents::walk(&args.seeds.0, steps, path, gif, space);
    let pictures = latents::pictures(&target, &z)?;
    match gif {
        true => write_gif(&args.out, &pictures, args.fps)?,
        false => {
            // A row shows both of its ends.
            let rows = (0..args.seeds.0.len() - 1)
                .flat_map(|leg| &pictures[leg * steps..=(leg + 1) * steps]);
            let cells: Vec<RgbImage> = rows.cloned().collect();
            sheet::write_sheet(&args.out, &cells, steps + 1)?;
        }
    }
    say(format!("wrote {}\n", args.out.display()));
    Ok(())
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

fn write_gif(path: &Path, pictures: &[RgbImage], fps: u16) -> Result<(), Box<dyn Error>> {
    let bytes =
        codecs::gif(pictures, fps).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    file::write(path, &bytes)?;
    Ok(())
}
