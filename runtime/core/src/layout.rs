//! Where the weights and outputs of a layer in blocks lie, of bytes or of packed floats.
//!
//! Every layer that multiplies has one form: *groups* of output positions that share their *taps*
//! (shifts into the input), and at each position a row of *lanes* (outputs). A convolution is one
//! group; a transposed convolution of stride `s` is `s * s` groups, one per output phase. Two cases
//! are laid out differently: a transposed convolution of one pixel is a matrix product, and an
//! upsampling one with few channels computes its four phases as lanes side by side.
//!
//! Activations have their channels last. In bytes, pixels are padded to a multiple of 4, except
//! those of the image; floats are not padded, and those of the image are planar.

use core::ops::Range;

use crate::op::{Edge, Op, Shape, Window};

/// Lanes of a block of weights.
pub const LANES: usize = 16;
/// Input channels of bytes that a lane stores side by side.
pub const QUAD: usize = 4;

/// Largest kernel and stride. A transposed convolution of one pixel without padding is a matrix
/// product and may have any.
pub const LARGEST_WINDOW: usize = 16;

/// The window that doubles height and width.
pub(crate) const UPSAMPLING: Window = Window { kernel: 4, stride: 2, padding: 1 };

/// How a layer is laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// One position, one tap.
    Matrix,
    /// One group.
    Conv(Window),
    /// One group per phase.
    Phases(Window),
    /// One group of 9 taps with the four phases of [`UPSAMPLING`] as lanes.
    Upsampling,
}

/// The layout of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    kind: Kind,
    /// What a convolution reads beyond its input.
    edge: Edge,
    input: Shape,
    output: Shape,
    /// Input channels that a lane stores side by side: 4 for bytes, 1 for floats.
    quad: usize,
    /// Values of a pixel of the output.
    step: usize,
    /// Whether the output is planar: a float image.
    planes: bool,
    /// Whether it is a dense layer, whose depth is the whole input.
    dense: bool,
    /// Images that are computed together.
    images: usize,
}

/// Bytes of a pixel of `c` channels between int8 layers.
pub const fn padded(c: usize) -> usize {
    c.next_multiple_of(QUAD)
}

/// Bytes of a tensor between int8 layers, or of the image.
pub const fn stored(shape: Shape, image: bool) -> usize {
    shape.plane() * if image { shape.c } else { padded(shape.c) }
}

impl Layout {
    /// The layout of bytes; `image` marks the last layer. `None` for operations that do not
    /// multiply, and for windows beyond [`LARGEST_WINDOW`].
    pub fn bytes(op: &Op, input: Shape, output: Shape, image: bool) -> Option<Layout> {
        let step = if image { output.c } else { padded(output.c) };
        Layout::new(op, input, output, QUAD, step)
    }

    /// The layout of packed floats; otherwise as [`Layout::bytes`].
    pub fn floats(op: &Op, input: Shape, output: Shape, image: bool) -> Option<Layout> {
        let layout = Layout::new(op, input, output, 1, output.c)?;
        Some(Layout { planes: image, ..layout })
    }

    /// The layout for a GPU: any window, and phases never side by side. `None` for operations that
    /// do not multiply.
    #[cfg(feature = "gpu")]
    pub fn gpu(op: &Op, input: Shape, output: Shape) -> Option<Layout> {
        let one = input.plane() == 1;
        let kind = match *op {
            Op::Dense { .. } => Kind::Matrix,
            Op::Conv { window, .. } | Op::ReflectConv { window, .. } => Kind::Conv(window),
            Op::ConvTranspose { window, .. } if one && window.padding == 0 => Kind::Matrix,
            Op::ConvTranspose { window, .. } => Kind::Phases(window),
            Op::Affine
            | Op::InstanceNorm { .. }
            | Op::Add
            | Op::Concat { .. }
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => return None,
        };
        Some(Layout {
            kind,
            edge: edge(op),
            input,
            output,
            quad: 1,
            step: output.c,
            planes: false,
            dense: matches!(op, Op::Dense { .. }),
            images: 1,
        })
    }

    fn new(op: &Op, input: Shape, output: Shape, quad: usize, step: usize) -> Option<Layout> {
        let one = input.plane() == 1;
        let kind = match *op {
            Op::Dense { .. } => Kind::Matrix,
            Op::Conv { window, .. } | Op::ReflectConv { window, .. } => Kind::Conv(window),
            Op::ConvTranspose { window, .. } if one && window.padding == 0 => Kind::Matrix,
            Op::ConvTranspose { out, window } if window == UPSAMPLING && out <= 4 => {
                Kind::Upsampling
            }
            Op::ConvTranspose { window, .. } => Kind::Phases(window),
            Op::Affine
            | Op::InstanceNorm { .. }
            | Op::Add
            | Op::Concat { .. }
            | Op::Resize { .. }
            | Op::Reshape { .. }
            | Op::Activate => return None,
        };
        if let Kind::Conv(window) | Kind::Phases(window) = kind
            && (window.kernel > LARGEST_WINDOW || window.stride > LARGEST_WINDOW)
        {
            return None;
        }
        Some(Layout {
            kind,
            edge: edge(op),
            input,
            output,
            quad,
            step,
            planes: false,
            dense: matches!(op, Op::Dense { .. }),
            images: 1,
        })
    }

