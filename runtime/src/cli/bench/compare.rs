//! `runtime bench --compare`: another engine on the same model, in turns with ours.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use runtime::graph::Graph;
use runtime::op::Shape;
use runtime::{Cpu, Image, Input, Isa, Latent, Limit, Limits, Model, Precision, onnx};

use super::args::Args;
use super::measure::{Times, batches};
use super::python::Python;
use crate::cli::limits::Hint;
use crate::cli::output;
use crate::cli::pictures::pattern;

/// What Python runs.
const SCRIPT: &str = include_str!("onnxruntime.py");

/// Turns of each engine.
const ROUNDS: usize = 5;

/// Most pictures whose pixels are compared.
const COMPARED: usize = 8;

/// Most that a byte of f32 may differ: sums in another order round otherwise.
const APART: u8 = 2;

/// The f32 model in a record, folded, to write as ONNX.
///
/// # Errors
/// If it is of another precision, from which f32 cannot be made.
pub fn graph(model: &Model<'_>) -> Result<Graph, String> {
    match model.precision() {
        Precision::F32 => {
            let mut graph = Graph::from_model(model);
            graph.fold();
            Ok(graph)
        }
        other @ (Precision::Packed | Precision::F16 | Precision::Int8) => Err(format!(
            "--compare needs f32 weights, which a record in {0} does not have; \
             name the model that it was made from, with --precision {0}",
            other.name()
        )),
    }
}

/// Measures both and prints.
///
/// # Errors
/// One that says what is missing, or what the other engine did wrong.
pub fn run(
    args: &Args,
    graph: &Graph,
    model: &Model<'_>,
    isa: Isa,
    limits: &Limits,
) -> Result<(), Box<dyn Error>> {
    let kept = args.batch.min(COMPARED);
    let start = Instant::now();
    let ours = pixels(model, isa, kept)?;
    let face = start.elapsed() / kept as u32;
    // Unlike us, onnxruntime holds the activations of a whole batch.
    let bytes = 4 * model.arena_len() as u64 * args.batch as u64;
    let within = limits.check(Limit::Arena, bytes);
    within.map_err(|e| format!("a batch of {} in onnxruntime: {}", args.batch, Hint(&e)))?;

    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("run.py"), SCRIPT)?;
    std::fs::write(at("model.onnx"), onnx::write(graph).map_err(|e| e.to_string())?)?;
    let inputs = inputs(model, args.batch);
    let bytes: Vec<u8> = inputs.iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(at("input"), bytes)?;
    let command: [OsString; 8] = [
        at("run.py").into(),
        at("model.onnx").into(),
        at("input").into(),
        shape(model, args.batch).into(),
        at("output").into(),
        kept.to_string().into(),
        args.threads.to_string().into(),
        args.seconds.to_string().into(),
    ];
    let command = command.iter().map(OsString::as_os_str);
    let mut python = Python::start(&args.python, command)?;
    // An engine on a busy machine may take a hundred times as long.
    let patience = Duration::from_secs(60) + face * 100 * args.batch as u32;
    let ready = python.answer("ready", patience)?;
    let [version, python_version] = &ready[..] else {
        return Err(python.unexpected(&ready).into());
    };
    let (worst, mean) = apart(&ours, &theirs(&at("output"), model, kept)?);
    // Before the long part, so that a signal leaves nothing behind.
    drop(folder);
    let strict = matches!(model.precision(), Precision::F32 | Precision::Packed);
    if strict && worst > APART {
        return Err(format!(
            "the pixels of onnxruntime {version} differ by up to {worst} of 255, \
             {mean:.3} on average"
        )
        .into());
    }
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let ours = batches(model, isa, args, limits)?;
        python.ask();
        let within = patience + Duration::from_secs_f64(args.seconds + 400.0 * ours.ms(0.5) / 1e3);
        let words = python.answer("times", within)?;
        let numbers = words.iter().map(|word| word.parse().ok().filter(|t: &f64| *t > 0.0));
        let theirs = match numbers.collect::<Option<Vec<f64>>>().as_deref() {
            Some(&[least, median]) if median.is_finite() => [least * 1e3, median * 1e3],
            _ => return Err(python.unexpected(&words).into()),
        };
        rounds.push(Round { ours: [ours.ms(0.0), ours.ms(0.5)], theirs });
    }
    let compared = Compared { version, python_version, kept, worst, mean, rounds };
    let text = match args.json {
        true => compared.json(model, isa, args),
        false => compared.table(model, isa, args)?,
    };
    Ok(output::text(&text)?)
}

/// What the model reads for a batch, as floats. Both engines get the same.
fn inputs(model: &Model<'_>, batch: usize) -> Vec<f32> {
    match model.input() {
        Input::Latent(n) => {
            let mut all = vec![0.0; n * batch];
            for (seed, z) in all.chunks_exact_mut(n.max(1)).enumerate() {
                // Those of a seed have any length.
                let _ = Latent::from_seed(seed as u64).fill_for(z, model.classes());
            }
            all
        }
        Input::Picture(shape) => {
            let pixels = pattern(shape);
            let plane = |c| pixels.iter().skip(c).step_by(shape.c);
            let values: Vec<f32> =
                (0..shape.c).flat_map(plane).map(|byte| f32::from(*byte) / 127.5 - 1.0).collect();
            values.repeat(batch)
        }
    }
}

