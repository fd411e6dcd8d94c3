// Multiply-adds and nothing else: three vectors at a time, in sums that do not wait for each other.
// The factors come from outside, so that nothing is computed at compile time.

struct Params {
    by: f32,
    add: f32,
    rounds: u32,
    none: u32,
}

fn run(index: u32) {
    let m = vec4<f32>(p.by);
    let n = vec4<f32>(p.add);
    var a = vec4<f32>(f32(index));
    var b = a + 1.0;
    var c = a + 2.0;
    for (var i = 0u; i < p.rounds; i++) {
REPEATED    }
    // Never true, but no compiler knows.
    if (a.x + b.y + c.z == -1.0) {
        never[0] = a + b + c;
    }
}
