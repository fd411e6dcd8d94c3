//! The `trainer` program.

mod cli;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use cli::output::{Ended, chain, complain, is_lost};
use cli::{
    anomalies, arithmetic, bench, data, duplicates, evaluate, export, fit, help, import,
    interpolate, memory, recipes, reconstruct, report, restore, sample,
};

/// Train image generators and export them as burn records and ONNX.
#[derive(Parser)]
#[command(name = "trainer", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Draw, show and inspect images
    #[command(after_long_help = data::EXAMPLES)]
    Data(data::Args),
    /// List the recipes, or print one
    Recipes(recipes::Args),
    /// Train a generator, or resume a run
    #[command(after_long_help = fit::EXAMPLES)]
    Fit(Box<fit::Args>),
    /// Write a run as one HTML page: curves, grids, scores, settings
    Report(report::Args),
    /// Measure a training step, part by part
    #[command(after_long_help = bench::EXAMPLES)]
    Bench(Box<bench::Args>),
    /// Write a sheet of samples
    Sample(sample::Args),
    /// Walk from seed to seed: a grid, or a GIF
    #[command(after_long_help = interpolate::EXAMPLES)]
    Interpolate(interpolate::Args),
    /// Add and subtract latents: smiling woman - woman + man
    #[command(after_long_help = arithmetic::EXAMPLES)]
    Arithmetic(arithmetic::Args),
    /// Score a generator against real images
    #[command(after_long_help = evaluate::EXAMPLES)]
    Evaluate(Box<evaluate::Args>),
    /// Measure and show an autoencoder's reconstructions
    #[command(after_long_help = reconstruct::EXAMPLES)]
    Reconstruct(reconstruct::Args),
    /// Remove noise from images, or colorize gray ones
    #[command(after_long_help = restore::EXAMPLES)]
    Restore(restore::Args),
    /// Rank images by how unusual an autoencoder finds them
    #[command(after_long_help = anomalies::EXAMPLES)]
    Anomalies(anomalies::Args),
    /// Find near-duplicates by an autoencoder's codes
    #[command(after_long_help = duplicates::EXAMPLES)]
    Duplicates(duplicates::Args),
    /// Export a run's newest checkpoint as burn record and ONNX, and check both
    Export(export::Args),
    /// Convert a PyTorch generator's state dict to a burn record and ONNX
    #[command(after_long_help = import::EXAMPLES)]
    Import(Box<import::Args>),
    /// Print completions for a shell
    #[command(hide = true)]
    Completions(help::Completions),
    /// Print the man page
    #[command(hide = true)]
    Man,
}

fn main() -> ExitCode {
    let matches = help::grouped(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    if let Verb::Fit(_) | Verb::Bench(_) = cli.verb {
        memory::keep();
    }
    let done = |ended: Ended| ended.map(|()| ExitCode::SUCCESS);
    let ended = match cli.verb {
        Verb::Fit(args) => fit::run(&args),
        Verb::Data(args) => done(data::run(&args)),
        Verb::Recipes(args) => done(recipes::run(&args)),
        Verb::Report(args) => done(report::run(&args)),
        Verb::Bench(args) => done(bench::run(&args)),
        Verb::Sample(args) => done(sample::run(&args)),
        Verb::Interpolate(args) => done(interpolate::run(&args)),
        Verb::Arithmetic(args) => done(arithmetic::run(&args)),
        Verb::Evaluate(args) => done(evaluate::run(&args)),
        Verb::Reconstruct(args) => done(reconstruct::run(&args)),
        Verb::Restore(args) => done(restore::run(&args)),
        Verb::Anomalies(args) => done(anomalies::run(&args)),
        Verb::Duplicates(args) => done(duplicates::run(&args)),
        Verb::Export(args) => done(export::run(&args)),
        Verb::Import(args) => done(import::run(&args)),
        Verb::Completions(args) => done(help::completions::<Cli>(&args)),
        Verb::Man => done(help::man::<Cli>()),
    };
    match ended {
        Ok(_) if is_lost() => ExitCode::FAILURE,
        Ok(code) => code,
        Err(error) => {
            complain(format!("error: {}", chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_sound() {
        Cli::command().debug_assert();
        assert!(help::every_verb_has_a_heading(&Cli::command()));
    }
}
