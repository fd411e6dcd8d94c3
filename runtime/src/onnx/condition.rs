//! Conditional generators: where the label meets the data.
//!
//! The runtime's conditional models have one input, whose last values select the class. Whatever a
//! file computes from the label alone is evaluated for every class; the resulting table becomes a
//! matrix where it meets the data.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::chain::{Chain, Label};
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::graph::{Layer, scaled_by_label};
use crate::layer::Input;
use crate::op::{Activation, Op, Shape};

impl Chain<'_> {
    /// Whether a node joins the data and what was computed from the label.
    pub fn meets_label(&self, node: &Node<'_>) -> bool {
        let by_class = |n: &String| self.constants.get(n).is_some_and(|c| c.by_class);
        node.0.input.iter().any(by_class)
    }

    /// Joins the data and the label.
    pub fn join_label(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let Some(Label { classes, met, .. }) = self.label else {
            return Err(node.fail("uses a label that is no input"));
        };
        let latent = self.graph.latent();
        if latent == 0 {
            return Err(node.fail("joins a picture and a label, which is not supported"));
        }
        // The label lengthens the latent and, where that is possible, every layer so far.
        let wide = !met && self.is_alone() && self.is_dense();
        match (node.0.op_type.as_str(), met) {
            ("Concat", _) if wide => self.concat_label(node)?,
            ("Add", _) if wide => self.add_label(node)?,
            ("Concat" | "Add", true) => self.branch_label(node, latent - classes)?,
            ("Concat" | "Add", false) => {
                self.widen_input(node, classes)?;
                self.branch_label(node, latent)?;
            }
            ("Mul", false) if wide => self.scale_by_label(node)?,
            ("Mul", _) => {
                return Err(node.fail(
                    "multiplies by the label after a layer, which is not supported: only the \
                     latent",
                ));
            }
            _ => {
                return Err(node.fail(
                    "joins the data and the label in a way that is not supported: only Concat, \
                     Mul and Add are",
                ));
            }
        }
        if !met && let Some(label) = &mut self.label {
            label.met = true;
            self.graph.input = Input::Latent(latent + classes);
            self.graph.facts.labels = (0..classes).map(|i| i.to_string()).collect();
        }
        Ok(())
    }

    /// Whether all layers so far can carry more values along: dense ones, scales and activations, of
    /// which one at most is not linear on both sides of zero.
    fn is_dense(&self) -> bool {
        let latent = self.graph.latent();
        let moved = |l: &&Layer| !matches!(l.op, Op::Reshape { .. });
        let first = self.graph.layers.iter().find(moved).is_none_or(|l| match l.op {
            Op::Dense { .. } => true,
            Op::ConvTranspose { out, window } => {
                let taps = window.kernel * window.kernel;
                window.padding == 0 && l.weight.len() == latent * out * taps
            }
            _ => false,
        });
        let mut rest = self.graph.layers.iter().filter(moved).skip(1);
        let bends = |l: &&Layer| match l.activation {
            Activation::None => false,
            Activation::LeakyRelu(slope) => slope <= 0.0,
            _ => true,
        };
        first
            && rest.all(|l| {
                matches!(l.op, Op::Dense { .. } | Op::Affine | Op::Activate | Op::Reshape { .. })
            })
            && self.graph.layers.iter().filter(bends).count() <= 1
    }

    fn classes(&self) -> usize {
        self.label.as_ref().map_or(0, |l| l.classes)
    }

    /// The other input of a join: a row for each class.
    pub fn table(&self, node: &Node<'_>) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
        let other = node.0.input.iter().position(|n| *n != self.at);
        let i = other.ok_or_else(|| node.fail("has no second input"))?;
        let constant = self.input(node, i)?;
        let values = self.floats(node, i)?;
        if constant.dims.first() != Some(&self.classes()) || node.0.input.len() != 2 {
            return Err(node.fail("what is computed from the label does not have a row per class"));
        }
        self.budget.floats(values.len())?;
        Ok((constant.dims[1..].to_vec(), values.to_vec()))
    }

    fn concat_label(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let (dims, table) = self.table(node)?;
        let view = self.view.dims.clone();
        let axis = node.int("axis", 1);
        let axis = if axis < 0 { axis + view.len() as i64 + 1 } else { axis };
        let axis = usize::try_from(axis - 1).ok().filter(|a| *a < view.len());
        let fits = axis.is_some_and(|a| {
            dims.len() == view.len() && (0..view.len()).all(|i| i == a || dims[i] == view[i])
        });
        let Some(axis) = axis.filter(|_| fits) else {
            return Err(node.fail(format!(
                "joins data of dimensions {view:?} and {dims:?} besides the batch, which do not fit"
            )));
        };
        // Values of the data and of the label in one step of the axes before it.
        let data: usize = view[axis..].iter().product();
        let more: usize = dims[axis..].iter().product();
        let outer: usize = view[..axis].iter().product();
        self.settle_flat(node)?;
        let n = self.shape.values();
        self.extend(node, &table)?;
        let total = n + outer * more;
        self.budget.take(total, size_of::<usize>())?;
        let order: Vec<usize> = (0..outer)
            .flat_map(|o| {
                let own = o * data..(o + 1) * data;
                own.chain(n + o * more..n + (o + 1) * more)
            })
            .collect();
        let data_first = node.input(0) == Some(&self.at);
        let order = match data_first {
            true => order,
            false => (0..outer)
                .flat_map(|o| {
                    let label = n + o * more..n + (o + 1) * more;
                    label.chain(o * data..(o + 1) * data)
                })
                .collect(),
        };
        if !order.iter().copied().eq(0..total) {
            self.reorder(node, &order)?;
        }
        let mut joined = view;
        joined[axis] += dims[axis];
        self.view = View::of(&joined);
        Ok(())
    }

    /// Makes the output of the last layer flat, in the order of the view.
    fn settle_flat(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if !self.view.is_plain() {
            let order = self.order()?;
            self.reorder(node, &order)?;
        }
        let n = self.shape.values();
        self.view = View::of(&[n]);
        Ok(())
    }

    /// Appends the rows of a table to the data. Everything before must be dense layers, scales and
    /// activations.
    fn extend(&mut self, node: &Node<'_>, table: &[f32]) -> Result<(), OnnxError> {
        if self.graph.layers.is_empty() {
            return self.extend_latent(node, table);
        }
        self.first_dense(node)?;
        let dense_only = |l: &Layer| {
            matches!(l.op, Op::Dense { .. } | Op::Affine | Op::Activate | Op::Reshape { .. })
        };
        if !self.graph.layers.iter().all(dense_only) {
            return Err(node.fail(
                "joins the label after a convolution, which is not supported: only before the \
                 first one",
            ));
        }
        let last = self.graph.layers.iter().rposition(|l| matches!(l.op, Op::Dense { .. }));
        self.flatten_after(last.unwrap_or(0))?;
        let n = self.shape.values();
        let more = table.len() / self.classes();
        let restored = self.carry(node, table)?;
        self.shape = Shape::new(n + more, 1, 1);
        if let Some((scale, shift)) = restored {
            let of = |own: f32, label: f32| {
                let mut all = vec![own; n];
                all.resize(n + more, label);
                all
            };
            self.budget.floats(2 * (n + more))?;
            let name = self.name(node);
            let (weight, bias) = (of(1.0, scale), of(0.0, shift));
            self.add(node, Layer { weight, bias, ..Layer::new(name, Op::Affine) })?;
        }
        Ok(())
    }

    /// [`extend`](Self::extend) before the first layer. The caller lengthens the graph's own latent.
    fn extend_latent(&mut self, node: &Node<'_>, table: &[f32]) -> Result<(), OnnxError> {
        let (classes, latent) = (self.classes(), self.graph.latent());
        let more = table.len() / classes;
        let n = self.shape.values();
        let wide = latent + classes;
        self.budget.floats((n + more).saturating_mul(wide))?;
        let mut weight = vec![0.0; (n + more) * wide];
        for i in 0..n {
            weight[i * wide + i] = 1.0;
        }
        for (row, values) in weight[n * wide..].chunks_exact_mut(wide).enumerate() {
            for (k, value) in values[latent..].iter_mut().enumerate() {
                *value = table[k * more + row];
            }
        }
        let name = self.name(node);
        self.shape = Shape::new(n + more, 1, 1);
        let op = Op::Dense { out: n + more };
        self.add(node, Layer { weight, ..Layer::new(name, op) })
    }

    /// Widens every layer so that the rows of a table arrive beside the data. An activation that
    /// cannot give all values of the table gives scaled ones: the factor and sum that restore them.
    fn carry(&mut self, node: &Node<'_>, table: &[f32]) -> Result<Option<(f32, f32)>, OnnxError> {
        let classes = self.classes();
        let more = table.len() / classes;
        let mut table = table.to_vec();
        let mut restored = None;
        let mut layers = core::mem::take(&mut self.graph.layers);
        for (i, layer) in layers.iter_mut().enumerate().rev() {
            match layer.op {
                Op::Activate => {
                    if let Some(scale_and_shift) = before(layer.activation, &mut table) {
                        if restored.is_some() {
                            return Err(node.fail(
                                "joins the label after several activations, which is not supported",
                            ));
                        }
                        restored = Some(scale_and_shift);
                    }
                }
                Op::Affine => {
                    layer.weight.resize(layer.weight.len() + more, 1.0);
                    if !layer.bias.is_empty() {
                        layer.bias.resize(layer.bias.len() + more, 0.0);
                    }
                }
                Op::Dense { out } => {
                    let inputs = layer.weight.len() / out;
                    let wide = inputs + if i == 0 { classes } else { more };
                    self.budget.floats((out + more).saturating_mul(wide))?;
                    widen(layer, out, wide, more, |row, k| match i {
                        0 => table[k * more + row],
                        _ => f32::from(u8::from(k == row)),
                    });
                }
                _ => {}
            }
        }
        self.graph.layers = layers;
        Ok(restored)
    }

    /// Makes a first layer that is a transposed convolution of one pixel a dense one.
    fn first_dense(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let latent = self.graph.latent();
        let first = self.graph.layers.iter().position(|l| !matches!(l.op, Op::Reshape { .. }));
        let Some(first) = first else { return Ok(()) };
        self.graph.layers.drain(..first);
        self.layer = self.graph.layers.len().checked_sub(1);
        let Some(layer) = self.graph.layers.first_mut() else { return Ok(()) };
        let Op::ConvTranspose { out, window } = layer.op else {
            return match layer.op {
                Op::Dense { .. } => Ok(()),
                _ => Err(node.fail("joins the label after a layer that is not dense")),
            };
        };
        let taps = window.kernel * window.kernel;
        if window.padding != 0 || layer.weight.len() != latent * out * taps {
            return Err(node.fail("joins the label after a convolution of more than one pixel"));
        }
        self.budget.floats(layer.weight.len() + out * taps)?;
        let n = out * taps;
        let from = core::mem::take(&mut layer.weight);
        layer.weight = (0..n * latent).map(|at| from[at % latent * n + at / latent]).collect();
        if !layer.bias.is_empty() {
            layer.bias = (0..n).map(|at| layer.bias[at / taps]).collect();
        }
        layer.op = Op::Dense { out: n };
        let name = format!("{}.image", layer.name);
        let to = Shape::new(out, window.kernel, window.kernel);
        self.graph.layers.insert(1, Layer::new(name, Op::Reshape { to }));
        self.layer = self.graph.layers.len().checked_sub(1);
        Ok(())
    }

    fn add_label(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let (dims, table) = self.table(node)?;
        let (_, table) = self.broadcast(&dims, table)?;
        let (n, classes) = (self.shape.values(), self.classes());
        if table.len() != n * classes {
            return Err(node.fail("adds a label of another length than the data"));
        }
        let dims = self.view.dims.clone();
        self.settle_flat(node)?;
        self.extend(node, &table)?;
        // The sum of both halves.
        self.budget.floats(2 * n * n)?;
        let mut weight = vec![0.0; 2 * n * n];
        for i in 0..n {
            weight[2 * n * i + i] = 1.0;
            weight[2 * n * i + n + i] = 1.0;
        }
        let name = self.name(node);
        self.add(node, Layer { weight, ..Layer::new(name, Op::Dense { out: n }) })?;
        self.shape = Shape::new(n, 1, 1);
        self.view = View::of(&dims);
        Ok(())
    }

    /// See [`scaled_by_label`].
    fn scale_by_label(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let (_, table) = self.table(node)?;
        let (n, classes) = (self.graph.latent(), self.classes());
        let moved = |l: &Layer| !matches!(l.op, Op::Reshape { .. });
        if self.graph.layers.iter().any(moved) {
            return Err(node.fail(
                "multiplies by the label after a layer, which is not supported: only the latent",
            ));
        }
        if table.len() != n * classes {
            return Err(node.fail("multiplies by a label of another length than the latent"));
        }
        let hidden = 2 * n * classes;
        self.budget.floats(hidden.saturating_mul(2 * n + classes + 1))?;
        let dims = self.view.dims.clone();
        self.graph.layers.clear();
        self.layer = None;
        for layer in scaled_by_label(n, &table, &self.name(node)) {
            self.add(node, layer)?;
        }
        self.shape = Shape::new(n, 1, 1);
        self.view = View::of(&dims);
        Ok(())
    }
}

