// What the kernels over channels share. A map is pixels of `vectors` values; a workgroup has LANES values side by side and
// as many pixels at a time as its 256 threads leave, of a run of `each` pixels.

struct Numbers {
    pixels: u32,
    vectors: u32,
    each: u32,
    parts: u32,
    epsilon: f32,
    slope: f32,
    momentum: f32,
    tanh: u32,
}

const ROWS = 256u / LANES;

var<workgroup> one: array<Value, 256>;
var<workgroup> two: array<Value, 256>;

// Adds up the rows of `one` and `two`: each by halves, so that the order never changes. Row 0 has the sums.
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

// The function `p` names. The hyperbolic tangent is 1 to the last bit beyond 10, where a driver's own may overflow.
fn bent(z: Value, p: Numbers) -> Value {
    if (p.tanh == 1u) {
        let e = exp(2.0 * clamp(z, Value(-10.0), Value(10.0)));
        return Value(1.0) - Value(2.0) / (e + Value(1.0));
    }
    return rectified(z, p.slope);
}

// Its slope where `y` came out.
fn slope_at(y: Value, p: Numbers) -> Value {
    if (p.tanh == 1u) {
        return Value(1.0) - y * y;
    }
    return select(Value(p.slope), Value(1.0), y > Value());
}
