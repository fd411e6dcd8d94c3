//! A model from a file, or the built-in one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use runtime::file_kind::FileKind;
use runtime::graph::{Graph, GraphError, Ready};
use runtime::limits::Exceeded;
use runtime::model::ModelError;
use runtime::onnx::{self, Import, OnnxError, Options};
use runtime::record::Buffer;
use runtime::{Limit, Limits, Model, Precision};

use super::limits::Hint;
use super::read::read_all;
use super::reading;
use super::terminal::note;

/// Why a model cannot be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The record is damaged or not a model: what is wrong.
    Record(PathBuf, String),
    /// The ONNX file is not a supported generator.
    Onnx(PathBuf, OnnxError),
    /// The model asks for more than a limit allows.
    Limit(PathBuf, Exceeded),
    /// The ONNX generator cannot be written as a record.
    Graph(PathBuf, GraphError),
    /// The record cannot be converted to another precision.
    Final(PathBuf, Precision),
    /// The file is neither a record nor ONNX: what it is instead, if that is known.
    Unknown(PathBuf, Option<FileKind>),
    /// `--range` or `--image` for a record, which has its own.
    Known(PathBuf),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            LoadError::Record(path, what) => write!(f, "{}: {what}", path.display()),
            LoadError::Limit(path, exceeded) => {
                write!(f, "{}: {}", path.display(), Hint(exceeded))
            }
            LoadError::Onnx(path, _) | LoadError::Graph(path, _) => {
                write!(f, "{}", path.display())
            }
            LoadError::Final(path, precision) => write!(
                f,
                "{} is already {}; convert the model it was made from",
                path.display(),
                precision.name()
            ),
            LoadError::Unknown(path, kind) => {
                write!(f, "{} is neither a burn record nor an ONNX model", path.display())?;
                match kind {
                    Some(kind) => write!(f, " but {}: {}", kind.name(), kind.advice(false)),
                    None => write!(f, ": export the generator with torch.onnx.export"),
                }
            }
            LoadError::Known(path) => write!(
                f,
                "{} is a burn record, which knows its range and image: leave out --range and --image",
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
            LoadError::Record(..)
            | LoadError::Limit(..)
            | LoadError::Final(..)
            | LoadError::Unknown(..)
            | LoadError::Known(_) => None,
        }
    }
}

/// Size from which files are mapped: reading a smaller one takes milliseconds, and what happens to
/// the file later does not matter.
const MAPPED: u64 = 64 << 20;

/// The bytes of a record, kept while a model borrows them.
pub enum Bytes {
    /// Built in.
    Embedded(&'static [u8]),
    /// Mapped from a file of at least [`MAPPED`] bytes, so that it takes memory only once.
    /// Replacing the file under its name, as all programs here do, is harmless; another program
    /// that truncates it ends this one with SIGBUS.
    Mapped(PathBuf, vmap::Map),
    /// Read from a smaller file, or from one that cannot be mapped, such as a pipe.
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
    pub fn load(
        path: Option<&Path>,
        reading: &reading::Args,
        limits: &Limits,
    ) -> Result<Bytes, LoadError> {
        let Some(path) = path else {
            let record = runtime::include_record!("../../../models/pretrained/faces64.bpk");
            return Ok(Bytes::Embedded(record));
        };
        match Opened::open(path, reading, limits, false)? {
            Opened::Record(bytes) => Ok(bytes),
            Opened::Graph(graph) => {
                let record = folded(path, graph, limits)?.to_buffer();
                let record = record.map_err(|e| LoadError::Graph(path.into(), e))?;
                Ok(Bytes::Made(path.into(), record))
            }
        }
    }

    /// A record of `len` bytes, read or mapped.
    fn record(path: &Path, mut file: File, len: u64) -> Result<Bytes, LoadError> {
        if len >= MAPPED
            && let Ok(map) = vmap::Map::with_options().map(&file)
        {
            return Ok(Bytes::Mapped(path.into(), map));
        }
        let failed = |e| LoadError::Read(path.into(), e);
        // The limit may be beyond the address space.
        let len = usize::try_from(len).map_err(|e| failed(io::Error::other(e)))?;
        let buffer = Buffer::filled(len, |to| file.read_exact(to)).map_err(failed)?;
        Ok(Bytes::Read(path.into(), buffer))
    }

    /// Parses the model.
    ///
    /// # Errors
    /// [`LoadError::Record`] or [`LoadError::Limit`] names the file.
    pub fn model(&self, limits: &Limits) -> Result<Model<'_>, LoadError> {
        let (bytes, path) = match self {
            Bytes::Embedded(bytes) => (*bytes, Path::new("the built-in model")),
            Bytes::Mapped(path, map) => (&map[..], path.as_path()),
            Bytes::Read(path, buffer) | Bytes::Made(path, buffer) => {
                (buffer.bytes(), path.as_path())
            }
        };
        Model::parse_within(bytes, limits).map_err(|e| refused(path, e))
    }

