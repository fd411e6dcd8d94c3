//! The message of a model without the long raw data of its initializers, which protobuf would copy.
//!
//! In a usual file nearly all bytes are weights. What is left is parsed as always; the weights are
//! read from where they lie, straight into the memory of the layers.

use alloc::vec;
use alloc::vec::Vec;
use std::io;

use super::source::{Part, Source};

/// Fields: `ModelProto.graph`, `GraphProto.initializer`, `TensorProto.raw_data`.
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const RAW_DATA: u64 = 9;

/// Shortest data that is cut out.
const LONG: u64 = 1 << 12;
/// Bytes that are read at once on the way.
const WINDOW: usize = 1 << 14;

/// A message without long data.
pub(super) struct Cut<'a> {
    pub message: Vec<u8>,
    /// The data of initializers, by their number.
    pub data: Vec<(usize, Part<'a>)>,
}

/// Cuts a file of `len` bytes. `None` if more than half would be left, or the file is unusual: it
/// repeats the graph or the data of a tensor, which protobuf merges and replaces, or is damaged. Then
/// it is to be parsed as a whole.
///
/// # Errors
/// If it cannot be read.
pub(super) fn cut<'a>(source: &Source<'a>, len: u64) -> io::Result<Option<Cut<'a>>> {
    let mut walk =
        Walk { source: source.clone(), at: 0, window: vec![], begin: 0, len, left: len / 2 };
    match walk.model() {
        Ok(cut) => Ok(cut),
        Err(Stop::Unusual) => Ok(None),
        Err(Stop::Read(error)) => Err(error),
    }
}

/// A walk over the fields of a file.
struct Walk<'a> {
    source: Source<'a>,
    at: u64,
    /// Bytes of the file from `begin` on.
    window: Vec<u8>,
    begin: u64,
    len: u64,
    /// Bytes that may still be copied.
    left: u64,
}

/// A field of a message: its number, and its bytes without the tag, or `None` if it is not a list of
/// bytes and has been copied.
struct Field {
    number: u64,
    len: Option<u64>,
}

/// The end of a walk: the file is not cut.
enum Stop {
    Unusual,
    Read(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Read(error)
    }
}

