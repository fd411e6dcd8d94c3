//! The walk from the latent to the image.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::budget::Budget;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::{Constant, Values};
use crate::graph::{Graph, Layer};
use crate::layer::LAYERS;
use crate::op::{Activation, Op, Shape};

/// The chain as far as it has been walked.
pub(super) struct Chain {
    pub constants: BTreeMap<String, Constant>,
    /// How often each tensor is an input of a node.
    pub uses: BTreeMap<String, usize>,
    pub graph: Graph,
    /// Names of the graph's layers.
    pub names: BTreeSet<String>,
    /// For every copy of a constant.
    pub budget: Budget,
    /// The current tensor, the shape of one sample of it, and its number of axes, including the
    /// batch.
    pub at: String,
    pub shape: Shape,
    pub rank: usize,
    /// Earlier tensors of the chain: using one again would be a branch.
    pub used: BTreeSet<String>,
    /// The limits of a clip, which is only supported on the image.
    pub clipped: Option<(f32, f32)>,
}

/// The batch axis in an evaluated shape.
const BATCH: i64 = -1;

/// Most layers before folding: a layer of a model can come from a resize, a convolution, scales and
/// an activation.
const NODES: usize = 8 * LAYERS;

impl Chain {
    /// Follows the data through a node, or evaluates a node of constants.
    pub fn node(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if let Some(name) = node.0.input.iter().find(|n| self.used.contains(*n)) {
            return Err(node
                .fail(format!("uses {name:?}, as another node does; branches are not supported")));
        }
        let uses = node.0.input.iter().filter(|n| **n == self.at).count();
        let op = node.0.op_type.as_str();
        match (uses, op) {
            (0, _) => return self.constant(node),
            (1, "Shape") => return self.shape_of(node),
            (1, _) => {}
            _ => return Err(node.fail("uses one tensor twice")),
        }
        if self.clipped.is_some() {
            return Err(node.fail("follows a Clip, which is only supported at the end"));
        }
        match op {
            "Identity" | "Dropout" | "Cast" => {}
            "Gemm" => self.gemm(node)?,
            "MatMul" => self.matmul(node)?,
            "Conv" | "ConvTranspose" => self.convolution(node)?,
            "BatchNormalization" => self.batch_norm(node)?,
            "Add" | "Sub" | "Mul" | "Div" => self.affine(node)?,
            "Relu" => self.activation(node, Activation::Relu)?,
            "LeakyRelu" => {
                let slope = node.float("alpha", 0.01);
                self.activation(node, Activation::LeakyRelu(slope))?;
            }
            "Tanh" => self.activation(node, Activation::Tanh)?,
            "Sigmoid" => self.activation(node, Activation::Sigmoid)?,
            "Clip" => self.clip(node)?,
            "Reshape" => self.reshape(node)?,
            "Flatten" => {
                if node.int("axis", 1) != 1 {
                    return Err(node.fail("only axis 1 is supported"));
                }
                let to = Shape::new(self.shape.values(), 1, 1);
                self.push(node, Op::Reshape { to }, vec![], vec![])?;
                self.rank = 2;
            }
            "Squeeze" | "Unsqueeze" => self.squeeze(node)?,
            "Resize" => self.resize(node)?,
            _ => return Err(node.fail("this operation is not supported")),
        }
        let Some(output) = node.0.output.first() else {
            return Err(node.fail("has no output"));
        };
        let before = core::mem::replace(&mut self.at, output.clone());
        self.used.insert(before);
        Ok(())
    }

    fn shape_of(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let s = self.shape;
        let all = [BATCH, s.c as i64, s.h as i64, s.w as i64];
        let shape = match self.rank {
            2 => vec![BATCH, s.values() as i64],
            _ => all.to_vec(),
        };
        if let Some(output) = node.0.output.first() {
            self.constants.insert(output.clone(), Constant::list(Values::Ints(shape)));
        }
        Ok(())
    }

    /// A constant input.
    pub fn input(&self, node: &Node<'_>, i: usize) -> Result<&Constant, OnnxError> {
        let name = node.input(i).ok_or_else(|| node.fail(format!("has no input {i}")))?;
        self.constants
            .get(name)
            .ok_or_else(|| node.fail(format!("input {name:?} is not a constant")))
    }

    pub fn integers(&self, node: &Node<'_>, i: usize) -> Result<&[i64], OnnxError> {
        self.input(node, i)?
            .as_ints()
            .ok_or_else(|| node.fail(format!("input {i} does not have integers")))
    }

    pub fn floats(&self, node: &Node<'_>, i: usize) -> Result<&[f32], OnnxError> {
        self.input(node, i)?
            .floats()
            .ok_or_else(|| node.fail(format!("input {i} does not have floats")))
    }

    /// Floats that the layer will own; those of a constant that nothing else uses are not copied.
    pub fn take(&mut self, node: &Node<'_>, i: usize) -> Result<Vec<f32>, OnnxError> {
        let floats = self.floats(node, i)?;
        let name = node.input(i).unwrap_or_default();
        if self.uses.get(name) != Some(&1) {
            self.budget.floats(floats.len())?;
            return Ok(floats.to_vec());
        }
        match self.constants.remove(name).map(|c| c.values) {
            Some(Values::Floats(values)) => Ok(values),
            Some(Values::Ints(_)) | None => Ok(vec![]),
        }
    }

    /// Adds a layer that computes `op`.
    pub fn push(
        &mut self,
        node: &Node<'_>,
        op: Op,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<(), OnnxError> {
        self.shape = op.output(self.shape).map_err(|e| node.fail(e.to_string()))?;
        let name = self.name(node);
        let activation = Activation::None;
        self.add(node, Layer { name, op, activation, weight, bias })
    }

    /// Adds a layer.
    pub fn add(&mut self, node: &Node<'_>, layer: Layer) -> Result<(), OnnxError> {
        // Folding visits the weights of a layer once for each scale that follows it.
        if self.graph.layers.len() == NODES {
            return Err(node.fail(format!("is layer {NODES}; at most {NODES} are supported")));
        }
        self.names.insert(layer.name.clone());
        self.graph.layers.push(layer);
        Ok(())
    }

    /// A unique name without whitespace.
    pub fn name(&self, node: &Node<'_>) -> String {
        let name: String =
            node.name().chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
        match name.is_empty() || self.names.contains(&name) {
            true => format!("{name}#{}", self.graph.layers.len()),
            false => name,
        }
    }
}
