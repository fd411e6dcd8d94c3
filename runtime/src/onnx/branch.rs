//! Nodes of networks with branches: joins of two tensors, and the normalization that comes with them
//! in translating networks.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chain::Chain;
use super::data::Data;
use super::error::OnnxError;
use super::node::Node;
use crate::graph::Layer;
use crate::op::{Op, Shape};

impl Chain<'_> {
    /// The sum of two tensors, or the channels of one after those of the other.
    pub fn join(&mut self, node: &Node<'_>, data: &[String]) -> Result<(), OnnxError> {
        let op = node.0.op_type.as_str();
        let ([first, second], "Add" | "Sum" | "Concat") = (data, op) else {
            return Err(node.fail(format!(
                "depends on the input through {}; only Add and Concat of two such tensors are \
                 supported",
                data.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" and ")
            )));
        };
        if node.0.input.len() != 2 {
            return Err(node.fail("only two inputs are supported"));
        }
        for name in [second, first] {
            self.go_to(name);
            if self.rounded.is_some() {
                return Err(node.fail("joins integers, which is not supported"));
            }
            self.flush_pad(node)?;
            self.flush_cut(node)?;
            self.repeat(node)?;
            self.keep();
        }
        // A vector and an image as two images.
        for [name, other] in [[second, first], [first, second]] {
            self.go_to(other);
            let Shape { h, w, .. } = self.shape;
            self.go_to(name);
            let n = self.shape.values();
            if self.shape.plane() == 1 && h * w > 1 && n.is_multiple_of(h * w) {
                self.shaped(node, Shape::new(n / (h * w), h, w))?;
                self.keep();
            }
        }
        if let [Some(x), Some(y)] = [first, second].map(|name| self.tensors.get(name))
            && self.joined(node, &x.0, &y.0).is_none()
        {
            for name in [second, first] {
                self.go_to(name);
                self.settle(node)?;
                self.keep();
            }
        }
        self.go_to(second);
        let y = self.here();
        self.go_to(first);
        let x = self.here();
        let Some((op, dims)) = self.joined(node, &x, &y) else {
            return Err(node.fail(format!(
                "joins {first:?} of dimensions {:?} and {second:?} of {:?}, which do not fit: only \
                 equal ones can be added, and channels concatenated",
                x.view.dims, y.view.dims
            )));
        };
        let with = Some(self.name_of(y.layer));
        self.shape = op.output(x.shape).map_err(|e| node.fail(format!("{e}")))?;
        self.view.dims = dims;
        self.add(node, Layer { with, ..Layer::new(self.name(node), op) })
    }

    /// The layer that joins two tensors as they lie, and the dimensions of the result.
    fn joined(&self, node: &Node<'_>, x: &Data, y: &Data) -> Option<(Op, Vec<usize>)> {
        if node.0.op_type != "Concat" {
            let same = x.view == y.view && x.shape == y.shape;
            return same.then(|| (Op::Add, x.view.dims.clone()));
        }
        let rank = x.view.dims.len();
        let axis = node.int("axis", 1);
        let axis = if axis < 0 { axis + rank as i64 + 1 } else { axis };
        let axis = usize::try_from(axis - 1).ok().filter(|axis| *axis < rank)?;
        let same = rank == y.view.dims.len()
            && [x, y].iter().all(|data| data.view.is_channel(axis, data.shape))
            && (x.shape.h, x.shape.w) == (y.shape.h, y.shape.w)
            && (0..rank).filter(|i| *i != axis).all(|i| {
                let step = |data: &Data| (data.view.dims[i], data.view.steps[i]);
                step(x) == step(y) || step(x).0 == 1 && step(y).0 == 1
            });
        let mut dims = x.view.dims.clone();
        dims[axis] += y.shape.c;
        same.then_some((Op::Concat { channels: y.shape.c }, dims))
    }

    pub fn instance_norm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data is not the first input"));
        }
        self.settle_image(node)?;
        let epsilon = node.float("epsilon", 1e-5);
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(node.fail(format!("epsilon {epsilon} is not supported")));
        }
        for i in [1, 2] {
            let got = self.floats(node, i)?.len();
            if got != self.shape.c {
                return Err(node.fail(format!(
                    "input {i} has {got} values, the data {} channels",
                    self.shape.c
                )));
            }
        }
        let weight = self.take(node, 1)?;
        let bias = self.take(node, 2)?;
        self.push(node, Op::InstanceNorm { epsilon }, weight, bias)
    }
}
