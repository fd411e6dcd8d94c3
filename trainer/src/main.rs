//! The `trainer` program: arguments, settings, verb, exit code.

mod cli;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use cli::codes::{self, Anomalies, Duplicates, Reconstruct, Restore};
use cli::inspect::{self, Inspect};
use cli::latents::{self, Arithmetic, Interpolate, Sample};
use runtime::graph::Facts;
use runtime::op::{Activation, Op};
use runtime::record::Buffer;
use toml::{Table, Value};
use trainer::checkpoint;
use trainer::config::{self, Config, Corruption, Drawing, RECIPES};
use trainer::data::{Crop, DataSet, Form};
use trainer::device::Device;
use trainer::dry::Dry;
use trainer::evaluate::{self, Evaluate, Target};
use trainer::fit::{self, End};
use trainer::log::Log;
use trainer::run::Run;
use trainer::{bench, export, import, memory, networks, page, report};

/// Latents over which batch norm's statistics are recomputed before export.
const EXPORT_LATENTS: usize = 10_000;

/// Set by Ctrl-C and SIGTERM; the loop looks at it after every step.
static STOP: AtomicBool = AtomicBool::new(false);

#[derive(Parser)]
#[command(
    name = "trainer",
    version,
    about = "Trains image generators and exports them to burn records and ONNX"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Train a generator; go on where the run folder already holds one
    #[command(after_help = FIT_EXAMPLES)]
    Fit(Box<FitArgs>),
    /// Export a run's newest checkpoint to a burn record and ONNX, and check both
    Export(ExportArgs),
    /// Turn a PyTorch DCGAN's state dict into a burn record and ONNX
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Score a generator against real images
    #[command(after_help = EVALUATE_EXAMPLES)]
    Evaluate(Box<Evaluate>),
    /// Write a run as one HTML page: curves, grids, scores, options
    Report {
        /// The run's folder
        run: PathBuf,
    },
    /// Write a sheet of samples of a run's newest checkpoint, or of a generator
    Sample(Sample),
    /// Walk from seed to seed: a grid, or a GIF
    #[command(after_help = INTERPOLATE_EXAMPLES)]
    Interpolate(Interpolate),
    /// Add and take away latents: smiling woman - woman + man
    #[command(after_help = ARITHMETIC_EXAMPLES)]
    Arithmetic(Arithmetic),
    /// Say how well an autoencoder gives images back, and show it
    #[command(after_help = RECONSTRUCT_EXAMPLES)]
    Reconstruct(Reconstruct),
    /// Take the noise off images with a denoising autoencoder
    #[command(after_help = DENOISE_EXAMPLES)]
    Denoise(Restore),
    /// Give grey images colours with an autoencoder that learnt it
    #[command(after_help = COLOURISE_EXAMPLES)]
    Colourise(Restore),
    /// List images by how odd an autoencoder finds them
    #[command(after_help = ANOMALIES_EXAMPLES)]
    Anomalies(Anomalies),
    /// Find near-duplicates by an autoencoder's codes
    #[command(after_help = DUPLICATES_EXAMPLES)]
    Duplicates(Duplicates),
    /// Look at the images a run would see: a sheet, or a folder of PNG files
    #[command(after_help = DATA_EXAMPLES)]
    Data(DataArgs),
    /// Measure a training step on this CPU, part by part
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(Box<BenchArgs>),
    /// List the recipes, or print one
    Recipes {
        /// Print this recipe's settings, resolved
        name: Option<String>,
    },
}

const BENCH_EXAMPLES: &str = "\
Examples:
  trainer bench                                    a step of the default recipe, and how long its run would take
  trainer bench --recipe dcgan-tutorial --batch 64 the tutorial's, to set beside docs/compare/step.py
  trainer bench --recipe faces --json
  trainer bench --device vulkan --batch 128        a step on a GPU, launch by launch";

const INTERPOLATE_EXAMPLES: &str = "\
Examples:
  trainer interpolate face.bpk --out walk.gif                       round through nine seeds
  trainer interpolate runs/00000-photos --seeds 4,9,31 --steps 10 --out grid.png";

const ARITHMETIC_EXAMPLES: &str = "\
Examples:
  trainer arithmetic face.bpk --plus 4,9,31 --minus 2,7,8 --plus 11,40,52 --out panel.png";

