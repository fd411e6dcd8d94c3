//! The training loop.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use models::dcgan::Unsupported;
use serde::Serialize;

use crate::checkpoint::{self, LoadError, State};
use crate::coder::evenly;
use crate::config::{Config, Network, Objective};
use crate::curves;
use crate::data::{Batches, DataError, DataSet};
use crate::events::Events;
use crate::log::Log;
use crate::networks::{Told, finished, fresh};
use crate::noise::{self, Stream};
use crate::objective::{self, Batch, Gauge, Measured};
use crate::report::{self, Row};
use crate::run::{self, Run, WriteError};
use crate::score::{self, Pictures, Quick, TooFew};
use crate::verdict::{self, Said, Verdict, Watch};

/// Side of the grids of pictures, in pictures.
const GRID: usize = 8;
/// Pictures of each class in the grid of a conditional run.
const EACH: usize = 10;
/// Latents over which batch norm's statistics are recomputed for a grid: enough for the eye.
const GRID_LATENTS: usize = 512;
/// Samples that are scored while a run goes on, and real images: a compromise of noise and time.
const SCORED: usize = 512;
/// How often a run that diverged goes back to its last checkpoint.
const RETRIES: u32 = 3;
/// Latents in one pass when statistics are recomputed or samples made, bounded by memory.
const PASS: usize = 64;

/// Why training stopped.
#[derive(Debug)]
pub enum FitError {
    /// There is no such network.
    Network(Unsupported),
    /// The data gave out.
    Data(DataError),
    /// The checkpoint to go on from cannot be used.
    Load(LoadError),
    /// The samples could not be scored.
    Score(TooFew),
    /// A result could not be written.
    Write(WriteError),
    /// It diverged again and again, last before which image, and what became no number.
    Diverged(u64, String),
    /// A batch of so many images has a map larger than the GPU takes, which would take so many.
    Batch(usize, usize),
    /// The GPU failed or was lost, before which image, and what its driver says.
    Device(u64, String),
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FitError::Network(_) => write!(f, "cannot build the networks"),
            FitError::Data(_) => write!(f, "cannot read the data"),
            FitError::Load(_) => write!(f, "cannot go on from the newest checkpoint"),
            FitError::Score(_) => write!(f, "cannot score the samples"),
            FitError::Write(_) => write!(f, "cannot keep the results"),
            FitError::Diverged(images, what) => write!(
                f,
                "diverged {} times, last before image {images} ({what} is not finite): the last checkpoint is kept; \
                 try a smaller lr, a larger gamma, spectral=true or loss=hinge",
                RETRIES + 1
            ),
            FitError::Batch(batch, most) => write!(
                f,
                "a batch of {batch} is too large for this GPU, whose kernels see tensors of a limited size: at most {most}"
            ),
            FitError::Device(images, what) => write!(
                f,
                "the GPU failed before image {images} ({what}): the last checkpoint is kept; the same command goes on \
                 from it, a smaller batch needs less memory, and --device flex trains on the CPU"
            ),
        }
    }
}

impl std::error::Error for FitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FitError::Network(e) => Some(e),
            FitError::Data(e) => Some(e),
            FitError::Load(e) => Some(e),
            FitError::Score(e) => Some(e),
            FitError::Write(e) => Some(e),
            FitError::Diverged(..) | FitError::Batch(..) | FitError::Device(..) => None,
        }
    }
}

impl From<WriteError> for FitError {
    fn from(e: WriteError) -> Self {
        FitError::Write(e)
    }
}

/// How a call of [`fit`] ended without an error.
pub enum End {
    /// All images seen.
    Done(State),
    /// `stop` was set: a checkpoint is written.
    Stopped(State),
}

