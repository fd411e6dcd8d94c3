//! Why settings are refused.

use std::fmt;
use std::path::PathBuf;

use super::recipes::RECIPES;

/// Why settings are refused.
#[derive(Debug)]
pub enum ConfigError {
    /// There is neither a recipe nor a file of this name.
    UnknownRecipe {
        /// The name.
        name: String,
        /// A similar name.
        nearest: Option<&'static str>,
    },
    /// A file that cannot be read.
    Read(PathBuf, std::io::Error),
    /// A file that is not TOML or JSON: file, format, error of the parser.
    Syntax(String, &'static str, String),
    /// There is no such key.
    UnknownKey {
        /// The file or flag.
        source: String,
        /// The key.
        key: String,
        /// A similar key.
        nearest: Option<String>,
    },
    /// A value of the wrong type: where, and the error.
    Value(String, String),
    /// A value out of range: key, value, what would work.
    Range(&'static str, String, &'static str),
    /// A setting that cannot change in an existing run: key, its value, the new value.
    Fixed(String, String, String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::UnknownRecipe { name, nearest } => {
                write!(f, "no recipe or file named {name:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => write!(f, "; there are {}", RECIPES.map(|(name, _)| name).join(", ")),
                }
            }
            ConfigError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            ConfigError::Syntax(source, form, what) => {
                write!(f, "{source} is not {form}: {what}")
            }
            ConfigError::UnknownKey { source, key, nearest } => {
                write!(f, "{source}: there is no setting {key:?}")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => Ok(()),
                }
            }
            ConfigError::Value(source, what) => write!(f, "{source}: {what}"),
            ConfigError::Range(key, got, want) => write!(f, "{key} is {got}: must be {want}"),
            ConfigError::Fixed(key, was, asked) => write!(
                f,
                "the run was started with {key} = {was}, not {asked}: \
                 give the same options or another --out"
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Read(_, error) => Some(error),
            ConfigError::UnknownRecipe { .. }
            | ConfigError::Syntax(..)
            | ConfigError::UnknownKey { .. }
            | ConfigError::Value(..)
            | ConfigError::Range(..)
            | ConfigError::Fixed(..) => None,
        }
    }
}
