
// Mean and variance of each channel of those of its runs (Chan et al. 1979), and the running ones.
@group(0) @binding(0) var<storage, read_write> parts: array<Value>;
@group(0) @binding(1) var<storage, read_write> old_mean: array<Value>;
@group(0) @binding(2) var<storage, read_write> old_variance: array<Value>;
@group(0) @binding(3) var<storage, read_write> statistics: array<Value>;
@group(0) @binding(4) var<storage, read_write> mean: array<Value>;
@group(0) @binding(5) var<storage, read_write> variance: array<Value>;
@group(0) @binding(6) var<uniform> p: Numbers;

var<workgroup> counts: array<f32, 256>;

// Puts a run of `count` pixels to those of a thread.
fn join(thread: u32, mean: Value, squares: Value, count: f32) {
    let seen = counts[thread];
    let all = max(seen + count, 1.0);
    let off = mean - one[thread];
    one[thread] += off * (count / all);
    two[thread] += squares + off * off * (seen * count / all);
    counts[thread] = seen + count;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.x * LANES + thread % LANES;
    one[thread] = Value();
    two[thread] = Value();
    counts[thread] = 0.0;
    if (c < p.vectors) {
        for (var part = thread / LANES; part < p.parts; part += ROWS) {
            let count = f32(min(p.each, p.pixels - part * p.each));
            join(thread, parts[2u * part * p.vectors + c], parts[(2u * part + 1u) * p.vectors + c], count);
        }
    }
    workgroupBarrier();
    for (var half = ROWS / 2u; half > 0u; half /= 2u) {
        if (thread / LANES < half) {
            let other = thread + half * LANES;
            join(thread, one[other], two[other], counts[other]);
        }
        workgroupBarrier();
    }
    if (thread < LANES && c < p.vectors) {
        let own_mean = one[thread];
        let own_variance = two[thread] / f32(p.pixels);
        statistics[c] = own_mean;
        statistics[p.vectors + c] = own_variance;
        mean[c] = old_mean[c] * (1.0 - p.momentum) + own_mean * p.momentum;
        variance[c] = old_variance[c] * (1.0 - p.momentum) + own_variance * p.momentum;
    }
}
