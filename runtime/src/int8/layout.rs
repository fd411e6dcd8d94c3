//! Where the weights and outputs of a layer lie that has them in blocks: in bytes, or packed floats.
//!
//! Every layer that multiplies is one form: *groups* of output positions that have their *taps* (shifts into the input) in
//! common, and at each position a row of *lanes* (outputs). A convolution is one group, a transposed convolution of
//! stride `s` is `s * s` groups, one an output phase. Two cases are worth another cut: a transposed convolution of one
//! pixel is a product with a matrix, and a doubling one of few channels computes its four phases as lanes side by side.
//!
//! Activations are channels last. Bytes of a pixel are padded to a multiple of 4, but not those of the image; floats are
//! not padded, and those of the image lie in planes.

use crate::op::{Op, Shape, Window};

/// Lanes of a block of weights.
pub const LANES: usize = 16;
/// Input channels that a lane has side by side.
pub const QUAD: usize = 4;

/// Largest kernel and stride; of one pixel and no padding any, which is a product with a matrix.
pub const WINDOW: usize = 16;

/// How a layer is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// One position, one tap.
    Matrix,
    /// One group.
    Conv(Window),
    /// A group a phase.
    Phases(Window),
    /// One group, the four phases of kernel 4, stride 2, padding 1 as lanes; 9 taps.
    Doubling,
}

/// The places of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    kind: Kind,
    input: Shape,
    output: Shape,
    /// Input channels that a lane has side by side: 4 of bytes, 1 of floats.
    quad: usize,
    /// Values of a pixel of the output.
    step: usize,
    /// Floats of an image: planes.
    planes: bool,
    /// A dense layer: its columns are the whole input.
    dense: bool,
}

/// Bytes of a pixel of `c` channels between layers.
pub const fn padded(c: usize) -> usize {
    c.next_multiple_of(QUAD)
}

/// Bytes of a tensor between layers, or of the image.
pub const fn stored(shape: Shape, image: bool) -> usize {
    shape.plane() * if image { shape.c } else { padded(shape.c) }
}

impl Layout {
    /// Of an operation; `image`: the last layer. `None` for operations that multiply nothing, and for windows beyond
    /// [`WINDOW`].
    pub fn bytes(op: &Op, input: Shape, output: Shape, image: bool) -> Option<Layout> {
        let step = if image { output.c } else { padded(output.c) };
        Layout::new(op, input, output, QUAD, step)
    }

    /// As [`Layout::bytes`], of floats.
    pub fn floats(op: &Op, input: Shape, output: Shape, image: bool) -> Option<Layout> {
        let layout = Layout::new(op, input, output, 1, output.c)?;
        Some(Layout { planes: image, ..layout })
    }

    /// Of floats in maps, for a processor of many threads: any window, phases never side by side. `None` for operations
    /// that multiply nothing.
    #[cfg(feature = "gpu")]
    pub fn threads(op: &Op, input: Shape, output: Shape) -> Option<Layout> {
        let one = input.plane() == 1;
        let kind = match *op {
            Op::Dense { .. } => Kind::Matrix,
            Op::Conv { window, .. } => Kind::Conv(window),
            Op::ConvTranspose { window, .. } if one && window.padding == 0 => Kind::Matrix,
            Op::ConvTranspose { window, .. } => Kind::Phases(window),
            Op::Affine | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => return None,
        };
        Some(Layout {
            kind,
            input,
            output,
            quad: 1,
            step: output.c,
            planes: false,
            dense: matches!(op, Op::Dense { .. }),
        })
    }

