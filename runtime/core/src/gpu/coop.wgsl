// Many columns by matrix units: 16-bit products with 32-bit sums, 16 by 16 by 16 at a time. A
// workgroup has LANES vectors of lanes and COLUMNS columns, and each of its subgroups TALL by WIDE
// matrices. DEEP vectors of rows at a time go through one of STAGES parts of shared memory; the
// next ones are read from global memory during the multiplication.
//
// Pointers to vectors of four: strides count vectors.

// One vector longer than rows and columns, to avoid bank conflicts.
const X_PITCH = DEEP + 1u;
const W_PITCH = LANES + 1u;
const X_STAGE = COLUMNS * X_PITCH;
const W_STAGE = 4u * DEEP * W_PITCH;

var<workgroup> x_tile: array<vec4<f16>, STAGES * X_STAGE>;
var<workgroup> w_tile: array<vec4<f16>, STAGES * W_STAGE>;
// The output matrix of each subgroup.
var<workgroup> sums: array<vec4<f32>, 2u * THREADS>;

@compute @workgroup_size(THREADS)
fn coop(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
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
    let x_place = thread / DEEP * X_PITCH + quad;
    //: for j in X_LOADS
    let c{j} = column(group, first + thread / DEEP + {j}u * (THREADS / DEEP));
    var x_next{j} = under(group, c{j}, r);
    //: end
    let steps = group.quads / DEEP;
    let block = (group.quads + 3u) / 4u * 16u * BLOCK;
    //: for j in W_LOADS
    let e{j} = thread + {j}u * THREADS;
    let v{j} = part + e{j} % LANES;
    let w_place{j} = e{j} / LANES * W_PITCH + e{j} % LANES;
    var w{j} = group.weights + v{j} / BLOCK * block + e{j} / LANES * BLOCK + v{j} % BLOCK;
    var w_next{j} = weights[w{j}];
    //: end
    // The matrices of its subgroup.
    let subgroup = thread / 32u;
    let lane = subgroup % DOWN * 4u * TALL;
    let own = subgroup / DOWN * 16u * WIDE;
    //: for l in TALL
    //: for j in WIDE
    var s{l}_{j} = coop_mat16x16<f32, C>();
    //: end
    //: end
    for (var i = 0u; i < steps; i++) {
        let stage = i % STAGES;
        //: for j in X_LOADS
        x_tile[stage * X_STAGE + x_place + {j}u * (THREADS / DEEP) * X_PITCH] = x_next{j};
        //: end
        //: for j in W_LOADS
        w_tile[stage * W_STAGE + w_place{j}] = w_next{j};
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
        //: for q in ROUNDS
        {
            //: for j in WIDE
            let x{j} = coopLoad<coop_mat16x16<f16, B>>(&x_tile[stage * X_STAGE + (own + {16j}u) * X_PITCH + {4q}u], X_PITCH);
            //: end
            //: for l in TALL
            {
                let m = coopLoad<coop_mat16x16<f16, A>>(&w_tile[stage * W_STAGE + {16q}u * W_PITCH + lane + {4l}u], W_PITCH);
                //: for j in WIDE
                s{l}_{j} = coopMultiplyAdd(m, x{j}, s{l}_{j});
                //: end
            }
            //: end
        }
        //: end
        if (STAGES == 1u) {
            workgroupBarrier();
        }
    }
    // A matrix is stored by columns of four vectors; each thread writes two.
    let out = subgroup * 64u + thread % 32u;
    //: for l in TALL
    //: for j in WIDE
    coopStore(s{l}_{j}, &sums[subgroup * 64u], 4u);
    workgroupBarrier();
    finish(
        place(group, first + own + {16j}u + thread % 32u / 4u),
        part + lane + {4l}u + thread % 4u,
        sums[out],
    );
    finish(
        place(group, first + own + {16j}u + 8u + thread % 32u / 4u),
        part + lane + {4l}u + thread % 4u,
        sums[out + 32u],
    );
    workgroupBarrier();
    //: end
    //: end
}
