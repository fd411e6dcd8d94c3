
// Sums over a run of pixels: of dz, the gradient before the rectifier, and of dz * (x - mean).
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    var plain = Value();
    var weighted = Value();
    if (own.c < p.vectors) {
        let mean = statistics[own.c];
        let scale = gamma[own.c] / sqrt(statistics[p.vectors + own.c] + Value(p.epsilon));
        let shift = beta[own.c] - mean * scale;
        for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
            let at = pixel * p.vectors + own.c;
            let over = fma(x[at], scale, shift) > Value();
            let dz = dy[at] * select(Value(p.slope), Value(1.0), over);
            plain += dz;
            weighted = fma(dz, x[at] - mean, weighted);
        }
    }
    one[thread] = plain;
    two[thread] = weighted;
    add_rows(thread);
    if (thread < LANES && own.c < p.vectors) {
        parts[2u * id.x * p.vectors + own.c] = one[thread];
        parts[(2u * id.x + 1u) * p.vectors + own.c] = two[thread];
    }
}
