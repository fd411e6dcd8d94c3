
// Mean of each channel over a run of pixels, and the sum of squares about it: sums about the run's first pixel, which keeps
// them small.
@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> parts: array<Value>;
@group(0) @binding(2) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    let first = id.x * p.each;
    let last = min(first + p.each, p.pixels);
    var sum = Value();
    var squares = Value();
    var about = Value();
    if (c < p.vectors) {
        about = x[first * p.vectors + c];
        for (var pixel = first + thread / LANES; pixel < last; pixel += ROWS) {
            let off = x[pixel * p.vectors + c] - about;
            sum += off;
            squares = fma(off, off, squares);
        }
    }
    one[thread] = sum;
    two[thread] = squares;
    add_rows(thread);
    if (thread < LANES && c < p.vectors) {
        let count = f32(last - first);
        let off = one[thread] / count;
        parts[2u * id.x * p.vectors + c] = about + off;
        parts[(2u * id.x + 1u) * p.vectors + c] = two[thread] - off * one[thread];
    }
}
