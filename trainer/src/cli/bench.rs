//! `trainer bench`.

use std::time::Duration;

use trainer::bench::cpu::{self, Report};

use super::output::{Ended, complain, print};
use super::settings::Settings;
use super::values::whole;

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer bench                                    a step of the default recipe
  trainer bench --recipe dcgan-tutorial --batch 64 the tutorial's, to compare with docs/compare/step.py
  trainer bench --recipe faces --json
  trainer bench --device vulkan --batch 128        a step on a GPU, launch by launch";

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Threads that compute; 0: one per core
    #[arg(long, default_value_t = 0, value_parser = whole::<usize>(0..=1024))]
    threads: usize,
    /// Seconds to measure whole steps for
    #[arg(long, default_value_t = 5, value_parser = whole::<u64>(0..=86_400))]
    seconds: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Try every tile for every convolution instead (on a GPU)
    #[cfg(feature = "gpu")]
    #[arg(long, hide = true)]
    tiles: bool,
}

/// Measures a training step.
///
/// # Errors
/// One that names the setting or the device.
pub fn run(args: &Args) -> Ended {
    let cfg = args.settings.resolve()?;
    // A step costs the same whatever the classes are called.
    let ten: Vec<String> = (0..10).map(|label| label.to_string()).collect();
    let cfg = cfg.classed(&ten)?;
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    let span = Duration::from_secs(args.seconds);
    if let Some(chosen) = cfg.device.prepare(cfg.precision)? {
        complain(chosen);
    }
    #[cfg(feature = "gpu")]
    if cfg.device.open() != burn::tensor::Device::flex().autodiff() {
        return match args.tiles {
            true => gpu::tiles(&cfg),
            false => gpu::report(&trainer::bench::gpu::measure(&cfg, span)?, args.json),
        };
    }
    let report = cpu::measure(&cfg, span)?;
    match args.json {
        true => print(format!("{}\n", serde_json::to_string(&report)?))?,
        false => print(table(&report))?,
    }
    Ok(())
}

/// The report as a table.
fn table(report: &Report) -> String {
    let mut text = format!(
        "{:<34} {:<9} {:>5} {:>9} {:>8} {:>9}\n",
        "operation", "", "times", "ms", "share", "of peak"
    );
    for row in &report.rows {
        let share = row.seconds * row.times as f64 / report.step;
        let (ms, share) = (row.seconds * 1e3, share * 100.0);
        text += &format!(
            "{:<34} {:<9} {:>5} {ms:>9.2} {share:>6.1} % {:>9}\n",
            row.name,
            row.what,
            row.times,
            of_peak(row.multiply_adds, row.seconds, report.peak)
        );
    }
    text += &format!(
        "parts {:.1} ms, whole step {:.1} ms: Adam, averages, losses, memory {:.1} ms\n",
        report.parts() * 1e3,
        report.step * 1e3,
        (report.step - report.parts()) * 1e3
    );
    text += &format!(
        "batch {}, {} threads: {:.1} images/s; {:.1} images/s if every multiply-add of the direct \
         algorithm ({:.0} M per image) ran at the measured peak ({:.0} G multiply-adds/s)\n",
        report.batch,
        report.threads,
        report.images_per_s(),
        report.limit(),
        report.multiply_adds / 1e6,
        report.peak / 1e9
    );
    text
}

/// The share of `peak` at which `work` multiply-adds ran; empty without work.
fn of_peak(work: f64, seconds: f64, peak: f64) -> String {
    match work {
        0.0 => String::new(),
        work => format!("{:.0} %", 100.0 * work / seconds / peak),
    }
}

#[cfg(feature = "gpu")]
mod gpu {
    use trainer::bench::gpu::{self, Report};
    use trainer::config::{Config, Precision};

    use super::super::output::{Ended, print};
    use super::of_peak;

    /// Prints the launches of a step.
    pub fn report(report: &Report, json: bool) -> Ended {
        if json {
            print(format!("{}\n", serde_json::to_string(report)?))?;
            return Ok(());
        }
        let busy = report.busy();
        print(format!(
            "{:<44} {:>5} {:>9} {:>8} {:>9}\n",
            "launches", "times", "ms", "share", "of peak"
        ))?;
        for row in &report.rows {
            let (ms, share) = (row.seconds * 1e3, 100.0 * row.seconds / busy);
            print(format!(
                "{:<44} {:>5} {ms:>9.3} {share:>6.1} % {:>9}\n",
                row.name,
                row.times,
                of_peak(row.multiply_adds, row.seconds, report.peak)
            ))?;
        }
        let work: f64 = report.rows.iter().map(|r| r.multiply_adds).sum();
        let precision = if report.matrix_units { "mixed" } else { "f32" };
        print(format!(
            "batch {}, {precision}: {} launches take {:.2} ms in total; a whole step takes {:.2} ms: {:.0} images/s\n\
             measured peak: {:.0} G multiply-adds/s in 32-bit floats; the convolutions need {:.0} M per image\n",
            report.batch,
            report.launches,
            busy * 1e3,
            report.step * 1e3,
            report.images_per_s(),
            report.peak / 1e9,
            work / report.batch as f64 / 1e6
        ))?;
        Ok(())
    }

    /// Prints the time of every tile for every convolution.
    pub fn tiles(cfg: &Config) -> Ended {
        let matrix = cfg.precision == Precision::Mixed;
        let mut printed = Ok(());
        gpu::tiles(cfg, matrix, |trials| {
            let mut text = String::new();
            for (i, trial) in trials.iter().enumerate() {
                if i == 0 {
                    text += &format!("{}\n", trial.pass);
                }
                text += &format!(
                    "  {:<26} parts {:>3} {:>8.1} us {:>7.2} T/s  off {:.0e}{}\n",
                    trial.tile,
                    trial.parts,
                    trial.seconds * 1e6,
                    trial.multiply_adds / trial.seconds / 1e12,
                    trial.off,
                    if trial.used { "  used" } else { "" }
                );
            }
            if printed.is_ok() {
                printed = print(text);
            }
        })?;
        Ok(printed?)
    }
}
