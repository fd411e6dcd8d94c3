//! WGSL functions that write the result: `place` and `put`.

use super::tile::Pass;
use super::variant::Gemm;

/// `place`: where a row of the product belongs in the result. `put`: four values of a row to there.
pub fn functions(gemm: &Gemm) -> String {
    let [_, _, scalar] = gemm.scalar();
    let width = match gemm.pass {
        Pass::Forward => "features",
        Pass::Data => "channels",
        Pass::Weight => "n",
    };
    let place = match gemm.pass {
        Pass::Forward | Pass::Weight => {
            "fn place(m: u32, phase: vec2<u32>) -> u32 {
    return select(NOWHERE, m, m < p.m);
}
"
        }
        Pass::Data => {
            "fn place(m: u32, phase: vec2<u32>) -> u32 {
    let at = position(m);
    let y = u32(at.y) * p.stride + phase.y;
    let x = u32(at.z) * p.stride + phase.x;
    let inside = m < p.m && y < p.height && x < p.width;
    return select(NOWHERE, (u32(at.x) * p.height + y) * p.width + x, inside);
}
"
        }
    };
    let store: String = match scalar {
        true => (0..4).map(store_one).collect(),
        false => "    result[(first + n) / 4u] = value;\n".into(),
    };
    format!(
        "{place}fn put(part: u32, row: u32, n: u32, value: vec4<f32>) {{
    if (row == NOWHERE || n >= p.n) {{
        return;
    }}
    let first = part * p.length + row * p.{width};
{store}}}
"
    )
}

fn store_one(e: usize) -> String {
    format!(
        "    if (n + {e}u < p.n) {{
        result[first + n + {e}u] = value[{e}];
    }}
"
    )
}
