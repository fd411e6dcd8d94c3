
// The gradient before a function, of what came out of it, and its sums over a run of pixels.
@group(0) @binding(0) var<storage, read_write> y: array<Value>;
@group(0) @binding(1) var<storage, read_write> dy: array<Value>;
@group(0) @binding(2) var<storage, read_write> dx: array<Value>;
@group(0) @binding(3) var<storage, read_write> parts: array<Value>;
@group(0) @binding(4) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    let last = min((id.x + 1u) * p.each, p.pixels);
    var sum = Value();
    if (c < p.vectors) {
        for (var pixel = id.x * p.each + thread / LANES; pixel < last; pixel += ROWS) {
            let at = pixel * p.vectors + c;
            let dz = dy[at] * slope_at(y[at], p);
            dx[at] = dz;
            sum += dz;
        }
    }
    one[thread] = sum;
    two[thread] = Value();
    add_rows(thread);
    if (thread < LANES && c < p.vectors) {
        parts[id.x * p.vectors + c] = one[thread];
    }
}
