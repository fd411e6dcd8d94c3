
// A number added to each channel, then a function.
@group(0) @binding(0) var<storage, read_write> x: array<Value>;
@group(0) @binding(1) var<storage, read_write> bias: array<Value>;
@group(0) @binding(2) var<storage, read_write> y: array<Value>;
@group(0) @binding(3) var<uniform> p: Numbers;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let c = id.y * LANES + thread % LANES;
    if (c >= p.vectors) {
        return;
    }
    let own = bias[c];
    let last = min((id.x + 1u) * p.each, p.pixels);
    for (var pixel = id.x * p.each + thread / LANES; pixel < last; pixel += ROWS) {
        let at = pixel * p.vectors + c;
        y[at] = bent(x[at] + own, p);
    }
}
