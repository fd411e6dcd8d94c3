//! The loop over the sum: each step loads a part of both factors into workgroup memory, and
//! multiplies the part before.

use super::layout::{Layout, Major};
use super::tile::{Pass, Tile, Units};
use super::variant::Gemm;
use crate::gpu::wgsl::line;

/// The vectors of a factor that a thread loads.
struct Share {
    /// `l` or `r`, for the left or the right factor.
    side: &'static str,
    /// The name of the factor in workgroup memory.
    name: &'static str,
    /// Threads side by side in the direction in which values are contiguous.
    wide: usize,
    /// Vectors of a thread.
    each: usize,
    /// Rows from one of its vectors to the next.
    step: usize,
    /// Rows of the factor.
    rows: usize,
    layout: Layout,
}

impl Share {
    fn of(tile: &Tile, layout: Layout) -> Share {
        let (wide, rows) = match layout.major {
            Major::K => (tile.k / 4, layout.rows),
            Major::Mn => (layout.rows / 4, tile.k),
        };
        let step = tile.group() / wide;
        let (side, name) = if layout.left { ("l", "left_tile") } else { ("r", "right_tile") };
        Share { side, name, wide, each: rows.div_ceil(step), step, rows, layout }
    }

    /// The row of vector `i`.
    fn far(&self, i: usize) -> String {
        format!("{}_far + {}u", self.side, i * self.step)
    }

    /// Whether every thread has a vector `i`.
    fn full(&self, i: usize) -> bool {
        (i + 1) * self.step <= self.rows
    }

    /// A statement for the threads that have a vector `i`.
    fn guarded(&self, to: &mut String, indent: &str, i: usize, statement: &str) {
        match self.full(i) {
            true => line(to, &format!("{indent}{statement}")),
            false => {
                let (far, rows) = (self.far(i), self.rows);
                line(
                    to,
                    &format!(
                        "{indent}if ({far} < {rows}u) {{\n{indent}    {statement}\n{indent}}}"
                    ),
                );
            }
        }
    }
}

fn shares(gemm: &Gemm) -> [Share; 2] {
    gemm.tile.layouts(gemm.pass).map(|layout| Share::of(&gemm.tile, layout))
}

/// What stays the same for a thread: which vectors it loads, and from where.
pub fn prepare(gemm: &Gemm, to: &mut String) {
    for share in shares(gemm) {
        let (side, wide) = (share.side, share.wide);
        line(to, &format!("    let {side}_near = thread % {wide}u;"));
        line(to, &format!("    let {side}_far = thread / {wide}u;"));
        for i in 0..share.each {
            let far = share.far(i);
            match (gemm.pass, share.layout.left) {
                (Pass::Forward, true) => {
                    line(to, &format!("    let l_at_{i} = window(first_m + {far});"));
                }
                (Pass::Data, true) => line(
                    to,
                    &format!(
                        "    let l_seen_{i} = position(first_m + {far});
    let l_at_{i} = vec3<i32>(l_seen_{i}.x * i32(p.rows * p.columns), l_seen_{i}.yz + nearest.yx);"
                    ),
                ),
                (Pass::Weight, true) | (_, false) => {}
            }
            line(to, &format!("    var {side}_{i} = vec4<f32>();"));
        }
    }
    if gemm.pass == Pass::Weight {
        to.push_str(match gemm.channels.vectors() {
            true => "    let r_tap = tap_of(first_n + 4u * r_near);\n",
            false => {
                "    let r_tap_0 = tap_of(first_n + 4u * r_near);
    let r_tap_1 = tap_of(first_n + 4u * r_near + 1u);
    let r_tap_2 = tap_of(first_n + 4u * r_near + 2u);
    let r_tap_3 = tap_of(first_n + 4u * r_near + 3u);
"
            }
        });
    }
    if gemm.whole() {
        line(to, "    // Tap and channel of the tile's first term, the same for all threads.");
        line(to, "    var tap = split(first_k, max(taps, 1u));");
    }
}

