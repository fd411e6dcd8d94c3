//! Nodes that become layers with weights, and activations.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use crate::graph::Layer;
use crate::op::{Activation, Edge, Op, Window};

impl Chain {
    pub fn activation(&mut self, node: &Node<'_>, activation: Activation) -> Result<(), OnnxError> {
        let name = self.name(node);
        self.add(node, Layer { activation, ..Layer::new(name, Op::Activate) })
    }

    pub fn gemm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) || node.int("transA", 0) != 0 {
            return Err(node.fail("the data must be the first operand, not transposed"));
        }
        let weight = self.matrix(node, node.int("transB", 0) != 0)?;
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
        let weight = weight.iter().map(|w| w * alpha).collect();
        self.push(node, Op::Dense { out }, weight, bias)?;
        self.rank = 2;
        Ok(())
    }

    pub fn matmul(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data must be the first operand"));
        }
        let weight = self.matrix(node, false)?;
        let out = weight.len() / self.shape.values();
        self.push(node, Op::Dense { out }, weight, vec![])?;
        self.rank = 2;
        Ok(())
    }

    /// The second input as `[out, in]`; it is stored like that if `transposed`, otherwise as `[in,
    /// out]`.
    fn matrix(&self, node: &Node<'_>, transposed: bool) -> Result<Vec<f32>, OnnxError> {
        if self.rank != 2 {
            return Err(node.fail("the data has more than two axes"));
        }
        let values = self.floats(node, 1)?;
        let dims = &self.input(node, 1)?.dims;
        let [rows, columns] = dims[..] else {
            return Err(node.fail(format!("the weight has dimensions {dims:?}, not two")));
        };
        let inputs = if transposed { columns } else { rows };
        if inputs != self.shape.values() || values.is_empty() {
            return Err(node.fail(format!(
                "the weight has dimensions {dims:?}, the data {} values",
                self.shape.values()
            )));
        }
        self.budget.floats(values.len())?;
        Ok(match transposed {
            true => values.to_vec(),
            false => {
                (0..columns).flat_map(|o| (0..rows).map(move |i| values[i * columns + o])).collect()
            }
        })
    }

    pub fn convolution(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let transposed = node.0.op_type == "ConvTranspose";
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data is not the first input"));
        }
        let dims = &self.input(node, 1)?.dims;
        let [a, b, kh, kw] = dims[..] else {
            return Err(node.fail(format!("the weight has dimensions {dims:?}, not four")));
        };
        if kh != kw {
            return Err(node.fail(format!(
                "a kernel of {kh} x {kw} is not supported: only square kernels are"
            )));
        }
        let (inputs, out) = if transposed { (a, b) } else { (b, a) };
        if inputs != self.shape.c {
            return Err(node.fail(format!(
                "the weight has dimensions {dims:?}, the data {} channels",
                self.shape.c
            )));
        }
        let mut window = self.window(node, kh)?;
        let edge = match self.pad.take() {
            Some((by, Edge::Zero)) => {
                window.padding += by;
                Edge::Zero
            }
            Some((by, Edge::Reflect)) if window.padding == 0 => {
                window.padding = by;
                Edge::Reflect
            }
            Some((_, Edge::Reflect)) => {
                return Err(node.fail("pads what a Pad has reflected, which is not supported"));
            }
            None => Edge::Zero,
        };
        let weight = self.take(node, 1)?;
        let bias = match node.input(2) {
            Some(_) => {
                let bias = self.floats(node, 2)?;
                self.budget.floats(bias.len())?;
                bias.to_vec()
            }
            None => vec![],
        };
        let op = match (transposed, edge) {
            (true, _) => Op::ConvTranspose { out, window },
            (false, Edge::Zero) => Op::Conv { out, window },
            (false, Edge::Reflect) => Op::ReflectConv { out, window },
        };
        self.push(node, op, weight, bias)?;
        self.rank = 4;
        Ok(())
    }

    /// Kernel, stride and padding; whatever else a convolution can have is refused.
    fn window(&self, node: &Node<'_>, kernel: usize) -> Result<Window, OnnxError> {
        let refuse =
            |name: &str, value: String| Err(node.fail(format!("{name} {value} is not supported")));
        let same = |name: &str, default: usize| -> Result<usize, OnnxError> {
            let Some(values) = node.ints(name) else {
                return Ok(default);
            };
            match values {
                [first, rest @ ..] if rest.iter().all(|v| v == first) => {
                    usize::try_from(*first).map_err(|_| node.fail(format!("{name} {values:?}")))
                }
                _ => {
                    Err(node
                        .fail(format!("{name} {values:?} is not supported: only equal values are")))
                }
            }
        };
        if same("kernel_shape", kernel)? != kernel {
            return refuse("kernel_shape", format!("{:?}", node.ints("kernel_shape")));
        }
        if same("dilations", 1)? != 1 {
            return refuse(
                "dilations",
                format!("{:?}", node.ints("dilations").unwrap_or_default()),
            );
        }
        if same("output_padding", 0)? != 0 {
            let value = node.ints("output_padding").unwrap_or_default();
            return refuse("output_padding", format!("{value:?}"));
        }
        if let Some(shape) = node.ints("output_shape") {
            return refuse("output_shape", format!("{shape:?}"));
        }
        if node.int("group", 1) != 1 {
            return refuse("group", node.int("group", 1).to_string());
        }
        let padding = match node.string("auto_pad", "NOTSET").as_str() {
            "NOTSET" => same("pads", 0)?,
            "VALID" => 0,
            other => return refuse("auto_pad", other.into()),
        };
        Ok(Window { kernel, stride: same("strides", 1)?, padding })
    }

    pub fn batch_norm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.int("training_mode", 0) != 0 {
            return Err(node.fail("training_mode 1 is not supported: export for inference"));
        }
        let mut four = [&[][..]; 4];
        for (i, values) in four.iter_mut().enumerate() {
            *values = self.floats(node, i + 1)?;
            if values.len() != self.shape.c {
                return Err(node.fail(format!(
                    "input {} has {} values, the data {} channels",
                    i + 1,
                    values.len(),
                    self.shape.c
                )));
            }
        }
        // A scale and a shift.
        self.budget.floats(2 * self.shape.c)?;
        let [gamma, beta, mean, variance] = four;
        let epsilon = node.float("epsilon", 1e-5);
        let layer = Layer::batch_norm(self.name(node), gamma, beta, mean, variance, epsilon);
        self.add(node, layer)
    }

    /// A sum, difference, product or quotient with a constant of one value, or of one per channel.
    pub fn affine(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let data = usize::from(node.input(0) != Some(&self.at));
        let constant = self.input(node, 1 - data)?;
        let values = self.floats(node, 1 - data)?;
        let c = self.shape.c;
        // Dimensions broadcast from the last: the channel is the third last, or the last of a flat
        // tensor.
        let behind = if self.rank == 2 { 0 } else { 2 };
        let dims = &constant.dims;
        let channel = dims.len().checked_sub(behind + 1);
        let by_channel = values.len() == c
            && channel.is_some_and(|at| dims[at] == c)
            && dims.iter().filter(|s| **s != 1).count() <= 1;
        // A scale and a shift.
        self.budget.floats(2 * c)?;
        let values = match values {
            [one] => vec![*one; c],
            _ if by_channel => values.to_vec(),
            _ => {
                return Err(node.fail(format!(
                    "a constant of dimensions {dims:?} is not supported: only one value, or one for each of {c} channels"
                )));
            }
        };
        let ones = vec![1.0; c];
        let (scale, shift) = match (node.0.op_type.as_str(), data) {
            ("Add", _) => (ones, values),
            ("Sub", 0) => (ones, values.iter().map(|v| -v).collect()),
            ("Sub", _) => (vec![-1.0; c], values),
            ("Mul", _) => (values, vec![]),
            ("Div", 0) => (values.iter().map(|v| 1.0 / v).collect(), vec![]),
            _ => return Err(node.fail("the data as a divisor is not supported")),
        };
        self.push(node, Op::Affine, scale, shift)
    }
}
