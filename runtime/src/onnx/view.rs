//! The axes of the current tensor: transposes and reshapes move no values until a layer needs them
//! in another order, and then it is the weights that are reordered.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use crate::graph::Layer;
use crate::op::{Activation, Op, Shape};

/// The axes of a tensor without the batch, as steps through the output of the last layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub dims: Vec<usize>,
    pub steps: Vec<usize>,
    /// What the steps lead through, if it is not the output itself: places in it.
    places: Option<Vec<usize>>,
}

impl View {
    /// Row by row.
    pub fn of(dims: &[usize]) -> View {
        let mut steps = vec![1; dims.len()];
        for i in (1..dims.len()).rev() {
            steps[i - 1] = steps[i] * dims[i];
        }
        View::new(dims.to_vec(), steps)
    }

    pub fn new(dims: Vec<usize>, steps: Vec<usize>) -> View {
        View { dims, steps, places: None }
    }

    /// Row by row through a list of places.
    pub fn listed(dims: &[usize], places: Vec<usize>) -> View {
        View { places: Some(places), ..View::of(dims) }
    }

    /// Whether the channels of an output of `shape` are an axis.
    pub fn is_channel(&self, axis: usize, shape: Shape) -> bool {
        let same = self.dims[axis] == shape.c && self.steps[axis] == shape.plane();
        self.places.is_none() && same
    }

    /// Whether the first axis is the channels of an output of `shape`.
    pub fn has_channels_first(&self, shape: Shape) -> bool {
        !self.dims.is_empty() && self.is_channel(0, shape)
    }

    /// Axis `i` becomes the former axis `axes[i]`.
    pub fn transposed(&self, axes: &[usize]) -> View {
        View {
            dims: axes.iter().map(|a| self.dims[*a]).collect(),
            steps: axes.iter().map(|a| self.steps[*a]).collect(),
            places: self.places.clone(),
        }
    }

    /// Whether the values lie row by row.
    pub fn is_plain(&self) -> bool {
        let plain = View::of(&self.dims);
        // An axis that repeats has a step of 0.
        let same = |i: usize| self.dims[i] == 1 || self.steps[i] == plain.steps[i];
        self.places.is_none() && (0..self.dims.len()).all(same)
    }

    /// Number of values: more than the last layer has, if it repeats them.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// For each value of the tensor, row by row, its place in the output of the last layer.
    pub fn order(&self) -> Vec<usize> {
        let mut order = vec![0];
        for (dim, step) in self.dims.iter().zip(&self.steps) {
            order = order.iter().flat_map(|at| (0..*dim).map(move |i| at + i * step)).collect();
        }
        if let Some(places) = &self.places {
            order.iter_mut().for_each(|at| *at = places[*at]);
        }
        order
    }

    /// The axes that are longer than 1.
    fn long(&self) -> Vec<(usize, usize)> {
        let both = self.dims.iter().copied().zip(self.steps.iter().copied());
        both.filter(|(dim, _)| *dim != 1).collect()
    }

    /// The same tensor with other dimensions, if they differ only in axes of length 1.
    fn with_ones(&self, dims: &[usize]) -> Option<View> {
        let long = self.long();
        let same = dims.iter().filter(|d| **d != 1).eq(long.iter().map(|(dim, _)| dim));
        let mut steps = long.iter().map(|(_, step)| *step);
        let step = |d: &usize| if *d == 1 { 1 } else { steps.next().unwrap_or(1) };
        let steps = dims.iter().map(step).collect();
        same.then(|| View { dims: dims.to_vec(), steps, places: self.places.clone() })
    }
}

