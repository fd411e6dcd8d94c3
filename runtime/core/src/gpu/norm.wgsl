// Normalizes each channel: one workgroup per vector of channels of a face. The factors follow the
// bias.
var<workgroup> sums: array<vec4<f32>, THREADS>;

// The sum of a value of each thread.
fn total(thread: u32, value: vec4<f32>) -> vec4<f32> {
    sums[thread] = value;
    workgroupBarrier();
    for (var near = THREADS / 2u; near > 0u; near /= 2u) {
        if (thread < near) {
            sums[thread] += sums[thread + near];
        }
        workgroupBarrier();
    }
    let all = sums[0];
    workgroupBarrier();
    return all;
}

@compute @workgroup_size(THREADS)
fn norm(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let number = id.y * ROW + id.x;
    let face = number / layer.depth;
    let depth = number % layer.depth;
    if (face >= call.x) {
        return;
    }
    let first = face * layer.face + depth;
    var sum = vec4<f32>();
    for (var p = thread; p < layer.out_plane; p += THREADS) {
        sum += vec4<f32>(input[first + p * layer.depth]);
    }
    let mean = total(thread, sum) / f32(layer.out_plane);
    sum = vec4<f32>();
    for (var p = thread; p < layer.out_plane; p += THREADS) {
        let off = vec4<f32>(input[first + p * layer.depth]) - mean;
        sum += off * off;
    }
    let variance = total(thread, sum) / f32(layer.out_plane);
    // Padding has no variance, and must not become NaN.
    let least = max(variance + layer.epsilon, vec4<f32>(1e-30));
    let factor = bias[layer.out_depth + depth] / sqrt(least);
    for (var p = thread; p < layer.out_plane; p += THREADS) {
        let off = vec4<f32>(input[first + p * layer.depth]) - mean;
        put(face, p, depth, activation(fma(off, factor, bias[depth])));
    }
}
