//! `trainer interpolate`, `trainer arithmetic` and `trainer sample`.

use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use clap::Args;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage, imageops};
use trainer::evaluate::Target;
use trainer::latents::{self, Terms};
use trainer::report;
use trainer::run;

use super::print;

/// Arguments of `interpolate`.
#[derive(Args)]
pub struct Interpolate {
    /// A run's folder, or a generator: a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL")]
    pub target: PathBuf,
    /// The seeds to walk through
    #[arg(long, value_delimiter = ',', num_args = 1.., default_value = "1,2,3,4,5,6,7,8,9")]
    pub seeds: Vec<u64>,
    /// Stops from each seed to the next
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub steps: u16,
    /// In straight lines instead of along the sphere
    #[arg(long)]
    pub linear: bool,
    /// A grid, a row from each seed to the next, FILE.png; or a walk that goes round, FILE.gif
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Pictures a second of a GIF
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub fps: u16,
}

/// Arguments of `arithmetic`.
#[derive(Args)]
pub struct Arithmetic {
    /// A run's folder, or a generator: a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL")]
    pub target: PathBuf,
    /// Seeds whose mean latent is added; may be given more than once
    #[arg(long, value_name = "SEEDS")]
    pub plus: Vec<String>,
    /// Seeds whose mean latent is taken away; may be given more than once
    #[arg(long, value_name = "SEEDS")]
    pub minus: Vec<String>,
    /// How far the eight neighbours of the result are moved, each value by up to this
    #[arg(long, default_value_t = 0.25)]
    pub noise: f32,
    /// The panel: a row of exemplars and their mean for each group, and below them the result amid its neighbours beside the same
    /// sum of pictures
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
}