    fn new(op: &Op, input: Shape, output: Shape, quad: usize, step: usize) -> Option<Layout> {
        let one = input.plane() == 1;
        let kind = match *op {
            Op::Dense { .. } => Kind::Matrix,
            Op::Conv { window, .. } => Kind::Conv(window),
            Op::ConvTranspose { window, .. } if one && window.padding == 0 => Kind::Matrix,
            Op::ConvTranspose { out, window } => {
                match (window.kernel, window.stride, window.padding) {
                    (4, 2, 1) if out <= 4 => Kind::Doubling,
                    _ => Kind::Phases(window),
                }
            }
            Op::Affine | Op::Resize { .. } | Op::Reshape { .. } | Op::Activate => return None,
        };
        if let Kind::Conv(window) | Kind::Phases(window) = kind
            && (window.kernel > WINDOW || window.stride > WINDOW)
        {
            return None;
        }
        Some(Layout {
            kind,
            input,
            output,
            quad,
            step,
            planes: false,
            dense: matches!(op, Op::Dense { .. }),
        })
    }

    /// How many groups.
    pub fn groups(&self) -> usize {
        match self.kind {
            Kind::Phases(window) => window.stride * window.stride,
            Kind::Matrix | Kind::Conv(_) | Kind::Doubling => 1,
        }
    }

    /// Lanes at each position.
    pub fn lanes(&self) -> usize {
        match self.kind {
            Kind::Matrix => self.output.values(),
            Kind::Conv(_) | Kind::Phases(_) => self.output.c,
            Kind::Doubling => 4 * self.output.c,
        }
    }

    /// Blocks of [`LANES`] lanes, the last of them padded.
    pub fn blocks(&self) -> usize {
        self.lanes().div_ceil(LANES)
    }

    /// Values of input under a tap: a pixel with its padding, or all of it.
    pub fn depth(&self) -> usize {
        let pixel = self.input.c.next_multiple_of(self.quad);
        match self.dense {
            true => self.input.plane() * pixel,
            false => pixel,
        }
    }

    /// Rows and columns of positions of a group.
    pub fn grid(&self, group: usize) -> (usize, usize) {
        match self.kind {
            Kind::Matrix => (1, 1),
            Kind::Conv(_) => (self.output.h, self.output.w),
            Kind::Doubling => (self.input.h, self.input.w),
            Kind::Phases(Window { stride, .. }) => {
                let side = |n: usize, phase: usize| (n + stride - 1 - phase) / stride;
                (side(self.output.h, group / stride), side(self.output.w, group % stride))
            }
        }
    }

    /// Rows and columns of taps of a group.
    fn window(&self, group: usize) -> (usize, usize) {
        match self.kind {
            Kind::Matrix => (1, 1),
            Kind::Conv(window) => (window.kernel, window.kernel),
            Kind::Doubling => (3, 3),
            Kind::Phases(window) => {
                (axis(window, group / window.stride).1, axis(window, group % window.stride).1)
            }
        }
    }

    /// How many taps a group has.
    pub fn taps(&self, group: usize) -> usize {
        let (rows, columns) = self.window(group);
        rows * columns
    }

    /// How positions and taps of a group become rows and columns of the input.
    pub fn view(&self, group: usize) -> View {
        let (rows, columns) = self.window(group);
        let view = |step, y, x, back| View {
            rows,
            columns,
            step,
            from: (y, x),
            back,
            input: (self.input.h, self.input.w),
        };
        let outside = |n: usize| 0usize.wrapping_sub(n);
        match self.kind {
            Kind::Matrix => View { input: (1, 1), ..view(1, 0, 0, false) },
            Kind::Conv(w) => view(w.stride, outside(w.padding), outside(w.padding), false),
            Kind::Doubling => view(1, outside(1), outside(1), false),
            Kind::Phases(w) => {
                let ahead = |phase: usize| (phase + w.padding) / w.stride;
                view(1, ahead(group / w.stride), ahead(group % w.stride), true)
            }
        }
    }

    /// Pixel of the input under a tap at a position; `None` outside of it.
    pub fn under(&self, group: usize, tap: usize, position: (usize, usize)) -> Option<usize> {
        let view = self.view(group);
        view.under((tap / view.columns, tap % view.columns), position)
    }