/// Trains the run's networks on `data`, with `held` to tell learning by heart, until `cfg`'s number of images, from its newest checkpoint if there is one.
/// Lines and progress go to `log`; `stop` is looked at after every step.
///
/// # Errors
/// [`FitError`]; what was written before is kept.
pub fn fit(
    run: &Run,
    cfg: &Config,
    data: Arc<DataSet>,
    held: Option<&DataSet>,
    stop: &AtomicBool,
    log: &Log,
) -> Result<End, FitError> {
    let device = cfg.device.open();
    let mut state = resume(run, cfg, &data, &device, log)?;
    fits(&state, cfg)?;
    let mut watch = Watch::default();
    loop {
        let what = match train(&mut state, run, cfg, (&data, held), stop, log, &mut watch)? {
            Round::Done => return Ok(End::Done(state)),
            Round::Stopped => return Ok(End::Stopped(state)),
            Round::Broken(what) => what,
        };
        let (images, retries) = (state.images, state.retries + 1);
        if retries > RETRIES {
            return Err(FitError::Diverged(images, what));
        }
        state = resume(run, cfg, &data, &device, log)?;
        state.retries = retries;
        let text = format!(
            "undone: {what} is not finite after {images} images; back at {} images with steps half as long ({retries} of \
             {RETRIES} tries)",
            state.images
        );
        say(run, log, state.images, None, text)?;
    }
}

/// Refuses a batch whose largest map is more than the device takes.
fn fits(state: &State, cfg: &Config) -> Result<(), FitError> {
    let Some(largest) = cfg.device.largest() else {
        return Ok(());
    };
    let labels = cfg.labels.len();
    let latent = [cfg.nz + labels, 1];
    let seen = match (cfg.network, labels) {
        (Network::Mlp, 1..) => [cfg.channels * cfg.size * cfg.size + labels, 1],
        (Network::Dcgan, _) | (Network::Mlp, 0) => [cfg.channels + labels, cfg.size],
    };
    let image = state.g.largest_map(latent).max(state.d.largest_map(seen));
    let most = (largest / (image * size_of::<f32>()) as u64) as usize;
    match cfg.batch > most {
        true => Err(FitError::Batch(cfg.batch, most)),
        false => Ok(()),
    }
}

/// How a stretch of training ended.
enum Round {
    /// All images seen.
    Done,
    /// It was asked to.
    Stopped,
    /// What became no number.
    Broken(String),
}

/// Trains from `state` on, until one of the reasons to end.
fn train(
    state: &mut State,
    run: &Run,
    cfg: &Config,
    (data, held): (&Arc<DataSet>, Option<&DataSet>),
    stop: &AtomicBool,
    log: &Log,
    watch: &mut Watch,
) -> Result<Round, FitError> {
    let device = cfg.device.open();
    let (total, step) = (cfg.total(data.len()), cfg.step());
    let (seed, workers) = (state.seed(cfg), cfg.threads());
    let mut batches = Batches::new(data.clone(), step, seed, state.images, workers);
    let gauges = objective::gauges(cfg);
    let mut meter = Meter::new(state.images, gauges, &device);
    let mut events = Events::create(run.root(), state.images)?;
    log.begin(state.images);
    while state.images < total {
        let real = batch(&mut batches, cfg, state, &device)?;
        let losses = objective::step(state, real, cfg, &device);
        meter.add(losses);
        log.at(state.images);
        let before = state.images - step as u64;
        let due = |every: u64| state.images / every > before / every || state.images >= total;
        let stopping = stop.load(Ordering::Relaxed);
        let saving = due(cfg.checkpoint) || stopping;
        if (due(cfg.log) || saving)
            && let Some(gauge) = meter.broken(state.images)?
        {
            log.end();
            return Ok(Round::Broken(verdict::broken(state).unwrap_or(gauge)));
        }
        if due(cfg.log) {
            let mut row = meter.row(state.images, data.len())?;
            if cfg.score > 0 && due(cfg.score) && cfg.objective == Objective::Gan {
                let scored = scored(state, cfg, data, held, &device)?;
                log.say(&scored.line())?;
                report::append(&run.scores(), &scored)?;
                events.scalars(state.images, scored.numbers())?;
                if let Some(overfit) = scored.overfit {
                    row.gauges.insert("overfit".into(), overfit);
                }
            }
            let pace = (total.saturating_sub(state.images)) as f64 / row.images_per_s.max(1e-9);
            let left = Duration::try_from_secs_f64(pace).unwrap_or_default();
            log.say(&row.line(gauges, left))?;
            report::append(&run.stats(), &row)?;
            let rates = state.rates(cfg);
            let numbers = row.gauges.iter().map(|(key, v)| (key.as_str(), *v));
            let numbers = numbers.chain([
                ("images_per_s", row.images_per_s),
                ("lr", rates.lr),
                ("gamma", rates.gamma),
            ]);
            events.scalars(state.images, numbers)?;
            for said in watch.look(&row) {
                say(run, log, said.images, said.verdict, said.text)?;
            }
        }
        if cfg.per_epoch {
            let epoch = epoch(state.images, data.len());
            if epoch > self::epoch(before, data.len()) {
                show_epoch(run, state, epoch, cfg, &device)?;
                show(run, state, cfg, (data, held), &format!("_epoch_{epoch:04}"))?;
                measured(run, state, cfg, held, log)?;
                draw_curves(run, gauges)?;
            }
        } else if due(cfg.grid) {
            let tag = format!("-{:09}", state.images);
            let path = run.picture(&format!("fakes{tag}"));
            let grid = grid(state, cfg, &device);
            let columns = columns(cfg);
            report::write_sheet(&path, &grid, columns)?;
            if let Ok(png) = fs::read(&path) {
                let sides = [columns, grid.len() / columns].map(|n| (n * cfg.size) as u32);
                events.picture(state.images, "fakes", sides, &png)?;
            }
            show(run, state, cfg, (data, held), &tag)?;
            measured(run, state, cfg, held, log)?;
            draw_curves(run, gauges)?;
        }
        if saving {
            if let Some(what) = verdict::broken(state) {
                log.end();
                return Ok(Round::Broken(what));
            }
            checkpoint::save(run, state, data.fingerprint(), cfg.keep)?;
        }
        if stopping {
            log.end();
            return Ok(Round::Stopped);
        }
    }
    log.end();
    Ok(Round::Done)
}