const RECONSTRUCT_EXAMPLES: &str = "\
Examples:
  trainer reconstruct runs/00000-digits                               of what the run held out
  trainer reconstruct runs/00000-digits --data test/ --out sheet.png --codes codes.png";

const DENOISE_EXAMPLES: &str = "\
Examples:
  trainer fit --data mnist/ --recipe denoising-autoencoder --out runs/denoise
  trainer denoise runs/denoise noisy.png restored.png
  trainer denoise runs/denoise noisy/ restored/";

const COLOURISE_EXAMPLES: &str = "\
Examples:
  trainer fit --data faces.zip --recipe colourise --out runs/colours
  trainer colourise runs/colours grey.png coloured.png";

const ANOMALIES_EXAMPLES: &str = "\
Examples:
  trainer fit --data good/ --recipe denoising-autoencoder --out runs/good
  trainer anomalies runs/good --data new/ --out odd";

const DUPLICATES_EXAMPLES: &str = "\
Examples:
  trainer fit --data photos/ --recipe duplicates --out runs/codes
  trainer duplicates runs/codes --data photos/ --out twice";

const IMPORT_EXAMPLES: &str = "\
Examples:
  trainer import netG.pth --out imported                  imported/netG.bpk and imported/netG.onnx
  trainer import checkpoint.tar --key netG --name faces   the generator among several networks
  trainer import g.safetensors --activation leaky:0.2 --output sigmoid";

const EVALUATE_EXAMPLES: &str = "\
Examples:
  trainer evaluate runs/00000-photos                         against the run's own data
  trainer evaluate face.onnx --data photos/ --sheet near.png with the nearest training images of samples
  trainer evaluate face.bpk --data photos/ --extractor inception.onnx --extractor-range -1,1   FID, KID and others
  trainer evaluate --features-real real.npy --features-fake fake.npy --out scores.json";

const FIT_EXAMPLES: &str = "\
Examples:
  trainer fit                                      the built-in drawn faces, about ten minutes on two cores
  trainer fit --data photos/ --size 64             your own folder of pictures
  trainer fit --data img_align_celeba.zip --recipe dcgan-tutorial
  trainer fit --data mnist/ --recipe gan-mnist     a dense GAN on the IDX files of MNIST
  trainer fit --out runs/00000-drawn               go on with a run that was stopped
  trainer fit --out runs/00000-drawn --images 500000   go on for longer
  trainer fit --set ema=0 --set beta2=0.99         any setting by name";

const DATA_EXAMPLES: &str = "\
Examples:
  trainer data --out sheet.png                     a sheet of the drawn faces
  trainer data --out faces/ --count 1000           a folder of them
  trainer data inspect photos/                     what is in it: sizes, what does not decode, what is there twice
  trainer data --data photos/ --size 64 --out sheet.png   your own pictures as the networks see them";