impl<'a> Walk<'a> {
    fn model(&mut self) -> Result<Option<Cut<'a>>, Stop> {
        let (mut message, mut graph) = (Vec::new(), None);
        while self.at < self.len {
            match self.field(self.len, &mut message)? {
                Field { number: GRAPH, len: Some(len) } if graph.is_none() => {
                    graph = Some(self.graph(self.at + len)?);
                }
                Field { number: GRAPH, len: Some(_) } => return Err(Stop::Unusual),
                Field { number, len: Some(len) } => {
                    head(&mut message, number, len);
                    self.copy(len, &mut message)?;
                }
                Field { len: None, .. } => {}
            }
        }
        // Last, after fields that came behind it: their order does not matter to protobuf.
        Ok(graph.map(|graph| {
            head(&mut message, GRAPH, graph.message.len() as u64);
            message.extend(graph.message);
            Cut { message, data: graph.data }
        }))
    }

    /// The graph up to `end`.
    fn graph(&mut self, end: u64) -> Result<Cut<'a>, Stop> {
        let (mut graph, mut data, mut number) = (Vec::new(), Vec::new(), 0);
        while self.at < end {
            match self.field(end, &mut graph)? {
                Field { number: INITIALIZER, len: Some(len) } => {
                    if len < LONG {
                        head(&mut graph, INITIALIZER, len);
                        self.copy(len, &mut graph)?;
                    } else {
                        let (tensor, part) = self.tensor(self.at + len)?;
                        head(&mut graph, INITIALIZER, tensor.len() as u64);
                        graph.extend(tensor);
                        data.extend(part.map(|part| (number, part)));
                    }
                    number += 1;
                }
                Field { number, len: Some(len) } => {
                    head(&mut graph, number, len);
                    self.copy(len, &mut graph)?;
                }
                Field { len: None, .. } => {}
            }
        }
        Ok(Cut { message: graph, data })
    }

    /// The tensor up to `end`, and its data if that is long.
    fn tensor(&mut self, end: u64) -> Result<(Vec<u8>, Option<Part<'a>>), Stop> {
        let (mut tensor, mut part, mut seen) = (Vec::new(), None, false);
        while self.at < end {
            let Field { number, len: Some(len) } = self.field(end, &mut tensor)? else { continue };
            if number == RAW_DATA && core::mem::replace(&mut seen, true) {
                return Err(Stop::Unusual);
            }
            if number == RAW_DATA && len >= LONG {
                let len = usize::try_from(len).map_err(|_| Stop::Unusual)?;
                part = Some(Part { source: self.source.clone(), at: self.at, len });
                self.at += len as u64;
            } else {
                head(&mut tensor, number, len);
                self.copy(len, &mut tensor)?;
            }
        }
        Ok((tensor, part))
    }

    /// The next field of a message that ends at `end`. Numbers are copied to `to`.
    fn field(&mut self, end: u64, to: &mut Vec<u8>) -> Result<Field, Stop> {
        let tag = self.varint()?;
        let number = tag >> 3;
        // protobuf reads the same number from more bytes than it needs; one that is too large is an
        // error, which it reports.
        if number == 0 || number > u64::from(u32::MAX >> 3) {
            return Err(Stop::Unusual);
        }
        let len = match tag & 7 {
            0 => {
                varint(to, tag);
                let value = self.varint()?;
                varint(to, value);
                None
            }
            kind @ (1 | 5) => {
                varint(to, tag);
                self.copy(if kind == 1 { 8 } else { 4 }, to)?;
                None
            }
            2 => Some(self.varint()?),
            _ => return Err(Stop::Unusual),
        };
        let last = self.at.checked_add(len.unwrap_or(0));
        match last.is_some_and(|last| last <= end) {
            true => Ok(Field { number, len }),
            false => Err(Stop::Unusual),
        }
    }

    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1)?[0];
            self.at += 1;
            if shift == 63 && byte > 1 {
                return Err(Stop::Unusual);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Stop::Unusual)
    }

    fn copy(&mut self, len: u64, to: &mut Vec<u8>) -> Result<(), Stop> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.len).ok_or(Stop::Unusual)?;
        self.left = self.left.checked_sub(len).ok_or(Stop::Unusual)?;
        while self.at < end {
            let most = usize::try_from(end - self.at).unwrap_or(usize::MAX);
            let bytes = self.bytes(1)?;
            let n = bytes.len().min(most);
            to.extend_from_slice(&bytes[..n]);
            self.at += n as u64;
        }
        Ok(())
    }

    /// At least `least` bytes from here on.
    fn bytes(&mut self, least: usize) -> Result<&[u8], Stop> {
        let inside = |walk: &Self| {
            let from = usize::try_from(walk.at.checked_sub(walk.begin)?).ok()?;
            (from.checked_add(least)? <= walk.window.len()).then_some(from)
        };
        let from = match inside(self) {
            Some(from) => from,
            None => {
                let left = self.len.saturating_sub(self.at);
                let len = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
                if len < least {
                    return Err(Stop::Unusual);
                }
                self.window.resize(len, 0);
                self.begin = self.at;
                self.source.read(self.at, &mut self.window)?;
                0
            }
        };
        Ok(&self.window[from..])
    }
}

