//! The matrix product that every pass of a convolution becomes, as a WGSL program.
//!
//! A workgroup computes a tile of the result. It loads its two factors into workgroup memory, a few
//! terms of the sum at a time, the next ones while it multiplies the present ones. Factors are read
//! from channels-last tensors; the matrix of windows is never written. In memory a factor
//! is K-major or MN-major (see `layout`), and it keeps its order in workgroup memory.

mod layout;
mod matrix;
mod read;
mod steps;
mod threads;
mod tile;
mod variant;
mod write;

pub use tile::{Pass, Tile, Units};
pub use variant::{Access, Gemm};

use super::launch::Program;
use super::wgsl::{self, line};

impl Program for Gemm {
    fn name(&self) -> &'static str {
        match (self.pass, self.tile.units) {
            (Pass::Forward, Units::Threads(_)) => "conv forward",
            (Pass::Data, Units::Threads(_)) => "conv data",
            (Pass::Weight, Units::Threads(_)) => "conv weight",
            (Pass::Forward, Units::Matrix(_)) => "conv forward, matrix units",
            (Pass::Data, Units::Matrix(_)) => "conv data, matrix units",
            (Pass::Weight, Units::Matrix(_)) => "conv weight, matrix units",
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if matches!(self.tile.units, Units::Matrix(_)) {
            text += "enable f16;\nenable wgpu_cooperative_matrix;\n";
        }
        let [left, right, result] = self.scalar().map(|scalar| match scalar {
            true => "f32",
            false => "vec4<f32>",
        });
        text += &wgsl::bindings(&[("left", left), ("right", right), ("result", result)]);
        text += include_str!("gemm.wgsl");
        text += match self.shifts {
            true => include_str!("shift.wgsl"),
            false => include_str!("divide.wgsl"),
        };
        text += &read::functions(self);
        text += &write::functions(self);
        main(self, &mut text);
        text
    }
}

fn main(gemm: &Gemm, to: &mut String) {
    let Tile { m, n, units, .. } = gemm.tile;
    let group = gemm.tile.group();
    let ty = match units {
        Units::Threads(_) => "vec4<f32>",
        Units::Matrix(_) => "vec4<f16>",
    };
    for (name, layout) in ["left_tile", "right_tile"].iter().zip(gemm.tile.layouts(gemm.pass)) {
        line(to, &format!("var<workgroup> {name}: array<{ty}, {}>;", layout.len()));
    }
    if matches!(units, Units::Matrix(_)) {
        matrix::declarations(gemm, to);
    }
    line(
        to,
        &format!(
            "@compute @workgroup_size({group})
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    let number = id.y * groups.x + id.x;
    let across = (p.n + {}u) / {n}u;
    let first_m = number / across * {m}u;
    let first_n = number % across * {n}u;
    if (first_m >= p.m) {{
        return;
    }}
    let part = id.z % p.parts;
    let first_k = part * p.part;",
            n - 1
        ),
    );
    to.push_str(terms(gemm.pass));
    steps::prepare(gemm, to);
    match units {
        Units::Threads(each) => threads::body(gemm, to, each),
        Units::Matrix(each) => matrix::body(gemm, to, each),
    }
    line(to, "}");
}

/// The part of `main` that finds the terms of a workgroup's sum.
fn terms(pass: Pass) -> &'static str {
    match pass {
        Pass::Forward => {
            "    let phase = vec2<u32>();
    let taps = p.kernel;
    let last_k = min(first_k + p.part, p.k);
"
        }
        Pass::Data => {
            "    let group = id.z / p.parts;
    let phase = vec2<u32>(group % p.stride, group / p.stride);
    // The first tap that reads these pixels, and how many do.
    let first_tap = (phase + vec2<u32>(p.padding)) % vec2<u32>(p.stride);
    let counts = (vec2<u32>(p.kernel + p.stride - 1u) - min(first_tap, vec2<u32>(p.kernel))) / vec2<u32>(p.stride);
    let taps = counts.x;
    let nearest = vec2<i32>((phase + vec2<u32>(p.padding) - first_tap) / vec2<u32>(p.stride));
    let last_k = min(first_k + p.part, counts.x * counts.y * p.features);
"
        }
        Pass::Weight => {
            "    let phase = vec2<u32>();
    let last_k = min(first_k + p.part, p.k);
"
        }
    }
}
