//! `trainer evaluate`: the scores of a generator, as a table and as JSON.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use image::RgbImage;
use indicatif::{ProgressBar, ProgressDrawTarget};
use rayon::prelude::*;
use runtime::cpu::Cpu;
use runtime::graph::Graph;
use runtime::latent::Latent;
use runtime::model::{Model, Precision};
use runtime::onnx;
use runtime::record::Buffer;
use serde::Serialize;

use crate::data::{Crop, DataSet, Form};
use crate::report;
use crate::run;
use crate::score::classifier::{self, Labelled, Reading};
use crate::score::extractor::{Extractor, Resize, Spec};
use crate::score::features::Features;
use crate::score::kernel::{self, Kernel};
use crate::score::manifold::{self, Manifold};
use crate::score::neighbours::{self, Memorisation, Near};
use crate::score::ssim::{self, Diversity};
use crate::score::swd::{self, Levels};
use crate::score::{Pictures, frechet};

/// Samples and held-out images whose nearest training images are looked for.
const SEARCHED: usize = 256;
/// Share of the data that is held out where no other set is given.
const HELD_OUT: f64 = 0.05;
/// Rows of the sheet: half the samples nearest to a training image, half as they come.
const ROWS: usize = 16;

/// The arguments.
#[derive(Args, Debug)]
pub struct Evaluate {
    /// A run's folder, or a generator: a burn record or ONNX model
    #[arg(value_name = "RUN|MODEL", required_unless_present = "features_fake")]
    pub target: Option<PathBuf>,
    /// The real images: folder, zip archive or IDX files [default: the run's]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// What is cut out of real images: centre, a number of pixels, celeba128 [default: the run's, else centre]
    #[arg(long)]
    pub crop: Option<Crop>,
    /// Images of each kind, at most
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(4..=1_000_000))]
    pub count: u32,
    /// Seed of the first sample, and of what the scores draw
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Images that were not trained on, to compare copies with [default: a twentieth of the data, by content]
    #[arg(long, value_name = "PATH")]
    pub held_out: Option<PathBuf>,
    /// A sheet of samples, each beside its three nearest training images
    #[arg(long, value_name = "FILE.png")]
    pub sheet: Option<PathBuf>,
    /// A network in ONNX, [n, 3, size, size] to [n, d], for FID and its like
    #[arg(long, value_name = "FILE.onnx[:OUTPUT]")]
    pub extractor: Option<String>,
    /// Side of the images it takes
    #[arg(long, default_value_t = 299, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=2048))]
    pub extractor_size: u16,
    /// How images get there
    #[arg(long, default_value = "bicubic")]
    pub extractor_resize: Resize,
    /// What black and white become
    #[arg(
        long,
        default_value = "0,1",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true,
        value_name = "LOW,HIGH"
    )]
    pub extractor_range: Vec<f32>,
    /// Taken away from each channel afterwards
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true,
        value_name = "R,G,B"
    )]
    pub mean: Vec<f32>,
    /// Divided by, of each channel, afterwards
    #[arg(long, value_delimiter = ',', num_args = 1, value_name = "R,G,B")]
    pub std: Vec<f32>,
    /// Features of real images, [n, d] as .npy, instead of an extractor
    #[arg(long, value_name = "FILE.npy", requires = "features_fake", conflicts_with = "extractor")]
    pub features_real: Option<PathBuf>,
    /// Features of samples
    #[arg(long, value_name = "FILE.npy", requires = "features_real")]
    pub features_fake: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What came out.
#[derive(Debug, Default, Serialize)]
pub struct Scores {
    /// The generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The real images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Of samples and draws.
    pub seed: u64,
    /// Scores of pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<Pixels>,
    /// Whether samples of a conditional generator show the class that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Scores of features.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<OfFeatures>,
}

/// Scores that need no network.
#[derive(Debug, Serialize)]
pub struct Pixels {
    /// Samples, and real images.
    pub count: [usize; 2],
    /// Side and channels.
    pub form: [usize; 2],
    /// Sliced Wasserstein distance of samples and real images, times 1000.
    pub swd: f64,
    /// The same, a level each.
    pub swd_levels: Levels,
    /// The same between two halves of the real images: what a perfect generator of half as many samples would have.
    pub swd_floor: f64,
    /// MS-SSIM over pairs of samples.
    pub ms_ssim: Diversity,
    /// MS-SSIM over pairs of real images.
    pub ms_ssim_real: Diversity,
    /// How near samples are to training images.
    pub memorisation: Memorisation,
}

