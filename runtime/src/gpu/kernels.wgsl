// Every layer that multiplies is one product, of a matrix of weights and a matrix that is never made: a row a lane
// (an output channel; of a product with a matrix, a channel of a pixel), a column a position of a group of a face, and
// under it all that its taps see of the input. The phases of a transposed convolution are its groups.
//
// Maps are channels last, four channels a vector, the last of them padded with what is multiplied by nought. Weights come
// in blocks of lanes: block, row of the product, lane. What differs between programs stands before this text, written by
// kernel.rs: Stored, to, put, LANES (of a block, in vectors), SLICES, TALL.

struct Layer {
    // The input: vectors of a pixel, rows, columns, vectors of a face.
    depth: u32,
    rows: u32,
    columns: u32,
    face: u32,
    // The output: vectors of a pixel, channels, columns, pixels.
    out_depth: u32,
    out_channels: u32,
    out_columns: u32,
    out_plane: u32,
    // Blocks of lanes, vectors of lanes, rows from one position to the next, pixels of the output so.
    blocks: u32,
    lanes: u32,
    step: u32,
    by: u32,
    // Which function is applied (activation below), its slope; of what moves values how, and by what factor.
    activation: u32,
    slope: f32,
    reshape: u32,
    factor: u32,
}

struct Group {
    // Positions.
    rows: u32,
    columns: u32,
    // Columns of taps, and four values each under all taps.
    taps: u32,
    quads: u32,
    // Row and column under the first tap of the first position, and which way taps go.
    y: i32,
    x: i32,
    way: i32,
    // Where its weights begin, in vectors, and the output's first pixel.
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
// Faces of the call.
@group(0) @binding(6) var<uniform> call: vec4<u32>;

// Workgroups in a row of a dispatch: kernel.rs says the same.
const ROW = 32768u;

// One column of the product: where its face begins, row and column under the first tap.
struct Column {
    face: u32,
    y: i32,
    x: i32,
}

fn column(group: Group, at: u32) -> Column {
    let positions = group.rows * group.columns;
    let face = at / positions;
    if (face >= call.x) {
        // So far outside that no tap gets in.
        return Column(0u, -0x40000000, 0);
    }
    let r = at % positions / group.columns;
    let c = at % group.columns;
    return Column(face * layer.face, i32(r * layer.step) + group.y, i32(c * layer.step) + group.x);
}

// Which tap, and which vector of the pixel under it.
struct Row {
    y: i32,
    x: i32,
    depth: u32,
}

fn row(group: Group, quad: u32) -> Row {
    let tap = quad / layer.depth;
    return Row(i32(tap / group.taps), i32(tap % group.taps), quad % layer.depth);
}

// The row that is `by` after another, both as row() has them: sums with carries, as of hours, minutes and seconds.
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

// Four values of the product's second matrix. Rows after the last have weights of nought.
fn under(group: Group, c: Column, r: Row) -> vec4<f32> {
    // What is above or left is a large number without its sign.
    let y = u32(c.y + group.way * r.y);
    let x = u32(c.x + group.way * r.x);
    if (y < layer.rows && x < layer.columns) {
        return vec4<f32>(input[c.face + (y * layer.columns + x) * layer.depth + r.depth]);
    }
    return vec4<f32>();
}

// Four rows of weights of four lanes, with four values of a column.
fn products(w: mat4x4<f32>, x: vec4<f32>, sum: vec4<f32>) -> vec4<f32> {
    let ab = fma(w[1], vec4<f32>(x.y), fma(w[0], vec4<f32>(x.x), sum));
    return fma(w[3], vec4<f32>(x.w), fma(w[2], vec4<f32>(x.z), ab));
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
            // Beyond 10 it is 1 to the last bit; drivers' own overflow.
            return 1.0 - 2.0 / (exp(2.0 * clamp(x, vec4<f32>(-10.0), vec4<f32>(10.0))) + 1.0);
        }
        case 4u: {
            return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
        }
        default: {
            return x;
        }
    }
}