#[derive(Args)]
struct Settings {
    /// Folder, zip archive or IDX files of images [default: the built-in drawn faces]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// A recipe by name (see `trainer recipes`) or a TOML file of settings [default: drawn]
    #[arg(long, value_name = "NAME|FILE")]
    recipe: Option<String>,
    /// Image size in pixels: 16, 32, 64 or 128; 8 to 64 for dense networks
    #[arg(long)]
    size: Option<i64>,
    /// 1 for grey, 3 for colour
    #[arg(long)]
    channels: Option<i64>,
    /// Length of the latent
    #[arg(long)]
    nz: Option<i64>,
    /// Width of the generator
    #[arg(long)]
    ngf: Option<i64>,
    /// Width of the discriminator
    #[arg(long)]
    ndf: Option<i64>,
    /// What the networks minimise: bce, hinge, rpgan or wasserstein
    #[arg(long)]
    loss: Option<String>,
    /// Gradient penalty of the discriminator: none, r1, r2 or r1r2
    #[arg(long)]
    penalty: Option<String>,
    /// Weight of the penalty: larger is steadier and less diverse
    #[arg(long)]
    gamma: Option<f64>,
    /// Differentiable augmentation: none, or some of colour,translation,cutout
    #[arg(long)]
    augment: Option<String>,
    /// What is cut out of each image: centre, a number of pixels (CelebA: 108, 140, 178), celeba128
    #[arg(long)]
    crop: Option<String>,
    /// Show images mirrored half of the time
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    mirror: Option<bool>,
    /// Images a step
    #[arg(long, alias = "batch-size")]
    batch: Option<i64>,
    /// Images to see in all
    #[arg(long, conflicts_with = "epochs")]
    images: Option<i64>,
    /// Passes over the data, instead of --images
    #[arg(long)]
    epochs: Option<f64>,
    /// Adam's step length
    #[arg(long)]
    lr: Option<f64>,
    /// Adam's first moment
    #[arg(long)]
    beta1: Option<f64>,
    /// Adam's second moment
    #[arg(long)]
    beta2: Option<f64>,
    /// Threads that read and decode images; 0: one a core
    #[arg(long)]
    workers: Option<i64>,
    /// Where to train: flex (the CPU), vulkan, vulkan:N of `runtime devices`, or auto
    #[arg(long)]
    device: Option<Device>,
    /// What a GPU multiplies: f32, or mixed (16-bit floats on matrix units, summed in 32 bits)
    #[arg(long, value_name = "f32|mixed")]
    precision: Option<String>,
    /// Seed of weights, data order and latents
    #[arg(long)]
    seed: Option<i64>,
    /// Any setting by name, as a recipe would have it; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Args)]
struct FitArgs {
    /// The run's folder; where it holds a run, that run goes on [default: a new runs/NNNNN-NAME]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Say what would be done, in all detail, and do none of it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
struct ExportArgs {
    /// The run's folder
    run: PathBuf,
    /// Folder to write to [default: RUN/export]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name of the files and in their facts [default: generator]
    #[arg(long)]
    name: Option<String>,
    /// Licence of the generator, for the facts [default: the run's setting]
    #[arg(long)]
    license: Option<String>,
}

#[derive(Args)]
struct ImportArgs {
    /// A checkpoint that torch.save has written (.pt, .pth, .tar), or .safetensors
    weights: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Name of the files and in their facts [default: that of the weights]
    #[arg(long)]
    name: Option<String>,
    /// Licence of the weights, for the facts
    #[arg(long, default_value = "")]
    license: String,
    /// A part of the names of the network that is meant, where there are several
    #[arg(long)]
    key: Option<String>,
    /// What follows every layer but the last: relu, leaky:SLOPE, tanh, sigmoid or none
    #[arg(long, default_value = "relu", value_parser = activation)]
    activation: Activation,
    /// What follows the last
    #[arg(long, default_value = "tanh", value_parser = activation)]
    output: Activation,
    /// Output values of black and white [default: -1,1; for sigmoid 0,1]
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true,
        value_name = "LOW,HIGH"
    )]
    range: Vec<f32>,
    /// What training added to a batch norm's variance
    #[arg(long, default_value_t = 1e-5)]
    epsilon: f32,
    /// Print the tensors and do nothing else
    #[arg(long)]
    list: bool,
}

fn activation(text: &str) -> Result<Activation, String> {
    match (text, text.strip_prefix("leaky:").map(str::parse::<f32>)) {
        ("relu", _) => Ok(Activation::Relu),
        ("tanh", _) => Ok(Activation::Tanh),
        ("sigmoid", _) => Ok(Activation::Sigmoid),
        ("none", _) => Ok(Activation::None),
        (_, Some(Ok(slope))) if slope.is_finite() => Ok(Activation::LeakyRelu(slope)),
        _ => Err("relu, leaky:SLOPE, tanh, sigmoid or none".into()),
    }
}

