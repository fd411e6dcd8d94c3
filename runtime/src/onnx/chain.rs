//! The walk from the latent to the image.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::path::Path;

use onnx_protobuf::{NodeProto, TensorProto};

use super::budget::Budget;
use super::error::OnnxError;
use super::functions::Functions;
use super::node::Node;
use super::refused;
use super::tensor::{Constant, Values};
use super::view::View;
use crate::graph::{Graph, Layer};
use crate::layer::LAYERS;
use crate::op::{Activation, Op, Shape};

/// The chain as far as it has been walked.
pub(super) struct Chain<'a> {
    /// The operation set.
    pub opset: i64,
    /// Where tensors outside the file lie.
    pub folder: Option<&'a Path>,
    pub constants: BTreeMap<String, Constant>,
    /// How often each tensor is an input of a node that reads its values.
    pub uses: BTreeMap<String, usize>,
    /// The nodes from the current one on.
    pub ahead: &'a [NodeProto],
    pub graph: Graph,
    /// Names of the graph's layers.
    pub names: BTreeSet<String>,
    /// For every copy of a constant.
    pub budget: Budget,
    /// The current tensor, how it sees the output of the last layer, and the shape of that.
    pub at: String,
    pub view: View,
    pub shape: Shape,
    /// Earlier tensors of the chain with their dimensions: using one again would be a branch.
    pub used: BTreeMap<String, Vec<usize>>,
    /// Zeros around the image that the next convolution takes: begin and end of rows and columns.
    pub pad: Option<[[usize; 2]; 2]>,
    /// Rows and columns to cut off, begin and end of both: exporters slice them one after the other.
    pub cut: Option<[[usize; 2]; 2]>,
    /// A function of several nodes that has begun.
    pub functions: Option<Functions>,
    pub label: Option<Label>,
    /// How values were rounded, and whether to bytes.
    pub rounded: Option<Rounded>,
    pub bytes: bool,
}

/// The label of a conditional generator.
pub(super) struct Label {
    /// The name of the input.
    pub name: String,
    pub classes: usize,
    /// Whether the data depends on it yet.
    pub met: bool,
}

/// How values became integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounded {
    Down,
    Nearest,
}

/// The batch axis in an evaluated shape.
const BATCH: i64 = -1;

/// Most layers before folding: a layer of a model can come from a resize, a convolution, scales and
/// an activation.
const NODES: usize = 8 * LAYERS;