impl Chain<'_> {
    /// Makes the last layer's output lie as the tensor does, with its shape.
    pub fn settle(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        self.lay_out(node)?;
        let to = match self.view.dims[..] {
            [n] => Shape::new(n, 1, 1),
            [c, h, w] => Shape::new(c, h, w),
            _ => {
                let dims = &self.view.dims;
                return Err(node.fail(format!(
                    "its data has {} axes, {dims:?} besides the batch; only images and vectors \
                     are supported",
                    dims.len() + 1
                )));
            }
        };
        self.shaped(node, to)
    }

    /// [`Chain::settle`] for an operation on images.
    pub fn settle_image(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        match self.view.dims.len() {
            3 => self.settle(node),
            n => Err(node.fail(format!("needs data of 4 axes; this has {}", n + 1))),
        }
    }

    /// Adds a reshape, if it is needed.
    pub fn shaped(&mut self, node: &Node<'_>, to: Shape) -> Result<(), OnnxError> {
        match to == self.shape {
            true => Ok(()),
            false => self.push(node, Op::Reshape { to }, vec![], vec![]),
        }
    }

    /// Makes the values lie row by row.
    fn lay_out(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        self.repeat(node)?;
        if !self.view.is_plain() {
            let order = self.order()?;
            self.reorder(node, &order)?;
            self.view = View::of(&self.view.dims);
        }
        Ok(())
    }

    /// [`View::order`], within the budget.
    pub fn order(&self) -> Result<Vec<usize>, OnnxError> {
        self.budget.take(2 * self.view.len(), size_of::<usize>())?;
        Ok(self.view.order())
    }

    /// Reorders the outputs of the last dense layer, so that value `i` is the former `order[i]`. The
    /// result is flat.
    pub fn reorder(&mut self, node: &Node<'_>, order: &[usize]) -> Result<(), OnnxError> {
        let n = order.len();
        let Some(dense) = self.last_dense() else {
            if !self.graph.layers.is_empty() {
                return Err(node.fail(
                    "moves values of a convolution in an order that is neither a transpose \
                     between NCHW and NHWC nor a pixel shuffle",
                ));
            }
            self.budget.floats(n.saturating_mul(n))?;
            let mut weight = vec![0.0; n * n];
            for (i, from) in order.iter().enumerate() {
                weight[i * n + from] = 1.0;
            }
            return self.push(node, Op::Dense { out: n }, weight, vec![]);
        };
        self.flatten_after(dense)?;
        let layers = &mut self.graph.layers[dense..];
        for layer in layers {
            let (count, bias) = (layer.weight.len() / n, layer.bias.len());
            self.budget.floats(layer.weight.len() + bias)?;
            if !layer.weight.is_empty() {
                let rows = order.iter().flat_map(|i| &layer.weight[i * count..][..count]);
                layer.weight = rows.copied().collect();
            }
            if bias > 0 {
                layer.bias = order.iter().map(|i| layer.bias[*i]).collect();
            }
        }
        Ok(())
    }

    /// The last dense layer, if only scales, activations and reshapes follow it.
    pub fn last_dense(&self) -> Option<usize> {
        let kept = |l: &&Layer| !matches!(l.op, Op::Affine | Op::Activate | Op::Reshape { .. });
        let last = self.graph.layers.iter().rposition(|l| kept(&l))?;
        matches!(self.graph.layers[last].op, Op::Dense { .. }).then_some(last)
    }

    /// Removes the reshapes after the dense layer `from`, behind which only scales and activations
    /// may lie; scales get a value per output.
    pub fn flatten_after(&mut self, from: usize) -> Result<(), OnnxError> {
        let n = self.shape.values();
        let mut kept = Vec::new();
        for (i, mut layer) in core::mem::take(&mut self.graph.layers).into_iter().enumerate() {
            if i > from && matches!(layer.op, Op::Reshape { .. }) {
                continue;
            }
            if i > from && layer.op == Op::Affine && layer.weight.len() < n {
                self.budget.floats(2 * n)?;
                let plane = n / layer.weight.len();
                layer.weight = (0..n).map(|v| layer.weight[v / plane]).collect();
                if !layer.bias.is_empty() {
                    layer.bias = (0..n).map(|v| layer.bias[v / plane]).collect();
                }
            }
            kept.push(layer);
        }
        self.graph.layers = kept;
        self.shape = Shape::new(n, 1, 1);
        Ok(())
    }

    pub fn transpose(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let rank = self.view.dims.len() + 1;
        let axes: Vec<i64> = match node.ints("perm") {
            Some(axes) => axes.to_vec(),
            None => (0..rank as i64).rev().collect(),
        };
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..rank as i64) || axes[0] != 0 {
            return Err(node.fail(format!("perm {axes:?} is not supported for {rank} axes")));
        }
        let axes: Vec<usize> = axes[1..].iter().map(|a| *a as usize - 1).collect();
        self.view = self.view.transposed(&axes);
        Ok(())
    }

    pub fn flatten(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        match node.int("axis", 1) {
            1 => {
                let n = self.view.len();
                self.reshape_to(node, &[n])
            }
            axis => Err(node.fail(format!("axis {axis} is not supported: only 1 is"))),
        }
    }

    pub fn reshape(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let target = match node.ints("shape") {
            Some(shape) => shape.to_vec(),
            None => self.integers(node, 1)?.to_vec(),
        };
        let values = self.view.len() as i64;
        let refuse = || node.fail(format!("a reshape to {target:?} is not supported"));
        let [batch, rest @ ..] = &target[..] else {
            return Err(refuse());
        };
        if *batch < -1 || rest.iter().any(|n| *n < -1) {
            return Err(refuse());
        }
        let mut sides: Vec<i64> = rest.to_vec();
        for (i, side) in sides.iter_mut().enumerate() {
            // 0 copies the input's dimension.
            if *side == 0 {
                *side = self.view.dims.get(i).map_or(0, |n| *n as i64);
            }
        }
        let known: Option<i64> =
            sides.iter().filter(|n| **n != -1).try_fold(1i64, |p, n| p.checked_mul(*n));
        let open = sides.iter().filter(|n| **n == -1).count();
        match (known, open) {
            (Some(known), 0) if known == values => {}
            (Some(known), 1) if known > 0 && values % known == 0 => {
                for side in sides.iter_mut().filter(|n| **n == -1) {
                    *side = values / known;
                }
            }
            _ => return Err(refuse()),
        }
        let sides: Vec<usize> = sides.iter().map(|n| *n as usize).collect();
        self.reshape_to(node, &sides)
    }

    /// Reads the tensor row by row as one of other dimensions, which have as many values.
    pub fn reshape_to(&mut self, node: &Node<'_>, dims: &[usize]) -> Result<(), OnnxError> {
        if self.view.is_plain() {
            self.view = View::of(dims);
        } else if let Some(view) = self.view.with_ones(dims) {
            self.view = view;
        } else if !self.pixel_shuffle(node, dims)? {
            // A dense layer that follows takes any order.
            self.view = View::listed(dims, self.order()?);
        }
        Ok(())
    }

    /// Adds or removes axes of length 1.
    pub fn squeeze(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let removes = node.0.op_type == "Squeeze";
        let axes = match (node.ints("axes"), node.input(1)) {
            (Some(axes), _) => Some(axes.to_vec()),
            (None, Some(_)) => Some(self.integers(node, 1)?.to_vec()),
            (None, None) => None,
        };
        let rank = self.view.dims.len() + 1;
        let all = match (&axes, removes) {
            (Some(axes), false) => rank + axes.len(),
            _ => rank,
        };
        let place = |a: &i64| {
            let a = if *a < 0 { a + all as i64 } else { *a };
            usize::try_from(a).ok().filter(|a| (1..all).contains(a))
        };
        let refuse = || node.fail(format!("axes {axes:?} are not supported for {rank} axes"));
        let places: Vec<usize> = match &axes {
            Some(axes) => axes.iter().map(place).collect::<Option<_>>().ok_or_else(refuse)?,
            None => (1..rank).filter(|i| self.view.dims[i - 1] == 1).collect(),
        };
        let mut dims = Vec::new();
        if removes {
            if places.iter().any(|p| self.view.dims[p - 1] != 1) {
                return Err(refuse());
            }
            let kept = |i: &usize| !places.contains(&(i + 1));
            dims.extend((0..rank - 1).filter(kept).map(|i| self.view.dims[i]));
        } else {
            let mut old = self.view.dims.iter();
            for i in 1..all {
                dims.push(match places.contains(&i) {
                    true => 1,
                    false => *old.next().ok_or_else(refuse)?,
                });
            }
        }
        if dims.is_empty() || dims.len() > 8 {
            return Err(refuse());
        }
        self.reshape_to(node, &dims)
    }

    /// Adds an activation.
    pub fn activation(&mut self, node: &Node<'_>, activation: Activation) -> Result<(), OnnxError> {
        let name = self.name(node);
        let layer = Layer { name, op: Op::Activate, activation, weight: vec![], bias: vec![] };
        self.add(node, layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let view = View::of(&[2, 3]);
        assert!(view.is_plain());
        let turned = view.transposed(&[1, 0]);
        assert!(!turned.is_plain());
        assert_eq!(turned.order(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(turned.with_ones(&[3, 1, 2, 1]).unwrap().order(), turned.order());
        assert_eq!(turned.with_ones(&[2, 3]), None);
        assert!(View::of(&[4, 1, 1]).transposed(&[1, 2, 0]).is_plain());
    }
}
