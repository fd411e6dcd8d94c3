// Multiply-adds and nothing else: three vectors at a time, in sums that do not wait for each other. The numbers come from
// outside, so that nothing is worked out beforehand.

struct Numbers {
    by: f32,
    add: f32,
    rounds: u32,
    none: u32,
}

@group(0) @binding(0) var<storage, read_write> never: array<vec4<f32>>;
@group(0) @binding(1) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = vec4<f32>(p.by);
    let n = vec4<f32>(p.add);
    var a = vec4<f32>(f32(id.x));
    var b = a + 1.0;
    var c = a + 2.0;
    for (var i = 0u; i < p.rounds; i++) {
REPEATED    }
    // It never is, which no compiler knows.
    if (a.x + b.y + c.z == -1.0) {
        never[0] = a + b + c;
    }
}
