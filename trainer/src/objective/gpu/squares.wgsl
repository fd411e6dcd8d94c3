// The sum of squares times a constant: one run of values per workgroup, or the sums of the runs.

struct Numbers {
    count: u32,
    each: u32,
    by: f32,
    // Whether the values are already squared.
    finishes: u32,
}

@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> p: Numbers;

var<workgroup> threads: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    let last = min((id.x + 1u) * p.each, p.count);
    for (var i = id.x * p.each + thread; i < last; i += 256u) {
        let value = values[i];
        sum += select(value * value, value, p.finishes == 1u);
    }
    threads[thread] = sum;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (thread < half) {
            threads[thread] += threads[thread + half];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        sums[id.x] = threads[0] * p.by;
    }
}