/// Reads the vectors of the terms from `k` on into registers.
fn read(gemm: &Gemm, to: &mut String, indent: &str) {
    let [left, right] = shares(gemm);
    for i in 0..left.each {
        let call = read_left(gemm, i, &left.far(i));
        left.guarded(to, indent, i, &format!("l_{i} = {call};"));
    }
    for i in 0..right.each {
        let call = read_right(gemm, &right.far(i));
        right.guarded(to, indent, i, &format!("r_{i} = {call};"));
    }
    if gemm.whole() {
        let depth = match gemm.pass {
            Pass::Forward => "channels",
            Pass::Data | Pass::Weight => "features",
        };
        line(
            to,
            &format!(
                "{indent}tap.z += {};
{indent}if (tap.z >= i32(p.{depth})) {{
{indent}    tap.z = 0;
{indent}    tap.x += 1;
{indent}    if (tap.x >= i32(taps)) {{
{indent}        tap.x = 0;
{indent}        tap.y += 1;
{indent}    }}
{indent}}}",
                gemm.tile.k
            ),
        );
    }
}

fn read_left(gemm: &Gemm, i: usize, far: &str) -> String {
    let at = format!("u32(l_at_{i}.x), l_at_{i}.yz");
    match gemm.pass {
        Pass::Forward | Pass::Data if gemm.whole() => {
            format!("load_left({at}, tap + vec3<i32>(0, 0, 4 * i32(l_near)))")
        }
        Pass::Forward | Pass::Data => format!("load_left({at}, k + 4u * l_near, last_k, taps)"),
        Pass::Weight => format!("load_left(k + {far}, first_m + 4u * l_near, last_k)"),
    }
}

fn read_right(gemm: &Gemm, far: &str) -> String {
    match (gemm.pass, gemm.channels.vectors()) {
        (Pass::Forward, _) => format!("load_right(first_n + {far}, k + 4u * r_near, last_k)"),
        (Pass::Data, _) if gemm.whole() => {
            let feature = format!("u32(tap.z) + {far}");
            format!("load_at(vec2<u32>(tap.xy), first_tap, {feature}, first_n + 4u * r_near)")
        }
        (Pass::Data, _) => {
            format!("load_right(k + {far}, last_k, taps, first_tap, first_n + 4u * r_near)")
        }
        (Pass::Weight, true) => format!("load_right(k + {far}, last_k, r_tap)"),
        (Pass::Weight, false) => {
            format!("load_right(k + {far}, last_k, r_tap_0, r_tap_1, r_tap_2, r_tap_3)")
        }
    }
}

/// The loop, around the text that multiplies a tile.
pub fn sum(gemm: &Gemm, to: &mut String, multiply: impl FnOnce(&mut String)) {
    let k = gemm.tile.k;
    line(to, "    var k = first_k;");
    line(to, "    if (k < last_k) {");
    read(gemm, to, "        ");
    line(to, "    }");
    line(to, "    while (k < last_k) {");
    for share in shares(gemm) {
        let (side, name) = (share.side, share.name);
        for i in 0..share.each {
            let index = share.layout.index(&format!("{side}_near"), &share.far(i));
            let value = match (gemm.tile.units, share.layout.left) {
                (Units::Threads(_), _) => format!("{side}_{i}"),
                (Units::Matrix(_), true) => format!("halves({side}_{i}, p.scale_left)"),
                (Units::Matrix(_), false) => format!("halves({side}_{i}, p.scale_right)"),
            };
            share.guarded(to, "        ", i, &format!("{name}[{index}] = {value};"));
        }
    }
    line(to, "        workgroupBarrier();");
    line(to, &format!("        k += {k}u;"));
    line(to, "        if (k < last_k) {");
    read(gemm, to, "            ");
    line(to, "        }");
    multiply(to);
    line(to, "        workgroupBarrier();");
    line(to, "    }");
}
