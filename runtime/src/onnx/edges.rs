//! Rows and columns at the edges of images: padding that waits for the convolution behind it, and
//! what is cut off.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::data::Pad;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use super::window::{Pads, Place, padded, transposed};
use crate::graph::Layer;
use crate::op::{Edge, Op, Shape, Window};

impl Chain<'_> {
    /// `Pad`: padding of images waits for the convolution that follows; negative padding cuts.
    pub fn pad(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let mode = node.string("mode", "constant");
        let edge = match mode.as_str() {
            "constant" => Edge::Zero,
            "reflect" => Edge::Reflect,
            _ => {
                return Err(node.fail(format!(
                    "mode {mode:?} is not supported; replace it by zeros or reflection and train \
                     again"
                )));
            }
        };
        let pads = match node.ints("pads") {
            Some(pads) => pads.to_vec(),
            None => self.integers(node, 1)?.to_vec(),
        };
        let value = match (node.attribute("value"), node.input(2)) {
            (Some(value), _) => value.f,
            (None, Some(_)) => self.floats(node, 2)?.first().copied().unwrap_or(0.0),
            (None, None) => 0.0,
        };
        let rank = self.view.dims.len() + 1;
        let refuse = || node.fail(format!("pads {pads:?} are not supported"));
        // Axes of their own since operation set 18.
        let pads = match node.input(3) {
            None => pads.clone(),
            Some(_) => {
                let axes = self.integers(node, 3)?;
                if pads.len() != 2 * axes.len() {
                    return Err(refuse());
                }
                let mut all = vec![0; 2 * rank];
                for (i, axis) in axes.iter().enumerate() {
                    let axis = if *axis < 0 { axis + rank as i64 } else { *axis };
                    let axis = usize::try_from(axis).ok().filter(|axis| *axis < rank);
                    let axis = axis.ok_or_else(refuse)?;
                    (all[axis], all[rank + axis]) = (pads[i], pads[axes.len() + i]);
                }
                all
            }
        };
        if pads.len() != 2 * rank || pads.iter().any(|p| p.abs() > 4096) {
            return Err(refuse());
        }
        if pads.iter().all(|p| *p == 0) {
            return Ok(());
        }
        if value != 0.0 && edge == Edge::Zero {
            return Err(node.fail(format!("padding with {value} is not supported: only with 0")));
        }
        if rank != 4 {
            return Err(refuse());
        }
        // Data with channels last: pad as if they came first.
        let (last, at) = (pads[3] == 0 && pads[7] == 0 && (pads[1] != 0 || pads[5] != 0), [2, 3]);
        let at = if last { [1, 2] } else { at };
        if [0, 1, 2, 3].iter().any(|i| !at.contains(i) && (pads[*i] != 0 || pads[i + 4] != 0)) {
            return Err(refuse());
        }
        let sides = at.map(|i| [pads[i], pads[i + 4]]);
        if last {
            self.view = self.view.transposed(&[2, 0, 1]);
        }
        self.settle_image(node)?;
        let cut = sides.map(|s| s.map(|p| p.min(0).unsigned_abs() as usize));
        let grown = sides.map(|s| s.map(|p| p.max(0) as usize));
        self.cut(node, cut)?;
        if grown.concat().iter().any(|p| *p > 0) {
            self.pad = Some(Pad { sides: grown, edge });
            let s = self.shape;
            self.view =
                View::of(&[s.c, s.h + grown[0][0] + grown[0][1], s.w + grown[1][0] + grown[1][1]]);
        }
        if last {
            self.flush_pad(node)?;
            self.view = self.view.transposed(&[1, 2, 0]);
        }
        Ok(())
    }

    /// Pads with a convolution of its own, if no other took the padding.
    pub fn flush_pad(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let Some(Pad { sides, edge }) = self.pad.take() else { return Ok(()) };
        let c = self.shape.c;
        let Some((side, first, padding)) = padded([1, 1], sides) else {
            return Err(node.fail(
                "follows a padding of rows and columns that differ, which is only supported before \
                 a convolution",
            ));
        };
        let weight = self.identity(c, Place { side, first, apart: [1, 1] })?;
        let window = Window { kernel: side, stride: 1, padding };
        let op = match edge {
            Edge::Zero => Op::Conv { out: c, window },
            Edge::Reflect => Op::ReflectConv { out: c, window },
        };
        self.push(node, op, weight, vec![])?;
        self.view = View::of(&[c, self.shape.h, self.shape.w]);
        Ok(())
    }

    /// Cuts rows and columns off an image: the transposed convolution before it makes fewer.
    pub fn cut(&mut self, node: &Node<'_>, cut: Pads) -> Result<(), OnnxError> {
        if cut.concat().iter().all(|p| *p == 0) {
            return Ok(());
        }
        let s = self.shape;
        let new = Shape::new(
            s.c,
            s.h.saturating_sub(cut[0][0] + cut[0][1]),
            s.w.saturating_sub(cut[1][0] + cut[1][1]),
        );
        if new.values() == 0 {
            return Err(node.fail("cuts off the whole image"));
        }
        let moves = |l: &&Layer| !matches!(l.op, Op::Affine | Op::Activate);
        let last = self.graph.layers.iter().rposition(|l| moves(&l));
        if let Some(i) = last
            && self.owns(i)
            && let Op::ConvTranspose { out, window } = self.graph.layers[i].op
        {
            let p = window.padding;
            let pads = cut.map(|side| side.map(|c| c + p));
            if let Some((side, first, padding)) = transposed([window.kernel; 2], pads, [0; 2]) {
                let kernels = self.graph.layers[i].weight.len() / (window.kernel * window.kernel);
                self.budget.floats(kernels.saturating_mul(side * side))?;
                let layer = &mut self.graph.layers[i];
                let place = Place { side, first, apart: [1, 1] };
                layer.weight = place.enlarge(&layer.weight, [window.kernel; 2]);
                let window = Window { kernel: side, padding, ..window };
                layer.op = Op::ConvTranspose { out, window };
                self.shape = new;
                self.view = View::of(&[new.c, new.h, new.w]);
                return Ok(());
            }
        }
        let Some((side, first, padding)) = transposed([1, 1], cut, [0, 0]) else {
            return Err(node.fail("cuts rows and columns differently, which is not supported here"));
        };
        let weight = self.identity(s.c, Place { side, first, apart: [1, 1] })?;
        let window = Window { kernel: side, stride: 1, padding };
        self.push(node, Op::ConvTranspose { out: s.c, window }, weight, vec![])?;
        self.view = View::of(&[new.c, new.h, new.w]);
        Ok(())
    }

    /// `Slice` of rows and columns of images.
    pub fn slice(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let list = |i: usize, name: &str| -> Result<Option<Vec<i64>>, OnnxError> {
            match (node.ints(name), node.input(i)) {
                (Some(values), _) => Ok(Some(values.to_vec())),
                (None, Some(_)) => Ok(Some(self.integers(node, i)?.to_vec())),
                (None, None) => Ok(None),
            }
        };
        let starts = list(1, "starts")?.unwrap_or_default();
        let ends = list(2, "ends")?.unwrap_or_default();
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        let refuse = || {
            node.fail(format!(
                "a slice from {starts:?} to {ends:?} of axes {axes:?} is not supported: only of \
                 rows and columns"
            ))
        };
        let same = [ends.len(), axes.len(), steps.len()].iter().all(|n| *n == starts.len());
        if !same || steps.iter().any(|s| *s != 1) {
            return Err(refuse());
        }
        let dims = self.view.dims.clone();
        let mut cut = vec![[0usize; 2]; dims.len()];
        for ((start, end), axis) in starts.iter().zip(&ends).zip(&axes) {
            let axis = if *axis < 0 { axis + dims.len() as i64 + 1 } else { *axis };
            let Some(i) = usize::try_from(axis - 1).ok().filter(|i| *i < dims.len()) else {
                // The batch, as a whole.
                if axis == 0 && *start == 0 && *end > 1 << 20 {
                    continue;
                }
                return Err(refuse());
            };
            let n = dims[i] as i64;
            let place = |v: i64| (if v < 0 { v.saturating_add(n) } else { v }).clamp(0, n);
            let (start, end) = (place(*start), place(*end));
            if end <= start {
                return Err(refuse());
            }
            cut[i] = [start as usize, (n - end) as usize];
        }
        if cut.iter().all(|c| *c == [0, 0]) {
            return Ok(());
        }
        let last = match cut[..] {
            [[0, 0], _, _] => false,
            [_, _, [0, 0]] => true,
            _ => return Err(refuse()),
        };
        if last {
            self.view = self.view.transposed(&[2, 0, 1]);
        }
        // A pending cut is missing from the view but not yet from the layer's output.
        if self.cut.is_none() {
            self.settle_image(node)?;
        }
        let sides = if last { [cut[0], cut[1]] } else { [cut[1], cut[2]] };
        let before = self.cut.unwrap_or([[0; 2]; 2]);
        let all = [0, 1].map(|i| [0, 1].map(|j| before[i][j] + sides[i][j]));
        self.cut = Some(all);
        let s = self.shape;
        self.view = View::of(&[s.c, s.h - all[0][0] - all[0][1], s.w - all[1][0] - all[1][1]]);
        if last {
            self.flush_cut(node)?;
            self.view = self.view.transposed(&[1, 2, 0]);
        }
        Ok(())
    }

    /// Cuts what slices have left over.
    pub fn flush_cut(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        match self.cut.take() {
            Some(cut) => self.cut(node, cut),
            None => Ok(()),
        }
    }
}
