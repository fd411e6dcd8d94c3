//! The `runtime` program: arguments, verb, exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli {
    pub mod args;
    pub mod bench;
    pub mod convert;
    pub mod device;
    pub mod error;
    pub mod faces;
    pub mod generate;
    #[cfg(feature = "gpu")]
    pub mod gpu;
    pub mod inspect;
    pub mod limits;
    pub mod load;
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub mod memory;
    pub mod npy;
    pub mod output;
    pub mod picture;
    pub mod pictures;
    pub mod precision;
    pub mod progress;
    pub mod psnr;
    pub mod read;
    pub mod reading;
    pub mod shell;
    pub mod terminal;
    pub mod threads;
    pub mod translate;
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[global_allocator]
static MEMORY: cli::memory::Memory = cli::memory::Memory;

#[derive(Parser)]
#[command(
    name = "runtime",
    version,
    about = "Run image generators small enough for the device in your hand",
    after_help = "MODEL is a burn record (.bpk) exported by trainer, or an ONNX file. Without one, the built-in\n\
                  face generator is used. `runtime VERB -h` lists the options of a verb, `--help` explains them."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    limits: cli::limits::Args,
}

#[derive(Subcommand)]
enum Verb {
    /// Generate pictures: a seed gives the same picture on every device
    Generate(cli::generate::Args),
    /// Translate pictures: a sketch to a photograph, a horse to a zebra
    Translate(cli::translate::Args),
    /// Show the layers, sizes, memory and facts of a model
    Inspect(cli::inspect::Args),
    /// Convert a model to a burn record or to ONNX
    Convert(cli::convert::Args),
    /// Measure how fast a model runs on this machine
    Bench(cli::bench::Args),
    /// List the CPU and the Vulkan adapters of this machine
    Devices,
    /// Print a completion script for a shell
    #[command(hide = true)]
    Completions(cli::shell::Args),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

fn main() -> ExitCode {
    let Cli { verb, limits } = Cli::parse();
    let limits = limits.limits();
    let result = match verb {
        Verb::Generate(args) => cli::generate::run(&args, &limits),
        Verb::Translate(args) => cli::translate::run(&args, &limits),
        Verb::Inspect(args) => cli::inspect::run(&args, &limits),
        Verb::Convert(args) => cli::convert::run(&args, &limits),
        Verb::Bench(args) => cli::bench::run(&args, &limits),
        Verb::Devices => cli::device::list(),
        Verb::Completions(args) => cli::shell::completions::<Cli>(&args),
        Verb::Man => cli::shell::man::<Cli>(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough, as `head` does.
        Err(error) if cli::error::is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::terminal::note(format_args!("error: {}", cli::error::chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}
