//! Pixels that are repeated or shuffled, by operations of their own or by reshapes and transposes.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::view::View;
use crate::graph::Layer;
use crate::op::{LARGEST, Op, Shape, Window};

impl Chain<'_> {
    /// Repeats pixels, if the tensor does.
    pub fn repeat(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let n = self.shape.values();
        if self.view.len() == n {
            return Ok(());
        }
        for last in [false, true] {
            let &[a, b, c] = &self.view.dims[..] else { break };
            let view = if last { self.view.transposed(&[2, 0, 1]) } else { self.view.clone() };
            let [c, h, w] = if last { [c, a, b] } else { [a, b, c] };
            let factor = (2..=4096).find(|f| c * h * w == f * f * n);
            let Some(factor) = factor.filter(|f| h % f == 0 && w % f == 0) else { break };
            self.budget.take(2 * view.len(), size_of::<usize>())?;
            let order = view.order();
            let at = |c: usize, y: usize, x: usize| order[(c * h + y) * w + x];
            let even = (0..order.len()).all(|i| {
                let (c, y, x) = (i / (h * w), i / w % h, i % w);
                order[i] == at(c, y / factor * factor, x / factor * factor)
            });
            if !even {
                continue;
            }
            let (rows, columns) = (h / factor, w / factor);
            let one = |i: usize| {
                let (c, y, x) = (i / (rows * columns), i / columns % rows, i % columns);
                at(c, y * factor, x * factor)
            };
            let base: Vec<usize> = (0..n).map(one).collect();
            self.view = match base.iter().copied().eq(0..n) {
                true => View::of(&[c, rows, columns]),
                false => View::listed(&[c, rows, columns], base),
            };
            self.settle_image(node)?;
            self.push(node, Op::Resize { factor }, vec![], vec![])?;
            self.view = View::of(&[c, h, w]);
            if last {
                self.view = self.view.transposed(&[1, 2, 0]);
            }
            return Ok(());
        }
        Err(node.fail("follows repeated values that are no upsampling by a whole number"))
    }

    /// `Tile` and `Expand` of axes of length 1, as Keras repeats pixels.
    pub fn tile(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let times = self.integers(node, 1)?.to_vec();
        let rank = self.view.dims.len() + 1;
        let fits = times.len() == rank && times[0].abs() == 1;
        if !fits || times.iter().skip(1).any(|t| !(1..=4096).contains(t)) {
            return Err(node.fail(format!("repeats {times:?} are not supported")));
        }
        let expands = node.0.op_type == "Expand";
        for (i, times) in times[1..].iter().enumerate() {
            match (self.view.dims[i], *times as usize) {
                (_, 1) => {}
                (1, times) => {
                    self.view.dims[i] = times;
                    self.view.steps[i] = 0;
                }
                (dim, times) if expands && dim == times => {}
                (dim, times) => {
                    return Err(node.fail(format!(
                        "repeats an axis of length {dim} {times} times, which is only supported \
                         for one of length 1"
                    )));
                }
            }
        }
        match self.view.dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) {
            Some(n) if n <= LARGEST => Ok(()),
            _ => Err(node.fail("repeats too many values")),
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

    /// `DepthToSpace`, the operation behind PyTorch's `PixelShuffle`.
    pub fn depth_to_space(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        self.settle_image(node)?;
        let r = usize::try_from(node.int("blocksize", 0)).unwrap_or(0);
        let s = self.shape;
        if r == 0 || r > 64 || !s.c.is_multiple_of(r * r) {
            return Err(node.fail(format!("blocksize {r} does not fit {s} values")));
        }
        let c = s.c / (r * r);
        let first = node.string("mode", "DCR") == "DCR";
        let channel = |o: usize, y: usize, x: usize| match first {
            true => (y * r + x) * c + o,
            false => (o * r + y) * r + x,
        };
        self.shuffle(node, r, &channel)
    }

    /// Adds a pixel shuffle if a reshape of transposed data to `dims` is one.
    pub fn pixel_shuffle(&mut self, node: &Node<'_>, dims: &[usize]) -> Result<bool, OnnxError> {
        let s = self.shape;
        let &[c, h, w] = dims else { return Ok(false) };
        if self.view.len() != s.values() {
            return Ok(false);
        }
        let r = h / s.h.max(1);
        if !(2..=64).contains(&r) || [s.h * r, s.w * r] != [h, w] || c * r * r != s.c {
            return Ok(false);
        }
        let order = self.order()?;
        let channel = |o: usize, y: usize, x: usize| order[(o * h + y) * w + x] / s.plane();
        for (at, from) in order.iter().enumerate() {
            let (o, y, x) = (at / (h * w), at / w % h, at % w);
            let want = channel(o, y % r, x % r) * s.plane() + y / r * s.w + x / r;
            if *from != want {
                return Ok(false);
            }
        }
        self.shuffle(node, r, &channel)?;
        Ok(true)
    }

    /// Adds a pixel shuffle by `r`: a transposed convolution of kernel and stride `r` whose weights
    /// are 0 and 1, or, after a convolution of stride 1, that convolution as a transposed one.
    fn shuffle(
        &mut self,
        node: &Node<'_>,
        r: usize,
        channel: &dyn Fn(usize, usize, usize) -> usize,
    ) -> Result<(), OnnxError> {
        let s = self.shape;
        let out = s.c / (r * r);
        let dims = [out, s.h * r, s.w * r];
        if let Some(last) = self.graph.layers.len().checked_sub(1)
            && self.owns(last)
            && let Layer { op: Op::Conv { window, .. }, .. } = self.graph.layers[last]
            && window.stride == 1
            && window.padding < window.kernel
        {
            let (k, p) = (window.kernel, window.padding);
            let wide = k * r;
            let Some(conv) = self.graph.layers.pop() else { return Ok(()) };
            let inputs = conv.weight.len() / (s.c * k * k);
            self.budget.floats(conv.weight.len() + out)?;
            let mut weight = vec![0.0; conv.weight.len()];
            // Each output pixel of a channel needs a bias of its own, unless they are equal.
            let bias = |o: usize, i: usize| conv.bias.get(channel(o, i / r, i % r)).copied();
            let even = (0..out).all(|o| (0..r * r).all(|i| bias(o, i) == bias(o, 0)));
            if even {
                for o in 0..out {
                    for i in 0..inputs {
                        for at in 0..wide * wide {
                            let (y, x) = (at / wide, at % wide);
                            let (ky, kx) = (k - 1 - y / r, k - 1 - x / r);
                            let from = (channel(o, y % r, x % r) * inputs + i) * k * k;
                            weight[(i * out + o) * wide * wide + at] =
                                conv.weight[from + ky * k + kx];
                        }
                    }
                }
                self.shape = Shape::new(inputs, s.h + k - 1 - 2 * p, s.w + k - 1 - 2 * p);
                let bias = (0..out).filter_map(|o| bias(o, 0)).collect();
                let window = Window { kernel: wide, stride: r, padding: (k - 1 - p) * r };
                self.layer = last.checked_sub(1);
                self.push(node, Op::ConvTranspose { out, window }, weight, bias)?;
                self.graph.layers[last].from = conv.from;
                self.view = View::of(&dims);
                return Ok(());
            }
            self.graph.layers.push(conv);
        }
        self.budget.floats(s.c * out * r * r)?;
        let mut weight = vec![0.0; s.c * out * r * r];
        for o in 0..out {
            for at in 0..r * r {
                weight[(channel(o, at / r, at % r) * out + o) * r * r + at] = 1.0;
            }
        }
        let window = Window { kernel: r, stride: r, padding: 0 };
        self.push(node, Op::ConvTranspose { out, window }, weight, vec![])?;
        self.view = View::of(&dims);
        Ok(())
    }
}
