//! The bytes of a burn record: metadata and tensors.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::list::{Graph, Layer};
use crate::checksum::checksum;
use crate::layer::Input;
use crate::model::key;
use crate::op::{Op, Shape};
use crate::record::Buffer;
use crate::record::format::major::{ARRAY, MAP, TEXT, UINT};
use crate::record::format::{ALIGNMENT, HEADER, MAGIC, VERSION};

impl Graph {
    /// A record of these layers and tensors, with `more` keys.
    pub(super) fn record(
        &self,
        lines: &str,
        tensors: &[Tensor<'_>],
        more: impl Iterator<Item = (&'static str, String)>,
    ) -> Buffer {
        let mut end = 0usize;
        let mut places = Vec::new();
        for tensor in tensors {
            let start = end.next_multiple_of(ALIGNMENT);
            end = start + tensor.values.size();
            places.push((start as u64, end as u64));
        }
        // The checksum precedes the data that it covers; its text always has the same length.
        let mut strings = self.strings(lines, 0);
        strings.extend(more);
        strings.sort();
        let length = metadata(tensors, &places, &strings).len();
        let data = (HEADER + length).next_multiple_of(ALIGNMENT);
        let filled = Buffer::filled(data + end, |bytes| {
            let (before, bytes) = bytes.split_at_mut(data);
            for (tensor, (start, end)) in tensors.iter().zip(&places) {
                tensor.values.write(&mut bytes[*start as usize..*end as usize]);
            }
            let sum = hex(checksum(bytes));
            let known = strings.iter_mut().find(|(key, _)| *key == key::CHECKSUM);
            known.into_iter().for_each(|(_, value)| value.clone_from(&sum));
            before[..4].copy_from_slice(&MAGIC.to_le_bytes());
            before[4..6].copy_from_slice(&VERSION.to_le_bytes());
            before[6..HEADER].copy_from_slice(&(length as u32).to_le_bytes());
            let cbor = metadata(tensors, &places, &strings);
            before[HEADER..][..length].copy_from_slice(&cbor);
            Ok::<(), core::convert::Infallible>(())
        });
        match filled {
            Ok(buffer) => buffer,
            Err(never) => match never {},
        }
    }

    /// Whether it is a chain of layers of the first version of the keys.
    fn is_plain(&self) -> bool {
        let plain = |layer: &Layer| match layer.op {
            Op::Dense { .. }
            | Op::Conv { .. }
            | Op::ConvTranspose { .. }
            | Op::Affine
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => layer.from.is_none(),
            Op::ReflectConv { .. } | Op::InstanceNorm { .. } | Op::Add | Op::Concat { .. } => false,
        };
        matches!(self.input, Input::Latent(_)) && self.layers.iter().all(plain)
    }

    /// The metadata that every record has.
    fn strings(&self, lines: &str, sum: u32) -> Vec<(&'static str, String)> {
        let facts = &self.facts;
        let input = match self.input {
            Input::Latent(n) => (key::LATENT, n.to_string()),
            Input::Picture(Shape { c, h, w }) => (key::PICTURE, format!("{c} {h} {w}")),
        };
        let mut strings = vec![
            (key::FORMAT, key::VERSIONS[usize::from(!self.is_plain())].into()),
            input,
            (key::LAYERS, lines.into()),
            (key::CHECKSUM, hex(sum)),
            (key::RANGE, format!("{} {}", facts.range.0, facts.range.1)),
        ];
        // A label is one line.
        let labels: Vec<String> = facts.labels.iter().map(|l| l.replace('\n', " ")).collect();
        let known = [
            (key::NAME, facts.name.clone()),
            (key::LICENSE, facts.license.clone()),
            (key::DATA, facts.data.clone()),
            (key::TRAINED, facts.trained.clone()),
            (key::LABELS, labels.join("\n")),
        ];
        strings.extend(known.into_iter().filter(|(_, value)| !value.is_empty()));
        strings
    }
}

/// A checksum as text.
fn hex(sum: u32) -> String {
    format!("{sum:08x}")
}

/// A tensor to be written.
pub(super) struct Tensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Values<'a>,
}

/// A tensor's values.
pub(super) enum Values<'a> {
    F32(&'a [f32]),
    Owned(Vec<f32>),
    F16(Vec<u16>),
    I8(Vec<i8>),
    I32(Vec<i32>),
    U8(Vec<u8>),
}

impl Values<'_> {
    /// Name of the type in burn.
    fn dtype(&self) -> &'static str {
        match self {
            Values::F32(_) | Values::Owned(_) => "F32",
            Values::F16(_) => "F16",
            Values::I8(_) => "I8",
            Values::I32(_) => "I32",
            Values::U8(_) => "U8",
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::Owned(values) => values.len(),
            Values::F16(values) => values.len(),
            Values::I8(values) => values.len(),
            Values::I32(values) => values.len(),
            Values::U8(values) => values.len(),
        }
    }

    /// Size in bytes.
    fn size(&self) -> usize {
        self.len()
            * match self {
                Values::F32(_) | Values::Owned(_) | Values::I32(_) => 4,
                Values::F16(_) => 2,
                Values::I8(_) | Values::U8(_) => 1,
            }
    }

    /// Writes them to `to`, which has [`Values::size`] bytes.
    fn write(&self, to: &mut [u8]) {
        match self {
            Values::F32(values) => put(to, values, |v| v.to_le_bytes()),
            Values::Owned(values) => put(to, values, |v| v.to_le_bytes()),
            Values::F16(values) => put(to, values, |v| v.to_le_bytes()),
            Values::I8(values) => put(to, values, |v| v.to_le_bytes()),
            Values::I32(values) => put(to, values, |v| v.to_le_bytes()),
            Values::U8(values) => to.copy_from_slice(values),
        }
    }
}

