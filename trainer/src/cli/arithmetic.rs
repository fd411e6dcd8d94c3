//! `trainer arithmetic`.

use std::error::Error;
use std::path::PathBuf;

use image::{DynamicImage, RgbImage, imageops};
use trainer::apply::latents::{self, Space, Terms};
use trainer::data::sheet::{self, sheet};
use trainer::score::Target;

use super::generator::target;
use super::output::{Ended, say};
use super::values::{Seeds, amount};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer arithmetic face.bpk --plus 4,9,31 --minus 2,7,8 --plus 11,40,52 --out sum.png";

/// Arguments of `arithmetic`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of a run, or a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL")]
    target: PathBuf,
    /// Seeds whose mean latent is added; may be repeated
    #[arg(long, value_name = "SEEDS")]
    plus: Vec<Seeds>,
    /// Seeds whose mean latent is subtracted; may be repeated
    #[arg(long, value_name = "SEEDS")]
    minus: Vec<Seeds>,
    /// Largest change per value in the eight neighbors of the result
    #[arg(long, default_value_t = 0.25, value_parser = amount)]
    noise: f32,
    /// Where to write the picture
    ///
    /// It has a row for each group, its samples and then their mean; below them the result amid
    /// its eight neighbors, beside the same sum computed on pixels.
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
}

/// Adds and subtracts groups of latents.
///
/// # Errors
/// One that names what is wrong; nothing is written then.
pub fn run(args: &Args) -> Ended {
    let terms = terms(args, std::env::args())?;
    let target = target(&args.target)?;
    let picture = picture(&terms, args.noise, &target)?;
    sheet::write_png(&args.out, &DynamicImage::ImageRgb8(picture))?;
    say(format!("wrote {}: {terms}; on the right the same sum of pixels\n", args.out.display()));
    Ok(())
}

/// A row for each group, and below them the result beside the sum of pixels.
fn picture(terms: &Terms, noise: f32, target: &Target) -> Result<RgbImage, Box<dyn Error>> {
    let space = latents::space(target)?;
    let z = terms.latent(space);
    let mut nine = latents::pictures(target, &Terms::neighbors(&z, 8, noise, 0))?;
    nine.insert(4, latents::pictures(target, &[z])?.remove(0));
    let (mut groups, mut rows) = (Vec::new(), Vec::new());
    for (sign, seeds) in &terms.0 {
        let samples = latents::pictures(target, &alone(seeds, space))?;
        let mean = Terms(vec![(1.0, seeds.clone())]).latent(space);
        let mut row = samples.clone();
        row.extend(latents::pictures(target, &[mean])?);
        rows.push(sheet(&row, row.len()));
        groups.push((*sign, samples));
    }
    let three = sheet(&nine, 3);
    // As large as the nine, so that the two can be compared.
    let size = [three.width(), three.height()];
    let pixels = latents::pixel_sum(&groups).into();
    let pixels = codecs::resize(&pixels, size, imageops::FilterType::Nearest).into_rgb8();
    let gap = three.width() / 24;
    let width = rows.iter().map(RgbImage::width).max().unwrap_or(0).max(2 * three.width() + gap);
    let height: u32 = rows.iter().map(|r| r.height() + gap).sum::<u32>() + three.height();
    let mut picture = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
    let mut y = 0;
    for row in &rows {
        imageops::replace(&mut picture, row, 0, y);
        y += i64::from(row.height() + gap);
    }
    imageops::replace(&mut picture, &three, 0, y);
    imageops::replace(&mut picture, &pixels, i64::from(three.width() + gap), y);
    Ok(picture)
}

/// The latent of each seed.
fn alone(seeds: &[u64], space: Space) -> Vec<Vec<f32>> {
    seeds.iter().map(|&seed| Terms(vec![(1.0, vec![seed])]).latent(space)).collect()
}

/// The groups in the order of the command line `words`: clap keeps the order of one option's
/// values, not that of two options'.
fn terms(args: &Args, words: impl Iterator<Item = String>) -> Result<Terms, Box<dyn Error>> {
    let (mut plus, mut minus) = (args.plus.iter(), args.minus.iter());
    let groups = words.filter_map(|word| match word.split('=').next().unwrap_or_default() {
        "--plus" => plus.next().map(|seeds| (1.0, seeds.0.clone())),
        "--minus" => minus.next().map(|seeds| (-1.0, seeds.0.clone())),
        _ => None,
    });
    let terms: Vec<_> = groups.collect();
    match terms.is_empty() {
        true => Err("give --plus SEEDS, and --minus SEEDS: three seeds of a kind each".into()),
        false => Ok(Terms(terms)),
    }
}