/// The tag and length of a field of bytes.
fn head(to: &mut Vec<u8>, number: u64, len: u64) {
    varint(to, number << 3 | 2);
    varint(to, len);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        to.push(value as u8 | 128);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use onnx_protobuf::tensor_proto::{DataLocation, DataType};
    use onnx_protobuf::{
        AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
    };
    use protobuf::Message;

    use super::*;

    fn tensor(name: &str, kind: DataType, bytes: usize) -> TensorProto {
        TensorProto {
            name: name.into(),
            data_type: kind as i32,
            dims: vec![bytes as i64],
            raw_data: (0..bytes).map(|i| (i * 7 + bytes) as u8).collect(),
            ..TensorProto::default()
        }
    }

    /// A model of initializers, with a node whose attribute is a tensor.
    fn model(initializer: Vec<TensorProto>) -> ModelProto {
        let attribute = AttributeProto {
            name: "value".into(),
            t: Some(tensor("inner", DataType::FLOAT, 5000)).into(),
            ..AttributeProto::default()
        };
        let node = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
        let graph =
            GraphProto { name: "g".into(), node: vec![node], initializer, ..GraphProto::default() };
        ModelProto { graph: Some(graph).into(), ir_version: 8, ..ModelProto::default() }
    }

    fn cut_of(bytes: &[u8]) -> Option<Cut<'_>> {
        cut(&Source::Memory(bytes), bytes.len() as u64).unwrap()
    }

    /// What a cut message and its data are together.
    fn joined(cut: &Cut<'_>) -> ModelProto {
        let mut model = ModelProto::parse_from_bytes(&cut.message).unwrap();
        let graph = model.graph.as_mut().unwrap();
        for (i, part) in &cut.data {
            assert!(graph.initializer[*i].raw_data.is_empty());
            graph.initializer[*i].raw_data = part.bytes().unwrap().into_owned();
        }
        model
    }

    #[test]
    fn what_is_left_and_what_was_cut_are_the_whole() {
        // Lengths of one, two, three and four bytes, before and after.
        let mut outside = tensor("outside", DataType::FLOAT, 5000);
        outside.data_location = DataLocation::EXTERNAL.into();
        outside.external_data = vec![StringStringEntryProto {
            key: "location".into(),
            value: "x".repeat(100),
            ..StringStringEntryProto::default()
        }];
        let long = LONG as usize;
        let whole = model(vec![
            tensor("empty", DataType::FLOAT, 0),
            tensor("short", DataType::FLOAT, long - 1),
            tensor("float", DataType::FLOAT, long),
            tensor(&"n".repeat(200), DataType::FLOAT16, 20_001),
            tensor("integers", DataType::INT64, 40_000),
            outside,
            tensor("large", DataType::DOUBLE, 3 << 20),
        ]);
        let bytes = whole.write_to_bytes().unwrap();
        let cut = cut_of(&bytes).unwrap();
        let numbers: Vec<usize> = cut.data.iter().map(|(i, _)| *i).collect();
        assert_eq!(numbers, [2, 3, 4, 5, 6]);
        assert!(cut.message.len() < 12_000, "{}", cut.message.len());
        assert_eq!(joined(&cut), whole);
    }

    #[test]
    fn fields_behind_the_graph_are_kept() {
        let whole = model(vec![tensor("w", DataType::FLOAT, 50_000)]);
        let mut bytes = whole.write_to_bytes().unwrap();
        // The producer's name, an unknown number, and the same of the graph's own as a number.
        bytes.extend([2 << 3 | 2, 2, b'm', b'e', 99 << 3 & 127 | 128, 6, 5, 7 << 3, 1]);
        let want = ModelProto::parse_from_bytes(&bytes).unwrap();
        assert_eq!(want.producer_name, "me");
        assert_eq!(joined(&cut_of(&bytes).unwrap()), want);
    }

    #[test]
    fn what_protobuf_would_merge_is_not_cut() {
        let bytes = model(vec![tensor("w", DataType::FLOAT, 50_000)]).write_to_bytes().unwrap();
        assert!(cut_of(&bytes).is_some());
        // A second graph, also an empty one: its initializers would be added.
        assert!(cut_of(&[&bytes[..], &[GRAPH as u8 * 8 + 2, 0]].concat()).is_none());
        // The last of two data counts, also if it is short.
        for more in [0, 5000] {
            let mut twice = Vec::new();
            for len in [50_000, more] {
                head(&mut twice, RAW_DATA, len as u64);
                twice.resize(twice.len() + len, 1);
            }
            let (mut graph, mut all) = (Vec::new(), Vec::new());
            head(&mut graph, INITIALIZER, twice.len() as u64);
            graph.extend(&twice);
            head(&mut all, GRAPH, graph.len() as u64);
            all.extend(&graph);
            let parsed = ModelProto::parse_from_bytes(&all).unwrap();
            assert_eq!(parsed.graph.initializer[0].raw_data.len(), more);
            assert!(cut_of(&all).is_none(), "{more}");
        }
    }

    #[test]
    fn what_is_mostly_something_else_is_not_cut() {
        let mut listed = tensor("listed", DataType::FLOAT, 0);
        listed.float_data = vec![1.0; 20_000];
        let bytes = model(vec![listed, tensor("w", DataType::FLOAT, 50_000)]);
        assert!(cut_of(&bytes.write_to_bytes().unwrap()).is_none());
        assert!(cut_of(&[]).is_none());
    }

    #[test]
    fn damaged_files_are_not_cut_or_still_the_same() {
        let bytes = model(vec![
            tensor("a", DataType::FLOAT, 9000),
            tensor("b", DataType::INT64, 10_000),
            tensor("c", DataType::FLOAT, 6000),
        ]);
        let bytes = bytes.write_to_bytes().unwrap();
        let mut cuts = 0;
        // Every byte that is not within the data, and some that are.
        for at in (0..bytes.len()).filter(|at| at % 97 == 0 || at % 9000 < 300) {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                if let Some(cut) = cut_of(&bytes)
                    && let Ok(whole) = ModelProto::parse_from_bytes(&bytes)
                {
                    cuts += 1;
                    assert_eq!(joined(&cut), whole, "{at}");
                }
            }
            assert!(cut_of(&bytes[..at]).is_none(), "{at}");
        }
        assert!(cuts > 100, "{cuts}");
    }
}
