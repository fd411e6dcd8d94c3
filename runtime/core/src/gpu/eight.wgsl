// Software adapters: the eight threads of a workgroup are the elements of one register, and
// scattered reads take nearly all the time. So each thread reads two of 16 columns and broadcasts
// them, without shared memory.

@compute @workgroup_size(8)
fn eight(@builtin(workgroup_id) id: vec3<u32>, @builtin(subgroup_invocation_id) thread: u32) {
    let group = groups[id.z];
    let number = id.y * ROW + id.x;
    let blocks = (layer.lanes + BLOCK - 1u) / BLOCK;
    let block = number % blocks;
    let first = number / blocks * 16u;
    if (first >= call.x * group.rows * group.columns) {
        return;
    }
    let near = column(group, first + thread);
    let far = column(group, first + thread + 8u);
    var r = Row(0, 0, 0u);
    let next = row(group, 1u);
    let rows = (group.quads + 3u) / 4u;
    var w = group.weights + block * rows * 16u * BLOCK + thread;
    //: for j in 16
    var a{j} = vec4<f32>();
    //: end
    for (var q = 0u; q < group.quads; q++) {
        let x = vec4<f32>(under(group, near, r));
        let y = vec4<f32>(under(group, far, r));
        let m = mat4x4<f32>(
            vec4<f32>(weights[w]),
            vec4<f32>(weights[w + BLOCK]),
            vec4<f32>(weights[w + 2u * BLOCK]),
            vec4<f32>(weights[w + 3u * BLOCK]),
        );
        //: for j in 8
        a{j} = products(m, subgroupBroadcast(x, {j}u), a{j});
        //: end
        //: for j in 8
        a{8+j} = products(m, subgroupBroadcast(y, {j}u), a{8+j});
        //: end
        w += 4u * BLOCK;
        r = later(group, r, next);
    }
    let lane = block * BLOCK + thread;
    //: for j in 16
    finish(place(group, first + {j}u), lane, a{j});
    //: end
}
