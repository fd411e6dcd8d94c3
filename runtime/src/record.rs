//! The bytes of a burn record (burnpack, `.bpk`), read in place.
//!
//! A record is a 10-byte header (magic number, version, length of the metadata), CBOR metadata (RFC 8949) and tensors:
//! the data section and every tensor in it begin at a multiple of 256 bytes, values are little-endian. burn's own
//! `burn-pack` reads and writes the same files; `docs/record.md` lists the metadata that this project adds.

use core::fmt;

use crate::simd::Isa;

/// `BURN`, as a little-endian number.
const MAGIC: u32 = 0x4255_524e;
const VERSION: u16 = 1;
/// Bytes before the metadata.
pub(crate) const HEADER: usize = 10;
/// Of the data section and of every tensor, in bytes.
pub const ALIGNMENT: usize = 256;
/// Most dimensions of a tensor.
pub const RANK: usize = 4;

/// A record's three parts, checked.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The CBOR map of tensors, after its head.
    tensors: Map<'a>,
    /// The CBOR map of strings, after its head; empty where there is none.
    strings: Map<'a>,
    data: &'a [u8],
}

/// A tensor's place in a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor<'a> {
    /// Element type as burn names it: `F32`, `F16`, `I8`.
    pub dtype: &'a str,
    /// Sides, the first [`Tensor::rank`] of them.
    pub shape: [usize; RANK],
    /// How many sides.
    pub rank: usize,
    /// The values.
    pub bytes: &'a [u8],
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Too short for a header: how many bytes there are.
    Short(usize),
    /// Another magic number.
    Magic(u32),
    /// Another version of the format.
    Version(u16),
    /// The metadata ends beyond the file.
    Metadata {
        /// Byte at which it ends.
        end: u64,
        /// Bytes there are.
        len: usize,
    },
    /// Metadata that is not the CBOR it should be: at which byte of the file.
    Cbor(usize),
    /// A tensor of more than [`RANK`] dimensions: described at which byte of the file.
    Rank(usize),
    /// A tensor that ends beyond the file: where it is described, where it ends, what there is.
    Tensor {
        /// Byte of the file at which its description stands.
        at: usize,
        /// Byte at which it ends.
        end: u64,
        /// Bytes there are.
        len: usize,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Short(len) => {
                write!(f, "not a burn record: {len} bytes, its header alone has {HEADER}")
            }
            RecordError::Magic(got) => write!(f, "not a burn record: begins with {got:#010x}"),
            RecordError::Version(got) => {
                write!(f, "burn record of version {got}, {VERSION} is supported")
            }
            RecordError::Metadata { end, len } => {
                write!(f, "the metadata ends at byte {end}, the file has {len}")
            }
            RecordError::Cbor(at) => write!(f, "the metadata is damaged at byte {at}"),
            RecordError::Rank(at) => {
                write!(f, "the tensor described at byte {at} has more than {RANK} dimensions")
            }
            RecordError::Tensor { at, end, len } => write!(
                f,
                "the tensor described at byte {at} ends at byte {end}, the file has {len}"
            ),
        }
    }
}

impl core::error::Error for RecordError {}

impl<'a> Record<'a> {
    /// A view of `bytes`, every description and place in it checked.
    ///
    /// # Errors
    /// [`RecordError`] names the place.
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
                "tensors" => record.tensors = Map::here(&mut cbor)?,
                "metadata" => record.strings = Map::here(&mut cbor)?,
                // Typed scalars, and what later versions add.
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

    /// The tensor called `name`, which is told apart by `is`.
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

    /// The data section: all tensors with the padding between them.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// One tensor's description: without its bytes, and its place in the data section.
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

/// A checksum of a data section: 16 lanes over little-endian words (word `i` goes into lane `i mod 16`), each step
/// that of 32-bit FNV-1a followed by a rotation by 13, the lanes then folded in the same way. Every step is a bijection
/// of the state for a given word, so a change of one word always shows; the rotation brings high bits down, where the
/// product spreads them again. Lanes, because a record of megabytes is checked before the first face appears.
pub fn checksum(data: &[u8]) -> u32 {
    let mut lanes = [BASIS; LANES];
    let (blocks, rest) = data.as_chunks();
    Isa::best().mix(&mut lanes, blocks);
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    mix(&mut lanes, &[last]);
    lanes.into_iter().fold(BASIS ^ data.len() as u32, step)
}

const BASIS: u32 = 0x811c_9dc5;
/// Lanes of the checksum, and bytes of a word of each.
const LANES: usize = 16;
const BLOCK: usize = 4 * LANES;

fn step(state: u32, word: u32) -> u32 {
    const PRIME: u32 = 0x0100_0193;
    (state ^ word).wrapping_mul(PRIME).rotate_left(13)
}

/// The step of every lane, block by block: compiled for each instruction set.
#[inline(always)]
pub(crate) fn mix(lanes: &mut [u32; LANES], blocks: &[[u8; BLOCK]]) {
    let mut state = *lanes;
    for block in blocks {
        for (lane, word) in state.iter_mut().zip(block.as_chunks().0) {
            *lane = step(*lane, u32::from_le_bytes(*word));
        }
    }
    *lanes = state;
}

/// The entries of a CBOR map.
#[derive(Clone, Copy, Debug)]
struct Map<'a> {
    entries: usize,
    cbor: Cbor<'a>,
}

