
// The sum of each channel over a run of pixels.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    var sum = Value();
    if (own.c < p.vectors) {
        for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
            sum += x[pixel * p.vectors + own.c];
        }
    }
    one[thread] = sum;
    two[thread] = Value();
    add_rows(thread);
    if (thread < LANES && own.c < p.vectors) {
        parts[id.x * p.vectors + own.c] = one[thread];
    }
}