    /// Pixels of the output from one position of a group to the next.
    pub fn by(&self) -> usize {
        match self.kind {
            Kind::Matrix | Kind::Conv(_) => 1,
            Kind::Doubling => 2,
            Kind::Phases(w) => w.stride,
        }
    }

    /// Values from the output of a position of a group to that in the next row and in the next column, and the first.
    pub fn stride(&self, group: usize) -> (usize, usize, usize) {
        let by = self.by();
        let step = if self.planes { by } else { by * self.step };
        (self.output.w * step, step, self.place(group, (0, 0), 0))
    }

    /// Output channel of a lane.
    pub fn channel(&self, lane: usize) -> usize {
        lane % self.output.c
    }

    /// Place in the output of a lane at a position.
    #[inline(always)]
    pub fn place(&self, group: usize, (r, c): (usize, usize), lane: usize) -> usize {
        let (pixel, channel) = match self.kind {
            Kind::Matrix => (lane / self.output.c, lane % self.output.c),
            Kind::Conv(_) => (r * self.output.w + c, lane),
            Kind::Phases(Window { stride, .. }) => {
                let (y, x) = (r * stride + group / stride, c * stride + group % stride);
                (y * self.output.w + x, lane)
            }
            Kind::Doubling => {
                let (phase, lane) = (lane / self.output.c, lane % self.output.c);
                let (y, x) = (2 * r + phase / 2, 2 * c + phase % 2);
                (y * self.output.w + x, lane)
            }
        };
        match self.planes {
            true => channel * self.output.plane() + pixel,
            false => pixel * self.step + channel,
        }
    }

    /// Whether the lanes of a position lie one after the other in the output.
    #[inline(always)]
    pub fn is_row(&self) -> bool {
        !self.planes && matches!(self.kind, Kind::Conv(_) | Kind::Phases(_))
    }

    /// From `lane` on, how many lanes lie byte after byte in the output.
    #[inline(always)]
    pub fn run(&self, lane: usize) -> usize {
        match self.planes {
            true => 1,
            false => self.output.c - lane % self.output.c,
        }
    }

    /// Where the weights of a group begin.
    pub fn weights(&self, group: usize) -> usize {
        (0..group).map(|g| self.group_len(g)).sum()
    }

    fn group_len(&self, group: usize) -> usize {
        self.blocks() * LANES * self.taps(group) * self.depth()
    }

    /// Weights of the layer; `None` where no tensor can be that large.
    pub fn weight_len(&self) -> Option<usize> {
        let mut sum = 0usize;
        for group in 0..self.groups() {
            let (rows, columns) = self.window(group);
            let taps = rows.checked_mul(columns)?;
            let lanes = self.blocks() * LANES;
            sum = sum.checked_add(lanes.checked_mul(taps)?.checked_mul(self.depth())?)?;
        }
        (sum <= crate::op::LARGEST).then_some(sum)
    }

    /// Values of the bias and of the scales: a lane of each block of each group.
    pub fn bias_len(&self) -> usize {
        self.groups() * self.blocks() * LANES
    }

    /// Place of a weight: value `at` of the input under a tap, to a lane.
    pub fn weight(&self, group: usize, lane: usize, tap: usize, at: usize) -> usize {
        self.weights(group) + self.within(group, lane, tap, at)
    }

    /// As [`Layout::weight`], from where the group's begin.
    pub fn within(&self, group: usize, lane: usize, tap: usize, at: usize) -> usize {
        let quad = self.quad;
        let row = (lane / LANES * self.taps(group) + tap) * self.depth() + at / quad * quad;
        row * LANES + lane % LANES * quad + at % quad
    }