/// What the run does on images it has not seen, in `scores.jsonl`.
#[derive(Serialize)]
struct Unseen {
    images: u64,
    #[serde(flatten)]
    measured: std::collections::BTreeMap<&'static str, f64>,
}

fn measured(
    run: &Run,
    state: &State,
    cfg: &Config,
    held: Option<&DataSet>,
    log: &Log,
) -> Result<(), FitError> {
    let Some(held) = held.filter(|held| !held.is_empty()) else {
        return Ok(());
    };
    let device = cfg.device.open();
    let measured = objective::measure(state, cfg, held, &device).map_err(FitError::Data)?;
    if measured.is_empty() {
        return Ok(());
    }
    let images = state.images;
    log.say(&format!("{images:>9} images  unseen:  {}", line(&measured)))?;
    let measured = measured.into_iter().collect();
    Ok(report::append(&run.scores(), &Unseen { images, measured })?)
}

/// `psnr 21.34  psnr_before 13.98`.
pub fn line(measured: &[Measured]) -> String {
    let each = measured.iter().map(|(name, value)| match value.abs() {
        v if v < 0.1 => format!("{name} {value:.5}"),
        _ => format!("{name} {value:.2}"),
    });
    each.collect::<Vec<_>>().join("  ")
}

/// Pictures of what the run makes of images.
fn show(
    run: &Run,
    state: &State,
    cfg: &Config,
    (data, held): (&Arc<DataSet>, Option<&DataSet>),
    tag: &str,
) -> Result<(), FitError> {
    let unseen = held.filter(|held| !held.is_empty()).unwrap_or(data);
    let device = cfg.device.open();
    let pictures = objective::pictures(state, cfg, [data, unseen], &device);
    for picture in pictures.map_err(FitError::Data)? {
        let path = run.picture(&format!("{}{tag}", picture.name));
        report::write_png(&path, &picture.image.into())?;
        if let Some(page) = picture.page {
            // Of the newest only: it is large, and what turns it is the same.
            run::write(&run.page(picture.name), page.as_bytes())?;
        }
    }
    Ok(())
}

/// Scores of the averaged generator's samples.
#[derive(Debug, Serialize)]
struct Scored {
    images: u64,
    #[serde(flatten)]
    quick: Quick,
    /// Karras et al. 2020 ("ADA"), eq. 1: 0 where D takes held-out images for training images, 1 where it takes them for
    /// fakes.
    #[serde(skip_serializing_if = "Option::is_none")]
    overfit: Option<f64>,
}

