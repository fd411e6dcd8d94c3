//! WGSL functions that read four values of a factor from its tensor: `load_left` and `load_right`.
//! What is outside reads as 0.

use super::tile::Pass;
use super::variant::{Access, Gemm};
use crate::gpu::wgsl::vec4;

/// The functions of a product.
pub fn functions(gemm: &Gemm) -> String {
    let [left, right, _] = gemm.scalar();
    let x = ["height", "width", "channels"];
    let y = ["rows", "columns", "features"];
    match gemm.pass {
        Pass::Forward => {
            let pixel = ["at.x + tap.y", "at.y + tap.x"];
            under(x, left, "left")
                + &load_taps_of_pixel(gemm.channels, "channels", pixel)
                + &load_weight_rows(right)
        }
        Pass::Data => {
            let pixel = ["at.x - tap.y", "at.y - tap.x"];
            under(y, left, "left")
                + &load_taps_of_pixel(gemm.features, "features", pixel)
                + &load_weight_taps(right)
        }
        Pass::Weight => load_pixels(left) + &under(x, right, "right") + &load_pixels_of_tap(right),
    }
}

/// `under`: a value, or four, of a feature map at a pixel that may be outside.
fn under([rows, columns, depth]: [&str; 3], scalar: bool, buffer: &str) -> String {
    let (read, ty, zero) = match scalar {
        true => (format!("{buffer}[pixel * p.{depth} + channel]"), "f32", "0.0"),
        false => {
            (format!("{buffer}[(pixel * p.{depth} + channel) / 4u]"), "vec4<f32>", "vec4<f32>()")
        }
    };
    format!(
        "fn under(first: u32, y: i32, x: i32, channel: u32) -> {ty} {{
    // A negative row or column is a large unsigned one.
    if (u32(y) < p.{rows} && u32(x) < p.{columns}) {{
        let pixel = first + u32(y) * p.{columns} + u32(x);
        return {read};
    }}
    return {zero};
}}
"
    )
}

/// `load_left` of [`Pass::Forward`] and [`Pass::Data`]: the sum runs over the channels of a tap,
/// tap by tap.
fn load_taps_of_pixel(access: Access, depth: &str, [y, x]: [&str; 2]) -> String {
    let split = format!(
        "// Column and row of the tap of a term, and its channel.
fn split(k: u32, taps: u32) -> vec3<i32> {{
    let tap = k / p.{depth};
    return vec3<i32>(i32(tap % taps), i32(tap / taps), i32(k % p.{depth}));
}}
"
    );
    let body = match access {
        // The caller knows the tap, which is the same for all terms of a tile.
        Access::Whole => format!("    return under(first, {y}, {x}, u32(tap.z));"),
        Access::Vectors => format!(
            "    if (k >= last) {{
        return vec4<f32>();
    }}
    let tap = split(k, taps);
    return under(first, {y}, {x}, u32(tap.z));"
        ),
        Access::Scalars => {
            let each = vec4(|e| format!("load_one(first, at, k + {e}u, last, taps)"));
            format!("    return {each};")
        }
    };
    let one = match access {
        Access::Scalars => format!(
            "fn load_one(first: u32, at: vec2<i32>, k: u32, last: u32, taps: u32) -> f32 {{
    if (k >= last) {{
        return 0.0;
    }}
    let tap = split(k, taps);
    return under(first, {y}, {x}, u32(tap.z));
}}
"
        ),
        Access::Whole | Access::Vectors => String::new(),
    };
    let arguments = match access {
        Access::Whole => "first: u32, at: vec2<i32>, tap: vec3<i32>",
        Access::Vectors | Access::Scalars => {
            "first: u32, at: vec2<i32>, k: u32, last: u32, taps: u32"
        }
    };
    format!("{split}{one}fn load_left({arguments}) -> vec4<f32> {{\n{body}\n}}\n")
}

