// Many columns: LANES vectors of lanes and COLUMNS columns per workgroup. DEEP vectors of rows at a
// time go through one of STAGES parts of shared memory. A thread has TALL vectors of lanes and WIDE
// columns, DOWN and ACROSS apart, so that neighboring threads access neighboring memory. The next
// rows are read from global memory during the multiplication.

// Rows of vectors are offset by eight banks, so that neighboring threads write without bank
// conflicts.
const PITCH = COLUMNS + 8u / DEEP;
const X_STAGE = DEEP * PITCH;
const W_STAGE = 4u * DEEP * LANES;

var<workgroup> w_tile: array<vec4<f32>, STAGES * W_STAGE>;
var<workgroup> x_tile: array<vec4<f32>, STAGES * X_STAGE>;

@compute @workgroup_size(THREADS)
fn tile(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let group = groups[id.z];
    let number = id.y * ROW + id.x;
    let tiles = (layer.lanes + LANES - 1u) / LANES;
    let part = number % tiles * LANES;
    let first = number / tiles * COLUMNS;
    if (first >= call.x * group.rows * group.columns) {
        return;
    }
    // What the thread loads: vectors of X_LOADS columns, and W_LOADS vectors of weights.
    let quad = thread % DEEP;
    var r = row(group, quad);
    let next = row(group, DEEP);
    let x_place = quad * PITCH + thread / DEEP;
    //: for j in X_LOADS
    let c{j} = column(group, first + thread / DEEP + {j}u * (THREADS / DEEP));
    var x_next{j} = under(group, c{j}, r);
    //: end
    let steps = (group.quads + 3u) / 4u * 4u / DEEP;
    let block = (group.quads + 3u) / 4u * 16u * BLOCK;
    //: for j in W_LOADS
    let e{j} = thread + {j}u * THREADS;
    let v{j} = part + e{j} % LANES;
    var w{j} = group.weights + v{j} / BLOCK * block + e{j} / LANES * BLOCK + v{j} % BLOCK;
    var w_next{j} = weights[w{j}];
    //: end
    // What it computes: warps of SIDE lanes by 32 / SIDE columns.
    let warp = thread / 32u;
    let lane = thread % SIDE + SIDE * (warp % (DOWN / SIDE));
    let own = thread % 32u / SIDE + 32u / SIDE * (warp / (DOWN / SIDE));
    //: for l in TALL
    //: for j in WIDE
    var a{l}_{j} = vec4<f32>();
    //: end
    //: end
    for (var i = 0u; i < steps; i++) {
        let stage = i % STAGES;
        let x_to = stage * X_STAGE + x_place;
        //: for j in X_LOADS
        x_tile[x_to + {j}u * (THREADS / DEEP)] = vec4<f32>(x_next{j});
        //: end
        let w_to = stage * W_STAGE + thread;
        //: for j in W_LOADS
        w_tile[w_to + {j}u * THREADS] = vec4<f32>(w_next{j});
        //: end
        workgroupBarrier();
        if (i + 1u < steps) {
            r = later(group, r, next);
            //: for j in X_LOADS
            x_next{j} = under(group, c{j}, r);
            //: end
            //: for j in W_LOADS
            w{j} += 4u * DEEP * BLOCK;
            w_next{j} = weights[w{j}];
            //: end
        }
        let x_at = stage * X_STAGE + own;
        let w_at = stage * W_STAGE + lane;
        //: for q in DEEP
        {
            //: for j in WIDE
            let x{j} = x_tile[x_at + {q}u * PITCH + {j}u * ACROSS];
            //: end
            //: for l in TALL
            {
                let m0 = w_tile[w_at + {q}u * 4u * LANES + {l}u * DOWN];
                let m1 = w_tile[w_at + {q}u * 4u * LANES + {l}u * DOWN + LANES];
                let m2 = w_tile[w_at + {q}u * 4u * LANES + {l}u * DOWN + 2u * LANES];
                let m3 = w_tile[w_at + {q}u * 4u * LANES + {l}u * DOWN + 3u * LANES];
                //: for j in WIDE
                a{l}_{j} = fma(m0, vec4<f32>(x{j}.x), a{l}_{j});
                //: end
                //: for j in WIDE
                a{l}_{j} = fma(m1, vec4<f32>(x{j}.y), a{l}_{j});
                //: end
                //: for j in WIDE
                a{l}_{j} = fma(m2, vec4<f32>(x{j}.z), a{l}_{j});
                //: end
                //: for j in WIDE
                a{l}_{j} = fma(m3, vec4<f32>(x{j}.w), a{l}_{j});
                //: end
            }
            //: end
        }
        //: end
        if (STAGES == 1u) {
            workgroupBarrier();
        }
    }
    //: for j in WIDE
    {
        let p = place(group, first + own + {j}u * ACROSS);
        //: for l in TALL
        finish(p, part + lane + {l}u * DOWN, a{l}_{j});
        //: end
    }
    //: end
}
