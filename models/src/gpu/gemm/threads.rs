//! Multiplication by threads: each computes a block of rows and columns in f32.

use super::layout::{Layout, Major};
use super::steps;
use super::variant::Gemm;
use crate::gpu::wgsl::{line, vec4};

/// The body of `main` for `each` rows and columns per thread.
pub fn body(gemm: &Gemm, to: &mut String, each: [usize; 2]) {
    let [each_m, each_n] = each;
    let threads = [gemm.tile.m / each_m, gemm.tile.n / each_n];
    let [threads_m, threads_n] = threads;
    let vectors = each_n / 4;
    let layouts = gemm.tile.layouts(gemm.pass);
    line(to, &format!("    let own_n = thread % {threads_n}u;"));
    line(to, &format!("    let own_m = thread / {threads_n}u;"));
    for i in 0..each_m {
        for j in 0..vectors {
            line(to, &format!("    var sum_{i}_{j} = vec4<f32>();"));
        }
    }
    steps::sum(gemm, to, |to| multiply(to, gemm.tile.k, [each_m, vectors], threads, layouts));
    let [left, _] = layouts;
    for i in 0..each_m {
        let row = match left.major {
            Major::K => format!("own_m + {}u", i * threads_m),
            Major::Mn => format!("4u * (own_m + {}u) + {}u", i / 4 * threads_m, i % 4),
        };
        line(to, &format!("    let row_{i} = place(first_m + {row}, phase);"));
        for j in 0..vectors {
            let column = format!("4u * (own_n + {}u)", j * threads_n);
            line(to, &format!("    put(part, row_{i}, first_n + {column}, sum_{i}_{j});"));
        }
    }
}

/// Adds the products of a tile's `k` terms: four terms at a time if they are contiguous in the left
/// factor.
fn multiply(
    to: &mut String,
    k: usize,
    [each_m, vectors]: [usize; 2],
    [threads_m, threads_n]: [usize; 2],
    [left, right]: [Layout; 2],
) {
    let (steps, terms, reads) = match left.major {
        Major::K => (k / 4, 4, each_m),
        Major::Mn => (k, 1, each_m / 4),
    };
    line(to, &format!("        for (var q = 0u; q < {steps}u; q++) {{"));
    for i in 0..reads {
        let index = format!("q * {}u + own_m + {}u", left.pitch(), i * threads_m);
        line(to, &format!("            let a_{i} = left_tile[{index}];"));
    }
    if right.major == Major::K {
        let part = right.rows / 4 + 1;
        for j in 0..vectors {
            for e in 0..4 {
                let index =
                    format!("q * {}u + own_n + {}u", right.pitch(), e * part + j * threads_n);
                line(to, &format!("            let w_{j}_{e} = right_tile[{index}];"));
            }
        }
    }
    for term in 0..terms {
        for j in 0..vectors {
            let value = match right.major {
                Major::K => vec4(|e| format!("w_{j}_{e}[{term}]")),
                Major::Mn => {
                    let row = match terms {
                        1 => "q".to_string(),
                        _ => format!("(4u * q + {term}u)"),
                    };
                    format!("right_tile[{row} * {}u + own_n + {}u]", right.pitch(), j * threads_n)
                }
            };
            line(to, &format!("            let b_{term}_{j} = {value};"));
        }
        for i in 0..each_m {
            let a = match left.major {
                Major::K => format!("a_{i}[{term}]"),
                Major::Mn => format!("a_{}[{}]", i / 4, i % 4),
            };
            for j in 0..vectors {
                let sum = format!("sum_{i}_{j}");
                line(to, &format!("            {sum} = fma(vec4<f32>({a}), b_{term}_{j}, {sum});"));
            }
        }
    }
    line(to, "        }");
}
