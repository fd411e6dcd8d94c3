//! Convolutions as exporters write them: unequal padding, output padding, dilation and groups
//! become zeros in the kernel.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::op::{Edge, Op, Window};

/// Rows and columns: begin and end of both.
pub(super) type Pads = [[usize; 2]; 2];

/// The taps of a kernel in a larger one.
pub(super) struct Place {
    /// Side of the larger one.
    pub side: usize,
    /// Where the first tap lies, and how far the taps are apart, in rows and columns.
    pub first: [usize; 2],
    pub apart: [usize; 2],
}

impl Place {
    /// `count` kernels, enlarged.
    pub fn enlarge(&self, weight: &[f32], [high, wide]: [usize; 2]) -> Vec<f32> {
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
pub(super) fn transposed(
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
pub(super) fn padded(kernel: [usize; 2], pads: Pads) -> Option<(usize, [usize; 2], usize)> {
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

    /// What a node says of its window, as an equal padding of a square kernel. `pad` is the padding of
    /// a node before it.
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
        let (mut pads, more) = self.padding(node, dilated, stride, back)?;
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

    /// `pads` and `output_padding` of a node, or those that follow from `auto_pad` and
    /// `output_shape`.
    fn padding(
        &self,
        node: &Node<'_>,
        dilated: [usize; 2],
        stride: usize,
        back: bool,
    ) -> Result<(Pads, [usize; 2]), OnnxError> {
        let mut more = self.two(node, "output_padding", 0)?;
        let mut pads: Pads = match node.ints("pads") {
            None => [[0; 2]; 2],
            Some(p @ &[t, l, b, r]) if p.iter().all(|p| (0..=4096).contains(p)) => {
                [[t as usize, b as usize], [l as usize, r as usize]]
            }
            Some(other) => return Err(node.fail(format!("pads {other:?} are not supported"))),
        };
        let target = match node.ints("output_shape") {
            None => None,
            Some(&[.., h, w]) if h > 0 && w > 0 => Some([h as usize, w as usize]),
            Some(other) => {
                return Err(node.fail(format!("output_shape {other:?} is not supported")));
            }
        };
        let auto = node.string("auto_pad", "NOTSET");
        match auto.as_str() {
            "NOTSET" if target.is_none() => return Ok((pads, more)),
            "VALID" if target.is_none() => return Ok(([[0; 2]; 2], more)),
            "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER" => {}
            _ => return Err(node.fail(format!("auto_pad {auto:?} is not supported"))),
        }
        let input = [self.shape.h, self.shape.w];
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
        Ok((pads, more))
    }

    /// The kernel of a convolution that copies `c` channels.
    pub(super) fn identity(&self, c: usize, place: Place) -> Result<Vec<f32>, OnnxError> {
        let count = c.saturating_mul(c).saturating_mul(place.side * place.side);
        self.budget.floats(count.saturating_add(c.saturating_mul(c)))?;
        let mut one = vec![0.0; c * c];
        one.iter_mut().step_by(c + 1).for_each(|w| *w = 1.0);
        Ok(place.enlarge(&one, [1, 1]))
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
