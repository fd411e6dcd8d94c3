
// Sums of a run of pixels: of the gradient before the activation, and of it times x less its mean.
@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> dy: array<Value>;
@group(0) @binding(2) var<storage, read_write> statistics: array<Value>;
@group(0) @binding(3) var<storage, read_write> gamma: array<Value>;
@group(0) @binding(4) var<storage, read_write> beta: array<Value>;
@group(0) @binding(5) var<storage, read_write> parts: array<Value>;
@group(0) @binding(6) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    let last = min((id.x + 1u) * p.each, p.pixels);
    var plain = Value();
    var weighted = Value();
    if (c < p.vectors) {
        let mean = statistics[c];
        let scale = gamma[c] / sqrt(statistics[p.vectors + c] + Value(p.epsilon));
        let shift = beta[c] - mean * scale;
        for (var pixel = id.x * p.each + thread / LANES; pixel < last; pixel += ROWS) {
            let at = pixel * p.vectors + c;
            let over = fma(x[at], scale, shift) > Value();
            let dz = dy[at] * select(Value(p.slope), Value(1.0), over);
            plain += dz;
            weighted = fma(dz, x[at] - mean, weighted);
        }
    }
    one[thread] = plain;
    two[thread] = weighted;
    add_rows(thread);
    if (thread < LANES && c < p.vectors) {
        parts[2u * id.x * p.vectors + c] = one[thread];
        parts[(2u * id.x + 1u) * p.vectors + c] = two[thread];
    }
}
