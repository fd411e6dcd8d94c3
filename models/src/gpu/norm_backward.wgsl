
// The gradient by x: scale * (dz - mean(dz) - normalized * mean(dz * normalized)).
@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> dy: array<Value>;
@group(0) @binding(2) var<storage, read_write> statistics: array<Value>;
@group(0) @binding(3) var<storage, read_write> gamma: array<Value>;
@group(0) @binding(4) var<storage, read_write> beta: array<Value>;
@group(0) @binding(5) var<storage, read_write> by_gamma: array<Value>;
@group(0) @binding(6) var<storage, read_write> by_beta: array<Value>;
@group(0) @binding(7) var<storage, read_write> dx: array<Value>;
@group(0) @binding(8) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    if (c >= p.vectors) {
        return;
    }
    let inverse = Value(1.0) / sqrt(statistics[p.vectors + c] + Value(p.epsilon));
    let mean = statistics[c];
    let scale = gamma[c] * inverse;
    let shift = beta[c] - mean * scale;
    let tilt = -scale * inverse * by_gamma[c] / f32(p.pixels);
    let offset = -scale * by_beta[c] / f32(p.pixels) - tilt * mean;
    let last = min((id.x + 1u) * p.each, p.pixels);
    for (var pixel = id.x * p.each + thread / LANES; pixel < last; pixel += ROWS) {
        let at = pixel * p.vectors + c;
        let over = fma(x[at], scale, shift) > Value();
        let dz = dy[at] * select(Value(p.slope), Value(1.0), over);
        dx[at] = fma(dz, scale, fma(x[at], tilt, offset));
    }
}