impl Scored {
    fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let quick = &self.quick;
        let always =
            [("swd", quick.swd), ("ms_ssim", quick.ms_ssim), ("ms_ssim_real", quick.ms_ssim_real)];
        always.into_iter().chain(self.overfit.map(|v| ("overfit", v)))
    }

    fn line(&self) -> String {
        let Quick { count, swd, ms_ssim, ms_ssim_real } = &self.quick;
        let mut line = format!(
            "{:>9} images  SWD {swd:.2}  MS-SSIM {ms_ssim:.4} (reals {ms_ssim_real:.4}) of {count}",
            self.images
        );
        if let Some(overfit) = self.overfit {
            line += &format!("  overfitting {overfit:.2}");
        }
        line
    }
}

fn scored(
    state: &State,
    cfg: &Config,
    data: &DataSet,
    held: Option<&DataSet>,
    device: &Device,
) -> Result<Scored, FitError> {
    let generator = finished(&state.ema, cfg, GRID_LATENTS, device);
    let mut fakes = Pictures::new(*data.form());
    for first in (0..SCORED).step_by(PASS) {
        let labels = cfg.labels.len();
        let z = noise::seeds(first as u64, PASS, cfg.nz, labels, &device.clone().inner());
        let values: Vec<f32> = signed(generator.forward(z), cfg)
            .into_data()
            .try_to_vec()
            .expect("a float tensor holds floats");
        fakes.push_values(&values);
    }
    let some = |data: &DataSet, count: usize| {
        let which = evenly(data, count);
        let labels: Vec<usize> = which.iter().filter_map(|&i| data.label(i)).collect();
        let pictures = Pictures::of(data, &which).map_err(FitError::Data)?;
        Ok::<_, FitError>((pictures, labels))
    };
    let (reals, classes) = some(data, SCORED)?;
    let quick = score::quick(&fakes, &reals, cfg.seed).map_err(FitError::Score)?;
    let overfit = match held {
        Some(held) if !held.is_empty() => {
            let (held, held_classes) = some(held, PASS * 4)?;
            // Seeds take the classes in turn.
            let turns: Vec<usize> = (0..SCORED).map(|i| i % cfg.labels.len().max(1)).collect();
            let of =
                |images: &Pictures, labels: &[usize]| opinion(state, cfg, images, labels, device);
            let (train, fake) = (of(&reals, &classes), of(&fakes, &turns));
            let held = of(&held, &held_classes);
            Some((train - held) / (train - fake)).filter(|v| v.is_finite())
        }
        _ => None,
    };
    Ok(Scored { images: state.images, quick, overfit })
}

/// D's mean logit of at most 256 images of these classes.
fn opinion(
    state: &State,
    cfg: &Config,
    images: &Pictures,
    labels: &[usize],
    device: &Device,
) -> f64 {
    let form = images.form();
    let (side, planes) = (form.size as usize, form.planes());
    let judge = state.judge(state.d.clone().no_grad());
    let (mut sum, mut count) = (0.0, 0);
    let all: Vec<&[u8]> = images.iter().take(PASS * 4).collect();
    for (i, part) in all.chunks(PASS).enumerate() {
        let values: Vec<f32> = part
            .iter()
            .flat_map(|image| image.iter().map(|&v| f32::from(v) / 127.5 - 1.0))
            .collect();
        let data = TensorData::new(values, [part.len(), planes, side, side]);
        // As it judges in training: where it has batch norm, by the batch.
        let x = Tensor::from_data(data, device);
        let first = i * PASS;
        let x = match Told::new(cfg, labels.get(first..first + part.len()), device) {
            Some(told) => told.beside(x),
            None => x,
        };
        let logits = judge.forward(x);
        sum += f64::from(logits.inner().sum().into_scalar::<f32>());
        count += part.len();
    }
    sum / f64::from(count.max(1) as u32)
}

/// Says something on the log and keeps it.
fn say(
    run: &Run,
    log: &Log,
    images: u64,
    verdict: Option<Verdict>,
    text: String,
) -> Result<(), WriteError> {
    log.say(&format!("{images:>9} images  {text}"))?;
    let said = Said { images, verdict, text };
    report::append(&run.verdicts(), &said)
}