/// Scores of features.
#[derive(Debug, Serialize)]
pub struct OfFeatures {
    /// Real images and samples.
    pub count: [usize; 2],
    /// Numbers of an image.
    pub dimension: usize,
    /// SHA-256 of the extractor's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractor_sha256: Option<String>,
    /// How images were brought to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<Spec>,
    /// Frechet distance: FID where the features are Inception's.
    pub frechet: f64,
    /// Kernel distance: KID where they are.
    pub kernel: Kernel,
    /// Precision, recall, density, coverage.
    pub manifold: Manifold,
}

/// The generator that is looked at.
pub struct Target {
    /// What it is called.
    pub name: String,
    /// Its record: of any precision.
    pub record: Buffer,
    /// The data that it was trained on, where that is known.
    pub data: Option<PathBuf>,
    /// What was cut out of it.
    pub crop: Crop,
}

impl Target {
    /// A generator's file: a burn record or an ONNX model.
    ///
    /// # Errors
    /// One that names the file.
    pub fn file(path: &Path) -> Result<Target, Box<dyn Error>> {
        let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let bytes = fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let is_onnx = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
        let record = match is_onnx {
            true => {
                let mut graph = onnx::read(&bytes).map_err(|e| failed(&e))?;
                graph.fold();
                graph.pack().map_err(|e| failed(&e))?
            }
            false => {
                let buffer = Buffer::from(&bytes);
                let model = Model::parse(buffer.bytes()).map_err(|e| failed(&e))?;
                match model.precision() {
                    // Many times faster.
                    Precision::F32 => Graph::from_model(&model).pack().map_err(|e| failed(&e))?,
                    _ => bytes,
                }
            }
        };
        Ok(Target {
            name: path.display().to_string(),
            record: Buffer::from(&record),
            data: None,
            crop: Crop::Centre,
        })
    }

    /// The classes of a conditional generator.
    ///
    /// # Errors
    /// One that names the generator.
    pub fn classes(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let model = Model::parse(self.record.bytes());
        let model = model.map_err(|e| format!("{}: {e}", self.name))?;
        Ok(model.labels().map(ToString::to_string).collect())
    }

    /// The samples of `count` seeds, on all cores.
    ///
    /// # Errors
    /// One that names the generator.
    pub fn samples(&self, count: usize, seed: u64) -> Result<Pictures, Box<dyn Error>> {
        let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", self.name);
        let model = Model::parse(self.record.bytes()).map_err(|e| failed(&e))?;
        let shape = model.output();
        if shape.h != shape.w || ![1, 3].contains(&shape.c) {
            return Err(failed(&format!("images of {shape:?} cannot be scored")).into());
        }
        let form = Form { size: shape.w as u32, channels: shape.c, crop: Crop::Centre };
        let bar = progress("samples", count);
        const PART: usize = 32;
        let parts: Vec<Vec<u8>> = (0..count.div_ceil(PART))
            .into_par_iter()
            .map(|part| {
                let mut arena = vec![0.0; model.arena_len()];
                let mut bytes = Vec::new();
                let Ok(mut cpu) = Cpu::new(&model, &mut arena) else {
                    return bytes;
                };
                for i in part * PART..count.min((part + 1) * PART) {
                    let latent = Latent::from_seed(seed.wrapping_add(i as u64));
                    if let Ok(image) = cpu.generate(&latent) {
                        for c in 0..shape.c {
                            for at in 0..shape.w * shape.h {
                                bytes.push(image.pixel(at % shape.w, at / shape.w)[c]);
                            }
                        }
                    }
                    bar.inc(1);
                }
                bytes
            })
            .collect();
        bar.finish_and_clear();
        let mut pictures = Pictures::new(form);
        for bytes in parts {
            bytes.chunks_exact(form.values()).for_each(|planes| pictures.push(planes));
        }
        match pictures.len() == count {
            true => Ok(pictures),
            false => Err(failed(&"a seed made no image").into()),
        }
    }
}

/// Evaluates; `target` is the generator of [`Evaluate::target`].
///
/// # Errors
/// One that says what is missing or wrong; nothing is written then.
pub fn evaluate(args: &Evaluate, target: Option<&Target>) -> Result<Scores, Box<dyn Error>> {
    let mut result = Scores { seed: args.seed, ..Scores::default() };
    if let (Some(real), Some(fake)) = (&args.features_real, &args.features_fake) {
        let (real, fake) = (Features::load(real)?, Features::load(fake)?);
        result.features = Some(of_features(&real, &fake, args.seed)?);
    }
    let extractor = args.extractor.as_deref().map(|e| load(e, args)).transpose()?;
    if let Some(target) = target {
        let (pixels, real, fake) = pixels(args, target, &mut result)?;
        result.pixels = Some(pixels);
        if let Some(extractor) = extractor {
            let features = |images: &Pictures, what| {
                let bar = progress(what, images.len());
                let features = extractor.features(images, &|done| bar.set_position(done as u64));
                bar.finish_and_clear();
                features
            };
            let real = features(&real, "features of real images")?;
            let fake = features(&fake, "features of samples")?;
            let mut scores = of_features(&real, &fake, args.seed)?;
            scores.extractor_sha256 = Some(extractor.hash().into());
            scores.spec = Some(extractor.spec().clone());
            result.features = Some(scores);
        }
    }
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&result)? + "\n";
        run::write(path, text.as_bytes())?;
    }
    Ok(result)
}

