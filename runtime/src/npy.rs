//! NumPy arrays as `.npy` files, versions 1 to 3 (numpy.lib.format).
//!
//! The header is a Python dictionary of three keys. Only that is parsed, in time and memory
//! proportional to the file: a general parser of Python literals takes exponential time on nested
//! brackets.

use std::borrow::ToOwned;
use std::fmt;
use std::format;
use std::string::String;
use std::vec::Vec;

/// The type of the values of an array; both byte orders are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `u1`.
    U8,
    /// `f4`.
    F32,
    /// `f8`.
    F64,
}

/// An array, checked against its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<'a> {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Whether the first axis is the innermost one in memory (Fortran order) rather than the last
    /// (C order).
    pub fortran: bool,
    /// Type of the values.
    pub kind: Kind,
    big_endian: bool,
    data: &'a [u8],
}

/// Why bytes are not a supported array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpyError {
    /// They do not begin like a `.npy` file.
    Magic,
    /// The version of the format is not supported.
    Version(u8),
    /// The header is longer than the file, or than [`LONGEST_HEADER`]: its length.
    HeaderLength(usize),
    /// The header is not the expected dictionary: what is wrong.
    Header(String),
    /// The type of the values is not supported: its name.
    Type(String),
    /// The shape does not fit the number of bytes that follow: both.
    Length(Vec<usize>, usize),
}

impl fmt::Display for NpyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NpyError::Magic => write!(f, "not a .npy file"),
            NpyError::Version(got) => {
                write!(f, "version {got} of the .npy format; only 1 to 3 are supported")
            }
            NpyError::HeaderLength(got) => write!(
                f,
                "the .npy header claims {got} bytes, more than the file has or the limit of {LONGEST_HEADER}"
            ),
            NpyError::Header(what) => write!(f, "the .npy header is damaged: {what}"),
            NpyError::Type(got) => {
                write!(f, "values of type {got}; only float32, float64 and uint8 are supported")
            }
            NpyError::Length(shape, got) => {
                write!(f, "an array of shape {shape:?} does not fit the {got} bytes that follow")
            }
        }
    }
}

impl std::error::Error for NpyError {}

/// Longest supported header in bytes. NumPy writes fewer than 128 for arrays of a few axes.
pub const LONGEST_HEADER: usize = 4096;

const MAGIC: &[u8] = b"\x93NUMPY";

impl<'a> Array<'a> {
    /// The array in `bytes`.
    ///
    /// # Errors
    /// [`NpyError`] if they are not a supported array.
    pub fn parse(bytes: &'a [u8]) -> Result<Array<'a>, NpyError> {
        let (Header { descr, fortran, shape }, data) = Header::split(bytes)?;
        let (order, kind) =
            descr.split_at(descr.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0));
        let (kind, size) = match kind {
            "u1" => (Kind::U8, 1),
            "f4" => (Kind::F32, 4),
            "f8" => (Kind::F64, 8),
            _ => return Err(NpyError::Type(descr.to_owned())),
        };
        let big_endian = match order {
            "<" | "=" | "|" => false,
            ">" => true,
            _ => return Err(NpyError::Type(descr.to_owned())),
        };
        let want = shape.iter().try_fold(size, |bytes: usize, n| bytes.checked_mul(*n));
        if want != Some(data.len()) {
            return Err(NpyError::Length(shape, data.len()));
        }
        Ok(Array { shape, fortran, kind, big_endian, data })
    }

    /// The values in the order of the file, as `f64`, which is exact for all supported types.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        let size = match self.kind {
            Kind::U8 => 1,
            Kind::F32 => 4,
            Kind::F64 => 8,
        };
        self.data.chunks_exact(size).map(move |chunk| {
            let mut bytes = [0; 8];
            let bytes = &mut bytes[..size];
            bytes.copy_from_slice(chunk);
            if self.big_endian {
                bytes.reverse();
            }
            match *bytes {
                [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
                [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
                _ => f64::from(bytes[0]),
            }
        })
    }
}

/// The bytes of a file of 32-bit floats in C order.
///
/// # Panics
/// If the number of values is not that of `shape`.
pub fn write(shape: &[usize], values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    // A tuple of one element needs its comma.
    let axes = match shape {
        [_] => axes.trim_end(),
        _ => axes.trim_end_matches(", "),
    };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({axes}), }}");
    // Values begin at a multiple of 64 bytes; the header ends with a line feed.
    let before = MAGIC.len() + 4;
    while !(before + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a shape of a few axes");
    let mut bytes = [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes()].concat();
    let start = bytes.len();
    values.into_iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    let want = 4 * shape.iter().product::<usize>();
    assert_eq!(bytes.len() - start, want, "the number of values is that of the shape");
    bytes
}

