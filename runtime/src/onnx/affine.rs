//! Scales and shifts by constants.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::Constant;
use super::view::View;
use crate::op::{Op, Shape};

impl Chain<'_> {
    /// A sum, difference, product or quotient with a constant.
    pub fn affine(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let data = usize::from(node.input(0) != Some(&self.at));
        if self.input(node, 1 - data)?.values.len() != 1 {
            self.repeat(node)?;
        }
        let c = self.shape.c;
        let values = self.floats(node, 1 - data)?;
        let values = match values {
            [one] => {
                self.budget.floats(2 * c)?;
                vec![*one; c]
            }
            _ => self.by_channel(node, 1 - data)?,
        };
        let ones = || vec![1.0; values.len()];
        let (scale, shift) = match (node.0.op_type.as_str(), data) {
            ("Add", _) => (ones(), values),
            ("Sub", 0) => (ones(), values.iter().map(|v| -v).collect()),
            ("Sub", _) => (vec![-1.0; values.len()], values),
            ("Mul", _) => (values, vec![]),
            ("Div", 0) => (values.iter().map(|v| 1.0 / v).collect(), vec![]),
            _ => return Err(node.fail("the data as a divisor is not supported")),
        };
        self.scaled(node, scale, shift)
    }

    /// Adds a scale and shift of a value per channel, or per value.
    pub fn scaled(
        &mut self,
        node: &Node<'_>,
        scale: Vec<f32>,
        shift: Vec<f32>,
    ) -> Result<(), OnnxError> {
        if scale.len() != self.shape.c {
            self.shaped(node, Shape::new(scale.len(), 1, 1))?;
        }
        self.push(node, Op::Affine, scale, shift)
    }

    /// Input `i`, a constant, as a value per channel of the last layer, or, if it varies otherwise,
    /// a value per value.
    pub fn by_channel(&self, node: &Node<'_>, i: usize) -> Result<Vec<f32>, OnnxError> {
        self.spread_over_channels(node, self.input(node, i)?)
    }

    /// [`Chain::by_channel`] of a constant.
    pub fn spread_over_channels(
        &self,
        node: &Node<'_>,
        constant: &Constant,
    ) -> Result<Vec<f32>, OnnxError> {
        let values = constant.floats().ok_or_else(|| node.fail("needs floats"))?;
        let (dims, view) = (&constant.dims, &self.view);
        let refuse = || {
            node.fail(format!(
                "a constant of dimensions {dims:?} does not fit data of dimensions {:?} besides \
                 the batch",
                view.dims
            ))
        };
        // Dimensions are matched from the last; the batch may be one of them.
        let dims = match dims.len().checked_sub(view.dims.len()) {
            None | Some(0) => &dims[..],
            Some(1) if dims[0] == 1 => &dims[1..],
            Some(_) => return Err(refuse()),
        };
        let more = view.dims.len() - dims.len();
        let mut steps = vec![0; view.dims.len()];
        let mut step = 1;
        for (i, dim) in dims.iter().enumerate().rev() {
            match (*dim, view.dims[more + i]) {
                (1, _) => {}
                (a, b) if a == b => steps[more + i] = step,
                _ => return Err(refuse()),
            }
            step *= dim;
        }
        let varies = || (0..steps.len()).filter(|i| steps[*i] != 0);
        let (n, c, plane) = (self.shape.values(), self.shape.c, self.shape.plane());
        if let Some(axis) = varies().next()
            && varies().count() == 1
            && view.is_channel(axis, self.shape)
        {
            self.budget.floats(2 * c)?;
            return Ok(values.to_vec());
        }
        let from = View::new(view.dims.clone(), steps);
        // Two orders while they are made, and a value per value.
        self.budget.take(n, 4 * size_of::<usize>() + 2 * size_of::<f32>())?;
        let mut all = vec![0.0; n];
        for (from, to) in from.order().into_iter().zip(view.order()) {
            all[to] = values[from];
        }
        let even = all.chunks_exact(plane).all(|p| p.iter().all(|v| *v == p[0]));
        Ok(match even {
            true => (0..c).map(|c| all[c * plane]).collect(),
            false => all,
        })
    }
}
