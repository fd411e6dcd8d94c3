
// The gradient by x: scale * (dz - mean(dz) - normalized * mean(dz * normalized)).
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    if (own.c >= p.vectors) {
        return;
    }
    let inverse = Value(1.0) / sqrt(statistics[p.vectors + own.c] + Value(p.epsilon));
    let mean = statistics[own.c];
    let scale = gamma[own.c] * inverse;
    let shift = beta[own.c] - mean * scale;
    let tilt = -scale * inverse * by_gamma[own.c] / f32(p.pixels);
    let offset = -scale * by_beta[own.c] / f32(p.pixels) - tilt * mean;
    for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
        let at = pixel * p.vectors + own.c;
        let over = fma(x[at], scale, shift) > Value();
        let dz = dy[at] * select(Value(p.slope), Value(1.0), over);
        dx[at] = fma(dz, scale, fma(x[at], tilt, offset));
    }
}
