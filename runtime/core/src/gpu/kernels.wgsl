// Every layer that multiplies is one product of a matrix of weights and an implicit matrix: one row
// per lane (an output channel, or for a matrix product a channel of a pixel), one column per
// position of a group of a face, holding the input under all its taps. The phases of a transposed
// convolution are its groups.
//
// Feature maps have their channels last, four per vector; the padding of the last vector is
// multiplied by 0. Weights are in blocks of lanes: block, row of the product, lane. source.rs puts
// what differs between programs before this text: Stored, and BLOCK, the vectors of lanes per block
// of weights. The other constants in capitals belong to the kernel.

struct Layer {
    // The input: vectors per pixel, rows, columns, vectors per face.
    depth: u32,
    rows: u32,
    columns: u32,
    face: u32,
    // The output: vectors per pixel, channels, columns, pixels.
    out_depth: u32,
    out_channels: u32,
    out_columns: u32,
    out_plane: u32,
    // Blocks of lanes, vectors of lanes; input rows and output pixels from one position to the
    // next.
    blocks: u32,
    lanes: u32,
    step: u32,
    by: u32,
    // The activation (see below) and its first number; for layers that move values or join two
    // inputs, which one, and its factor or the channels of the first.
    activation: u32,
    slope: f32,
    reshape: u32,
    factor: u32,
    // For the image: black, 1 / (white - black), 32-bit words for the bytes of a face.
    black: f32,
    contrast: f32,
    words: u32,
    // The second number of the activation.
    most: f32,
    // Added to the variance of a channel.
    epsilon: f32,
}

struct Group {
    // Positions.
    rows: u32,
    columns: u32,
    // Columns of taps, and vectors of input under all taps.
    taps: u32,
    quads: u32,
    // Row and column under the first tap of the first position, and the direction of taps.
    y: i32,
    x: i32,
    way: i32,
    // Offset of the weights in vectors, and the first pixel of the output.
    weights: u32,
    out_y: u32,
    out_x: u32,
    none_a: u32,
    none_b: u32,
}

@group(0) @binding(0) var<uniform> layer: Layer;
@group(0) @binding(1) var<storage, read> groups: array<Group>;
@group(0) @binding(2) var<storage, read> weights: array<Stored>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> input: array<Stored>;
@group(0) @binding(5) var<storage, read_write> to: array<To>;
// Number of faces.
@group(0) @binding(6) var<uniform> call: vec4<u32>;

// Workgroups along the first side of a dispatch, as in kernel/mod.rs.
const ROW = 32768u;

// One column of the product: offset of its face, row and column under the first tap.
struct Column {
    face: u32,
    y: i32,
    x: i32,
}

fn column(group: Group, at: u32) -> Column {
    let positions = group.rows * group.columns;
    let face = at / positions;
    if (face >= call.x) {
        // So far outside that no tap is inside.
        return Column(0u, -0x40000000, 0);
    }
    let r = at % positions / group.columns;
    let c = at % group.columns;
    return Column(face * layer.face, i32(r * layer.step) + group.y, i32(c * layer.step) + group.x);
}

// A tap, and a vector of the pixel under it.
struct Row {
    y: i32,
    x: i32,
    depth: u32,
}

fn row(group: Group, quad: u32) -> Row {
    let tap = quad / layer.depth;
    return Row(i32(tap / group.taps), i32(tap % group.taps), quad % layer.depth);
}

// The row that is `by` after another, both as returned by row(): sums with carries.
fn later(group: Group, before: Row, by: Row) -> Row {
    var depth = before.depth + by.depth;
    var x = before.x + by.x;
    var y = before.y + by.y;
    let over = depth >= layer.depth;
    depth -= select(0u, layer.depth, over);
    x += select(0, 1, over);
    let taps = i32(group.taps);
    let down = x >= taps;
    return Row(y + select(0, 1, down), x - select(0, taps, down), depth);
}

