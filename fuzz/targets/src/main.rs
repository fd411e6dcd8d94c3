//! Tries a reader with inputs made from its seeds, without a fuzzer: see `fuzz/README.md`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fuzz_targets::TARGETS;
use fuzz_targets::mutate::{Random, next, seeds};

/// Try readers with damaged inputs.
#[derive(Parser)]
struct Args {
    /// Reader to try [default: all of them in turn]
    target: Option<String>,
    /// Seconds to spend on each reader
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Inputs to try on each reader
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
    /// State of the random numbers to start from
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: u64,
    /// Write each input to this file before it is tried, for those that end the program
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let wanted = |name| args.target.as_deref().is_none_or(|target| target == name);
    let targets: Vec<_> = TARGETS.iter().filter(|target| wanted(target.name)).collect();
    let mut out = std::io::stdout().lock();
    if targets.is_empty() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        let _ = writeln!(out, "error: there is no such reader; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let mut faults = 0;
    for target in targets {
        let seeds = seeds(target);
        let (mut random, start) = (Random(args.from), Instant::now());
        let (mut count, mut slowest) = (0u64, (Duration::ZERO, 0));
        while count < args.count && start.elapsed().as_secs() < args.seconds {
            let before = random.0;
            let bytes = next(&mut random, &seeds, target.text);
            if let Some(path) = &args.keep
                && let Err(error) = std::fs::write(path, &bytes)
            {
                let _ = writeln!(out, "error: cannot write {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
            let began = Instant::now();
            if std::panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
                faults += 1;
                let _ = writeln!(out, "{}: a fault at --from {before}", target.name);
            }
            count += 1;
            slowest = slowest.max((began.elapsed(), before));
        }
        let _ = writeln!(
            out,
            "{}: {count} inputs in {:.1} s, the slowest {:.1} ms (--from {}), {} KiB of memory at most",
            target.name,
            start.elapsed().as_secs_f64(),
            1e3 * slowest.0.as_secs_f64(),
            slowest.1,
            peak().map_or("?".into(), |kib| kib.to_string()),
        );
    }
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Most resident memory of this process in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
