
struct Params {
    positions: u32,
    rows: u32,
    columns: u32,
    // Vectors of features.
    depth: u32,
}

// In the order: vector of features, tap, channel.
var<workgroup> weights: array<vec4<f32>, SHARED * 16u * CHANNELS>;

// Loads the weight of SHARED vectors of features. In memory it has the order: feature, tap,
// channel.
fn share(first: u32, thread: u32) {
    workgroupBarrier();
    let count = min(SHARED, p.depth - first);
    let row = 16u * CHANNELS;
    for (var i = thread; i < count * row; i += GROUP) {
        let at = (first + i / row) * 4u * row + i % row;
        weights[i] = vec4<f32>(weight[at], weight[at + row], weight[at + 2u * row], weight[at + 3u * row]);
    }
    workgroupBarrier();
}

// A position: a pixel of y.
struct At {
    image: u32,
    row: i32,
    column: i32,
}

// Vector `f` of the features of a neighbor, 0 outside the image.
fn neighbor(at: At, dy: i32, dx: i32, f: u32) -> vec4<f32> {
    let row = u32(at.row + dy);
    let column = u32(at.column + dx);
    if (row < p.rows && column < p.columns) {
        return y[((at.image * p.rows + row) * p.columns + column) * p.depth + f];
    }
    return vec4<f32>();
}

// `sum` plus the dot product of `a` and `b`, in a fixed order.
fn dot_add(a: vec4<f32>, b: vec4<f32>, sum: f32) -> f32 {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

// The index of a pixel of x.
fn pixel(at: At, dy: u32, dx: u32) -> u32 {
    let row = (at.image * p.rows + u32(at.row)) * 2u + dy;
    return (row * 2u * p.columns + 2u * u32(at.column) + dx) * CHANNELS;
}

@compute @workgroup_size(GROUP)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let position = (id.y * groups.x + id.x) * GROUP + thread;
    let inside = position < p.positions;
    let own = select(0u, position, inside);
    let plane = p.rows * p.columns;
    let at = At(own / plane, i32(own % plane / p.columns), i32(own % p.columns));
