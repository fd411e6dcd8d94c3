//! The transposed convolution of kernel 4, stride 2 and padding 1 to the few channels of an image,
//! too few for a tile.
//!
//! A thread computes all channels of 2 x 2 pixels of `x` from the 3 x 3 pixels of `y` around them.
//! The threads of a workgroup share the weight of 32 features at a time.

use burn::backend::wgpu::CubeTensor;

use crate::gpu::launch::{Program, grid, launch};
use crate::gpu::wgsl::{self, line};
use crate::kernels::ConvShape;

/// Threads of a workgroup.
const GROUP: usize = 64;
/// Vectors of features whose weight is shared at a time: 32 features.
const SHARED: usize = 8;

/// Whether the data pass of a convolution can be computed here.
pub fn applies(s: &ConvShape) -> bool {
    let family = (s.kernel, s.stride, s.padding) == (4, 2, 1);
    let even = s.height.is_multiple_of(2) && s.width.is_multiple_of(2);
    family && even && s.channels <= 4 && s.features.is_multiple_of(4)
}

/// Writes `x`, see [`super::data`]. All tensors are channels last.
pub fn data(s: &ConvShape, y: &CubeTensor, weight: &CubeTensor, x: &CubeTensor) {
    let positions = s.images * s.rows() * s.columns();
    let params = [positions, s.rows(), s.columns(), s.features / 4];
    launch(
        FewChannels { channels: s.channels },
        grid(positions.div_ceil(GROUP), 1),
        &[y, weight],
        &[x],
        &params.map(|v| v as u32),
    );
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct FewChannels {
    channels: usize,
}

/// For a row or column of neighbors, the pairs of pixel and tap that read it.
const TAPS: [&[(usize, usize)]; 3] = [&[(0, 3)], &[(0, 1), (1, 2)], &[(1, 0)]];

impl Program for FewChannels {
    fn name(&self) -> &'static str {
        "conv data, few channels"
    }

    fn text(&self) -> String {
        let channels = self.channels;
        let mut text = format!(
            "const CHANNELS = {channels}u;\nconst SHARED = {SHARED}u;\nconst GROUP = {GROUP}u;\n"
        );
        text += &wgsl::bindings(&[("y", "vec4<f32>"), ("weight", "f32"), ("x", "f32")]);
        text += include_str!("few_channels.wgsl");
        let to = &mut text;
        let sums = || (0..4).flat_map(move |pixel| (0..channels).map(move |c| (pixel, c)));
        for (pixel, c) in sums() {
            line(to, &format!("    var sum_{pixel}_{c} = 0.0;"));
        }
        line(to, "    for (var first = 0u; first < p.depth; first += SHARED) {");
        line(to, "        share(first, thread);");
        line(to, "        let count = min(SHARED, p.depth - first);");
        line(to, "        for (var f = 0u; f < count; f++) {");
        for (dy, rows) in TAPS.iter().enumerate() {
            for (dx, columns) in TAPS.iter().enumerate() {
                let offset = format!("{}, {}", dy as i32 - 1, dx as i32 - 1);
                let y = format!("y_{dy}_{dx}");
                line(to, &format!("            let {y} = neighbor(at, {offset}, first + f);"));
                for (ry, ty) in rows.iter() {
                    for (rx, tx) in columns.iter() {
                        let (pixel, tap) = (2 * ry + rx, 4 * ty + tx);
                        for c in 0..channels {
                            let weight = format!("weights[(f * 16u + {tap}u) * CHANNELS + {c}u]");
                            let sum = format!("sum_{pixel}_{c}");
                            line(
                                to,
                                &format!("            {sum} = dot_add({y}, {weight}, {sum});"),
                            );
                        }
                    }
                }
            }
        }
        line(to, "        }\n    }\n    if (inside) {");
        for (pixel, c) in sums() {
            let index = format!("pixel(at, {}u, {}u) + {c}u", pixel / 2, pixel % 2);
            line(to, &format!("        x[{index}] = sum_{pixel}_{c};"));
        }
        line(to, "    }\n}");
        text
    }
}
