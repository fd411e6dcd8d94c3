//! Convolutions of stride 1. Channels last, a row of a window is contiguous, and the next window
//! begins one pixel further: a matrix product reads them where they lie.

use super::gemm::{COLUMNS, Gemm, Left, ROWS, Right, packed_len};
use super::im2col;
use super::scratch::Scratch;
use crate::ConvShape;
use crate::parallel::{self, chunk};

/// Values behind the last image, for the ends of tiles.
const SLACK: usize = if COLUMNS > ROWS { COLUMNS } else { ROWS };
/// Pixels in one product of a weight's gradient, so that its factors stay in the cache.
const PIXELS: usize = 256;
/// The most channels, and the most features, for which unrolling windows costs more time than it
/// saves.
const NARROW: [usize; 2] = [16, 8];

/// Whether `y` and the gradient by `x` can be computed here.
pub fn applies(s: &ConvShape) -> bool {
    s.stride == 1 && s.kernel > 1 && s.padding < s.kernel && !s.covers_image()
}

/// Whether the gradient by the weight can be computed here, and quickly.
pub fn applies_to_weight(s: &ConvShape) -> bool {
    applies(s) && (s.channels <= NARROW[0] || s.features <= NARROW[1])
}

/// `y` from `x` and the weight.
pub fn forward(s: &ConvShape, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let map = Padded::new(x, [s.height, s.width, s.channels], [s.padding; 3]);
    correlate(&map, s.kernel, s.features, &im2col::by_feature(s, weight))
}

/// The gradient by `x`, from the gradient by `y`: a convolution by the weight turned by half a turn.
/// Also the transposed convolution of `y`.
pub fn data(s: &ConvShape, y: &[f32], weight: &[f32]) -> Vec<f32> {
    let map = Padded::new(y, [s.rows(), s.columns(), s.features], [s.kernel - 1 - s.padding; 3]);
    correlate(&map, s.kernel, s.channels, &turned(s, weight))
}

/// The gradient by the weight, from `x` and the gradient by `y`.
pub fn weight(s: &ConvShape, x: &[f32], y: &[f32]) -> Vec<f32> {
    let map = Padded::new(x, [s.height, s.width, s.channels], [s.padding; 3]);
    // Rows of `y` as long as those of `x`, so that one step leads to the next pixel of both. The
    // zeros between them stop what the windows of no pixel would add.
    let gap = map.width - s.columns();
    let errors = Padded::new(y, [s.rows(), s.columns(), s.features], [0, 0, gap]);
    let pixels = (s.rows() - 1) * map.width + s.columns();
    let row = s.kernel * s.channels;
    let panels = row.div_ceil(COLUMNS);
    let mut sums = vec![0.0; s.kernel * panels * s.features * COLUMNS];
    parallel::chunks(&mut sums, s.features * COLUMNS, &|at, to| {
        let (y, from) = (at / panels, at % panels * COLUMNS);
        for (image, first) in each_chunk(s.images, pixels) {
            let errors = &errors.image(image)[first * s.features..];
            let windows = &map.image(image)[(first + y * map.width) * s.channels + from..];
            Gemm {
                rows: s.features,
                inner: PIXELS.min(pixels - first),
                columns: COLUMNS.min(row - from),
                left: Left::Columns { values: errors, stride: s.features },
                right: Right::Rows { values: windows, stride: s.channels },
                to: &mut *to,
                stride: COLUMNS,
                add: true,
            }
            .run();
        }
    });
    let mut gradient = vec![0.0; s.weight_len()];
    for (at, to) in gradient.iter_mut().enumerate() {
        let (o, c, tap) = (at / s.taps() / s.channels, at / s.taps() % s.channels, at % s.taps());
        let column = tap % s.kernel * s.channels + c;
        let panel = tap / s.kernel * panels + column / COLUMNS;
        *to = sums[(panel * s.features + o) * COLUMNS + column % COLUMNS];
    }
    gradient
}

