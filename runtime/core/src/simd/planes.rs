//! Convolutions as taps of a padded plane.
//!
//! With rows of `w + 2p` values (the padding of one row serves as that of the next), the input
//! under a tap is the padded plane shifted by a constant: output position `j = row * stride +
//! column` needs `plane[j + shift]`. So outputs are computed in long runs of whole registers; the
//! few columns between rows are computed with them and thrown away. For a stride `s` above 1, a plane
//! is split into `s * s` smaller ones, of the rows and columns with the same remainder: outputs that
//! follow each other then need values that do.

use core::ops::Range;

use super::activate::Activate;
use super::isa::Isa;
use super::lanes::Lanes;
use super::part::{Places, Work};
use super::set::{Job, Set};
use crate::layer::Layer;
use crate::op::conv::SPLIT;
use crate::op::{Edge, Op, Shape, Window, bias_of};

/// The largest kernel of a convolution that is computed like this.
const KERNEL: usize = 8;
/// Floats that a register may read beyond the last plane: one less than the longest holds.
const SLACK: usize = 15;
/// Output channels computed at a time.
const DEEP: usize = 6;
/// Most sets of outputs that share their taps.
const PHASES: usize = 4;
/// The longest run of outputs computed at a time, in floats.
const RUN: usize = 64;
/// Input channels at a time, so that their weights stay in the L1 cache for all phases: they lie a
/// power of two apart, or a small multiple of one, so a few of them fill their cache sets. (8 were
/// as fast, 4 were slower.)
const CHANNELS: usize = 16;

/// Whether a convolution with this window is computed like this.
pub(super) fn suits(window: Window) -> bool {
    window.kernel <= KERNEL && window.stride <= SPLIT
}

/// How planes are padded and split.
#[derive(Clone, Copy)]
pub(super) struct Padding {
    by: usize,
    stride: usize,
    edge: Edge,
}

impl Padding {
    /// That of a transposed convolution of kernel 4, stride 2 and padding 1.
    pub const UPSAMPLING: Padding = Padding { by: 1, stride: 1, edge: Edge::Zero };

    /// That of a convolution.
    pub fn of(window: Window, edge: Edge) -> Padding {
        Padding { by: window.padding, stride: window.stride, edge }
    }

    /// Length of a row, of a plane of one remainder, and of all planes of a channel.
    fn lengths(self, input: Shape) -> (usize, usize, usize) {
        let side = |n: usize| (n + 2 * self.by).div_ceil(self.stride);
        let (row, rows) = (side(input.w), side(input.h));
        (row, rows * row, self.stride * self.stride * rows * row)
    }
}

/// Length of the scratch: the padded planes.
pub(super) fn scratch_len(input: Shape, padding: Padding) -> usize {
    let (_, _, plane) = padding.lengths(input);
    input.c * plane + SLACK
}

/// One tap: its shift into the padded plane, its offset in the kernel.
#[derive(Clone, Copy)]
struct Tap {
    shift: usize,
    place: usize,
}

/// One set of outputs that share their taps.
#[derive(Clone, Copy)]
struct Phase {
    taps: [Tap; KERNEL * KERNEL],
    len: usize,
    /// Offset of the first output in the output plane.
    first: usize,
}

/// What all phases of a layer share.
struct Planes<'a> {
    layer: &'a Layer<'a>,
    bias: &'a [f32],
    /// Padded planes.
    planes: &'a [f32],
    /// Length of a padded plane, and of its rows.
    plane: usize,
    row: usize,
    /// Input channels.
    depth: usize,
    weight: &'a [f32],
    /// Distance of the weights of neighboring input channels, and of output channels.
    weight_in: usize,
    weight_out: usize,
    /// The rows of a phase to compute, and all its columns.
    rows: Range<usize>,
    columns: usize,
    /// The output channels to compute.
    channels: Range<usize>,
    /// Distance of neighboring outputs of a phase in a row, and in a column.
    step: usize,
    step_row: usize,
}

