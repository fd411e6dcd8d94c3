//! `trainer fit`.

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trainer::bench::dry::Dry;
use trainer::config::{Config, ConfigError, Drawing, Origin};
use trainer::data::{DataSet, counted};
use trainer::file;
use trainer::fit::{End, Fit};
use trainer::run::log::Log;
use trainer::run::{Lock, Run, checkpoint, page};

use super::output::{complain, print};
use super::settings::Settings;
use super::{export, images};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer fit                                      drawn faces, about ten minutes on two cores
  trainer fit --data photos/ --size 64             a folder of pictures
  trainer fit --data img_align_celeba.zip --recipe dcgan-tutorial
  trainer fit --data mnist/ --recipe gan-mnist     a dense GAN on the IDX files of MNIST
  trainer fit --data photos/ --recipe pix2pix --pair edges   drawings to photographs
  trainer fit --data horses/ --data-b zebras/ --recipe cyclegan   one to the other and back
  trainer fit --out runs/00000-drawn               resume a run
  trainer fit --out runs/00000-drawn --images 500000   train it for longer
  trainer fit --set ema=0 --beta2 0.99             any setting by name

Data that --data takes, with labels if there are any:
  a folder of images, flat or with a folder for each class
  an archive of them: zip, tar, tar.gz, tgz, also one that is inside another or in a folder
  IDX files (MNIST, Fashion-MNIST, EMNIST, QMNIST), with or without .gz
  NumPy arrays, .npy or .npz: N x height x width, channels first, last or none
  the binary versions of CIFAR-10, CIFAR-100 and STL-10
  CSV files with a column for each pixel, or with all pixels in one column (FER-2013)
Where there are parts for training and testing, those for training are used. `trainer data inspect
PATH` says what was found; docs/data.md has the details.";

/// Set by Ctrl-C and SIGTERM, read after every step.
static STOP: AtomicBool = AtomicBool::new(false);

