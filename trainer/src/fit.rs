//! The training loop.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor, TensorData, activation};
use models::Sequential;
use models::dcgan::{self, Unsupported};
use models::mlp;
use serde::Serialize;

use crate::adam::{Adam, Decay};
use crate::checkpoint::{self, LoadError, State};
use crate::config::{Config, Network};
use crate::curves;
use crate::data::{Batches, DataError, DataSet};
use crate::events::Events;
use crate::log::Log;
use crate::noise::{self, Stream};
use crate::objective::{self, Gauge};
use crate::report::{self, Row};
use crate::run::{self, Run, WriteError};
use crate::score::{self, Pictures, Quick, TooFew};
use crate::spectral::Spectral;
use crate::verdict::{self, Said, Verdict, Watch};

/// Side of the grids of pictures, in pictures.
const GRID: usize = 8;
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
            FitError::Diverged(..) => None,
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
            && let Some(gauge) = meter.broken()
        {
            log.end();
            return Ok(Round::Broken(verdict::broken(state).unwrap_or(gauge)));
        }
        if due(cfg.log) {
            let mut row = meter.row(state.images, data.len());
            if cfg.score > 0 && due(cfg.score) {
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
                draw_curves(run, gauges)?;
            }
        } else if due(cfg.grid) {
            let path = run.picture(&format!("fakes-{:09}", state.images));
            let grid = grid(state, cfg, &device);
            report::write_sheet(&path, &grid, GRID)?;
            if let Ok(png) = fs::read(&path) {
                let side = (GRID * cfg.size) as u32;
                events.picture(state.images, "fakes", [side; 2], &png)?;
            }
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
        let always = [
            ("swd", quick.swd),
            ("ms_ssim", quick.ms_ssim),
            ("ms_ssim_real", quick.ms_ssim_real),
        ];
        always
            .into_iter()
            .chain(self.overfit.map(|v| ("overfit", v)))
    }

    fn line(&self) -> String {
        let Quick {
            count,
            swd,
            ms_ssim,
            ms_ssim_real,
        } = &self.quick;
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
        let z = noise::seeds(first as u64, PASS, cfg.nz, &device.clone().inner());
        let values: Vec<f32> = generator
            .forward(z)
            .into_data()
            .try_to_vec()
            .expect("a float tensor holds floats");
        fakes.push_values(&values);
    }
    let evenly = |data: &DataSet, count: usize| {
        let count = count.min(data.len());
        let which: Vec<usize> = (0..count).map(|i| i * data.len() / count).collect();
        Pictures::of(data, &which).map_err(FitError::Data)
    };
    let reals = evenly(data, SCORED)?;
    let quick = score::quick(&fakes, &reals, cfg.seed).map_err(FitError::Score)?;
    let overfit = match held {
        Some(held) if !held.is_empty() => {
            let held = evenly(held, PASS * 4)?;
            let of = |images: &Pictures| opinion(state, images, device);
            let (train, held, fake) = (of(&reals), of(&held), of(&fakes));
            Some((train - held) / (train - fake)).filter(|v| v.is_finite())
        }
        _ => None,
    };
    Ok(Scored {
        images: state.images,
        quick,
        overfit,
    })
}

