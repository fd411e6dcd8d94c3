// image.wgsl for few faces: a workgroup takes any PAIRS pairs of positions, and each thread a part
// of the input channels.

var<workgroup> sums: array<f32, 8u * CHANNELS * THREADS>;
var<workgroup> done: array<vec4<f32>, 8u * PAIRS>;

const TAPS = 16u * CHANNELS;

fn at(face: u32, y: u32, x: u32, quad: u32) -> vec4<f32> {
    // Unsigned: what lies above or left of the input is beyond its end.
    if (face < call.x && y < layer.rows && x < layer.columns) {
        return vec4<f32>(input[face * layer.face + (y * layer.columns + x) * layer.depth + quad]);
    }
    return vec4<f32>();
}

@compute @workgroup_size(THREADS)
fn image(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = (id.y * ROW + id.x) * PAIRS;
    let across = layer.columns / 2u;
    let plane = layer.rows * across;
    let own = first + thread % PAIRS;
    let r = own % plane / across;
    let p = own % across;
    //: for i in 2
    //: for a in 2
    //: for b in 2
    //: for c in CHANNELS
    var a{i}{a}{b}{c} = 0.0;
    //: end
    //: end
    //: end
    //: end
    for (var q = thread / PAIRS; q < layer.depth; q += THREADS / PAIRS) {
        //: for t in 3
        //: for j in 4
        let x{t}{j} = at(own / plane, r + {t}u - 1u, 2u * p + {j}u - 1u, q);
        //: end
        //: end
        //: for u in 4
        //: for v in 4
        //: for c in CHANNELS
        {
            let m = vec4<f32>(weights[q * TAPS + {4u+v}u * CHANNELS + {c}u]);
            //: for i in 2
            a{i}{u/2}{v/2}{c} = four(m, x{u+1/2}{v+1/2+i}, a{i}{u/2}{v/2}{c});
            //: end
        }
        //: end
        //: end
        //: end
    }
    //: for i in 2
    //: for a in 2
    //: for b in 2
    //: for c in CHANNELS
    sums[({4a+2i+b}u * CHANNELS + {c}u) * THREADS + thread] = a{i}{a}{b}{c};
    //: end
    //: end
    //: end
    //: end
    workgroupBarrier();
    // Each thread adds up the parts of one pixel.
    for (var k = thread; k < 8u * PAIRS; k += THREADS) {
        var sum = vec4<f32>();
        for (var s = k % PAIRS; s < THREADS; s += PAIRS) {
            //: for c in CHANNELS
            sum[{c}] += sums[(k / PAIRS * CHANNELS + {c}u) * THREADS + s];
            //: end
        }
        done[k] = activation(sum + bias[0]);
    }
    workgroupBarrier();
    // Each thread writes one row of four pixels.
    if (thread < 2u * PAIRS && own / plane < call.x) {
        let a = thread / PAIRS;
        let k = 4u * a * PAIRS + thread % PAIRS;
        let line = array<vec4<f32>, 4>(done[k], done[k + PAIRS], done[k + 2u * PAIRS], done[k + 3u * PAIRS]);
        emit(own / plane, 2u * r + a, p, line);
    }
}

fn four(m: vec4<f32>, x: vec4<f32>, sum: f32) -> f32 {
    return fma(m.w, x.w, fma(m.z, x.z, fma(m.y, x.y, fma(m.x, x.x, sum))));
}