impl Chain<'_> {
    /// Follows the data through a node, or evaluates a node of constants.
    pub fn node(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.0.op_type == "Shape" && self.shape_of(node)? {
            return Ok(());
        }
        if let Some(name) = node.0.input.iter().find(|n| self.used.contains_key(*n)) {
            return Err(node
                .fail(format!("uses {name:?}, as another node does; branches are not supported")));
        }
        let op = node.0.op_type.as_str();
        if self.is_function(node) {
            self.flush_pad(node)?;
            self.flush_cut(node)?;
            return self.function(node);
        }
        let uses = node.0.input.iter().filter(|n| **n == self.at).count();
        match uses {
            0 => return self.constant(node),
            1 => {}
            _ => return Err(node.fail("uses one tensor twice")),
        }
        self.no_function(node)?;
        if op != "Conv" {
            self.flush_pad(node)?;
        }
        if op != "Slice" {
            self.flush_cut(node)?;
        }
        let dims = self.view.dims.clone();
        match (self.is_join(node), op) {
            (true, _) => self.join(node)?,
            (false, op) => self.data(node, op)?,
        }
        let Some(output) = node.0.output.first() else {
            return Err(node.fail("has no output"));
        };
        self.advance(output.clone(), dims);
        Ok(())
    }

    /// Makes `output` the current tensor.
    pub fn advance(&mut self, output: String, dims: Vec<usize>) {
        let before = core::mem::replace(&mut self.at, output);
        self.used.insert(before, dims);
    }

    /// Follows the data through a node.
    fn data(&mut self, node: &Node<'_>, op: &str) -> Result<(), OnnxError> {
        if self.rounded.is_some() && !moves(op) {
            return Err(node.fail(
                "computes with integers, which is not supported: round to bytes last, or export \
                 without it",
            ));
        }
        match op {
            "Identity" | "Dropout" => {}
            "Cast" => self.cast_data(node)?,
            "Round" => self.rounded = Some(Rounded::Nearest),
            "Floor" => self.rounded = Some(Rounded::Down),
            "Gemm" => self.gemm(node)?,
            "MatMul" => self.matmul(node)?,
            "Conv" | "ConvTranspose" => self.convolution(node)?,
            "BatchNormalization" => self.batch_norm(node)?,
            "Add" | "Sub" | "Mul" | "Div" => self.affine(node)?,
            "Neg" => {
                let c = self.shape.c;
                self.budget.floats(c)?;
                self.scaled(node, vec![-1.0; c], vec![])?;
            }
            "Clip" | "Max" | "Min" => self.clip(node)?,
            "PRelu" => self.prelu(node)?,
            "Reshape" => self.reshape(node)?,
            "Flatten" => self.flatten(node)?,
            "Transpose" => self.transpose(node)?,
            "Squeeze" | "Unsqueeze" => self.squeeze(node)?,
            "Resize" | "Upsample" => self.resize(node)?,
            "DepthToSpace" => self.depth_to_space(node)?,
            "Pad" => self.pad(node)?,
            "Slice" => self.slice(node)?,
            "Tile" | "Expand" => self.tile(node)?,
            _ => match activation(node, op) {
                Some(activation) => self.activation(node, activation)?,
                None => return Err(refused::operation(node, op)),
            },
        }
        Ok(())
    }

    /// The shape of the data as it is or was; `false` for that of a constant.
    fn shape_of(&mut self, node: &Node<'_>) -> Result<bool, OnnxError> {
        let Some(name) = node.0.input.first() else { return Ok(false) };
        let dims = match *name == self.at {
            true => &self.view.dims,
            false => match self.used.get(name) {
                Some(dims) => dims,
                None => return Ok(false),
            },
        };
        self.budget.take(dims.len() + 1, size_of::<i64>())?;
        let shape = [BATCH].into_iter().chain(dims.iter().map(|d| *d as i64)).collect();
        if let Some(output) = node.0.output.first() {
            self.constants.insert(output.clone(), Constant::list(Values::Ints(shape)));
        }
        Ok(true)
    }

    /// A constant input.
    pub fn input(&self, node: &Node<'_>, i: usize) -> Result<&Constant, OnnxError> {
        let name = node.input(i).ok_or_else(|| node.fail(format!("has no input {i}")))?;
        self.constants.get(name).ok_or_else(|| match name == self.at {
            true => node.fail("needs constants in place of the data"),
            false => node.fail(format!("input {name:?} is not a constant")),
        })
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

    /// The constant of a tensor of the file.
    pub fn tensor(&self, tensor: &TensorProto) -> Result<Constant, OnnxError> {
        Constant::read(tensor, self.folder, &self.budget)
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

/// Whether an operation leaves values as they are.
fn moves(op: &str) -> bool {
    matches!(
        op,
        "Identity"
            | "Cast"
            | "Clip"
            | "Reshape"
            | "Flatten"
            | "Transpose"
            | "Squeeze"
            | "Unsqueeze"
    )
}

/// The activation of a node that is one.
fn activation(node: &Node<'_>, op: &str) -> Option<Activation> {
    Some(match op {
        "Relu" => Activation::Relu,
        "LeakyRelu" => Activation::LeakyRelu(node.float("alpha", 0.01)),
        "Tanh" => Activation::Tanh,
        "Sigmoid" => Activation::Sigmoid,
        "Elu" => Activation::Elu(node.float("alpha", 1.0)),
        "Selu" => {
            let near = |name: &str, own: f32| (node.float(name, own) - own).abs() < 1e-4;
            (near("alpha", 1.673_263_2) && near("gamma", 1.050_701)).then_some(Activation::Selu)?
        }
        "Gelu" if node.string("approximate", "none") == "tanh" => Activation::GeluTanh,
        "Gelu" => Activation::Gelu,
        "Softplus" => Activation::Softplus,
        "Mish" => Activation::Mish,
        "Swish" => (node.float("alpha", 1.0) == 1.0).then_some(Activation::Silu)?,
        _ => return None,
    })
}
