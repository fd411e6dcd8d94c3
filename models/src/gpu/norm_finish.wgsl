
// The gradients by gamma and beta, of the sums of the runs.
@group(0) @binding(0) var<storage, read_write> parts: array<Value>;
@group(0) @binding(1) var<storage, read_write> statistics: array<Value>;
@group(0) @binding(2) var<storage, read_write> by_gamma: array<Value>;
@group(0) @binding(3) var<storage, read_write> by_beta: array<Value>;
@group(0) @binding(4) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.x * LANES + thread % LANES;
    var plain = Value();
    var weighted = Value();
    if (c < p.vectors) {
        for (var part = thread / LANES; part < p.parts; part += ROWS) {
            plain += parts[2u * part * p.vectors + c];
            weighted += parts[(2u * part + 1u) * p.vectors + c];
        }
    }
    one[thread] = plain;
    two[thread] = weighted;
    add_rows(thread);
    if (thread < LANES && c < p.vectors) {
        by_beta[c] = one[thread];
        by_gamma[c] = two[thread] / sqrt(statistics[p.vectors + c] + Value(p.epsilon));
    }
}
