//! The walk from the input to the image.

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
use crate::model::INPUT;
use crate::op::{Activation, Edge, Op, Shape};

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
    /// The tensors that depend on the input, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// The current one: its name, the shape of one sample of it, and its number of axes, including
    /// the batch.
    pub at: String,
    pub shape: Shape,
    pub rank: usize,
    /// The layer that makes it; `None` for the input.
    pub layer: Option<usize>,
    /// Padding that the next convolution takes over.
    pub pad: Option<(usize, Edge)>,
    /// The limits of a clip, which is only supported on the image.
    pub clipped: Option<(f32, f32)>,
}

/// A tensor that depends on the input, with the fields of [`Chain`].
#[derive(Clone)]
pub(super) struct Tensor {
    pub shape: Shape,
    pub rank: usize,
    pub layer: Option<usize>,
    pub pad: Option<(usize, Edge)>,
}

/// The batch axis in an evaluated shape.
const BATCH: i64 = -1;

/// Most layers before folding: a layer of a model can come from a resize, a convolution, scales and
/// an activation.
const NODES: usize = 8 * LAYERS;

impl Chain {
    /// Follows the data through a node, or evaluates a node of constants.
    pub fn node(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let op = node.0.op_type.as_str();
        let data = node.0.input.iter().filter(|name| self.tensors.contains_key(*name));
        let data: Vec<String> = data.cloned().collect();
        match (&data[..], op) {
            ([], _) => return self.constant(node),
            ([one], _) => self.go_to(one),
            ([first, second], "Add" | "Sum" | "Concat") => {
                self.join(node, first, second)?;
                return self.made(node);
            }
            ([first, second, ..], _) => {
                return Err(node.fail(format!(
                    "depends on the input through {first:?} and {second:?}; only Add and Concat of \
                     two such tensors are supported"
                )));
            }
        }
        if op == "Shape" {
            return self.shape_of(node);
        }
        if self.pad.is_some() && op != "Conv" {
            return Err(node.fail("follows a Pad, which is only supported before a Conv"));
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
            "InstanceNormalization" => self.instance_norm(node)?,
            "Pad" => self.padding(node)?,
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
        self.made(node)
    }

    /// Makes a tensor the current one.
    pub fn go_to(&mut self, name: &str) {
        if let Some(tensor) = self.tensors.get(name) {
            (self.shape, self.rank) = (tensor.shape, tensor.rank);
            (self.layer, self.pad) = (tensor.layer, tensor.pad);
            self.at = name.into();
        }
    }

    /// Gives the current tensor the name of a node's output.
    fn made(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let Some(output) = node.0.output.first() else {
            return Err(node.fail("has no output"));
        };
        let Chain { shape, rank, layer, pad, .. } = *self;
        self.tensors.insert(output.clone(), Tensor { shape, rank, layer, pad });
        self.at.clone_from(output);
        Ok(())
    }

    /// The name of the layer that makes a tensor.
    pub fn name_of(&self, layer: Option<usize>) -> String {
        match layer {
            Some(layer) => self.graph.layers[layer].name.clone(),
            None => INPUT.into(),
        }
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
        self.add(node, Layer { weight, bias, ..Layer::new(self.name(node), op) })
    }

    /// Adds a layer that reads the current tensor.
    pub fn add(&mut self, node: &Node<'_>, mut layer: Layer) -> Result<(), OnnxError> {
        // Folding visits the weights of a layer once for each scale that follows it.
        if self.graph.layers.len() == NODES {
            return Err(node.fail(format!("is layer {NODES}; at most {NODES} are supported")));
        }
        let before = self.graph.layers.len().checked_sub(1);
        if self.layer != before {
            layer.from = Some(self.name_of(self.layer));
        }
        self.names.insert(layer.name.clone());
        self.layer = Some(self.graph.layers.len());
        self.graph.layers.push(layer);
        Ok(())
    }

    /// A unique name without whitespace.
    pub fn name(&self, node: &Node<'_>) -> String {
        let name: String =
            node.name().chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
        // The name by which layers read the model's input.
        match name.is_empty() || name == INPUT || self.names.contains(&name) {
            true => format!("{name}#{}", self.graph.layers.len()),
            false => name,
        }
    }
}
