//! Numbers that are computed from constants, for shapes and for what follows from a label.

use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::{Constant, Values};
use super::view::View;
use crate::op::Activation;

/// Most axes of a constant that is computed.
pub(super) const AXES: usize = 8;

impl Chain<'_> {
    /// Operations on values at the same place of two or three constants.
    pub fn arithmetic(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let inputs = (0..node.0.input.len()).map(|i| self.input(node, i));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let mut dims = vec![];
        for input in &inputs {
            let both = broadcast(&dims, &input.dims);
            dims = both.ok_or_else(|| node.fail("the dimensions do not fit each other"))?;
        }
        let n = self.room(node, &dims)?;
        let op = node.0.op_type.as_str();
        self.budget.take(n, inputs.len() * size_of::<usize>())?;
        let places: Vec<Vec<usize>> = inputs.iter().map(|c| spread(&c.dims, &dims)).collect();
        let ints: Option<Vec<&[i64]>> = inputs.iter().map(|c| c.as_ints()).collect();
        if let Some(ints) = ints {
            let value = |j: usize, i: usize| Some(ints.get(j)?[places[j][i]]);
            let of = |i: usize| integer(op, value(0, i)?, value(1, i)?, value(2, i));
            let values: Option<Vec<i64>> = (0..n).map(of).collect();
            let values = values.ok_or_else(|| node.fail("the integers do not fit"))?;
            return Ok(Constant::of(dims, Values::Ints(values)));
        }
        let value = |j: usize, i: usize| -> Option<f32> {
            let at = places.get(j)?[i];
            Some(match &inputs[j].values {
                Values::Floats(v) => v[at],
                Values::Ints(v) => v[at] as f32,
            })
        };
        if let Some(compare) = comparison(op) {
            let of = |i: usize| Some(i64::from(compare(&value(0, i)?, &value(1, i)?)));
            let values: Option<Vec<i64>> = (0..n).map(of).collect();
            let values = values.ok_or_else(|| node.fail("needs two inputs"))?;
            return Ok(Constant::of(dims, Values::Ints(values)));
        }
        let of = |i: usize| float(op, value(0, i)?, value(1, i)?, value(2, i));
        let values: Option<Vec<f32>> = (0..n).map(of).collect();
        let values = values.ok_or_else(|| node.fail("is not supported for these inputs"))?;
        Ok(Constant::of(dims, Values::Floats(values)))
    }

    /// Functions of one value.
    pub fn mapped(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.copied(node)?;
        let op = node.0.op_type.as_str();
        let values = match &from.values {
            Values::Ints(v) => {
                let of = |v: &i64| match op {
                    "Neg" => v.checked_neg(),
                    "Not" => Some(i64::from(*v == 0)),
                    "Abs" => v.checked_abs(),
                    "Relu" => Some((*v).max(0)),
                    _ => None,
                };
                let all: Option<Vec<i64>> = v.iter().map(of).collect();
                Values::Ints(all.ok_or_else(|| node.fail("is not supported for integers"))?)
            }
            Values::Floats(v) => {
                let activation = match op {
                    "Relu" => Activation::Relu,
                    "LeakyRelu" => Activation::LeakyRelu(node.float("alpha", 0.01)),
                    "Tanh" => Activation::Tanh,
                    "Sigmoid" => Activation::Sigmoid,
                    "Elu" => Activation::Elu(node.float("alpha", 1.0)),
                    "Softplus" => Activation::Softplus,
                    _ => Activation::None,
                };
                let of = |v: &f32| match op {
                    "Neg" => -v,
                    "Abs" => v.abs(),
                    "Floor" => v.floor(),
                    "Ceil" => v.ceil(),
                    "Sqrt" => v.sqrt(),
                    _ => activation.of(*v),
                };
                Values::Floats(v.iter().map(of).collect())
            }
        };
        Ok(Constant::of(from.dims.clone(), values))
    }

    /// A matrix product of what is computed from a label, and a weight.
    pub fn product(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let [a, b] = [self.input(node, 0)?, self.input(node, 1)?];
        let (x, w) = (self.floats(node, 0)?, self.floats(node, 1)?);
        let transposed = node.int("transB", 0) != 0;
        let (inputs, out) = match (b.dims[..].as_ref(), transposed) {
            (&[i, o], false) | (&[o, i], true) => (i, o),
            _ => return Err(node.fail("the weight is no matrix")),
        };
        if a.dims.last() != Some(&inputs) || inputs == 0 || node.int("transA", 0) != 0 {
            return Err(node.fail("the weight does not fit the data"));
        }
        let mut dims = a.dims.clone();
        if let Some(last) = dims.last_mut() {
            *last = out;
        }
        let n = self.room(node, &dims)?;
        // A product takes time for each of its terms.
        self.budget.take(n, inputs / 16)?;
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        let bias = match node.input(2) {
            Some(_) => self.floats(node, 2)?,
            None => &[],
        };
        if !bias.is_empty() && ![1, out].contains(&bias.len()) {
            return Err(node.fail("the bias does not fit the weight"));
        }
        let weight =
            |i: usize, o: usize| if transposed { w[o * inputs + i] } else { w[i * out + o] };
        let of = |at: usize| {
            let (row, o) = (at / out, at % out);
            let sum: f64 =
                (0..inputs).map(|i| f64::from(x[row * inputs + i]) * f64::from(weight(i, o))).sum();
            let b = bias.get(o % bias.len().max(1)).copied().unwrap_or(0.0);
            (f64::from(alpha) * sum + f64::from(beta * b)) as f32
        };
        Ok(Constant::of(dims, Values::Floats((0..n).map(of).collect())))
    }

    /// A transposed convolution of one pixel, computed from a label: a matrix product.
    pub fn pixel_product(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let [a, b] = [self.input(node, 0)?, self.input(node, 1)?];
        let (x, w) = (self.floats(node, 0)?, self.floats(node, 1)?);
        let plain =
            |name: &str, value: i64| node.ints(name).is_none_or(|v| v.iter().all(|v| *v == value));
        let (&[classes, n, 1, 1], &[rows, out, high, wide]) = (&a.dims[..], &b.dims[..]) else {
            return Err(node.fail("is not supported for a label of more than one pixel"));
        };
        let simple = plain("pads", 0) && plain("output_padding", 0) && node.int("group", 1) == 1;
        if rows != n
            || !simple
            || !plain("dilations", 1)
            || node.attribute("output_shape").is_some()
        {
            return Err(node.fail("is not supported for a label in this form"));
        }
        let bias = match node.input(2) {
            Some(_) => self.floats(node, 2)?,
            None => &[],
        };
        let taps = high * wide;
        let row = out * taps;
        let total = self.room(node, &[classes, out, high, wide])?;
        self.budget.take(total, n / 16)?;
        let of = |at: usize| {
            let (class, o) = (at / row, at % row);
            let sum: f64 =
                (0..n).map(|i| f64::from(x[class * n + i]) * f64::from(w[i * row + o])).sum();
            (sum + f64::from(bias.get(o / taps).copied().unwrap_or(0.0))) as f32
        };
        let values = (0..total).map(of).collect();
        Ok(Constant::of(vec![classes, out, high, wide], Values::Floats(values)))
    }

    /// Batch norm of what is computed from a label.
    pub fn normalized(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.copied(node)?;
        let x = self.floats(node, 0)?;
        let mut four = [&[][..]; 4];
        for (i, values) in four.iter_mut().enumerate() {
            *values = self.floats(node, i + 1)?;
        }
        let channels = from.dims.get(1).copied().unwrap_or(0);
        if channels == 0 || four.iter().any(|v| v.len() != channels) {
            return Err(node.fail("its statistics do not fit the data"));
        }
        let plane: usize = from.dims[2..].iter().product();
        let epsilon = node.float("epsilon", 1e-5);
        let of = |(at, x): (usize, &f32)| {
            let [gamma, beta, mean, variance] = four.map(|v| v[at / plane.max(1) % channels]);
            (x - mean) / (variance + epsilon).sqrt() * gamma + beta
        };
        let values = x.iter().enumerate().map(of).collect();
        Ok(Constant::of(from.dims.clone(), Values::Floats(values)))
    }
}

