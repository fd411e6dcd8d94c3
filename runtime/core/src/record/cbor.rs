//! Reading CBOR in place.

use super::error::RecordError;
use super::format::major::{ARRAY, BYTES, MAP, TAG, TEXT, UINT};

/// A CBOR map: its number of entries, and a cursor at the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map<'a> {
    pub entries: usize,
    pub cbor: Cbor<'a>,
}

impl<'a> Map<'a> {
    pub const EMPTY: Map<'static> = Map { entries: 0, cbor: Cbor { bytes: &[], at: 0 } };

    /// The map at the cursor, which is advanced past it.
    pub fn read(cbor: &mut Cbor<'a>) -> Result<Map<'a>, RecordError> {
        let mut inside = *cbor;
        let entries = inside.length(MAP)?;
        cbor.skip()?;
        Ok(Map { entries, cbor: inside })
    }
}

/// A cursor over CBOR (RFC 8949) of definite lengths, the only kind that burn writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cbor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

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
            // Reserved, or an indefinite length.
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

    pub fn uint(&mut self) -> Result<u64, RecordError> {
        let at = self.at;
        match self.head()? {
            (UINT, value) => Ok(value),
            _ => Err(RecordError::Cbor(at)),
        }
    }

    /// Number of entries of a map, or of items of an array.
    pub fn length(&mut self, kind: u8) -> Result<usize, RecordError> {
        let at = self.at;
        match self.head()? {
            // Each entry takes at least a byte.
            (got, n) if got == kind && n <= self.bytes.len() as u64 => Ok(n as usize),
            _ => Err(RecordError::Cbor(at)),
        }
    }

    pub fn text(&mut self) -> Result<&'a str, RecordError> {
        let at = self.at;
        match self.head()? {
            (TEXT, n) => core::str::from_utf8(self.take(n)?).map_err(|_| RecordError::Cbor(at)),
            _ => Err(RecordError::Cbor(at)),
        }
    }

    /// A text; any other item is skipped and read as an empty one.
    pub fn text_or_skip(&mut self) -> Result<&'a str, RecordError> {
        match self.bytes.get(self.at).map(|first| first >> 5) {
            Some(TEXT) => self.text(),
            _ => self.skip().map(|()| ""),
        }
    }

    /// Skips one item with everything nested in it.
    pub fn skip(&mut self) -> Result<(), RecordError> {
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
                // Numbers and simple values consist of their head.
                _ => 0,
            };
            items = items.saturating_add(inside);
            // Each item takes at least a byte: more than fit is damage, detected before the walk.
            if items > (self.bytes.len() - self.at) as u64 {
                return self.damaged();
            }
        }
        Ok(())
    }
}