#[derive(Subcommand)]
enum DataVerb {
    /// Say what lies in a folder, archive or IDX file: counts, sizes, what does not decode, what is there twice
    Inspect(Inspect),
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct DataArgs {
    #[command(subcommand)]
    verb: Option<DataVerb>,
    /// A file FILE.png for a sheet, otherwise a folder for one PNG an image
    #[arg(long, value_name = "PATH", required = true)]
    out: Option<PathBuf>,
    /// How many images
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Folder, zip archive or IDX files of images [default: the built-in drawn faces]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Image size in pixels
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=1024))]
    size: u32,
    /// 1 for grey, 3 for colour
    #[arg(long, default_value = "3", value_parser = ["1", "3"])]
    channels: String,
    /// What is cut out of each image: centre, a number of pixels (CelebA: 108, 140, 178), celeba128
    #[arg(long, default_value = "centre")]
    crop: Crop,
    /// Seed of the drawn faces
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Settings {
    /// What was given, as the entries of a settings table.
    fn table(&self) -> Result<Table, config::ConfigError> {
        let mut table = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.into(), value);
            }
        };
        let path = self.data.as_ref().map(|p| p.display().to_string());
        put("data", path.map(Value::from));
        put("size", self.size.map(Value::from));
        put("channels", self.channels.map(Value::from));
        put("nz", self.nz.map(Value::from));
        put("ngf", self.ngf.map(Value::from));
        put("ndf", self.ndf.map(Value::from));
        put("loss", self.loss.clone().map(Value::from));
        put("penalty", self.penalty.clone().map(Value::from));
        put("gamma", self.gamma.map(Value::from));
        put("augment", self.augment.clone().map(Value::from));
        put("crop", self.crop.clone().map(Value::from));
        put("mirror", self.mirror.map(Value::from));
        put("batch", self.batch.map(Value::from));
        put("images", self.images.map(Value::from));
        put("epochs", self.epochs.map(Value::from));
        put("lr", self.lr.map(Value::from));
        put("beta1", self.beta1.map(Value::from));
        put("beta2", self.beta2.map(Value::from));
        put("workers", self.workers.map(Value::from));
        put("device", self.device.map(|d| Value::from(d.to_string())));
        put("precision", self.precision.clone().map(Value::from));
        put("seed", self.seed.map(Value::from));
        for text in &self.set {
            let (key, value) = config::set(text)?;
            table.insert(key, value);
        }
        Ok(table)
    }
}

