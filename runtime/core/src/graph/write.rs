//! A graph as a record of precision f32.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::error::GraphError;
use super::list::Graph;
use super::record::{Tensor, Values};
use crate::layer::LAYERS;
use crate::limits::Limits;
use crate::model::{Model, ModelError};
use crate::op::Op;
use crate::record::Buffer;

impl Graph {
    /// The bytes of a burn record that burn and [`crate::Model::parse`] read. Fold first: what is
    /// written is what runs.
    ///
    /// # Errors
    /// [`GraphError`] if the graph is not a generator; see [`Graph::shapes`].
    pub fn to_record(&self) -> Result<Vec<u8>, GraphError> {
        Ok(self.to_buffer()?.into_vec())
    }

    /// [`Graph::to_record`] in memory that a model can borrow.
    ///
    /// # Errors
    /// As [`Graph::to_record`].
    pub fn to_buffer(&self) -> Result<Buffer, GraphError> {
        let (lines, tensors) = self.described(&[])?;
        Ok(self.record(&lines, &tensors, [].into_iter()))
    }

    /// The list of layers and their tensors, checked except for weights known to be `finite`.
    fn described(&self, finite: &[bool]) -> Result<(String, Vec<Tensor<'_>>), GraphError> {
        let flows = self.checked_but(finite)?;
        if self.layers.len() > LAYERS {
            return Err(GraphError::Layers(self.layers.len()));
        }
        let (black, white) = self.facts.range;
        if !(black.is_finite() && white.is_finite() && black != white) {
            return Err(GraphError::Range(black, white));
        }
        let mut lines = String::new();
        let mut tensors = Vec::new();
        for (i, (layer, flow)) in self.layers.iter().zip(flows).enumerate() {
            let name = &layer.name;
            let taken = self.layers[..i].iter().any(|l| l.name == *name);
            if name.is_empty() || name.contains(char::is_whitespace) || taken {
                return Err(GraphError::Name(i, name.clone()));
            }
            self.line(i, &mut lines);
            if let Some(dims) = layer.op.weight(flow.input) {
                let rank = match layer.op {
                    Op::Affine | Op::InstanceNorm { .. } => 1,
                    Op::Dense { .. } => 2,
                    Op::Conv { .. }
                    | Op::ReflectConv { .. }
                    | Op::ConvTranspose { .. }
                    | Op::Add
                    | Op::Concat { .. }
                    | Op::Resize { .. }
                    | Op::Reshape { .. }
                    | Op::Activate => 4,
                };
                tensors.push(Tensor {
                    name: format!("{name}.weight"),
                    shape: dims[..rank].to_vec(),
                    values: Values::F32(&layer.weight),
                });
            }
            if !layer.bias.is_empty() {
                tensors.push(Tensor {
                    name: format!("{name}.bias"),
                    shape: vec![layer.bias.len()],
                    values: Values::F32(&layer.bias),
                });
            }
        }
        Ok((lines, tensors))
    }
}

/// A graph that runs as it is: its record without the tensors, which stay where they are. Of a
/// large model, copying them takes longer than a picture.
pub struct Ready {
    graph: Graph,
    head: Buffer,
}

impl Ready {
    /// A graph, folded.
    ///
    /// # Errors
    /// As [`Graph::check`] and [`Graph::to_record`].
    pub fn new(mut graph: Graph, limits: &Limits) -> Result<Ready, GraphError> {
        let finite = graph.folded();
        graph.check(limits)?;
        let (lines, _) = graph.described(&finite)?;
        let head = graph.record(&lines, &[], [].into_iter());
        Ok(Ready { graph, head })
    }

    /// The model: the same as that of the graph's record.
    ///
    /// # Errors
    /// As [`Model::parse_within`].
    pub fn model(&self, limits: &Limits) -> Result<Model<'_>, ModelError<'_>> {
        let lend = |i: usize| match self.graph.layers.get(i) {
            Some(layer) => [&layer.weight[..], &layer.bias],
            None => [&[][..]; 2],
        };
        Model::parse_apart(self.head.bytes(), &lend, limits)
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}
