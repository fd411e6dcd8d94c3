//! `runtime inspect`: the contents and costs of a model.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use runtime::model::{Model, key, write_line};
use runtime::simd::kernel;
use runtime::{Input, Isa, Limits, plan};

use super::load::Bytes;
use super::output;
use super::reading;
use super::terminal::escaped;

/// Arguments of `inspect`.
#[derive(clap::Args)]
pub struct Args {
    /// Burn record or ONNX file [default: the built-in face generator]
    model: Option<PathBuf>,
    #[command(flatten)]
    reading: reading::Args,
}

/// Prints the layers and facts of a model.
///
/// # Errors
/// One that names the file.
pub fn run(args: &Args, limits: &Limits) -> Result<(), Box<dyn Error>> {
    let bytes = Bytes::load(args.model.as_deref(), &args.reading, limits)?;
    let text = describe(&bytes.model(limits)?, bytes.len(), Isa::from_env()?)?;
    output::text(&text)?;
    Ok(())
}

fn describe(model: &Model<'_>, bytes: usize, isa: Isa) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let out = &mut text;
    let facts = [
        ("name", model.fact(key::NAME)),
        ("license", model.fact(key::LICENSE)),
        ("data", model.fact(key::DATA)),
        ("trained", model.fact(key::TRAINED)),
    ];
    for (what, fact) in facts {
        if !fact.is_empty() {
            writeln!(out, "{what:<16}{}", escaped(fact))?;
        }
    }
    let labels: Vec<&str> = model.labels().collect();
    if !labels.is_empty() {
        writeln!(out, "{:<16}{}", "labels", labels.join(", "))?;
    }
    let (black, white) = model.range();
    match model.input() {
        Input::Latent(n) => writeln!(out, "{:<16}{n} values", "latent")?,
        Input::Picture(shape) => writeln!(out, "{:<16}{shape}", "picture")?,
    }
    writeln!(out, "{:<16}{}", "image", model.output())?;
    writeln!(out, "{:<16}{black} (black) to {white} (white)", "values")?;
    writeln!(out, "{:<16}{}", "precision", model.precision().name())?;
    writeln!(out, "{:<16}{}", "parameters", grouped(model.parameters() as u64))?;
    writeln!(out, "{:<16}{}", "multiply-adds", grouped(model.multiply_adds()))?;
    writeln!(out, "{:<16}{} bytes", "record", grouped(bytes as u64))?;
    let arena = 4 * model.arena_len() as u64;
    writeln!(out, "{:<16}{} bytes, including scratch", "arena", grouped(arena))?;
    writeln!(out, "{:<16}{}\n", "instructions", isa.name())?;
    let names: Vec<String> = model.layers().iter().map(|l| escaped(l.name)).collect();
    let longest = names.iter().map(String::len).max();
    let wide = longest.unwrap_or(0).max(5) + 2;
    let mut lines = Vec::new();
    for (i, layer) in model.layers().iter().enumerate() {
        let mut line = String::new();
        write_line(&mut line, "", &layer.op, layer.activation, model.reads(i))?;
        lines.push(escaped(line.trim_start()));
    }
    let longest = lines.iter().map(String::len).max();
    let long = longest.unwrap_or(0).max(40) + 2;
    writeln!(
        out,
        "{:<wide$}{:<long$}{:<16}{:>12}{:>14}{:>12}  kernel",
        "layer", "operation", "output", "parameters", "multiply-adds", "arena"
    )?;
    for ((layer, name), line) in model.layers().iter().zip(&names).zip(&lines) {
        writeln!(
            out,
            "{:<wide$}{:<long$}{:<16}{:>12}{:>14}{:>12}  {}",
            name,
            line,
            layer.output.to_string(),
            grouped(layer.parameters() as u64),
            grouped(layer.op.multiply_adds(layer.input, layer.output)),
            grouped(4 * plan::layer_len(layer, 1) as u64),
            kernel(isa, layer)
        )?;
    }
    Ok(text)
}

/// A number with its digits in groups of three.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (n, want) in cases {
            assert_eq!(super::grouped(n), want);
        }
    }
}
