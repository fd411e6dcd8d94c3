// The sum of two inputs, or the channels of one (layer.factor of them) and then those of the other:
// one vector of the output per thread.
@group(0) @binding(7) var<storage, read> other: array<Stored>;

@compute @workgroup_size(64)
fn join(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (id.y * ROW + id.x) * 64u + thread;
    let face = at / (layer.out_plane * layer.out_depth);
    if (face >= call.x) {
        return;
    }
    let pixel = at / layer.out_depth % layer.out_plane;
    let depth = at % layer.out_depth;
    var values = vec4<f32>();
    if (layer.reshape == 0u) {
        values = vec4<f32>(input[at]) + vec4<f32>(other[at]);
    } else {
        let second = (layer.out_channels - layer.factor + 3u) / 4u;
        let place = face * layer.out_plane + pixel;
        for (var i = 0u; i < 4u; i++) {
            let channel = 4u * depth + i;
            if (channel < layer.factor) {
                values[i] = f32(input[place * layer.depth + channel / 4u][channel % 4u]);
            } else if (channel < layer.out_channels) {
                let rest = channel - layer.factor;
                values[i] = f32(other[place * second + rest / 4u][rest % 4u]);
            }
        }
    }
    put(face, pixel, depth, activation(values));
}
