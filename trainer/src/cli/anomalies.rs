//! `trainer anomalies`.

use std::fmt::Write as _;
use std::path::PathBuf;

use image::RgbImage;
use trainer::apply::anomalies;
use trainer::data::sheet;
use trainer::file;

use super::output::{Ended, say};
use super::trained::{Trained, field, name};
use super::values::whole;

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer fit --data good/ --recipe denoising-autoencoder --out runs/good
  trainer anomalies runs/good --data new/ --out odd";

/// Arguments of `anomalies`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of an autoencoder's run
    run: PathBuf,
    /// Folder, archive or arrays of images: anything that `trainer fit --data` takes
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Folder for anomalies.csv, every image with the most unusual first, and anomalies.png
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of images on the sheet
    #[arg(long, default_value_t = 64, value_parser = whole::<u16>(1..=4096))]
    count: u16,
}

/// Ranks images by how unusual they are.
///
/// # Errors
/// One that names the run, the data or a file.
pub fn run(args: &Args) -> Ended {
    let trained = Trained::open(&args.run)?;
    let data = trained.data(&args.data)?;
    let ranked = anomalies::rank(&trained.state, &trained.cfg, &data, &trained.device)?;
    let mut csv = String::from("rank,image,label,score,error,distance\n");
    for (rank, odd) in ranked.iter().enumerate() {
        let label = data.label(odd.image).and_then(|l| data.labels().get(l));
        let _ = writeln!(
            csv,
            "{},{},{},{:.4},{:.6},{:.4}",
            rank + 1,
            field(&name(&data, odd.image)),
            field(label.map_or("", String::as_str)),
            odd.score,
            odd.error,
            odd.distance
        );
    }
    let oddest = ranked.iter().take(args.count.into());
    let pictures: Vec<RgbImage> =
        oddest.map(|odd| data.picture(odd.image)).collect::<Result<_, _>>()?;
    file::create_dir(&args.out)?;
    let [list, picture] = ["anomalies.csv", "anomalies.png"].map(|file| args.out.join(file));
    file::write(&list, csv.as_bytes())?;
    let columns = (pictures.len() as f64).sqrt().ceil() as usize;
    sheet::write_sheet(&picture, &pictures, columns)?;
    for odd in ranked.iter().take(5) {
        say(format!("{:>9.2}  {}\n", odd.score, name(&data, odd.image)));
    }
    say(format!("wrote {} and {}\n", list.display(), picture.display()));
    Ok(())
}
