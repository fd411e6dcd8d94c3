//! Why a file is not imported.

use std::fmt;
use std::path::PathBuf;

use runtime::file_kind::FileKind;

/// Why a file cannot be imported.
#[derive(Debug)]
pub enum ImportError {
    /// A file of another kind: which, and what to do.
    Kind(PathBuf, FileKind),
    /// What cannot be decided from the file, and what decides it.
    Unclear(String),
    /// Weights that belong to no layer of the generator: some of their names.
    LeftOver(Vec<String>),
    /// A file that cannot be read.
    Read(PathBuf, std::io::Error),
    /// Not a file of tensors, and the error of the parser.
    Parse(PathBuf, String),
    /// A tensor that cannot be read.
    Tensor(PathBuf, String, String),
    /// There are no layers; the names there are.
    NoLayers(PathBuf, String),
    /// No network makes an image; the networks and why they do not.
    NoGenerator(PathBuf, String),
    /// There are several generators: their names.
    Several(PathBuf, Vec<String>),
    /// No name contains the key; the names there are.
    NoKey(PathBuf, String, Vec<String>),
    /// A tensor of a layer is missing.
    Missing(String),
    /// Two tensors whose shapes do not match: name and shape of both, and what should be equal.
    Shape([(String, Vec<usize>); 2], &'static str),
    /// An unsupported layer.
    Layer(String, String),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Kind(path, kind) => write!(
                f,
                "{} is {}, not a PyTorch checkpoint: {}",
                path.display(),
                kind.name(),
                kind.advice(true)
            ),
            ImportError::Unclear(what) => write!(f, "{what}"),
            ImportError::LeftOver(names) => write!(
                f,
                "{} would be left over: choose the networks with --key, or list all layers in a \
                 file for --layers",
                names.join(", ")
            ),
            ImportError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            ImportError::Parse(path, what) => write!(
                f,
                "{} is neither a PyTorch checkpoint nor safetensors: {what}",
                path.display()
            ),
            ImportError::Tensor(path, name, what) => {
                write!(f, "{}: tensor {name}: {what}", path.display())
            }
            ImportError::NoLayers(path, found) => {
                write!(f, "{}: no weights of layers; it holds {found}", path.display())
            }
            ImportError::NoGenerator(path, why) => {
                write!(f, "{}: no generator in it: {why}", path.display())
            }
            ImportError::Several(path, names) => write!(
                f,
                "{}: several generators in it, {}: choose with --key",
                path.display(),
                names.join(" and ")
            ),
            ImportError::NoKey(path, key, names) => write!(
                f,
                "{}: no network's names have {key:?} in them; there are {}",
                path.display(),
                names.join(", ")
            ),
            ImportError::Missing(name) => write!(f, "{name} is missing"),
            ImportError::Shape([(one, a), (other, b)], what) => {
                write!(f, "{one} is {a:?} and {other} is {b:?}: {what}")
            }
            ImportError::Layer(name, what) => write!(f, "{name}: {what}"),
        }
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ImportError::Read(_, error) => Some(error),
            _ => None,
        }
    }
}