    /// Which of the operation's own weights stands in a place (see [`Op::weight`]); `None` for padding.
    pub fn source(&self, group: usize, lane: usize, tap: usize, at: usize) -> Option<usize> {
        let pixel = self.input.c.next_multiple_of(self.quad);
        let (at, channel) = (at / pixel, at % pixel);
        if lane >= self.lanes() || channel >= self.input.c {
            return None;
        }
        if self.dense {
            let column = channel * self.input.plane() + at;
            return Some(lane * self.input.values() + column);
        }
        let out = self.output.c;
        let (_, columns) = self.window(group);
        let (ty, tx) = (tap / columns, tap % columns);
        match self.kind {
            // Rows of pixels in the output, planes in the weight.
            Kind::Matrix => Some((channel * out + lane % out) * self.output.plane() + lane / out),
            Kind::Conv(w) => Some((lane * self.input.c + channel) * w.kernel * w.kernel + tap),
            Kind::Phases(w) => {
                let ky = axis(w, group / w.stride).0 + ty * w.stride;
                let kx = axis(w, group % w.stride).0 + tx * w.stride;
                Some(((channel * out + lane) * w.kernel + ky) * w.kernel + kx)
            }
            Kind::Doubling => {
                let phase = lane / out;
                // Output row 2r + p takes input row r + t - 1 by kernel row p + 1 - 2 (t - 1).
                let side = |p: usize, t: usize| (p + 3).checked_sub(2 * t).filter(|k| *k < 4);
                let (ky, kx) = (side(phase / 2, ty)?, side(phase % 2, tx)?);
                Some(((channel * out + lane % out) * 4 + ky) * 4 + kx)
            }
        }
    }

    /// From one value under a tap to the next, how far apart the operation's own weights lie (see [`Layout::source`]);
    /// `None` where that differs.
    pub fn apart(&self) -> Option<usize> {
        let area = |w: Window| w.kernel * w.kernel;
        match self.kind {
            _ if self.quad > 1 => None,
            _ if self.dense => (self.input.plane() == 1).then_some(1),
            Kind::Matrix => Some(self.output.values()),
            Kind::Conv(w) => Some(area(w)),
            Kind::Phases(w) => Some(self.output.c * area(w)),
            Kind::Doubling => Some(self.output.c * 16),
        }
    }

    /// Products of a sum: what bounds the accumulator.
    pub fn terms(&self) -> usize {
        let taps = (0..self.groups()).map(|g| self.taps(g)).max();
        taps.unwrap_or(0).saturating_mul(self.depth())
    }

    /// Whether a tap can lie outside the input.
    pub fn has_border(&self) -> bool {
        self.kind != Kind::Matrix
    }
}

/// What a group sees of the input.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Rows of taps.
    pub rows: usize,
    /// Columns of taps.
    pub columns: usize,
    /// Rows of the input from one row of positions to the next.
    pub step: usize,
    /// Row and column under the first tap of the first position. Wrapping: what is above or left is beyond any.
    pub from: (usize, usize),
    /// Whether taps go up and left.
    pub back: bool,
    input: (usize, usize),
}

impl View {
    /// Pixel of the input under a tap at a position; `None` outside of it.
    #[inline(always)]
    pub fn under(&self, (ty, tx): (usize, usize), (r, c): (usize, usize)) -> Option<usize> {
        let at = |n: usize, from: usize, tap: usize| {
            let first = (n * self.step).wrapping_add(from);
            match self.back {
                true => first.wrapping_sub(tap),
                false => first.wrapping_add(tap),
            }
        };
        let (y, x) = (at(r, self.from.0, ty), at(c, self.from.1, tx));
        (y < self.input.0 && x < self.input.1).then(|| y * self.input.1 + x)
    }
}

/// A transposed convolution's taps along one axis of a phase: the first and how many; the others follow by strides.
#[inline(always)]
fn axis(window: Window, phase: usize) -> (usize, usize) {
    let first = (phase + window.padding) % window.stride;
    let count = (window.kernel + window.stride - 1).saturating_sub(first) / window.stride;
    (first, count)
}
