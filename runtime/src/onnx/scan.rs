//! What protobuf would allocate for a file, added up before it does.
//!
//! An empty message takes 2 bytes of a file and a struct of up to hundreds of bytes in memory, and so
//! does a field that nothing reads. This walks the fields by themselves, without allocating.

use alloc::string::String;

use onnx_protobuf as onnx;
use onnx_protobuf::tensor_shape_proto::Dimension;
use onnx_protobuf::{tensor_proto, type_proto};
use protobuf::rt::WireType;

use super::budget::Budget;
use super::error::OnnxError;

/// Messages of `onnx.proto`, except those without a message inside.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    TypeTensor,
    Sequence,
    Map,
    Shape,
    Dimension,
    Training,
    Function,
    Annotation,
    Entry,
    Segment,
    Opset,
}

/// What protobuf makes of a field.
enum Field {
    /// Text or bytes.
    Text,
    /// An integer, or a packed list of them: each has one byte or more.
    Integer,
    /// A float, or a packed list of them: each has its size.
    Float,
    Message(Message),
    /// A value in a map beside the message.
    Unknown,
}

/// Bytes of a field that `onnx.proto` does not have: a hash map of four lists for each number.
const UNKNOWN: usize = 512;
/// Bytes of a number, at most.
const NUMBER: usize = 8;
/// Bytes of an empty string.
const TEXT: usize = size_of::<String>();
/// Levels of messages that protobuf reads.
const DEEPEST: usize = 100;

impl Message {
    /// Size of its struct in bytes.
    fn size(self) -> usize {
        match self {
            Message::Model => size_of::<onnx::ModelProto>(),
            Message::Graph => size_of::<onnx::GraphProto>(),
            Message::Node => size_of::<onnx::NodeProto>(),
            Message::Attribute => size_of::<onnx::AttributeProto>(),
            Message::Tensor => size_of::<onnx::TensorProto>(),
            Message::SparseTensor => size_of::<onnx::SparseTensorProto>(),
            Message::ValueInfo => size_of::<onnx::ValueInfoProto>(),
            Message::Type => size_of::<onnx::TypeProto>(),
            Message::TypeTensor => size_of::<type_proto::Tensor>(),
            Message::Sequence => size_of::<type_proto::Sequence>(),
            Message::Map => size_of::<type_proto::Map>(),
            Message::Shape => size_of::<onnx::TensorShapeProto>(),
            Message::Dimension => size_of::<Dimension>(),
            Message::Training => size_of::<onnx::TrainingInfoProto>(),
            Message::Function => size_of::<onnx::FunctionProto>(),
            Message::Annotation => size_of::<onnx::TensorAnnotation>(),
            Message::Entry => size_of::<onnx::StringStringEntryProto>(),
            Message::Segment => size_of::<tensor_proto::Segment>(),
            Message::Opset => size_of::<onnx::OperatorSetIdProto>(),
        }
    }

