// Operations that move values or scale channels: one vector of the output per thread. The factors
// follow the bias.
@compute @workgroup_size(64)
fn move_values(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (id.y * ROW + id.x) * 64u + thread;
    let face = at / (layer.out_plane * layer.out_depth);
    if (face >= call.x) {
        return;
    }
    let pixel = at / layer.out_depth % layer.out_plane;
    let depth = at % layer.out_depth;
    var values = vec4<f32>();
    for (var i = 0u; i < 4u; i++) {
        var channel = 4u * depth + i;
        var source = pixel / layer.out_columns / layer.factor * layer.columns + pixel % layer.out_columns / layer.factor;
        if (layer.reshape == 1u) {
            // The same offset with channels first.
            let flat = min(channel, layer.out_channels - 1u) * layer.out_plane + pixel;
            channel = flat / (layer.rows * layer.columns);
            source = flat % (layer.rows * layer.columns);
        }
        values[i] = f32(input[face * layer.face + source * layer.depth + channel / 4u][channel % 4u]);
    }
    put(face, pixel, depth, activation(fma(values, bias[layer.out_depth + depth], bias[depth])));
}
