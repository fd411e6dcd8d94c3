//! The bytes of a burn record (burnpack, `.bpk`), read in place.
//!
//! A record is a 10-byte header (magic number, version, length of the metadata), CBOR metadata (RFC
//! 8949) and tensors. The data section and every tensor in it begin at a multiple of 256 bytes;
//! values are little-endian. burn's own `burn-pack` reads and writes the same files;
//! `docs/record.md` lists the metadata that this project adds.

mod buffer;
mod cbor;
mod error;
pub(crate) mod format;

pub use buffer::Aligned;
#[cfg(feature = "alloc")]
pub use buffer::Buffer;
use cbor::{Cbor, Map};
pub use error::RecordError;
use format::major::{ARRAY, MAP};
pub use format::{ALIGNMENT, RANK};
use format::{HEADER, MAGIC, VERSION};

/// A record, checked.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::record::Record;
///
/// let bytes = include_bytes!("../../../../models/pretrained/faces-tiny-int8.bpk");
/// let record = Record::parse(bytes)?;
/// assert_eq!(record.get("pocket-gan.precision"), Some("int8"));
/// # Ok::<(), runtime::record::RecordError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The map of tensors.
    tensors: Map<'a>,
    /// The map of metadata strings, possibly empty.
    strings: Map<'a>,
    data: &'a [u8],
}

/// A tensor in a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Element type as burn names it, such as `F32` or `I8`.
    pub dtype: &'a str,
    /// Dimensions, of which the first [`Tensor::rank`] count.
    pub shape: [usize; RANK],
    /// Number of dimensions.
    pub rank: usize,
    /// The values.
    pub bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// A view of `bytes` with every description and offset checked.
    ///
    /// # Errors
    /// [`RecordError`] names the byte.
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let header = bytes.get(..HEADER).ok_or(RecordError::Short(bytes.len()))?;
        let magic = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if magic != MAGIC {
            return Err(RecordError::Magic(magic));
        }
        let version = u16::from_le_bytes([header[4], header[5]]);
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let size = u32::from_le_bytes([header[6], header[7], header[8], header[9]]);
        let end = HEADER as u64 + size as u64;
        if end > bytes.len() as u64 {
            return Err(RecordError::Metadata { end, len: bytes.len() });
        }
        let end = end as usize;
        let start = end.next_multiple_of(ALIGNMENT).min(bytes.len());
        let mut cbor = Cbor { bytes: &bytes[..end], at: HEADER };
        let mut record = Record { tensors: Map::EMPTY, strings: Map::EMPTY, data: &bytes[start..] };
        for _ in 0..cbor.length(MAP)? {
            match cbor.text()? {
                "tensors" => record.tensors = Map::read(&mut cbor)?,
                "metadata" => record.strings = Map::read(&mut cbor)?,
                // Typed scalars, and whatever later versions add.
                _ => cbor.skip()?,
            }
        }
        record.check(start, bytes.len())?;
        Ok(record)
    }

    /// Walks both maps once, so that later walks cannot fail.
    fn check(&self, start: usize, len: usize) -> Result<(), RecordError> {
        let mut cbor = self.tensors.cbor;
        for _ in 0..self.tensors.entries {
            cbor.text()?;
            let at = cbor.at;
            let (_, [from, to]) = descriptor(&mut cbor)?;
            let end = (start as u64).saturating_add(to);
            if from > to || end > len as u64 {
                return Err(RecordError::Tensor { at, end, len });
            }
        }
        let mut cbor = self.strings.cbor;
        for _ in 0..self.strings.entries {
            cbor.text()?;
            cbor.text()?;
        }
        Ok(())
    }

    /// The metadata string `key`.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let mut cbor = self.strings.cbor;
        (0..self.strings.entries).find_map(|_| {
            let found = cbor.text().ok()? == key;
            let value = cbor.text().ok()?;
            found.then_some(value)
        })
    }

    /// The first tensor whose name fulfills `is`.
    pub fn tensor(&self, is: impl Fn(&str) -> bool) -> Option<Tensor<'a>> {
        let mut cbor = self.tensors.cbor;
        for _ in 0..self.tensors.entries {
            let found = is(cbor.text().ok()?);
            let (tensor, [from, to]) = descriptor(&mut cbor).ok()?;
            if found {
                let bytes = self.data.get(from as usize..to as usize)?;
                return Some(Tensor { bytes, ..tensor });
            }
        }
        None
    }

    /// The data section: all tensors and the padding between them.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// The description of a tensor, without its bytes, and its offsets in the data section.
fn descriptor<'a>(cbor: &mut Cbor<'a>) -> Result<(Tensor<'a>, [u64; 2]), RecordError> {
    let at = cbor.at;
    let mut tensor = Tensor { dtype: "", shape: [1; RANK], rank: 0, bytes: &[] };
    let mut offsets = None;
    for _ in 0..cbor.length(MAP)? {
        match cbor.text()? {
            "dtype" => tensor.dtype = cbor.text_or_skip()?,
            "shape" => {
                tensor.rank = cbor.length(ARRAY)?;
                if tensor.rank > RANK {
                    return Err(RecordError::Rank(at));
                }
                for side in &mut tensor.shape[..tensor.rank] {
                    *side = usize::try_from(cbor.uint()?).map_err(|_| RecordError::Cbor(at))?;
                }
            }
            "data_offsets" => {
                if cbor.length(ARRAY)? != 2 {
                    return Err(RecordError::Cbor(at));
                }
                offsets = Some([cbor.uint()?, cbor.uint()?]);
            }
            _ => cbor.skip()?,
        }
    }
    Ok((tensor, offsets.ok_or(RecordError::Cbor(at))?))
}
