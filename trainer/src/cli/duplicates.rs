//! `trainer duplicates`.

use std::fmt::Write as _;
use std::path::PathBuf;

use image::RgbImage;
use trainer::apply::duplicates;
use trainer::data::sheet;
use trainer::file;

use super::output::{Ended, say};
use super::trained::{Trained, field, name};
use super::values::whole;

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer fit --data photos/ --recipe duplicates --out runs/codes
  trainer duplicates runs/codes --data photos/ --out twice";

/// Groups on the sheet, and images of each.
const SHOWN: [usize; 2] = [32, 8];

/// Arguments of `duplicates`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of an autoencoder's run, ideally one of the recipe duplicates
    run: PathBuf,
    /// Folder, archive or arrays of images: anything that `trainer fit --data` takes
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Folder for duplicates.csv, one image per line, and duplicates.png, one group per row
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Largest number of code bits in which two duplicates differ
    #[arg(long, default_value_t = 12, value_parser = whole::<u32>(0..=4096))]
    bits: u32,
}

/// Finds groups of images that are nearly the same.
///
/// # Errors
/// One that names the run, the data or a file.
pub fn run(args: &Args) -> Ended {
    let trained = Trained::open(&args.run)?;
    let data = trained.data(&args.data)?;
    let groups = duplicates::find(&trained.state, &trained.cfg, &data, args.bits, &trained.device)?;
    let mut csv = String::from("group,image\n");
    let mut pictures = Vec::new();
    let size = trained.cfg.size as u32;
    for (number, group) in groups.iter().enumerate() {
        for &image in group {
            let _ = writeln!(csv, "{},{}", number + 1, field(&name(&data, image)));
        }
        if number < SHOWN[0] {
            for &image in group.iter().take(SHOWN[1]) {
                pictures.push(data.picture(image)?);
            }
            let missing = SHOWN[1].saturating_sub(group.len());
            pictures.extend((0..missing).map(|_| RgbImage::new(size, size)));
        }
    }
    file::create_dir(&args.out)?;
    let [list, sheet_path] = ["duplicates.csv", "duplicates.png"].map(|file| args.out.join(file));
    file::write(&list, csv.as_bytes())?;
    let extra: usize = groups.iter().map(|g| g.len() - 1).sum();
    let found = match groups.len() {
        1 => "1 group".into(),
        n => format!("{n} groups"),
    };
    let (bits, of) = (args.bits, trained.cfg.nz);
    say(format!(
        "{found} within {bits} of {of} bits: {extra} of {} images are duplicates\n",
        data.len()
    ));
    if pictures.is_empty() {
        say(format!("wrote {}\n", list.display()));
        return Ok(());
    }
    sheet::write_sheet(&sheet_path, &pictures, SHOWN[1])?;
    say(format!("wrote {} and {}\n", list.display(), sheet_path.display()));
    Ok(())
}
