
// The mean and variance of each channel, merged from its runs (Chan et al. 1979), and the running
// ones.
var<workgroup> counts: array<f32, 256>;

// Merges a run of `count` pixels into those of a thread.
fn merge(thread: u32, mean: Value, squares: Value, count: f32) {
    let seen = counts[thread];
    let all = max(seen + count, 1.0);
    let off = mean - one[thread];
    one[thread] += off * (count / all);
    two[thread] += squares + off * off * (seen * count / all);
    counts[thread] = seen + count;
}

fn run(id: vec3<u32>, thread: u32) {
    let c = id.x * LANES + thread % LANES;
    one[thread] = Value();
    two[thread] = Value();
    counts[thread] = 0.0;
    if (c < p.vectors) {
        for (var part = thread / LANES; part < p.parts; part += ROWS) {
            let count = f32(min(p.each, p.pixels - part * p.each));
            merge(thread, parts[2u * part * p.vectors + c], parts[(2u * part + 1u) * p.vectors + c], count);
        }
    }
    workgroupBarrier();
    for (var half = ROWS / 2u; half > 0u; half /= 2u) {
        if (thread / LANES < half) {
            let other = thread + half * LANES;
            merge(thread, one[other], two[other], counts[other]);
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
