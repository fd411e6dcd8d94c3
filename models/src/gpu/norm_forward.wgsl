
// Normalized, scaled, shifted, and a leaky rectifier.
@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> statistics: array<Value>;
@group(0) @binding(2) var<storage, read_write> gamma: array<Value>;
@group(0) @binding(3) var<storage, read_write> beta: array<Value>;
@group(0) @binding(4) var<storage, read_write> y: array<Value>;
@group(0) @binding(5) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    if (c >= p.vectors) {
        return;
    }
    let scale = gamma[c] / sqrt(statistics[p.vectors + c] + Value(p.epsilon));
    let shift = beta[c] - statistics[c] * scale;
    let last = min((id.x + 1u) * p.each, p.pixels);
    for (var pixel = id.x * p.each + thread / LANES; pixel < last; pixel += ROWS) {
        let at = pixel * p.vectors + c;
        y[at] = rectified(fma(x[at], scale, shift), p.slope);
    }
}
