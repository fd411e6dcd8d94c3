//! `trainer export`.

use std::path::{Path, PathBuf};

use models::Sequential;
use runtime::graph::Facts;
use toml::Value;
use trainer::config::{Config, Drawing, Objective};
use trainer::export::{self, ExportError, Exported};
use trainer::networks;
use trainer::run::Run;

use super::generator::{statistics, trained};
use super::output::{Ended, say};

/// Arguments of `export`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the run
    run: PathBuf,
    /// Folder to write to [default: RUN/export]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name of the files, and of the generator in them; of a CycleGAN the prefix of two names
    /// [default: generator, or a-to-b and b-to-a]
    #[arg(long)]
    name: Option<String>,
    /// License of the generator, stored in the files [default: the run's setting]
    #[arg(long)]
    license: Option<String>,
}

/// Exports the newest checkpoint of a run.
///
/// # Errors
/// One that names the run or the file.
pub fn run(args: &Args) -> Ended {
    let (cfg, averages, images) = trained(&args.run)?;
    let made = Made { averages: averages.iter().collect(), images };
    let dir = args.out.clone().unwrap_or_else(|| Run::at(&args.run).export());
    let license = args.license.as_deref();
    say(write(&dir, args.name.as_deref(), &made, &cfg, license)? + "\n");
    Ok(())
}

/// A run's name: that of its data, or of its two sets.
pub fn name(cfg: &Config) -> String {
    let [first, other] = sets(cfg);
    match cfg.objective {
        Objective::Cyclegan => format!("{first}-to-{other}"),
        Objective::Gan | Objective::Autoencoder | Objective::Vae | Objective::Pix2pix => first,
    }
}

/// The names of a run's data and of its other set.
fn sets(cfg: &Config) -> [String; 2] {
    let drawn = match cfg.draw {
        Drawing::Faces => "drawn",
        Drawing::Digits => "digits",
    };
    [(&cfg.data, drawn), (&cfg.data_b, "winter")].map(|(path, drawn)| {
        let stem = path.as_deref().and_then(Path::file_stem);
        stem.map_or(drawn.into(), |s| s.to_string_lossy().replace(['/', ' '], "-"))
    })
}

/// What the exported files say about a run's generator of this name after `images` images.
fn facts(cfg: &Config, name: String, images: u64, license: Option<&str>) -> Facts {
    let of = |path: &Option<PathBuf>, drawn: &str| match path {
        Some(path) => path
            .file_name()
            .map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into()),
        None => drawn.into(),
    };
    let drawn = match cfg.draw {
        Drawing::Faces => "the built-in drawn faces",
        Drawing::Digits => "the built-in drawn digits",
    };
    let mut data = of(&cfg.data, drawn);
    if cfg.objective == Objective::Cyclegan {
        data += &format!(" and {}", of(&cfg.data_b, "others in winter"));
    }
    Facts {
        name,
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

/// What a run has made.
pub struct Made<'a> {
    /// The averaged generators, in the order of [`Config::exports`].
    pub averages: Vec<&'a Sequential>,
    /// Images seen.
    pub images: u64,
}

/// Exports the averaged generators of a run, and returns lines that list the files. `name` is that
/// of the files and, in them, of the generator; none: that of the run.
///
/// # Errors
/// One that names the file.
pub fn write(
    dir: &Path,
    name: Option<&str>,
    made: &Made<'_>,
    cfg: &Config,
    license: Option<&str>,
) -> Result<String, ExportError> {
    let [first, other] = sets(cfg);
    // The way back leads from the other set to the first.
    let ways = [self::name(cfg), format!("{other}-to-{first}")];
    let mut lines = Vec::new();
    for ((average, ending), way) in made.averages.iter().zip(cfg.exports()).zip(ways) {
        let file = match (name, cfg.exports().len()) {
            (None, _) => ending.to_string(),
            (Some(name), 1) => name.into(),
            (Some(name), _) => format!("{name}-{ending}"),
        };
        let label = if name.is_some() { file.clone() } else { way };
        let facts = facts(cfg, label, made.images, license);
        lines.push(write_one(dir, &file, average, statistics(made.images), cfg, facts)?);
    }
    Ok(lines.join("\n"))
}

fn write_one(
    dir: &Path,
    file: &str,
    average: &Sequential,
    statistics: usize,
    cfg: &Config,
    facts: Facts,
) -> Result<String, ExportError> {
    let device = cfg.device.open();
    // The files are compared with the network in 32 bits.
    #[cfg(feature = "gpu")]
    models::gpu::conv::set_matrix_units(false);
    let generator = networks::finished(average, cfg, statistics, &device);
    let exported = match cfg.translates() {
        true => {
            export::export_translator(&generator, cfg.input_shape(), facts, dir, file, &device)?
        }
        false => export::export(&generator, cfg.nz, facts, dir, file, &device)?,
    };
    let record = exported.record.display();
    let next = match cfg.translates() {
        true => format!("translate with: runtime translate {record} PICTURE --out translated.png"),
        false => make(&exported),
    };
    Ok(report(&exported, "the trained generator", &next))
}

/// How to make an image with an exported generator.
pub fn make(exported: &Exported) -> String {
    format!("make a picture with: runtime generate {} --out picture.png", exported.record.display())
}

/// Lines that list which files were written, and what to do `next`.
pub fn report(exported: &Exported, reference: &str, next: &str) -> String {
    let files = [&exported.record, &exported.onnx];
    let mut lines: Vec<String> = files
        .into_iter()
        .zip(exported.error)
        .map(|(path, error)| {
            format!(
                "wrote {} (largest difference from {reference} over {} images: {error:.1e})",
                path.display(),
                export::SEEDS
            )
        })
        .collect();
    lines.push(next.into());
    lines.join("\n")
}
