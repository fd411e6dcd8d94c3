
fn run(pair: u32) {
    if (pair >= p.inner * p.outer) {
        return;
    }
    let outer = pair % p.outer;
    let own = pair / p.outer * 16u * p.outer + outer;
    var columns: array<vec3<f32>, 4>;
    for (var x = 0u; x < 4u; x++) {
        let at = own + x * p.outer;
        let row = 4u * p.outer;
        columns[x] = resized_backward(
            vec4<f32>(gradient[at], gradient[at + row], gradient[at + 2u * row], gradient[at + 3u * row]),
        );
    }
    let first = outer * p.stride_outer + pair / p.outer * p.stride_inner;
    for (var y = 0u; y < 3u; y++) {
        let row = resized_backward(vec4<f32>(columns[0][y], columns[1][y], columns[2][y], columns[3][y]));
        for (var x = 0u; x < 3u; x++) {
            result[first + y * p.stride_y + x * p.stride_x] = row[x];
        }
    }
}
