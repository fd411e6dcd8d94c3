//! `runtime completions` and `runtime man`, for packages.

use std::error::Error;

use clap::CommandFactory;
use clap_complete::Shell;

use super::output;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints a completion script.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions<C: CommandFactory>(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "runtime", &mut script);
    Ok(output::print(&script)?)
}

/// Prints the manual page.
///
/// # Errors
/// If standard output cannot be written.
pub fn man<C: CommandFactory>() -> Result<(), Box<dyn Error>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(C::command()).render(&mut page)?;
    Ok(output::print(&page)?)
}
