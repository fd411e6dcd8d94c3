//! Convolutions as exporters write them: unequal padding, output padding, dilation and groups
//! become zeros in the kernel.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::data::Pad;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::graph::Layer;
use crate::op::{Edge, Op, Shape, Window};

/// Rows and columns: begin and end of both.
type Pads = [[usize; 2]; 2];

/// The taps of a kernel in a larger one.
struct Place {
    /// Side of the larger one.
    side: usize,
    /// Where the first tap lies, and how far the taps are apart, in rows and columns.
    first: [usize; 2],
    apart: [usize; 2],
}

impl Place {
    /// `count` kernels, enlarged.
    fn enlarge(&self, weight: &[f32], [high, wide]: [usize; 2]) -> Vec<f32> {
        let count = weight.len() / (high * wide);
        let mut large = vec![0.0; count * self.side * self.side];
        for (i, kernel) in weight.chunks_exact(high * wide).enumerate() {
            for (at, w) in kernel.iter().enumerate() {
                let y = self.first[0] + at / wide * self.apart[0];
                let x = self.first[1] + at % wide * self.apart[1];
                large[(i * self.side + y) * self.side + x] = *w;
            }
        }
        large
    }
}

/// The window of a transposed convolution whose output is cut by `pads` and extended by `more` at
/// the end: kernel (with dilation) of `kernel` rows and columns. Zeros before and after the kernel
/// make the cut equal on all sides. `None` if no square kernel does.
fn transposed(
    kernel: [usize; 2],
    pads: Pads,
    more: [usize; 2],
) -> Option<(usize, [usize; 2], usize)> {
    let needed = |i: usize| pads[i][0].max(pads[i][1].saturating_sub(more[i]));
    let padding = needed(0).max(needed(1));
    let side = |i: usize| (kernel[i] + more[i] + 2 * padding).checked_sub(pads[i][0] + pads[i][1]);
    let first = [padding - pads[0][0], padding - pads[1][0]];
    let side = side(0).filter(|s| Some(*s) == side(1))?;
    Some((side, first, padding))
}

/// The same for a convolution whose input is padded by `pads`.
fn padded(kernel: [usize; 2], pads: Pads) -> Option<(usize, [usize; 2], usize)> {
    let padding = pads.concat().into_iter().max().unwrap_or(0);
    let side = |i: usize| kernel[i] + 2 * padding - pads[i][0] - pads[i][1];
    let first = [padding - pads[0][0], padding - pads[1][0]];
    (side(0) == side(1)).then(|| (side(0), first, padding))
}

