// A moving average, one value per thread.

struct Numbers {
    count: u32,
    decay: f32,
}

@group(0) @binding(0) var<storage, read_write> average: array<Value>;
@group(0) @binding(1) var<storage, read_write> latest: array<Value>;
@group(0) @binding(2) var<storage, read_write> result: array<Value>;
@group(0) @binding(3) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (id.y * groups.x + id.x) * 256u + thread;
    if (at >= p.count) {
        return;
    }
    result[at] = average[at] * p.decay + latest[at] * (1.0 - p.decay);
}