/// The state to go on from: the newest checkpoint's, or a fresh one, whose first pictures are written.
fn resume(
    run: &Run,
    cfg: &Config,
    data: &DataSet,
    device: &Device,
    log: &Log,
) -> Result<State, FitError> {
    let fresh = fresh(cfg, device).map_err(FitError::Network)?;
    let Some(newest) = checkpoint::list(run).pop() else {
        rewind(run, 0)?;
        let count = (GRID * GRID).min(data.len());
        let reals: Vec<_> = (0..count)
            .map(|i| data.picture(i))
            .collect::<Result<_, _>>()
            .map_err(FitError::Data)?;
        report::write_sheet(&run.picture("reals"), &reals, GRID)?;
        let fakes = grid(&fresh, cfg, device);
        report::write_sheet(&run.picture("fakes_init"), &fakes, columns(cfg))?;
        return Ok(fresh);
    };
    let state =
        checkpoint::load(&newest, fresh, Some(data.fingerprint())).map_err(FitError::Load)?;
    rewind(run, state.images)?;
    log.say(&format!("going on from {} images", state.images))?;
    Ok(state)
}

/// Drops what was written after `images` images: it comes again.
fn rewind(run: &Run, images: u64) -> Result<(), WriteError> {
    report::rewind(&run.stats(), images)?;
    report::rewind(&run.scores(), images)?;
    report::rewind(&run.verdicts(), images)
}

fn batch(
    batches: &mut Batches,
    cfg: &Config,
    state: &State,
    device: &Device,
) -> Result<Batch, FitError> {
    let mut ready = batches.next().map_err(FitError::Data)?;
    let (size, channels) = (cfg.size, cfg.channels);
    if cfg.mirror {
        let mut rng = noise::rng(state.seed(cfg), Stream::Mirror, state.images);
        noise::mirror(&mut ready.values, channels * size * size, size, &mut rng);
    }
    Ok(Batch::new(ready, cfg, device))
}

/// Whole passes over `len` images.
fn epoch(images: u64, len: usize) -> u64 {
    images / len as u64
}

/// The grid at the end of an epoch and, of a GAN, D's verdict on each of its pictures as probabilities, in its rows and
/// columns.
fn show_epoch(
    run: &Run,
    state: &State,
    epoch: u64,
    cfg: &Config,
    device: &Device,
) -> Result<(), WriteError> {
    let fakes = fakes(state, cfg, device);
    let name = format!("fake_images_epoch_{epoch:04}");
    let columns = columns(cfg);
    report::write_sheet(&run.picture(&name), &report::pictures(fakes.clone()), columns)?;
    if cfg.objective != Objective::Gan {
        return Ok(());
    }
    state.d.settle();
    let rows = fakes.dims()[0] / columns;
    let labels: Vec<usize> = (0..fakes.dims()[0]).map(|i| i / columns).collect();
    let seen = match Told::new(cfg, Some(&labels), &fakes.device()) {
        Some(told) => told.beside(fakes),
        None => fakes,
    };
    let verdict = activation::sigmoid(state.d.valid().forward(seen));
    report::write_square(&run.judged(epoch), verdict.reshape([rows, columns]))
}

fn draw_curves(run: &Run, gauges: &[Gauge]) -> Result<(), WriteError> {
    let path = run.curves();
    let text = curves::svg(&curves::rows(&run.stats()), gauges)
        .map_err(|e| WriteError { path: path.clone(), error: io::Error::other(e.to_string()) })?;
    run::write(&path, text.as_bytes())
}

/// The faces of seeds 0 to 63, or of a conditional run ten of each class: the same latents at every tick, and `runtime`'s.
fn grid(state: &State, cfg: &Config, device: &Device) -> Vec<image::RgbImage> {
    report::pictures(fakes(state, cfg, device))
}

/// How many stand side by side in it.
fn columns(cfg: &Config) -> usize {
    match cfg.labels.len() {
        0 => GRID,
        _ => EACH,
    }
}

/// The same as images `[64, c, h, w]` in [-1, 1].
fn fakes(state: &State, cfg: &Config, device: &Device) -> Tensor<4> {
    let g = finished(&state.ema, cfg, GRID_LATENTS, device);
    let device = &device.clone().inner();
    let z = match cfg.labels.len() {
        0 => noise::seeds(0, GRID * GRID, cfg.nz, 0, device),
        labels => noise::rows(EACH, cfg.nz, labels, device),
    };
    signed(g.forward(z), cfg)
}

/// A generator's values with black -1 and white 1.
fn signed(images: Tensor<4>, cfg: &Config) -> Tensor<4> {
    match cfg.range() {
        (-1.0, 1.0) => images,
        (black, white) => (images - black) * (2.0 / f64::from(white - black)) - 1.0,
    }
}

