//! A model from a file, or the built-in one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use runtime::graph::{Graph, GraphError};
use runtime::onnx::{self, OnnxError};
use runtime::record::Buffer;
use runtime::{Model, Precision};

/// Why a model cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The record is damaged or not a model: what is wrong.
    Record(PathBuf, String),
    /// The ONNX file is not a supported generator.
    Onnx(PathBuf, OnnxError),
    /// The ONNX generator cannot be written as a record.
    Graph(PathBuf, GraphError),
    /// The record cannot be converted to another precision.
    Final(PathBuf, Precision),
    /// The file is neither a record nor ONNX.
    Unknown(PathBuf),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            LoadError::Record(path, what) => write!(f, "{}: {what}", path.display()),
            LoadError::Onnx(path, _) | LoadError::Graph(path, _) => {
                write!(f, "{}", path.display())
            }
            LoadError::Final(path, precision) => write!(
                f,
                "{} is already {}; convert the model it was made from",
                path.display(),
                precision.name()
            ),
            LoadError::Unknown(path) => {
                write!(f, "{} is neither a burn record nor an ONNX model", path.display())
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Read(_, error) => Some(error),
            LoadError::Onnx(_, error) => Some(error),
            LoadError::Graph(_, error) => Some(error),
            LoadError::Record(..) | LoadError::Final(..) | LoadError::Unknown(_) => None,
        }
    }
}

/// The bytes of a record, kept while a model borrows them.
pub enum Bytes {
    /// Built in.
    Embedded(&'static [u8]),
    /// Mapped from a file: nothing is copied, and pages that are not used are not read. Replacing
    /// the file under its name, as all programs here do, is harmless. Writing into it may show, and
    /// truncating it kills this process; a long-running program such as a kiosk should read its
    /// model instead.
    Mapped(PathBuf, vmap::Map),
    /// Read from a file that cannot be mapped, such as a pipe.
    Read(PathBuf, Buffer),
    /// Converted from the model in a file.
    Made(PathBuf, Buffer),
}

impl Bytes {
    /// The record in `path`, or one made from the ONNX model in it, folded; without a path, the
    /// built-in one.
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn load(path: Option<&Path>) -> Result<Bytes, LoadError> {
        let Some(path) = path else {
            let record = runtime::include_record!("../../../models/pretrained/faces64.bpk");
            return Ok(Bytes::Embedded(record));
        };
        let bytes = Bytes::open(path)?;
        if is_record(bytes.bytes()) {
            return Ok(bytes);
        }
        let mut graph = from_onnx(path, bytes.bytes())?;
        graph.fold();
        let record = graph.to_buffer();
        let record = record.map_err(|e| LoadError::Graph(path.into(), e))?;
        Ok(Bytes::Made(path.into(), record))
    }

    /// A file, mapped if possible and read otherwise.
    fn open(path: &Path) -> Result<Bytes, LoadError> {
        let failed = |e| LoadError::Read(path.into(), e);
        let mut file = File::open(path).map_err(failed)?;
        if let Ok(map) = vmap::Map::with_options().map(&file) {
            return Ok(Bytes::Mapped(path.into(), map));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        Ok(Bytes::Read(path.into(), Buffer::from(bytes)))
    }

    /// Parses the model.
    ///
    /// # Errors
    /// [`LoadError::Record`] names the file.
    pub fn model(&self) -> Result<Model<'_>, LoadError> {
        let (bytes, path) = match self {
            Bytes::Embedded(bytes) => (*bytes, Path::new("the built-in model")),
            Bytes::Mapped(path, map) => (&map[..], path.as_path()),
            Bytes::Read(path, buffer) | Bytes::Made(path, buffer) => {
                (buffer.bytes(), path.as_path())
            }
        };
        Model::parse(bytes).map_err(|e| LoadError::Record(path.into(), e.to_string()))
    }

    /// Whether they were converted from another format.
    pub fn is_made(&self) -> bool {
        matches!(self, Bytes::Made(..))
    }

    /// The same model packed, if it is f32 and can be: faster for more than a few faces.
    pub fn packed(self) -> Bytes {
        let packed = self.model().ok().and_then(|model| match model.precision() {
            Precision::F32 => Graph::from_model(&model).pack().ok(),
            Precision::Packed | Precision::F16 | Precision::Int8 => None,
        });
        match (packed, self) {
            (
                Some(record),
                Bytes::Mapped(path, _) | Bytes::Read(path, _) | Bytes::Made(path, _),
            ) => Bytes::Made(path, record.into()),
            (Some(record), Bytes::Embedded(_)) => {
                Bytes::Made("the built-in model".into(), record.into())
            }
            (None, bytes) => bytes,
        }
    }

    /// The record.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Bytes::Embedded(bytes) => bytes,
            Bytes::Mapped(_, map) => map,
            Bytes::Read(_, buffer) | Bytes::Made(_, buffer) => buffer.bytes(),
        }
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }
}

/// The graph of a record or ONNX file, as stored.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn graph(path: &Path) -> Result<Graph, LoadError> {
    let bytes = Bytes::open(path)?;
    if !is_record(bytes.bytes()) {
        return from_onnx(path, bytes.bytes());
    }
    let model = bytes.model()?;
    match model.precision() {
        Precision::F32 => Ok(Graph::from_model(&model)),
        Precision::Packed | Precision::F16 | Precision::Int8 => {
            Err(LoadError::Final(path.into(), model.precision()))
        }
    }
}

/// The graph of a file, or of the built-in model without a path.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn graph_or_built_in(path: Option<&Path>) -> Result<Graph, LoadError> {
    match path {
        Some(path) => graph(path),
        None => Ok(Graph::from_model(&Bytes::load(None)?.model()?)),
    }
}

/// Whether the bytes begin as a burn record does.
fn is_record(bytes: &[u8]) -> bool {
    bytes.starts_with(b"NRUB")
}

fn from_onnx(path: &Path, bytes: &[u8]) -> Result<Graph, LoadError> {
    onnx::read(bytes).map_err(|error| match error {
        OnnxError::NotOnnx(_) => LoadError::Unknown(path.into()),
        error => LoadError::Onnx(path.into(), error),
    })
}
