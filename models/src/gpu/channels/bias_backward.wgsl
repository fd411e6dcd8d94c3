
// The gradient by a function's input, from its output, and the sums of that over a run of pixels.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    var sum = Value();
    if (own.c < p.vectors) {
        for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
            let at = pixel * p.vectors + own.c;
            let dz = dy[at] * derivative(y[at]);
            dx[at] = dz;
            sum += dz;
        }
    }
    one[thread] = sum;
    two[thread] = Value();
    add_rows(thread);
    if (thread < LANES && own.c < p.vectors) {
        parts[id.x * p.vectors + own.c] = one[thread];
    }
}
