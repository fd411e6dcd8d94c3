// Turns a feature map into bytes, row by row, channels last: four bytes per thread. Faces begin at
// whole words.
@compute @workgroup_size(64)
fn pixels(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (id.y * ROW + id.x) * 64u + thread;
    let face = at / layer.words;
    if (face >= call.x) {
        return;
    }
    let first = at % layer.words * 4u;
    var word = 0u;
    for (var i = 0u; i < 4u; i++) {
        let pixel = (first + i) / layer.out_channels;
        let channel = (first + i) % layer.out_channels;
        if (pixel < layer.out_plane) {
            let values = input[(face * layer.out_plane + pixel) * layer.out_depth + channel / 4u];
            word |= byte(f32(values[channel % 4u])) << (8u * i);
        }
    }
    to[at] = word;
}