impl<'a> Map<'a> {
    const EMPTY: Map<'static> = Map { entries: 0, cbor: Cbor { bytes: &[], at: 0 } };

    /// The map at the cursor, which moves behind it.
    fn here(cbor: &mut Cbor<'a>) -> Result<Map<'a>, RecordError> {
        let mut inside = *cbor;
        let entries = inside.length(MAP)?;
        cbor.skip()?;
        Ok(Map { entries, cbor: inside })
    }
}

/// A cursor over CBOR (RFC 8949) with definite lengths, which is what burn writes.
#[derive(Clone, Copy, Debug)]
struct Cbor<'a> {
    bytes: &'a [u8],
    at: usize,
}

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

impl<'a> Cbor<'a> {
    fn damaged<T>(&self) -> Result<T, RecordError> {
        Err(RecordError::Cbor(self.at))
    }

    /// Major type and argument of the item at the cursor.
    fn head(&mut self) -> Result<(u8, u64), RecordError> {
        let first = self.take(1)?[0];
        let argument = match first & 31 {
            short @ 0..24 => short as u64,
            size @ 24..=27 => {
                let bytes = self.take(1 << (size - 24))?;
                bytes.iter().fold(0, |n, byte| n << 8 | *byte as u64)
            }
            // Reserved, or of indefinite length.
            _ => return self.damaged(),
        };
        Ok((first >> 5, argument))
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], RecordError> {
        let left = self.bytes.len() - self.at;
        if n > left as u64 {
            return self.damaged();
        }
        let taken = &self.bytes[self.at..self.at + n as usize];
        self.at += n as usize;
        Ok(taken)
    }

    fn uint(&mut self) -> Result<u64, RecordError> {
        let at = self.at;
        match self.head()? {
            (UINT, value) => Ok(value),
            _ => Err(RecordError::Cbor(at)),
        }
    }

    /// Entries of a map or items of an array.
    fn length(&mut self, kind: u8) -> Result<usize, RecordError> {
        let at = self.at;
        match self.head()? {
            // Each entry has a byte at least.
            (got, n) if got == kind && n <= self.bytes.len() as u64 => Ok(n as usize),
            _ => Err(RecordError::Cbor(at)),
        }
    }

    fn text(&mut self) -> Result<&'a str, RecordError> {
        let at = self.at;
        match self.head()? {
            (TEXT, n) => core::str::from_utf8(self.take(n)?).map_err(|_| RecordError::Cbor(at)),
            _ => Err(RecordError::Cbor(at)),
        }
    }

    /// A text; another item is passed over as an unknown, empty one.
    fn text_or_skip(&mut self) -> Result<&'a str, RecordError> {
        match self.bytes.get(self.at).map(|first| first >> 5) {
            Some(TEXT) => self.text(),
            _ => self.skip().map(|()| ""),
        }
    }

    /// Passes over one item with all that is inside it.
    fn skip(&mut self) -> Result<(), RecordError> {
        let mut items = 1u64;
        while items > 0 {
            items -= 1;
            let (kind, n) = self.head()?;
            let inside = match kind {
                BYTES | TEXT => {
                    self.take(n)?;
                    0
                }
                ARRAY => n,
                MAP => n.saturating_mul(2),
                TAG => 1,
                // Numbers and simple values end with their head.
                _ => 0,
            };
            items = items.saturating_add(inside);
            // Each item has a byte at least: what cannot fit is damage, found before walking it.
            if items > (self.bytes.len() - self.at) as u64 {
                return self.damaged();
            }
        }
        Ok(())
    }
}

/// Bytes at a multiple of 256, as [`crate::model::Model::parse`] wants them; see [`crate::include_record`].
#[repr(C, align(256))]
pub struct Aligned<T: ?Sized>(pub T);

/// `include_bytes!` at a multiple of 256 bytes: a record in flash, used in place.
#[macro_export]
macro_rules! include_record {
    ($path:expr) => {{
        static RECORD: &$crate::record::Aligned<[u8]> =
            &$crate::record::Aligned(*include_bytes!($path));
        &RECORD.0
    }};
}

/// A record's bytes in memory of its own, aligned for [`crate::model::Model::parse`].
#[cfg(feature = "alloc")]
pub struct Buffer {
    bytes: alloc::vec::Vec<u8>,
    /// Where the record begins: at a multiple of 256 in memory.
    begin: usize,
    len: usize,
}

#[cfg(feature = "alloc")]
impl Buffer {
    /// A record of `len` bytes, as `fill` writes them into as many zeros.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn filled<E>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Buffer, E> {
        // Zeros that nobody touched take no memory yet.
        let mut bytes = alloc::vec![0; len.saturating_add(ALIGNMENT)];
        let begin = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        fill(&mut bytes[begin..begin + len])?;
        Ok(Buffer { bytes, begin, len })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.begin..][..self.len]
    }

    /// The bytes, wherever they lie.
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
