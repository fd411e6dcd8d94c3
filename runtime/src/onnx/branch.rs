//! Nodes of networks with branches: joins of two tensors, and what comes with them in translating
//! networks.

use alloc::format;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use crate::graph::Layer;
use crate::op::{Edge, LARGEST, Op};

impl Chain {
    /// The sum of two tensors, or the channels of one after those of the other.
    pub fn join(&mut self, node: &Node<'_>, first: &str, second: &str) -> Result<(), OnnxError> {
        if node.0.input.len() != 2 {
            return Err(node.fail("only two inputs are supported"));
        }
        let name = self.name(node);
        self.go_to(second);
        let (other, rank, with, pad) = (self.shape, self.rank, self.layer, self.pad);
        self.go_to(first);
        let fit = (self.shape.h, self.shape.w, self.rank) == (other.h, other.w, rank);
        let op = match node.0.op_type.as_str() {
            "Concat" => {
                let axis = node.int("axis", 1);
                if axis != 1 && axis + self.rank as i64 != 1 {
                    return Err(
                        node.fail(format!("axis {axis} is not supported: only 1, channels"))
                    );
                }
                Op::Concat { channels: other.c }
            }
            _ => Op::Add,
        };
        let (x, y) = (self.shape, other);
        if !fit || op == Op::Add && x.c != y.c {
            return Err(node.fail(format!("joins {first:?} of {x} and {second:?} of {y}")));
        }
        if self.pad.or(pad).is_some() {
            return Err(node.fail("follows a Pad, which is only supported before a Conv"));
        }
        if self.clipped.is_some() {
            return Err(node.fail("follows a Clip, which is only supported at the end"));
        }
        self.shape = op.output(x).map_err(|e| node.fail(format!("{e}")))?;
        let with = Some(self.name_of(with));
        self.add(node, Layer { with, ..Layer::new(name, op) })
    }

    pub fn instance_norm(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data is not the first input"));
        }
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

    /// Padding by the same number of rows and columns on all sides.
    pub fn padding(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let edge = match node.string("mode", "constant").as_str() {
            "constant" => Edge::Zero,
            "reflect" => Edge::Reflect,
            other => return Err(node.fail(format!("mode {other:?} is not supported"))),
        };
        if edge == Edge::Zero && node.input(2).is_some() {
            let value = self.floats(node, 2)?;
            if value.iter().any(|v| *v != 0.0) {
                return Err(node.fail(format!("the value {value:?} is not supported: only 0")));
            }
        }
        let pads: Vec<i64> = match node.ints("pads") {
            Some(pads) => pads.to_vec(),
            None => self.integers(node, 1)?.to_vec(),
        };
        // Axes of their own since operation set 18.
        let axes = match node.input(3) {
            Some(_) => self.integers(node, 3)?.to_vec(),
            None => [0, 1, 2, 3].to_vec(),
        };
        let pads = match (&axes[..], &pads[..]) {
            ([2, 3] | [-2, -1], [up, left, down, right]) => {
                [0, 0, *up, *left, 0, 0, *down, *right].to_vec()
            }
            ([0, 1, 2, 3], _) => pads,
            _ => return Err(node.fail(format!("axes {axes:?} are not supported"))),
        };
        match pads[..] {
            [0, 0, up, left, 0, 0, down, right]
                if self.rank == 4 && [left, down, right] == [up; 3] && self.pad.is_none() =>
            {
                let by = usize::try_from(up).ok().filter(|by| *by < LARGEST);
                self.pad = Some((by.ok_or_else(|| node.fail(format!("pads {pads:?}")))?, edge));
                Ok(())
            }
            _ => Err(node.fail(format!(
                "pads {pads:?} are not supported: only the same on all four sides of an image"
            ))),
        }
    }
}
