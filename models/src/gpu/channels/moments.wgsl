
// The mean of each channel over a run of pixels, and the sum of squares about it. The sums are
// taken about the run's first pixel, which keeps them small.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    let first = id.x * p.each;
    var sum = Value();
    var squares = Value();
    var about = Value();
    if (own.c < p.vectors) {
        about = x[first * p.vectors + own.c];
        for (var pixel = own.first; pixel < own.last; pixel += ROWS) {
            let off = x[pixel * p.vectors + own.c] - about;
            sum += off;
            squares = fma(off, off, squares);
        }
    }
    one[thread] = sum;
    two[thread] = squares;
    add_rows(thread);
    if (thread < LANES && own.c < p.vectors) {
        let count = f32(own.last - first);
        let off = one[thread] / count;
        parts[2u * id.x * p.vectors + own.c] = about + off;
        parts[(2u * id.x + 1u) * p.vectors + own.c] = two[thread] - off * one[thread];
    }
}