/// Every image with the first pixel of each product.
fn each_chunk(images: usize, pixels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..images).flat_map(move |image| (0..pixels).step_by(PIXELS).map(move |at| (image, at)))
}

/// A feature map with zeros around it, `[n, h, w, c]`.
struct Padded {
    values: Scratch,
    images: usize,
    height: usize,
    width: usize,
    channels: usize,
}

impl Padded {
    /// `x` `[n, h, w, c]` with `rows` rows of zeros above and below, and columns of zeros on the left
    /// and on the right.
    fn new(x: &[f32], [h, w, channels]: [usize; 3], [rows, left, right]: [usize; 3]) -> Padded {
        let (height, width) = (h + 2 * rows, w + left + right);
        let (len, image) = (height * width * channels, h * w * channels);
        let images = x.len() / image;
        let mut values = Scratch::of(images * len + SLACK);
        parallel::chunks(&mut values[..images * len], len, &|i, to| {
            let x = chunk(x, i, image);
            let (above, rest) = to.split_at_mut(rows * width * channels);
            let (inside, below) = rest.split_at_mut(h * width * channels);
            above.fill(0.0);
            below.fill(0.0);
            let lines = inside.chunks_exact_mut(width * channels);
            for (to, x) in lines.zip(x.chunks_exact(w * channels)) {
                let (before, rest) = to.split_at_mut(left * channels);
                let (inside, behind) = rest.split_at_mut(x.len());
                before.fill(0.0);
                inside.copy_from_slice(x);
                behind.fill(0.0);
            }
        });
        Padded { values, images, height, width, channels }
    }

    /// The values of an image, and all behind them.
    fn image(&self, i: usize) -> &[f32] {
        &self.values[i * self.height * self.width * self.channels..]
    }
}

/// The products of all windows of `kernel` pixels a side with `right`, a packed factor
/// `[kernel * kernel * channels, features]`.
fn correlate(map: &Padded, kernel: usize, features: usize, right: &[f32]) -> Vec<f32> {
    let (rows, columns) = (map.height + 1 - kernel, map.width + 1 - kernel);
    let (row, line) = (kernel * map.channels, map.width * map.channels);
    let mut y = vec![0.0; map.images * rows * columns * features];
    // Lines of a task: few images must keep all threads busy.
    let parts = rayon::current_num_threads().div_ceil(map.images.max(1)).min(rows);
    let lines = rows.div_ceil(parts);
    parallel::chunks(&mut y, rows * columns * features, &|image, y| {
        parallel::chunks(y, lines * columns * features, &|part, y| {
            for (i, to) in y.chunks_exact_mut(columns * features).enumerate() {
                Gemm {
                    rows: columns,
                    inner: kernel * row,
                    columns: features,
                    left: Left::Bands {
                        values: &map.image(image)[(part * lines + i) * line..],
                        stride: map.channels,
                        band: row,
                        step: line,
                    },
                    right: Right::Panels(right),
                    to,
                    stride: features,
                    add: false,
                }
                .run();
            }
        });
    });
    y
}

/// The weight with its taps in reverse as a packed right factor `[taps * features, channels]`.
fn turned(s: &ConvShape, weight: &[f32]) -> Scratch {
    let inner = s.taps() * s.features;
    let mut right = Scratch::of(packed_len(s.channels, inner, COLUMNS));
    parallel::chunks(&mut right, inner * COLUMNS, &|panel, to| {
        for (o, weight) in weight.chunks_exact(s.channels * s.taps()).enumerate() {
            let channels = weight.chunks_exact(s.taps()).skip(panel * COLUMNS).take(COLUMNS);
            for (i, taps) in channels.enumerate() {
                for (tap, v) in taps.iter().rev().enumerate() {
                    to[(tap * s.features + o) * COLUMNS + i] = *v;
                }
            }
        }
    });
    right
}
