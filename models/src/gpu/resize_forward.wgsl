
fn run(pair: u32) {
    if (pair >= p.inner * p.outer) {
        return;
    }
    let outer = pair % p.outer;
    let first = outer * p.stride_outer + pair / p.outer * p.stride_inner;
    var rows: array<vec4<f32>, 3>;
    for (var y = 0u; y < 3u; y++) {
        let at = first + y * p.stride_y;
        rows[y] = resized(vec3<f32>(weight[at], weight[at + p.stride_x], weight[at + 2u * p.stride_x]));
    }
    // Inner, tap, outer: the order in which the convolutions read it.
    let own = pair / p.outer * 16u * p.outer + outer;
    for (var x = 0u; x < 4u; x++) {
        let column = resized(vec3<f32>(rows[0][x], rows[1][x], rows[2][x]));
        for (var y = 0u; y < 4u; y++) {
            result[own + (4u * y + x) * p.outer] = column[y];
        }
    }
}