/// Computes an upsampling layer, or a convolution with a window that [`suits`].
pub(super) fn run(isa: Isa, work: Work<'_, f32>, padding: Padding) {
    let Work { layer, weight, bias, part, x, scratch, y } = work;
    let (input, output) = (layer.input, layer.output);
    let (row, part_plane, plane) = padding.lengths(input);
    let planes = &mut scratch[..scratch_len(input, padding)];
    let (transposed, kernel) = match layer.op {
        Op::ConvTranspose { window, .. } => (true, window.kernel),
        Op::Conv { window, .. } | Op::ReflectConv { window, .. } => (false, window.kernel),
        Op::Dense { .. }
        | Op::Affine
        | Op::InstanceNorm { .. }
        | Op::Add
        | Op::Concat { .. }
        | Op::Resize { .. }
        | Op::Reshape { .. }
        | Op::Activate => unreachable!("not a convolution"),
    };
    let area = kernel * kernel;
    let all = if transposed { input.h } else { output.h };
    // Each part pads its own planes. Splitting by channels repeats that; splitting by rows does
    // not, but every part then reads all weights.
    let (channels, rows) = match output.c >= DEEP * part.of() {
        true => (part.share(output.c), 0..all),
        false => (0..output.c, part.share(all)),
    };
    // There are more parts than rows.
    if rows.is_empty() {
        return;
    }
    let padded = match transposed {
        true => rows.start..rows.end + 2,
        false => rows.start * padding.stride..(rows.end - 1) * padding.stride + kernel,
    };
    pad(input, padding, padded, x, planes);
    let job = Planes {
        layer,
        bias,
        planes,
        plane,
        row,
        depth: input.c,
        weight,
        weight_in: if transposed { output.c * area } else { area },
        weight_out: if transposed { area } else { input.c * area },
        rows,
        channels,
        columns: if transposed { input.w } else { output.w },
        step: if transposed { 2 } else { 1 },
        step_row: if transposed { 2 * output.w } else { output.w },
    };
    match transposed {
        true => {
            let phase = |index: usize| upsampling(index / 2, index % 2, row, output.w);
            isa.floats(Phases { job, phases: &[0, 1, 2, 3].map(phase), y });
        }
        false => {
            let phases = &[whole(kernel, padding.stride, (row, part_plane))];
            isa.floats(Phases { job, phases, y });
        }
    }
}

/// The outputs of some phases.
struct Phases<'a> {
    job: Planes<'a>,
    phases: &'a [Phase],
    y: Places<'a, f32>,
}

impl Job for Phases<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        // SAFETY: nothing else writes the places of the part.
        unsafe { self.job.run(set, self.phases, self.y) };
    }
}

impl Planes<'_> {
    /// Computes the output channels, a few at a time, so that their weights stay cached for all
    /// phases.
    ///
    /// # Safety
    /// No other thread computes the same rows and channels of `y`.
    #[inline(always)]
    unsafe fn run<S: Set>(&self, set: S, phases: &[Phase], y: Places<'_, f32>) {
        // There are more parts than rows.
        if self.rows.is_empty() {
            return;
        }
        let mut o = self.channels.start;
        while o < self.channels.end {
            let deep = match self.channels.end - o {
                DEEP.. => DEEP,
                4 | 5 => 4,
                n => n,
            };
            let block = Block { o, y };
            // SAFETY: as promised by the caller.
            unsafe {
                match deep {
                    DEEP => block.run::<S, DEEP>(set, self, phases),
                    4 => block.run::<S, 4>(set, self, phases),
                    3 => block.run::<S, 3>(set, self, phases),
                    2 => block.run::<S, 2>(set, self, phases),
                    _ => block.run::<S, 1>(set, self, phases),
                }
            }
            o += deep;
        }
    }
}

/// Copies the input into the given rows of padded planes.
fn pad(input: Shape, padding: Padding, rows: Range<usize>, x: &[f32], planes: &mut [f32]) {
    let Padding { by, stride, edge } = padding;
    let (row, part, plane) = padding.lengths(input);
    let own = rows.start / stride * row..rows.end.div_ceil(stride) * row;
    clear(input.c * stride * stride, part, own, planes);
    for (x, planes) in x.chunks_exact(input.plane()).zip(planes.chunks_exact_mut(plane)) {
        for r in rows.clone() {
            let Some(from) = edge.pixel(r.wrapping_sub(by), input.h) else { continue };
            let x = &x[from * input.w..][..input.w];
            let to = &mut planes[r % stride * stride * part..][..stride * part];
            let line = r / stride * row;
            match stride {
                1 => to[line + by..][..input.w].copy_from_slice(x),
                _ => {
                    for (remainder, to) in to.chunks_exact_mut(part).enumerate() {
                        // The first pixel whose padded column has the remainder.
                        let first = (remainder + stride - by % stride) % stride;
                        let to = &mut to[line + (first + by) / stride..line + row];
                        let x = x.get(first..).unwrap_or_default();
                        for (to, x) in to.iter_mut().zip(x.iter().step_by(stride)) {
                            *to = *x;
                        }
                    }
                }
            }
            if edge == Edge::Reflect {
                for column in (0..by).chain(by + input.w..input.w + 2 * by) {
                    if let Some(at) = edge.pixel(column.wrapping_sub(by), input.w) {
                        to[column % stride * part + line + column / stride] = x[at];
                    }
                }
            }
        }
    }
}