    /// A field by its number: `protos/onnx.proto` of onnx-protobuf 0.2.3.
    fn field(self, number: u32) -> Field {
        use Field::{Float, Integer, Text, Unknown};
        let is = Field::Message;
        match (self, number) {
            (Message::Model, 1 | 5) => Integer,
            (Message::Model, 2..=4 | 6) => Text,
            (Message::Model, 7) => is(Message::Graph),
            (Message::Model, 8) => is(Message::Opset),
            (Message::Model, 14) => is(Message::Entry),
            (Message::Model, 20) => is(Message::Training),
            (Message::Model, 25) => is(Message::Function),
            (Message::Graph, 1) => is(Message::Node),
            (Message::Graph, 2 | 10) => Text,
            (Message::Graph, 5) => is(Message::Tensor),
            (Message::Graph, 11..=13) => is(Message::ValueInfo),
            (Message::Graph, 14) => is(Message::Annotation),
            (Message::Graph, 15) => is(Message::SparseTensor),
            (Message::Graph, 16) => is(Message::Entry),
            (Message::Node, 1..=4 | 6..=8) => Text,
            (Message::Node, 5) => is(Message::Attribute),
            (Message::Node, 9) => is(Message::Entry),
            (Message::Attribute, 1 | 4 | 9 | 13 | 21) => Text,
            (Message::Attribute, 2 | 7) => Float,
            (Message::Attribute, 3 | 8 | 20) => Integer,
            (Message::Attribute, 5 | 10) => is(Message::Tensor),
            (Message::Attribute, 6 | 11) => is(Message::Graph),
            (Message::Attribute, 14 | 15) => is(Message::Type),
            (Message::Attribute, 22 | 23) => is(Message::SparseTensor),
            (Message::Tensor, 1 | 2 | 5 | 7 | 11 | 14) => Integer,
            (Message::Tensor, 4 | 10) => Float,
            (Message::Tensor, 3) => is(Message::Segment),
            (Message::Tensor, 6 | 8 | 9 | 12) => Text,
            (Message::Tensor, 13 | 16) => is(Message::Entry),
            (Message::SparseTensor, 1 | 2) => is(Message::Tensor),
            (Message::SparseTensor, 3) => Integer,
            (Message::ValueInfo, 1 | 3) => Text,
            (Message::ValueInfo, 2) => is(Message::Type),
            (Message::ValueInfo, 4) => is(Message::Entry),
            // A sparse tensor's type has the fields of a tensor's, an optional's those of a sequence's.
            (Message::Type, 1 | 8) => is(Message::TypeTensor),
            (Message::Type, 4 | 9) => is(Message::Sequence),
            (Message::Type, 5) => is(Message::Map),
            (Message::Type, 6) => Text,
            (Message::TypeTensor, 1) => Integer,
            (Message::TypeTensor, 2) => is(Message::Shape),
            (Message::Sequence, 1) => is(Message::Type),
            (Message::Map, 1) => Integer,
            (Message::Map, 2) => is(Message::Type),
            (Message::Shape, 1) => is(Message::Dimension),
            (Message::Dimension, 1) => Integer,
            (Message::Dimension, 2 | 3) => Text,
            (Message::Training, 1 | 2) => is(Message::Graph),
            (Message::Training, 3 | 4) => is(Message::Entry),
            (Message::Function, 1 | 4..=6 | 8 | 10 | 13) => Text,
            (Message::Function, 7) => is(Message::Node),
            (Message::Function, 9) => is(Message::Opset),
            (Message::Function, 11) => is(Message::Attribute),
            (Message::Function, 12) => is(Message::ValueInfo),
            (Message::Function, 14) => is(Message::Entry),
            (Message::Annotation, 1) => Text,
            (Message::Annotation, 2) => is(Message::Entry),
            (Message::Entry, 1 | 2) => Text,
            (Message::Segment, 1 | 2) => Integer,
            (Message::Opset, 1) => Text,
            (Message::Opset, 2) => Integer,
            (_, _) => Unknown,
        }
    }
}

/// Takes from `budget` what protobuf would allocate for a file; growing lists may hold twice that.
/// What protobuf would read although it is cut short is refused.
///
/// # Errors
/// [`OnnxError::Limit`] if it is more than there is, [`OnnxError::NotOnnx`] if the bytes are no
/// protobuf message.
pub(super) fn scan(bytes: &[u8], budget: &Budget) -> Result<(), OnnxError> {
    message(Rest(bytes), Message::Model, 0, budget)
}

fn message(
    mut rest: Rest<'_>,
    kind: Message,
    depth: usize,
    budget: &Budget,
) -> Result<(), OnnxError> {
    let wrong = |what: &str| OnnxError::NotOnnx(what.into());
    budget.take(1, kind.size())?;
    while !rest.0.is_empty() {
        let tag = rest.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| wrong("the number of a field"))?;
        let wire = WireType::new(tag as u32 & 7);
        let field = match (kind.field(number), wire) {
            (_, None | Some(WireType::StartGroup | WireType::EndGroup)) => {
                return Err(wrong("a field of a type that ONNX does not have"));
            }
            (field, Some(WireType::LengthDelimited))
            | (field @ Field::Integer, Some(WireType::Varint))
            | (field @ Field::Float, Some(WireType::Fixed32 | WireType::Fixed64)) => field,
            // protobuf keeps a field of another type as it keeps those that it does not know.
            (_, Some(WireType::Varint | WireType::Fixed32 | WireType::Fixed64)) => Field::Unknown,
        };
        let length = match wire {
            Some(WireType::LengthDelimited) => rest.varint()?,
            other => {
                let known = matches!(field, Field::Integer | Field::Float);
                budget.take(1, if known { NUMBER } else { UNKNOWN })?;
                match other {
                    Some(WireType::Fixed32) => _ = rest.take(4)?,
                    Some(WireType::Fixed64) => _ = rest.take(8)?,
                    _ => _ = rest.varint()?,
                }
                continue;
            }
        };
        let bytes = rest.take(length)?;
        match field {
            Field::Message(_) if depth == DEEPEST => return Err(wrong("messages too deep")),
            Field::Message(inner) => message(Rest(bytes), inner, depth + 1, budget)?,
            Field::Integer => budget.take(bytes.len(), NUMBER)?,
            Field::Float => budget.take(bytes.len(), 1)?,
            Field::Text => budget.take(1, TEXT.saturating_add(bytes.len()))?,
            Field::Unknown => budget.take(1, UNKNOWN.saturating_add(bytes.len()))?,
        }
    }
    Ok(())
}

