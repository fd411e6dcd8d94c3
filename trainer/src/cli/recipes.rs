//! `trainer recipes`.

use toml::Table;
use trainer::config::{Config, RECIPES};

use super::output::{Ended, print};

/// Arguments of `recipes`.
#[derive(clap::Args)]
pub struct Args {
    /// Print every setting of this recipe
    name: Option<String>,
}

/// Lists the recipes, or prints one.
///
/// # Errors
/// One that names the recipe.
pub fn run(args: &Args) -> Ended {
    if let Some(name) = &args.name {
        return Ok(print(Config::new(Some(name), &Table::new())?.to_toml())?);
    }
    for (name, text) in RECIPES {
        let about = text.lines().next().unwrap_or_default();
        print(format!("{name:<22} {}\n", about.trim_start_matches("# ")))?;
    }
    Ok(())
}