/// Sums losses on the device between two rows.
struct Meter {
    began: Instant,
    last: Instant,
    images: u64,
    steps: u32,
    gauges: &'static [Gauge],
    sum: Tensor<1>,
}

impl Meter {
    fn new(images: u64, gauges: &'static [Gauge], device: &Device) -> Meter {
        Meter {
            began: Instant::now(),
            last: Instant::now(),
            images,
            steps: 0,
            gauges,
            sum: Tensor::zeros([gauges.len()], &device.clone().inner()),
        }
    }

    fn add(&mut self, losses: Tensor<1>) {
        self.sum = self.sum.clone() + losses;
        self.steps += 1;
    }

    /// The sums, for which the device is waited for: where it failed, this is where that is found out.
    fn sums(&self, images: u64) -> Result<Vec<f32>, FitError> {
        let failed = |what: String| FitError::Device(images, what);
        let data = self.sum.try_to_data().map_err(|e| failed(e.to_string()))?;
        data.try_to_vec().map_err(|e| failed(format!("{e:?}")))
    }

    /// The first gauge that is no number any more.
    fn broken(&self, images: u64) -> Result<Option<String>, FitError> {
        let sums = self.sums(images)?;
        let named = sums.iter().zip(self.gauges);
        let broken = named
            .filter(|(sum, _)| !sum.is_finite())
            .map(|(_, gauge)| gauge.name.to_string())
            .next();
        Ok(broken)
    }

    fn row(&mut self, images: u64, len: usize) -> Result<Row, FitError> {
        let sums = self.sums(images)?;
        let means = sums.iter().map(|&sum| sum as f64 / self.steps as f64);
        let keys = self.gauges.iter().map(|g| g.key.to_string());
        let row = Row {
            images,
            epoch: images as f64 / len as f64,
            seconds: self.began.elapsed().as_secs_f64(),
            images_per_s: (images - self.images) as f64 / self.last.elapsed().as_secs_f64(),
            gauges: keys.zip(means).collect(),
        };
        self.sum = self.sum.zeros_like();
        self.last = Instant::now();
        (self.images, self.steps) = (images, 0);
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    /// Mean and deviation of all values of images.
    fn moments(x: &Tensor<4>) -> [f32; 2] {
        let deviation = x.clone().inner().reshape([-1]).var(0).sqrt();
        [x.clone().inner().mean().into_scalar(), deviation.into_scalar()]
    }

    #[test]
    fn an_average_wants_statistics_of_its_own() {
        let flags: Table = "size = 16\nngf = 8\nndf = 8\nnz = 8\nbatch = 16\nlr = 2e-3\nema = 500"
            .parse()
            .unwrap();
        let cfg = Config::new(None, &flags).unwrap();
        let device = cfg.device.open();
        let data = Arc::new(DataSet::drawn(
            64,
            0,
            &crate::data::Form { size: 16, channels: 3, crop: crate::data::Crop::Centre },
            1,
        ));
        let mut state = fresh(&cfg, &device).unwrap();
        let mut batches = Batches::new(data, cfg.batch, 0, 0, 1);
        for _ in 0..120 {
            let real = batch(&mut batches, &cfg, &state, &device).unwrap();
            objective::step(&mut state, real, &cfg, &device);
        }
        state.ema.settle();
        // The activations that the average's own weights make: batch norm by the batch, as in training.
        let mut rng = noise::rng(1, Stream::Latents, 0);
        let z = noise::latents(1024, cfg.nz, &mut rng, &device);
        let finished = finished(&state.ema, &cfg, 10_000, &device);
        let copied = state.ema.clone().forward(z.clone().inner());
        let trained = fresh(&cfg, &device)
            .unwrap()
            .g
            .load_record(state.ema.clone().into_record())
            .forward(z.clone());
        let own = finished.forward(z.inner());
        let off = |x: &Tensor<4>| -> f32 {
            (x.clone().inner() - trained.clone().inner()).abs().mean().into_scalar()
        };
        let (of_own, of_copied) = (off(&own), off(&copied));
        assert!(
            of_own * 4.0 < of_copied,
            "statistics of the average are off by {of_own}, those of the trained weights by {of_copied}; {:?} {:?} {:?}",
            moments(&own),
            moments(&copied),
            moments(&trained)
        );
    }
}