/// The rest of a message.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: u64) -> Result<&'a [u8], OnnxError> {
        let taken = usize::try_from(n).ok().and_then(|n| self.0.split_at_checked(n));
        let (taken, rest) = taken.ok_or_else(|| OnnxError::NotOnnx("it is cut short".into()))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Groups of 7 bits, the lowest first.
    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(OnnxError::NotOnnx("a number of too many bytes".into()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use protobuf::Message as _;

    use super::*;
    use crate::limits::{Limit, Limits};

    /// A field that holds bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut length = bytes.len();
        let mut field = vec![number << 3 | 2];
        while length > 127 {
            field.push(length as u8 | 128);
            length >>= 7;
        }
        field.push(length as u8);
        [field, bytes.into()].concat()
    }

    fn refused(bytes: &[u8]) -> bool {
        match scan(bytes, &Budget::new(bytes.len(), &Limits::DEFAULT)) {
            Err(OnnxError::Limit(exceeded)) => exceeded.limit == Limit::Expansion,
            _ => false,
        }
    }

    #[test]
    fn empty_messages_and_unknown_fields_count() {
        // 2 bytes each: nodes, tensors, inputs; attributes of one node.
        for part in [1, 5, 11] {
            let many = field(part, &[]).repeat(100_000);
            assert!(refused(&field(7, &many)), "{part}");
        }
        let node = field(1, &field(5, &[]).repeat(100_000));
        assert!(refused(&field(7, &node)));
        // A float where text belongs, and numbers of fields that do not exist.
        let wrong = [2 << 3 | 5, 0, 0, 0, 0].repeat(100_000);
        assert!(refused(&field(7, &wrong)));
        let unknown: Vec<u8> = (64..2047u32)
            .flat_map(|number| {
                let tag = number << 3;
                [tag as u8 | 128, (tag >> 7) as u8 | 128, (tag >> 14) as u8, 0]
            })
            .collect();
        assert!(refused(&field(7, &unknown.repeat(2))));
    }

    #[test]
    fn what_models_are_made_of_is_within_the_limit() {
        let mut tensor = onnx::TensorProto::new();
        tensor.raw_data = vec![1; 1 << 20];
        let mut halves = onnx::TensorProto::new();
        halves.int32_data = vec![0x3c00; 1 << 20];
        let mut floats = onnx::TensorProto::new();
        floats.float_data = vec![1.0; 1 << 20];
        let mut integers = onnx::TensorProto::new();
        integers.int64_data = vec![1; 1 << 20];
        for tensor in [tensor, halves, floats, integers] {
            let mut graph = onnx::GraphProto::new();
            graph.initializer = vec![tensor];
            let model = onnx::ModelProto { graph: Some(graph).into(), ..Default::default() };
            let bytes = model.write_to_bytes().unwrap();
            let limits = Limits::DEFAULT;
            assert_eq!(scan(&bytes, &Budget::new(bytes.len(), &limits)), Ok(()));
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        // Outside in: a graph's node, a node's attribute, an attribute's graph.
        let deep = (0..101).fold(Vec::new(), |inner, i| field([5, 1, 6][i % 3], &inner));
        let cases: [(&[u8], &str); 5] = [
            (&[0x3a, 5], "cut short"),
            (&[0xff; 20], "too many bytes"),
            (&[3 << 3 | 3], "of a type"),
            (&[3 << 3 | 7], "of a type"),
            (&field(7, &[0x0a, 99]), "cut short"),
        ];
        for (bytes, want) in cases {
            let error = scan(bytes, &Budget::new(bytes.len(), &Limits::DEFAULT)).unwrap_err();
            let OnnxError::NotOnnx(what) = error else { panic!("{error}") };
            assert!(what.contains(want), "{what}");
        }
        let deep = field(7, &deep);
        let error = scan(&deep, &Budget::new(deep.len(), &Limits::DEFAULT)).unwrap_err();
        assert_eq!(error, OnnxError::NotOnnx("messages too deep".into()));
    }
}
