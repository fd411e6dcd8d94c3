//! What `bench` prints for the CPU.

use std::fmt::{self, Write};

use runtime::Model;
use runtime::simd::kernel;

use super::args::Args;
use super::measure::{Frame, Row};

/// A table for people.
pub fn table(
    model: &Model<'_>,
    frame: &Frame,
    rows: &[Row],
    args: &Args,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let threads = match args.threads {
        1 => "1 thread".into(),
        n => format!("{n} threads"),
    };
    let precision = model.precision().name();
    writeln!(text, "{precision}, {threads}, batches of {}; times per batch", args.batch)?;
    writeln!(
        text,
        "{:<12}{:>10}{:>12}{:>12}{:>12}{:>12}{:>18}{:>10}",
        "isa", "batches", "min ms", "median ms", "p99 ms", "faces/s", "G mult-adds/s", "of peak"
    )?;
    for row in rows {
        let rate = model.multiply_adds() as f64 * args.batch as f64 / row.times.ms(0.5) * 1e3;
        writeln!(
            text,
            "{:<12}{:>10}{:>12.3}{:>12.3}{:>12.3}{:>12.0}{:>18.1}{:>9.0}%",
            row.isa.name(),
            row.times.0.len(),
            row.times.ms(0.0),
            row.times.ms(0.5),
            row.times.ms(0.99),
            args.batch as f64 * 1e3 / row.times.ms(0.5),
            rate / 1e9,
            100.0 * rate / row.peak / args.threads as f64
        )?;
    }
    if let Some(row) = rows.last() {
        layers(&mut text, model, row)?;
    }
    limits(&mut text, frame, rows.last())?;
    Ok(text)
}

/// The layers with the fastest instruction set.
fn layers(text: &mut String, model: &Model<'_>, row: &Row) -> fmt::Result {
    writeln!(text, "\nlayers with {}, one thread", row.isa.name())?;
    for (layer, ms) in model.layers().iter().zip(&row.layers) {
        let rate = layer.op.multiply_adds(layer.input, layer.output) as f64 / ms * 1e3;
        writeln!(
            text,
            "{:<24}{:>22.3}{:>42.1}{:>9.0}%  {}",
            layer.name,
            ms,
            rate / 1e9,
            100.0 * rate / row.peak,
            kernel(row.isa, layer)
        )?;
    }
    Ok(())
}

/// The limits of the machine, and what the process takes.
fn limits(text: &mut String, frame: &Frame, row: Option<&Row>) -> fmt::Result {
    let megabytes = |bytes: f64| bytes / 1e6;
    writeln!(text)?;
    if let Some(row) = row {
        let peak = row.peak / 1e9;
        writeln!(text, "{:<24}{peak:>22.1} G/s", "peak multiply-adds")?;
    }
    let facts = [
        ("memory read", format!("{:.1} GB/s, over the size of the record", frame.read / 1e9)),
        ("start to PNG", format!("{:.1} ms, one face of the file", frame.cold)),
        ("record", format!("{:.2} MB", megabytes(frame.size as f64))),
        ("arena", format!("{:.2} MB per thread", megabytes(frame.arena as f64))),
    ];
    for (what, how_much) in facts {
        let (number, unit) = how_much.split_once(' ').unwrap_or((&how_much, ""));
        writeln!(text, "{what:<24}{number:>22} {unit}")?;
    }
    let memories = [
        ("peak memory", frame.most, "this process"),
        ("anonymous memory", frame.beside, "without record and program"),
    ];
    for (what, bytes, of) in memories {
        if let Some(bytes) = bytes {
            let bytes = megabytes(bytes as f64);
            writeln!(text, "{what:<24}{bytes:>22.1} MB, {of}")?;
        }
    }
    Ok(())
}

/// One line of JSON.
pub fn json(
    model: &Model<'_>,
    frame: &Frame,
    rows: &[Row],
    args: &Args,
) -> Result<String, fmt::Error> {
    let mut kernels = Vec::new();
    for row in rows {
        let mut text = String::new();
        let layers: Vec<String> = row.layers.iter().map(|ms| format!("{ms:.4}")).collect();
        let used = model.layers().iter().map(|layer| format!("\"{}\"", kernel(row.isa, layer)));
        write!(
            text,
            "{{\"kernels\": \"{}\", \"batches\": {}, \"min_ms\": {:.4}, \"median_ms\": {:.4}, \"p99_ms\": {:.4}, \
             \"peak_multiply_adds_per_s\": {:.0}, \"layers_ms\": [{}], \"layers\": [{}]}}",
            row.isa.name(),
            row.times.0.len(),
            row.times.ms(0.0),
            row.times.ms(0.5),
            row.times.ms(0.99),
            row.peak,
            layers.join(", "),
            used.collect::<Vec<_>>().join(", ")
        )?;
        kernels.push(text);
    }
    let number = |n: Option<u64>| n.map_or("null".into(), |n| n.to_string());
    Ok(format!(
        "{{\"precision\": \"{}\", \"threads\": {}, \"batch\": {}, \"multiply_adds\": {}, \"record_bytes\": {}, \
         \"arena_bytes\": {}, \"read_bytes_per_s\": {:.0}, \"cold_start_ms\": {:.3}, \"peak_memory_bytes\": {}, \
         \"memory_beside_files_bytes\": {}, \
         \"rows\": [{}]}}\n",
        model.precision().name(),
        args.threads,
        args.batch,
        model.multiply_adds(),
        frame.size,
        frame.arena,
        frame.read,
        frame.cold,
        number(frame.most),
        number(frame.beside),
        kernels.join(", ")
    ))
}
