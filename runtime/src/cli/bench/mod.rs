//! `runtime bench`: how long a face takes with each instruction set, how long each layer takes, and
//! what the machine could do.

mod args;
mod compare;
#[cfg(feature = "gpu")]
mod gpu;
mod measure;
mod python;
mod text;

use std::error::Error;

pub use args::Args;
use runtime::record::Buffer;
use runtime::simd::peak;
use runtime::{Input, Isa, Limit, Limits, Model, Precision};

use super::device::{Chosen, choose};
use super::limits::Hint;
use super::load::{self, Bytes};
use super::output;
use super::pictures::pattern;
use measure::{Frame, Row, batches, layers};
use text::{json, table};

/// Measures and prints.
///
/// # Errors
/// One that names the file.
pub fn run(args: &Args, limits: &Limits) -> Result<(), Box<dyn Error>> {
    let isa = Isa::from_env()?;
    match choose(args.device)? {
        Chosen::Cpu => {}
        #[cfg(feature = "gpu")]
        Chosen::Gpu(adapter, _) => return gpu::bench(args, &adapter, limits),
    }
    let converted;
    let loaded;
    let plain;
    let bytes = match args.precision {
        None => {
            let stored = Bytes::load(args.model.as_deref(), &args.reading, limits)?;
            // An error here names the file.
            let model = stored.model(limits)?;
            plain = args.compare.map(|_| compare::graph(&model)).transpose()?;
            loaded = match stored.is_made() {
                true => stored.packed(limits),
                false => stored,
            };
            loaded.bytes()
        }
        Some(precision) => {
            let graph = load::graph_or_built_in(args.model.as_deref(), &args.reading, limits)?;
            // The speed does not depend on what int8 is calibrated on.
            let pictures = match graph.input {
                Input::Latent(_) => vec![],
                Input::Picture(shape) => vec![pattern(shape)],
            };
            converted = Buffer::from(precision.record(&graph, &pictures)?);
            plain = args.compare.map(|_| graph);
            converted.bytes()
        }
    };
    let model = Model::parse_within(bytes, limits).map_err(|e| e.to_string())?;
    let arenas = 4 * model.arena_len() as u64 * args.threads as u64;
    limits.check(Limit::Arena, arenas).map_err(|e| Hint(&e).to_string())?;
    if let Some(graph) = &plain {
        return compare::run(args, graph, &model, isa, limits);
    }
    let isas: Vec<Isa> = match args.best || Isa::is_forced() {
        true => vec![isa],
        false => Isa::all().into_iter().flatten().collect(),
    };
    let mut rows = Vec::new();
    for isa in isas {
        rows.push(Row {
            isa,
            times: batches(&model, isa, args, limits)?,
            peak: peak(isa, model.precision() == Precision::Int8),
            layers: layers(&model, isa)?,
        });
    }
    let frame = Frame::of(args, &model, bytes.len(), limits)?;
    let text = match args.json {
        true => json(&model, &frame, &rows, args)?,
        false => table(&model, &frame, &rows, args)?,
    };
    Ok(output::text(&text)?)
}
