//! The matrix product that every pass of a convolution is, as a WGSL program: a workgroup makes a tile of the result, and
//! brings its two factors through the workgroup's memory, the next part while it multiplies this one.
//!
//! A factor is read from a tensor that lies channels last; the matrix of windows is never written. Of some factors four
//! neighbours along the sum lie together in memory ([`Lie::Sum`]), of the others four neighbours across it
//! ([`Lie::Across`]); each keeps its order in the workgroup's memory.

use std::fmt::Write;

use super::launch::Program;

/// Which product: what it is the sum over, and what its factors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// `y` of `x` and the weight: pixels of `y` by features, summed over taps and channels.
    Forward,
    /// The gradient by `x` of that by `y`: pixels of `x` by channels, summed over taps and features. A group for each
    /// position of a pixel relative to the stride, which meets taps of its own.
    Data,
    /// The gradient by the weight: features by taps and channels, summed over the pixels of `y`.
    Weight,
}

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Units {
    /// Each thread computes a block of this many rows and columns, in f32.
    Threads([usize; 2]),
    /// Each subgroup of 32 computes this many rows and columns of 16 x 16 blocks: f16 operands, f32 sums.
    Matrix([usize; 2]),
}

/// The shape of a workgroup's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of the sum at a time.
    pub k: usize,
    /// What multiplies.
    pub units: Units,
}

impl Tile {
    /// Of `m` x `n` x `k`, `threads` a thread.
    pub const fn threads(m: usize, n: usize, k: usize, each: [usize; 2]) -> Tile {
        let units = Units::Threads(each);
        Tile { m, n, k, units }
    }

    /// A tile of `m` x `n` x `k` on matrix units, with the blocks of a subgroup.
    pub const fn matrix(m: usize, n: usize, k: usize, each: [usize; 2]) -> Tile {
        let units = Units::Matrix(each);
        Tile { m, n, k, units }
    }

    /// Threads of a workgroup.
    pub fn group(&self) -> usize {
        match self.units {
            Units::Threads([m, n]) => (self.m / m) * (self.n / n),
            Units::Matrix([m, n]) => (self.m / m / FRAGMENT) * (self.n / n / FRAGMENT) * SUBGROUP,
        }
    }

    /// Bytes of the workgroup's memory that a program of this tile takes.
    pub fn bytes(&self, pass: Pass) -> usize {
        let [a, b] = pass.lies();
        let vectors = self.layout(a, true).len(self.k) + self.layout(b, false).len(self.k);
        match self.units {
            Units::Threads(_) => vectors * 16,
            Units::Matrix(_) => vectors * 8 + self.group() / SUBGROUP * FRAGMENT * STAGE * 16,
        }
    }

    fn layout(&self, lie: Lie, left: bool) -> Layout {
        let rows = if left { self.m } else { self.n };
        let matrix = matches!(self.units, Units::Matrix(_));
        Layout { lie, rows, left, matrix, k: self.k }
    }
}

/// Side of the blocks that matrix units multiply.
const FRAGMENT: usize = 16;
/// Threads that hold a block together.
const SUBGROUP: usize = 32;
/// Vectors from one row of a block of sums to the next, on their way out.
const STAGE: usize = 5;

/// How a factor lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// Neighbours along the sum together.
    Sum,
    /// Neighbours across it together.
    Across,
}

impl Pass {
    fn lies(self) -> [Lie; 2] {
        match self {
            Pass::Forward => [Lie::Sum, Lie::Sum],
            Pass::Data => [Lie::Sum, Lie::Across],
            Pass::Weight => [Lie::Across, Lie::Across],
        }
    }
}

/// How a dimension of a tensor can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A multiple of the tile's `k`: a tile never spans two taps.
    Whole,
    /// A multiple of 4.
    Vectors,
    /// Any length.
    Scalars,
}

impl Access {
    /// How `length` numbers that lie together can be read by a tile of `k` terms.
    pub fn of(length: usize, k: usize) -> Access {
        match length {
            _ if length.is_multiple_of(k) => Access::Whole,
            _ if length.is_multiple_of(4) => Access::Vectors,
            _ => Access::Scalars,
        }
    }

