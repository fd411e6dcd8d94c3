// One value of the output per thread, gathered from a tensor of any strides.

struct Params {
    count: u32,
    // Axes of the output but the first.
    b: u32,
    c: u32,
    d: u32,
    // Strides of the input in the output's order.
    stride_a: u32,
    stride_b: u32,
    stride_c: u32,
    stride_d: u32,
}

fn run(at: u32) {
    if (at >= p.count) {
        return;
    }
    let d = at % p.d;
    let c = at / p.d % p.c;
    let b = at / (p.d * p.c) % p.b;
    let a = at / (p.d * p.c * p.b);
    output[at] = input[a * p.stride_a + b * p.stride_b + c * p.stride_c + d * p.stride_d];
}
