// Few columns, or few lanes: LANES vectors of lanes and SPREAD * WIDE columns per workgroup of 256
// threads. A thread has one vector of lanes and WIDE columns, SPREAD apart, and every SLICES-th
// vector of their rows. Neighboring threads read neighboring weights, each once.

const SLICES = 256u / (LANES * SPREAD);

var<workgroup> sums: array<vec4<f32>, 1024>;

@compute @workgroup_size(256)
fn slim(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let group = groups[id.z];
    let number = id.y * ROW + id.x;
    let tiles = (layer.lanes + LANES - 1u) / LANES;
    let lane = number % tiles * LANES + thread % LANES;
    let first = number / tiles * SPREAD * WIDE;
    if (first >= call.x * group.rows * group.columns) {
        return;
    }
    let own = first + thread / LANES % SPREAD;
    let slice = thread / (LANES * SPREAD);
    //: for j in WIDE
    let c{j} = column(group, own + {j}u * SPREAD);
    var a{j} = vec4<f32>();
    //: end
    var r = row(group, slice);
    let next = row(group, SLICES);
    let block = (group.quads + 3u) / 4u * 16u * BLOCK;
    var w = group.weights + lane / BLOCK * block + 4u * slice * BLOCK + lane % BLOCK;
    // Two vectors at a time, because reading memory takes longest.
    for (var q = slice; q < group.quads; q += 2u * SLICES) {
        let further = q + SLICES < group.quads;
        let s = later(group, r, next);
        let v = w + select(0u, 4u * SLICES * BLOCK, further);
        let m = mat4x4<f32>(
            vec4<f32>(weights[w]),
            vec4<f32>(weights[w + BLOCK]),
            vec4<f32>(weights[w + 2u * BLOCK]),
            vec4<f32>(weights[w + 3u * BLOCK]),
        );
        let n = mat4x4<f32>(
            vec4<f32>(weights[v]),
            vec4<f32>(weights[v + BLOCK]),
            vec4<f32>(weights[v + 2u * BLOCK]),
            vec4<f32>(weights[v + 3u * BLOCK]),
        );
        //: for j in WIDE
        let x{j} = vec4<f32>(under(group, c{j}, r));
        var y{j} = vec4<f32>();
        if (further) {
            y{j} = vec4<f32>(under(group, c{j}, s));
        }
        //: end
        //: for j in WIDE
        a{j} = products(n, y{j}, products(m, x{j}, a{j}));
        //: end
        w += 8u * SLICES * BLOCK;
        r = later(group, s, next);
    }
    // Adds up the sums of the slices, four columns at a time: each of the first four slices adds up
    // one.
    //: for k in ROUNDS
    //: for j in 4
    sums[thread + {j}u * 256u] = a{4k+j};
    //: end
    workgroupBarrier();
    if (slice < 4u) {
        var sum = vec4<f32>();
        for (var s = 0u; s < SLICES; s++) {
            sum += sums[256u * slice + s * LANES * SPREAD + thread % (LANES * SPREAD)];
        }
        finish(place(group, own + (4u * {k}u + slice) * SPREAD), lane, sum);
    }
    workgroupBarrier();
    //: end
}