    fn vectors(self) -> bool {
        self != Access::Scalars
    }
}

/// A pass with a tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    /// Which.
    pub pass: Pass,
    /// The tile.
    pub tile: Tile,
    /// Access to the channels of `x`.
    pub channels: Access,
    /// Access to the features, which are the channels of `y`.
    pub features: Access,
    /// Whether rows and columns of `y` are powers of two, so that a shift divides by them.
    pub shifts: bool,
}

/// A factor in the workgroup's memory, in vectors of four.
#[derive(Clone, Copy)]
struct Layout {
    lie: Lie,
    rows: usize,
    left: bool,
    matrix: bool,
    k: usize,
}

impl Layout {
    /// Vectors from one group of four terms, or one term, or one row to the next. What is added keeps threads that write
    /// or read together out of one bank.
    fn pitch(&self) -> usize {
        match (self.lie, self.matrix, self.left) {
            (Lie::Sum, true, _) => self.k / 4 + 2,
            (Lie::Across, true, _) => self.rows / 4 + 2,
            (Lie::Sum, false, true) => self.rows + 2,
            (Lie::Sum, false, false) => self.rows + 10,
            (Lie::Across, false, _) => self.rows / 4,
        }
    }

    fn len(&self, k: usize) -> usize {
        match (self.lie, self.matrix) {
            (Lie::Sum, true) => self.rows * self.pitch(),
            (Lie::Sum, false) => k / 4 * self.pitch(),
            (Lie::Across, _) => k * self.pitch(),
        }
    }

    /// Where a vector goes: of `quad` and `row`, or of `term` and `row4`.
    fn place(&self, along: &str, across: &str) -> String {
        let pitch = self.pitch();
        match (self.lie, self.matrix, self.left) {
            (Lie::Sum, true, _) => format!("({across}) * {pitch}u + {along}"),
            (Lie::Sum, false, true) => format!("{along} * {pitch}u + {across}"),
            (Lie::Sum, false, false) => {
                let part = self.rows / 4 + 1;
                format!("{along} * {pitch}u + ({across}) % 4u * {part}u + ({across}) / 4u")
            }
            (Lie::Across, _, _) => format!("({along}) * {pitch}u + {across}"),
        }
    }
}

/// Which vectors of a factor a thread brings.
struct Share {
    /// Vectors of a row of threads, and how many a thread has.
    wide: usize,
    each: usize,
    /// Rows from one of its vectors to the next.
    step: usize,
    /// Rows there are.
    rows: usize,
}

impl Product {
    fn share(&self, left: bool) -> Share {
        let lie = self.pass.lies()[usize::from(!left)];
        let rows = if left { self.tile.m } else { self.tile.n };
        let (wide, rows) = match lie {
            Lie::Sum => (self.tile.k / 4, rows),
            Lie::Across => (rows / 4, self.tile.k),
        };
        let step = self.tile.group() / wide;
        Share { wide, each: rows.div_ceil(step), step, rows }
    }

    fn scalar(&self) -> [bool; 3] {
        let (c, f) = (!self.channels.vectors(), !self.features.vectors());
        match self.pass {
            Pass::Forward => [c, c, f],
            Pass::Data => [f, c, c],
            Pass::Weight => [f, c, c],
        }
    }
}

impl Program for Product {
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
        let to = &mut text;
        if matches!(self.tile.units, Units::Matrix(_)) {
            to.push_str("enable f16;\nenable wgpu_cooperative_matrix;\n");
        }
        let types = self.scalar().map(|scalar| match scalar {
            true => "f32",
            false => "vec4<f32>",
        });
        for (binding, (name, ty)) in ["left", "right", "result"].iter().zip(types).enumerate() {
            line(
                to,
                &format!(
                    "@group(0) @binding({binding}) var<storage, read_write> {name}: array<{ty}>;"
                ),
            );
        }
        to.push_str(include_str!("product.wgsl"));
        to.push_str(match self.shifts {
            true => include_str!("shift.wgsl"),
            false => include_str!("divide.wgsl"),
        });
        self.loads(to);
        self.puts(to);
        self.main(to);
        text
    }
}

