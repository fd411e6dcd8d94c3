// One number of the output per thread, gathered from a tensor of any strides.

struct Numbers {
    count: u32,
    // Sides of the output but the first.
    b: u32,
    c: u32,
    d: u32,
    // Strides of the input in the output's order.
    stride_a: u32,
    stride_b: u32,
    stride_c: u32,
    stride_d: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> p: Numbers;

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
    let d = at % p.d;
    let c = at / p.d % p.c;
    let b = at / (p.d * p.c) % p.b;
    let a = at / (p.d * p.c * p.b);
    output[at] = input[a * p.stride_a + b * p.stride_b + c * p.stride_c + d * p.stride_d];
}