/// `load_right` of [`Pass::Forward`]: four terms of a feature, which are contiguous in the weight.
fn load_weight_rows(scalar: bool) -> String {
    let body = match scalar {
        true => {
            let each = vec4(|e| format!("load_weight(n, k + {e}u, last)"));
            format!("    return {each};")
        }
        false => "    if (n >= p.n || k >= last) {
        return vec4<f32>();
    }
    return right[(n * p.k + k) / 4u];"
            .into(),
    };
    let one = match scalar {
        true => {
            "fn load_weight(n: u32, k: u32, last: u32) -> f32 {
    if (n >= p.n || k >= last) {
        return 0.0;
    }
    return right[n * p.k + k];
}
"
        }
        false => "",
    };
    format!("{one}fn load_right(n: u32, k: u32, last: u32) -> vec4<f32> {{\n{body}\n}}\n")
}

/// `load_right` of [`Pass::Data`]: four channels of a tap of a feature.
fn load_weight_taps(scalar: bool) -> String {
    let read = match scalar {
        true => {
            let each = vec4(|e| {
                format!("select(0.0, right[min(at + n + {e}u, p.last_index)], n + {e}u < p.n)")
            });
            format!("    return {each};")
        }
        false => "    return right[(at + n) / 4u];".into(),
    };
    format!(
        "fn load_at(tap: vec2<u32>, first_tap: vec2<u32>, feature: u32, n: u32) -> vec4<f32> {{
    if (n >= p.n) {{
        return vec4<f32>();
    }}
    let seen = first_tap + tap * p.stride;
    let at = ((feature * p.kernel + seen.y) * p.kernel + seen.x) * p.channels;
{read}
}}
fn load_right(k: u32, last: u32, taps: u32, first_tap: vec2<u32>, n: u32) -> vec4<f32> {{
    if (k >= last) {{
        return vec4<f32>();
    }}
    let tap = split(k, taps);
    return load_at(vec2<u32>(tap.xy), first_tap, u32(tap.z), n);
}}
"
    )
}

/// `load_left` of [`Pass::Weight`]: four features of a pixel of `y`.
fn load_pixels(scalar: bool) -> String {
    let read = match scalar {
        true => {
            let each = vec4(|e| {
                format!(
                    "select(0.0, left[min(k * p.features + m + {e}u, p.last_index)], m + {e}u < p.m)"
                )
            });
            format!("    return {each};")
        }
        false => "    return left[(k * p.features + m) / 4u];".into(),
    };
    format!(
        "fn load_left(k: u32, m: u32, last: u32) -> vec4<f32> {{
    if (k >= last || m >= p.m) {{
        return vec4<f32>();
    }}
{read}
}}
"
    )
}

/// `load_right` of [`Pass::Weight`]: four channels that a pixel of `y` reads through a tap.
fn load_pixels_of_tap(scalar: bool) -> String {
    let tap = "// Tap and channel of a column of the product: column, row, channel. Far outside behind the last one.
fn tap_of(n: u32) -> vec3<i32> {
    let tap = n / p.channels;
    let seen = vec3<i32>(i32(tap % p.kernel), i32(tap / p.kernel), i32(n % p.channels));
    return select(vec3<i32>(-0x40000000, -0x40000000, 0), seen, n < p.n);
}
";
    let (arguments, read) = match scalar {
        true => (
            "tap_0: vec3<i32>, tap_1: vec3<i32>, tap_2: vec3<i32>, tap_3: vec3<i32>",
            vec4(|e| format!("under(first, at.y + tap_{e}.y, at.z + tap_{e}.x, u32(tap_{e}.z))")),
        ),
        false => ("tap: vec3<i32>", "under(first, at.y + tap.y, at.z + tap.x, u32(tap.z))".into()),
    };
    format!(
        "{tap}fn load_right(k: u32, last: u32, {arguments}) -> vec4<f32> {{
    if (k >= last) {{
        return vec4<f32>();
    }}
    let at = window_of(k);
    let first = u32(at.x);
    return {read};
}}
"
    )
}