/// An operation on integers, booleans among them; `c` is the third input, which only `Where` has.
/// `None` if the result is not an `i64`.
fn integer(op: &str, a: i64, b: i64, c: Option<i64>) -> Option<i64> {
    match op {
        "Add" => a.checked_add(b),
        "Sub" => a.checked_sub(b),
        "Mul" => a.checked_mul(b),
        "Div" => a.checked_div(b),
        // The sign of the divisor, unlike Rust's.
        "Mod" => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        "Pow" => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        "Min" => Some(a.min(b)),
        "Max" => Some(a.max(b)),
        "Equal" => Some(i64::from(a == b)),
        "Less" => Some(i64::from(a < b)),
        "Greater" => Some(i64::from(a > b)),
        "And" => Some(i64::from(a != 0 && b != 0)),
        "Or" => Some(i64::from(a != 0 || b != 0)),
        // Where.
        _ if a != 0 => Some(b),
        _ => c,
    }
}

/// Operations on two floats that give a boolean.
fn comparison(op: &str) -> Option<fn(&f32, &f32) -> bool> {
    match op {
        "Equal" => Some(f32::eq),
        "Less" => Some(f32::lt),
        "Greater" => Some(f32::gt),
        _ => None,
    }
}

/// An operation on floats. `None` if it has no meaning for them.
fn float(op: &str, a: f32, b: f32, c: Option<f32>) -> Option<f32> {
    match op {
        "Add" => Some(a + b),
        "Sub" => Some(a - b),
        "Mul" => Some(a * b),
        "Div" => Some(a / b),
        "Mod" => Some(a % b),
        "Pow" => Some(a.powf(b)),
        "Min" => Some(a.min(b)),
        "Max" => Some(a.max(b)),
        "And" | "Or" => None,
        // Where.
        _ if a != 0.0 => Some(b),
        _ => c,
    }
}

/// The dimensions that two tensors have together; those of length 1 are repeated.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let of = |dims: &[usize], i: usize| (i + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    let both = |i: usize| match (of(a, i), of(b, i)) {
        (a, b) if a == b => Some(a),
        (1, n) | (n, 1) => Some(n),
        _ => None,
    };
    (rank <= AXES).then(|| (0..rank).map(both).collect())?
}

/// For each value of dimensions `to`, its place in a tensor of dimensions `from`.
pub(super) fn spread(from: &[usize], to: &[usize]) -> Vec<usize> {
    let view = View::of(from);
    let more = to.len() - from.len();
    let step = |i: usize| match i.checked_sub(more) {
        Some(i) if from[i] != 1 => view.steps[i],
        _ => 0,
    };
    View::new(to.to_vec(), (0..to.len()).map(step).collect()).order()
}