fn load(text: &str, args: &Evaluate) -> Result<Extractor, Box<dyn Error>> {
    // A colon may be part of the path; an output is named after the ending.
    let (path, output) = match text.rsplit_once(".onnx:") {
        Some((path, output)) => (format!("{path}.onnx"), Some(output)),
        None => (text.to_string(), None),
    };
    let three = |key: &str, values: &[f32], default: f32| -> Result<[f32; 3], String> {
        match values {
            [] => Ok([default; 3]),
            &[one] => Ok([one; 3]),
            &[r, g, b] => Ok([r, g, b]),
            other => Err(format!("--{key} has {} numbers: one, or three", other.len())),
        }
    };
    let &[low, high] = &args.extractor_range[..] else {
        let got = args.extractor_range.len();
        return Err(format!("--extractor-range has {got} numbers: two, such as -1,1").into());
    };
    let spec = Spec {
        size: args.extractor_size.into(),
        resize: args.extractor_resize,
        range: [low, high],
        mean: three("mean", &args.mean, low.max(0.0).min(high))?,
        std: three("std", &args.std, 1.0)?,
    };
    Ok(Extractor::load(Path::new(&path), output, spec)?)
}

fn of_features(real: &Features, fake: &Features, seed: u64) -> Result<OfFeatures, Box<dyn Error>> {
    Ok(OfFeatures {
        count: [real.len(), fake.len()],
        dimension: real.dimension(),
        extractor_sha256: None,
        spec: None,
        frechet: frechet::distance(real, fake)?,
        kernel: kernel::distance(real, fake, seed)?,
        manifold: manifold::measure(real, fake)?,
    })
}