// Bias, function, and out to where it belongs: column `at` of a group, a vector of lanes.
fn finish(group: Group, at: u32, lane: u32, sum: vec4<f32>) {
    let positions = group.rows * group.columns;
    let face = at / positions;
    if (face >= call.x || lane >= layer.lanes) {
        return;
    }
    let y = at % positions / group.columns * layer.by + group.out_y;
    let x = at % group.columns * layer.by + group.out_x;
    // More lanes than a pixel has: those of the pixels after it.
    let pixel = y * layer.out_columns + x + lane / layer.out_depth;
    put(face, pixel, lane % layer.out_depth, activation(sum + bias[lane]));
}

// Many columns: 64 of them and a block of lanes a workgroup, 16 rows at a time through the workgroup's memory; a thread
// has 4 columns and 4 or (TALL) 8 lanes.

const TILE = 64u;
// Two more than columns: else the threads that write next to each other meet in a bank.
const PITCH = TILE + 2u;

var<workgroup> w_tile: array<vec4<f32>, 16u * LANES>;
var<workgroup> x_tile: array<vec4<f32>, 4u * PITCH>;

fn w_of(lane: u32, quad: u32) -> mat4x4<f32> {
    let at = 4u * quad * LANES + lane;
    return mat4x4<f32>(w_tile[at], w_tile[at + LANES], w_tile[at + 2u * LANES], w_tile[at + 3u * LANES]);
}

@compute @workgroup_size(128)
fn tile(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let group = groups[id.z];
    let number = id.y * ROW + id.x;
    let block = number % layer.blocks;
    let first = number / layer.blocks * TILE;
    if (first >= call.x * group.rows * group.columns) {
        return;
    }
    // It brings four rows of two columns, and one or two vectors of weights.
    let quad = thread % 4u;
    let place = quad * PITCH + thread / 4u;
    let near = column(group, first + thread / 4u);
    let far = column(group, first + thread / 4u + 32u);
    var r = row(group, quad);
    let next = row(group, 4u);
    let rows = (group.quads + 3u) / 4u;
    var w = group.weights + block * rows * 16u * LANES + thread;
    // It sums four columns.
    let lane = select(thread / 16u, thread / 16u * 2u, TALL);
    let own = thread % 16u;
    var a0 = vec4<f32>();
    var a1 = vec4<f32>();
    var a2 = vec4<f32>();
    var a3 = vec4<f32>();
    var b0 = vec4<f32>();
    var b1 = vec4<f32>();
    var b2 = vec4<f32>();
    var b3 = vec4<f32>();
    for (var i = 0u; i < rows; i++) {
        x_tile[place] = under(group, near, r);
        x_tile[place + 32u] = under(group, far, r);
        w_tile[thread] = vec4<f32>(weights[w]);
        if (TALL) {
            w_tile[thread + 128u] = vec4<f32>(weights[w + 128u]);
        }
        r = later(group, r, next);
        w += 16u * LANES;
        workgroupBarrier();
        for (var q = 0u; q < 4u; q++) {
            let x = q * PITCH + own;
            let x0 = x_tile[x];
            let x1 = x_tile[x + 16u];
            let x2 = x_tile[x + 32u];
            let x3 = x_tile[x + 48u];
            let wa = w_of(lane, q);
            a0 = products(wa, x0, a0);
            a1 = products(wa, x1, a1);
            a2 = products(wa, x2, a2);
            a3 = products(wa, x3, a3);
            if (TALL) {
                let wb = w_of(lane + 1u, q);
                b0 = products(wb, x0, b0);
                b1 = products(wb, x1, b1);
                b2 = products(wb, x2, b2);
                b3 = products(wb, x3, b3);
            }
        }
        workgroupBarrier();
    }
    let out = block * LANES + lane;
    finish(group, first + own, out, a0);
    finish(group, first + own + 16u, out, a1);
    finish(group, first + own + 32u, out, a2);
    finish(group, first + own + 48u, out, a3);
    if (TALL) {
        finish(group, first + own, out + 1u, b0);
        finish(group, first + own + 16u, out + 1u, b1);
        finish(group, first + own + 32u, out + 1u, b2);
        finish(group, first + own + 48u, out + 1u, b3);
    }
}

