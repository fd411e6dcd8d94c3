//! Nodes that reshape or resize the data, or clip it.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use crate::op::{Op, Shape};

impl Chain {
    pub fn clip(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let limit = |i: usize, name: &str| -> Result<f32, OnnxError> {
            match (node.input(i), node.attribute(name)) {
                (Some(_), _) => match self.floats(node, i)? {
                    [one] => Ok(*one),
                    _ => Err(node.fail(format!("{name} is not one value"))),
                },
                (None, Some(a)) => Ok(a.f),
                (None, None) => Err(node.fail(format!("has no {name}"))),
            }
        };
        let (low, high) = (limit(1, "min")?, limit(2, "max")?);
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(node.fail(format!("clips to {low} and {high}")));
        }
        self.clipped = Some((low, high));
        Ok(())
    }

    pub fn reshape(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let target = self.integers(node, 1)?.to_vec();
        let values = self.shape.values() as i64;
        let refuse = || node.fail(format!("a reshape to {target:?} is not supported"));
        let [batch, rest @ ..] = &target[..] else {
            return Err(refuse());
        };
        if *batch < -1 || rest.iter().any(|n| *n < -1) {
            return Err(refuse());
        }
        let now = [self.shape.c, self.shape.h, self.shape.w];
        let mut sides: Vec<i64> = rest.to_vec();
        for (i, side) in sides.iter_mut().enumerate() {
            // 0 copies the input's dimension.
            if *side == 0 {
                *side = now.get(i).map_or(0, |n| *n as i64);
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
        let to = match sides[..] {
            [n] => Shape::new(n as usize, 1, 1),
            [c, h, w] => Shape::new(c as usize, h as usize, w as usize),
            _ => return Err(refuse()),
        };
        let rank = sides.len() + 1;
        self.push(node, Op::Reshape { to }, vec![], vec![])?;
        self.rank = rank;
        Ok(())
    }

    /// Adds or removes the axes of a single pixel.
    pub fn squeeze(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let axes = match (node.ints("axes"), node.input(1)) {
            (Some(axes), _) => axes.to_vec(),
            (None, Some(_)) => self.integers(node, 1)?.to_vec(),
            (None, None) => vec![2, 3],
        };
        let removes = node.0.op_type == "Squeeze";
        let spatial = axes.iter().all(|a| [2, 3, -1, -2].contains(a));
        if !spatial || self.shape.plane() != 1 {
            return Err(node.fail(format!("axes {axes:?} are not supported here")));
        }
        let rank = match removes {
            true => self.rank.checked_sub(axes.len()),
            false => Some(self.rank + axes.len()),
        };
        match rank {
            Some(rank @ 2..=4) => self.rank = rank,
            _ => return Err(node.fail(format!("axes {axes:?} do not fit {} axes", self.rank))),
        }
        Ok(())
    }

    pub fn resize(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let mode = node.string("mode", "nearest");
        if mode != "nearest" {
            return Err(node.fail(format!("mode {mode:?} is not supported: only \"nearest\"")));
        }
        let position = node.string("coordinate_transformation_mode", "half_pixel");
        let nearest = node.string("nearest_mode", "round_prefer_floor");
        let repeats = match (position.as_str(), nearest.as_str()) {
            ("asymmetric", "floor") => true,
            ("half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric", rounding) => {
                ["round_prefer_floor", "round_prefer_ceil"].contains(&rounding)
            }
            _ => false,
        };
        if !repeats {
            return Err(node.fail(format!(
                "{position:?} with {nearest:?} is not supported: it does not repeat pixels"
            )));
        }
        let factors: Vec<f64> = match node.input(3) {
            Some(_) => {
                let now = [1, self.shape.c, self.shape.h, self.shape.w];
                let sizes = self.integers(node, 3)?;
                // The batch axis is not resized, whatever it says.
                let side = |(i, (size, now)): (usize, (&i64, usize))| match i {
                    0 => 1.0,
                    _ => *size as f64 / now as f64,
                };
                sizes.iter().zip(now).enumerate().map(side).collect()
            }
            None => self.floats(node, 2)?.iter().map(|f| *f as f64).collect(),
        };
        match factors[..] {
            [1.0, 1.0, h, w]
                if h == w && (1.0..=4096.0).contains(&h) && h == (h as usize) as f64 =>
            {
                let factor = h as usize;
                self.push(node, Op::Resize { factor }, vec![], vec![])
            }
            _ => Err(node.fail(format!(
                "factors {factors:?} are not supported: only integers, equal in both directions"
            ))),
        }
    }
}
