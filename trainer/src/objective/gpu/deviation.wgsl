// The standard deviation of each of 64 pixels over the images of a batch, and their sum, four
// images at a time. Sums are relative to the first image, for precision.

struct Numbers {
    images: u32,
    pixels: u32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> p: Numbers;

var<workgroup> threads: array<vec2<f32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let pixel = id.x * 64u + thread % 64u;
    var sum = vec2<f32>();
    if (pixel < p.pixels) {
        let about = x[pixel];
        for (var image = thread / 64u; image < p.images; image += 4u) {
            let off = x[image * p.pixels + pixel] - about;
            sum += vec2<f32>(off, off * off);
        }
    }
    threads[thread] = sum;
    workgroupBarrier();
    if (thread < 64u) {
        let all = (sum + threads[thread + 64u]) + (threads[thread + 128u] + threads[thread + 192u]);
        let count = f32(p.images);
        let variance = (all.y - all.x * all.x / count) / max(count - 1.0, 1.0);
        threads[thread].x = select(0.0, sqrt(max(variance, 0.0)), pixel < p.pixels);
    }
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (thread < half) {
            threads[thread].x += threads[thread + half].x;
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        sums[id.x] = threads[0].x;
    }
}
