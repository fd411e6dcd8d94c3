// The sum of the parts of a result, one value per thread.

struct Params {
    length: u32,
    parts: u32,
}

fn run(at: u32) {
    if (at >= p.length) {
        return;
    }
    var sum = Value();
    var i = 0u;
    // Four at a time, so that the reads overlap.
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