fn line(to: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(to, "{text}");
}

/// Four numbers of a function of the index `e`, as a vector.
fn four(of: impl Fn(usize) -> String) -> String {
    let each: Vec<String> = (0..4).map(of).collect();
    format!("vec4<f32>({})", each.join(", "))
}

impl Product {
    /// `load_left` and `load_right`: four numbers of a factor.
    fn loads(&self, to: &mut String) {
        // Of a map: what lies at a pixel that may be outside, and a channel.
        let map = |name: &str, sides: [&str; 3], scalar: bool, buffer: &str| {
            let [rows, columns, depth] = sides;
            let (read, ty, zero) = match scalar {
                true => (format!("{buffer}[pixel * p.{depth} + channel]"), "f32", "0.0"),
                false => (
                    format!("{buffer}[(pixel * p.{depth} + channel) / 4u]"),
                    "vec4<f32>",
                    "vec4<f32>()",
                ),
            };
            format!(
                "fn {name}(first: u32, y: i32, x: i32, channel: u32) -> {ty} {{
    // What is above or left is a large number without its sign.
    if (u32(y) < p.{rows} && u32(x) < p.{columns}) {{
        let pixel = first + u32(y) * p.{columns} + u32(x);
        return {read};
    }}
    return {zero};
}}
"
            )
        };
        let [left, right, _] = self.scalar();
        let x = ["height", "width", "channels"];
        let y = ["rows", "columns", "features"];
        match self.pass {
            Pass::Forward => {
                to.push_str(&map("under", x, left, "left"));
                to.push_str(&self.load_window(
                    self.channels,
                    "channels",
                    "at.x + tap.y",
                    "at.y + tap.x",
                ));
                to.push_str(&load_rows(right));
            }
            Pass::Data => {
                to.push_str(&map("under", y, left, "left"));
                to.push_str(&self.load_window(
                    self.features,
                    "features",
                    "at.x - tap.y",
                    "at.y - tap.x",
                ));
                to.push_str(&load_taps(right));
            }
            Pass::Weight => {
                to.push_str(&load_pixels(left));
                to.push_str(&map("under", x, right, "right"));
                to.push_str(&load_windows(right));
            }
        }
    }

    /// Terms of the sum are a tap's channels, tap after tap.
    fn load_window(&self, access: Access, depth: &str, y: &str, x: &str) -> String {
        // Where a term lies: column and row of its tap, its channel.
        let split = format!(
            "fn split(k: u32, taps: u32) -> vec3<i32> {{
    let tap = k / p.{depth};
    return vec3<i32>(i32(tap % taps), i32(tap / taps), i32(k % p.{depth}));
}}
"
        );
        let body = match access {
            // The caller knows the tap: it is the same for all.
            Access::Whole => format!("    return under(first, {y}, {x}, u32(tap.z));"),
            Access::Vectors => format!(
                "    if (k >= last) {{
        return vec4<f32>();
    }}
    let tap = split(k, taps);
    return under(first, {y}, {x}, u32(tap.z));"
            ),
            Access::Scalars => {
                let each = four(|e| format!("load_one(first, at, k + {e}u, last, taps)"));
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

    /// `put`: four numbers of the result to where they belong.
    fn puts(&self, to: &mut String) {
        let [_, _, scalar] = self.scalar();
        let width = match self.pass {
            Pass::Forward => "features",
            Pass::Data => "channels",
            Pass::Weight => "n",
        };
        to.push_str(match self.pass {
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
        });
        let store = match scalar {
            true => (0..4)
                .map(|e| {
                    format!(
                        "    if (n + {e}u < p.n) {{
        result[first + n + {e}u] = value[{e}];
    }}
"
                    )
                })
                .collect::<String>(),
            false => "    result[(first + n) / 4u] = value;\n".into(),
        };
        line(
            to,
            &format!(
                "fn put(part: u32, row: u32, n: u32, value: vec4<f32>) {{
    if (row == NOWHERE || n >= p.n) {{
        return;
    }}
    let first = part * p.length + row * p.{width};
{store}}}"
            ),
        );
    }

    fn main(&self, to: &mut String) {
        let Tile { m, n, k, units } = self.tile;
        let group = self.tile.group();
        let [left, right] = self.pass.lies();
        let layouts = [self.tile.layout(left, true), self.tile.layout(right, false)];
        let ty = match units {
            Units::Threads(_) => "vec4<f32>",
            Units::Matrix(_) => "vec4<f16>",
        };
        for (name, layout) in ["left_tile", "right_tile"].iter().zip(&layouts) {
            let len = layout.len(k);
            line(to, &format!("var<workgroup> {name}: array<{ty}, {len}>;"));
        }
        if matches!(units, Units::Matrix(_)) {
            let len = group / SUBGROUP * FRAGMENT * STAGE;
            line(to, &format!("var<workgroup> stage: array<vec4<f32>, {len}>;"));
            to.push_str(
                "fn halves(x: vec4<f32>, scale: f32) -> vec4<f16> {
    return vec4<f16>(clamp(x * scale, vec4<f32>(-65504.0), vec4<f32>(65504.0)));
}
",
            );
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
        match self.pass {
            Pass::Forward => to.push_str(
                "    let phase = vec2<u32>();
    let taps = p.kernel;
    let last_k = min(first_k + p.part, p.k);
",
            ),
            Pass::Data => to.push_str(
                "    let group = id.z / p.parts;
    let phase = vec2<u32>(group % p.stride, group / p.stride);
    // The first tap that these pixels meet, and how many.
    let first_tap = (phase + vec2<u32>(p.padding)) % vec2<u32>(p.stride);
    let counts = (vec2<u32>(p.kernel + p.stride - 1u) - min(first_tap, vec2<u32>(p.kernel))) / vec2<u32>(p.stride);
    let taps = counts.x;
    let nearest = vec2<i32>((phase + vec2<u32>(p.padding) - first_tap) / vec2<u32>(p.stride));
    let last_k = min(first_k + p.part, counts.x * counts.y * p.features);
",
            ),
            Pass::Weight => to.push_str(
                "    let phase = vec2<u32>();
    let last_k = min(first_k + p.part, p.k);
",
            ),
        }
        self.prepare(to);
        match units {
            Units::Threads(each) => self.threads(to, each, &layouts),
            Units::Matrix(each) => self.matrix(to, each, &layouts),
        }
        line(to, "}");
    }

    /// What stays the same for a thread: which vectors it brings, from where.
    fn prepare(&self, to: &mut String) {
        for left in [true, false] {
            let side = if left { "l" } else { "r" };
            let share = self.share(left);
            line(
                to,
                &format!(
                    "    let {side}_near = thread % {}u;\n    let {side}_far = thread / {}u;",
                    share.wide, share.wide
                ),
            );
            for i in 0..share.each {
                let far = format!("{side}_far + {}u", i * share.step);
                match (self.pass, left) {
                    (Pass::Forward, true) => {
                        line(to, &format!("    let l_at_{i} = window(first_m + {far});"))
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
        if self.pass == Pass::Weight {
            to.push_str(match self.channels.vectors() {
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
        if self.whole() {
            // Where the tile's terms begin: tap and channel, the same for all threads.
            line(to, "    var tap = split(first_k, max(taps, 1u));");
        }
    }

    /// Whether the terms of a tile belong to one tap.
    fn whole(&self) -> bool {
        match self.pass {
            Pass::Forward => self.channels == Access::Whole,
            Pass::Data => self.features == Access::Whole,
            Pass::Weight => false,
        }
    }

    /// Brings the next vectors, of the terms from `k` on.
    fn bring(&self, to: &mut String, indent: &str) {
        let share = self.share(true);
        for i in 0..share.each {
            let call = match self.pass {
                Pass::Forward | Pass::Data => {
                    let at = format!("u32(l_at_{i}.x), l_at_{i}.yz");
                    match self.whole() {
                        true => format!("load_left({at}, tap + vec3<i32>(0, 0, 4 * i32(l_near)))"),
                        false => {
                            format!("load_left({at}, k + 4u * l_near, last_k, taps)")
                        }
                    }
                }
                Pass::Weight => format!(
                    "load_left(k + l_far + {}u, first_m + 4u * l_near, last_k)",
                    i * share.step
                ),
            };
            share.assign(to, indent, "l", i, &call);
        }
        let share = self.share(false);
        for i in 0..share.each {
            let far = format!("r_far + {}u", i * share.step);
            let call = match (self.pass, self.channels.vectors()) {
                (Pass::Forward, _) => {
                    format!("load_right(first_n + {far}, k + 4u * r_near, last_k)")
                }
                (Pass::Data, _) if self.whole() => format!(
                    "load_at(vec2<u32>(tap.xy), first_tap, u32(tap.z) + {far}, first_n + 4u * r_near)"
                ),
                (Pass::Data, _) => {
                    format!("load_right(k + {far}, last_k, taps, first_tap, first_n + 4u * r_near)")
                }
                (Pass::Weight, true) => format!("load_right(k + {far}, last_k, r_tap)"),
                (Pass::Weight, false) => {
                    format!("load_right(k + {far}, last_k, r_tap_0, r_tap_1, r_tap_2, r_tap_3)")
                }
            };
            share.assign(to, indent, "r", i, &call);
        }
        if self.whole() {
            let depth = match self.pass {
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
                    self.tile.k
                ),
            );
        }
    }

    /// The loop over the sum around what multiplies a tile.
    fn sum(&self, to: &mut String, layouts: &[Layout; 2], multiply: impl FnOnce(&mut String)) {
        let k = self.tile.k;
        line(to, "    var k = first_k;");
        line(to, "    if (k < last_k) {");
        self.bring(to, "        ");
        line(to, "    }");
        line(to, "    while (k < last_k) {");
        for (side, name, layout) in
            [("l", "left_tile", &layouts[0]), ("r", "right_tile", &layouts[1])]
        {
            let share = self.share(side == "l");
            for i in 0..share.each {
                let far = format!("{side}_far + {}u", i * share.step);
                let near = format!("{side}_near");
                let place = match layout.lie {
                    Lie::Sum => layout.place(&near, &far),
                    Lie::Across => layout.place(&far, &near),
                };
                let value = match self.tile.units {
                    Units::Threads(_) => format!("{side}_{i}"),
                    Units::Matrix(_) => {
                        let scale = if side == "l" { "scale_left" } else { "scale_right" };
                        format!("halves({side}_{i}, p.{scale})")
                    }
                };
                let store = format!("{name}[{place}] = {value};");
                match share.full(i) {
                    true => line(to, &format!("        {store}")),
                    false => line(
                        to,
                        &format!(
                            "        if ({far} < {}u) {{\n            {store}\n        }}",
                            share.rows
                        ),
                    ),
                }
            }
        }
        line(to, "        workgroupBarrier();");
        line(to, &format!("        k += {k}u;"));
        line(to, "        if (k < last_k) {");
        self.bring(to, "            ");
        line(to, "        }");
        multiply(to);
        line(to, "        workgroupBarrier();");
        line(to, "    }");
    }

    fn threads(&self, to: &mut String, [each_m, each_n]: [usize; 2], layouts: &[Layout; 2]) {
        let (threads_m, threads_n) = (self.tile.m / each_m, self.tile.n / each_n);
        let vectors = each_n / 4;
        line(to, &format!("    let own_n = thread % {threads_n}u;"));
        line(to, &format!("    let own_m = thread / {threads_n}u;"));
        for i in 0..each_m {
            for j in 0..vectors {
                line(to, &format!("    var sum_{i}_{j} = vec4<f32>();"));
            }
        }
        let [left, right] = layouts;
        self.sum(to, layouts, |to| {
            let (steps, terms) = match left.lie {
                Lie::Sum => (self.tile.k / 4, 4),
                Lie::Across => (self.tile.k, 1),
            };
            line(to, &format!("        for (var q = 0u; q < {steps}u; q++) {{"));
            let pitch = left.pitch();
            match left.lie {
                Lie::Sum => (0..each_m).for_each(|i| {
                    let row = i * threads_m;
                    line(to, &format!("            let a_{i} = left_tile[q * {pitch}u + own_m + {row}u];"));
                }),
                Lie::Across => (0..each_m / 4).for_each(|i| {
                    let row = i * threads_m;
                    line(to, &format!("            let a_{i} = left_tile[q * {pitch}u + own_m + {row}u];"));
                }),
            }
            let pitch = right.pitch();
            if right.lie == Lie::Sum {
                let part = right.rows / 4 + 1;
                for j in 0..vectors {
                    for e in 0..4 {
                        let at = e * part + j * threads_n;
                        line(to, &format!("            let w_{j}_{e} = right_tile[q * {pitch}u + own_n + {at}u];"));
                    }
                }
            }
            for term in 0..terms {
                for j in 0..vectors {
                    let value = match right.lie {
                        Lie::Sum => four(|e| format!("w_{j}_{e}[{term}]")),
                        Lie::Across => {
                            let at = j * threads_n;
                            let row = match terms {
                                1 => "q".to_string(),
                                _ => format!("(4u * q + {term}u)"),
                            };
                            format!("right_tile[{row} * {pitch}u + own_n + {at}u]")
                        }
                    };
                    line(to, &format!("            let b_{term}_{j} = {value};"));
                }
                for i in 0..each_m {
                    let a = match left.lie {
                        Lie::Sum => format!("a_{i}[{term}]"),
                        Lie::Across => format!("a_{}[{}]", i / 4, i % 4),
                    };
                    for j in 0..vectors {
                        line(to, &format!("            sum_{i}_{j} = fma(vec4<f32>({a}), b_{term}_{j}, sum_{i}_{j});"));
                    }
                }
            }
            line(to, "        }");
        });
        for i in 0..each_m {
            let row = match left.lie {
                Lie::Sum => format!("own_m + {}u", i * threads_m),
                Lie::Across => format!("4u * (own_m + {}u) + {}u", i / 4 * threads_m, i % 4),
            };
            line(to, &format!("    let row_{i} = place(first_m + {row}, phase);"));
            for j in 0..vectors {
                let column = format!("4u * (own_n + {}u)", j * threads_n);
                line(to, &format!("    put(part, row_{i}, first_n + {column}, sum_{i}_{j});"));
            }
        }
    }

    fn matrix(&self, to: &mut String, [each_m, each_n]: [usize; 2], layouts: &[Layout; 2]) {
        let wide = self.tile.n / (each_n * FRAGMENT);
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
        // A block of a factor: the first of its vectors, and which of its sides lies together.
        let block = |layout: &Layout, own: &str, i: usize, step: usize| {
            let (pitch, row) = (layout.pitch(), i * FRAGMENT);
            match layout.lie {
                Lie::Sum => format!("({own} + {row}u) * {pitch}u + {}u", step * FRAGMENT / 4),
                Lie::Across => format!("{}u + ({own} + {row}u) / 4u", step * FRAGMENT * pitch),
            }
        };
        let [left, right] = layouts;
        self.sum(to, layouts, |to| {
            for step in 0..self.tile.k / FRAGMENT {
                for i in 0..each_m {
                    let load = if left.lie == Lie::Sum { "coopLoadT" } else { "coopLoad" };
                    let at = block(left, "own_m", i, step);
                    let pitch = left.pitch();
                    line(to, &format!("        let a_{step}_{i} = {load}<coop_mat16x16<f16, A>>(&left_tile[{at}], {pitch}u);"));
                }
                for j in 0..each_n {
                    let load = if right.lie == Lie::Sum { "coopLoad" } else { "coopLoadT" };
                    let at = block(right, "own_n", j, step);
                    let pitch = right.pitch();
                    line(to, &format!("        let b_{step}_{j} = {load}<coop_mat16x16<f16, B>>(&right_tile[{at}], {pitch}u);"));
                    for i in 0..each_m {
                        line(to, &format!("        sum_{i}_{j} = coopMultiplyAdd(a_{step}_{i}, b_{step}_{j}, sum_{i}_{j});"));
                    }
                }
            }
        });
        // Out through the workgroup's memory, since rows of the result may lie anywhere.
        let own = FRAGMENT * STAGE;
        for i in 0..each_m {
            for half in 0..2 {
                let row = format!("own_m + {}u + lane / 4u", i * FRAGMENT + half * 8);
                line(to, &format!("    let row_{i}_{half} = place(first_m + {row}, phase);"));
            }
            for j in 0..each_n {
                line(
                    to,
                    &format!("    coopStoreT(sum_{i}_{j}, &stage[subgroup * {own}u], {STAGE}u);"),
                );
                line(to, "    workgroupBarrier();");
                let column = format!("first_n + own_n + {}u + lane % 4u * 4u", j * FRAGMENT);
                for half in 0..2 {
                    let from = format!(
                        "subgroup * {own}u + (lane / 4u + {}u) * {STAGE}u + lane % 4u",
                        half * 8
                    );
                    line(
                        to,
                        &format!(
                            "    put(part, row_{i}_{half}, {column}, stage[{from}] * p.scale_result);"
                        ),
                    );
                }
                line(to, "    workgroupBarrier();");
            }
        }
    }
}

impl Share {
    /// Whether every thread has its vector `i`.
    fn full(&self, i: usize) -> bool {
        (i + 1) * self.step <= self.rows
    }

    /// `side_i = call`, by the threads that have such a vector.
    fn assign(&self, to: &mut String, indent: &str, side: &str, i: usize, call: &str) {
        let assign = format!("{side}_{i} = {call};");
        match self.full(i) {
            true => line(to, &format!("{indent}{assign}")),
            false => {
                let (first, rows) = (i * self.step, self.rows);
                line(
                    to,
                    &format!(
                        "{indent}if ({side}_far + {first}u < {rows}u) {{\n{indent}    {assign}\n{indent}}}"
                    ),
                );
            }
        }
    }
}

/// Rows of a matrix that lies row after row, four terms of one: the weight by its features.
fn load_rows(scalar: bool) -> String {
    let body = match scalar {
        true => {
            let each = four(|e| format!("load_weight(n, k + {e}u, last)"));
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

/// Four channels of a tap of the weight, of one feature.
fn load_taps(scalar: bool) -> String {
    let read = match scalar {
        true => {
            let each = four(|e| {
                format!("select(0.0, right[min(at + n + {e}u, p.taken)], n + {e}u < p.n)")
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

/// Four features of a pixel of the gradient by `y`.
fn load_pixels(scalar: bool) -> String {
    let read = match scalar {
        true => {
            let each = four(|e| {
                format!(
                    "select(0.0, left[min(k * p.features + m + {e}u, p.taken)], m + {e}u < p.m)"
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

/// Four channels under a tap of a pixel of `y`.
fn load_windows(scalar: bool) -> String {
    let tap =
        "// Column, row and channel of a column of the product; after the last one far outside.
fn tap_of(n: u32) -> vec3<i32> {
    let tap = n / p.channels;
    let seen = vec3<i32>(i32(tap % p.kernel), i32(tap / p.kernel), i32(n % p.channels));
    return select(vec3<i32>(-0x40000000, -0x40000000, 0), seen, n < p.n);
}
";
    let (arguments, read) = match scalar {
        true => (
            "tap_0: vec3<i32>, tap_1: vec3<i32>, tap_2: vec3<i32>, tap_3: vec3<i32>",
            four(|e| format!("under(first, at.y + tap_{e}.y, at.z + tap_{e}.x, u32(tap_{e}.z))")),
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
