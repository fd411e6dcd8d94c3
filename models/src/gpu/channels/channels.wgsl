// What the kernels over channels share. A feature map is pixels of `vectors` values. A workgroup
// handles LANES neighboring values of as many pixels at a time as its 256 threads allow, in a run
// of `each` pixels.

struct Params {
    pixels: u32,
    vectors: u32,
    each: u32,
    parts: u32,
    epsilon: f32,
    slope: f32,
    momentum: f32,
    // 0: a leaky rectifier of this slope. 1: the hyperbolic tangent.
    tanh: u32,
}

const ROWS = 256u / LANES;

var<workgroup> one: array<Value, 256>;
var<workgroup> two: array<Value, 256>;

// The share of a thread: value `c` of every ROWS-th pixel from `first` to `last`.
struct Share {
    c: u32,
    first: u32,
    last: u32,
}

fn share(id: vec3<u32>, thread: u32) -> Share {
    let first = id.x * p.each;
    let last = min(first + p.each, p.pixels);
    return Share(id.y * LANES + thread % LANES, first + thread / LANES, last);
}

// Sums the rows of `one` and `two` into row 0, by halves, so that the order never changes.
fn add_rows(thread: u32) {
    workgroupBarrier();
    for (var half = ROWS / 2u; half > 0u; half /= 2u) {
        if (thread / LANES < half) {
            one[thread] += one[thread + half * LANES];
            two[thread] += two[thread + half * LANES];
        }
        workgroupBarrier();
    }
}

fn rectified(z: Value, slope: f32) -> Value {
    return select(slope * z, z, z > Value());
}

// The function that `p` names. tanh rounds to 1 above 10, where a driver's own may overflow.
fn activation(z: Value) -> Value {
    if (p.tanh == 1u) {
        let e = exp(2.0 * clamp(z, Value(-10.0), Value(10.0)));
        return Value(1.0) - Value(2.0) / (e + Value(1.0));
    }
    return rectified(z, p.slope);
}

// Its derivative at the input for which it returned `y`.
fn derivative(y: Value) -> Value {
    if (p.tanh == 1u) {
        return Value(1.0) - y * y;
    }
    return select(Value(p.slope), Value(1.0), y > Value());
}
