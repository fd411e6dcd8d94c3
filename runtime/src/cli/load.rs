//! A model from a file, or the one that comes with the program.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
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
            LoadError::Unknown(path) => write!(
                f,
                "{} is neither a burn record nor an ONNX model",
                path.display()
            ),
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
    /// Of a file, or made from one.
    Owned(PathBuf, Buffer),
}

impl Bytes {
    /// The record in `path`, or made of the ONNX model in it; without a path, the one that comes with the program.
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn load(path: Option<&Path>) -> Result<Bytes, LoadError> {
        let Some(path) = path else {
            let record = runtime::include_record!("../../../models/pretrained/faces64.bpk");
            return Ok(Bytes::Embedded(record));
        };
        let bytes = read(path).map_err(|e| LoadError::Read(path.into(), e))?;
        let record = match is_record(bytes.bytes()) {
            true => bytes,
            false => {
                let mut graph = from_onnx(path, bytes.bytes())?;
                graph.fold();
                // What blocks cannot be made for runs without.
                let record = graph.pack().or_else(|_| graph.to_record());
                Buffer::from(record.map_err(|e| LoadError::Graph(path.into(), e))?)
            }
        };
        Ok(Bytes::Owned(path.into(), record))
    }

    /// [`Bytes::load`] with weights as a GPU takes them: not packed.
    ///
    /// # Errors
    /// As [`Bytes::load`].
    #[cfg(feature = "gpu")]
    pub fn plain(path: Option<&Path>) -> Result<Bytes, LoadError> {
        let Some(path) = path else {
            return Bytes::load(None);
        };
        let bytes = read(path).map_err(|e| LoadError::Read(path.into(), e))?;
        let record = match is_record(bytes.bytes()) {
            true => bytes,
            false => {
                let mut graph = from_onnx(path, bytes.bytes())?;
                graph.fold();
                let record = graph.to_record();
                Buffer::from(record.map_err(|e| LoadError::Graph(path.into(), e))?)
            }
        };
        Ok(Bytes::Owned(path.into(), record))
    }

    /// The model in them.
    ///
    /// # Errors
    /// [`LoadError::Record`] names the file.
    pub fn model(&self) -> Result<Model<'_>, LoadError> {
        let (bytes, path) = match self {
            Bytes::Embedded(bytes) => (*bytes, Path::new("the model of the program")),
            Bytes::Owned(path, buffer) => (buffer.bytes(), path.as_path()),
        };
        Model::parse(bytes).map_err(|e| LoadError::Record(path.into(), e.to_string()))
    }

    /// The same model with weights in the order in which they are used, where it is one of floats that can be packed:
    /// worth the time for more than a few faces.
    pub fn packed(self) -> Bytes {
        let packed = self.model().ok().and_then(|model| match model.precision() {
            Precision::F32 => Graph::from_model(&model).pack().ok(),
            Precision::Packed | Precision::F16 | Precision::Int8 => None,
        });
        match (packed, self) {
            (Some(record), Bytes::Owned(path, _)) => Bytes::Owned(path, record.into()),
            (Some(record), Bytes::Embedded(_)) => {
                Bytes::Owned("the model of the program".into(), record.into())
            }
            (None, bytes) => bytes,
        }
    }

    /// The record.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Bytes::Embedded(bytes) => bytes,
            Bytes::Owned(_, buffer) => buffer.bytes(),
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
    let buffer = read(path).map_err(|e| LoadError::Read(path.into(), e))?;
    if !is_record(buffer.bytes()) {
        return from_onnx(path, buffer.bytes());
    }
    let model = Model::parse(buffer.bytes());
    let model = model.map_err(|e| LoadError::Record(path.into(), e.to_string()))?;
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

/// Threads that read a file: most of the time goes into memory that is touched for the first time.
const READERS: usize = 4;
/// Bytes that are worth a thread.
const PART: usize = 1 << 21;

/// A file's bytes, where a model can borrow them.
fn read(path: &Path) -> io::Result<Buffer> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    // What has no length before it is read, a pipe for one, is read to its end.
    if !about.is_file() {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        return Ok(Buffer::from(bytes));
    }
    let len = usize::try_from(about.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let readers = cores.min(READERS).min(len.div_ceil(PART)).max(1);
    Buffer::filled(len, |to| match readers {
        1 => file.read_exact(to),
        _ => in_parts(path, to, len.div_ceil(readers)),
    })
}

/// Reads a file in parts, a thread each.
fn in_parts(path: &Path, to: &mut [u8], part: usize) -> io::Result<()> {
    std::thread::scope(|scope| {
        let parts = to.chunks_mut(part).enumerate();
        let parts: Vec<_> = parts
            .map(|(i, to)| {
                scope.spawn(move || {
                    let mut file = File::open(path)?;
                    file.seek(io::SeekFrom::Start((i * part) as u64))?;
                    file.read_exact(to)
                })
            })
            .collect();
        for part in parts {
            // A thread that reads does not panic.
            part.join().map_err(|_| io::ErrorKind::Other)??;
        }
        Ok(())
    })
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