/// D's mean logit of at most 256 images.
fn opinion(state: &State, images: &Pictures, device: &Device) -> f64 {
    let form = images.form();
    let (side, planes) = (form.size as usize, form.planes());
    let judge = state.judge(state.d.clone().no_grad());
    let (mut sum, mut count) = (0.0, 0);
    let all: Vec<&[u8]> = images.iter().take(PASS * 4).collect();
    for part in all.chunks(PASS) {
        let values: Vec<f32> = part
            .iter()
            .flat_map(|image| image.iter().map(|&v| f32::from(v) / 127.5 - 1.0))
            .collect();
        let data = TensorData::new(values, [part.len(), planes, side, side]);
        // As it judges in training: where it has batch norm, by the batch.
        let logits = judge.forward(Tensor::from_data(data, device));
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
    let said = Said {
        images,
        verdict,
        text,
    };
    report::append(&run.verdicts(), &said)
}

/// Networks and optimisers as they are before the first step.
///
/// # Errors
/// [`Unsupported`] names what there is no network for.
pub fn fresh(cfg: &Config, device: &Device) -> Result<State, Unsupported> {
    use rand::RngExt;
    let seed = |stream| noise::rng(cfg.seed, stream, 0).random::<u64>();
    let make = || {
        let (shape, g_seed) = (&cfg.shape(), seed(Stream::Generator));
        match cfg.network {
            Network::Dcgan => {
                dcgan::generator_as(cfg.style(), shape, cfg.nz, cfg.ngf, g_seed, device)
            }
            Network::Mlp => mlp::generator(shape, cfg.nz, cfg.ngf, g_seed, device),
        }
    };
    let (shape, d_seed) = (&cfg.shape(), seed(Stream::Discriminator));
    let d = match cfg.network {
        Network::Dcgan => dcgan::discriminator(shape, cfg.ndf, cfg.d_norm, d_seed, device),
        Network::Mlp => mlp::discriminator(shape, cfg.ndf, d_seed, device),
    };
    let d = d?;
    let beta2 = Decay::new(cfg.beta2);
    let adam = || ModuleOptimizer::from(Adam::new(cfg.beta1, beta2.clone()));
    let spectral = cfg
        .spectral
        .then(|| Spectral::new(&d, seed(Stream::Spectral), &device.clone().inner()));
    Ok(State {
        g: make()?,
        d,
        // Made again rather than cloned: clones share their running statistics.
        ema: make()?.valid(),
        opt_g: adam(),
        opt_d: adam(),
        spectral,
        beta2,
        images: 0,
        retries: 0,
    })
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
        report::write_sheet(&run.picture("fakes_init"), &grid(&fresh, cfg, device), GRID)?;
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
) -> Result<Tensor<4>, FitError> {
    let mut values = batches.next().map_err(FitError::Data)?;
    let (size, channels) = (cfg.size, cfg.channels);
    if cfg.mirror {
        let mut rng = noise::rng(state.seed(cfg), Stream::Mirror, state.images);
        noise::mirror(&mut values, channels * size * size, size, &mut rng);
    }
    let shape = [cfg.step(), channels, size, size];
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}

/// The average generator ready for use: without gradients, batch norm's statistics recomputed over `latents`
/// latents under the average's own weights.
pub fn finished(average: &Sequential, cfg: &Config, latents: usize, device: &Device) -> Sequential {
    average.settle();
    let record = average.clone().into_record();
    // A copy that shares no running statistics with the average that training goes on with.
    let copy = fresh(cfg, device)
        .expect("a network of these settings exists")
        .g
        .load_record(record);
    let mut rng = noise::rng(cfg.seed, Stream::Statistics, 0);
    let passes = latents.div_ceil(PASS);
    let batches: Vec<_> = (0..passes)
        .map(|_| noise::latents(PASS, cfg.nz, &mut rng, device))
        .collect();
    copy.no_grad().restandardise(batches).valid()
}

/// Whole passes over `len` images.
fn epoch(images: u64, len: usize) -> u64 {
    images / len as u64
}

/// The grid at the end of an epoch, and D's verdict on each of its pictures as probabilities, 8 x 8.
fn show_epoch(
    run: &Run,
    state: &State,
    epoch: u64,
    cfg: &Config,
    device: &Device,
) -> Result<(), WriteError> {
    let fakes = fakes(state, cfg, device);
    state.d.settle();
    let verdict = activation::sigmoid(state.d.valid().forward(fakes.clone()));
    let name = format!("fake_images_epoch_{epoch:04}");
    report::write_sheet(&run.picture(&name), &report::pictures(fakes), GRID)?;
    report::write_square(&run.judged(epoch), verdict.reshape([GRID, GRID]))
}

fn draw_curves(run: &Run, gauges: &[Gauge]) -> Result<(), WriteError> {
    let path = run.curves();
    let text = curves::svg(&curves::rows(&run.stats()), gauges).map_err(|e| WriteError {
        path: path.clone(),
        error: io::Error::other(e.to_string()),
    })?;
    run::write(&path, text.as_bytes())
}

/// The faces of seeds 0 to 63: the same latents at every tick, and `runtime`'s.
fn grid(state: &State, cfg: &Config, device: &Device) -> Vec<image::RgbImage> {
    report::pictures(fakes(state, cfg, device))
}

/// The same as images `[64, c, h, w]` in [-1, 1].
fn fakes(state: &State, cfg: &Config, device: &Device) -> Tensor<4> {
    let g = finished(&state.ema, cfg, GRID_LATENTS, device);
    let z = noise::seeds(0, GRID * GRID, cfg.nz, &device.clone().inner());
    g.forward(z)
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

    fn sums(&self) -> Vec<f32> {
        self.sum
            .to_data()
            .try_to_vec()
            .expect("a float tensor holds floats")
    }

    /// The first gauge that is no number any more.
    fn broken(&self) -> Option<String> {
        let sums = self.sums();
        let named = sums.iter().zip(self.gauges);
        named
            .filter(|(sum, _)| !sum.is_finite())
            .map(|(_, gauge)| gauge.name.to_string())
            .next()
    }

    fn row(&mut self, images: u64, len: usize) -> Row {
        let sums = self.sums();
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
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    /// Mean and deviation of all values of images.
    fn moments(x: &Tensor<4>) -> [f32; 2] {
        let deviation = x.clone().inner().reshape([-1]).var(0).sqrt();
        [
            x.clone().inner().mean().into_scalar(),
            deviation.into_scalar(),
        ]
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
            &crate::data::Form {
                size: 16,
                channels: 3,
                crop: crate::data::Crop::Centre,
            },
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
            (x.clone().inner() - trained.clone().inner())
                .abs()
                .mean()
                .into_scalar()
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