/// Zeroes a range of each plane. What the last register of a row reads beyond it is thrown away.
fn clear(channels: usize, plane: usize, range: Range<usize>, planes: &mut [f32]) {
    match range.len() == plane {
        true => planes.fill(0.0),
        false => {
            for plane in planes.chunks_exact_mut(plane).take(channels) {
                plane[range.clone()].fill(0.0);
            }
        }
    }
}

/// The outputs of rows `2i + down` and columns `2j + right` of a transposed convolution of kernel
/// 4, stride 2 and padding 1: per axis, `out[2i] = k1 x[i] + k3 x[i-1]` and `out[2i+1] = k2 x[i] +
/// k0 x[i+1]`.
fn upsampling(down: usize, right: usize, row: usize, width: usize) -> Phase {
    // (kernel, shift in the padded axis: 0 is x[i-1])
    const AXIS: [[(usize, usize); 2]; 2] = [[(3, 0), (1, 1)], [(2, 1), (0, 2)]];
    let mut phase = Phase {
        taps: [Tap { shift: 0, place: 0 }; KERNEL * KERNEL],
        len: 4,
        first: down * width + right,
    };
    for (t, tap) in phase.taps[..4].iter_mut().enumerate() {
        let (ky, dy) = AXIS[down][t / 2];
        let (kx, dx) = AXIS[right][t % 2];
        *tap = Tap { shift: dy * row + dx, place: ky * 4 + kx };
    }
    phase
}

/// All outputs of a convolution, from planes of rows of `row` values.
fn whole(kernel: usize, stride: usize, (row, part_plane): (usize, usize)) -> Phase {
    let mut phase = Phase {
        taps: [Tap { shift: 0, place: 0 }; KERNEL * KERNEL],
        len: kernel * kernel,
        first: 0,
    };
    for (place, tap) in phase.taps[..kernel * kernel].iter_mut().enumerate() {
        let (ky, kx) = (place / kernel, place % kernel);
        let part = ky % stride * stride + kx % stride;
        *tap = Tap { shift: part * part_plane + ky / stride * row + kx / stride, place };
    }
    phase
}

/// A few output channels.
struct Block<'b> {
    /// The first of them.
    o: usize,
    y: Places<'b, f32>,
}