/// Arguments of `sample`.
#[derive(Args)]
pub struct Sample {
    /// A run's folder, or a generator: a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL")]
    pub target: PathBuf,
    /// The picture
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
    /// Rows and columns
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub grid: u16,
    /// Seed of the first sample
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Walks and writes.
///
/// # Errors
/// One that names what is wrong; nothing is written then.
pub fn interpolate(args: &Interpolate, target: &Target) -> Result<(), Box<dyn Error>> {
    let gif = match ending(&args.out).as_str() {
        "gif" => true,
        "png" => false,
        _ => return Err(format!("{}: ends in neither .png nor .gif", args.out.display()).into()),
    };
    if args.seeds.len() < 2 {
        return Err("--seeds: two or more to walk between".into());
    }
    let path = match args.linear {
        true => latents::Path::Line,
        false => latents::Path::Sphere,
    };
    let (space, steps) = (latents::space(target)?, usize::from(args.steps));
    let z = latents::walk(&args.seeds, steps, path, gif, space);
    let pictures = latents::pictures(target, &z)?;
    match gif {
        true => write_gif(&args.out, pictures, args.fps)?,
        false => {
            // A row shows both of its ends.
            let rows = (0..args.seeds.len() - 1)
                .flat_map(|leg| &pictures[leg * steps..=(leg + 1) * steps]);
            let cells: Vec<RgbImage> = rows.cloned().collect();
            report::write_sheet(&args.out, &cells, steps + 1)?;
        }
    }
    print(format!("wrote {}\n", args.out.display()))?;
    Ok(())
}

/// Adds and takes away. `order` is the command line's: clap keeps the order of one flag's values, not of two flags'.
///
/// # Errors
/// One that names what is wrong; nothing is written then.
pub fn arithmetic(
    args: &Arithmetic,
    order: impl Iterator<Item = String>,
    target: &Target,
) -> Result<(), Box<dyn Error>> {
    if !(args.noise.is_finite() && args.noise >= 0.0) {
        return Err(format!("--noise is {}: 0 or more", args.noise).into());
    }
    let terms = terms(args, order)?;
    let space = latents::space(target)?;
    let z = terms.latent(space);
    let around = Terms::neighbours(&z, 8, args.noise, 0);
    let mut nine = latents::pictures(target, &around)?;
    nine.insert(4, latents::pictures(target, &[z])?.remove(0));
    let mut groups = Vec::new();
    let mut rows: Vec<RgbImage> = Vec::new();
    for (sign, seeds) in &terms.0 {
        let each: Vec<Vec<f32>> =
            seeds.iter().map(|&s| Terms(vec![(1.0, vec![s])]).latent(space)).collect();
        let exemplars = latents::pictures(target, &each)?;
        let mean = Terms(vec![(1.0, seeds.clone())]).latent(space);
        let mut row = exemplars.clone();
        row.extend(latents::pictures(target, &[mean])?);
        rows.push(trainer::data::sheet::sheet(&row, row.len()));
        groups.push((*sign, exemplars));
    }
    let three = trainer::data::sheet::sheet(&nine, 3);
    let foil = latents::foil(&groups);
    // The foil as large as the nine, so that the two can be compared.
    let foil =
        imageops::resize(&foil, three.width(), three.height(), imageops::FilterType::Nearest);
    let gap = three.width() / 24;
    let width = rows.iter().map(RgbImage::width).max().unwrap_or(0).max(2 * three.width() + gap);
    let height: u32 = rows.iter().map(|r| r.height() + gap).sum::<u32>() + three.height();
    let mut panel = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
    let mut y = 0;
    for row in &rows {
        imageops::replace(&mut panel, row, 0, y);
        y += i64::from(row.height() + gap);
    }
    imageops::replace(&mut panel, &three, 0, y);
    imageops::replace(&mut panel, &foil, i64::from(three.width() + gap), y);
    report::write_png(&args.out, &DynamicImage::ImageRgb8(panel))?;
    print(format!("wrote {}: {terms}; on the right the same of pixels\n", args.out.display()))?;
    Ok(())
}

/// The groups in the order of the command line.
fn terms(args: &Arithmetic, order: impl Iterator<Item = String>) -> Result<Terms, Box<dyn Error>> {
    let (mut plus, mut minus) = (args.plus.iter(), args.minus.iter());
    let mut terms = Vec::new();
    for word in order {
        let flag = word.split('=').next().unwrap_or_default();
        let (sign, text) = match flag {
            "--plus" => (1.0, plus.next()),
            "--minus" => (-1.0, minus.next()),
            _ => continue,
        };
        let Some(text) = text else { continue };
        let seeds: Result<Vec<u64>, _> = text.split(',').map(|s| s.trim().parse()).collect();
        let seeds =
            seeds.map_err(|_| format!("{flag} {text}: seeds are whole numbers, such as 4,9,31"))?;
        terms.push((sign, seeds));
    }
    match terms.is_empty() {
        true => Err("give --plus SEEDS, and --minus SEEDS: three seeds of a kind each".into()),
        false => Ok(Terms(terms)),
    }
}

/// Writes a sheet of seeds.
///
/// # Errors
/// One that names the generator or the picture.
pub fn sample(args: &Sample, target: &Target) -> Result<(), Box<dyn Error>> {
    let (side, space) = (usize::from(args.grid), latents::space(target)?);
    let last = args.seed.wrapping_add((side * side) as u64 - 1);
    let z: Vec<Vec<f32>> = (0..(side * side) as u64)
        .map(|i| Terms(vec![(1.0, vec![args.seed.wrapping_add(i)])]).latent(space))
        .collect();
    report::write_sheet(&args.out, &latents::pictures(target, &z)?, side)?;
    print(format!(
        "wrote {}: seeds {} to {last} of {}\n",
        args.out.display(),
        args.seed,
        target.name
    ))?;
    Ok(())
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

fn write_gif(path: &Path, pictures: Vec<RgbImage>, fps: u16) -> Result<(), Box<dyn Error>> {
    let failed = |e: image::ImageError| format!("cannot write {}: {e}", path.display());
    let mut bytes = Cursor::new(Vec::new());
    {
        let mut encoder = GifEncoder::new(&mut bytes);
        encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
        let delay = Delay::from_numer_denom_ms(1000, fps.into());
        for picture in pictures {
            let rgba = DynamicImage::ImageRgb8(picture).into_rgba8();
            encoder.encode_frame(Frame::from_parts(rgba, 0, 0, delay)).map_err(failed)?;
        }
    }
    run::write(path, bytes.get_ref())?;
    Ok(())
}
