//! One array of a `.npy` file: its header, and its values as images or labels.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use runtime::npy::{self, Header};

use super::dtype::Kind;
use super::error::{ArrayFault, DataError};
use super::idx::unreadable;
use super::stack::{Scale, Size, Span, check, exactly};
use super::tree::Entry;

/// Bytes that hold the longest header.
const HEAD: u64 = npy::LONGEST_HEADER as u64 + 12;
/// Values that are converted at once.
const PART: usize = 1 << 16;

/// An array: its header, not yet its values.
#[derive(Debug)]
pub(super) struct Array<'a> {
    pub entry: &'a Entry,
    kind: Option<Kind>,
    /// The type as NumPy writes it.
    descr: String,
    fortran: bool,
    pub shape: Vec<usize>,
    /// Bytes before the values.
    before: u64,
}

/// How an array holds images: the axes of number, rows, columns and channels, if there are any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub count: usize,
    pub size: Size,
    /// Steps, in values, to the next image, row, column and channel.
    steps: [usize; 4],
}

impl Array<'_> {
    pub fn of<'a>(entry: &'a Entry, root: &Path) -> Result<Array<'a>, DataError> {
        let path = || root.join(&entry.name);
        let head = entry.plain_head(HEAD).map_err(|reason| unreadable(&path(), reason))?;
        let fault = |e| match entry.foreign() {
            Some(foreign) => DataError::Foreign(path(), foreign),
            None => DataError::Array(path(), ArrayFault::Npy(e)),
        };
        let (Header { descr, fortran, shape }, rest) = Header::split(&head).map_err(fault)?;
        let before = (head.len() - rest.len()) as u64;
        Ok(Array { entry, kind: Kind::of(descr), descr: descr.into(), fortran, shape, before })
    }

    pub fn all<'a>(entries: &'a [Entry], root: &Path) -> Result<Vec<Array<'a>>, DataError> {
        entries.iter().map(|entry| Array::of(entry, root)).collect()
    }

    /// How it holds images; nothing if it does not.
    pub fn layout(&self) -> Option<Layout> {
        // A side of a few pixels is a number of channels.
        let color = |n: usize| [1, 3, 4].contains(&n);
        let shape = &self.shape;
        // The axes of number, rows, columns, channels.
        let axes = match shape[..] {
            [rows, columns] if rows == columns && rows > 4 => [None, Some(0), Some(1), None],
            [_, values] => {
                let size = Size::square(values, false)?;
                let count = shape[0];
                let steps = match self.fortran {
                    true => [1, size.columns.saturating_mul(count), count, 0],
                    false => [values, size.columns, 1, 0],
                };
                return Some(Layout { count, size, steps });
            }
            [rows, columns, channels] if color(channels) && rows > 4 && columns > 4 => {
                [None, Some(0), Some(1), Some(2)]
            }
            [_, _, _] => [Some(0), Some(1), Some(2), None],
            [_, _, _, c] if color(c) => [Some(0), Some(1), Some(2), Some(3)],
            [_, c, _, _] if color(c) => [Some(0), Some(2), Some(3), Some(1)],
            // MATLAB's order, as that of SVHN.
            [_, _, c, _] if color(c) => [Some(3), Some(0), Some(1), Some(2)],
            _ => return None,
        };
        // A shape that is too large is refused by its size.
        let product =
            |sides: &[usize]| sides.iter().fold(1usize, |n, &side| n.saturating_mul(side));
        let steps: Vec<usize> = (0..shape.len())
            .map(|axis| match self.fortran {
                true => product(&shape[..axis]),
                false => product(&shape[axis + 1..]),
            })
            .collect();
        let [count, rows, columns, channels] = axes.map(|axis| axis.map_or(1, |axis| shape[axis]));
        let steps = axes.map(|axis| axis.map_or(0, |axis| steps[axis]));
        Some(Layout { count, size: Size { rows, columns, channels }, steps })
    }

    /// Whether it holds one number for each of `count` images.
    pub fn are_labels(&self, count: usize) -> bool {
        matches!(self.shape[..], [n] | [n, 1] if n == count)
    }

    pub fn path(&self, root: &Path) -> PathBuf {
        root.join(&self.entry.name)
    }

    /// Its values from the first.
    fn values(&self, root: &Path) -> Result<Box<dyn Read + Send>, DataError> {
        let path = self.path(root);
        let mut file = self.entry.plain().map_err(|reason| unreadable(&path, reason))?;
        let skipped = io::copy(&mut file.by_ref().take(self.before), &mut io::sink());
        skipped.map_err(|e| DataError::Read(path, e))?;
        Ok(file)
    }

    fn kind(&self, root: &Path) -> Result<Kind, DataError> {
        let fault = || DataError::Array(self.path(root), ArrayFault::Type(self.descr.clone()));
        self.kind.ok_or_else(fault)
    }

    /// Calls `each` with the `count` values in the order of the file.
    fn each(&self, count: u64, root: &Path, mut each: impl FnMut(f64)) -> Result<(), DataError> {
        let kind = self.kind(root)?;
        let mut from = self.values(root)?;
        let mut left = count;
        while left > 0 {
            let part = left.min(PART as u64);
            let bytes = read_part(&mut from, part * kind.width as u64)
                .map_err(|e| DataError::Read(self.path(root), e))?;
            if bytes.len() as u64 != part * kind.width as u64 {
                let got = (count - left) * kind.width as u64 + bytes.len() as u64 + self.before;
                let want = count * kind.width as u64 + self.before;
                return Err(DataError::Array(self.path(root), ArrayFault::Length(want, got)));
            }
            bytes.chunks_exact(kind.width).for_each(|value| each(kind.value(value)));
            left -= part;
        }
        Ok(())
    }

    /// Its values as labels, if they are whole numbers.
    pub fn labels(&self, count: usize, root: &Path) -> Result<Option<Vec<i64>>, DataError> {
        if self.kind.is_none() {
            return Ok(None);
        }
        let (mut numbers, mut whole) = (Vec::new(), true);
        self.each(count as u64, root, |value| {
            whole &= value.fract() == 0.0;
            numbers.push(value as i64);
        })?;
        Ok(whole.then_some(numbers))
    }

    /// Its images as bytes in the order of number, row, column, channel, and what was done to them.
    pub fn images(
        &self,
        layout: &Layout,
        root: &Path,
    ) -> Result<(Vec<u8>, Option<String>), DataError> {
        let fault = |fault| DataError::Array(self.path(root), fault);
        let kind = self.kind(root)?;
        let Size { rows, columns, channels } = layout.size;
        let sides = [rows as u64, columns as u64, channels as u64];
        let size = check(layout.count as u64, sides, self.entry.stored()).map_err(fault)?;
        let (bytes, scale) = if kind.letter == b'u' && kind.width == 1 {
            let mut from = self.values(root)?;
            let read = exactly(&mut from, size, self.before);
            let bytes = read.map_err(|e| DataError::Read(self.path(root), e))?.map_err(fault)?;
            // Black and white, as binary MNIST is stored.
            match bytes.iter().all(|&v| v <= 1) {
                true => (
                    bytes.iter().map(|&v| v * 255).collect(),
                    Span { least: 0.0, most: 1.0 }.scale(false).ok(),
                ),
                false => (bytes, None),
            }
        } else {
            let mut span = Span::NONE;
            self.each(size, root, |value| span = span.with(value))?;
            let wide = kind.letter == b'u' && kind.width == 2;
            let scale = span.scale(wide).map_err(fault)?;
            let mut bytes = Vec::with_capacity(size as usize);
            self.each(size, root, |value| bytes.push(scale.byte(value)))?;
            (bytes, Some(scale))
        };
        Ok((layout.arrange(bytes), scale.and_then(Scale::note)))
    }
}

impl Layout {
    /// Values in the order of number, row, column, channel.
    fn arrange(&self, values: Vec<u8>) -> Vec<u8> {
        let Size { rows, columns, channels } = self.size;
        let [image, row, column, channel] = self.steps;
        let expected = [rows * columns * channels, columns * channels, channels, 1];
        let sides = [self.count, rows, columns, channels];
        if (0..4).all(|axis| sides[axis] == 1 || self.steps[axis] == expected[axis]) {
            return values;
        }
        let mut arranged = Vec::with_capacity(values.len());
        for n in 0..self.count {
            for y in 0..rows {
                for x in 0..columns {
                    let first = n * image + y * row + x * column;
                    arranged.extend((0..channels).map(|c| values[first + c * channel]));
                }
            }
        }
        arranged
    }
}

fn read_part(from: &mut dyn Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length as usize);
    from.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
