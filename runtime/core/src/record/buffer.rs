//! Records in memory, aligned so that they can be used in place.

#[cfg(feature = "alloc")]
use super::format::ALIGNMENT;

/// Bytes at a multiple of 256 in memory, as a model needs them; see [`crate::include_record`].
#[repr(C, align(256))]
pub struct Aligned<T: ?Sized>(pub T);

/// `include_bytes!` at a multiple of 256 bytes: a record in flash, used in place.
///
/// ```
/// # use runtime_core as runtime;
/// static FACES: &[u8] = runtime::include_record!("../../../../models/pretrained/faces-tiny-int8.bpk");
/// assert_eq!(FACES.as_ptr() as usize % 256, 0);
/// ```
#[macro_export]
macro_rules! include_record {
    ($path:expr) => {{
        static RECORD: &$crate::record::Aligned<[u8]> =
            &$crate::record::Aligned(*include_bytes!($path));
        &RECORD.0
    }};
}

/// The bytes of a record in memory of their own, aligned as a model needs them.
#[cfg(feature = "alloc")]
pub struct Buffer {
    bytes: alloc::vec::Vec<u8>,
    /// Offset of the record: at a multiple of 256 in memory.
    begin: usize,
    len: usize,
}

#[cfg(feature = "alloc")]
impl Buffer {
    /// A record of `len` bytes, which `fill` writes into a buffer of zeros.
    ///
    /// # Errors
    /// Whatever `fill` returns.
    pub fn filled<E>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Buffer, E> {
        // Untouched zeros take no memory yet.
        let mut bytes = alloc::vec![0; len.saturating_add(ALIGNMENT)];
        let begin = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        fill(&mut bytes[begin..begin + len])?;
        Ok(Buffer { bytes, begin, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.begin..][..self.len]
    }

    /// The bytes, at any alignment.
    pub fn into_vec(mut self) -> alloc::vec::Vec<u8> {
        self.bytes.copy_within(self.begin..self.begin + self.len, 0);
        self.bytes.truncate(self.len);
        self.bytes
    }
}

#[cfg(feature = "alloc")]
impl<T: AsRef<[u8]>> From<T> for Buffer {
    fn from(bytes: T) -> Buffer {
        let bytes = bytes.as_ref();
        let copied = Buffer::filled(bytes.len(), |to| {
            to.copy_from_slice(bytes);
            Ok::<(), core::convert::Infallible>(())
        });
        match copied {
            Ok(buffer) => buffer,
            Err(never) => match never {},
        }
    }
}