/// The shape of a batch of inputs, such as `1x100`.
fn shape(model: &Model<'_>, batch: usize) -> String {
    match model.input() {
        Input::Latent(n) => format!("{batch}x{n}"),
        Input::Picture(Shape { c, h, w }) => format!("{batch}x{c}x{h}x{w}"),
    }
}

/// The pixels of the first pictures of a batch.
fn pixels(model: &Model<'_>, isa: Isa, count: usize) -> Result<Vec<[u8; 4]>, Box<dyn Error>> {
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::with(model, &mut arena, Some(isa))?;
    let mut all = Vec::new();
    for seed in 0..count as u64 {
        match model.input() {
            Input::Latent(_) => all.extend(cpu.generate(&Latent::from_seed(seed))?.rgba()),
            Input::Picture(shape) => all.extend(cpu.translate(&pattern(shape))?.rgba()),
        }
    }
    Ok(all)
}

/// The same from the values that Python wrote.
fn theirs(path: &Path, model: &Model<'_>, count: usize) -> Result<Vec<[u8; 4]>, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|e| format!("no output of onnxruntime: {e}"))?;
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let output = model.output();
    let need = output.values() * count;
    if values.len() != need {
        let got = values.len();
        return Err(format!("onnxruntime made {got} values instead of {need}").into());
    }
    let faces = values.chunks_exact(output.values());
    Ok(faces.flat_map(|face| Image::new(face, output, model.range()).rgba()).collect())
}

/// The largest and the mean difference of bytes.
fn apart(a: &[[u8; 4]], b: &[[u8; 4]]) -> (u8, f64) {
    let both = a.as_flattened().iter().zip(b.as_flattened());
    let (mut worst, mut sum) = (0, 0);
    for (a, b) in both {
        worst = worst.max(a.abs_diff(*b));
        sum += u64::from(a.abs_diff(*b));
    }
    (worst, sum as f64 / a.as_flattened().len().max(1) as f64)
}

/// Least and median milliseconds of a batch, in one turn of each.
struct Round {
    ours: [f64; 2],
    theirs: [f64; 2],
}

/// All rounds.
struct Compared<'a> {
    version: &'a str,
    python_version: &'a str,
    /// Pictures whose pixels were compared.
    kept: usize,
    /// Largest and mean difference of their bytes.
    worst: u8,
    mean: f64,
    rounds: Vec<Round>,
}

impl Compared<'_> {
    /// The least and the median over the rounds.
    fn over(&self, of: impl Fn(&Round) -> f64) -> [f64; 2] {
        let times = Times::new(self.rounds.iter().map(of).collect());
        [times.ms(0.0), times.ms(0.5)].map(|ms| ms / 1e3)
    }

    fn ours(&self) -> [f64; 2] {
        [self.over(|r| r.ours[0])[0], self.over(|r| r.ours[1])[1]]
    }

    fn theirs(&self) -> [f64; 2] {
        [self.over(|r| r.theirs[0])[0], self.over(|r| r.theirs[1])[1]]
    }

    /// How many times as fast we are: by the least times, and the median of the ratios of rounds,
    /// because what disturbs the machine disturbs both.
    fn ratios(&self) -> [f64; 2] {
        [self.theirs()[0] / self.ours()[0], self.over(|r| r.theirs[1] / r.ours[1])[1]]
    }

    fn table(&self, model: &Model<'_>, isa: Isa, args: &Args) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let threads = match args.threads {
            1 => "1 thread".into(),
            n => format!("{n} threads"),
        };
        writeln!(
            text,
            "{threads}, batches of {}, {ROUNDS} turns of {} s each; times per batch",
            args.batch, args.seconds
        )?;
        writeln!(text, "{:<36}{:>12}{:>12}", "", "min ms", "median ms")?;
        let own = format!("runtime, {}, {}", model.precision().name(), isa.name());
        let other = format!("onnxruntime {}, f32", self.version);
        for (name, [least, median]) in [(own, self.ours()), (other, self.theirs())] {
            writeln!(text, "{name:<36}{least:>12.3}{median:>12.3}")?;
        }
        let [least, median] = self.ratios();
        writeln!(text, "{:<36}{least:>12.2}{median:>12.2}", "times as fast")?;
        writeln!(
            text,
            "\npixels of {}: differ by at most {} of 255, by {:.3} on average",
            if self.kept == 1 { "1 picture".into() } else { format!("{} pictures", self.kept) },
            self.worst,
            self.mean
        )?;
        let program = args.python.display();
        writeln!(text, "onnxruntime of {program}, Python {}", self.python_version)?;
        Ok(text)
    }

    fn json(&self, model: &Model<'_>, isa: Isa, args: &Args) -> String {
        let [ours, theirs, ratios] = [self.ours(), self.theirs(), self.ratios()];
        format!(
            "{{\"precision\": \"{}\", \"kernels\": \"{}\", \"threads\": {}, \"batch\": {}, \"rounds\": {ROUNDS}, \
             \"min_ms\": {:.4}, \"median_ms\": {:.4}, \"onnxruntime\": {:?}, \"python\": {:?}, \
             \"onnxruntime_min_ms\": {:.4}, \"onnxruntime_median_ms\": {:.4}, \"min_ratio\": {:.4}, \
             \"median_ratio\": {:.4}, \"largest_difference\": {}, \"mean_difference\": {:.4}}}\n",
            model.precision().name(),
            isa.name(),
            args.threads,
            args.batch,
            ours[0],
            ours[1],
            self.version,
            self.python_version,
            theirs[0],
            theirs[1],
            ratios[0],
            ratios[1],
            self.worst,
            self.mean
        )
    }
}
