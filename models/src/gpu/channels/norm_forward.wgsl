
// Normalized, scaled, shifted, then rectified.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    if (own.c >= p.vectors) {
        return;
    }
    let scale = gamma[own.c] / sqrt(statistics[p.vectors + own.c] + Value(p.epsilon));
    let shift = beta[own.c] - statistics[own.c] * scale;
    for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
        let at = pixel * p.vectors + own.c;
        y[at] = rectified(fma(x[at], scale, shift), p.slope);
    }
}