    /// The layout for some images, whose inputs lie one after another, as do their outputs. Rows of
    /// positions go on from one image to the next. `None` if it is the layout of planes, or if the
    /// rows of a group's outputs are not as far apart from one image to the next as within one.
    pub(crate) fn of_images(self, images: usize) -> Option<Layout> {
        let even = self.output.h.is_multiple_of(self.by());
        (images == 1 || even && !self.planes).then_some(Layout { images, ..self })
    }

    /// Images that are computed together.
    pub(crate) fn images(&self) -> usize {
        self.images
    }

    /// Positions of the input of an image: pixels, or one for the whole input of a matrix product.
    pub fn pixels(&self) -> usize {
        match self.kind {
            Kind::Matrix => 1,
            Kind::Conv(_) | Kind::Phases(_) | Kind::Upsampling => self.input.plane(),
        }
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        match self.kind {
            Kind::Phases(window) => window.stride * window.stride,
            Kind::Matrix | Kind::Conv(_) | Kind::Upsampling => 1,
        }
    }

    /// Lanes at each position.
    pub fn lanes(&self) -> usize {
        match self.kind {
            Kind::Matrix => self.output.values(),
            Kind::Conv(_) | Kind::Phases(_) => self.output.c,
            Kind::Upsampling => 4 * self.output.c,
        }
    }

    /// Number of blocks of [`LANES`] lanes, the last one padded.
    pub fn blocks(&self) -> usize {
        self.lanes().div_ceil(LANES)
    }

    /// Input values under a tap: a padded pixel, or the whole input of a dense layer.
    pub fn depth(&self) -> usize {
        let pixel = self.input.c.next_multiple_of(self.quad);
        match self.dense {
            true => self.input.plane() * pixel,
            false => pixel,
        }
    }

    /// Rows and columns of positions of a group in an image.
    pub fn grid(&self, group: usize) -> (usize, usize) {
        match self.kind {
            Kind::Matrix => (1, 1),
            Kind::Conv(_) => (self.output.h, self.output.w),
            Kind::Upsampling => (self.input.h, self.input.w),
            Kind::Phases(Window { stride, .. }) => {
                let side = |n: usize, phase: usize| (n + stride - 1 - phase) / stride;
                (side(self.output.h, group / stride), side(self.output.w, group % stride))
            }
        }
    }

    /// Rows and columns of taps of a group.
    fn tap_grid(&self, group: usize) -> (usize, usize) {
        match self.kind {
            Kind::Matrix => (1, 1),
            Kind::Conv(window) => (window.kernel, window.kernel),
            Kind::Upsampling => (3, 3),
            Kind::Phases(window) => {
                (axis(window, group / window.stride).1, axis(window, group % window.stride).1)
            }
        }
    }

    /// Number of taps of a group.
    pub fn taps(&self, group: usize) -> usize {
        let (rows, columns) = self.tap_grid(group);
        rows * columns
    }

    /// Maps positions and taps of a group to pixels of the input.
    pub fn view(&self, group: usize) -> View {
        let (rows, columns) = self.tap_grid(group);
        let view = |step, y, x, back| View {
            rows,
            columns,
            step,
            from: (y, x),
            back,
            edge: self.edge,
            input: (self.input.h, self.input.w),
        };
        let outside = |n: usize| 0usize.wrapping_sub(n);
        match self.kind {
            Kind::Matrix => View { input: (1, 1), ..view(1, 0, 0, false) },
            Kind::Conv(w) => view(w.stride, outside(w.padding), outside(w.padding), false),
            Kind::Upsampling => view(1, outside(1), outside(1), false),
            Kind::Phases(w) => {
                let ahead = |phase: usize| (phase + w.padding) / w.stride;
                view(1, ahead(group / w.stride), ahead(group % w.stride), true)
            }
        }
    }

    /// Input pixel under a tap at a position; `None` outside the input.
    pub fn under(&self, group: usize, tap: usize, position: (usize, usize)) -> Option<usize> {
        let view = self.view(group);
        view.under((tap / view.columns, tap % view.columns), position)
    }

    /// Output pixels from one position of a group to the next.
    pub fn by(&self) -> usize {
        match self.kind {
            Kind::Matrix | Kind::Conv(_) => 1,
            Kind::Upsampling => 2,
            Kind::Phases(w) => w.stride,
        }
    }

