
// A bias per channel, then a function.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    if (own.c >= p.vectors) {
        return;
    }
    let added = bias[own.c];
    for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
        let at = pixel * p.vectors + own.c;
        y[at] = activation(x[at] + added);
    }
}
