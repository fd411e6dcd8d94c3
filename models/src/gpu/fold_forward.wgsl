
@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let pair = (id.y * groups.x + id.x) * 64u + thread;
    if (pair >= p.inner * p.outer) {
        return;
    }
    let outer = pair % p.outer;
    let first = outer * p.stride_outer + pair / p.outer * p.stride_inner;
    var rows: array<vec4<f32>, 3>;
    for (var y = 0u; y < 3u; y++) {
        let at = first + y * p.stride_y;
        rows[y] = folded(vec3<f32>(weight[at], weight[at + p.stride_x], weight[at + 2u * p.stride_x]));
    }
    // Inner, tap, outer: the order in which the convolutions read it.
    let own = pair / p.outer * 16u * p.outer + outer;
    for (var x = 0u; x < 4u; x++) {
        let column = folded(vec3<f32>(rows[0][x], rows[1][x], rows[2][x]));
        for (var y = 0u; y < 4u; y++) {
            result[own + (4u * y + x) * p.outer] = column[y];
        }
    }
}
