// The weight of a doubling and a convolution of kernel 3 as that of a transposed convolution of kernel 4, and back: a pair
// of channels per thread.

struct Numbers {
    inner: u32,
    outer: u32,
    // Strides of [outer, inner, 3, 3].
    stride_outer: u32,
    stride_inner: u32,
    stride_y: u32,
    stride_x: u32,
}

@group(0) @binding(2) var<uniform> p: Numbers;

// The four taps of an axis, of the three.
fn folded(v: vec3<f32>) -> vec4<f32> {
    return vec4<f32>(v.z, v.y + v.z, v.x + v.y, v.x);
}

// The other way round: the three, of the gradients by the four.
fn unfolded(v: vec4<f32>) -> vec3<f32> {
    return vec3<f32>(v.z + v.w, v.y + v.z, v.x + v.y);
}
