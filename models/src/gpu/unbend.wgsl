
// The gradient before a function, of what came out of it.
@group(0) @binding(0) var<storage, read_write> y: array<Value>;
@group(0) @binding(1) var<storage, read_write> dy: array<Value>;
@group(0) @binding(2) var<storage, read_write> dx: array<Value>;
@group(0) @binding(3) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let last = min((id.x + 1u) * p.each, p.pixels);
    for (var at = id.x * p.each + thread; at < last; at += 256u) {
        dx[at] = dy[at] * slope_at(y[at], p);
    }
}