    /// Output values from one position of a group to the next row and to the next column, and the
    /// offset of the first.
    pub fn stride(&self, group: usize) -> (usize, usize, usize) {
        let by = self.by();
        let step = if self.planes { by } else { by * self.step };
        let row = match self.kind {
            Kind::Matrix => self.output.plane(),
            Kind::Conv(_) | Kind::Phases(_) | Kind::Upsampling => self.output.w,
        };
        (row * step, step, self.place(group, (0, 0), 0))
    }

    /// Output channel of a lane.
    pub fn channel(&self, lane: usize) -> usize {
        lane % self.output.c
    }

    /// Offset in the output of a lane at a position.
    #[inline(always)]
    pub fn place(&self, group: usize, (r, c): (usize, usize), lane: usize) -> usize {
        let (pixel, channel) = match self.kind {
            Kind::Matrix => (r * self.output.plane() + lane / self.output.c, lane % self.output.c),
            Kind::Conv(_) => (r * self.output.w + c, lane),
            Kind::Phases(Window { stride, .. }) => {
                let (y, x) = (r * stride + group / stride, c * stride + group % stride);
                (y * self.output.w + x, lane)
            }
            Kind::Upsampling => {
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

    /// Whether the lanes of a position are contiguous in the output.
    #[inline(always)]
    pub fn is_row(&self) -> bool {
        !self.planes && matches!(self.kind, Kind::Conv(_) | Kind::Phases(_))
    }

    /// Number of lanes, from `lane` on, that are contiguous in the output.
    #[inline(always)]
    pub fn run(&self, lane: usize) -> usize {
        match self.planes {
            true => 1,
            false => self.output.c - lane % self.output.c,
        }
    }

    /// Offset of the weights of a group.
    pub fn weights(&self, group: usize) -> usize {
        (0..group).map(|g| self.group_len(g)).sum()
    }

    fn group_len(&self, group: usize) -> usize {
        self.blocks() * LANES * self.taps(group) * self.depth()
    }

    /// Length of the weights; `None` above [`crate::op::LARGEST`].
    pub fn weight_len(&self) -> Option<usize> {
        let mut sum = 0usize;
        for group in 0..self.groups() {
            let (rows, columns) = self.tap_grid(group);
            let taps = rows.checked_mul(columns)?;
            let lanes = self.blocks() * LANES;
            sum = sum.checked_add(lanes.checked_mul(taps)?.checked_mul(self.depth())?)?;
        }
        (sum <= crate::op::LARGEST).then_some(sum)
    }

    /// Length of the bias and of the scales: one value per lane of each block of each group.
    pub fn bias_len(&self) -> usize {
        self.groups() * self.blocks() * LANES
    }

    /// Offset of the weight from input value `at` under a tap to a lane.
    pub fn weight(&self, group: usize, lane: usize, tap: usize, at: usize) -> usize {
        self.weights(group) + self.within(group, lane, tap, at)
    }

    /// [`Layout::weight`] relative to the weights of its group.
    pub fn within(&self, group: usize, lane: usize, tap: usize, at: usize) -> usize {
        let quad = self.quad;
        let row = (lane / LANES * self.taps(group) + tap) * self.depth() + at / quad * quad;
        row * LANES + lane % LANES * quad + at % quad
    }

    /// Index of the same weight in the operation's own order (see [`Op::weight`]); `None` for
    /// padding.
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
        let (_, columns) = self.tap_grid(group);
        let (ty, tx) = (tap / columns, tap % columns);
        match self.kind {
            // The output is in pixels, the weight in planes.
            Kind::Matrix => Some((channel * out + lane % out) * self.output.plane() + lane / out),
            Kind::Conv(w) => Some((lane * self.input.c + channel) * w.kernel * w.kernel + tap),
            Kind::Phases(w) => {
                let ky = axis(w, group / w.stride).0 + ty * w.stride;
                let kx = axis(w, group % w.stride).0 + tx * w.stride;
                Some(((channel * out + lane) * w.kernel + ky) * w.kernel + kx)
            }
            Kind::Upsampling => {
                let phase = lane / out;
                // Output row 2r + p takes input row r + t - 1 by kernel row p + 1 - 2 (t - 1).
                let side = |p: usize, t: usize| (p + 3).checked_sub(2 * t).filter(|k| *k < 4);
                let (ky, kx) = (side(phase / 2, ty)?, side(phase % 2, tx)?);
                Some(((channel * out + lane % out) * 4 + ky) * 4 + kx)
            }
        }
    }

    /// Distance in the operation's own order of the weights of two neighboring values under a tap
    /// (see [`Layout::source`]); `None` if it varies.
    pub fn apart(&self) -> Option<usize> {
        let area = |w: Window| w.kernel * w.kernel;
        match self.kind {
            _ if self.quad > 1 => None,
            _ if self.dense => (self.input.plane() == 1).then_some(1),
            Kind::Matrix => Some(self.output.values()),
            Kind::Conv(w) => Some(area(w)),
            Kind::Phases(w) => Some(self.output.c * area(w)),
            Kind::Upsampling => Some(self.output.c * 16),
        }
    }

    /// Most products in a sum, which bounds the accumulator.
    pub fn terms(&self) -> usize {
        let taps = (0..self.groups()).map(|g| self.taps(g)).max();
        taps.unwrap_or(0).saturating_mul(self.depth())
    }

    /// Whether a tap can lie outside the input.
    pub fn has_border(&self) -> bool {
        self.kind != Kind::Matrix
    }
}

/// Whether the kernel of a packed layer keeps pixels rather than channels in its registers. Such a
/// layer makes the image, and its weights, which are read one by one, stay 32-bit floats in f16
/// records.
pub(crate) fn is_pixelwise(op: &Op, input: Shape, image: bool) -> bool {
    match *op {
        Op::ConvTranspose { out, window } => {
            image && window == UPSAMPLING && out <= 4 && input.plane() > 1
        }
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ReflectConv { .. }
        | Op::Affine
        | Op::InstanceNorm { .. }
        | Op::Add
        | Op::Concat { .. }
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => false,
    }
}

/// What an operation reads beyond its input.
fn edge(op: &Op) -> Edge {
    match op {
        Op::ReflectConv { .. } => Edge::Reflect,
        Op::Dense { .. }
        | Op::Conv { .. }
        | Op::ConvTranspose { .. }
        | Op::Affine
        | Op::InstanceNorm { .. }
        | Op::Add
        | Op::Concat { .. }
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => Edge::Zero,
    }
}

/// How a group reads the input.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Rows of taps.
    pub rows: usize,
    /// Columns of taps.
    pub columns: usize,
    /// Input rows from one row of positions to the next.
    pub step: usize,
    /// Row and column under the first tap of the first position. Wrapping: what lies above or left
    /// of the input is beyond its end.
    pub from: (usize, usize),
    /// Whether taps go up and left.
    pub back: bool,
    /// What lies beyond the input.
    pub edge: Edge,
    input: (usize, usize),
}

impl View {
    /// The result of [`View::row`] and [`View::column`] outside the input.
    pub const OUTSIDE: usize = usize::MAX;