/// Scores of pixels, and the real images and samples that they are of.
fn pixels(
    args: &Evaluate,
    target: &Target,
    result: &mut Scores,
) -> Result<(Pixels, Pictures, Pictures), Box<dyn Error>> {
    let path = args
        .data
        .as_ref()
        .or(target.data.as_ref())
        .ok_or("--data is missing: the real images to compare with")?;
    let fakes = target.samples(args.count as usize, args.seed)?;
    let form = Form { crop: args.crop.unwrap_or(target.crop), ..*fakes.form() };
    let workers = rayon::current_num_threads();
    let data = DataSet::open(path, &form, workers)?;
    let (train, held) = match &args.held_out {
        Some(_) => ((0..data.len()).collect(), Vec::new()),
        None => data.split(HELD_OUT),
    };
    let reals = Pictures::of(&data, &spread(&train, args.count as usize))?;
    let held_out = match &args.held_out {
        Some(path) => {
            let other = DataSet::open(path, &form, workers)?;
            let all: Vec<usize> = (0..other.len()).collect();
            Pictures::of(&other, &spread(&all, SEARCHED))?
        }
        None => Pictures::of(&data, &spread(&held, SEARCHED))?,
    };
    let classes = target.classes()?;
    if !classes.is_empty() && classes == data.labels() {
        let other = match &args.held_out {
            Some(path) => Some(DataSet::open(path, &form, workers)?),
            None => None,
        };
        let of = |data: &DataSet, which: &[usize]| -> Result<_, Box<dyn Error>> {
            let labels: Vec<usize> = which.iter().filter_map(|&i| data.label(i)).collect();
            Ok((Pictures::of(data, which)?, labels))
        };
        let (images, labels) = of(&data, &train)?;
        let (test, test_labels) = match &other {
            Some(other) => of(other, &(0..other.len()).collect::<Vec<_>>())?,
            None => of(&data, &held)?,
        };
        if test_labels.len() != test.len() {
            return Err("--held-out: the images have no labels, as those of --data have".into());
        }
        // Seeds take the classes in turn.
        let asked: Vec<usize> = (0..fakes.len())
            .map(|i| ((args.seed + i as u64) % classes.len() as u64) as usize)
            .collect();
        result.reading = Some(classifier::read(
            Labelled { images: &images, labels: &labels },
            Labelled { images: &test, labels: &test_labels },
            Labelled { images: &fakes, labels: &asked },
            classes.len(),
            args.seed,
        )?);
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    result.model = Some(target.name.clone());
    result.data = Some(name.to_string_lossy().into());

    let swd_levels = swd::distance(&fakes, &reals, args.seed)?;
    let [one, other] = reals.halves();
    let pairs = (fakes.len() / 2).clamp(1, 5_000);
    let first = fakes.first(SEARCHED);
    let all = Pictures::of(&data, &train)?;
    let near = neighbours::search(&first, &all, 3);
    if let Some(path) = &args.sheet {
        report::write_sheet(path, &sheet(&near, &first, &all), 2 * 4)?;
    }
    let pixels = Pixels {
        count: [fakes.len(), reals.len()],
        form: [form.size as usize, form.planes()],
        swd: swd_levels.mean(),
        swd_levels,
        swd_floor: swd::distance(&one, &other, args.seed)?.mean(),
        ms_ssim: ssim::diversity(&fakes, pairs, args.seed)?,
        ms_ssim_real: ssim::diversity(&reals, pairs, args.seed)?,
        memorisation: neighbours::memorisation(&near, &held_out, &all)?,
    };
    Ok((pixels, reals, fakes))
}

/// At most `count` of `which`, evenly.
fn spread(which: &[usize], count: usize) -> Vec<usize> {
    let n = which.len();
    let taken = count.min(n);
    (0..taken).map(|i| which[i * n / taken.max(1)]).collect()
}

/// Samples beside their three nearest training images, two to a row: on the left the samples nearest to one, on the right
/// the first ones.
fn sheet(near: &[Near], fakes: &Pictures, train: &Pictures) -> Vec<RgbImage> {
    let mut closest: Vec<&Near> = near.iter().collect();
    closest.sort_by(|a, b| {
        let far = |n: &Near| n.nearest.first().map_or(f64::INFINITY, |f| f.1);
        far(a).total_cmp(&far(b))
    });
    let mut sheet = Vec::new();
    for (left, right) in closest.into_iter().zip(near).take(ROWS) {
        for near in [left, right] {
            sheet.push(fakes.picture(near.image));
            for k in 0..3 {
                match near.nearest.get(k) {
                    Some(&(i, _)) => sheet.push(train.picture(i)),
                    None => sheet.push(RgbImage::new(fakes.form().size, fakes.form().size)),
                }
            }
        }
    }
    sheet
}

fn progress(what: &'static str, count: usize) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target(Some(count as u64), ProgressDrawTarget::stderr_with_hz(4));
    bar.set_message(what);
    bar
}

impl std::fmt::Display for Scores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(p) = &self.pixels {
            let [fakes, reals] = p.count;
            writeln!(f, "{fakes} samples, {reals} real images, {} px", p.form[0])?;
            let levels: Vec<String> =
                p.swd_levels.levels.iter().map(|(size, v)| format!("{size} px {v:.2}")).collect();
            writeln!(
                f,
                "SWD x1000         {:.2} ({}); between halves of the real images {:.2}",
                p.swd,
                levels.join(", "),
                p.swd_floor
            )?;
            writeln!(
                f,
                "MS-SSIM           {:.4} over {} pairs of samples, {} scales; {:.4} over real ones",
                p.ms_ssim.mean, p.ms_ssim.pairs, p.ms_ssim.scales, p.ms_ssim_real.mean
            )?;
            let m = &p.memorisation;
            writeln!(
                f,
                "nearest training  {:.2} levels from samples, {:.2} from held-out images: ratio {:.3}",
                m.fakes, m.held_out, m.ratio
            )?;
        }
        if let Some(r) = &self.reading {
            let least = r.classes.iter().copied().fold(1.0, f64::min);
            writeln!(
                f,
                "read as asked     {:.1} % of {} samples, {:.1} % of the worst class, by a classifier that reads {:.1} % of \
                 {} unseen real images",
                100.0 * r.asked,
                r.count,
                100.0 * least,
                100.0 * r.real,
                r.real_count
            )?;
        }
        if let Some(s) = &self.features {
            let [reals, fakes] = s.count;
            writeln!(
                f,
                "features          {} numbers of {reals} real images and {fakes} samples",
                s.dimension
            )?;
            writeln!(f, "Frechet distance  {:.4}", s.frechet)?;
            writeln!(
                f,
                "kernel distance   {:.6} +- {:.6} ({} images a subset)",
                s.kernel.mean, s.kernel.deviation, s.kernel.size
            )?;
            let m = &s.manifold;
            writeln!(
                f,
                "precision {:.3}, recall {:.3}, density {:.3}, coverage {:.3}",
                m.precision, m.recall, m.density, m.coverage
            )?;
        }
        Ok(())
    }
}
