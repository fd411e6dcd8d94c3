
// Sums of each channel over a run of pixels.
@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> parts: array<Value>;
@group(0) @binding(2) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    let last = min((id.x + 1u) * p.each, p.pixels);
    var sum = Value();
    if (c < p.vectors) {
        for (var pixel = id.x * p.each + thread / LANES; pixel < last; pixel += ROWS) {
            sum += x[pixel * p.vectors + c];
        }
    }
    one[thread] = sum;
    two[thread] = Value();
    add_rows(thread);
    if (thread < LANES && c < p.vectors) {
        parts[id.x * p.vectors + c] = one[thread];
    }
}