/// Arguments of `fit`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the run, resumed if it holds one [default: a new runs/NNNNN-NAME]
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Print every setting, sizes, speed and memory, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Trains and exports. The exit code is 130 if Ctrl-C stopped it.
///
/// # Errors
/// One that names the setting, the data or the file. What could not be written beside checkpoints
/// and export is an error at the end.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let log = Log::new(0);
    let (place, cfg) = open(args)?;
    let (mut data, cfg) = load(args, cfg, place.is_new(), &log)?;
    let cfg = cfg.classed(data.labels())?;
    let held = (cfg.held_out > 0.0).then(|| data.hold_out(cfg.held_out));
    let data = Arc::new(data);
    log.say(&images::describe(&data));
    let sets = [(Some(&*data), "data"), (data.other(), "data_b")];
    for (set, key) in sets.into_iter().filter_map(|(set, key)| Some((set?, key))) {
        if set.len() < cfg.batch {
            let of = if data.other().is_some() { format!(" in {key}") } else { String::new() };
            let got = format!("{} for {}{of}", cfg.batch, counted(set.len()));
            return Err(ConfigError::Range("batch", got, "at most the number of images").into());
        }
    }
    let (total, seen) = (cfg.total(data.len()), place.seen());
    longer(args, &cfg, total, seen)?;
    if let Some(chosen) = cfg.device.prepare(cfg.precision)? {
        log.say(&chosen.to_string());
    }
    if args.dry_run {
        let settings = match place.is_new() {
            true => Config::origins(args.settings.recipe.as_deref(), &args.settings.table()?)?,
            false => cfg.kept(),
        };
        print(Dry::run(&cfg, settings, total.saturating_sub(seen))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (run, _lock) = place.take()?;
    file::write(&run.options(), cfg.to_json().as_bytes())?;
    log.until(total);
    log.say(&format!(
        "run {}: {total} images, a line every {}",
        run.root().display(),
        cfg.log_every
    ));
    catch_signals()?;
    let ended = Fit::new(&run, &cfg, data, held.as_ref(), &log, &STOP).train();
    // A failure to write the page must not hide the run's own error.
    let page = page::write(&run, &cfg);
    match ended? {
        End::Stopped(state) => {
            log.say(&format!(
                "stopped and saved at {} of {total} images; resume with: trainer fit --out {}",
                state.images,
                run.root().display()
            ));
            Ok(ExitCode::from(130))
        }
        End::Done(state) => {
            match page {
                Ok(path) => log.say(&format!("wrote {}", path.display())),
                Err(error) => _ = log.check(Err(error)),
            }
            let made = export::Made { averages: state.averages(), images: state.images };
            log.say(&export::write(&run.export(), None, &made, &cfg, None)?);
            match log.failures()[..] {
                [] => Ok(ExitCode::SUCCESS),
                ref failed => {
                    let failed = failed.join("; ");
                    Err(format!("the run is trained and exported, but {failed}").into())
                }
            }
        }
    }
}

/// Where a run goes.
enum Place {
    /// The folder of a run, locked unless nothing will be written.
    Old(Run, Option<Lock>),
    /// A folder that is empty or does not exist.
    New(Run),
    /// The next number below `runs`, with this name.
    Next(String),
}

impl Place {
    fn is_new(&self) -> bool {
        matches!(self, Place::New(_) | Place::Next(_))
    }

    /// Images that the run has seen.
    fn seen(&self) -> u64 {
        match self {
            Place::Old(run, _) => checkpoint::newest(run).map_or(0, |n| n.checkpoint.images()),
            Place::New(_) | Place::Next(_) => 0,
        }
    }

    /// Creates and locks the folder.
    fn take(self) -> Result<(Run, Lock), Box<dyn Error>> {
        let run = match self {
            Place::Old(run, Some(lock)) => return Ok((run, lock)),
            Place::Old(run, None) => run,
            Place::New(run) => {
                run.create()?;
                let lock = run.lock()?;
                // The settings were resolved for a new run.
                if run.options().exists() {
                    let root = run.root().display();
                    return Err(format!(
                        "{root} has become the run of another process: choose another --out"
                    )
                    .into());
                }
                return Ok((run, lock));
            }
            Place::Next(name) => Run::create_numbered(Path::new("runs"), &name)?,
        };
        let lock = run.lock()?;
        Ok((run, lock))
    }
}

/// The place of the run, and its settings.
fn open(args: &Args) -> Result<(Place, Config), Box<dyn Error>> {
    let Some(root) = &args.out else {
        let cfg = args.settings.resolve()?;
        return Ok((Place::Next(export::name(&cfg)), cfg));
    };
    let run = Run::at(root);
    if run.options().exists() {
        // Locked before the settings are read, so that no other process changes them in between.
        let lock = (!args.dry_run).then(|| run.lock()).transpose()?;
        let flags = args.settings.table()?;
        let cfg = Config::load(&run.options())?.go_on(args.settings.recipe.as_deref(), &flags)?;
        return Ok((Place::Old(run, lock), cfg));
    }
    let foreign = fs::read_dir(root).into_iter().flatten().flatten().find(|entry| {
        // What a killed process left half-written starts with a dot.
        !entry.file_name().to_string_lossy().starts_with('.')
    });
    if let Some(entry) = foreign {
        return Err(format!(
            "{} holds {} but no run: choose a folder that is empty or does not exist",
            root.display(),
            entry.file_name().to_string_lossy()
        )
        .into());
    }
    Ok((Place::New(run), args.settings.resolve()?))
}

/// The data. A new run whose images are all gray trains one channel unless it was asked for another
/// number. Two sets are an error without such a number if only one of them is gray.
fn load(
    args: &Args,
    cfg: Config,
    is_new: bool,
    log: &Log,
) -> Result<(DataSet, Config), Box<dyn Error>> {
    if cfg.data.is_none() {
        let what = match cfg.draw {
            Drawing::Faces => "faces",
            Drawing::Digits => "digits",
        };
        log.say(&format!("drawing {} {what}", cfg.drawn));
    }
    let data = images::of_run(&cfg, cfg.channels)?;
    if !is_new || cfg.channels == 1 {
        return Ok((data, cfg));
    }
    let gray = data.is_gray()?;
    let mixed = match data.other() {
        Some(other) => other.is_gray()? != gray,
        None => false,
    };
    if !gray && !mixed {
        return Ok((data, cfg));
    }
    let origins = Config::origins(args.settings.recipe.as_deref(), &args.settings.table()?)?;
    let asked = origins.iter().any(|(key, _, from)| key == "channels" && *from != Origin::Default);
    if asked {
        return Ok((data, cfg));
    }
    if mixed {
        let [gray, colored] = if gray { ["data", "data_b"] } else { ["data_b", "data"] };
        return Err(format!(
            "the images of {gray} are gray and those of {colored} have colors: give --channels 3 to \
             train both in color, or --channels 1 to train both in gray"
        )
        .into());
    }
    let cfg = cfg.gray().map_err(|error| format!("all images are gray: {error}"))?;
    log.say("all images are gray: training one channel (three with --channels 3)");
    // A large archive would be unpacked again.
    match data.gray() {
        Some(data) => Ok((data, cfg)),
        None => Ok((images::of_run(&cfg, 1)?, cfg)),
    }
}

/// Refuses a length that the run is already beyond, if one was asked for.
fn longer(args: &Args, cfg: &Config, total: u64, seen: u64) -> Result<(), Box<dyn Error>> {
    let flags = args.settings.table()?;
    let asked = ["images", "epochs"].into_iter().find(|key| flags.contains_key(*key));
    let Some(key) = asked.filter(|_| seen >= total + cfg.step() as u64) else {
        return Ok(());
    };
    Err(format!(
        "the run has seen {seen} images and --{key} asks for {total}: ask for more, or export it \
         as it is with: trainer export {}",
        args.out.as_deref().unwrap_or(Path::new("RUN")).display()
    )
    .into())
}

fn catch_signals() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        if io::stderr().is_terminal() {
            complain("\nfinishing the step; press Ctrl-C again to quit without saving");
        }
    })
}
