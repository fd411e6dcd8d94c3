
@group(0) @binding(0) var<storage, read_write> gradient: array<f32>;
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
    let own = pair / p.outer * 16u * p.outer + outer;
    var columns: array<vec3<f32>, 4>;
    for (var x = 0u; x < 4u; x++) {
        let at = own + x * p.outer;
        let row = 4u * p.outer;
        columns[x] = unfolded(
            vec4<f32>(gradient[at], gradient[at + row], gradient[at + 2u * row], gradient[at + 3u * row]),
        );
    }
    let first = outer * p.stride_outer + pair / p.outer * p.stride_inner;
    for (var y = 0u; y < 3u; y++) {
        let row = unfolded(vec4<f32>(columns[0][y], columns[1][y], columns[2][y], columns[3][y]));
        for (var x = 0u; x < 3u; x++) {
            result[first + y * p.stride_y + x * p.stride_x] = row[x];
        }
    }
}
