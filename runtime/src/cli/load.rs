//! A model from a file, or the one that comes with the program.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use runtime::graph::{Graph, GraphError};
use runtime::model::{Model, Precision};
use runtime::onnx::{self, OnnxError};
use runtime::record::Buffer;

/// Why there is no model.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// A record that is damaged or of another kind: what is wrong with it.
    Record(PathBuf, String),
    /// No generator in an ONNX file.
    Onnx(PathBuf, OnnxError),
    /// An ONNX generator that the core cannot hold.
    Graph(PathBuf, GraphError),
    /// A record whose weights cannot be turned into another's.
    Final(PathBuf, Precision),
    /// Neither a record nor ONNX.
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
                "{} is {} already: convert the model that it was made of",
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
    /// Of the program itself.
    Embedded(&'static [u8]),
    /// Of a file, which is memory for as long as this lives: nothing is copied, and what the first face does not need is not
    /// read. Whoever replaces a record, as all programs here do, by another of the same name leaves this one alone. What is
    /// written into the file itself in that time may be seen, and cutting it short ends this program: what stays for
    /// long, a kiosk, reads its model.
    Mapped(PathBuf, vmap::Map),
    /// Of a file that cannot be mapped, such as a pipe.
    Read(PathBuf, Buffer),
    /// Made of the model in a file.
    Made(PathBuf, Buffer),
}

impl Bytes {
    /// The record in `path`, or made of the ONNX model in it, folded; without a path, the one that comes with the program.
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

    /// A file as it is: mapped, or where that cannot be, read.
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

    /// The model in them.
    ///
    /// # Errors
    /// [`LoadError::Record`] names the file.
    pub fn model(&self) -> Result<Model<'_>, LoadError> {
        let (bytes, path) = match self {
            Bytes::Embedded(bytes) => (*bytes, Path::new("the model of the program")),
            Bytes::Mapped(path, map) => (&map[..], path.as_path()),
            Bytes::Read(path, buffer) | Bytes::Made(path, buffer) => {
                (buffer.bytes(), path.as_path())
            }
        };
        Model::parse(bytes).map_err(|e| LoadError::Record(path.into(), e.to_string()))
    }

    /// Whether they were made of a model of another format.
    pub fn is_made(&self) -> bool {
        matches!(self, Bytes::Made(..))
    }

    /// The same model with weights in the order in which they are used, where it is one of floats that can be packed:
    /// worth the time for more than a few faces.
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
                Bytes::Made("the model of the program".into(), record.into())
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }
}

/// The graph of a file of either kind, as it is written there.
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

/// The graph of a file, or without a path that of the model that comes with the program.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn graph_or_own(path: Option<&Path>) -> Result<Graph, LoadError> {
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
