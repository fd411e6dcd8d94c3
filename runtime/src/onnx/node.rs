//! One node of an ONNX graph.

use alloc::string::String;

use onnx_protobuf::{AttributeProto, NodeProto};

use super::error::OnnxError;

/// A node, its attributes, and errors that name it.
pub(super) struct Node<'a>(pub &'a NodeProto);

impl Node<'_> {
    pub fn name(&self) -> String {
        match (self.0.name.as_str(), self.0.output.first()) {
            ("", Some(output)) => output.clone(),
            (name, _) => name.into(),
        }
    }

    pub fn fail(&self, what: impl Into<String>) -> OnnxError {
        OnnxError::Node { node: self.name(), op: self.0.op_type.clone(), what: what.into() }
    }

    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.0.attribute.iter().find(|a| a.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    pub fn string(&self, name: &str, default: &str) -> String {
        self.attribute(name).map_or(default.into(), |a| String::from_utf8_lossy(&a.s).into_owned())
    }

    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| &a.ints[..])
    }

    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|a| &a.floats[..])
    }

    /// The name of input `i`; an empty name means that the input is absent.
    pub fn input(&self, i: usize) -> Option<&str> {
        let name = self.0.input.get(i)?;
        (!name.is_empty()).then_some(name)
    }
}
