//! Why training stops.

use std::fmt;

use models::dcgan::Unsupported;

use super::checkpoint::LoadError;
use crate::data::DataError;
use crate::file::WriteError;
use crate::score::samples::SampleError;

/// Why training stopped.
#[derive(Debug)]
pub enum FitError {
    /// There is no network of these settings.
    Network(Unsupported),
    /// An image cannot be read any more.
    Data(DataError),
    /// The newest checkpoint cannot be used.
    Load(LoadError),
    /// The samples could not be scored.
    Score(SampleError),
    /// A checkpoint could not be written or moved.
    Write(WriteError),
    /// It diverged `times` times.
    Diverged {
        /// Images seen the last time.
        images: u64,
        /// The value that is not finite.
        what: String,
        /// How often.
        times: u32,
    },
    /// A batch of this many images has a map larger than the GPU's limit on tensors, and the
    /// largest batch that fits.
    Batch(usize, usize),
    /// The GPU failed or was lost before this image, and its driver's message.
    Device(u64, String),
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FitError::Network(_) => write!(f, "cannot build the networks"),
            FitError::Data(_) => write!(f, "cannot read the data"),
            FitError::Load(_) => write!(f, "cannot resume from the newest checkpoint"),
            FitError::Score(_) => write!(f, "cannot score the samples"),
            FitError::Write(_) => write!(f, "cannot save a checkpoint"),
            FitError::Diverged { images, what, times } => write!(
                f,
                "diverged {times} times, last before image {images} ({what} is not finite): the last checkpoint is kept; \
                 try a new run with a smaller lr, spectral=true or loss=hinge"
            ),
            FitError::Batch(batch, most) => write!(
                f,
                "a batch of {batch} is too large for this GPU, which limits the size of a tensor: at most {most}"
            ),
            FitError::Device(images, what) => write!(
                f,
                "the GPU failed before image {images} ({what}): the last checkpoint is kept; the same command resumes \
                 from it, a smaller batch needs less memory, and --device cpu trains on the CPU"
            ),
        }
    }
}

impl std::error::Error for FitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FitError::Network(e) => Some(e),
            FitError::Data(e) => Some(e),
            FitError::Load(e) => Some(e),
            FitError::Score(e) => Some(e),
            FitError::Write(e) => Some(e),
            FitError::Diverged { .. } | FitError::Batch(..) | FitError::Device(..) => None,
        }
    }
}

impl From<WriteError> for FitError {
    fn from(e: WriteError) -> Self {
        FitError::Write(e)
    }
}

impl From<Unsupported> for FitError {
    fn from(e: Unsupported) -> Self {
        FitError::Network(e)
    }
}

impl From<DataError> for FitError {
    fn from(e: DataError) -> Self {
        FitError::Data(e)
    }
}

impl From<LoadError> for FitError {
    fn from(e: LoadError) -> Self {
        FitError::Load(e)
    }
}

impl From<SampleError> for FitError {
    fn from(e: SampleError) -> Self {
        FitError::Score(e)
    }
}
