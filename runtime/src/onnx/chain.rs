//! The walk from the input to the image.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::path::Path;

use onnx_protobuf::{NodeProto, TensorProto};

use super::budget::Budget;
use super::data::{Data, Pad, Rounded};
use super::error::OnnxError;
use super::functions::Functions;
use super::node::Node;
use super::refused;
use super::tensor::{Constant, Values};
use super::view::View;
use crate::graph::{Graph, Layer};
use crate::layer::LAYERS;
use crate::model::INPUT;
use crate::op::{Activation, Op, Shape};

/// The nodes as far as they have been walked.
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
    /// Bytes left for copies of constants.
    pub budget: Budget,
    /// The tensors that depend on the input and that nodes still read, and by how many inputs.
    pub tensors: BTreeMap<String, (Data, usize)>,
    /// The name of the current one; the following fields are those of [`Data`].
    pub at: String,
    pub view: View,
    pub shape: Shape,
    pub layer: Option<usize>,
    pub pad: Option<Pad>,
    pub cut: Option<[[usize; 2]; 2]>,
    pub rounded: Option<Rounded>,
    /// The dimensions of those that no node reads any more.
    pub used: BTreeMap<String, Vec<usize>>,
    /// Functions of several nodes that have begun.
    pub functions: Vec<Functions>,
    pub label: Option<Label>,
    /// Whether values were rounded to bytes.
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
        if let Some(functions) = self.continued(node) {
            return self.function(node, functions);
        }
        let data = node.0.input.iter().filter(|name| self.tensors.contains_key(*name));
        let data: Vec<String> = data.cloned().collect();
        let Some(first) = data.first() else {
            return self.constant(node);
        };
        self.go_to(first);
        if data.iter().all(|name| name == first)
            && let Some(functions) = self.begun(node)?
        {
            return self.function(node, functions);
        }
        let op = node.0.op_type.as_str();
        if data.len() > 1 {
            self.join(node, &data)?;
            data.iter().for_each(|name| self.consume(name));
            return self.made(node);
        }
        self.consume(first);
        if op != "Conv" {
            self.flush_pad(node)?;
        }
        if op != "Slice" {
            self.flush_cut(node)?;
        }
        match (self.meets_label(node), op) {
            (true, _) => self.join_label(node)?,
            (false, op) => self.data(node, op)?,
        }
        self.made(node)
    }

    /// The current tensor.
    pub fn here(&self) -> Data {
        let Chain { shape, layer, pad, cut, rounded, .. } = *self;
        Data { view: self.view.clone(), shape, layer, pad, cut, rounded }
    }

    /// Makes a tensor the current one.
    pub fn set(&mut self, name: &str, data: Data) {
        self.at = name.into();
        Data {
            view: self.view,
            shape: self.shape,
            layer: self.layer,
            pad: self.pad,
            cut: self.cut,
            rounded: self.rounded,
        } = data;
    }

    /// Lets other nodes that read the current tensor see it as it is now.
    pub fn keep(&mut self) {
        let here = self.here();
        if let Some((data, _)) = self.tensors.get_mut(&self.at) {
            *data = here;
        }
    }

    /// [`Chain::set`] of one that nodes still read.
    pub fn go_to(&mut self, name: &str) {
        if let Some((data, _)) = self.tensors.get(name) {
            let data = data.clone();
            self.set(name, data);
        }
    }

    /// Counts one of the nodes that read a tensor as done.
    pub fn consume(&mut self, name: &str) {
        if let Some((data, left)) = self.tensors.get_mut(name) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                let dims = data.view.dims.clone();
                self.tensors.remove(name);
                self.used.insert(name.into(), dims);
            }
        }
    }

    /// Gives the current tensor the name of a node's output.
    pub fn made(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let Some(output) = node.0.output.first() else {
            return Err(node.fail("has no output"));
        };
        self.at.clone_from(output);
        match self.uses.get(output) {
            Some(left) => {
                let data = self.here();
                self.tensors.insert(output.clone(), (data, *left));
            }
            None => {
                self.used.insert(output.clone(), self.view.dims.clone());
            }
        }
        Ok(())
    }

    /// Whether the layers from `first` on are a chain to the current tensor, and nothing else reads
    /// them: only then can they be changed.
    pub fn owns(&self, first: usize) -> bool {
        let Some(layers) = self.graph.layers.get(first..) else { return false };
        let linear = |l: &Layer| l.from.is_none() && l.with.is_none();
        let last = self.layer.is_some_and(|at| at + 1 == self.graph.layers.len());
        last && layers.iter().skip(1).all(linear)
            && self.tensors.values().all(|(data, _)| data.layer < Some(first))
            && self.functions.iter().all(|f| f.start.layer < Some(first))
    }

    /// Whether all layers so far are a chain from a latent to the current tensor, and nothing else
    /// reads them or the latent.
    pub fn is_alone(&self) -> bool {
        let first = self.graph.layers.first();
        let chain = match first {
            Some(first) => first.from.is_none() && first.with.is_none() && self.owns(0),
            None => true,
        };
        chain && self.tensors.is_empty() && self.functions.is_empty() && self.graph.latent() > 0
    }

    /// The name of the layer that makes a tensor.
    pub fn name_of(&self, layer: Option<usize>) -> String {
        match layer {
            Some(layer) => self.graph.layers[layer].name.clone(),
            None => INPUT.into(),
        }
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
            "InstanceNormalization" => self.instance_norm(node)?,
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
        let dims = match (self.tensors.get(name), self.used.get(name)) {
            (Some((data, _)), _) => &data.view.dims,
            (None, Some(dims)) => dims,
            (None, None) => return Ok(false),
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