/// Gives a dense layer of `out` outputs `more` of them and `wide` inputs. `of` is what the new outputs
/// take from the new inputs, by number of both; everything else that is new is 0.
fn widen(
    layer: &mut Layer,
    out: usize,
    wide: usize,
    more: usize,
    of: impl Fn(usize, usize) -> f32,
) {
    let inputs = layer.weight.len() / out;
    let mut weight = vec![0.0; (out + more) * wide];
    for (to, from) in weight.chunks_exact_mut(wide).zip(layer.weight.chunks_exact(inputs)) {
        to[..inputs].copy_from_slice(from);
    }
    for (row, to) in weight[out * wide..].chunks_exact_mut(wide).enumerate() {
        for (k, value) in to[inputs..].iter_mut().enumerate() {
            *value = of(row, k);
        }
    }
    layer.weight = weight;
    if !layer.bias.is_empty() {
        layer.bias.resize(out + more, 0.0);
    }
    layer.op = Op::Dense { out: out + more };
}

/// Replaces what should come out of an activation by what must go in. If not everything can come
/// out, the factor and sum that restore it afterwards.
fn before(activation: Activation, table: &mut [f32]) -> Option<(f32, f32)> {
    match activation {
        Activation::None => return None,
        Activation::LeakyRelu(slope) if slope > 0.0 => {
            for v in table.iter_mut().filter(|v| **v < 0.0) {
                *v /= slope;
            }
            return None;
        }
        _ => {}
    }
    // All of them grow from 0.5 to 1.5, where their inverse is found by halving.
    let f = |x: f64| f64::from(activation.of(x as f32));
    let (low, high) = (f(0.5), f(1.5));
    let least = table.iter().copied().fold(f32::MAX, f32::min);
    let most = table.iter().copied().fold(f32::MIN, f32::max);
    let scale = match most > least {
        true => f64::from(most - least) / (high - low),
        false => 1.0,
    };
    let shift = f64::from(least) - scale * low;
    for v in table.iter_mut() {
        let want = (f64::from(*v) - shift) / scale;
        let (mut a, mut b) = (0.5, 1.5);
        for _ in 0..40 {
            let middle = 0.5 * (a + b);
            match f(middle) < want {
                true => a = middle,
                false => b = middle,
            }
        }
        *v = a as f32;
    }
    Some((scale as f32, shift as f32))
}