    /// Whether they were converted from another format.
    pub fn is_made(&self) -> bool {
        matches!(self, Bytes::Made(..))
    }

    /// The same model packed, if it is f32 and can be, within the same limits: faster for more than
    /// a few faces.
    pub fn packed(self, limits: &Limits) -> Bytes {
        let packed = self.model(limits).ok().and_then(|model| match model.precision() {
            Precision::F32 => packed(&Graph::from_model(&model), limits),
            Precision::Packed | Precision::F16 | Precision::Int8 => None,
        });
        match (packed, self) {
            (
                Some(record),
                Bytes::Mapped(path, _) | Bytes::Read(path, _) | Bytes::Made(path, _),
            ) => Bytes::Made(path, record),
            (Some(record), Bytes::Embedded(_)) => Bytes::Made("the built-in model".into(), record),
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

/// A model to run once or more.
pub enum Loaded {
    /// A record.
    Record(Bytes),
    /// What an ONNX file became: its weights are not copied into a record.
    Ready(PathBuf, Ready),
}

impl Loaded {
    /// The model in a file, or the built-in one.
    ///
    /// # Errors
    /// [`LoadError`] names the file.
    pub fn load(
        path: Option<&Path>,
        reading: &reading::Args,
        limits: &Limits,
    ) -> Result<Loaded, LoadError> {
        let Some(path) = path else {
            return Bytes::load(None, reading, limits).map(Loaded::Record);
        };
        match Opened::open(path, reading, limits, true)? {
            Opened::Record(bytes) => Ok(Loaded::Record(bytes)),
            Opened::Graph(graph) => match Ready::new(graph, limits) {
                Ok(ready) => Ok(Loaded::Ready(path.into(), ready)),
                Err(GraphError::Limit(exceeded)) => Err(LoadError::Limit(path.into(), exceeded)),
                // Reading it again names the layer as the file does.
                Err(error) => Err(match Opened::open(path, reading, limits, false) {
                    Err(error) => error,
                    Ok(_) => LoadError::Graph(path.into(), error),
                }),
            },
        }
    }

    /// Parses the model.
    ///
    /// # Errors
    /// As [`Bytes::model`].
    pub fn model(&self, limits: &Limits) -> Result<Model<'_>, LoadError> {
        match self {
            Loaded::Record(bytes) => bytes.model(limits),
            Loaded::Ready(path, ready) => ready.model(limits).map_err(|e| refused(path, e)),
        }
    }

    /// As [`Bytes::packed`].
    pub fn packed(self, limits: &Limits) -> Loaded {
        match self {
            Loaded::Record(bytes) => Loaded::Record(bytes.packed(limits)),
            Loaded::Ready(path, ready) => match packed(ready.graph(), limits) {
                Some(record) => Loaded::Record(Bytes::Made(path, record)),
                None => Loaded::Ready(path, ready),
            },
        }
    }
}

/// A graph as a packed record, if it can be one within the limits.
fn packed(graph: &Graph, limits: &Limits) -> Option<Buffer> {
    let record = Buffer::from(graph.pack().ok()?);
    Model::parse_within(record.bytes(), limits).is_ok().then_some(record)
}

/// Why the model of a file was refused.
fn refused(path: &Path, error: ModelError<'_>) -> LoadError {
    match error {
        ModelError::Limit(exceeded) => LoadError::Limit(path.into(), exceeded),
        error => LoadError::Record(path.into(), error.to_string()),
    }
}

/// A file that was opened.
enum Opened {
    Record(Bytes),
    /// Of an ONNX file.
    Graph(Graph),
}

impl Opened {
    /// Whether all weights of an ONNX file are finite is left to the caller if they are `unchecked`.
    fn open(
        path: &Path,
        reading: &reading::Args,
        limits: &Limits,
        unchecked: bool,
    ) -> Result<Opened, LoadError> {
        let failed = |e| LoadError::Read(path.into(), e);
        let file = File::open(path).map_err(failed)?;
        let data = file.metadata().map_err(failed)?;
        let record = |bytes: Bytes| match reading.is_given() {
            true => Err(LoadError::Known(path.into())),
            false => Ok(Opened::Record(bytes)),
        };
        if !data.is_file() {
            let bytes = read_all(file, limits).map_err(failed)?;
            if is_record(&bytes) {
                return record(Bytes::Read(path.into(), Buffer::from(bytes)));
            }
            let start = &bytes[..bytes.len().min(KIND)];
            return from_onnx(path, start, reading, limits, |o| onnx::import(&bytes, o))
                .map(Opened::Graph);
        }
        limits.check(Limit::File, data.len()).map_err(|e| LoadError::Limit(path.into(), e))?;
        let mut start = Vec::new();
        (&file).take(KIND as u64).read_to_end(&mut start).map_err(failed)?;
        if is_record(&start) {
            (&file).rewind().map_err(failed)?;
            return record(Bytes::record(path, file, data.len())?);
        }
        // The limit may be beyond the address space.
        let len = usize::try_from(data.len()).map_err(|e| failed(io::Error::other(e)))?;
        from_onnx(path, &start, reading, limits, |options| {
            onnx::import_file(file, len, &Options { unchecked, ..*options })
        })
        .map(Opened::Graph)
    }
}

/// The graph of a record or ONNX file, folded.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn graph(path: &Path, reading: &reading::Args, limits: &Limits) -> Result<Graph, LoadError> {
    let bytes = match Opened::open(path, reading, limits, false)? {
        Opened::Record(bytes) => bytes,
        Opened::Graph(graph) => return folded(path, graph, limits),
    };
    let model = bytes.model(limits)?;
    match model.precision() {
        Precision::F32 => {
            let mut graph = Graph::from_model(&model);
            graph.fold();
            Ok(graph)
        }
        Precision::Packed | Precision::F16 | Precision::Int8 => {
            Err(LoadError::Final(path.into(), model.precision()))
        }
    }
}

/// The graph of a file, or of the built-in model without a path, folded.
///
/// # Errors
/// [`LoadError`] names the file.
pub fn graph_or_built_in(
    path: Option<&Path>,
    reading: &reading::Args,
    limits: &Limits,
) -> Result<Graph, LoadError> {
    let Some(path) = path else {
        let mut graph = Graph::from_model(&Bytes::load(None, reading, limits)?.model(limits)?);
        graph.fold();
        return Ok(graph);
    };
    graph(path, reading, limits)
}

/// Bytes by which the kind of a file is found: the names in an archive are among its first.
const KIND: usize = 1 << 16;

/// Whether the bytes begin as a burn record does.
fn is_record(bytes: &[u8]) -> bool {
    bytes.starts_with(b"NRUB")
}

/// The graph that `import` makes of an ONNX file that begins with `start`.
fn from_onnx(
    path: &Path,
    start: &[u8],
    reading: &reading::Args,
    limits: &Limits,
    import: impl FnOnce(&Options<'_>) -> Result<Import, OnnxError>,
) -> Result<Graph, LoadError> {
    // Files of other kinds may pass for a model without anything in it.
    let kind = FileKind::of(start);
    if let Some(kind) = kind.filter(|kind| *kind != FileKind::Onnx) {
        return Err(LoadError::Unknown(path.into(), Some(kind)));
    }
    let folder = path.parent();
    let options = Options {
        limits: *limits,
        folder,
        range: reading.range,
        image: reading.image,
        ..Options::default()
    };
    let Import { graph, assumed } = import(&options).map_err(|e| match e {
        OnnxError::Read(what) => LoadError::Read(path.into(), io::Error::other(what)),
        OnnxError::NotOnnx(_) => LoadError::Unknown(path.into(), kind),
        OnnxError::Limit(exceeded) => LoadError::Limit(path.into(), exceeded),
        error => LoadError::Onnx(path.into(), error),
    })?;
    for sentence in assumed {
        note(format_args!("{}: {sentence}", path.display()));
    }
    Ok(graph)
}

/// The graph of a file, folded.
fn folded(path: &Path, mut graph: Graph, limits: &Limits) -> Result<Graph, LoadError> {
    graph.fold();
    match graph.check(limits) {
        Ok(()) => Ok(graph),
        Err(GraphError::Limit(exceeded)) => Err(LoadError::Limit(path.into(), exceeded)),
        Err(error) => Err(LoadError::Graph(path.into(), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = include_bytes!("../../../models/pretrained/faces-tiny-int8.bpk");

    #[test]
    fn a_record_cut_short_after_it_was_loaded_is_still_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bpk");
        std::fs::write(&path, RECORD).unwrap();
        let bytes = Bytes::load(Some(&path), &reading::Args::default(), &Limits::DEFAULT).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        assert_eq!(bytes.bytes(), RECORD);
        assert!(bytes.model(&Limits::DEFAULT).is_ok());
    }

    #[test]
    fn an_onnx_file_runs_as_its_record_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        let onnx = include_bytes!("../../../models/pretrained/faces-tiny.onnx");
        std::fs::write(&path, onnx).unwrap();
        let (reading, limits) = (reading::Args::default(), Limits::DEFAULT);
        let record = Bytes::load(Some(&path), &reading, &limits).unwrap();
        let loaded = Loaded::load(Some(&path), &reading, &limits).unwrap();
        assert!(matches!(loaded, Loaded::Ready(..)) && record.is_made());
        // It was read.
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        let graph = |model: &Model<'_>| Graph::from_model(model);
        let want = graph(&record.model(&limits).unwrap());
        assert_eq!(graph(&loaded.model(&limits).unwrap()), want);
        let packed = loaded.packed(&limits);
        assert_eq!(packed.model(&limits).unwrap().precision(), Precision::Packed);
        let Loaded::Record(packed) = packed else { panic!() };
        assert_eq!(packed.bytes(), record.packed(&limits).bytes());
        // A weight that is not finite is named as the file does, folded or not.
        let mut damaged = onnx.to_vec();
        let middle = onnx.len() / 2;
        damaged[middle..middle + 8].fill(0xff);
        std::fs::write(&path, &damaged).unwrap();
        let error = |error: LoadError| crate::cli::error::chain(&error);
        let want = Bytes::load(Some(&path), &reading, &limits).map(|_| ()).map_err(error);
        let got = Loaded::load(Some(&path), &reading, &limits).map(|_| ()).map_err(error);
        assert!(want.as_ref().is_err_and(|e| e.contains("not finite")), "{want:?}");
        assert_eq!(got, want);
        // Cut short, and longer than allowed.
        std::fs::write(&path, &onnx[..onnx.len() - 9]).unwrap();
        let error = Loaded::load(Some(&path), &reading, &limits).err().unwrap();
        assert!(matches!(error, LoadError::Unknown(..)), "{error}");
        let limits = Limits { file: 9, ..limits };
        let error = Loaded::load(Some(&path), &reading, &limits).err().unwrap();
        assert!(matches!(error, LoadError::Limit(..)), "{error}");
    }

    #[test]
    fn the_length_of_a_file_is_limited() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bpk");
        std::fs::write(&path, RECORD).unwrap();
        let of = |file| {
            Bytes::load(Some(&path), &reading::Args::default(), &Limits { file, ..Limits::DEFAULT })
        };
        assert!(of(RECORD.len() as u64).is_ok());
        let error = of(RECORD.len() as u64 - 1).err().unwrap().to_string();
        assert!(error.contains("model.bpk: the file has more than"), "{error}");
        assert!(error.ends_with("raise it with --limit file=N"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_an_end_is_refused() {
        let limits = Limits { file: 1 << 20, ..Limits::DEFAULT };
        let error = Bytes::load(Some(Path::new("/dev/zero")), &reading::Args::default(), &limits)
            .err()
            .unwrap();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.starts_with("the file has more than 1048576 bytes"), "{cause}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_unicode_are_opened_exactly() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"m\xff.bpk"));
        std::fs::write(&path, RECORD).unwrap();
        assert!(Bytes::load(Some(&path), &reading::Args::default(), &Limits::DEFAULT).is_ok());
    }
}
