// The mean loss of a batch of logits, its shares, and its gradients by the logits. One workgroup: a
// batch is short.

struct Numbers {
    count: u32,
    // The loss, in the order of loss.rs.
    loss: u32,
    // Whether it is the generator's loss.
    of_generator: u32,
    smoothing: f32,
}

@group(0) @binding(0) var<storage, read_write> real: array<f32>;
@group(0) @binding(1) var<storage, read_write> fake: array<f32>;
// The loss.
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
// Means of both as probabilities, and the share of pairs in the right order.
@group(0) @binding(3) var<storage, read_write> shares: array<f32>;
// Gradients by the logits of the real images, then by those of the fakes.
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(5) var<uniform> p: Numbers;

fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// log(1 + exp(x)), which does not overflow.
fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + log(1.0 + exp(-abs(x)));
}

// The loss and its derivatives by both logits.
fn discriminator(r: f32, f: f32) -> vec3<f32> {
    switch p.loss {
        case 0u: {
            let right = (1.0 - p.smoothing) * softplus(-r) + p.smoothing * softplus(r);
            let slope = p.smoothing * sigmoid(r) - (1.0 - p.smoothing) * sigmoid(-r);
            return vec3<f32>(right + softplus(f), slope, sigmoid(f));
        }
        case 1u: {
            let slopes = vec2<f32>(select(0.0, -1.0, r < 1.0), select(0.0, 1.0, f > -1.0));
            return vec3<f32>(max(1.0 - r, 0.0) + max(1.0 + f, 0.0), slopes);
        }
        case 2u: {
            let slope = sigmoid(f - r);
            return vec3<f32>(softplus(f - r), -slope, slope);
        }
        default: {
            return vec3<f32>(f - r, -1.0, 1.0);
        }
    }
}

fn generator(r: f32, f: f32) -> vec3<f32> {
    switch p.loss {
        case 0u: {
            return vec3<f32>(softplus(-f), 0.0, -sigmoid(-f));
        }
        case 2u: {
            let slope = sigmoid(r - f);
            return vec3<f32>(softplus(r - f), slope, -slope);
        }
        default: {
            return vec3<f32>(-f, 0.0, -1.0);
        }
    }
}

var<workgroup> sums: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    var sum = vec4<f32>();
    let share = 1.0 / f32(p.count);
    for (var i = thread; i < p.count; i += 256u) {
        let r = real[i];
        let f = fake[i];
        var both = discriminator(r, f);
        if (p.of_generator == 1u) {
            both = generator(r, f);
        }
        gradients[i] = both.y * share;
        gradients[p.count + i] = both.z * share;
        sum += vec4<f32>(both.x, sigmoid(r), sigmoid(f), select(0.0, 1.0, r > f));
    }
    sums[thread] = sum;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        let means = sums[0] * share;
        mean[0] = means.x;
        shares[0] = means.y;
        shares[1] = means.z;
        shares[2] = means.w;
    }
}