/// What a file begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Byte order and type of the values as NumPy writes them: `<f4`.
    pub descr: &'a str,
    /// Whether the first axis is the innermost one in memory.
    pub fortran: bool,
    /// Length of each axis.
    pub shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Splits a file, or its first [`LONGEST_HEADER`] + 12 bytes, into its header and the bytes of
    /// the values.
    ///
    /// # Errors
    /// [`NpyError::Magic`], [`NpyError::Version`], [`NpyError::HeaderLength`] or
    /// [`NpyError::Header`].
    pub fn split(bytes: &'a [u8]) -> Result<(Header<'a>, &'a [u8]), NpyError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
        let &[version, _minor, ref rest @ ..] = rest else {
            return Err(NpyError::Magic);
        };
        let (length, rest) = match (version, rest) {
            (1, &[a, b, ref rest @ ..]) => (usize::from(u16::from_le_bytes([a, b])), rest),
            (2 | 3, &[a, b, c, d, ref rest @ ..]) => {
                (u32::from_le_bytes([a, b, c, d]) as usize, rest)
            }
            (1..=3, _) => return Err(NpyError::Magic),
            _ => return Err(NpyError::Version(version)),
        };
        if length > LONGEST_HEADER || length > rest.len() {
            return Err(NpyError::HeaderLength(length));
        }
        let (header, data) = rest.split_at(length);
        let header = str::from_utf8(header).map_err(|e| NpyError::Header(format!("{e}")))?;
        Ok((Header::parse(header).map_err(NpyError::Header)?, data))
    }

    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, with keys in any order and
    /// spaces between any tokens.
    fn parse(text: &'a str) -> Result<Header<'a>, String> {
        let mut rest = Rest(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.take("}") {
            let key = rest.quoted()?;
            rest.expect(":")?;
            match key {
                "descr" => descr = Some(rest.quoted()?),
                "fortran_order" => fortran = Some(rest.boolean()?),
                "shape" => shape = Some(rest.tuple()?),
                _ => return Err(format!("unknown key {key:?}")),
            }
            if !rest.take(",") {
                rest.expect("}")?;
                break;
            }
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Header { descr, fortran, shape }),
            _ => Err("one of descr, fortran_order and shape is missing".into()),
        }
    }
}

/// The rest of a header.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Whether `token` is next; it is consumed if so.
    fn take(&mut self, token: &str) -> bool {
        let text = self.0.trim_start();
        let rest = text.strip_prefix(token);
        self.0 = rest.unwrap_or(text);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false => Err(format!("{token:?} expected before {:?}", self.start())),
        }
    }

    /// The next few characters, for errors.
    fn start(&self) -> String {
        self.0.chars().take(12).collect()
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        for quote in ["'", "\""] {
            if self.take(quote) {
                let (text, rest) = self.0.split_once(quote).ok_or("a string is not closed")?;
                self.0 = rest;
                return Ok(text);
            }
        }
        Err(format!("a string expected before {:?}", self.start()))
    }

    fn boolean(&mut self) -> Result<bool, String> {
        match self.take("True") {
            true => Ok(true),
            false => self.expect("False").map(|()| false),
        }
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut all = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            let text = self.0.trim_start();
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let (number, rest) = text.split_at(digits);
            all.push(
                number
                    .parse()
                    .map_err(|_| format!("a length expected before {:?}", self.start()))?,
            );
            self.0 = rest;
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn files_survive_the_round_trip() {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 5], vec![2, 1, 1, 2]] {
            let count = shape.iter().product::<usize>();
            let bytes = write(&shape, (0..count).map(|i| i as f32 - 0.5));
            let array = Array::parse(&bytes).unwrap();
            assert_eq!((&array.shape, array.kind, array.fortran), (&shape, Kind::F32, false));
            let want: Vec<f64> = (0..count).map(|i| i as f64 - 0.5).collect();
            assert_eq!(array.values().collect::<Vec<_>>(), want);
            assert_eq!((bytes.len() - 4 * count) % 64, 0);
        }
    }

    #[test]
    fn both_byte_orders_and_three_types() {
        let header = |descr: &str| {
            std::format!("{{\"shape\":(1,) ,'fortran_order' : True,'descr':'{descr}'}}")
        };
        let cases: [(&str, &[u8], f64); 5] = [
            ("<f4", &1.5f32.to_le_bytes(), 1.5),
            (">f4", &1.5f32.to_be_bytes(), 1.5),
            ("<f8", &(-0.1f64).to_le_bytes(), -0.1),
            (">f8", &(-0.1f64).to_be_bytes(), -0.1),
            ("|u1", &[200], 200.0),
        ];
        for (descr, data, want) in cases {
            let bytes = file(&header(descr), data);
            let array = Array::parse(&bytes).unwrap();
            assert!(array.fortran);
            assert_eq!(array.values().collect::<Vec<_>>(), [want], "{descr}");
        }
        // Version 2 has a length of four bytes.
        let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
        let header = header("|u1");
        bytes.extend((header.len() as u32).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.push(7);
        assert_eq!(Array::parse(&bytes).unwrap().values().next(), Some(7.0));
    }

    #[test]
    fn damaged_and_hostile_files_are_refused() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }";
        assert!(Array::parse(&file(good, &[0; 4])).is_ok());
        let brackets = "[".repeat(2000);
        let huge = good.replace("(1, 1)", "(18446744073709551615, 4)");
        let cases: [(Vec<u8>, &str); 12] = [
            (b"\x93NUM".to_vec(), "not a .npy file"),
            (b"\x93NUMPY\x01\x00\xff".to_vec(), "not a .npy file"),
            (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), "version 9"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{".to_vec(), "claims 2147483647 bytes"),
            (file(&brackets, &[]), "\"{\" expected before \"[[[[[[[[[[[[\""),
            (file("{'descr': [[[[", &[]), "a string expected"),
            (file("{'descr': '<f4'}", &[]), "is missing"),
            (file("{'descr': '<f4', 'more': 3}", &[]), "unknown key \"more\""),
            (file(&good.replace("(1, 1)", "(1, -1)"), &[0; 4]), "a length expected"),
            (file(&good.replace("<f4", "<i8"), &[0; 8]), "values of type <i8"),
            (file(&huge, &[0; 4]), "does not fit the 4 bytes"),
            (file(good, &[0; 5]), "does not fit the 5 bytes"),
        ];
        for (bytes, want) in cases {
            let error = Array::parse(&bytes).unwrap_err();
            assert!(std::format!("{error}").contains(want), "{error}");
        }
    }
}
