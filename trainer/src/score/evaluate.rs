//! Every score of a generator.

use std::error::Error;
use std::path::PathBuf;

use image::RgbImage;
use quality::features::Features;
use quality::neighbors::{self, Near};
use quality::{Pictures, frechet, kernel, manifold, ssim, swd};

use super::classifier::{self, Labeled, Reading};
use super::extractor::Extractor;
use super::scores::{OfFeatures, Pixels, Scores};
use super::target::Target;
use crate::data::sheet::write_sheet;
use crate::data::{Crop, DataSet, Form};

/// Samples and held-out images whose nearest training images are searched for.
const SEARCHED: usize = 256;
/// Share of the data that is held out if no held-out images are given.
const HELD_OUT: f64 = 0.05;
/// Rows of the sheet: on the left the samples nearest to a training image, on the right the first
/// ones.
const ROWS: usize = 16;

/// What is scored, and how.
pub struct Options {
    /// The real images; none: those that the generator was trained on.
    pub data: Option<PathBuf>,
    /// What is cut out of real images; none: what was in training.
    pub crop: Option<Crop>,
    /// Whether rows and columns of real images are exchanged, also if they were not in training.
    pub transpose: bool,
    /// Number of samples; at most as many real images are used.
    pub count: usize,
    /// Seed of the first sample, and of what the scores draw at random.
    pub seed: u64,
    /// Images that were not trained on; none: a share of the data, chosen by content.
    pub held_out: Option<PathBuf>,
    /// Where to write samples beside their nearest training images.
    pub sheet: Option<PathBuf>,
    /// The network whose features are scored.
    pub extractor: Option<Extractor>,
    /// Features of real images and samples, made elsewhere.
    pub features: Option<[Features; 2]>,
}

