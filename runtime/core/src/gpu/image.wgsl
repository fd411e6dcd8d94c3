// The layer that makes the image: a transposed convolution of kernel 4, stride 2 and padding 1 to
// at most 4 channels, straight to the bytes of pixels. Padding the few channels to a vector would
// waste part of every product, so pixels take the place of lanes: a thread has two neighboring
// positions, four by two pixels of the output, which depend on four by three pixels of the input.
//
// Row u of the four rows of the kernel reads input row (u + 1) / 2 of the three and adds to output
// row u / 2; columns likewise. Weights are ordered by vector of input channels, u, v, output
// channel.

// PAIRS by LINES threads, DEEP vectors of channels at a time. Even and odd columns are stored
// apart: neighboring threads are two columns apart.
const HALF = PAIRS + 1u;
const LINE = 2u * HALF;
const PLANE = (LINES + 2u) * LINE;
const TAPS = 16u * CHANNELS;

var<workgroup> x_tile: array<vec4<f32>, DEEP * PLANE + 1u>;
var<workgroup> w_tile: array<vec4<f32>, DEEP * TAPS>;

@compute @workgroup_size(THREADS)
fn image(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let number = id.y * ROW + id.x;
    let across = (layer.columns + 2u * PAIRS - 1u) / (2u * PAIRS);
    let down = (layer.rows + LINES - 1u) / LINES;
    let face = number / (across * down);
    if (face >= call.x) {
        return;
    }
    let first_row = number / across % down * LINES;
    let first_column = number % across * 2u * PAIRS;
    // The pixels that the thread loads, from one above and left of the first: source (out of range
    // if outside the input) and destination.
    let quad = thread % DEEP;
    //: for j in LOADS
    let pixel{j} = thread / DEEP + {j}u * (THREADS / DEEP);
    let y{j} = first_row + pixel{j} / LINE - 1u;
    let x{j} = first_column + pixel{j} % LINE - 1u;
    let inside{j} = pixel{j} < PLANE && y{j} < layer.rows && x{j} < layer.columns;
    let from{j} = face * layer.face + (y{j} * layer.columns + x{j}) * layer.depth + quad;
    let place{j} = quad * PLANE + pixel{j} / LINE * LINE + pixel{j} % LINE % 2u * HALF + pixel{j} % LINE / 2u;
    let to{j} = select(DEEP * PLANE, place{j}, pixel{j} < PLANE);
    //: end
    let pair = thread % PAIRS;
    let line = thread / PAIRS;
    //: for i in 2
    //: for a in 2
    //: for b in 2
    //: for c in CHANNELS
    var a{i}{a}{b}{c} = 0.0;
    //: end
    //: end
    //: end
    //: end
    for (var q = 0u; q < layer.depth; q += DEEP) {
        let there = q + quad < layer.depth;
        //: for j in LOADS
        var value{j} = vec4<f32>();
        if (inside{j} && there) {
            value{j} = vec4<f32>(input[from{j} + q]);
        }
        x_tile[to{j}] = value{j};
        //: end
        for (var t = thread; t < DEEP * TAPS; t += THREADS) {
            w_tile[t] = vec4<f32>(weights[q * TAPS + t]);
        }
        workgroupBarrier();
        //: for s in DEEP
        {
            //: for t in 3
            //: for j in 4
            let x{t}{j} = x_tile[{s}u * PLANE + (line + {t}u) * LINE + {j}u % 2u * HALF + pair + {j/2}u];
            //: end
            //: end
            //: for u in 4
            //: for v in 4
            //: for c in CHANNELS
            {
                let m = w_tile[{s}u * TAPS + {4u+v}u * CHANNELS + {c}u];
                //: for i in 2
                a{i}{u/2}{v/2}{c} = four(m, x{u+1/2}{v+1/2+i}, a{i}{u/2}{v/2}{c});
                //: end
            }
            //: end
            //: end
            //: end
        }
        //: end
        workgroupBarrier();
    }
    let r = first_row + line;
    let p = first_column / 2u + pair;
    if (r >= layer.rows || 2u * p >= layer.columns) {
        return;
    }
    //: for a in 2
    //: for i in 2
    //: for b in 2
    var o{a}{2i+b} = vec4<f32>();
    //: for c in CHANNELS
    o{a}{2i+b}[{c}] = a{i}{a}{b}{c};
    //: end
    o{a}{2i+b} = activation(o{a}{2i+b} + bias[0]);
    //: end
    //: end
    emit(face, 2u * r + {a}u, p, array<vec4<f32>, 4>(o{a}0, o{a}1, o{a}2, o{a}3));
    //: end
}

fn four(m: vec4<f32>, x: vec4<f32>, sum: f32) -> f32 {
    return fma(m.w, x.w, fma(m.z, x.z, fma(m.y, x.y, fma(m.x, x.x, sum))));
}
