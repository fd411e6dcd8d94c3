//! `trainer evaluate`.

use std::error::Error;
use std::path::{Path, PathBuf};

use trainer::data::Crop;
use trainer::file;
use trainer::score::evaluate::{Options, evaluate};
use trainer::score::extractor::{Extractor, Resize, Spec};
use trainer::score::features::Features;

use super::generator::target;
use super::output::{Ended, bar, print, say};
use super::values::{Channels, Range, seed, whole};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer evaluate runs/00000-photos                         against the run's own data
  trainer evaluate face.onnx --data photos/ --sheet near.png with the nearest training images of samples
  trainer evaluate face.bpk --data photos/ --extractor inception.onnx --extractor-range -1,1   FID, KID and others
  trainer evaluate --features-real real.npy --features-fake fake.npy --out scores.json";

/// Arguments of `evaluate`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of a run, or a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL", required_unless_present = "features_fake")]
    target: Option<PathBuf>,
    /// Real images: folder, archive or arrays [default: the run's]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Square cut out of real images: center, a size in pixels, celeba128 [default: the run's, or
    /// center]
    #[arg(long)]
    crop: Option<Crop>,
    /// Exchange rows and columns of real images, as the run's own data may ask for
    #[arg(long)]
    transpose: bool,
    /// Number of samples; at most as many real images are used
    #[arg(long, default_value_t = 10_000, value_parser = whole::<usize>(4..=1_000_000))]
    count: usize,
    /// Seed of the first sample, and of what the scores draw at random
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
    /// Images that were not trained on [default: a twentieth of the data, chosen by content]
    #[arg(long, value_name = "PATH")]
    held_out: Option<PathBuf>,
    /// Where to write samples beside their three nearest training images
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Feature network in ONNX, [n, 3, size, size] to [n, d], for FID and similar scores
    #[arg(long, value_name = "FILE.onnx[:OUTPUT]")]
    extractor: Option<String>,
    /// Image size that the extractor takes
    #[arg(long, default_value_t = 299, value_name = "PIXELS", value_parser = whole::<usize>(1..=2048))]
    extractor_size: usize,
    /// How images are resized for the extractor: bicubic or bilinear
    #[arg(long, default_value = "bicubic", value_name = "RULE")]
    extractor_resize: Resize,
    /// Values of black and white that the extractor takes
    #[arg(long, default_value = "0,1", allow_hyphen_values = true, value_name = "LOW,HIGH")]
    extractor_range: Range,
    /// Mean to subtract from each channel after that
    #[arg(long, allow_hyphen_values = true, value_name = "R,G,B")]
    mean: Option<Channels>,
    /// Standard deviation to divide each channel by after that
    #[arg(long, allow_hyphen_values = true, value_name = "R,G,B")]
    std: Option<Channels>,
    /// Features of real images, [n, d] as .npy, instead of an extractor
    #[arg(long, value_name = "FILE.npy", requires = "features_fake", conflicts_with = "extractor")]
    features_real: Option<PathBuf>,
    /// Features of samples, [n, d] as .npy
    #[arg(long, value_name = "FILE.npy", requires = "features_real")]
    features_fake: Option<PathBuf>,
    /// Where to write the scores as JSON
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Print the scores as JSON
    #[arg(long)]
    json: bool,
}

/// Scores a generator.
///
/// # Errors
/// One that says what is missing or wrong; nothing is written then.
pub fn run(args: &Args) -> Ended {
    let features = match (&args.features_real, &args.features_fake) {
        (Some(real), Some(fake)) => Some([Features::load(real)?, Features::load(fake)?]),
        _ => None,
    };
    let extractor = args.extractor.as_deref().map(|text| load(text, args)).transpose()?;
    let target = args.target.as_deref().map(target).transpose()?;
    let options = Options {
        data: args.data.clone(),
        crop: args.crop,
        transpose: args.transpose,
        count: args.count,
        seed: args.seed,
        held_out: args.held_out.clone(),
        sheet: args.sheet.clone(),
        extractor,
        features,
    };
    let bar = bar("", 0);
    let progress = |what: &'static str, done: usize, all: usize| {
        bar.set_message(what);
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let scores = evaluate(&options, target.as_ref(), &progress);
    bar.finish_and_clear();
    let scores = scores?;
    let text = match args.json {
        true => serde_json::to_string(&scores)? + "\n",
        false => scores.to_string(),
    };
    let Some(path) = &args.out else {
        return Ok(print(text)?);
    };
    let pretty = serde_json::to_string_pretty(&scores)? + "\n";
    file::write(path, pretty.as_bytes())?;
    say(text);
    Ok(())
}

/// The extractor `FILE.onnx[:OUTPUT]`.
fn load(text: &str, args: &Args) -> Result<Extractor, Box<dyn Error>> {
    // A colon may be part of the path; an output follows the extension.
    let (path, output) = match text.rsplit_once(".onnx:") {
        Some((path, output)) => (format!("{path}.onnx"), Some(output)),
        None => (text.to_string(), None),
    };
    let Range(range @ [low, high]) = args.extractor_range;
    let spec = Spec {
        size: args.extractor_size,
        resize: args.extractor_resize,
        range,
        mean: args.mean.map_or([low.max(0.0).min(high); 3], |mean| mean.0),
        std: args.std.map_or([1.0; 3], |std| std.0),
    };
    Ok(Extractor::load(Path::new(&path), output, spec)?)
}
