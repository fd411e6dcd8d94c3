// One value of the result per thread.

struct Numbers {
    length: u32,
    parts: u32,
}

@group(0) @binding(0) var<storage, read_write> parts: array<Value>;
@group(0) @binding(1) var<storage, read_write> result: array<Value>;
@group(0) @binding(2) var<uniform> p: Numbers;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (id.y * groups.x + id.x) * 64u + thread;
    if (at >= p.length) {
        return;
    }
    var sum = Value();
    var i = 0u;
    // Four at a time, so that their reads overlap.
    for (; i + 4u <= p.parts; i += 4u) {
        let first = i * p.length + at;
        let a = parts[first];
        let b = parts[first + p.length];
        let c = parts[first + 2u * p.length];
        let d = parts[first + 3u * p.length];
        sum += a;
        sum += b;
        sum += c;
        sum += d;
    }
    for (; i < p.parts; i++) {
        sum += parts[i * p.length + at];
    }
    result[at] = sum;
}