#[derive(Args)]
struct BenchArgs {
    #[command(flatten)]
    settings: Settings,
    /// Threads that compute; 0: one a core
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    threads: u16,
    /// Seconds of whole steps
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Instead of a step, try every tile for every convolution (on a GPU)
    #[cfg(feature = "gpu")]
    #[arg(long, hide = true)]
    tiles: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.verb {
        Verb::Fit(_) | Verb::Bench(_) => memory::keep(),
        Verb::Export(_)
        | Verb::Import(_)
        | Verb::Evaluate(_)
        | Verb::Report { .. }
        | Verb::Sample(_)
        | Verb::Interpolate(_)
        | Verb::Arithmetic(_)
        | Verb::Reconstruct(_)
        | Verb::Denoise(_)
        | Verb::Colourise(_)
        | Verb::Anomalies(_)
        | Verb::Duplicates(_)
        | Verb::Data(_)
        | Verb::Recipes { .. } => {}
    }
    let result = match cli.verb {
        Verb::Fit(args) => fit(&args),
        Verb::Export(args) => export(&args),
        Verb::Import(args) => import(&args),
        Verb::Evaluate(args) => evaluate(&args),
        Verb::Report { run } => report_page(&run),
        Verb::Sample(args) => with(&args.target, |t| latents::sample(&args, t)),
        Verb::Interpolate(args) => with(&args.target, |t| latents::interpolate(&args, t)),
        Verb::Arithmetic(args) => {
            with(&args.target, |t| latents::arithmetic(&args, std::env::args(), t))
        }
        Verb::Reconstruct(args) => done(codes::reconstruct(&args)),
        Verb::Denoise(args) => done(codes::restore(&args, Corruption::Noise)),
        Verb::Colourise(args) => done(codes::restore(&args, Corruption::Grey)),
        Verb::Anomalies(args) => done(codes::anomalies(&args)),
        Verb::Duplicates(args) => done(codes::duplicates(&args)),
        Verb::Data(args) => data(&args),
        Verb::Bench(args) => bench(&args),
        Verb::Recipes { name } => recipes(name.as_deref()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes on one line, whatever a library put into its own.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

type Ended = Result<ExitCode, Box<dyn Error>>;

fn fit(args: &FitArgs) -> Ended {
    let flags = args.settings.table()?;
    let recipe = args.settings.recipe.as_deref();
    let (run, cfg) = match &args.out {
        Some(root) if Run::at(root).options().exists() => {
            let run = Run::at(root);
            let cfg = Config::load(&run.options())?.go_on(recipe, &flags)?;
            (run, cfg)
        }
        Some(root) => (Run::at(root), Config::new(recipe, &flags)?),
        None => {
            let cfg = Config::new(recipe, &flags)?;
            (Run::numbered(Path::new("runs"), &name(&cfg)), cfg)
        }
    };
    let mut data = open(&cfg)?;
    let cfg = cfg.classed(data.labels())?;
    let held = (cfg.held_out > 0.0).then(|| data.hold_out(cfg.held_out));
    let data = Arc::new(data);
    let mut log = io::stdout();
    describe(&data, &mut log);
    if data.len() < cfg.batch {
        let error = config::ConfigError::Range(
            "batch",
            format!("{} but there are only {} images", cfg.batch, data.len()),
            "at most as many as there are images",
        );
        return Err(error.into());
    }
    if let Some(chosen) = cfg.device.prepare(cfg.precision)? {
        let _ = writeln!(log, "{chosen}");
    }
    if args.dry_run {
        let settings = match run.options().exists() {
            true => cfg.kept(),
            false => Config::origins(recipe, &flags)?,
        };
        let seen = checkpoint::newest(&run).unwrap_or(0);
        let left = cfg.total(data.len()).saturating_sub(seen);
        cli::print(Dry::run(&cfg, settings, left)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    run.create()?;
    trainer::run::write(&run.options(), cfg.to_json().as_bytes())?;
    let _ = writeln!(log, "run {}", run.root().display());

    ctrlc::set_handler(|| {
        // The second time, whoever asks means it.
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        if io::stderr().is_terminal() {
            eprintln!("\nfinishing the step; once more to quit without saving");
        }
    })?;
    let progress = Log::new(cfg.total(data.len()));
    let ended = fit::fit(&run, &cfg, data.clone(), held.as_ref(), &STOP, &progress);
    // Whatever the end: a page of what there is. That it cannot be written is no reason to lose the run's own error.
    let page = page::write(&run, &cfg);
    match ended? {
        End::Stopped(state) => {
            let _ = writeln!(
                log,
                "stopped and saved at {} of {} images; go on with: trainer fit --out {}",
                state.images,
                cfg.total(data.len()),
                run.root().display()
            );
            Ok(ExitCode::from(130))
        }
        End::Done(state) => {
            let _ = writeln!(log, "wrote {}", page?.display());
            let facts = facts(&cfg, &name(&cfg), state.images, None);
            write_export(&run.export(), "generator", &state.ema, &cfg, facts)
        }
    }
}

/// What a run is called by: its data.
fn name(cfg: &Config) -> String {
    let data = cfg.data.as_deref().and_then(Path::file_stem);
    let drawn = match cfg.draw {
        Drawing::Faces => "drawn",
        Drawing::Digits => "digits",
    };
    data.map_or(drawn.into(), |s| s.to_string_lossy().replace(['/', ' '], "-"))
}

fn open(cfg: &Config) -> Result<DataSet, Box<dyn Error>> {
    let form = Form { size: cfg.size as u32, channels: cfg.channels, crop: cfg.crop };
    Ok(match &cfg.data {
        Some(path) => DataSet::open(path, &form, cfg.threads())?,
        None => match cfg.draw {
            Drawing::Faces => DataSet::drawn(cfg.drawn, cfg.seed, &form, cfg.threads()),
            Drawing::Digits => DataSet::digits(cfg.drawn, cfg.seed, &form, cfg.threads()),
        },
    })
}

fn describe(data: &DataSet, log: &mut dyn Write) {
    const SHOWN: usize = 10;
    let _ = writeln!(log, "{}", data.describe());
    for skipped in data.skipped().iter().take(SHOWN) {
        let _ = writeln!(log, "  skipped {skipped}");
    }
    if data.skipped().len() > SHOWN {
        let _ = writeln!(log, "  and {} more", data.skipped().len() - SHOWN);
    }
}

fn facts(cfg: &Config, name: &str, images: u64, license: Option<&str>) -> Facts {
    let data = match &cfg.data {
        Some(path) => path
            .file_name()
            .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into()),
        None => match cfg.draw {
            Drawing::Faces => "the built-in drawn faces".into(),
            Drawing::Digits => "the built-in drawn digits".into(),
        },
    };
    Facts {
        name: name.into(),
        license: license.unwrap_or(&cfg.license).into(),
        data,
        trained: format!(
            "trainer fit: {images} images, batch {}, lr {}, beta1 {}, loss {}, ngf {}, ndf {}, seed {}",
            cfg.batch,
            cfg.lr,
            cfg.beta1,
            Value::try_from(cfg.loss).map_or_else(|_| String::new(), |v| v.to_string()),
            cfg.ngf,
            cfg.ndf,
            cfg.seed
        ),
        range: cfg.range(),
        labels: cfg.labels.clone(),
    }
}

fn write_export(
    dir: &Path,
    file: &str,
    average: &models::Sequential,
    cfg: &Config,
    facts: Facts,
) -> Ended {
    let device = cfg.device.open();
    // What is exported is compared with the network in 32 bits.
    #[cfg(feature = "gpu")]
    models::gpu::conv::set_matrix_units(false);
    let generator = networks::finished(average, cfg, EXPORT_LATENTS, &device);
    let exported = export::export(&generator, cfg.nz, facts, dir, file, &device)?;
    say_exported(&exported, "the trained generator");
    Ok(ExitCode::SUCCESS)
}

fn say_exported(exported: &export::Exported, from: &str) {
    let mut out = io::stdout();
    let files = [&exported.record, &exported.onnx];
    for (path, error) in files.into_iter().zip(exported.error) {
        let _ = writeln!(
            out,
            "wrote {} (largest difference from {from} over {} seeds: {error:.1e})",
            path.display(),
            export::SEEDS
        );
    }
    let _ = writeln!(
        out,
        "make a face with: runtime generate --model {} --out face.png",
        exported.record.display()
    );
}

fn import(args: &ImportArgs) -> Ended {
    let state = import::load(&args.weights)?;
    if args.list {
        for (name, tensor) in &state {
            cli::print(format!("{name:<48} {:?}\n", tensor.shape))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let range = match args.range[..] {
        [] if args.output == Activation::Sigmoid => (0.0, 1.0),
        [] => (-1.0, 1.0),
        [low, high] if low < high => (low, high),
        _ => return Err("--range: two numbers, black before white, such as -1,1".into()),
    };
    let (least, most) = match args.output {
        Activation::Tanh => (-1.0, 1.0),
        Activation::Sigmoid => (0.0, 1.0),
        Activation::None | Activation::Relu | Activation::LeakyRelu(_) => (f32::MIN, f32::MAX),
    };
    if range.0 < least || range.1 > most {
        let text = "--range: the last layer's values lie between";
        return Err(format!("{text} {least} and {most}, black or white beyond").into());
    }
    let stem = args.weights.file_stem().unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| stem.to_string_lossy().into());
    let file = args.weights.file_name().unwrap_or_default();
    let facts = Facts {
        name: name.clone(),
        license: args.license.clone(),
        data: String::new(),
        trained: format!("imported from {}", file.to_string_lossy()),
        range,
        labels: Vec::new(),
    };
    let assumed = import::Assumed {
        inner: args.activation,
        output: args.output,
        epsilon: args.epsilon,
        key: args.key.clone(),
    };
    let graph = import::graph(&args.weights, &state, &assumed, facts)?;
    cli::print(format!(
        "a latent of {} values, then, of which only the weights are in the file:\n",
        graph.latent
    ))?;
    for (layer, shape) in graph.layers.iter().zip(graph.shapes()?) {
        let what = match &layer.op {
            Op::ConvTranspose { window, .. } => format!(
                "kernel {}, stride {}, padding {}",
                window.kernel, window.stride, window.padding
            ),
            Op::Activate => format!("{:?}", layer.activation).to_lowercase(),
            _ => String::new(),
        };
        cli::print(format!("  {:<18} {shape:<16} {what}\n", layer.name))?;
    }
    let want = export::images(&graph)?;
    let exported = export::files(graph, &want, &args.out, &name)?;
    say_exported(&exported, "the layers one by one");
    Ok(ExitCode::SUCCESS)
}

/// The generator of a run's newest checkpoint, or that of a file.
fn target(path: &Path) -> Result<Target, Box<dyn Error>> {
    if !path.is_dir() {
        return Target::file(path);
    }
    let (cfg, average, _) = newest(path)?;
    let generator = networks::finished(&average, &cfg, EXPORT_LATENTS, &cfg.device.open());
    let facts = Facts { range: cfg.range(), labels: cfg.labels.clone(), ..Facts::default() };
    let mut graph = export::graph(&generator, cfg.nz, facts);
    graph.fold();
    Ok(Target {
        name: path.display().to_string(),
        record: Buffer::from(&graph.pack()?),
        data: cfg.data,
        crop: cfg.crop,
    })
}

fn with(path: &Path, what: impl FnOnce(&Target) -> Result<(), Box<dyn Error>>) -> Ended {
    what(&target(path)?)?;
    Ok(ExitCode::SUCCESS)
}

fn done(result: Result<(), Box<dyn Error>>) -> Ended {
    result.map(|()| ExitCode::SUCCESS)
}

fn evaluate(args: &Evaluate) -> Ended {
    let target = args.target.as_deref().map(target).transpose()?;
    let scores = evaluate::evaluate(args, target.as_ref())?;
    match args.json {
        true => cli::print(serde_json::to_string(&scores)? + "\n")?,
        false => cli::print(&scores)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn report_page(root: &Path) -> Ended {
    let run = Run::at(root);
    let cfg = Config::load(&run.options())?;
    cli::print(format!("wrote {}\n", page::write(&run, &cfg)?.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn bench(args: &BenchArgs) -> Ended {
    let cfg = Config::new(args.settings.recipe.as_deref(), &args.settings.table()?)?;
    // A step costs the same whatever the classes are called.
    let ten: Vec<String> = (0..10).map(|label| label.to_string()).collect();
    let cfg = cfg.classed(&ten)?;
    rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build_global()?;
    let span = Duration::from_secs(args.seconds);
    if let Some(chosen) = cfg.device.prepare(cfg.precision)? {
        eprintln!("{chosen}");
    }
    #[cfg(feature = "gpu")]
    if cfg.device.open() != burn::tensor::Device::flex().autodiff() {
        if args.tiles {
            return bench_tiles(&cfg);
        }
        return bench_gpu(&bench::gpu::measure(&cfg, span)?, args.json);
    }
    let report = bench::measure(&cfg, span)?;
    if args.json {
        cli::print(format!("{}\n", serde_json::to_string(&report)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    cli::print(format!(
        "{:<34} {:<9} {:>5} {:>9} {:>8} {:>9}\n",
        "operation", "", "times", "ms", "share", "of peak"
    ))?;
    for row in &report.rows {
        let share = row.seconds * row.times as f64 / report.step;
        let of_peak = match row.multiply_adds {
            0.0 => String::new(),
            work => format!("{:.0} %", 100.0 * work / row.seconds / report.peak),
        };
        let (ms, share) = (row.seconds * 1e3, share * 100.0);
        cli::print(format!(
            "{:<34} {:<9} {:>5} {ms:>9.2} {share:>6.1} % {of_peak:>9}\n",
            row.name, row.what, row.times
        ))?;
    }
    cli::print(format!(
        "parts {:.1} ms, whole step {:.1} ms: Adam, averages, losses, memory {:.1} ms\n",
        report.parts() * 1e3,
        report.step * 1e3,
        (report.step - report.parts()) * 1e3
    ))?;
    cli::print(format!(
        "batch {}, {} threads: {:.1} images/s; {:.1} if every multiply-add of the direct algorithm ({:.0} M an image) \
         ran at the measured peak ({:.0} G/s)\n",
        report.batch,
        report.threads,
        report.images_per_s(),
        report.limit(),
        report.multiply_adds / 1e6,
        report.peak / 1e9
    ))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "gpu")]
fn bench_gpu(report: &bench::gpu::Report, json: bool) -> Ended {
    if json {
        cli::print(format!("{}\n", serde_json::to_string(report)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let busy = report.busy();
    cli::print(format!(
        "{:<44} {:>5} {:>9} {:>8} {:>9}\n",
        "launches", "times", "ms", "share", "of peak"
    ))?;
    for row in &report.rows {
        let of_peak = match row.multiply_adds {
            0.0 => String::new(),
            work => format!("{:.0} %", 100.0 * work / row.seconds / report.peak),
        };
        let (ms, share) = (row.seconds * 1e3, 100.0 * row.seconds / busy);
        cli::print(format!(
            "{:<44} {:>5} {ms:>9.3} {share:>6.1} % {of_peak:>9}\n",
            row.name, row.times
        ))?;
    }
    let work: f64 = report.rows.iter().map(|r| r.multiply_adds).sum();
    let precision = if report.matrix_units { "mixed" } else { "f32" };
    cli::print(format!(
        "batch {}, {precision}: {} launches of together {:.2} ms; a whole step takes {:.2} ms: {:.0} images/s\n\
         peak measured: {:.0} G multiply-adds/s of 32-bit floats; convolutions have {:.0} M an image\n",
        report.batch,
        report.launches,
        busy * 1e3,
        report.step * 1e3,
        report.images_per_s(),
        report.peak / 1e9,
        work / report.batch as f64 / 1e6
    ))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "gpu")]
fn bench_tiles(cfg: &Config) -> Ended {
    let matrix = cfg.precision == config::Precision::Mixed;
    bench::gpu::tiles(cfg, matrix, |trials| {
        let mut out = io::stdout();
        for (i, trial) in trials.iter().enumerate() {
            if i == 0 {
                let _ = writeln!(out, "{}", trial.pass);
            }
            let _ = writeln!(
                out,
                "  {:<26} parts {:>3} {:>8.1} us {:>7.2} T/s  off {:.0e}{}",
                trial.tile,
                trial.parts,
                trial.seconds * 1e6,
                trial.multiply_adds / trial.seconds / 1e12,
                trial.off,
                if trial.used { "  used" } else { "" }
            );
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The settings and the average generator of a run's newest checkpoint, and the images it has seen.
fn newest(root: &Path) -> Result<(Config, models::Sequential, u64), Box<dyn Error>> {
    let run = Run::at(root);
    let cfg = Config::load(&run.options())?;
    let path = checkpoint::list(&run)
        .pop()
        .ok_or_else(|| format!("{} holds no checkpoint yet", root.display()))?;
    let fresh = networks::fresh(&cfg, &cfg.device.open())?.ema;
    let (average, images) = checkpoint::load_average(&path, fresh)?;
    Ok((cfg, average, images))
}

fn export(args: &ExportArgs) -> Ended {
    let (cfg, average, images) = newest(&args.run)?;
    let file = args.name.as_deref().unwrap_or("generator");
    let label = args.name.clone().unwrap_or_else(|| name(&cfg));
    let facts = facts(&cfg, &label, images, args.license.as_deref());
    let dir = args.out.clone().unwrap_or_else(|| Run::at(&args.run).export());
    write_export(&dir, file, &average, &cfg, facts)
}

fn data(args: &DataArgs) -> Ended {
    if let Some(DataVerb::Inspect(args)) = &args.verb {
        inspect::inspect(args)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(out) = &args.out else {
        return Err("--out is missing: where to write".into());
    };
    let form = Form {
        size: args.size,
        channels: if args.channels == "1" { 1 } else { 3 },
        crop: args.crop,
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let set = match &args.data {
        Some(path) => DataSet::open(path, &form, workers)?,
        None => DataSet::drawn(args.count as usize, args.seed, &form, workers),
    };
    describe(&set, &mut io::stdout());
    let count = set.len().min(args.count as usize);
    let picture = |i: usize| set.picture(i);
    let sheet = out.extension().is_some_and(|e| e == "png");
    if sheet {
        let pictures = (0..count).map(picture).collect::<Result<Vec<_>, _>>()?;
        let columns = (count as f64).sqrt().ceil() as usize;
        report::write_sheet(out, &pictures, columns)?;
        cli::print(format!("wrote {}: {count} images\n", out.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    trainer::run::create_dir(out)?;
    for i in 0..count {
        let path = out.join(format!("{i:06}.png"));
        report::write_png(&path, &picture(i)?.into())?;
    }
    cli::print(format!("wrote {count} images to {}\n", out.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn recipes(name: Option<&str>) -> Ended {
    match name {
        Some(name) => cli::print(Config::new(Some(name), &Table::new())?.to_toml())?,
        None => {
            for (name, text) in RECIPES {
                let about = text.lines().next().unwrap_or_default();
                cli::print(format!("{name:<16} {}\n", about.trim_start_matches("# ")))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