fn put<T, const N: usize>(to: &mut [u8], values: &[T], bytes: impl Fn(&T) -> [u8; N]) {
    for (to, v) in to.as_chunks_mut().0.iter_mut().zip(values) {
        *to = bytes(v);
    }
}

/// The CBOR (RFC 8949) of a record's metadata.
fn metadata(
    tensors: &[Tensor<'_>],
    places: &[(u64, u64)],
    strings: &[(&'static str, String)],
) -> Vec<u8> {
    let mut to = Vec::new();
    head(&mut to, MAP, 2);
    text(&mut to, "tensors");
    head(&mut to, MAP, tensors.len() as u64);
    for (tensor, (start, end)) in tensors.iter().zip(places) {
        text(&mut to, &tensor.name);
        head(&mut to, MAP, 3);
        text(&mut to, "dtype");
        text(&mut to, tensor.values.dtype());
        text(&mut to, "shape");
        head(&mut to, ARRAY, tensor.shape.len() as u64);
        for n in &tensor.shape {
            head(&mut to, UINT, *n as u64);
        }
        text(&mut to, "data_offsets");
        head(&mut to, ARRAY, 2);
        head(&mut to, UINT, *start);
        head(&mut to, UINT, *end);
    }
    text(&mut to, "metadata");
    head(&mut to, MAP, strings.len() as u64);
    for (key, value) in strings {
        text(&mut to, key);
        text(&mut to, value);
    }
    to
}

fn text(to: &mut Vec<u8>, text: &str) {
    head(to, TEXT, text.len() as u64);
    to.extend(text.as_bytes());
}

/// Writes a major type and its argument in as few bytes as possible.
fn head(to: &mut Vec<u8>, kind: u8, n: u64) {
    let kind = kind << 5;
    match n {
        0..24 => to.push(kind | n as u8),
        24..=0xff => to.extend([kind | 24, n as u8]),
        0x100..=0xffff => {
            to.push(kind | 25);
            to.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            to.push(kind | 26);
            to.extend((n as u32).to_be_bytes());
        }
        _ => {
            to.push(kind | 27);
            to.extend(n.to_be_bytes());
        }
    }
}
