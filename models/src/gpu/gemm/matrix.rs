//! Multiplication by matrix units: each subgroup computes a grid of 16 x 16 blocks, with f16
//! factors and f32 sums.

use super::layout::{Layout, Major};
use super::steps;
use super::tile::{FRAGMENT, STAGE, SUBGROUP};
use super::variant::Gemm;
use crate::gpu::wgsl::line;

/// What `main` needs outside of it.
pub fn declarations(gemm: &Gemm, to: &mut String) {
    line(to, &format!("var<workgroup> stage: array<vec4<f32>, {}>;", gemm.tile.stage_len()));
    to.push_str(
        "fn halves(x: vec4<f32>, scale: f32) -> vec4<f16> {
    return vec4<f16>(clamp(x * scale, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
}
",
    );
}

/// The body of `main` for `each` rows and columns of blocks per subgroup.
pub fn body(gemm: &Gemm, to: &mut String, each: [usize; 2]) {
    let [each_m, each_n] = each;
    let wide = gemm.tile.n / (each_n * FRAGMENT);
    line(to, &format!("    let subgroup = thread / {SUBGROUP}u;"));
    line(to, &format!("    let lane = thread % {SUBGROUP}u;"));
    let (rows, columns) = (each_m * FRAGMENT, each_n * FRAGMENT);
    line(to, &format!("    let own_m = subgroup / {wide}u * {rows}u;"));
    line(to, &format!("    let own_n = subgroup % {wide}u * {columns}u;"));
    for i in 0..each_m {
        for j in 0..each_n {
            line(to, &format!("    var sum_{i}_{j}: coop_mat16x16<f32, C>;"));
        }
    }
    let layouts = gemm.tile.layouts(gemm.pass);
    steps::sum(gemm, to, |to| multiply(to, gemm.tile.k, each, layouts));
    for i in 0..each_m {
        store(to, i, each_n);
    }
}

/// The index of the first vector of block `i`, at a step of 16 terms.
fn block(layout: &Layout, own: &str, i: usize, step: usize) -> String {
    let (pitch, row) = (layout.pitch(), i * FRAGMENT);
    match layout.major {
        Major::K => format!("({own} + {row}u) * {pitch}u + {}u", step * FRAGMENT / 4),
        Major::Mn => format!("{}u + ({own} + {row}u) / 4u", step * FRAGMENT * pitch),
    }
}

/// Adds the products of a tile's `k` terms.
fn multiply(to: &mut String, k: usize, [each_m, each_n]: [usize; 2], [left, right]: [Layout; 2]) {
    // `coopLoad` reads columns, `coopLoadT` rows.
    let load_a = if left.major == Major::K { "coopLoadT" } else { "coopLoad" };
    let load_b = if right.major == Major::K { "coopLoad" } else { "coopLoadT" };
    for step in 0..k / FRAGMENT {
        for i in 0..each_m {
            let from = format!("&left_tile[{}], {}u", block(&left, "own_m", i, step), left.pitch());
            line(
                to,
                &format!("        let a_{step}_{i} = {load_a}<coop_mat16x16<f16, A>>({from});"),
            );
        }
        for j in 0..each_n {
            let from =
                format!("&right_tile[{}], {}u", block(&right, "own_n", j, step), right.pitch());
            line(
                to,
                &format!("        let b_{step}_{j} = {load_b}<coop_mat16x16<f16, B>>({from});"),
            );
            for i in 0..each_m {
                let sum = format!("sum_{i}_{j}");
                line(
                    to,
                    &format!("        {sum} = coopMultiplyAdd(a_{step}_{i}, b_{step}_{j}, {sum});"),
                );
            }
        }
    }
}

/// Writes row `i` of blocks, through workgroup memory, since the rows of the result may be
/// anywhere.
fn store(to: &mut String, i: usize, each_n: usize) {
    let own = FRAGMENT * STAGE;
    for half in 0..2 {
        let row = format!("own_m + {}u + lane / 4u", i * FRAGMENT + half * 8);
        line(to, &format!("    let row_{i}_{half} = place(first_m + {row}, phase);"));
    }
    for j in 0..each_n {
        line(to, &format!("    coopStoreT(sum_{i}_{j}, &stage[subgroup * {own}u], {STAGE}u);"));
        line(to, "    workgroupBarrier();");
        let column = format!("first_n + own_n + {}u + lane % 4u * 4u", j * FRAGMENT);
        for half in 0..2 {
            let from =
                format!("subgroup * {own}u + (lane / 4u + {}u) * {STAGE}u + lane % 4u", half * 8);
            let value = format!("stage[{from}] * p.scale_result");
            line(to, &format!("    put(part, row_{i}_{half}, {column}, {value});"));
        }
        line(to, "    workgroupBarrier();");
    }
}
