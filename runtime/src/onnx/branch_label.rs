//! A label that joins the data behind a convolution or in a branch: layers of its own make its table
//! from the model's input.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::arithmetic::spread;
use super::chain::Chain;
use super::data::Data;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::graph::Layer;
use crate::model::INPUT;
use crate::op::{Op, Shape};

impl Chain<'_> {
    /// Joins the data and a label by Concat or Add. `latent` is the length of the latent without
    /// the label, whose values follow it.
    pub fn branch_label(&mut self, node: &Node<'_>, latent: usize) -> Result<(), OnnxError> {
        let (mut dims, mut table) = self.table(node)?;
        self.repeat(node)?;
        if self.view.dims.len() == 3 && !(0..3).any(|axis| self.view.is_channel(axis, self.shape)) {
            self.settle(node)?;
        }
        let x = self.here();
        let concat = node.0.op_type == "Concat";
        let axis = match concat {
            true => self.joined_axis(node, &dims)?,
            false => None,
        };
        if !concat {
            (dims, table) = self.broadcast(&dims, table)?;
        }
        let Some((shape, places)) = places(&x, &dims, axis) else {
            return Err(node.fail(format!(
                "joins data of dimensions {:?} and a label of {dims:?} besides the batch: only \
                 equal ones can be added, and channels concatenated",
                x.view.dims
            )));
        };

        let (n, classes) = (shape.values(), table.len() / places.len());
        let wide = latent + classes;
        self.budget.floats(n.saturating_mul(wide))?;
        let mut weight = vec![0.0; n * wide];
        for (class, values) in table.chunks_exact(n).enumerate() {
            for (place, value) in places.iter().zip(values) {
                weight[place * wide + latent + class] = *value;
            }
        }
        // From the model's input on.
        self.layer = None;
        self.shape = Shape::new(n, 1, 1);
        let name = self.name(node);
        self.add(node, Layer { weight, ..Layer::new(name, Op::Dense { out: n }) })?;
        self.shaped(node, shape)?;
        let mut label = x.clone();
        (label.layer, label.shape) = (self.layer, shape);

        let data_first = !concat || node.input(0) == Some(&self.at);
        let (first, second) = if data_first { (&x, &label) } else { (&label, &x) };
        let op = match concat {
            true => Op::Concat { channels: second.shape.c },
            false => Op::Add,
        };
        let at = self.at.clone();
        self.set(&at, first.clone());
        let with = Some(self.name_of(second.layer));
        self.shape = op.output(first.shape).map_err(|e| node.fail(format!("{e}")))?;
        if let Some(axis) = axis {
            self.view = longer(&x.view, axis, dims[axis]);
        }
        let name = self.name(node);
        self.add(node, Layer { with, ..Layer::new(name, op) })
    }

    /// The axis of a Concat with a label of these dimensions.
    fn joined_axis(&self, node: &Node<'_>, dims: &[usize]) -> Result<Option<usize>, OnnxError> {
        let rank = self.view.dims.len();
        let axis = node.int("axis", 1);
        let axis = if axis < 0 { axis + rank as i64 + 1 } else { axis };
        let axis = usize::try_from(axis - 1).ok().filter(|axis| *axis < rank);
        match axis {
            Some(_) if dims.len() == rank => Ok(axis),
            _ => Err(node.fail(format!(
                "joins data of dimensions {:?} and a label of {dims:?} besides the batch",
                self.view.dims
            ))),
        }
    }

    /// A table that is added to the data, with a value for each of the data's.
    pub fn broadcast(
        &self,
        dims: &[usize],
        table: Vec<f32>,
    ) -> Result<(Vec<usize>, Vec<f32>), OnnxError> {
        let to = &self.view.dims;
        let fits = dims.len() == to.len() && dims.iter().zip(to).all(|(d, t)| *d == 1 || d == t);
        if dims == to || !fits {
            return Ok((dims.to_vec(), table));
        }
        let rows = dims.iter().product::<usize>().max(1);
        self.budget.floats((table.len() / rows).saturating_mul(self.view.len()))?;
        self.budget.take(self.view.len(), size_of::<usize>())?;
        let places = spread(dims, to);
        let wide = table.chunks_exact(rows).flat_map(|row| places.iter().map(|i| row[*i]));
        Ok((to.clone(), wide.collect()))
    }

    /// Lets the layers that read the model's input ignore `classes` more values behind it.
    pub fn widen_input(&mut self, node: &Node<'_>, classes: usize) -> Result<(), OnnxError> {
        let latent = self.graph.latent();
        let reads = |data: &Data| data.layer.is_none();
        if self.tensors.values().any(|(data, _)| reads(data))
            || self.functions.iter().any(|f| reads(&f.start))
        {
            return Err(node.fail(
                "joins the label before all layers that read the latent, which is not supported",
            ));
        }
        for (i, layer) in self.graph.layers.iter_mut().enumerate() {
            let first = match &layer.from {
                Some(name) => name == INPUT,
                None => i == 0,
            };
            if !first && layer.with.as_deref() != Some(INPUT) {
                continue;
            }
            let (out, more) = match layer.op {
                Op::Dense { out } if first => (out, out * classes),
                Op::ConvTranspose { out, window } if first => {
                    let taps = window.kernel * window.kernel;
                    (out, out * taps * classes)
                }
                _ => {
                    return Err(node.fail(
                        "joins the label in a generator whose latent is read by a layer that is \
                         neither dense nor a transposed convolution",
                    ));
                }
            };
            self.budget.floats(layer.weight.len() + more)?;
            match layer.op {
                Op::Dense { .. } => {
                    let rows = core::mem::take(&mut layer.weight);
                    for row in rows.chunks_exact(rows.len() / out) {
                        layer.weight.extend_from_slice(row);
                        layer.weight.resize(layer.weight.len() + classes, 0.0);
                    }
                }
                _ if layer.weight.len() / latent * classes == more => {
                    layer.weight.resize(layer.weight.len() + more, 0.0);
                }
                _ => {
                    return Err(node.fail(
                        "joins the label in a generator whose latent is an image of several pixels",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// A view with a longer axis of channels.
fn longer(view: &View, axis: usize, more: usize) -> View {
    let mut dims = view.dims.clone();
    dims[axis] += more;
    View::new(dims, view.steps.clone())
}

/// The shape of a layer's output that is a label of `dims`, row by row, and the place of each of its
/// values there: they lie as the data does, whose channels are the axis `joined` of a Concat. `None`
/// if that is not possible.
fn places(x: &Data, dims: &[usize], joined: Option<usize>) -> Option<(Shape, Vec<usize>)> {
    let fits = |axis: usize| Some(axis) == joined || dims[axis] == x.view.dims[axis];
    if dims.len() != x.view.dims.len() || !(0..dims.len()).all(fits) {
        return None;
    }
    let shape = match joined {
        Some(axis) if x.view.is_channel(axis, x.shape) => {
            Shape::new(dims[axis], x.shape.h, x.shape.w)
        }
        Some(_) => return None,
        None => x.shape,
    };
    // The steps through channels, rows and columns do not depend on the number of channels.
    let view = match joined {
        Some(_) => View::new(dims.to_vec(), x.view.steps.clone()),
        None => x.view.clone(),
    };
    let order = view.order();
    (order.len() == shape.values()).then_some((shape, order))
}
