//! `trainer export`.

use std::path::{Path, PathBuf};

use runtime::graph::Facts;
use toml::Value;
use trainer::config::{Config, Drawing, Objective};
use trainer::export::{self, ExportError, Exported};
use trainer::networks;
use trainer::run::Run;

use super::generator::{STATISTICS, trained};
use super::output::{Ended, say};

/// Arguments of `export`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the run
    run: PathBuf,
    /// Folder to write to [default: RUN/export]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Name of the files, and of the generator in them [default: generator]
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
    let (cfg, average, images) = trained(&args.run)?;
    let file = args.name.as_deref().unwrap_or("generator");
    let label = args.name.clone().unwrap_or_else(|| name(&cfg));
    let facts = facts(&cfg, &label, images, args.license.as_deref());
    let dir = args.out.clone().unwrap_or_else(|| Run::at(&args.run).export());
    say(write(&dir, file, &average, &cfg, facts)? + "\n");
    Ok(())
}

/// A run's name: that of its data.
pub fn name(cfg: &Config) -> String {
    let data = cfg.data.as_deref().and_then(Path::file_stem);
    let drawn = match cfg.draw {
        Drawing::Faces => "drawn",
        Drawing::Digits => "digits",
    };
    data.map_or(drawn.into(), |s| s.to_string_lossy().replace(['/', ' '], "-"))
}

/// What the exported files say about a run's generator after `images` images.
pub fn facts(cfg: &Config, name: &str, images: u64, license: Option<&str>) -> Facts {
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

/// Exports the averaged generator of a run, and returns lines that list the files.
///
/// # Errors
/// One that names the file.
pub fn write(
    dir: &Path,
    file: &str,
    average: &models::Sequential,
    cfg: &Config,
    facts: Facts,
) -> Result<String, ExportError> {
    let device = cfg.device.open();
    // The files are compared with the network in 32 bits.
    #[cfg(feature = "gpu")]
    models::gpu::conv::set_matrix_units(false);
    let generator = networks::finished(average, cfg, STATISTICS, &device);
    let exported = match cfg.objective {
        Objective::Pix2pix => {
            export::export_translator(&generator, cfg.input_shape(), facts, dir, file, &device)?
        }
        Objective::Gan | Objective::Autoencoder | Objective::Vae => {
            export::export(&generator, cfg.nz, facts, dir, file, &device)?
        }
    };
    let record = exported.record.display();
    let next = match cfg.objective {
        Objective::Pix2pix => {
            format!("translate with: runtime translate {record} PICTURE --out translated.png")
        }
        Objective::Gan | Objective::Autoencoder | Objective::Vae => make(&exported),
    };
    Ok(report(&exported, "the trained generator", &next))
}

/// How to make an image with an exported generator.
pub fn make(exported: &Exported) -> String {
    format!("make a face with: runtime generate {} --out face.png", exported.record.display())
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
