//! Nodes that become layers with weights, and what bounds values.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::tensor_proto::DataType;
use protobuf::Enum;

use super::chain::Chain;
use super::data::Rounded;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::graph::{self, Layer};
use crate::op::{Activation, Op, Window};

impl Chain<'_> {
    pub fn gemm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) || node.int("transA", 0) != 0 {
            return Err(node.fail("the data must be the first operand, not transposed"));
        }
        self.repeat(node)?;
        let mut weight = self.matrix(node, node.int("transB", 0) != 0)?;
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        let out = weight.len() / self.shape.values();
        let bias = match node.input(2) {
            None => vec![],
            Some(_) => match self.floats(node, 2)? {
                [one] => {
                    self.budget.floats(out)?;
                    vec![one * beta; out]
                }
                all => all.iter().map(|b| b * beta).collect(),
            },
        };
        if alpha != 1.0 {
            weight.iter_mut().for_each(|w| *w *= alpha);
        }
        self.dense(node, out, weight, bias)
    }

    pub fn matmul(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data must be the first operand"));
        }
        self.repeat(node)?;
        let weight = self.matrix(node, false)?;
        let out = weight.len() / self.shape.values();
        self.dense(node, out, weight, vec![])
    }

    fn dense(
        &mut self,
        node: &Node<'_>,
        out: usize,
        weight: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<(), OnnxError> {
        let mut dims = self.view.dims.clone();
        self.push(node, Op::Dense { out }, weight, bias)?;
        if let Some(last) = dims.last_mut() {
            *last = out;
        }
        self.view = View::of(&dims);
        Ok(())
    }

    /// The second input as `[out, in]`, its columns in the order of the last layer's output; it is
    /// stored as `[out, in]` if `transposed`, otherwise as `[in, out]`.
    fn matrix(&mut self, node: &Node<'_>, transposed: bool) -> Result<Vec<f32>, OnnxError> {
        let n = self.shape.values();
        if self.view.dims.last() != Some(&n) {
            return Err(node.fail(format!(
                "multiplies data of dimensions {:?} besides the batch: only vectors are supported",
                self.view.dims
            )));
        }
        let count = self.floats(node, 1)?.len();
        let dims = self.input(node, 1)?.dims.clone();
        let [rows, columns] = dims[..] else {
            return Err(node.fail(format!("the weight has dimensions {dims:?}, not two")));
        };
        let (inputs, out) = if transposed { (columns, rows) } else { (rows, columns) };
        if inputs != n || count == 0 {
            return Err(
                node.fail(format!("the weight has dimensions {dims:?}, the data {n} values"))
            );
        }
        let alone = node.input(1).and_then(|name| self.uses.get(name)) == Some(&1);
        if transposed && self.view.is_plain() {
            if alone {
                self.budget.floats(count)?;
            }
            return self.take(node, 1);
        }
        self.budget.floats(count)?;
        let values = self.floats(node, 1)?;
        let mut weight = vec![0.0; count];
        for (i, place) in self.order()?.into_iter().enumerate() {
            for o in 0..out {
                let from = if transposed { o * n + i } else { i * out + o };
                weight[o * n + place] = values[from];
            }
        }
        // Freed early, for the next.
        if alone && let Some(name) = node.input(1) {
            self.constants.remove(name);
        }
        Ok(weight)
    }

    pub fn batch_norm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.int("training_mode", 0) != 0 {
            return Err(node.fail("training_mode 1 is not supported: export after model.eval()"));
        }
        self.repeat(node)?;
        let Some(channels) = self.view.dims.first().copied() else {
            return Err(node.fail("has no channels"));
        };
        // Channels of a tensor that is not the layer's own lie elsewhere. The layer is named after
        // the reshape that this may add.
        if !self.view.has_channels_first(self.shape) {
            self.settle(node)?;
        }
        let mut four = [&[][..]; 4];
        for (i, values) in four.iter_mut().enumerate() {
            *values = self.floats(node, i + 1)?;
            if values.len() != channels {
                return Err(node.fail(format!(
                    "input {} has {} values, the data {channels} channels",
                    i + 1,
                    values.len(),
                )));
            }
        }
        // A scale and a shift.
        self.budget.floats(2 * channels)?;
        let [gamma, beta, mean, variance] = four;
        let epsilon = node.float("epsilon", 1e-5);
        let layer = Layer::batch_norm(self.name(node), gamma, beta, mean, variance, epsilon);
        self.add(node, layer)
    }

    pub fn cast_data(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let to = DataType::from_i32(node.int("to", 0) as i32);
        match to {
            Some(DataType::FLOAT | DataType::FLOAT16 | DataType::DOUBLE | DataType::BFLOAT16) => {}
            Some(DataType::UINT8 | DataType::INT32 | DataType::INT64) => {
                self.rounded = self.rounded.or(Some(Rounded::Down));
                self.bytes |= to == Some(DataType::UINT8);
            }
            other => return Err(node.fail(format!("a cast to {other:?} is not supported"))),
        }
        Ok(())
    }

    /// `Clip`, or `Max` or `Min` with a number.
    pub fn clip(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let one = |i: usize| match self.floats(node, i)? {
            [one] => Ok(*one),
            _ => Err(node.fail("limits that are not one number are not supported")),
        };
        let limit = |i: usize, name: &str, open: f32| match (node.input(i), node.attribute(name)) {
            (Some(_), _) => one(i),
            (None, Some(a)) => Ok(a.f),
            (None, None) => Ok(open),
        };
        let (low, high) = match node.0.op_type.as_str() {
            "Clip" => (limit(1, "min", f32::MIN)?, limit(2, "max", f32::MAX)?),
            _ if node.0.input.len() != 2 => return Err(node.fail("only two inputs are supported")),
            other => {
                let number = one(usize::from(node.input(0) == Some(&self.at)))?;
                match other {
                    "Max" => (number, f32::MAX),
                    _ => (f32::MIN, number),
                }
            }
        };
        let (low, high) = (low.max(f32::MIN), high.min(f32::MAX));
        match (low, high) {
            (f32::MIN, f32::MAX) => Ok(()),
            (0.0, f32::MAX) => self.activation(node, Activation::Relu),
            (low, high) if low < high => self.activation(node, Activation::Clip(low, high)),
            _ => Err(node.fail(format!("clips to {low} and {high}"))),
        }
    }

    pub fn prelu(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data is not the first input"));
        }
        self.repeat(node)?;
        let slopes = match self.floats(node, 1)? {
            [one] => vec![*one],
            _ => self.by_channel(node, 1)?,
        };
        self.slopes(node, &slopes)
    }

    /// PReLU of slopes per channel of the last layer, or per value. If they differ, it becomes two
    /// convolutions around a rectifier, see [`graph::prelu`].
    pub fn slopes(&mut self, node: &Node<'_>, slopes: &[f32]) -> Result<(), OnnxError> {
        if slopes.windows(2).all(|w| w[0] == w[1]) {
            return self.activation(node, Activation::LeakyRelu(slopes[0]));
        }
        let c = slopes.len();
        if c != self.shape.c {
            self.shaped(node, crate::op::Shape::new(c, 1, 1))?;
        }
        self.budget.floats((4 * c).saturating_mul(c))?;
        let [split, joined] = graph::prelu(slopes);
        let window = Window { kernel: 1, stride: 1, padding: 0 };
        self.push(node, Op::Conv { out: 2 * c, window }, split, vec![])?;
        self.activation(node, Activation::Relu)?;
        self.push(node, Op::Conv { out: c, window }, joined, vec![])
    }
}