// Few columns, or few lanes: a thread has 4 lanes and 4 columns, and of their rows every SLICES-th four. Weights are read
// once, by neighbours that lie next to each other.

const SPREAD = 256u / (LANES * SLICES);

var<workgroup> sums: array<vec4<f32>, 1024>;

@compute @workgroup_size(256)
fn slim(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let group = groups[id.z];
    let number = id.y * ROW + id.x;
    let block = number % layer.blocks;
    let first = number / layer.blocks * 4u * SPREAD;
    if (first >= call.x * group.rows * group.columns) {
        return;
    }
    let lane = thread % LANES;
    let own = first + thread / LANES % SPREAD;
    let slice = thread / (LANES * SPREAD);
    let c0 = column(group, own);
    let c1 = column(group, own + SPREAD);
    let c2 = column(group, own + 2u * SPREAD);
    let c3 = column(group, own + 3u * SPREAD);
    var a0 = vec4<f32>();
    var a1 = vec4<f32>();
    var a2 = vec4<f32>();
    var a3 = vec4<f32>();
    var r = row(group, slice);
    let next = row(group, SLICES);
    let rows = (group.quads + 3u) / 4u;
    var w = group.weights + (block * rows * 16u + 4u * slice) * LANES + lane;
    for (var q = slice; q < group.quads; q += SLICES) {
        let m = mat4x4<f32>(
            vec4<f32>(weights[w]),
            vec4<f32>(weights[w + LANES]),
            vec4<f32>(weights[w + 2u * LANES]),
            vec4<f32>(weights[w + 3u * LANES]),
        );
        a0 = products(m, under(group, c0, r), a0);
        a1 = products(m, under(group, c1, r), a1);
        a2 = products(m, under(group, c2, r), a2);
        a3 = products(m, under(group, c3, r), a3);
        w += 4u * SLICES * LANES;
        r = later(group, r, next);
    }
    // The slices' sums: each of the first four slices adds up one column.
    sums[thread] = a0;
    sums[thread + 256u] = a1;
    sums[thread + 512u] = a2;
    sums[thread + 768u] = a3;
    workgroupBarrier();
    if (slice < 4u) {
        var sum = vec4<f32>();
        for (var s = 0u; s < SLICES; s++) {
            sum += sums[256u * slice + s * LANES * SPREAD + thread % (LANES * SPREAD)];
        }
        finish(group, own + slice * SPREAD, block * LANES + lane, sum);
    }
}

// What multiplies nothing, or each channel by a number: a vector of the output a thread. Behind the bias are the factors.
@compute @workgroup_size(64)
fn move_values(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (id.y * ROW + id.x) * 64u + thread;
    let face = at / (layer.out_plane * layer.out_depth);
    if (face >= call.x) {
        return;
    }
    let pixel = at / layer.out_depth % layer.out_plane;
    let depth = at % layer.out_depth;
    var values = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
        var channel = 4u * depth + i;
        var source = pixel / layer.out_columns / layer.factor * layer.columns + pixel % layer.out_columns / layer.factor;
        if (layer.reshape == 1u) {
            // The same place in planes.
            let flat = min(channel, layer.out_channels - 1u) * layer.out_plane + pixel;
            channel = flat / (layer.rows * layer.columns);
            source = flat % (layer.rows * layer.columns);
        }
        values[i] = f32(input[face * layer.face + source * layer.depth + channel / 4u][channel % 4u]);
    }
    put(face, pixel, depth, activation(fma(values, bias[layer.out_depth + depth], bias[depth])));
}
