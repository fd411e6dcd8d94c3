//! The transposed convolution of kernel 4, stride 2 and padding 1 to a few channels, which an image has: too few for a tile.
//!
//! A thread makes the 2 x 2 pixels around a position, all channels of each, of the 3 x 3 positions around it; a workgroup's
//! threads share the weight of 32 features at a time.

use std::fmt::Write;

use burn::backend::wgpu::CubeTensor;

use super::launch::{Program, grid, launch};
use crate::conv::Window;

/// Threads of a workgroup.
const GROUP: usize = 64;
/// Vectors of features whose weight is shared at a time.
const SHARED: usize = 8;

/// Whether a window's data pass is made here.
pub fn takes(w: &Window) -> bool {
    let family = (w.kernel, w.stride, w.padding) == (4, 2, 1);
    let even = w.height.is_multiple_of(2) && w.width.is_multiple_of(2);
    family && even && w.channels <= 4 && w.features.is_multiple_of(4)
}

/// The gradient by `x` of that by `y`, see [`super::conv::data`].
pub fn data(w: &Window, y: &CubeTensor, weight: &CubeTensor, x: &CubeTensor) {
    let positions = w.images * w.rows() * w.columns();
    let numbers = [positions, w.rows(), w.columns(), w.features / 4];
    launch(
        Thin { channels: w.channels },
        grid(positions.div_ceil(GROUP), 1),
        &[y, weight],
        &[x],
        &numbers.map(|v| v as u32),
    );
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Thin {
    channels: usize,
}

/// The taps that a row or column of neighbours meets: which of the two pixels, which tap.
const TAPS: [&[(usize, usize)]; 3] = [&[(0, 3)], &[(0, 1), (1, 2)], &[(1, 0)]];

impl Program for Thin {
    fn name(&self) -> &'static str {
        "conv data, few channels"
    }

    fn text(&self) -> String {
        let channels = self.channels;
        let mut text = format!(
            "const CHANNELS = {channels}u;\nconst SHARED = {SHARED}u;\nconst GROUP = {GROUP}u;\n{}",
            include_str!("thin.wgsl")
        );
        // Writing to a string does not fail.
        let mut line = |text_line: String| {
            let _ = writeln!(text, "{text_line}");
        };
        for pixel in 0..4 {
            for c in 0..channels {
                line(format!("    var sum_{pixel}_{c} = 0.0;"));
            }
        }
        line("    for (var first = 0u; first < p.depth; first += SHARED) {".into());
        line("        share(first, thread);".into());
        line("        let count = min(SHARED, p.depth - first);".into());
        line("        for (var f = 0u; f < count; f++) {".into());
        for (dy, rows) in TAPS.iter().enumerate() {
            for (dx, columns) in TAPS.iter().enumerate() {
                line(format!(
                    "            let y_{dy}_{dx} = neighbour(at, {}, {}, first + f);",
                    dy as i32 - 1,
                    dx as i32 - 1
                ));
                for (ry, ty) in rows.iter() {
                    for (rx, tx) in columns.iter() {
                        let (pixel, tap) = (2 * ry + rx, 4 * ty + tx);
                        for c in 0..channels {
                            line(format!(
                                "            sum_{pixel}_{c} = along(y_{dy}_{dx}, \
                                 weights[(f * 16u + {tap}u) * CHANNELS + {c}u], sum_{pixel}_{c});"
                            ));
                        }
                    }
                }
            }
        }
        line("        }".into());
        line("    }".into());
        line("    if (inside) {".into());
        for pixel in 0..4 {
            for c in 0..channels {
                line(format!(
                    "        x[place(at, {}u, {}u) + {c}u] = sum_{pixel}_{c};",
                    pixel / 2,
                    pixel % 2
                ));
            }
        }
        line("    }\n}".into());
        text
    }
}
