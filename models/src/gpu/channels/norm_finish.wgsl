
// The gradients by gamma and beta, from the sums of the runs.
fn run(id: vec3<u32>, thread: u32) {
    let c = id.x * LANES + thread % LANES;
    var plain = Value();
    var weighted = Value();
    if (c < p.vectors) {
        for (var part = thread / LANES; part < p.parts; part += ROWS) {
            plain += parts[2u * part * p.vectors + c];
            weighted += parts[(2u * part + 1u) * p.vectors + c];
        }
    }
    one[thread] = plain;
    two[thread] = weighted;
    add_rows(thread);
    if (thread < LANES && c < p.vectors) {
        by_beta[c] = one[thread];
        by_gamma[c] = two[thread] / sqrt(statistics[p.vectors + c] + Value(p.epsilon));
    }
}
