// A CPU in disguise: its threads are the places of one register, eight of them, and each reads memory on its own, which is
// nearly all that it spends its time on. So the eight, with four lanes each, read two of 16 columns each and tell each other;
// they have no memory in common to wait for.

@compute @workgroup_size(8)
fn eight(@builtin(workgroup_id) id: vec3<u32>, @builtin(subgroup_invocation_id) thread: u32) {
    let group = groups[id.z];
    let number = id.y * ROW + id.x;
    let block = number % layer.blocks;
    let first = number / layer.blocks * 16u;
    if (first >= call.x * group.rows * group.columns) {
        return;
    }
    let near = column(group, first + thread);
    let far = column(group, first + thread + 8u);
    var r = Row(0, 0, 0u);
    let next = row(group, 1u);
    let rows = (group.quads + 3u) / 4u;
    var w = group.weights + block * rows * 16u * LANES + thread;
    var a0 = vec4<f32>();
    var a1 = vec4<f32>();
    var a2 = vec4<f32>();
    var a3 = vec4<f32>();
    var a4 = vec4<f32>();
    var a5 = vec4<f32>();
    var a6 = vec4<f32>();
    var a7 = vec4<f32>();
    var a8 = vec4<f32>();
    var a9 = vec4<f32>();
    var a10 = vec4<f32>();
    var a11 = vec4<f32>();
    var a12 = vec4<f32>();
    var a13 = vec4<f32>();
    var a14 = vec4<f32>();
    var a15 = vec4<f32>();
    for (var q = 0u; q < group.quads; q++) {
        let x = under(group, near, r);
        let y = under(group, far, r);
        let m = mat4x4<f32>(
            vec4<f32>(weights[w]),
            vec4<f32>(weights[w + LANES]),
            vec4<f32>(weights[w + 2u * LANES]),
            vec4<f32>(weights[w + 3u * LANES]),
        );
        a0 = products(m, subgroupBroadcast(x, 0u), a0);
        a1 = products(m, subgroupBroadcast(x, 1u), a1);
        a2 = products(m, subgroupBroadcast(x, 2u), a2);
        a3 = products(m, subgroupBroadcast(x, 3u), a3);
        a4 = products(m, subgroupBroadcast(x, 4u), a4);
        a5 = products(m, subgroupBroadcast(x, 5u), a5);
        a6 = products(m, subgroupBroadcast(x, 6u), a6);
        a7 = products(m, subgroupBroadcast(x, 7u), a7);
        a8 = products(m, subgroupBroadcast(y, 0u), a8);
        a9 = products(m, subgroupBroadcast(y, 1u), a9);
        a10 = products(m, subgroupBroadcast(y, 2u), a10);
        a11 = products(m, subgroupBroadcast(y, 3u), a11);
        a12 = products(m, subgroupBroadcast(y, 4u), a12);
        a13 = products(m, subgroupBroadcast(y, 5u), a13);
        a14 = products(m, subgroupBroadcast(y, 6u), a14);
        a15 = products(m, subgroupBroadcast(y, 7u), a15);
        w += 4u * LANES;
        r = later(group, r, next);
    }
    let lane = block * LANES + thread;
    finish(group, first + 0u, lane, a0);
    finish(group, first + 1u, lane, a1);
    finish(group, first + 2u, lane, a2);
    finish(group, first + 3u, lane, a3);
    finish(group, first + 4u, lane, a4);
    finish(group, first + 5u, lane, a5);
    finish(group, first + 6u, lane, a6);
    finish(group, first + 7u, lane, a7);
    finish(group, first + 8u, lane, a8);
    finish(group, first + 9u, lane, a9);
    finish(group, first + 10u, lane, a10);
    finish(group, first + 11u, lane, a11);
    finish(group, first + 12u, lane, a12);
    finish(group, first + 13u, lane, a13);
    finish(group, first + 14u, lane, a14);
    finish(group, first + 15u, lane, a15);
}