impl Block<'_> {
    /// # Safety
    /// As [`Planes::run`].
    #[inline(always)]
    unsafe fn run<S: Set, const D: usize>(&self, set: S, job: &Planes<'_>, phases: &[Phase]) {
        // The padding at the end of the last row has no outputs.
        let all = (job.rows.end - 1) * job.row + job.columns;
        let mut at = job.rows.start * job.row;
        while at < all {
            let registers = (all - at).div_ceil(S::Lanes::N).min(S::Lanes::WIDE);
            // SAFETY: as promised by the caller.
            unsafe {
                match registers {
                    4 => self.tile::<S, D, 4>(set, job, phases, at),
                    3 => self.tile::<S, D, 3>(set, job, phases, at),
                    2 => self.tile::<S, D, 2>(set, job, phases, at),
                    _ => self.tile::<S, D, 1>(set, job, phases, at),
                }
            }
            at += registers * S::Lanes::N;
        }
    }

    /// Computes `W` registers of outputs, from position `at`, of `D` output channels.
    ///
    /// # Safety
    /// As [`Planes::run`].
    #[inline(always)]
    unsafe fn tile<S: Set, const D: usize, const W: usize>(
        &self,
        set: S,
        job: &Planes<'_>,
        phases: &[Phase],
        at: usize,
    ) {
        let taps = || phases.iter().flat_map(|phase| &phase.taps[..phase.len]);
        let furthest = taps().map(|t| t.shift).max().unwrap_or(0);
        let wide = W * S::Lanes::N;
        let end = (job.depth - 1) * job.plane + furthest + at + wide;
        assert!(end <= job.planes.len(), "registers within the padded planes");
        let last = (job.depth - 1) * job.weight_in + (self.o + D - 1) * job.weight_out;
        let place = taps().map(|t| t.place).max().unwrap_or(0);
        assert!(last + place < job.weight.len(), "taps within the weights");
        let mut sums = [0.0; PHASES * DEEP * RUN];
        let sums = &mut sums[..phases.len() * D * wide];
        for sums in sums.chunks_exact_mut(D * wide) {
            for (d, sums) in sums.chunks_exact_mut(wide).enumerate() {
                sums.fill(bias_of(job.bias, self.o + d));
            }
        }
        for from in (0..job.depth).step_by(CHANNELS) {
            let channels = from..job.depth.min(from + CHANNELS);
            for (phase, sums) in phases.iter().zip(sums.chunks_exact_mut(D * wide)) {
                let (o, channels) = (self.o, channels.clone());
                // SAFETY: the two assertions bound every load: no shift, offset or channel is
                // beyond the largest that they checked.
                set.call(unsafe { Products::<D, W>::new(job, phase, (o, at), channels, sums) });
            }
        }
        set.call(Activate(job.layer.activation, sums));
        for (phase, sums) in phases.iter().zip(sums.chunks_exact(D * wide)) {
            for (d, values) in sums.chunks_exact(wide).enumerate() {
                // SAFETY: as promised by the caller.
                unsafe { self.write(job, phase, (at, d), values) };
            }
        }
    }

    /// Writes values of a phase of output channel `d`, from position `at`, without the padding
    /// between rows.
    ///
    /// # Safety
    /// No other thread computes the same rows and channels of `y`.
    #[inline(always)]
    unsafe fn write(
        &self,
        job: &Planes<'_>,
        phase: &Phase,
        (at, d): (usize, usize),
        values: &[f32],
    ) {
        let first = (self.o + d) * job.layer.output.plane() + phase.first;
        let (mut r, mut c) = (at / job.row, at % job.row);
        for v in values {
            if c < job.columns && r < job.rows.end {
                // SAFETY: a row and a channel that only this part computes.
                unsafe { self.y.put(first + r * job.step_row + c * job.step, *v) };
            }
            c += 1;
            if c == job.row {
                (r, c) = (r + 1, 0);
            }
        }
    }
}

/// The products of some input channels, to be added to the sums of `W` registers of outputs of `D`
/// output channels.
struct Products<'a, const D: usize, const W: usize> {
    job: &'a Planes<'a>,
    phase: &'a Phase,
    /// The first output channel, and the first position.
    start: (usize, usize),
    channels: Range<usize>,
    sums: &'a mut [f32],
}

impl<'a, const D: usize, const W: usize> Products<'a, D, W> {
    /// # Safety
    /// The taps of the phase lie within the planes and the weights for these channels and
    /// positions.
    #[inline(always)]
    unsafe fn new(
        job: &'a Planes<'a>,
        phase: &'a Phase,
        start: (usize, usize),
        channels: Range<usize>,
        sums: &'a mut [f32],
    ) -> Self {
        Products { job, phase, start, channels, sums }
    }
}

impl<const D: usize, const W: usize> Job for Products<'_, D, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let Products { job, phase, start: (o, at), channels, sums } = self;
        let n = S::Lanes::N;
        assert!(sums.len() == D * W * n);
        let weight = channels.start * job.weight_in + o * job.weight_out;
        // SAFETY: the set proves that the CPU has the instructions, `sums` has D times W registers,
        // and the rest was promised to `new`.
        unsafe {
            let place = |d: usize, w: usize| (d * W + w) * n;
            let mut sum: [[S::Lanes; W]; D] =
                each!(d => each!(w => S::Lanes::load(sums.as_ptr().add(place(d, w)))));
            let mut plane = job.planes.as_ptr().add(channels.start * job.plane + at);
            let mut weight = job.weight.as_ptr().add(weight);
            for _ in channels {
                for tap in &phase.taps[..phase.len] {
                    let from = plane.add(tap.shift);
                    let x: [S::Lanes; W] = each!(w => S::Lanes::load(from.add(w * n)));
                    for (d, sum) in sum.iter_mut().enumerate() {
                        let k = S::Lanes::splat(*weight.add(d * job.weight_out + tap.place));
                        for (sum, x) in sum.iter_mut().zip(x) {
                            *sum = sum.add_product(k, x);
                        }
                    }
                }
                // Wrapping: past the last channel these are never read.
                plane = plane.wrapping_add(job.plane);
                weight = weight.wrapping_add(job.weight_in);
            }
            for (d, sum) in sum.iter().enumerate() {
                for (w, sum) in sum.iter().enumerate() {
                    sum.store(sums.as_mut_ptr().add(place(d, w)));
                }
            }
        }
    }
}