/// Called with what is being done, how many are done, and of how many; from any thread.
pub type Progress<'a> = &'a (dyn Fn(&'static str, usize, usize) + Sync);

/// The images that are compared.
struct Compared {
    data: DataSet,
    /// Indices of the training images.
    train: Vec<usize>,
    reals: Pictures,
    held_out: Pictures,
    fakes: Pictures,
}

/// Scores `target`, or only features without one.
///
/// # Errors
/// One that says what is missing or wrong; no sheet is written then.
pub fn evaluate(
    options: &Options,
    target: Option<&Target>,
    progress: Progress<'_>,
) -> Result<Scores, Box<dyn Error>> {
    let mut scores = Scores { seed: options.seed, ..Scores::default() };
    if let Some([real, fake]) = &options.features {
        scores.features = Some(of_features(real, fake, options.seed)?);
    }
    let Some(target) = target else {
        return Ok(scores);
    };
    let path = options
        .data
        .as_ref()
        .or(target.data.as_ref())
        .ok_or("--data is missing: the real images to compare with")?;
    let compared = compare(options, path, target, progress)?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    scores.model = Some(target.name.clone());
    scores.data = Some(name.to_string_lossy().into());
    scores.reading = reading(options, target, &compared)?;
    scores.pixels = Some(pixels(options, &compared)?);
    if let Some(extractor) = &options.extractor {
        let features = |images: &Pictures, what| {
            extractor.features(images, &|done| progress(what, done, images.len()))
        };
        let real = features(&compared.reals, "features of real images")?;
        let fake = features(&compared.fakes, "features of samples")?;
        let mut of = of_features(&real, &fake, options.seed)?;
        of.extractor_sha256 = Some(extractor.hash().into());
        of.spec = Some(extractor.spec().clone());
        scores.features = Some(of);
    }
    Ok(scores)
}

/// Makes samples and reads real images in their form.
fn compare(
    options: &Options,
    path: &std::path::Path,
    target: &Target,
    progress: Progress<'_>,
) -> Result<Compared, Box<dyn Error>> {
    let fakes = target
        .samples(options.count, options.seed, &|done| progress("samples", done, options.count))?;
    let crop = options.crop.unwrap_or(target.crop);
    let transpose = options.transpose || target.transpose;
    let form = Form { size: fakes.size(), channels: fakes.planes(), crop, transpose };
    let workers = rayon::current_num_threads();
    let data = DataSet::open(path, &form, workers)?;
    let (train, held) = match &options.held_out {
        Some(_) => ((0..data.len()).collect(), Vec::new()),
        None => data.split(HELD_OUT),
    };
    let reals = data.pictures(&evenly(&train, options.count))?;
    let held_out = match &options.held_out {
        Some(path) => {
            let other = DataSet::open(path, &form, workers)?;
            other.pictures(&other.evenly(SEARCHED))?
        }
        None => data.pictures(&evenly(&held, SEARCHED))?,
    };
    Ok(Compared { data, train, reals, held_out, fakes })
}

/// For a conditional generator whose classes are those of the data: whether samples show the class
/// asked for.
fn reading(
    options: &Options,
    target: &Target,
    compared: &Compared,
) -> Result<Option<Reading>, Box<dyn Error>> {
    let Compared { data, train, fakes, .. } = compared;
    let classes = target.classes()?;
    if classes.is_empty() || classes != data.labels() {
        return Ok(None);
    }
    let of = |data: &DataSet, which: &[usize]| -> Result<_, Box<dyn Error>> {
        let labels: Vec<usize> = which.iter().filter_map(|&i| data.label(i)).collect();
        Ok((data.pictures(which)?, labels))
    };
    let (images, labels) = of(data, train)?;
    let (test, test_labels) = match &options.held_out {
        Some(path) => {
            let other = DataSet::open(path, data.form(), rayon::current_num_threads())?;
            of(&other, &(0..other.len()).collect::<Vec<_>>())?
        }
        None => of(data, &data.split(HELD_OUT).1)?,
    };
    if test_labels.len() != test.len() {
        return Err("--held-out: the images have no labels, those of --data do".into());
    }
    // Seeds cycle through the classes.
    let asked: Vec<usize> = (0..fakes.len())
        .map(|i| (options.seed.wrapping_add(i as u64) % classes.len() as u64) as usize)
        .collect();
    Ok(Some(classifier::read(
        Labeled { images: &images, labels: &labels },
        Labeled { images: &test, labels: &test_labels },
        Labeled { images: fakes, labels: &asked },
        classes.len(),
        options.seed,
    )?))
}

/// Scores of pixels.
fn pixels(options: &Options, compared: &Compared) -> Result<Pixels, Box<dyn Error>> {
    let Compared { data, train, reals, held_out, fakes } = compared;
    let seed = options.seed;
    let swd_levels = swd::distance(fakes, reals, seed)?;
    let [one, other] = reals.halves();
    let pairs = (fakes.len() / 2).clamp(1, 5_000);
    let first = fakes.first(SEARCHED);
    let all = data.pictures(train)?;
    let near = neighbors::search(&first, &all, 3);
    if let Some(path) = &options.sheet {
        write_sheet(path, &sheet(&near, &first, &all), 2 * 4)?;
    }
    Ok(Pixels {
        count: [fakes.len(), reals.len()],
        form: [fakes.size() as usize, fakes.planes()],
        swd: swd_levels.mean(),
        swd_levels,
        swd_floor: swd::distance(&one, &other, seed)?.mean(),
        ms_ssim: ssim::diversity(fakes, pairs, seed)?,
        ms_ssim_real: ssim::diversity(reals, pairs, seed)?,
        memorization: neighbors::memorization(&near, held_out, &all)?,
    })
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

/// At most `count` of `which`, evenly spread.
fn evenly(which: &[usize], count: usize) -> Vec<usize> {
    let n = which.len();
    let taken = count.min(n);
    (0..taken).map(|i| which[i * n / taken.max(1)]).collect()
}

/// Samples beside their three nearest training images, two to a row: on the left the samples
/// nearest to one, on the right the first ones.
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
                    None => sheet.push(RgbImage::new(fakes.size(), fakes.size())),
                }
            }
        }
    }
    sheet
}