impl Chain<'_> {
    pub fn convolution(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let back = node.0.op_type == "ConvTranspose";
        if node.input(0) != Some(&self.at) {
            return Err(node.fail("the data is not the first input"));
        }
        // What is reflected cannot be padded with zeros in the same layer.
        let zeros = node.ints("pads").is_some_and(|p| p.iter().any(|p| *p != 0))
            || node.string("auto_pad", "NOTSET").starts_with("SAME");
        if zeros && self.pad.is_some_and(|pad| pad.edge == Edge::Reflect) {
            self.flush_pad(node)?;
        }
        // What is reflected cannot be padded with zeros in the same layer.
        let zeros = node.ints("pads").is_some_and(|p| p.iter().any(|p| *p != 0))
            || node.string("auto_pad", "NOTSET").starts_with("SAME");
        if self.pad.is_some_and(|pad| back || pad.edge == Edge::Reflect && zeros) {
            self.flush_pad(node)?;
        }
        let pad = self.pad.take();
        if pad.is_some() {
            self.view = View::of(&[self.shape.c, self.shape.h, self.shape.w]);
        }
        self.settle_image(node)?;
        let dims = &self.input(node, 1)?.dims;
        let [a, b, high, wide] = dims[..] else {
            return Err(node.fail(format!("the weight has dimensions {dims:?}, not four")));
        };
        let kernel = [high, wide];
        if node.ints("kernel_shape").is_some_and(|k| !k.iter().eq(&[high as i64, wide as i64])) {
            return Err(node.fail(format!(
                "kernel_shape {:?} differs from the weight's {kernel:?}",
                node.ints("kernel_shape").unwrap_or_default()
            )));
        }
        let group = self.count(node, "group")?;
        let (inputs, out) = match back {
            true => (a, b.checked_mul(group)),
            false => (b.saturating_mul(group), Some(a)),
        };
        let fits = |n: &usize| inputs == self.shape.c && n.is_multiple_of(group);
        let Some(out) = out.filter(fits).filter(|_| a.is_multiple_of(group)) else {
            return Err(node.fail(format!(
                "the weight has dimensions {dims:?} in {group} groups, the data {} channels",
                self.shape.c
            )));
        };
        let weight_dims = [a, b];
        let (window, place) = self.window(node, kernel, back, pad.map(|pad| pad.sides))?;
        let weight = self.take(node, 1)?;
        let weight = match group {
            1 => weight,
            _ => self.ungrouped(&weight, weight_dims, high * wide, group)?,
        };
        let plain = place.side == high && place.side == wide && place.first == [0, 0];
        let weight = match plain {
            true => weight,
            false => {
                let count = (weight.len() / (high * wide)).saturating_mul(place.side * place.side);
                self.budget.floats(count)?;
                place.enlarge(&weight, kernel)
            }
        };
        let bias = match node.input(2) {
            Some(_) => {
                let bias = self.floats(node, 2)?;
                self.budget.floats(bias.len())?;
                bias.to_vec()
            }
            None => vec![],
        };
        let op = match (back, pad.map(|pad| pad.edge)) {
            (true, _) => Op::ConvTranspose { out, window },
            (false, Some(Edge::Reflect)) => Op::ReflectConv { out, window },
            (false, Some(Edge::Zero) | None) => Op::Conv { out, window },
        };
        self.push(node, op, weight, bias)?;
        self.view = View::of(&[self.shape.c, self.shape.h, self.shape.w]);
        Ok(())
    }

    /// The weights of grouped channels as those of all channels, with zeros between groups.
    fn ungrouped(
        &self,
        weight: &[f32],
        [a, b]: [usize; 2],
        taps: usize,
        group: usize,
    ) -> Result<Vec<f32>, OnnxError> {
        self.budget.floats(weight.len().saturating_mul(group))?;
        let mut all = vec![0.0; weight.len() * group];
        for (i, kernel) in weight.chunks_exact(taps.max(1)).enumerate() {
            let (row, column) = (i / b, i % b);
            // Rows are inputs of a transposed convolution and outputs of another; both come in
            // groups, and columns are those of the row's own group.
            let at = row * b * group + row / (a / group) * b + column;
            all[at * taps..][..taps].copy_from_slice(kernel);
        }
        Ok(all)
    }

    /// A positive attribute that defaults to 1.
    fn count(&self, node: &Node<'_>, name: &str) -> Result<usize, OnnxError> {
        let value = node.int(name, 1);
        let count = usize::try_from(value).ok().filter(|n| (1..=1 << 20).contains(n));
        count.ok_or_else(|| node.fail(format!("{name} {value} is not supported")))
    }

    /// Two numbers, for rows and columns.
    fn two(&self, node: &Node<'_>, name: &str, default: usize) -> Result<[usize; 2], OnnxError> {
        match node.ints(name) {
            None => Ok([default; 2]),
            Some(&[y, x]) if (0..=4096).contains(&y) && (0..=4096).contains(&x) => {
                Ok([y as usize, x as usize])
            }
            Some(other) => Err(node.fail(format!("{name} {other:?} is not supported"))),
        }
    }

    fn window(
        &self,
        node: &Node<'_>,
        kernel: [usize; 2],
        back: bool,
        pad: Option<Pads>,
    ) -> Result<(Window, Place), OnnxError> {
        let [stride, other] = self.two(node, "strides", 1)?;
        if stride != other {
            return Err(node.fail(format!(
                "strides {stride} and {other} are not supported: only equal ones are"
            )));
        }
        let apart = self.two(node, "dilations", 1)?;
        if kernel.iter().chain(&apart).any(|n| *n == 0 || *n > 4096) || stride == 0 {
            return Err(node.fail("a kernel, dilation or stride of 0 is not supported"));
        }
        let dilated = [0, 1].map(|i| (kernel[i] - 1) * apart[i] + 1);
        let more = self.two(node, "output_padding", 0)?;
        let input = [self.shape.h, self.shape.w];
        let mut pads: Pads = match node.ints("pads") {
            None => [[0; 2]; 2],
            Some(p @ &[t, l, b, r]) if p.iter().all(|p| (0..=4096).contains(p)) => {
                [[t as usize, b as usize], [l as usize, r as usize]]
            }
            Some(other) => return Err(node.fail(format!("pads {other:?} are not supported"))),
        };
        let auto = node.string("auto_pad", "NOTSET");
        let target = match node.ints("output_shape") {
            None => None,
            Some(&[.., h, w]) if h > 0 && w > 0 => Some([h as usize, w as usize]),
            Some(other) => {
                return Err(node.fail(format!("output_shape {other:?} is not supported")));
            }
        };
        let same = match auto.as_str() {
            "NOTSET" => false,
            "VALID" => {
                pads = [[0; 2]; 2];
                false
            }
            "SAME_UPPER" | "SAME_LOWER" => true,
            _ => return Err(node.fail(format!("auto_pad {auto:?} is not supported"))),
        };
        let mut more = more;
        if same || target.is_some() {
            for i in 0..2 {
                let total = match back {
                    true => {
                        let full = stride * (input[i] - 1) + more[i] + dilated[i];
                        let target = target.map_or(stride * input[i], |t| t[i]);
                        more[i] += target.saturating_sub(full);
                        full.saturating_sub(target)
                    }
                    false => {
                        let output = input[i].div_ceil(stride);
                        (stride * (output - 1) + dilated[i]).saturating_sub(input[i])
                    }
                };
                let (small, large) = (total / 2, total - total / 2);
                pads[i] = match auto == "SAME_UPPER" {
                    true => [small, large],
                    false => [large, small],
                };
            }
        }
        if let Some(pad) = pad {
            for i in 0..2 {
                for j in 0..2 {
                    pads[i][j] += pad[i][j];
                }
            }
        }
        let found = match back {
            true => transposed(dilated, pads, more),
            false => padded(dilated, pads),
        };
        let Some((side, first, padding)) = found.filter(|(side, ..)| *side <= 4096) else {
            return Err(node.fail(format!(
                "a kernel of {kernel:?} with pads {pads:?} and output_padding {more:?} is not \
                 supported: rows and columns must change alike"
            )));
        };
        Ok((Window { kernel: side, stride, padding }, Place { side, first, apart }))
    }

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
                "follows a padding of rows and columns that differ, which is \
                                  only supported before a convolution",
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

    /// The kernel of a convolution that copies `c` channels.
    fn identity(&self, c: usize, place: Place) -> Result<Vec<f32>, OnnxError> {
        let count = c.saturating_mul(c).saturating_mul(place.side * place.side);
        self.budget.floats(count.saturating_add(c.saturating_mul(c)))?;
        let mut one = vec![0.0; c * c];
        one.iter_mut().step_by(c + 1).for_each(|w| *w = 1.0);
        Ok(place.enlarge(&one, [1, 1]))
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
        // What is cut is not gone yet: the view does not see it.
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

    /// `Resize` and the older `Upsample`.
    pub fn resize(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let mode = node.string("mode", "nearest");
        if mode != "nearest" {
            return Err(node.fail(format!(
                "mode {mode:?} is not supported: only \"nearest\" is (nn.Upsample's default)"
            )));
        }
        // Before operation set 11 there was one way: to repeat pixels.
        let old = node.0.op_type == "Upsample" || self.opset < 11;
        let position = node.string("coordinate_transformation_mode", "half_pixel");
        let nearest = node.string("nearest_mode", "round_prefer_floor");
        let repeats = match (position.as_str(), nearest.as_str()) {
            ("asymmetric", "floor") => true,
            ("half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric", rounding) => {
                ["round_prefer_floor", "round_prefer_ceil"].contains(&rounding)
            }
            _ => false,
        };
        if !repeats && !old {
            return Err(node.fail(format!(
                "{position:?} with {nearest:?} is not supported: it does not repeat pixels"
            )));
        }
        let scales: Vec<f64> = match (old, node.input(3)) {
            (true, _) => match (node.floats("scales"), node.input(1)) {
                (Some(scales), _) => scales.iter().map(|f| *f as f64).collect(),
                (None, _) => self.floats(node, 1)?.iter().map(|f| *f as f64).collect(),
            },
            (false, Some(_)) => {
                let sizes = self.integers(node, 3)?;
                // The batch axis is not resized, whatever it says.
                let side = |(i, size): (usize, &i64)| match i {
                    0 => 1.0,
                    _ => *size as f64 / self.view.dims.get(i - 1).map_or(0.0, |n| *n as f64),
                };
                sizes.iter().enumerate().map(side).collect()
            }
            (false, None) => self.floats(node, 2)?.iter().map(|f| *f as f64).collect(),
        };
        let whole = |f: f64| (1.0..=4096.0).contains(&f) && f == (f as usize) as f64;
        let (factor, last) = match scales[..] {
            [1.0, 1.0, y, x] if y == x && whole(y) => (y as usize, false),
            [1.0, y, x, 1.0] if y == x && whole(y) => (y as usize, true),
            _ => {
                return Err(node.fail(format!(
                    "factors {scales:?} are not supported: only integers, equal in both directions"
                )));
            }
        };
        if self.view.dims.len() != 3 {
            return Err(node.fail("its data is not an image"));
        }
        if last {
            self.view = self.view.transposed(&[2, 0, 1]);
        }
        self.settle_image(node)?;
        self.push(node, Op::Resize { factor }, vec![], vec![])?;
        self.view = View::of(&[self.shape.c, self.shape.h, self.shape.w]);
        if last {
            self.view = self.view.transposed(&[1, 2, 0]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_make_padding_equal() {
        // PyTorch's kernel 3, stride 2, padding 1, output padding 1.
        assert_eq!(transposed([3, 3], [[1, 1]; 2], [1, 1]), Some((4, [0, 0], 1)));
        // Keras: kernel 4, stride 1, "same".
        assert_eq!(padded([4, 4], [[1, 2]; 2]), Some((5, [1, 1], 2)));
        assert_eq!(transposed([5, 5], [[1, 2]; 2], [0, 0]), Some((6, [1, 1], 2)));
        assert_eq!(padded([3, 1], [[1, 1], [0, 0]]), Some((3, [0, 1], 1)));
        assert_eq!(padded([3, 1], [[0, 0], [0, 0]]), None);
        let place = Place { side: 5, first: [1, 0], apart: [2, 3] };
        let large = place.enlarge(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
        let taps: Vec<usize> = (0..25).filter(|i| large[*i] != 0.0).collect();
        assert_eq!(taps, [5, 8, 15, 18]);
    }
}
