// Multiply-adds and nothing else: three independent vectors of sums. Factor, addend and number of
// rounds are inputs, so that nothing can be computed ahead.
@group(0) @binding(0) var<uniform> given: vec4<f32>;
@group(0) @binding(1) var<storage, read_write> never: array<vec4<f32>>;

@compute @workgroup_size(256)
fn peak(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = vec4<f32>(given.x);
    let n = vec4<f32>(given.y);
    var a = vec4<f32>(f32(id.x));
    var b = a + 1.0;
    var c = a + 2.0;
    for (var i = 0u; i < u32(given.z); i++) {
REPEATED    }
    // Never true, which no compiler can know.
    if (a.x + b.y + c.z == -1.0) {
        never[0] = a + b + c;
    }
}
