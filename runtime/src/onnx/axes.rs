//! Transposes and reshapes: they move no values until a layer needs them in another order, and then
//! it is the weights that are reordered.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::graph::Layer;
use crate::op::{Activation, Op, Shape};

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
            if self.layer.is_some() {
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
        self.follow(node, dense, order)?;
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

    /// Lets all other tensors that are made by the layers from `dense` on see their values in the new
    /// order, before the layers change.
    fn follow(&mut self, node: &Node<'_>, dense: usize, order: &[usize]) -> Result<(), OnnxError> {
        let refuse = || node.fail("moves values that another branch has read in their first order");
        let layers = &self.graph.layers[dense..];
        let linear = |l: &Layer| l.from.is_none() && l.with.is_none();
        if self.layer != self.graph.layers.len().checked_sub(1)
            || !layers.iter().skip(1).all(linear)
        {
            return Err(refuse());
        }
        // What is left of the layers up to each of them.
        let kept = |l: &Layer| usize::from(!matches!(l.op, Op::Reshape { .. }));
        let kept: Vec<usize> = layers.iter().skip(1).map(kept).collect();
        let mut inverse = Vec::new();
        let tensors = self.tensors.values_mut().map(|(data, _)| data);
        for data in tensors.chain(self.functions.iter_mut().map(|f| &mut f.start)) {
            let Some(layer) = data.layer.filter(|layer| *layer >= dense) else { continue };
            if data.pad.is_some() || data.cut.is_some() {
                return Err(refuse());
            }
            if inverse.is_empty() {
                self.budget.take(order.len(), size_of::<usize>())?;
                inverse = vec![0; order.len()];
                order.iter().enumerate().for_each(|(to, from)| inverse[*from] = to);
            }
            // Two orders while they are made, and that of the view.
            self.budget.take(3 * data.view.len(), size_of::<usize>())?;
            let places = data.view.order().into_iter().map(|from| inverse[from]).collect();
            data.view = View::ordered(&data.view.dims, places);
            data.layer = Some(dense + kept[..layer - dense].iter().sum::<usize>());
            data.shape = Shape::new(order.len(), 1, 1);
        }
        Ok(())
    }

    /// The last dense layer before the current tensor, if only scales, activations and reshapes
    /// follow it.
    pub fn last_dense(&self) -> Option<usize> {
        let kept = |l: &Layer| !matches!(l.op, Op::Affine | Op::Activate | Op::Reshape { .. });
        let last = self.graph.layers[..=self.layer?].iter().rposition(kept)?;
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
        self.layer = self.graph.layers.len().checked_sub(1);
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
        self.add(node, Layer { activation, ..Layer::new(name, Op::Activate) })
    }
}