// Where a coordinate is read on a side of `n` pixels. Unsigned: what lies above or left of the input
// is beyond its end.
fn edge(at: i32, n: u32) -> u32 {
    if (REFLECT) {
        let last = i32(n) - 1;
        return u32(last - abs(last - abs(at)));
    }
    return u32(at);
}

// Four values of the implicit matrix. Rows after the last have zero weights.
fn under(group: Group, c: Column, r: Row) -> Stored {
    let y = edge(c.y + group.way * r.y, layer.rows);
    let x = edge(c.x + group.way * r.x, layer.columns);
    if (y < layer.rows && x < layer.columns) {
        return input[c.face + (y * layer.columns + x) * layer.depth + r.depth];
    }
    return Stored();
}

// Four rows of weights of four lanes, times four values of a column.
fn products(w: mat4x4<f32>, x: vec4<f32>, sum: vec4<f32>) -> vec4<f32> {
    let ab = fma(w[1], vec4<f32>(x.y), fma(w[0], vec4<f32>(x.x), sum));
    return fma(w[3], vec4<f32>(x.w), fma(w[2], vec4<f32>(x.z), ab));
}

// Those of op/activation.rs. Drivers may overflow in exp, so its argument is limited.
fn bounded_exp(x: vec4<f32>) -> vec4<f32> {
    return exp(clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0)));
}

fn bounded_tanh(x: vec4<f32>) -> vec4<f32> {
    return 1.0 - 2.0 / (exp(2.0 * clamp(x, vec4<f32>(-10.0), vec4<f32>(10.0))) + 1.0);
}

fn elu(x: vec4<f32>, alpha: f32) -> vec4<f32> {
    return select(alpha * (bounded_exp(x) - 1.0), x, x > vec4<f32>());
}

fn softplus(x: vec4<f32>) -> vec4<f32> {
    return max(x, vec4<f32>()) + log(1.0 + bounded_exp(-abs(x)));
}

fn erf(x: vec4<f32>) -> vec4<f32> {
    let t = 1.0 / (1.0 + 0.3275911 * abs(x));
    let p = ((((1.0614054 * t - 1.453152) * t + 1.4214137) * t - 0.28449674) * t + 0.2548296) * t;
    return sign(x) * (1.0 - p * bounded_exp(-x * x));
}

fn activation(x: vec4<f32>) -> vec4<f32> {
    switch layer.activation {
        case 1u: {
            return max(x, vec4<f32>());
        }
        case 2u: {
            return select(layer.slope * x, x, x > vec4<f32>());
        }
        case 3u: {
            // Beyond 10 the result is 1 to the last bit; tanh of some drivers overflows.
            return 1.0 - 2.0 / (exp(2.0 * clamp(x, vec4<f32>(-10.0), vec4<f32>(10.0))) + 1.0);
        }
        case 4u: {
            return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
        }
        case 5u: {
            return elu(x, layer.slope);
        }
        case 6u: {
            return 1.050701 * elu(x, 1.6732632);
        }
        case 7u: {
            return 0.5 * x * (1.0 + erf(x * 0.70710678));
        }
        case 8u: {
            return 0.5 * x * (1.0 + bounded_tanh(0.7978846 * (x + 0.044715 * x * x * x)));
        }
        case 9u: {
            return x / (1.0 + bounded_exp(-x));
        }
        case 10u: {
            return x * bounded_tanh(softplus(x));
        }
        case 11u: {
            return softplus(x);
        }
        case 12u: {
            return clamp(x, vec4<f32>(layer.slope), vec4<f32>(layer.most));
        }
        default: {
            return x;
        }
    }
}

// As in image.rs: halves round up, values outside are clamped, NaN is 0.
fn byte(value: f32) -> u32 {
    let x = (value - layer.black) * layer.contrast * 255.0 + 0.5;
    return select(0u, u32(min(x, 255.0)), x > 0.0);
}
