// A step of Adam, one value per thread; the bias corrections are folded into the constants.

struct Numbers {
    count: u32,
    step: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    none: u32,
}

@group(0) @binding(0) var<storage, read_write> old_weight: array<Value>;
@group(0) @binding(1) var<storage, read_write> gradient: array<Value>;
@group(0) @binding(2) var<storage, read_write> old_first: array<Value>;
@group(0) @binding(3) var<storage, read_write> old_second: array<Value>;
@group(0) @binding(4) var<storage, read_write> weight: array<Value>;
@group(0) @binding(5) var<storage, read_write> first: array<Value>;
@group(0) @binding(6) var<storage, read_write> second: array<Value>;
@group(0) @binding(7) var<uniform> p: Numbers;

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
    let g = gradient[at];
    let m = old_first[at] * p.beta1 + g * (1.0 - p.beta1);
    let v = old_second[at] * p.beta2 + g * g * (1.0 - p.beta2);
    first[at] = m;
    second[at] = v;
    weight[at] = old_weight[at] - p.step * m / (sqrt(v) + Value(p.epsilon));
}
