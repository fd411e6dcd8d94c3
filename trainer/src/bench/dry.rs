//! A dry run: every setting and its origin, the sizes of the networks, time and memory of a few
//! steps, and the sizes of the exported files.

use std::fmt;
use std::fs;
use std::time::Duration;

use burn::module::Module;
use models::dcgan::Unsupported;
use runtime::Input;
use runtime::graph::{Facts, Graph, GraphError};
use runtime::model::Model;
use runtime::record::Buffer;

use super::cpu;
use crate::config::{Config, Objective, Origin};
use crate::export;
use crate::networks;
use crate::run::stats::clock;

/// How long steps are measured.
const SPAN: Duration = Duration::from_secs(1);
/// Seeds that int8 is calibrated on: few, since the size does not depend on them.
const SEEDS: std::ops::Range<u64> = 0..2;

/// The report of a dry run.
#[derive(Debug)]
pub struct Dry {
    settings: Vec<(String, String, Origin)>,
    parameters: [usize; 2],
    second: &'static str,
    multiply_adds: u64,
    /// Generators, with a second network each.
    directions: usize,
    images_per_s: f64,
    left: u64,
    memory: Option<u64>,
    exported: Vec<Exported>,
}

/// An exported file.
#[derive(Debug)]
struct Exported {
    precision: &'static str,
    bytes: usize,
    arena: usize,
}

/// Why a run would fail.
#[derive(Debug)]
pub enum DryError {
    /// There is no network of these settings.
    Network(Unsupported),
    /// The generator cannot be exported.
    Graph(GraphError),
    /// The record of this precision does not read back.
    Record(&'static str, String),
}

impl fmt::Display for DryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DryError::Network(_) => write!(f, "cannot build the networks"),
            DryError::Graph(_) => write!(f, "the generator cannot be exported"),
            DryError::Record(precision, what) => {
                write!(f, "the {precision} record cannot be read back: {what}")
            }
        }
    }
}

impl std::error::Error for DryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DryError::Network(e) => Some(e),
            DryError::Graph(e) => Some(e),
            DryError::Record(..) => None,
        }
    }
}

impl Dry {
    /// Builds the networks of `cfg` and takes a few steps on noise. `left` is the number of images
    /// that remain, `settings` come from [`Config::origins`].
    ///
    /// # Errors
    /// [`DryError`]: what would stop the run at its start or end.
    pub fn run(
        cfg: &Config,
        settings: Vec<(String, String, Origin)>,
        left: u64,
    ) -> Result<Dry, DryError> {
        let device = cfg.device.open();
        let mut state = networks::fresh(cfg, &device).map_err(DryError::Network)?;
        let parameters = [state.g.num_params(), state.d.num_params()];
        let facts = Facts { labels: cfg.labels.clone(), range: cfg.range(), ..Facts::default() };
        let mut graph = match cfg.objective {
            Objective::Pix2pix | Objective::Cyclegan => {
                export::translator(&state.ema, cfg.input_shape(), facts)
            }
            Objective::Gan | Objective::Autoencoder | Objective::Vae => {
                export::graph(&state.ema, cfg.nz, facts)
            }
        };
        graph.fold();
        let (multiply_adds, exported) = exported(&graph)?;
        let step = cpu::whole(cfg, &mut state, SPAN);
        Ok(Dry {
            settings,
            parameters,
            second: match cfg.objective {
                Objective::Gan | Objective::Pix2pix | Objective::Cyclegan => "discriminator",
                Objective::Autoencoder | Objective::Vae => "encoder",
            },
            multiply_adds,
            directions: cfg.exports().len(),
            images_per_s: cfg.step() as f64 / step,
            left,
            memory: peak_memory(),
            exported,
        })
    }
}

fn exported(graph: &Graph) -> Result<(u64, Vec<Exported>), DryError> {
    let quantized = match graph.input {
        Input::Latent(_) => graph.quantize(SEEDS),
        Input::Picture(shape) => {
            let pictures: Vec<_> = SEEDS.map(|seed| export::picture(shape, seed)).collect();
            graph.quantize_on_pictures(&pictures)
        }
    };
    let records = [
        ("f32", graph.to_record()),
        ("packed", graph.pack()),
        ("f16", graph.halve()),
        ("int8", quantized),
    ];
    let (mut multiply_adds, mut all) = (0, Vec::new());
    for (precision, record) in records {
        let record = match record {
            Ok(record) => record,
            // Only f32 records support every list of layers.
            Err(_) if precision != "f32" => continue,
            Err(e) => return Err(DryError::Graph(e)),
        };
        let buffer = Buffer::from(&record);
        let model =
            Model::parse(buffer.bytes()).map_err(|e| DryError::Record(precision, e.to_string()))?;
        multiply_adds = model.multiply_adds();
        all.push(Exported {
            precision,
            bytes: record.len(),
            arena: model.arena_len() * size_of::<f32>(),
        });
    }
    Ok((multiply_adds, all))
}

/// Peak memory of this process in bytes, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

impl fmt::Display for Dry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value, origin) in &self.settings {
            writeln!(f, "{key:<16} {value:<28} {origin}")?;
        }
        let [g, d] = self.parameters;
        writeln!(
            f,
            "\ngenerator        {g} parameters, {:.1} M multiply-adds an image",
            self.multiply_adds as f64 / 1e6
        )?;
        writeln!(f, "{:<16} {d} parameters", self.second)?;
        if self.directions > 1 {
            writeln!(f, "directions       {}, each with both networks", self.directions)?;
        }
        let seconds = self.left as f64 / self.images_per_s;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        writeln!(
            f,
            "training         {} images at {:.1}/s (measured now): {}",
            self.left,
            self.images_per_s,
            clock(time)
        )?;
        if let Some(memory) = self.memory {
            writeln!(f, "memory           {} MB, the data and a few steps", memory >> 20)?;
        }
        for Exported { precision, bytes, arena } in &self.exported {
            writeln!(f, "exported {precision:<7} {bytes} bytes of flash, {arena} bytes of RAM")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    #[test]
    fn every_setting_size_and_time_is_there() {
        let flags: Table = "size = 16\nngf = 2\nndf = 2\nnz = 8\nbatch = 4".parse().unwrap();
        let recipe = Some("faces");
        let cfg = Config::new(recipe, &flags).unwrap();
        let origins = Config::origins(recipe, &flags).unwrap();
        let of = |key: &str| origins.iter().find(|(k, _, _)| k == key).map(|(_, _, o)| o.clone());
        assert_eq!(of("batch"), Some(Origin::Flag));
        assert_eq!(of("mirror"), Some(Origin::Recipe("faces".into())));
        assert_eq!(of("workers"), Some(Origin::Default));
        let text = Dry::run(&cfg, origins, 1_000).unwrap().to_string();
        for want in
            ["batch", "recipe faces", "exported f32", "exported int8", "1000 images", "parameters"]
        {
            assert!(text.contains(want), "{want} is missing in\n{text}");
        }
    }
}