    /// Row and column under the first tap at a position. Wrapping.
    #[inline(always)]
    pub fn first(&self, (r, c): (usize, usize)) -> (usize, usize) {
        let at = |n: usize, from: usize| (n * self.step).wrapping_add(from);
        (at(r, self.from.0), at(c, self.from.1))
    }

    /// The coordinate of a tap, or [`View::OUTSIDE`].
    #[inline(always)]
    fn along(&self, first: usize, tap: usize, n: usize) -> usize {
        let at = match self.back {
            true => first.wrapping_sub(tap),
            false => first.wrapping_add(tap),
        };
        self.edge.pixel(at, n).unwrap_or(View::OUTSIDE)
    }

    /// The first input pixel of the row under a row of taps, for the [`View::first`] of a position.
    #[inline(always)]
    pub fn row(&self, first: (usize, usize), row: usize) -> usize {
        match self.along(first.0, row, self.input.0) {
            View::OUTSIDE => View::OUTSIDE,
            y => y * self.input.1,
        }
    }

    /// The input column under a column of taps, for the [`View::first`] of a position.
    #[inline(always)]
    pub fn column(&self, first: (usize, usize), column: usize) -> usize {
        self.along(first.1, column, self.input.1)
    }

    /// Those of `n` columns of taps, for the [`View::first`] of a position, under which input columns
    /// lie side by side. Taps go down and right.
    pub fn inside(&self, first: (usize, usize), n: usize) -> Range<usize> {
        let left = if first.1 < self.input.1 { 0 } else { first.1.wrapping_neg() };
        let left = left.min(n);
        left..n.min(self.input.1.saturating_sub(first.1.wrapping_add(left)) + left)
    }

    /// Input pixel under a tap at a position; `None` outside the input.
    #[inline(always)]
    pub fn under(&self, (ty, tx): (usize, usize), position: (usize, usize)) -> Option<usize> {
        let first = self.first(position);
        match (self.row(first, ty), self.column(first, tx)) {
            (View::OUTSIDE, _) | (_, View::OUTSIDE) => None,
            (row, column) => Some(row + column),
        }
    }
}

/// Taps of a transposed convolution along one axis of a phase: the first one and their number; the
/// others follow in steps of the stride.
#[inline(always)]
fn axis(window: Window, phase: usize) -> (usize, usize) {
    let first = (phase + window.padding) % window.stride;
    let count = (window.kernel + window.stride - 1).saturating_sub(first) / window.stride;
    (first, count)
}
