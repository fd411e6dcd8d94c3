//! Why bytes are not a record.

use core::fmt;

use super::format::{HEADER, RANK, VERSION};

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Shorter than a header: its length in bytes.
    Short(usize),
    /// Begins with another magic number.
    Magic(u32),
    /// Another version of the format.
    Version(u16),
    /// The metadata ends beyond the end of the file.
    Metadata {
        /// Byte at which it ends.
        end: u64,
        /// Length of the file.
        len: usize,
    },
    /// The metadata is not the expected CBOR, at this byte of the file.
    Cbor(usize),
    /// A tensor has more than [`RANK`] dimensions; byte of the file that describes it.
    Rank(usize),
    /// A tensor ends beyond the end of the file.
    Tensor {
        /// Byte of the file that describes it.
        at: usize,
        /// Byte at which it ends.
        end: u64,
        /// Length of the file.
        len: usize,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Short(len) => {
                write!(f, "not a burn record: {len} bytes, shorter than its header of {HEADER}")
            }
            RecordError::Magic(got) => write!(f, "not a burn record: begins with {got:#010x}"),
            RecordError::Version(got) => {
                write!(f, "burn record of version {got}, only version {VERSION} is supported")
            }
            RecordError::Metadata { end, len } => {
                write!(f, "the metadata ends at byte {end}, the file has only {len} bytes")
            }
            RecordError::Cbor(at) => write!(f, "the metadata is damaged at byte {at}"),
            RecordError::Rank(at) => {
                write!(f, "the tensor described at byte {at} has more than {RANK} dimensions")
            }
            RecordError::Tensor { at, end, len } => write!(
                f,
                "the tensor described at byte {at} ends at byte {end}, the file has only {len} bytes"
            ),
        }
    }
}

impl core::error::Error for RecordError {}
